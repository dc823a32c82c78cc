"""The context of a new or changed post: board, thread, author, and the members and posts that its text names."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Text,
    any_,
    bindparam,
    case,
    column,
    exists,
    func,
    null,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content import boards, markup
from forum.content.boards import Board, Publication
from forum.content.opening_hours import Opening, Outside, opening_of
from forum.content.posts.draft import NO_WORDS, Draft
from forum.content.posts.tables import NUMBER_MAX, Post, PostQuote, PostRevision, Visibility
from forum.content.posts.visibility import POST_VISIBLE
from forum.content.threads.tables import AS_READ, Thread, ThreadRow
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Moment, Prepared, Query, Record, columns, query, row_class
from forum.core.errors import NotFound
from forum.core.gate import PostAuthor
from forum.core.in_transaction import PLANS_AS_USUAL, first_row_in
from forum.core.settings import FIRST_POSTS_MAX
from forum.core.work import Work
from forum.members.advisers import Adviser, Badge
from forum.members.roles import has_role
from forum.members.standing import standing_at
from forum.members.tables import Member, Standing
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer


@dataclass(frozen=True)
class PostingContext:
    """The board, the author with their standing and badge, and which of the names in the draft exist."""

    board: Board
    author: PostAuthor
    standing: Standing
    verified: bool
    opening: Opening
    badge: Badge | None
    known: markup.Known
    sees_reply_to: bool


@dataclass(frozen=True)
class ReplyContext(PostingContext):
    """The context of a reply in a thread. While the thread is `as_read`, nobody has changed it or written there."""

    thread: Thread
    as_read: int | None = field(default=None, kw_only=True)
    has_spoken: bool = field(default=True, kw_only=True)  # somebody can read something that the viewer wrote in it


@dataclass(frozen=True)
class EditContext(ReplyContext):
    """The context of a change to a post."""

    post: Post


# One query for each kind of context: each query adds a round trip to a reply. Built once, for to build one takes longer
# than to send it.

_Quoted, _QuotedAuthor, _Mentioned = aliased(Post), aliased(Member), aliased(Member)
_SLUG, _NOW = bindparam("slug", type_=Text()), bindparam("now", type_=Moment())
_THREAD_ID, _POST_ID = bindparam("thread_id", type_=BigInteger()), bindparam("post_id", type_=BigInteger())
_REPLY_TO = bindparam("reply_to", type_=Integer())
_QUOTES = (
    func.unnest(bindparam("quoted_handles", type_=ARRAY(Text())), bindparam("quoted_numbers", type_=ARRAY(Integer())))
    .table_valued(column("handle", Text()), column("number", Integer()))
    .render_derived()
)


def _named(thread_id: Any, post_id: Any = None) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return two columns for `_known`: the members and the posts among those that a draft names.

    What the post `post_id` quoted before stays a quote when its author was edited since: it was said.
    """
    known = (
        select(func.json_object_agg(_Mentioned.handle, _Mentioned.name))
        .where(col(_Mentioned.handle) == any_(bindparam("mentions", type_=ARRAY(Text()))))
        .scalar_subquery()
    )
    quoted = (
        select(
            func.json_agg(
                func.json_build_array(
                    _QuotedAuthor.handle,
                    _Quoted.number,
                    _QuotedAuthor.name,
                    _Quoted.id,
                    _Quoted.revision,
                    _Quoted.body_html,
                    null() if post_id is None else _quoted_before(post_id),
                )
            )
        )
        .select_from(_QUOTES)
        .join(_Quoted, col(_Quoted.number) == _QUOTES.c.number)
        .join(_QuotedAuthor, col(_QuotedAuthor.id) == col(_Quoted.author_id))
        .where(
            col(_Quoted.thread_id) == thread_id,
            col(_QuotedAuthor.handle) == _QUOTES.c.handle,
            col(_Quoted.visibility) == Visibility.VISIBLE,
        )
    )
    return known.label("members_known"), quoted.scalar_subquery().label("quotes_known")


