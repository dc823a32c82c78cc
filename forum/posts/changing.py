"""What becomes of a post that is there: its visibility, its words, its thread's counts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, distinct, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum import threads
from forum.core.errors import Conflict, Invalid, Stale
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.posts.drafts import Draft
from forum.posts.places import named_in_thread
from forum.posts.tables import BODY_MAX, NEXT, Post, PostRevision, Visibility, Voice
from forum.threads import Thread


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
    thread = await recount(session, post.thread_id)
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
    known = await named_in_thread(session, post.thread_id, draft)
    say(session, post, body, draft.parsed.html(known), moderator, now, sealed=sealed)
    post.content_warning = content_warning
    await session.flush()


async def seal(
    session: AsyncSession, post: Post, says_it: Callable[[str], bool], *, since: int | None = None
) -> Sequence[int]:
    """Keep the earlier revisions that say something, and all `since` one, from their readers.

    Which ones they are, sealed before or not.
    """
    earlier = select(col(PostRevision.number), col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = await session.execute(earlier.where(col(PostRevision.post_id) == post.id))
    numbers = [
        number
        for number, *texts in rows.all()
        if (since is not None and number >= since) or any(map(says_it, filter(None, texts)))
    ]
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


def say(
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


async def recount(session: AsyncSession, thread_id: int) -> Thread:
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
