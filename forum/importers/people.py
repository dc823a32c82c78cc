"""Carry people over: with names that the forum allows, their address unconfirmed, and a password that it can check.

Nobody gets a role: an old password of a moderator may have leaked long ago. Who was banned stays so for a month, in
which a moderator here decides; who was warned has that on their record. Whoever wrote without an account, or
closed it, becomes a member who has left, so that what they said still has an author. Bots never come.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from asyncpg import UniqueViolationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.old_logins import OldLogin, normalise_old_login
from forum.core.database import Database, new_id
from forum.core.secret_key import keyed_digest
from forum.core.settings import Settings
from forum.importers.copying import copy_rows
from forum.importers.counting import add_counts
from forum.importers.errors import CannotMove
from forum.importers.naming import Namer, NewNames, skeletons_of
from forum.importers.old_moderation import OldBan, OldModeration, RunTime
from forum.importers.plan import Plan
from forum.importers.records import BanRecord, PersonKind, PersonRecord
from forum.importers.staging import Staging
from forum.importers.tables import MovedItem, MovedKind, Was
from forum.members import names
from forum.members.advisers import Adviser
from forum.members.roles import has_role
from forum.members.standing import add_sanction
from forum.members.tables import FORMER, NO_PASSWORD, Member, SpentHandle, Standing
from forum.passwords.hashing import hash_to_store

BATCH = 100  # people in one transaction
DORMANT = timedelta(days=3 * 365)
# Who was there longer ago may have lost the address since, and somebody else may have it.
ADDRESS_COUNTS = timedelta(days=2 * 365)
BANNED_FOR = timedelta(days=30)  # or less: until then, a moderator here decides
NO_ADDRESS = "moved.invalid"  # no mail goes there (RFC 2606)
GUEST, NOBODY = "guest:", "nobody:"  # before what we call somebody who had no id on the old board


# Who wrote on the boards that come, of whom the old board knows no more; whose posts are not here yet; which guests.
_COMING = "FROM post JOIN thread ON thread.old = post.thread WHERE thread.board IN (SELECT value FROM json_each(?)) AND"
_UNKNOWN = f"SELECT DISTINCT author {_COMING} author IS NOT NULL AND author NOT IN (SELECT old FROM person) ORDER BY 1"  # noqa: S608 (ours)
_NOT_HERE = "author IS NOT NULL AND NOT EXISTS (SELECT 1 FROM here WHERE here.kind = 'post' AND here.old = post.old)"
_WRITES = f"SELECT DISTINCT author {_COMING} {_NOT_HERE}"
_GUESTS = f"SELECT DISTINCT json_extract(post.record, '$.author_name') {_COMING} author IS NULL ORDER BY 1"


@dataclass(frozen=True, slots=True)
class Author:
    """Whose posts are whose here."""

    id: UUID
    handle: str | None
    name: str
    called: str = ""  # on the old board
    was_staff: bool = False
    is_recent: bool = False  # they were on the old board in the last two years


@dataclass
class People:
    """Who is who: the member of each old id, and of each name of a guest. Who left here since is nobody any more."""

    by_old: dict[str, Author] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    moved_threads: set[str] = field(default_factory=set)

    def author(self, old: str | None, name: str | None) -> Author:
        """Return who wrote something, by an old id or by the name of a guest."""
        key = key_of(old, name)
        return self.by_old[NOBODY if key in self.gone else key]

    def knows(self, old: str) -> bool:
        """Return whether somebody came here before, or is no longer to come."""
        return old in self.by_old or old in self.gone


@dataclass(frozen=True, slots=True)
class ComingPerson:
    """Somebody who is to come, with the names that they get. Without names, they are a member who has left.

    The record is read once they are written: an old board can have twenty thousand people.
    """

    old: str
    names: NewNames | None
    shown: str
    record: PersonRecord | None = None


async def find_without_old_name(session: AsyncSession, run_id: UUID | None) -> list[tuple[str, str]]:
    """Return the name and the handle of everybody who came with a run and cannot sign in with their old name."""
    came = (
        select(col(Member.name), col(Member.handle))
        .join(OldLogin, col(OldLogin.member_id) == col(Member.id))
        .join(MovedItem, col(MovedItem.member_id) == col(Member.id))
        .where(col(MovedItem.run_id) == run_id, col(OldLogin.login).is_(None), col(Member.handle).is_not(None))
        .order_by(col(Member.handle))
    )
    return [(name, handle) for name, handle in await session.execute(came)]


def key_of(old: str | None, name: str | None) -> str:
    """Return by what somebody is known who wrote a post: their id, the name of a guest, or nothing."""
    if old is not None:
        return old
    folded = " ".join(names.folded(name or "").split())
    return GUEST + folded[:90] if folded else NOBODY


def make_digest(settings: Settings) -> Callable[[PersonRecord], bytes]:
    """Return what makes digests of people's addresses and passwords: with the key that is not in the database.

    Else whoever has the database could try passwords with them, and an old MD5 is guessed a billion times a second.
    """

    def digest(person: PersonRecord) -> bytes:
        return keyed_digest(settings, "moved person", json.dumps([person.email, person.password]).encode())[:16]

    return digest


@dataclass(frozen=True)
class Arrival:
    """Where people arrive, and when."""

    source: str
    run_id: UUID
    now: datetime
    boards: Collection[str]  # which come, by old id: only who wrote there is needed
    forum_name: str
    moderation: OldModeration
    digest_of: Callable[[PersonRecord], bytes]  # by which a later run sees that an address or a password changed

    @property
    def run(self) -> RunTime:
        """The run that brings them, and the time that it gives to what it writes."""
        return RunTime(self.run_id, self.now)


async def find_coming(
    database: Database, staging: Staging, plan: Plan, arrival: Arrival
) -> tuple[People, list[ComingPerson]]:
    """Return who came before, and everybody who is to come."""
    people = People()
    async with database.work() as session:
        await _note_moved(session, arrival.source, people)
        namer = await _namer(session, arrival.source, arrival.forum_name)
    return people, _choose(staging, plan, people, arrival, namer)


async def carry_people(
    database: Database,
    staging: Staging,
    plan: Plan,
    arrival: Arrival,
    *,
    seen: Callable[[int], None] = lambda _people: None,
) -> People:
    """Make a member of everybody who is not here yet, in batches, and return who is who.

    `seen` is told of each batch. Whoever is killed midway goes on with the next batch.
    """
    people, coming = await find_coming(database, staging, plan, arrival)
    now = arrival.now
    bans = bans_in_force(staging, now)
    logins = await _known_logins(database, coming)
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="old-passwords") as threads:
        for first in range(0, len(coming), BATCH):
            batch = _with_records(staging, coming[first : first + BATCH])
            stored = await _hash_all(threads, batch)
            rows = [_member_row(one, hashed, now) for one, hashed in zip(batch, stored, strict=True)]
            try:
                async with database.work() as session:
                    await _write(session, batch, rows, arrival, logins)
                    await ban(session, zip(batch, rows, strict=True), bans, arrival)
            except UniqueViolationError as error:
                raise CannotMove(
                    "Somebody joined a moment ago under a name that was to move. Start the import again: it goes on."
                ) from error
            for one, row in zip(batch, rows, strict=True):
                people.by_old[one.old] = Author(row["id"], row["handle"], row["name"])
            seen(len(batch))
    _say_who_they_were(staging, people, now)
    return people


def _say_who_they_were(staging: Staging, people: People, now: datetime) -> None:
    for person in staging.people():
        if author := people.by_old.get(person.old):
            is_recent = person.what == PersonKind.MEMBER and was_there_since(person, now - ADDRESS_COUNTS)
            people.by_old[person.old] = replace(
                author, called=person.name, was_staff=bool(person.was), is_recent=is_recent
            )


# Who comes


def _choose(staging: Staging, plan: Plan, people: People, arrival: Arrival, namer: Namer) -> list[ComingPerson]:
    """Return everybody who comes and is not here yet, with their names: those first who wrote most."""
    boards = json.dumps([*arrival.boards])
    namer.old_staff = skeletons_of(person.name for person in staging.people() if person.was)
    found: list[ComingPerson] = []
    for person, posts in staging.people_by_posts(arrival.boards):
        if people.knows(person.old):
            continue
        match person.what:
            case PersonKind.MEMBER if plan.dormant == "take" or posts or was_there_since(person, arrival.now - DORMANT):
                handle = person.login if staging.source.has_handles else None
                given = namer.name_member(person.old, person.name, was_staff=bool(person.was), handle=handle)
                found.append(ComingPerson(person.old, given, given.name))
            case PersonKind.INACTIVE if posts:
                found.append(ComingPerson(person.old, None, namer.name_former(person.name)))
            case PersonKind.GUEST if posts:
                found.append(ComingPerson(person.old, None, namer.name_guest(person.name)))
            case _ if posts:
                found.append(ComingPerson(person.old, None, FORMER))
            case _:
                pass  # nobody who reads here would miss them
    unknown = staging.connection.execute(_UNKNOWN, (boards,))
    missing = [ComingPerson(old, None, FORMER) for (old,) in unknown]
    guests = dict[str, ComingPerson]()
    for (name,) in staging.connection.execute(_GUESTS, (boards,)).fetchall():
        key = key_of(None, name)
        guests.setdefault(key, ComingPerson(key, None, namer.name_guest(name) if key != NOBODY else FORMER))
    writing = staging.connection.execute(_WRITES, (boards,)) if people.gone else []
    if any(author in people.gone for (author,) in writing):
        guests.setdefault(NOBODY, ComingPerson(NOBODY, None, FORMER))
    return [one for one in (*found, *missing, *guests.values()) if not people.knows(one.old)]


def _with_records(staging: Staging, batch: Sequence[ComingPerson]) -> Sequence[ComingPerson]:
    records = staging.some_people([one.old for one in batch if one.names])
    return [replace(one, record=records.get(one.old)) for one in batch]


def was_there_since(person: PersonRecord, moment: datetime) -> bool:
    """Return whether somebody was on the old board since then."""
    last = person.last_seen_at or person.joined_at
    return last is not None and last >= moment


async def _note_moved(session: AsyncSession, source: str, people: People) -> None:
    """Note who came before. Who has left since has no name any more, and nothing new is theirs."""
    here = (
        select(col(MovedItem.old), col(Member.id), col(Member.handle), col(Member.name))
        .outerjoin(Member, col(Member.id) == col(MovedItem.member_id))
        .where(col(MovedItem.source) == source, col(MovedItem.kind) == MovedKind.PERSON)
    )
    for row in (await session.execute(here)).all():
        if row.id:
            people.by_old[row.old] = Author(row.id, row.handle, row.name)
        else:
            people.gone.add(row.old)
    threads = select(col(MovedItem.old)).where(col(MovedItem.source) == source, col(MovedItem.kind) == MovedKind.THREAD)
    people.moved_threads |= set((await session.execute(threads)).scalars())


async def _namer(session: AsyncSession, source: str, forum_name: str) -> Namer:
    taken = select(col(Member.skeleton)).where(col(Member.skeleton).is_not(None))
    moved = select(col(MovedItem.member_id)).where(
        col(MovedItem.source) == source, col(MovedItem.member_id).is_not(None)
    )
    staff = (
        select(col(Member.handle), col(Member.name), col(Member.title))
        .add_columns(col(Adviser.title).label("adviser_title"), col(Adviser.organisation))
        .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
        .where(or_(has_role(), col(Member.title).is_not(None), col(Adviser.title).is_not(None)))
        .where(col(Member.id).not_in(moved))
    )
    official = skeletons_of(text for row in await session.execute(staff) for text in row)
    spent = frozenset((await session.execute(select(col(SpentHandle.digest)))).scalars())
    here = set((await session.execute(taken)).scalars())
    return Namer(taken=here, spent=spent, staff=official, forum=names.skeleton(forum_name))


@dataclass(frozen=True)
class KnownLogins:
    """What opens accounts: names from old boards, and handles. At the sign-in a handle counts before any name."""

    logins: set[str]
    handles: frozenset[str]

    def take(self, names_of: NewNames, login: str) -> str | None:
        """Return what somebody typed to sign in, for them; None where it leads to somebody else."""
        is_taken = login in self.logins or (login in self.handles and login != names_of.handle)
        if not login or is_taken:
            return None
        self.logins.add(login)
        return login


async def _known_logins(database: Database, coming: Sequence[ComingPerson]) -> KnownLogins:
    async with database.work() as session:
        logins = (await session.execute(select(col(OldLogin.login)).where(col(OldLogin.login).is_not(None)))).scalars()
        handles = (await session.execute(select(col(Member.handle)).where(col(Member.handle).is_not(None)))).scalars()
        return KnownLogins(
            {login for login in logins if login},
            frozenset([*handles, *(one.names.handle for one in coming if one.names)]),
        )


# What is written


async def _hash_all(threads: ThreadPoolExecutor, batch: Sequence[ComingPerson]) -> Sequence[str]:
    """Return what to store as each one's password, beside the event loop."""
    loop = asyncio.get_running_loop()
    olds = [(one.record.password if one.record and one.names else None) or "" for one in batch]
    return await asyncio.gather(*(loop.run_in_executor(threads, partial(stored_hash, old)) for old in olds))


