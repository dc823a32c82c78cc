"""What everybody may pass on, over HTTP: the charity's own numbers, and public figures."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Line, Moment, Uuid
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import known_details
from moderation.known_details import NOTE_MAX, WORDS_MAX

router = APIRouter(prefix="/administration/known-details", tags=["administration"], route_class=Route)


class KnownDetail(ResponseBody):
    """A number, address or name that nobody is asked about."""

    id: Uuid
    words: str = Field(examples=["020 7946 0958"])
    note: str | None = Field(examples=["Our own helpline"])
    added_at: Moment


class KnownDetailList(ResponseBody):
    """Everything that nobody is asked about."""

    items: list[KnownDetail]
    next: None = Field(description="Always null: the list is whole")


class KnownDetailRequest(RequestBody):
    """Words that everybody may pass on."""

    words: Line = Field(
        max_length=WORDS_MAX, description="Case, spaces and punctuation do not count", examples=["020 7946 0958"]
    )
    note: Line | None = Field(None, min_length=1, max_length=NOTE_MAX, examples=["Our own helpline"])


@router.get("", response_model=KnownDetailList, responses=documented(401, 403, 422))
async def list_known(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List what members are not asked about: for administrators."""
    items = [KnownDetail.model_validate(row) for row in await known_details.list_known(work, viewer)]
    return cacheable_response(request, KnownDetailList(items=items, next=None), shared=False)


@router.post("", status_code=201, response_model=KnownDetail, responses=documented(401, 403, 409, 413, 422))
async def add_known(wanted: KnownDetailRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Let everybody pass on these words: for administrators. The same words again are the same entry."""
    added = await known_details.add_known(work, viewer, wanted.words, wanted.note)
    return json_response(KnownDetail.model_validate(added), 201)


@router.delete("/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def forget_known(id: Uuid, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have members be asked about these words again: for administrators."""
    await known_details.forget_known(work, viewer, id)
    return Response(status_code=204)
