"""A case as its screen shows it: the file, and what a moderator wants beside it to decide."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Uuid, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, aggregate_order_by
from sqlmodel import col

from forum.content import boards
from forum.content.boards import Board
from forum.content.posts.tables import HeldState, Visibility
from forum.content.threads.tables import Thread, ThreadState
from forum.core.database import Query, Record, query
from forum.core.errors import Forbidden
from forum.core.work import Transactions, Work
from forum.members.queries import named_columns
from forum.members.tables import Member, Role, Standing
from forum.members.viewer import Viewer
from forum.notifications.inbox import FOR_STAFF, Notification
from moderation import audit_log, case_deciders, case_file, case_queue, reason_templates, reports, rules
from moderation.audit_log import LogSearch
from moderation.case_file import CaseFile
from moderation.cases import Case, CaseKind, CaseState
from moderation.decisions import Decision
from moderation.measures.catalogue import MEASURES
from moderation.measures.tables import AppliedMeasure, MeasureKind, MeasureTarget
from moderation.permissions import ModerationAct, allow
from moderation.rules import Rulebook
from moderation.talks import actions as talks

SHOWN_MAX = 100  # of each list on the screen


@dataclass(frozen=True)
class TalkReading:
    """A talk of a case with its messages."""

    talk: Record
    messages: Sequence[Record]


@dataclass(frozen=True)
class CaseScreen:
    """A case, and what a moderator wants beside it to decide."""

    file: CaseFile
    is_mine: bool  # the viewer is working on it
    useful: Sequence[str]  # the measures that would do something, for this moderator now
    boards: Sequence[Record]  # to which its thread can be moved
    talks: Sequence[TalkReading] | None  # None: not for this moderator
    author_reads: bool  # a message to whom it is about reaches somebody
    decided: Sequence[Record]  # what was decided before, the newest first
    told: Sequence[Record]  # who was told that it waits
    timeline: Sequence[Record]
    rulebook: Rulebook
    templates: Sequence[Record]


@dataclass(frozen=True)
class CaseInShort:
    """A case with what it is about in full, to be looked at beside others."""

    case: Record
    posts: Sequence[Record]  # but for those that their author took back: they are read on the case's own screen
    reports: Sequence[Record]


_TOGETHER = case_queue.ALL_CASES.where(
    col(Case.id) == any_(bindparam("case_ids", type_=ARRAY(Uuid))),
    col(Case.state) == CaseState.OPEN,
    col(Case.kind) != CaseKind.APPEAL,
).order_by(col(Case.priority), col(Case.id))


async def read_together(work: Work, moderator: Viewer, case_ids: Collection[UUID]) -> Sequence[CaseInShort]:
    """Return these open cases, those that the moderator may see, with what was written and reported; no appeals.

    Raises Forbidden for whoever moderates nothing.
    """
    allow(ModerationAct.SEE_QUEUE, moderator)
    found = []
    for case in await case_deciders.list_visible(work, moderator, _TOGETHER, case_ids=list(case_ids)):
        posts = (await work.session.execute(case_file.select_held_posts(case.id))).all()
        kept = [post for post in posts if post.visibility != Visibility.WITHDRAWN]
        reported = (await work.session.execute(reports.select_for_case(case.id))).all()
        found.append(CaseInShort(case, kept, reported))
    return found


async def read_case(transactions: Transactions, moderator: Viewer, case_id: UUID) -> CaseScreen:
    """Return a case as its screen shows it. Raises Forbidden, and NotFound when it does not exist for the moderator."""
    file = await case_file.get_case_file(transactions, moderator, case_id)
    search = LogSearch(subject_kind="case", subject_id=str(case_id))
    timeline = await audit_log.list_entries(transactions.reader, moderator, search, None, SHOWN_MAX)
    async with transactions.begin() as work:
        goals = await _list_boards(work, moderator, file.case)
        return CaseScreen(
            file=file,
            is_mine=file.case.claimant_handle == moderator.handle,
            useful=await _list_useful(work, moderator, file, goals),
            boards=goals,
            talks=await _list_talks(work, moderator, case_id),
            author_reads=await talks.has_reader(work, file.case.author_id),
            decided=(await work.session.execute(select_decisions(case_id))).all(),
            told=(await work.session.execute(select_told(case_id))).all(),
            timeline=timeline.rows,
            rulebook=await rules.get_rulebook(transactions.reader),
            templates=await reason_templates.list_templates(work, moderator),
        )


def select_decisions(case_id: UUID) -> Query:
    """Return a select of what was decided about a case, the newest first, with the kinds of the measures.

    Without a name of who decided, it was the old board.
    """
    kinds = (
        select(func.array_agg(aggregate_order_by(col(AppliedMeasure.kind), col(AppliedMeasure.id))))
        .where(col(AppliedMeasure.decision_id) == col(Decision.id))
        .scalar_subquery()
    )
    return (
        query(
            col(Decision.id),
            col(Decision.decided_at),
            col(Decision.reason),
            col(Decision.note),
            kinds.label("kinds"),
            *named_columns(Member, "decider"),
        )
        .outerjoin(Member, col(Member.id) == col(Decision.decided_by))
        .where(col(Decision.case_id) == case_id)
        .order_by(col(Decision.decided_at).desc(), col(Decision.id).desc())
        .limit(SHOWN_MAX)
    )


def select_told(case_id: UUID) -> Query:
    """Return a select of who was told that a case waits, and when; it is empty once the case is decided."""
    return (
        query(col(Notification.kind), col(Notification.at), col(Notification.read_at), *named_columns(Member, "told"))
        .join(Member, col(Member.id) == col(Notification.member_id))
        .where(col(Notification.subject_id) == case_id, col(Notification.kind).in_(FOR_STAFF))
        .order_by(col(Notification.at), col(Notification.id))
        .limit(SHOWN_MAX)
    )


async def _list_boards(work: Work, moderator: Viewer, case: Record) -> Sequence[Record]:
    if case.board_id is None:
        return []
    listed = query(col(Board.slug), col(Board.name)).where(col(Board.id) != case.board_id)
    if Role.ADMINISTRATOR not in moderator.roles:
        listed = listed.where(boards.MODERATED)
    ordered = listed.order_by(col(Board.position), col(Board.id))
    return (await work.session.execute(ordered, moderator.query_parameters)).all()


async def _list_talks(work: Work, moderator: Viewer, case_id: UUID) -> Sequence[TalkReading] | None:
    try:
        page = await talks.list_talks(work, moderator, case_id, None, SHOWN_MAX)
    except Forbidden:
        return None
    messages = [await talks.list_messages(work, moderator, talk.id, None, SHOWN_MAX) for talk in page.rows]
    return [TalkReading(talk, found.rows) for talk, found in zip(page.rows, messages, strict=True)]


async def _list_useful(work: Work, moderator: Viewer, file: CaseFile, goals: Sequence[Record]) -> Sequence[MeasureKind]:
    """Return the kinds of measures that would do something about a case, for somebody who may decide it."""
    if file.case.state != CaseState.OPEN:
        return []
    refused = await case_deciders.why_not_decide(work, moderator, file.case.id, sanctions=True)
    visibilities = {post.visibility for post in file.posts}
    is_waiting = any(edit.state == HeldState.WAITING for edit in file.held_edits)
    is_held = Visibility.HELD in visibilities
    is_shown = bool(visibilities & {Visibility.VISIBLE, Visibility.HELD})
    is_one = len(file.posts) == 1
    has_open_thread = bool(file.posts) and await _has_open_thread(work, file)
    is_appeal = file.case.kind == CaseKind.APPEAL
    standing = file.author.standing
    is_here = standing != Standing.LEFT
    is_old = file.from_old_board  # what is decided here takes its place, even if it is the same
    may_sanction = is_here and refused is None
    does_something = {
        MeasureKind.PUBLISH: is_held or is_waiting,
        MeasureKind.REFUSE: is_waiting,
        # Of an appeal: the decision that they are to replace may have taken these words out.
        MeasureKind.EDIT: is_one and (is_shown or is_appeal),
        MeasureKind.REDACT: is_one and (is_shown or is_appeal),
        MeasureKind.REMOVE: is_shown or ((is_appeal or is_old) and bool(file.posts)),
        MeasureKind.RETITLE: is_one,
        MeasureKind.LOCK: has_open_thread or (is_appeal and bool(file.posts)),
        MeasureKind.MOVE: is_one and bool(goals),
        MeasureKind.RENAME: is_here,
        MeasureKind.WARN: may_sanction,
        MeasureKind.REVIEW: may_sanction and (standing != Standing.BANNED or is_old),
        MeasureKind.SILENCE: may_sanction and (standing != Standing.BANNED or is_old),
        MeasureKind.SUSPEND: may_sanction and (standing != Standing.BANNED or is_old),
        MeasureKind.BAN: may_sanction and (standing != Standing.BANNED or is_appeal or is_old),
        MeasureKind.DISMISS: not (is_held or is_waiting or is_appeal),
    }
    on_post = {MeasureTarget.POST, MeasureTarget.THREAD}
    return [kind for kind in MEASURES if does_something[kind] and (file.posts or MEASURES[kind].acts_on not in on_post)]


async def _has_open_thread(work: Work, file: CaseFile) -> bool:
    threads = {post.thread_id for post in file.posts}
    state = select(col(Thread.id)).where(col(Thread.id).in_(threads), col(Thread.state) == ThreadState.OPEN)
    return (await work.session.execute(state.limit(1))).first() is not None
