"""Setting up a second factor, taking another, doing without; each time, every other session ends and a mail says so."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import sessions
from forum.authentication.second_factor import passkeys, webauthn
from forum.authentication.second_factor import recovery_codes as second_factor_recovery_codes
from forum.authentication.second_factor import totp as second_factor_totp
from forum.authentication.second_factor.tables import Passkey, Purpose, RecoveryCode, Totp, get_state, is_set_up
from forum.authentication.second_factor.webauthn import Credential, Party
from forum.core import audit
from forum.core.database import Database, broken_constraint
from forum.core.errors import Conflict, Invalid, NotFound
from forum.mail import outbox
from forum.members.queries import lock_member_row
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.passwords import hashing

NONE = "You have no second factor set up."
NOT_ASKED_FOR = "This passkey is not what was asked for, or it took too long. Please begin again."


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs: the secret, and the same as an address that it reads."""

    secret: str
    uri: str


@dataclass(frozen=True)
class Added:
    """A new passkey, and the recovery codes, told once, where it is the first second factor."""

    passkey: Passkey
    recovery_codes: Sequence[str] | None


async def begin(session: AsyncSession, viewer: Viewer, name: str) -> Enrolment:
    """A new secret, which counts once a code of it was shown; until then, the one before it does.

    `name` is what the app shows beside its codes. Somebody else may look at the phone, so it is neither the forum's
    nor the member's.
    """
    await lock_member_row(session, viewer.member_id)
    totp = await session.get(Totp, viewer.member_id) or Totp(member_id=viewer.member_id)
    totp.next_secret = second_factor_totp.new_secret()
    session.add(totp)
    return Enrolment(totp.next_secret, second_factor_totp.uri(totp.next_secret, name))


async def confirm(forum: Database, viewer: Viewer, code: str, now: datetime) -> Sequence[str]:
    """Take the new secret, of which `code` is; the recovery codes, told once. It takes the database as
    `signing_in.sign_in` does.

    From now on this session has shown a second factor. Raises Conflict where no secret was asked for, and Invalid for
    a wrong code.
    """
    paper, hashes = await _new_on_paper()
    async with forum.work() as session:
        member = await lock_member_row(session, viewer.member_id)
        totp = await session.get(Totp, member.id)
        if totp is None or totp.next_secret is None:
            raise Conflict("Ask for a secret first, with POST /api/v1/me/second-factor.")
        step = second_factor_totp.step_of(totp.next_secret, code, now)
        if step is None:
            raise Invalid("This code is not the one that the app shows now. Is the phone's clock right?", "#/code")
        totp.secret, totp.since, totp.last_step, totp.next_secret = totp.next_secret, now, step, None
        await _keep(session, member.id, hashes)
        await sessions.mark(session, viewer, second_factor=True)
        await _changed(session, viewer, member, now)
    return paper


async def renew(forum: Database, viewer: Viewer, now: datetime) -> Sequence[str]:
    """Other recovery codes, told once; the earlier ones open nothing. NotFound where no second factor is set up. It
    takes the database as `signing_in.sign_in` does.
    """
    paper, hashes = await _new_on_paper()
    async with forum.work() as session:
        member = await lock_member_row(session, viewer.member_id)
        if not await is_set_up(session, member.id):
            raise NotFound(NONE)
        await _keep(session, member.id, hashes)
        await outbox.enqueue_sign_in_changed(session, member, now)
    return paper


async def add_passkey(
    forum: Database, viewer: Viewer, name: str, credential: Credential, party: Party, now: datetime
) -> Added:
    """Take the passkey that a device of the viewer's has made. It takes the database as `signing_in.sign_in` does.

    From now on this session has shown a second factor. Raises Invalid when anything about it is not as it was asked
    for, and Conflict when it is known here, or the rest of the second factor was removed at the same moment.
    """
    challenge = await passkeys.opened(forum, credential, Purpose.REGISTRATION, now)
    asked = webauthn.challenge_of(credential) or b""
    made = webauthn.made(credential, asked, party) if challenge and challenge.member_id == viewer.id else None
    if challenge is None or made is None:
        raise Invalid(NOT_ASKED_FOR, "#/credential")
    async with forum.work() as session:
        first = not await is_set_up(session, viewer.member_id)
    paper, hashes = await _new_on_paper() if first else ([], [])
    async with forum.work() as session:
        member = await lock_member_row(session, viewer.member_id)
        is_first = not await is_set_up(session, member.id)
        if is_first and not first:
            raise Conflict("Your second factor was removed a moment ago. Please begin again.")
        passkey = Passkey(
            member_id=member.id, user_handle=challenge.user_handle, name=name, created_at=now, **asdict(made)
        )
        await _insert(session, passkey)
        if is_first:
            await _keep(session, member.id, hashes)
        await sessions.mark(session, viewer, second_factor=True)
        await _changed(session, viewer, member, now)
    return Added(passkey, paper if is_first else None)


