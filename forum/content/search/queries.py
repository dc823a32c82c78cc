"""Find posts and titles: by steps that each look at a bounded number of rows, whatever the word.

A common word stands in the newest posts, so these are walked first. A word that is not among them is rare, so that the
index has few rows of it. PostgreSQL is not left to choose: for one word in two, it would choose a way that takes
seconds. Who may read a result is asked in the statement that returns its words.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.ignored import ignores
from forum.content.posts.queries import AUTHOR
from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.content.search import spelling
from forum.content.search.plain import CLOSES, GAP, OPENS, Snippet, kept_terms, plain_text, snippet_of
from forum.content.search.tables import PostSearch, Search, Sort, ThreadSearch
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_SHOWN
from forum.core import pagination
from forum.core.database import Moment, query
from forum.core.errors import Overloaded
from forum.members.queries import author_columns
from forum.members.viewer import VIEWER_ID, Viewer

PAGE = 20
TITLES_SHOWN = 5  # above the posts; with the filter for titles, a page of them
WALKED, WALKED_TO_RANK = 5_000, 20_000  # of the newest rows
ENOUGH_TO_RANK, RANKED, BEST = 200, 2_000, 60  # matches that are enough; at most so many are ranked, and kept
RARE = 2_000  # rows of the index that are looked at
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

# Parameters: the words, the bounds, the filters.
_Q = cast(bindparam("words", type_=Text()), TSQUERY)
_AT, _ID = bindparam("before", type_=Moment()), bindparam("before_id", type_=BigInteger())
_SINCE = bindparam("since", type_=Moment())
_BOARD_ID, _AUTHOR_ID = bindparam("board_id", type_=Integer()), bindparam("author_id", type_=Uuid())
_WORDS = col(PostSearch.words)
_KEY = (col(PostSearch.written_at), col(PostSearch.post_id))


class Shape(NamedTuple):
    """Which filters a statement has: each set of them has a statement of its own, so that its index is used."""

    has_board: bool
    has_author: bool
    by_advisers: bool


def _filters(shape: Shape, rows: Any) -> Any:
    wanted = [tuple_(rows.written_at, rows.post_id) < tuple_(_AT, _ID), rows.written_at >= _SINCE]
    wanted += [rows.board_id == _BOARD_ID] if shape.has_board else []
    wanted += [rows.author_id == _AUTHOR_ID] if shape.has_author else []
    wanted += [rows.by_adviser] if shape.by_advisers else []
    return and_(*wanted)


_COLUMNS = (
    _KEY[0],
    _KEY[1],
    _WORDS,
    col(PostSearch.board_id),
    col(PostSearch.author_id),
    col(PostSearch.by_adviser),
)


def _walk(shape: Shape, most: int) -> Any:
    """Return those of the newest rows that have the words: of `most` rows, whatever is in them."""
    rows = select(*_COLUMNS).where(_filters(shape, PostSearch)).order_by(*(key.desc() for key in _KEY)).limit(most)
    walked = rows.subquery("walked")
    return select(walked).where(walked.c.words.op("@@")(_Q)).subquery("hits")


def _look_up(shape: Shape) -> Any:
    """Return the newest of the rows that the index has of the words."""
    rows = select(*_COLUMNS).where(_WORDS.op("@@")(_Q)).cte("indexed").prefix_with("MATERIALIZED")
    newest = (rows.c.written_at.desc(), rows.c.post_id.desc())
    return select(rows).where(_filters(shape, rows.c)).order_by(*newest).limit(RARE).subquery("hits")


_OPTIONAL = (
    col(Post.id),
    col(Post.thread_id),
    col(Post.number),
    col(Thread.title).label("thread_title"),
    col(Board.slug).label("board_slug"),
    col(Board.name).label("board_name"),
    *author_columns(AUTHOR, "author"),
    *(col(getattr(Post, name)) for name in ("adviser_name", "adviser_title", "adviser_organisation")),
    col(Post.content_warning),
    col(Post.created_at),
    func.coalesce(ignores(VIEWER_ID, col(Post.author_id)), literal(False)).label("is_ignored"),
    col(Post.body_html),
)
# What is never found, not even by its author: what waits, what was taken out, and what stands in such threads.
_SEEN = and_(POST_VISIBLE, THREAD_SHOWN, col(Post.visibility) == Visibility.VISIBLE)


def _posts_of(hits: Any, post_id: Any, *conditions: Any) -> Any:
    found = with_board_of_post(query(*_OPTIONAL).select_from(hits).join(Post, col(Post.id) == post_id))
    return found.join(AUTHOR, AUTHOR.c.id == col(Post.author_id)).where(_SEEN, *conditions)


@cache
def _newest(shape: Shape, step: str, most: int) -> Any:
    hits = _walk(shape, most) if step == "walk" else _look_up(shape)
    on_board = [col(Thread.board_id) == _BOARD_ID] if shape.has_board else []
    found = _posts_of(hits, hits.c.post_id, *on_board)
    return found.order_by(hits.c.written_at.desc(), hits.c.post_id.desc()).limit(PAGE + 1)


@cache
def _best(shape: Shape, step: str) -> Any:
    hits = _walk(shape, WALKED_TO_RANK) if step == "walk" else _look_up(shape)
    newest = (hits.c.written_at.desc(), hits.c.post_id.desc())
    some = select(hits).order_by(*newest).limit(RANKED).cte("some").prefix_with("MATERIALIZED")
    rank = func.ts_rank(some.c.words, _Q, 1)
    ids = select(some.c.post_id, func.count().over().label("matches"))
    return ids.order_by(rank.desc(), some.c.written_at.desc()).limit(ENOUGH_TO_RANK)


_RANKED_IDS = bindparam("ids", type_=ARRAY(BigInteger()))


@cache
def _in_order(has_board: bool) -> Any:
    ids = func.unnest(_RANKED_IDS).table_valued("id", with_ordinality="place", name="ranked").render_derived()
    on_board = [col(Thread.board_id) == _BOARD_ID] if has_board else []
    return _posts_of(ids, ids.c.id, *on_board).order_by(ids.c.place).limit(BEST)


@cache
def _titles(shape: Shape) -> Any:
    rows = (
        select(col(ThreadSearch.thread_id))
        .where(col(ThreadSearch.words).op("@@")(_Q))
        .cte("titled")
        .prefix_with("MATERIALIZED")
    )
    newest = select(rows).where(rows.c.thread_id < _ID).order_by(rows.c.thread_id.desc()).limit(RARE).subquery("hits")
    found = (
        query(
            col(Thread.id),
            col(Thread.title),
            col(Board.slug).label("board_slug"),
            col(Board.name).label("board_name"),
            *author_columns(AUTHOR, "author"),
            col(Thread.opened_at),
            col(Thread.posts),
            func.coalesce(ignores(VIEWER_ID, col(Thread.author_id)), literal(False)).label("is_ignored"),
        )
        .select_from(newest)
        .join(Thread, col(Thread.id) == newest.c.thread_id)
        .join(Board, col(Board.id) == col(Thread.board_id))
        .join(AUTHOR, AUTHOR.c.id == col(Thread.author_id))
        .where(boards.READABLE, THREAD_SHOWN, col(Thread.opened_at) >= _SINCE, col(Thread.opened_at) < _AT)
    )
    found = found.where(col(Thread.board_id) == _BOARD_ID) if shape.has_board else found
    found = found.where(col(Thread.author_id) == _AUTHOR_ID) if shape.has_author else found
    # Of a title, advisers are who answers: threads in which one wrote.
    found = found.where(col(Thread.adviser_replies) > 0) if shape.by_advisers else found
    return found.order_by(col(Thread.id).desc()).limit(bindparam("most", type_=Integer()))


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
    """Have the statements of this transaction end after two seconds, and take the ways that were meant for them."""
    await session.execute(_RULES)


def too_long(error: DBAPIError) -> Overloaded | None:
    """Return the refusal for a search that took too long; None for any other error of the database."""
    if getattr(error.orig, "sqlstate", None) != TIMED_OUT:
        return None
    return Overloaded("This search took too long. Please try other words, or fewer.", code="search_too_long")


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
        since = datetime.combine(search.since, time(), zone) if search.since else _EARLIEST
        before = datetime.combine(search.until, time(), zone) + timedelta(days=1) if search.until else _LATEST
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
        rows = await self._rows(_newest(self._shape, "walk", WALKED), values)
        if len(rows) <= PAGE:
            step = ("index", RARE) if await self._is_rare() else ("walk", WALKED_TO_RANK)
            rows = await self._rows(_newest(self._shape, *step), values)
        page = pagination.page_of(rows, PAGE, lambda row: (row.created_at, row.id))
        return await self._with_snippets(page.rows), page.next

    async def best(self, after: str | None) -> tuple[Sequence[FoundPost], str | None]:
        """Return one of three pages of posts, the best match first, and the cursor of the next."""
        [start] = pagination.decode(after, _PLACE_CURSOR) if after is not None else (0,)
        values = self._values
        ranked = await self._rows(_best(self._shape, "walk"), values)
        if (ranked[0].matches if ranked else 0) < ENOUGH_TO_RANK and await self._is_rare():
            ranked = await self._rows(_best(self._shape, "index"), values)
        ids = [row.post_id for row in ranked]
        found = await self._rows(_in_order(self._shape.has_board), {**values, "ids": ids}) if ids else []
        cursor = pagination.encode(start + PAGE) if start + PAGE < len(found) else None
        return await self._with_snippets(found[start : start + PAGE]), cursor

    async def titles(self, before: int, most: int) -> Sequence[FoundThread]:
        """Return threads whose titles have the words, the newest first."""
        if not self._asked.is_in_index:
            return []
        values = self._values | {"before_id": before, "most": most}
        rows = await self._rows(_titles(self._shape), values)
        marked = await self._marked([row.title for row in rows])
        return [
            FoundThread(**{**row._mapping, "title": snippet_of(title)}) for row, title in zip(rows, marked, strict=True)
        ]

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
            FoundPost(**{name: row._mapping[name] for name in FoundPost._fields[:-1]}, snippet=snippet_of(words))
            for row, words in zip(rows, marked, strict=True)
        ]

    async def _marked(self, texts: Sequence[str]) -> Sequence[str]:
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
        return (await self._session.execute(_MARK, values)).scalars().all()


_NEWEST_WITH = text("""
SELECT count(*) FROM (
    SELECT words FROM post_search ORDER BY written_at DESC, post_id DESC LIMIT :probed
) AS newest WHERE words @@ CAST(:words AS tsquery)
""")


async def is_rare(session: AsyncSession, words: str) -> bool:
    """Return whether few of the newest posts have the words: then the index has few rows of them."""
    found = await session.execute(_NEWEST_WITH, {"probed": PROBED, "words": words})
    return int(found.scalar_one()) < COMMON
