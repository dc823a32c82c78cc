"""Pages about the mails that say that something is new: choose which, answer whether one wants any, turn them off."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import Field, StringConstraints

from forum.core.errors import ForumError
from forum.core.weekly_hours import known_zones, zone_of
from forum.http.current_member import address_of
from forum.http.fields import HourOfDay, Text
from forum.notifications import letter_choices
from forum.notifications.letter_choices import OwnLetters, WantedLetters
from forum.notifications.letter_times import LetterMode
from forum.web.forms import Form, FormModel, InvalidForm
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit, guest_visit, own_path

router = page_router()
# Mail providers send what turns letters off, without a cookie and from nowhere: it needs no proof of where it is from,
# for whoever has the address may do it, and it does nothing else.
open_router = APIRouter(include_in_schema=False)

MOST_SENT = 10_000  # bytes of what turns letters off; what is longer is none
# RFC 8058 §3.1: as a form of either kind.
ONE_CLICK = re.compile(rb'List-Unsubscribe(=|"\r?\n\r?\n)One-Click\s*($|&|\r?\n)')
Day = Annotated[Text, Field(max_length=10)]


class LettersForm(FormModel):
    """Which mails somebody wants."""

    mode: LetterMode
    at: HourOfDay = "10:00"
    zone: Annotated[Text, StringConstraints(max_length=60)]
    quiet_from: HourOfDay | None = None
    quiet_to: HourOfDay | None = None
    paused_until: Day | None = None


class AnswerForm(FormModel):
    """The answer to whether somebody wants mails."""

    answer: Literal["yes", "no"]
    back: Text = "/"


@dataclass(frozen=True, kw_only=True)
class LettersPage(FormPage):
    """Which mails somebody gets about what is new for them."""

    template: ClassVar[str] = "account/letters.html"
    section: ClassVar[str] = "/me"

    letters: OwnLetters
    zones: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class OffPage(Page):
    """The question whether to turn the mails off; then that they are."""

    template: ClassVar[str] = "notifications/off.html"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    path: str | None  # to which the button sends; None once it did


@router.get("/me/mails")
async def show_letters(visit: OwnVisit) -> Response:
    """Show which mails one gets, and the form to choose."""
    return visit.show(await _page(visit))


@router.post("/me/mails")
async def choose_letters(visit: OwnForm) -> Response:
    """Choose which mails one gets."""
    try:
        await visit.act(letter_choices.choose_letters, _wanted(visit.form.parse(LettersForm)))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/me/mails", done="saved")


@router.post("/me/mails/answer")
async def answer_question(visit: OwnForm) -> Response:
    """Say whether one wants a mail once a day, and go back to reading."""
    answered = visit.form.parse(AnswerForm)
    wants_letters = answered.answer == "yes"
    await visit.act(letter_choices.answer_question, wants_letters=wants_letters)
    return visit.go(own_path(answered.back), done="mails-daily" if wants_letters else "mails-none")


@open_router.get("/unsubscribe/{token}")
async def ask_to_turn_off(token: str, request: Request) -> Response:
    """Ask whether to turn the mails off: programs that look for viruses follow every link of a mail."""
    visit = guest_visit(request)
    return visit.show(OffPage(title=visit.say("No more mails"), path=f"/unsubscribe/{quote(token, safe='')}"))


@open_router.post("/unsubscribe/{token}")
async def turn_off(token: str, request: Request) -> Response:
    """Turn the mails off of whoever was sent this link. The answer is always the same."""
    visit = guest_visit(request)
    if await _is_one_click(request):
        await letter_choices.turn_off(visit.transactions, token, address_of(request))
    return visit.show(OffPage(title=visit.say("No more mails"), path=None))


async def _page(visit: Visit) -> LettersPage:
    letters = await visit.act(letter_choices.get_letters)
    form = visit.form if visit.form.error else Form(_typed(letters.chosen))
    zones = [(zone, zone.replace("_", " ")) for zone in sorted(known_zones())]
    return LettersPage(title=visit.say("Mails about what is new"), form=form, letters=letters, zones=zones)


def _typed(chosen: WantedLetters) -> dict[str, str]:
    """Return what somebody would type to choose what they have chosen; of a zone that is no longer known, the one that
    letters go by: else the first of the list would be chosen, unseen.
    """
    zone = zone_of(chosen.zone)
    quiet = dict(zip(("quiet_from", "quiet_to"), chosen.quiet or (), strict=False))
    ends = chosen.paused_until.astimezone(zone).date() if chosen.paused_until else None
    return {
        "mode": chosen.mode,
        "at": f"{chosen.at:%H:%M}",
        "zone": zone.key,
        **{name: f"{hour:%H:%M}" for name, hour in quiet.items()},
        **({"paused_until": ends.isoformat()} if ends else {}),
    }


def _wanted(form: LettersForm) -> WantedLetters:
    """Return what was typed as it is chosen. Raises InvalidForm for half of the quiet hours, and for no day."""
    if (form.quiet_from is None) != (form.quiet_to is None):
        raise InvalidForm({"quiet_to" if form.quiet_from else "quiet_from": "quiet_hours_half"})
    quiet = None
    if form.quiet_from and form.quiet_to:
        quiet = (time.fromisoformat(form.quiet_from), time.fromisoformat(form.quiet_to))
        if quiet[0] == quiet[1]:
            raise InvalidForm({"quiet_to": "quiet_hours_empty"})
    return WantedLetters(
        form.mode, time.fromisoformat(form.at), form.zone, quiet, _beginning(form.paused_until, form.zone)
    )


def _beginning(day: str | None, zone: str) -> datetime | None:
    """Return when a day begins in a zone."""
    if day is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time(), zone_of(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidForm({"paused_until": "unreadable_day"}) from None


async def _is_one_click(request: Request) -> bool:
    """Return whether the body says what RFC 8058 wants it to say."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_SENT:
            return False
    return ONE_CLICK.search(body) is not None
