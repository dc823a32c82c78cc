"""Decisions over HTTP: on one case, or on many at once."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BeforeValidator, Field
from typing_extensions import TypeAliasType

from forum.api.authentication.profiles import DisplayName
from forum.api.schemas import RequestBody, ResponseBody
from forum.content.posts.lengths import BODY_MAX
from forum.core.errors import ForumError
from forum.http.current_member import CurrentMember
from forum.http.fields import BoardSlug, Body, Moment, Number, SentMoment, Text, Title, Uuid, Words, numeric
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import KINDS, documented
from forum.http.responses import json_response
from forum.http.services import CurrentTransactions, CurrentWork, Route
from forum.members.viewer import Viewer
from moderation import case_actions
from moderation.case_actions import CaseInput
from moderation.decisions import AppealOutcome, Decided, DecisionInput
from moderation.measures.tables import MeasureInput, MeasureKind, NewHandle

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

Offset = Annotated[int, Field(ge=0, le=BODY_MAX), BeforeValidator(numeric)]
CaseVersion = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(numeric)]
RuleNumber = Annotated[int, Field(ge=1, lt=1000), BeforeValidator(numeric)]
Reason = Annotated[
    Words, Field(min_length=1, max_length=5000, examples=["You called her a name. Say what she did instead."])
]


class PlainMeasure(RequestBody):
    """A measure that needs nothing more, or the outcome of an appeal: `uphold`, `change` or `overturn`."""

    kind: Literal["publish", "refuse", "remove", "lock", "warn", "ban", "dismiss", "uphold", "change", "overturn"]


class EditMeasure(RequestBody):
    """Replaces the words of the post."""

    kind: Literal["edit"]
    body_markdown: Body


class RedactMeasure(RequestBody):
    """Takes some words out of the post."""

    kind: Literal["redact"]
    spans: list[tuple[Offset, Offset]] = Field(
        min_length=1,
        max_length=100,
        description="Parts of `body_markdown`, in code points: each is the first character and the one after the last",
        examples=[[[0, 4]]],
    )


class RetitleMeasure(RequestBody):
    """Gives the thread another title."""

    kind: Literal["retitle"]
    title: Title


class MoveMeasure(RequestBody):
    """Moves the thread to another board."""

    kind: Literal["move"]
    board: BoardSlug


class RenameMeasure(RequestBody):
    """Gives the author another display name, another handle, or both. They cannot take the old ones again."""

    kind: Literal["rename"]
    name: DisplayName | None = None
    handle: Literal["neutral"] | None = Field(
        None,
        description="`neutral`: a handle that the forum makes, such as `member-8f3k`; its owner can choose another at "
        "once. Mentions and quotes follow within a minute",
    )


class PauseMeasure(RequestBody):
    """Until then, what the author writes waits for a moderator (`review`), or they cannot post (`silence`), or can
    neither post nor read what is for members (`suspend`).
    """

    kind: Literal["review", "silence", "suspend"]
    until: SentMoment = Field(examples=["2026-08-27T16:40:00Z"])


Measure = PlainMeasure | EditMeasure | RedactMeasure | RetitleMeasure | MoveMeasure | RenameMeasure | PauseMeasure
WantedMeasure = TypeAliasType(
    "WantedMeasure", Annotated[Measure, Field(discriminator="kind", description="One thing to do")]
)


class RulingRequest(RequestBody):
    """What you decide."""

    measures: list[WantedMeasure] = Field(
        min_length=1, max_length=12, examples=[[{"kind": "redact", "spans": [[0, 4]]}]]
    )
    rules: list[RuleNumber] = Field(default_factory=list, max_length=20, examples=[[10]])
    reason: Reason
    note: Text | None = Field(
        None, max_length=5000, description="For moderators only", examples=["The second time this week."]
    )
    law: Text | None = Field(
        None, max_length=500, description="For illegal content: the law", examples=["Children Act 1989, section 97"]
    )


class DecisionRequest(RulingRequest):
    """What you decide, and what was on your screen when you did."""

    version: CaseVersion | None = Field(
        None, description="Of the case; you may leave it out only for an appeal", examples=[1]
    )
    revision: Number | None = Field(
        None,
        description="Of the post; you leave it out where there is none, and may leave it out for an appeal",
        examples=[1],
    )
    title_revision: Number | None = Field(
        None, description="Of the title, where the post opens its thread: as it was on your screen", examples=[1]
    )


class Decision(ResponseBody):
    """A decision."""

    id: Uuid
    case_id: Uuid
    decided_by: str = Field(description="The name of the moderator", examples=["Orla"])
    decided_at: Moment
    reason: str = Field(examples=["You called her a name. Say what she did instead."])
    statement_id: Uuid | None = Field(
        description="The statement of reasons that the author received; null when nothing was done against them"
    )


class BulkDecision(DecisionRequest):
    """A decision, and the case that it is about."""

    case_id: Uuid


class BulkDecisions(RequestBody):
    """Decisions on up to a hundred cases. Each is taken as a whole or not at all."""

    decisions: list[BulkDecision] = Field(
        min_length=1,
        max_length=100,
        examples=[
            [
                {
                    "case_id": "01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d",
                    "version": 1,
                    "revision": 1,
                    "measures": [{"kind": "dismiss"}],
                    "reason": "Hard words, but about nobody.",
                }
            ]
        ],
    )


class BulkAnswer(ResponseBody):
    """What came of one decision."""

    case_id: Uuid
    status: int = Field(description="The status that a request for this decision alone would have got", examples=[201])
    detail: str | None = Field(
        description="Why it was not taken; null when it was", examples=["There is no such case."]
    )
    decision: Decision | None


class BulkAnswers(ResponseBody):
    """What came of each decision, in the order of the request."""

    items: list[BulkAnswer]
    next: None = Field(description="Always null: the list is whole")


@router.post(
    "/cases/{id}/decisions",
    status_code=201,
    response_model=Decision,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def decide_case(
    id: Uuid, wanted: DecisionRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Decide a case: one or more measures, under rules, with a reason that the author reads.

    An appeal is decided with the one measure `uphold` or `overturn`, or with `change` and the measures that replace
    the old ones.
    """
    decided = await case_actions.decide(work, viewer, id, _on_screen(wanted), repeat=key.of(wanted))
    return json_response(decision_response(decided, viewer), 201)


