"""The versions of what readers see: an answer that is kept is true as long as its version is the one of the database.

Triggers raise a version in the transaction of the change (`migrations/versions/0059_page_versions.py`), so that no path
forgets it. A version that was read belongs to everything that was committed when the reading began, and what is made
afterwards has seen all of that.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, text
from sqlmodel import Field, SQLModel

from forum.core.database import Prepared, Reader, check_one_of
from forum.core.shared_question import SharedQuestion


class VersionScope(StrEnum):
    """What can have a version of its own.

    That of the site is raised by what shows in many places, such as names; that of the viewers by what changes who
    somebody is: a session that ended, a role, a sanction.
    """

    THREAD = "thread"
    BOARD = "board"
    SITE = "site"
    VIEWERS = "viewers"


class PageVersion(SQLModel, table=True):
    """A part of the version of a thread, of a board or of the site.

    There is one for each transaction that ever raised it at the same time, so that none waits for another.
    """

    __tablename__ = "page_version"
    __table_args__ = (
        check_one_of("scope", VersionScope),
        Index("ix_page_version_subject", "scope", "ref"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    scope: str
    ref: int = Field(sa_type=BigInteger, description="The thread or the board; of the site and the viewers, 0")
    version: UUID = Field(default=None, sa_column_kwargs={"server_default": text("gen_random_uuid()")})


class Subject(NamedTuple):
    """What an answer is about: a thread, the thread of a post, a board by its slug, all boards, or the site alone."""

    kind: str
    name: str = ""


class Seen(NamedTuple):
    """What the database said: the version of a subject and the site, and whether something of the asker's waits."""

    version: str
    site: str
    viewers: str
    waits: bool
    announced_until: datetime | None  # when the next of the announcements ends


# The version of all viewers, for any select: what it says beside this is true as long as this is the version.
VIEWERS_VERSION = (
    "(SELECT coalesce(string_agg(CAST(version AS text), ' ' ORDER BY id), '') FROM page_version "
    "WHERE scope = 'viewers' AND ref = 0)"
)

_SITE_VERSION: ContextVar[str | None] = ContextVar("site_version", default=None)

# An announcement counts for a minute longer: the clock of this process may be behind the one of the database.
#
# A server that is started, or takes over, has other versions than the one before: when a connection was lost, changes
# may have been lost, too, which an answer shows that was made since.
_VERSIONS = Prepared(
    text(f"""
SELECT 'site' AS kind, '' AS name, (
    SELECT min(until) FROM announcement WHERE until > now() - interval '1 minute'
) AS until, concat(pg_postmaster_start_time(), ' ', (
    SELECT string_agg(CAST(version AS text), ' ' ORDER BY id) FROM page_version WHERE scope = 'site' AND ref = 0
)) AS version
UNION ALL
SELECT 'viewers', '', NULL, {VIEWERS_VERSION}
UNION ALL
SELECT 'thread', CAST(asked AS text), NULL, (
    SELECT string_agg(CAST(version AS text), ' ' ORDER BY id) FROM page_version WHERE scope = 'thread' AND ref = asked
) FROM unnest(CAST(:threads AS bigint[])) AS asked
UNION ALL
SELECT 'post', CAST(asked AS text), NULL, (
    SELECT string_agg(CAST(version AS text), ' ' ORDER BY page_version.id) FROM post
    JOIN page_version ON scope = 'thread' AND ref = post.thread_id WHERE post.id = asked
) FROM unnest(CAST(:posts AS bigint[])) AS asked
UNION ALL
SELECT 'board', asked, NULL, (
    SELECT string_agg(CAST(page_version.version AS text), ' ' ORDER BY page_version.id) FROM board
    JOIN page_version ON scope = 'board' AND ref = board.id WHERE slug = asked
) FROM unnest(CAST(:boards AS text[])) AS asked
UNION ALL
SELECT 'boards', '', NULL, (
    SELECT md5(string_agg(CAST(version AS text), ' ' ORDER BY id)) FROM page_version WHERE scope = 'board'
) WHERE CAST(:all_boards AS boolean)
UNION ALL
SELECT 'waits', CAST(asked AS text), NULL, NULL FROM unnest(CAST(:personas AS uuid[])) AS asked
WHERE EXISTS (SELECT FROM post WHERE author_id = asked AND visibility = 'held')
    OR EXISTS (SELECT FROM held_edit WHERE written_by = asked AND state = 'waiting')
""")  # noqa: S608 - of our own words
)


_Found = Mapping[tuple[str, str], Any]


class _Question(NamedTuple):
    """What one request asks: the version of a subject, and whether something of these names waits."""

    subject: Subject
    personas: tuple[UUID, ...]


_OF_VIEWERS = _Question(Subject("viewers"), ())  # every answer has their version


class PageVersions:
    """Asks for versions: requests that arrive together share one statement."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._shared = SharedQuestion(self._read)

    async def ask(self, subject: Subject, personas: tuple[UUID, ...] = ()) -> Seen:
        """Return the version of a subject as it is now or a moment later. Raises what `Reader.rows` raises."""
        found = await self._shared.ask(_Question(subject, personas))
        site, own = found["site", ""], found.get(subject)
        waits = bool(personas) and any(("waits", str(persona)) in found for persona in personas)
        version = f"{site.version}/{own and own.version}"
        return Seen(version, site.version, found["viewers", ""].version, waits, site.until)

    async def ask_viewers(self) -> str:
        """Return the version of all viewers as it is now or a moment later. Raises what `Reader.rows` raises."""
        version: str = (await self._shared.ask(_OF_VIEWERS))["viewers", ""].version
        return version

    async def _read(self, questions: Collection[_Question]) -> _Found:
        subjects = {question.subject for question in questions}

        def names(kind: str) -> list[str]:
            return [subject.name for subject in subjects if subject.kind == kind]

        rows = await self._reader.rows(
            _VERSIONS,
            threads=list(map(int, names("thread"))),
            posts=list(map(int, names("post"))),
            boards=names("board"),
            all_boards=bool(names("boards")),
            personas=list({persona for question in questions for persona in question.personas}),
        )
        return {(row.kind, row.name): row for row in rows}


@contextmanager
def site_version_is(version: str) -> Iterator[None]:
    """Let what is made in the block know the version of the site that it must be true for."""
    token = _SITE_VERSION.set(version)
    try:
        yield
    finally:
        _SITE_VERSION.reset(token)


def site_version() -> str | None:
    """Return the version of the site that was read before this answer is made, or None where nobody will keep it.

    What a process keeps of the site for a while is no older than that, or the answer would be kept with it.
    """
    return _SITE_VERSION.get()
