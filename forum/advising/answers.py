"""What ends a wait without an adviser's post: whoever opened the thread says that they have what they need."""

from sqlalchemy import or_
from sqlmodel import col

from forum.content.posts.context import context_in_thread
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.lanes import settle
from forum.content.posts.tables import Post
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, refuse_shut_out


async def mark_answered(work: Work, viewer: Viewer, thread_id: int) -> None:
    """Say that one's own thread needs no answer any more. Idempotent; the next post that asks something waits again.

    Raises NotFound, and Forbidden for a thread of somebody else.
    """
    refuse_shut_out(viewer)
    allow(Act.MARK_ANSWERED, viewer, await context_in_thread(work, viewer, thread_id, NO_WORDS))
    # What somebody else said that they ask is theirs: they still wait.
    is_own, is_guess = col(Post.author_id).in_(viewer.personas), col(Post.asks).is_(None)
    await settle(work.session, thread_id, or_(is_own, is_guess))
