"""Passkeys: challenges, which each open once, and the keys that answer them."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import LargeBinary, bindparam, delete, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.second_factor import webauthn
from forum.authentication.second_factor.tables import Passkey, PasskeyChallenge, Purpose
from forum.authentication.second_factor.webauthn import LASTS, Credential, Party
from forum.core.database import Database, Prepared, Query, Reader, query
from forum.core.errors import Conflict
from forum.members.queries import lock_member_row
from forum.members.viewer import Viewer

AT_MOST = 20  # of one member: an account is not a place to store things
WRONG = "This passkey is not known here, or it took too long. Please try again."
COPIED = (
    "This passkey counts backwards: there may be a copy of it in somebody else's hands. Sign in in another way, remove "
    "it, and make a new one."
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Signed:
    """A right answer of a passkey, when it was read."""

    passkey_id: UUID
    member_id: UUID
    counted: int  # until then
    sign_count: int
    backed_up: bool

    @property
    def went_back(self) -> bool:
        """Whether the device's count did not grow (WebAuthn level 3, §6.1.1). We refuse it: of a key and its copy, one
        will show a count that the other has passed, and we cannot know which. Most passkeys count nothing, and say 0.
        """
        return self.counted > 0 and self.sign_count <= self.counted


_CLAIMED = Prepared(
    query(Passkey.id, Passkey.member_id, Passkey.user_handle, Passkey.public_key, Passkey.sign_count).where(
        col(Passkey.credential_id) == bindparam("credential_id", type_=LargeBinary())
    )
)


def mine(viewer: Viewer) -> Query:
    """The viewer's own passkeys, newest first."""
    listed = query(Passkey.id, Passkey.name, Passkey.backed_up, Passkey.created_at, Passkey.used_at)
    return listed.where(col(Passkey.member_id) == viewer.id).order_by(col(Passkey.created_at).desc())


async def begin(session: AsyncSession, viewer: Viewer, party: Party, now: datetime) -> dict[str, Any]:
    """What a browser is asked to make a passkey with; of several that a member asked for, the last one counts.

    Raises Conflict where the member has too many.
    """
    member = await lock_member_row(session, viewer.member_id)
    theirs = query(Passkey.credential_id, Passkey.user_handle).where(col(Passkey.member_id) == member.id)
    known = (await session.execute(theirs)).all()
    if len(known) >= AT_MOST:
        raise Conflict(f"You have {AT_MOST} passkeys already. Remove one first.")
    handle = known[0].user_handle if known else secrets.token_bytes(64)
    await session.execute(delete(PasskeyChallenge).where(col(PasskeyChallenge.member_id) == member.id))
    challenge = _put_down(session, Purpose.REGISTRATION, now, member_id=member.id, user_handle=handle)
    return webauthn.creation_options(party, challenge, handle, [row.credential_id for row in known])


def ask(session: AsyncSession, purpose: Purpose, party: Party, now: datetime) -> dict[str, Any]:
    """What a browser is asked to show a passkey with, whosever it is."""
    challenge = _put_down(session, purpose, now)
    return webauthn.request_options(party, challenge, alone=purpose == Purpose.SIGN_IN)


async def opened(forum: Database, credential: Credential, purpose: Purpose, now: datetime) -> Any:
    """The row of the challenge that this answers, used up whatever comes of it; None when there is none such."""
    digest = _digest(webauthn.challenge_of(credential) or b"")
    this = delete(PasskeyChallenge).where(
        col(PasskeyChallenge.digest) == digest,
        col(PasskeyChallenge.purpose) == purpose,
        col(PasskeyChallenge.expires_at) > now,
    )
    row = this.returning(col(PasskeyChallenge.member_id), col(PasskeyChallenge.user_handle))
    async with forum.work() as session:
        return (await session.execute(row)).one_or_none()


async def claimed(reader: Reader, credential: Credential) -> Any:
    """The passkey that this says it is, and whose; None when there is none such."""
    return await reader.row(_CLAIMED, credential_id=webauthn.credential_id(credential) or b"")


async def signed(
    forum: Database, kept: Any, credential: Credential, purpose: Purpose, party: Party, now: datetime
) -> Signed | None:
    """The answer of the passkey `kept`, which was `claimed`; None when it is wrong in any way. It uses the challenge
    up, in a unit of work of its own: call it outside of transactions.
    """
    challenge = await opened(forum, credential, purpose, now)
    if challenge is None or kept is None:
        return None
    alone = purpose == Purpose.SIGN_IN
    said = webauthn.user_handle(credential) or (None if alone else kept.user_handle)
    asked = webauthn.challenge_of(credential) or b""
    answer = webauthn.answered(credential, asked, kept.public_key, party, alone=alone)
    if answer is None or said != kept.user_handle:
        return None
    seen = Signed(kept.id, kept.member_id, kept.sign_count, answer.sign_count, answer.backed_up)
    if seen.went_back:
        log.warning("passkey_counted_backwards")
    return seen


async def spend(session: AsyncSession, signed: Signed, now: datetime) -> bool:
    """Take the answer; False when the passkey was removed, or used by somebody else, since it was read."""
    this = update(Passkey).where(col(Passkey.id) == signed.passkey_id, col(Passkey.sign_count) == signed.counted)
    noted = this.values(sign_count=signed.sign_count, backed_up=signed.backed_up, used_at=now)
    return (await session.execute(noted.returning(col(Passkey.id)))).first() is not None


async def tidy(session: AsyncSession, now: datetime) -> None:
    """Delete challenges that ran out."""
    await session.execute(delete(PasskeyChallenge).where(col(PasskeyChallenge.expires_at) <= now))


def _put_down(session: AsyncSession, purpose: Purpose, now: datetime, **about: Any) -> bytes:
    challenge = secrets.token_bytes(32)
    session.add(PasskeyChallenge(digest=_digest(challenge), purpose=purpose, expires_at=now + LASTS, **about))
    return challenge


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
