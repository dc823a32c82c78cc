"""What moderation adds to a member's copy of their data, and what goes when they leave or are erased."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from forum.advising.answer_templates import AnswerTemplate
from forum.advising.notes import AdviserNote
from forum.content.markup import without_handle
from forum.content.posts.revisions import lock_post_row
from forum.content.posts.tables import Post
from forum.content.threads.changes import lock_posts_of_thread
from forum.content.threads.tables import ERASED_TITLE, Thread
from forum.core.database import Record
from forum.core.export_section import ExportSection, items_of
from forum.members.aliases import is_persona_of
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.privacy.personal_data_source import LegalDuty
from moderation import findings, name_reports, on_call, own_safety, refused_texts, reports, statements
from moderation.appeals import Appeal
from moderation.cases import Case, CaseNote, CasePost, CaseState
from moderation.concerns import evidence
from moderation.contact import ContactMessage
from moderation.decisions import Decision
from moderation.disclosures import AddressDisclosure
from moderation.findings import RecordedFinding
from moderation.handover import HandoverNote
from moderation.measures import renamings
from moderation.measures.post_notices import remove_moderator_name
from moderation.measures.tables import AppliedMeasure, MeasureKind
from moderation.member_notes import MemberNote
from moderation.public_reports.tables import PublicReport
from moderation.refused_texts import KeptText
from moderation.reports import Report
from moderation.service_complaints.tables import ServiceComplaint
from moderation.statements import Statement
from moderation.talks import complaints
from moderation.talks import queries as talk_queries
from moderation.talks.complaints import TalkComplaint
from moderation.talks.tables import Talk, TalkMessage

REPORTS_MAX = 100_000  # in one member's copy: at 20 a day, thirteen years
# Texts of staff and members to each other, in which a member may be named.
WRITTEN: Mapping[type[SQLModel], tuple[str, ...]] = {
    CaseNote: ("text",),
    MemberNote: ("text",),
    HandoverNote: ("text",),
    AdviserNote: ("text",),
    AnswerTemplate: ("title", "text"),
    ContactMessage: ("text",),
    TalkMessage: ("text",),
    TalkComplaint: ("text",),
    KeptText: ("text",),
    Decision: ("reason", "note"),
    Statement: ("reason",),
    Report: ("note",),
    PublicReport: ("text", "answer"),
    ServiceComplaint: ("text", "answer"),
    AddressDisclosure: ("recipient", "exemption"),
    Appeal: ("text", "message"),
}


class ErasableField(NamedTuple):
    """Words in a row of a member's, which column says whose it is, and the value of an empty one."""

    table: type[SQLModel]
    name: str
    owner: Any
    empty: Any


REPORT_NOTES = ErasableField(Report, "note", Report.reporter_id, "")
APPEAL_TEXTS = ErasableField(Appeal, "text", Appeal.appellant_id, "")
ANSWERS = ErasableField(TalkMessage, "text", TalkMessage.persona_id, "")
REFUSED_TEXTS = ErasableField(KeptText, "text", KeptText.persona_id, "")
COMPLAINTS = ErasableField(TalkComplaint, "text", TalkComplaint.persona_id, "")
EXCERPTS = ErasableField(Statement, "excerpts", Statement.member_id, [])


