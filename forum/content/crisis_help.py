"""Help for somebody whose own words sound like danger: who helps at once, in words that say what is so.

Whatever becomes of the text, its author is answered with help: when it is published, held, or refused. What keeps it
from being published never keeps the help away, and acute danger in a refused text is read by a moderator all the same.
"""

import re
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from forum.content.boards import Board
from forum.content.opening_hours import ALWAYS, opening_of
from forum.content.posts.queries import PostView, find_post_by_number, get_post_in_transaction
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core.errors import Busy, ForumError, NotFound, UnusableSetting
from forum.core.gate import ACUTE, ENCOURAGEMENT, Attendance, Danger, RefusedText
from forum.core.settings import Settings
from forum.core.work import Transactions, Work
from forum.members.viewer import Viewer

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = f"({'|'.join(_DAYS)})"
_TIMES = re.compile(rf"(?:{_DAY}(?:-{_DAY})? )?([01][0-9]:[0-5][0-9]|2[0-3]:[0-5][0-9])-([012][0-9]:[0-5][0-9])")
# What is said first, by kind of danger: the one list of kinds for which there is help.
WORDS: Mapping[str, str] = {
    "attempt": "If you have taken something or hurt yourself, ring 999 now, also if you feel well. It is not too late.",
    "child_in_danger": "If a child is in danger now, ring 999. Say where you are first.",
    "danger": "If somebody is near who could hurt you, choose a way that they cannot hear.",
    "suicide": "What you wrote sounds very hard. You do not have to be alone with it tonight. These people listen now.",
    "self_harm": "What you wrote sounds very hard. These people listen, and they do not judge.",
    "carer": "You worry about somebody. If they are in danger now, ring 999. These people also help those who care.",
    "disclosure": "What was done is hard to tell and to hear. You do not have to know what to do: these people do.",
    ENCOURAGEMENT: "Somebody wrote to you what nobody should have to read. It is not true. A moderator looks at it.",
}
WATCHED = (
    "Nobody is promised to be reading here at this moment. A moderator sees your words first of all when one looks."
)
WATCHED_LATER = (
    "Nobody is promised to be reading here at this moment. Somebody is on call again later. A moderator sees your "
    "words first of all when one looks."
)
UNASKED = "If something here is hard to read, you do not have to be alone with it. These people listen."
UNSEEN = "Nobody is promised to be reading here at this moment."
WATCHED_WHEN_OPEN = (
    "Nobody is promised to be reading here at this moment. This board opens again later. A moderator sees your words "
    "first of all when one looks."
)
ON_CALL = "Somebody is on call here now, for what cannot wait. A moderator reads your words when they look next."
CALLED = (
    "Somebody is on call here now, and is told of your words. They may need some minutes. If you are in danger, do not "
    "wait for them."
)


class HelpLine(BaseModel):
    """Somebody who helps, and how to reach them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(examples=["Samaritans"])
    telephone: str | None = Field(None, examples=["116 123"])
    text: str | None = Field(None, description="The number for text messages", examples=[None])
    chat: str | None = Field(None, description="The address of a chat", examples=[None])
    url: str | None = Field(None, examples=["https://www.samaritans.org"])
    note: str | None = Field(None, examples=["Free. It does not show on a bill."])
    hours: str | None = Field(None, description="In words", examples=["Day and night"])
    open: tuple[str, ...] = Field(
        (), description="The same for sorting, by the forum's clock: `mon-fri 09:00-17:00`; none where it is not known"
    )
    boards: tuple[str, ...] = Field((), description="Short names of the boards on which it helps; none: on all")
    regions: tuple[str, ...] = Field(
        (), description="For whom it is, by where they live; none: wherever they are", examples=[["Wales"]]
    )
    silent: bool = Field(False, description="Whether nobody in the room hears it")
    kinds: tuple[str, ...] = Field(description="For which kinds of danger", examples=[["suicide"]])

    @field_validator("open")
    @classmethod
    def _check_open(cls, times: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_TIMES.fullmatch(one) for one in times):
            raise ValueError("Write open times as in mon-fri 09:00-17:00.")
        return times

    def is_open(self, now: datetime) -> bool | None:
        """Return whether somebody answers at this moment, by the clock of its zone; None where that is not known."""
        return any(_is_within(one, now) for one in self.open) if self.open else None


class Watched(NamedTuple):
    """Whether somebody is on call now, and otherwise from when on; None where nobody can say."""

    now: bool
    next_at: datetime | None
    words: str
    opens_at: datetime | None = None  # when the board opens again, if it is closed


class ShownLine(NamedTuple):
    """Somebody who helps, and whether they answer now; None where that is not known."""

    name: str
    telephone: str | None
    text: str | None
    chat: str | None
    url: str | None
    note: str | None
    hours: str | None
    regions: Sequence[str]  # none: it is for everybody
    silent: bool
    open_now: bool | None

    @classmethod
    def of(cls, line: HelpLine, now: datetime) -> "ShownLine":
        """Return a line as it is at this moment."""
        *fields, _ = cls._fields
        return cls._make([*(getattr(line, name) for name in fields), line.is_open(now)])


@dataclass(frozen=True)
class Help:
    """Who helps in one kind of danger."""

    kind: str
    level: str | None  # None for help that nobody's words asked for
    words: str
    resources: Sequence[ShownLine]  # those that answer now come first
    watched: Watched

    def as_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        lines = [line._asdict() for line in self.resources]
        about = {"kind": self.kind, "level": self.level, "words": self.words}
        return {**about, "resources": lines, "watched": self.watched._asdict()}


def lines_of(own: Path | None) -> Sequence[HelpLine]:
    """Return the help lines: the charity's own, or those of the United Kingdom. Raises UnusableSetting."""
    return _read_lines(own)


