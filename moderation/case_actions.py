"""What a moderator does with a case: claim it, release it, step back, add a note, decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import and_, delete, or_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from forum.core import audit, logs
from forum.core.database import Record, query
from forum.core.errors import ForumError, Overloaded
from forum.core.idempotency import Repeat
from forum.core.work import Transactions, Work
from forum.members.viewer import Viewer
from forum.notifications import inbox
from moderation import appeals, case_calls, case_deciders, cases, decisions
from moderation.case_queue import get_workable_case
from moderation.cases import CaseClaim, CaseKind, CaseNote, CaseRecusal, lock_case_row
from moderation.decisions import Decided, DecisionInput
from moderation.permissions import ModerationAct, allow, refuse
from moderation.talks import complaints

log = structlog.get_logger()


@dataclass(frozen=True)
class CaseInput:
    """One of several cases, and what is decided about it."""

    case_id: UUID
    decision: DecisionInput
    repeat: Repeat | None = None


CLAIM_LASTS = timedelta(minutes=10)


async def claim(work: Work, moderator: Viewer, case_id: UUID, *, takeover_reason: str | None = None) -> datetime:
    """Claim a case for ten minutes, or renew one's own claim. Return when it ends.

    Raises NotFound, Forbidden, and Conflict for a decided case or one that somebody else is working on, unless
    `takeover_reason` says why to take it over.
    """
    await get_workable_case(work, moderator, case_id)
    refuse(await case_deciders.why_not_decide(work, moderator, case_id))
    await cases.refuse_decided(work.session, await lock_case_row(work.session, case_id))
    before = await _get_current_claim(work, case_id)
    until = work.now + CLAIM_LASTS
    values: dict[str, Any] = {"moderator_id": moderator.member_id, "claimed_at": work.now, "until": until}
    # One statement takes the place of a claim that ran out: of two moderators at once, one gets the case.
    is_free = or_(col(CaseClaim.until) <= work.now, col(CaseClaim.moderator_id) == moderator.member_id)
    taken = (
        insert(CaseClaim)
        .values(case_id=case_id, **values)
        .on_conflict_do_update(
            index_elements=[col(CaseClaim.case_id)], set_=values, where=None if takeover_reason else is_free
        )
        .returning(col(CaseClaim.case_id))
    )
    if (await work.session.execute(taken)).first() is None:
        raise await cases.claimed_by_another(work.session, case_id)
    await case_calls.acknowledge(work.session, case_id, moderator.member_id, work.now)
    if takeover_reason:
        await _save_note(work, moderator, case_id, takeover_reason)
        await _tell_of_takeover(work, moderator, before)
    await _record(work, moderator, "case.taken_over" if takeover_reason else "case.claimed", case_id)
    return until


async def release(work: Work, moderator: Viewer, case_id: UUID) -> None:
    """Release one's own claim. Idempotent. Raises NotFound and Forbidden."""
    await get_workable_case(work, moderator, case_id)
    await _release(work, moderator, case_id)


async def recuse(work: Work, moderator: Viewer, case_id: UUID) -> None:
    """Step back from a case for good. Idempotent. Raises NotFound and Forbidden."""
    await get_workable_case(work, moderator, case_id)
    row = insert(CaseRecusal).values(case_id=case_id, moderator_id=moderator.member_id, at=work.now)
    added = row.on_conflict_do_nothing().returning(col(CaseRecusal.case_id))
    if (await work.session.execute(added)).first():
        if not await _release(work, moderator, case_id):
            await cases.enqueue_alert(work.session, case_id, by=moderator.id)
        await _record(work, moderator, "case.recused", case_id)


async def add_note(
    work: Work, moderator: Viewer, case_id: UUID, words: str, *, repeat: Repeat | None = None
) -> CaseNote:
    """Write a note for the other moderators, and renew one's own claim. A `repeat` returns the note that it made.

    Raises NotFound, Forbidden, and what `Repeat.earlier` raises.
    """
    await get_workable_case(work, moderator, case_id)
    if repeat and (earlier := await repeat.earlier(work)):
        return await work.session.get_one(CaseNote, UUID(earlier))
    note = await _save_note(work, moderator, case_id, words)
    if repeat:
        await repeat.keep(work, note.id)
    return note


