"""Boards, threads and posts over HTTP."""
