"""Concerns over HTTP: anybody raises one, and safeguarding leads look after it."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.api.content.crisis_help import CrisisHelp, help_response
from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import (
    After,
    Day,
    Handle,
    Limit,
    Line,
    Moment,
    Number,
    SentDay,
    SentIdentity,
    SentMoment,
    SoughtHandle,
    Text,
    Uuid,
    Words,
)
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from forum.privacy.tables import HoldReason
from moderation.concerns import actions, disclosures, evidence, journal, queries, raising
from moderation.concerns.actions import EntryDraft
from moderation.concerns.disclosures import DisclosureDecision
from moderation.concerns.evidence import HoldWish
from moderation.concerns.queries import ListedConcern
from moderation.concerns.raising import MOST_NAMED, ConcernBasis, ConcernDraft
from moderation.concerns.tables import LINE_MAX, TEXT_MAX, ConcernState, Consent, DisclosureOutcome

raise_router = APIRouter(tags=["reports"], route_class=Route)
router = APIRouter(prefix="/moderation/concerns", tags=["moderation"], route_class=Route)

Prose = Annotated[Text, Field(max_length=TEXT_MAX)]
ListedState = Annotated[
    Literal["open", "closed"],
    Query(
        description="Open ones come by the day of their review, closed ones by the day until which they are kept",
        examples=["open"],
    ),
]


class AssessmentFields(RequestBody):
    """Whether consent was sought, and what was done at once."""

    consent: Consent | None = Field(None, description="Of whoever is at risk; `not_sought` needs the reason")
    consent_why: Prose = Field(
        "", description="Why nobody was asked, or what they said", examples=["It could put her in danger."]
    )
    immediate_action: Prose = Field("", description="What was done at once", examples=["I rang 999 at 21:40."])


class ConcernRequest(AssessmentFields):
    """What you worry about."""

    text: Words = Field(min_length=1, max_length=TEXT_MAX, examples=["A moderator writes to young members at night."])
    about: list[SoughtHandle] = Field(
        default_factory=list,
        max_length=MOST_NAMED,
        description="The handles of those whom it is about. They never read it, also if they are safeguarding leads",
        examples=[["orla"]],
    )
    posts: list[SentIdentity] = Field(
        default_factory=list,
        max_length=MOST_NAMED,
        description="The ids of posts that it is about. Each is kept as it is now",
        examples=[[4711]],
    )
    case_id: Uuid | None = Field(None, description="For moderators: the case from which you raise it")
    reply_to: Line | None = Field(
        None, max_length=LINE_MAX, description="How you can be reached", examples=["020 7946 0958, in the evening"]
    )


class ConcernReceived(ResponseBody):
    """That a concern has arrived, and whether somebody may read it."""

    raised_at: Moment
    is_read: bool = Field(description="Whether there is a safeguarding lead who may read it")
    outside_contact: str | None = Field(
        description="Whom you can turn to outside the forum, where nobody here may read it",
        examples=["The trustees: 020 7946 0000"],
    )
    help: CrisisHelp | None = Field(description="Who helps at once, if your words sound like danger")


class ConcernSummary(ResponseBody):
    """A concern in the list."""

    id: Uuid
    raised_at: Moment
    about: list[Author] = Field(description="Whom it is about")
    about_staff: bool = Field(description="Whether one of them worked here when it was raised")
    state: Literal["open", "closed"]
    review_on: Day = Field(description="When it has to be looked at again, while it is open")
    keep_until: Day | None = Field(description="Until when a closed one is kept; then it is kept longer or erased")
    is_asked: bool = Field(description="Whether a member asked for a copy of their data, and nobody decided yet")


class ConcernList(ResponseBody):
    """A page of the concerns that you may read."""

    items: list[ConcernSummary]
    next: Next


class SealedPost(ResponseBody):
    """A post as it was when the concern was raised."""

    post_id: int = Field(examples=[4711], json_schema_extra={"format": "int64"})
    content: dict[str, Any] = Field(description="The words, the author, and where they stood")
    digest: str = Field(description="SHA-256 of the stored copy", examples=["9f86d081884c7d659a2feaa0c55ad015"])
    is_intact: bool = Field(description="Whether the stored copy still has this digest")
    sealed_at: Moment


class ConcernAssessment(ResponseBody):
    """A version of the assessment."""

    number: int = Field(examples=[1])
    consent: Consent | None
    consent_why: str = Field(examples=["It could put her in danger."])
    lawful_ground: str = Field(examples=["Safeguarding of children and of individuals at risk"])
    immediate_action: str = Field(examples=["I rang 999 at 21:40."])
    by: Author
    written_at: Moment


class ConcernEntry(ResponseBody):
    """An entry of the chronology."""

    id: Uuid
    text: str = Field(examples=["Rang the duty social worker: reference 4471."])
    happened_at: Moment | None
    corrects: Uuid | None = Field(description="The entry that this one corrects")
    by: Author
    written_at: Moment


class ConcernExclusion(ResponseBody):
    """A lead who may not read the concern."""

    lead: Author
    reason: str = Field(examples=["They are friends."])
    by: Author
    excluded_at: Moment


class ConcernHold(ResponseBody):
    """A legal hold: nothing of those whom the concern is about is deleted for now."""

    reason: HoldReason
    note: str = Field(examples=["The police asked us to keep it: 4471/26."])
    exemption: str | None = Field(description="The rule by which nobody is told", examples=[None])
    review_on: Day
    by: Author
    placed_at: Moment


class ConcernDisclosure(ResponseBody):
    """That a member asked for a copy of their data, and what they get of the concern."""

    id: Uuid
    member: Author
    asked_at: Moment
    due_on: Day = Field(description="The last day to decide")
    outcome: DisclosureOutcome | None = Field(description="Null until somebody decides")
    exemption: str | None = Field(examples=[None])
    reason: str = Field(examples=["Nothing in it would put anybody at risk."])
    by: Author | None
    decided_at: Moment | None


class Concern(ConcernSummary):
    """Everything of a concern."""

    text: str = Field(examples=["A moderator writes to young members at night."])
    by: Author = Field(description="Who raised it")
    reply_to: str | None = Field(examples=["020 7946 0958, in the evening"])
    posts: list[SealedPost]
    case_ids: list[Uuid]
    assessments: list[ConcernAssessment] = Field(description="The newest last")
    entries: list[ConcernEntry] = Field(description="The chronology, oldest first")
    exclusions: list[ConcernExclusion]
    hold: ConcernHold | None
    disclosures: list[ConcernDisclosure]


class ConcernAct(ResponseBody):
    """That somebody read a concern or did something with it."""

    id: Uuid
    act: str = Field(examples=["read"])
    by: Author | None = Field(description="Null: the forum itself")
    details: dict[str, Any]
    at: Moment


class ConcernActList(ResponseBody):
    """A page of who read a concern and what they did, newest first."""

    items: list[ConcernAct]
    next: Next


class EntryRequest(RequestBody):
    """What happened."""

    text: Words = Field(min_length=1, max_length=TEXT_MAX, examples=["Rang the duty social worker: reference 4471."])
    happened_at: SentMoment | None = Field(None, description="If it was not now", examples=["2026-07-27T16:40:00Z"])
    corrects: Uuid | None = Field(None, description="The entry that this one corrects; that one stays")


class ConcernAssessmentRequest(AssessmentFields):
    """Another version of the assessment."""

    number: Number = Field(description="Of the version that was on the screen", examples=[1])
    lawful_ground: Prose = Field(
        "",
        description="On which ground the record is kept and shared",
        examples=["Safeguarding of children and of individuals at risk"],
    )


class ReviewRequest(RequestBody):
    """When it has to be looked at again."""

    review_on: SentDay = Field(description="Within 28 days")


class ClosureRequest(RequestBody):
    """Until when it is kept."""

    keep_until: SentDay = Field(description="On that day a lead keeps it for longer, or erases it")


class HoldRequest(RequestBody):
    """Why nothing may be deleted."""

    reason: HoldReason
    review_on: SentDay = Field(description="When the hold has to be looked at again: within 28 days")
    note: Prose = Field("", examples=["The police asked us to keep it: 4471/26."])
    exemption: Line | None = Field(
        None,
        max_length=LINE_MAX,
        description="The rule of law by which those who want to leave are not told that something is kept",
        examples=["Crime: Data Protection Act 2018, Schedule 2, paragraph 2"],
    )


class ExclusionRequest(RequestBody):
    """Why they may not read it."""

    reason: Words = Field(min_length=1, max_length=LINE_MAX, examples=["They are friends."])


class ConcernDisclosureRequest(RequestBody):
    """What the member gets of the concern."""

    outcome: DisclosureOutcome
    exemption: Line | None = Field(
        None,
        max_length=LINE_MAX,
        description="The rule of law by which they do not get all of it",
        examples=["Crime: Data Protection Act 2018, Schedule 2, paragraph 2"],
    )
    reason: Words = Field(min_length=1, max_length=TEXT_MAX, examples=["Nothing in it would put anybody at risk."])


@raise_router.post(
    "/concerns",
    status_code=201,
    response_model=ConcernReceived,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
)
async def raise_concern(wanted: ConcernRequest, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Tell the safeguarding leads what you worry about: about anybody, also about somebody who works here.

    Only leads read it, and none whom it is about. It shows nowhere else. In any standing; with an `Idempotency-Key`,
    you can safely send it twice.
    """
    draft = ConcernDraft(
        wanted.text,
        wanted.about,
        wanted.posts,
        wanted.case_id,
        wanted.reply_to,
        ConcernBasis(wanted.consent, wanted.consent_why, immediate_action=wanted.immediate_action),
    )
    receipt = await raising.raise_concern(work, viewer, draft, repeat=key.of(wanted))
    return json_response(ConcernReceived.of_row(receipt, help=help_response(receipt.help)), 201)


