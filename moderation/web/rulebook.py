"""The page of the house rules: those of today, and those of each earlier edition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.web import texts
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import Reading
from moderation import rules
from moderation.rules import RulesReading

router = page_router()


@dataclass(frozen=True, kw_only=True)
class RulesPage(Page):
    """The rules of one edition, and links to the others."""

    template: ClassVar[str] = "moderation/rulebook.html"
    section: ClassVar[str] = "/rules"

    read: RulesReading

    @property
    def rules(self) -> Sequence[tuple[Any, str]]:
        """Each rule, and its text as HTML."""
        return [(rule, texts.render(rule.text)) for rule in self.read.book.rules]


@router.get("/rules")
async def show_rules(visit: Reading) -> Response:
    """Show the rules of today, or of the edition that the address names."""
    read = await rules.read_rules(visit.reader, _edition(visit.query("edition")))
    return visit.show(RulesPage(title=visit.say(mark("House rules")), read=read, indexable=read.is_newest))


def _edition(text: str) -> int | None:
    """Return the edition in an address; what is no number asks for the rules of today."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
