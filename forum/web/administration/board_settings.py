"""Boards, for administrators: list and order them, make one, change every setting, archive one and open it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import Field

from forum.administration import board_settings
from forum.content.boards import Board, BoardPlan, Publication
from forum.core.errors import ForumError, Stale
from forum.http.fields import BoardSlug, Line, Slug, Text
from forum.web.administration import labels
from forum.web.administration.labels import options
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm, Visit

router = page_router()

Name = Annotated[Line, Field(max_length=100)]
Version = Annotated[int, Field(ge=1, lt=2**31)]


class BoardForm(FormModel):
    """The settings of a board but its place in the list, which another page changes. A box that is empty says no."""

    name: Name
    group: Name
    description: Annotated[Text, Field(max_length=1000)] = ""
    help_markdown: Annotated[Text, Field(max_length=10_000)] = ""
    readers: list[str]
    openers: list[str]
    repliers: list[str]
    publication: Publication
    indexable: bool = False
    advised: bool = False

    def settings(self) -> dict[str, Any]:
        """Return the settings as a board has them."""
        given = self.model_dump(exclude={"group", "version", "slug"})
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        return {**given, "section": self.group}


class BoardToMakeForm(BoardForm):
    """A new board."""

    slug: BoardSlug


class BoardChangeForm(BoardForm):
    """Other settings for a board, as it was on the screen."""

    version: Version


class OrderForm(FormModel):
    """The boards as they stood on the screen, and which of them goes one place up or down."""

    slugs: list[str]
    up: Text | None = None
    down: Text | None = None

    def ordered(self) -> list[str]:
        """Return the boards in the order that is wanted."""
        moved, step = (self.up, -1) if self.up else (self.down, 1)
        if moved not in self.slugs:
            return self.slugs
        place = self.slugs.index(moved)
        others = [slug for slug in self.slugs if slug != moved]
        return [*others[: max(0, place + step)], moved, *others[max(0, place + step) :]]


@dataclass(frozen=True, kw_only=True)
class BoardListPage(FormPage):
    """Every board, in order."""

    template: ClassVar[str] = "administration/boards.html"
    section: ClassVar[str] = "/admin"
    is_wide: ClassVar[bool] = True

    boards: Sequence[Board]


@dataclass(frozen=True)
class StaleSettings:
    """That somebody changed a board while it was on the screen: who, when, and what it has now other than was typed."""

    by: str | None
    at: datetime
    now: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class BoardSettingsPage(FormPage):
    """The form with every setting of a board; `board` is None for a new one."""

    template: ClassVar[str] = "administration/board.html"
    section: ClassVar[str] = "/admin"

    board: Board | None
    plan: Any  # what the fields show: the board, or what a new one has
    audiences: Sequence[tuple[str, str]]
    publications: Sequence[tuple[str, str]]
    names: dict[str, str]
    stale: StaleSettings | None = None

    @property
    def writers(self) -> Sequence[tuple[str, str]]:
        """Who can be let write: everybody but those without an account."""
        return [pair for pair in self.audiences if pair[0] != "everyone"]


FIELDS = {
    "slug": mark("Short name in the address"),
    "name": mark("Name"),
    "group": mark("Heading under which it stands"),
    "description": mark("What it is about"),
    "help_markdown": mark("Who can help at once"),
    "readers": mark("Who may read"),
    "openers": mark("Who may ask something new"),
    "repliers": mark("Who may answer"),
    "publication": mark("When others see a new post"),
    "indexable": mark("Search engines"),
    "advised": mark("Advisers"),
}


@router.get("/admin/boards")
async def show_boards(visit: MemberVisit) -> Response:
    """Show every board, in order."""
    return visit.show(await _list(visit))


@router.post("/admin/board-order")
async def order_boards(visit: OwnForm) -> Response:
    """Put one board one place up or down."""
    try:
        await visit.act(board_settings.order_boards, visit.form.parse(OrderForm).ordered())
    except ForumError as error:
        return visit.show(await _list(visit.refusing(error)), 422)
    return visit.go("/admin/boards", done="saved")


@router.get("/admin/new-board")
async def show_new_board(visit: MemberVisit) -> Response:
    """Show the form for a new board."""
    return visit.show(await _new_board(visit))


@router.post("/admin/new-board")
async def make_board(visit: OwnForm) -> Response:
    """Make a board, as the last in the list."""
    try:
        wanted = visit.form.parse(BoardToMakeForm)
        board = await visit.act(board_settings.make_last_board, BoardPlan(slug=wanted.slug, **wanted.settings()))
    except ForumError as error:
        return visit.show(await _new_board(visit.refusing(error)), 422)
    return visit.go(f"/admin/boards/{board.slug}", done="board-made")


@router.get("/admin/boards/{slug}")
async def show_board(slug: Slug, visit: MemberVisit) -> Response:
    """Show every setting of a board."""
    return visit.show(_form(visit, await visit.act(board_settings.get_board, slug)))


@router.post("/admin/boards/{slug}")
async def change_board(slug: Slug, visit: OwnForm) -> Response:
    """Change settings of a board."""
    try:
        wanted = visit.form.parse(BoardChangeForm)
        await visit.act(board_settings.change_board, slug, wanted.version, wanted.settings())
    except ForumError as error:
        return visit.show(_form(visit.refusing(error), await visit.act(board_settings.get_board, slug)), 422)
    return visit.go(f"/admin/boards/{slug}", done="saved")


@router.post("/admin/boards/{slug}/archive")
async def archive_board(slug: Slug, visit: OwnForm) -> Response:
    """Archive a board: it stays readable, and nobody can write there."""
    await visit.act(board_settings.archive_board, slug)
    return visit.go(f"/admin/boards/{slug}", done="board-archived")


@router.post("/admin/boards/{slug}/reopen")
async def reopen_board(slug: Slug, visit: OwnForm) -> Response:
    """Open an archived board again."""
    await visit.act(board_settings.reopen_board, slug)
    return visit.go(f"/admin/boards/{slug}", done="board-reopened")


async def _list(visit: Visit) -> BoardListPage:
    boards = await visit.act(board_settings.list_boards)
    return BoardListPage(title=visit.say("Boards"), boards=boards, form=visit.form)


async def _new_board(visit: Visit) -> BoardSettingsPage:
    await visit.act(board_settings.list_boards)  # only administrators see the form
    return _form(visit, None)


def _form(visit: Visit, board: Board | None) -> BoardSettingsPage:
    error = visit.form.error
    return BoardSettingsPage(
        title=visit.say("Settings of “%(name)s”", name=board.name) if board else visit.say("A new board"),
        board=board,
        plan=board or BoardPlan(slug="", name=""),
        audiences=options(visit, labels.AUDIENCE),
        publications=options(visit, labels.PUBLICATIONS),
        names={name: visit.say(words) for name, words in FIELDS.items()},
        form=visit.form,
        stale=_stale(visit, error, board) if board and isinstance(error, Stale) else None,
    )


def _stale(visit: Visit, error: Stale, board: Board) -> StaleSettings:
    typed = visit.form.parse(BoardChangeForm).settings()
    names = {"section": "group"}
    other = [name for name, value in typed.items() if value != _comparable(getattr(board, name))]
    now = [(visit.say(FIELDS[names.get(name, name)]), _in_words(visit, getattr(board, name))) for name in other]
    return StaleSettings((error.facts["changed_by"] or {}).get("name"), error.facts["changed_at"], now)


def _comparable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _in_words(visit: Visit, value: Any) -> str:
    """Return a setting as people read it."""
    if isinstance(value, bool):
        return visit.say("Yes") if value else visit.say("No")
    if isinstance(value, list):
        return ", ".join(labels.said(visit, labels.AUDIENCE, one) for one in value) or visit.say("Nobody")
    return labels.said(visit, labels.PUBLICATIONS, value) if value in labels.PUBLICATIONS else str(value)
