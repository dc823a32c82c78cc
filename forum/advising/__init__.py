"""The list of threads that wait for an adviser."""
