"""Boards, for administrators: make them, change every setting, order and archive them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from forum.content import boards
from forum.content.boards import Board, BoardPlan
from forum.content.opening_hours import OpeningHours
from forum.core.errors import NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.queries import changed_since
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, require_recent_sign_in


async def list_boards(work: Work, administrator: Viewer) -> Sequence[Board]:
    """Return every board with its settings, in order, whoever may read it. Raises Forbidden."""
    allow(Act.ADMINISTER, administrator)
    return (await work.session.execute(boards.EVERY)).scalars().all()


async def get_board(work: Work, administrator: Viewer, slug: str) -> Board:
    """Return a board with its settings, whoever may read it. Raises Forbidden and NotFound."""
    allow(Act.ADMINISTER, administrator)
    board = await boards.find_board(work.session, slug)
    if board is None:
        raise NotFound("There is no such board.", code="board_not_found")
    return board


async def make_board(work: Work, administrator: Viewer, plan: BoardPlan, *, repeat: Repeat | None = None) -> Board:
    """Make a board. A `repeat` of an earlier request returns the board of that.

    Raises SignInAgain, Forbidden, Invalid for a setting that is not allowed, Conflict for a slug that is in use, and
    what `Repeat.earlier` raises.
    """
    _allow(work, administrator)
    if repeat and (slug := await repeat.earlier(work)):
        return await get_board(work, administrator, slug)
    board = await boards.create_board(work.session, plan, work.now, by=administrator.id)
    if repeat:
        await repeat.keep(work, board.slug)
    return board


async def make_last_board(work: Work, administrator: Viewer, plan: BoardPlan) -> Board:
    """Make a board that is listed after all others. Raises as `make_board` does."""
    last = max((board.position for board in await list_boards(work, administrator)), default=0)
    return await make_board(work, administrator, replace(plan, position=last + 1))


async def change_board(work: Work, administrator: Viewer, slug: str, version: int, changes: Mapping[str, Any]) -> Board:
    """Change settings of a board. Raises SignInAgain, Forbidden, NotFound, Invalid, and Stale at another version."""
    _allow(work, administrator)
    board = await _lock_at(work, slug, version)
    if changes:
        await boards.change_board(work.session, board, changes, work.now, by=administrator.id)
    return board


async def set_hours(work: Work, administrator: Viewer, slug: str, version: int, hours: OpeningHours) -> Board:
    """Give a board opening hours; without a zone, by the forum's clock.

    Raises SignInAgain, Forbidden, NotFound, Invalid for hours that make no sense, and Stale at another version.
    """
    _allow(work, administrator)
    board = await _lock_at(work, slug, version)
    here = hours if hours.zone else replace(hours, zone=work.settings.time_zone)
    await boards.set_hours(work.session, board, here, work.now, by=administrator.id)
    return board


async def remove_hours(work: Work, administrator: Viewer, slug: str) -> Board:
    """Have a board always open. Idempotent. Raises SignInAgain, Forbidden and NotFound."""
    _allow(work, administrator)
    board = await boards.lock_board_row(work.session, slug)
    await boards.set_hours(work.session, board, None, work.now, by=administrator.id)
    return board


async def archive_board(work: Work, administrator: Viewer, slug: str) -> Board:
    """Archive a board: it stays readable, and nobody can write there. Idempotent.

    Raises SignInAgain, Forbidden and NotFound.
    """
    return await _set_archived(work, administrator, slug, archived=True)


async def reopen_board(work: Work, administrator: Viewer, slug: str) -> Board:
    """Open an archived board again. Idempotent. Raises SignInAgain, Forbidden and NotFound."""
    return await _set_archived(work, administrator, slug, archived=False)


async def order_boards(work: Work, administrator: Viewer, slugs: Sequence[str]) -> Sequence[Board]:
    """List the boards in this order from now on, and return them. Idempotent.

    Raises SignInAgain, Forbidden, and Invalid unless each board is named once.
    """
    _allow(work, administrator)
    await boards.set_order(work.session, slugs, work.now, by=administrator.id)
    return await list_boards(work, administrator)


async def _set_archived(work: Work, administrator: Viewer, slug: str, *, archived: bool) -> Board:
    _allow(work, administrator)
    board = await boards.lock_board_row(work.session, slug)
    await boards.set_archived(work.session, board, archived, work.now, by=administrator.id)
    return board


async def _lock_at(work: Work, slug: str, version: int) -> Board:
    board = await boards.lock_board_row(work.session, slug)
    if board.version != version:
        detail = "This board was changed while you were looking at it. Please read it again."
        by, at = board.changed_by, board.changed_at or board.made_at
        raise await changed_since(work.session, detail, code="board_changed", current=board.version, by=by, at=at)
    return board


def _allow(work: Work, administrator: Viewer) -> None:
    """Require an administrator who signed in a moment ago: whoever opens a staff room to everybody publishes it."""
    require_recent_sign_in(administrator, work.now)
    allow(Act.ADMINISTER, administrator)