@router.get("", response_model=ConcernList, responses=documented(401, 403, 422))
async def list_concerns(
    request: Request,
    viewer: CurrentMember,
    work: CurrentWork,
    *,
    state: ListedState = "open",
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the concerns that you may read: for safeguarding leads. That you saw the list is recorded."""
    page = await queries.list_concerns(work, viewer, ConcernState(state), after, limit)
    body = ConcernList(items=[_summary(listed) for listed in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.get("/{id}", response_model=Concern, responses=documented(401, 403, 404, 422))
async def get_concern(request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read everything of a concern: for its leads. That you read it is recorded."""
    file = await queries.read_concern(work, viewer, id)
    body = Concern.of_row(
        file.concern,
        about=[Author.of(row, "person") for row in file.about],
        by=Author.of(file.concern, "raiser"),
        posts=[SealedPost.model_validate(post) for post in file.posts],
        case_ids=list(file.case_ids),
        assessments=[ConcernAssessment.of_row(row, by=Author.of(row, "author")) for row in file.assessments],
        entries=[ConcernEntry.of_row(row, by=Author.of(row, "author")) for row in file.entries],
        exclusions=[
            ConcernExclusion.of_row(row, lead=Author.of(row, "lead"), by=Author.of(row, "by"))
            for row in file.exclusions
        ],
        hold=ConcernHold.of_row(file.hold, by=Author.of(file.hold, "by")) if file.hold else None,
        disclosures=[
            ConcernDisclosure.of_row(
                row, member=Author.of(row, "member"), by=Author.of(row, "by") if row.decided_at else None
            )
            for row in file.disclosures
        ],
    )
    return cacheable_response(request, body, shared=False)


@router.get("/{id}/audit", response_model=ConcernActList, responses=documented(401, 403, 404, 422))
async def list_concern_audit(
    request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """List who read a concern and what they did: for its leads."""
    page = await journal.list_audit(work, viewer, id, after, limit)
    items = [ConcernAct.of_row(row, by=Author.of(row, "actor") if row.actor_name else None) for row in page.rows]
    body = ConcernActList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.post(
    "/{id}/entries", status_code=201, response_model=ConcernEntry, responses=documented(401, 403, 404, 409, 413, 422)
)
async def add_concern_entry(
    id: Uuid, wanted: EntryRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Add an entry to the chronology. Nothing of it is ever changed: to correct one, write another.

    With an `Idempotency-Key`, you can safely send it twice.
    """
    draft = EntryDraft(wanted.text, wanted.happened_at, wanted.corrects)
    row = await actions.add_entry(work, viewer, id, draft, repeat=key.of(wanted))
    return json_response(ConcernEntry.of_row(row, by=Author.of(row, "author")), 201)


@router.put("/{id}/assessment", status_code=204, responses=documented(401, 403, 404, 409, 413, 422))
async def assess_concern(
    id: Uuid, wanted: ConcernAssessmentRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Write another version of the assessment. Earlier versions stay."""
    said = ConcernBasis(wanted.consent, wanted.consent_why, wanted.lawful_ground, wanted.immediate_action)
    await actions.assess(work, viewer, id, wanted.number, said)
    return Response(status_code=204)


@router.put("/{id}/review", status_code=204, responses=documented(401, 403, 404, 409, 413, 422))
async def review_concern(id: Uuid, wanted: ReviewRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say that you looked at an open concern, and when it has to be looked at again. Idempotent."""
    await actions.set_review(work, viewer, id, wanted.review_on)
    return Response(status_code=204)


@router.put("/{id}/closure", status_code=204, responses=documented(401, 403, 404, 413, 422))
async def close_concern(id: Uuid, wanted: ClosureRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Close a concern and say until when it is kept; of a closed one, say that anew. Idempotent."""
    await actions.close(work, viewer, id, wanted.keep_until)
    return Response(status_code=204)


@router.delete("/{id}/closure", status_code=204, responses=documented(401, 403, 404, 422))
async def reopen_concern(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Open a closed concern again. Idempotent."""
    await actions.reopen(work, viewer, id)
    return Response(status_code=204)


@router.delete("/{id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def erase_concern(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Erase a closed concern, on the day until which it is kept or later. It cannot be brought back."""
    await actions.erase(work, viewer, id)
    return Response(status_code=204)


@router.put("/{id}/hold", status_code=204, responses=documented(401, 403, 404, 413, 422))
async def hold_concern(id: Uuid, wanted: HoldRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Place a legal hold: nothing of those whom the concern is about, and of its posts, is deleted for now.

    Whoever of them wants to leave is told that something is kept for a legal reason, unless you name an exemption.
    Placed again, it has the new reason.
    """
    wish = HoldWish(wanted.reason, wanted.review_on, wanted.note, wanted.exemption)
    await evidence.place_hold(work, viewer, id, wish)
    return Response(status_code=204)


@router.delete("/{id}/hold", status_code=204, responses=documented(401, 403, 404, 422))
async def release_concern(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """End a legal hold. A departure that it blocked goes on. Idempotent."""
    await evidence.release_hold(work, viewer, id)
    return Response(status_code=204)


@router.put("/{id}/exclusions/{handle}", status_code=204, responses=documented(401, 403, 404, 409, 413, 422))
async def exclude_lead(
    id: Uuid, handle: Handle, wanted: ExclusionRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Have a safeguarding lead no longer read a concern, or step back from it yourself. Idempotent."""
    await actions.exclude(work, viewer, id, handle, wanted.reason)
    return Response(status_code=204)


@router.delete("/{id}/exclusions/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def readmit_lead(id: Uuid, handle: Handle, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Let a safeguarding lead read a concern again. For whom it is about, it still does not exist. Idempotent."""
    await actions.readmit(work, viewer, id, handle)
    return Response(status_code=204)


@router.put("/{id}/disclosures/{disclosure_id}", status_code=204, responses=documented(401, 403, 404, 409, 413, 422))
async def decide_disclosure(
    id: Uuid, disclosure_id: Uuid, wanted: ConcernDisclosureRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Decide what a member who asked for a copy of their data gets of a concern, within a month."""
    decision = DisclosureDecision(wanted.outcome, wanted.reason, wanted.exemption)
    await disclosures.decide(work, viewer, id, disclosure_id, decision)
    return Response(status_code=204)


def _summary(listed: ListedConcern) -> ConcernSummary:
    return ConcernSummary.of_row(listed.concern, about=[Author.of(row, "person") for row in listed.about])
