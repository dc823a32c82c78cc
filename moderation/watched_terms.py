"""The charity's own terms, in every version: administrators write them, moderators read them, members never see them.

There is no list of hate words of ours: such lists find few of the hostile sentences, and more of those that speak
against them. Terms are for slurs, names of predators and phrases of a known troll.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from pydantic import TypeAdapter
from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Identity, func, select, text, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.boards import Board
from forum.content.crisis_help import WORDS as HELP
from forum.content.posts.tables import Post, Visibility, Voice
from forum.content.posts.visibility import POST_VISIBLE
from forum.content.threads.tables import Thread
from forum.core import audit, pagination, side_process
from forum.core.database import Moment, Prepared, Query, Reader, Record, check_one_of, columns, new_id, query
from forum.core.errors import Conflict, Invalid, NotFound, Stale
from forum.core.gate import ENCOURAGEMENT
from forum.core.idempotency import Repeat
from forum.core.work import Transactions, Work
from forum.members.queries import get_changer, named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation.finding_tallies import Precision, get_precision
from moderation.permissions import ModerationAct, allow, refusal
from moderation.screening import watched_terms as screening
from moderation.screening.finding import FindingKind, SignEffect
from moderation.screening.watched_terms import TermKind, UnusableTerm

log = structlog.get_logger()

TRIED = 1_000  # posts that a trial looks through
AT_ONCE = 100  # of them in one call of the side process
CAUGHT_SHOWN = 100  # of those that a term would catch
SHOWN = 50  # terms on a page
OFFERED_SHOWN = 200  # terms that an old board offers; when some are settled, others follow
_ANY_LETTERS = r"[\pL\pN]*"  # what "*" stands for in the words that a board of phpBB replaces
HOLDS_AT_MOST = 0.05  # of the posts: a term that catches more would have everybody wait
MOST_TERMS = 25_000
_BY_SERIAL = TypeAdapter(tuple[pagination.Identity])
# Held until the commit by whoever writes a term: serials are committed in their order, so that who has seen the highest
# has seen all.
_ONE_AT_A_TIME = text("LOCK TABLE watched_term IN SHARE ROW EXCLUSIVE MODE")
# How often this process changed a term: it need not wait until it asks again what others changed.
CHANGED_HERE: Counter[str] = Counter()
HELP_KINDS = tuple(kind for kind in HELP if kind != ENCOURAGEMENT)


class WatchedTerm(SQLModel, table=True):
    """A term in one of its versions; the newest one counts."""

    __tablename__ = "watched_term"
    __table_args__ = (
        check_one_of("kind", TermKind),
        check_one_of("effect", SignEffect),
        CheckConstraint("(effect = 'help') = (help_kind IS NOT NULL)", name="help_kind"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("(by_id IS NULL) = (import_run_id IS NOT NULL)", name="by"),
        CheckConstraint("by_id IS NOT NULL OR NOT is_on", name="offered"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    version: int = Field(primary_key=True)
    serial: int = Field(
        default=None, sa_type=BigInteger, sa_column_args=[Identity(always=True)], index=True, unique=True
    )
    kind: str
    text: str
    effect: str
    help_kind: str | None = Field(default=None, description="Which help its author is shown, if any")
    boards: list[int] = Field(sa_type=ARRAY(BigInteger), description="On which it is sought; none: on all")
    in_names: bool = Field(description="Whether it is sought in names and handles too")
    note: str = Field(description="For moderators: why it is watched")
    is_on: bool
    at: datetime = Field(sa_type=Moment)
    by_id: UUID | None = Field(foreign_key="member.id", index=True, description="Null: an old board offers it")
    import_run_id: UUID | None = Field(
        default=None, foreign_key="import_run.id", index=True, description="What brought it, where nobody here wrote it"
    )


@dataclass(frozen=True)
class TermDraft:
    """A term as an administrator writes it."""

    kind: TermKind
    text: str
    effect: SignEffect
    boards: Sequence[str] = ()  # their slugs
    in_names: bool = False
    note: str = ""
    help_kind: str | None = None  # which help its author is shown, with that effect


@dataclass(frozen=True)
class TermReading:
    """A term in one version, with the slugs of its boards, and how often it was right."""

    row: Record
    boards: Sequence[str]
    precision: Precision


@dataclass(frozen=True)
class TermShelf:
    """A page of terms, how often all other recognisers are right, and what the viewer may do."""

    terms: Sequence[TermReading]
    offered: Sequence[TermReading]  # by an old board: nobody has chosen yet
    next: str | None
    recognisers: Sequence[Precision]
    boards: Sequence[Record]
    no_change_because: Refusal | None


@dataclass(frozen=True)
class TermTrial:
    """What a term would have caught."""

    looked_at: int
    caught: int
    posts: Sequence[Record]  # the newest of them

    @property
    def share(self) -> float:
        """Return which share of the posts it would have caught."""
        return self.caught / self.looked_at if self.looked_at else 0

    @property
    def may_hold(self) -> bool:
        """Whether a term that catches so many may hold posts; one alone is no share."""
        return self.caught <= max(1, self.looked_at * HOLDS_AT_MOST)


# Reads

_NEWEST = (
    query(*columns(WatchedTerm), *named_columns(Member, "by"))
    .outerjoin(Member, col(Member.id) == col(WatchedTerm.by_id))
    .ext(distinct_on(col(WatchedTerm.id)))
    .order_by(col(WatchedTerm.id), col(WatchedTerm.version).desc())
)
# The number of the newest change of any term; 0 before the first.
SERIAL = select(func.coalesce(func.max(WatchedTerm.serial), 0)).scalar_subquery().label("serial")
# Every term in its newest version.
NEWEST = Prepared(_NEWEST)


async def list_watched(reader: Reader) -> Sequence[screening.SoughtTerm]:
    """Return the terms that are on, as screening looks for them; without those that it can no longer use."""
    return [_as_sought(row) for row in await reader.rows(NEWEST) if row.is_on and _is_usable(row)]


async def read_terms(work: Work, viewer: Viewer, after: str | None, limit: int) -> TermShelf:
    """Return a page of the terms that are on, those changed last first; the first one also has what is offered.

    Raises Forbidden, and Invalid for a cursor.
    """
    allow(ModerationAct.SEE_QUEUE, viewer)
    newest = _NEWEST.subquery()
    listed = query(newest).where(newest.c.is_on == true())
    if after is not None:
        listed = listed.where(newest.c.serial < pagination.decode(after, _BY_SERIAL)[0])
    found = (await work.session.execute(listed.order_by(newest.c.serial.desc()).limit(limit + 1))).all()
    page = pagination.page_of(found, limit, lambda row: (row.serial,))
    precision, boards = await get_precision(work), await _list_boards(work.session)
    term = FindingKind.WATCHED_TERM
    offered = query(newest).where(newest.c.by_id.is_(None)).order_by(newest.c.serial).limit(OFFERED_SHOWN)
    offers = (await work.session.execute(offered)).all() if after is None else ()
    return TermShelf(
        terms=_readings(page.rows, boards, precision),
        offered=_readings(offers, boards, precision),
        next=page.next,
        recognisers=[precision[key] for key in sorted(precision) if key[0] != term],
        boards=boards,
        no_change_because=refusal(ModerationAct.WRITE_TERMS, viewer),
    )


async def read_precision(work: Work, viewer: Viewer) -> Sequence[Precision]:
    """Return how often each recogniser and each term was right in the last 90 days. Raises Forbidden."""
    allow(ModerationAct.SEE_QUEUE, viewer)
    precision = await get_precision(work)
    return [precision[key] for key in sorted(precision)]


async def read_term(work: Work, viewer: Viewer, term_id: UUID) -> TermShelf:
    """Return every version of a term, the newest first. Raises Forbidden and NotFound."""
    allow(ModerationAct.SEE_QUEUE, viewer)
    found = (await work.session.execute(_select_versions(term_id))).all()
    if not found:
        raise _no_term()
    precision, boards = await get_precision(work), await _list_boards(work.session)
    because = refusal(ModerationAct.WRITE_TERMS, viewer)
    return TermShelf(_readings(found, boards, precision), [], None, [], boards, because)


async def list_of_findings(session: AsyncSession, found: Collection[Record]) -> Sequence[Record]:
    """Return the terms, in the versions of that time, that were found."""
    pairs = {(row.recogniser, row.version) for row in found if row.kind == FindingKind.WATCHED_TERM}
    these = query(*columns(WatchedTerm)).where(col(WatchedTerm.id).in_([UUID(term_id) for term_id, _ in pairs]))
    rows = (await session.execute(these.order_by(col(WatchedTerm.serial)))).all() if pairs else []
    return [row for row in rows if (str(row.id), str(row.version)) in pairs]


def _select_versions(term_id: UUID) -> Query:
    versions = query(*columns(WatchedTerm), *named_columns(Member, "by"))
    joined = versions.outerjoin(Member, col(Member.id) == col(WatchedTerm.by_id))
    return joined.where(col(WatchedTerm.id) == term_id).order_by(col(WatchedTerm.version).desc())


async def _list_boards(session: AsyncSession) -> Sequence[Record]:
    listed = query(col(Board.id), col(Board.slug), col(Board.name)).order_by(col(Board.position), col(Board.id))
    return (await session.execute(listed)).all()


def _readings(
    rows: Sequence[Record], boards: Sequence[Record], precision: Mapping[tuple[str, str], Precision]
) -> list[TermReading]:
    slugs, kind = {board.id: board.slug for board in boards}, FindingKind.WATCHED_TERM
    return [
        TermReading(
            row,
            [slugs[board_id] for board_id in row.boards if board_id in slugs],
            precision.get((kind, str(row.id)), Precision(kind, str(row.id))),
        )
        for row in rows
    ]


def _as_sought(row: Record) -> screening.SoughtTerm:
    return screening.SoughtTerm(
        id=str(row.id),
        version=str(row.version),
        kind=TermKind(row.kind),
        text=row.text,
        effect=SignEffect(row.effect),
        boards=frozenset(row.boards),
        in_names=row.in_names,
        help_kind=row.help_kind,
    )


def _is_usable(row: Record) -> bool:
    """Return whether a term can be sought: a pattern that an older version of re2 took must stop no post."""
    if row.kind != TermKind.PATTERN:
        return True
    try:
        screening.check_text(TermKind.PATTERN, row.text)
    except UnusableTerm:
        log.warning("watched_term_unusable", term=str(row.id))
        return False
    return True


# What changes them


async def try_term(transactions: Transactions, administrator: Viewer, draft: TermDraft) -> TermTrial:
    """Return which of the last 1,000 posts of its boards a term would have caught; nothing is stored.

    Raises Forbidden, and Invalid for a term that cannot be sought.
    """
    async with transactions.begin() as work:
        allow(ModerationAct.WRITE_TERMS, administrator)
        boards = await _check(work.session, draft)
        posts = (await work.session.execute(_select_last_posts(boards), administrator.query_parameters)).all()
    sought = screening.SoughtTerm("trial", "0", draft.kind, draft.text, draft.effect)
    caught = list[Record]()
    for first in range(0, len(posts), AT_ONCE):
        some = posts[first : first + AT_ONCE]
        texts = [f"{post.title}\n\n{post.body}" if post.number == 1 else post.body for post in some]
        hits = await side_process.run(screening.contain, sought, texts)
        caught += [post for post, is_hit in zip(some, hits, strict=True) if is_hit]
    return TermTrial(len(posts), len(caught), caught[:CAUGHT_SHOWN])


async def read_trial(
    transactions: Transactions, administrator: Viewer, draft: TermDraft, term_id: UUID | None = None
) -> tuple[TermShelf, TermTrial]:
    """Return a trial, with what its page shows beside it: all terms, or the versions of one. Raises as `try_term`."""
    trial = await try_term(transactions, administrator, draft)
    async with transactions.begin() as work:
        if term_id:
            return await read_term(work, administrator, term_id), trial
        return await read_terms(work, administrator, None, SHOWN), trial


async def add_term(
    transactions: Transactions, administrator: Viewer, draft: TermDraft, *, repeat: Repeat | None = None
) -> TermReading:
    """Watch for a new term. A `repeat` of an earlier request returns the term of that. Raises as `write_term` does."""
    allow(ModerationAct.WRITE_TERMS, administrator)
    await _refuse_too_broad(transactions, administrator, draft)
    async with transactions.begin() as work:
        if repeat and (earlier := await repeat.earlier(work)):
            return (await read_term(work, administrator, UUID(earlier))).terms[0]
        written = await watch_for(work, administrator, draft)
        if repeat:
            await repeat.keep(work, written.row.id)
    CHANGED_HERE.update(["terms"])
    return written


async def watch_for(work: Work, administrator: Viewer, draft: TermDraft) -> TermReading:
    """Watch for a new term, which was tried before if it holds posts. Raises as `write_term` does."""
    allow(ModerationAct.WRITE_TERMS, administrator)
    return await _write(work, administrator, new_id(), 0, draft)


async def write_term(
    transactions: Transactions, administrator: Viewer, term_id: UUID, version: int, draft: TermDraft
) -> TermReading:
    """Write a term, as a new version; `version` is the one that was on the screen, 0 for a new term.

    Raises Forbidden, NotFound, Stale when somebody changed it meanwhile, Conflict for one that there is already, and
    Invalid for one that cannot be sought, or that would hold more than 5 % of the posts.
    """
    allow(ModerationAct.WRITE_TERMS, administrator)
    await _refuse_too_broad(transactions, administrator, draft)
    async with transactions.begin() as work:
        written = await _write(work, administrator, term_id, version, draft)
    CHANGED_HERE.update(["terms"])
    return written


async def switch_off(transactions: Transactions, administrator: Viewer, term_id: UUID) -> None:
    """No longer watch for a term, or leave out one that is offered; its versions are kept. Idempotent.

    Raises Forbidden and NotFound.
    """
    allow(ModerationAct.WRITE_TERMS, administrator)
    async with transactions.begin() as work:
        await work.session.execute(_ONE_AT_A_TIME)
        newest = await _get_newest(work.session, term_id)
        if newest is None:
            raise _no_term()
        if newest.is_on or newest.by_id is None:
            taken = newest.model_dump(exclude={"serial", "import_run_id"})
            values = taken | {"version": newest.version + 1, "is_on": False}
            row = WatchedTerm(**values | {"at": work.now, "by_id": administrator.member_id})
            await _add(work, administrator, "term.switched_off", row)
    CHANGED_HERE.update(["terms"])


async def offer(session: AsyncSession, terms: Sequence[tuple[str, str]], run_id: UUID, now: datetime) -> int:
    """Keep words that an old board replaced, each with a note, switched off: an administrator chooses.

    Return how many are new. What was here before, whatever became of it, and what cannot be sought is left out.
    """
    await session.execute(_ONE_AT_A_TIME)
    known = {text.casefold() for text in (await session.execute(select(col(WatchedTerm.text)))).scalars()}
    rows = list[WatchedTerm]()
    for words, note in terms:
        draft = _draft_of(words, note)
        if draft is None or draft.text.casefold() in known or len(rows) >= MOST_TERMS:
            continue
        known.add(draft.text.casefold())
        rows.append(
            WatchedTerm(
                version=1,
                kind=draft.kind,
                text=draft.text,
                effect=draft.effect,
                boards=[],
                in_names=False,
                note=draft.note,
                is_on=False,
                at=now,
                by_id=None,
                import_run_id=run_id,
            )
        )
    session.add_all(rows)
    await session.flush()
    return len(rows)


def _draft_of(words: str, note: str) -> TermDraft | None:
    """Return a term of an old board, in which "*" stands for any letters; None where it cannot be sought."""
    text, kind = " ".join(words.split()), TermKind.WORD
    if "*" in text:
        kind = TermKind.PATTERN
        pieces = (r"\s+".join(re.escape(word) for word in piece.split(" ")) for piece in text.split("*"))
        text = _ANY_LETTERS.join(pieces)
    elif " " in text:
        kind = TermKind.PHRASE
    try:
        screening.check_text(kind, text)
    except UnusableTerm:
        return None
    return TermDraft(kind, text, SignEffect.CASE, note=note) if len(text) <= screening.LONGEST_PATTERN else None


async def _write(work: Work, administrator: Viewer, term_id: UUID, version: int, draft: TermDraft) -> TermReading:
    boards = await _check(work.session, draft)
    await work.session.execute(_ONE_AT_A_TIME)
    await _refuse_changed(work, term_id, version)
    await _refuse_repeated(work.session, term_id, draft, boards)
    row = WatchedTerm(
        id=term_id,
        version=version + 1,
        kind=draft.kind,
        text=draft.text,
        effect=draft.effect,
        help_kind=draft.help_kind if draft.effect == SignEffect.HELP else None,
        boards=boards,
        in_names=draft.in_names,
        note=draft.note,
        is_on=True,
        at=work.now,
        by_id=administrator.member_id,
    )
    await _add(work, administrator, "term.written", row)
    return (await read_term(work, administrator, term_id)).terms[0]


async def _add(work: Work, administrator: Viewer, act: str, row: WatchedTerm) -> None:
    work.session.add(row)
    await work.session.flush()
    await audit.record(
        work.session,
        actor_id=administrator.id,
        act=act,
        subject=("term", row.id),
        now=work.now,
        details={"version": row.version},
    )


async def _check(session: AsyncSession, draft: TermDraft) -> list[int]:
    """Return the ids of a draft's boards. Raises Invalid for what makes no sense."""
    try:
        screening.check_text(draft.kind, draft.text)
    except UnusableTerm as error:
        raise Invalid(str(error), "#/text", code=error.code) from error
    if draft.effect == SignEffect.HELP and draft.help_kind not in HELP_KINDS:
        raise Invalid("Say which help is shown.", "#/help_kind", code="help_kind_missing")
    if draft.effect == SignEffect.HELP and (draft.boards or draft.in_names):
        raise Invalid("Help is shown for a term on every board, and for no name.", "#/boards", code="help_everywhere")
    found = await session.execute(select(col(Board.slug), col(Board.id)).where(col(Board.slug).in_(draft.boards)))
    ids = {row.slug: row.id for row in found.all()}
    if missing := [slug for slug in draft.boards if slug not in ids]:
        raise Invalid(f"There is no board {missing[0]}.", "#/boards", code="board_not_found")
    return sorted(set(ids.values()))


