"""What everybody may pass on: the charity's own numbers and addresses, and the names of public figures."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import UniqueConstraint, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import audit
from forum.core.database import Moment, Record, columns, query
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.work import Work
from forum.members.viewer import Viewer
from moderation.permissions import ModerationAct, allow

WORDS_MAX, NOTE_MAX = 200, 300
KNOWN_MAX = 1000  # a charity has a page of them
_NOT_COMPARED = re.compile(r"[\W_]+")


class KnownDetail(SQLModel, table=True):
    """A number, address or name that nobody is asked about."""

    __tablename__ = "known_detail"
    __table_args__ = (UniqueConstraint("compared"),)

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    words: str
    compared: str = Field(description="The words without case, spaces and punctuation")
    note: str | None = None
    added_at: datetime = Field(sa_type=Moment)
    added_by: UUID = Field(foreign_key="member.id")


def compared(words: str) -> str:
    """Return words as they are compared: a number is the same however it is grouped, and with +44 for its 0."""
    plain = _NOT_COMPARED.sub("", words).casefold()
    return f"0{plain[2:].removeprefix('0')}" if words.strip().startswith("+44") else plain


async def find_known(session: AsyncSession, words: Collection[str]) -> set[str]:
    """Return which of these, as they are compared, everybody may pass on."""
    known = select(col(KnownDetail.compared)).where(col(KnownDetail.compared).in_(set(words)))
    return set((await session.execute(known)).scalars())


async def list_known(work: Work, administrator: Viewer) -> Sequence[Record]:
    """Return every entry, by its words. Raises Forbidden."""
    allow(ModerationAct.SET_DETAILS, administrator)
    listed = query(*columns(KnownDetail)).order_by(func.lower(KnownDetail.words), col(KnownDetail.id))
    return (await work.session.execute(listed)).all()


async def add_known(work: Work, administrator: Viewer, words: str, note: str | None) -> KnownDetail:
    """Let everybody pass on these words. Idempotent: the same words again are the same entry.

    Raises Forbidden, Invalid for words without a letter or digit, and Conflict for too many.
    """
    allow(ModerationAct.SET_DETAILS, administrator)
    same = compared(words)
    if not same:
        raise Invalid("Give a number, an address or a name.", "#/words", code="blank")
    count = select(func.count()).select_from(KnownDetail)
    if (await work.session.execute(count)).scalar_one() >= KNOWN_MAX:
        raise Conflict(f"There are {KNOWN_MAX} entries. Take one off first.", code="too_many_known_details")
    row = KnownDetail(words=words, compared=same, note=note, added_at=work.now, added_by=administrator.member_id)
    added = insert(KnownDetail).values(row.model_dump()).on_conflict_do_nothing(index_elements=["compared"])
    if (await work.session.execute(added.returning(col(KnownDetail.id)))).scalar_one_or_none():
        await _record(work, administrator, "detail.known", row.id)
    found = select(KnownDetail).where(col(KnownDetail.compared) == same)
    return (await work.session.execute(found)).scalar_one()


async def forget_known(work: Work, administrator: Viewer, detail_id: UUID) -> None:
    """Have members be asked about these words again. Raises Forbidden and NotFound."""
    allow(ModerationAct.SET_DETAILS, administrator)
    this = delete(KnownDetail).where(col(KnownDetail.id) == detail_id).returning(col(KnownDetail.id))
    if (await work.session.execute(this)).first() is None:
        raise NotFound("There is no such entry.", code="known_detail_not_found")
    await _record(work, administrator, "detail.forgotten", detail_id)


async def _record(work: Work, administrator: Viewer, act: str, detail_id: UUID) -> None:
    subject = ("known_detail", detail_id)
    await audit.record(work.session, actor_id=administrator.id, act=act, subject=subject, now=work.now)