def help_for(
    danger: Danger,
    settings: Settings,
    now: datetime,
    *,
    board: Board | None = None,
    attendance: Attendance | None = None,
) -> Help:
    """Return the help in this kind of danger: first who answers now, but what makes no sound where somebody is near."""
    here, slug = now.astimezone(ZoneInfo(settings.time_zone)), board.slug if board else None
    fitting = [
        ShownLine.of(line, here)
        for line in lines_of(settings.help_lines)
        if danger.kind in line.kinds and (not line.boards or slug in line.boards)
    ]
    fitting.sort(key=lambda line: line.open_now is False)
    if danger.kind == "danger":
        fitting.sort(key=lambda line: (not line.silent, line.telephone is not None))
    opening = opening_of(board, now) if board else ALWAYS
    opens_at = None if opening.is_open else opening.until
    return Help(danger.kind, danger.level, WORDS[danger.kind], fitting, _watched(attendance, danger, opens_at))


def _watched(attendance: Attendance | None, danger: Danger, opens_at: datetime | None) -> Watched:
    if attendance is None or attendance == (False, None):
        words = WATCHED_WHEN_OPEN if opens_at else WATCHED
        return Watched(now=False, next_at=None, words=words, opens_at=opens_at)
    if not attendance.now:
        return Watched(now=False, next_at=attendance.next_at, words=WATCHED_LATER, opens_at=opens_at)
    return Watched(now=True, next_at=None, words=CALLED if danger.level == ACUTE else ON_CALL)


def list_help(settings: Settings, kind: str | None, now: datetime, region: str | None = None) -> Sequence[Help]:
    """Return the help in one kind of danger, or in all, as it is at this moment.

    With a region, lines that are for other regions alone are left out. One that no line names leaves out none: somebody
    in danger may have written it otherwise than the charity did.
    """
    helps = [help_for(Danger(name, None), settings, now) for name in WORDS if kind in (None, name)]
    named = {own.casefold() for own in list_regions(settings)}
    if region is None or region.casefold() not in named:
        return helps
    return [
        replace(one, resources=[line for line in one.resources if not line.regions or _names(line, region)])
        for one in helps
    ]


def list_regions(settings: Settings) -> Sequence[str]:
    """Return the regions that the help lines name. Where somebody lives is asked for and kept nowhere: they choose."""
    regions = {own.casefold(): own for line in lines_of(settings.help_lines) for own in line.regions}
    return [regions[key] for key in sorted(regions)]


def list_regional(settings: Settings, region: str, now: datetime) -> Sequence[ShownLine]:
    """Return the lines that are for this region, each once: those that answer now first."""
    here = now.astimezone(ZoneInfo(settings.time_zone))
    lines = [ShownLine.of(line, here) for line in lines_of(settings.help_lines) if _names(line, region)]
    return sorted(lines, key=lambda line: line.open_now is False)


def _names(line: HelpLine | ShownLine, region: str) -> bool:
    """Return whether a line names this region, in any case."""
    return region.casefold() in map(str.casefold, line.regions)


def help_unasked(settings: Settings, now: datetime) -> Help:
    """Return help for somebody of whose own words it is not about; it promises nobody, and names no kind of danger."""
    lines = help_for(Danger(ENCOURAGEMENT, None), settings, now).resources
    return Help("", None, UNASKED, lines, Watched(now=False, next_at=None, words=UNSEEN))


async def find_help(work: Work, author: Viewer, texts: Sequence[str], thread_id: int | None = None) -> Help | None:
    """Return the help for whoever wrote these texts, if their words sound like danger to them or theirs."""
    danger = await find_own_danger(work, texts)
    return await _help_now(work, author, danger, thread_id) if danger else None


async def find_help_anywhere(transactions: Transactions, texts: Sequence[str]) -> Help | None:
    """Return the help for words that got nowhere, which promises nobody: the case that they open is on no board."""
    danger = await find_own_danger(transactions, texts)
    return help_for(danger, transactions.settings, transactions.now) if danger else None


async def find_help_unseen(work: Work, texts: Sequence[str]) -> Help | None:
    """Return help for words that no moderator reads and that call nobody: those of a concern. It promises nothing."""
    danger = await find_own_danger(work, texts)
    if danger is None:
        return None
    help_ = help_for(Danger(danger.kind, None), work.settings, work.now)
    return replace(help_, watched=Watched(now=False, next_at=None, words=UNSEEN))


