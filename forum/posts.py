"""Posts: numbered words in a thread, their revisions, and who sees them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    UniqueConstraint,
    Uuid,
    and_,
    any_,
    bindparam,
    case,
    distinct,
    exists,
    false,
    func,
    insert,
    null,
    or_,
    select,
    text,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col

from forum import audit, boards, markup, members, threads
from forum.advisers import Adviser, Badge
from forum.boards import Board, Publication
from forum.database import Moment, Prepared, Query, Reader, Record, columns, query
from forum.errors import Conflict, Invalid, NotFound, Stale
from forum.gate import Author, Gate, Submission, Verdict
from forum.members import VIEWER_ID, Member, Role, Viewer
from forum.members import Standing as MemberStanding
from forum.settings import FIRST_POSTS_MAX
from forum.threads import Thread

BODY_MAX = 20_000
WARNING_MAX = 100
NUMBER_MAX = 2**31 - 1  # what the column holds: a greater one cannot even be asked for


class Visibility(StrEnum):
    """Who sees a post, and by whose decision."""

    VISIBLE = "visible"
    HELD = "held"
    REMOVED = "removed"
    WITHDRAWN = "withdrawn"


NEXT: Mapping[Visibility, frozenset[Visibility]] = {
    Visibility.HELD: frozenset({Visibility.VISIBLE, Visibility.REMOVED, Visibility.WITHDRAWN}),
    Visibility.VISIBLE: frozenset({Visibility.HELD, Visibility.REMOVED, Visibility.WITHDRAWN}),
    Visibility.REMOVED: frozenset({Visibility.VISIBLE}),
    Visibility.WITHDRAWN: frozenset(),
}


SHOWN = (Visibility.VISIBLE, Visibility.HELD)  # to those who see the post at all; the others are tombstones


class Voice(StrEnum):
    """In which part the author spoke, as it was when the post was written."""

    MEMBER = "member"
    ADVISER = "adviser"
    STAFF = "staff"


class Post(SQLModel, table=True):
    """One post as it stands now; what it said before is in PostRevision."""

    __table_args__ = (
        UniqueConstraint("thread_id", "number"),
        ForeignKeyConstraint(["thread_id", "reply_to"], ["post.thread_id", "post.number"]),
        CheckConstraint("number >= 1 AND reply_to < number", name="number"),
        CheckConstraint("visibility IN ('visible', 'held', 'removed', 'withdrawn')", name="visibility"),
        CheckConstraint("voice IN ('member', 'adviser', 'staff')", name="voice"),
        CheckConstraint(
            "(voice = 'adviser') = (num_nonnulls(adviser_name, adviser_title, adviser_organisation) = 3)",
            name="adviser",
        ),
        CheckConstraint("(visibility = 'held') = (held_because IS NOT NULL)", name="held_because"),
        CheckConstraint(f"char_length(body_markdown) BETWEEN 1 AND {BODY_MAX}", name="body"),
        CheckConstraint(f"char_length(content_warning) BETWEEN 1 AND {WARNING_MAX}", name="content_warning"),
        Index("ix_post_author", "author_id", "thread_id"),
        Index("ix_post_adviser", "thread_id", "number", postgresql_where=text("voice = 'adviser'")),
    )

    id: int = Field(default=None, primary_key=True, sa_type=BigInteger, sa_column_args=[Identity(always=True)])
    thread_id: int = Field(sa_type=BigInteger, foreign_key="thread.id")
    number: int
    author_id: UUID = Field(foreign_key="member.id")
    voice: str
    adviser_name: str | None
    adviser_title: str | None
    adviser_organisation: str | None
    visibility: str
    held_because: str | None
    reply_to: int | None
    content_warning: str | None
    body_markdown: str
    body_html: str
    revision: int = 1
    notice: dict[str, Any] | None = Field(default=None, sa_type=JSONB, description="What readers are told of it")
    created_at: datetime = Field(sa_type=Moment)
    edited_at: datetime | None = Field(default=None, sa_type=Moment)
    changed_by: UUID | None = Field(default=None, foreign_key="member.id")


class PostRevision(SQLModel, table=True):
    """What a post said before an edit replaced it."""

    __tablename__ = "post_revision"

    post_id: int = Field(primary_key=True, sa_type=BigInteger, foreign_key="post.id")
    number: int = Field(primary_key=True)
    content_warning: str | None
    body_markdown: str
    body_html: str
    sealed: bool = Field(
        default=False,
        sa_column_kwargs={"server_default": text("false")},
        description="Holds redacted words: for moderators, each reading audited",
    )
    written_at: datetime = Field(sa_type=Moment)


@dataclass(frozen=True)
class Draft:
    """What somebody wants to post."""

    body_markdown: str
    reply_to: int | None = None
    content_warning: str | None = None

    @cached_property
    def parsed(self) -> markup.Parsed:
        """The body, read once."""
        return markup.parse(self.body_markdown)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every word that readers would see."""
        return (self.body_markdown, self.content_warning or "")


