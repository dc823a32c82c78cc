"""Drafts: what a member began to write, kept on the server for a week. Nobody else reads them.

There is one for each member and place: the reply in a thread, the new thread on a board, the edit of a post. It goes
with the post that it becomes, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Text, and_, bindparam, case, delete, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.context import context_in_thread, context_of_post, context_on_board
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.content.threads.visibility import THREAD_VISIBLE
from forum.core.database import Moment, Prepared, Query, Reader, check_one_of, columns, query, rows_of
from forum.core.errors import Invalid, Stale
from forum.core.work import Work
from forum.members.queries import lock_own_row
from forum.members.viewer import VIEWER_ID, Viewer
from forum.permissions import Act, allow, refuse_shut_out

KEPT_FOR = timedelta(days=7)
MOST = 50
# More than a post may have: what is too long to be sent is kept as well, until it is shorter.
LONGEST_BODY, LONGEST_LINE = 40_000, 500
LARGEST_VERSION = 10**9  # that somebody can begin with: it has room to grow


class PlaceKind(StrEnum):
    """Where a draft would appear: as a reply in a thread, as a new thread on a board, as an edit of a post."""

    THREAD = "thread"
    BOARD = "board"
    POST = "post"


@dataclass(frozen=True)
class DraftPlace:
    """The place of a draft: the kind, and the id of the thread, the board or the post."""

    kind: PlaceKind
    id: int


def in_thread(thread_id: int) -> DraftPlace:
    """Return the place of a reply."""
    return DraftPlace(PlaceKind.THREAD, thread_id)


def on_board(board_id: int) -> DraftPlace:
    """Return the place of a new thread."""
    return DraftPlace(PlaceKind.BOARD, board_id)


def of_post(post_id: int) -> DraftPlace:
    """Return the place of an edit."""
    return DraftPlace(PlaceKind.POST, post_id)


class SavedDraft(SQLModel, table=True):
    """What one member began to write at one place."""

    __tablename__ = "draft"
    __table_args__ = (
        check_one_of("kind", PlaceKind),
        CheckConstraint(f"char_length(body_markdown) <= {LONGEST_BODY}", name="body"),
        CheckConstraint(
            f"char_length(title) <= {LONGEST_LINE} AND char_length(content_warning) <= {LONGEST_LINE}", name="lines"
        ),
    )

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    kind: str = Field(primary_key=True)
    place_id: int = Field(primary_key=True, sa_type=BigInteger)
    version: int
    title: str | None = None
    body_markdown: str
    content_warning: str | None = None
    reply_to: int | None = None
    asks: bool | None = None
    revision: int | None = Field(default=None, description="Of an edit: the revision of the post that it began with")
    other_words: str | None = Field(default=None, description="Kept at the same time, perhaps on another device")
    refused: dict[str, Any] | None = Field(
        default=None, sa_type=JSONB, description="Why it was not sent, for the page that shows it"
    )
    saved_at: datetime = Field(sa_type=Moment, index=True)

    @property
    def words(self) -> "DraftWords":
        """Return the words, without what was made of them."""
        words = (self.body_markdown, self.title, self.content_warning, self.reply_to, self.revision)
        return DraftWords(*words, self.asks)


@dataclass(frozen=True)
class DraftWords:
    """What somebody typed: none of it needs to be acceptable yet."""

    body_markdown: str
    title: str | None = None
    content_warning: str | None = None
    reply_to: int | None = None
    revision: int | None = None
    asks: bool | None = None

    @property
    def as_text(self) -> str:
        """The title and the body as one text."""
        return f"{self.title}\n\n{self.body_markdown}" if self.title else self.body_markdown


@dataclass(frozen=True)
class Saving:
    """What is kept: the words, and the version of the draft that was on the screen; 0 for none.

    With `keeps_both`, words that another device kept meanwhile stay beside these; without, that is refused.
    """

    words: DraftWords
    version: int
    keeps_both: bool = False
    refused: Mapping[str, Any] | None = None


# Queries

_SINCE = bindparam("since", type_=Moment())
_MINE = (col(SavedDraft.member_id) == VIEWER_ID, col(SavedDraft.saved_at) > _SINCE)
_ONE = Prepared(
    query(*columns(SavedDraft)).where(
        *_MINE,
        col(SavedDraft.kind) == bindparam("kind", type_=Text()),
        col(SavedDraft.place_id) == bindparam("place_id", type_=BigInteger()),
    )
)
# A place that its writer can no longer see has no title.
_LISTED = (
    query(
        *columns(SavedDraft),
        col(Thread.id).label("thread_id"),
        col(Post.number).label("post_number"),
        col(Board.slug).label("board"),
        case(
            (col(SavedDraft.kind) == PlaceKind.BOARD, case((boards.READABLE, col(Board.name)))),
            else_=case((THREAD_VISIBLE, col(Thread.title))),
        ).label("place_title"),
    )
    .outerjoin(Post, and_(col(SavedDraft.kind) == PlaceKind.POST, col(Post.id) == col(SavedDraft.place_id)))
    .outerjoin(
        Thread,
        or_(
            and_(col(SavedDraft.kind) == PlaceKind.THREAD, col(Thread.id) == col(SavedDraft.place_id)),
            col(Thread.id) == col(Post.thread_id),
        ),
    )
    .outerjoin(
        Board,
        or_(
            and_(col(SavedDraft.kind) == PlaceKind.BOARD, col(Board.id) == col(SavedDraft.place_id)),
            col(Board.id) == col(Thread.board_id),
        ),
    )
    .where(*_MINE)
    .order_by(col(SavedDraft.saved_at).desc(), col(SavedDraft.kind), col(SavedDraft.place_id))
)
_MINE_LISTED = Prepared(_LISTED)


async def list_drafts(reader: Reader, viewer: Viewer, now: datetime) -> Sequence[Any]:
    """Return the viewer's drafts, the newest first, each with its place and that place's title if they see it."""
    return await reader.rows(_MINE_LISTED, **viewer.query_parameters, since=now - KEPT_FOR)


def select_drafts(viewer: Viewer, now: datetime) -> tuple[Query, dict[str, Any]]:
    """Return the query of the viewer's drafts with its values: for their copy."""
    return _LISTED, {**viewer.query_parameters, "since": now - KEPT_FOR}


