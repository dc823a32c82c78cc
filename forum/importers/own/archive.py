"""The file of an export: a .zip with a file of JSON lines for each kind of record, their schema, and a manifest."""

import errno
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict

from forum.importers.errors import CannotMove
from forum.importers.records import RECORD, AnyRecord

FORMAT: Literal["forum export 1"] = "forum export 1"
MANIFEST, SCHEMA = "manifest.json", "schema.json"
# In the order in which they are written and read: what others name comes before them.
FILES: Mapping[str, str] = {
    "source": "source.jsonl",
    "board": "boards.jsonl",
    "person": "people.jsonl",
    "ban": "bans.jsonl",
    "thread": "threads.jsonl",
    "post": "posts.jsonl",
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first time that a .zip knows: the same forum makes the same bytes


class FileEntry(BaseModel):
    """What a file of the export must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    records: int
    sha256: str


class Manifest(BaseModel):
    """What an export holds; by this it is known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["forum export 1"] = FORMAT
    with_passwords: bool
    with_removed: bool
    files: dict[str, FileEntry]


@dataclass
class ArchiveWriter:
    """Writes records into an export, one file after the other, and none of them is in memory as a whole."""

    archive: zipfile.ZipFile
    files: dict[str, FileEntry] = field(default_factory=dict)

    @contextmanager
    def lines(self, kind: str) -> Iterator["LineWriter"]:
        """Give what writes the records of one kind."""
        with self.archive.open(_entry(FILES[kind]), "w", force_zip64=True) as opened:
            writer = LineWriter(opened)
            yield writer
        self.files[FILES[kind]] = FileEntry(records=writer.records, sha256=writer.digest.hexdigest())

    def finish(self, *, with_passwords: bool, with_removed: bool) -> Manifest:
        """Write the schema and the manifest."""
        schema = (json.dumps(RECORD.json_schema(), indent=2, sort_keys=True) + "\n").encode()
        self.archive.writestr(_entry(SCHEMA), schema)
        self.files[SCHEMA] = FileEntry(records=0, sha256=hashlib.sha256(schema).hexdigest())
        manifest = Manifest(with_passwords=with_passwords, with_removed=with_removed, files=self.files)
        self.archive.writestr(_entry(MANIFEST), manifest.model_dump_json(indent=2) + "\n")
        return manifest


@dataclass
class LineWriter:
    """Writes records as lines of JSON."""

    opened: IO[bytes]
    records: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def write(self, record: AnyRecord) -> None:
        """Write a record."""
        data = f"{record.model_dump_json()}\n".encode()
        self.opened.write(data)
        self.digest.update(data)
        self.records += 1


@contextmanager
def new_archive(path: Path) -> Iterator[ArchiveWriter]:
    """Write an export into a file that is there already, and empty. Raises CannotMove when the disk is full."""
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            yield ArchiveWriter(archive)
    except OSError as error:
        if error.errno not in _NO_ROOM:  # a database that is not there
            raise
        raise CannotMove(f"{path} cannot be written: {error.strerror}.") from error


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o600 << 16
    return entry
