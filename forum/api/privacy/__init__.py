"""Copies of one's own data, leaving and legal holds over HTTP."""
