"""Carry over what changed on an old board since an earlier run: new posts, edits, removals, and what is gone there."""
