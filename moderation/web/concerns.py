"""Pages of concerns: one to raise them, for everybody with an account; the others for safeguarding leads."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from forum.core.errors import Busy, Conflict, ForumError
from forum.core.pagination import Page as Rows
from forum.http.fields import Handle, Line, SentDay, SentIdentity, SoughtHandle, Text, Uuid, Words
from forum.privacy.tables import HoldReason
from forum.web.administration import labels
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.texts import Text as LongText
from forum.web.visits import MemberForm, MemberVisit, OwnForm, OwnVisit, Visit
from moderation.concerns import actions, disclosures, evidence, journal, queries, raising
from moderation.concerns.actions import EntryDraft
from moderation.concerns.disclosures import DisclosureDecision
from moderation.concerns.evidence import HoldWish
from moderation.concerns.queries import ConcernFile
from moderation.concerns.raising import MOST_NAMED, ConcernBasis, ConcernDraft, Raisable
from moderation.concerns.tables import LINE_MAX, TEXT_MAX, ConcernState, Consent, DisclosureOutcome
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

PATH = "/moderation/concerns"
ROWS_A_PAGE = 20
Prose = Annotated[Text, Field(max_length=TEXT_MAX)]

CONSENTS: Mapping[str, str] = {
    Consent.GIVEN: mark("Yes, and they agreed"),
    Consent.REFUSED: mark("Yes, and they did not agree"),
    Consent.NOT_SOUGHT: mark("No"),
}
DISCLOSURES: Mapping[str, str] = {
    DisclosureOutcome.DISCLOSED: mark("They get all of it"),
    DisclosureOutcome.IN_PART: mark("They get a part of it"),
    DisclosureOutcome.WITHHELD: mark("They get nothing of it"),
}
# What the audit record of a concern says was done.
DEEDS: Mapping[str, str] = {
    "raised": mark("raised it"),
    "listed": mark("saw it in the list"),
    "read": mark("read it"),
    "entry_added": mark("wrote in the chronology"),
    "assessed": mark("wrote another assessment"),
    "reviewed": mark("said when it is looked at again"),
    "closed": mark("closed it"),
    "kept_longer": mark("said until when it is kept"),
    "reopened": mark("opened it again"),
    "excluded": mark("shut a lead out"),
    "readmitted": mark("let a lead in again"),
    "hold_placed": mark("placed a legal hold"),
    "hold_released": mark("ended the legal hold"),
    "disclosure_asked": mark("A member asked for a copy of their data"),
    "disclosure_decided": mark("decided what a member gets of it"),
    "erased": mark("erased it"),
}


def _named(written: object) -> object:
    """Return the short names in one line, which people write with spaces, commas or an @ between them."""
    return [name for name in re.split(r"[\s,;@]+", written) if name] if isinstance(written, str) else written


def _local_time(written: object) -> object:
    """Return the time that is written without a zone: it is that of the pages, as all times that they show."""
    # Browsers without a field for times have it typed.
    if isinstance(written, str) and re.fullmatch("(19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}", written):
        with suppress(ValueError):
            return datetime.fromisoformat(written)
    raise PydanticCustomError("not_a_time", "must be a day and a time, such as 2026-12-24 16:40")


class RaisingForm(FormModel):
    """What somebody worries about."""

    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    about: Annotated[Sequence[SoughtHandle], BeforeValidator(_named), Field(max_length=MOST_NAMED)] = ()
    post: Annotated[SentIdentity, BeforeValidator(lambda sent: int(sent) if str(sent).isdecimal() else sent)] | None = (
        None
    )
    case: UUID | None = None
    reached_at: Annotated[Line, Field(max_length=LINE_MAX)] | None = None
    consent: Consent | None = None
    consent_why: Prose = ""
    immediate_action: Prose = ""


class EntryForm(FormModel):
    """What happened."""

    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    happened_at: Annotated[datetime, BeforeValidator(_local_time)] | None = None
    corrects: UUID | None = None


class AssessmentForm(FormModel):
    """Another version of the assessment."""

    number: int
    consent: Consent | None = None
    consent_why: Prose = ""
    lawful_ground: Prose = ""
    immediate_action: Prose = ""


class ReviewForm(FormModel):
    """When it is looked at again."""

    review_on: SentDay


class ClosureForm(FormModel):
    """Until when it is kept."""

    keep_until: SentDay


class HoldForm(FormModel):
    """Why nothing may be deleted."""

    reason: HoldReason
    hold_review_on: SentDay
    note: Prose = ""
    exemption: Annotated[Line, Field(max_length=LINE_MAX)] | None = None


class ExclusionForm(FormModel):
    """Who may not read it, and why."""

    handle: Annotated[SoughtHandle, BeforeValidator(lambda sent: str(sent).lstrip("@"))]
    why: Annotated[Words, Field(min_length=1, max_length=LINE_MAX)]


class DisclosureForm(FormModel):
    """What a member gets of it."""

    outcome: DisclosureOutcome
    rule: Annotated[Line, Field(max_length=LINE_MAX)] | None = None
    grounds: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]


@dataclass(frozen=True, kw_only=True)
class RaisingPage(FormPage):
    """The form to raise a concern."""

    template: ClassVar[str] = "moderation/concern_new.html"
    section: ClassVar[str] = "/"
    is_own: ClassVar[bool] = True

    subject: Raisable
    about: str
    lines: LongText
    consents: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class RaisedPage(FormPage):
    """That a concern has arrived."""

    template: ClassVar[str] = "moderation/concern_raised.html"
    section: ClassVar[str] = "/"
    is_own: ClassVar[bool] = True

    lines: LongText
    outside_contact: str | None
    nobody_reads: bool


@dataclass(frozen=True, kw_only=True)
class ConcernsPage(ModerationPage):
    """The concerns that somebody leads."""

    template: ClassVar[str] = "moderation/concerns.html"
    section: ClassVar[str] = PATH

    rows: Rows
    state: ConcernState
    today: date


@dataclass(frozen=True, kw_only=True)
class ConcernPage(ModerationPage):
    """Everything of one concern, and what its leads can do."""

    template: ClassVar[str] = "moderation/concern.html"
    section: ClassVar[str] = PATH

    file: ConcernFile
    today: date
    consents: Mapping[str, str]
    consent_choices: Sequence[tuple[str, str]]
    hold_reasons: Mapping[str, str]
    hold_choices: Sequence[tuple[str, str]]
    outcome_words: Mapping[str, str]
    outcome_choices: Sequence[tuple[str, str]]

    @property
    def address(self) -> str:
        """The path of the concern."""
        return f"{PATH}/{self.file.concern.id}"

    @property
    def assessment(self) -> Any:
        """The newest version of the assessment."""
        return self.file.assessments[-1]


@dataclass(frozen=True, kw_only=True)
class ConcernAuditPage(ModerationPage):
    """Who read a concern, and what they did."""

    template: ClassVar[str] = "moderation/concern_audit.html"
    section: ClassVar[str] = PATH
    deeds: ClassVar[Mapping[str, str]] = DEEDS

    rows: Rows
    concern_id: UUID


@router.get("/concern")
async def show_raising(visit: OwnVisit) -> Response:
    """Show the form to raise a concern."""
    return visit.show(await _raising_page(visit))


@router.post("/concern")
async def raise_concern(visit: OwnForm) -> Response:
    """Raise a concern, and say whether somebody may read it."""
    try:
        wanted = visit.form.parse(RaisingForm)
        draft = ConcernDraft(
            wanted.text,
            wanted.about,
            [wanted.post] if wanted.post else [],
            wanted.case,
            wanted.reached_at,
            ConcernBasis(wanted.consent, wanted.consent_why, immediate_action=wanted.immediate_action),
        )
        receipt = await visit.act(raising.raise_concern, draft, repeat=repeat_of(visit))
    except Busy:
        return visit.go("/concern", done="sending")
    except ForumError as error:
        refused = visit.refusing(_at_field(error, "member_not_found", "about"))
        return visit.show(await _raising_page(refused), status_of(error))
    return visit.go("/concern/sent", done="concern-raised" if receipt.is_read else "concern-waits")


@router.get("/concern/sent")
async def show_raised(visit: OwnVisit) -> Response:
    """Show that a concern has arrived; where nobody may read it, whom one can turn to outside."""
    page = RaisedPage(
        title=visit.say(mark("Thank you")),
        lines=visit.text("lines"),
        outside_contact=visit.settings.outside_contact,
        nobody_reads=visit.query("done") == "concern-waits",
    )
    return visit.show(page)


@router.get(PATH)
async def show_concerns(visit: MemberVisit) -> Response:
    """Show the concerns that one leads."""
    state = ConcernState.CLOSED if visit.query("state") == ConcernState.CLOSED else ConcernState.OPEN
    rows = await visit.act(queries.list_concerns, state, visit.query("after") or None, ROWS_A_PAGE)
    return visit.show(ConcernsPage(title=visit.say(mark("Concerns")), rows=rows, state=state, today=visit.now.date()))


@router.get(f"{PATH}/{{id}}")
async def show_concern(id: Uuid, visit: MemberVisit) -> Response:
    """Show everything of a concern."""
    return visit.show(await _page(visit, id))


@router.get(f"{PATH}/{{id}}/audit")
async def show_concern_audit(id: Uuid, visit: MemberVisit) -> Response:
    """Show who read a concern, and what they did."""
    rows = await visit.act(journal.list_audit, id, visit.query("after") or None, ROWS_A_PAGE)
    return visit.show(
        ConcernAuditPage(title=visit.say(mark("Who read it, and what they did")), rows=rows, concern_id=id)
    )


@router.post(f"{PATH}/{{id}}/entries")
async def add_concern_entry(id: Uuid, visit: MemberForm) -> Response:
    """Add an entry to the chronology."""
    try:
        wanted = visit.form.parse(EntryForm)
        zone = visit.language.time_zone
        happened_at = wanted.happened_at.replace(tzinfo=zone) if wanted.happened_at else None
        draft = EntryDraft(wanted.text, happened_at, wanted.corrects)
        await visit.act(actions.add_entry, id, draft, repeat=repeat_of(visit))
    except Busy:
        return visit.go(f"{PATH}/{id}#chronology", done="sending")
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"{PATH}/{id}#chronology", done="note-kept")


@router.post(f"{PATH}/{{id}}/assessment")
async def assess_concern(id: Uuid, visit: MemberForm) -> Response:
    """Write another version of the assessment."""
    try:
        wanted = visit.form.parse(AssessmentForm)
        said = ConcernBasis(wanted.consent, wanted.consent_why, wanted.lawful_ground, wanted.immediate_action)
        await visit.act(actions.assess, id, wanted.number, said)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"{PATH}/{id}#assessment", done="saved")


@router.post(f"{PATH}/{{id}}/review")
async def review_concern(id: Uuid, visit: MemberForm) -> Response:
    """Say when it is looked at again."""
    try:
        await visit.act(actions.set_review, id, visit.form.parse(ReviewForm).review_on)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"{PATH}/{id}", done="saved")


@router.post(f"{PATH}/{{id}}/closure")
async def close_concern(id: Uuid, visit: MemberForm) -> Response:
    """Close it, or say anew until when it is kept."""
    try:
        await visit.act(actions.close, id, visit.form.parse(ClosureForm).keep_until)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"{PATH}/{id}", done="saved")


@router.post(f"{PATH}/{{id}}/reopening")
async def reopen_concern(id: Uuid, visit: MemberForm) -> Response:
    """Open it again."""
    await visit.act(actions.reopen, id)
    return visit.go(f"{PATH}/{id}", done="saved")


@router.post(f"{PATH}/{{id}}/erasure")
async def erase_concern(id: Uuid, visit: MemberForm) -> Response:
    """Erase it, its time being over."""
    try:
        await visit.act(actions.erase, id)
    except Conflict as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(PATH, done="concern-erased")


@router.post(f"{PATH}/{{id}}/hold")
async def hold_concern(id: Uuid, visit: MemberForm) -> Response:
    """Place a legal hold."""
    try:
        wanted = visit.form.parse(HoldForm)
        wish = HoldWish(wanted.reason, wanted.hold_review_on, wanted.note, wanted.exemption)
        await visit.act(evidence.place_hold, id, wish)
    except ForumError as error:
        refused = visit.refusing(_at_field(error, "review_too_far", "hold_review_on"))
        return visit.show(await _page(refused, id), status_of(error))
    return visit.go(f"{PATH}/{id}#evidence", done="saved")


@router.post(f"{PATH}/{{id}}/release")
async def release_concern(id: Uuid, visit: MemberForm) -> Response:
    """End the legal hold."""
    await visit.act(evidence.release_hold, id)
    return visit.go(f"{PATH}/{id}#evidence", done="saved")


@router.post(f"{PATH}/{{id}}/exclusions")
async def exclude_lead(id: Uuid, visit: MemberForm) -> Response:
    """Shut a lead out, or step back oneself: then there is nothing to come back to."""
    try:
        wanted = visit.form.parse(ExclusionForm)
        await visit.act(actions.exclude, id, wanted.handle, wanted.why)
    except ForumError as error:
        refused = visit.refusing(_at_field(error, "member_not_found", "handle"))
        return visit.show(await _page(refused, id), status_of(error))
    is_own = wanted.handle.casefold() == (visit.viewer.handle or "").casefold()
    return visit.go(PATH if is_own else f"{PATH}/{id}#leads", done="saved")


@router.post(f"{PATH}/{{id}}/exclusions/{{handle}}/end")
async def readmit_lead(id: Uuid, handle: Handle, visit: MemberForm) -> Response:
    """Let a lead in again."""
    await visit.act(actions.readmit, id, handle)
    return visit.go(f"{PATH}/{id}#leads", done="saved")


@router.post(f"{PATH}/{{id}}/disclosures/{{disclosure_id}}")
async def decide_disclosure(id: Uuid, disclosure_id: Uuid, visit: MemberForm) -> Response:
    """Decide what a member gets of it."""
    try:
        wanted = visit.form.parse(DisclosureForm)
        decision = DisclosureDecision(wanted.outcome, wanted.grounds, wanted.rule)
        await visit.act(disclosures.decide, id, disclosure_id, decision)
    except ForumError as error:
        refused = visit.refusing(_at_field(error, "exemption_missing", "rule"))
        return visit.show(await _page(refused, id), status_of(error))
    return visit.go(f"{PATH}/{id}#disclosures", done="saved")


def _at_field(error: ForumError, code: str, name: str) -> ForumError:
    """Return an error of this code as one about a field of this page, which has another name than the API's."""
    if error.code != code:
        return error
    found = Conflict(error.detail, code=error.code, pointer=f"#/{name}")
    found.facts.update({"help": help_} if (help_ := error.facts.get("help")) else {})
    return found


