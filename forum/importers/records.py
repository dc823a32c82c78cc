"""What moves from one board to another, in one neutral form: a record is a line of JSON.

Readers of old boards write records, `forum import run` reads them, and our own export is made of them: anybody can
write a reader for another program. A record says what the old board had, never what becomes of it here.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter

# The id that something had on its old board; other records name it by this one.
Old = Annotated[str, Field(min_length=1, max_length=100)]


class Readers(StrEnum):
    """Who could read a board; whatever is in doubt is for staff alone."""

    EVERYONE = "everyone"
    MEMBERS = "members"
    STAFF = "staff"


class TextForm(StrEnum):
    """How the words of a post were written down."""

    S9E = "s9e"  # XML of s9e/TextFormatter: phpBB 3.2 and later
    BBCODE = "bbcode"  # with an id in each tag: phpBB 3.0 and 3.1
    HTML = "html"  # WordPress
    MARKDOWN = "markdown"  # our own
    PLAIN = "plain"


class Shown(StrEnum):
    """Who could read a post."""

    VISIBLE = "visible"
    WAITING = "waiting"  # for a moderator
    REMOVED = "removed"  # softly: moderators could read it


class PersonKind(StrEnum):
    """Whether somebody had an account."""

    MEMBER = "member"
    INACTIVE = "inactive"  # an account that was never activated, or was switched off
    GUEST = "guest"  # wrote without an account
    BOT = "bot"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BoardRecord(_Record):
    """A board, or a section that holds boards."""

    kind: Literal["board"] = "board"
    old: Old
    parent: Old | None = None
    is_section: bool = False
    name: str
    description: str = ""
    readers: Readers
    doubt: str | None = Field(None, description="Why it is for staff alone, where that is not what the old board said")
    position: int = 0
    is_closed: bool = False


class PersonRecord(_Record):
    """Somebody who had an account, or wrote without one."""

    kind: Literal["person"] = "person"
    old: Old
    name: str = Field(description="As it was shown; entities are resolved")
    login: str | None = Field(None, description="What they typed to sign in, where that is not the name")
    what: PersonKind = PersonKind.MEMBER
    email: str | None = None
    password: str | None = Field(None, description="The hash, as it was stored")
    joined_at: AwareDatetime | None = None
    last_seen_at: AwareDatetime | None = None
    posts: int = Field(0, description="As the old board counted them")
    was: tuple[str, ...] = Field((), description="Roles and groups of staff that they had")


class PollRecord(_Record):
    """A poll with its result."""

    question: str
    options: tuple[tuple[str, int], ...]


class ThreadRecord(_Record):
    """A thread, without its posts."""

    kind: Literal["thread"] = "thread"
    old: Old
    board: Old
    author: Old | None = None
    author_name: str | None = None
    title: str = Field(description="Entities are resolved")
    opened_at: AwareDatetime | None = None
    is_locked: bool = False
    is_pinned: bool = False
    shown: Shown = Shown.VISIBLE
    poll: PollRecord | None = None
    moved_to: Old | None = Field(None, description="Of a mere pointer: the thread that it leads to")


class RemovalRecord(_Record):
    """Who removed a post on the old board, when and why, as far as it kept that."""

    at: AwareDatetime | None = None
    by: Old | None = None
    reason: str = Field("", description="What moderators wrote for each other")


class PostRecord(_Record):
    """A post."""

    kind: Literal["post"] = "post"
    old: Old
    thread: Old
    author: Old | None = Field(None, description="Null: nobody knows")
    author_name: str | None = Field(None, description="Of somebody without an account")
    written_at: AwareDatetime | None = None
    form: TextForm
    text: str = Field(description="As it was stored")
    uid: str = Field("", description="Of `bbcode`: what stands in its tags")
    title: str = Field("", description="A heading of its own that says something else than the thread's title")
    reply_to: Old | None = Field(None, description="The post that it answers")
    shown: Shown = Shown.VISIBLE
    edited_at: AwareDatetime | None = None
    edited_by: Old | None = None
    edit_reason: str | None = None
    attachments: tuple[str, ...] = Field((), description="A kind for each file: `picture` or `file`")
    # Left out where there is none: digests of posts that moved before this was known stay as they are.
    below_files: tuple[str, ...] = Field(
        (), exclude_if=lambda words: not words, description="What the author wrote below the files, in the same order"
    )
    warning: str = Field("", exclude_if=lambda warning: not warning, description="What a reader is warned of, before")
    removed: RemovalRecord | None = Field(
        None, exclude_if=lambda removed: removed is None, description="Of a removed post: how that came about"
    )


class AddressRecord(_Record):
    """An address of words under which a thread was read."""

    kind: Literal["address"] = "address"
    thread: Old
    path: str = Field(description="Without the site, such as `2019/05/a-letter-came`; empty where it had numbers only")
    slug: str = Field("", description="The last part of it, by which the old site found the thread, too")


class BanRecord(_Record):
    """That somebody may not take part."""

    kind: Literal["ban"] = "ban"
    person: Old
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    reason: str = Field("", description="What they were told")
    note: str = Field("", description="What the team wrote for itself")


class WarningRecord(_Record):
    """That somebody was warned."""

    kind: Literal["warning"] = "warning"
    person: Old
    given_at: AwareDatetime
    by: Old | None = None


class ReportRecord(_Record):
    """A report that nobody has settled."""

    kind: Literal["report"] = "report"
    post: Old
    by: Old | None = None
    reported_at: AwareDatetime
    reason: str = Field("", description="What they wrote; else the title of the reason that they chose")
    title: str = Field(
        "",
        exclude_if=lambda title: not title,
        description="Of the reason that they chose: `spam`, `warez`, `off_topic`, `other`, or one of the board's own",
    )


class WatchRecord(_Record):
    """That somebody followed a thread or a board."""

    kind: Literal["watch"] = "watch"
    person: Old
    thread: Old | None = None
    board: Old | None = None


class IgnoreRecord(_Record):
    """That somebody wanted to see nothing of what another wrote."""

    kind: Literal["ignore"] = "ignore"
    person: Old
    ignored: Old


class TermRecord(_Record):
    """A word that the old board replaced when it was shown."""

    kind: Literal["term"] = "term"
    words: str
    replacement: str


class SourceRecord(_Record):
    """Where the others come from: the first line."""

    kind: Literal["source"] = "source"
    program: Literal["phpbb", "wordpress", "forum"]
    version: str
    name: str = Field("", description="Of the board")
    address: str = Field("", description="Where it was, as https://…/")
    until: datetime | None = Field(None, description="Of the newest post")

    @property
    def board(self) -> str:
        """What the old board is called among what moved: the same in each run."""
        return f"{self.program} {self.address or self.name}".strip()

    @property
    def known_address(self) -> str:
        """The address whose links lead to the new board. Links to a site of WordPress are words, and it often stays.

        A forum like this one has numbers of its own, so its old links lead nowhere here.
        """
        return self.address if self.program == "phpbb" else ""

    @property
    def has_handles(self) -> bool:
        """Whether what people typed to sign in is a handle like ours, which they keep."""
        return self.program == "forum"


AnyRecord = Annotated[
    SourceRecord
    | BoardRecord
    | PersonRecord
    | ThreadRecord
    | PostRecord
    | AddressRecord
    | BanRecord
    | WarningRecord
    | ReportRecord
    | WatchRecord
    | IgnoreRecord
    | TermRecord,
    Field(discriminator="kind"),
]
RECORD: TypeAdapter[AnyRecord] = TypeAdapter(AnyRecord)
