"""Legal holds and lost mailboxes, as pages: for administrators."""
