"""The house rules over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.dependencies import CurrentViewer, Reading
from forum.api.problems import documented
from forum.api.wire import Moment, Shown, fresh
from moderation import rules

router = APIRouter(tags=["rules"])


class Rule(Shown):
    """One house rule, as it stands."""

    number: int = Field(examples=[10])
    version: int = Field(examples=[1])
    title: str = Field(examples=["Respect other members and the professionals you mention"])
    text: str
    since: Moment


class RuleList(Shown):
    """The house rules. A member accepts them, as a whole, in this `version`."""

    version: int = Field(description="Send it as `rules_version` when joining")
    items: list[Rule]
    next: str | None = Field(description="Always null: the rules are few")


@router.get("/rules", response_model=RuleList, responses=documented(422))
async def list_rules(request: Request, _viewer: CurrentViewer, reading: Reading) -> Response:
    """Read the house rules."""
    edition = await reading.row(rules.edition())
    items = [Rule.model_validate(row) for row in await reading.rows(rules.current())]
    return fresh(request, RuleList(version=edition.version if edition else 0, items=items, next=None))
