"""Help elsewhere over HTTP: the list, who writes it, and what stands on boards and in threads."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.content.links import URL_MAX
from forum.content.resources import actions, queries
from forum.content.resources.actions import MOST, MOST_ATTACHED, ResourceWish
from forum.content.resources.tables import (
    DESCRIPTION_MAX,
    HOURS_MAX,
    MOST_TAGS,
    NAME_MAX,
    NUMBER_MAX,
    REGION_MAX,
    TAG_MAX,
    ResourceState,
)
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, CurrentViewer
from forum.http.fields import Id, Line, Moment, Number, Slug, Text, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["resources"], route_class=Route)

ResourceId = Annotated[UUID, Path(examples=["01987d2e-5a3c-7c4e-9a61-2f6f3f0f9b1d"])]
Region = Annotated[
    Line | None, Query(max_length=REGION_MAX, description="Only those of this region, in any case", examples=["Wales"])
]
Tag = Annotated[
    Line | None, Query(max_length=TAG_MAX, description="Only those with this tag, in any case", examples=["court"])
]
NumberAsTyped = Annotated[
    Line,
    Field(
        min_length=1,
        max_length=NUMBER_MAX,
        description="As people read it. Make a link of it only where it is digits with spaces or hyphens",
        examples=["0808 157 0123"],
    ),
]


class ResourceEntry(ResponseBody):
    """A place outside the forum that helps, and how one reaches it."""

    id: Uuid
    version: int = Field(description="Send it with a change", examples=[1])
    name: str = Field(examples=["Kinship advice line"])
    description: str = Field(examples=["Free advice for grandparents and other relatives who bring up a child."])
    telephone: str | None = Field(description="As it was typed", examples=["0808 157 0123"])
    text_number: str | None = Field(description="A number to send a text to, as it was typed", examples=["85258"])
    hours: str | None = Field(description="When somebody answers", examples=["Weekdays 9.30 to 3"])
    url: str | None = Field(examples=["https://www.example.org/kinship"])
    region: str | None = Field(description="Null: it is for everybody", examples=["Wales"])
    tags: list[str] = Field(examples=[["kinship care"]])
    state: Literal["current", "doubtful"] = Field(description="`doubtful`: it may be out of date. Say so")
    checked_at: Moment = Field(description="When somebody last looked whether all of it is still so")


class ResourceList(ResponseBody):
    """Places of help: those for everybody first, then by region."""

    items: list[ResourceEntry]
    next: None = Field(description=f"Always null: there are {MOST} at most, and {MOST_ATTACHED} on a board")


class ResourceToWrite(RequestBody):
    """What to say of a place of help. Give at least one way to reach it: a telephone, a text number or a page."""

    name: Annotated[Line, Field(min_length=1, max_length=NAME_MAX, examples=["Kinship advice line"])]
    description: Annotated[
        Words, Field(min_length=1, max_length=DESCRIPTION_MAX, examples=["Free advice for relatives."])
    ]
    telephone: NumberAsTyped | None = None
    text_number: NumberAsTyped | None = None
    hours: Annotated[Line, Field(min_length=1, max_length=HOURS_MAX, examples=["Weekdays 9.30 to 3"])] | None = None
    url: (
        Annotated[
            Text,
            Field(
                min_length=1,
                max_length=URL_MAX,
                description="A page; it begins with `https://`",
                examples=["https://www.example.org/kinship"],
            ),
        ]
        | None
    ) = None
    region: (
        Annotated[
            Line,
            Field(
                min_length=1,
                max_length=REGION_MAX,
                description="Where it helps. Leave it out where it is for everybody",
                examples=["Wales"],
            ),
        ]
        | None
    ) = None
    tags: list[Annotated[Line, Field(min_length=1, max_length=TAG_MAX)]] = Field(
        default_factory=list, max_length=MOST_TAGS, examples=[["kinship care"]]
    )
    state: Literal["current", "doubtful"] = Field("current", description="`doubtful`: it may be out of date")


class ResourceChange(ResourceToWrite):
    """What to say of a place of help from now on."""

    version: Number = Field(description="The `version` that was on the screen", examples=[1])


@router.get("/resources", response_model=ResourceList, responses=documented(422))
async def list_resources(
    request: Request, viewer: CurrentViewer, reading: Reading, *, region: Region = None, tag: Tag = None
) -> Response:
    """Read who helps elsewhere: for everybody."""
    listing = await queries.list_resources(reading, viewer, region, tag)
    items = [ResourceEntry.model_validate(entry) for entry in listing.entries]
    return cacheable_response(request, ResourceList(items=items, next=None))


@router.post(
    "/resources",
    status_code=201,
    response_model=ResourceEntry,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422),
)
async def add_resource(
    wanted: ResourceToWrite, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Write down a place of help: for advisers, moderators of the whole forum and administrators."""
    made = await actions.add_resource(work, viewer, _wish(wanted), repeat=key.of(wanted))
    return json_response(ResourceEntry.model_validate(made), 201, {"Location": f"/api/v1/resources/{made.id}"})


@router.put("/resources/{id}", response_model=ResourceEntry, responses=documented(401, 403, 404, 409, 413, 422))
async def change_resource(id: ResourceId, wanted: ResourceChange, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Say something else of a place of help, or that all of it is still so: `checked_at` is now.

    For those who write them. Idempotent.
    """
    changed = await actions.change_resource(work, viewer, id, wanted.version, _wish(wanted))
    return json_response(ResourceEntry.model_validate(changed))


@router.delete("/resources/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def remove_resource(id: ResourceId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Remove a place of help from the list and from wherever it stands: for those who write them."""
    await actions.remove_resource(work, viewer, id)
    return Response(status_code=204)


@router.get("/boards/{slug}/resources", response_model=ResourceList, responses=documented(404, 422))
async def list_board_resources(request: Request, slug: Slug, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read which places of help stand on a board. Those of a thread are in `GET /threads/{id}`."""
    found = await queries.list_on_visible_board(reading, viewer, slug)
    items = [ResourceEntry.model_validate(entry) for entry in found]
    return cacheable_response(request, ResourceList(items=items, next=None))


@router.put("/boards/{slug}/resources/{id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def attach_to_board(slug: Slug, id: ResourceId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have a place of help stand on a board: for those who write them. At most ten do. Idempotent."""
    await actions.attach_to_board(work, viewer, slug, id)
    return Response(status_code=204)


@router.delete("/boards/{slug}/resources/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def detach_from_board(slug: Slug, id: ResourceId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have it stand there no longer. Idempotent."""
    await actions.detach_from_board(work, viewer, slug, id)
    return Response(status_code=204)


@router.put("/threads/{id}/resources/{resource_id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def attach_to_thread(id: Id, resource_id: ResourceId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have a place of help stand in a thread: for those who write them. At most ten do. Idempotent."""
    await actions.attach_to_thread(work, viewer, id, resource_id)
    return Response(status_code=204)


@router.delete("/threads/{id}/resources/{resource_id}", status_code=204, responses=documented(401, 403, 404, 422))
async def detach_from_thread(id: Id, resource_id: ResourceId, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Have it stand there no longer. Idempotent."""
    await actions.detach_from_thread(work, viewer, id, resource_id)
    return Response(status_code=204)


def _wish(wanted: ResourceToWrite) -> ResourceWish:
    return ResourceWish(
        **wanted.model_dump(exclude={"tags", "state", "version"}),
        tags=tuple(wanted.tags),
        state=ResourceState(wanted.state),
    )
