"""Who sees a thread, and for whom it is listed."""

from sqlalchemy import and_, any_, or_
from sqlmodel import col

from forum.content import boards
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.members.viewer import VIEWER_PERSONAS

# Readers see the thread: with the last post that they could read, its title goes too.
THREAD_SHOWN = and_(col(Thread.visibility) == ThreadVisibility.VISIBLE, col(Thread.posts) > 0)

# The thread, joined with its board, exists for the viewer. Its author keeps it, to read why it went.
THREAD_VISIBLE = and_(
    boards.READABLE,
    or_(THREAD_SHOWN, col(Thread.author_id) == any_(VIEWER_PERSONAS), boards.MODERATED),
)

# A thread that exists for the viewer is in lists too: for its author while it waits, but not once it is gone.
THREAD_LISTED = or_(
    THREAD_SHOWN,
    and_(col(Thread.visibility) == ThreadVisibility.HELD, col(Thread.author_id) == any_(VIEWER_PERSONAS)),
    boards.MODERATED,
)
