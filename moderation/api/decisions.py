"""Decisions over HTTP: on one case, or on many at once."""

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BeforeValidator, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypeAliasType

from forum.api.schemas import (
    BoardSlug,
    Body,
    Moment,
    Number,
    RequestBody,
    ResponseBody,
    Text,
    Title,
    Uuid,
    Words,
    numeric,
    textual,
)
from forum.content.posts.tables import BODY_MAX
from forum.core import logs
from forum.core.errors import Forbidden, ForumError, Invalid
from forum.http.current_member import CurrentMember
from forum.http.problems import BUSY, KINDS, documented
from forum.http.responses import json_response
from forum.http.services import AppServices, Now, Route, Services, WorkSession
from forum.members.viewer import Viewer
from moderation import appeals, cases
from moderation import decisions as moderation_decisions
from moderation.api.cases import get_visible_case, may_decide
from moderation.appeals import Outcome
from moderation.decisions import Decided, DecisionInput, DecisionPolicy
from moderation.measures.tables import Kind
from moderation.measures.tables import MeasureInput as WantedMeasures
from moderation.permissions import Act, allow

log = structlog.get_logger()
router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)

Offset = Annotated[int, Field(ge=0, le=BODY_MAX), BeforeValidator(numeric)]
CaseVersion = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(numeric)]
RuleNumber = Annotated[int, Field(ge=1, lt=1000), BeforeValidator(numeric)]
Reason = Annotated[
    Words, Field(min_length=1, max_length=5000, examples=["You called her a name. Say what she did instead."])
]


class PlainMeasure(RequestBody):
    """A measure that needs nothing more: on the post, its thread, its author, or on an appeal."""

    kind: Literal["publish", "remove", "lock", "warn", "ban", "dismiss", "uphold", "change", "overturn"]


class EditMeasure(RequestBody):
    """Other words in the place of the author's."""

    kind: Literal["edit"]
    body_markdown: Body


class RedactMeasure(RequestBody):
    """Some words taken out."""

    kind: Literal["redact"]
    spans: tuple[tuple[Offset, Offset], ...] = Field(
        min_length=1,
        max_length=100,
        description="Ranges of `body_markdown` in code points: the first, and the one after the last",
        examples=[[[0, 4]]],
    )


class RetitleMeasure(RequestBody):
    """Another title for the thread."""

    kind: Literal["retitle"]
    title: Title


class MoveMeasure(RequestBody):
    """Another board for the thread."""

    kind: Literal["move"]
    board: BoardSlug


class PauseMeasure(RequestBody):
    """A time in which the author cannot write, or not even sign in."""

    kind: Literal["silence", "suspend"]
    until: Annotated[AwareDatetime, BeforeValidator(textual)] = Field(examples=["2026-08-27T16:40:00Z"])


Measure = PlainMeasure | EditMeasure | RedactMeasure | RetitleMeasure | MoveMeasure | PauseMeasure
WantedMeasure = TypeAliasType(
    "WantedMeasure", Annotated[Measure, Field(discriminator="kind", description="One thing to do")]
)


class NewDecision(RequestBody):
    """What you decide, on what was on your screen."""

    version: CaseVersion | None = Field(None, description="Of the case; needed unless it is an appeal", examples=[1])
    revision: Number | None = Field(None, description="Of the post; needed unless it is an appeal", examples=[1])
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


class Decision(ResponseBody):
    """A decision."""

    id: Uuid
    case_id: Uuid
    decided_by: str = Field(description="Their name", examples=["Orla"])
    decided_at: Moment
    reason: str = Field(examples=["You called her a name. Say what she did instead."])
    statement_id: Uuid | None = Field(description="What the author was told, if it was against them")


class BulkDecision(NewDecision):
    """A decision, and the case that it is about."""

    case_id: Uuid


class BulkDecisions(RequestBody):
    """Decisions on up to a hundred cases: each is taken wholly or not at all."""

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
    """What came of one of them."""

    case_id: Uuid
    status: int = Field(description="What its own request would have been answered", examples=[201])
    detail: str | None = Field(description="Why not; null when it was taken", examples=["There is no such case."])
    decision: Decision | None


class BulkAnswers(ResponseBody):
    """What came of each, in the order of the request."""

    items: list[BulkAnswer]
    next: None = Field(description="Always null: an answer for each")


