"""Pages of members' records: what was decided about somebody, and what moderators noted."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import quote
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.core.errors import Busy, ForumError
from forum.http.fields import Handle, SoughtHandle, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import member_history, member_notes, member_record
from moderation.member_record import RecordScreen
from moderation.web import words
from moderation.web.cases import queue_page
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()


class MemberNoteForm(FormModel):
    """What the other moderators should know of a member."""

    text: Annotated[Words, Field(min_length=1, max_length=member_notes.NOTE_MAX)]


class SoughtMemberForm(FormModel):
    """Whose record a moderator looks for."""

    handle: SoughtHandle


@dataclass(frozen=True, kw_only=True)
class RecordPage(ModerationPage):
    """All that a moderator may know of a member."""

    template: ClassVar[str] = "moderation/member.html"
    seen: ClassVar[tuple[str, ...]] = words.SEEN

    record: RecordScreen
    now: datetime
    viewer_id: UUID


@router.post("/moderation/members")
async def find_member(visit: MemberForm) -> Response:
    """Go to the record of the member with this handle. It is sent in a form: what somebody types for a name, an
    address perhaps, would stand in the logs of servers on the way.
    """
    try:
        wanted = visit.form.parse(SoughtMemberForm)
        handle = await visit.act(member_history.find_member, wanted.handle)
    except ForumError as error:
        return visit.show(await queue_page(visit.refusing(error)), status_of(error))
    return visit.go(f"/moderation/members/{quote(handle, safe='')}")


@router.get("/moderation/members/{handle}")
async def show_record(handle: Handle, visit: MemberVisit) -> Response:
    """Show what is known of a member."""
    return visit.show(await record_page(visit, handle))


@router.post("/moderation/members/{handle}/notes")
async def note_member(handle: Handle, visit: MemberForm) -> Response:
    """Write a note on a member for the other moderators."""
    try:
        wanted = visit.form.parse(MemberNoteForm)
        await visit.act(member_notes.add_note, handle, wanted.text, repeat=repeat_of(visit))
    except Busy:
        return visit.go(f"/moderation/members/{quote(handle, safe='')}#notes", done="sending")
    except ForumError as error:
        return visit.show(await record_page(visit.refusing(error), handle), status_of(error))
    return visit.go(f"/moderation/members/{quote(handle, safe='')}#notes", done="note-kept")


async def record_page(visit: Visit, handle: str) -> RecordPage:
    """Return the page of a member's record, with what was typed if it was refused."""
    record = await visit.act(member_record.read_record, handle, visit.query("after") or None)
    return RecordPage(
        title=record.history.member.name,
        record=record,
        now=visit.now,
        viewer_id=visit.viewer.member_id,
        form=visit.form,
    )
