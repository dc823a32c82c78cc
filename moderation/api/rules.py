"""The house rules over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BeforeValidator, Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, CurrentViewer
from forum.http.fields import Line, Moment, Words, numeric
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Reading, Route
from moderation import rules

router = APIRouter(tags=["rules"], route_class=Route)


class Rule(ResponseBody):
    """One house rule, in one of its versions."""

    number: int = Field(examples=[10])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Respect other members and the professionals you mention"])
    text: str = Field(examples=["Disagree with what was said, never with who said it."])
    since: Moment


class RuleList(ResponseBody):
    """The house rules. A member accepts them, as a whole, in this `version`."""

    version: int = Field(description="Send it as `rules_version` when joining; 0 before there are rules", examples=[1])
    items: list[Rule]
    next: None = Field(description="Always null: the list is whole")


class RuleVersions(ResponseBody):
    """Every version of a rule, oldest first."""

    items: list[Rule]
    next: None = Field(description="Always null: the list is whole")


class RuleChange(RequestBody):
    """Other words for a rule."""

    version: Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(numeric)] = Field(
        description="The version that was on the screen; 0 for a new rule", examples=[1]
    )
    title: Line = Field(min_length=1, max_length=120, examples=["Respect other members"])
    text: Words = Field(
        min_length=1, max_length=5000, examples=["Disagree with what was said, never with who said it."]
    )


RuleNumber = Annotated[int, Path(ge=1, lt=1000, examples=[10])]


@router.get("/rules", response_model=RuleList, responses=documented(404, 422))
async def list_rules(
    request: Request,
    _viewer: CurrentViewer,
    reading: Reading,
    edition: Annotated[
        int | None,
        Query(ge=1, lt=2**31, description="As they were in this edition; without it, those of today", examples=[1]),
    ] = None,
) -> Response:
    """Read the house rules."""
    book = (await rules.read_rules(reading, edition)).book
    items = [Rule.model_validate(row) for row in book.rules]
    return cacheable_response(request, RuleList(version=book.version, items=items, next=None))


@router.get("/rules/{number}", response_model=RuleVersions, responses=documented(404, 422))
async def get_rule(request: Request, number: RuleNumber, _viewer: CurrentViewer, reading: Reading) -> Response:
    """Read every version of a rule: a decision cites the version of its own time."""
    rows = await rules.list_versions(reading, number)
    return cacheable_response(request, RuleVersions(items=[Rule.model_validate(row) for row in rows], next=None))


@router.put("/moderation/rules/{number}", response_model=Rule, responses=documented(401, 403, 409, 413, 422))
async def write_rule(number: RuleNumber, change: RuleChange, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Give a rule other words, as a new version with today's date: for administrators."""
    draft = rules.RuleDraft(change.version, change.title, change.text)
    rule = await rules.write_rule(work, viewer, number, draft)
    return json_response(Rule(**rule.model_dump(include={"number", "version", "title", "text"}), since=work.now))
