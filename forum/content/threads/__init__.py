"""Threads: title, lock, pin, board, and the counts that lists show."""