def _quoted_before(post_id: Any) -> ColumnElement[Any]:
    """Return a column: the earlier revisions of a post that another quotes, but for those that were sealed since.

    With `any_revision`, each of them counts: of a post whose quotes are not recorded yet, nobody knows which it was.
    """
    recorded = exists().where(
        col(PostQuote.post_id) == post_id,
        col(PostQuote.quoted_post_id) == col(PostRevision.post_id),
        col(PostQuote.quoted_revision) == col(PostRevision.number),
    )
    earlier = select(func.json_agg(func.json_build_array(PostRevision.number, PostRevision.body_html))).where(
        col(PostRevision.post_id) == col(_Quoted.id),
        ~col(PostRevision.sealed),
        or_(bindparam("any_revision", False, type_=Boolean()), recorded),
    )
    return earlier.scalar_subquery()


# Whether a board's policy depends on how many posts somebody has, now or while it is closed.
_ASKS_FOR_FIRST_POSTS = or_(
    col(Board.publication) == Publication.HOLD_NEWCOMERS,
    col(Board.hours)["outside"].astext == Outside.HOLD_NEWCOMERS,
)
_HAS_WRITTEN = exists().where(col(_Quoted.author_id) == any_(VIEWER_PERSONAS))


def _contexts(thread_id: Any, post_id: Any = None, *, board: Sequence[Any] = (Board,)) -> Query:
    """Return a query of the board, the author, and which of the names in the draft exist."""
    answered = exists().where(
        col(_Quoted.thread_id) == thread_id,
        col(_Quoted.number) == _REPLY_TO,
        # A post that was withdrawn or removed while somebody answered it still has its place in the thread.
        col(_Quoted.visibility) != Visibility.HELD,
    )
    visible = select(col(_Quoted.id)).where(
        col(_Quoted.author_id) == any_(VIEWER_PERSONAS), col(_Quoted.visibility) == Visibility.VISIBLE
    )
    published = select(func.count()).select_from(visible.limit(FIRST_POSTS_MAX).subquery()).scalar_subquery()
    return (
        query(
            *board,
            standing_at(_NOW).label("standing"),
            or_(col(Member.email_verified_at).is_not(None), _HAS_WRITTEN).label("verified"),
            col(Member.name).label("writer_name"),
            has_role().label("is_staff"),
            case((_ASKS_FOR_FIRST_POSTS, published), else_=0).label("published"),
            col(Adviser.title).label("adviser_title"),
            col(Adviser.organisation).label("adviser_organisation"),
            or_(_REPLY_TO.is_(None), answered).label("sees_reply_to"),
            *_named(thread_id, post_id),
        )
        .select_from(Board)
        .join(Member, col(Member.id) == VIEWER_ID)
        .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
    )


# Of a thread, the board comes first, and the thread last: as columns, because objects cost more than the statement.
_BOARD, _THREAD = columns(Board), columns(Thread)
_HAS_SPOKEN = exists().where(
    col(_Quoted.author_id) == any_(VIEWER_PERSONAS),
    col(_Quoted.thread_id) == col(Thread.id),
    col(_Quoted.visibility) == Visibility.VISIBLE,
)
_IN_THREAD = Prepared(
    _contexts(col(Thread.id), board=_BOARD)
    .add_columns(PLANS_AS_USUAL, AS_READ.label("as_read"), _HAS_SPOKEN.label("has_spoken"), *_THREAD)
    .join(Thread, col(Thread.board_id) == col(Board.id))
    .where(col(Thread.id) == _THREAD_ID, THREAD_VISIBLE)
)
_AROUND_POST = (
    _contexts(col(Thread.id), _POST_ID).add_columns(Thread).join(Thread, col(Thread.board_id) == col(Board.id))
)
_ON_BOARD = _contexts(null()).where(col(Board.slug) == _SLUG, boards.READABLE)
_OF_POST = (
    _AROUND_POST.add_columns(Post)
    .join(Post, col(Post.thread_id) == col(Thread.id))
    .where(col(Post.id) == _POST_ID, POST_VISIBLE)
)
_OF_OWN_POST = _AROUND_POST.add_columns(Post).join(Post, col(Post.thread_id) == col(Thread.id))
_OF_OWN_POST = _OF_OWN_POST.where(
    col(Post.id) == _POST_ID, or_(POST_VISIBLE, col(Post.author_id) == any_(VIEWER_PERSONAS))
)
_NAMED = query(*_named(_THREAD_ID, _POST_ID))


async def context_on_board(work: Work, viewer: Viewer, slug: str, draft: Draft) -> PostingContext:
    """Return the context of a new thread. Raises NotFound when the board does not exist for the viewer."""
    row = await _get_row(work.session, _ON_BOARD, await _parameters(viewer, draft, work.now) | {"slug": slug}, "board")
    return PostingContext(**_facts(viewer, row, row.Board, work.now))


