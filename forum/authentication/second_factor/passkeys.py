"""Passkeys: challenges, each of which can be answered once, and the keys that answer them."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from sqlalchemy import LargeBinary, bindparam, delete, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.second_factor.relying_party import LIFETIME, Credential, Party
from forum.authentication.second_factor.tables import Passkey, PasskeyChallenge, Purpose
from forum.core import rate_limits
from forum.core.database import Prepared, Query, Reader, query
from forum.core.errors import Conflict, NotFound
from forum.core.lazy_modules import load_when_used
from forum.core.work import Transactions, Work
from forum.members.queries import lock_member_row
from forum.members.viewer import Viewer
from forum.permissions import require_recent_sign_in

if TYPE_CHECKING:
    from forum.authentication.second_factor import webauthn
else:
    # Its library takes 15 MB, which whoever has no passkey does not need.
    webauthn = load_when_used("forum.authentication.second_factor.webauthn")

AT_MOST = 20  # per member: an account is not a place to store things
WRONG = "This passkey is not known here, or it took too long. Please try again."
COPIED = (
    "This passkey counts backwards: somebody else may have a copy of it. Sign in in another way, remove it, and make a "
    "new one."
)

log = structlog.get_logger()


@dataclass(frozen=True)
class PasskeySignature:
    """A right answer of a passkey, with the count that was stored when it was read."""

    passkey_id: UUID
    member_id: UUID
    stored_count: int
    sign_count: int
    backed_up: bool

    @property
    def sign_count_regressed(self) -> bool:
        """Whether the device's count did not grow (WebAuthn level 3, §6.1.1).

        Such an answer is refused: of a key and its copy, one will send a count that the other has passed, and we
        cannot know which. Most passkeys count nothing, and send 0.
        """
        return self.stored_count > 0 and self.sign_count <= self.stored_count


_BY_CREDENTIAL_ID = Prepared(
    query(Passkey.id, Passkey.member_id, Passkey.user_handle, Passkey.public_key, Passkey.sign_count).where(
        col(Passkey.credential_id) == bindparam("credential_id", type_=LargeBinary())
    )
)


def select_passkeys(viewer: Viewer) -> Query:
    """Return a select of the viewer's own passkeys, newest first."""
    listed = query(Passkey.id, Passkey.name, Passkey.backed_up, Passkey.created_at, Passkey.used_at)
    return listed.where(col(Passkey.member_id) == viewer.id).order_by(col(Passkey.created_at).desc())


async def list_passkeys(work: Work, viewer: Viewer) -> Sequence[Any]:
    """Return the viewer's own passkeys, newest first."""
    return (await work.session.execute(select_passkeys(viewer))).all()


async def get_own_passkey(work: Work, viewer: Viewer, passkey_id: UUID) -> Any:
    """Return one of the viewer's own passkeys. Raises NotFound."""
    found = (await work.session.execute(select_passkeys(viewer).where(col(Passkey.id) == passkey_id))).one_or_none()
    if found is None:
        raise no_passkey()
    return found


def no_passkey() -> NotFound:
    """Return the error for a passkey that is none of the viewer's."""
    return NotFound("You have no such passkey.", code="passkey_not_found")


async def expect_registration(work: Work, viewer: Viewer) -> None:
    """Return when the viewer may begin to make a passkey. Raises SignInAgain."""
    require_recent_sign_in(viewer, work.now)


