"""Who may do what, on one page. Actions call `allow`; what the viewer may not see is refused before, as NotFound.

This module imports members only: a subject is any object with the attributes that the conditions read.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from forum.core.errors import Forbidden, NotSignedIn, RoleWithheld, SignInAgain
from forum.members.standing import MAY_WRITE, SHUT_OUT
from forum.members.tables import Role, Standing
from forum.members.viewer import Viewer

RECENT = timedelta(minutes=15)


class HasStanding(Protocol):
    """A subject with the standing of the viewer, as it was read in this transaction."""

    @property
    def standing(self) -> Standing: ...  # noqa: D102


class BoardRules(Protocol):
    """What conditions read of a board: who may open threads and reply."""

    id: int
    openers: list[str]
    repliers: list[str]
    archived_at: datetime | None
    advised: bool


class OpenOrNot(Protocol):
    """Whether a board is open now."""

    @property
    def is_read_only(self) -> bool: ...  # noqa: D102


class OnBoard(HasStanding, Protocol):
    """A subject on a board."""

    @property
    def board(self) -> BoardRules: ...  # noqa: D102
    @property
    def verified(self) -> bool: ...  # noqa: D102
    @property
    def opening(self) -> OpenOrNot: ...  # noqa: D102


class ThreadLike(Protocol):
    """What conditions read of a thread."""

    board_id: int
    author_id: UUID
    state: str

    @property
    def is_gone(self) -> bool: ...  # noqa: D102


class InThread(OnBoard, Protocol):
    """A subject in a thread."""

    @property
    def thread(self) -> ThreadLike: ...  # noqa: D102


class PostLike(Protocol):
    """What conditions read of a post."""

    author_id: UUID
    visibility: str
    voice: str

    @property
    def is_shown(self) -> bool: ...  # noqa: D102


class AtPost(InThread, Protocol):
    """A subject at a post."""

    @property
    def post(self) -> PostLike: ...  # noqa: D102


class WorksHere(Protocol):
    """A member who may have a role."""

    @property
    def works_here(self) -> bool: ...  # noqa: D102


class Refusal(NamedTuple):
    """The reason of a refusal: a code for programs and a sentence for people."""

    code: str
    detail: str


# A condition returns None when it is met, otherwise the reason.
Condition = Callable[[Viewer, Any], Refusal | None]


UNVERIFIED = Refusal(
    "unverified_address",
    "Please confirm your e-mail address before your first post: use the link in our mail, or ask for a new link.",
)
REVIEWED = Refusal(
    "account_reviewed", "While a moderator reads what you write before it appears, you can write, but not do this."
)
WITHHELD = "Your role counts only after you have set up a second factor and signed in with it."


class Act(StrEnum):
    """Every action that needs permission; the values complete the sentence "Sign in to …"."""

    OPEN_THREAD = "open a thread"
    REPLY = "reply"
    WRITE_FIRST_POST = "write here"
    EDIT_POST = "edit this post"
    KEEP_EDIT = "keep an edit of this post for later"
    WITHDRAW_POST = "withdraw this post"
    READ_REVISIONS = "read the earlier revisions"
    REACT = "react to this post"
    READ_REACTIONS = "read who reacted to this post"
    READ_TITLES = "read the earlier titles"
    READ_SEALED_REVISION = "read what was redacted"
    READ_SEALED_TITLE = "read a title that was taken away"
    RETITLE_THREAD = "change the title"
    LOCK_THREAD = "lock or unlock this thread"
    PIN_THREAD = "pin this thread"
    MOVE_THREAD = "move this thread"
    FOLLOW = "be told of new posts"
    RENAME = "take another name"
    IGNORE = "ignore somebody"
    MARK_ANSWERED = "say that this helped"
    ADVISE = "answer as an adviser"
    WRITE_ADVISER_NOTE = "leave a note for advisers"
    READ_ADVISER_NOTES = "read the notes of advisers"
    USE_ANSWER_TEMPLATES = "use the templates of advisers"
    ENDORSE = "say as an adviser that this is right"
    SEE_WAITING_THREADS = "see the threads that wait for an adviser"
    ADMINISTER = "look after accounts"
    ANNOUNCE = "write announcements"
    CONNECT = "connect other services"
    WRITE_GLOSSARY = "write the glossary"
    WRITE_RESOURCES = "write down who helps elsewhere"
    ATTACH_RESOURCE = "say here who helps elsewhere"
    DETACH_RESOURCE = "say here no longer who helps elsewhere"
    HOLD_ACCOUNT = "see or place legal holds"


def may_write(_viewer: Viewer, subject: HasStanding) -> Refusal | None:
    """Require that the viewer is not silenced, suspended or banned, as it was read in this transaction."""
    if subject.standing in MAY_WRITE:
        return None
    return Refusal(f"account_{subject.standing}", f"Your account is {subject.standing}. You can read, but not write.")


def is_active(viewer: Viewer, subject: HasStanding) -> Refusal | None:
    """Require good standing, as it was read in this transaction."""
    return REVIEWED if subject.standing == Standing.REVIEWED else may_write(viewer, subject)


def has_required_second_factor(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require a second factor of staff: readers trust what they write, and a password can be stolen."""
    return Refusal("role_withheld", WITHHELD) if viewer.withheld else None


