"""Pages to write: reply to a thread."""

from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content.posts import actions
from forum.content.posts.draft import Draft
from forum.content.posts.tables import Visibility
from forum.content.threads import queries
from forum.core.errors import ForumError
from forum.http.fields import Body, Id, Warning_
from forum.web.content.threads import place_of
from forum.web.forms import FormModel
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit

router = page_router()


class ReplyForm(FormModel):
    """A reply."""

    body_markdown: Body
    content_warning: Warning_ | None = None


@dataclass(frozen=True, kw_only=True)
class ReplyPage(FormPage):
    """The form to reply to a thread."""

    template: ClassVar[str] = "content/reply.html"
    section: ClassVar[str] = "/"

    thread: Any


@router.get("/threads/{id}/reply")
async def show_reply(id: Id, visit: MemberVisit) -> Response:
    """Show the form to reply to a thread."""
    return visit.show(await _page(visit, id))


@router.post("/threads/{id}/reply")
async def reply(id: Id, visit: MemberForm) -> Response:
    """Post a reply, and go to its place."""
    try:
        wanted = visit.form.parse(ReplyForm)
        draft = Draft(wanted.body_markdown, content_warning=wanted.content_warning)
        post = await visit.act(actions.reply, id, draft)
    except ForumError as error:
        return visit.show(await _page(visit, id, error), 422)
    done = "held" if post.visibility == Visibility.HELD else "sent"
    return visit.go(place_of(id, post.number), done=done)


async def _page(visit: Visit, thread_id: int, error: ForumError | None = None) -> ReplyPage:
    thread = await queries.get_thread(visit.reader, visit.viewer, thread_id)
    form = visit.form.refused(error) if error else visit.form
    return ReplyPage(title=visit.say("Reply to “%(title)s”", title=thread.title), thread=thread, form=form)
