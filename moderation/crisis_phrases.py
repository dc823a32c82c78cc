"""The phrases of danger that administrators add, and those of ours that they switch off. Ours are never changed.

An added phrase is found within a second, in every process. They are few; the phrases are compiled once for each state
of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import CheckConstraint, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.content.posts.tables import Post, Visibility
from forum.content.posts.visibility import POST_VISIBLE, with_board_of_post
from forum.core import audit, side_process
from forum.core.database import Moment, Prepared, Reader, Record, check_one_of, columns, query
from forum.core.errors import Invalid, NotFound
from forum.core.work import Work
from forum.members.viewer import Viewer
from forum.permissions import Refusal
from moderation.permissions import ModerationAct, allow, refusal
from moderation.screening import crisis, phrasebook
from moderation.screening.finding import CrisisKind, Level
from moderation.screening.patterns import BadPattern
from moderation.screening.phrasebook import Changes, Phrase

MOST_ADDED = 200
LONGEST = 300  # characters of a phrase
TRIED = 1_000  # posts, the newest
TOO_OFTEN = 0.05  # of the posts: who is called so often stops reacting
FEWEST_TRIED = 100  # posts, with which a share says something
# Held until the commit by whoever changes them: two at once would both be the last that has room.
_ONE_AT_A_TIME = text("LOCK TABLE crisis_phrase IN SHARE ROW EXCLUSIVE MODE")


class CrisisPhrase(SQLModel, table=True):
    """A phrase that was added, or one of ours that was switched off at some time."""

    __tablename__ = "crisis_phrase"
    __table_args__ = (
        check_one_of("kind", CrisisKind),
        check_one_of("level", Level),
        CheckConstraint(f"length(text) BETWEEN 1 AND {LONGEST} OR is_ours", name="text"),
    )

    id: UUID = Field(primary_key=True, description="Made from its kind, level and text")
    is_ours: bool
    kind: str
    level: str
    text: str
    note: str = Field(description="Why it was added")
    is_off: bool
    changed_at: datetime = Field(sa_type=Moment)
    changed_by: UUID = Field(foreign_key="member.id")


# What differs from our phrases: those of others that are on, and ours that are off.
_DIFFERENCES = Prepared(
    query(
        col(CrisisPhrase.id),
        col(CrisisPhrase.is_ours),
        col(CrisisPhrase.kind),
        col(CrisisPhrase.level),
        col(CrisisPhrase.text),
    )
    .where(col(CrisisPhrase.is_ours) == col(CrisisPhrase.is_off))
    .order_by(col(CrisisPhrase.id))
)
# When any was changed last; null before the first change.
CHANGED_AT = select(func.max(CrisisPhrase.changed_at)).scalar_subquery().label("changed_at")


@dataclass(frozen=True)
class PhraseWish:
    """A phrase as an administrator writes it, and why."""

    kind: CrisisKind
    level: Level
    text: str
    note: str

    @property
    def phrase(self) -> Phrase:
        """What is sought for it."""
        return Phrase(self.kind, self.level, phrasebook.as_read(self.text))


class ListedPhrase(NamedTuple):
    """A phrase that is sought, or was."""

    id: UUID
    is_ours: bool
    kind: str
    level: str
    text: str
    note: str
    is_off: bool
    changed_at: datetime | None  # None for one of ours that nobody has touched


@dataclass(frozen=True)
class PhraseShelf:
    """Every phrase: the added ones first, then ours; and why the viewer may not change any, if so."""

    phrases: Sequence[ListedPhrase]
    no_change_because: Refusal | None
    trial: "TriedPhrase | None" = None


@dataclass(frozen=True)
class TriedPhrase:
    """In which of the newest posts a phrase would have been found. Nothing of it is kept."""

    read_as: str
    tried: int
    posts: Sequence[Record]  # in which it is found

    @property
    def is_too_wide(self) -> bool:
        """Whether it would be found too often to call anybody."""
        return self.tried >= FEWEST_TRIED and len(self.posts) > TOO_OFTEN * self.tried


# Reads


async def read_changes(reader: Reader) -> Changes:
    """Return what administrators changed about the phrases."""
    rows = await reader.rows(_DIFFERENCES)
    added = tuple(Phrase(CrisisKind(row.kind), Level(row.level), row.text) for row in rows if not row.is_ours)
    return Changes(added, frozenset(row.id for row in rows if row.is_ours))


async def read_shelf(work: Work, viewer: Viewer, kind: CrisisKind | None = None) -> PhraseShelf:
    """Return every phrase, or those of one kind. Raises Forbidden for whoever moderates nothing."""
    allow(ModerationAct.SEE_QUEUE, viewer)
    listed = query(*columns(CrisisPhrase)).order_by(col(CrisisPhrase.changed_at).desc(), col(CrisisPhrase.id))
    rows = {row.id: row for row in (await work.session.execute(listed)).all()}
    added = [_listed(row) for row in rows.values() if not row.is_ours]
    ours = [
        _listed(rows[phrase.id])
        if phrase.id in rows
        else ListedPhrase(phrase.id, True, *phrase, note="", is_off=False, changed_at=None)
        for phrase in phrasebook.english().phrases
    ]
    shown = [phrase for phrase in [*added, *ours] if kind in (None, phrase.kind)]
    return PhraseShelf(shown, refusal(ModerationAct.WRITE_PHRASES, viewer))


async def try_phrase(work: Work, administrator: Viewer, wish: PhraseWish) -> TriedPhrase:
    """Return in which of the newest 1,000 posts a phrase would be found. Nothing is changed.

    Raises Forbidden, and Invalid for a phrase that cannot be used.
    """
    allow(ModerationAct.WRITE_PHRASES, administrator)
    return await _try(work, administrator, _checked(wish))


async def read_shelf_with_trial(work: Work, administrator: Viewer, wish: PhraseWish) -> PhraseShelf:
    """Return every phrase, and where another would be found. Raises as `try_phrase` does."""
    trial = await try_phrase(work, administrator, wish)
    return replace(await read_shelf(work, administrator), trial=trial)


# What changes them


async def add_phrase(work: Work, administrator: Viewer, wish: PhraseWish) -> ListedPhrase:
    """Have a phrase sought from now on. Idempotent: one that is there is there as it is, and on.

    Raises Forbidden, and Invalid for a phrase that cannot be used, that would call people for too many posts, or one
    too many.
    """
    allow(ModerationAct.WRITE_PHRASES, administrator)
    phrase = _checked(wish)
    if phrase.id in {one.id for one in phrasebook.english().phrases}:
        return await switch(work, administrator, phrase.id, is_off=False)
    if wish.level == Level.ACUTE and (await _try(work, administrator, phrase)).is_too_wide:
        raise Invalid(
            "This is found in more than one of 20 posts. Nobody can be called so often: make it longer, or a worry.",
            "#/text",
            code="phrase_too_wide",
        )
    await work.session.execute(_ONE_AT_A_TIME)
    known = await work.session.get(CrisisPhrase, phrase.id)
    if known and not known.is_off:
        return _listed(known)
    await _refuse_too_many(work.session)
    at = await _next_change(work)
    values = {"note": wish.note, "is_off": False, "changed_at": at, "changed_by": administrator.member_id}
    row = insert(CrisisPhrase).values(id=phrase.id, is_ours=False, **phrase._asdict(), **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=[col(CrisisPhrase.id)], set_=values))
    await _record(work, administrator, "phrase.added", phrase)
    return _listed(await work.session.get_one(CrisisPhrase, phrase.id, populate_existing=True))


async def switch(work: Work, administrator: Viewer, phrase_id: UUID, *, is_off: bool) -> ListedPhrase:
    """Switch a phrase off, or on again. Idempotent. Raises Forbidden, and NotFound."""
    allow(ModerationAct.WRITE_PHRASES, administrator)
    await work.session.execute(_ONE_AT_A_TIME)
    known = await work.session.get(CrisisPhrase, phrase_id) or _row_of_ours(work, administrator, phrase_id)
    if known.is_off == is_off:
        return _listed(known)
    if not (known.is_ours or is_off):
        await _refuse_too_many(work.session)
    known.is_off, known.changed_at, known.changed_by = is_off, await _next_change(work), administrator.member_id
    work.session.add(known)
    await work.session.flush()
    phrase = Phrase(CrisisKind(known.kind), Level(known.level), known.text)
    await _record(work, administrator, "phrase.off" if is_off else "phrase.on", phrase)
    return _listed(known)


def _row_of_ours(work: Work, administrator: Viewer, phrase_id: UUID) -> CrisisPhrase:
    """Return the row that one of our phrases would have, which has none yet. Raises NotFound."""
    ours = next((phrase for phrase in phrasebook.english().phrases if phrase.id == phrase_id), None)
    if ours is None:
        raise NotFound("There is no such phrase.", code="phrase_not_found")
    now, who = work.now, administrator.member_id
    return CrisisPhrase(
        id=ours.id, is_ours=True, **ours._asdict(), note="", is_off=False, changed_at=now, changed_by=who
    )


async def _next_change(work: Work) -> datetime:
    """Return the time of a change, which is after each other one: by the last, processes know whether any was made.

    The caller holds the lock. Whoever began first may come second, and the clocks of two machines differ.
    """
    last = (await work.session.execute(select(func.max(CrisisPhrase.changed_at)))).scalar_one()
    return max(work.now, last + timedelta(microseconds=1)) if last else work.now


def _checked(wish: PhraseWish) -> Phrase:
    """Return the phrase, as it is sought. Raises Invalid for one that cannot be used, and says why."""
    phrase = wish.phrase
    if not 1 <= len(phrase.text) <= LONGEST:
        raise Invalid(f"A phrase has 1 to {LONGEST} characters.", "#/text", code="phrase_unusable")
    try:
        phrasebook.alone(phrase)
    except BadPattern as error:
        raise Invalid(str(error), "#/text", code="phrase_unusable") from error
    return phrase


async def _try(work: Work, administrator: Viewer, phrase: Phrase) -> TriedPhrase:
    newest = with_board_of_post(query(col(Post.id), col(Post.thread_id), col(Post.number), col(Post.body_markdown)))
    shown = newest.where(POST_VISIBLE, col(Post.visibility) == Visibility.VISIBLE)
    listed = shown.order_by(col(Post.id).desc()).limit(TRIED)
    rows = (await work.session.execute(listed, administrator.query_parameters)).all()
    hits = await side_process.run(are_found_in, phrase, [row.body_markdown for row in rows])
    return TriedPhrase(phrase.text, len(rows), [row for row, is_hit in zip(rows, hits, strict=True) if is_hit])


def are_found_in(phrase: Phrase, texts: Sequence[str]) -> list[bool]:
    """Return for each of these texts whether a phrase, as it is meant, is in it."""
    book = phrasebook.alone(phrase)
    return [bool(crisis.find(text, book)) for text in texts]


def _listed(row: CrisisPhrase | Record) -> ListedPhrase:
    return ListedPhrase(*(getattr(row, name) for name in ListedPhrase._fields))


async def _refuse_too_many(session: AsyncSession) -> None:
    counted = select(func.count()).where(~col(CrisisPhrase.is_ours), ~col(CrisisPhrase.is_off))
    if (await session.execute(counted)).scalar_one() >= MOST_ADDED:
        raise Invalid(
            f"{MOST_ADDED} phrases are there already. Switch one off first.", "#/text", code="too_many_phrases"
        )


async def _record(work: Work, administrator: Viewer, act: str, phrase: Phrase) -> None:
    """Record the change. The phrase itself stays in its row: no words go into the record."""
    await audit.record(
        work.session,
        actor_id=administrator.id,
        act=act,
        subject=("phrase", phrase.id),
        now=work.now,
        details={"kind": phrase.kind, "level": phrase.level},
    )
