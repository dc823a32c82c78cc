"""Find posts and titles: by steps that each look at a bounded number of rows, whatever the word.

A common word stands in the newest posts, so these are walked first. A word that is not among them is rare, so that the
index has few rows of it. Who may read a result is asked in the statement that returns its words.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from forum.content.search import spelling
from forum.content.search.plain import CLOSES, GAP, OPENS, Snippet, kept_terms, plain_text, snippet_of
from forum.content.search.statements import (
    ENOUGH_TO_RANK,
    PAGE,
    Shape,
    select_best,
    select_in_order,
    select_newest,
    select_titles,
)
from forum.content.search.tables import Search, Sort
from forum.core import pagination
from forum.core.errors import Overloaded
from forum.members.viewer import Viewer

TITLES_SHOWN = 5  # above the posts; with the filter for titles, a page of them
WALKED, WALKED_TO_RANK = 5_000, 20_000  # of the newest rows
PROBED, COMMON = 2_000, 20  # a word of which so many are among the newest is not looked up in the index
SNIPPET_FROM = 4_000  # characters of a post in which its hits are marked
SHORT = 200  # characters: a shorter text is shown whole
PASSAGES = (
    f"StartSel={OPENS}, StopSel={CLOSES}, FragmentDelimiter={GAP}, MaxFragments=2, MaxWords=30, MinWords=12, "
    "ShortWord=2"
)
WHOLE = f"StartSel={OPENS}, StopSel={CLOSES}, HighlightAll=true"
LONGEST = timedelta(seconds=2)
# In place of a missing bound: PostgreSQL compares rows with these, and every row is between them.
_EARLIEST, _LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LARGEST = 2**63 - 1


class ParsedQuery(NamedTuple):
    """What PostgreSQL made of the words: as it writes it, and whether it says anything, and anything but "not"."""

    language: str
    words: str
    terms: int
    is_in_index: bool


class FoundPost(NamedTuple):
    """A post that was found, with the words around its hits."""

    id: int
    thread_id: int
    number: int
    thread_title: str
    board_slug: str
    board_name: str
    author_handle: str | None
    author_name: str
    author_title: str | None
    adviser_name: str | None
    adviser_title: str | None
    adviser_organisation: str | None
    content_warning: str | None
    created_at: datetime
    is_ignored: bool
    snippet: Snippet


class FoundThread(NamedTuple):
    """A thread whose title was found."""

    id: int
    title: Snippet
    board_slug: str
    board_name: str
    author_handle: str | None
    author_name: str
    author_title: str | None
    opened_at: datetime
    posts: int
    is_ignored: bool


class Results(NamedTuple):
    """A page of results."""

    threads: Sequence[FoundThread]
    posts: Sequence[FoundPost]
    next: str | None
    suggestion: str | None
    hint: str | None  # "too_common": the query has no word that is looked for


_NEWEST_CURSOR = TypeAdapter(tuple[pagination.Instant, pagination.Identity])
_PLACE_CURSOR = TypeAdapter(tuple[pagination.Identity])

_ANY_CURSOR = TypeAdapter(tuple[pagination.Instant, pagination.Identity] | tuple[pagination.Identity])

_PARSE = text("""
SELECT language, CAST(q AS text) AS words, numnode(q) AS terms, querytree(q) NOT IN ('', 'T') AS is_in_index
FROM search_progress, websearch_to_tsquery(CAST(language AS regconfig), :typed) AS q
""")
_MARK = text("""
SELECT ts_headline(CAST(:language AS regconfig), said, CAST(:words AS tsquery),
    CASE WHEN char_length(said) <= :short THEN :whole ELSE :some END) AS marked
