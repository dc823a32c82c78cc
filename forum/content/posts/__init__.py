"""Posts: numbered in their thread, with revisions."""
