"""Passwords: which are accepted, how they are hashed, and the hashes of old boards."""
