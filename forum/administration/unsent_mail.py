"""Mails that are not sent yet, for administrators: who they are for, never their address or their text."""

from uuid import UUID

from forum.core import audit, pagination
from forum.core.database import Prepared, Reader
from forum.core.errors import NotFound
from forum.core.pagination import Page
from forum.core.work import Work
from forum.mail import outbox
from forum.mail.outbox import BY_AGE
from forum.mail.tables import UNLISTED, Mail
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


async def try_again(work: Work, viewer: Viewer, mail_id: UUID) -> None:
    """Try a mail once more that was given up; one that waits is tried by itself. Idempotent.

    Raises Forbidden, and NotFound for a mail that was sent or dropped.
    """
    mail = await _lock_mail(work, viewer, mail_id)
    if mail.given_up_at is not None:
        await outbox.try_again(work.session, mail)
        await _record(work, "mail.tried_again", viewer, mail)


async def drop(work: Work, viewer: Viewer, mail_id: UUID) -> None:
    """Drop a mail, which is then never sent. Raises Forbidden, and NotFound for a mail that was sent or dropped."""
    mail = await _lock_mail(work, viewer, mail_id)
    await work.session.delete(mail)
    await _record(work, "mail.dropped", viewer, mail)


async def _lock_mail(work: Work, viewer: Viewer, mail_id: UUID) -> Mail:
    allow(Act.ADMINISTER, viewer)
    mail = await work.session.get(Mail, mail_id, with_for_update=True)
    is_hidden = mail is None or mail.about_persona_id in viewer.personas or mail.kind in UNLISTED
    if mail is None or is_hidden or mail.member_id is None:
        raise NotFound("There is no such mail.", code="mail_not_found")
    return mail


async def _record(work: Work, act: str, viewer: Viewer, mail: Mail) -> None:
    subject = ("member", mail.member_id)
    await audit.record(
        work.session, actor_id=viewer.id, act=act, subject=subject, now=work.now, details={"kind": mail.kind}
    )