async def begin_registration(work: Work, viewer: Viewer) -> dict[str, Any]:
    """Return what a browser needs to make a passkey; of several that a member began, only the last counts.

    Raises SignInAgain, Throttled, and Conflict when the member has too many.
    """
    require_recent_sign_in(viewer, work.now)
    await work.count_try("passkey", "passkey", viewer.id)
    member = await lock_member_row(work.session, viewer.member_id)
    own = query(Passkey.credential_id, Passkey.user_handle).where(col(Passkey.member_id) == member.id)
    known = (await work.session.execute(own)).all()
    if len(known) >= AT_MOST:
        raise Conflict(f"You have {AT_MOST} passkeys already. Remove one first.", code="too_many_passkeys")
    handle = known[0].user_handle if known else secrets.token_bytes(64)
    await work.session.execute(delete(PasskeyChallenge).where(col(PasskeyChallenge.member_id) == member.id))
    challenge = _add_challenge(work, Purpose.REGISTRATION, member_id=member.id, user_handle=handle)
    party = Party.of(work.settings)
    return webauthn.creation_options(party, challenge, handle, [row.credential_id for row in known])


async def begin_authentication(work: Work, purpose: Purpose, address: str) -> dict[str, Any]:
    """Return what a browser needs to ask for a passkey of any account. Raises Throttled by the internet address."""
    await work.count_try("passkey", "passkey", rate_limits.network(address))
    challenge = _add_challenge(work, purpose)
    return webauthn.request_options(Party.of(work.settings), challenge, alone=purpose == Purpose.SIGN_IN)


async def use_challenge(transactions: Transactions, credential: Credential, purpose: Purpose) -> Any:
    """Use up the challenge that this answers, and return its row; None when there is none such.

    It is used up even when the answer is wrong: it has a transaction of its own.
    """
    this = delete(PasskeyChallenge).where(
        col(PasskeyChallenge.digest) == _digest(webauthn.challenge_of(credential) or b""),
        col(PasskeyChallenge.purpose) == purpose,
        col(PasskeyChallenge.expires_at) > transactions.now,
    )
    row = this.returning(col(PasskeyChallenge.member_id), col(PasskeyChallenge.user_handle))
    async with transactions.begin() as work:
        return (await work.session.execute(row)).one_or_none()


async def find_passkey(reader: Reader, credential: Credential) -> Any:
    """Return the stored passkey that this claims to be; None when there is none such."""
    return await reader.row(_BY_CREDENTIAL_ID, credential_id=webauthn.credential_id(credential) or b"")


async def verify_signature(
    transactions: Transactions, passkey: Any, credential: Credential, purpose: Purpose
) -> PasskeySignature | None:
    """Return the answer of this stored passkey; None when anything about it is wrong. It uses the challenge up."""
    challenge = await use_challenge(transactions, credential, purpose)
    if challenge is None or passkey is None:
        return None
    alone = purpose == Purpose.SIGN_IN
    user_handle = webauthn.user_handle(credential) or (None if alone else passkey.user_handle)
    asked = webauthn.challenge_of(credential) or b""
    party = Party.of(transactions.settings)
    result = webauthn.verify_assertion(credential, asked, passkey.public_key, party, alone=alone)
    if result is None or user_handle != passkey.user_handle:
        return None
    signature = PasskeySignature(passkey.id, passkey.member_id, passkey.sign_count, result.sign_count, result.backed_up)
    if signature.sign_count_regressed:
        log.warning("passkey_counted_backwards")
    return signature


async def record_use(session: AsyncSession, signature: PasskeySignature, now: datetime) -> bool:
    """Store the new count; return False when the passkey was removed or used elsewhere since it was read."""
    this = update(Passkey).where(
        col(Passkey.id) == signature.passkey_id, col(Passkey.sign_count) == signature.stored_count
    )
    used = this.values(sign_count=signature.sign_count, backed_up=signature.backed_up, used_at=now)
    return (await session.execute(used.returning(col(Passkey.id)))).first() is not None


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete expired challenges."""
    await session.execute(delete(PasskeyChallenge).where(col(PasskeyChallenge.expires_at) <= now))


def _add_challenge(work: Work, purpose: Purpose, **about: Any) -> bytes:
    challenge = secrets.token_bytes(32)
    expires_at = work.now + LIFETIME
    work.session.add(PasskeyChallenge(digest=_digest(challenge), purpose=purpose, expires_at=expires_at, **about))
    return challenge


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
