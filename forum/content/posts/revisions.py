"""Changes to the text of an existing post, and the revisions that keep its earlier texts."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.tables import BODY_MAX, Post, PostRevision
from forum.core.errors import Invalid
from forum.members.queries import changed_since
from forum.members.viewer import Viewer


async def lock_post_row(session: AsyncSession, post_id: int) -> Post:
    """Lock a post's row until the transaction ends, and return the post. Replies to it need not wait."""
    found = select(Post).where(col(Post.id) == post_id).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalar_one()


async def lock_post_rows(session: AsyncSession, post_ids: Select[int]) -> Sequence[Post]:
    """Lock the rows of these posts until the transaction ends, the lower id first, and return the posts."""
    found = select(Post).where(col(Post.id).in_(post_ids)).order_by(col(Post.id)).with_for_update(key_share=True)
    return (await session.execute(found, execution_options={"populate_existing": True})).scalars().all()


async def lock_opening_post(session: AsyncSession, thread_id: int) -> Post:
    """Lock the row of a thread's first post until the transaction ends, and return the post."""
    opening = select(col(Post.id)).where(col(Post.thread_id) == thread_id, col(Post.number) == 1)
    return await lock_post_row(session, (await session.execute(opening)).scalar_one())


async def refuse_stale_post(session: AsyncSession, post: Post, revision: int) -> None:
    """Raise Stale, with who edited the post and when, unless it is still at this revision."""
    if post.revision != revision:
        detail = "This post was edited while you were looking at it. Please read it again."
        by, at = post.changed_by, post.edited_at or post.created_at
        raise await changed_since(session, detail, code="post_changed", current=post.revision, by=by, at=at)


async def replace_body_by_moderator(
    session: AsyncSession,
    moderator: Viewer,
    post: Post,
    words: tuple[str, str | None],
    *,
    now: datetime,
    sealed: bool,
) -> None:
    """Replace the body and the content warning of a post, whose row the caller has locked.

    Raises Invalid when the new body would be empty or too long.
    """
    body, content_warning = words
    if not 1 <= len(body) <= BODY_MAX:
        raise Invalid(f"A post has 1 to {BODY_MAX} characters.", "#/measures", code="body_length")
    draft = Draft(body)
    known = await named_in_thread(session, post.thread_id, draft)
    replace_body(session, post, (body, draft.parsed.html(known)), moderator.member_id, now, sealed=sealed)
    post.content_warning = content_warning
    await session.flush()


async def seal_revisions(
    session: AsyncSession, post: Post, has_words: Callable[[str], bool], *, since: int | None = None
) -> Sequence[int]:
    """Seal the earlier revisions with a text for which `has_words` is true, and all from number `since` on.

    Return their numbers, also of those that were sealed before.
    """
    earlier = select(col(PostRevision.number), col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = await session.execute(earlier.where(col(PostRevision.post_id) == post.id))
    numbers = [
        number
        for number, *texts in rows.all()
        if (since is not None and number >= since) or any(map(has_words, filter(None, texts)))
    ]
    these = (col(PostRevision.post_id) == post.id, col(PostRevision.number).in_(numbers))
    await session.execute(update(PostRevision).where(*these).values(sealed=True))
    return numbers


async def unseal_revisions(session: AsyncSession, post: Post, revisions: Sequence[int]) -> None:
    """Let those who may read revisions read these again."""
    these = (col(PostRevision.post_id) == post.id, col(PostRevision.number).in_(revisions))
    await session.execute(update(PostRevision).where(*these).values(sealed=False))


async def get_words(session: AsyncSession, post: Post, revision: int) -> tuple[str, str | None]:
    """Return the body and the content warning of one revision of a post; the present one counts too."""
    if revision == post.revision:
        return post.body_markdown, post.content_warning
    same = (col(PostRevision.post_id) == post.id, col(PostRevision.number) == revision)
    words = select(col(PostRevision.body_markdown), col(PostRevision.content_warning)).where(*same)
    row = (await session.execute(words)).one()
    return row.body_markdown, row.content_warning


async def list_other_posts_with(session: AsyncSession, post: Post, words: Sequence[str]) -> Sequence[int]:
    """Return the ids of the other posts in the thread that quote somebody or may have these words, now or earlier."""
    in_revisions = exists().where(col(PostRevision.post_id) == col(Post.id), _may_have(PostRevision, words))
    others = select(col(Post.id)).where(
        col(Post.thread_id) == post.thread_id, col(Post.id) != post.id, or_(_may_have(Post, words), in_revisions)
    )
    return (await session.execute(others.order_by(col(Post.id)))).scalars().all()


def _may_have(table: Any, words: Sequence[str]) -> ColumnElement[bool]:
    patterns = ["%" + "%".join(map(_escaped, text.split())) + "%" for text in words if text.split()]
    columns = (table.body_markdown, table.content_warning)
    repeats = [column.ilike(pattern) for column in columns for pattern in patterns]
    return or_(col(table.body_markdown).contains(">"), *repeats)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def replace_body(
    session: AsyncSession, post: Post, body: tuple[str, str], by: UUID, now: datetime, *, sealed: bool = False
) -> None:
    """Replace the Markdown and the HTML of a post, whose row the caller has locked, and keep the earlier text.

    `by` is the persona under whose name it is changed. Only moderators can read a `sealed` revision: it has words that
    were redacted.
    """
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
    post.body_markdown, post.body_html = body
    post.revision += 1
    post.edited_at, post.changed_by = now, by
