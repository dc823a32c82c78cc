"""Mail: put down in the transaction that wants it, written when it is sent, and never with a word of a post."""
