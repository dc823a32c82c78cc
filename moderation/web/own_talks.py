"""What moderators wrote to oneself, and one's answers; also for members who are shut out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from fastapi import Response
from pydantic import Field

from forum.core.errors import ForumError
from forum.http.fields import Uuid, Words
from forum.web.forms import FormModel
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import OwnForm, OwnVisit, Visit
from moderation.talks import actions, complaints
from moderation.talks.actions import OwnTalk
from moderation.talks.complaints import COMPLAINT_MAX
from moderation.talks.tables import MESSAGE_MAX
from moderation.web.pages import repeat_of, status_of

router = page_router()

TALKS_A_PAGE, MESSAGES_A_PAGE = 20, 100


class AnswerForm(FormModel):
    """What somebody answers the moderators."""

    text: Annotated[Words, Field(max_length=MESSAGE_MAX)]


class ComplaintForm(FormModel):
    """What is wrong with a moderator's message."""

    message_id: Uuid
    text: Annotated[Words, Field(max_length=COMPLAINT_MAX)]


@dataclass(frozen=True, kw_only=True)
class OwnTalksPage(Page):
    """One's talks with moderators, newest first."""

    template: ClassVar[str] = "own/talks.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    talks: Sequence[Any]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class OwnTalkPage(FormPage):
    """One talk, and the form to answer."""

    template: ClassVar[str] = "own/talk.html"
    section: ClassVar[str] = "/me"

    own: OwnTalk


@dataclass(frozen=True, kw_only=True)
class ComplaintPage(FormPage):
    """The form to complain of what a moderator wrote."""

    template: ClassVar[str] = "own/complaint.html"
    section: ClassVar[str] = "/me"

    talk_id: Uuid
    message_id: str
    message: str | None


@dataclass(frozen=True, kw_only=True)
class OwnComplaintsPage(Page):
    """What one complained of, newest first, and what came of it."""

    template: ClassVar[str] = "own/complaints.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    complaints: Sequence[Any]
    next: str | None


@router.get("/me/talks")
async def show_talks(visit: OwnVisit) -> Response:
    """Show one's talks with moderators."""
    page = await visit.act(actions.list_own_talks, visit.query("after") or None, TALKS_A_PAGE)
    title = visit.say("What moderators wrote to you")
    return visit.show(OwnTalksPage(title=title, talks=page.rows, next=page.next))


@router.get("/me/talks/{id}")
async def show_talk(id: Uuid, visit: OwnVisit) -> Response:
    """Show one talk."""
    return visit.show(await _page(visit, id))


@router.post("/me/talks/{id}")
async def answer(id: Uuid, visit: OwnForm) -> Response:
    """Answer the moderators."""
    try:
        await visit.act(actions.answer, id, visit.form.parse(AnswerForm).text, repeat=repeat_of(visit))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"/me/talks/{id}", done="answered")


@router.get("/me/talks/{id}/complaint")
async def show_complaint(id: Uuid, visit: OwnVisit) -> Response:
    """Show the form to complain of a message."""
    return visit.show(await _complaint_page(visit, id, visit.query("message")))


@router.post("/me/talks/{id}/complaint")
async def complain(id: Uuid, visit: OwnForm) -> Response:
    """Complain of what a moderator wrote: somebody else looks at it."""
    try:
        wanted = visit.form.parse(ComplaintForm)
        await visit.act(complaints.complain, id, wanted.message_id, wanted.text)
    except ForumError as error:
        message_id = visit.form.values.get("message_id", "")
        return visit.show(await _complaint_page(visit.refusing(error), id, message_id), status_of(error))
    return visit.go(f"/me/talks/{id}", done="complained")


@router.get("/me/complaints")
async def show_complaints(visit: OwnVisit) -> Response:
    """Show what one complained of."""
    page = await visit.act(complaints.list_own, visit.query("after") or None, TALKS_A_PAGE)
    title = visit.say("What you complained of")
    return visit.show(OwnComplaintsPage(title=title, complaints=page.rows, next=page.next))


async def _page(visit: Visit, talk_id: Uuid) -> OwnTalkPage:
    own = await visit.act(actions.read_own_talk, talk_id, visit.query("after") or None, MESSAGES_A_PAGE)
    return OwnTalkPage(title=visit.say("You and the moderators"), form=visit.form, own=own)


async def _complaint_page(visit: Visit, talk_id: Uuid, message_id: str) -> ComplaintPage:
    own = await visit.act(actions.read_own_talk, talk_id, None, MESSAGES_A_PAGE)
    found = next((row.text for row in own.page.rows if str(row.id) == message_id and not row.mine), None)
    return ComplaintPage(
        title=visit.say("Something is wrong with this message"),
        form=visit.form,
        talk_id=talk_id,
        message_id=message_id if found else "",
        message=found,
    )
