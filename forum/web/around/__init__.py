"""Pages around the forum: longer texts, how pages look, leaving at once."""
