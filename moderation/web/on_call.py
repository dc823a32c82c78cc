"""The page of who is on call: the rota, and that one is here oneself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Annotated, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.core.weekly_hours import Weekday
from forum.http.fields import BoardSlug, HourOfDay, SoughtHandle, Uuid
from forum.web.administration.labels import WEEKDAYS
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import on_call
from moderation.on_call import HERE_MAX, Rota, ShiftWish
from moderation.web.pages import ModerationPage, status_of

router = page_router()

PATH = "/moderation/on-call"


class HereForm(FormModel):
    """For how long somebody is here."""

    hours: Annotated[int, Field(ge=1, le=HERE_MAX)]


class ShiftForm(FormModel):
    """When somebody shall be on call."""

    handle: SoughtHandle
    board: BoardSlug | None = None
    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)]
    starts: HourOfDay
    ends: HourOfDay


class RemovalForm(FormModel):
    """Which shift is to go."""

    shift: Uuid


@dataclass(frozen=True, kw_only=True)
class RotaView(ModerationPage):
    """Who is on call when, and the forms to change it."""

    template: ClassVar[str] = "moderation/on_call.html"
    hours: ClassVar[Sequence[int]] = (2, 4, 8, HERE_MAX)
    weekdays: ClassVar[Mapping[str, str]] = WEEKDAYS

    rota: Rota
    board_choices: Sequence[tuple[str, str]]
    day_choices: Sequence[tuple[str, str]]


@router.get(PATH)
async def show_rota(visit: MemberVisit) -> Response:
    """Show who is on call when."""
    return visit.show(await _page(visit))


@router.post(PATH)
async def add_shift(visit: MemberForm) -> Response:
    """Add a shift to the rota."""
    try:
        wanted = visit.form.parse(ShiftForm)
        wish = ShiftWish(
            handle=wanted.handle,
            board=wanted.board,
            weekdays=wanted.weekdays,
            starts=time.fromisoformat(wanted.starts),
            ends=time.fromisoformat(wanted.ends),
        )
        await visit.act(on_call.add_shift, wish)
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), status_of(error))
    return visit.go(PATH, done="saved")


@router.post(f"{PATH}/remove")
async def remove_shift(visit: MemberForm) -> Response:
    """Take a shift out of the rota."""
    await visit.act(on_call.remove_shift, visit.form.parse(RemovalForm).shift)
    return visit.go(PATH, done="saved")


@router.post(f"{PATH}/here")
async def say_here(visit: MemberForm) -> Response:
    """Say that one is here for some hours."""
    await visit.act(on_call.say_here, visit.form.parse(HereForm).hours)
    return visit.go(PATH, done="on-call-here")


@router.post(f"{PATH}/gone")
async def say_gone(visit: MemberForm) -> Response:
    """Say that one is no longer here."""
    await visit.act(on_call.say_gone)
    return visit.go(PATH, done="on-call-gone")


async def _page(visit: Visit) -> RotaView:
    rota = await visit.act(on_call.read_rota)
    return RotaView(
        title=visit.say("Who is on call"),
        rota=rota,
        board_choices=[("", visit.say("Every board of theirs")), *((board.slug, board.name) for board in rota.boards)],
        day_choices=[(str(day), visit.say(name)) for day, name in WEEKDAYS.items()],
        form=visit.form,
    )
