"""Help at once over HTTP: by kind of danger, for everybody; and for one's own post."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.content import addressed_help, crisis_help
from forum.content.crisis_help import Help
from forum.content.resources.tables import REGION_MAX
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import Id, Line, Moment
from forum.http.problems import documented
from forum.http.services import AppServices, CurrentWork, Now, Route

router = APIRouter(tags=["help"], route_class=Route)


HelpKind = Literal[
    "attempt", "child_in_danger", "danger", "suicide", "self_harm", "carer", "disclosure", "encouragement"
]


class HelpResource(ResponseBody):
    """Somebody who helps, and how to reach them. Show them in this order."""

    name: str = Field(examples=["Samaritans"])
    telephone: str | None = Field(examples=["116 123"])
    text: str | None = Field(description="The number for text messages", examples=["85258"])
    chat: str | None = Field(description="The address of a chat", examples=["https://chat.example.org"])
    url: str | None = Field(examples=["https://www.samaritans.org"])
    note: str | None = Field(examples=["Free. It does not show on a bill."])
    hours: str | None = Field(examples=["Day and night"])
    regions: list[str] = Field(description="For whom it is, by where they live. Empty: for everybody", examples=[[]])
    open_now: bool | None = Field(
        description="Whether somebody answers now. Null where that is not known", examples=[True]
    )
    silent: bool = Field(description="Whether nobody in the room hears it", examples=[False])


class Watch(ResponseBody):
    """Whether somebody of the charity is reading now."""

    now: bool = Field(examples=[False])
    next_at: Moment | None = Field(description="From when on somebody is. Null where nobody can say")
    opens_at: Moment | None = Field(description="When the board opens again, if it is closed now")
    words: str = Field(examples=[crisis_help.WATCHED])


class CrisisHelp(ResponseBody):
    """Who helps at once. Show it calmly, above everything else, and ask nothing."""

    kind: HelpKind = Field(description="Of danger", examples=["suicide"])
    level: str | None = Field(
        description="`acute`: somebody is called. `worry`: a moderator looks. Null where nobody's words asked for it",
        examples=["acute"],
    )
    words: str = Field(description="What to say first", examples=[crisis_help.WORDS["suicide"]])
    resources: list[HelpResource] = Field(
        description="In order. In `danger`, another person is near: make no call without a tap, and show what is "
        "`silent` first"
    )
    watched: Watch


class ThreadHelp(ResponseBody):
    """Who helps, beside a thread. Show it calmly, above the posts, and ask nothing."""

    words: str = Field(description="What to say first", examples=[crisis_help.UNASKED])
    resources: list[HelpResource]


class HelpList(ResponseBody):
    """Help, by kind of danger."""

    items: list[CrisisHelp]
    regions: list[str] = Field(
        description="The regions that lines are for, to offer a choice", examples=[["England", "Wales"]]
    )
    next: None = Field(description="Always null: the list is whole")


class PostHelp(ResponseBody):
    """Who helps with what a post says."""

    help: CrisisHelp | None = Field(description="Null for most posts: nothing in them asks for help at once")


@router.get("/help", response_model=HelpList, responses=documented(422))
async def list_help(
    request: Request,
    services: AppServices,
    now: Now,
    kind: Annotated[
        HelpKind | None, Query(description="A kind of danger. Without it: all", examples=["suicide"])
    ] = None,
    region: Annotated[
        Line | None,
        Query(
            max_length=REGION_MAX,
            description="Where the reader lives: lines for other regions are left out. None is, where no line names it",
            examples=["Wales"],
        ),
    ] = None,
) -> Response:
    """List who helps at once, for everybody, also without an account. What is asked for is not kept."""
    found = crisis_help.list_help(services.settings, kind, now, region)
    items = [CrisisHelp.model_validate(one.as_json()) for one in found]
    regions = list(crisis_help.list_regions(services.settings))
    return cacheable_response(request, HelpList(items=items, regions=regions, next=None))


@router.get("/posts/{id}/help", response_model=PostHelp, responses=documented(401, 403, 404, 422))
async def get_help(request: Request, id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read who helps with what your post says, or with what somebody answered to it.

    For its author; and for the author of the post that it answers, where it tells them to harm themselves.
    """
    found = await crisis_help.read_help(work, viewer, id)
    return cacheable_response(request, PostHelp(help=help_response(found)), shared=False)


@router.delete("/threads/{id}/help", status_code=204, responses=documented(401, 403, 404, 422))
async def put_help_away(id: Id, viewer: AnyMember, work: CurrentWork) -> Response:
    """Put away the help that stands beside a thread for you. Idempotent."""
    await addressed_help.put_away(work, viewer, id)
    return Response(status_code=204)


def help_response(found: Help | None) -> CrisisHelp | None:
    """Return help as the API shows it."""
    return CrisisHelp.model_validate(found.as_json()) if found else None
