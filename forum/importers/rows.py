"""The rows of threads and posts that come, as the forum's own actions would have made them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from forum.content.lanes import Lane
from forum.content.posts.tables import Visibility, Voice
from forum.content.subscriptions import ChosenBy, Mode
from forum.content.threads.tables import ThreadState, ThreadVisibility
from forum.importers.conversion import NewPost
from forum.importers.old_moderation import OldRemoval
from forum.importers.old_threads import ComingThread, LongThread, PlacedPost, Setting
from forum.importers.records import RECORD, PostRecord, RemovalRecord, Shown, ThreadRecord
from forum.importers.tables import MovedKind, Was
from forum.importers.titles import is_whole, title_of

HELD_BECAUSE = "It waited for a moderator on the old board. A moderator reads it before it appears. You will be told."
REMOVED_NOTICE = json.dumps({"kind": "removed", "by": None, "rules": [], "text": "Removed by a moderator"})
NOT_THERE_NOTICE = json.dumps(
    {"kind": "removed", "by": None, "rules": [], "text": "It is no longer on the old board"}
)  # nobody knows who took it away
TAKEN_BACK_NOTICE = json.dumps({"kind": "withdrawn", "by": None, "rules": [], "text": "Withdrawn by its author"})
ADVISER_TITLE = "Adviser"
WAS_POST = {Visibility.HELD: Was.WAITING.value, Visibility.REMOVED: Was.REMOVED.value}
_REMOVED = '"removed":{'
_WAS_THREAD = {Shown.WAITING: Was.WAITING.value, Shown.REMOVED: Was.REMOVED.value}


@dataclass
class BatchRows:
    """The rows of a batch."""

    setting: Setting
    threads: list[dict[str, Any]] = field(default_factory=list)
    posts: list[dict[str, Any]] = field(default_factory=list)
    quotes: list[dict[str, Any]] = field(default_factory=list)
    quoted_words: list[dict[str, Any]] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    removals: list[OldRemoval] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, one: ComingThread, thread_id: int, ids: Sequence[int], watchers: Sequence[str]) -> None:
        """Add the rows of a thread."""
        counted = ThreadCounts()
        counted.add(one.posts, one.placed)
        self.add_thread(one, thread_id, counted, watchers)
        self.add_posts(one.posts, one.placed, thread_id, ids)

    def add_thread(
        self, one: ComingThread | LongThread, thread_id: int, counted: "ThreadCounts", watchers: Sequence[str]
    ) -> None:
        """Add the row of a thread, without those of its posts, and that people follow it."""
        self.threads.append(_thread_row(one, thread_id, counted))
        self.subscriptions += subscriptions_of(self.setting, watchers, thread_id=thread_id)
        self.moved.append(
            self._moved_row(MovedKind.THREAD, one.record, thread_id)
            | {"was": _WAS_THREAD.get(one.record.shown), "stood_on": one.record.board}
        )
        self.counts += Counter(threads=1, titles=int(not is_whole(one.record.title)))

    def add_posts(
        self, new: Sequence[NewPost], placed: Sequence[PlacedPost], thread_id: int, ids: Sequence[int]
    ) -> None:
        """Add the rows of posts that follow each other in a thread. `ids` are those of all of its posts, by number."""
        by_old = {one.record.old: one for one in placed}
        posts = [self.post_row(post, by_old[post.old], thread_id, ids[post.number - 1]) for post in new]
        self.posts += posts
        self.held += [row["id"] for row in posts if row["visibility"] == Visibility.HELD]
        for post, row in zip(new, posts, strict=True):
            if row["visibility"] == Visibility.REMOVED:
                self.removals.append(self.removal(row, by_old[post.old]))
            self.quotes += [
                {"post_id": row["id"], "revision": 1, "quoted_post_id": ids[number - 1], "quoted_revision": 1}
                for number in post.quoted
            ]
            if post.runs or post.quoted:
                self.quoted_words.append({"post_id": row["id"], "revision": 1, "runs": list(post.runs)})
        self.moved += [self.moved_post_row(post, by_old[post.old], thread_id) for post in new if post.part == 1]
        self._count(new, posts, len(placed))

    def post_row(self, post: NewPost, placed: PlacedPost, thread_id: int, post_id: int) -> dict[str, Any]:
        """Return the row of a post."""
        is_held = placed.visibility == Visibility.HELD
        badge = self._badge(placed)
        return {
            "id": post_id,
            "thread_id": thread_id,
            "number": post.number,
            "author_id": placed.author.id,
            "voice": Voice.ADVISER.value if placed.is_adviser else Voice.MEMBER.value,
            "adviser_name": badge and badge[0],
            "adviser_title": badge and badge[1],
            "adviser_organisation": badge and badge[2],
            "visibility": placed.visibility.value,
            "held_because": HELD_BECAUSE if is_held else None,
            "reply_to": post.reply_to,
            "asks": None,
            "lane": post.lane and post.lane.value,
            "content_warning": post.content_warning,
            "body_markdown": post.markdown,
            "body_html": post.html,
            "revision": 1,
            "notice": notice_of(post, placed),
            "created_at": placed.created_at,
            "published_at": None,
            "told_at": None if is_held else self.setting.now,
            "edited_at": placed.record.edited_at if post.edited else None,
            "changed_by": placed.edited_by.id if placed.edited_by and post.edited else None,
            "words_kept_until": None,
            "quotes_recorded": True,
        }

    def removal(self, row: dict[str, Any], placed: PlacedPost) -> OldRemoval:
        """Return how a post that comes was removed."""
        has_account = placed.author.handle is not None
        return removal_of(row, placed.record, self.setting, has_account=has_account, undated=row["created_at"])

    def _badge(self, placed: PlacedPost) -> tuple[str, str, str] | None:
        if not placed.is_adviser:
            return None
        return placed.author.name, ADVISER_TITLE, self.setting.organisation

    def moved_post_row(self, post: NewPost, placed: PlacedPost, thread_id: int) -> dict[str, Any]:
        """Return the row which says that a post moved: of a very long one, to its first part."""
        edited_by = placed.edited_by.id if placed.edited_by and post.edited else None
        here = {"number": post.number, "edited_by": edited_by, "was": WAS_POST.get(placed.visibility)}
        return self._moved_row(MovedKind.POST, placed.record, thread_id) | here

    def _moved_row(self, kind: MovedKind, record: PostRecord | ThreadRecord, thread_id: int) -> dict[str, Any]:
        return {
            "source": self.setting.source,
            "kind": kind.value,
            "old": record.old,
            "thread_id": thread_id,
            "number": None,
            "edited_by": None,
            "digest": digest_of(record),
            "was": None,
            "stood_on": None,
            "run_id": self.setting.run_id,
        }

    def _count(self, new: Sequence[NewPost], posts: Sequence[dict[str, Any]], placed: int) -> None:
        self.counts += Counter(posts=placed)
        self.counts["split"] += sum(post.part == 2 for post in new)
        for row in posts:
            if row["visibility"] != Visibility.VISIBLE:
                self.counts[row["visibility"]] += 1
        self.counts["notices"] += sum(post.edited is not None for post in new)
        for post in new:
            if post.part == 1:
                self.counts[f"how.{post.how}"] += 1
                self.counts += Counter(f"loss.{loss}" for loss in post.losses)


@dataclass
class ThreadCounts:
    """The counts of a thread, as `counts.refresh_thread_counts` computes them, of posts that are added in order."""

    first: PlacedPost | None = None
    last_number: int = 0
    posts: int = 0  # that everybody reads
    last: tuple[int, PlacedPost] | None = None  # of those
    authors: set[UUID] = field(default_factory=set)
    replies: list[int] = field(default_factory=list)  # of advisers
    since: dict[Lane, list[tuple[datetime, int]]] = field(default_factory=dict)  # what came after the last of them

    def add(self, new: Sequence[NewPost], placed: Sequence[PlacedPost]) -> None:
        """Add the posts that follow."""
        by_old = {one.record.old: one for one in placed}
        for post in new:
            self._add(post, by_old[post.old])

    def _add(self, post: NewPost, placed: PlacedPost) -> None:
        self.first = self.first or placed
        self.last_number = post.number
        if placed.visibility != Visibility.VISIBLE:
            return
        self.posts, self.last = self.posts + 1, (post.number, placed)
        self.authors.add(placed.author.id)
        if placed.is_adviser:
            self.since = {}
            if post.number > 1:
                self.replies.append(post.number)
        elif post.lane:
            self.since.setdefault(post.lane, []).append((placed.created_at, post.number))

    def columns(self) -> dict[str, Any]:
        """Return them as columns."""
        assert self.first  # noqa: S101 (no thread comes without a post)
        number, last = self.last or (None, None)
        asked, news = ([*zip(*self.since.get(lane, ()), strict=True)] or [(None,), (None,)] for lane in Lane)
        return {
            "posts": self.posts,
            "participants": len(self.authors),
            "last_post_number": number,
            "last_post_at": last.created_at if last else self.first.created_at,
            "last_post_by": last and last.author.id,
            "adviser_replies": len(self.replies),
            "first_adviser_number": min(self.replies, default=None),
            "latest_adviser_number": max(self.replies, default=None),
            "asked_since": min(asked[0]),
            "asked_number": min(asked[1]),
            "news_since": max(news[0]),
            "news_number": max(news[1]),
        }


def notice_of(post: NewPost, placed: PlacedPost) -> str | None:
    """Return what readers see of a moderator's change, as JSON."""
    if placed.visibility == Visibility.REMOVED:
        return removed_notice(placed.record)
    if post.edited is None:
        return None
    return json.dumps({"kind": "edited", "by": post.edited.by, "rules": [], "text": post.edited.text})


