"""People who moved before, as a newer dump has them: another address or password, or a ban.

Whoever has signed in here decides themselves what their address and password are: nothing of them is changed. And no
dump shuts out who works here, perhaps the last administrator: they are listed, and people decide.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.old_logins import OldLogin
from forum.core.database import Database
from forum.importers.counting import add_counts
from forum.importers.delta.steps import KeptHere, Reason
from forum.importers.naming import NewNames
from forum.importers.people import (
    ADDRESS_COUNTS,
    BATCH,
    NO_ADDRESS,
    Arrival,
    ComingPerson,
    address_of,
    ban,
    bans_in_force,
    stored_hash,
    was_there_since,
)
from forum.importers.records import BanRecord, PersonRecord
from forum.importers.signed_in import HAS_SIGNED_IN
from forum.importers.staging import Staging
from forum.importers.tables import ImportRun, MovedItem, MovedKind, Was
from forum.members.roles import has_role
from forum.members.tables import Member


@dataclass(frozen=True)
class ChangedPerson:
    """Somebody who moved before, and what of them changed on the old board."""

    member_id: UUID
    handle: str
    record: PersonRecord
    digest: bytes
    is_other: bool  # their address or password
    is_banned: bool | None  # None: as before
    is_decided: bool  # their ban came before bans were noted: whether it was lifted here, nobody knows any more


async def find_changed_people(session: AsyncSession, staging: Staging, arrival: Arrival) -> list[ChangedPerson]:
    """Return those of whom something is to be changed here."""
    here = await _read_people(session, arrival)
    bans = bans_in_force(staging, arrival.now)
    found = []
    for record in staging.people():
        if (row := here.get(record.old)) is None:
            continue
        digest = arrival.digest_of(record)
        is_other = row.digest is not None and row.digest != digest and not row.has_signed_in
        was_banned = row.was == Was.BANNED
        is_banned = record.old in bans and (was_banned or not row.is_staff)
        if is_other or was_banned != is_banned:
            changed = None if was_banned == is_banned else is_banned
            is_decided = bool(changed) and not row.noted_bans and _came_before(bans[record.old], row.started_at)
            found.append(ChangedPerson(row.id, row.handle, record, digest, is_other, changed, is_decided))
    return found


async def find_banned_staff(
    session: AsyncSession, staging: Staging, which: ColumnElement[bool], now: datetime
) -> list[KeptHere]:
    """Return who was banned on the old board since they moved, and is not banned here, because they work here."""
    working = (
        select(col(MovedItem.old), col(Member.handle))
        .join(Member, col(Member.id) == col(MovedItem.member_id))
        .where(which, col(MovedItem.kind) == MovedKind.PERSON, has_role())
        .where(col(MovedItem.was).is_distinct_from(Was.BANNED))
        .order_by(col(Member.handle))
    )
    bans = bans_in_force(staging, now)
    found = [(old, handle) for old, handle in await session.execute(working) if old in bans]
    return [KeptHere(MovedKind.PERSON, old, f"/moderation/members/{handle}", Reason.STAFF) for old, handle in found]


async def carry_changed_people(
    database: Database, staging: Staging, arrival: Arrival, changed: Sequence[ChangedPerson]
) -> None:
    """Give these people their new addresses and passwords, where they have still not signed in; and their bans."""
    bans = bans_in_force(staging, arrival.now)
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="old-passwords") as threads:
        for first in range(0, len(changed), BATCH):
            batch = changed[first : first + BATCH]
            hashes = await _hash_all(threads, batch)
            async with database.work() as session:
                others = [one for one in batch if one.is_other]
                still = await _lock_strangers(session, [one.member_id for one in others])
                for one in others:
                    if one.member_id in still:
                        await _renew(session, one, hashes[one.member_id], arrival)
                await add_counts(session, arrival.run_id, {"renewed": len(still)})
                await _ban_or_note(session, batch, bans, arrival)


def _came_before(ban: BanRecord, moment: datetime) -> bool:
    return ban.since is not None and ban.since < moment


async def _read_people(session: AsyncSession, arrival: Arrival) -> dict[str, Any]:
    # Runs that noted of threads where they stood noted bans, too; the earliest ones noted neither.
    noting = select(col(MovedItem.run_id)).where(
        col(MovedItem.kind) == MovedKind.THREAD, col(MovedItem.stood_on).is_not(None)
    )
    people = (
        select(col(MovedItem.old), col(MovedItem.digest), col(MovedItem.was), col(Member.id), col(Member.handle))
        .add_columns(
            HAS_SIGNED_IN.label("has_signed_in"),
            has_role().label("is_staff"),
            col(MovedItem.run_id).in_(noting).label("noted_bans"),
            col(ImportRun.started_at),
        )
        .join(Member, col(Member.id) == col(MovedItem.member_id))
        .join(ImportRun, col(ImportRun.id) == col(MovedItem.run_id))
        .where(
            col(MovedItem.source) == arrival.source,
            col(MovedItem.kind) == MovedKind.PERSON,
            col(Member.left_at).is_(None),
        )
    )
    return {row.old: row for row in await session.execute(people)}


async def _hash_all(threads: ThreadPoolExecutor, batch: Sequence[ChangedPerson]) -> dict[UUID, str]:
    loop = asyncio.get_running_loop()
    others = [one for one in batch if one.is_other]
    hashed = (loop.run_in_executor(threads, partial(stored_hash, one.record.password or "")) for one in others)
    return dict(zip((one.member_id for one in others), await asyncio.gather(*hashed), strict=True))


async def _lock_strangers(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Lock the rows of those who have not signed in, and return their ids."""
    found = (
        select(col(Member.id))
        .join(MovedItem, col(MovedItem.member_id) == col(Member.id))
        .where(col(Member.id).in_(ids), col(Member.left_at).is_(None), ~HAS_SIGNED_IN)
        .order_by(col(Member.id))
        .with_for_update(key_share=True, of=Member)
    )
    return set((await session.execute(found)).scalars())