async def context_in_thread(work: Work, viewer: Viewer, thread_id: int, draft: Draft) -> ReplyContext:
    """Return the context of a reply. Raises NotFound when the thread does not exist for the viewer."""
    values = await _parameters(viewer, draft, work.now) | {"thread_id": thread_id}
    row = await first_row_in(work.session, _IN_THREAD, **values)
    if row is None:
        raise _no_such("thread")
    board, thread = row_class(Board)._make(row[: len(_BOARD)]), ThreadRow._make(row[-len(_THREAD) :])
    known = {"as_read": row.as_read, "has_spoken": row.has_spoken}
    return ReplyContext(**_facts(viewer, row, board, work.now), thread=thread, **known)


async def context_of_post(work: Work, viewer: Viewer, post_id: int, draft: Draft) -> EditContext:
    """Return the context of a change to a post. Raises NotFound when the post does not exist for the viewer."""
    row = await _get_row(
        work.session, _OF_POST, await _parameters(viewer, draft, work.now) | {"post_id": post_id}, "post"
    )
    return EditContext(**_facts(viewer, row, row.Board, work.now), thread=row.Thread, post=row.Post)


async def context_of_own_post(work: Work, viewer: Viewer, post_id: int) -> EditContext:
    """Return the context of a post that the viewer sees, or that is theirs on a board that they can no longer read.

    Raises NotFound for any other.
    """
    values = await _parameters(viewer, NO_WORDS, work.now) | {"post_id": post_id}
    row = await _get_row(work.session, _OF_OWN_POST, values, "post")
    return EditContext(**_facts(viewer, row, row.Board, work.now), thread=row.Thread, post=row.Post)


async def named_in_thread(
    session: AsyncSession,
    thread_id: int | None,
    draft: Draft,
    *,
    post_id: int | None = None,
    any_revision: bool = False,
) -> markup.Known:
    """Return which of the members and posts that a draft names exist, whoever may see the thread.

    Without a thread, only members are found. `post_id` is the post that has the text already, if there is one; with
    `any_revision`, whatever its quotes' posts said at any time counts.
    """
    place = {"thread_id": thread_id, "post_id": post_id, "any_revision": any_revision}
    return _known((await session.execute(_NAMED, await _references(draft) | place)).one())


async def _parameters(viewer: Viewer, draft: Draft, now: datetime) -> dict[str, Any]:
    return {**viewer.query_parameters, **await _references(draft), "reply_to": draft.reply_to, "now": now}


async def _references(draft: Draft) -> dict[str, Any]:
    found = await draft.parse()
    quotes = [quote for quote in found.quotes if quote.number <= NUMBER_MAX]
    return {
        "mentions": list(found.mentions),
        "quoted_handles": [quote.handle for quote in quotes],
        "quoted_numbers": [quote.number for quote in quotes],
    }


def _known(row: Record) -> markup.Known:
    quotes = dict(map(_quoted, row.quotes_known or ()))
    return markup.Known(row.members_known or {}, quotes)


def _quoted(found: Any) -> tuple[markup.QuoteRef, list[markup.QuotedPost]]:
    handle, number, name, post_id, revision, body_html, earlier = found
    revisions = [(revision, body_html), *(earlier or ())]
    return markup.QuoteRef(handle, number), [markup.QuotedPost(post_id, at, name, html) for at, html in revisions]


async def _get_row(session: AsyncSession, contexts: Query, values: dict[str, Any], what: str) -> Record:
    row = (await session.execute(contexts, values)).one_or_none()
    if row is None:
        raise _no_such(what)
    return row


def _no_such(what: str) -> NotFound:
    return NotFound(f"There is no such {what}.", code=f"{what}_not_found")


def _facts(viewer: Viewer, row: Any, board: Any, now: datetime) -> dict[str, Any]:
    badge = Badge(row.writer_name, row.adviser_title, row.adviser_organisation) if row.adviser_title else None
    return {
        "board": board,
        "author": PostAuthor(
            viewer.member_id, row.is_staff, row.published, is_reviewed=row.standing == Standing.REVIEWED
        ),
        "standing": Standing(row.standing),
        "verified": row.verified,
        "opening": opening_of(board, now),
        "badge": badge,
        "known": _known(row),
        "sees_reply_to": row.sees_reply_to,
    }
