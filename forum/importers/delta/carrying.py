"""Carry over what a newer dump changes in threads that moved before: each thread is one transaction.

People read and write here meanwhile. So a thread is read, its new words are turned in other processes, and before they
are written, its rows are locked and read once more: if somebody changed it, it begins anew.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from itertools import chain

from sqlalchemy import ARRAY, BigInteger, any_, cast, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.quotes import lock_posts_and_copies
from forum.content.posts.revisions import lock_post_rows
from forum.content.posts.tables import Post, PostRevision, Visibility
from forum.content.threads.changes import lock_posts_of_thread, lock_thread_row
from forum.content.threads.tables import Thread
from forum.core.database import Database
from forum.core.text import carried
from forum.importers import old_threads
from forum.importers.batches import batches
from forum.importers.conversion import OldPost, OldThread, WordsHere
from forum.importers.converters import Converters, LongConverter, converters
from forum.importers.delta.beside import find_differing, note_beside
from forum.importers.delta.facts import (
    Mark,
    are_as_read,
    is_as_read,
    read_mark,
    read_threads,
    thread_batches,
    weigh_threads,
)
from forum.importers.delta.steps import ComingPost, Deciding, PostSteps, Step, ThreadSteps
from forum.importers.delta.writing import ChangeWriting, ThreadChange
from forum.importers.old_threads import POST_LENGTH, OldThreads, PlacedPost, Setting, weigh
from forum.importers.people import Author
from forum.importers.records import PostRecord, Readers, Shown
from forum.importers.titles import is_whole

AT_ONCE = 20  # threads that are read together; fewer, where they are long
POSTS_AT_ONCE = 500  # of a thread, which are read together
WORDS_AT_ONCE = 50  # texts that nobody may read, of which each may be very long


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

    async def carry(self, change: ThreadChange) -> int:
        """Write what becomes of a thread, whoever writes there meanwhile, and return how many posts it got."""
        changes, count = [change], 0
        while changes:
            [change] = changes
            mark: Mark | None = None
            async with aclosing(self._pieces(change)) as pieces:
                async for piece in pieces:
                    mark = await self.write(piece, mark)
                    if mark is None:
                        break
                    count += len(piece.new)
                else:
                    break
            changes = await self.prepare([change.steps.thread.id])
        return count

    async def prepare(self, ids: Sequence[int]) -> list[ThreadChange]:
        """Return what becomes of these threads, where something does, with the words turned of those that are short."""
        async with self.database.work() as session:
            weights = await weigh_threads(session, ids)
            decided = [self.deciding.decide(thread) for thread in await read_threads(session, ids)]
            changes = [
                ThreadChange(steps, is_long=self._is_long(steps, weights))
                for steps in decided
                if steps and steps.is_any
            ]
            short = [change for change in changes if not change.is_long]
            for change in short:
                self._fill(change)
            worded = [change for change in short if change.needs_words]
            threads = [await self._short_thread(session, change) for change in worded]
        turned = await self.processes.begin(threads) if threads else []
        for change, posts in zip(worded, [posts for part in turned for posts in part], strict=True):
            change.posts = posts
        return changes

    def _is_long(self, steps: ThreadSteps, weights: Mapping[int, int]) -> bool:
        return weights[steps.thread.id] > old_threads.MOST_POSTS or steps.thread.old in self.reading.long

    def _fill(self, change: ThreadChange) -> None:
        """Add to the change of a short thread what becomes of all of its posts."""
        steps = change.steps
        change.changing = [one for one in steps.posts if one.is_any]
        change.placed = {placed.record.old: placed for _, placed in self._placed(change.changing)}
        change.new = [*self._new(steps.new)]
        change.placed |= {placed.record.old: placed for placed in change.new}

    def _new(self, coming: Sequence[ComingPost]) -> Iterator[PlacedPost]:
        """Give new posts with what each is here; they are read some at a time."""
        for some in batches(coming, POSTS_AT_ONCE, lambda _: 1):
            records = self.deciding.staging.some_posts([post.old for post in some])
            for post in some:
                yield self.reading.place_one(records[post.old], post.shown, post.at)

    def _placed(self, some: Iterable[PostSteps]) -> Iterator[tuple[PostSteps, PlacedPost]]:
        """Give those of these posts that are there, with what each is here; they are read some at a time."""
        for piece in batches((one for one in some if one.is_there), POSTS_AT_ONCE, lambda _: 1):
            records = self.deciding.staging.some_posts([one.post.old or "" for one in piece])
            for one in piece:
                if record := records.get(one.post.old or ""):
                    yield one, self._place(one, record)

    def _place(self, one: PostSteps, record: PostRecord) -> PlacedPost:
        post = one.post
        return PlacedPost(
            record=record,
            author=Author(post.author_id, post.handle, post.name, self.reading.called.get(record.author or "", "")),
            visibility=one.visibility,
            created_at=post.created_at,
            is_adviser=record.author in self.reading.advisers,
            edited_by=self.reading.find_editor(record),
        )

    # Words

    async def _short_thread(self, session: AsyncSession, change: ThreadChange) -> OldThread:
        """Return a thread as a whole: its posts that are here, then those that come, and what nobody may read."""
        steps = change.steps
        coming = {post.old for post in steps.new}
        here = [post for some in self._pieces_here(steps) for post in await self._posts_here(session, steps, some)]
        return replace(
            self._frame(steps),
            posts=(*here, *map(self.reading.old_post, change.new)),
            left_out=tuple(post for post in self._to_come(steps) if post.old not in coming),
            gone_words=[words async for words in _gone_words(session, steps)],
        )

    def _to_come(self, steps: ThreadSteps) -> Iterable[PostRecord]:
        return self.deciding.staging.posts_to_come(steps.thread.old)

    def _pieces_here(self, steps: ThreadSteps) -> Iterator[Sequence[tuple[PostSteps, PlacedPost]]]:
        """Give the posts that are here and there, some at a time."""
        return batches(self._placed(steps.posts), POSTS_AT_ONCE, lambda pair: weigh(pair[1]), room=old_threads.ROOM)

    def _frame(self, steps: ThreadSteps) -> OldThread:
        """Return what the words of new and changed posts need, without the posts of the thread.

        Of a thread that was joined with another one there, only the posts are known.
        """
        thread, record = steps.thread, steps.record
        there = {one.post.old for one in steps.posts if one.is_there}
        first = next((one.post for one in steps.posts if one.is_there), None)
        is_opening = first is not None and first.number == 1
        here = (placed for _, placed in self._placed(steps.posts))
        named, hidden = self.reading.find_named(chain(here, self._new(steps.new)))
        board_id = steps.columns.get("board_id", thread.board_id)
        return OldThread(
            posts=(),
            poll=record.poll if record and is_opening else None,
            named=named,
            hidden=hidden,
            address=self.setting.plan.address,
            new_address=self.setting.public_url,
            is_for_staff=self.deciding.boards.by_id[board_id].readers is Readers.STAFF,
            whole_title=carried(record.title) if record and is_opening and not is_whole(record.title) else "",
            next_number=thread.last_number + 1,
            opener=str(thread.author_id),
            wrote=frozenset(str(post.author_id) for post in thread.posts if post.old not in there),
        )

    async def _posts_here(
        self, session: AsyncSession, steps: ThreadSteps, some: Sequence[tuple[PostSteps, PlacedPost]]
    ) -> Sequence[OldPost]:
        thread = steps.thread
        parts = {one.post.id: [part.id for part in thread.parts_in_use(one.post)] for one, _ in some}
        words = await _read_words(session, [part for ids in parts.values() for part in ids])
        return [
            replace(
                self.reading.old_post(placed),
                here=WordsHere(one.post.number, [words[part] for part in parts[one.post.id]]),
                is_reworded=Step.REWORD in one.steps,
            )
            for one, placed in some
        ]

    # A very long thread: it is gone through once, and what changes is written as soon as there is enough of it

    async def _pieces(self, change: ThreadChange) -> AsyncGenerator[ThreadChange]:
        """Give what becomes of a thread, of a very long one in pieces, each with its words turned."""
        if not change.is_long:
            yield change
            return
        steps = change.steps
        with closing(LongConverter()) as converter:
            if change.needs_words:
                await self._begin_long(converter, steps)
            piece, weight = ThreadChange(steps), 0
            async for added in self._turned(converter, steps, needs_words=change.needs_words):
                piece.changing += added.changing
                piece.new += added.new
                piece.placed |= added.placed
                piece.posts += added.posts
                weight += max(len(added.changing), sum(map(weigh, added.placed.values())) // POST_LENGTH)
                if weight >= old_threads.MOST_POSTS:
                    yield piece
                    piece, weight = ThreadChange(steps, is_first=False), 0
            if piece.changing or piece.new or piece.is_first:
                yield piece

    async def _begin_long(self, converter: LongConverter, steps: ThreadSteps) -> None:
        """Tell the process what the words of the thread need, and which of them nobody may read."""
        await converter.begin(self._frame(steps))
        async with self.database.work() as session:
            async for words in _gone_pieces(session, steps):
                await converter.hide_words(words)
        visible = {post.old for post in steps.new if post.shown == Shown.VISIBLE}
        here = self._placed(one for one in steps.posts if one.visibility != Visibility.VISIBLE)
        hidden = chain(
            (placed.record for _, placed in here),
            (post for post in self._to_come(steps) if post.old not in visible),
        )
        for records in batches(hidden, POSTS_AT_ONCE, lambda post: len(post.text), room=old_threads.ROOM):
            await converter.hide(records)

    async def _turned(
        self, converter: LongConverter, steps: ThreadSteps, *, needs_words: bool
    ) -> AsyncIterator[ThreadChange]:
        """Give what becomes of some posts after each other: first of those that are gone, last of those that come."""
        for gone in batches((one for one in steps.posts if not one.is_there), POSTS_AT_ONCE, lambda _: 1):
            yield ThreadChange(steps, changing=[one for one in gone if one.is_any])
        for some in self._pieces_here(steps):
            added = ThreadChange(steps)
            if needs_words:
                async with self.database.work() as session:
                    posts = await self._posts_here(session, steps, some)
                added.posts = await converter.turn(posts)
            added.changing = [one for one, _ in some if one.is_any]
            added.placed = {placed.record.old: placed for one, placed in some if one.is_any}
            yield added
        for new in batches(self._new(steps.new), POSTS_AT_ONCE, weigh, room=old_threads.ROOM):
            turned = await converter.turn([*map(self.reading.old_post, new)])
            placed = {one.record.old: one for one in new}
            yield ThreadChange(steps, new=new, placed=placed, posts=turned)

    # Writing

    async def write(self, change: ThreadChange, mark: Mark | None) -> Mark | None:
        """Write what becomes of a thread, or a piece of it: `mark` is what the piece before left.

        Return what this one leaves; None, and nothing is written, where somebody changed the thread a moment ago.
        """
        async with self.database.work() as session:
            rows = await self._lock(session, change, mark)
            if rows is None:
                return None
            writing = ChangeWriting(session, self.setting, change, *rows)
            await writing.run()
            left = await read_mark(session, change.steps.thread.id)
        note_beside(self.deciding.staging, writing.batch.moved)
        return left

    async def _lock(
        self, session: AsyncSession, change: ThreadChange, mark: Mark | None
    ) -> tuple[Thread, dict[int, Post]] | None:
        thread, changing = change.steps.thread, change.changing
        parts = [part for one in changing if one.steps for part in thread.parts_of(one.post)]
        parts.sort(key=lambda part: part.number)
        # Of a post that is shortened, the parts that are no longer needed are hidden.
        hiding = [one for one in changing if Step.HIDE in one.steps or len(thread.parts_of(one.post)) > 1]
        if hidden := [part.id for one in hiding if one.steps for part in thread.parts_of(one.post)]:
            await lock_posts_and_copies(session, hidden)
        else:
            await lock_posts_of_thread(session, thread.id, alone=True)
        posts = await lock_post_rows(session, select(col(Post.id)).where(col(Post.id).in_([part.id for part in parts])))
        row = await lock_thread_row(session, thread.id)
        if mark is None:
            is_same = await is_as_read(session, thread)
        else:
            is_same = await read_mark(session, thread.id) == mark and await are_as_read(session, parts)
        return (row, {post.id: post for post in posts}) if is_same else None


async def _read_words(session: AsyncSession, ids: Sequence[int]) -> dict[int, str]:
    """Return the HTML of posts, by id."""
    found = select(col(Post.id), col(Post.body_html)).where(col(Post.id).in_(ids))
    return {row.id: row.body_html for row in await session.execute(found)}


async def _gone_pieces(session: AsyncSession, steps: ThreadSteps) -> AsyncIterator[list[str]]:
    """Give the same some at a time."""
    some, size = list[str](), 0
    async for words in _gone_words(session, steps):
        some.append(words)
        size += len(words)
        if len(some) >= POSTS_AT_ONCE or size >= old_threads.ROOM:
            yield some
            some, size = [], 0
    if some:
        yield some


async def _gone_words(session: AsyncSession, steps: ThreadSteps) -> AsyncIterator[str]:
    """Give what nobody may read here, of a thread: posts that are gone, and what a moderator of ours took out."""
    hidden = [one.post.id for one in steps.posts if not one.is_there]
    hidden += [post.id for post in steps.thread.posts if post.old is None and post.visibility != Visibility.VISIBLE]
    gone = select(col(Post.body_markdown)).where(col(Post.id) == any_(cast(hidden, ARRAY(BigInteger))))
    sealed = (
        select(col(PostRevision.body_markdown))
        .join(Post, col(Post.id) == col(PostRevision.post_id))
        .where(col(Post.thread_id) == steps.thread.id, col(PostRevision.sealed))
    )
    for words in (gone, sealed):
        async for said in await session.stream_scalars(words, execution_options={"yield_per": WORDS_AT_ONCE}):
            yield said
