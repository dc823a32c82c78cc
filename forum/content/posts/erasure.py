"""What is taken out of posts for good when their author leaves: the handle, or every word.

Marks stand in the place of what goes, one for each character. Measures and findings keep positions in these texts, and
go on counting right; revisions are rewritten too, so that nothing brings the words back.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.markup import GONE, without_handle
from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.tables import Post, PostRevision, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_posts_of_thread
from forum.members.tables import FORMER

Change = Callable[[str], str]


async def replace_handle_in_posts(session: AsyncSession, handle: str) -> None:
    """Take a handle out of everybody's posts, where it is mentioned or begins a quote, and as their author's badge."""
    for thread_id, post_ids in (await _naming(session, handle)).items():
        await lock_posts_of_thread(session, thread_id, alone=True)
        for post in await _held(session, col(Post.id).in_(post_ids)):
            await _rewrite(session, post, lambda text: without_handle(text, handle))


async def remove_badges(session: AsyncSession, author_id: UUID) -> None:
    """Let an adviser's posts stand out without their name."""
    badged = (col(Post.author_id) == author_id, col(Post.adviser_name).is_not(None))
    await session.execute(update(Post).where(*badged).values(adviser_name=FORMER))


async def threads_with_words(session: AsyncSession, author_id: UUID, kept: Collection[int]) -> Sequence[int]:
    """The threads in which an author's posts can be read, or their words are left but for the posts `kept`."""
    theirs = select(col(Post.thread_id)).where(col(Post.author_id) == author_id)
    to_go = theirs.where(col(Post.id).not_in(kept))
    earlier = to_go.join(PostRevision, col(PostRevision.post_id) == col(Post.id)).where(_is_left(PostRevision))
    read = theirs.where(col(Post.visibility) != Visibility.WITHDRAWN)
    found = union(read, to_go.where(_is_left(Post)), earlier).subquery()
    return (await session.execute(select(found).order_by(found.c.thread_id))).scalars().all()


async def erase_posts(
    session: AsyncSession,
    author_id: UUID,
    thread_id: int,
    kept: Collection[int],
    unquoting: Callable[[Collection[str]], Change],
) -> None:
    """Withdraw an author's posts in a thread and take their words out of them, and out of others' quotes of them.

    The posts `kept` are withdrawn too, but keep their words for now. `unquoting` makes what takes quotes of some texts
    out of another.
    """
    await lock_posts_of_thread(session, thread_id, alone=True)
    theirs = await _held(session, col(Post.thread_id) == thread_id, col(Post.author_id) == author_id)
    said = {text for post in theirs for text in await _texts(session, post) if text.strip(GONE)}
    unquoted = unquoting(said)
    quoting = or_(col(Post.body_markdown).contains(">"), col(Post.revision) > 1)
    for post in await _held(session, col(Post.thread_id) == thread_id, col(Post.author_id) != author_id, quoting):
        await _rewrite(session, post, unquoted)
    for post in theirs:
        await set_visibility(session, post, Visibility.WITHDRAWN)
        if post.id not in kept:
            await _rewrite(session, post, lambda text: GONE * len(text))


def _is_left(table: Any) -> ColumnElement[bool]:
    return col(table.body_markdown) != func.repeat(GONE, func.char_length(col(table.body_markdown)))


async def _naming(session: AsyncSession, handle: str) -> dict[int, list[int]]:
    """The posts that name a handle, or once did, by thread: in the order in which they may be held."""
    found = union(
        select(col(Post.thread_id), col(Post.id)).where(_names(Post, handle)),
        select(col(Post.thread_id), col(Post.id))
        .join(PostRevision, col(PostRevision.post_id) == col(Post.id))
        .where(_names(PostRevision, handle)),
    ).subquery()
    by_thread: dict[int, list[int]] = {}
    for row in (await session.execute(select(found).order_by(found.c.thread_id))).all():
        by_thread.setdefault(row.thread_id, []).append(row.id)
    return by_thread


def _names(table: Any, handle: str) -> ColumnElement[bool]:
    """The condition that a text names a handle: as it was typed, or as its HTML says whom it means."""
    texts = (table.body_markdown, table.content_warning)
    marked = [col(table.body_html).contains(f'data-{what}="{handle}"') for what in ("handle", "author")]
    return or_(*(col(text).icontains(f"@{handle}", autoescape=True) for text in texts), *marked)


async def _held(session: AsyncSession, *which: ColumnElement[bool]) -> Sequence[Post]:
    found = select(Post).where(*which).order_by(col(Post.id)).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalars().all()


async def _texts(session: AsyncSession, post: Post) -> list[str]:
    """All that a post says and ever said."""
    earlier = select(col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = (await session.execute(earlier.where(col(PostRevision.post_id) == post.id))).all()
    texts = [post.body_markdown, post.content_warning, *(text for row in rows for text in row)]
    return [text for text in texts if text]


async def _rewrite(session: AsyncSession, post: Post, change: Change) -> None:
    """Let a post, and what it said before, say something else, as if it had never said what goes."""
    earlier = select(PostRevision).where(col(PostRevision.post_id) == post.id)
    revisions: list[Any] = [post, *(await session.execute(earlier)).scalars().all()]
    for told in revisions:
        body = change(told.body_markdown)
        if body != told.body_markdown:
            draft = Draft(body)
            await draft.parse()
            told.body_markdown = body
            told.body_html = draft.parsed.html(await named_in_thread(session, post.thread_id, draft))
        if told.content_warning:
            told.content_warning = change(told.content_warning)
    await session.flush()
