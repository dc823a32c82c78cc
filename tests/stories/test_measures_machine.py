"""Whatever is decided, appealed, edited and run out, in any order: what is so is what the decisions that stand say."""

import asyncio
import itertools
import logging
import os
import re
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import roles
from forum.content import boards
from forum.content.boards import BoardPlan
from forum.content.posts.actions import change_words, withdraw_post
from forum.content.posts.context import context_in_thread, context_of_post, context_on_board
from forum.content.posts.draft import Draft
from forum.content.posts.insertion import add_reply, add_thread
from forum.content.posts.queries import PostView
from forum.content.posts.tables import Post, PostRevision, Visibility
from forum.content.threads.tables import Thread
from forum.core import audit
from forum.core.database import Database
from forum.core.errors import Conflict
from forum.core.gate import PublishAtOnce
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.core.work import Transactions, Work
from forum.members.standing import standing_of
from forum.members.tables import Member, Role, Standing
from forum.members.viewer import Viewer, viewer_of, viewers
from moderation import appeals, cases, decisions, reports, rules
from moderation.appeals import Appeal
from moderation.case_priority import Category
from moderation.cases import Case
from moderation.decisions import AppealOutcome, Decided, DecisionInput
from moderation.measures.tables import MeasureInput, MeasureKind
from moderation.reports import Complaint

log = logging.getLogger(__name__)

GAMES = int(os.environ.get("FORUM_TEST_GAMES", "25"))  # more of them are other games, too

SETTINGS = Settings.model_construct()  # the defaults: readers see moderators' names
BEGAN = datetime(2026, 1, 5, 9, tzinfo=UTC)
BOARDS = ("new-here", "kinship")
KEEPERS = ("orla", "suzie", "femi")
MARK = "[removed: rule 10]"
WORD = re.compile(r"[a-z]+[0-9]{6}")  # that somebody said, not of a mark
TEXTUAL = {MeasureKind.EDIT, MeasureKind.REDACT}
STANDINGS = {
    MeasureKind.REVIEW: Standing.REVIEWED,
    MeasureKind.SILENCE: Standing.SILENCED,
    MeasureKind.SUSPEND: Standing.SUSPENDED,
    MeasureKind.BAN: Standing.BANNED,
}
# What a decision may do at once; a removal goes with anything.
WAYS = (
    (MeasureKind.EDIT,),
    (MeasureKind.REDACT,),
    (MeasureKind.REMOVE,),
    (MeasureKind.RETITLE,),
    (MeasureKind.LOCK,),
    (MeasureKind.LOCK, MeasureKind.RETITLE),
    (MeasureKind.MOVE, MeasureKind.WARN),
    (MeasureKind.WARN,),
    (MeasureKind.REVIEW,),
    (MeasureKind.SUSPEND,),
    (MeasureKind.BAN,),
    (MeasureKind.REDACT, MeasureKind.SILENCE),
    (MeasureKind.REDACT, MeasureKind.REMOVE),
    (MeasureKind.EDIT, MeasureKind.LOCK),
    (MeasureKind.DISMISS,),
)
# Measures that rest one on the other.
WORDY = ((MeasureKind.EDIT,), (MeasureKind.REDACT,), (MeasureKind.REDACT,), (MeasureKind.REDACT, MeasureKind.SILENCE))


@dataclass
class Taken:
    """A measure as the model remembers it: what it made, and whether it stands."""

    kind: MeasureKind
    post: int
    by: str
    made: Any = None
    whole: str = ""  # what the post said, nothing taken out
    until: datetime | None = None
    stands: bool = True


@dataclass
class Ruling:
    """A decision against the author, which they may appeal against."""

    statement: UUID
    by: str
    measures: list[Taken]
    case: UUID | None = None
    heard: bool = False