LONG = 4_000  # characters; what reads in less than some 10 ms does not keep other requests waiting


async def drafted(body_markdown: str, reply_to: int | None = None, content_warning: str | None = None) -> Draft:
    """A draft whose body has been read, a long one beside the event loop: hostile ones take half a second."""
    draft = Draft(body_markdown, reply_to, content_warning)
    if len(body_markdown) > LONG:
        await asyncio.to_thread(lambda: draft.parsed)
    return draft


NO_WORDS = Draft("")  # for acts on a thread or a post that carry no text


@dataclass(frozen=True)
class Place:
    """A board on which somebody is about to write, who they are there, and what their words refer to."""

    board: Board
    author: Author
    standing: MemberStanding
    badge: Badge | None
    known: markup.Known
    sees_reply_to: bool


@dataclass(frozen=True)
class ThreadPlace(Place):
    """The same in a thread."""

    thread: Thread


@dataclass(frozen=True)
class PostPlace(ThreadPlace):
    """The same at a post that is to be changed."""

    post: Post


class SeenPost(NamedTuple):
    """A post as a reader sees it; of a removed or withdrawn one, no words."""

    id: int
    thread_id: int
    number: int
    revision: int
    visibility: str
    held_because: str | None
    author_handle: str
    author_name: str
    author_title: str | None
    adviser_name: str | None
    adviser_title: str | None
    adviser_organisation: str | None
    reply_to: int | None
    content_warning: str | None
    body_markdown: str | None
    body_html: str | None
    notice: dict[str, Any] | None
    created_at: datetime
    edited_at: datetime | None
    last_number: int  # of its thread
    indexable: bool  # whether search engines may keep it: its board says


# Predicates


# The post, joined with its thread and board, exists for the viewer: every read of posts carries it. A removed or
# withdrawn post exists as a tombstone; a held one for its author and the board's moderators.
VISIBLE = and_(
    threads.VISIBLE,
    or_(col(Post.visibility) != Visibility.HELD, col(Post.author_id) == VIEWER_ID, boards.MODERATED),
)


def _words(column: Any, name: str) -> ColumnElement[Any]:
    """A column of words, empty in a tombstone."""
    return case(*((col(Post.visibility) == visibility, column) for visibility in SHOWN)).label(name)


# Queries

# In the order of SeenPost.
_SEEN = (
    query(
        col(Post.id),
        col(Post.thread_id),
        col(Post.number),
        col(Post.revision),
        col(Post.visibility),
        col(Post.held_because),
        col(Member.handle).label("author_handle"),
        col(Member.name).label("author_name"),
        col(Member.title).label("author_title"),
        col(Post.adviser_name),
        col(Post.adviser_title),
        col(Post.adviser_organisation),
        col(Post.reply_to),
        _words(col(Post.content_warning), "content_warning"),
        _words(col(Post.body_markdown), "body_markdown"),
        _words(col(Post.body_html), "body_html"),
        col(Post.notice),
        col(Post.created_at),
        col(Post.edited_at),
        col(Thread.last_number),
        col(Board.indexable),
    )
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .join(Member, col(Member.id) == col(Post.author_id))
    .where(VISIBLE)
)
_IN_THREAD = _SEEN.where(col(Post.thread_id) == bindparam("thread_id", type_=BigInteger())).order_by(col(Post.number))
_FIRST, _LAST = bindparam("first", type_=Integer()), bindparam("last", type_=Integer())

