"""Who sees a thread, and who may reply in it."""

from sqlalchemy import and_, or_
from sqlmodel import col

from forum.content import boards
from forum.content.threads.tables import Thread, ThreadState, ThreadVisibility
from forum.members.viewer import VIEWER_ID, Viewer

# The thread, joined with its board, exists for the viewer.
THREAD_VISIBLE = and_(
    boards.READABLE,
    or_(col(Thread.visibility) == ThreadVisibility.VISIBLE, col(Thread.author_id) == VIEWER_ID, boards.MODERATED),
)


def takes_replies(thread: Thread, viewer: Viewer) -> bool:
    """Return whether the viewer can reply in the thread: in a locked one, only the board's moderators can."""
    return thread.state == ThreadState.OPEN or viewer.moderates(thread.board_id)