FROM unnest(CAST(:texts AS text[])) WITH ORDINALITY AS texts (said, place) ORDER BY place
""")
# For this transaction: bounded steps need no other joins, and a plan for these very words.
_RULES = select(
    *(
        func.set_config(name, value, True)
        for name, value in (
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("enable_seqscan", "off"),
            ("plan_cache_mode", "force_custom_plan"),
            ("statement_timeout", str(int(LONGEST.total_seconds() * 1000))),
        )
    )
)
TIMED_OUT = "57014"


async def begin_bounded(session: AsyncSession) -> None:
    """End each statement of this transaction after two seconds, and have PostgreSQL plan it as it was meant."""
    await session.execute(_RULES)


def too_long(error: DBAPIError) -> Overloaded | None:
    """Return the refusal for a search that took too long; None for any other error of the database."""
    if getattr(error.orig, "sqlstate", None) != TIMED_OUT:
        return None
    return Overloaded("This search took too long. Please try other words, or fewer.", code="search_too_long")


def refuse_unknown_cursor(after: str | None) -> None:
    """Return when this is a cursor of some search. Raises Invalid."""
    if after is not None:
        pagination.decode(after, _ANY_CURSOR)


async def find(session: AsyncSession, viewer: Viewer, search: Search, after: str | None, zone: str) -> Results:
    """Return a page of what a search finds for the viewer at this moment. Raises Invalid for an unknown cursor."""
    asked = await parse(session, search.query)
    if asked.terms == 0:
        return Results([], [], None, None, "too_common")
    finding = _Finding(session, viewer, search, asked, zone)
    if search.in_titles:
        threads, cursor = await finding.titles_page(after)
        return Results(threads, [], cursor, await finding.suggest(after, threads), None)
    posts, cursor = await (finding.best(after) if search.sort == Sort.RELEVANCE else finding.newest(after))
    threads = [] if after else await finding.titles(_LARGEST, TITLES_SHOWN)
    return Results(threads, posts, cursor, await finding.suggest(after, [*threads, *posts]), None)


async def parse(session: AsyncSession, typed: str) -> ParsedQuery:
    """Return what PostgreSQL makes of some words, of the first terms of them."""
    row = (await session.execute(_PARSE, {"typed": kept_terms(typed)})).one()
    return ParsedQuery(row.language, row.words, row.terms, row.is_in_index)


class _Finding:
    """One search of one viewer, in one transaction."""

    def __init__(self, session: AsyncSession, viewer: Viewer, search: Search, asked: ParsedQuery, zone: str) -> None:
        self._session, self._viewer, self._asked = session, viewer, asked
        self._search, self._zone = search, zone
        self._shape = Shape(search.board_id is not None, search.author_id is not None, search.by_advisers)

    @property
    def _values(self) -> dict[str, Any]:
        search, zone = self._search, ZoneInfo(self._zone)
        # Bounded, as far days have no day after them, and in some zones none before.
        since = datetime.combine(max(search.since, _EARLIEST.date()), time(), zone) if search.since else _EARLIEST
        until = min(search.until, _LATEST.date()) if search.until else None
        before = datetime.combine(until, time(), zone) + timedelta(days=1) if until else _LATEST
        return {
            **self._viewer.query_parameters,
            "words": self._asked.words,
            "since": since,
            "before": before,
            "before_id": 0,
            "board_id": search.board_id,
            "author_id": search.author_id,
        }

    async def newest(self, after: str | None) -> tuple[Sequence[FoundPost], str | None]:
        """Return a page of posts, the newest first, and the cursor of the next."""
        values = self._values
        if after is not None:
            values["before"], values["before_id"] = pagination.decode(after, _NEWEST_CURSOR)
        rows = await self._rows(select_newest(self._shape, WALKED), values)
        if len(rows) <= PAGE:
            most = None if await self._is_rare() else WALKED_TO_RANK
            rows = await self._rows(select_newest(self._shape, most), values)
        page = pagination.page_of(rows, PAGE, lambda row: (row.created_at, row.id))
        return await self._with_snippets(page.rows), page.next

    async def best(self, after: str | None) -> tuple[Sequence[FoundPost], str | None]:
        """Return one of three pages of posts, the best match first, and the cursor of the next."""
        [start] = pagination.decode(after, _PLACE_CURSOR) if after is not None else (0,)
        values = self._values
        ranked = await self._rows(select_best(self._shape, WALKED_TO_RANK), values)
        if (ranked[0].matches if ranked else 0) < ENOUGH_TO_RANK and await self._is_rare():
            ranked = await self._rows(select_best(self._shape, None), values)
        ids = [row.post_id for row in ranked]
        found = await self._rows(select_in_order(self._shape.has_board), {**values, "ids": ids}) if ids else []
        cursor = pagination.encode(start + PAGE) if start + PAGE < len(found) else None
        return await self._with_snippets(found[start : start + PAGE]), cursor

    async def titles(self, before: int, most: int) -> Sequence[FoundThread]:
        """Return threads whose titles have the words, the newest first."""
        if not self._asked.is_in_index:
            return []
        values = self._values | {"before_id": before, "most": most}
        rows = await self._rows(select_titles(self._shape), values)
        marked = await self._marked([row.title for row in rows])
        return [FoundThread(**{**row._mapping, "title": title}) for row, title in zip(rows, marked, strict=True)]

    async def titles_page(self, after: str | None) -> tuple[Sequence[FoundThread], str | None]:
        """Return a page of threads whose titles have the words, and the cursor of the next."""
        [before] = pagination.decode(after, _PLACE_CURSOR) if after is not None else (_LARGEST,)
        found = await self.titles(before, PAGE + 1)
        page = pagination.page_of(found, PAGE, lambda thread: (thread.id,))
        return page.rows, page.next

    async def suggest(self, after: str | None, found: Sequence[object]) -> str | None:
        """Return the same query with a word that others wrote, if nothing was found and that finds something."""
        if found or after is not None:
            return None
        better = await spelling.respell(self._session, self._search.query)
        if better is None:
            return None
        asked = await parse(self._session, better)
        again = _Finding(self._session, self._viewer, self._search, asked, self._zone)
        posts = [] if self._search.in_titles else (await again.newest(None))[0]
        return better if posts or await again.titles(_LARGEST, 1) else None

    async def _is_rare(self) -> bool:
        """Return whether the index has few rows of the words, as far as the newest posts tell."""
        if not self._asked.is_in_index:
            return False
        return await is_rare(self._session, self._asked.words)

    async def _rows(self, statement: Any, values: dict[str, Any]) -> Sequence[Any]:
        return (await self._session.execute(statement, values)).all()

    async def _with_snippets(self, rows: Sequence[Any]) -> Sequence[FoundPost]:
        marked = await self._marked([plain_text(row.body_html)[:SNIPPET_FROM] for row in rows])
        return [
            FoundPost(**{name: row._mapping[name] for name in FoundPost._fields[:-1]}, snippet=snippet)
            for row, snippet in zip(rows, marked, strict=True)
        ]

    async def _marked(self, texts: Sequence[str]) -> Sequence[Snippet]:
        if not texts:
            return []
        values = {
            "language": self._asked.language,
            "words": self._asked.words,
            "texts": list(texts),
            "short": SHORT,
            "whole": WHOLE,
            "some": PASSAGES,
        }
        marked = (await self._session.execute(_MARK, values)).scalars().all()
        return list(map(snippet_of, marked, texts))


_NEWEST_WITH = text("""
SELECT count(*) FROM (
    SELECT words FROM post_search ORDER BY written_at DESC, post_id DESC LIMIT :probed
) AS newest WHERE words @@ CAST(:words AS tsquery)
""")


async def is_rare(session: AsyncSession, words: str) -> bool:
    """Return whether few of the newest posts have the words: then the index has few rows of them."""
    found = await session.execute(_NEWEST_WITH, {"probed": PROBED, "words": words})
    return int(found.scalar_one()) < COMMON