async def _refuse_too_broad(transactions: Transactions, administrator: Viewer, draft: TermDraft) -> None:
    if draft.effect != SignEffect.HOLD:
        return
    trial = await try_term(transactions, administrator, draft)
    if not trial.may_hold:
        sentence = (
            f"This term is in {trial.caught} of the last {trial.looked_at} posts. What holds posts may be in "
            "5 % of them at most. Let it open a case instead."
        )
        raise Invalid(sentence, "#/effect", code="term_too_broad")


async def _refuse_changed(work: Work, term_id: UUID, version: int) -> None:
    newest = await _get_newest(work.session, term_id)
    if newest is None and version:
        raise _no_term()
    if newest and newest.version != version:
        raise Stale(
            "Somebody changed this term while you were looking at it. Please look at it again.",
            code="term_changed",
            current=newest.version,
            changed_by=await get_changer(work.session, newest.by_id),
            changed_at=newest.at,
        )


async def _refuse_repeated(session: AsyncSession, term_id: UUID, draft: TermDraft, boards: list[int]) -> None:
    """Raise Conflict for a term that is watched for on the same boards already, or when there are too many."""
    newest = _NEWEST.subquery()
    others = query(newest.c.id).where(newest.c.is_on == true(), newest.c.id != term_id)
    same = others.where(
        newest.c.kind == draft.kind, func.lower(newest.c.text) == func.lower(draft.text), newest.c.boards == boards
    )
    if (await session.execute(same.limit(1))).first():
        raise Conflict("This term is watched for already.", code="term_exists")
    count = (await session.execute(select(func.count()).select_from(others.subquery()))).scalar_one()
    if count >= MOST_TERMS:
        raise Conflict(f"There are {MOST_TERMS} terms already.", code="too_many_terms")


async def _get_newest(session: AsyncSession, term_id: UUID) -> WatchedTerm | None:
    versions = select(WatchedTerm).where(col(WatchedTerm.id) == term_id).order_by(col(WatchedTerm.version).desc())
    return (await session.execute(versions.limit(1))).scalar_one_or_none()


def _select_last_posts(boards: Sequence[int]) -> Query:
    """Return a select of the last posts of members on these boards, or on all, that the viewer can see."""
    listed = (
        query(
            col(Post.id),
            col(Post.number),
            col(Post.body_markdown).label("body"),
            col(Thread.id).label("thread_id"),
            col(Thread.title),
            col(Board.slug).label("board"),
        )
        .join(Thread, col(Thread.id) == col(Post.thread_id))
        .join(Board, col(Board.id) == col(Thread.board_id))
        .where(
            POST_VISIBLE,
            col(Post.visibility).in_((Visibility.VISIBLE, Visibility.HELD)),
            col(Post.voice) == Voice.MEMBER,
        )
    )
    if boards:
        listed = listed.where(col(Thread.board_id).in_(boards))
    return listed.order_by(col(Post.id).desc()).limit(TRIED)


def _no_term() -> NotFound:
    return NotFound("There is no such term.", code="term_not_found")
