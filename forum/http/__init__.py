"""What the API and the pages both need of HTTP."""
