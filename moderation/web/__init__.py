"""Pages for those who moderate: the queue, one case on one page, what they decide and why."""