def board_is_open(_viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require that the board is not archived."""
    if subject.board.archived_at is None:
        return None
    return Refusal("board_archived", "This board is archived. You can read it, but not write here.")


def board_takes_words_now(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require that the board is not closed for reading only at this hour; who works here may write at any."""
    if viewer.is_staff or not subject.opening.is_read_only:
        return None
    return Refusal(
        "board_closed", "This board is closed now: you can read it. What you write, you can keep until it opens."
    )


def may_open_here(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require that the viewer may open threads on the board."""
    return _listed(viewer, subject.board, subject.board.openers, "open threads")


def may_reply_here(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require that the viewer may reply on the board."""
    return _listed(viewer, subject.board, subject.board.repliers, "reply")


def address_is_verified(_viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require a verified e-mail address, unless the member wrote posts before that was asked for."""
    return None if subject.verified else UNVERIFIED


def thread_takes_replies(viewer: Viewer, subject: InThread) -> Refusal | None:
    """Require that the thread is open and has posts that readers see, or that the viewer moderates its board."""
    if viewer.moderates(subject.thread.board_id):
        return None
    if subject.thread.is_gone:
        return Refusal("thread_gone", "Nothing in this thread can be read any more. Please open a new one.")
    if subject.thread.state == "open":
        return None
    return Refusal("thread_locked", "This thread is locked. You can read it, but not write in it.")


def is_author(viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require that the viewer wrote the post."""
    if subject.post.author_id in viewer.personas:
        return None
    return Refusal("not_the_author", "Only the author of a post may do this.")


def is_of_somebody_else(viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require that the viewer did not write the post."""
    if subject.post.author_id not in viewer.personas:
        return None
    return Refusal("own_post", "You wrote this post yourself.")


def opened_it(viewer: Viewer, subject: InThread) -> Refusal | None:
    """Require that the viewer opened the thread."""
    if subject.thread.author_id in viewer.personas:
        return None
    return Refusal("not_the_author", "Only the member who opened the thread may do this.")


def did_not_open_it(viewer: Viewer, subject: InThread) -> Refusal | None:
    """Require that somebody else opened the thread: notes may be about whoever did."""
    if subject.thread.author_id not in viewer.personas:
        return None
    return Refusal("own_thread", "You opened this thread yourself.")


def post_is_shown(_viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require that the post was neither removed nor withdrawn."""
    if subject.post.is_shown:
        return None
    return Refusal(f"post_{subject.post.visibility}", f"This post was {subject.post.visibility}.")


def post_is_not_withdrawn(_viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require that the post was not withdrawn: then moderators read it on the screen of its case only."""
    if subject.post.visibility != "withdrawn":
        return None
    return Refusal("post_withdrawn", "This post was withdrawn.")


def moderates_the_board(viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require that the viewer moderates the board."""
    if viewer.moderates(subject.board.id):
        return None
    return Refusal("not_a_moderator", "Only moderators of this board may do this.")


def is_not_staff(_viewer: Viewer, subject: WorksHere) -> Refusal | None:
    """Require that the member has no role: what staff write must reach everybody."""
    if not subject.works_here:
        return None
    return Refusal("member_is_staff", "They work here: nobody can ignore what they write.")


def advises(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require that the viewer is an adviser, a moderator of the whole forum or an administrator."""
    is_staff = viewer.roles & {Role.ADVISER, Role.MODERATOR, Role.ADMINISTRATOR}
    return None if is_staff else Refusal("not_an_adviser", "Only advisers may do this.")


def is_adviser(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require that the viewer speaks for an organisation: moderators and administrators do not."""
    return None if Role.ADVISER in viewer.roles else Refusal("not_an_adviser", "Only advisers may do this.")


def leads_safeguarding(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require that the viewer is a safeguarding lead."""
    if Role.SAFEGUARDING_LEAD in viewer.roles:
        return None
    return Refusal("not_an_adviser", "Only advisers and safeguarding leads may do this.")


def board_is_advised(_viewer: Viewer, subject: OnBoard) -> Refusal | None:
    """Require that advisers answer on the board."""
    if subject.board.advised:
        return None
    return Refusal("board_not_advised", "Advisers do not answer on this board.")


def is_by_no_adviser(_viewer: Viewer, subject: AtPost) -> Refusal | None:
    """Require that the post was not written by an adviser."""
    if subject.post.voice != "adviser":
        return None
    return Refusal("adviser_post", "An adviser wrote this post: nobody needs to say that it is right.")


def is_in_good_standing(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require good standing: a member who was silenced must have no power over others."""
    if viewer.standing == Standing.ACTIVE:
        return None
    if viewer.standing == Standing.REVIEWED:
        return REVIEWED
    return Refusal(f"account_{viewer.standing}", f"Your account is {viewer.standing}.")


def is_not_banned(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require that the viewer is not banned: who is silenced or suspended keeps what others do not see."""
    if viewer.standing not in {Standing.BANNED, Standing.LEFT}:
        return None
    return Refusal(f"account_{viewer.standing}", f"Your account is {viewer.standing}.")


def administers(viewer: Viewer, _subject: object) -> Refusal | None:
    """Require that the viewer is an administrator."""
    if Role.ADMINISTRATOR in viewer.roles:
        return None
    return Refusal("not_an_administrator", "Only administrators may do this.")


def either(*conditions: Condition) -> Condition:
    """Return the condition that one of these is met; the reason of a refusal is that of the first."""

    def is_one_met(viewer: Viewer, subject: Any) -> Refusal | None:
        reasons = [condition(viewer, subject) for condition in conditions]
        return None if None in reasons else reasons[0]

    return is_one_met


def both(*conditions: Condition) -> Condition:
    """Return the condition that all of these are met: for use in an `either`."""

    def are_all_met(viewer: Viewer, subject: Any) -> Refusal | None:
        return first_refusal(conditions, viewer, subject)

    return are_all_met


PERMISSIONS: Mapping[Act, Sequence[Condition]] = {
    Act.OPEN_THREAD: [may_write, has_required_second_factor, board_is_open, may_open_here, board_takes_words_now],
    Act.REPLY: [
        may_write,
        has_required_second_factor,
        board_is_open,
        thread_takes_replies,
        may_reply_here,
        board_takes_words_now,
    ],
    Act.WRITE_FIRST_POST: [address_is_verified],  # where the settings ask for it
    Act.EDIT_POST: [
        may_write,
        has_required_second_factor,
        is_author,
        post_is_shown,
        board_is_open,
        thread_takes_replies,
        board_takes_words_now,
    ],
    Act.KEEP_EDIT: [is_author],
    Act.WITHDRAW_POST: [is_author],
    Act.READ_REVISIONS: [either(both(is_author, post_is_shown), moderates_the_board), post_is_not_withdrawn],
    Act.REACT: [may_write, has_required_second_factor, is_of_somebody_else, board_is_open],
    Act.READ_REACTIONS: [is_author, post_is_shown],
    Act.READ_TITLES: [either(opened_it, moderates_the_board)],
    Act.READ_SEALED_TITLE: [is_active, moderates_the_board],
    Act.READ_SEALED_REVISION: [is_active, moderates_the_board, post_is_not_withdrawn],
    Act.RETITLE_THREAD: [
        may_write,
        has_required_second_factor,
        either(
            both(opened_it, board_is_open, thread_takes_replies, board_takes_words_now),
            both(moderates_the_board, is_active),
        ),
    ],
    Act.LOCK_THREAD: [is_active, moderates_the_board],
    Act.PIN_THREAD: [is_active, moderates_the_board],
    Act.MOVE_THREAD: [is_active, moderates_the_board],
    Act.FOLLOW: [is_not_banned],
    Act.RENAME: [is_active, has_required_second_factor],
    Act.IGNORE: [is_not_staff],
    Act.MARK_ANSWERED: [is_not_banned, opened_it],
    Act.ADVISE: [is_active, has_required_second_factor, advises, board_is_advised],
    Act.WRITE_ADVISER_NOTE: [is_active, has_required_second_factor, is_adviser, did_not_open_it],
    Act.READ_ADVISER_NOTES: [is_active, either(is_adviser, leads_safeguarding), did_not_open_it],
    Act.USE_ANSWER_TEMPLATES: [is_in_good_standing, has_required_second_factor, is_adviser],
    Act.ENDORSE: [
        is_active,
        has_required_second_factor,
        is_adviser,
        is_of_somebody_else,
        is_by_no_adviser,
        board_is_open,
    ],
    Act.SEE_WAITING_THREADS: [advises],
    Act.ADMINISTER: [is_in_good_standing, administers],
    Act.ANNOUNCE: [is_in_good_standing, administers],
    Act.CONNECT: [is_in_good_standing, administers],
    Act.WRITE_GLOSSARY: [is_in_good_standing, administers],
    Act.WRITE_RESOURCES: [is_in_good_standing, has_required_second_factor, advises],
    Act.ATTACH_RESOURCE: [is_in_good_standing, has_required_second_factor, advises, board_is_open],
    # What is wrong goes, also where nobody writes any more.
    Act.DETACH_RESOURCE: [is_in_good_standing, has_required_second_factor, advises],
    Act.HOLD_ACCOUNT: [is_in_good_standing, administers],
}


def allow(act: Act, viewer: Viewer, subject: object = None) -> None:
    """Return when the viewer may do this.

    Raises NotSignedIn for a guest, RoleWithheld for somebody whose roles do not count yet, and otherwise Forbidden with
    the reason.
    """
    ask(PERMISSIONS[act], act, viewer, subject)


def why_not(act: Act, viewer: Viewer, subject: object = None) -> Refusal | None:
    """Return the reason why the viewer may not do this, or None when they may: for what a page offers.

    The action asks again. A guest gets the reason of a member, as a page offers a guest to sign in.
    """
    return first_refusal(PERMISSIONS[act], viewer, subject)


def first_refusal(conditions: Sequence[Condition], viewer: Viewer, subject: object) -> Refusal | None:
    """Return the reason of the first condition that is not met, or None."""
    return next((reason for condition in conditions if (reason := condition(viewer, subject))), None)


def ask(conditions: Sequence[Condition], act: str, viewer: Viewer, subject: object) -> None:
    """Return when every condition is met. Raises as `allow` does."""
    if viewer.id is None:
        raise NotSignedIn(f"Sign in to {act}.")
    if reason := first_refusal(conditions, viewer, subject):
        raise RoleWithheld(WITHHELD) if viewer.withheld else Forbidden(reason.detail, code=reason.code)


def refuse_shut_out(viewer: Viewer) -> None:
    """Return when the viewer may use the forum. Raises Forbidden for whoever is suspended or banned.

    They read as a guest does: ask it before anything is looked for, so that they learn no more.
    """
    if viewer.standing in SHUT_OUT:
        sentence = f"Your account is {viewer.standing}. Your statements of reasons say why, and you can appeal there."
        raise Forbidden(sentence, code=f"account_{viewer.standing}")


def require_recent_sign_in(viewer: Viewer, now: datetime) -> None:
    """Return when the viewer signed in within 15 minutes: for what nobody must do on a phone that was left unlocked.

    Raises SignInAgain.
    """
    if viewer.signed_in_at is None or now - viewer.signed_in_at > RECENT:
        raise SignInAgain("For this, you must have signed in within the last 15 minutes. Please sign in again.")


def _listed(viewer: Viewer, board: BoardRules, audiences: Sequence[str], act: str) -> Refusal | None:
    if viewer.moderates(board.id) or set(viewer.audience_groups) & set(audiences):
        return None
    return Refusal("read_only_board", f"On this board you can read but not {act}.")
