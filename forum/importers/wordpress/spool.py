"""What a site's exports hold, in a file beside the staging file: each entry once, in whichever order they came.

An export can come in parts, and one article in two of them. Then the newer export counts, with the comments that it
has: a comment that was deleted in between does not come back.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path

from forum.importers.errors import CannotMove
from forum.importers.remarks import Remark
from forum.importers.sources.wxr import Entry, Fields
from forum.importers.staging import Notebook

_TABLES = """
PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF; PRAGMA cache_size = -16000;
CREATE TABLE author (old TEXT PRIMARY KEY, made TEXT, rank TEXT, fields TEXT);
CREATE TABLE article (old INTEGER PRIMARY KEY, made TEXT, rank TEXT, fields TEXT);
CREATE TABLE comment (old INTEGER PRIMARY KEY, made TEXT, rank TEXT, fields TEXT, article INTEGER);
CREATE INDEX comment_article ON comment (article);
"""
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


class BlogSpool:
    """The entries of one site."""

    def __init__(self, path: Path, notebook: Notebook) -> None:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        self.connection = sqlite3.connect(path)
        self.connection.executescript(_TABLES)
        path.unlink()
        self.notebook = notebook
        self.export: Fields = {}  # of the newest
        self._newest = ""

    def add(self, entry: Entry) -> None:
        """Keep an entry. Raises CannotMove when it is of another site."""
        made = made_at(entry.export)
        if not (entry.author or entry.item):
            self._note_export(entry.export, made)
        if entry.author and (login := entry.author.get("wp:author_login", "").strip()):
            self._keep("author", login, made, entry.author)
        if entry.item is not None:
            self._add_article(entry, made)

    def articles(self) -> Iterator[tuple[int, Fields]]:
        """Give what is no comment, by its number."""
        for old, fields in self.connection.execute("SELECT old, fields FROM article ORDER BY old"):
            yield old, json.loads(fields)

    @property
    def has_numbers(self) -> bool:
        """Whether any entry has a number."""
        return next(self.articles(), None) is not None

    def authors(self) -> Iterator[Fields]:
        """Give the authors that an export names."""
        for (fields,) in self.connection.execute("SELECT fields FROM author ORDER BY old"):
            yield json.loads(fields)

    def comments(self, article: int) -> Iterator[tuple[int, Fields]]:
        """Give the comments below an article, as the newest export that has it has them."""
        query = (
            "SELECT comment.old, comment.fields FROM comment JOIN article ON article.old = comment.article "
            "WHERE article.old = ? AND comment.made = article.made ORDER BY comment.old"
        )
        for old, fields in self.connection.execute(query, (article,)):
            yield old, json.loads(fields)

    def _add_article(self, entry: Entry, made: str) -> None:
        item = entry.item or {}
        old = number(item.get("wp:post_id"))
        if old is None:
            self.notebook.add(Remark.NO_NUMBER, "?")
            return
        self._keep("article", old, made, item)
        for comment in entry.comments:
            if comment_old := number(comment.get("wp:comment_id")):
                self._keep("comment", comment_old, made, comment, old)
            else:
                self.notebook.add(Remark.NO_NUMBER, str(old))

    def _keep(self, table: str, old: int | str, made: str, fields: Fields, *below: int) -> None:
        """Keep an entry, unless a newer one of that number is there; of two in one export, the same whichever came."""
        text = json.dumps(fields, sort_keys=True)
        rank = made + hashlib.sha256(text.encode()).hexdigest()
        known = self.connection.execute(f"SELECT rank FROM {table} WHERE old = ?", (old,)).fetchone()  # noqa: S608 (ours)
        if known and (table == "comment" or fields.get("wp:post_type") in {"post", "page"}):
            self.notebook.add(Remark.READ_TWICE, str(old))
        if known is None or rank > known[0]:
            row = (old, made, rank, text, *below)
            marks = ", ".join("?" * len(row))
            self.connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608 (ours)

    def _note_export(self, export: Fields, made: str) -> None:
        if self.export and site_of(export) != site_of(self.export):
            one, other = sorted(map(site_of, (export, self.export)))
            raise CannotMove(f"The files are of two sites, {one} and {other}: move one after the other.")
        rank = made + json.dumps(export, sort_keys=True)
        if rank >= self._newest:
            self.export, self._newest = {**export}, rank


@contextmanager
def blog_spool(beside: Path, notebook: Notebook) -> Iterator[BlogSpool]:
    """Give a place for the entries of exports; the file that holds them has no name, and is gone at the end."""
    spool = BlogSpool(beside.with_name(beside.name + ".entries"), notebook)
    with closing(spool.connection):
        yield spool


def number(text: str | None) -> int | None:
    """Return a number of an entry, None where it is none."""
    text = (text or "").strip()
    return int(text) if _DIGITS.fullmatch(text) and int(text) > 0 else None


def site_of(export: Fields) -> str:
    """Return where a site is, without what can be written in two ways."""
    address = (export.get("wp:base_blog_url") or export.get("link") or "").strip()
    return address.split("://")[-1].removeprefix("www.").rstrip("/").casefold()


def made_at(export: Fields) -> str:
    """Return when an export was made, in a form that sorts."""
    try:
        made = parsedate_to_datetime(export.get("pubDate", ""))
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):  # at the ends of time, another zone's is none
        return ""
