"""Boards over HTTP, for administrators: make them, change every setting, order and archive them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field, StrictBool

from forum.administration import board_settings
from forum.api.content.boards import Audience
from forum.api.content.opening_hours import BoardHours, HoursRequest
from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.content.boards import Board as BoardRow
from forum.content.boards import BoardPlan, Publication
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import BoardSlug, Line, Moment, Number, Slug, Text
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Route

router = APIRouter(prefix="/administration", tags=["administration"], route_class=Route)

BoardName = Annotated[Line, Field(max_length=100, examples=["New here? Start here"])]
BoardGroup = Annotated[
    Line, Field(max_length=100, description="The heading under which the board is listed", examples=["Welcome"])
]
BoardDescription = Annotated[
    Text, Field(max_length=1000, description="One or two sentences", examples=["Say hello, and ask what you like"])
]
BoardHelp = Annotated[
    Text,
    Field(
        max_length=10_000,
        description="Markdown: who can help at once, telephone numbers first. Guests see it before anything else",
        examples=["In danger? Call 999."],
    ),
]
WriterAudience = Literal["member", "adviser", "moderator", "safeguarding_lead", "administrator"]
ReaderAudience = Literal["everyone", WriterAudience]
Readers = Annotated[
    list[ReaderAudience], Field(min_length=1, max_length=10, description="Who may read", examples=[["everyone"]])
]
Openers = Annotated[
    list[WriterAudience], Field(max_length=10, description="Who may open threads", examples=[["member"]])
]
Repliers = Annotated[list[WriterAudience], Field(max_length=10, description="Who may reply", examples=[["member"]])]
Position = Annotated[Number, Field(description="Its place in the list", examples=[1])]
Indexable = Annotated[StrictBool, Field(description="Whether search engines may index it", examples=[True])]
Advised = Annotated[
    StrictBool, Field(description="Whether advisers answer here, so that threads wait for them", examples=[True])
]
WhenPublished = Annotated[
    Publication,
    Field(description="When others see a new post: at once, everybody's first posts only after a moderator, or all"),
]


class BoardSettings(ResponseBody):
    """A board with everything that an administrator can set."""

    slug: str = Field(examples=["new-here"])
    name: str = Field(examples=["New here? Start here"])
    group: str = Field(examples=["Welcome"])
    position: int = Field(examples=[1])
    description: str = Field(examples=["Say hello, and ask what you like"])
    help_markdown: str = Field(examples=["In danger? Call 999."])
    readers: list[Audience] = Field(examples=[["everyone"]])
    openers: list[Audience] = Field(examples=[["member"]])
    repliers: list[Audience] = Field(examples=[["member"]])
    indexable: bool
    advised: bool
    publication: Publication
    opening_hours: BoardHours | None = Field(description="Null: it is always open")
    archived_at: Moment | None = Field(description="Since when nobody can write here. Null for an open board")
    made_at: Moment
    version: int = Field(description="Send it back when you change the board", examples=[1])


class BoardSettingsList(ResponseBody):
    """Every board, in order."""

    items: list[BoardSettings]
    next: Next


class BoardToMake(RequestBody):
    """A new board. What you leave out: members write, everybody reads, posts appear at once."""

    slug: BoardSlug
    name: BoardName
    group: BoardGroup = BoardPlan.section
    position: Position = BoardPlan.position
    description: BoardDescription = ""
    help_markdown: BoardHelp = ""
    readers: Readers = Field(["everyone"])
    openers: Openers = Field(["member"])
    repliers: Repliers = Field(["member"])
    indexable: Indexable = BoardPlan.indexable
    advised: Advised = BoardPlan.advised
    publication: WhenPublished = Publication(BoardPlan.publication)


class BoardChange(RequestBody):
    """What to change of a board; what you leave out stays."""

    version: Number = Field(description="Of the board that was on your screen", examples=[1])
    name: BoardName | None = None
    group: BoardGroup | None = None
    position: Position | None = None
    description: BoardDescription | None = None
    help_markdown: BoardHelp | None = None
    readers: Readers | None = None
    openers: Openers | None = None
    repliers: Repliers | None = None
    indexable: Indexable | None = None
    advised: Advised | None = None
    publication: WhenPublished | None = None


class BoardOrder(RequestBody):
    """The order in which boards are listed."""

    slugs: list[BoardSlug] = Field(max_length=1000, description="Every board, once", examples=[["new-here", "court"]])


@router.get("/boards", response_model=BoardSettingsList, responses=documented(401, 403, 422))
async def list_board_settings(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """List every board with its settings, also those that you may not read. For administrators."""
    rows = await board_settings.list_boards(work, viewer)
    return cacheable_response(request, _list(rows), shared=False)


@router.post(
    "/boards",
    status_code=201,
    response_model=BoardSettings,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 409, 413, 422),
)
async def make_board(wanted: BoardToMake, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Make a board: for administrators who signed in within 15 minutes."""
    plan = BoardPlan(**_settings(wanted))
    board = await board_settings.make_board(work, viewer, plan, repeat=key.of(wanted))
    return json_response(_board(board), 201, {"Location": f"/api/v1/boards/{board.slug}"})


