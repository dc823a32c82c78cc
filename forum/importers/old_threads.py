"""Read threads from the staging file, and say what each of their posts is here, before its words are turned."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import groupby
from uuid import UUID

from forum.content.posts.tables import Visibility
from forum.core.gate import Gate
from forum.core.text import carried
from forum.importers.batches import batches
from forum.importers.board_rows import BoardHere
from forum.importers.conversion import NewPost, OldPost, OldThread, folded_name
from forum.importers.old_moderation import OldModeration, RunTime
from forum.importers.people import Author, People
from forum.importers.plan import Plan
from forum.importers.records import PostRecord, Shown, ThreadRecord, WatchRecord
from forum.importers.staging import Staging
from forum.importers.texts import posts_named
from forum.importers.titles import is_whole

BATCH, MOST_POSTS = 100, 2_000  # threads that are written in one transaction; fewer, where they are long
POST_LENGTH = 2_000  # characters; what is longer counts as several posts
ROOM = MOST_POSTS * POST_LENGTH  # characters of the posts that are in memory together, several times
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
        return sum(map(weigh, self.placed))


@dataclass(frozen=True)
class LongThread:
    """A thread that comes and that is too long to be in memory: its posts are read in pieces, more than once."""

    record: ThreadRecord
    board: BoardHere
    read: Iterable[PostRecord]


class _Placed:
    """The posts of a long thread that come, read anew each time that somebody goes through them."""

    def __init__(self, reading: "OldThreads", long: LongThread) -> None:
        self._reading, self._long = reading, long

    def __iter__(self) -> Iterator[PlacedPost]:
        return self._reading.place(self._long.record, self._long.read)


class OldThreads:
    """Reads threads from the staging file, and says what each of their posts is here."""

    def __init__(self, staging: Staging, setting: Setting) -> None:
        self.staging, self.setting = staging, setting
        self.long = staging.long_threads(MOST_POSTS, ROOM)
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

    def batches(self, done: set[str]) -> Iterator[Sequence[ComingThread] | LongThread]:
        """Give the threads that are not here yet: some together, and each that is very long by itself."""
        for is_long, some in groupby(self._coming(done), key=lambda one: isinstance(one, LongThread)):
            if is_long:
                yield from (one for one in some if isinstance(one, LongThread))
            else:
                short = (one for one in some if isinstance(one, ComingThread))
                yield from batches(short, BATCH, ComingThread.weigh, room=ROOM)

    def _coming(self, done: set[str]) -> Iterator[ComingThread | LongThread]:
        for record in self.staging.threads():
            board = self.setting.boards.get(record.board)
            if record.old in done or record.moved_to is not None or board is None:
                continue
            read = self.staging.posts_to_come(record.old)
            if record.old in self.long:
                yield LongThread(record, board, read)
            elif coming := self._find_coming(record, board, [*read]):
                yield coming

    def _find_coming(self, record: ThreadRecord, board: BoardHere, read: Sequence[PostRecord]) -> ComingThread | None:
        """Return a thread with the posts that come; None where none does."""
        placed = [*self.place(record, read)]
        if not placed:
            return None
        coming = {one.record.old for one in placed}
        thread = replace(
            self.find_frame(record, board, read, placed),
            posts=tuple(self.old_post(one) for one in placed),
            left_out=tuple(post for post in read if post.old not in coming),
        )
        return ComingThread(record, board, placed, thread)

    def find_frame(
        self, record: ThreadRecord, board: BoardHere, read: Iterable[PostRecord], placed: Iterable[PlacedPost]
    ) -> OldThread:
        """Return what the words of a thread's posts need to know, without the posts, of which one comes at least."""
        first = next(iter(placed))
        names, hidden = self.find_named(placed)
        # What stands in the opening post, or above it, is its author's: it stays behind with it.
        is_opening = first.record.old == next(iter(read)).old
        return OldThread(
            (),
            poll=record.poll if is_opening else None,
            named=names,
            hidden=hidden,
            address=self.setting.plan.address,
            new_address=self.setting.public_url,
            whole_title="" if is_whole(record.title) or not is_opening else carried(record.title),
            is_for_staff=board.is_for_staff,
        )

    def placed(self, long: LongThread) -> Iterable[PlacedPost]:
        """Return the posts of a long thread that come, to be gone through more than once."""
        return _Placed(self, long)

    def pieces(self, long: LongThread) -> Iterator[list[PlacedPost]]:
        """Give the posts of a long thread that come, as many at a time as there is room for."""
        return batches(self.place(long.record, long.read), MOST_POSTS, weigh, room=ROOM)

    def hidden_pieces(self, long: LongThread) -> Iterator[list[PostRecord]]:
        """Give those of its posts that nobody may read, in the same way: they are hidden, or do not come."""
        judged = judge_coming(long.record, long.read, self.setting.now)
        hidden = (post for post, shown, _, comes in judged if not comes or shown != Shown.VISIBLE)
        return batches(hidden, MOST_POSTS, lambda post: len(post.text), room=ROOM)

    def find_named(self, placed: Iterable[PlacedPost]) -> tuple[dict[str, str], frozenset[str]]:
        """Return the handles of people whose names quotes in these posts may say, and which hidden posts they name."""
        handles, hidden = dict[str, str](), set[str]()
        for one in placed:
            names = {folded_name(self.called.get(one.record.author or "", ""))}
            for found in _QUOTED_NAME.finditer(one.record.text):
                name = next(filter(None, found.groups()))
                names |= {folded_name(name), folded_name(unescape(name))}
            handles |= {name: self.handles[name] for name in names if name in self.handles}
            hidden |= self.hidden.intersection(posts_named(one.record.text))
        return handles, frozenset(hidden)

    def place(self, record: ThreadRecord, read: Iterable[PostRecord]) -> Iterator[PlacedPost]:
        """Give those of the posts of a new thread that come, in their order, with what each is here."""
        for post, shown, at in choose_coming(record, read, self.setting.now):
            yield self.place_one(post, shown, at)

    def place_one(self, post: PostRecord, shown: Shown, at: datetime) -> PlacedPost:
        """Return a post that comes with what it is here: who could read it, and when it was written at the earliest."""
        written_at = min(post.written_at or at, self.setting.latest).astimezone(UTC)
        author = self.setting.people.author(post.author, post.author_name)
        is_adviser = post.author in self.advisers
        return PlacedPost(post, author, _VISIBILITY[shown], written_at, is_adviser, self.find_editor(post))

    def find_editor(self, post: PostRecord) -> Author | None:
        """Return the member of the old board's staff who changed a post of somebody else, if one did.

        In a forum like this one nobody else can, whatever has become of their role since.
        """
        editor = self.setting.people.by_old.get(post.edited_by or "")
        if editor is None or post.edited_by == post.author:
            return None
        return editor if editor.was_staff or self.setting.source.startswith("forum ") else None

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
    record: ThreadRecord, read: Iterable[PostRecord], now: datetime, *, is_new: bool = True
) -> Iterator[tuple[PostRecord, Shown, datetime]]:
    """Give those posts of a thread that come, in their order, with who could read each and when it was written.

    Those that waited for a moderator too long stay behind. The posts are read by time, and more than once.
    """
    for post, shown, at, comes in judge_coming(record, read, now, is_new=is_new):
        if comes:
            yield post, shown, at


