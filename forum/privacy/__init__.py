"""Privacy: a copy of everything of a member, leaving, and legal holds."""
