"""Carry over what a newer dump changes in threads that moved before: each thread is one transaction.

People read and write here meanwhile. So a thread is read, its new words are turned in other processes, and before they
are written, its rows are locked and read once more: if somebody changed it, it begins anew.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from sqlalchemy import ARRAY, BigInteger, any_, cast, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration.webhooks import actions as webhooks
from forum.content.posts import held_edits
from forum.content.posts.counts import refresh_thread_counts
from forum.content.posts.erasure import erase_quotes
from forum.content.posts.quotes import lock_posts_and_copies
from forum.content.posts.revisions import lock_post_rows, replace_body
from forum.content.posts.tables import Post, PostQuote, PostRevision, QuotedWords, UntoldPost, Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads.changes import lock_posts_of_thread, lock_thread_row
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.titles import replace_title
from forum.core.database import Database
from forum.core.gate import GateResult
from forum.core.text import carried
from forum.importers import old_threads
from forum.importers.batches import batches
from forum.importers.conversion import NewPost, OldPost, OldThread, WordsHere
from forum.importers.converters import Converters, LongConverter, converters
from forum.importers.copying import copy_rows, take_ids
from forum.importers.counting import add_counts
from forum.importers.delta.beside import find_differing, note_beside
from forum.importers.delta.facts import read_threads, thread_batches
from forum.importers.delta.steps import Deciding, PostSteps, Step, ThreadSteps
from forum.importers.old_moderation import OldApproval, OldRemoval
from forum.importers.old_threads import OldThreads, PlacedPost, Setting
from forum.importers.people import Author
from forum.importers.records import PostRecord, Readers, Shown
from forum.importers.rows import HELD_BECAUSE, NOT_THERE_NOTICE, BatchRows, notice_of, removal_of, removed_notice
from forum.importers.tables import MovedItem, MovedKind
from forum.importers.titles import is_whole
from forum.importers.writing import FORGET_EVENTS

AT_ONCE = 20  # threads that are read together; fewer, where they are long
POSTS_AT_ONCE = 500  # of a thread, which are read together


@dataclass
class _Change:
    """What becomes of a thread, and the words for it: of a very long one, as much as there is room for."""

    steps: ThreadSteps
    changing: Sequence[PostSteps]
    new: Sequence[PlacedPost]
    placed: dict[str, PlacedPost]  # of those that change and those that come, by old id
    is_whole: bool  # nothing of it is left for another time
    posts: Sequence[NewPost] = ()

    @property
    def needs_words(self) -> bool:
        """Whether words are to be turned."""
        return bool(self.new) or any(Step.REWORD in one.steps for one in self.changing)


async def carry_changes(
    database: Database, reading: OldThreads, deciding: Deciding, *, seen: Callable[[int], None]
) -> None:
    """Carry every change over. `seen` is told how many new posts each thread got."""
    async with database.work() as session:
        ids = [some async for some in thread_batches(session, find_differing(deciding.staging), AT_ONCE)]
    with converters() as processes:
        carrying = _Carrying(database, reading, deciding, processes)
        for some in ids:
            for change in await carrying.prepare(some):
                seen(await carrying.carry(change))


@dataclass
class _Carrying:
    database: Database
    reading: OldThreads
    deciding: Deciding
    processes: Converters

    @property
    def setting(self) -> Setting:
        return self.reading.setting

    async def carry(self, change: _Change) -> int:
        """Write what becomes of a thread, whoever writes there meanwhile, and return how many posts it got."""
        changes, count = [change], 0
        while changes:
            [change] = changes
            if await self.write(change):
                count += len(change.new)
                if change.is_whole:
                    break
            changes = await self.prepare([change.steps.thread.id])
        return count

    async def prepare(self, ids: Sequence[int]) -> list[_Change]:
        """Return what becomes of these threads, where something does, with the words turned."""
        async with self.database.work() as session:
            decided = [self.deciding.decide(thread) for thread in await read_threads(session, ids)]
            changes = [self._change(steps) for steps in decided if steps and steps.is_any]
            worded = [change for change in changes if change.needs_words]
            short = [change for change in worded if not self._is_long(change.steps)]
            frames = [await self._short_thread(session, change) for change in short]
        turned = await self.processes.begin(frames) if frames else []
        for change, posts in zip(short, [posts for part in turned for posts in part], strict=True):
            change.posts = posts
        for change in worded:
            if self._is_long(change.steps):
                change.posts = await self._turn_long(change)
        return changes

    def _is_long(self, steps: ThreadSteps) -> bool:
        return steps.thread.last_number > old_threads.MOST_POSTS or steps.thread.old in self.reading.long

    def _change(self, steps: ThreadSteps) -> _Change:
        most = old_threads.MOST_POSTS if self._is_long(steps) else None
        every = [one for one in steps.posts if one.is_any]
        changing, coming = every[:most], steps.new[:most]
        placed = dict(self._placed(changing))
        records = self.deciding.staging.some_posts([post.old for post in coming])
        new = [self.reading.place_one(records[post.old], post.shown, post.at) for post in coming]
        placed |= {one.record.old: one for one in new}
        is_whole = (len(changing), len(coming)) == (len(every), len(steps.new))
        return _Change(steps, changing, new, placed, is_whole)

    def _placed(self, some: Sequence[PostSteps]) -> Iterator[tuple[str, PlacedPost]]:
        """Give the old id of each of these posts that are there, with what it is here."""
        records = self.deciding.staging.some_posts([one.post.old or "" for one in some if one.is_there])
        for one in some:
            if record := records.get(one.post.old or ""):
                yield record.old, self._place(one, record)

    def _place(self, one: PostSteps, record: PostRecord) -> PlacedPost:
        post = one.post
        visibility = post.visibility
        if Step.HIDE in one.steps:
            visibility = Visibility.REMOVED
        elif Step.HOLD in one.steps:
            visibility = Visibility.HELD
        elif Step.SHOW in one.steps:
            visibility = Visibility.VISIBLE
        return PlacedPost(
            record=record,
            author=Author(post.author_id, post.handle, post.name, self.reading.called.get(record.author or "", "")),
            visibility=visibility,
            created_at=post.created_at,
            is_adviser=record.author in self.reading.advisers,
            edited_by=self.reading.find_editor(record),
        )

    # Words

    async def _short_thread(self, session: AsyncSession, change: _Change) -> OldThread:
        """Return a thread as a whole: its posts that are here, then those that come, and what nobody may read."""
        coming = {post.old for post in change.steps.new}
        here = [old for piece in self._pieces(change) for old in await self._posts_here(session, change, piece)]
        return replace(
            await self._frame(session, change),
            posts=(*here, *map(self.reading.old_post, change.new)),
            left_out=tuple(post for post in self._to_come(change) if post.old not in coming),
        )

    async def _turn_long(self, change: _Change) -> list[NewPost]:
        """Return the words of a thread that is too long to be in memory: its posts go to the process in pieces."""
        turned, visible = [], {post.old for post in change.steps.new if post.shown == Shown.VISIBLE}
        async with self.database.work() as session:
            frame = await self._frame(session, change)
        with closing(LongConverter()) as converter:
            await converter.begin(frame)
            here = (placed for piece in self._pieces(change) for _, placed in self._placed(piece))
            hidden = chain(
                (one.record for one in here if one.visibility != Visibility.VISIBLE),
                (post for post in self._to_come(change) if post.old not in visible),
            )
            for records in batches(hidden, POSTS_AT_ONCE, lambda post: len(post.text), room=old_threads.ROOM):
                await converter.hide(records)
            for piece in self._pieces(change):
                async with self.database.work() as session:
                    posts = await self._posts_here(session, change, piece)
                turned += await converter.turn(posts)
            turned += await converter.turn([*map(self.reading.old_post, change.new)])
        return turned

    def _to_come(self, change: _Change) -> Iterable[PostRecord]:
        return self.deciding.staging.posts_to_come(change.steps.thread.old)

    def _pieces(self, change: _Change) -> Iterator[Sequence[PostSteps]]:
        """Give the posts that are here and there, some at a time."""
        there = (one for one in change.steps.posts if one.is_there)
        return batches(there, POSTS_AT_ONCE, lambda _: 1)

    async def _frame(self, session: AsyncSession, change: _Change) -> OldThread:
        """Return what the words of new and changed posts need, without the posts of the thread."""
        steps, thread = change.steps, change.steps.thread
        record = steps.record
        assert record  # noqa: S101 (no words change where it is gone)
        there = {one.post.old for one in steps.posts if one.is_there}
        first = next((one.post for one in steps.posts if one.is_there), None)
        is_opening = first is not None and first.number == 1
        here = (placed for piece in self._pieces(change) for _, placed in self._placed(piece))
        named, hidden = self.reading.find_named(chain(here, change.new))
        board_id = steps.columns.get("board_id", thread.board_id)
        return OldThread(
            posts=(),
            poll=record.poll if is_opening else None,
            named=named,
            hidden=hidden,
            address=self.setting.plan.address,
            new_address=self.setting.public_url,
            is_for_staff=self.deciding.boards.by_id[board_id].readers is Readers.STAFF,
            whole_title="" if is_whole(record.title) or not is_opening else carried(record.title),
            next_number=thread.last_number + 1,
            opener=str(thread.author_id),
            wrote=frozenset(str(post.author_id) for post in thread.posts if post.old not in there),
            gone_words=await _read_gone_words(session, steps),
        )

    async def _posts_here(
        self, session: AsyncSession, change: _Change, piece: Sequence[PostSteps]
    ) -> Sequence[OldPost]:
        thread, placed = change.steps.thread, dict(self._placed(piece))
        parts = {one.post.id: [part.id for part in thread.parts_in_use(one.post)] for one in piece}
        words = await _read_words(session, [part for some in parts.values() for part in some])
        return [
            replace(
                self.reading.old_post(placed[one.post.old or ""]),
                here=WordsHere(one.post.number, [words[part] for part in parts[one.post.id]]),
                is_reworded=Step.REWORD in one.steps and (one.post.old or "") in change.placed,
            )
            for one in piece
        ]

    async def write(self, change: _Change) -> bool:
        """Write what becomes of a thread; return False, and write nothing, where it was changed a moment ago."""
        async with self.database.work() as session:
            rows = await self._lock(session, change)
            if rows is None:
                return False
            writing = _Writing(session, self.setting, change, *rows)
            await writing.run()
        note_beside(self.deciding.staging, writing.batch.moved)
        return True

    async def _lock(self, session: AsyncSession, change: _Change) -> tuple[Thread, dict[int, Post]] | None:
        thread, changing = change.steps.thread, change.changing
        changed = [part.id for one in changing if one.steps for part in thread.parts_of(one.post)]
        # Of a post that is shortened, the parts that are no longer needed are hidden.
        hiding = [one for one in changing if Step.HIDE in one.steps or len(thread.parts_of(one.post)) > 1]
        if hidden := [part.id for one in hiding if one.steps for part in thread.parts_of(one.post)]:
            await lock_posts_and_copies(session, hidden)
        else:
            await lock_posts_of_thread(session, thread.id, alone=True)
        posts = await lock_post_rows(session, select(col(Post.id)).where(col(Post.id).in_(changed)))
        row = await lock_thread_row(session, thread.id)
        if await read_threads(session, [thread.id]) != [thread]:
            return None
        return row, {post.id: post for post in posts}


@dataclass
class _Writing:
    """Writes what becomes of one thread, whose rows are locked."""

    session: AsyncSession
    setting: Setting
    change: _Change
    thread: Thread
    rows: dict[int, Post]

    def __post_init__(self) -> None:
        self.counts = Counter[str]()
        self.batch = BatchRows(self.setting)
        self.approvals = list[OldApproval]()
        self.words: dict[str, list[NewPost]] = {}  # of each post, by old id
        for new in self.change.posts:
            self.words.setdefault(new.old, []).append(new)

    async def run(self) -> None:
        thread, changing, session = self.change.steps.thread, self.change.changing, self.session
        for one in changing:
            if Step.REWORD in one.steps:
                await self._reword(one)
        for one in changing:
            for part in thread.parts_of(one.post):
                await self._show_or_hide(self.rows.get(part.id), one)
        await self._add_new()
        await self._change_thread()
        for one in changing:
            await self._note_post(one)
        await self._note_thread()
        await session.flush()
        await self.setting.moderation.keep_removals(session, self.setting.run, self.batch.removals)
        await self.setting.moderation.keep_approvals(session, self.setting.run, self.approvals)
        await session.execute(FORGET_EVENTS)
        await webhooks.forget_posts_of_transaction(session)
        await add_counts(session, self.setting.run_id, self.counts)

    # Words

    async def _reword(self, one: PostSteps) -> None:
        """Give a post the words that it has on the old board now, and keep the earlier ones as a revision.

        A very long one is several posts here: all of them change. Those that it does not fill any more are hidden.
        """
        placed, new = self.change.placed[one.post.old or ""], self.words[one.post.old or ""]
        posts = [self.rows[part.id] for part in self.change.steps.thread.parts_in_use(one.post)]
        if len(new) > len(posts):  # by a few signs: it had room before it was turned
            self.counts["too_long"] += 1
            return
        worded = list(zip(posts[: len(new)], new, strict=True))
        words_here = [(post.body_markdown, post.body_html, post.content_warning) for post in posts]
        if words_here == [(part.markdown, part.html, part.content_warning) for part in new]:
            return
        by, at = (
            (placed.edited_by or placed.author).id,
            min(placed.record.edited_at or self.setting.now, self.setting.now),
        )
        for post, part in worded:
            # Nobody knows for certain who changed it there, or what they took out: so only moderators can read it.
            replace_body(self.session, post, (part.markdown, part.html), by, at, sealed=True)
            post.content_warning = part.content_warning
            if part.edited and post.visibility != Visibility.REMOVED:
                post.notice = json.loads(notice_of(part, placed) or "null")
        await self.session.flush()
        await self._record_quotes([(part, post.id, post.revision) for post, part in worded])
        for post in posts[len(new) :]:
            if post.is_shown or post.visibility == Visibility.HELD:
                await self._hide(post, one, is_left_over=True)
        self.counts["reworded"] += 1

    async def _record_quotes(self, written: Sequence[tuple[NewPost, int, int]]) -> None:
        """Record what posts quote, each with its id and revision."""
        known = {post.number: (post.id, post.revision) for post in self.change.steps.thread.posts}
        known |= {post.number: (post.id, post.revision) for post in self.rows.values()}
        known |= {new.number: (post_id, revision) for new, post_id, revision in written}
        quotes = [
            {
                "post_id": post_id,
                "revision": revision,
                "quoted_post_id": known[number][0],
                "quoted_revision": known[number][1],
            }
            for new, post_id, revision in written
            for number in new.quoted
        ]
        words = [
            {"post_id": post_id, "revision": revision, "runs": list(new.runs)}
            for new, post_id, revision in written
            if new.runs or new.quoted
        ]
        await copy_rows(self.session, PostQuote, quotes)
        await copy_rows(self.session, QuotedWords, words)

    # Who reads it

    async def _show_or_hide(self, post: Post | None, one: PostSteps) -> None:
        now = self.setting.now
        if post is None:
            return
        if Step.HIDE in one.steps and post.is_shown:
            await self._hide(post, one)
            self.counts["hidden"] += 1
        elif Step.HOLD in one.steps and post.visibility == Visibility.VISIBLE:
            await set_visibility(self.session, post, Visibility.HELD, now, held_because=HELD_BECAUSE)
            await self.setting.gate.record(self.session, ("post", post.id), GateResult(HELD_BECAUSE), now)
            self.counts["held"] += 1
        elif Step.SHOW in one.steps and post.visibility == Visibility.HELD:
            await set_visibility(self.session, post, Visibility.VISIBLE, now)
            # Nobody is told of it: it is not new.
            post.published_at, post.told_at = None, now
            await self.session.flush()
            title_revision = self.thread.title_revision if post.number == 1 else None
            self.approvals.append(OldApproval(post.id, post.revision, title_revision))
            await self.session.execute(delete(UntoldPost).where(col(UntoldPost.post_id) == post.id))
            self.counts["shown"] += 1

    async def _hide(self, post: Post, one: PostSteps, *, is_left_over: bool = False) -> None:
        await set_visibility(self.session, post, Visibility.REMOVED, self.setting.now)
        self.batch.removals.append(removal := self._removal(post, one, is_left_over))
        post.notice = json.loads(removal.notice)
        await held_edits.drop_all(self.session, post.id)
        await erase_quotes(self.session, post)

    def _removal(self, post: Post, one: PostSteps, is_left_over: bool) -> OldRemoval:
        """Return how a post came to be hidden there: removed, or gone with nobody's decision."""
        found, thread = self.change.placed.get(one.post.old or ""), self.change.steps.record
        record = found.record if found and not is_left_over else None
        is_removed = record is not None and Shown.REMOVED in {record.shown, thread and thread.shown}
        notice = removed_notice(record) if record and is_removed else NOT_THERE_NOTICE
        return removal_of(
            {**post.model_dump(), "notice": notice},
            record,
            self.setting,
            has_account=one.post.handle is not None,
            undated=self.setting.now,
            is_decided=is_removed,
        )

    # New posts

    async def _add_new(self) -> None:
        batch, session = self.batch, self.session
        new = [post for one in self.change.new for post in self.words[one.record.old]]
        if not new:
            return
        ids = await take_ids(session, Post, len(new))
        for post, post_id in zip(new, ids, strict=True):
            placed = self.change.placed[post.old]
            row = batch.post_row(post, placed, self.thread.id, post_id)
            batch.posts.append(row)
            if row["visibility"] != Visibility.VISIBLE:
                self.counts[row["visibility"]] += 1
            if row["visibility"] == Visibility.HELD:
                batch.held.append(post_id)
            if row["visibility"] == Visibility.REMOVED:
                batch.removals.append(batch.removal(row, placed))
            if post.part == 1:
                batch.moved.append(batch.moved_post_row(post, placed, self.thread.id))
        self.counts += Counter(posts=len(self.change.new), split=len(new) - len(self.change.new))
        await copy_rows(session, Post, batch.posts)
        await copy_rows(session, MovedItem, batch.moved)
        await self._record_quotes([(post, post_id, 1) for post, post_id in zip(new, ids, strict=True)])
        for post_id in batch.held:
            await self.setting.gate.record(session, ("post", post_id), GateResult(HELD_BECAUSE), self.setting.now)
        self.thread.last_number = new[-1].number
        await session.flush()
        await refresh_thread_counts(session, self.thread.id)

    # The thread

    async def _change_thread(self) -> None:
        columns, thread, now = dict(self.change.steps.columns), self.thread, self.setting.now
        if (title := columns.pop("title", None)) is not None:
            # Nobody knows who changed it there: so only moderators can read the earlier one.
            await replace_title(self.session, thread, title, thread.author_id, now, sealed=True)
        for name, value in columns.items():
            setattr(thread, name, value)
        if columns.get("state") == ThreadState.OPEN:
            thread.lock_reason = None
        if columns.keys() - {"visibility"}:
            thread.version += 1
            thread.changed_at, thread.changed_by = now, None
        self.counts["changed_threads"] += bool(self.change.steps.columns)
        await self.session.flush()

    # What is known of it from now on

    async def _note_post(self, one: PostSteps) -> None:
        if not one.is_any or one.post.old is None:
            return
        values: dict[str, Any] = {"digest": one.digest, "was": one.was}
        if Step.REWORD in one.steps:
            placed = self.change.placed[one.post.old]
            values["revision"] = self.rows[one.post.id].revision
            if placed.edited_by:
                values["edited_by"] = placed.edited_by.id
        await self._note(MovedKind.POST, one.post.old, values)

    async def _note_thread(self) -> None:
        steps = self.change.steps
        here = steps.thread
        values: dict[str, Any] = {"digest": steps.digest, "was": steps.was, "stood_on": steps.stood_on}
        # What people here changed stays theirs, also where the run changes something else of the thread.
        if self.thread.version != here.version and not here.is_touched:
            values["revision"] = self.thread.version
        if values != {"digest": here.digest, "was": here.was, "stood_on": here.stood_on}:
            await self._note(MovedKind.THREAD, here.old, values)

    async def _note(self, kind: MovedKind, old: str, values: dict[str, Any]) -> None:
        this = (col(MovedItem.source) == self.setting.source, col(MovedItem.kind) == kind, col(MovedItem.old) == old)
        await self.session.execute(update(MovedItem).where(*this).values(**values))


async def _read_words(session: AsyncSession, ids: Sequence[int]) -> dict[int, str]:
    """Return the HTML of posts, by id."""
    found = select(col(Post.id), col(Post.body_html)).where(col(Post.id).in_(ids))
    return {row.id: row.body_html for row in await session.execute(found)}


async def _read_gone_words(session: AsyncSession, steps: ThreadSteps) -> list[str]:
    """Return what nobody may read here, of a thread: posts that are gone, and what a moderator of ours took out."""
    hidden = [one.post.id for one in steps.posts if not one.is_there]
    hidden += [post.id for post in steps.thread.posts if post.old is None and post.visibility != Visibility.VISIBLE]
    gone = select(col(Post.body_markdown)).where(col(Post.id) == any_(cast(hidden, ARRAY(BigInteger))))
    sealed = (
        select(col(PostRevision.body_markdown))
        .join(Post, col(Post.id) == col(PostRevision.post_id))
        .where(col(Post.thread_id) == steps.thread.id, col(PostRevision.sealed))
    )
    return [*(await session.execute(gone)).scalars(), *(await session.execute(sealed)).scalars()]
