"""Cases over HTTP: the queue, one case on one screen, claims, notes, recusals."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.api.content.posts import PostInThread, Revision
from forum.api.content.posts import post_response as shown_post
from forum.api.schemas import After, Author, Identity, Limit, Moment, Next, RequestBody, ResponseBody, Uuid, Words
from forum.content.posts.queries import list_by_number, select_revisions
from forum.content.posts.tables import Post as PostRow
from forum.core import pagination
from forum.core.database import Record
from forum.core.errors import Forbidden, NotFound
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import Now, Reading, Route, WorkSession
from forum.members.tables import Member, Standing
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation import appeals, cases, decisions, findings, member_history, reports
from moderation.appeals import Hearing, Outcome
from moderation.cases import Case as CaseRow
from moderation.cases import Category
from moderation.decisions import Decision
from moderation.findings import Part
from moderation.measures.catalogue import MEASURES
from moderation.permissions import Act, allow, refusal
from moderation.screening.finding import Kind

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

CONTEXT = 3  # posts before and after


class Claim(ResponseBody):
    """Who is at a case, and until when."""

    by: Author
    until: Moment


class Case(ResponseBody):
    """A case in the queue."""

    id: Uuid
    kind: Literal["post", "appeal"]
    state: Literal["open", "decided"]
    category: Category
    reports: int = Field(description="How many members reported it", examples=[2])
    version: int = Field(description="Send it with the decision: it says what was on your screen", examples=[1])
    board: str = Field(description="Its slug", examples=["new-here"])
    thread_id: Identity = Field(examples=[42])
    thread_title: str = Field(examples=["What happens at a first conference?"])
    post_id: Identity = Field(examples=[4711])
    post_number: int = Field(examples=[7])
    post_revision: int = Field(description="Send it with the decision too", examples=[1])
    author: Author
    opened_at: Moment
    due_at: Moment
    decided_at: Moment | None
    claim: Claim | None


class CaseList(ResponseBody):
    """Open cases, worst first."""

    items: list[Case]
    next: Next


class CaseReport(ResponseBody):
    """What somebody reported: for moderators only."""

    id: Uuid
    by: Author
    revision: int = Field(description="The revision that they saw", examples=[1])
    category: Category
    rules: list[int] = Field(examples=[[10]])
    note: str = Field(examples=["She gives her address away, and he reads here."])
    filed_at: Moment
    outcome: Literal["upheld", "dismissed"] | None


class CaseNote(ResponseBody):
    """What one moderator tells the others."""

    id: Uuid
    by: Author
    text: str = Field(examples=["I wrote to her: she is safe."])
    at: Moment


class CaseFinding(ResponseBody):
    """Something that screening found in the post, as a span of one of its texts."""

    kind: Kind
    recogniser: str = Field(description="What recognised it", examples=["telephone"])
    part: Part = Field(description="The text that the span counts in")
    start: int = Field(validation_alias="starts", description="In code points", examples=[12])
    end: int = Field(validation_alias="ends", description="The one after the last", examples=[25])
    revision: int = Field(description="Of the post", examples=[1])


class AuthorRecord(ResponseBody):
    """What is known of the author of a post."""

    joined_at: Moment
    posts: int = Field(description="Posts that you may read", examples=[12])
    standing: Standing
    standing_until: Moment | None = Field(description="Null: for good, or in good standing")
    measures: dict[str, int] = Field(description="Measures on your boards that stand, by kind", examples=[{"warn": 1}])


class Permitted(ResponseBody):
    """Whether you may do something here, and why not."""

    act: str = Field(examples=["decide"])
    allowed: bool
    because: str | None = Field(description="Null when it is allowed", examples=["Orla is at this case."])


class HeardAppeal(ResponseBody):
    """The appeal that a case of the kind `appeal` is about."""

    text: str = Field(examples=["I asked a question; I named nobody."])
    by_author: bool = Field(description="False: a reporter appeals against a dismissal")
    decision_id: Uuid
    reason: str = Field(description="Of the decision that is appealed", examples=["You called her a name."])
    decided_by: str = Field(description="The name of who took it", examples=["Orla"])
    hearers: Literal["moderator", "administrator", "nobody"] = Field(description="Who can hear it now")


class FullCase(Case):
    """Everything to decide a case, on one screen."""

    context: list[PostInThread] = Field(description="The post, with up to three before and after it")
    revisions: list[Revision]
    reported: list[CaseReport]
    findings: list[CaseFinding] = Field(description="What screening found in the present revision")
    notes: list[CaseNote]
    record: AuthorRecord
    permitted: list[Permitted]
    appeal: HeardAppeal | None
    deciders: Literal["moderator", "administrator", "nobody"] | None = Field(
        description="Of a case that an appeal opened again: who can decide it now, other than who dismissed it; "
        "`nobody`: that one may decide it after all. Null for other cases"
    )


class NewNote(RequestBody):
    """What the other moderators should know."""

    text: Words = Field(min_length=1, max_length=5000, examples=["I wrote to her: she is safe."])


class TakeOver(RequestBody):
    """Why you take over a case that somebody else is at."""

    reason: Words | None = Field(None, min_length=1, max_length=500, examples=["Orla fell ill."])


@router.get("/cases", response_model=CaseList, responses=documented(401, 403, 422))
async def list_cases(
    request: Request, viewer: CurrentMember, work: WorkSession, now: Now, limit: Limit = 20, after: After = None
) -> Response:
    """List the open cases of your boards, worst first."""
    allow(Act.SEE_QUEUE, viewer)
    place = pagination.decode(after, cases.BY_PRIORITY) if after is not None else None
    rows = (await work.execute(cases.select_queue(viewer, now, place, limit + 1))).all()
    last = rows[limit - 1] if len(rows) > limit else None
    going_on = pagination.encode(last.priority, last.due_at, str(last.id)) if last else None
    page = CaseList(items=[Case(**facts(row)) for row in rows[:limit]], next=going_on)
    return cacheable_response(request, page, shared=False, headers=next_link(request, going_on))


@router.get("/cases/{id}", response_model=FullCase, responses=documented(401, 403, 404, 422))
async def get_case(
    request: Request, id: Uuid, viewer: CurrentMember, work: WorkSession, reading: Reading, now: Now
) -> Response:
    """Read everything that is needed to decide a case."""
    allow(Act.SEE_QUEUE, viewer)
    row = await get_visible_case(work, viewer, id, now)
    first = max(1, row.post_number - CONTEXT)
    length = row.post_number + CONTEXT - first + 1
    around = await list_by_number(reading, viewer, row.thread_id, first, length)
    full = FullCase(
        **facts(row),
        context=[shown_post(post) for post in around],
        revisions=[Revision.model_validate(r) for r in (await work.execute(select_revisions(row.post_id))).all()],
        reported=await _reported(work, viewer, row),
        findings=await _findings(work, row),
        notes=[_note(n) for n in (await work.execute(cases.select_notes(id))).all()],
        record=await _record(work, viewer, row, now),
        permitted=await _permitted(work, viewer, row),
        appeal=await _appeal(work, row),
        deciders=await decisions.deciders_of_reopened_case(work, row),
    )
    return cacheable_response(request, full, shared=False)


@router.put("/cases/{id}/claim", response_model=Claim, responses=documented(401, 403, 404, 409, 413, 422))
async def claim_case(
    id: Uuid, viewer: CurrentMember, work: WorkSession, now: Now, take_over: TakeOver | None = None
) -> Response:
    """Take a case for ten minutes, or renew your claim. With a reason, take it over from somebody else."""
    row = await _workable(work, viewer, id, now)
    if interest := await _own_interest(work, viewer, row):
        raise Forbidden(interest)
    reason = take_over.reason if take_over else None
    claimed = await cases.claim(work, viewer, row.id, now, takeover_because=reason)
    return json_response(Claim(by=_me(viewer), until=claimed.until))


@router.delete("/cases/{id}/claim", status_code=204, responses=documented(401, 403, 404, 422))
async def release_case(id: Uuid, viewer: CurrentMember, work: WorkSession, now: Now) -> Response:
    """Let go of your claim. Done twice, it is as done once."""
    await cases.release(work, viewer, (await _workable(work, viewer, id, now)).id, now)
    return Response(status_code=204)


@router.put("/cases/{id}/recusal", status_code=204, responses=documented(401, 403, 404, 422))
async def recuse_from_case(id: Uuid, viewer: CurrentMember, work: WorkSession, now: Now) -> Response:
    """Step back from a case for good, for instance because you know the author. Done twice, it is as done once."""
    await cases.recuse(work, viewer, (await _workable(work, viewer, id, now)).id, now)
    return Response(status_code=204)


@router.post(
    "/cases/{id}/notes", status_code=201, response_model=CaseNote, responses=documented(401, 403, 404, 413, 422)
)
async def note_case(id: Uuid, wanted: NewNote, viewer: CurrentMember, work: WorkSession, now: Now) -> Response:
    """Tell the other moderators something about a case. It renews your claim."""
    row = await _workable(work, viewer, id, now)
    written = await cases.add_note(work, viewer, row.id, wanted.text, now)
    return json_response(CaseNote(id=written.id, by=_me(viewer), text=written.text, at=written.at), 201)


async def get_visible_case(session: AsyncSession, viewer: Viewer, case_id: UUID, now: datetime) -> Record:
    """The case's row; NotFound when it does not exist for the viewer."""
    row = (await session.execute(cases.select_visible(viewer, now).where(col(CaseRow.id) == case_id))).one_or_none()
    if row is None:
        raise NotFound("There is no such case.")
    return row


