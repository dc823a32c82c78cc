"""Which letters a member wants: they choose it, are asked once after they wrote, and turn it off from each letter."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, any_, bindparam, delete, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.content.posts.tables import Post
from forum.core import jobs
from forum.core.database import Prepared, Reader, new_id, query, rows_of
from forum.core.errors import Forbidden, Invalid
from forum.core.jobs import Job, Payload
from forum.core.rate_limits import network
from forum.core.secret_key import keyed_digest
from forum.core.settings import Settings
from forum.core.weekly_hours import known_zones
from forum.core.work import Transactions, Work
from forum.mail import tokens
from forum.members.queries import lock_member_row, lock_own_row
from forum.members.tables import Member
from forum.members.viewer import VIEWER_ID, VIEWER_PERSONAS, Viewer
from forum.notifications.letter_times import LetterMode, is_quiet_hour
from forum.notifications.letters import TIMES, LetterChoice, OffLink, forget_due, mark_due
from forum.permissions import UNVERIFIED

TURN_OFF = Job("turn_letters_off")
HOUR = time(10)  # of the daily letter, for whoever chose no other
QUIET = (time(22), time(8))
LONGEST_PAUSE = timedelta(days=366)
TOKEN_BYTES = 16


@dataclass(frozen=True)
class WantedLetters:
    """What a member chooses."""

    mode: LetterMode
    at: time
    zone: str
    quiet: tuple[time, time] | None
    paused_until: datetime | None = None


@dataclass(frozen=True)
class OwnLetters:
    """What a member chose; before they chose, what is proposed to them."""

    chosen: WantedLetters
    is_answered: bool
    stopped_at: datetime | None
    email: str
    is_verified: bool


_SECOND_POST = select(col(Post.id)).where(col(Post.author_id) == any_(VIEWER_PERSONAS)).offset(1).limit(1)
# Whether to ask the viewer: their address is verified, they never said yes or no, and wrote one post at most.
_IS_UNASKED = Prepared(
    query(col(Member.id)).where(
        col(Member.id) == VIEWER_ID,
        col(Member.email_verified_at).is_not(None),
        ~exists().where(col(LetterChoice.member_id) == VIEWER_ID),
        ~_SECOND_POST.exists(),
    )
)
_OWNER = (
    select(col(OffLink.member_id))
    .where(col(OffLink.token_digest) == bindparam("token_digest", type_=LargeBinary()))
    .where(col(OffLink.expires_at) > bindparam("now"))
)


async def is_unasked(reader: Reader, viewer: Viewer) -> bool:
    """Return whether to ask the viewer, who just wrote, if they want letters: after their first post, and never again,
    for who leaves a question unanswered has answered it.
    """
    return await reader.row(_IS_UNASKED, **viewer.query_parameters) is not None


async def get_letters(work: Work, viewer: Viewer) -> OwnLetters:
    """Return what the viewer chose."""
    asked = (
        query(col(LetterChoice.member_id), *TIMES, col(LetterChoice.stopped_at), Member.email, Member.email_verified_at)
        .select_from(Member)
        .outerjoin(LetterChoice, col(LetterChoice.member_id) == col(Member.id))
        .where(col(Member.id) == viewer.id)
    )
    row = (await work.session.execute(asked)).one()
    chosen = WantedLetters(LetterMode.OFF, HOUR, work.settings.time_zone, QUIET)
    if row.member_id:
        quiet = (row.quiet_from, row.quiet_to) if row.quiet_from is not None else None
        paused_until = row.paused_until if row.paused_until and row.paused_until > work.now else None
        chosen = WantedLetters(LetterMode(row.mode), row.at, row.zone, quiet, paused_until)
    return OwnLetters(chosen, row.member_id is not None, row.stopped_at, row.email, row.email_verified_at is not None)


async def choose_letters(work: Work, viewer: Viewer, wanted: WantedLetters) -> None:
    """Choose which letters one wants, also after the mail server refused too many. Idempotent.

    Raises Invalid for what cannot be chosen, and Forbidden without a verified address: a letter to another's mailbox
    would tell them that somebody gave their address here.
    """
    _check(wanted, work.now)
    await work.count_try("editing", "editing", viewer.id)
    member = await lock_own_row(work.session, viewer)
    if wanted.mode != LetterMode.OFF and member.email_verified_at is None:
        raise Forbidden(UNVERIFIED.detail, code=UNVERIFIED.code)
    quiet_from, quiet_to = wanted.quiet or (None, None)
    values: dict[str, Any] = {
        **{"mode": wanted.mode, "at": wanted.at, "zone": wanted.zone, "paused_until": wanted.paused_until},
        **{"quiet_from": quiet_from, "quiet_to": quiet_to, "refusals": 0, "returns": 0, "stopped_at": None},
    }
    kept = insert(rows_of(LetterChoice)).values(member_id=member.id, **values)
    await work.session.execute(kept.on_conflict_do_update(index_elements=["member_id"], set_=values))
    if await forget_due(work.session, member.id):  # it comes at another time now, or not at all
        await mark_due(work.session, [member.id], work.now)


async def answer_question(work: Work, viewer: Viewer, *, wants_letters: bool) -> None:
    """Answer whether one wants a letter once a day. Who has chosen something already keeps it."""
    letters = await get_letters(work, viewer)
    if not letters.is_answered:
        mode = LetterMode.DAILY if wants_letters else LetterMode.OFF
        await choose_letters(work, viewer, WantedLetters(mode, HOUR, work.settings.time_zone, QUIET))


def _check(wanted: WantedLetters, now: datetime) -> None:
    """Raise Invalid for a choice that cannot be."""
    if wanted.zone not in known_zones():
        raise Invalid("must be the name of a time zone, such as Europe/London", "#/zone", code="unknown_zone")
    if wanted.quiet and wanted.quiet[0] == wanted.quiet[1]:
        raise Invalid("must end at another time than it begins; null for none", "#/quiet", code="quiet_hours_empty")
    if wanted.mode == LetterMode.DAILY and is_quiet_hour(wanted.quiet, wanted.at):
        raise Invalid("must not be in the quiet hours", "#/at", code="hour_in_quiet_hours")
    if wanted.paused_until and wanted.paused_until <= now:
        raise Invalid("must be in the future", "#/paused_until", code="time_not_in_future")
    if wanted.paused_until and wanted.paused_until > now + LONGEST_PAUSE:
        raise Invalid("must be within a year", "#/paused_until", code="time_too_far")


# The link in each letter


async def create_off_token(session: AsyncSession, member_id: UUID, settings: Settings, now: datetime) -> str:
    """Return the token that turns this member's letters off: the same one all year, and for a year after that.

    It is made of the secret key, the member and the year, so that a letter can have it though only its digest is kept.
    """
    secret = keyed_digest(settings, "letters off", f"{member_id} {now.year}".encode())
    token = base64.urlsafe_b64encode(secret[:TOKEN_BYTES]).decode().rstrip("=")
    values = {"member_id": member_id, "expires_at": datetime(now.year + 2, 1, 1, tzinfo=UTC)}
    link = insert(rows_of(OffLink)).values(token_digest=tokens.digest(token), **values)
    await session.execute(link.on_conflict_do_nothing())
    return token


async def turn_off(transactions: Transactions, token: str, address: str) -> None:
    """Turn the letters off of whoever got this token. For one that is nobody's, it is as much work.

    A job does it, a moment later: the time of the answer tells nothing. Raises Throttled over the limit of an address.
    """
    await transactions.count_try("unsubscribe", "unsubscribe", network(address))
    async with transactions.begin() as work:
        owner = await find_owner(work, token)
        await jobs.enqueue(work.session, TURN_OFF, {"member": str(owner or new_id())})


async def find_owner(work: Work, token: str) -> UUID | None:
    """Return whose letters have this token, if anybody's."""
    asked = {"token_digest": tokens.digest(token), "now": work.now}
    return (await work.session.execute(_OWNER, asked)).scalar_one_or_none()


async def turn_letters_off(session: AsyncSession, payload: Payload, _now: datetime) -> None:
    """Send a member no letter any more: the job of `turn_off`."""
    member_id = UUID(payload["member"])
    choice = await session.get(LetterChoice, member_id)
    if choice:
        await lock_member_row(session, member_id)  # before their other rows, as everybody does who locks both
        choice.mode = LetterMode.OFF
        await forget_due(session, member_id)


async def delete_expired(session: AsyncSession, now: datetime) -> None:
    """Delete the links of letters that are older than a year."""
    await session.execute(delete(OffLink).where(col(OffLink.expires_at) <= now))
