"""Search: what posts and titles say, found again by whoever may read them."""
