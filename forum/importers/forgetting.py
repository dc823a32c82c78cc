"""Forget what only later runs of an import need, and how people signed in on an old board who never did so here.

An old password may have leaked years ago: whoever tries it should not find an account behind it for ever. A year after
they moved, who never signed in here asks for a new password by mail. Where mail does not reach them, they write to the
charity, which can give their account another address.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.core import audit
from forum.importers.signed_in import SIGNED_IN
from forum.importers.tables import ImportRun, RunState

KEPT_FOR = timedelta(days=365)
AT_ONCE = 10_000

# Whoever signs in here, or chooses a password by mail, keeps it. Where mail does not reach somebody, the row stays
# without its name: it says that none may go to their address.
_LOGINS = text(f"""
WITH due AS (
    SELECT member.id FROM moved
    JOIN member ON member.id = moved.member_id
    JOIN old_login ON old_login.member_id = member.id
    WHERE moved.run_id = :run AND moved.kind = 'person'
        AND (login IS NOT NULL OR may_reset_by_mail OR password_hash <> '')
        AND NOT {SIGNED_IN}
    LIMIT :most FOR UPDATE OF member, old_login
), closed AS (
    UPDATE member SET password_hash = '' FROM due WHERE member.id = due.id AND password_hash <> ''
), nameless AS (
    UPDATE old_login SET login = NULL FROM due WHERE member_id = due.id AND NOT may_reset_by_mail
), gone AS (
    DELETE FROM old_login USING due WHERE member_id = due.id AND may_reset_by_mail
)
SELECT count(*) FROM due
""")  # noqa: S608 (ours)
_MARKS = text("""
WITH due AS (
    SELECT old, kind, source FROM moved WHERE run_id = :run AND digest IS NOT NULL LIMIT :most FOR UPDATE
), gone AS (
    UPDATE moved SET digest = NULL FROM due
    WHERE (moved.old, moved.kind, moved.source) = (due.old, due.kind, due.source)
)
SELECT count(*) FROM due
""")


class Forgotten(NamedTuple):
    """How much was forgotten."""

    logins: int  # people who can no longer sign in as on the old board
    marks: int  # digests of what something was on the old board


async def forget(session: AsyncSession, now: datetime, *, ended_before: datetime) -> Forgotten | None:
    """Forget a part of what a run of so long ago left, some thousands of rows; None where nothing is left of any."""
    due = select(ImportRun).where(
        col(ImportRun.state) == RunState.ENDED,
        col(ImportRun.ended_at) <= ended_before,
        col(ImportRun.forgotten_at).is_(None),
    )
    oldest = due.order_by(col(ImportRun.ended_at)).limit(1).with_for_update(skip_locked=True)
    run = (await session.execute(oldest)).scalar()
    if run is None:
        return None
    some = {"run": run.id, "most": AT_ONCE}
    logins = (await session.execute(_LOGINS, some)).scalar_one()
    marks = (await session.execute(_MARKS, some)).scalar_one()
    if not logins and not marks:
        run.forgotten_at = now
        await session.flush()
        await audit.record(session, actor_id=None, act="import.forgotten", subject=("import", run.id), now=now)
    return Forgotten(logins, marks)


async def forget_old(session: AsyncSession, now: datetime) -> None:
    """Forget a part of what a run of a year ago left, if anything is left."""
    await forget(session, now, ended_before=now - KEPT_FOR)