@router.post(
    "/cases/{id}/decisions",
    status_code=201,
    response_model=Decision,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def decide_case(
    id: Uuid, wanted: NewDecision, viewer: CurrentMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Decide a case: one or more measures, under rules, with a reason that the author reads.

    An appeal is decided with the one measure `uphold` or `overturn`, or with `change` and the measures
    that shall stand instead.
    """
    return json_response(await _decide(work, viewer, id, wanted, services, now), 201)


@router.post("/decisions", response_model=BulkAnswers, responses=documented(401, 403, 413, 422))
async def decide_cases(wanted: BulkDecisions, viewer: CurrentMember, services: AppServices, now: Now) -> Response:
    """Decide up to a hundred cases. Each is a transaction of its own, and has its own answer."""
    allow(Act.SEE_QUEUE, viewer)
    answers = [await _one_of_many(services, viewer, one, now) for one in wanted.decisions]
    return json_response(BulkAnswers(items=answers, next=None))


async def _one_of_many(services: Services, viewer: Viewer, wanted: BulkDecision, now: datetime) -> BulkAnswer:
    try:
        async with services.database.work() as session:
            decision = await _decide(session, viewer, wanted.case_id, wanted, services, now)
    except ForumError as error:
        return BulkAnswer(case_id=wanted.case_id, status=KINDS[type(error)].status, detail=error.detail, decision=None)
    except SQLAlchemyError as error:
        log.warning("bulk decision failed", kind=type(error).__name__, frames=logs.frames(error))
        return BulkAnswer(case_id=wanted.case_id, status=503, detail=BUSY, decision=None)
    return BulkAnswer(case_id=wanted.case_id, status=201, detail=None, decision=decision)


async def _decide(
    session: AsyncSession, viewer: Viewer, case_id: UUID, wanted: NewDecision, services: Services, now: datetime
) -> Decision:
    allow(Act.SEE_QUEUE, viewer)
    row = await get_visible_case(session, viewer, case_id, now)
    if reason := await may_decide(session, viewer, row):
        raise Forbidden(reason)
    policy = DecisionPolicy(services.settings.names_moderators, timedelta(days=services.settings.appeal_days))
    if row.kind == cases.Kind.APPEAL:
        outcome, verdict = _hearing(wanted, row.version, row.post_revision)
        decided = await appeals.decide_appeal(session, viewer, case_id, verdict, outcome, policy, now)
    else:
        decided = await moderation_decisions.decide(
            session, viewer, case_id, _verdict(wanted, wanted.measures), policy, now
        )
    services.session_cache.invalidate(decided.author_id)
    return _shown(decided, viewer)


def _verdict(wanted: NewDecision, measures: list[Measure]) -> DecisionInput:
    for name in ("version", "revision"):
        if getattr(wanted, name) is None:
            raise Invalid(f"Say the {name} that was on your screen.", f"#/{name}")
    asked = [measure for measure in measures if measure.kind not in set(Outcome)]
    if len(asked) < len(measures):
        raise Invalid("Only an appeal is upheld, changed or overturned.", "#/measures")
    return DecisionInput(
        version=wanted.version or 0,
        revision=wanted.revision or 0,
        measures=tuple(_measure(measure) for measure in asked),
        reason=wanted.reason,
        rules=tuple(wanted.rules),
        note=wanted.note,
        law=wanted.law,
    )


def _hearing(wanted: NewDecision, version: int, revision: int) -> tuple[Outcome, DecisionInput]:
    """What comes of an appeal, whose case has no reports that could come meanwhile: what was seen may be left out."""
    outcomes = [Outcome(measure.kind) for measure in wanted.measures if measure.kind in set(Outcome)]
    if len(outcomes) != 1:
        raise Invalid("An appeal is decided with one of `uphold`, `change` and `overturn`.", "#/measures")
    others = [measure for measure in wanted.measures if measure.kind not in set(Outcome)]
    seen_then = {"version": wanted.version or version, "revision": wanted.revision or revision}
    return outcomes[0], _verdict(wanted.model_copy(update=seen_then), others)


def _measure(wanted: Measure) -> WantedMeasures:
    carried = wanted.model_dump(exclude={"kind"})
    return WantedMeasures(kind=Kind(wanted.kind), **carried)


def _shown(decided: Decided, viewer: Viewer) -> Decision:
    return Decision(
        id=decided.decision.id,
        case_id=decided.decision.case_id,
        decided_by=viewer.name or "",
        decided_at=decided.decision.decided_at,
        reason=decided.decision.reason,
        statement_id=decided.statement.id if decided.statement else None,
    )
