"""Carry over what a newer dump changes in threads that moved before: each thread is one transaction.

People read and write here meanwhile. So a thread is read, its new words are turned in other processes, and before they
are written, its rows are locked and read once more: if somebody changed it, it begins anew.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select, text, update
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
from forum.importers.conversion import NewPost, OldPost, OldThread, WordsHere
from forum.importers.converters import Converters, converters
from forum.importers.copying import copy_rows, take_ids
from forum.importers.counting import add_counts
from forum.importers.delta.beside import find_differing
from forum.importers.delta.facts import ThreadHere, read_threads, thread_batches
from forum.importers.delta.steps import Deciding, PostSteps, Step, ThreadSteps
from forum.importers.old_moderation import OldRemoval
from forum.importers.old_threads import OldThreads, PlacedPost, Setting
from forum.importers.people import Author
from forum.importers.records import Readers, Shown, ThreadRecord
from forum.importers.rows import HELD_BECAUSE, NOT_THERE_NOTICE, BatchRows, notice_of, removal_of, removed_notice
from forum.importers.tables import MovedItem, MovedKind
from forum.importers.texts import posts_named
from forum.importers.titles import is_whole

AT_ONCE = 20  # threads that are read together; fewer, where they are long
_FORGET_EVENTS = text("DELETE FROM event WHERE xid = pg_current_xact_id() AND kind = 'post'")


@dataclass
class _Change:
    """What becomes of a thread, and the words for it."""

    steps: ThreadSteps
    placed: dict[str, PlacedPost]  # of the old board's posts, by old id: those that are here, then those that come
    old: OldThread | None  # None where no words are to be turned
    posts: Sequence[NewPost] = ()


async def carry_changes(
    database: Database, reading: OldThreads, deciding: Deciding, *, seen: Callable[[int], None]
) -> None:
    """Carry every change over. `seen` is told how many new posts each thread got."""
    async with database.work() as session:
        ids = [some async for some in thread_batches(session, find_differing(deciding.staging), AT_ONCE)]
    with ExitStack() as stack:
        carrying = _Carrying(database, reading, deciding, stack)
        for some in ids:
            for change in await carrying.prepare(some):
                seen(await carrying.carry(change))


@dataclass
class _Carrying:
    database: Database
    reading: OldThreads
    deciding: Deciding
    stack: ExitStack
    processes: Converters | None = None  # only where words are to be turned

    @property
    def setting(self) -> Setting:
        return self.reading.setting

    async def carry(self, change: _Change) -> int:
        """Write what becomes of a thread, whoever writes there meanwhile, and return how many posts it got."""
        changes = [change]
        while changes and not await self.write(changes[0]):
            changes = await self.prepare([change.steps.thread.id])
        return len(changes[0].steps.new) if changes else 0

    async def prepare(self, ids: Sequence[int]) -> list[_Change]:
        """Return what becomes of these threads, where something does, with the words turned."""
        async with self.database.work() as session:
            decided = [self.deciding.decide(thread) for thread in await read_threads(session, ids)]
            changes = [await self._change(session, steps) for steps in decided if steps and steps.is_any]
        worded = [change for change in changes if change.old]
        turned = await self._turn([change.old for change in worded if change.old])
        for change, posts in zip(worded, turned, strict=True):
            change.posts = posts
        return changes

    async def _turn(self, threads: Sequence[OldThread]) -> list[list[NewPost]]:
        if not threads:
            return []
        if self.processes is None:
            self.processes = self.stack.enter_context(converters())
        return [posts for part in await self.processes.begin(threads) for posts in part]

    async def _change(self, session: AsyncSession, steps: ThreadSteps) -> _Change:
        here = {one.post.old or "": self._place(one) for one in steps.posts if one.record}
        record = steps.record and steps.record.model_copy(update={"shown": steps.shown})
        new = [*self.reading.place(record, steps.new, is_new=False)] if record else []
        placed = here | {one.record.old: one for one in new}
        needs_words = new or any(Step.REWORD in one.steps for one in steps.posts)
        old = await self._old_thread(session, steps, record, here, new) if record and needs_words else None
        return _Change(steps, placed, old)

    def _place(self, one: PostSteps) -> PlacedPost:
        assert one.record  # noqa: S101 (the caller looks)
        post = one.post
        visibility = post.visibility
        if Step.HIDE in one.steps:
            visibility = Visibility.REMOVED
        elif Step.HOLD in one.steps:
            visibility = Visibility.HELD
        elif Step.SHOW in one.steps:
            visibility = Visibility.VISIBLE
        return PlacedPost(
            record=one.record,
            author=Author(post.author_id, post.handle, post.name, self.reading.called.get(one.record.author or "", "")),
            visibility=visibility,
            created_at=post.created_at,
            is_adviser=one.record.author in self.reading.advisers,
            edited_by=self.reading.find_editor(one.record),
        )

    async def _old_thread(
        self,
        session: AsyncSession,
        steps: ThreadSteps,
        record: ThreadRecord,
        here: dict[str, PlacedPost],
        new: Sequence[PlacedPost],
    ) -> OldThread:
        """Return what the words of new and changed posts need: what stands before them, and what nobody may read."""
        thread, words = steps.thread, await _read_words(session, steps.thread)
        posts = [self._post_here(one, here[one.post.old or ""], words, thread) for one in steps.posts if one.record]
        placed = [*here.values(), *new]
        named = {old for one in placed for old in posts_named(one.record.text)}
        is_opening = bool(posts) and posts[0].here is not None and posts[0].here.number == 1
        visible = {one.record.old for one in here.values()}
        coming = {one.record.old for one in new}
        board_id = steps.columns.get("board_id", thread.board_id)
        return OldThread(
            posts=(*posts, *map(self.reading.old_post, new)),
            poll=record.poll if is_opening else None,
            named=self.reading.find_quotable(placed),
            hidden=frozenset(named & self.reading.hidden),
            address=self.setting.plan.address,
            new_address=self.setting.public_url,
            is_for_staff=self.deciding.boards.by_id[board_id].readers is Readers.STAFF,
            left_out=tuple(post for post in self.deciding.staging.posts_to_come(thread.old) if post.old not in coming),
            whole_title="" if is_whole(record.title) or not is_opening else carried(record.title),
            next_number=thread.last_number + 1,
            opener=str(thread.author_id),
            wrote=frozenset(str(post.author_id) for post in thread.posts if post.old not in visible),
            gone_words=await _read_gone_words(session, steps),
        )

    def _post_here(self, one: PostSteps, placed: PlacedPost, words: dict[int, str], thread: ThreadHere) -> OldPost:
        parts = [words[part.id] for part in thread.parts_of(one.post)]
        old = self.reading.old_post(placed)
        return OldPost(
            record=old.record,
            author=old.author,
            handle=old.handle,
            name=old.name,
            called=old.called,
            is_visible=old.is_visible,
            is_adviser=old.is_adviser,
            is_recent=old.is_recent,
            edited_by=old.edited_by,
            here=WordsHere(one.post.number, parts),
            is_reworded=Step.REWORD in one.steps,
        )

    async def write(self, change: _Change) -> bool:
        """Write what becomes of a thread; return False, and write nothing, where it was changed a moment ago."""
        async with self.database.work() as session:
            rows = await self._lock(session, change.steps)
            if rows is None:
                return False
            writing = _Writing(session, self.setting, change, *rows)
            await writing.run()
        return True

    async def _lock(self, session: AsyncSession, steps: ThreadSteps) -> tuple[Thread, dict[int, Post]] | None:
        thread = steps.thread
        changed = [part.id for one in steps.posts if one.steps for part in thread.parts_of(one.post)]
        hidden = [part.id for one in steps.posts if Step.HIDE in one.steps for part in thread.parts_of(one.post)]
        if hidden:
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

    async def run(self) -> None:
        steps, session = self.change.steps, self.session
        for one in steps.posts:
            if Step.REWORD in one.steps:
                await self._reword(one)
        for one in steps.posts:
            for part in steps.thread.parts_of(one.post):
                await self._show_or_hide(self.rows.get(part.id), one)
        await self._add_new()
        await self._change_thread()
        for one in steps.posts:
            await self._note_post(one)
        await self._note_thread()
        await session.flush()
        await self.setting.moderation.keep_removals(session, self.setting.run, self.batch.removals)
        await session.execute(_FORGET_EVENTS)
        await webhooks.forget_posts_of_transaction(session)
        await add_counts(session, self.setting.run_id, self.counts)

    # Words

    async def _reword(self, one: PostSteps) -> None:
        """Give a post the words that it has on the old board now, and keep the earlier ones as a revision."""
        post, placed = self.rows[one.post.id], self.change.placed[one.post.old or ""]
        [new, *others] = [new for new in self.change.posts if new.old == one.post.old]
        if others:  # by a few signs: it was short enough before it was turned
            self.counts["too_long"] += 1
            return
        words = (new.markdown, new.html, new.content_warning)
        if words == (post.body_markdown, post.body_html, post.content_warning):
            return
        by, at = (
            (placed.edited_by or placed.author).id,
            min(placed.record.edited_at or self.setting.now, self.setting.now),
        )
        # Nobody knows for certain who changed it there, or what they took out: so only moderators can read it.
        replace_body(self.session, post, words[:2], by, at, sealed=True)
        post.content_warning = new.content_warning
        if new.edited and post.visibility != Visibility.REMOVED:
            post.notice = json.loads(notice_of(new, placed) or "null")
        await self.session.flush()
        await self._record_quotes([(new, post.id, post.revision)])
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
            await set_visibility(self.session, post, Visibility.REMOVED, now)
            self.batch.removals.append(removal := self._removal(post, one))
            post.notice = json.loads(removal.notice)
            await held_edits.drop_all(self.session, post.id)
            await erase_quotes(self.session, post)
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
            await self.session.execute(delete(UntoldPost).where(col(UntoldPost.post_id) == post.id))
            self.counts["shown"] += 1

    def _removal(self, post: Post, one: PostSteps) -> OldRemoval:
        """Return how a post came to be hidden there: removed, or gone with nobody's decision."""
        record, thread = one.record, self.change.steps.record
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
        steps, batch, session = self.change.steps, self.batch, self.session
        old = {record.old for record in steps.new}
        new = [post for post in self.change.posts if post.old in old]
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
        self.counts += Counter(posts=len(old), split=len(new) - len(old))
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


async def _read_words(session: AsyncSession, thread: ThreadHere) -> dict[int, str]:
    """Return the HTML of the posts of a thread, by id."""
    found = select(col(Post.id), col(Post.body_html)).where(col(Post.thread_id) == thread.id)
    return {row.id: row.body_html for row in await session.execute(found)}


async def _read_gone_words(session: AsyncSession, steps: ThreadSteps) -> list[str]:
    """Return what nobody may read here, of a thread: posts that are gone, and what a moderator of ours took out."""
    hidden = [one.post.id for one in steps.posts if one.record is None]
    hidden += [post.id for post in steps.thread.posts if post.old is None and post.visibility != Visibility.VISIBLE]
    gone = select(col(Post.body_markdown)).where(col(Post.id).in_(hidden))
    sealed = (
        select(col(PostRevision.body_markdown))
        .join(Post, col(Post.id) == col(PostRevision.post_id))
        .where(col(Post.thread_id) == steps.thread.id, col(PostRevision.sealed))
    )
    return [*(await session.execute(gone)).scalars(), *(await session.execute(sealed)).scalars()]
