"""Set up a second factor, replace it, or turn it off. Each time, every other session ends and a mail says so."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import sessions
from forum.authentication.second_factor import passkeys, recovery_codes, totp
from forum.authentication.second_factor.relying_party import CreatedCredential, Credential, Party
from forum.authentication.second_factor.tables import (
    Passkey,
    Purpose,
    RecoveryCode,
    SecondFactorState,
    Totp,
    get_state,
    is_set_up,
)
from forum.core import audit
from forum.core.database import broken_constraint
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.lazy_modules import load_when_used
from forum.core.work import Transactions, Work
from forum.mail import outbox
from forum.members.queries import lock_member_row
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.passwords import hashing
from forum.permissions import require_recent_sign_in

if TYPE_CHECKING:
    from forum.authentication.second_factor import webauthn
else:
    # Its library takes 15 MB, which whoever has no passkey does not need.
    webauthn = load_when_used("forum.authentication.second_factor.webauthn")


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app needs: the secret, and the same as an address that the app opens."""

    secret: str
    uri: str


@dataclass(frozen=True)
class AddedPasskey:
    """A new passkey, and the recovery codes when it is the first second factor: they are shown once."""

    passkey: Passkey
    recovery_codes: Sequence[str] | None


@dataclass(frozen=True)
class _NewRecoveryCodes:
    """New recovery codes as they are written down, and the hashes that are stored, in the same order."""

    codes: Sequence[str]
    hashes: Sequence[str]


async def get_second_factor(work: Work, viewer: Viewer) -> SecondFactorState:
    """Return which second factors the viewer has, and how many recovery codes are left."""
    return await get_state(work.session, viewer.member_id)


async def begin_enrolment(work: Work, viewer: Viewer) -> Enrolment:
    """Return a new secret for an authenticator app. It counts once a code of it was sent; until then the old one does.

    Beside its codes, the app shows the domain of the forum's mails: somebody else may look at the phone, so it shows
    neither the forum's name nor the member's. Raises SignInAgain.
    """
    require_recent_sign_in(viewer, work.now)
    await lock_member_row(work.session, viewer.member_id)
    app = await work.session.get(Totp, viewer.member_id) or Totp(member_id=viewer.member_id)
    app.next_secret = totp.new_secret()
    work.session.add(app)
    return _enrolment(work, app.next_secret)


async def find_begun_enrolment(work: Work, viewer: Viewer) -> Enrolment | None:
    """Return the secret that the viewer asked for and has not confirmed yet, if there is one. Raises SignInAgain."""
    require_recent_sign_in(viewer, work.now)
    app = await work.session.get(Totp, viewer.member_id)
    return _enrolment(work, app.next_secret) if app and app.next_secret else None


async def confirm_enrolment(transactions: Transactions, viewer: Viewer, code: str) -> Sequence[str]:
    """Take the new secret, with a code of it, and return the recovery codes, which are shown once.

    From now on this session has shown a second factor. Raises SignInAgain, Throttled, Conflict when no secret was
    asked for, and Invalid for a wrong code.
    """
    require_recent_sign_in(viewer, transactions.now)
    await transactions.count_try("second_factor", "second-factor", viewer.id)
    new = await _new_recovery_codes()
    async with transactions.begin() as work:
        member = await lock_member_row(work.session, viewer.member_id)
        app = await work.session.get(Totp, member.id)
        if app is None or app.next_secret is None:
            raise Conflict("Begin to set up an authenticator app first.", code="enrolment_not_begun")
        step = totp.step_of(app.next_secret, code, work.now)
        if step is None:
            raise Invalid(
                "This code is not the one that the app shows now. Is the phone's clock right?",
                "#/code",
                code="wrong_code",
            )
        app.secret, app.since, app.last_step, app.next_secret = app.next_secret, work.now, step, None
        await _store_recovery_codes(work.session, member.id, new)
        await sessions.set_second_factor(work.session, viewer, second_factor=True)
        await _end_others_and_notify(work, viewer, member)
    return new.codes