async def may_decide(session: AsyncSession, viewer: Viewer, row: Record) -> str | None:
    """Why the viewer may not decide this case, or None when they may."""
    reason = await _refusal(session, viewer, row)
    return reason.detail if reason else None


async def _refusal(session: AsyncSession, viewer: Viewer, row: Record) -> Refusal | None:
    if row.kind == cases.Kind.POST and row.barred_id:
        return refusal(
            Act.DECIDE_AGAIN,
            viewer,
            Hearing(row.board_id, await decisions.deciders_of_reopened_case(session, row) or ""),
        )
    if row.kind == cases.Kind.POST:
        return refusal(Act.DECIDE_CASE, viewer, row)
    appeal = await appeals.of_case(session, row.id)
    return refusal(Act.HEAR_APPEAL, viewer, Hearing(row.board_id, await appeals.appeal_deciders(session, appeal)))


def facts(row: Record) -> dict[str, Any]:
    """What the queue shows of a case."""
    holder = Claim(by=Author.of(row, "holder"), until=row.claimed_until) if row.holder_handle else None
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "category": row.category,
        "reports": row.reports,
        "version": row.version,
        "board": row.board_slug,
        "thread_id": row.thread_id,
        "thread_title": row.thread_title,
        "post_id": row.post_id,
        "post_number": row.post_number,
        "post_revision": row.post_revision,
        "author": Author.of(row, "author"),
        "opened_at": row.opened_at,
        "due_at": row.due_at,
        "decided_at": row.decided_at,
        "claim": holder,
    }