@dataclass
class Model:
    """All that was done, in order; the rest is computed from what stands."""

    said: dict[int, list[Taken | str]] = field(default_factory=dict)
    quoted: list[Taken | str] = field(default_factory=list)  # by the third post, and what was done since
    taken: list[Taken] = field(default_factory=list)
    withdrawn: set[int] = field(default_factory=set)

    def standing(self, *kinds: MeasureKind, post: int | None = None) -> list[Taken]:
        return [m for m in self.taken if m.stands and m.kind in kinds and post in {None, m.post}]

    def last(self, kind: MeasureKind, otherwise: Any) -> Any:
        return [otherwise, *(m.made for m in self.standing(kind))][-1]

    def visibility(self, post: int) -> str:
        if post in self.withdrawn:
            return Visibility.WITHDRAWN
        return Visibility.REMOVED if self.standing(MeasureKind.REMOVE, post=post) else Visibility.VISIBLE

    def body(self, post: int) -> str:
        """The author's last words, or a moderator's, without what the measures that stand took out since."""
        text = ""
        for one in filter(is_valid, self.said[post]):
            if isinstance(one, Taken) and one.kind == MeasureKind.REDACT:
                text = text.replace(one.made, MARK)
            else:
                text = one if isinstance(one, str) else one.made
        return text

    def whole(self, post: int) -> str:
        """The same, with all that was taken out."""
        whole = [one if isinstance(one, str) else one.made for one in self.said[post] if is_whole(one)]
        return str(whole[-1])

    def quote(self) -> str:
        """The third post: a quote loses a word that is redacted, and all of a post that is edited or removed."""
        text = ""
        for one in filter(is_valid, self.quoted):
            if isinstance(one, str):
                base = text = one
            elif one.kind == MeasureKind.REDACT:
                text = text.replace(one.made, MARK)
            else:
                lines = zip(base.split("\n"), text.split("\n"), strict=True)
                text = "\n".join(f"> {MARK}" if said == f"> {one.whole}" else line for said, line in lines)
        return text

    def notice(self, post: int) -> str | None:
        removed = self.visibility(post) == Visibility.REMOVED
        kinds = (MeasureKind.REMOVE,) if removed else tuple(TEXTUAL)
        by = [measure.by.title() for measure in self.standing(*kinds, post=post)]
        return f"{'Removed' if removed else 'Edited'} by {by[-1]} as breaches rule 10" if by else None

    def standing_of_author(self, now: datetime) -> str:
        given = [STANDINGS[m.kind] for m in self.standing(*STANDINGS) if m.until is None or m.until > now]
        return max(given, key=list(Standing).index, default=Standing.ACTIVE)

    def is_below(self, measures: list[Taken]) -> bool:
        """Whether a later measure that stands changed the same words."""
        for one in measures:
            after = self.taken[self.taken.index(one) + 1 :] if one.stands and one.kind in TEXTUAL else []
            since = self.said[one.post][self.said[one.post].index(one) :] if after else []
            if any(m.stands and m in since for m in after if m not in measures) and not any(
                isinstance(said, str) for said in since
            ):
                return True
        return False


def is_valid(said: Taken | str) -> bool:
    return isinstance(said, str) or said.stands


def is_whole(said: Taken | str) -> bool:
    return isinstance(said, str) or (said.stands and said.kind == MeasureKind.EDIT)


