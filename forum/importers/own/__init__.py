"""Our own export: everything of a forum in one file of neutral records, and its reader, so that another forum takes it.

Whoever leaves us takes the file along; its `schema.json` says what each line holds.
"""

from forum.importers.own.reading import is_export, read

__all__ = ["is_export", "read"]
