"""Measures: what a decision does to a post, a thread or a member, and how each is undone."""