class Measures(RuleBasedStateMachine):
    """Two posts of one author in one thread, a third that quotes both, and three moderators, in one database."""

    database: ClassVar[Database]
    runner: ClassVar[asyncio.Runner]
    numbers: ClassVar[Any]
    steps: ClassVar[list[int]]
    below: ClassVar[list[int]]
    quotes: ClassVar[list[int]]

    @initialize()
    def begin(self) -> None:
        self.now, self.model, self.rulings = BEGAN, Model(), list[Ruling]()
        self.do(self._begin())

    async def _begin(self) -> None:
        number = next(self.numbers)
        async with self.database.work() as session:
            self.keepers = {name: await _viewer(session, name) for name in KEEPERS}
            self.reporter = await _viewer(session, "nell")
            self.author = await _viewer(session, await _member(session, f"heron{number}"))
            work = self.work(session)
            context = await context_on_board(work, self.author, BOARDS[0], Draft(""))
            opened = await add_thread(work, self.author, context, "A title", Draft(self.words()))
            self.thread = opened.thread_id
            replied = await self._reply(work, Draft(self.words()))
            self.posts = (opened.id, replied.id)
            quote = Draft("Nothing yet.")
            self.third = (await self._reply(work, quote)).id
            self.model.quoted = [quote.body_markdown]
            self.model.said = {post.id: [str(post.body_markdown)] for post in (opened, replied)}

    def work(self, session: AsyncSession) -> Work:
        """What an action is given."""
        return Work(session, self.now, Settings(), RateLimits(self.database.reader), PublishAtOnce())

    async def _reply(self, work: Work, draft: Draft) -> PostView:
        context = await context_in_thread(work, self.author, self.thread, draft)
        return await add_reply(work, self.author, context, draft)

    def words(self) -> str:
        """Words that nobody said before."""
        number = f"{next(self.numbers):06}"
        return f"first{number} second{number} third{number} fourth{number}"

    def transaction(self) -> AbstractAsyncContextManager[Work]:
        """A transaction at the time that it is in the model."""
        limits, gate = RateLimits(self.database.reader), PublishAtOnce()
        return Transactions(self.database, self.now, SETTINGS, limits, gate, lambda _member: None).begin()

    def do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.steps[0] += 1
        self.runner.run(coroutine)

    @rule(days=st.sampled_from([1, 3]))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(which=st.integers(0, 1))
    def the_author_edits(self, which: int) -> None:
        if self.model.visibility(self.posts[which]) == Visibility.VISIBLE:
            self.do(self._edit(self.posts[which]))

    async def _edit(self, post_id: int) -> None:
        words = self.words()
        await self._write(post_id, words)
        self.model.said[post_id].append(words)

    async def _write(self, post_id: int, words: str) -> None:
        self.now += timedelta(minutes=1)
        draft = Draft(words)
        async with self.database.work() as session:
            work = self.work(session)
            context = await context_of_post(work, self.author, post_id, draft)
            await change_words(work, self.author, context, context.post.revision, draft)

    @rule()
    def the_author_quotes(self) -> None:
        """Both posts, as long as nothing is taken out of them."""
        if not any(MARK in self.model.body(post) for post in self.posts):
            self.quotes[0] += 1
            words = "\n".join(f"> {self.model.body(post)}\n" for post in self.posts) + self.words()
            self.do(self._write(self.third, words))
            self.model.quoted.append(words)

    @rule(which=st.integers(0, 1), sure=st.integers(0, 5))
    def the_author_withdraws(self, which: int, sure: int) -> None:
        """But not what is quoted: the quotes of it lose its words then, which `test_quotes` holds."""
        if sure == 5 and len(self.model.quoted) == 1:
            self.do(self._withdraw(self.posts[which]))

    async def _withdraw(self, post_id: int) -> None:
        was_removed = self.model.visibility(post_id) == Visibility.REMOVED
        try:
            async with self.database.work() as session:
                await withdraw_post(self.work(session), self.author, post_id)
        except Conflict:
            assert was_removed
        else:
            assert not was_removed
            self.model.withdrawn.add(post_id)

    @rule(which=st.integers(0, 1), way=st.sampled_from(WAYS), by=st.sampled_from(KEEPERS), anew=st.booleans())
    def somebody_decides(self, which: int, way: tuple[MeasureKind, ...], by: str, anew: bool) -> None:
        """On newer words, or on what is left of those that were decided on before."""
        post_id = self.posts[which]
        is_left = anew or WORD.search(self.model.body(post_id)) or MeasureKind.REDACT not in way
        if self.model.visibility(post_id) == Visibility.VISIBLE and is_left:
            self.do(self._decide(post_id, way, by, anew))

    @rule(which=st.integers(0, 1), ways=st.lists(st.sampled_from(WORDY), min_size=2, max_size=3))
    def one_rests_on_the_other(self, which: int, ways: list[tuple[MeasureKind, ...]]) -> None:
        for way, by in zip(ways, KEEPERS, strict=False):
            self.somebody_decides(which, way, by, anew=False)
            self.what_is_so_is_what_stands()

    async def _decide(self, post_id: int, way: tuple[MeasureKind, ...], by: str, anew: bool) -> None:
        self.now += timedelta(minutes=1)
        case_id = await (self._report(post_id) if anew else self._look_again(post_id))
        async with self.transaction() as work:
            post = await work.session.get_one(Post, post_id)
            case = await work.session.get_one(Case, case_id)
            wanted, taken = self._measures(way, post_id, post.body_markdown, by)
            decision = DecisionInput(case.version, post.revision, wanted, "A reason", (10,))
            decided = await decisions.decide(work, self.keepers[by], case.id, decision)
        self._note(decided, by, taken)

    async def _report(self, post_id: int) -> Any:
        """A decided case is opened again by a report of newer words."""
        await self._edit(post_id)
        async with self.transaction() as work:
            post = await work.session.get_one(Post, post_id)
            complaint = Complaint(Category.RULE, post.revision, (10,))
            return (await reports.save_report(work, self.reporter, post, complaint)).case_id

    async def _look_again(self, post_id: int) -> Any:
        async with self.database.work() as session:
            return (await cases.open_on_post(session, post_id, Category.RULE, self.now, reports=1)).id

    @precondition(lambda self: any(not ruling.heard for ruling in self.rulings))
    @rule(which=st.integers(0, 5), other=st.integers(0, 1))
    def somebody_overturns(self, which: int, other: int) -> None:
        self._appeal(which, other, AppealOutcome.OVERTURN)

    @precondition(lambda self: any(not ruling.heard for ruling in self.rulings))
    @rule(which=st.integers(0, 3), other=st.integers(0, 1), way=st.sampled_from(WAYS[:-1]))
    def somebody_changes(self, which: int, other: int, way: tuple[MeasureKind, ...]) -> None:
        self._appeal(which, other, AppealOutcome.CHANGE, way)

    @precondition(lambda self: any(not ruling.heard for ruling in self.rulings))
    @rule(which=st.integers(0, 3), other=st.integers(0, 1), sure=st.integers(0, 2))
    def somebody_upholds(self, which: int, other: int, sure: int) -> None:
        if sure == 2:
            self._appeal(which, other, AppealOutcome.UPHOLD)

    def _appeal(self, which: int, other: int, outcome: AppealOutcome, way: tuple[MeasureKind, ...] = ()) -> None:
        """Against one of the last decisions; whoever did not take it hears."""
        waiting = [ruling for ruling in self.rulings if not ruling.heard]
        ruling = waiting[-1 - which % len(waiting)]
        self.do(self._hear(ruling, [name for name in KEEPERS if name != ruling.by][other], outcome, way))

    async def _hear(self, ruling: Ruling, by: str, outcome: AppealOutcome, way: tuple[MeasureKind, ...]) -> None:
        self.now += timedelta(minutes=1)
        post_id = ruling.measures[0].post
        if ruling.case is None:
            async with self.transaction() as work:
                state = await appeals.submit(work, self.author, ruling.statement, "No!")
                ruling.case = state.appeal.case_id
        self.below[0] += outcome != AppealOutcome.UPHOLD and self.model.is_below(ruling.measures)
        wanted: tuple[MeasureInput, ...] = ()
        taken: list[Taken] = []
        if outcome == AppealOutcome.CHANGE:
            # Nobody edits or redacts what the undo is about to give back: spans would count other words.
            way = tuple(kind for kind in way if kind not in TEXTUAL | {MeasureKind.REMOVE}) or (MeasureKind.WARN,)
            wanted, taken = self._measures(way, post_id, "", by)
        async with self.transaction() as work:
            case = await work.session.get_one(Case, ruling.case)
            post = await work.session.get_one(Post, post_id)
            decision = DecisionInput(case.version, post.revision, wanted, "A reason", (10,), outcomes=(outcome,))
            decided = await appeals.decide_appeal(work, self.keepers[by], case.id, decision)
        ruling.heard = True
        for measure in ruling.measures if outcome != AppealOutcome.UPHOLD else ():
            measure.stands = False
        self._note(decided, by, taken)

    def _measures(
        self, way: tuple[MeasureKind, ...], post_id: int, body: str, by: str
    ) -> tuple[tuple[MeasureInput, ...], list[Taken]]:
        """The measures as a moderator asks for them, and as the model remembers them."""
        word = WORD.search(body)
        number, until = next(self.numbers), self.now + timedelta(days=2)
        milder = " ".join(f"{one}{number:06}" for one in ("milder", "words", "for", "all"))
        told = {
            MeasureKind.EDIT: ({"body_markdown": milder}, milder),
            MeasureKind.REDACT: ({"spans": (word.span(),)}, word[0]) if word else ({}, None),
            MeasureKind.RETITLE: ({"title": f"Title {number}"}, f"Title {number}"),
            MeasureKind.MOVE: ({"board": BOARDS[number % 2]}, BOARDS[number % 2]),
            MeasureKind.LOCK: ({}, "locked"),
            MeasureKind.REVIEW: ({"until": until}, None),
            MeasureKind.SILENCE: ({"until": until}, None),
            MeasureKind.SUSPEND: ({"until": until}, None),
        }
        wanted, taken = [], []
        for kind in way:
            carried, made = told.get(kind, ({}, None))
            wanted.append(MeasureInput(kind, **carried))
            taken.append(Taken(kind, post_id, by, made, self.model.whole(post_id), carried.get("until")))
        return tuple(wanted), taken

    def _note(self, decided: Decided, by: str, taken: list[Taken]) -> None:
        self.model.taken += taken
        for measure in taken:
            if measure.kind in TEXTUAL:
                self.model.said[measure.post].append(measure)
            if measure.kind in TEXTUAL | {MeasureKind.REMOVE}:
                self.model.quoted.append(measure)
        if decided.statement:
            self.rulings.append(Ruling(decided.statement.id, by, taken))

    @invariant()
    def what_is_so_is_what_stands(self) -> None:
        self.do(self._compare())

    async def _compare(self) -> None:
        model = self.model
        async with self.database.work() as session:
            shown = []
            for post_id in self.posts:
                post = await session.get_one(Post, post_id)
                notice = post.notice and post.notice["text"]
                assert (post.visibility, post.body_markdown, notice) == (
                    model.visibility(post_id),
                    model.body(post_id),
                    model.notice(post_id),
                )
                if post.visibility == Visibility.VISIBLE:
                    shown.append(post)
            third = await session.get_one(Post, self.third)
            assert third.body_markdown == model.quote()
            shown.append(third)
            await self._compare_seals(session)
            thread = await session.get_one(Thread, self.thread)
            board = await session.get_one(boards.Board, thread.board_id)
            assert (thread.title, thread.state, board.slug) == (
                model.last(MeasureKind.RETITLE, "A title"),
                model.last(MeasureKind.LOCK, "open"),
                model.last(MeasureKind.MOVE, BOARDS[0]),
            )
            assert (thread.posts, thread.participants, thread.last_post_number) == (
                len(shown),
                1,
                third.number,
            )
            assert thread.last_post_at == third.created_at
            assert await standing_of(session, self.author.member_id, self.now) == model.standing_of_author(self.now)

    async def _compare_seals(self, session: AsyncSession) -> None:
        """A redacted word is in no open revision, and none is sealed for a measure that does not stand."""
        redacted = [measure.made for measure in self.model.standing(MeasureKind.REDACT)]
        hiding = self.model.standing(*TEXTUAL, MeasureKind.REMOVE)
        for revision in (await session.execute(select(PostRevision).where(self._is_ours()))).scalars().all():
            assert revision.sealed or not any(word in revision.body_markdown for word in redacted)
            assert not revision.sealed or any(revision.post_id in {m.post, self.third} for m in hiding)

    def _is_ours(self) -> Any:
        return col(PostRevision.post_id).in_([*self.posts, self.third])


