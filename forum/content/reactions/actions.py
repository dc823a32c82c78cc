"""What members do with reactions: react, take it back, and read who reacted to one's own post."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.context import context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.lanes import guessed_of, settle
from forum.content.posts.limits import allow_writing
from forum.content.posts.tables import Post, Visibility
from forum.content.reactions import queries
from forum.content.reactions.tables import Reaction, ReactionKind
from forum.core import jobs
from forum.core.errors import NotFound
from forum.core.jobs import Job
from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.aliases import personas_of
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

TAKEN = (ReactionKind.THANK, ReactionKind.HELPFUL)
TELL_OF_REACTION = Job("tell_of_reaction")


async def react(work: Work, viewer: Viewer, post_id: int, kind: ReactionKind) -> None:
    """React to somebody else's post. Idempotent.

    Raises NotFound for a kind that this forum does not have, and for a post that readers do not see; Forbidden and
    Throttled.
    """
    await work.count_try("reaction", "reactions", viewer.id)
    if kind not in work.settings.reactions:
        raise NotFound("This forum has no such reaction.", code="reaction_not_found")
    context = await context_of_post(work, viewer, post_id, NO_WORDS)
    allow_writing(work, Act.REACT, viewer, context)
    if context.post.number == context.thread.latest_adviser_number and kind in TAKEN:
        # They have their answer. What they said themselves that they ask still waits: it may be another question.
        await settle(work.session, context.thread.id, *guessed_of(viewer.personas, work.now))
    await _lock_shown_post(work.session, post_id)
    given = insert(Reaction).values(post_id=post_id, persona_id=viewer.member_id, kind=kind, reacted_at=work.now)
    is_new = (await work.session.execute(given.on_conflict_do_nothing().returning(col(Reaction.post_id)))).first()
    if is_new:
        await jobs.enqueue(work.session, TELL_OF_REACTION, {"post": str(post_id), "by": str(viewer.member_id)})


async def take_back(work: Work, viewer: Viewer, post_id: int, kind: ReactionKind) -> None:
    """Take back one's own reaction, whoever sees the post by now and in any standing. Idempotent."""
    own = (col(Reaction.post_id) == post_id, col(Reaction.persona_id).in_(viewer.personas), col(Reaction.kind) == kind)
    await work.session.execute(delete(Reaction).where(*own))


async def list_senders(work: Work, viewer: Viewer, post_id: int, after: str | None, limit: int) -> Page:
    """Return a page of who reacted to the viewer's own post, the newest first. Nobody is told who feels the same.

    Raises NotFound, Forbidden, and Invalid for an unknown cursor.
    """
    sort_key = queries.sort_key_of(after) if after is not None else None
    allow(Act.READ_REACTIONS, viewer, await context_of_post(work, viewer, post_id, NO_WORDS))
    return await queries.list_senders(work, post_id, sort_key, limit)


async def forget_reactions(session: AsyncSession, member_id: UUID) -> None:
    """Take back all reactions of a member who leaves."""
    await _forget(session, select(col(Member.id)).where(col(Member.id) == member_id))


async def delete_leftovers(session: AsyncSession, _now: datetime) -> None:
    """Take back what somebody gave in the moment in which they left."""
    await _forget(session, select(col(Member.id)).where(col(Member.left_at).is_not(None)))


async def _forget(session: AsyncSession, members: Select[UUID]) -> None:
    await session.execute(delete(Reaction).where(col(Reaction.persona_id).in_(personas_of(members))))


async def _lock_shown_post(session: AsyncSession, post_id: int) -> None:
    """Keep a post from being removed or withdrawn until the transaction ends; others react at the same time.

    Raises NotFound when readers do not see it.
    """
    found = select(col(Post.visibility)).where(col(Post.id) == post_id).with_for_update(read=True)
    if (await session.execute(found)).scalar_one() != Visibility.VISIBLE:
        raise NotFound("There is no such post.", code="post_not_found")