_ONE = Prepared(_SEEN.where(col(Post.id) == bindparam("post_id", type_=BigInteger())), SeenPost)
_NUMBERED = Prepared(_IN_THREAD.where(col(Post.number).between(_FIRST, _LAST)), SeenPost)
_LIMIT = bindparam("limit", type_=Integer())
_BY_ADVISERS = Prepared(
    _IN_THREAD.where(col(Post.number) >= _FIRST, col(Post.voice) == Voice.ADVISER).limit(_LIMIT), SeenPost
)

# How many visible posts each of the members `member_ids` wrote on boards that exist for the viewer.
WRITTEN = Prepared(
    query(col(Post.author_id), func.count().label("posts"))
    .join(Thread, col(Thread.id) == col(Post.thread_id))
    .join(Board, col(Board.id) == col(Thread.board_id))
    .where(
        col(Post.author_id) == any_(bindparam("member_ids", type_=ARRAY(Uuid()))),
        col(Post.visibility) == Visibility.VISIBLE,
        threads.VISIBLE,
    )
    .group_by(col(Post.author_id))
)


async def one(reader: Reader, viewer: Viewer, post_id: int) -> SeenPost:
    """A post; NotFound when it does not exist for the viewer."""
    return _found(await reader.row(_ONE, **viewer.sight, post_id=post_id))


async def in_transaction(session: AsyncSession, viewer: Viewer, post_id: int) -> SeenPost:
    """The same, as the post stands in this transaction."""
    values = {**viewer.sight, "post_id": post_id}
    return _found((await session.execute(_ONE.query, values)).one_or_none())


def _found(row: Any) -> SeenPost:
    if row is None:
        raise NotFound("There is no such post.")
    return SeenPost._make(row)


async def numbered(reader: Reader, viewer: Viewer, thread_id: int, first: int, limit: int) -> Sequence[SeenPost]:
    """The posts of a thread whose numbers are `first` to `first + limit - 1`: fewer where numbers are not seen."""
    span = {"first": min(first, NUMBER_MAX), "last": min(first + limit - 1, NUMBER_MAX)}
    return await reader.rows(_NUMBERED, **viewer.sight, thread_id=thread_id, **span)


async def by_advisers(reader: Reader, viewer: Viewer, thread_id: int, first: int, limit: int) -> Sequence[SeenPost]:
    """The first `limit` posts of advisers in a thread from number `first` on."""
    begin = {"first": min(first, NUMBER_MAX), "limit": limit}
    return await reader.rows(_BY_ADVISERS, **viewer.sight, thread_id=thread_id, **begin)


def revisions(post_id: int) -> Query:
    """Every revision of a post, the present one last; of a sealed one, no words."""
    shared = ("content_warning", "body_markdown", "body_html")
    earlier = select(
        col(PostRevision.number),
        col(PostRevision.sealed),
        *(case((col(PostRevision.sealed), None), else_=getattr(PostRevision, name)).label(name) for name in shared),
        col(PostRevision.written_at),
    ).where(col(PostRevision.post_id) == post_id)
    present = select(
        col(Post.revision).label("number"),
        false().label("sealed"),
        *(getattr(Post, name) for name in shared),
        func.coalesce(Post.edited_at, Post.created_at).label("written_at"),
    ).where(col(Post.id) == post_id)
    both = union_all(earlier, present).subquery()
    return query(both).order_by(both.c.number)


async def sealed_revision(session: AsyncSession, moderator: Viewer, post_id: int, number: int, now: datetime) -> Record:
    """A revision that holds redacted words; that it was read is in the record. NotFound when there is none such."""
    same = (col(PostRevision.post_id) == post_id, col(PostRevision.number) == number, col(PostRevision.sealed))
    row = (await session.execute(query(*columns(PostRevision)).where(*same))).one_or_none()
    if row is None:
        raise NotFound("There is no such sealed revision.")
    details: audit.Details = {"revision": number}
    await audit.record(
        session, actor_id=moderator.id, act="revision.read", subject=("post", post_id), now=now, details=details
    )
    return row


