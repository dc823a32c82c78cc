"""Watched terms over HTTP: read by moderators, tried and written by administrators."""

from typing import Annotated, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictBool, StringConstraints

from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, BoardSlug, Identity, Limit, Line, Moment, Number, Text, Uuid
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentTransactions, CurrentWork, Route
from moderation import watched_terms
from moderation.finding_tallies import Precision as Counted
from moderation.screening.finding import FindingKind, SignEffect
from moderation.screening.watched_terms import LONGEST_PATTERN, TermKind
from moderation.watched_terms import TermDraft, TermReading, TermTrial

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class Precision(ResponseBody):
    """How often something that looks for words found them in the last 90 days, and what came of it."""

    kind: FindingKind
    recogniser: str = Field(description="Of a watched term, its `id`", examples=["telephone"])
    found: int = Field(description="In how many cases", examples=[40])
    upheld: int = Field(description="In how many of those decided something was done", examples=[6])
    dismissed: int = Field(description="In how many nothing was done", examples=[24])
    share: float | None = Field(description="Upheld, of all that was decided. Null before that", examples=[0.2])
    doubtful: bool = Field(
        description="Whether it should perhaps go: under 30 % upheld of 20 or more. Never of words of danger: to have "
        "looked was right there, also where nothing had to be done",
    )

    @classmethod
    def of(cls, counted: Counted) -> Self:
        """Render what was counted."""
        return cls(**counted._asdict(), share=counted.share, doubtful=counted.is_doubtful)


class PrecisionList(ResponseBody):
    """Everything that found something in the last 90 days."""

    items: list[Precision]
    next: None = Field(description="Always null: the list is whole")


class Term(ResponseBody):
    """A term that is watched for, in one version."""

    id: Uuid
    version: int = Field(description="Send it to change the term", examples=[1])
    kind: TermKind
    text: str = Field(examples=["baby snatcher"])
    effect: SignEffect
    help_kind: str | None = Field(examples=[None])
    boards: list[str] = Field(description="Their slugs; none: it is sought on all", examples=[["court"]])
    in_names: bool = Field(examples=[False])
    note: str = Field(examples=["Of the account that came back five times."])
    on: bool = Field(description="Whether it is watched for", examples=[True])
    changed_at: Moment
    changed_by: Author | None = Field(description="Null: an old board offers it, and nobody has chosen yet")
    precision: Precision = Field(description="Of all its versions")

    @classmethod
    def of(cls, reading: TermReading) -> Self:
        """Render a term."""
        row, counted = reading.row, Precision.of(reading.precision)
        changed = {"changed_at": row.at, "changed_by": Author.of(row, "by") if row.by_id else None}
        return cls.of_row(row, on=row.is_on, boards=reading.boards, precision=counted, **changed)


class TermList(ResponseBody):
    """The terms that are watched for, those changed last first."""

    items: list[Term]
    offered: list[Term] = Field(
        description="On the first page: what an old board offers. Write one to watch for it, or delete it"
    )
    next: Next


class TermVersions(ResponseBody):
    """Every version of a term, the newest first."""

    items: list[Term]
    next: None = Field(description="Always null: the list is whole")


class TermTrialRequest(RequestBody):
    """A term to be tried."""

    kind: TermKind = Field(
        description="`word`; `phrase`: several words; `pattern`: a regular expression of RE2, without looking ahead or "
        "behind, found as whole words, in small letters without accents",
        examples=["phrase"],
    )
    text: Annotated[Line, StringConstraints(min_length=1, max_length=LONGEST_PATTERN)] = Field(
        examples=["baby snatcher"]
    )
    effect: SignEffect = Field(
        description="`point_out`: a moderator looks when there is time. `case`: a moderator decides. `hold`: a "
        "moderator reads it before it appears. `help`: its author is shown who helps",
        examples=["case"],
    )
    boards: list[BoardSlug] = Field(
        [], max_length=100, description="On which it is sought; none: on all", examples=[["court"]]
    )
    in_names: StrictBool = Field(False, description="Whether it is sought in names and handles too", examples=[False])
    note: Annotated[Text, StringConstraints(max_length=1000)] = Field(
        "", description="For moderators: why it is watched", examples=["Of the account that came back five times."]
    )
    help_kind: Annotated[Text, StringConstraints(max_length=40)] | None = Field(
        None,
        description="With `help`: of which kind, as `GET /help` names them. Otherwise it counts for nothing",
        examples=["carer"],
    )

    @property
    def draft(self) -> TermDraft:
        """The term as the domain takes it."""
        return TermDraft(**self.model_dump(include=set(TermDraft.__dataclass_fields__)))


