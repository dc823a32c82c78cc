"""Pages of threads across boards: the newest, one's own, what is new for one, and the buttons that mark it as read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import Field

from forum.content import read_marks
from forum.content.read_marks import ThreadsOf
from forum.content.reading import THREADS_A_PAGE
from forum.http.fields import Id
from forum.notifications import read_threads
from forum.web.content.threads import place_of
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Reading

router = page_router()

KINDS = {
    ThreadsOf.UNREAD: mark("New for you"),
    ThreadsOf.WRITTEN: mark("You wrote in"),
    ThreadsOf.OPENED: mark("You started"),
    ThreadsOf.FOLLOWED: mark("You follow"),
}


class ReadForm(FormModel):
    """How far somebody has read."""

    number: Annotated[int, Field(ge=0, lt=2**31)]


@dataclass(frozen=True, kw_only=True)
class OwnThreadsPage(Page):
    """Threads that the member began, wrote in, follows or has not read."""

    template: ClassVar[str] = "content/own_threads.html"
    section: ClassVar[str] = "/me"
    is_wide: ClassVar[bool] = True
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    kind: ThreadsOf
    kinds: Sequence[tuple[ThreadsOf, str]]
    threads: Sequence[Any]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class NewestThreadsPage(Page):
    """Threads of all boards, those with the newest posts first."""

    template: ClassVar[str] = "content/newest_threads.html"
    section: ClassVar[str] = "/"
    is_wide: ClassVar[bool] = True

    threads: Sequence[Any]
    next: str | None


@router.get("/threads")
async def show_newest_threads(visit: Reading) -> Response:
    """Show a page of the threads of all boards that the reader may see."""
    page = await read_marks.list_newest(visit.reader, visit.viewer, visit.query("after") or None, THREADS_A_PAGE)
    title = visit.say("Newest on all boards")
    return visit.show(NewestThreadsPage(title=title, threads=page.rows, next=page.next))


@router.get("/me/threads")
async def show_own_threads(visit: OwnVisit) -> Response:
    """Show a page of one's threads."""
    asked = visit.query("kind")
    kind = ThreadsOf(asked) if asked in set(ThreadsOf) else ThreadsOf.UNREAD
    page = await read_marks.list_own_threads(
        visit.reader, visit.viewer, kind, visit.query("after") or None, THREADS_A_PAGE
    )
    kinds = [(each, visit.say(words)) for each, words in KINDS.items()]
    title = visit.say("Your threads")
    return visit.show(OwnThreadsPage(title=title, kind=kind, kinds=kinds, threads=page.rows, next=page.next))


@router.get("/threads/{id}/unread")
async def go_on(id: Id, visit: Reading) -> Response:
    """Go to the first post of a thread that the reader has not read; without one, to its beginning."""
    number = await read_marks.find_unread(visit.reader, visit.viewer, id)
    return visit.go(place_of(id, number) if number else f"/threads/{id}")


@router.post("/threads/{id}/read")
async def mark_thread_read(id: Id, visit: OwnForm) -> Response:
    """Remember how far one has read a thread, and go back to it."""
    number = visit.form.parse(ReadForm).number
    await visit.act(read_threads.mark_thread_read, id, number)
    return visit.go(place_of(id, max(number, 1)), done="read-thread")


@router.post("/me/threads/read")
async def mark_all_read(visit: OwnVisit) -> Response:
    """Mark everything that there is by now as read."""
    await visit.act(read_threads.mark_all_read)
    return visit.go("/me/threads", done="read-all")
