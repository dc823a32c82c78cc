"""A member's record as its screen shows it: their history, what moderators noted, and what may be done."""

from dataclasses import dataclass

from forum.core.pagination import Page
from forum.core.work import Transactions, Work
from forum.members.queries import get_member
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation import member_history, member_notes, member_posts, rules
from moderation.member_history import MemberHistory
from moderation.permissions import ModerationAct, refusal
from moderation.rules import Rulebook

ROWS_A_PAGE = 20


@dataclass(frozen=True)
class RecordScreen:
    """All that a moderator may know of a member, and why they may not do something, if so."""

    history: MemberHistory
    notes: Page | None  # None: not for the viewer
    no_note_because: Refusal | None
    no_case_because: Refusal | None


@dataclass(frozen=True)
class PostsScreen:
    """A member with a page of their posts, the rules, and why the viewer may not decide about them, if so."""

    member: Member
    page: Page
    rulebook: Rulebook
    no_decision_because: Refusal | None


async def read_posts(transactions: Transactions, moderator: Viewer, handle: str, after: str | None) -> PostsScreen:
    """Return a page of a member's posts on the moderator's boards. Raises as `member_posts.list_posts` does."""
    async with transactions.begin() as work:
        page = await member_posts.list_posts(work, moderator, handle, after, ROWS_A_PAGE)
        member = await get_member(work.session, handle)
    because = refusal(ModerationAct.DECIDE_TOGETHER, moderator, member)
    return PostsScreen(member, page, await rules.get_rulebook(transactions.reader), because)


async def read_record(work: Work, moderator: Viewer, handle: str, after: str | None) -> RecordScreen:
    """Return a member's record with a page of the notes on them. Raises Forbidden, NotFound, and Invalid for a cursor
    of another list.
    """
    history = await member_history.get_member_history(work, moderator, handle)
    no_note_because = refusal(ModerationAct.KEEP_NOTES, moderator, history.member)
    notes = None
    if no_note_because is None:
        notes = await member_notes.list_notes(work, moderator, handle, after, ROWS_A_PAGE)
    no_case_because = refusal(ModerationAct.OPEN_MEMBER_CASE, moderator, history.member)
    return RecordScreen(history, notes, no_note_because, no_case_because)
