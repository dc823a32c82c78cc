"""`forum admin hours`: when people look after a board, its closed days, and what becomes of posts at other times."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Annotated

import typer

from forum.cli.runtime import fail, on_forum, out
from forum.content import boards
from forum.content.opening_hours import OpeningHours, Outside
from forum.core.weekly_hours import WEEK, WeeklyHours
from forum.core.work import Work

_HOUR = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_HOURS = re.compile(rf"([a-z,-]+) ({_HOUR})-({_HOUR})")
_NAMES = [str(day) for day in WEEK]


def set_board_hours(
    slug: Annotated[str, typer.Argument(help="Which board")],
    *,
    opens: Annotated[
        list[str] | None,
        typer.Option("--open", help="All its hours: “monday-friday 09:00-17:00”, “saturday 10:00-12:00”; repeatable"),
    ] = None,
    close_on: Annotated[list[datetime] | None, typer.Option(formats=["%Y-%m-%d"], help="A closed day more")] = None,
    open_on: Annotated[list[datetime] | None, typer.Option(formats=["%Y-%m-%d"], help="No closed day any more")] = None,
    outside: Annotated[Outside | None, typer.Option(help="What becomes of new posts at other times")] = None,
    zone: Annotated[str | None, typer.Option(help="The time zone; without it, the forum's own")] = None,
    always: Annotated[bool, typer.Option("--always", help="No hours any more: always open")] = False,
) -> None:
    """Show when people look after a board, or change what you name of it. It is written to the audit record."""
    week = [_hours_of(one) for one in opens or ()]
    shut, reopened = _days(close_on), _days(open_on)
    said = [bool(opens), bool(shut), bool(reopened), outside is not None, zone is not None]
    if always and any(said):
        fail("--always stands alone: a board without hours has no closed days either.")

    async def act(work: Work) -> OpeningHours | None:
        board = await boards.lock_board_row(work.session, slug)
        hours = OpeningHours.of_json(board.hours) if board.hours else None
        if not always and not any(said):
            return hours
        changed = None if always else _changed(hours or _nothing(work, week, outside), week, outside, zone)
        if changed:
            changed = replace(changed, closed_on=(frozenset(changed.closed_on) | shut) - reopened)
        await boards.set_hours(work.session, board, changed, work.now)
        return changed

    _show(slug, on_forum(act))


def _nothing(work: Work, week: Sequence[WeeklyHours], outside: Outside | None) -> OpeningHours:
    """Return what a board begins with that has no hours yet."""
    if not week or outside is None:
        fail("This board has no hours yet: say --open and --outside.")
    return OpeningHours(work.settings.time_zone, week, frozenset(), outside)


def _changed(
    hours: OpeningHours, week: Sequence[WeeklyHours], outside: Outside | None, zone: str | None
) -> OpeningHours:
    return replace(hours, week=week or hours.week, outside=outside or hours.outside, zone=zone or hours.zone)


def _hours_of(written: str) -> WeeklyHours:
    found = _HOURS.fullmatch(written.strip().lower())
    days = [day for part in found[1].split(",") for day in _days_of(part)] if found else []
    if not found or not days:
        fail(f"“{written}” is not written as “monday-friday 09:00-17:00”.")
    in_order = [day for day in _NAMES if day in days]
    return WeeklyHours(in_order, time.fromisoformat(found[2]), time.fromisoformat(found[3]))


def _days_of(written: str) -> Sequence[str]:
    """Return the days from one to another; none for what names no day."""
    first, _, last = written.partition("-")
    if first not in _NAMES or (last or first) not in _NAMES:
        return []
    start, end = _NAMES.index(first), _NAMES.index(last or first)
    return _NAMES[start : end + 1] if start <= end else [*_NAMES[start:], *_NAMES[: end + 1]]


def _days(given: Sequence[datetime] | None) -> frozenset[date]:
    return frozenset(day.date() for day in given or ())


def _show(slug: str, hours: OpeningHours | None) -> None:
    if hours is None:
        out.print(f"The board {slug} is always open.")
        return
    out.print(f"The board {slug} is open ({hours.zone}):")
    for one in hours.week:
        out.print(f"  {', '.join(one.weekdays)} {one.starts:%H:%M}-{one.ends:%H:%M}", highlight=False, soft_wrap=True)
    out.print(f"  at other times: {hours.outside.replace('_', ' ')}")
    if hours.closed_on:
        days = ", ".join(day.isoformat() for day in sorted(hours.closed_on))
        out.print(f"  closed on: {days}", highlight=False, soft_wrap=True)
