"""The page to open a thread: its title and its first post."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content import composing, drafts
from forum.content.posts.draft import Draft
from forum.content.search.similar import SimilarThread
from forum.content.threads import actions
from forum.content.threads.actions import OpenedThread
from forum.content.threads.tables import ThreadVisibility
from forum.core.errors import Busy
from forum.http.fields import Body, Slug, Title, Warning_
from forum.web.content.composer import (
    AsksChoice,
    ComposerPage,
    composer_at,
    composer_form,
    confirm_of,
    is_look,
    kept,
    repeat_of,
    said_of,
    send_or_keep,
    wants_to_send,
)
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm

router = page_router()


class ThreadForm(FormModel):
    """A new thread."""

    title: Title
    body_markdown: Body
    content_warning: Warning_ | None = None
    asks: AsksChoice = None


@dataclass(frozen=True, kw_only=True)
class NewThreadPage(ComposerPage):
    """The form to open a thread."""

    template: ClassVar[str] = "content/new_thread.html"
    section: ClassVar[str] = "/"

    board: Any
    similar: Sequence[SimilarThread]


@router.get("/boards/{slug}/new")
async def show_new_thread(slug: Slug, visit: MemberVisit) -> Response:
    """Show the form to open a thread."""
    read = await visit.act(composing.read_new_thread, slug, looks=is_look(visit))
    return visit.show(
        NewThreadPage(
            title=visit.say("Ask something new"),
            form=composer_form(read.draft, visit.now),
            composer=composer_at(visit, f"/boards/{slug}/new", f"boards/{slug}", read, board=read.board),
            board=read.board,
            similar=read.similar,
        )
    )


@router.post("/boards/{slug}/new")
async def open_thread(slug: Slug, visit: OwnForm) -> Response:
    """Open a thread, and go there; or keep it, and go back to the form."""

    async def send() -> OpenedThread | None:
        wanted = visit.form.parse(ThreadForm)
        if not wants_to_send(visit):
            return None
        draft = Draft(wanted.body_markdown, None, wanted.content_warning, confirm_of(visit), said_of(wanted.asks))
        return await visit.act(actions.open_thread, slug, wanted.title, draft, repeat=repeat_of(visit))

    try:
        opened = await send_or_keep(visit, send, drafts.save_thread, slug)
    except Busy:
        return visit.go(f"/boards/{slug}", done="sending")
    if opened is None:
        return kept(visit, f"/boards/{slug}/new")
    is_held = opened.thread.visibility == ThreadVisibility.HELD
    path = f"/posts/{opened.first_post.id}/help" if opened.help else f"/threads/{opened.thread.id}"
    if is_held:
        return visit.go(path, done="held")
    return visit.go(path, done="named" if opened.details and not confirm_of(visit) else "opened")
