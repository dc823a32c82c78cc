"""Read threads from the staging file, and say what each of their posts is here, before its words are turned."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

from forum.content.posts.tables import Visibility
from forum.core.gate import Gate
from forum.core.text import carried
from forum.importers.batches import batches
from forum.importers.board_rows import BoardHere
from forum.importers.conversion import NewPost, OldPost, OldThread, folded_name
from forum.importers.errors import CannotMove
from forum.importers.old_moderation import OldModeration, RunTime
from forum.importers.people import Author, People
from forum.importers.plan import Plan
from forum.importers.records import PostRecord, Shown, ThreadRecord, WatchRecord
from forum.importers.staging import Staging
from forum.importers.texts import posts_named
from forum.importers.titles import is_whole

BATCH, MOST_POSTS = 100, 2_000  # threads that are written in one transaction; fewer, where they are long
POST_LENGTH = 2_000  # characters; what is longer counts as several posts
LONGEST_THREAD = 100_000_000  # characters of a thread: it is in memory several times
WAITS_FOR = timedelta(days=90)  # what waited longer for a moderator of the old board is left out
# The name in a quote of either form: `[quote=&quot;Name&quot;:uid]`, `<QUOTE author="Name">`, `[quote=Name post_id=4]`.
_QUOTED_NAME = re.compile(
    r"""(?:\bauthor=|\[quote=)\s{0,8}(?:"([^"]{1,255})"|&quot;(.{1,255}?)&quot;|'([^']{1,255})'|([^\s"'&\]][^"\]]{0,255}?)"""
    r"""(?=\]|:\w{5,8}\]|\s{1,8}\w{1,20}=))""",
    re.IGNORECASE,
)
_VISIBILITY = {
    Shown.VISIBLE: Visibility.VISIBLE,
    Shown.WAITING: Visibility.HELD,
    Shown.REMOVED: Visibility.REMOVED,
}


@dataclass(frozen=True)
class Setting:
    """All that the posts of an old board need to know of their new place."""

    source: str
    run_id: UUID
    plan: Plan
    people: People
    boards: Mapping[str, BoardHere]
    gate: Gate
    moderation: OldModeration
    now: datetime
    latest: datetime  # nothing was written after it
    organisation: str  # of the advisers
    public_url: str = ""
    hidden_here: frozenset[str] = frozenset()  # posts, by old id, that came before and that nobody may read any more

    @property
    def run(self) -> RunTime:
        """The run that brings them, and the time that it gives to what it writes."""
        return RunTime(self.run_id, self.now)


@dataclass(frozen=True)
class PlacedPost:
    """A post of the old board with what it is here, before its words are known."""

    record: PostRecord
    author: Author
    visibility: Visibility
    created_at: datetime
    is_adviser: bool
    edited_by: Author | None


@dataclass
class ComingThread:
    """A thread that comes."""

    record: ThreadRecord
    board: BoardHere
    placed: Sequence[PlacedPost]
    old: OldThread
    posts: list[NewPost] = field(default_factory=list)

    def weigh(self) -> int:
        """Return how much room it takes in memory, in characters."""
        return sum(max(len(one.record.text), POST_LENGTH) for one in self.placed)


