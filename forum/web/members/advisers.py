"""The page of the advisers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.members import advisers
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading

router = page_router()


@dataclass(frozen=True, kw_only=True)
class AdvisersPage(Page):
    """Whose answers stand out, and for whom they speak."""

    template: ClassVar[str] = "members/advisers.html"
    is_wide: ClassVar[bool] = True

    advisers: Sequence[Any]


@router.get("/advisers")
async def show_advisers(visit: Reading) -> Response:
    """Show the advisers of today."""
    found = await advisers.list_advisers(visit.reader)
    return visit.show(AdvisersPage(title=visit.say(mark("Advisers")), advisers=found, indexable=True))
