"""What a thread says before a quote in it, and what of it nobody may read: on disk, however long the thread is.

It is in a file of SQLite without a name, which is gone when its process ends, however it ends. What is little stays in
memory.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from forum.content.words import RUN, folded, words_in

LOOKED_BACK = 1_000  # posts of somebody in which words are sought that a quote names no post for
_Run: TypeAlias = tuple[str, ...]  # words in a row
# Runs of words are kept by their hash, which is the same as long as this process lives.
_TABLES = """
CREATE TABLE written (
    number INTEGER PRIMARY KEY, old TEXT NOT NULL, called TEXT NOT NULL, handle TEXT, name TEXT NOT NULL,
    is_visible INTEGER NOT NULL, is_adviser INTEGER NOT NULL, html TEXT NOT NULL, said TEXT NOT NULL
);
CREATE UNIQUE INDEX written_old ON written (old);
CREATE INDEX written_called ON written (called, number);
CREATE TABLE hidden (hash INTEGER PRIMARY KEY, is_short INTEGER NOT NULL, is_open INTEGER NOT NULL DEFAULT 0);
"""


class Written(NamedTuple):
    """A post that stands before another: by whom, and what it says."""

    number: int  # of its first part
    old: str
    called: str  # on the old board, in the form in which names are compared
    handle: str | None
    name: str
    is_visible: bool
    is_adviser: bool
    html: str  # of its first part
    said: str


class SaidBefore:
    """The posts of one thread that stand before the next one, and the words of hidden posts."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # no name: a file of its own
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.executescript(_TABLES)
        self.is_any = False  # post before
        self.hides = False  # any words
        self._short = set[int]()  # how many words the shortest texts that are hidden have

    def close(self) -> None:
        """Forget all of it."""
        self._connection.close()

    # Posts

    def add(self, written: Written) -> None:
        """Add the next post."""
        self._connection.execute("INSERT INTO written VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", written)
        self.is_any = True
        if written.is_visible:
            self._open(written.said)

    def find(self, old: str) -> Written | None:
        """Return the post that had this id on the old board."""
        return next(self._read("old = ?", old), None)

    def at(self, number: int) -> Written | None:
        """Return the post of this number."""
        return next(self._read("number = ?", number), None)

    def by(self, called: str) -> Iterator[Written]:
        """Give the last posts by whoever was called so, the last one first.

        People quote what was said lately; where two write a long thread, each quote would else be sought in half of it.
        """
        return self._read(f"called = ? ORDER BY number DESC LIMIT {LOOKED_BACK}", called)

    def _read(self, condition: str, value: str | int) -> Iterator[Written]:
        found = self._connection.execute(f"SELECT * FROM written WHERE {condition}", (value,))  # noqa: S608 (ours)
        return map(Written._make, found)

    # Words that nobody may read

    def hide(self, said: str) -> None:
        """Note what a post says that nobody may read. Whoever hides does so before anything is added."""
        words, self.hides = _words_in(said), True
        rows = [(hash(run), int(len(run) == len(words) < RUN and len(words) > 1)) for run in _runs(words)]
        self._connection.executemany(
            "INSERT INTO hidden (hash, is_short) VALUES (?, ?) "
            "ON CONFLICT (hash) DO UPDATE SET is_short = max(is_short, excluded.is_short)",
            rows,
        )
        if 1 < len(words) < RUN:
            self._short.add(len(words))

    def has_hidden(self, said: str) -> bool:
        """Return whether some words in a row are those of a hidden post, and stand in no other before."""
        if not self.hides:
            return False
        words = _words_in(said)
        usual = self._find_hidden(words, [min(RUN, len(words))])
        return usual or self._find_hidden(words, self._short, among_short=True)

    def _find_hidden(self, words: Sequence[str], sizes: Iterable[int], *, among_short: bool = False) -> bool:
        found = self._connection.execute(
            "SELECT 1 FROM hidden WHERE NOT is_open AND is_short >= ? AND hash IN (SELECT value FROM json_each(?)) "
            "LIMIT 1",
            (among_short, json.dumps([hash(run) for run in _runs(words, sizes)])),
        )
        return found.fetchone() is not None

    def _open(self, said: str) -> None:
        """Note what everybody reads."""
        if self.hides:
            self._connection.execute(
                "UPDATE hidden SET is_open = 1 WHERE hash IN (SELECT value FROM json_each(?))",
                (json.dumps([hash(run) for run in _runs(_words_in(said))]),),
            )


def _words_in(text: str) -> Sequence[str]:
    return [folded(word[0]) for word in words_in(text, 0, len(text))]


def _runs(words: Sequence[str], sizes: Iterable[int] = range(1, RUN + 1)) -> set[_Run]:
    return {tuple(words[at : at + size]) for size in sizes if size for at in range(len(words) - size + 1)}
