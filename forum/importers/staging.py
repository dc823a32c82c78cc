"""Where records wait until they are carried over: a file of SQLite, beside the forum's data or in a temporary folder.

Nothing of an old board is in our database before it is moved, so nothing of it can be read, searched or backed up
there; and whoever only looks needs no database. The file is for its owner alone. That of a run has no name once it is
open, so that it is gone when the run ends, however it ends.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TypeVar, cast
from uuid import uuid4

from forum.importers.batches import batches
from forum.importers.records import (
    RECORD,
    AnyRecord,
    BoardRecord,
    PersonRecord,
    PostRecord,
    SourceRecord,
    ThreadRecord,
)
from forum.importers.remarks import Remark

BATCH = 1_000  # records that are written together
# The columns beside the record are what plans join and sort by. `seq` is the order in which records came. `here`
# is what moved with earlier runs, put beside them.
_TABLES = """
CREATE TABLE board (seq INTEGER PRIMARY KEY, old TEXT NOT NULL UNIQUE, parent TEXT, record TEXT NOT NULL);
CREATE TABLE person (seq INTEGER PRIMARY KEY, old TEXT NOT NULL UNIQUE, what TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE thread (seq INTEGER PRIMARY KEY, old TEXT NOT NULL UNIQUE, board TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE post (
    seq INTEGER PRIMARY KEY, old TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, author TEXT, written_at REAL,
    shown TEXT NOT NULL, record TEXT NOT NULL
);
CREATE TABLE other (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, record TEXT NOT NULL);
CREATE TABLE here (
    kind TEXT, old TEXT, thread_id INTEGER, digest BLOB, was TEXT, PRIMARY KEY (kind, old)
) WITHOUT ROWID;
CREATE TABLE remark (what TEXT NOT NULL, old TEXT NOT NULL, detail TEXT NOT NULL);
CREATE INDEX post_thread ON post (thread, written_at, seq);
CREATE INDEX post_author ON post (author);
CREATE INDEX here_thread ON here (thread_id) WHERE thread_id IS NOT NULL;
CREATE INDEX other_kind ON other (kind, seq);
"""
R = TypeVar("R", bound=AnyRecord)
Found = tuple[Remark, str, str]  # what, the old id of the record, and a few words about it


class Staging:
    """Records of one old board. A context manager: what is not committed by its end is gone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        is_new = not path.exists()
        if is_new:
            path.touch(mode=0o600)
        self.connection = sqlite3.connect(path)
        self.connection.execute("PRAGMA synchronous = OFF")  # a file that a power cut spoilt is read anew
        # In memory, so that SQLite never asks again for the file's name.
        self.connection.execute("PRAGMA journal_mode = MEMORY")
        if is_new:
            self.connection.executescript(_TABLES)

    @classmethod
    def without_name(cls, folder: Path) -> Self:
        """Return a new one in this folder that nobody else can open, and of which nothing is left, even if killed."""
        folder.mkdir(parents=True, exist_ok=True)
        staging = cls(folder / f"moving-{uuid4().hex}")
        staging.path.unlink()
        return staging

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(self, records: Iterable[AnyRecord]) -> None:
        """Keep records. Raises sqlite3.IntegrityError when one of that kind has the same old id already."""
        for some in batches(records, BATCH, _size_of):
            with self.connection:
                for record in some:
                    self._insert(record)

    @property
    def source(self) -> SourceRecord:
        """Where all of it comes from."""
        return next(iter(self.others(SourceRecord)))

    def boards(self) -> Iterator[BoardRecord]:
        """Give all boards, in the order in which they came."""
        return self._read(BoardRecord, "SELECT record FROM board ORDER BY seq")

    def people(self) -> Iterator[PersonRecord]:
        """Give everybody, in the order in which they came."""
        return self._read(PersonRecord, "SELECT record FROM person ORDER BY seq")

    def people_by_posts(self, boards: Iterable[str]) -> Iterator[tuple[PersonRecord, int]]:
        """Give everybody with how many posts of theirs stand on these boards: those first who wrote most."""
        query = (
            "SELECT person.record, coalesce(posts, 0) FROM person LEFT JOIN ("
            "SELECT author, count(*) AS posts FROM post JOIN thread ON thread.old = post.thread "
            "WHERE thread.board IN (SELECT value FROM json_each(?)) GROUP BY author"
            ") ON author = person.old ORDER BY 2 DESC, person.seq"
        )
        for line, posts in self.connection.execute(query, (json.dumps([*boards]),)):
            record = RECORD.validate_json(line)
            assert isinstance(record, PersonRecord)  # noqa: S101 (as below)
            yield record, posts

    def some_people(self, olds: Sequence[str]) -> dict[str, PersonRecord]:
        """Return these people by old id; without those that the dump does not have."""
        query = "SELECT record FROM person WHERE old IN (SELECT value FROM json_each(?))"
        return {record.old: record for record in self._read(PersonRecord, query, json.dumps(olds))}

    def threads(self) -> Iterator[ThreadRecord]:
        """Give all threads, in the order in which they came."""
        return self._read(ThreadRecord, "SELECT record FROM thread ORDER BY seq")

    def posts(self, thread: str) -> Iterator[PostRecord]:
        """Give the posts of a thread as they follow each other: by time, then as they came."""
        return self._read(PostRecord, "SELECT record FROM post WHERE thread = ? ORDER BY written_at, seq", thread)

    def posts_to_come(self, thread: str) -> "PostsToCome":
        """Return the same without the posts that are here already, in this thread or in another."""
        return PostsToCome(self, thread)

    def some_posts(self, olds: Sequence[str]) -> dict[str, PostRecord]:
        """Return these posts by old id; without those that the dump does not have."""
        query = "SELECT record FROM post WHERE old IN (SELECT value FROM json_each(?))"
        return {record.old: record for record in self._read(PostRecord, query, json.dumps(olds))}

    def long_threads(self, posts: int, characters: int) -> set[str]:
        """Return the old ids of the threads that have more posts, or more characters in all."""
        query = "SELECT thread FROM post GROUP BY thread HAVING count(*) > ? OR sum(length(record)) > ?"
        return {old for (old,) in self.connection.execute(query, (posts, characters))}

    def post_lines(self) -> Iterator[str]:
        """Give all posts as lines of JSON, for a process that reads them itself."""
        for (line,) in self.connection.execute("SELECT record FROM post ORDER BY seq"):
            yield line

    def hidden_posts(self) -> Iterator[str]:
        """Give the old ids of posts that not everybody could read who could read their board."""
        for (old,) in self.connection.execute("SELECT old FROM post WHERE shown <> 'visible'"):
            yield old

    def threads_of_few(self) -> Iterator[str]:
        """Give the old ids of threads that were hidden, or stand where only staff could read."""
        query = (
            "SELECT thread.old FROM thread JOIN board ON board.old = thread.board "
            "WHERE json_extract(board.record, '$.readers') = 'staff' "
            "OR json_extract(thread.record, '$.shown') <> 'visible'"
        )
        for (old,) in self.connection.execute(query):
            yield old

    def threads_for_staff(self) -> Iterator[str]:
        """Give the old ids of threads that stand where only staff could read."""
        query = (
            "SELECT thread.old FROM thread JOIN board ON board.old = thread.board "
            "WHERE json_extract(board.record, '$.readers') = 'staff'"
        )
        for (old,) in self.connection.execute(query):
            yield old

    def threads_with_hidden(self) -> Iterator[str]:
        """Give the old ids of threads that have a hidden post."""
        for (old,) in self.connection.execute("SELECT DISTINCT thread FROM post WHERE shown <> 'visible'"):
            yield old

    def others(self, kind: type[R]) -> Iterator[R]:
        """Give all records of a kind that has no table of its own."""
        query = "SELECT record FROM other WHERE kind = ? ORDER BY seq"
        return self._read(kind, query, kind.model_fields["kind"].default)

    def note(self, remarks: Iterable[Found]) -> None:
        """Keep what was found."""
        with self.connection:
            self.connection.executemany("INSERT INTO remark (what, old, detail) VALUES (?, ?, ?)", remarks)

    def remarks(self) -> Mapping[Remark, int]:
        """Return how often each was found."""
        rows = self.connection.execute("SELECT what, count(*) FROM remark GROUP BY what ORDER BY min(rowid)")
        return {Remark(what): count for what, count in rows}

    def examples(self, what: Remark, most: int = 20) -> list[tuple[str, str]]:
        """Return the first of what was found: the old id and a few words."""
        query = "SELECT old, detail FROM remark WHERE what = ? ORDER BY rowid LIMIT ?"
        return [(old, detail) for old, detail in self.connection.execute(query, (what, most))]

    def details(self, what: Remark) -> list[tuple[str, int]]:
        """Return the words about what was found, each once with how often they were said, the commonest first."""
        query = "SELECT detail, count(*) FROM remark WHERE what = ? GROUP BY detail ORDER BY 2 DESC, 1"
        return [(detail, count) for detail, count in self.connection.execute(query, (what,))]

    def count(self, table: str) -> int:
        """Return how many records a table has."""
        return cast(int, self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 (ours)

    def _insert(self, record: AnyRecord) -> None:
        line, execute = record.model_dump_json(), self.connection.execute
        match record:
            case BoardRecord():
                execute("INSERT INTO board (old, parent, record) VALUES (?, ?, ?)", (record.old, record.parent, line))
            case PersonRecord():
                execute("INSERT INTO person (old, what, record) VALUES (?, ?, ?)", (record.old, record.what, line))
            case ThreadRecord():
                execute("INSERT INTO thread (old, board, record) VALUES (?, ?, ?)", (record.old, record.board, line))
            case PostRecord():
                written_at = record.written_at.timestamp() if record.written_at else None
                execute(
                    "INSERT INTO post (old, thread, author, written_at, shown, record) VALUES (?, ?, ?, ?, ?, ?)",
                    (record.old, record.thread, record.author, written_at, record.shown, line),
                )
            case _:
                execute("INSERT INTO other (kind, record) VALUES (?, ?)", (record.kind, line))

    def _read(self, kind: type[R], query: str, *values: str) -> Iterator[R]:
        for (line,) in self.connection.execute(query, values):
            record = RECORD.validate_json(line)
            assert isinstance(record, kind)  # noqa: S101 (each table has one kind)
            yield record


class PostsToCome:
    """Posts that are read anew each time that somebody goes through them: there may be more than memory has room for.

    They are as they follow each other: by time, those without one first.
    """

    def __init__(self, staging: Staging, thread: str) -> None:
        self._staging, self._thread = staging, thread

    def __iter__(self) -> Iterator[PostRecord]:
        query = (
            "SELECT record FROM post WHERE thread = ? AND NOT EXISTS "
            "(SELECT 1 FROM here WHERE here.kind = 'post' AND here.old = post.old) ORDER BY written_at, seq"
        )
        return self._staging._read(PostRecord, query, self._thread)


def _size_of(record: AnyRecord) -> int:
    return len(record.text) if isinstance(record, PostRecord) else 0


class Notebook:
    """Keeps what a reader finds while it gives records, a batch at a time. A context manager."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging
        self._waiting: list[Found] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._staging.note(self._waiting)

    def add(self, what: Remark, old: str, detail: str = "") -> None:
        """Note that something was found."""
        self._waiting.append((what, old, detail))
        if len(self._waiting) >= BATCH:
            self._staging.note(self._waiting)
            self._waiting.clear()
