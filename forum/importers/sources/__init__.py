"""Files that old boards are read from."""