async def _help_now(work: Work, viewer: Viewer, danger: Danger, thread_id: int | None) -> Help:
    """Return help that says whether somebody is on call: on the thread's board, or else for the whole forum."""
    found = select(Board).join(Thread).where(col(Thread.id) == thread_id)
    board = (await work.session.execute(found)).scalar_one_or_none() if thread_id else None
    board_id = board.id if board else None
    attendance = await work.gate.find_attendance(work.session, board_id, work.now, but_not=viewer.id)
    return help_for(danger, work.settings, work.now, board=board, attendance=attendance)


async def find_own_danger(work: Work | Transactions, texts: Sequence[str]) -> Danger | None:
    """Return the gravest danger of whoever wrote these texts, or of somebody whom they worry about."""
    dangers = await work.gate.find_dangers(texts)
    return next((danger for danger in dangers if danger.kind != ENCOURAGEMENT), None)


@asynccontextmanager
async def also_when_refused(work: Work, author: Viewer, what: str, texts: Sequence[str]) -> AsyncIterator[None]:
    """Answer with help also where the block refuses these texts. Raises what the block raises.

    The words of an acute danger are kept in a case, in a transaction of their own: that of the block is undone.
    """
    try:
        yield
    except Busy:
        raise  # the same words are being stored at this moment
    except ForumError as error:
        danger = await find_own_danger(work, texts)
        if danger:
            error.facts["help"] = (await _help_when_refused(work, author, danger)).as_json()
            if danger.level == ACUTE and author.id:
                words = "\n\n".join(text for text in texts if text)
                work.refused.append(RefusedText(author.member_id, what, error.code, words))
        raise


async def _help_when_refused(work: Work, author: Viewer, danger: Danger) -> Help:
    """Return help for words of which a case is opened that belongs to no board."""
    try:
        return await _help_now(work, author, danger, None)
    except SQLAlchemyError:  # what refused them broke the transaction, which is undone: help does not depend on it
        return help_for(danger, work.settings, work.now)


class PostWithHelp(NamedTuple):
    """A post, and the help that it asks for."""

    post: PostView
    help: Help


async def read_post_with_help(work: Work, viewer: Viewer, post_id: int) -> PostWithHelp:
    """Return a post with the help that it asks for. Raises NotFound, also where nothing in it asks for help."""
    help_ = await read_help(work, viewer, post_id)
    if help_ is None:
        raise NotFound("Nothing in this post asks for help at once.", code="help_not_needed")
    return PostWithHelp(await get_post_in_transaction(work.session, viewer, post_id), help_)


async def read_help(work: Work, viewer: Viewer, post_id: int) -> Help | None:
    """Return the help that a post asks for, if it does: for its author, and for whom it tells to harm themselves.

    Raises NotFound for anybody else.
    """
    found = await work.session.execute(select(Post, Thread).join(Thread).where(col(Post.id) == post_id))
    row = found.one_or_none()
    if row is None:
        raise _no_post()
    post, thread = row
    texts = [thread.title if post.number == 1 else "", post.body_markdown, post.content_warning or ""]
    if post.author_id in viewer.personas:
        return await find_help(work, viewer, texts, thread.id)
    await _refuse_unless_addressed(work, viewer, post)
    dangers = await work.gate.find_dangers(texts)
    told = next((danger for danger in dangers if danger.kind == ENCOURAGEMENT), None)
    return await _help_now(work, viewer, told, thread.id) if told else None


async def _refuse_unless_addressed(work: Work, viewer: Viewer, post: Post) -> None:
    answered = select(col(Post.author_id)).where(
        col(Post.thread_id) == post.thread_id, col(Post.number) == post.reply_to
    )
    author_id = (await work.session.execute(answered)).scalar_one_or_none()
    is_seen = await find_post_by_number(work.session, viewer, post.thread_id, post.number) is not None
    if author_id not in viewer.personas or not is_seen:
        raise _no_post()


def _no_post() -> NotFound:
    return NotFound("There is no such post.", code="post_not_found")


def _is_within(times: str, now: datetime) -> bool:
    """Return whether a moment is within times such as "mon-fri 09:00-17:00"; without days, they are every day's."""
    first, last, starts, ends = _TIMES.fullmatch(times).groups()  # type: ignore[union-attr]  # checked as they are read
    days = range(_DAYS.index(first), _DAYS.index(last or first) + 1) if first else range(7)
    return now.weekday() in days and starts <= f"{now:%H:%M}" < ends


@cache
def _read_lines(own: Path | None) -> Sequence[HelpLine]:
    try:
        source = own.read_text("utf-8") if own else _uk_lines()
        lines = [HelpLine(**line) for line in tomllib.loads(source)["lines"]]
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise UnusableSetting(f"FORUM_HELP_LINES: this file cannot be used ({type(error).__name__}).") from error
    if unknown := {kind for line in lines for kind in line.kinds} - set(WORDS):
        raise UnusableSetting(f"FORUM_HELP_LINES: these kinds do not exist: {', '.join(sorted(unknown))}.")
    return lines


def _uk_lines() -> str:
    return resources.files("forum.content").joinpath("crisis_help.toml").read_text("utf-8")
