"""Emergency disclosure: the address of somebody in acute danger, for those who can find them, and never unseen.

It is shown to whoever decides the case, once they say why and to whom it goes. That stands on the case and in the audit
record, and a second person is told. UK GDPR article 6(1)(d) is the ground: it is necessary to protect the life of
whoever wrote it, or of somebody else. Whose address it is reads that in the copy of their data (article 15), unless the
record names the rule of law that allows to keep it from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import exists, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Record, new_id, query
from forum.core.errors import Conflict
from forum.core.export_section import ExportSection, items_of
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.aliases import get_owner
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from forum.permissions import Refusal
from moderation import case_deciders, cases
from moderation.case_priority import Category
from moderation.case_queue import get_workable_case
from moderation.cases import Case, CaseNote, lock_case_row
from moderation.permissions import refuse
from moderation.reports import Report

NO_DANGER = Refusal("no_acute_danger", "Nobody is in acute danger in this case: the address stays closed.")


NOT_KEPT = "This was not kept by itself then. Write to us, and we look it up for you."
GROUND = "To protect somebody's life (UK GDPR, article 6(1)(d))"


class AddressDisclosure(SQLModel, table=True):
    """That a member's address was shown in an emergency. With an exemption, it is not in the copy of their data."""

    __tablename__ = "address_disclosure"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    case_id: UUID = Field(foreign_key="moderation_case.id")
    member_id: UUID = Field(foreign_key="member.id", ondelete="CASCADE", index=True)
    disclosed_by: UUID = Field(foreign_key="member.id")
    disclosed_at: datetime = Field(sa_type=Moment)
    recipient: str = Field(description="To whom it went; empty where it was not kept apart from the note")
    exemption: str | None = Field(default=None, description="The rule of law by which its member is not told")


@dataclass(frozen=True)
class DisclosureWish:
    """Why an address is needed, to whom it goes, and under which reference of theirs.

    `exemption` names the rule of law that allows to keep it from the member whose address it is.
    """

    reason: str
    recipient: str
    reference: str
    exemption: str | None = None

    @property
    def note(self) -> str:
        """What stands on the case."""
        reference = f" ({self.reference})" if self.reference else ""
        return f"The e-mail address was shown, for {self.recipient}{reference}: {self.reason}"


class Disclosure(NamedTuple):
    """What is known to find somebody, and how many others were told that it was shown."""

    email: str
    told: int


@dataclass(frozen=True)
class DisclosureForm:
    """The case, and why its author's address cannot be shown to the viewer, if so."""

    case: Record
    not_allowed_because: Refusal | None


async def read_form(work: Work, moderator: Viewer, case_id: UUID) -> DisclosureForm:
    """Return whether the viewer may have the address shown. Raises Forbidden, and NotFound for a case out of reach."""
    row = await get_workable_case(work, moderator, case_id)
    because = await case_deciders.why_not_decide(work, moderator, case_id)
    case = await work.session.get_one(Case, case_id)
    return DisclosureForm(row, because or (None if _is_acute(case) else NO_DANGER))


async def disclose(
    work: Work, moderator: Viewer, case_id: UUID, wish: DisclosureWish, *, repeat: Repeat | None = None
) -> Disclosure:
    """Return the address of somebody in acute danger. A `repeat` shows it again and tells nobody anew.

    Raises NotFound, Forbidden, Conflict where nobody is in acute danger, the case is decided or no address is known,
    and what `Repeat.earlier` raises.
    """
    await get_workable_case(work, moderator, case_id)
    refuse(await case_deciders.why_not_decide(work, moderator, case_id))
    case = await lock_case_row(work.session, case_id)
    await cases.refuse_decided(work.session, case)
    if not _is_acute(case):
        raise Conflict(NO_DANGER.detail, code=NO_DANGER.code)
    owner_id = await get_owner(work.session, case.subject_persona_id)
    email = (await work.session.execute(select(col(Member.email)).where(col(Member.id) == owner_id))).scalar_one()
    if email is None:
        raise Conflict("No address is known: whoever wrote this has left.", code="address_unknown")
    seconds = await _list_seconds(work, moderator, case)
    if repeat and await repeat.earlier(work):
        return Disclosure(email, len(seconds))
    note = CaseNote(case_id=case_id, author_id=moderator.member_id, text=wish.note, at=work.now)
    work.session.add(note)
    row = AddressDisclosure(
        case_id=case_id,
        member_id=owner_id,
        disclosed_by=moderator.member_id,
        disclosed_at=work.now,
        recipient=wish.recipient,
        exemption=wish.exemption,
    )
    work.session.add(row)
    await work.session.flush()
    kind = NotificationKind.ADDRESS_DISCLOSED
    await inbox.notify_each(work.session, seconds, kind, work.now, subject_id=case_id)
    if repeat:
        await repeat.keep(work, note.id)
    await audit.record(
        work.session,
        actor_id=moderator.id,
        act="address.disclosed",
        subject=("case", case_id),
        now=work.now,
        details={"note": str(note.id)},  # to whom, and why: its words can be erased, those of this record cannot
    )
    return Disclosure(email, len(seconds))


def _is_acute(case: Case) -> bool:
    """Return whether screening found acute danger in a case, or somebody reported that its author is in danger."""
    return bool(case.dangers) or (case.category == Category.RISK and case.calls)


async def _list_seconds(work: Work, moderator: Viewer, case: Case) -> Sequence[UUID]:
    """Return who is told: the others who may decide the case.

    Safeguarding leads and administrators, too, where there are none, or where nobody but the moderator says that there
    is a danger: one alone could otherwise say so and read an address.
    """
    session, now = work.session, work.now
    told = set(await case_deciders.list_deciders(session, case.id, now)) - {moderator.member_id}
    if not told or not await _is_said_by_another(session, case, moderator):
        told.update(await case_deciders.list_leads(session, case.id, now))
        told.update(await case_deciders.list_told_that_nobody_decides(session, case.id, now))
    return sorted(told - {moderator.member_id})


async def _is_said_by_another(session: AsyncSession, case: Case, moderator: Viewer) -> bool:
    """Return whether screening, or a report of somebody else, says that somebody is in danger."""
    by_another = exists().where(
        col(Report.case_id) == case.id,
        col(Report.category) == Category.RISK,
        col(Report.reporter_id).is_distinct_from(moderator.id),
    )
    return bool(case.dangers) or bool((await session.execute(select(by_another))).scalar_one())


async def export_own(session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
    """Return when the viewer's address was shown in an emergency, to whom, and why that was allowed."""
    recipient = func.coalesce(func.nullif(col(AddressDisclosure.recipient), ""), NOT_KEPT).label("recipient")
    shown = (
        query(col(AddressDisclosure.disclosed_at), recipient, literal(GROUND).label("ground"))
        .where(col(AddressDisclosure.member_id) == viewer.id, col(AddressDisclosure.exemption).is_(None))
        .order_by(col(AddressDisclosure.disclosed_at))
    )
    rows = items_of((await session.execute(shown)).all())
    return (ExportSection("address_disclosures", "When your e-mail address was passed on in an emergency", rows),)