async def _member(session: AsyncSession, handle: str, role: Role | None = None) -> str:
    member = Member(
        handle=handle,
        skeleton=handle,
        name=handle.title(),
        name_skeleton=handle,
        email=f"{handle}@example.org",
        password_hash="",
        staff_password=True,
        joined_at=BEGAN,
    )
    session.add(member)
    await session.flush()
    if role:
        await roles.grant(session, member, role, BEGAN)
    return handle


async def _viewer(session: AsyncSession, handle: str) -> Viewer:
    found = await session.execute(viewers().where(col(Member.handle) == handle))
    return viewer_of(found.one())


async def _prepare(database: Database) -> None:
    async with database.work() as session:
        await rules.adopt_house_rules(session, BEGAN)
        for slug in BOARDS:
            await boards.create_board(session, BoardPlan(slug=slug, name=slug), BEGAN)
        for name in KEEPERS:
            await _member(session, name, Role.MODERATOR)
        await _member(session, "nell")


def _older_first(ways: tuple[tuple[MeasureKind, ...], ...], anew: bool) -> None:
    """One thing is done and then another, and the first is overturned first: chance plays this too seldom."""
    game = Measures()
    game.begin()
    game.the_author_quotes()
    for way, by in zip(ways, KEEPERS, strict=False):
        game.somebody_decides(0, way, by, anew)
        game.what_is_so_is_what_stands()
    for _ in ways:
        game.somebody_overturns(-1, 0)
        game.what_is_so_is_what_stands()


