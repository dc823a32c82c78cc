"""Edits that wait for a moderator while the approved words stay: of the body of a post, or of its thread's title."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content import markup
from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.quotes import IN_HELD_EDITS, forget_quotes, record_held_edit, record_quotes
from forum.content.posts.revisions import replace_body
from forum.content.posts.tables import HeldEdit, HeldState, Post
from forum.content.threads.changes import lock_thread_row
from forum.content.threads.titles import replace_title
from forum.core.gate import GateResult
from forum.core.work import Work

# Why words wait of which the rest is shown.
COVERED_BECAUSE = (
    "Others read your words, but for what may show who a child or somebody harmed is. A moderator reads that first."
)


class Published(NamedTuple):
    """What an edit changed: the revision, of the post or of the title, that it replaced, and the one that it made."""

    edit: HeldEdit
    before: int
    after: int


async def list_waiting(session: AsyncSession, post_ids: Collection[int]) -> Sequence[HeldEdit]:
    """Return the edits of these posts that wait, a title's first."""
    return await _find(session, col(HeldEdit.post_id).in_(post_ids), col(HeldEdit.state) == HeldState.WAITING)


async def list_all(session: AsyncSession, post_ids: Select[int] | Collection[int]) -> Sequence[HeldEdit]:
    """Return every edit of these posts that was held and not published, titles first."""
    return await _find(session, col(HeldEdit.post_id).in_(post_ids))


async def hold(session: AsyncSession, edit: HeldEdit) -> bool:
    """Let an edit wait in place of an earlier one of the same words, which is kept. The caller has locked the post.

    Return whether it is new: one that waits already is left as it is.
    """
    is_title = edit.title is not None
    for earlier in await list_waiting(session, [edit.post_id]):
        if (earlier.title, earlier.body_markdown, earlier.content_warning) == (
            edit.title,
            edit.body_markdown,
            edit.content_warning,
        ):
            return False
    await drop(session, edit.post_id, is_title=is_title)
    session.add(edit)
    await session.flush()
    await record_held_edit(session, edit)
    return True


async def is_covered_already(session: AsyncSession, post_id: int, words: tuple[str | None, str | None]) -> bool:
    """Return whether these words, a title or a body with its warning, wait whole while others read the rest of them."""
    waiting = await list_waiting(session, [post_id])
    covered = [edit for edit in waiting if edit.held_because == COVERED_BECAUSE]
    return any(words in {(edit.title, None), (edit.body_markdown, edit.content_warning)} for edit in covered)


async def hold_covered(work: Work, edit: HeldEdit) -> None:
    """Let the whole words of a text wait in which some are covered."""
    if await hold(work.session, edit):
        await work.gate.record(work.session, ("held_edit", edit.id), GateResult(edit.held_because), work.now)


async def drop(session: AsyncSession, post_id: int, *, is_title: bool) -> None:
    """Let an edit of the body, or of the title, wait no longer: its author wants other words. Idempotent."""
    part = col(HeldEdit.title).is_not(None) if is_title else col(HeldEdit.title).is_(None)
    await _end(session, HeldState.DROPPED, col(HeldEdit.post_id) == post_id, part)


async def drop_all(session: AsyncSession, post_id: int) -> None:
    """Let no edit of a post wait any longer: the post went. Idempotent."""
    await _end(session, HeldState.DROPPED, col(HeldEdit.post_id) == post_id)


async def refuse(session: AsyncSession, post_id: int) -> Sequence[HeldEdit]:
    """Refuse the edits of a post that wait, and return them."""
    edits = await list_waiting(session, [post_id])
    for edit in edits:
        edit.state = HeldState.REFUSED
    await session.flush()
    return edits


