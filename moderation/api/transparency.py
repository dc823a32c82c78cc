"""The yearly report over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentViewer
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from moderation import transparency
from moderation.transparency import Counted, TransparencyReport

router = APIRouter(tags=["reports"], route_class=Route)

Year = Annotated[int, Path(ge=transparency.FIRST_YEAR, lt=10_000, examples=[2025])]


class CountOfKind(ResponseBody):
    """How many there were of a kind."""

    kind: str = Field(examples=["rule"])
    number: int | None = Field(description="Null: fewer than five, but one at least", examples=[12])


class TransparencySection(ResponseBody):
    """One thing, counted by its kinds."""

    counted: Counted
    counts: list[CountOfKind] = Field(description="Kinds that are not named did not happen")
    least: int = Field(description="How many there were in all, at least", examples=[13])
    most: int = Field(description="And at most: the same, unless a number is hidden", examples=[16])


class Transparency(ResponseBody):
    """What happened in moderation in a year, in numbers."""

    year: int = Field(examples=[2025])
    sections: list[TransparencySection]
    median_minutes: int | None = Field(
        description="In which half of the calls to people on call were answered. Null where there were fewer than five",
        examples=[4],
    )
    voluntary: str = Field(description="Why it is published, and how", examples=[transparency.VOLUNTARY])


@router.get("/transparency/{year}", response_model=Transparency, responses=documented(404, 422))
async def get_transparency_report(request: Request, year: Year, viewer: CurrentViewer, work: CurrentWork) -> Response:
    """Read what happened in moderation in a year that is over. For everybody."""
    return cacheable_response(request, transparency_response(await transparency.read_report(work, viewer, year)))


def transparency_response(report: TransparencyReport) -> Transparency:
    """Return a report as the API shows it."""
    return Transparency.of_row(report, voluntary=transparency.VOLUNTARY)