async def _workable(session: AsyncSession, viewer: Viewer, case_id: UUID, now: datetime) -> Record:
    allow(Act.SEE_QUEUE, viewer)
    row = await get_visible_case(session, viewer, case_id, now)
    if reason := await may_decide(session, viewer, row):
        raise Forbidden(reason)
    return row


async def _permitted(session: AsyncSession, viewer: Viewer, row: Record) -> list[Permitted]:
    """What the viewer may do here, and why not: the same conditions that the verbs refuse by."""
    deciding = await may_decide(session, viewer, row)
    if deciding is None and row.state == cases.State.OPEN and row.holder_handle not in {None, viewer.handle}:
        deciding = f"{row.holder_name} is at this case."
    if deciding is None and row.state != cases.State.OPEN:
        deciding = "This case is decided."
    reason = deciding or await _own_interest(session, viewer, row)
    acts: list[str] = list(MEASURES) if row.kind == cases.Kind.POST else list(Outcome)
    return [Permitted(act=act, allowed=reason is None, because=reason) for act in ("claim", *acts)]


async def _own_interest(session: AsyncSession, viewer: Viewer, row: Record) -> str | None:
    """Why the viewer is too close to this case to be at it, or None."""
    post = await session.get_one(PostRow, row.post_id)
    try:
        if row.kind == cases.Kind.APPEAL:
            await appeals.refuse_own_interest(session, viewer, await appeals.of_case(session, row.id), post, ())
        else:
            await decisions.refuse_own_interest(session, viewer, post, ())
            await decisions.refuse_repeat_decision(session, viewer, row)
    except Forbidden as refused:
        return refused.detail
    return None


async def _reported(session: AsyncSession, viewer: Viewer, row: Record) -> list[CaseReport]:
    """Who reported the post, and what; nobody learns who reported themselves."""
    if row.author_id == viewer.id:
        return []
    return [_report(report) for report in (await session.execute(reports.of_post(row.post_id))).all()]


async def _findings(session: AsyncSession, row: Record) -> list[CaseFinding]:
    found = await session.execute(findings.of_case(row.id, row.post_revision))
    return [CaseFinding.model_validate(one) for one in found.all()]


async def _record(session: AsyncSession, viewer: Viewer, row: Record, now: datetime) -> AuthorRecord:
    author = await session.get_one(Member, row.author_id)
    return AuthorRecord.model_validate(await member_history.of_member(session, viewer, author, now))


async def _appeal(session: AsyncSession, row: Record) -> HeardAppeal | None:
    if row.kind != cases.Kind.APPEAL:
        return None
    appeal = await appeals.of_case(session, row.id)
    original = await session.get_one(Decision, appeal.decision_id)
    decider = await session.get_one(Member, original.decided_by)
    return HeardAppeal(
        text=appeal.text,
        by_author=appeal.statement_id is not None,
        decision_id=original.id,
        reason=original.reason,
        decided_by=decider.name,
        hearers=await appeals.appeal_deciders(session, appeal),
    )


def _report(row: Record) -> CaseReport:
    return CaseReport(
        id=row.id,
        by=Author.of(row, "reporter"),
        revision=row.revision,
        category=row.category,
        rules=row.rules,
        note=row.note,
        filed_at=row.filed_at,
        outcome=row.outcome,
    )


def _note(row: Record) -> CaseNote:
    return CaseNote(id=row.id, by=Author.of(row, "author"), text=row.text, at=row.at)


def _me(viewer: Viewer) -> Author:
    return Author(handle=viewer.handle or "", name=viewer.name or "", title=viewer.title)
