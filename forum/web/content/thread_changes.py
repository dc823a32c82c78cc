"""Pages to change a thread: its title, for whoever opened it, with the earlier ones; to close, keep at the top and move
it, for moderators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import StringConstraints

from forum.content.threads import actions
from forum.content.threads.actions import NewTitle
from forum.content.threads.tables import LOCK_REASON_MAX
from forum.core.errors import ForumError, PersonalInformation
from forum.http.fields import BoardSlug, Id, Line, Title
from forum.web.content.composer import FormNumber, confirm_of
from forum.web.forms import FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit

router = page_router()


class TitleForm(FormModel):
    """A new title."""

    version: FormNumber
    title: Title


class LockForm(FormModel):
    """Why a thread is closed."""

    reason: Annotated[Line, StringConstraints(max_length=LOCK_REASON_MAX)] | None = None


class MoveForm(FormModel):
    """Where a thread goes."""

    version: FormNumber
    board: BoardSlug


@dataclass(frozen=True, kw_only=True)
class TitlePage(FormPage):
    """The form to change a title."""

    template: ClassVar[str] = "content/title.html"
    section: ClassVar[str] = "/"

    thread: Any

    @property
    def has_secret(self) -> bool:  # noqa: D102
        return self.question is not None

    @property
    def question(self) -> PersonalInformation | None:
        """What is asked about the title that was typed, if anything is."""
        error = self.form.error
        return error if isinstance(error, PersonalInformation) else None


@dataclass(frozen=True, kw_only=True)
class TitlesPage(Page):
    """What a thread was called before."""

    template: ClassVar[str] = "content/titles.html"
    section: ClassVar[str] = "/"
    is_own: ClassVar[bool] = True

    thread_id: int
    titles: Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class CarePage(FormPage):
    """What moderators do with a thread."""

    template: ClassVar[str] = "content/care.html"
    section: ClassVar[str] = "/"

    thread: Any
    boards: Sequence[Any]


@router.get("/threads/{id}/title")
async def show_title(id: Id, visit: MemberVisit) -> Response:
    """Show the form to change the title of a thread."""
    return visit.show(await _title_page(visit, id))


@router.post("/threads/{id}/title")
async def retitle(id: Id, visit: MemberForm) -> Response:
    """Change the title of a thread; it may have to wait for a moderator."""
    try:
        wanted = visit.form.parse(TitleForm)
        new = NewTitle(wanted.version, wanted.title, confirm_of(visit))
        retitled = await visit.act(actions.retitle_thread, id, new)
    except ForumError as error:
        return visit.show(await _title_page(visit.refusing(error), id), 422)
    return visit.go(f"/threads/{id}", done="waits" if retitled.thread.waiting else "retitled")


@router.get("/threads/{id}/titles")
async def show_titles(id: Id, visit: MemberVisit) -> Response:
    """Show what a thread was called before, for whoever opened it and moderators."""
    titles = await visit.act(actions.list_titles, id)
    title = visit.say("What this thread was called before")
    return visit.show(TitlesPage(title=title, thread_id=id, titles=list(reversed(titles))))


@router.get("/threads/{id}/care")
async def show_care(id: Id, visit: MemberVisit) -> Response:
    """Show what a moderator can do with a thread."""
    return visit.show(await _care_page(visit, id))


@router.post("/threads/{id}/lock")
async def lock(id: Id, visit: MemberForm) -> Response:
    """Close a thread, perhaps with a reason that everybody reads."""
    try:
        await visit.act(actions.lock_thread, id, visit.form.parse(LockForm).reason)
    except ForumError as error:
        return visit.show(await _care_page(visit.refusing(error), id), 422)
    return visit.go(f"/threads/{id}", done="locked")


@router.post("/threads/{id}/unlock")
async def unlock(id: Id, visit: MemberForm) -> Response:
    """Open a thread again."""
    await visit.act(actions.unlock_thread, id)
    return visit.go(f"/threads/{id}", done="unlocked")


@router.post("/threads/{id}/pin")
async def pin(id: Id, visit: MemberForm) -> Response:
    """Keep a thread at the top of its board."""
    await visit.act(actions.pin_thread, id)
    return visit.go(f"/threads/{id}", done="pinned")


@router.post("/threads/{id}/unpin")
async def unpin(id: Id, visit: MemberForm) -> Response:
    """Let a thread take its place by its latest post."""
    await visit.act(actions.unpin_thread, id)
    return visit.go(f"/threads/{id}", done="unpinned")


@router.post("/threads/{id}/move")
async def move(id: Id, visit: MemberForm) -> Response:
    """Move a thread to another board."""
    try:
        wanted = visit.form.parse(MoveForm)
        await visit.act(actions.move_thread, id, wanted.version, wanted.board)
    except ForumError as error:
        return visit.show(await _care_page(visit.refusing(error), id), 422)
    return visit.go(f"/threads/{id}", done="moved")


async def _title_page(visit: Visit, thread_id: int) -> TitlePage:
    thread = await visit.act(actions.read_for_retitling, thread_id)
    return TitlePage(title=visit.say("Change the title"), thread=thread, form=visit.form)


async def _care_page(visit: Visit, thread_id: int) -> CarePage:
    read = await visit.act(actions.read_in_care, thread_id)
    title = visit.say("Look after this thread")
    return CarePage(title=title, thread=read.thread, boards=read.boards, form=visit.form)
