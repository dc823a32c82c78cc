"""Mail: queued in the transaction that needs it, written when it is sent, and never with a word of a post."""
