"""Changes to the text of an existing post, and the revisions that keep its earlier texts."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.context import named_in_thread
from forum.content.posts.draft import Draft
from forum.content.posts.lengths import BODY_MAX
from forum.content.posts.quotes import record_quotes
from forum.content.posts.tables import Post, PostRevision
from forum.core.errors import Invalid
from forum.members.queries import changed_since
from forum.members.viewer import Viewer

# Whether a text has certain words; it may take long, so it may ask the side process.
HasWords = Callable[[str], Awaitable[bool]]


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
    known = await named_in_thread(session, post.thread_id, draft, post_id=post.id)
    replace_body(session, post, (body, await draft.html(known)), moderator.member_id, now, sealed=sealed)
    post.content_warning = content_warning
    await session.flush()
    await record_quotes(session, post.id, post.revision, draft, known)


async def seal_revisions(
    session: AsyncSession, post: Post, has_words: HasWords, *, since: int | None = None
) -> Sequence[int]:
    """Seal the earlier revisions with a text for which `has_words` is true, and all from number `since` on.

    Return their numbers, also of those that were sealed before.
    """
    earlier = select(col(PostRevision.number), col(PostRevision.body_markdown), col(PostRevision.content_warning))
    rows = await session.execute(earlier.where(col(PostRevision.post_id) == post.id))
    numbers = [
        number
        for number, *texts in rows.all()
        if (since is not None and number >= since) or await _has_one_words(has_words, filter(None, texts))
    ]
    these = (col(PostRevision.post_id) == post.id, col(PostRevision.number).in_(numbers))
    await session.execute(update(PostRevision).where(*these).values(sealed=True))
    return numbers


async def _has_one_words(has_words: HasWords, texts: Iterable[str]) -> bool:
    for text in texts:
        if await has_words(text):
            return True
    return False


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


async def refresh_html(session: AsyncSession, post: Post) -> None:
    """Render a post again, whose row the caller has locked: a post that it quotes came, changed or went."""
    draft = Draft(post.body_markdown)
    post.body_html = await draft.html(await named_in_thread(session, post.thread_id, draft, post_id=post.id))
    await session.flush()


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