def _run(url: str) -> dict[str, int]:
    """Play many games in a thread of its own, for Hypothesis waits for each step; what was played."""
    with asyncio.Runner() as runner:
        Measures.database, Measures.runner = Database(url, pool_size=1), runner
        Measures.numbers, Measures.steps = itertools.count(1), [0]
        Measures.below, Measures.quotes = [0], [0]
        runner.run(_prepare(Measures.database))
        for way in (
            (MeasureKind.EDIT,),
            (MeasureKind.REDACT,),
            (MeasureKind.RETITLE,),
            (MeasureKind.LOCK,),
            (MeasureKind.MOVE, MeasureKind.WARN),
        ):
            _older_first((way, way), anew=True)
        for ways in itertools.product([(MeasureKind.EDIT,), (MeasureKind.REDACT,)], repeat=3):
            _older_first(ways, anew=False)
        games = settings(
            max_examples=GAMES,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(Measures, settings=games)  # type: ignore[no-untyped-call]
        counts = runner.run(_count(Measures.database))
        runner.run(Measures.database.close())
        return counts | {"steps": Measures.steps[0], "below": Measures.below[0], "quotes": Measures.quotes[0]}


async def _count(database: Database) -> dict[str, int]:
    async with database.work() as session:
        await audit.verify(session)
        heard = select(col(Appeal.outcome), func.count()).group_by(col(Appeal.outcome))
        outcomes = {str(outcome): count for outcome, count in (await session.execute(heard)).all()}
        games = await session.scalar(select(func.count()).select_from(Thread))
        return {"games": games or 0, **outcomes}


async def test_what_is_so_is_what_the_decisions_that_stand_say(database_url: str) -> None:
    counts = await asyncio.to_thread(_run, database_url)
    log.info("%s", counts)
    assert counts["overturn"] > 20, counts
    assert counts["change"] > 5, counts
    assert counts["below"] > 20, f"Nothing was overturned below a later measure: {counts}"
    assert counts["quotes"] > 20, counts
