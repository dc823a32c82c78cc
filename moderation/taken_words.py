"""What moderators took out of a post or a title, and whether its author's edit brings it back."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.revisions import get_words
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread, ThreadTitleRevision
from forum.content.threads.titles import list_earlier_titles
from forum.core import side_process
from forum.core.errors import Invalid
from forum.core.gate import Edited
from forum.members.names import skeleton
from moderation import redaction
from moderation.measures.tables import TEXT_MEASURES, AppliedMeasure, MeasureKind
from moderation.repeated_words import bring_back, gone

WATCHED = timedelta(days=30)  # after a moderator changed it, every edit waits
RECENT = "A moderator changed this a short time ago, so one reads your edit before it appears. You will be told."
RETURNED = "A moderator took some of these words out, so one reads your edit before it appears. You will be told."
TAKEN_TITLE = "A moderator took these words out of this thread. Please choose another title."


async def why_held(session: AsyncSession, edited: Edited, texts: Sequence[str], *, is_title: bool) -> str | None:
    """Return why an author's edit waits for a moderator, or None. Raises Invalid for a title with taken words."""
    post = await session.get_one(Post, edited.post_id)
    thread = await session.get_one(Thread, post.thread_id)
    titles = _sealed(thread, await list_earlier_titles(session, thread.id)) if post.number == 1 else []
    taken = [*await _phrases_of_post(session, post), *(phrase for title, _ in titles for phrase in gone(*title))]
    present = thread.title if is_title else "\n".join(filter(None, (post.body_markdown, post.content_warning)))
    if is_title:
        whole = {skeleton(before) for (before, after), _ in titles} - {skeleton(thread.title)}
        if skeleton(texts[0]) in whole or await _bring_back(taken, texts, present):
            raise Invalid(TAKEN_TITLE, "#/title", code="title_was_taken_out")
        return RECENT if any(edited.at - at < WATCHED for _, at in titles) else None
    if await _was_changed(session, edited):
        return RECENT
    if not taken:
        return None
    return RETURNED if await _bring_back(taken, texts, present) else None


async def _bring_back(taken: Sequence[str], texts: Sequence[str], present: str) -> bool:
    """Return as `bring_back` does: to compare 20,000 characters can take as long as ten reads of a page."""
    return await side_process.run_unless_short([*taken, *texts, present], bring_back, taken, texts, present)


def _sealed(thread: Thread, earlier: Sequence[ThreadTitleRevision]) -> list[tuple[tuple[str, str], datetime]]:
    """Return each title that a moderator took away, with the one that replaced it, and when that was."""
    present = ThreadTitleRevision(
        thread_id=thread.id,
        number=thread.title_revision,
        title=thread.title,
        written_at=thread.titled_at or thread.opened_at,
        written_by=thread.titled_by or thread.author_id,
    )
    in_order = [*earlier, present]
    return [((old.title, new.title), new.written_at) for old, new in pairwise(in_order) if old.sealed]


async def _phrases_of_post(session: AsyncSession, post: Post) -> list[str]:
    """Return what the measures in force took out of a post."""
    kinds: Collection[str] = [*TEXT_MEASURES, MeasureKind.REMOVE]
    in_force = select(AppliedMeasure).where(
        col(AppliedMeasure.post_id) == post.id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_(kinds),
    )
    phrases = []
    for measure in (await session.execute(in_force)).scalars().all():
        for revision, spans in measure.memory["spans"]:
            body, _ = await get_words(session, post, revision)
            phrases += redaction.excerpts(body, [(start, end) for start, end in spans])
    return phrases


async def _was_changed(session: AsyncSession, edited: Edited) -> bool:
    """Whether a moderator redacted or edited the post within the time in which every edit is read."""
    recent = exists().where(
        col(AppliedMeasure.post_id) == edited.post_id,
        col(AppliedMeasure.undone_at).is_(None),
        col(AppliedMeasure.kind).in_(TEXT_MEASURES),
        col(AppliedMeasure.applied_at) > edited.at - WATCHED,
    )
    return bool((await session.execute(select(recent))).scalar_one())