@router.get("/boards/{slug}", response_model=BoardSettings, responses=documented(401, 403, 404, 422))
async def get_board_settings(request: Request, slug: Slug, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read a board's settings: for administrators."""
    return cacheable_response(request, _board(await board_settings.get_board(work, viewer, slug)), shared=False)


@router.patch("/boards/{slug}", response_model=BoardSettings, responses=documented(401, 403, 404, 409, 413, 422))
async def change_board(slug: Slug, wanted: BoardChange, viewer: AnyMember, work: CurrentWork) -> Response:
    """Change a board's settings: for administrators who signed in within 15 minutes.

    Its slug stays, because addresses have it.
    """
    return json_response(
        _board(await board_settings.change_board(work, viewer, slug, wanted.version, _settings(wanted)))
    )


@router.put("/boards/{slug}/hours", response_model=BoardSettings, responses=documented(401, 403, 404, 409, 413, 422))
async def set_board_hours(slug: Slug, wanted: HoursRequest, viewer: AnyMember, work: CurrentWork) -> Response:
    """Say when people look after a board, and what becomes of new posts at other times.

    For administrators who signed in within 15 minutes.
    """
    return json_response(_board(await board_settings.set_hours(work, viewer, slug, wanted.version, wanted.hours())))


@router.delete("/boards/{slug}/hours", response_model=BoardSettings, responses=documented(401, 403, 404, 422))
async def remove_board_hours(slug: Slug, viewer: AnyMember, work: CurrentWork) -> Response:
    """Have a board always open. For administrators who signed in within 15 minutes. Idempotent."""
    return json_response(_board(await board_settings.remove_hours(work, viewer, slug)))


@router.put("/boards/{slug}/archive", response_model=BoardSettings, responses=documented(401, 403, 404, 422))
async def archive_board(slug: Slug, viewer: AnyMember, work: CurrentWork) -> Response:
    """Archive a board: it stays readable, and nobody can write there.

    For administrators who signed in within 15 minutes. Idempotent.
    """
    return json_response(_board(await board_settings.archive_board(work, viewer, slug)))


@router.delete("/boards/{slug}/archive", response_model=BoardSettings, responses=documented(401, 403, 404, 422))
async def reopen_board(slug: Slug, viewer: AnyMember, work: CurrentWork) -> Response:
    """Open an archived board again: for administrators who signed in within 15 minutes. Idempotent."""
    return json_response(_board(await board_settings.reopen_board(work, viewer, slug)))


@router.put("/board-order", response_model=BoardSettingsList, responses=documented(401, 403, 413, 422))
async def order_boards(wanted: BoardOrder, viewer: AnyMember, work: CurrentWork) -> Response:
    """Put the boards into an order: for administrators who signed in within 15 minutes. Idempotent."""
    return json_response(_list(await board_settings.order_boards(work, viewer, wanted.slugs)))


def _settings(wanted: BoardToMake | BoardChange) -> dict[str, Any]:
    """Return the settings that were given, as the board has them."""
    given = wanted.model_dump(exclude_none=True, exclude={"version"})
    if group := given.pop("group", None):
        given["section"] = group
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _board(row: BoardRow) -> BoardSettings:
    return BoardSettings.of_row(row, group=row.section, opening_hours=BoardHours.of(row.hours))


def _list(rows: Sequence[BoardRow]) -> BoardSettingsList:
    return BoardSettingsList(items=[_board(row) for row in rows], next=None)
