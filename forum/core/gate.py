"""The gate that every text passes before others read it. `app.py` chooses which gate a forum has."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from forum.core.settings import Settings


@dataclass(frozen=True)
class PostAuthor:
    """The author of a text, as they are in this transaction."""

    id: UUID
    is_staff: bool
    # How many visible posts they have, up to `settings.FIRST_POSTS_MAX`: 0 where the board's policy does not ask.
    published: int
    is_reviewed: bool = False  # a moderator reads what they write before it appears


@dataclass(frozen=True)
class Edited:
    """The post that its author edits, or whose thread they retitle, and when."""

    post_id: int
    at: datetime


@dataclass(frozen=True)
class Publishing:
    """Where a text is to appear and what its author has confirmed: for the question about personal information."""

    settings: Settings
    now: datetime
    board_id: int | None = None  # None for a preview of a thread that is not begun
    is_public: bool = True  # guests read the board
    thread_id: int | None = None
    confirm: str | None = None
    is_first_there: bool = False  # its author has said nothing in the thread before that others can read


@dataclass(frozen=True)
class Detail:
    """Something in a text that may show who somebody is: where, why, what to write instead, and what follows."""

    field: str  # as the API calls the text
    start: int
    end: int
    words: str
    kind: str
    why: str
    suggestion: str
    effect: str
    pieces: tuple[str, ...] = ()  # where several things together show it: what they are

    def as_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return asdict(self)


@dataclass(frozen=True)
class Submission:
    """A text to be judged: a post with its title, a title, a message to moderators, or a display name."""

    author: PostAuthor | None  # None for a display name
    texts: tuple[str, ...]
    publication: str | None = None  # the policy now of the board on which it would appear, if any
    is_closed: bool = False  # that is its policy because it is closed now
    named: UUID | None = None  # the member whose name or handle it would be, if they have joined
    edited: Edited | None = None  # None for something new
    board_id: int | None = None  # on which it would appear, if on any
    # When it was written, by a member in their first days; None for anybody else.
    written_by_newcomer_at: datetime | None = None
    is_title: bool = False  # the one text is a title
    answered: tuple[int, int] | None = None  # the thread and the number of the post that this one answers
    publishing: Publishing | None = None  # None for what no board shows: nobody is asked anything about it


# Characters of an answer to what was asked about a text.
CONFIRM_MAX = 1600
# How near a danger is: this one calls people.
ACUTE = "acute"
# The kind of danger that a text is for somebody else: it tells them to harm themselves.
ENCOURAGEMENT = "encouragement"


@dataclass(frozen=True)
class Danger:
    """What somebody's words sound like: a kind of danger, and how near it is; None where nobody's words say."""

    kind: str
    level: str | None


class Attendance(NamedTuple):
    """Whether somebody is on call, and otherwise from when on; None where nobody will be."""

    now: bool
    next_at: datetime | None


@dataclass(frozen=True)
class RefusedText:
    """A text with words of acute danger that is not published, and why."""

    persona_id: UUID
    kind: str  # what it was to be: a reply, a thread, an edit, a title, an answer in a talk, a message to us
    code: str
    text: str


class Covered(NamedTuple):
    """A part of a text, by the name that the API has for the text."""

    field: str
    start: int
    end: int


@dataclass(frozen=True)
class GateResult:
    """The result: publish, or hold for a moderator with the reason in words for the author."""

    held_because: str | None = None
    findings: tuple[Any, ...] = ()
    details: tuple[Detail, ...] = ()  # that its author is told of
    covered: tuple[Covered, ...] = ()  # what only its author and moderators read until one has looked


class Gate(Protocol):
    """Judges a text before its row is written, and records the result once the row has an id, in one transaction."""

    async def judge(self, session: AsyncSession, submission: Submission) -> GateResult:
        """Return whether to publish a text or to hold it.

        Raises Invalid for a title that moderation took away, and PersonalInformation to ask its author first.
        """

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """Record what was found in `subject` (a kind and an id)."""

    async def find_dangers(self, texts: Sequence[str]) -> Sequence[Danger]:
        """Return what these texts sound like, the gravest first."""

    async def record_refused(self, session: AsyncSession, refused: RefusedText, now: datetime) -> None:
        """Have somebody read a text with words of acute danger that is not published."""

    async def find_attendance(
        self, session: AsyncSession, board_id: int | None, now: datetime, *, but_not: UUID | None = None
    ) -> Attendance | None:
        """Return whether somebody but this member is on call for a board; None where nobody ever can be."""


class PublishAtOnce:
    """The gate of a forum without moderation."""

    async def judge(self, session: AsyncSession, submission: Submission) -> GateResult:
        """Return that the text is published."""
        return GateResult()

    async def record(
        self, session: AsyncSession, subject: tuple[str, object], verdict: GateResult, now: datetime
    ) -> None:
        """Record nothing."""

    async def find_dangers(self, texts: Sequence[str]) -> Sequence[Danger]:
        """Find nothing."""
        return []

    async def record_refused(self, session: AsyncSession, refused: RefusedText, now: datetime) -> None:
        """Record nothing."""

    async def find_attendance(
        self, session: AsyncSession, board_id: int | None, now: datetime, *, but_not: UUID | None = None
    ) -> Attendance | None:
        """Return that nobody can be on call."""
        return None
