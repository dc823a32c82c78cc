"""Moving in and out over HTTP."""
