"""Who may work on a case about a post or an appeal: permission, and whether a moderator is too close to it."""

from uuid import UUID

from forum.core.database import Record
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation import appeals, case_queue, decisions
from moderation.cases import CaseKind
from moderation.decisions import CaseDeciders
from moderation.permissions import ModerationAct, allow, refusal, refuse


async def get_workable_case(work: Work, moderator: Viewer, case_id: UUID) -> Record:
    """Return a case that the moderator may work on. Raises NotFound when it does not exist for them, and Forbidden."""
    allow(ModerationAct.SEE_QUEUE, moderator)
    case = await case_queue.get_visible_case(work, moderator, case_id)
    refuse(await missing_permission(work, moderator, case))
    return case


async def missing_permission(work: Work, moderator: Viewer, case: Record) -> Refusal | None:
    """Return why the moderator has no permission to decide this case, or None."""
    if case.kind == CaseKind.APPEAL:
        appeal = await appeals.get_for_case(work.session, case.id)
        deciders = await appeals.appeal_deciders(work.session, appeal)
        return refusal(ModerationAct.HEAR_APPEAL, moderator, CaseDeciders(case.board_id, deciders))
    if case.barred_id:
        others = await decisions.deciders_of_reopened_case(work.session, case) or ""
        return refusal(ModerationAct.DECIDE_AGAIN, moderator, CaseDeciders(case.board_id, others))
    return refusal(ModerationAct.DECIDE_CASE, moderator, case)


async def own_interest(work: Work, moderator: Viewer, case: Record) -> Refusal | None:
    """Return why the moderator is too close to this case to work on it, or None."""
    if case.kind == CaseKind.APPEAL:
        appeal = await appeals.get_for_case(work.session, case.id)
        return await appeals.own_interest(work.session, moderator, appeal, case)
    reason = await decisions.own_interest(work.session, moderator, case)
    return reason or await decisions.repeat_decision(work.session, moderator, case)
