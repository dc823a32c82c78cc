"""Tell the members of an old board that it moved: one letter to each, ever, that says nothing of what board it was.

It goes to those whose address mail may reach, as they were on the old board in the two years before the move. Who
signed in here already knows it, and who is shut out is not invited.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core import audit
from forum.core.clock import now as clock_now
from forum.core.database import Database
from forum.core.settings import Settings
from forum.importers.errors import CannotMove
from forum.importers.run import NOT_SET, alone, find_unfinished, refuse_undoing
from forum.importers.signed_in import SIGNED_IN
from forum.mail import outbox
from forum.mail.tables import MailKind

AT_ONCE = 100  # letters in one transaction

_STATES = f"""
SELECT old_login.member_id, member.email, CASE
    WHEN told_at IS NOT NULL THEN 'told'
    WHEN {SIGNED_IN} THEN 'here'
    WHEN NOT may_reset_by_mail THEN 'unreached'
    WHEN EXISTS (
        SELECT FROM sanction WHERE sanction.member_id = member.id AND standing IN ('suspended', 'banned')
            AND (until IS NULL OR until > :now)
    ) THEN 'shut_out'
    ELSE 'due'
END AS state
FROM old_login JOIN member ON member.id = old_login.member_id JOIN moved ON moved.member_id = member.id
WHERE left_at IS NULL
"""  # noqa: S608 (ours)
_COUNTED = text(f"SELECT state, count(*) FROM ({_STATES}) AS known GROUP BY state")  # noqa: S608 (ours)
_DUE = text(
    f"SELECT member_id, email FROM ({_STATES}) AS known WHERE state = 'due' ORDER BY member_id LIMIT :most"  # noqa: S608
)
_NOTE = text(
    "UPDATE old_login SET told_at = :now WHERE member_id = ANY (:members) AND told_at IS NULL RETURNING member_id"
)


class Addressees(NamedTuple):
    """How many of those who moved get the letter, and how many do not."""

    due: int
    told: int  # before
    here: int  # they signed in already
    unreached: int  # mail may not go to their address
    shut_out: int


async def count_addressees(session: AsyncSession, now: datetime) -> Addressees:
    """Return how many get the letter, and how many do not, and why."""
    counted = {state: int(count) for state, count in await session.execute(_COUNTED, {"now": now})}
    return Addressees(*(counted.get(state, 0) for state in Addressees._fields))


async def tell_members(database: Database, settings: Settings) -> Addressees:
    """Queue the letter to each member who is to get it, and return how many they were.

    Each batch is one transaction, with the mark that they were told: who is killed midway goes on with the next. Raises
    CannotMove while an import is not ended or is being taken back, and where the letter's link would lead nowhere.
    """
    if settings.public_url == NOT_SET:
        raise CannotMove("Set FORUM_PUBLIC_URL first: the letter has a link to the forum.")
    async with alone(database):
        async with database.work() as session:
            await refuse_undoing(session)
            if unfinished := await find_unfinished(session):
                raise CannotMove(f"The import of {unfinished.source} was not ended. Run it to its end first.")
            found = await count_addressees(session, clock_now())
        while await tell_some(database):
            pass
        if found.due:
            async with database.work() as session:
                details: audit.Details = {"letters": found.due}
                subject, now = ("import", "members"), clock_now()
                await audit.record(session, actor_id=None, act="import.told", subject=subject, now=now, details=details)
    return found


async def tell_some(database: Database) -> bool:
    """Queue some letters, and return whether there were any to queue."""
    now = clock_now()
    async with database.work() as session:
        due = (await session.execute(_DUE, {"now": now, "most": AT_ONCE})).all()
        noted = await session.execute(_NOTE, {"now": now, "members": [row.member_id for row in due]})
        told = set(noted.scalars())
        for row in due:
            if row.member_id in told:
                await outbox.enqueue(session, MailKind.MOVED, now, member_id=row.member_id, email=row.email)
    return bool(due)