async def place_on_board(session: AsyncSession, viewer: Viewer, slug: str, draft: Draft, now: datetime) -> Place:
    """Where a new thread would begin; NotFound when the board does not exist for the viewer."""
    query = _places(viewer, draft, null(), now).where(col(Board.slug) == slug, boards.READABLE)
    return Place(**_facts(viewer, await _only(session, viewer, query, "board")))


async def place_in_thread(
    session: AsyncSession, viewer: Viewer, thread_id: int, draft: Draft, now: datetime
) -> ThreadPlace:
    """Where a reply would stand; NotFound when the thread does not exist for the viewer."""
    query = (
        _places(viewer, draft, col(Thread.id), now)
        .add_columns(Thread)
        .join(Thread, col(Thread.board_id) == col(Board.id))
        .where(col(Thread.id) == thread_id, threads.VISIBLE)
    )
    row = await _only(session, viewer, query, "thread")
    return ThreadPlace(**_facts(viewer, row), thread=row.Thread)


async def place_of_post(session: AsyncSession, viewer: Viewer, post_id: int, draft: Draft, now: datetime) -> PostPlace:
    """Where a post stands that is to be changed; NotFound when it does not exist for the viewer."""
    query = (
        _places(viewer, draft, col(Thread.id), now)
        .add_columns(Thread, Post)
        .join(Thread, col(Thread.board_id) == col(Board.id))
        .join(Post, col(Post.thread_id) == col(Thread.id))
        .where(col(Post.id) == post_id, VISIBLE)
    )
    row = await _only(session, viewer, query, "post")
    return PostPlace(**_facts(viewer, row), thread=row.Thread, post=row.Post)


async def known_names(
    session: AsyncSession, viewer: Viewer, thread_id: int | None, draft: Draft, now: datetime
) -> markup.Known:
    """Which of the members and posts that a draft names there are; NotFound when the thread is not the viewer's."""
    if thread_id is not None:
        return (await place_in_thread(session, viewer, thread_id, draft, now)).known
    return _known((await session.execute(query(*_named(draft, null())))).one())


# Verbs


async def open_thread(
    session: AsyncSession,
    viewer: Viewer,
    place: Place,
    title: str,
    draft: Draft,
    gate: Gate,
    now: datetime,
    *,
    links_allowed: int | None = None,
) -> SeenPost:
    """Open a thread on `place.board` with its first post; the gate judges and holds the two as one.

    Raises Invalid for a reply to something, or when a newcomer's post has more than `links_allowed` links.
    """
    html = _rendered(draft, place, links_allowed)
    verdict = await gate.judge(session, Submission(place.author, (title, *draft.texts), place.board.publication))
    thread = Thread(
        board_id=place.board.id,
        author_id=viewer.member_id,
        title=title,
        visibility=threads.Standing.HELD if verdict.held_because else threads.Standing.VISIBLE,
        opened_at=now,
        changed_at=now,
        last_post_at=now,
    )
    session.add(thread)
    await session.flush()
    post = await _append(session, viewer, place, thread, draft, html, verdict, now)
    await gate.record(session, ("post", post.id), verdict, now)
    return post


async def write(
    session: AsyncSession,
    viewer: Viewer,
    place: ThreadPlace,
    draft: Draft,
    gate: Gate,
    now: datetime,
    *,
    links_allowed: int | None = None,
) -> SeenPost:
    """Reply in `place.thread`.

    Raises Invalid when `reply_to` names no visible post, or when a newcomer's post has more than
    `links_allowed` links, and Conflict when the thread was closed or moved a moment ago.
    """
    html = _rendered(draft, place, links_allowed)
    verdict = await gate.judge(session, Submission(place.author, draft.texts, place.board.publication))
    # From here until the commit, every other reply to this thread waits for us.
    thread = await threads.hold(session, place.thread.id)
    if not threads.takes_replies(thread, viewer) or thread.board_id != place.board.id:
        raise Conflict("This thread was closed or moved a moment ago. Read it again.")
    post = await _append(session, viewer, place, thread, draft, html, verdict, now)
    await gate.record(session, ("post", post.id), verdict, now)
    return post


