"""Pages to write the rules: each change is a new version in a new edition."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from fastapi import Path, Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Line, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import rules
from moderation.rules import RulebookReading, RuleDraft, RuleReading
from moderation.web.pages import ModerationPage, status_of

router = page_router()

RuleNumber = Annotated[int, Path(ge=1, lt=1000)]


class RuleForm(FormModel):
    """What a rule shall say, and the version that was on the screen: 0 for a new rule."""

    version: Annotated[int, Field(ge=0, lt=2**31)]
    title: Annotated[Line, Field(min_length=1, max_length=120)]
    text: Annotated[Words, Field(min_length=1, max_length=5000)]


@dataclass(frozen=True, kw_only=True)
class RulesPage(ModerationPage):
    """Every rule, each with a link to change it."""

    template: ClassVar[str] = "moderation/rules.html"

    reading: RulebookReading

    @property
    def next_number(self) -> int:
        """The number of a rule that is to be added."""
        return max((rule.number for rule in self.reading.book.rules), default=0) + 1


@dataclass(frozen=True, kw_only=True)
class RulePage(ModerationPage):
    """One rule in every version, and the form for the next."""

    template: ClassVar[str] = "moderation/rule.html"

    rule: RuleReading


@router.get("/moderation/rules")
async def show_rules(visit: MemberVisit) -> Response:
    """Show every rule to those who moderate."""
    reading = await rules.read_rulebook(visit.reader, visit.viewer)
    return visit.show(RulesPage(title=visit.say("The rules"), reading=reading))


@router.get("/moderation/rules/{number}")
async def show_rule(number: RuleNumber, visit: MemberVisit) -> Response:
    """Show a rule in every version, and the form for the next."""
    return visit.show(await _page(visit, number))


@router.post("/moderation/rules/{number}")
async def write_rule(number: RuleNumber, visit: MemberForm) -> Response:
    """Give a rule other words, in a new edition."""
    try:
        wanted = visit.form.parse(RuleForm)
        await visit.act(rules.write_rule, number, RuleDraft(wanted.version, wanted.title, wanted.text))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), number), status_of(error))
    return visit.go("/moderation/rules", done="rule-written")


async def _page(visit: Visit, number: int) -> RulePage:
    rule = await rules.read_rule(visit.reader, visit.viewer, number)
    return RulePage(title=visit.say("Rule %(number)s", number=number), rule=rule, form=visit.form)