async def publish(session: AsyncSession, post: Post, edit: HeldEdit, now: datetime) -> Published:
    """Give a post, whose row the caller has locked, or its thread the words of an edit, whose row then goes."""
    if edit.title is not None:
        thread = await lock_thread_row(session, edit.thread_id)
        before = thread.title_revision
        await replace_title(session, thread, edit.title, edit.written_by, now)
        after = thread.title_revision
    else:
        before = post.revision
        draft = Draft(edit.body_markdown or "")
        # Rendered again: what it quotes may have changed or gone meanwhile.
        known = await named_in_thread(session, post.thread_id, draft, post_id=post.id)
        replace_body(session, post, (draft.body_markdown, await draft.html(known)), edit.written_by, now)
        post.content_warning = edit.content_warning
        await record_quotes(session, post.id, post.revision, draft, known)
        after = post.revision
    await session.delete(edit)
    await session.flush()
    return Published(edit, before, after)


async def rewrite_titles(session: AsyncSession, post_id: int, change: Callable[[str], Awaitable[str]]) -> None:
    """Change the titles of all edits of a thread's title that were held; its first post's row is locked."""
    for edit in await list_all(session, [post_id]):
        edit.title = edit.title and await change(edit.title)
    await session.flush()


async def rewrite_bodies(session: AsyncSession, post: Post, change: Callable[[str], Awaitable[str]]) -> None:
    """Change the words of all edits of a post that were held, whose row the caller has locked, and render them again.

    Findings refer to positions in them, which `change` must keep.
    """
    rendered = list[tuple[Draft, markup.Known]]()
    for edit in await list_all(session, [post.id]):
        edit.content_warning = edit.content_warning and await change(edit.content_warning)
        if edit.body_markdown:
            draft = Draft(await change(edit.body_markdown))
            known = await named_in_thread(session, post.thread_id, draft, post_id=post.id)
            edit.body_markdown, edit.body_html = draft.body_markdown, await draft.html(known)
            rendered.append((draft, known))
    await session.flush()
    # Only now: what was recorded says of which revisions the quotes are.
    await forget_quotes(session, post.id, IN_HELD_EDITS)
    for draft, known in rendered:
        await record_quotes(session, post.id, IN_HELD_EDITS, draft, known)


def held_title(opening: Post, title: str, by: UUID, because: str, now: datetime) -> HeldEdit:
    """Return an edit of the title of a thread, which has this opening post."""
    return HeldEdit(
        post_id=opening.id,
        thread_id=opening.thread_id,
        title=title,
        held_because=because,
        written_at=now,
        written_by=by,
    )


def held_body(post: Post, words: tuple[str, str, str | None], because: str, now: datetime) -> HeldEdit:
    """Return an edit of a post by its author: its Markdown, its HTML and its content warning."""
    body, html, warning = words
    return HeldEdit(
        post_id=post.id,
        thread_id=post.thread_id,
        body_markdown=body,
        body_html=html,
        content_warning=warning,
        held_because=because,
        written_at=now,
        written_by=post.author_id,
    )


def held_words(post: tuple[int, int], draft: Draft, html: str, by: UUID, now: datetime) -> HeldEdit:
    """Return the whole words of a post, of this id in this thread, of which some are covered."""
    post_id, thread_id = post
    return HeldEdit(
        post_id=post_id,
        thread_id=thread_id,
        body_markdown=draft.body_markdown,
        body_html=html,
        content_warning=draft.content_warning,
        held_because=COVERED_BECAUSE,
        written_at=now,
        written_by=by,
    )


async def _find(session: AsyncSession, *which: ColumnElement[bool]) -> Sequence[HeldEdit]:
    found = select(HeldEdit).where(*which).order_by(col(HeldEdit.title).is_(None), col(HeldEdit.id))
    return (await session.execute(found, execution_options={"populate_existing": True})).scalars().all()


async def _end(session: AsyncSession, state: HeldState, *which: ColumnElement[bool]) -> None:
    waiting = col(HeldEdit.state) == HeldState.WAITING
    await session.execute(update(HeldEdit).where(*which, waiting).values(state=state))