async def remove_passkey(session: AsyncSession, viewer: Viewer, passkey_id: UUID, now: datetime) -> None:
    """Do without one passkey; the recovery codes go with the last second factor. NotFound when there is none such."""
    member = await lock_member_row(session, viewer.member_id)
    this = delete(Passkey).where(col(Passkey.id) == passkey_id, col(Passkey.member_id) == member.id)
    if (await session.execute(this.returning(col(Passkey.id)))).first() is None:
        raise NotFound("You have no such passkey.")
    await _one_less(session, viewer, member, now)


async def remove_app(session: AsyncSession, viewer: Viewer, now: datetime) -> None:
    """Do without the authenticator app; the recovery codes go with the last second factor. NotFound where there is
    none.
    """
    member = await lock_member_row(session, viewer.member_id)
    if (await get_state(session, member.id)).app_since is None:
        raise NotFound("You have no authenticator app set up.")
    await session.execute(delete(Totp).where(col(Totp.member_id) == member.id))
    await _one_less(session, viewer, member, now)


async def remove(session: AsyncSession, viewer: Viewer, now: datetime) -> None:
    """Do without any second factor; roles are withheld from then on. NotFound where none is set up."""
    member = await lock_member_row(session, viewer.member_id)
    if not await is_set_up(session, member.id):
        raise NotFound(NONE)
    await _forget(session, member.id)
    await sessions.mark(session, viewer, second_factor=False)
    await _changed(session, viewer, member, now)


async def reset(session: AsyncSession, member: Member, now: datetime, *, by: UUID | None = None) -> None:
    """Take the second factor of a member away who lost it, and end their sessions; they are told, and it is written
    into the record. NotFound where none is set up.
    """
    if not await is_set_up(session, member.id):
        raise NotFound(f"{member.handle} has no second factor set up.")
    await _forget(session, member.id)
    await sessions.end_all(session, member.id)
    await outbox.enqueue_sign_in_changed(session, member, now)
    await audit.record(session, actor_id=by, act="second_factor.reset", subject=("member", member.id), now=now)


async def _new_on_paper() -> tuple[Sequence[str], Sequence[str]]:
    """New recovery codes as they are written down, and what is kept of them, in their order."""
    paper = second_factor_recovery_codes.new_recovery_codes()
    hashes = [await hashing.hash_made(code.secret) for code in paper]
    return [str(code) for code in paper], hashes


async def _keep(session: AsyncSession, member_id: UUID, hashes: Sequence[str]) -> None:
    await session.execute(delete(RecoveryCode).where(col(RecoveryCode.member_id) == member_id))
    numbered = enumerate(hashes, start=1)
    session.add_all(RecoveryCode(member_id=member_id, number=number, code_hash=kept) for number, kept in numbered)


async def _insert(session: AsyncSession, passkey: Passkey) -> None:
    try:
        async with session.begin_nested():
            session.add(passkey)
    except IntegrityError as error:
        if broken_constraint(error) != "uq_passkey_credential_id":
            raise
        raise Conflict("This passkey is known here already.") from error


async def _one_less(session: AsyncSession, viewer: Viewer, member: Member, now: datetime) -> None:
    if not await is_set_up(session, member.id):
        await _forget(session, member.id)
        await sessions.mark(session, viewer, second_factor=False)
    await _changed(session, viewer, member, now)


async def _forget(session: AsyncSession, member_id: UUID) -> None:
    for table in (Totp, Passkey, RecoveryCode):
        await session.execute(delete(table).where(col(table.member_id) == member_id))


async def _changed(session: AsyncSession, viewer: Viewer, member: Member, now: datetime) -> None:
    await sessions.end_others(session, viewer)
    await outbox.enqueue_sign_in_changed(session, member, now)
