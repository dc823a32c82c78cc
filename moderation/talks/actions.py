"""What moderators and the member do in a talk: write, answer, read, close."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import exists, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from forum.content.crisis_help import also_when_refused
from forum.core import audit, pagination
from forum.core.database import Record, new_id
from forum.core.errors import Conflict, NotFound
from forum.core.gate import PostAuthor, Submission
from forum.core.idempotency import Repeat
from forum.core.pagination import Page
from forum.core.work import Work
from forum.importers.without_account import came_without_account
from forum.members.aliases import get_owner
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.notifications import inbox
from forum.notifications.inbox import NotificationKind
from moderation import case_deciders, cases
from moderation.appeals import Appeal
from moderation.case_priority import Category
from moderation.case_queue import get_workable_case
from moderation.cases import CaseKind, CaseState
from moderation.permissions import refuse
from moderation.reports import Report
from moderation.screening.finding import FindingKind
from moderation.talks import queries
from moderation.talks.tables import Talk, TalkMessage, TalkSide


@dataclass(frozen=True)
class MessageToMember:
    """What a moderator writes: to the member whom the case is about, or to who made one of its reports."""

    text: str
    signed: bool
    report_id: UUID | None = None


# The moderators' side: whoever may decide the case


async def write_to_member(
    work: Work, moderator: Viewer, case_id: UUID, message: MessageToMember, *, repeat: Repeat | None = None
) -> Record:
    """Write to a member about a case, and begin the talk with them if there is none. Return the message.

    Raises Throttled, NotFound, Forbidden, Conflict for a talk that is closed or somebody without account here, and what
    `Repeat.earlier` raises.
    """
    message_id = await repeat.earlier(work) if repeat else None
    if message_id is None:
        await work.count_try("talk", "talks", moderator.id)
        case = await _get_own_case(work, moderator, case_id)
        talk = await _begin(work, moderator, case, message.report_id)
        written = TalkMessage(
            talk_id=talk.id, moderator_id=moderator.id, signed=message.signed, text=message.text, at=work.now
        )
        message_id = str(await _save(work, written, repeat))
        await _tell_member(work, talk)
        await _record(work, moderator, "talk.written", talk)
    return (await work.session.execute(queries.select_message(UUID(message_id)))).one()


async def list_talks(work: Work, moderator: Viewer, case_id: UUID, after: str | None, limit: int) -> Page:
    """Return a page of the talks of a case. Raises NotFound, Forbidden, and Invalid for a cursor of another list."""
    found = queries.select_of_case(case_id, _place(after), limit + 1)
    await _get_own_case(work, moderator, case_id)
    return _page((await work.session.execute(found)).all(), limit)


async def has_reader(work: Work, persona_id: UUID) -> bool:
    """Return whether somebody reads what is written to this persona: they have an account, and did not leave."""
    member = await work.session.get_one(Member, await get_owner(work.session, persona_id))
    return member.left_at is None


async def list_messages(work: Work, moderator: Viewer, talk_id: UUID, after: str | None, limit: int) -> Page:
    """Return a page of a talk's messages, oldest first. Raises as `list_talks` does."""
    found = queries.select_messages(talk_id, _place(after), limit + 1)
    await _get_own_case(work, moderator, (await _get_talk(work, talk_id)).case_id)
    return _page((await work.session.execute(found)).all(), limit)


async def close_talk(work: Work, moderator: Viewer, talk_id: UUID) -> None:
    """Close a talk, so that nobody can write there. Idempotent. Raises NotFound and Forbidden."""
    talk = await _lock_talk_of_own_case(work, moderator, talk_id)
    if talk.closed_at is None:
        talk.closed_at = work.now
        await work.session.flush()
        await _record(work, moderator, "talk.closed", talk)


async def reopen_talk(work: Work, moderator: Viewer, talk_id: UUID) -> None:
    """Open a closed talk again. Idempotent. Raises NotFound and Forbidden."""
    talk = await _lock_talk_of_own_case(work, moderator, talk_id)
    if talk.closed_at is not None:
        talk.closed_at = None
        await work.session.flush()
        await _record(work, moderator, "talk.reopened", talk)


# The member's side, in any standing: who is banned may still answer