async def edit(
    session: AsyncSession,
    viewer: Viewer,
    place: PostPlace,
    revision: int,
    draft: Draft,
    gate: Gate,
    now: datetime,
    *,
    links_allowed: int | None = None,
) -> None:
    """Replace what a post says and keep what it said.

    Raises Stale when the post is no longer at the `revision` that was on the screen, Conflict when it was
    removed or withdrawn, and Invalid as `write` does.
    """
    html = _rendered(draft, place, links_allowed)
    verdict = await gate.judge(session, Submission(place.author, draft.texts, place.board.publication))
    await threads.hold_posts(session, place.thread.id)
    post = await hold(session, place.post.id)
    await refuse_stale(session, post, revision)
    if post.visibility not in SHOWN:
        raise Conflict("This post was removed or withdrawn and cannot be edited.")
    _say(session, post, draft.body_markdown, html, viewer, now)
    post.content_warning = draft.content_warning
    if verdict.held_because:
        await shift(session, post, Visibility.HELD, held_because=verdict.held_because)
    await session.flush()
    await gate.record(session, ("post", post.id), verdict, now)


async def withdraw(session: AsyncSession, viewer: Viewer, place: PostPlace, now: datetime) -> None:
    """Take one's own words back, for good; done twice, it is as done once. Conflict for a removed post."""
    await threads.hold_posts(session, place.thread.id)
    post = await hold(session, place.post.id)
    if post.visibility != Visibility.WITHDRAWN:
        post.changed_by, post.edited_at = viewer.id, now
        await shift(session, post, Visibility.WITHDRAWN)


async def shift(session: AsyncSession, post: Post, to: Visibility, *, held_because: str | None = None) -> None:
    """Give a post, whose row the caller holds, another visibility, and count its thread anew.

    Raises Conflict for a step that NEXT does not have.
    """
    if to == post.visibility:
        post.held_because = held_because
        return
    if to not in NEXT[Visibility(post.visibility)]:
        raise Conflict(f"A {post.visibility} post cannot become {to}.")
    post.visibility, post.held_because = to, held_because
    await session.flush()
    thread = await _recount(session, post.thread_id)
    if post.number == 1:
        thread.visibility = _with_its_opening(thread, to)
        await session.flush()


def _with_its_opening(thread: Thread, to: Visibility) -> str:
    """What a thread becomes with its opening post: one of which nothing else was seen goes and comes with it."""
    if to == Visibility.VISIBLE:
        return threads.Standing.VISIBLE
    if to == Visibility.HELD and thread.posts == 0:
        return threads.Standing.HELD
    is_seen = thread.visibility == threads.Standing.VISIBLE
    return threads.Standing.VISIBLE if is_seen else threads.Standing.REMOVED


# On the house's behalf: moderation decides, these only do.


async def rewrite(
    session: AsyncSession,
    moderator: Viewer,
    post: Post,
    body: str,
    content_warning: str | None,
    now: datetime,
    *,
    sealed: bool,
) -> None:
    """Let a post, whose row the caller holds, say something else; `sealed` keeps what it said from its readers.

    Raises Invalid when nothing, or more than a post can hold, would be left.
    """
    if not 1 <= len(body) <= BODY_MAX:
        raise Invalid(f"A post has 1 to {BODY_MAX} characters.", "#/measures")
    draft = Draft(body)
    known = _known((await session.execute(query(*_named(draft, post.thread_id)))).one())
    _say(session, post, body, draft.parsed.html(known), moderator, now, sealed=sealed)
    post.content_warning = content_warning
    await session.flush()