def stored_hash(old: str) -> str:
    """Return what to store as a password, for a hash from an old board."""
    return hash_to_store(old) or NO_PASSWORD


def _member_row(one: ComingPerson, hashed: str, now: datetime) -> dict[str, Any]:
    joined = (one.record and one.record.joined_at) or now
    row: dict[str, Any] = {
        **dict.fromkeys(("title", "email_verified_at", "wanted_email", "rules_version", "least_age")),
        **dict.fromkeys(("handle_changed_at", "handle", "skeleton", "email")),
        "id": new_id(),
        "name": one.shown,
        "name_skeleton": "",
        "password_hash": NO_PASSWORD,
        "staff_password": False,
        "joined_at": _to_the_month(now),
        "caught_up_at": now,
        "left_at": now,
    }
    if one.names and one.record:
        row |= {
            "handle": one.names.handle,
            "skeleton": one.names.skeleton,
            "name_skeleton": names.skeleton(one.shown),
            "email": address_of(one.record) or f"{one.names.handle}@{NO_ADDRESS}",
            "password_hash": hashed,
            "joined_at": min(joined, now),
            "left_at": None,
        }
    return row


def address_of(person: PersonRecord) -> str | None:
    """Return somebody's address, if it is one."""
    try:
        return validate_email(person.email or "", check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def _to_the_month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


async def _write(
    session: AsyncSession,
    batch: Sequence[ComingPerson],
    rows: Sequence[dict[str, Any]],
    arrival: Arrival,
    known: KnownLogins,
) -> None:
    source, run_id = arrival.source, arrival.run_id
    await copy_rows(session, Member, rows)
    ids = [row["id"] for row in rows]
    logins = [*_logins(zip(batch, ids, strict=True), known, arrival.now)]
    await copy_rows(session, OldLogin, logins)
    moved = [
        {
            "source": source,
            "kind": MovedKind.PERSON.value,
            "old": one.old,
            "member_id": member_id,
            "digest": arrival.digest_of(one.record) if one.record and one.names else None,
            "run_id": run_id,
        }
        for one, member_id in zip(batch, ids, strict=True)
    ]
    await copy_rows(session, MovedItem, moved)
    unlike = sum(row["login"] is None for row in logins)
    await add_counts(session, run_id, _count(batch, rows) + Counter(without_old_name=unlike))


def bans_in_force(staging: Staging, now: datetime) -> Mapping[str, BanRecord]:
    """Return who is banned on the old board, by old id."""
    return {one.person: one for one in staging.others(BanRecord) if one.until is None or one.until > now}


async def ban(
    session: AsyncSession,
    batch: Iterator[tuple[ComingPerson, dict[str, Any]]],
    bans: Mapping[str, BanRecord],
    arrival: Arrival,
) -> None:
    """Keep those shut out who were banned, with a decision and a say, as everybody has them here."""
    now, latest, kept = arrival.now, arrival.now + BANNED_FOR, list[OldBan]()
    for one, row in batch:
        if one.names and (record := bans.get(one.old)):
            until = min(record.until or latest, latest)
            sanction = await add_sanction(session, row["id"], Standing.BANNED, now, until)
            since = min(record.since or now, now)
            kept.append(OldBan(row["id"], sanction.id, since, until, record.reason, record.note))
    if kept:
        await arrival.moderation.keep_bans(session, arrival.run, kept)
        moved = update(MovedItem).where(col(MovedItem.member_id).in_([one.member_id for one in kept]))
        await session.execute(moved.values(was=Was.BANNED))
        await add_counts(session, arrival.run_id, {"banned": len(kept)})


def _logins(batch: Iterator[tuple[ComingPerson, UUID]], known: KnownLogins, now: datetime) -> Iterator[dict[str, Any]]:
    """Give what each one typed to sign in, where it leads to nobody else; and whether mail may go to their address."""
    for one, member_id in batch:
        if one.record is None or one.names is None:
            continue
        login = known.take(one.names, normalise_old_login(one.record.login or one.record.name))
        has_address = was_there_since(one.record, now - ADDRESS_COUNTS) and address_of(one.record) is not None
        yield {"login": login, "member_id": member_id, "may_reset_by_mail": has_address}


def _count(batch: Sequence[ComingPerson], rows: Sequence[dict[str, Any]]) -> Counter[str]:
    counts = Counter[str]()
    for one, row in zip(batch, rows, strict=True):
        if one.record is None or one.names is None:
            counts["guests"] += 1
            continue
        known_as = {normalise_old_login(name) for name in (one.record.name, one.record.login) if name}
        is_changed = one.shown != one.record.name or one.names.handle not in known_as
        counts += Counter(
            members=1,
            renamed=is_changed,
            without_password=row["password_hash"] == NO_PASSWORD,
            without_address=row["email"].endswith(f"@{NO_ADDRESS}"),
        )
    return counts