@router.post("/decisions", response_model=BulkAnswers, responses=documented(401, 403, 409, 413, 422))
async def decide_cases(
    wanted: BulkDecisions, viewer: CurrentMember, key: IdempotencyKey, transactions: CurrentTransactions
) -> Response:
    """Decide up to a hundred cases. Each decision is taken or refused by itself, and kept by itself for a repeat."""
    inputs = [CaseInput(one.case_id, _on_screen(one), key.part(one.case_id, one)) for one in wanted.decisions]
    results = await case_actions.decide_each(transactions, viewer, inputs)
    answers = [_answer(one.case_id, result, viewer) for one, result in zip(inputs, results, strict=True)]
    return json_response(BulkAnswers(items=answers, next=None))


def decision_input(wanted: RulingRequest) -> DecisionInput:
    """Return what somebody decides, without what was on their screen."""
    outcomes = set(AppealOutcome)
    return DecisionInput(
        version=None,
        revision=None,
        measures=tuple(_measure(measure) for measure in wanted.measures if measure.kind not in outcomes),
        reason=wanted.reason,
        rules=tuple(wanted.rules),
        note=wanted.note,
        law=wanted.law,
        outcomes=tuple(AppealOutcome(measure.kind) for measure in wanted.measures if measure.kind in outcomes),
    )


def _on_screen(wanted: DecisionRequest) -> DecisionInput:
    ruling = decision_input(wanted)
    return replace(ruling, version=wanted.version, revision=wanted.revision, title_revision=wanted.title_revision)


def _measure(wanted: Measure) -> MeasureInput:
    fields = wanted.model_dump(exclude={"kind"})
    handle = NewHandle(fields.pop("handle")) if fields.get("handle") else None
    return MeasureInput(kind=MeasureKind(wanted.kind), **fields | {"handle": handle})


def _answer(case_id: UUID, result: Decided | ForumError, viewer: Viewer) -> BulkAnswer:
    if isinstance(result, ForumError):
        status = KINDS[type(result)].status
        return BulkAnswer(case_id=case_id, status=status, detail=result.detail, decision=None)
    return BulkAnswer(case_id=case_id, status=201, detail=None, decision=decision_response(result, viewer))


def decision_response(decided: Decided, viewer: Viewer) -> Decision:
    """Return a decision as whoever took it sees it."""
    return Decision(
        id=decided.decision.id,
        case_id=decided.decision.case_id,
        decided_by=viewer.name or "",
        decided_at=decided.decision.decided_at,
        reason=decided.decision.reason,
        statement_id=decided.statement.id if decided.statement else None,
    )