async def decide(
    work: Work, moderator: Viewer, case_id: UUID, wanted: DecisionInput, *, repeat: Repeat | None = None
) -> Decided:
    """Decide a case: about posts or a member by measures, about an appeal by its outcome. A `repeat` returns its
    decision.

    Raises NotFound, Forbidden, as `decisions.decide` and `appeals.decide_appeal` do, and what `Repeat.earlier` raises.
    """
    case = await get_workable_case(work, moderator, case_id)
    if repeat and (earlier := await repeat.earlier(work)):
        return await decisions.get_decided(work.session, UUID(earlier))
    decided = await _decide(work, moderator, case, wanted)
    if repeat:
        await repeat.keep(work, decided.decision.id)
    return decided


async def _decide(work: Work, moderator: Viewer, case: Any, wanted: DecisionInput) -> Decided:
    case_id = case.id
    if case.kind != CaseKind.APPEAL:
        decided = await decisions.decide(work, moderator, case_id, wanted)
        await complaints.settle(work, case_id, wanted.report_outcome)
        return decided
    # An appeal gets no reports meanwhile, so whoever decides it need not send what was on the screen.
    version, revision = wanted.version or case.version, wanted.revision or case.post_revision
    return await appeals.decide_appeal(work, moderator, case_id, replace(wanted, version=version, revision=revision))


async def decide_each(
    transactions: Transactions, moderator: Viewer, wanted: Iterable[CaseInput]
) -> Sequence[Decided | ForumError]:
    """Decide several cases, each in a transaction of its own. Return, for each, the decision or why there is none.

    What a request with the same key decided before is returned again, and the rest is decided: the first request may
    have ended in the middle.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    return [await _decide_alone(transactions, moderator, one) for one in wanted]


async def _decide_alone(transactions: Transactions, moderator: Viewer, wanted: CaseInput) -> Decided | ForumError:
    try:
        async with transactions.begin() as work:
            return await decide(work, moderator, wanted.case_id, wanted.decision, repeat=wanted.repeat)
    except ForumError as error:
        return error
    except SQLAlchemyError as error:
        log.warning("bulk_decision_failed", kind=type(error).__name__, frames=logs.frames(error))
        return Overloaded("The forum is busy at this moment. Nothing was changed; please send it again.", code="busy")


async def _release(work: Work, moderator: Viewer, case_id: UUID) -> bool:
    """Release one's own claim, and return whether there was one."""
    await lock_case_row(work.session, case_id)  # before the claim's row, as whoever decides locks them
    own = delete(CaseClaim).where(col(CaseClaim.case_id) == case_id, col(CaseClaim.moderator_id) == moderator.member_id)
    if (await work.session.execute(own.returning(col(CaseClaim.case_id)))).first() is None:
        return False
    await cases.enqueue_alert(work.session, case_id, by=moderator.id)
    await _record(work, moderator, "case.released", case_id)
    return True


async def _get_current_claim(work: Work, case_id: UUID) -> Record | None:
    claim = query(col(CaseClaim.case_id), col(CaseClaim.moderator_id))
    found = await work.session.execute(claim.where(col(CaseClaim.case_id) == case_id, col(CaseClaim.until) > work.now))
    return found.one_or_none()


async def _tell_of_takeover(work: Work, moderator: Viewer, before: Record | None) -> None:
    if before and before.moderator_id != moderator.id:
        taken_over = inbox.NotificationKind.CASE_TAKEN_OVER
        await inbox.notify(work.session, before.moderator_id, taken_over, work.now, subject_id=before.case_id)


async def _save_note(work: Work, moderator: Viewer, case_id: UUID, words: str) -> CaseNote:
    note = CaseNote(case_id=case_id, author_id=moderator.member_id, text=words, at=work.now)
    work.session.add(note)
    own = and_(
        col(CaseClaim.case_id) == case_id,
        col(CaseClaim.moderator_id) == moderator.member_id,
        col(CaseClaim.until) > work.now,
    )
    await work.session.execute(update(CaseClaim).where(own).values(until=work.now + CLAIM_LASTS))
    await work.session.flush()
    return note


async def _record(work: Work, moderator: Viewer, act: str, case_id: UUID) -> None:
    await audit.record(work.session, actor_id=moderator.id, act=act, subject=("case", case_id), now=work.now)
