"""Pages of what is kept about a member: their account, copies, leaving, legal holds and lost mailboxes."""
