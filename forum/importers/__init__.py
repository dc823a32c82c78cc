"""Moving in: what an old board has, read from its own files, looked at first and then carried over."""
