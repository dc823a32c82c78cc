"""Erase a former member's handle from all posts, or the words of their own posts.

Each erased character is replaced with a mark: measures and findings refer to positions in these texts, which so stay
right. Revisions are rewritten too, so that nothing brings the words back.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.markup import GONE, without_handle
from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.held_edits import drop_all
from forum.content.posts.tables import HeldEdit, Post, PostRevision, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_posts_of_thread
from forum.members.tables import FORMER

Change = Callable[[str], str]


async def replace_handle_in_posts(session: AsyncSession, handle: str) -> None:
    """Erase a handle from all posts: where it is mentioned, and where a quote names it."""
    for thread_id, post_ids in (await _find_posts_naming(session, handle)).items():
        await lock_posts_of_thread(session, thread_id, alone=True)
        for post in await _lock_posts(session, col(Post.id).in_(post_ids)):
            await _rewrite(session, post, lambda text: without_handle(text, handle))


async def remove_badges(session: AsyncSession, author_id: UUID) -> None:
    """Replace the name on the adviser's badges of an author's posts: the badges stay."""
    badged = (col(Post.author_id) == author_id, col(Post.adviser_name).is_not(None))
    await session.execute(update(Post).where(*badged).values(adviser_name=FORMER))


async def threads_with_words(session: AsyncSession, author_id: UUID, kept: Collection[int]) -> Sequence[int]:
    """Return the threads that still need `erase_posts`: with a post that is not withdrawn, or with words left.

    Words of edits that were held count too.

    Words in the posts `kept` do not count.
    """
    threads = select(col(Post.thread_id)).where(col(Post.author_id) == author_id)
    to_erase = threads.where(col(Post.id).not_in(kept))
    in_revisions = to_erase.join(PostRevision, col(PostRevision.post_id) == col(Post.id)).where(
        _has_words(PostRevision)
    )
    held = (
        select(col(HeldEdit.thread_id))
        .join(Post, col(Post.id) == col(HeldEdit.post_id))
        .where(col(Post.author_id) == author_id, col(Post.id).not_in(kept))
    )
    readable = threads.where(col(Post.visibility) != Visibility.WITHDRAWN)
    found = union(readable, to_erase.where(_has_words(Post)), in_revisions, held).subquery()
    return (await session.execute(select(found).order_by(found.c.thread_id))).scalars().all()


async def erase_posts(
    session: AsyncSession,
    author_id: UUID,
    thread_id: int,
    kept: Collection[int],
    unquoting: Callable[[Collection[str]], Change],
) -> None:
    """Withdraw an author's posts in a thread, and erase their words there and in other members' quotes of them.

    The posts `kept` are withdrawn too, but keep their words for now: something that is not decided yet needs them.
    `unquoting` returns the function that erases quotes of the given texts from another text.
    """
    await lock_posts_of_thread(session, thread_id, alone=True)
    own_posts = await _lock_posts(session, col(Post.thread_id) == thread_id, col(Post.author_id) == author_id)
    texts = {text for post in own_posts for text in await _all_texts(session, post) if text.strip(GONE)}
    without_quotes = unquoting(texts)
    quoting = or_(col(Post.body_markdown).contains(">"), col(Post.revision) > 1)
    for post in await _lock_posts(session, col(Post.thread_id) == thread_id, col(Post.author_id) != author_id, quoting):
        await _rewrite(session, post, without_quotes)
    for post in own_posts:
        await set_visibility(session, post, Visibility.WITHDRAWN)
        await drop_all(session, post.id)
        if post.id not in kept:
            # They are nobody's revision, so that no position in a measure refers to them.
            await session.execute(delete(HeldEdit).where(col(HeldEdit.post_id) == post.id))
            await _rewrite(session, post, lambda text: GONE * len(text))


async def is_kept_opening(session: AsyncSession, thread_id: int, kept: Collection[int]) -> bool:
    """Return whether the first post of a thread is among those whose words are kept for now: its title is too."""
    opening = select(col(Post.id)).where(col(Post.thread_id) == thread_id, col(Post.number) == 1)
    return (await session.execute(opening)).scalar_one() in kept


def _has_words(table: Any) -> ColumnElement[bool]:
    return col(table.body_markdown) != func.repeat(GONE, func.char_length(col(table.body_markdown)))


async def _find_posts_naming(session: AsyncSession, handle: str) -> dict[int, list[int]]:
    """Return the posts that name a handle, or did in a revision, by thread in the order in which to lock those."""
    found = union(
        select(col(Post.thread_id), col(Post.id)).where(_names(Post, handle)),
        select(col(Post.thread_id), col(Post.id))
        .join(PostRevision, col(PostRevision.post_id) == col(Post.id))
        .where(_names(PostRevision, handle)),
        select(col(HeldEdit.thread_id), col(HeldEdit.post_id)).where(
            or_(_names(HeldEdit, handle), col(HeldEdit.title).icontains(f"@{handle}", autoescape=True))
        ),
    ).subquery()
    by_thread: dict[int, list[int]] = {}
    for row in (await session.execute(select(found).order_by(found.c.thread_id))).all():
        by_thread.setdefault(row.thread_id, []).append(row.id)
    return by_thread


def _names(table: Any, handle: str) -> ColumnElement[bool]:
    """Return the condition that a post names a handle: in its text, or in its HTML where it was typed differently."""
    texts = (table.body_markdown, table.content_warning)
    marked = [col(table.body_html).contains(f'data-{what}="{handle}"') for what in ("handle", "author")]
    return or_(*(col(text).icontains(f"@{handle}", autoescape=True) for text in texts), *marked)


async def _lock_posts(session: AsyncSession, *which: ColumnElement[bool]) -> Sequence[Post]:
    found = select(Post).where(*which).order_by(col(Post.id)).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalars().all()


async def _all_texts(session: AsyncSession, post: Post) -> list[str]:
    """Return the texts of a post and of its revisions."""
    earlier = select(col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = (await session.execute(earlier.where(col(PostRevision.post_id) == post.id))).all()
    texts = [post.body_markdown, post.content_warning, *(text for row in rows for text in row)]
    return [text for text in texts if text]


async def _rewrite(session: AsyncSession, post: Post, change: Change) -> None:
    """Change the texts of a post and of its revisions, without a new revision: that would keep the erased words."""
    earlier = select(PostRevision).where(col(PostRevision.post_id) == post.id)
    held = select(HeldEdit).where(col(HeldEdit.post_id) == post.id)
    edits = (await session.execute(held)).scalars().all()
    for edit in edits:
        edit.title = edit.title and change(edit.title)
    revisions: list[Any] = [post, *(await session.execute(earlier)).scalars().all()]
    for revision in revisions + [edit for edit in edits if edit.body_markdown]:
        body = change(revision.body_markdown)
        if body != revision.body_markdown:
            draft = Draft(body)
            await draft.parse()
            revision.body_markdown = body
            revision.body_html = draft.parsed.html(await named_in_thread(session, post.thread_id, draft))
        if revision.content_warning:
            revision.content_warning = change(revision.content_warning)
    await session.flush()
