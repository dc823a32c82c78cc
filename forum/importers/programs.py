"""Which program an old board is of, and its reader: the first bytes of a file say it. A database itself is phpBB's."""

from collections.abc import Callable, Sequence
from pathlib import Path

from forum.importers import own, phpbb, wordpress
from forum.importers.errors import CannotMove
from forum.importers.sources import files
from forum.importers.sources.live import Source
from forum.importers.sources.wxr import is_xml
from forum.importers.staging import Staging


def read(
    sources: Sequence[Source],
    staging: Staging,
    *,
    people: Source | None = None,
    seen: Callable[[int], None] = lambda _: None,
) -> None:
    """Read an old board into a staging file: phpBB's, the exports of a site of WordPress, or our own export.

    `people` is where WordPress's users are; `seen` gets how many bytes were read so far. Raises CannotMove when it is
    none of these, or cannot be read.
    """
    paths = [source for source in sources if isinstance(source, Path)]
    if any(map(own.is_export, paths)):
        if len(sources) > 1 or people:
            raise CannotMove("Give an export of a forum alone: its members are in it.")
        own.read(paths[0], staging, seen=seen)
        return
    are_exports = [isinstance(source, Path) and _is_export(source) for source in sources]
    if all(are_exports):
        wordpress.read(paths, staging, users=people, seen=seen)
    elif any(are_exports):
        raise CannotMove("Give exports of WordPress alone; a dump with its users goes behind --people.")
    elif people:
        raise CannotMove("--people is for WordPress: the database of phpBB holds its members.")
    elif len(sources) > 1:
        raise CannotMove("Give one dump: only exports of WordPress come in several files.")
    else:
        phpbb.read(sources[0], staging, seen=seen)


def _is_export(path: Path) -> bool:
    if files.list_exports(path):
        return True
    try:
        with files.pieces(path, lambda _: None) as pieces:
            return is_xml(next(pieces, b"")) or path.suffix.lower() == ".xml"
    except CannotMove:
        return False  # its reader says why
