"""Who may do what, on one page. Routes ask `allow`; what the viewer cannot see never gets here (it is a 404)."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from forum.content.boards import Board
from forum.content.posts.context import EditContext, PostingContext, ReplyContext
from forum.content.posts.tables import SHOWN
from forum.content.threads.visibility import takes_replies
from forum.core.errors import Forbidden, NotSignedIn, RoleWithheld
from forum.members.queries import Account
from forum.members.tables import Role, Standing
from forum.members.viewer import Viewer

# A condition gives None when it holds, else the sentence that says why not.
Condition = Callable[[Viewer, Any], str | None]


UNVERIFIED = (
    "Verify your e-mail address before your first post: follow the link that we mailed you, or have a new one mailed "
    "with POST /api/v1/email-verifications."
)


WITHHELD = (
    "Your role counts once you have shown a second factor: set one up with POST /api/v1/me/second-factor or POST "
    "/api/v1/me/passkey-challenges, or sign in with it."
)


class Act(StrEnum):
    """Everything that somebody may or may not do to what they see."""

    OPEN_THREAD = "open a thread"
    REPLY = "reply"
    BEGIN_TO_WRITE = "write here"
    EDIT_POST = "edit this post"
    WITHDRAW_POST = "withdraw this post"
    READ_REVISIONS = "read the earlier revisions"
    READ_SEALED_REVISION = "read what was redacted"
    RETITLE_THREAD = "change the title"
    LOCK_THREAD = "lock or open this thread"
    PIN_THREAD = "pin this thread"
    MOVE_THREAD = "move this thread"
    RENAME = "take another name"
    SEE_WAITING_THREADS = "see the threads that wait for an adviser"
    ADMINISTER = "look after accounts"
    HOLD_ACCOUNT = "see or place legal holds"


def is_active(_viewer: Viewer, place: PostingContext | Account) -> str | None:
    """Not silenced, suspended or banned, as it was read in this transaction."""
    return None if place.standing == Standing.ACTIVE else f"Your account is {place.standing}; you can read."


def has_required_second_factor(viewer: Viewer, _subject: object) -> str | None:
    """Readers trust what staff say, so nobody says it with the password alone."""
    return WITHHELD if viewer.withheld else None


def may_open_here(viewer: Viewer, place: PostingContext) -> str | None:
    """One of those for whom the board takes threads."""
    return _listed(viewer, place.board, place.board.openers, "open threads")


def may_reply_here(viewer: Viewer, place: PostingContext) -> str | None:
    """One of those for whom the board takes replies."""
    return _listed(viewer, place.board, place.board.repliers, "reply")


def address_is_verified(_viewer: Viewer, place: PostingContext) -> str | None:
    """The writer's e-mail address is verified, or was not needed when they began."""
    return None if place.verified else UNVERIFIED


def thread_takes_replies(viewer: Viewer, place: ReplyContext) -> str | None:
    """The thread is open, or the viewer moderates its board."""
    return None if takes_replies(place.thread, viewer) else "This thread is locked: comments are closed."


def is_author(viewer: Viewer, place: EditContext) -> str | None:
    """The viewer wrote the post."""
    return None if place.post.author_id == viewer.id else "Only its author may do this."


def opened_it(viewer: Viewer, place: ReplyContext) -> str | None:
    """The viewer opened the thread."""
    return None if place.thread.author_id == viewer.id else "Only the one who opened the thread may do this."


def post_is_shown(_viewer: Viewer, place: EditContext) -> str | None:
    """The post was neither removed nor withdrawn."""
    return None if place.post.visibility in SHOWN else f"This post was {place.post.visibility}."


def moderates_the_board(viewer: Viewer, place: PostingContext) -> str | None:
    """The viewer moderates the board."""
    return None if viewer.moderates(place.board.id) else "Only moderators of this board may do this."


def advises(viewer: Viewer, _subject: object) -> str | None:
    """The viewer is an adviser, or moderates the whole forum."""
    works_there = viewer.roles & {Role.ADVISER, Role.MODERATOR, Role.ADMINISTRATOR}
    return None if works_there else "Only advisers may do this."


def is_in_good_standing(viewer: Viewer, _subject: object) -> str | None:
    """Nobody who was silenced has power over others."""
    return None if viewer.standing == Standing.ACTIVE else f"Your account is {viewer.standing}."


def administers(viewer: Viewer, _subject: object) -> str | None:
    """The viewer is an administrator."""
    return None if Role.ADMINISTRATOR in viewer.roles else "Only administrators may do this."


def either(*conditions: Condition) -> Condition:
    """One of these is enough; otherwise the first one's reason is given."""

    def one_holds(viewer: Viewer, subject: Any) -> str | None:
        reasons = [condition(viewer, subject) for condition in conditions]
        return None if None in reasons else reasons[0]

    return one_holds


def both(*conditions: Condition) -> Condition:
    """All of these are needed, inside an `either`."""

    def all_hold(viewer: Viewer, subject: Any) -> str | None:
        return next((reason for condition in conditions if (reason := condition(viewer, subject))), None)

    return all_hold


PERMISSIONS: Mapping[Act, Sequence[Condition]] = {
    Act.OPEN_THREAD: [is_active, has_required_second_factor, may_open_here],
    Act.REPLY: [is_active, has_required_second_factor, thread_takes_replies, may_reply_here],
    Act.BEGIN_TO_WRITE: [address_is_verified],  # where the forum wants it
    Act.EDIT_POST: [is_active, has_required_second_factor, is_author, post_is_shown, thread_takes_replies],
    Act.WITHDRAW_POST: [is_author],
    Act.READ_REVISIONS: [either(both(is_author, post_is_shown), moderates_the_board)],
    Act.READ_SEALED_REVISION: [is_active, moderates_the_board],
    Act.RETITLE_THREAD: [
        is_active,
        has_required_second_factor,
        either(both(opened_it, thread_takes_replies), moderates_the_board),
    ],
    Act.LOCK_THREAD: [is_active, moderates_the_board],
    Act.PIN_THREAD: [is_active, moderates_the_board],
    Act.MOVE_THREAD: [is_active, moderates_the_board],
    Act.RENAME: [is_active, has_required_second_factor],
    Act.SEE_WAITING_THREADS: [advises],
    Act.ADMINISTER: [is_in_good_standing, administers],
    Act.HOLD_ACCOUNT: [is_in_good_standing, administers],
}


def allow(act: Act, viewer: Viewer, subject: object = None) -> None:
    """Return when the viewer may do this; raise NotSignedIn for a guest, Forbidden with the reason otherwise.

    To somebody whose roles are withheld (RoleWithheld) the reason is that.
    """
    ask(PERMISSIONS[act], act, viewer, subject)


def ask(conditions: Sequence[Condition], act: str, viewer: Viewer, subject: object) -> None:
    """Return when every condition holds; raise as `allow` does."""
    if viewer.id is None:
        raise NotSignedIn(f"Sign in to {act}.")
    for condition in conditions:
        if reason := condition(viewer, subject):
            raise RoleWithheld(WITHHELD) if viewer.withheld else Forbidden(reason)


def _listed(viewer: Viewer, board: Board, audiences: Sequence[str], act: str) -> str | None:
    if viewer.moderates(board.id) or set(viewer.audiences) & set(audiences):
        return None
    return f"On this board you can read but not {act}."
