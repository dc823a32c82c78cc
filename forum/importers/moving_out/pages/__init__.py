"""A copy of what guests read, as files: pages without scripts and forms, for a home without this program."""