def removed_notice(record: PostRecord) -> str:
    """Return what readers see in the place of a post that was removed on the old board, as JSON."""
    return TAKEN_BACK_NOTICE if is_taken_back(record) else REMOVED_NOTICE


def is_taken_back(record: PostRecord) -> bool:
    """Return whether the author removed their post themselves."""
    removed = record.removed
    return bool(removed and removed.by and removed.by == record.author)


def removal_of(
    row: Mapping[str, Any],
    record: PostRecord | None,
    setting: Setting,
    *,
    has_account: bool,
    undated: datetime,
    is_decided: bool = True,
) -> OldRemoval:
    """Return how a post came to be removed; `undated` counts where the old board did not keep when."""
    known = (record and record.removed) or RemovalRecord()
    by = setting.people.by_old.get(known.by or "")
    by_author = record is not None and is_taken_back(record)
    return OldRemoval(
        post_id=row["id"],
        thread_id=row["thread_id"],
        number=row["number"],
        author_id=row["author_id"],
        has_account=has_account,
        words=row["body_markdown"],
        at=min(known.at or undated, setting.now),
        is_dated=known.at is not None,
        by=by.handle if by else None,
        by_id=by.id if by and by.handle and not by_author else None,
        by_author=by_author,
        reason=known.reason,
        notice=row["notice"],
        revision=row["revision"],
        is_decided=is_decided,
    )


