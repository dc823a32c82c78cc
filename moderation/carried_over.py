"""What an old board decided, as it stands here: each removal and each ban with a decision that nobody here took.

Moderators read in its case when that was, by whom and why, as far as the old board kept it. The author reads a
statement, and can appeal from the day of the move on; no notice and no mail tells them. An appeal undoes it as it
undoes any decision, and what is decided here in the same case takes its place.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Uuid, any_, bindparam, func, select, update
from sqlalchemy import case as case_when
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.content.words import own_lines
from forum.core import jobs
from forum.core.database import new_id, rows_of
from forum.core.settings import Settings
from forum.importers.copying import copy_rows
from forum.importers.old_moderation import OldApproval, OldBan, OldRemoval, OldReport, OldTerm, OldWarning, RunTime
from moderation import cases, redaction, statements, watched_terms
from moderation.case_priority import Category, priority
from moderation.cases import Case, CaseKind, CasePost, CaseState
from moderation.decisions import Decision
from moderation.measures.tables import AppliedMeasure, MeasureKind
from moderation.past_warnings import PastWarning
from moderation.reports import NOTE_MAX, Capacity, Report
from moderation.sanction_expiry import STANDING_ENDED
from moderation.statements import Statement

# The old board may have gone on after the forum moved here.
REMOVED = "This was removed on the old board. It stays so until somebody looks at it again."
TAKEN_BACK = "Its author took it back on the old board."
NOT_THERE = "It is no longer on the old board. Perhaps its author deleted it there."
BANNED = "You were banned on the old board. A moderator of this forum decides anew."
APPROVED = "A moderator of the old board let it appear."
UNDATED = "The old board did not keep when."
REPORTED = "It was reported on the old board, without a reason."
REASON_MAX = 2000  # characters of what the old board wrote: phpBB has room for 255
# What phpBB offers to whoever reports; a board may have reasons of its own.
_CATEGORIES = {"spam": Category.SPAM, "warez": Category.ILLEGAL}


@dataclass(frozen=True)
class CarriedOver:
    """Keeps here what an old board decided."""

    settings: Settings

    async def keep_removals(self, session: AsyncSession, run: RunTime, removals: Sequence[OldRemoval]) -> None:
        """Let a decision of the old board stand behind each removed post, and a statement to its author.

        Whoever has no account reads none. What its author took back is no measure of anybody: nobody is told of it,
        and nothing can be undone; nor is anybody told of what they may have deleted. Whoever removed a post and came
        too does not hear the appeal against it. The caller has locked the posts; a decision on what was on the screen
        of an open case before is refused.
        """
        if not removals:
            return
        # A post that moved before may have a case here.
        known = await _lock_cases(session, [removal.post_id for removal in removals])
        decided = [(removal, _place_of(known.get(removal.post_id)), new_id()) for removal in removals]
        new = [(removal, place.id) for removal, place, _ in decided if removal.post_id not in known]
        await copy_rows(session, Case, [_case_row(removal, case_id) for removal, case_id in new])
        await _note_revisions(session, [removal.post_id for removal, _ in new])
        await copy_rows(session, Decision, [_decision_row(*one, run.run_id) for one in decided])
        for removal, _, _ in decided:
            if case := known.get(removal.post_id):
                _note_in(case, removal, run.now)
        await session.flush()
        taken = [(removal, made) for removal, _, made in decided if not removal.by_author]
        await copy_rows(session, AppliedMeasure, [_measure_row(*one) for one in taken])
        told = [(removal, made) for removal, made in taken if removal.is_told]
        await copy_rows(session, Statement, [_statement_row(self._tell_of_removal(*one, run.now)) for one in told])

    async def keep_approvals(self, session: AsyncSession, run: RunTime, approvals: Sequence[OldApproval]) -> None:
        """Close the cases of posts that waited for nothing but what the old board decided, as by a decision of it.

        Where somebody reported the post here, or screening found something in it, its case stays open.
        """
        known = await _lock_cases(session, [one.post_id for one in approvals]) if approvals else {}
        for one in approvals:
            case = known.get(one.post_id)
            if case is None or not await _waits_for_approval(session, case):
                continue
            session.add(
                Decision(
                    case_id=case.id,
                    decided_by=None,
                    import_run_id=run.run_id,
                    decided_at=run.now,
                    case_version=case.version,
                    revision=one.revision,
                    title_revision=one.title_revision,
                    reason=APPROVED,
                    note=None,
                )
            )
            await cases.mark_decided(session, case, one.revision, by=None, now=run.now)

    async def keep_bans(self, session: AsyncSession, run: RunTime, bans: Sequence[OldBan]) -> None:
        """Say to each why they are banned, and open a case about them: a moderator here decides."""
        for ban in bans:
            case, _ = await cases.open_on_member(session, ban.member_id, Category.OTHER, run.now)
            decision = Decision(
                case_id=case.id,
                decided_by=None,
                import_run_id=run.run_id,
                decided_at=ban.since,
                case_version=case.version,
                revision=None,
                reason=_with_quote(BANNED, ban.reason),
                note=_with_quote("", ban.note) or None,
            )
            session.add(decision)
            await session.flush()
            applied = AppliedMeasure(
                decision_id=decision.id,
                kind=MeasureKind.BAN,
                post_id=None,
                thread_id=None,
                member_id=ban.member_id,
                until=ban.until,
                memory={"sanction": str(ban.sanction_id)},
                notice=None,
                applied_at=ban.since,
            )
            session.add(applied)
            await session.flush()
            await jobs.enqueue(session, STANDING_ENDED, {"measure": str(applied.id)}, at=ban.until)
            measure = {"kind": str(MeasureKind.BAN), "until": ban.until.isoformat()}
            told = self._statement(decision.id, run.now, member_id=ban.member_id, measures=[measure], excerpts=[])
            told.reason = decision.reason
            await statements.issue(session, told)

    async def keep_warnings(self, session: AsyncSession, run: RunTime, warnings: Sequence[OldWarning]) -> None:
        """Note on their records that people were warned."""
        brought = {"import_run_id": run.run_id}
        await copy_rows(session, PastWarning, [{**one._asdict(), **brought} for one in warnings])

    async def find_known_warnings(self, session: AsyncSession, warnings: Sequence[OldWarning]) -> Collection[UUID]:
        """Return which of these were noted before, by id."""
        return await _find_ids(session, col(PastWarning.id), [one.id for one in warnings])

    async def find_known_reports(self, session: AsyncSession, reports: Sequence[OldReport]) -> Collection[UUID]:
        """Return which of these came before, or were made here too by the same member, by id."""
        known = await _find_ids(session, col(Report.id), [one.id for one in reports])
        here = select(
            *(col(column) for column in (Report.post_id, Report.revision, Report.title_revision, Report.reporter_id)),
            col(Report.category),
        )
        these = col(Report.post_id) == any_(bindparam("ids", type_=ARRAY(BigInteger)))
        made = await session.execute(here.where(these), {"ids": [one.post_id for one in reports]})
        said = {tuple(row) for row in made if row.reporter_id}
        places = {
            one.id: (one.post_id, one.revision, one.title_revision, one.reporter_id, _category_of(one))
            for one in reports
        }
        return known | {report_id for report_id, place in places.items() if place in said}

    async def open_reports(self, session: AsyncSession, run: RunTime, reports: Sequence[OldReport]) -> None:
        """Open the case of each post that somebody reported. Of a reporter who did not come, nothing is said."""
        for one in reports:
            category = _category_of(one)
            case = await cases.open_on_post(session, one.post_id, category, run.now, reports=1)
            report = Report(
                id=one.id,
                case_id=case.id,
                post_id=one.post_id,
                revision=one.revision,
                title_revision=one.title_revision,
                reporter_id=one.reporter_id,
                capacity=None if one.reporter_id else Capacity.OTHER,
                category=category,
                rules=[],
                note=_cut(_note_of_report(one), NOTE_MAX) or REPORTED,
                filed_at=one.reported_at,
            )
            session.add(report)
        await session.flush()

    async def offer_terms(self, session: AsyncSession, run: RunTime, terms: Sequence[OldTerm]) -> int:
        """Offer the words that the old board replaced, for an administrator to choose from: none is sought yet.

        Return how many are new.
        """
        noted = [(one.words, f"The old board showed “{_cut(one.replacement, 200)}” instead.") for one in terms]
        return await watched_terms.offer(session, noted, run.run_id, run.now)

    def _tell_of_removal(self, removal: OldRemoval, decision_id: UUID, now: datetime) -> Statement:
        measure, words = {"kind": str(MeasureKind.REMOVE), "until": None}, [removal.words]
        told = self._statement(decision_id, now, member_id=removal.author_id, measures=[measure], excerpts=words)
        told.post_id, told.reason = removal.post_id, REMOVED
        return told

    def _statement(self, decision_id: UUID, now: datetime, **about: Any) -> Statement:
        return Statement(
            decision_id=decision_id,
            **about,
            reason="",
            rules=[],
            law=None,
            initiative="moderator",
            automated_detection=False,
            automated_decision=False,
            issued_at=now,
            appeal_until=now + timedelta(days=self.settings.appeal_days),
        )


def _category_of(report: OldReport) -> Category:
    return _CATEGORIES.get(report.title.strip().casefold(), Category.OTHER)


def _note_of_report(report: OldReport) -> str:
    """Return what a reporter wrote, after the reason that they chose."""
    said = [] if report.reason == report.title else [report.reason]
    return ": ".join(filter(None, [report.title, *said]))


async def _waits_for_approval(session: AsyncSession, case: Case) -> bool:
    """Return whether an open case is about this one post, which was held, and about nothing that anybody found here."""
    is_open = case.state == CaseState.OPEN and case.category == Category.HELD
    if not is_open or case.reports or case.findings or case.dangers or case.is_flagged:
        return False
    held = select(func.count()).select_from(CasePost).where(col(CasePost.case_id) == case.id)
    return (await session.execute(held)).scalar_one() == 1


class _CaseVersion(NamedTuple):
    """The case in which something was decided, and in which version."""

    id: UUID
    version: int


def _case_row(removal: OldRemoval, case_id: UUID) -> dict[str, Any]:
    at = removal.at
    return {
        "id": case_id,
        "kind": CaseKind.POST.value,
        "subject_persona_id": removal.author_id,
        "post_id": removal.post_id,
        "state": CaseState.DECIDED.value,
        "category": Category.OTHER.value,
        "reports": 0,
        "priority": priority(Category.OTHER, 0),
        "version": 1,
        "opened_at": at,
        "due_at": at,
        "decided_at": at,
        "decided_revision": removal.revision,
        "changed_at": at,
        "barred_id": removal.by_id,
    }


async def _find_ids(session: AsyncSession, column: Any, ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these ids a table has."""
    found = select(column).where(column == any_(bindparam("ids", type_=ARRAY(Uuid()))))
    return set((await session.execute(found, {"ids": list(ids)})).scalars())


