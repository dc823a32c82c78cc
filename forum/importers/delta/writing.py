"""Write what becomes of a thread with a newer dump, or a piece of it: the caller has locked its rows."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import LargeBinary, String, Uuid, bindparam, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration.webhooks import actions as webhooks
from forum.content.posts import held_edits
from forum.content.posts.erasure import erase_quotes
from forum.content.posts.revisions import replace_body
from forum.content.posts.tables import Post, PostQuote, QuotedWords, UntoldPost, Visibility
from forum.content.posts.visibility import change_visibility, refresh_thread
from forum.content.threads.tables import Thread, ThreadState
from forum.content.threads.titles import replace_title
from forum.core.gate import GateResult
from forum.importers.conversion import NewPost
from forum.importers.copying import copy_rows, take_ids
from forum.importers.counting import add_counts
from forum.importers.delta.steps import PostSteps, Step, ThreadSteps
from forum.importers.old_moderation import OldApproval, OldRemoval
from forum.importers.old_threads import PlacedPost, Setting
from forum.importers.records import Shown
from forum.importers.rows import HELD_BECAUSE, NOT_THERE_NOTICE, BatchRows, notice_of, removal_of, removed_notice
from forum.importers.tables import MovedItem, MovedKind
from forum.importers.writing import FORGET_EVENTS

# One statement for many posts.
_NOTE_POST = text(
    "UPDATE moved SET digest = :digest, was = :was, revision = coalesce(:revision, revision), "
    "edited_by = coalesce(:edited_by, edited_by) WHERE source = :source AND kind = 'post' AND old = :old"
).bindparams(bindparam("digest", type_=LargeBinary), bindparam("was", type_=String), bindparam("edited_by", type_=Uuid))


@dataclass
class ThreadChange:
    """What becomes of a thread, or of a piece of a very long one, and the words for it."""

    steps: ThreadSteps
    is_long: bool = False  # its words are turned while it is written, a piece at a time
    is_first: bool = True  # the thread itself changes with it
    changing: list[PostSteps] = field(default_factory=list)
    new: list[PlacedPost] = field(default_factory=list)
    placed: dict[str, PlacedPost] = field(default_factory=dict)  # of those that change and those that come, by old id
    posts: list[NewPost] = field(default_factory=list)

    @property
    def needs_words(self) -> bool:
        """Whether words are to be turned."""
        return bool(self.steps.new) or any(Step.REWORD in one.steps for one in self.steps.posts)


@dataclass
class ChangeWriting:
    """Writes what becomes of one thread, whose rows are locked."""

    session: AsyncSession
    setting: Setting
    change: ThreadChange
    thread: Thread
    rows: dict[int, Post]

    def __post_init__(self) -> None:
        self.counts = Counter[str]()
        self.batch = BatchRows(self.setting)
        self.approvals = list[OldApproval]()
        self.new_posts = list[NewPost]()
        self.is_count_changed = False  # as posts were hidden or shown
        self.opening: Visibility | None = None  # what the first post became
        self.words: dict[str, list[NewPost]] = {}  # of each post, by old id
        for new in self.change.posts:
            self.words.setdefault(new.old, []).append(new)

    async def run(self) -> None:
        """Write it: each kind of row for many posts together, and the counts of the thread once."""
        changing, session = self.change.changing, self.session
        await self._reword([one for one in changing if Step.REWORD in one.steps])
        await self._show_or_hide(changing)
        await self._add_new()
        if self.new_posts or self.is_count_changed:
            await refresh_thread(session, self.thread.id, self.opening)
        if self.change.is_first:
            await self._change_thread()
            await self._note_thread()
        await self._note_posts(changing)
        await session.flush()
        await self.setting.moderation.keep_removals(session, self.setting.run, self.batch.removals)
        await self.setting.moderation.keep_approvals(session, self.setting.run, self.approvals)
        await session.execute(FORGET_EVENTS)
        await webhooks.forget_posts_of_transaction(session)
        await add_counts(session, self.setting.run_id, self.counts)

    # Words

    async def _reword(self, changing: Sequence[PostSteps]) -> None:
        """Give posts the words that they have on the old board now, and keep the earlier ones as revisions.

        A very long one is several posts here: all of them change. Those that it does not fill any more are hidden.
        """
        written, left_over = list[tuple[NewPost, Post]](), list[tuple[Post, PostSteps]]()
        for one in changing:
            worded, rest = self._replace_words(one)
            written += worded
            left_over += [(post, one) for post in rest]
        await self.session.flush()
        await self._record_quotes([(part, post.id, post.revision) for part, post in written])
        for post, one in left_over:
            if post.is_shown or post.visibility == Visibility.HELD:
                await self._hide(post, one, is_left_over=True)

    def _replace_words(self, one: PostSteps) -> tuple[Sequence[tuple[NewPost, Post]], Sequence[Post]]:
        """Replace the words of a post. Return its parts with their new words, and those that it no longer fills."""
        placed, new = self.change.placed[one.post.old or ""], self.words[one.post.old or ""]
        posts = [self.rows[part.id] for part in self.change.steps.thread.parts_in_use(one.post)]
        if len(new) > len(posts):  # by a few signs: it had room before it was turned
            self.counts["too_long"] += 1
            return (), ()
        words_here = [(post.body_markdown, post.body_html, post.content_warning) for post in posts]
        if words_here == [(part.markdown, part.html, part.content_warning) for part in new]:
            return (), ()
        by, at = (
            (placed.edited_by or placed.author).id,
            min(placed.record.edited_at or self.setting.now, self.setting.now),
        )
        worded = list(zip(new, posts[: len(new)], strict=True))
        for part, post in worded:
            # Nobody knows for certain who changed it there, or what they took out: so only moderators can read it.
            replace_body(self.session, post, (part.markdown, part.html), by, at, sealed=True)
            post.content_warning = part.content_warning
            if part.edited and post.visibility != Visibility.REMOVED:
                post.notice = json.loads(notice_of(part, placed) or "null")
        self.counts["reworded"] += 1
        return worded, posts[len(new) :]

    async def _record_quotes(self, written: Sequence[tuple[NewPost, int, int]]) -> None:
        """Record what posts quote, each with its id and revision."""
        known = await self._find_quoted({number for new, _, _ in written for number in new.quoted})
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

    async def _find_quoted(self, numbers: Collection[int]) -> dict[int, tuple[int, int]]:
        """Return the id and the revision of posts of this thread, by number."""
        if not numbers:
            return {}
        found = select(col(Post.number), col(Post.id), col(Post.revision)).where(
            col(Post.thread_id) == self.thread.id, col(Post.number).in_(numbers)
        )
        return {row.number: (row.id, row.revision) for row in await self.session.execute(found)}

    # Who reads it

    async def _show_or_hide(self, changing: Sequence[PostSteps]) -> None:
        for one in changing:
            for part in self.change.steps.thread.parts_of(one.post):
                if post := self.rows.get(part.id):
                    await self._show_or_hide_post(post, one)

    async def _show_or_hide_post(self, post: Post, one: PostSteps) -> None:
        if Step.HIDE in one.steps and post.is_shown:
            await self._hide(post, one)
            self.counts["hidden"] += 1
        elif Step.HOLD in one.steps and post.visibility == Visibility.VISIBLE:
            await self._set(post, Visibility.HELD, HELD_BECAUSE)
            await self.setting.gate.record(self.session, ("post", post.id), GateResult(HELD_BECAUSE), self.setting.now)
            self.counts["held"] += 1
        elif Step.SHOW in one.steps and post.visibility == Visibility.HELD:
            await self._set(post, Visibility.VISIBLE)
            # Nobody is told of it: it is not new.
            post.published_at, post.told_at = None, self.setting.now
            await self.session.flush()
            title_revision = self.thread.title_revision if post.number == 1 else None
            self.approvals.append(OldApproval(post.id, post.revision, title_revision))
            await self.session.execute(delete(UntoldPost).where(col(UntoldPost.post_id) == post.id))
            self.counts["shown"] += 1

    async def _set(self, post: Post, to: Visibility, held_because: str | None = None) -> None:
        await change_visibility(self.session, post, to, self.setting.now, held_because=held_because)
        self.is_count_changed = True
        if post.number == 1:
            self.opening = to

    async def _hide(self, post: Post, one: PostSteps, *, is_left_over: bool = False) -> None:
        await self._set(post, Visibility.REMOVED)
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
        new = self.new_posts = [post for one in self.change.new for post in self.words[one.record.old]]
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

    async def _note_posts(self, changing: Sequence[PostSteps]) -> None:
        noted = [self._note_of(one, one.post.old) for one in changing if one.is_any and one.post.old is not None]
        if noted:
            await self.session.execute(_NOTE_POST, noted)

    def _note_of(self, one: PostSteps, old: str) -> dict[str, Any]:
        is_reworded = Step.REWORD in one.steps
        edited_by = self.change.placed[old].edited_by if is_reworded else None
        return {
            "source": self.setting.source,
            "old": old,
            "digest": one.digest,
            "was": one.was,
            "revision": self.rows[one.post.id].revision if is_reworded else None,
            "edited_by": edited_by.id if edited_by else None,
        }

    async def _note_thread(self) -> None:
        steps = self.change.steps
        here = steps.thread
        values: dict[str, Any] = {"digest": steps.digest, "was": steps.was, "stood_on": steps.stood_on}
        # What people here changed stays theirs, also where the run changes something else of the thread.
        if self.thread.version != here.version and not here.is_touched:
            values["revision"] = self.thread.version
        if values != {"digest": here.digest, "was": here.was, "stood_on": here.stood_on}:
            this = (col(MovedItem.kind) == MovedKind.THREAD, col(MovedItem.old) == here.old)
            of_source = col(MovedItem.source) == self.setting.source
            await self.session.execute(update(MovedItem).where(of_source, *this).values(**values))