async def _raising_page(visit: Visit) -> RaisingPage:
    typed = visit.form.values
    post, case = typed.get("post") or visit.query("post"), typed.get("case") or visit.query("case")
    handle = visit.query("member")
    subject = await visit.act(
        raising.read_to_raise, int(post) if _is_id(post) else None, handle or None, _uuid(case) if case else None
    )
    return RaisingPage(
        title=visit.say(mark("Tell the safeguarding lead")),
        subject=subject,
        about=subject.member.handle if subject.member else "",
        lines=visit.text("lines"),
        consents=[(value, visit.say(words)) for value, words in CONSENTS.items()],
        form=visit.form,
    )


async def _page(visit: Visit, concern_id: UUID) -> ConcernPage:
    file = await visit.act(queries.read_concern, concern_id)
    at = visit.language.moment(file.concern.raised_at)
    return ConcernPage(
        title=visit.say(mark("Concern of %(at)s"), at=at),
        file=file,
        today=visit.now.date(),
        consents=CONSENTS,
        consent_choices=[("", visit.say(mark("Not known yet"))), *_choices(visit, CONSENTS)],
        hold_reasons=labels.HOLD_REASONS,
        hold_choices=_choices(visit, labels.HOLD_REASONS),
        outcome_words=DISCLOSURES,
        outcome_choices=_choices(visit, DISCLOSURES),
        form=visit.form,
    )


def _choices(visit: Visit, words: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(str(value), visit.say(said)) for value, said in words.items()]


def _is_id(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) < 19 and int(written) > 0


def _uuid(written: str) -> UUID | None:
    try:
        return UUID(written)
    except ValueError:
        return None
