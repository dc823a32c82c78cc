"""Phrases of danger over HTTP: those that administrators add, and which are switched off."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Identity, Line, Moment, Number, Uuid
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import crisis_phrases
from moderation.crisis_phrases import LONGEST, PhraseWish
from moderation.screening.finding import CrisisKind, Level

router = APIRouter(prefix="/moderation/phrases", tags=["moderation"], route_class=Route)

PhraseId = Annotated[Uuid, Path()]
Kind = Annotated[CrisisKind, Field(description="Which danger it shows", examples=["suicide"])]
HowNear = Annotated[Level, Field(description="`acute` calls people, `worry` waits in the queue", examples=["worry"])]


class CrisisPhraseItem(ResponseBody):
    """A phrase that is sought in what people write."""

    id: Uuid
    is_ours: bool = Field(description="It comes with the program: it can be switched off, not changed")
    kind: Kind
    level: HowNear
    text: str = Field(examples=["off to the (?:bridge|pier) {2}tonight"])
    note: str = Field(description="Why it was added", examples=["What people here say for it."])
    is_off: bool
    changed_at: Moment | None = Field(description="Null for one of ours that nobody switched")


class CrisisPhraseList(ResponseBody):
    """Every phrase: the added ones first, then ours."""

    items: list[CrisisPhraseItem]
    next: None = Field(description="Always null: the list is whole")


class PhraseRequest(RequestBody):
    """A phrase to be sought."""

    kind: Kind
    level: HowNear
    text: Line = Field(
        min_length=1,
        max_length=LONGEST,
        description="Words, in small letters; `(?:this|that)`, `{2}` for up to two words, `{pills}` for a list of the "
        "program's. Repeats need an upper bound",
        examples=["off to the (?:bridge|pier) {2}tonight"],
    )
    note: Line = Field(max_length=500, description="Why it is sought", examples=["What people here say for it."])


class TriedPost(ResponseBody):
    """A post in which the phrase would have been found."""

    id: Identity = Field(examples=[1])
    thread_id: Identity = Field(examples=[1])
    number: Number = Field(examples=[1])


class PhraseTrial(ResponseBody):
    """In which of the newest posts a phrase would have been found. Nothing of it is kept."""

    read_as: str = Field(description="The phrase with its words as texts are read", examples=["do not want to"])
    tried: int = Field(description="How many posts were read, 1,000 at most", examples=[1000])
    posts: list[TriedPost]
    is_too_wide: bool = Field(description="It would be found in more than one of 20: too often to call people")


@router.get("", response_model=CrisisPhraseList, responses=documented(401, 403, 422))
async def list_phrases(
    request: Request,
    viewer: CurrentMember,
    work: CurrentWork,
    kind: Annotated[CrisisKind | None, Query(description="Of this danger alone", examples=["danger"])] = None,
) -> Response:
    """List the phrases of danger that are sought: for moderators."""
    shelf = await crisis_phrases.read_shelf(work, viewer, kind)
    page = CrisisPhraseList(items=[CrisisPhraseItem.model_validate(one) for one in shelf.phrases], next=None)
    return cacheable_response(request, page, shared=False)


@router.post("", response_model=CrisisPhraseItem, status_code=201, responses=documented(401, 403, 413, 422))
async def add_phrase(wanted: PhraseRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have a phrase sought from now on: for administrators. The same phrase again is there once."""
    added = await crisis_phrases.add_phrase(work, viewer, PhraseWish(**wanted.model_dump()))
    return json_response(CrisisPhraseItem.model_validate(added), 201)


@router.post("/trial", response_model=PhraseTrial, responses=documented(401, 403, 413, 422))
async def try_phrase(wanted: PhraseRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read in which of the newest posts a phrase would have been found: for administrators. Nothing is kept."""
    trial = await crisis_phrases.try_phrase(work, viewer, PhraseWish(**wanted.model_dump()))
    posts = [TriedPost.model_validate(post) for post in trial.posts]
    return json_response(
        PhraseTrial(read_as=trial.read_as, tried=trial.tried, posts=posts, is_too_wide=trial.is_too_wide)
    )


@router.put("/{id}/off", response_model=CrisisPhraseItem, responses=documented(401, 403, 404, 422))
async def switch_phrase_off(id: PhraseId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have a phrase no longer sought, also one of ours: for administrators. Idempotent."""
    switched = await crisis_phrases.switch(work, viewer, id, is_off=True)
    return json_response(CrisisPhraseItem.model_validate(switched))


@router.delete("/{id}/off", response_model=CrisisPhraseItem, responses=documented(401, 403, 404, 422))
async def switch_phrase_on(id: PhraseId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have a phrase sought again: for administrators. Idempotent."""
    switched = await crisis_phrases.switch(work, viewer, id, is_off=False)
    return json_response(CrisisPhraseItem.model_validate(switched))
