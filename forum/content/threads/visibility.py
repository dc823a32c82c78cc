"""Who sees a thread."""

from sqlalchemy import and_, any_, or_
from sqlmodel import col

from forum.content import boards
from forum.content.threads.tables import Thread, ThreadVisibility
from forum.members.viewer import VIEWER_PERSONAS

# The thread, joined with its board, exists for the viewer.
THREAD_VISIBLE = and_(
    boards.READABLE,
    or_(
        col(Thread.visibility) == ThreadVisibility.VISIBLE,
        col(Thread.author_id) == any_(VIEWER_PERSONAS),
        boards.MODERATED,
    ),
)