def digest_of(record: PostRecord | ThreadRecord) -> bytes:
    """Return by what a later run sees whether something changed on the old board.

    How a removal came about is no part of it: that a post was removed is, and its words are the same as before.
    """
    if isinstance(record, PostRecord) and record.removed:
        record = record.model_copy(update={"removed": None})
    return hashlib.blake2b(record.model_dump_json().encode(), digest_size=16).digest()


def digest_of_line(line: str) -> bytes:
    """Return the same of a record as it is kept: as a line of JSON."""
    if _REMOVED in line:
        record = RECORD.validate_json(line)
        assert isinstance(record, PostRecord)  # noqa: S101 (no other has the key, and in words its marks are escaped)
        return digest_of(record)
    return hashlib.blake2b(line.encode(), digest_size=16).digest()


def _thread_row(one: ComingThread | LongThread, thread_id: int, counted: ThreadCounts) -> dict[str, Any]:
    first, record = counted.first, one.record
    assert first  # noqa: S101 (as above)
    return {
        "id": thread_id,
        "board_id": one.board.id,
        "author_id": first.author.id,
        "title": title_of(record.title),
        "title_revision": 1,
        "state": (ThreadState.LOCKED if record.is_locked or one.board.locks else ThreadState.OPEN).value,
        "pinned": record.is_pinned,
        "visibility": _thread_visibility(record, first, counted).value,
        "version": 1,
        "opened_at": first.created_at,
        "changed_at": first.created_at,
        "last_number": counted.last_number,
        **counted.columns(),
    }


def _thread_visibility(record: ThreadRecord, first: PlacedPost, counted: ThreadCounts) -> ThreadVisibility:
    if record.shown == Shown.REMOVED:
        return ThreadVisibility.REMOVED
    if record.shown == Shown.WAITING:
        return ThreadVisibility.HELD
    if first.visibility == Visibility.HELD and counted.posts == 0:
        return ThreadVisibility.HELD
    return ThreadVisibility.VISIBLE


def subscriptions_of(setting: Setting, watchers: Sequence[str], **to: int) -> list[dict[str, Any]]:
    """Return that people follow a thread or a board: those who were on the old board in the last two years."""
    found = {setting.people.by_old.get(old) for old in watchers}
    following = {"mode": Mode.EACH.value, "chosen_by": ChosenBy.SELF.value, "since": setting.now}
    members = sorted({author.id for author in found if author and author.handle and author.is_recent})
    return [{"member_id": member_id, **to, **following} for member_id in members]
