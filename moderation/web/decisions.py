"""Pages to decide a case: what the author will read is shown first, then decided."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from fastapi import Response
from pydantic import Field

from forum.core.errors import Busy, ForumError
from forum.http.fields import BoardSlug, Line, Text, Title, Uuid, Words
from forum.members.names import NAME_MAX
from forum.web.forms import Form, FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, Visit
from moderation import decision_preview
from moderation.decision_preview import DecisionPreview, WordsToTakeOut
from moderation.decisions import AppealOutcome, DecisionInput
from moderation.measures.catalogue import MEASURES
from moderation.measures.tables import MeasureInput, MeasureKind, NewHandle
from moderation.web.cases import DAYS, case_page, go_on
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

Version = Annotated[int, Field(ge=0, lt=2**31)]
Kind = Literal[
    "publish", "refuse", "redact", "edit", "remove", "retitle", "lock", "move", "rename", "warn", "review", "silence",
    "suspend", "ban", "dismiss", "uphold", "overturn", "change",
]  # fmt: skip
RuleNumber = Annotated[int, Field(ge=1, lt=1000)]
Name = Annotated[Line, Field(max_length=NAME_MAX)]


class RulingForm(FormModel):
    """What somebody decides, in the fields of the page."""

    measures: Annotated[tuple[Kind, ...], Field(max_length=15)] = ()
    rules: Annotated[tuple[RuleNumber, ...], Field(max_length=20)] = ()
    reason: Annotated[Words, Field(min_length=1, max_length=5000)]
    note: Annotated[Text, Field(max_length=5000)] | None = None
    law: Annotated[Text, Field(max_length=500)] | None = None
    until: Annotated[int, Field(ge=1, le=max(DAYS))] | None = None  # in so many days

    def ruling(self, now: datetime) -> DecisionInput:
        """Return the decision, without what was on the screen. Fields of measures that were not chosen are left out."""
        outcomes = [kind for kind in self.measures if kind in set(AppealOutcome)]
        chosen = [MeasureKind(kind) for kind in self.measures if kind not in outcomes]
        return DecisionInput(
            version=None,
            revision=None,
            measures=tuple(self._measure(kind, now) for kind in chosen),
            reason=self.reason,
            rules=self.rules,
            note=self.note,
            law=self.law,
            outcomes=tuple(map(AppealOutcome, outcomes)),
        )

    def _measure(self, kind: MeasureKind, now: datetime) -> MeasureInput:
        fields = MEASURES[kind].fields - {"spans"}
        given: dict[str, Any] = {name: getattr(self, name, None) for name in fields}
        if "until" in given and self.until:
            given["until"] = now + timedelta(days=self.until)
        return MeasureInput(kind, **given)


class DecisionForm(RulingForm):
    """What somebody decides about a case, and what was on their screen."""

    version: Version
    revision: Version | None = None
    title_revision: Version | None = None
    spans: Annotated[Text, Field(max_length=20_000)] | None = None  # words to take out, one piece a line
    everywhere: Literal["yes"] | None = None
    body_markdown: Words | None = None
    title: Title | None = None
    board: BoardSlug | None = None
    name: Name | None = None
    handle: NewHandle | None = None

    @property
    def words_to_take_out(self) -> WordsToTakeOut:
        """The words that somebody copied, one piece on each line."""
        return WordsToTakeOut(tuple((self.spans or "").split("\n")), everywhere=self.everywhere is not None)

    def decision(self, now: datetime) -> DecisionInput:
        """Return the decision."""
        return replace(
            self.ruling(now), version=self.version, revision=self.revision, title_revision=self.title_revision
        )


@dataclass(frozen=True, kw_only=True)
class PreviewPage(ModerationPage):
    """What a decision would come to: the statement as its author will read it, the posts as readers will see them."""

    template: ClassVar[str] = "moderation/preview.html"

    preview: DecisionPreview
    sent: Form  # what was chosen, to be sent again
    action: str  # where to decide
    back: str  # where to change something
    kinds_chosen: Sequence[str]


@router.post("/moderation/cases/{id}/preview")
async def preview_decision(id: Uuid, visit: MemberForm) -> Response:
    """Show what a decision would come to. Nothing is stored."""
    try:
        wanted = visit.form.parse(DecisionForm)
        preview = await decision_preview.preview_decision(
            visit.transactions, visit.viewer, id, wanted.decision(visit.now), wanted.words_to_take_out
        )
    except ForumError as error:
        return visit.show(await case_page(visit.refusing(error), id), status_of(error))
    address = f"/moderation/cases/{id}"
    return visit.show(preview_page(visit, preview, wanted, f"{address}/decide", f"{address}/change"))


@router.post("/moderation/cases/{id}/change")
async def change_decision(id: Uuid, visit: MemberForm) -> Response:
    """Show the case again with what was chosen, to change something."""
    return visit.show(await case_page(visit, id))


@router.post("/moderation/cases/{id}/template")
async def use_template(id: Uuid, visit: MemberForm) -> Response:
    """Show the case again with a template below the reason that was written."""
    page = await case_page(visit, id)
    chosen = visit.form.values.get("template")
    texts = [template.text for template in page.screen.templates if template.slug == chosen]
    reason = "\n\n".join(filter(None, [visit.form.values.get("reason"), *texts]))
    form = replace(visit.form, values={**visit.form.values, "reason": reason})
    return visit.show(replace(page, form=form))


@router.post("/moderation/cases/{id}/decide")
async def decide_case(id: Uuid, visit: MemberForm) -> Response:
    """Decide a case, and stay there."""
    done = "case-decided"
    try:
        wanted = visit.form.parse(DecisionForm)
        await visit.act(
            decision_preview.decide_by_words,
            id,
            wanted.decision(visit.now),
            wanted.words_to_take_out,
            repeat=repeat_of(visit),
        )
    except Busy:
        done = "sending"
    except ForumError as error:
        visit = visit.refusing(error)
    return await go_on(visit, id, done=done, but=DecisionForm.model_fields)


def preview_page(visit: Visit, preview: DecisionPreview, wanted: RulingForm, action: str, back: str) -> PreviewPage:
    """Return the page that shows what a decision would come to."""
    return PreviewPage(
        title=visit.say("Before you decide"),
        preview=preview,
        sent=visit.form,
        action=action,
        back=back,
        kinds_chosen=wanted.measures,
    )
