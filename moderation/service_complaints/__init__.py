"""Complaints about how the forum keeps its duties."""
