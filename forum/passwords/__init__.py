"""Passwords: what is accepted, how it is kept, and what old boards kept."""