async def seal(session: AsyncSession, post: Post, says_it: Callable[[str], bool]) -> Sequence[int]:
    """Keep the earlier revisions that say something from their readers; which ones it were."""
    open_ones = select(col(PostRevision.number), col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = await session.execute(open_ones.where(col(PostRevision.post_id) == post.id, ~col(PostRevision.sealed)))
    numbers = [number for number, *texts in rows.all() if any(map(says_it, filter(None, texts)))]
    these = (col(PostRevision.post_id) == post.id, col(PostRevision.number).in_(numbers))
    await session.execute(update(PostRevision).where(*these).values(sealed=True))
    return numbers


async def unseal(session: AsyncSession, post: Post, revisions: Sequence[int]) -> None:
    """These revisions are open again to those who may read revisions."""
    these = (col(PostRevision.post_id) == post.id, col(PostRevision.number).in_(revisions))
    await session.execute(update(PostRevision).where(*these).values(sealed=False))


async def words_of(session: AsyncSession, post: Post, revision: int) -> tuple[str, str | None]:
    """The body and the content warning of a post, as they are or were in one of its revisions."""
    if revision == post.revision:
        return post.body_markdown, post.content_warning
    same = (col(PostRevision.post_id) == post.id, col(PostRevision.number) == revision)
    words = select(col(PostRevision.body_markdown), col(PostRevision.content_warning)).where(*same)
    row = (await session.execute(words)).one()
    return row.body_markdown, row.content_warning


async def others_in_thread(session: AsyncSession, post: Post, words: Sequence[str]) -> Sequence[int]:
    """The ids of the other posts of a thread that quote, or may repeat these words, or once did."""
    once = exists().where(col(PostRevision.post_id) == col(Post.id), _may_say(PostRevision, words))
    others = select(col(Post.id)).where(
        col(Post.thread_id) == post.thread_id, col(Post.id) != post.id, or_(_may_say(Post, words), once)
    )
    return (await session.execute(others.order_by(col(Post.id)))).scalars().all()


def _may_say(table: Any, words: Sequence[str]) -> ColumnElement[bool]:
    patterns = ["%" + "%".join(map(_literal, said.split())) + "%" for said in words if said.split()]
    texts = (table.body_markdown, table.content_warning)
    repeats = [text.ilike(pattern) for text in texts for pattern in patterns]
    return or_(col(table.body_markdown).contains(">"), *repeats)


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _rendered(draft: Draft, place: Place, links_allowed: int | None) -> str:
    if not place.sees_reply_to:
        raise Invalid(f"There is no post {draft.reply_to} in this thread to reply to.", "#/reply_to")
    html = draft.parsed.html(place.known)
    if links_allowed is not None and html.count("<a ") > links_allowed:
        raise Invalid(
            f"In your first days here, a post can carry at most {links_allowed} links. Please take some out.",
            "#/body_markdown",
        )
    return html


async def _append(
    session: AsyncSession,
    viewer: Viewer,
    place: Place,
    thread: Thread,
    draft: Draft,
    html: str,
    verdict: Verdict,
    now: datetime,
) -> SeenPost:
    """Insert the post and count it, in one statement: the thread's row is held, and others wait."""
    number, voice = thread.last_number + 1, _voice(viewer, place)
    badge = place.badge if voice == Voice.ADVISER else None
    visibility = Visibility.HELD if verdict.held_because else Visibility.VISIBLE
    said: dict[str, Any] = {
        "number": number,
        "thread_id": thread.id,
        "visibility": visibility,
        "held_because": verdict.held_because,
        "adviser_name": badge and badge.name,
        "adviser_title": badge and badge.title,
        "adviser_organisation": badge and badge.organisation,
        "reply_to": draft.reply_to,
        "content_warning": draft.content_warning,
        "body_markdown": draft.body_markdown,
        "body_html": html,
        "revision": 1,
        "created_at": now,
    }
    written = insert(Post).values(author_id=viewer.id, voice=voice, **said).returning(col(Post.id)).cte("written")
    counted = _counted(thread, viewer, voice, number, now) if visibility == Visibility.VISIBLE else {}
    grown = update(Thread).where(col(Thread.id) == thread.id).values(last_number=number, **counted)
    result = await session.execute(
        grown.add_cte(written).returning(select(written.c.id).scalar_subquery()),
        execution_options={"synchronize_session": False},
    )
    return SeenPost(
        id=result.scalar_one(),
        author_handle=viewer.handle or "",
        author_name=viewer.name or "",
        author_title=viewer.title,
        edited_at=None,
        notice=None,
        last_number=number,
        indexable=place.board.indexable,
        **said,
    )


def _counted(thread: Thread, viewer: Viewer, voice: Voice, number: int, now: datetime) -> dict[str, Any]:
    """What one more visible post changes in its thread's counts; `_recount` says the same of all posts."""
    spoke_before = exists().where(
        col(Post.thread_id) == thread.id,
        col(Post.author_id) == viewer.id,
        col(Post.visibility) == Visibility.VISIBLE,
    )
    counts = {
        "posts": thread.posts + 1,
        "participants": thread.participants + case((spoke_before, 0), else_=1),
        "last_post_number": number,
        "last_post_at": now,
        "last_post_by": viewer.id,
    }
    if voice == Voice.MEMBER:
        # Whoever waited for the thread's row may have begun before the one whom they waited for.
        counts["waiting_since"] = min(thread.waiting_since or now, now)
    if voice == Voice.ADVISER:
        counts["waiting_since"] = None
    if voice == Voice.ADVISER and number > 1:
        counts["adviser_replies"] = thread.adviser_replies + 1
        counts["first_adviser_number"] = thread.first_adviser_number or number
        counts["latest_adviser_number"] = number
    return counts


async def _recount(session: AsyncSession, thread_id: int) -> Thread:
    """Count a thread anew after a post came or went: rare, so that it may read them all."""
    thread = await threads.hold(session, thread_id)
    shown = (col(Post.thread_id) == thread_id, col(Post.visibility) == Visibility.VISIBLE)
    number = col(Post.number)
    reply = and_(col(Post.voice) == Voice.ADVISER, number > 1)
    answered = select(func.max(number)).where(*shown, col(Post.voice) == Voice.ADVISER).scalar_subquery()
    unanswered = and_(col(Post.voice) == Voice.MEMBER, number > func.coalesce(answered, 0))
    counts = select(
        func.count().label("posts"),
        func.count(distinct(col(Post.author_id))).label("participants"),
        func.max(number).label("last_post_number"),
        func.count().filter(reply).label("adviser_replies"),
        func.min(number).filter(reply).label("first_adviser_number"),
        func.max(number).filter(reply).label("latest_adviser_number"),
        func.min(Post.created_at).filter(unanswered).label("waiting_since"),
    ).where(*shown)
    for name, value in (await session.execute(counts)).one()._mapping.items():
        setattr(thread, name, value)
    last = select(col(Post.created_at), col(Post.author_id)).where(*shown, number == thread.last_post_number)
    row = (await session.execute(last)).one_or_none()
    thread.last_post_at, thread.last_post_by = (row.created_at, row.author_id) if row else (thread.opened_at, None)
    await session.flush()
    return thread


def _voice(viewer: Viewer, place: Place) -> Voice:
    if Role.ADVISER in viewer.roles and place.badge:
        return Voice.ADVISER
    return Voice.STAFF if viewer.is_staff else Voice.MEMBER


async def hold(session: AsyncSession, post_id: int) -> Post:
    """The post as it is now, its row ours until the commit; replies to it need not wait."""
    found = select(Post).where(col(Post.id) == post_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


async def refuse_stale(session: AsyncSession, post: Post, revision: int) -> None:
    """Raise Stale, with who edited the post and when, unless it is at this revision."""
    if post.revision == revision:
        return
    changer = await session.get(Member, post.changed_by) if post.changed_by else None
    raise Stale(
        "This post was edited while you were looking at it. Read it again.",
        current=post.revision,
        changed_by=changer.name if changer else None,
        changed_at=post.edited_at or post.created_at,
    )


def _say(
    session: AsyncSession, post: Post, body: str, html: str, by: Viewer, now: datetime, *, sealed: bool = False
) -> None:
    """Let a post, whose row is held, say something else, and keep what it said."""
    session.add(
        PostRevision(
            post_id=post.id,
            number=post.revision,
            content_warning=post.content_warning,
            body_markdown=post.body_markdown,
            body_html=post.body_html,
            sealed=sealed,
            written_at=post.edited_at or post.created_at,
        )
    )
    post.body_markdown, post.body_html = body, html
    post.revision += 1
    post.edited_at, post.changed_by = now, by.id


_Mentioned, _Quoted, _QuotedAuthor = aliased(Member), aliased(Post), aliased(Member)
_QUOTES = (
    select(func.json_agg(func.json_build_array(_QuotedAuthor.handle, _Quoted.number, _QuotedAuthor.name)))
    .select_from(_Quoted)
    .join(_QuotedAuthor, col(_QuotedAuthor.id) == col(_Quoted.author_id))
    .where(col(_Quoted.visibility) == Visibility.VISIBLE)
)


_PUBLISHED = (
    select(func.count())
    .select_from(
        select(col(_Quoted.id))
        .where(col(_Quoted.author_id) == col(Member.id), col(_Quoted.visibility) == Visibility.VISIBLE)
        .limit(FIRST_POSTS_MAX)
        .correlate(Member)
        .subquery()
    )
    .correlate(Member)
    .scalar_subquery()
)


def _places(viewer: Viewer, draft: Draft, thread_id: Any, now: datetime) -> Query:
    """The board, the writer, and what the draft names, found together: a reply has few statements to spend."""
    answered: ColumnElement[bool] = true()
    if draft.reply_to is not None:
        answered = exists().where(
            col(_Quoted.thread_id) == thread_id,
            col(_Quoted.number) == draft.reply_to,
            col(_Quoted.visibility) == Visibility.VISIBLE,
        )
    return (
        query(
            Board,
            members.standing_at(now).label("standing"),
            col(Member.name).label("writer_name"),
            members.has_a_role().label("is_staff"),
            case((col(Board.publication) == Publication.HOLD_NEWCOMERS, _PUBLISHED), else_=0).label("published"),
            col(Adviser.title).label("adviser_title"),
            col(Adviser.organisation).label("adviser_organisation"),
            answered.label("sees_reply_to"),
            *_named(draft, thread_id),
        )
        .select_from(Board)
        .join(Member, col(Member.id) == viewer.id)
        .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
    )


def _named(draft: Draft, thread_id: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Which of the members and posts that the draft names there are: two columns for `_known`."""
    mentions, quotes = draft.parsed.references.mentions, draft.parsed.references.quotes
    named_members = select(func.json_object_agg(_Mentioned.handle, _Mentioned.name)).where(
        col(_Mentioned.handle).in_(mentions)
    )
    posts = _QUOTES.where(
        col(_Quoted.thread_id) == thread_id,
        tuple_(col(_QuotedAuthor.handle), col(_Quoted.number)).in_([(quote.handle, quote.number) for quote in quotes]),
    )
    return (
        (named_members.scalar_subquery() if mentions else null()).label("members_known"),
        (posts.scalar_subquery() if quotes else null()).label("quotes_known"),
    )


def _known(row: Record) -> markup.Known:
    quotes = {markup.QuoteRef(handle, number): name for handle, number, name in row.quotes_known or ()}
    return markup.Known(row.members_known or {}, quotes)


async def _only(session: AsyncSession, viewer: Viewer, query: Query, what: str) -> Record:
    row = (await session.execute(query, viewer.sight)).one_or_none()
    if row is None:
        raise NotFound(f"There is no such {what}.")
    return row


def _facts(viewer: Viewer, row: Record) -> dict[str, Any]:
    badge = Badge(row.writer_name, row.adviser_title, row.adviser_organisation) if row.adviser_title else None
    return {
        "board": row.Board,
        "author": Author(viewer.member_id, row.is_staff, row.published),
        "standing": MemberStanding(row.standing),
        "badge": badge,
        "known": _known(row),
        "sees_reply_to": row.sees_reply_to,
    }