async def find_draft(reader: Reader, viewer: Viewer, place: DraftPlace, now: datetime) -> Any:
    """Return the viewer's draft at a place, or None."""
    if viewer.id is None:
        return None
    since = now - KEPT_FOR
    return await reader.row(_ONE, viewer_id=viewer.id, since=since, kind=str(place.kind), place_id=place.id)


async def get_draft_in_transaction(session: AsyncSession, viewer: Viewer, place: DraftPlace, now: datetime) -> Any:
    """Return the viewer's draft at a place as it is in this transaction, or None."""
    values = {"viewer_id": viewer.id, "since": now - KEPT_FOR, "kind": str(place.kind), "place_id": place.id}
    return (await session.execute(_ONE.query, values)).one_or_none()


# Actions


async def save_reply(work: Work, author: Viewer, thread_id: int, saving: Saving) -> SavedDraft:
    """Keep a reply for later. Raises NotFound, Forbidden, and Stale and Invalid as `_save` does."""
    refuse_shut_out(author)
    await context_in_thread(work, author, thread_id, NO_WORDS)
    return await _save(work, author, in_thread(thread_id), saving)


async def save_thread(work: Work, author: Viewer, slug: str, saving: Saving) -> SavedDraft:
    """Keep a new thread for later. Raises NotFound, Forbidden, and Stale and Invalid as `_save` does."""
    refuse_shut_out(author)
    context = await context_on_board(work, author, slug, NO_WORDS)
    return await _save(work, author, on_board(context.board.id), saving)


async def save_edit(work: Work, author: Viewer, post_id: int, saving: Saving) -> SavedDraft:
    """Keep an edit of one's own post for later. Raises NotFound, Forbidden, and Stale and Invalid as `_save` does."""
    refuse_shut_out(author)
    allow(Act.KEEP_EDIT, author, await context_of_post(work, author, post_id, NO_WORDS))
    return await _save(work, author, of_post(post_id), saving)


async def delete_reply(work: Work, author: Viewer, thread_id: int) -> None:
    """Delete the draft of a reply. Idempotent."""
    await discard(work, author, in_thread(thread_id))


async def delete_thread(work: Work, author: Viewer, slug: str) -> None:
    """Delete the draft of a new thread. Idempotent."""
    board = await boards.find_board(work.session, slug)
    if board:
        await discard(work, author, on_board(board.id))


async def delete_edit(work: Work, author: Viewer, post_id: int) -> None:
    """Delete the draft of an edit. Idempotent."""
    await discard(work, author, of_post(post_id))