class ModerationPersonalData:
    """Keeps reports, cases, decisions, statements and appeals: of those who left without their name, and of those
    who erased their words without these too, once nothing that waits to be decided needs them.
    """

    async def export_sections(self, session: AsyncSession, viewer: Viewer, _now: datetime) -> Sequence[ExportSection]:
        """Return the viewer's own reports, the statements that they received, their appeals and talks."""
        told = (await session.execute(statements.select_received(viewer))).all()
        filed = (await session.execute(reports.select_by_reporter(viewer, None, REPORTS_MAX))).all()
        appealed = select(Appeal).where(col(Appeal.appellant_id) == viewer.id).order_by(col(Appeal.lodged_at))
        appeals = (await session.execute(appealed)).scalars().all()
        talks = (await session.execute(talk_queries.select_all_messages_to(viewer))).all()
        dangers = await findings.list_own(session, viewer)
        others = await findings.list_own_others(session, viewer)
        refused = await refused_texts.list_own(session, viewer)
        complained = (await session.execute(complaints.select_own(viewer))).all()
        return (
            ExportSection("statements", "What was decided about you", await _statements_of(session, told)),
            ExportSection("reports", "What you reported", [_without(row._asdict(), "case_id") for row in filed]),
            ExportSection(
                "appeals", "Your appeals", [_without(appeal.model_dump(), "appellant_id") for appeal in appeals]
            ),
            ExportSection("talks", "What moderators and you wrote to each other", items_of(talks)),
            ExportSection("dangers", "When your words sounded like danger", items_of(dangers)),
            ExportSection("findings", "What else a computer found in your words", items_of(others)),
            ExportSection("refused_texts", "What you wrote in danger that was not published", items_of(refused)),
            ExportSection("complaints", "Your complaints of moderators' messages", items_of(complained)),
        )

    async def remove_name(self, session: AsyncSession, member: Member) -> None:
        """Let notices name nobody that the member signed, and notes, reasons and the like not mention them."""
        await self._forget_byline(session, member.id)
        await self.remove_handle(session, member.handle)
        await self._forget_names(session, member.id)
        await name_reports.forget_names_of(session, member.id)
        await on_call.forget(session, member.id)
        await own_safety.forget(session, member.id)

    async def remove_handle(self, session: AsyncSession, handle: str) -> None:
        """Put marks in the place of a handle in notes, reasons and the like."""
        for table, fields in WRITTEN.items():
            for field in fields:
                await _forget_mentions(session, table, field, handle)

    async def has_positions(self, session: AsyncSession, post_id: int) -> bool:
        """Return whether something was found in a post, or a measure in force changed its words."""
        found = exists().where(col(CasePost.post_id) == post_id, col(RecordedFinding.case_id) == col(CasePost.case_id))
        changed = or_(
            col(AppliedMeasure.post_id) == post_id,
            col(AppliedMeasure.memory).contains({"changes": [{"post_id": post_id}]}),
        )
        measured = exists().where(changed, col(AppliedMeasure.undone_at).is_(None))
        return bool((await session.execute(select(or_(found, measured)))).scalar_one())

    async def list_needed_posts(self, session: AsyncSession, member_id: UUID) -> Collection[int]:
        """Return the member's posts about which a case is open, or an appeal."""
        waiting = select(col(CasePost.post_id)).join(Case, col(Case.id) == col(CasePost.case_id))
        theirs = waiting.join(Post, col(Post.id) == col(CasePost.post_id)).where(
            is_persona_of(col(Post.author_id), member_id)
        )
        return set((await session.execute(theirs.where(col(Case.state) == CaseState.OPEN))).scalars())

    async def find_duty(self, session: AsyncSession, member_id: UUID) -> LegalDuty | None:
        """Return the duty to keep a member's data that legal holds of concerns bring."""
        return await evidence.find_duty(session, member_id)

    async def erase_texts(self, session: AsyncSession, member_id: UUID, now: datetime) -> bool:
        """Erase the words of reports that were settled, of appeals that were heard and of talks about cases that were
        decided; excerpts, once nobody can appeal any more; what titles were; and where in the posts something was
        found. Whether nothing is left.
        """
        await self._forget_titles(session, member_id)
        about = col(Case.subject_persona_id) == member_id
        closed = select(col(Case.id)).where(about, col(Case.state) == CaseState.DECIDED)
        await session.execute(delete(RecordedFinding).where(col(RecordedFinding.case_id).in_(closed)))
        waits = exists().where(col(Appeal.decision_id) == col(Statement.decision_id), col(Appeal.outcome).is_(None))
        appeal_possible = or_(col(Statement.appeal_until) > now, waits)
        is_open = exists().where(
            col(Talk.id) == col(TalkMessage.talk_id),
            col(Case.id) == col(Talk.case_id),
            col(Case.state) == CaseState.OPEN,
        )
        waits_for_refused = exists().where(col(Case.id) == col(KeptText.case_id), col(Case.state) == CaseState.OPEN)
        waits_for_case = exists().where(col(Case.id) == col(TalkComplaint.case_id), col(Case.state) == CaseState.OPEN)
        gone = [
            await _erase_field(session, REPORT_NOTES, member_id, col(Report.outcome).is_(None)),
            await _erase_field(session, APPEAL_TEXTS, member_id, col(Appeal.outcome).is_(None)),
            await _erase_field(session, ANSWERS, member_id, is_open),
            await _erase_field(session, REFUSED_TEXTS, member_id, waits_for_refused),
            await _erase_field(session, COMPLAINTS, member_id, waits_for_case),
            await _erase_field(session, EXCERPTS, member_id, appeal_possible),
        ]
        return all(gone)

    async def _forget_byline(self, session: AsyncSession, moderator_id: UUID) -> None:
        signed = (
            select(AppliedMeasure)
            .join(Decision, col(Decision.id) == col(AppliedMeasure.decision_id))
            .where(col(Decision.decided_by) == moderator_id, col(AppliedMeasure.notice).is_not(None))
            .order_by(col(AppliedMeasure.thread_id), col(AppliedMeasure.post_id))
        )
        for applied in (await session.execute(signed)).scalars().all():
            await lock_posts_of_thread(session, applied.in_thread, alone=True)
            await remove_moderator_name(session, applied, await lock_post_row(session, applied.on_post))

    async def _forget_names(self, session: AsyncSession, member_id: UUID) -> None:
        """Forget the names and handles that moderators took from a member, and gave them."""
        renamed = (col(AppliedMeasure.member_id) == member_id, col(AppliedMeasure.kind) == MeasureKind.RENAME)
        await session.execute(update(AppliedMeasure).where(*renamed).values(memory={}))

    async def _forget_titles(self, session: AsyncSession, member_id: UUID) -> None:
        retitled = (
            select(AppliedMeasure)
            .join(Thread, col(Thread.id) == col(AppliedMeasure.thread_id))
            .where(is_persona_of(col(Thread.author_id), member_id), col(AppliedMeasure.kind) == MeasureKind.RETITLE)
        )
        for applied in (await session.execute(retitled.with_for_update(of=AppliedMeasure))).scalars().all():
            words = {what: ERASED_TITLE for what in ("was", "became") if isinstance(applied.memory[what], str)}
            applied.memory = {**applied.memory, **words}
        await session.flush()