async def renew_recovery_codes(transactions: Transactions, viewer: Viewer) -> Sequence[str]:
    """Return new recovery codes, which are shown once; the earlier ones no longer work.

    Raises SignInAgain, Throttled, and NotFound when no second factor is set up.
    """
    require_recent_sign_in(viewer, transactions.now)
    await transactions.count_try("second_factor", "second-factor", viewer.id)
    new = await _new_recovery_codes()
    async with transactions.begin() as work:
        member = await lock_member_row(work.session, viewer.member_id)
        if not await is_set_up(work.session, member.id):
            raise _not_set_up()
        await _store_recovery_codes(work.session, member.id, new)
        await outbox.enqueue_sign_in_changed(work.session, member, work.now)
    return new.codes


async def add_passkey(transactions: Transactions, viewer: Viewer, name: str, credential: Credential) -> AddedPasskey:
    """Store the passkey that a device of the viewer's has made.

    From now on this session has shown a second factor. Raises SignInAgain, Invalid when anything about the passkey is
    not as it was asked for, and Conflict when it is known here already, or when the viewer's other second factors were
    removed at the same moment.
    """
    require_recent_sign_in(viewer, transactions.now)
    challenge = await passkeys.use_challenge(transactions, credential, Purpose.REGISTRATION)
    created = _verify_creation(transactions, viewer, credential, challenge)
    async with transactions.begin() as work:
        has_none = not await is_set_up(work.session, viewer.member_id)
    new = await _new_recovery_codes() if has_none else None
    async with transactions.begin() as work:
        member = await lock_member_row(work.session, viewer.member_id)
        is_first = not await is_set_up(work.session, member.id)
        if is_first and new is None:
            raise Conflict(
                "Your second factor was removed a moment ago. Please begin again.", code="second_factor_removed"
            )
        passkey = Passkey(
            member_id=member.id,
            user_handle=challenge.user_handle,
            name=name,
            created_at=work.now,
            **asdict(created),
        )
        await _insert(work.session, passkey)
        if is_first and new:
            await _store_recovery_codes(work.session, member.id, new)
        await sessions.set_second_factor(work.session, viewer, second_factor=True)
        await _end_others_and_notify(work, viewer, member)
    return AddedPasskey(passkey, new.codes if is_first and new else None)


async def rename_passkey(work: Work, viewer: Viewer, passkey_id: UUID, name: str) -> Any:
    """Give one of the viewer's passkeys another name, and return it. Raises Throttled and NotFound."""
    await work.count_try("editing", "editing", viewer.id)
    this = update(Passkey).where(col(Passkey.id) == passkey_id, col(Passkey.member_id) == viewer.member_id)
    renamed = (await work.session.execute(this.values(name=name).returning(Passkey))).scalar_one_or_none()
    if renamed is None:
        raise passkeys.no_passkey()
    return renamed


async def remove_passkey(work: Work, viewer: Viewer, passkey_id: UUID) -> None:
    """Remove one passkey; with the last second factor, the recovery codes go too.

    Raises SignInAgain, and NotFound when there is none such.
    """
    require_recent_sign_in(viewer, work.now)
    member = await lock_member_row(work.session, viewer.member_id)
    this = delete(Passkey).where(col(Passkey.id) == passkey_id, col(Passkey.member_id) == member.id)
    if (await work.session.execute(this.returning(col(Passkey.id)))).first() is None:
        raise passkeys.no_passkey()
    await _after_removal(work, viewer, member)


async def remove_authenticator_app(work: Work, viewer: Viewer) -> None:
    """Remove the authenticator app; with the last second factor, the recovery codes go too.

    Raises SignInAgain, and NotFound when there is none.
    """
    require_recent_sign_in(viewer, work.now)
    member = await lock_member_row(work.session, viewer.member_id)
    if (await get_state(work.session, member.id)).app_since is None:
        raise NotFound("You have no authenticator app set up.", code="authenticator_app_not_found")
    await work.session.execute(delete(Totp).where(col(Totp.member_id) == member.id))
    await _after_removal(work, viewer, member)