async def answer(work: Work, member: Viewer, talk_id: UUID, words: str, *, repeat: Repeat | None = None) -> Record:
    """Answer in one's own talk. Words of somebody in danger make the case urgent.

    Raises Throttled, NotFound for a talk with somebody else, Conflict when it is closed, and what `Repeat.earlier`
    raises.
    """
    async with also_when_refused(work, member, "answer", [words]):
        return await _answer(work, member, talk_id, words, repeat)


async def _answer(work: Work, member: Viewer, talk_id: UUID, words: str, repeat: Repeat | None) -> Record:
    message_id = await repeat.earlier(work) if repeat else None
    if message_id is None:
        await work.count_try("talk", "talks", member.id)
        talk = await lock_own_talk(work, member, talk_id)
        _refuse_closed(talk)
        is_crisis = await tells_of_danger(work, member, words)
        written = TalkMessage(talk_id=talk.id, persona_id=talk.persona_id, crisis=is_crisis, text=words, at=work.now)
        message_id = str(await _save(work, written, repeat))
        if is_crisis:
            await _raise_case(work, talk)
        await _tell_moderators(work, talk)
    own = queries.select_all_messages_to(member).where(col(TalkMessage.id) == UUID(message_id))
    return (await work.session.execute(own)).one()


async def lock_own_talk(work: Work, member: Viewer, talk_id: UUID) -> Talk:
    """Return the viewer's own talk, locked until the transaction ends. Raises NotFound for one with somebody else."""
    talk = await _lock_talk(work, talk_id)
    if talk.persona_id not in member.personas:
        raise _no_talk()
    return talk


async def tells_of_danger(work: Work, member: Viewer, words: str) -> bool:
    """Return whether screening finds words of somebody in danger. What is written here is never held back."""
    author = PostAuthor(member.member_id, member.is_staff, published=0)
    judged = await work.gate.judge(work.session, Submission(author, (words,)))
    return any(located.finding.kind == FindingKind.CRISIS for located in judged.findings)


async def list_own_talks(work: Work, member: Viewer, after: str | None, limit: int) -> Page:
    """Return a page of the viewer's own talks, newest first. Raises Invalid for a cursor of another list."""
    found = queries.select_own(member, _place(after), limit + 1)
    return _page((await work.session.execute(found)).all(), limit)


@dataclass(frozen=True)
class OwnTalk:
    """A talk as its member sees it, with a page of its messages, oldest first."""

    talk: Record
    page: Page


async def read_own_talk(work: Work, member: Viewer, talk_id: UUID, after: str | None, limit: int) -> OwnTalk:
    """Return the viewer's own talk with a page of its messages. Raises as `list_own_messages` does."""
    page = await list_own_messages(work, member, talk_id, after, limit)
    own = queries.select_own(member, None, 1).where(col(Talk.id) == talk_id)
    return OwnTalk((await work.session.execute(own)).one(), page)


async def list_own_messages(work: Work, member: Viewer, talk_id: UUID, after: str | None, limit: int) -> Page:
    """Return a page of the messages of the viewer's own talk, oldest first.

    Raises NotFound for a talk with somebody else, and Invalid for a cursor of another list.
    """
    found = queries.select_messages_to(member, talk_id, _place(after), limit + 1)
    if (await _get_talk(work, talk_id)).persona_id not in member.personas:
        raise _no_talk()
    return _page((await work.session.execute(found)).all(), limit)


def _place(after: str | None) -> tuple[UUID] | None:
    return pagination.decode(after, queries.BY_ID) if after is not None else None


def _page(rows: Sequence[Record], limit: int) -> Page:
    return pagination.page_of(rows, limit, lambda row: (str(row.id),))


async def _get_own_case(work: Work, moderator: Viewer, case_id: UUID) -> Record:
    """Return a case whose talks the moderator may read and write: one that they may decide, or have decided."""
    case = await get_workable_case(work, moderator, case_id)
    refuse(await case_deciders.why_not_decide(work, moderator, case_id))
    return case


async def _get_talk(work: Work, talk_id: UUID) -> Talk:
    talk = await work.session.get(Talk, talk_id)
    if talk is None:
        raise _no_talk()
    return talk


async def _lock_talk(work: Work, talk_id: UUID) -> Talk:
    talk = await work.session.get(Talk, talk_id, with_for_update={"key_share": True}, populate_existing=True)
    if talk is None:
        raise _no_talk()
    return talk


