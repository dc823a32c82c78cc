"""The page of a moderator's own safety: what they leave to others, and what they had to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit
from moderation import own_safety
from moderation.case_priority import HEAVY, Category
from moderation.own_safety import OwnSafety
from moderation.web.pages import ModerationPage

router = page_router()

PATH = "/moderation/own-safety"


class LeftOutForm(FormModel):
    """What somebody leaves to others."""

    left_out: Annotated[list[Category], Field(max_length=len(Category))] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class OwnSafetyPage(ModerationPage):
    """What a moderator leaves to others, and their shifts. Nobody else sees it."""

    template: ClassVar[str] = "moderation/own_safety.html"
    is_own: ClassVar[bool] = True
    # The heavy ones first: they are why one looks here.
    offered: ClassVar[Sequence[Category]] = sorted(Category, key=lambda category: category not in HEAVY)

    own: OwnSafety


@router.get(PATH)
async def show_own_safety(visit: MemberVisit) -> Response:
    """Show what somebody leaves to others, and what they had to read."""
    own = await visit.act(own_safety.read_own_safety)
    return visit.show(OwnSafetyPage(title=visit.say("How much you read"), own=own))


@router.post(PATH)
async def leave_out(visit: MemberForm) -> Response:
    """Leave categories to others."""
    await visit.act(own_safety.leave_out, visit.form.parse(LeftOutForm).left_out)
    return visit.go(PATH, done="saved")