# Built once: a reply deletes its draft in the statement that inserts it.
_drafts = rows_of(SavedDraft).c
DISCARD = delete(rows_of(SavedDraft)).where(
    _drafts.member_id == bindparam("draft_of", type_=_drafts.member_id.type),
    _drafts.kind == bindparam("draft_kind", type_=_drafts.kind.type),
    _drafts.place_id == bindparam("draft_place", type_=_drafts.place_id.type),
)


def discarded(author: Viewer, place: DraftPlace) -> dict[str, Any]:
    """Return the values with which `DISCARD` deletes the draft at a place."""
    return {"draft_of": author.member_id, "draft_kind": place.kind, "draft_place": place.id}


async def discard(work: Work, author: Viewer, place: DraftPlace) -> None:
    """Delete the draft at a place, if there is one: it became a post, or is not wanted."""
    await work.session.execute(DISCARD, discarded(author, place))


async def _save(work: Work, author: Viewer, place: DraftPlace, saving: Saving) -> SavedDraft:
    """Keep words at a place.

    Idempotent: where the draft has these words already, nothing changes, whatever the version. Raises Stale, with the
    words that another device kept, when the draft is no longer at this version; Invalid for one draft too many.
    """
    _refuse_too_long(saving.words)
    await lock_own_row(work.session, author)  # of two savings at once, one is the second
    found = select(SavedDraft).where(*_at(author.member_id, place))
    draft = (await work.session.execute(found)).scalar_one_or_none()
    if draft is None:
        await _refuse_too_many(work, author)
        draft = SavedDraft(
            member_id=author.member_id,
            kind=place.kind,
            place_id=place.id,
            version=min(saving.version, LARGEST_VERSION),
            body_markdown="",
            saved_at=work.now,
        )
        work.session.add(draft)
    elif draft.saved_at <= work.now - KEPT_FOR:  # nobody deleted it yet
        draft.other_words = None
    elif draft.words != saving.words and draft.version != saving.version:
        _keep_other_words(draft, saving)
    if draft.words != saving.words or draft.version == 0:
        draft.version += 1
    draft.body_markdown, draft.title = saving.words.body_markdown, saving.words.title
    draft.content_warning, draft.reply_to = saving.words.content_warning, saving.words.reply_to
    draft.revision, draft.asks = saving.words.revision, saving.words.asks
    draft.refused = dict(saving.refused) if saving.refused else None
    draft.saved_at = work.now
    await work.session.flush()
    return draft


def _keep_other_words(draft: SavedDraft, saving: Saving) -> None:
    """Keep the words of a draft beside those that replace them. Raises Stale where only one of them is wanted."""
    if not saving.keeps_both:
        words = {name: getattr(draft, name) for name in ("title", "body_markdown", "content_warning", "reply_to")}
        raise Stale(
            "You kept other words here meanwhile, perhaps on another device. They are in `draft`.",
            code="draft_changed",
            current=draft.version,
            changed_by=None,
            changed_at=draft.saved_at,
            draft=words,
        )
    if draft.words.as_text.strip() not in ("", saving.words.as_text.strip()):
        draft.other_words = draft.words.as_text


def _refuse_too_long(words: DraftWords) -> None:
    for name, longest in (("body_markdown", LONGEST_BODY), ("title", LONGEST_LINE), ("content_warning", LONGEST_LINE)):
        if len(getattr(words, name) or "") > longest:
            raise Invalid(f"A draft has at most {longest} characters here.", f"#/{name}", code="too_long")


async def _refuse_too_many(work: Work, author: Viewer) -> None:
    mine = (col(SavedDraft.member_id) == author.member_id, col(SavedDraft.saved_at) > work.now - KEPT_FOR)
    kept = (await work.session.execute(select(func.count()).select_from(SavedDraft).where(*mine))).scalar_one()
    if kept >= MOST:
        detail = f"You have {MOST} drafts. Please send or delete one first."
        raise Invalid(detail, "#", code="too_many_drafts")


def _at(member_id: UUID, place: DraftPlace) -> tuple[Any, ...]:
    return (
        col(SavedDraft.member_id) == member_id,
        col(SavedDraft.kind) == place.kind,
        col(SavedDraft.place_id) == place.id,
    )


# Later


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the drafts that nobody touched for a week."""
    await session.execute(delete(SavedDraft).where(col(SavedDraft.saved_at) <= now - KEPT_FOR))
