"""The house rules over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BeforeValidator, Field

from forum.api.schemas import Line, Moment, RequestBody, ResponseBody, Words, numeric
from forum.core.errors import NotFound
from forum.http.caching import cacheable_response
from forum.http.current_member import CurrentMember, CurrentViewer
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import Now, Reading, Route, WorkSession
from moderation import rules
from moderation.permissions import Act, allow

router = APIRouter(tags=["rules"], route_class=Route)


class Rule(ResponseBody):
    """One house rule, as it stands."""

    number: int = Field(examples=[10])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Respect other members and the professionals you mention"])
    text: str = Field(examples=["Disagree with what was said, never with who said it."])
    since: Moment


class RuleList(ResponseBody):
    """The house rules. A member accepts them, as a whole, in this `version`."""

    version: int = Field(description="Send it as `rules_version` when joining; 0 before there are rules", examples=[1])
    items: list[Rule]
    next: None = Field(description="Always null: the rules are few")


class RuleVersions(ResponseBody):
    """A rule in every version that it ever had, oldest first."""

    items: list[Rule]
    next: None = Field(description="Always null: a rule has few versions")


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


@router.get("/rules", response_model=RuleList, responses=documented(422))
async def list_rules(request: Request, _viewer: CurrentViewer, reading: Reading) -> Response:
    """Read the house rules."""
    edition = await reading.row(rules.EDITION)
    items = [Rule.model_validate(row) for row in await reading.rows(rules.CURRENT)]
    return cacheable_response(request, RuleList(version=edition.version if edition else 0, items=items, next=None))


@router.get("/rules/{number}", response_model=RuleVersions, responses=documented(404, 422))
async def get_rule(request: Request, number: RuleNumber, _viewer: CurrentViewer, reading: Reading) -> Response:
    """Read every version of a rule: a decision cites the one that stood when it was taken."""
    rows = await reading.rows(rules.VERSIONS, number=number)
    if not rows:
        raise NotFound("There is no such rule.")
    return cacheable_response(request, RuleVersions(items=[Rule.model_validate(row) for row in rows], next=None))


@router.put("/moderation/rules/{number}", response_model=Rule, responses=documented(401, 403, 409, 413, 422))
async def write_rule(
    number: RuleNumber, change: RuleChange, viewer: CurrentMember, work: WorkSession, now: Now
) -> Response:
    """Give a rule other words, as a new version with today's date: for administrators."""
    allow(Act.WRITE_RULES, viewer)
    rule = await rules.write(work, viewer, number, change.version, change.title, change.text, now)
    return json_response(Rule(**rule.model_dump(include={"number", "version", "title", "text"}), since=now))
