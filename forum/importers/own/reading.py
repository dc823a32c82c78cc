"""Read an export of ours into a staging file, and be sure that all of it is there."""

import hashlib
import sqlite3
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from forum.importers.errors import CannotMove
from forum.importers.own.archive import FILES, FORMAT, MANIFEST, SCHEMA, FileEntry, Manifest
from forum.importers.records import RECORD, AnyRecord
from forum.importers.sources import files
from forum.importers.staging import Staging

_LINE_MAX = 1 << 20  # bytes: a post has 20,000 characters at most
_MANIFEST_MAX = 1 << 16
_SEEN_EVERY = 1_000  # records
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def is_export(path: Path) -> bool:
    """Return whether a file is an export of ours, in whichever version."""
    try:
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return b'"forum export ' in _manifest_bytes(archive)
    except (*_DAMAGED, KeyError):
        return False


def read(path: Path, staging: Staging, *, seen: Callable[[int], None] = lambda _: None) -> None:
    """Read an export into a staging file; `seen` gets how many bytes of the file were read so far.

    Raises CannotMove when it is of a newer forum, and when a line of it is missing or was changed.
    """
    try:
        with path.open("rb") as raw, zipfile.ZipFile(raw) as archive:
            _refuse_bomb(archive, path)
            manifest = _read_manifest(archive, path)
            if not manifest.files.keys() <= {SCHEMA, *FILES.values()}:
                raise _Changed
            for kind, name in FILES.items():
                if name in manifest.files:
                    with archive.open(name) as opened:
                        staging.add(_records(opened, kind, manifest.files[name], lambda: seen(raw.tell())))
            staging.source  # noqa: B018 (it has one, or it is no export)
    except sqlite3.IntegrityError as error:
        raise CannotMove(f"{path} names something twice: it was not written by `forum export all`.") from error
    except (*_DAMAGED, KeyError, StopIteration, _Changed) as error:
        raise CannotMove(f"{path} is not whole, or was changed since it was written: export it again.") from error


class _Changed(Exception):
    """A line is not as it was written."""


def _refuse_bomb(archive: zipfile.ZipFile, path: Path) -> None:
    size = sum(entry.file_size for entry in archive.infolist())
    if size > files.BOMB_FROM and size > files.BOMB_RATIO * path.stat().st_size:
        raise CannotMove(f"{path} unpacks to more than {files.BOMB_RATIO} times its size: it was made to fill a disk.")


def _read_manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(_manifest_bytes(archive))
    except ValidationError as error:
        raise CannotMove(f"{path} is of a newer forum, or was changed: this one reads “{FORMAT}”.") from error


def _manifest_bytes(archive: zipfile.ZipFile) -> bytes:
    with archive.open(MANIFEST) as opened:
        return opened.read(_MANIFEST_MAX)


def _records(opened: IO[bytes], kind: str, entry: FileEntry, seen: Callable[[], None]) -> Iterator[AnyRecord]:
    digest, count = hashlib.sha256(), 0
    while line := opened.readline(_LINE_MAX):
        digest.update(line)
        count += 1
        yield _record(line, kind)
        if count % _SEEN_EVERY == 0:
            seen()
    if (count, digest.hexdigest()) != (entry.records, entry.sha256):
        raise _Changed


def _record(line: bytes, kind: str) -> AnyRecord:
    try:
        record = RECORD.validate_json(line)
    except ValidationError as error:
        raise _Changed from error
    if record.kind != kind:
        raise _Changed
    return record
