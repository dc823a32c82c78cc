"""Restore a backup into a PostgreSQL of its own, and say whether it is good. The forum's database is never touched.

That server stands beside the backup for as long as it takes: so it needs no right on the forum's server, takes nothing
from it, and fills no other disk than the one of the backups.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from forum.core import audit, backup, embedded_postgres, signals
from forum.core.audit import ChainBroken, Head
from forum.core.backup import BackupError, BackupSummary, Contents
from forum.core.database import LEAST_ROOM

FOLDER = ".restore-test"  # beside the backup
# Tables are smaller than on the server, where old rows wait to be cleaned up; what PostgreSQL notes comes on top.
ROOM = 2
MOST_NAMED = 3  # tables in one sentence


@dataclass(frozen=True)
class BackupNotes:
    """What is known of a backup beside its file: what it must bring back, and whether it was seen to."""

    head: Head
    contents: Contents
    is_tested: bool = False


@dataclass(frozen=True)
class Restored:
    """What came back of a backup."""

    head: Head
    contents: Contents
    is_compared: bool


def notes_of(file: Path) -> Path:
    """Return where the notes about a backup are."""
    return file.with_suffix(".json")


def write_notes(file: Path, made: BackupSummary) -> None:
    """Write down what a backup must bring back. Raises BackupError, and OSError."""
    if made.contents is None:
        raise ValueError("The rows of this backup were not counted.")
    _write(file, BackupNotes(made.head, made.contents))


def mark_as_tested(file: Path) -> None:
    """Note that a backup was restored and is good. Raises BackupError, and OSError."""
    if notes := read_notes(file):
        _write(file, BackupNotes(notes.head, notes.contents, is_tested=True))


def read_notes(file: Path) -> BackupNotes | None:
    """Return the notes about a backup; None where there are none, or none that can be read."""
    try:
        found = json.loads(notes_of(file).read_text())
        contents = Contents(found["revision"], found["rows"], found["database_bytes"])
        return BackupNotes(Head.parse(found["head"]), contents, found["is_tested"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(file: Path, notes: BackupNotes) -> None:
    written = {
        "head": str(notes.head),
        "revision": notes.contents.revision,
        "database_bytes": notes.contents.database_bytes,
        "is_tested": notes.is_tested,
        "rows": notes.contents.rows,
    }
    with backup.new_file(notes_of(file)) as part:
        part.write_text(json.dumps(written, indent=1) + "\n")


def try_restore(file: Path) -> Restored:
    """Restore a backup into a server of its own, compare what came back with the notes, and delete that server.

    Call it from the main thread. Raises BackupError and EmbeddedError when the backup is not good, or cannot be tried.
    """
    file = file.resolve()
    notes = read_notes(file)
    with _scratch_folder(file.parent / FOLDER) as folder:
        _refuse_small_disk(file, notes)
        with embedded_postgres.running(folder, durable=False) as server:
            restored = signals.run(_restore(server.url, file, is_compared=notes is not None))
    if notes:
        _refuse_difference(file, notes, restored)
    return restored


async def _restore(url: str, file: Path, *, is_compared: bool) -> Restored:
    await backup.restore(url, file)
    async with backup.read_snapshot(url) as session:
        try:
            head = await audit.verify(session)
        except ChainBroken as error:
            raise BackupError(f"{file} was restored, and its record is broken: {error}") from error
        return Restored(head, await backup.read_contents(session), is_compared)


def _refuse_difference(file: Path, notes: BackupNotes, restored: Restored) -> None:
    expected, found = notes.contents, restored.contents
    if found.revision != expected.revision:
        raise BackupError(f"{file} was restored with migration {found.revision} instead of {expected.revision}.")
    if differing := _differing(expected.rows, found.rows):
        raise BackupError(f"{file} was restored with other rows than there were: {differing}.")
    if restored.head != notes.head:
        raise BackupError(f"{file} was restored with a record that ends at {restored.head}, not {notes.head}.")


def _differing(expected: Mapping[str, int], found: Mapping[str, int]) -> str:
    """Return which tables came back with another number of rows, and which; an empty text when none did."""
    names = [name for name in sorted({*expected, *found}) if expected.get(name) != found.get(name)]
    said = [f"{name} has {found.get(name, 'no')} of {expected.get(name, 'no')}" for name in names[:MOST_NAMED]]
    return ", ".join([*said, *([f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else [])])


def _refuse_small_disk(file: Path, notes: BackupNotes | None) -> None:
    """Raise BackupError where a server with what the backup holds would not fit beside it."""
    needed = ROOM * (notes.contents.database_bytes if notes else 4 * file.stat().st_size) + LEAST_ROOM
    free = shutil.disk_usage(file.parent).free
    if free < needed:
        raise BackupError(
            f"Make room beside {file}: to restore it there takes {needed // 2**20} MB, and {free // 2**20} are free."
        )


@contextmanager
def _scratch_folder(folder: Path) -> Iterator[Path]:
    """Give a folder for the block alone, without what a killed run left there; delete it at the end."""
    with embedded_postgres.serving(folder):
        shutil.rmtree(folder / "postgres", ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