class TermRequest(TermTrialRequest):
    """A term as it shall be, and the version of it that was on the screen."""

    version: Annotated[Number, Field(description="The version that was on the screen", examples=[1])]


class CaughtPost(ResponseBody):
    """A post that a term is in."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    thread_title: str = Field(validation_alias="title", examples=["What happens at a first conference?"])
    number: int = Field(examples=[7])
    board: str = Field(description="Its slug", examples=["court"])


class TrialResult(ResponseBody):
    """What a term would have caught of the last 1,000 posts of its boards. It is not stored."""

    looked_at: int = Field(examples=[1000])
    caught: int = Field(examples=[3])
    share: float = Field(examples=[0.003])
    may_hold: bool = Field(description="Whether it is in 5 % of them at most, so that it may hold posts")
    items: list[CaughtPost] = Field(description="The newest 100 of those that it is in")
    next: None = Field(description="Always null")

    @classmethod
    def of(cls, trial: TermTrial) -> Self:
        """Render a trial."""
        return cls(
            looked_at=trial.looked_at,
            caught=trial.caught,
            share=trial.share,
            may_hold=trial.may_hold,
            items=[CaughtPost.model_validate(post) for post in trial.posts],
            next=None,
        )


@router.get("/terms", response_model=TermList, responses=documented(401, 403, 422))
async def list_terms(
    request: Request, viewer: CurrentMember, work: CurrentWork, after: After = None, limit: Limit = 50
) -> Response:
    """List the terms that are watched for: for moderators."""
    shelf = await watched_terms.read_terms(work, viewer, after, limit)
    offered = [Term.of(reading) for reading in shelf.offered]
    page = TermList(items=[Term.of(reading) for reading in shelf.terms], offered=offered, next=shelf.next)
    return cacheable_response(request, page, shared=False, headers=next_link(request, shelf.next))


@router.post("/terms", status_code=201, response_model=Term, responses=documented(401, 403, 409, 413, 422))
async def add_term(
    wanted: TermTrialRequest, viewer: CurrentMember, key: IdempotencyKey, transactions: CurrentTransactions
) -> Response:
    """Watch for a new term: for administrators. One that is in more than 5 % of the posts cannot hold any."""
    written = await watched_terms.add_term(transactions, viewer, wanted.draft, repeat=key.of(wanted))
    return json_response(Term.of(written), 201)


@router.post("/term-trials", response_model=TrialResult, responses=documented(401, 403, 413, 422))
async def try_term(wanted: TermTrialRequest, viewer: CurrentMember, transactions: CurrentTransactions) -> Response:
    """Try a term on the last 1,000 posts of its boards, before it is watched for: for administrators.

    Nothing is stored.
    """
    return json_response(TrialResult.of(await watched_terms.try_term(transactions, viewer, wanted.draft)))


@router.get("/terms/{id}", response_model=TermVersions, responses=documented(401, 403, 404, 422))
async def get_term(request: Request, id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read every version of a term: for moderators."""
    shelf = await watched_terms.read_term(work, viewer, id)
    page = TermVersions(items=[Term.of(reading) for reading in shelf.terms], next=None)
    return cacheable_response(request, page, shared=False)


@router.put("/terms/{id}", response_model=Term, responses=documented(401, 403, 404, 409, 413, 422))
async def write_term(
    id: Uuid, wanted: TermRequest, viewer: CurrentMember, transactions: CurrentTransactions
) -> Response:
    """Change a term, as a new version, or watch for it again: for administrators."""
    written = await watched_terms.write_term(transactions, viewer, id, wanted.version, wanted.draft)
    return json_response(Term.of(written))


@router.delete("/terms/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def switch_term_off(id: Uuid, viewer: CurrentMember, transactions: CurrentTransactions) -> Response:
    """No longer watch for a term: for administrators. Its versions are kept. Idempotent."""
    await watched_terms.switch_off(transactions, viewer, id)
    return Response(status_code=204)


@router.get("/precision", response_model=PrecisionList, responses=documented(401, 403, 422))
async def list_precision(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read how often each recogniser and each watched term was right in the last 90 days: for moderators."""
    items = [Precision.of(counted) for counted in await watched_terms.read_precision(work, viewer)]
    return cacheable_response(request, PrecisionList(items=items, next=None), shared=False)