async def _statements_of(session: AsyncSession, told: Sequence[Record]) -> list[dict[str, Any]]:
    """Return statements, each with the names that its decision took, if it took any."""
    renamed = await renamings.list_of(session, [row.decision_id for row in told])
    taken = {decision_id: renaming._asdict() for decision_id, renaming in renamed.items()}
    return [_without(row._asdict(), "member_id") | {"renamed": taken.get(row.decision_id)} for row in told]


def _without(row: Mapping[str, Any], *hidden: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in hidden}


async def _forget_mentions(session: AsyncSession, table: type[SQLModel], field: str, handle: str) -> None:
    written = col(getattr(table, field))
    naming = select(table).where(written.icontains(f"@{handle}", autoescape=True)).with_for_update(key_share=True)
    for row in (await session.execute(naming)).scalars().all():
        setattr(row, field, without_handle(getattr(row, field), handle))
    await session.flush()


async def _erase_field(
    session: AsyncSession, field: ErasableField, member_id: UUID, still_needed: ColumnElement[bool]
) -> bool:
    """Empty a field in a member's rows, but those that are still needed. Return whether it is empty in all."""
    column = col(getattr(field.table, field.name))
    full = (col(field.owner) == member_id, column != field.empty)
    await session.execute(update(field.table).where(*full, ~still_needed).values({field.name: field.empty}))
    return not (await session.execute(select(exists().where(*full)))).scalar_one()
