"""Pages of members and advisers."""
