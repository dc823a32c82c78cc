"""Threads: their title, whether they take replies, and the counts that lists show."""
