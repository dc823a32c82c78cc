"""Privacy: copies of personal data, leaving, and legal holds."""