async def _lock_cases(session: AsyncSession, post_ids: Sequence[int]) -> dict[int | None, Case]:
    """Return the case of each of these posts that has one of its own, locked until the transaction ends."""
    these = (col(Case.kind) == CaseKind.POST, col(Case.post_id) == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    locked = select(Case).where(*these).order_by(col(Case.id)).with_for_update(key_share=True)
    found = await session.execute(locked, {"ids": list(post_ids)}, execution_options={"populate_existing": True})
    return {case.post_id: case for case in found.scalars()}


def _place_of(case: Case | None) -> _CaseVersion:
    return _CaseVersion(case.id, case.version) if case else _CaseVersion(new_id(), 1)


def _note_in(case: Case, removal: OldRemoval, now: datetime) -> None:
    """Let a case that was there know of what the old board decided."""
    case.barred_id = case.barred_id or removal.by_id
    if case.state == CaseState.OPEN:
        cases.raise_version(case, None, now)


async def _note_revisions(session: AsyncSession, post_ids: Sequence[int]) -> None:
    """Note on which revisions was decided: the trigger that has a case hold its post knows none."""
    held = rows_of(CasePost)
    these = (held.c.post_id == col(Post.id), held.c.post_id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    title_revision = case_when((col(Post.number) == 1, 1))
    decided = update(held).where(*these).values(revision=col(Post.revision), title_revision=title_revision)
    await session.execute(decided, {"ids": list(post_ids)})


def _decision_row(removal: OldRemoval, place: _CaseVersion, decision_id: UUID, run_id: UUID) -> dict[str, Any]:
    return {
        "id": decision_id,
        "case_id": place.id,
        "import_run_id": run_id,
        "decided_at": removal.at,
        "case_version": place.version,
        "revision": removal.revision,
        "title_revision": 1 if removal.number == 1 else None,
        "reason": TAKEN_BACK if removal.by_author else REMOVED if removal.is_decided else NOT_THERE,
        "note": _note_of(removal),
    }


def _measure_row(removal: OldRemoval, decision_id: UUID) -> dict[str, Any]:
    # As a removal here records it. In quotes of it, its words were left out before they came.
    undo_data = {"mark": redaction.marker(()), "spans": [[removal.revision, own_lines(removal.words)]], "changes": []}
    return {
        "decision_id": decision_id,
        "kind": MeasureKind.REMOVE.value,
        "post_id": removal.post_id,
        "thread_id": removal.thread_id,
        "member_id": removal.author_id,
        "memory": json.dumps(undo_data),
        "notice": removal.notice,
        "applied_at": removal.at,
    }


def _statement_row(statement: Statement) -> dict[str, Any]:
    lists = {name: json.dumps(getattr(statement, name)) for name in ("measures", "excerpts", "rules")}
    return {**statement.model_dump(), **lists}


def _note_of(removal: OldRemoval) -> str | None:
    """Return what moderators read: by whom, where they came too, and why. A handle goes from it when they leave."""
    by = f"Removed by @{removal.by}." if removal.by and not removal.by_author else ""
    return _with_quote(" ".join(filter(None, (by, "" if removal.is_dated else UNDATED))), removal.reason) or None


def _with_quote(sentence: str, words: str) -> str:
    quoted = f"The old board wrote: “{_cut(words, REASON_MAX)}”" if words.strip() else ""
    return f"{sentence} {quoted}".strip()


def _cut(text: str, most: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"