async def turn_off_second_factor(work: Work, viewer: Viewer) -> None:
    """Remove every second factor; roles do not count from then on. Raises SignInAgain, and NotFound without one."""
    require_recent_sign_in(viewer, work.now)
    member = await lock_member_row(work.session, viewer.member_id)
    if not await is_set_up(work.session, member.id):
        raise _not_set_up()
    await _delete_all(work.session, member.id)
    await sessions.set_second_factor(work.session, viewer, second_factor=False)
    await _end_others_and_notify(work, viewer, member)


async def reset_second_factor(session: AsyncSession, member: Member, now: datetime) -> None:
    """Remove the second factor of a member who lost it, and end their sessions.

    They are told by mail, and it is written to the audit record. Raises NotFound when none is set up.
    """
    if not await is_set_up(session, member.id):
        raise NotFound(f"{member.handle} has no second factor set up.", code="second_factor_not_found")
    await _delete_all(session, member.id)
    await sessions.end_all(session, member.id)
    await outbox.enqueue_sign_in_changed(session, member, now)
    await audit.record(session, actor_id=None, act="second_factor.reset", subject=("member", member.id), now=now)


def _enrolment(work: Work, secret: str) -> Enrolment:
    return Enrolment(secret, totp.uri(secret, work.settings.mail_from.partition("@")[2]))


def _not_set_up() -> NotFound:
    return NotFound("You have no second factor set up.", code="second_factor_not_found")


def _verify_creation(
    transactions: Transactions, viewer: Viewer, credential: Credential, challenge: Any
) -> CreatedCredential:
    asked, party = webauthn.challenge_of(credential) or b"", Party.of(transactions.settings)
    is_own = challenge is not None and challenge.member_id == viewer.id
    created = webauthn.verify_creation(credential, asked, party) if is_own else None
    if created is None:
        raise Invalid(
            "This passkey is not what was asked for, or it took too long. Please begin again.",
            "#/credential",
            code="wrong_passkey",
        )
    return created


async def _new_recovery_codes() -> _NewRecoveryCodes:
    drawn = recovery_codes.new_recovery_codes()
    hashes = [await hashing.hash_secret(code.secret) for code in drawn]
    return _NewRecoveryCodes([str(code) for code in drawn], hashes)


async def _store_recovery_codes(session: AsyncSession, member_id: UUID, new: _NewRecoveryCodes) -> None:
    await session.execute(delete(RecoveryCode).where(col(RecoveryCode.member_id) == member_id))
    numbered = enumerate(new.hashes, start=1)
    session.add_all(RecoveryCode(member_id=member_id, number=number, code_hash=hashed) for number, hashed in numbered)


async def _insert(session: AsyncSession, passkey: Passkey) -> None:
    try:
        async with session.begin_nested():
            session.add(passkey)
    except IntegrityError as error:
        if broken_constraint(error) != "uq_passkey_credential_id":
            raise
        raise Conflict("This passkey is known here already.", code="passkey_exists") from error


async def _after_removal(work: Work, viewer: Viewer, member: Member) -> None:
    if not await is_set_up(work.session, member.id):
        await _delete_all(work.session, member.id)
        await sessions.set_second_factor(work.session, viewer, second_factor=False)
    await _end_others_and_notify(work, viewer, member)


async def _delete_all(session: AsyncSession, member_id: UUID) -> None:
    for table in (Totp, Passkey, RecoveryCode):
        await session.execute(delete(table).where(col(table.member_id) == member_id))


async def _end_others_and_notify(work: Work, viewer: Viewer, member: Member) -> None:
    await sessions.end_others(work.session, viewer)
    await outbox.enqueue_sign_in_changed(work.session, member, work.now)
    work.forget_sessions_of(member.id)
