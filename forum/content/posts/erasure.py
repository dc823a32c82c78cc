"""Erase a former member's handle from all posts, or the words of their own posts.

Each erased character is replaced with a mark: measures and findings refer to positions in these texts, which so stay
right. Revisions are rewritten too, so that nothing brings the words back.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, union, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.content.markup import GONE, blanked, quote_spans, without_handle
from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.held_edits import drop_all, rewrite_bodies, rewrite_titles
from forum.content.posts.lengths import BODY_MAX, WARNING_MAX
from forum.content.posts.quotes import forget_quotes, list_copies, list_texts, lock_posts_and_copies, record_quotes
from forum.content.posts.revisions import refresh_html
from forum.content.posts.tables import HeldEdit, Post, PostQuote, PostRevision, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_posts_of_thread
from forum.content.words import own_lines, repeated, runs_of
from forum.core import side_process
from forum.members.aliases import is_persona_of
from forum.members.tables import FORMER

Change = Callable[[str], Awaitable[str]]
Fixed = Callable[[AsyncSession, int], Awaitable[bool]]


async def replace_handle_in_posts(
    session: AsyncSession, handle: str, new: str | None = None, *, fixed: Fixed | None = None
) -> None:
    """Replace a handle in all posts, by marks or by a new one: where it is mentioned, and where a quote names it.

    A post for which `fixed` is true gets marks, as many as the handle had characters: positions in it are recorded.
    """
    for thread_id, post_ids in (await _find_posts_naming(session, handle)).items():
        await lock_posts_of_thread(session, thread_id, alone=True)
        for post in await _lock_posts(session, col(Post.id).in_(post_ids)):
            is_fixed = fixed is not None and await fixed(session, post.id)
            await _rewrite(session, post, _make_renamer(handle, None if is_fixed else new))


def select_threads_quoting(member_id: UUID) -> Select[int]:
    """Return a select of the threads with posts that quote a member, or did in a revision."""
    quoting = select(col(Post.thread_id)).where(col(Post.id).in_(_select_quoting(member_id)))
    return quoting.distinct().order_by(col(Post.thread_id))


async def renew_quotes(session: AsyncSession, member_id: UUID, thread_id: int) -> None:
    """Render the posts of a thread that quote a member again: their display name changed."""
    await lock_posts_of_thread(session, thread_id, alone=True)
    quoting = (col(Post.thread_id) == thread_id, col(Post.id).in_(_select_quoting(member_id)))
    for post in await _lock_posts(session, *quoting):
        await _rewrite(session, post, _as_it_is, anew=True)


async def remove_badges(session: AsyncSession, member_id: UUID) -> None:
    """Replace the name on the adviser's badges of a member's posts: the badges stay."""
    badged = (is_persona_of(col(Post.author_id), member_id), col(Post.adviser_name).is_not(None))
    await session.execute(update(Post).where(*badged).values(adviser_name=FORMER))


async def threads_with_words(session: AsyncSession, member_id: UUID, kept: Collection[int]) -> Sequence[int]:
    """Return the threads that still need `erase_posts`: with a post that is not withdrawn, or with words left.

    Words of edits that were held count too.

    Words in the posts `kept` do not count.
    """
    threads = select(col(Post.thread_id)).where(is_persona_of(col(Post.author_id), member_id))
    to_erase = threads.where(col(Post.id).not_in(kept))
    in_revisions = to_erase.join(PostRevision, col(PostRevision.post_id) == col(Post.id)).where(
        _has_words(PostRevision)
    )
    held = (
        select(col(HeldEdit.thread_id))
        .join(Post, col(Post.id) == col(HeldEdit.post_id))
        .where(is_persona_of(col(Post.author_id), member_id), col(Post.id).not_in(kept))
    )
    readable = threads.where(col(Post.visibility) != Visibility.WITHDRAWN)
    found = union(readable, to_erase.where(_has_words(Post)), in_revisions, held).subquery()
    return (await session.execute(select(found).order_by(found.c.thread_id))).scalars().all()


async def erase_posts(
    session: AsyncSession, member_id: UUID, thread_id: int, kept: Collection[int], now: datetime
) -> None:
    """Withdraw a member's posts in a thread, and erase their words there and in every quote of them.

    The posts `kept` are withdrawn too, but keep their words for now: something that is not decided yet needs them.
    """
    own = (col(Post.thread_id) == thread_id, is_persona_of(col(Post.author_id), member_id))
    ids = (await session.execute(select(col(Post.id)).where(*own))).scalars().all()
    await lock_posts_and_copies(session, ids)
    for post in await _lock_posts(session, *own):
        await set_visibility(session, post, Visibility.WITHDRAWN, now)
        await erase_quotes(session, post)
        await drop_all(session, post.id)
        post.words_kept_until = None
        if post.id not in kept:
            await erase_words(session, post)


async def erase_words(session: AsyncSession, post: Post) -> None:
    """Erase the words of a post and of its revisions, whose row the caller has locked."""
    post.words_kept_until = None
    # They are nobody's revision, so that no position in a measure refers to them.
    await session.execute(delete(HeldEdit).where(col(HeldEdit.post_id) == post.id))
    await _rewrite(session, post, _all_gone)


async def erase_quotes(session: AsyncSession, post: Post) -> None:
    """Erase the words of a post from all quotes of it, and its author's name there: nobody sees the post any more.

    The caller has locked the posts of its thread, and of all threads with copies of it.
    """
    texts = [text for text in await list_texts(session, post) if text.strip(GONE)]
    copies = await list_copies(session, post, [(text, own_lines(text)) for text in texts])
    unquoted = _make_quote_eraser(texts)
    for copy in await _lock_posts(session, col(Post.id).in_(copies)):
        await _rewrite(session, copy, unquoted)
        await refresh_html(session, copy)


def without_quotes(text: str, said: Collection[str]) -> str:
    """Return a text with marks in the place of each character of its quotes of what somebody said themselves."""
    whole = "\n\n".join(sorted(said))
    return blanked(text, repeated(text, quote_spans(text), runs_of(whole, own_lines(whole))))


def _make_quote_eraser(said: Sequence[str]) -> Change:
    async def unquoted(text: str) -> str:
        if ">" not in text:
            return text
        return await side_process.run_unless_short([text, *said], without_quotes, text, said)

    return unquoted


async def _all_gone(text: str) -> str:
    return GONE * len(text)


def _make_renamer(handle: str, new: str | None) -> Change:
    async def renamed(text: str) -> str:
        return await side_process.run_unless_short([text], _renamed, text, handle=handle, new=new)

    return renamed


async def _as_it_is(text: str) -> str:
    return text


def _select_quoting(member_id: UUID) -> Select[int]:
    quoted = aliased(Post)
    quotes = select(col(PostQuote.post_id)).join(quoted, col(quoted.id) == col(PostQuote.quoted_post_id))
    return quotes.where(is_persona_of(col(quoted.author_id), member_id))


def _renamed(text: str, *, handle: str, new: str | None) -> str:
    renamed = without_handle(text, handle, new)
    # A longer handle may be too long for a full text.
    is_too_long = any(len(text) <= most < len(renamed) for most in (WARNING_MAX, BODY_MAX))
    return without_handle(text, handle) if is_too_long else renamed


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


async def _rewrite(session: AsyncSession, post: Post, change: Change, *, anew: bool = False) -> None:
    """Change the texts of a post and of its revisions, without a new revision: that would keep the erased words.

    What does not change is rendered again only when `anew` says so.
    """
    earlier = select(PostRevision).where(col(PostRevision.post_id) == post.id)
    revisions = (await session.execute(earlier)).scalars().all()
    numbered: list[tuple[int, Any]] = [
        (post.revision, post),
        *((earlier.number, earlier) for earlier in revisions),
    ]
    for number, revision in numbered:
        body = await change(revision.body_markdown)
        if anew or body != revision.body_markdown:
            draft = Draft(body)
            await draft.parse()
            known = await named_in_thread(session, post.thread_id, draft, post_id=post.id)
            revision.body_markdown, revision.body_html = body, await draft.html(known)
            await forget_quotes(session, post.id, number)
            await record_quotes(session, post.id, number, draft, known)
        if revision.content_warning:
            revision.content_warning = await change(revision.content_warning)
    await rewrite_titles(session, post.id, change)
    await rewrite_bodies(session, post, change)
