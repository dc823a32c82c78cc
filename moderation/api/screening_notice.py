"""What screening looks for, over HTTP: for everybody."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response
from forum.http.problems import documented
from forum.http.services import Route
from moderation import screening_notice
from moderation.screening.finding import FindingKind

router = APIRouter(tags=["help"], route_class=Route)


class Recogniser(ResponseBody):
    """Something that is looked for."""

    kind: FindingKind
    recogniser: str = Field(examples=["suicide"])
    version: str = Field(description="Of its phrases: each finding says with which it was made", examples=["1"])
    leads_to: list[str] = Field(description="What it can lead to", examples=[["A moderator reads it."]])


class ScreeningNotice(ResponseBody):
    """What a computer looks for in what you write. No decision is taken by it: people decide."""

    items: list[Recogniser]
    complain: str = Field(description="How to complain", examples=[screening_notice.COMPLAIN])
    next: None = Field(description="Always null: the list is whole")


@router.get("/screening", response_model=ScreeningNotice, responses=documented(422))
async def get_screening_notice(request: Request) -> Response:
    """Read what is looked for in what people write, and what it can lead to. For everybody."""
    items = [
        Recogniser(**sought._asdict(), leads_to=list(screening_notice.LEADS_TO[sought.kind]))
        for sought in screening_notice.list_sought()
    ]
    return cacheable_response(request, ScreeningNotice(items=items, complain=screening_notice.COMPLAIN, next=None))
