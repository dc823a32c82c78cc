"""Which accounts joined together from one network, noted without keeping any address.

Spammers join in bursts. For a day, each new account has a digest of the network that it came from. Its key is half in
the database, in no backup, and half outside (`secret_key`); the database's half is made anew each day (UTC) and thrown
away an hour after it, so that a burst across midnight is one, too.
So nobody can work out afterwards which network it was, not even by trying all. What stays, and only while an account is
new, is that it was one of several.
"""

import ipaddress
import secrets
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from forum.core import rate_limits
from forum.core.database import Moment, Query, query
from forum.core.secret_key import keyed_digest
from forum.core.work import Work
from forum.members.viewer import Viewer

WITHIN = timedelta(hours=1)
MANY = 5  # accounts: a support group in one room is smaller, or is known
DAY = timedelta(days=1)  # after which no network is kept
KEPT = timedelta(days=30)  # of a burst: whoever is new for longer is told of it no more
KEY_BYTES = 32


class NetworkKey(SQLModel, table=True):
    """The database's half of the key of a day's digests: in no backup, and gone an hour after the day."""

    __tablename__ = "network_key"

    made_on: date = Field(primary_key=True)
    key: bytes


class AccountArrival(SQLModel, table=True):
    """That an account was made, for a day with a digest of its network; longer only where many came together."""

    __tablename__ = "arrival"

    member_id: UUID = Field(primary_key=True, foreign_key="member.id", ondelete="CASCADE")
    joined_at: datetime = Field(sa_type=Moment)
    network: bytes | None = Field(index=True)
    is_burst: bool = False


async def note(work: Work, member_id: UUID, address: str) -> None:
    """Note from which network somebody joined, and mark all who did within the hour, once they are many.

    An address of a private network says nothing: it is that of a proxy which is not believed.
    """
    network = _public_network(address)
    if network is None:
        return
    session, now = work.session, work.now
    key = await _key_of(session, now.date())
    digest, *earlier = (
        keyed_digest(work.settings, "network", one + network.encode())
        for one in (key, *await _keys_before(session, now.date()))
    )
    # Two who join at the same moment would not see each other; who comes from elsewhere does not wait.
    await session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(digest[:8], signed=True))))
    session.add(AccountArrival(member_id=member_id, joined_at=now, network=digest))
    await session.flush()
    together = (col(AccountArrival.network).in_([digest, *earlier]), col(AccountArrival.joined_at) > now - WITHIN)
    if (await session.execute(select(func.count()).where(*together))).scalar_one() >= MANY:
        mark = update(AccountArrival).where(*together).values(is_burst=True)
        await session.execute(mark.execution_options(synchronize_session=False))


async def joined_in_burst(session: AsyncSession, member_id: UUID) -> bool:
    """Return whether a new account is one of many that joined from one network within an hour."""
    marked = select(col(AccountArrival.is_burst)).where(col(AccountArrival.member_id) == member_id)
    return bool((await session.execute(marked)).scalar_one_or_none())


def select_own(viewer: Viewer) -> Query:
    """Return a select of what is kept of how the viewer joined: no address, and no digest of one."""
    return query(
        col(AccountArrival.joined_at), col(AccountArrival.is_burst).label("many_joined_from_your_network")
    ).where(col(AccountArrival.member_id) == viewer.id)


async def forget(session: AsyncSession, now: datetime) -> None:
    """Throw away keys an hour after their day, digests that are a day old, and what is known of old accounts."""
    await session.execute(delete(NetworkKey).where(col(NetworkKey.made_on) < (now - WITHIN).date()))
    is_old = col(AccountArrival.joined_at) <= now - DAY
    await session.execute(delete(AccountArrival).where(is_old, ~col(AccountArrival.is_burst)))
    await session.execute(delete(AccountArrival).where(col(AccountArrival.joined_at) <= now - KEPT))
    await session.execute(
        update(AccountArrival).where(is_old, col(AccountArrival.network).is_not(None)).values(network=None)
    )


def _public_network(address: str) -> str | None:
    try:
        return rate_limits.network(address) if ipaddress.ip_address(address).is_global else None
    except ValueError:
        return None


async def _key_of(session: AsyncSession, day: date) -> bytes:
    this = select(col(NetworkKey.key)).where(col(NetworkKey.made_on) == day)
    if (key := (await session.execute(this)).scalar_one_or_none()) is None:
        made = insert(NetworkKey).values(made_on=day, key=secrets.token_bytes(KEY_BYTES))
        await session.execute(made.on_conflict_do_nothing())  # of two who are first, one makes it
        key = (await session.execute(this)).scalar_one()
    return key


async def _keys_before(session: AsyncSession, day: date) -> list[bytes]:
    """Return the keys of earlier days that are still there: within an hour of midnight, yesterday's."""
    return list((await session.scalars(select(col(NetworkKey.key)).where(col(NetworkKey.made_on) < day))).all())