async def _lock_all_but_staff(session: AsyncSession, ids: Sequence[UUID]) -> set[UUID]:
    """Lock the rows of those who have no role, so that nobody gives them one meanwhile, and return their ids."""
    locked = select(col(Member.id)).where(col(Member.id).in_(ids)).order_by(col(Member.id))
    await session.execute(locked.with_for_update(key_share=True))
    return set((await session.execute(locked.where(~has_role()))).scalars())


async def _renew(session: AsyncSession, one: ChangedPerson, hashed: str, arrival: Arrival) -> None:
    address = address_of(one.record)
    new = {"email": address or f"{one.handle}@{NO_ADDRESS}", "password_hash": hashed}
    await session.execute(update(Member).where(col(Member.id) == one.member_id).values(**new))
    counts = address is not None and was_there_since(one.record, arrival.now - ADDRESS_COUNTS)
    login = update(OldLogin).where(col(OldLogin.member_id) == one.member_id)
    await session.execute(login.values(may_reset_by_mail=counts))
    await session.execute(_moved(arrival, one).values(digest=one.digest))


async def _ban_or_note(
    session: AsyncSession, batch: Sequence[ChangedPerson], bans: Mapping[str, BanRecord], arrival: Arrival
) -> None:
    shut_out = await _lock_all_but_staff(session, [one.member_id for one in batch if one.is_banned])
    banned = (
        (ComingPerson(one.record.old, NewNames(one.handle, "", ""), "", one.record), {"id": one.member_id})
        for one in batch
        if one.member_id in shut_out and not one.is_decided
    )
    await ban(session, banned, bans, arrival)
    for one in batch:
        if one.is_banned is False:  # moderators here decide how long it lasts; but the next one is a new one
            await session.execute(_moved(arrival, one).values(was=None))
        elif one.is_decided:
            await session.execute(_moved(arrival, one).values(was=Was.BANNED))


def _moved(arrival: Arrival, one: ChangedPerson) -> Any:
    this = (col(MovedItem.source) == arrival.source, col(MovedItem.kind) == MovedKind.PERSON)
    return update(MovedItem).where(*this, col(MovedItem.old) == one.record.old)