def judge_coming(
    record: ThreadRecord, read: Iterable[PostRecord], now: datetime, *, is_new: bool = True
) -> Iterator[tuple[PostRecord, Shown, datetime, bool]]:
    """Give the same of all posts, with whether each comes."""
    opened_at = record.opened_at or next((post.written_at for post in read if post.written_at), now)
    # Clocks of old servers were wrong now and then: nobody wrote before the thread was there, or tomorrow. Those that
    # seem to be earlier stand first already.
    newest = now
    if record.shown == Shown.WAITING:
        newest = max((_touched_at(post, max(post.written_at or opened_at, opened_at)) for post in read), default=now)
    is_first = is_new
    for post in read:
        at = max(post.written_at or opened_at, opened_at)
        shown = shown_in(record, post, is_first)
        touched_at = newest if record.shown == Shown.WAITING else _touched_at(post, at)
        comes = Shown.WAITING not in {shown, record.shown} or touched_at >= now - WAITS_FOR
        is_first = is_first and not comes
        yield post, shown, at, comes


def weigh(placed: PlacedPost) -> int:
    """Return how much room a post takes in memory, in characters."""
    return max(len(placed.record.text), POST_LENGTH)


def shown_in(record: ThreadRecord, post: PostRecord, is_first: bool) -> Shown:
    """Return who could read a post, given its thread: nobody read the answers to one that waited for a moderator."""
    if record.shown == Shown.VISIBLE or post.shown == Shown.REMOVED:
        return post.shown
    return record.shown if is_first or record.shown == Shown.WAITING else post.shown


def _touched_at(post: PostRecord, at: datetime) -> datetime:
    """Return when a post was written or last changed: since when it can wait for a moderator."""
    written_at = post.written_at or at
    return max(written_at, post.edited_at or written_at)


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
