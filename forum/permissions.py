"""Who may do what, on one page. Actions ask `allow`; what the viewer cannot see never gets here (it is a 404).

This page knows members only: a subject is anything that has what its conditions ask for.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from forum.core.errors import Forbidden, NotSignedIn, RoleWithheld, SignInAgain
from forum.members.tables import Role, Standing
from forum.members.viewer import Viewer

RECENT = timedelta(minutes=15)


class HasStanding(Protocol):
    """Whose subject tells where the viewer stands, as it was read in this transaction."""

    @property
    def standing(self) -> Standing: ...  # noqa: D102


class BoardRules(Protocol):
    """A board: who may open threads and reply."""

    id: int
    openers: list[str]
    repliers: list[str]


class OnBoard(HasStanding, Protocol):
    """Something on a board."""

    @property
    def board(self) -> BoardRules: ...  # noqa: D102
    @property
    def verified(self) -> bool: ...  # noqa: D102


class Thread(Protocol):
    """A thread."""

    board_id: int
    author_id: UUID
    state: str


class InThread(OnBoard, Protocol):
    """Something in a thread."""

    @property
    def thread(self) -> Thread: ...  # noqa: D102


class Post(Protocol):
    """A post."""

    author_id: UUID
    visibility: str

    @property
    def is_shown(self) -> bool: ...  # noqa: D102


class AtPost(InThread, Protocol):
    """Something about a post."""

    @property
    def post(self) -> Post: ...  # noqa: D102


class Refusal(NamedTuple):
    """Why somebody may not do something: a code for programs, a sentence for people."""

    code: str
    detail: str


# A condition gives None when it holds, else why not.
Condition = Callable[[Viewer, Any], Refusal | None]


UNVERIFIED = Refusal(
    "unverified_address",
    "Confirm your e-mail address before your first post: follow the link that we mailed you, or ask for a new one.",
)
WITHHELD = "Your role counts once you have set up a second factor and signed in with it."


class Act(StrEnum):
    """Everything that somebody may or may not do to what they see."""

    OPEN_THREAD = "open a thread"
    REPLY = "reply"
    WRITE_FIRST_POST = "write here"
    EDIT_POST = "edit this post"
    WITHDRAW_POST = "withdraw this post"
    READ_REVISIONS = "read the earlier revisions"
    READ_SEALED_REVISION = "read what was redacted"
    RETITLE_THREAD = "change the title"
    LOCK_THREAD = "lock or unlock this thread"
    PIN_THREAD = "pin this thread"
    MOVE_THREAD = "move this thread"
    RENAME = "take another name"
    SEE_WAITING_THREADS = "see the threads that wait for an adviser"
    ADMINISTER = "look after accounts"
    HOLD_ACCOUNT = "see or place legal holds"


def is_active(_viewer: Viewer, subject: HasStanding) -> Refusal | None:
    """Not silenced, suspended or banned, as it was read in this transaction."""
    if subject.standing == Standing.ACTIVE:
        return None
    return Refusal(f"account_{subject.standing}", f"Your account is {subject.standing}. You can read, but not write.")


def has_required_second_factor(viewer: Viewer, _subject: object) -> Refusal | None:
    """Readers trust what staff say, so nobody says it with the password alone."""
    return Refusal("role_withheld", WITHHELD) if viewer.withheld else None


def may_open_here(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """One of those for whom the board takes threads."""
    return _listed(viewer, subject.board, subject.board.openers, "open threads")


def may_reply_here(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """One of those for whom the board takes replies."""
    return _listed(viewer, subject.board, subject.board.repliers, "reply")


def address_is_verified(_viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """The writer's e-mail address is verified, or was not needed when they began."""
    return None if subject.verified else UNVERIFIED


def thread_takes_replies(viewer: Viewer, subject: InThread) -> Refusal | None:
    """The thread is open, or the viewer moderates its board."""
    if subject.thread.state == "open" or viewer.moderates(subject.thread.board_id):
        return None
    return Refusal("thread_locked", "This thread is locked: it takes no more replies.")


def is_author(viewer: Viewer, subject: AtPost) -> Refusal | None:
    """The viewer wrote the post."""
    if subject.post.author_id == viewer.id:
        return None
    return Refusal("not_the_author", "Only the author of a post may do this.")


def opened_it(viewer: Viewer, subject: InThread) -> Refusal | None:
    """The viewer opened the thread."""
    if subject.thread.author_id == viewer.id:
        return None
    return Refusal("not_the_author", "Only the member who opened the thread may do this.")


def post_is_shown(_viewer: Viewer, subject: AtPost) -> Refusal | None:
    """The post was neither removed nor withdrawn."""
    if subject.post.is_shown:
        return None
    return Refusal(f"post_{subject.post.visibility}", f"This post was {subject.post.visibility}.")


def moderates_the_board(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """The viewer moderates the board."""
    if viewer.moderates(subject.board.id):
        return None
    return Refusal("not_a_moderator", "Only moderators of this board may do this.")


def advises(viewer: Viewer, _subject: object) -> Refusal | None:
    """The viewer is an adviser, or moderates the whole forum."""
    works_there = viewer.roles & {Role.ADVISER, Role.MODERATOR, Role.ADMINISTRATOR}
    return None if works_there else Refusal("not_an_adviser", "Only advisers may do this.")


def is_in_good_standing(viewer: Viewer, _subject: object) -> Refusal | None:
    """Nobody who was silenced has power over others."""
    if viewer.standing == Standing.ACTIVE:
        return None
    return Refusal(f"account_{viewer.standing}", f"Your account is {viewer.standing}.")


def administers(viewer: Viewer, _subject: object) -> Refusal | None:
    """The viewer is an administrator."""
    if Role.ADMINISTRATOR in viewer.roles:
        return None
    return Refusal("not_an_administrator", "Only administrators may do this.")


def either(*conditions: Condition) -> Condition:
    """One of these is enough; otherwise the first one's reason is given."""

    def one_holds(viewer: Viewer, subject: Any) -> Refusal | None:
        reasons = [condition(viewer, subject) for condition in conditions]
        return None if None in reasons else reasons[0]

    return one_holds


def both(*conditions: Condition) -> Condition:
    """All of these are needed, inside an `either`."""

    def all_hold(viewer: Viewer, subject: Any) -> Refusal | None:
        return next((reason for condition in conditions if (reason := condition(viewer, subject))), None)

    return all_hold


PERMISSIONS: Mapping[Act, Sequence[Condition]] = {
    Act.OPEN_THREAD: [is_active, has_required_second_factor, may_open_here],
    Act.REPLY: [is_active, has_required_second_factor, thread_takes_replies, may_reply_here],
    Act.WRITE_FIRST_POST: [address_is_verified],  # where the forum wants it
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
            raise RoleWithheld(WITHHELD) if viewer.withheld else Forbidden(reason.detail, code=reason.code)


def require_recent_sign_in(viewer: Viewer, now: datetime) -> None:
    """Return when the viewer signed in within 15 minutes: for what nobody who found their phone must do.

    Raises SignInAgain.
    """
    if viewer.signed_in_at is None or now - viewer.signed_in_at > RECENT:
        raise SignInAgain("For this, sign in again first: it must be at most 15 minutes since you signed in.")


def _listed(viewer: Viewer, board: BoardRules, audiences: Sequence[str], act: str) -> Refusal | None:
    if viewer.moderates(board.id) or set(viewer.audiences) & set(audiences):
        return None
    return Refusal("read_only_board", f"On this board you can read but not {act}.")
