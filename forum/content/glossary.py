"""The glossary: what abbreviations mean. Administrators write it; posts that use one of its words explain it."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import CheckConstraint, delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.explained_terms import Finder, Term
from forum.content.links import check_link
from forum.content.posts.tables import Post, Visibility
from forum.core import audit
from forum.core.database import Moment, Prepared, Reader, new_id, query
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.page_versions import site_version
from forum.core.work import Work
from forum.members.queries import changed_since
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

TERM_MAX, MEANING_MAX = 30, 200
MOST = 500
# Two letters or more, in up to four words: "CIN", "Section 20".
TERM = re.compile(rf"(?=.{{2,{TERM_MAX}}}$)[^\W_]+(?:[ -][^\W_]+){{0,3}}")
FRESH_SECONDS = 1.0  # so long a change may take to show beside posts, in each process
LOOKED_THROUGH = 1000  # posts; a word in more of them than one in a hundred is an ordinary word
# Held until the commit by whoever adds one: two at once would each see room for one more.
_ONE_AT_A_TIME = text("LOCK TABLE glossary_term IN SHARE ROW EXCLUSIVE MODE")


class GlossaryTerm(SQLModel, table=True):
    """A word of the glossary, as it is written in posts."""

    __tablename__ = "glossary_term"
    __table_args__ = (CheckConstraint(f"char_length(term) BETWEEN 2 AND {TERM_MAX}", name="term"),)

    id: UUID = Field(default_factory=new_id, primary_key=True)
    term: str = Field(unique=True)
    meaning: str
    see_url: str | None
    version: int = Field(default=1, sa_column_kwargs={"server_default": "1"})
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID = Field(foreign_key="member.id")


@dataclass(frozen=True)
class TermWish:
    """What a word means, and where more about it is."""

    meaning: str
    see_url: str | None = None


class ListedTerm(NamedTuple):
    """A word of the glossary as it is listed, with its version."""

    term: str
    meaning: str
    see_url: str | None
    version: int


@dataclass(frozen=True)
class WrittenTerm:
    """A word as it stands in the glossary now, and whether posts use the same letters as an ordinary word."""

    term: ListedTerm
    is_ordinary_word: bool


_TERM = (col(GlossaryTerm.term), col(GlossaryTerm.meaning), col(GlossaryTerm.see_url))
_BY_TERM = (func.lower(col(GlossaryTerm.term)), col(GlossaryTerm.term))
_ALL = Prepared(query(*_TERM).order_by(*_BY_TERM), Term)
_LISTED = Prepared(query(*_TERM, col(GlossaryTerm.version)).order_by(*_BY_TERM), ListedTerm)


async def list_terms(reader: Reader) -> Sequence[ListedTerm]:
    """Return the whole glossary in the order of the alphabet: for everybody."""
    return await reader.rows(_LISTED)


async def list_to_write(reader: Reader, administrator: Viewer) -> Sequence[ListedTerm]:
    """Return the same for whoever writes it. Raises Forbidden for others."""
    allow(Act.WRITE_GLOSSARY, administrator)
    return await list_terms(reader)


async def explain_term(
    work: Work, administrator: Viewer, term: str, wish: TermWish, version: int | None = None
) -> WrittenTerm:
    """Write down what a word means, or change that: `version` is the one that was on the screen. Idempotent.

    Raises Forbidden, Invalid for a word that cannot be one of the glossary or an address that is no link, Conflict
    when the glossary is full, and Stale for a word that is there in another version and means something else.
    """
    allow(Act.WRITE_GLOSSARY, administrator)
    if not TERM.fullmatch(term):
        raise Invalid("must be up to four words of letters and digits", "#/term", code="unusable_term")
    if wish.see_url is not None:
        check_link(wish.see_url, "#/see_url")
    await work.session.execute(_ONE_AT_A_TIME)
    count = select(func.count()).select_from(GlossaryTerm).where(col(GlossaryTerm.term) != term)
    if (await work.session.execute(count)).scalar_one() >= MOST:
        raise Conflict(f"The glossary has {MOST} words already. Remove one first.", code="glossary_full")
    row = await _put(work, administrator, term, wish, version)
    await _record(work, administrator, "glossary.written", row.id)
    listed = ListedTerm(term, wish.meaning, wish.see_url, row.version)
    return WrittenTerm(listed, await _is_ordinary_word(work.session, term))


async def _put(work: Work, by: Viewer, term: str, wish: TermWish, version: int | None) -> GlossaryTerm:
    this = select(GlossaryTerm).where(col(GlossaryTerm.term) == term)
    row = (await work.session.execute(this, execution_options={"populate_existing": True})).scalar_one_or_none()
    if row is None:
        row = GlossaryTerm(term=term, version=0, changed_at=work.now, changed_by=by.member_id, **vars(wish))
        work.session.add(row)
    says_so = row.version > 0 and (row.meaning, row.see_url) == (wish.meaning, wish.see_url)
    if row.version and row.version != version and not says_so:
        raise await changed_since(
            work.session,
            "This word is explained already, in another way than was on the screen. Please read it again.",
            code="word_changed",
            current=row.version,
            by=row.changed_by,
            at=row.changed_at,
        )
    row.meaning, row.see_url, row.version = wish.meaning, wish.see_url, row.version + (not says_so)
    row.changed_at, row.changed_by = work.now, by.member_id
    await work.session.flush()
    return row


async def remove_term(work: Work, administrator: Viewer, term: str) -> None:
    """Take a word out of the glossary. Raises Forbidden, and NotFound when it is not there (any more)."""
    allow(Act.WRITE_GLOSSARY, administrator)
    this = delete(GlossaryTerm).where(col(GlossaryTerm.term) == term).returning(col(GlossaryTerm.id))
    term_id = (await work.session.execute(this)).scalar_one_or_none()
    if term_id is None:
        raise NotFound("There is no such word in the glossary.", code="glossary_term_not_found")
    await _record(work, administrator, "glossary.removed", term_id)


@dataclass
class _Known:
    """The glossary as a process read it last."""

    finder: Finder
    read_at: float
    site_version: str | None  # before it was read


_known: WeakKeyDictionary[Reader, _Known] = WeakKeyDictionary()


async def get_finder(reader: Reader) -> Finder:
    """Return what finds the words of the glossary in posts. Each process reads the glossary once a second at most.

    For an answer that is kept, it is at least as new as the version of the site under which that is done.
    """
    known, version = _known.get(reader), site_version()
    if known and version and version == known.site_version:
        return known.finder
    if known and not version and time.monotonic() < known.read_at + FRESH_SECONDS:
        return known.finder
    if known:
        known.read_at = time.monotonic()  # who comes meanwhile does not read it, too
    terms = await reader.rows(_ALL)
    finder = known.finder if known and known.finder.terms == terms else Finder(terms)
    _known[reader] = _Known(finder, time.monotonic(), version)
    return finder


async def _is_ordinary_word(session: AsyncSession, term: str) -> bool:
    """Return whether more than one in a hundred of the newest posts has these letters in small ones, as a word."""
    newest = (
        select(col(Post.body_markdown))
        .where(col(Post.visibility) == Visibility.VISIBLE)
        .order_by(col(Post.id).desc())
        .limit(LOOKED_THROUGH)
        .subquery()
    )
    word = rf"\m{re.escape(term.lower())}\M"
    uses = func.count().filter(newest.c.body_markdown.op("~")(word))
    return bool((await session.execute(select(uses * 100 > func.count()).select_from(newest))).scalar_one())


async def _record(work: Work, administrator: Viewer, act: str, term_id: UUID) -> None:
    subject = ("glossary_term", str(term_id))
    await audit.record(work.session, actor_id=administrator.id, act=act, subject=subject, now=work.now)
