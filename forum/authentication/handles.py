"""A member's handle: they take another, or moderators have them given one that says nothing, and given back."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.profiles import (
    Profile,
    get_profile,
    handle_taken,
    judge_name,
    refusal_of,
    refuse_look_alikes,
)
from forum.core import jobs
from forum.core.errors import Conflict, Invalid
from forum.core.jobs import Job
from forum.core.work import Work
from forum.mail import outbox
from forum.members import names
from forum.members.departure import is_handle_spent, spend_handle
from forum.members.queries import lock_account_row
from forum.members.tables import HandleChange, Member
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, require_recent_sign_in

BETWEEN_HANDLES = timedelta(days=90)
REPLACE_HANDLE = Job("replace_handle")
FORGET_HANDLE = Job("forget_handle")
# No request takes longer. Whoever was writing when a handle changed may have read it before, and post it after.
LONGEST_WRITING = timedelta(minutes=1)
# Without vowels, which could make words.
_NEUTRAL = "cdfhjkpqrvwxyz23456789"
_NEUTRAL_LENGTH = 4


async def change_handle(work: Work, viewer: Viewer, handle: str) -> Profile:
    """Take another handle, because the old one gives the viewer away, and return the profile.

    The old one is never anybody's again; a job replaces it wherever the viewer is mentioned or quoted. Raises
    SignInAgain, Throttled, Forbidden, Invalid, and Conflict for a handle that is taken, or within 90 days of the last
    change.
    """
    require_recent_sign_in(viewer, work.now)
    await work.count_try("editing", "editing", viewer.id)
    account = await lock_account_row(work.session, viewer.member_id, work.now)
    allow(Act.RENAME, viewer, account)
    member, normal = account.member, names.normalise_handle(handle)
    if normal != member.handle:
        _refuse_early_change(member, work.now)
        await _take_chosen(work, member, normal)
        await outbox.enqueue_sign_in_changed(work.session, member, work.now)
        work.forget_sessions_of(member.id)
    return await get_profile(work, viewer)


async def give_neutral_handle(work: Work, member: Member) -> None:
    """Give a member, whose row is locked, a handle that says nothing, such as `member-8f3k`: moderators took theirs.

    They are told by mail: they sign in with it. It is no change of theirs: they can choose another at once.
    """
    old = await _give_up(work.session, member)
    handle = _draw_handle()
    while not await _is_free(work.session, handle):
        handle = _draw_handle()
    _set(member, handle)
    member.handle_changed_at = None
    await _let_follow(work.session, member, old)
    await outbox.enqueue_handle_replaced(work.session, member, work.now)


async def give_handle_back(work: Work, member: Member, handle: str) -> bool:
    """Give a member, whose row is locked, a handle back that moderators took; that it is spent is no obstacle.

    Return whether it is theirs again: it is not where it looks, by now, like somebody who works here or another member.
    """
    session = work.session
    try:
        async with session.begin_nested():
            old = await _give_up(session, member)
            _set(member, handle)
            await _refuse_look_alikes(work, member)
            await _let_follow(session, member, old)
    except (Conflict, Invalid, IntegrityError):
        await session.refresh(member)
        return False
    await outbox.enqueue_handle_replaced(session, member, work.now)
    return True


def _refuse_early_change(member: Member, now: datetime) -> None:
    if member.handle_changed_at and now < member.handle_changed_at + BETWEEN_HANDLES:
        on = member.handle_changed_at + BETWEEN_HANDLES
        raise Conflict(f"You can change your handle again on {on:%-d %B %Y}.", code="handle_changed_recently")


async def _take_chosen(work: Work, member: Member, handle: str) -> None:
    session = work.session
    old = await _give_up(session, member)
    judged = await judge_name(work, handle, member_id=member.id, pointer="#/handle")
    _set(member, handle)
    member.handle_changed_at = work.now
    await _refuse_look_alikes(work, member)
    try:
        await session.flush()
    except IntegrityError as error:
        raise refusal_of(error, handle) from error
    if await is_handle_spent(session, member.skeleton, names.plain_skeleton(handle)):
        raise handle_taken(handle)
    await work.gate.record(session, ("member", member.id), judged, work.now)
    await _let_follow(session, member, old)


async def _refuse_look_alikes(work: Work, member: Member) -> None:
    with work.session.no_autoflush:
        await refuse_look_alikes(work.session, member, pointers=("#/handle",), forum_name=work.settings.name)


async def _give_up(session: AsyncSession, member: Member) -> str:
    """Spend a member's handle, so that nobody can take it, and return it."""
    await spend_handle(session, member.skeleton)
    return member.handle


def _set(member: Member, handle: str) -> None:
    member.handle, member.skeleton = handle, names.skeleton(handle)


async def keep_until_gone(session: AsyncSession, member_id: UUID, old: str) -> None:
    """Keep an old handle for the jobs that take it out of every text. Idempotent."""
    change = insert(HandleChange).values(member_id=member_id, old_handle=old)
    await session.execute(change.on_conflict_do_nothing())  # they had it before, a moment ago


async def look_again(session: AsyncSession, member_id: UUID, now: datetime) -> None:
    """Have a job look once more for a member's old handles, when all is stored that was being written."""
    await jobs.enqueue(session, FORGET_HANDLE, {"member": str(member_id)}, at=now + LONGEST_WRITING)


async def _let_follow(session: AsyncSession, member: Member, old: str) -> None:
    """Store the new handle, and have a job put it in the place of the old one wherever the member is named."""
    await session.flush()
    await keep_until_gone(session, member.id, old)
    await jobs.enqueue(session, REPLACE_HANDLE, {"member": str(member.id)})


def _draw_handle() -> str:
    return "member-" + "".join(secrets.choice(_NEUTRAL) for _ in range(_NEUTRAL_LENGTH))


async def _is_free(session: AsyncSession, handle: str) -> bool:
    looks = names.skeleton(handle)
    taken = (await session.execute(select(exists().where(col(Member.skeleton) == looks)))).scalar_one()
    return not taken and not await is_handle_spent(session, looks)
