"""What ends a wait without an adviser's post: whoever opened the thread says that they have what they need."""

from forum.content.posts.context import context_in_thread
from forum.content.posts.draft import NO_WORDS
from forum.content.posts.lanes import settle
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, refuse_shut_out


async def mark_answered(work: Work, viewer: Viewer, thread_id: int) -> None:
    """Say that one's own thread needs no answer any more. Idempotent; the next post that asks something waits again.

    Raises NotFound, and Forbidden for a thread of somebody else.
    """
    refuse_shut_out(viewer)
    allow(Act.MARK_ANSWERED, viewer, await context_in_thread(work, viewer, thread_id, NO_WORDS))
    await settle(work.session, thread_id)
