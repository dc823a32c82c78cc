"""The page on which administrators write announcements."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.content import announcements
from forum.content.announcements import TEXT_MAX, AnnouncementDraft
from forum.core.errors import ForumError, Invalid
from forum.http.fields import Text, Words
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit

router = page_router()


class AnnouncementForm(FormModel):
    """A new announcement; it stands there until the end of a day."""

    text: Annotated[Words, Field(min_length=1, max_length=TEXT_MAX)]
    until: Text


@dataclass(frozen=True, kw_only=True)
class AnnouncementsPage(FormPage):
    """The announcements that stand there, and the form for another one."""

    template: ClassVar[str] = "content/announcements.html"
    section: ClassVar[str] = "/admin"

    announcements: Sequence[Any]


@router.get("/admin/announcements")
async def show_announcements(visit: MemberVisit) -> Response:
    """Show the announcements with the form for another one."""
    return visit.show(await _page(visit))


@router.post("/admin/announcements")
async def announce(visit: MemberForm) -> Response:
    """Write an announcement."""
    try:
        wanted = visit.form.parse(AnnouncementForm)
        await visit.act(announcements.announce, AnnouncementDraft(wanted.text, _end_of(visit, wanted.until)))
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error)), 422)
    return visit.go("/admin/announcements", done="announced")


@router.post("/admin/announcements/{id}/end")
async def end_announcement(id: UUID, visit: MemberForm) -> Response:
    """Take an announcement away."""
    await visit.act(announcements.end_announcement, id)
    return visit.go("/admin/announcements", done="announcement-ended")


async def _page(visit: Visit) -> AnnouncementsPage:
    found = await announcements.list_to_write(visit.reader, visit.viewer, visit.now)
    return AnnouncementsPage(title=visit.say(mark("Announcements")), announcements=found, form=visit.form)


def _end_of(visit: Visit, day: str) -> datetime:
    """Return the end of a day where the forum is: midnight after it. Raises Invalid for what is no day."""
    try:
        return datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), visit.language.time_zone)
    except (ValueError, OverflowError):
        raise Invalid("must be a day, such as 2026-12-24", "#/until", code="unreadable_day") from None
