"""What advisers do with endorsements: endorse a post of a member, and take it back.

An endorsement is for one revision of the post, with the badge that the adviser has then: an edit ends it. A job deletes
what an edit ended, and its author is told.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.endorsements.tables import Endorsement
from forum.content.posts.context import EditContext, context_of_post
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.queries import PostView, get_post_in_transaction
from forum.content.posts.revisions import lock_post_row, refuse_stale_post
from forum.content.posts.tables import Post, Visibility
from forum.core import audit, jobs
from forum.core.database import query, rows_of
from forum.core.errors import Conflict, Forbidden
from forum.core.jobs import Job, Payload
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

END_ENDORSEMENTS = Job("end_endorsements")
TELL_ENDORSED, TELL_ENDORSEMENT_ENDED = Job("tell_endorsed"), Job("tell_endorsement_ended")
BATCH = 100


@dataclass(frozen=True)
class OwnEndorsement:
    """A post, and whether the adviser who looks at it endorses it as it is."""

    post: PostView
    is_endorsed: bool


async def read_endorsement(work: Work, adviser: Viewer, post_id: int) -> OwnEndorsement:
    """Return a post to an adviser who may endorse it. Raises NotFound, Forbidden and Conflict."""
    await _allowed(work, adviser, post_id)
    post = await get_post_in_transaction(work.session, adviser, post_id)
    own = await work.session.get(Endorsement, (post_id, adviser.member_id))
    return OwnEndorsement(post, own is not None and own.revision == post.revision)


async def endorse(work: Work, adviser: Viewer, post_id: int, revision: int | None = None) -> None:
    """Say that a member's post is right, as it was at this revision. Idempotent.

    Raises Throttled, NotFound, Forbidden for one's own post and for an adviser's, Conflict for one that readers do not
    see, and Stale when it is no longer at the revision that was on the screen.
    """
    await work.count_try("reaction", "endorsements", adviser.id)
    context = await _allowed(work, adviser, post_id)
    post = await lock_post_row(work.session, post_id)
    _refuse_unseen(post)
    if revision is not None:
        await refuse_stale_post(work.session, post, revision)
    if context.badge is None:
        raise Forbidden("Only advisers may do this.", code="not_an_adviser")
    badge = {
        "name": context.badge.name,
        "title": context.badge.title,
        "organisation": context.badge.organisation,
        "revision": post.revision,
        "at": work.now,
    }
    given = insert(Endorsement).values(post_id=post_id, member_id=adviser.member_id, **badge)
    other = col(Endorsement.revision) != post.revision
    given = given.on_conflict_do_update(index_elements=["post_id", "member_id"], set_=badge, where=other)
    if (await work.session.execute(given.returning(col(Endorsement.post_id)))).first():
        await jobs.enqueue(work.session, TELL_ENDORSED, {"post": str(post_id)})
        await _record(work, adviser, "post.endorsed", post_id)


async def take_back(work: Work, adviser: Viewer, post_id: int) -> None:
    """Take one's own endorsement back, whoever sees the post by now. Idempotent."""
    own = (col(Endorsement.post_id) == post_id, col(Endorsement.member_id) == adviser.member_id)
    gone = await work.session.execute(delete(Endorsement).where(*own).returning(col(Endorsement.post_id)))
    if gone.first():
        await jobs.enqueue(work.session, TELL_ENDORSEMENT_ENDED, {"post": str(post_id)})
        await _record(work, adviser, "post.endorsement_taken_back", post_id)


async def end_endorsements(session: AsyncSession, _payload: Payload, _now: datetime) -> None:
    """Job handler: delete the endorsements of what was edited or withdrawn since. Who edited their post is told."""
    over = (
        query(col(Endorsement.post_id), (col(Post.visibility) == Visibility.VISIBLE).label("is_seen"))
        .join(Post, col(Post.id) == col(Endorsement.post_id))
        .where(or_(col(Endorsement.revision) != col(Post.revision), col(Post.visibility) == Visibility.WITHDRAWN))
        .limit(BATCH)
        .with_for_update(of=rows_of(Endorsement), skip_locked=True)
    )
    for row in set((await session.execute(over)).all()):
        changed = select(col(Post.revision)).where(col(Post.id) == row.post_id).scalar_subquery()
        is_over = and_(col(Endorsement.post_id) == row.post_id, col(Endorsement.revision) != changed)
        everything = col(Endorsement.post_id) == row.post_id
        await session.execute(delete(Endorsement).where(is_over if row.is_seen else everything))
        if row.is_seen:
            await jobs.enqueue(session, TELL_ENDORSEMENT_ENDED, {"post": str(row.post_id)})


async def _allowed(work: Work, adviser: Viewer, post_id: int) -> EditContext:
    context = await context_of_post(work, adviser, post_id, NO_WORDS)
    allow(Act.ENDORSE, adviser, context)
    _refuse_unseen(context.post)
    return context


def _refuse_unseen(post: Post) -> None:
    if post.visibility != Visibility.VISIBLE:
        raise Conflict("Readers do not see this post.", code=f"post_{post.visibility}")


async def _record(work: Work, adviser: Viewer, act: str, post_id: int) -> None:
    subject = ("post", post_id)
    await audit.record(work.session, actor_id=adviser.id, act=act, subject=subject, now=work.now)
