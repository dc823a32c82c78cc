"""Mails that are not sent yet, for administrators: who they are for, never their address or their text."""

from forum.core import pagination
from forum.core.database import Prepared, Reader
from forum.core.pagination import Page
from forum.mail import outbox
from forum.mail.outbox import BY_AGE
from forum.members.viewer import Viewer
from forum.permissions import Act, allow


async def list_unsent(reader: Reader, viewer: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of mails that are not sent yet, oldest first.

    Those that call others to a case about the viewer are not in it. Raises Forbidden, and Invalid for a cursor of
    another list.
    """
    allow(Act.ADMINISTER, viewer)
    place = pagination.decode(after, BY_AGE) if after is not None else None
    rows = await reader.rows(Prepared(outbox.select_unsent(place, limit + 1, but_about=viewer.personas)))
    return pagination.page_of(rows, limit, lambda row: (row.put_down_at, str(row.id)))
