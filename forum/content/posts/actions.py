"""What authors do: open a thread, reply, edit, withdraw. Every word passes the gate."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, bindparam, case, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from forum.content.posts.context import EditContext, PostingContext, ReplyContext
from forum.content.posts.draft import Draft
from forum.content.posts.queries import PostView
from forum.content.posts.revisions import lock_post_row, refuse_stale_post, replace_body
from forum.content.posts.tables import SHOWN, Post, Visibility, Voice
from forum.content.posts.visibility import set_visibility
from forum.content.threads.actions import lock_posts_of_thread, lock_thread_row
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.content.threads.visibility import takes_replies
from forum.core.database import rows_of
from forum.core.errors import Conflict, Invalid
from forum.core.gate import Gate, GateResult, Submission
from forum.members.tables import Role
from forum.members.viewer import Viewer


async def open_thread(
    session: AsyncSession,
    viewer: Viewer,
    place: PostingContext,
    title: str,
    draft: Draft,
    gate: Gate,
    now: datetime,
    *,
    links_allowed: int | None = None,
) -> PostView:
    """Open a thread on `place.board` with its first post; the gate judges and holds the two as one.

    Raises Invalid for a reply to something, or when a newcomer's post has more than `links_allowed` links.
    """
    html = _rendered(draft, place, links_allowed)
    verdict = await gate.judge(session, Submission(place.author, (title, *draft.texts), place.board.publication))
    thread = Thread(
        board_id=place.board.id,
        author_id=viewer.member_id,
        title=title,
        visibility=ThreadVisibility.HELD if verdict.held_because else ThreadVisibility.VISIBLE,
        opened_at=now,
        changed_at=now,
        last_post_at=now,
    )
    session.add(thread)
    await session.flush()
    post = await _append(session, viewer, place, thread, draft, html, verdict, now)
    await gate.record(session, ("post", post.id), verdict, now)
    return post


async def add_reply(
    session: AsyncSession,
    viewer: Viewer,
    place: ReplyContext,
    draft: Draft,
    gate: Gate,
    now: datetime,
    *,
    links_allowed: int | None = None,
) -> PostView:
    """Reply in `place.thread`.

    Raises Invalid when `reply_to` names no visible post, or when a newcomer's post has more than
    `links_allowed` links, and Conflict when the thread was closed or moved a moment ago.
    """
    html = _rendered(draft, place, links_allowed)
    verdict = await gate.judge(session, Submission(place.author, draft.texts, place.board.publication))
    # From here until the commit, every other reply to this thread waits for us.
    thread = await lock_thread_row(session, place.thread.id)
    if not takes_replies(thread, viewer) or thread.board_id != place.board.id:
        raise Conflict("This thread was closed or moved a moment ago. Read it again.")
    post = await _append(session, viewer, place, thread, draft, html, verdict, now)
    await gate.record(session, ("post", post.id), verdict, now)
    return post


async def edit_post(
    session: AsyncSession,
    viewer: Viewer,
    place: EditContext,
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
    await lock_posts_of_thread(session, place.thread.id)
    post = await lock_post_row(session, place.post.id)
    await refuse_stale_post(session, post, revision)
    if post.visibility not in SHOWN:
        raise Conflict("This post was removed or withdrawn and cannot be edited.")
    replace_body(session, post, draft.body_markdown, html, viewer, now)
    post.content_warning = draft.content_warning
    if verdict.held_because:
        await set_visibility(session, post, Visibility.HELD, held_because=verdict.held_because)
    await session.flush()
    await gate.record(session, ("post", post.id), verdict, now)


async def withdraw_post(session: AsyncSession, viewer: Viewer, place: EditContext, now: datetime) -> None:
    """Take one's own words back, for good; done twice, it is as done once. Conflict for a removed post."""
    await lock_posts_of_thread(session, place.thread.id)
    post = await lock_post_row(session, place.post.id)
    if post.visibility == Visibility.REMOVED:
        raise Conflict("A removed post cannot be withdrawn.")
    if post.visibility != Visibility.WITHDRAWN:
        post.changed_by, post.edited_at = viewer.id, now
        await set_visibility(session, post, Visibility.WITHDRAWN)


def _rendered(draft: Draft, place: PostingContext, links_allowed: int | None) -> str:
    if not place.sees_reply_to:
        raise Invalid(f"There is no post {draft.reply_to} in this thread to reply to.", "#/reply_to")
    html = draft.parsed.html(place.known)
    if links_allowed is not None and html.count("<a ") > links_allowed:
        raise Invalid(
            f"In your first days here, a post can carry at most {links_allowed} links. Please take some out.",
            "#/body_markdown",
        )
    return html


# One statement: the thread's row is held, and others wait. Built once, for to build it takes longer than to send it.
_SAID = (
    "thread_id",
    "number",
    "author_id",
    "voice",
    "visibility",
    "held_because",
    "adviser_name",
    "adviser_title",
    "adviser_organisation",
    "reply_to",
    "content_warning",
    "body_markdown",
    "body_html",
    "revision",
    "created_at",
)
_COUNTS = (
    "last_number",
    "posts",
    "participants",
    "last_post_number",
    "last_post_at",
    "last_post_by",
    "adviser_replies",
    "first_adviser_number",
    "latest_adviser_number",
    "waiting_since",
)
_posts, _threads = rows_of(Post).c, rows_of(Thread).c
_THREAD_ID = bindparam("new_thread_id", type_=BigInteger())
_WRITTEN = (
    insert(rows_of(Post))
    .values({name: bindparam(f"new_{name}", type_=_posts[name].type) for name in _SAID})
    .returning(_posts.id)
    .cte("written")
)
_SPOKE_BEFORE = exists().where(
    _posts.thread_id == _THREAD_ID,
    _posts.author_id == bindparam("new_author_id", type_=_posts.author_id.type),
    _posts.visibility == Visibility.VISIBLE,
)
_APPENDED = (
    update(rows_of(Thread))
    .where(_threads.id == _THREAD_ID)
    .values({name: bindparam(f"thread_{name}", type_=_threads[name].type) for name in _COUNTS})
    .values(
        participants=_threads.participants + case((bindparam("is_seen", type_=Boolean()) & ~_SPOKE_BEFORE, 1), else_=0)
    )
    .add_cte(_WRITTEN)
    .returning(select(_WRITTEN.c.id).scalar_subquery())
)


async def _append(
    session: AsyncSession,
    viewer: Viewer,
    place: PostingContext,
    thread: Thread,
    draft: Draft,
    html: str,
    verdict: GateResult,
    now: datetime,
) -> PostView:
    """Insert the post and count it."""
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
    is_seen = visibility == Visibility.VISIBLE
    counts = {name: getattr(thread, name) for name in _COUNTS} | {"last_number": number}
    if is_seen:
        counts |= _counted(thread, viewer, voice, number, now)
    written = said | {"author_id": viewer.member_id, "voice": voice}
    values = {f"new_{name}": written[name] for name in _SAID} | {f"thread_{name}": counts[name] for name in _COUNTS}
    result = await session.execute(_APPENDED, values | {"is_seen": is_seen})
    return PostView(
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
    """What one more visible post changes in its thread's counts; `changing.recount` says the same of all posts."""
    counts: dict[str, Any] = {
        "posts": thread.posts + 1,
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


def _voice(viewer: Viewer, place: PostingContext) -> Voice:
    if Role.ADVISER in viewer.roles and place.badge:
        return Voice.ADVISER
    return Voice.STAFF if viewer.is_staff else Voice.MEMBER
