"""The glossary: what abbreviations mean. Administrators write it; posts that use one of its words explain it."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import CheckConstraint, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
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
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID = Field(foreign_key="member.id")


@dataclass(frozen=True)
class TermWish:
    """What a word means, and where more about it is."""

    meaning: str
    see_url: str | None = None


@dataclass(frozen=True)
class WrittenTerm:
    """A word as it stands in the glossary now, and whether posts use the same letters as an ordinary word."""

    term: Term
    is_ordinary_word: bool


_ALL = Prepared(
    query(col(GlossaryTerm.term), col(GlossaryTerm.meaning), col(GlossaryTerm.see_url)).order_by(
        func.lower(col(GlossaryTerm.term)), col(GlossaryTerm.term)
    ),
    Term,
)


async def list_terms(reader: Reader) -> Sequence[Term]:
    """Return the whole glossary in the order of the alphabet: for everybody."""
    return await reader.rows(_ALL)


async def list_to_write(reader: Reader, administrator: Viewer) -> Sequence[Term]:
    """Return the same for whoever writes it. Raises Forbidden for others."""
    allow(Act.WRITE_GLOSSARY, administrator)
    return await list_terms(reader)


async def explain_term(work: Work, administrator: Viewer, term: str, wish: TermWish) -> WrittenTerm:
    """Write down what a word means, or change that. Idempotent.

    Raises Forbidden, Invalid for a word that cannot be one of the glossary or an address that is no link, and Conflict
    when the glossary is full.
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
    values = {
        "meaning": wish.meaning,
        "see_url": wish.see_url,
        "changed_at": work.now,
        "changed_by": administrator.member_id,
    }
    row = insert(GlossaryTerm).values(id=new_id(), term=term, **values)
    row = row.on_conflict_do_update(index_elements=[col(GlossaryTerm.term)], set_=values)
    term_id = (await work.session.execute(row.returning(col(GlossaryTerm.id)))).scalar_one()
    await _record(work, administrator, "glossary.written", term_id)
    return WrittenTerm(Term(term, wish.meaning, wish.see_url), await _is_ordinary_word(work.session, term))


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
    terms = await list_terms(reader)
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
