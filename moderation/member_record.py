"""A member's record as its screen shows it: their history, what moderators noted, and what may be done."""

from dataclasses import dataclass

from forum.core.pagination import Page
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation import member_history, member_notes
from moderation.member_history import MemberHistory
from moderation.permissions import ModerationAct, refusal

NOTES_A_PAGE = 20


@dataclass(frozen=True)
class RecordScreen:
    """All that a moderator may know of a member, and why they may not do something, if so."""

    history: MemberHistory
    notes: Page | None  # None: not for the viewer
    no_note_because: Refusal | None
    no_case_because: Refusal | None


async def read_record(work: Work, moderator: Viewer, handle: str, after: str | None) -> RecordScreen:
    """Return a member's record with a page of the notes on them. Raises Forbidden, NotFound, and Invalid for a cursor
    of another list.
    """
    history = await member_history.get_member_history(work, moderator, handle)
    no_note_because = refusal(ModerationAct.KEEP_NOTES, moderator, history.member)
    notes = None
    if no_note_because is None:
        notes = await member_notes.list_notes(work, moderator, handle, after, NOTES_A_PAGE)
    no_case_because = refusal(ModerationAct.OPEN_MEMBER_CASE, moderator, history.member)
    return RecordScreen(history, notes, no_note_because, no_case_because)
