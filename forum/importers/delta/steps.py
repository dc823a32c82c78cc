"""Decide what a newer dump changes in a thread that moved before. Pure, but for what it reads from the dump.

Two rules stand above the rest. What people here changed or decided since is not overwritten: it is listed. And nothing
is ever shown to more people than on the old board, or than a decision here lets read it: whatever is narrower counts.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple, Self

from forum.content.posts.lengths import BODY_MAX
from forum.content.posts.tables import SHOWN, Visibility
from forum.content.threads.tables import ThreadState, ThreadVisibility
from forum.importers.conversion import count_parts
from forum.importers.delta.beside import is_lacking
from forum.importers.delta.facts import BoardReaders, BoardsNow, PostHere, ThreadHere
from forum.importers.old_threads import choose_coming, shown_in
from forum.importers.plan import is_wider
from forum.importers.records import RECORD, PostRecord, Shown, ThreadRecord
from forum.importers.rows import digest_of
from forum.importers.staging import Staging
from forum.importers.tables import MovedKind, Was
from forum.importers.texts import posts_named
from forum.importers.titles import title_of

NAMED_AT_MOST = 10  # of posts that one quotes: somebody can write thousands, and each is tried in twelve forms
_SHOWN_WHEN = {None: Shown.VISIBLE, Was.WAITING: Shown.WAITING}  # else it was removed
_WAS = {Shown.WAITING: Was.WAITING, Shown.REMOVED: Was.REMOVED}
_NARROWER = (Shown.VISIBLE, Shown.WAITING, Shown.REMOVED)  # than the one before


class Step(StrEnum):
    """What becomes of a post."""

    HIDE = "hide"
    HOLD = "hold"
    SHOW = "show"
    REWORD = "reword"


_BECOMES = {Step.HIDE: Visibility.REMOVED, Step.HOLD: Visibility.HELD, Step.SHOW: Visibility.VISIBLE}


class Reason(StrEnum):
    """Why something stays as it is here, though it changed on the old board."""

    CHANGED_HERE = "changed_here"
    SHOWN_AGAIN = "shown_again"  # removed before, and no more: only a person brings it back
    WIDER_BOARD = "wider_board"  # it moved there to a board that more people read
    TOO_LONG = "too_long"  # its words would be more posts than it is here
    READ_BY_MORE = "read_by_more"  # more people read its thread here than there, since somebody here decided so
    STAFF = "staff"  # they were banned there, and work here: only a person keeps them out


class KeptHere(NamedTuple):
    """Something that stays as it is here."""

    kind: MovedKind
    old: str
    place: str  # its page
    reason: Reason


class ComingPost(NamedTuple):
    """A post that is new in a thread: who could read it by itself, and in its thread, and when it was written."""

    old: str
    recorded: Shown
    shown: Shown
    at: datetime


@dataclass(frozen=True, slots=True)
class PostSteps:
    """What becomes of a post that is here."""

    post: PostHere
    is_there: bool  # the old board still has it
    shown: Shown
    steps: frozenset[Step]
    digest: bytes | None  # by which it is known from now on
    was: Was | None
    reason: Reason | None = None

    def renewed(self, *, is_touched: bool) -> Self:
        """Return the same with words that are turned anew, unless they are to stay as they are."""
        is_kept = self.reason or not self.is_there or is_touched or self.post.digest is None
        return self if is_kept else replace(self, steps=self.steps | {Step.REWORD})

    @property
    def visibility(self) -> Visibility:
        """Who reads it once the steps are taken."""
        return next((to for step, to in _BECOMES.items() if step in self.steps), self.post.visibility)

    @property
    def is_any(self) -> bool:
        """Whether something is to be written."""
        return bool(self.steps) or (self.digest, self.was) != (self.post.digest, self.post.was)


@dataclass(frozen=True)
class ThreadSteps:
    """What becomes of a thread and of its posts."""

    thread: ThreadHere
    record: ThreadRecord | None
    shown: Shown
    posts: Sequence[PostSteps]
    columns: Mapping[str, Any]  # what it gets: title, state, pinned, board_id, visibility
    digest: bytes | None
    was: Was | None
    stood_on: str | None
    new: Sequence[ComingPost]
    withheld: Sequence[ComingPost] = ()  # new posts that do not come, because more people would read them here
    reasons: Collection[Reason] = field(default=())

    @property
    def is_any(self) -> bool:
        """Whether something is to be written."""
        here = self.thread
        is_noted = (self.digest, self.was, self.stood_on) == (here.digest, here.was, here.stood_on)
        return bool(self.columns or self.new) or not is_noted or any(one.is_any for one in self.posts)

    def kept(self) -> Iterator[KeptHere]:
        """Give what stays as it is here."""
        page = f"/threads/{self.thread.id}"
        for reason in self.reasons:
            yield KeptHere(MovedKind.THREAD, self.thread.old, f"{page}#post-1", reason)
        for one in self.posts:
            if one.reason and one.post.old:
                yield KeptHere(MovedKind.POST, one.post.old, f"{page}#post-{one.post.number}", one.reason)


@dataclass(frozen=True)
class Deciding:
    """Decides about threads; `taken` are the old ids of the boards that the plan takes."""

    staging: Staging
    boards: BoardsNow
    taken: Collection[str]
    now: datetime

    @cached_property
    def _locking(self) -> Collection[str]:
        """The boards whose threads came locked: closed on the old board, and here in one in which people write."""
        return {board.old for board in self.staging.boards() if board.is_closed and board.old in self.boards.merged}

    def decide(self, thread: ThreadHere) -> ThreadSteps | None:
        """Return what becomes of a thread; None where the plan leaves its board alone, or nothing is known of it."""
        records = _Records(self.staging, thread.id)
        record = self._find_thread(thread.old)
        if record is None and not (is_lacking(self.staging, thread.old) or thread.was == Was.GONE):
            return None
        stays = record is not None and record.board == (thread.stood_on or record.board)
        if record is not None and stays and record.board not in self.taken:
            return None
        board, reasons, shown = self._place(thread, record, records)
        stands_on = board or self.boards.by_id[thread.board_id]
        is_read_by_more = self._is_read_by_more(thread, record, shown, stands_on)
        place = _Place(thread, record, shown, records, stands_on, is_read_by_more)
        columns, digest = self._columns(place, reasons)
        # The first post says what of the title had no room in it, and how a vote went.
        renews_first = "title" in columns or (
            record is not None and record.poll is not None and digest != thread.digest
        )
        if board is not None:
            columns["board_id"] = board.id
        was = self._hide_thread(thread, record, shown, columns, reasons)
        posts = [self._decide_post(place, post) for post in thread.posts if post.old]
        if renews_first and posts and posts[0].post.number == 1:
            posts[0] = posts[0].renewed(is_touched=thread.is_touched_in(posts[0].post))
        new = self._new(thread, record, shown)
        withheld = new if place.is_read_by_more else ()
        return ThreadSteps(
            thread=thread,
            record=record,
            shown=shown,
            posts=posts,
            columns=columns,
            digest=thread.digest if reasons else digest,
            was=was,
            stood_on=record.board if record and not reasons else thread.stood_on,
            new=() if withheld else new,
            withheld=withheld,
            reasons=sorted(reasons | ({Reason.READ_BY_MORE} if withheld else set())),
        )

    # Threads

    def _place(
        self, thread: ThreadHere, record: ThreadRecord | None, records: "_Records"
    ) -> tuple[BoardReaders | None, set[Reason], Shown]:
        """Return the board to which a thread moves, if it does, why not, and who could read it there."""
        if record is None:
            # Its posts may have been joined with another thread's.
            return None, set(), _SHOWN_WHEN.get(thread.was, Shown.REMOVED) if records else Shown.REMOVED
        there, here = self.boards.by_old.get(record.board), self.boards.by_id[thread.board_id]
        if not self._has_moved(thread, record, there) or (there and there.id == here.id):
            return None, set(), record.shown
        if there is None:
            return None, set(), Shown.REMOVED  # where it stands now, nobody who reads here may follow
        if is_wider(there.readers, here.readers):
            return None, {Reason.WIDER_BOARD}, record.shown
        if thread.is_touched and not is_wider(here.readers, there.readers):
            return None, {Reason.CHANGED_HERE}, record.shown
        return there, set(), record.shown

    def _has_moved(self, thread: ThreadHere, record: ThreadRecord, there: BoardReaders | None) -> bool:
        if thread.stood_on is not None:
            return record.board != thread.stood_on
        # It came before it was noted where it stood: then it stands where it came, unless people here moved it.
        is_other = there is None or there.id != thread.board_id
        return is_other and not thread.is_touched and _is_changed(thread.digest, record)

    def _is_read_by_more(
        self, thread: ThreadHere, record: ThreadRecord | None, shown: Shown, stands_on: BoardReaders
    ) -> bool:
        """Return whether more people read a thread here than there: people here moved it, or showed it again.

        What its people wrote there before is here by that decision; what they write now was never decided about.
        """
        if record is None:
            return False
        was_removed = _SHOWN_WHEN.get(thread.was, Shown.REMOVED) == Shown.REMOVED
        if shown == Shown.REMOVED and was_removed and thread.visibility != ThreadVisibility.REMOVED:
            return True
        there = self.boards.by_old.get(record.board)
        return there is not None and is_wider(stands_on.readers, there.readers)

    def _columns(self, place: "_Place", reasons: set[Reason]) -> tuple[dict[str, Any], bytes | None]:
        """Return what a thread gets of its title, lock and pin, and by which digest it is known then."""
        thread, record = place.thread, place.record
        if record is None or not _is_changed(thread.digest, record):
            return {}, thread.digest
        wanted = {
            "title": title_of(record.title),
            "state": ThreadState.LOCKED if record.is_locked or record.board in self._locking else ThreadState.OPEN,
            "pinned": record.is_pinned,
        }
        columns = {name: value for name, value in wanted.items() if getattr(thread, name) != value}
        if columns and thread.is_touched:
            reasons.add(Reason.CHANGED_HERE)
            return {}, thread.digest
        if place.is_read_by_more and ("title" in columns or record.poll is not None):
            reasons.add(Reason.READ_BY_MORE)
            return {}, thread.digest
        return columns, digest_of(record)

    def _hide_thread(
        self,
        thread: ThreadHere,
        record: ThreadRecord | None,
        shown: Shown,
        columns: dict[str, Any],
        reasons: set[Reason],
    ) -> Was | None:
        """Set the visibility of a thread where it is narrower now, and return what it was on the old board."""
        before = _SHOWN_WHEN.get(thread.was, Shown.REMOVED)
        if before == Shown.REMOVED and shown != Shown.REMOVED and thread.visibility == ThreadVisibility.REMOVED:
            reasons.add(Reason.SHOWN_AGAIN)
            return thread.was
        if _is_narrower(shown, before):
            hidden = ThreadVisibility.REMOVED if shown == Shown.REMOVED else ThreadVisibility.HELD
            if thread.visibility not in {hidden, ThreadVisibility.REMOVED}:
                columns["visibility"] = hidden
        if shown == before:
            return thread.was
        return Was.GONE if record is None else _WAS.get(shown)

    def _new(self, thread: ThreadHere, record: ThreadRecord | None, shown: Shown) -> Sequence[ComingPost]:
        if record is None or record.board not in self.taken:
            return ()
        record = record.model_copy(update={"shown": shown})
        read = self.staging.posts_to_come(thread.old)
        chosen = choose_coming(record, read, self.now, is_new=False)
        return [ComingPost(post.old, post.shown, shown, at) for post, shown, at in chosen]

    # Posts

    def _decide_post(self, place: "_Place", post: PostHere) -> PostSteps:
        record = place.records.get(post.old or "")
        if record is None:
            # Of what was removed there already, people here may have shown it again.
            hides = post.was not in {Was.GONE, Was.REMOVED} and post.visibility in SHOWN
            hiding = frozenset({Step.HIDE} if hides else ())
            return PostSteps(post, False, Shown.REMOVED, hiding, post.digest, Was.GONE)
        shown = self._shown(place, post, record)
        step, was, reason = _decide_visibility(post, shown)
        is_read_by_more = place.is_read_by_more and record.thread == place.thread.old
        if step == Step.SHOW and is_read_by_more:
            step, was, reason = None, post.was, Reason.READ_BY_MORE
        steps = {step} if step else set[Step]()
        # What was taken back here for good stays so, whatever it says there.
        is_other = post.digest is not None and not _has_same_words(place.thread, post, record)
        if is_other and reason is None and post.visibility != Visibility.WITHDRAWN:
            reason = Reason.READ_BY_MORE if is_read_by_more else _why_not_reworded(place.thread, post, record)
            steps |= {Step.REWORD} if reason is None else set()
        digest = post.digest if reason or post.digest is None else digest_of(record)
        return PostSteps(post, True, shown, frozenset(steps), digest, was, reason)

    def _shown(self, place: "_Place", post: PostHere, record: PostRecord) -> Shown:
        """Return who can read a post on the old board: it may stand in another thread by now, on another board."""
        if place.record is not None and record.thread == place.thread.old:
            return shown_in(place.record.model_copy(update={"shown": place.shown}), record, post.number == 1)
        elsewhere = self._find_thread(record.thread)
        board = self.boards.by_old.get(elsewhere.board) if elsewhere else None
        if elsewhere is None or board is None or is_wider(place.stands_on.readers, board.readers):
            return Shown.REMOVED
        return max(elsewhere.shown, record.shown, key=_NARROWER.index)

    def _find_thread(self, old: str) -> ThreadRecord | None:
        query = "SELECT record FROM thread WHERE old = ?"
        found = self.staging.connection.execute(query, (old,)).fetchone()
        record = RECORD.validate_json(found[0]) if found else None
        return record if isinstance(record, ThreadRecord) else None


@dataclass(frozen=True)
class _Place:
    """A thread as it is here and on the old board, with what that has of its posts."""

    thread: ThreadHere
    record: ThreadRecord | None
    shown: Shown
    records: "_Records"
    stands_on: BoardReaders  # the board here, once it has moved
    is_read_by_more: bool  # here than there


class _Records:
    """What the dump has of the posts of a thread, one at a time: a long thread has many."""

    def __init__(self, staging: Staging, thread_id: int) -> None:
        self._staging, self._thread_id = staging, thread_id

    def __bool__(self) -> bool:
        query = (
            "SELECT 1 FROM here JOIN post ON post.old = here.old "
            "WHERE here.kind = 'post' AND here.thread_id = ? LIMIT 1"
        )
        return self._staging.connection.execute(query, (self._thread_id,)).fetchone() is not None

    def get(self, old: str) -> PostRecord | None:
        """Return the post of this old id."""
        return self._staging.some_posts([old]).get(old)


def _why_not_reworded(thread: ThreadHere, post: PostHere, record: PostRecord) -> Reason | None:
    if thread.is_touched_in(post):
        return Reason.CHANGED_HERE
    parts = len(thread.parts_in_use(post))
    if parts == 1 and len(record.text) <= BODY_MAX // 2:
        return None
    return Reason.TOO_LONG if count_parts(record) > parts else None


def _decide_visibility(post: PostHere, shown: Shown) -> tuple[Step | None, Was | None, Reason | None]:
    """Return what becomes of the visibility of a post, what it was on the old board from now on, and why it stays."""
    before, was = _SHOWN_WHEN.get(post.was, Shown.REMOVED), _WAS.get(shown)
    if shown == before:
        return None, post.was if post.was != Was.GONE else was, None
    match before, shown:
        case _, Shown.REMOVED:
            return (Step.HIDE if post.visibility in SHOWN else None), was, None
        case Shown.VISIBLE, Shown.WAITING:
            return (Step.HOLD if post.visibility == Visibility.VISIBLE else None), was, None
        case Shown.WAITING, Shown.VISIBLE if post.visibility == Visibility.HELD:
            return (None, post.was, Reason.CHANGED_HERE) if post.is_touched else (Step.SHOW, was, None)
        case Shown.REMOVED, _ if post.visibility == Visibility.REMOVED:
            return None, post.was, Reason.SHOWN_AGAIN
    return None, was, None  # people here decided the same, or more


def _has_same_words(thread: ThreadHere, post: PostHere, record: PostRecord) -> bool:
    """Return whether a post differs from what moved in nothing but who reads it and in which thread it stands.

    Where that was joined with another, split or called otherwise, the post has a title of its own since, or none, and
    answers a post of its thread that it did not, or no more.
    """
    answered = {None, record.reply_to, *posts_named(record.text)[:NAMED_AT_MOST]}
    places = product(Shown, {thread.old, record.thread}, {record.title, ""}, answered)
    names = ("shown", "thread", "title", "reply_to")
    forms = (record.model_copy(update=dict(zip(names, place, strict=True))) for place in places)
    return any(digest_of(form) == post.digest for form in forms)


def _is_changed(digest: bytes | None, record: ThreadRecord) -> bool:
    return digest is not None and digest_of(record) != digest


def _is_narrower(one: Shown, other: Shown) -> bool:
    return _NARROWER.index(one) > _NARROWER.index(other)