async def _lock_talk_of_own_case(work: Work, moderator: Viewer, talk_id: UUID) -> Talk:
    await _get_own_case(work, moderator, (await _get_talk(work, talk_id)).case_id)
    return await _lock_talk(work, talk_id)


async def _begin(work: Work, moderator: Viewer, case: Record, report_id: UUID | None) -> Talk:
    """Return the talk with a member about a case, locked; it begins here if there is none."""
    side = TalkSide.REPORTER if report_id else TalkSide.AUTHOR
    persona_id = await _get_reporter(work, case, report_id) if report_id else case.author_id
    await _refuse_departed(work, persona_id)
    values = {"id": new_id(), "case_id": case.id, "persona_id": persona_id, "side": side, "opened_at": work.now}
    added = insert(Talk).values(**values).on_conflict_do_nothing().returning(col(Talk.id))
    is_new = (await work.session.execute(added)).first() is not None
    this = (col(Talk.case_id) == case.id, col(Talk.persona_id) == persona_id)
    talk = await _lock_talk(work, (await work.session.execute(select(col(Talk.id)).where(*this))).scalar_one())
    if is_new:
        await _record(work, moderator, "talk.begun", talk)
    _refuse_closed(talk)
    return talk


async def _get_reporter(work: Work, case: Record, report_id: UUID) -> UUID:
    """Return who made a report that the case, or the appeal that it is about, is based on. Raises NotFound."""
    appealed = exists().where(col(Appeal.case_id) == case.id, col(Appeal.report_id) == report_id)
    found = select(col(Report.reporter_id)).where(
        col(Report.id) == report_id, or_(col(Report.case_id) == case.id, appealed)
    )
    reporter_id = (await work.session.execute(found)).scalar_one_or_none()
    if reporter_id is None:
        raise NotFound("This case has no such report.", code="report_not_found")
    return reporter_id


async def _refuse_departed(work: Work, persona_id: UUID) -> None:
    if await has_reader(work, persona_id):
        return
    member_id = await get_owner(work.session, persona_id)
    if (await work.session.execute(select(came_without_account(member_id)))).scalar_one():
        detail = "They came with an old board and have no account here: nobody would read it."
        raise Conflict(detail, code="no_account_here")
    raise Conflict("This member has left: nobody would read it.", code="member_left")


async def _raise_case(work: Work, talk: Talk) -> None:
    """Make the case urgent; where it is decided already, open one about the member. Whoever may decide it is told."""
    case = await cases.lock_case_row(work.session, talk.case_id)
    if case.state == CaseState.OPEN and case.kind != CaseKind.APPEAL:
        await cases.make_graver(work.session, case, Category.RISK, work.now)
    else:
        await cases.open_on_member(work.session, talk.persona_id, Category.RISK, work.now)


async def _save(work: Work, message: TalkMessage, repeat: Repeat | None) -> UUID:
    work.session.add(message)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, message.id)
    return message.id


async def _tell_member(work: Work, talk: Talk) -> None:
    owner = await get_owner(work.session, talk.persona_id)
    await inbox.notify_each(work.session, [owner], NotificationKind.TALK_MESSAGE, work.now, subject_id=talk.id)


async def _tell_moderators(work: Work, talk: Talk) -> None:
    """Tell the moderators who wrote here, if they may still decide the case; otherwise everybody who may."""
    deciders = await case_deciders.list_deciders(work.session, talk.case_id, work.now)
    writers = select(col(TalkMessage.moderator_id)).where(col(TalkMessage.talk_id) == talk.id)
    wrote = set((await work.session.execute(writers)).scalars())
    told = [member_id for member_id in deciders if member_id in wrote] or deciders
    answered = NotificationKind.TALK_ANSWERED
    await inbox.notify_each(work.session, told, answered, work.now, subject_id=talk.case_id)


async def _record(work: Work, moderator: Viewer, act: str, talk: Talk) -> None:
    await audit.record(
        work.session,
        actor_id=moderator.id,
        act=act,
        subject=("case", talk.case_id),
        now=work.now,
        details={"talk": str(talk.id)},
    )


def _refuse_closed(talk: Talk) -> None:
    if talk.closed_at:
        raise Conflict("This talk is closed: nobody can write there any more.", code="talk_closed")


def _no_talk() -> NotFound:
    return NotFound("There is no such talk.", code="talk_not_found")