class OldThreads:
    """Reads threads from the staging file, and says what each of their posts is here."""

    def __init__(self, staging: Staging, setting: Setting) -> None:
        self.staging, self.setting = staging, setting
        _refuse_endless(staging, setting)
        self.hidden = _hidden_posts(staging) | setting.hidden_here
        advisers, people = setting.plan.find_advisers(staging), setting.people.by_old
        self.advisers = {old for old in advisers if old in people and people[old].handle}
        self.called = {person.old: person.name for person in staging.people()}
        self.handles = _handles(setting.people, self.called)
        self.watchers: dict[str, list[str]] = {}  # of each thread
        self.board_watchers: dict[str, list[str]] = {}
        for watch in staging.others(WatchRecord):
            if watch.thread is not None:
                self.watchers.setdefault(watch.thread, []).append(watch.person)
            elif watch.board in setting.boards:
                self.board_watchers.setdefault(watch.board or "", []).append(watch.person)

    def batches(self, done: set[str]) -> Iterator[Sequence[ComingThread]]:
        """Give the threads that are not here yet."""
        yield from batches(self._coming(done), BATCH, ComingThread.weigh, room=MOST_POSTS * POST_LENGTH)

    def _coming(self, done: set[str]) -> Iterator[ComingThread]:
        for record in self.staging.threads():
            board = self.setting.boards.get(record.board)
            if record.old in done or record.moved_to is not None or board is None:
                continue
            if coming := self._find_coming(record, board):
                yield coming

    def _find_coming(self, record: ThreadRecord, board: BoardHere) -> ComingThread | None:
        """Return a thread with the posts that come; None where none does."""
        read = self.staging.posts_to_come(record.old)
        placed = [*self.place(record, read)]
        if not placed:
            return None
        olds = tuple(self.old_post(one) for one in placed)
        named = {old for one in placed for old in posts_named(one.record.text)}
        coming = {one.record.old for one in placed}
        # What stands in the opening post, or above it, is its author's: it stays behind with it.
        is_opening = placed[0].record.old == read[0].old
        thread = OldThread(
            olds,
            poll=record.poll if is_opening else None,
            named=self.find_quotable(placed),
            hidden=frozenset(named & self.hidden),
            address=self.setting.plan.address,
            new_address=self.setting.public_url,
            whole_title="" if is_whole(record.title) or not is_opening else carried(record.title),
            is_for_staff=board.is_for_staff,
            left_out=tuple(post for post in read if post.old not in coming),
        )
        return ComingThread(record, board, placed, thread)

    def find_quotable(self, placed: Sequence[PlacedPost]) -> dict[str, str]:
        """Return the handles of people whose names quotes in a thread may say."""
        names = {folded_name(self.called.get(one.record.author or "", "")) for one in placed}
        for one in placed:
            for found in _QUOTED_NAME.finditer(one.record.text):
                name = next(filter(None, found.groups()))
                names |= {folded_name(name), folded_name(unescape(name))}
        return {name: self.handles[name] for name in names if name in self.handles}

    def place(self, record: ThreadRecord, read: Sequence[PostRecord], *, is_new: bool = True) -> Iterator[PlacedPost]:
        """Give those of these posts that come, in their order, with what each is here. `is_new`: so is the thread."""
        for post, shown, at in choose_coming(record, read, self.setting.now, is_new=is_new):
            written_at = min(post.written_at or at, self.setting.latest).astimezone(UTC)
            author = self.setting.people.author(post.author, post.author_name)
            is_adviser = post.author in self.advisers
            yield PlacedPost(post, author, _VISIBILITY[shown], written_at, is_adviser, self.find_editor(post))

    def find_editor(self, post: PostRecord) -> Author | None:
        """Return the member of the old board's staff who changed a post of somebody else, if one did."""
        editor = self.setting.people.by_old.get(post.edited_by or "")
        return editor if editor and editor.was_staff and post.edited_by != post.author else None

    def old_post(self, placed: PlacedPost) -> OldPost:
        """Return what the words of a post need to know of it."""
        record, author = placed.record, placed.author
        since = self.setting.now - timedelta(days=self.setting.plan.waiting_days)
        return OldPost(
            record=record,
            author=str(author.id),
            handle=author.handle,
            name=author.name,
            called=record.author_name or author.called,
            is_visible=placed.visibility == Visibility.VISIBLE,
            is_adviser=placed.is_adviser,
            is_recent=placed.created_at >= since,
            edited_by=placed.edited_by.called if placed.edited_by else None,
        )


def choose_coming(
    record: ThreadRecord, read: Sequence[PostRecord], now: datetime, *, is_new: bool = True
) -> Iterator[tuple[PostRecord, Shown, datetime]]:
    """Give those posts of a thread that come, in their order, with who could read each and when it was written.

    Those that waited for a moderator too long stay behind.
    """
    opened_at = record.opened_at or min((post.written_at for post in read if post.written_at), default=now)
    # Clocks of old servers were wrong now and then: nobody wrote before the thread was there, or tomorrow.
    timed = [(max(post.written_at or opened_at, opened_at), post) for post in read]
    is_first = is_new
    newest = max((_touched_at(post, at) for at, post in timed), default=now)
    for at, post in sorted(timed, key=lambda pair: pair[0]):
        shown = shown_in(record, post, is_first)
        touched_at = newest if record.shown == Shown.WAITING else _touched_at(post, at)
        if Shown.WAITING in {shown, record.shown} and touched_at < now - WAITS_FOR:
            continue
        is_first = False
        yield post, shown, at


def shown_in(record: ThreadRecord, post: PostRecord, is_first: bool) -> Shown:
    """Return who could read a post, given its thread: nobody read the answers to one that waited for a moderator."""
    if record.shown == Shown.VISIBLE or post.shown == Shown.REMOVED:
        return post.shown
    return record.shown if is_first or record.shown == Shown.WAITING else post.shown


def _touched_at(post: PostRecord, at: datetime) -> datetime:
    """Return when a post was written or last changed: since when it can wait for a moderator."""
    written_at = post.written_at or at
    return max(written_at, post.edited_at or written_at)


def _refuse_endless(staging: Staging, setting: Setting) -> None:
    query = "SELECT thread, sum(length(record)) AS size FROM post GROUP BY thread HAVING size > ? ORDER BY size DESC"
    for old, size in staging.connection.execute(query, (LONGEST_THREAD,)).fetchall():
        thread = next((one for one in staging.threads() if one.old == old), None)
        if thread and thread.board in setting.boards and old not in setting.people.moved_threads:
            raise CannotMove(
                f"The thread “{thread.title}” ({old}) has {size:,} characters, more than any machine should read at "
                "once: split it or shorten it on the old board."
            )


def _handles(people: People, known: Mapping[str, str]) -> dict[str, str]:
    """Return the handle of each name on the old board; empty where its member has left here, or two had it."""
    handles: dict[str, str] = {}
    for old, name in known.items():
        author = people.by_old.get(old)
        if old in people.gone:
            handles[folded_name(name)] = ""
        elif author and author.handle:
            handles[folded_name(name)] = "" if folded_name(name) in handles else author.handle
    return handles


def _hidden_posts(staging: Staging) -> set[str]:
    found = staging.connection.execute(
        "SELECT old FROM post WHERE shown <> 'visible' OR thread IN "
        "(SELECT old FROM thread WHERE json_extract(record, '$.shown') <> 'visible')"
    )
    return {old for (old,) in found}
