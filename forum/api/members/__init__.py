"""Members and advisers over HTTP."""
