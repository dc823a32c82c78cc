"""Moderators' own safety over HTTP: what one leaves to others, and what one had to read. Nobody else reads it."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember
from forum.http.fields import Moment
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from moderation import own_safety
from moderation.case_priority import HEAVY, Category

router = APIRouter(prefix="/moderation/own-safety", tags=["moderation"], route_class=Route)

LeftOut = Annotated[
    list[Category],
    Field(
        max_length=len(Category),
        description="What your queue does not show, unless you ask for the category, or nobody else is free to decide",
        examples=[["intimate_image"]],
    ),
]


class CategoryShare(ResponseBody):
    """A category, and who else reads its cases."""

    category: Category
    is_heavy: bool = Field(description="Fold its words until somebody wants them", examples=[True])
    others: list[Author] = Field(description="Who else moderates and does not leave it out")


class CategoryRead(ResponseBody):
    """How many cases of a category you worked on."""

    category: Category
    cases: int = Field(examples=[3])


class ModeratorShift(ResponseBody):
    """Cases on which you worked, without four hours between two of them."""

    began_at: Moment
    ended_at: Moment = Field(description="When you took or decided the last one")
    cases: list[CategoryRead]
    heavy: int = Field(description="How many of them were heavy", examples=[3])


class OwnSafety(ResponseBody):
    """What you leave to others, and what you had to read in the last 30 days. Only you read this."""

    left_out: LeftOut
    categories: list[CategoryShare]
    shifts: list[ModeratorShift] = Field(description="The newest first")
    suggests_break: bool = Field(description="Whether a break would be good now", examples=[False])


class LeaveOutRequest(RequestBody):
    """What you leave to others."""

    left_out: LeftOut


@router.get("", response_model=OwnSafety, responses=documented(401, 403, 422))
async def get_own_safety(request: Request, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read what you leave to others, and how much you had to read. For moderators; nobody else sees it."""
    own = await own_safety.read_own_safety(work, viewer)
    body = OwnSafety(
        left_out=list(own.left_out),
        categories=[
            CategoryShare(
                category=category,
                is_heavy=category in HEAVY,
                others=[Author.of(row, "member") for row in own.others[category]],
            )
            for category in Category
        ],
        shifts=[
            ModeratorShift(
                began_at=shift.began_at,
                ended_at=shift.ended_at,
                cases=[CategoryRead(category=category, cases=count) for category, count in shift.cases.items()],
                heavy=shift.heavy,
            )
            for shift in own.shifts
        ],
        suggests_break=own.suggests_break,
    )
    return cacheable_response(request, body, shared=False)


@router.put("", status_code=204, responses=documented(401, 403, 413, 422))
async def leave_categories_out(wanted: LeaveOutRequest, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Leave these categories to others, and no more. For moderators. Idempotent."""
    await own_safety.leave_out(work, viewer, wanted.left_out)
    return Response(status_code=204)
