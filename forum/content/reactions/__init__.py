"""Reactions: a member thanks somebody for a post, sends a hug, or says that it helped or that they feel the same."""
