"""A member's own profile: read it, take another display name, change the password."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Integer, Text, and_, any_, column, func, literal, or_, select, table
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication import sessions, sign_in
from forum.authentication.old_logins import MAY_RESET_BY_MAIL
from forum.core import jobs
from forum.core.database import Query, broken_constraint
from forum.core.errors import Conflict, Invalid, NotSignedIn
from forum.core.gate import GateResult, Submission
from forum.core.jobs import Job
from forum.core.work import Transactions, Work
from forum.mail import outbox
from forum.members import names
from forum.members.advisers import Adviser
from forum.members.queries import lock_account_row, lock_member_row
from forum.members.roles import has_role, is_staff
from forum.members.tables import Member, Role, RulesEdition, Standing
from forum.members.viewer import Viewer, viewers
from forum.passwords import hashing, policy
from forum.passwords.breached_passwords import BreachedPasswords
from forum.permissions import Act, allow

REPLACE_NAME = Job("replace_name")
# Only their slugs: content and authentication do not import each other.
_BOARDS = table("board", column("id", Integer), column("slug", Text))
# The newest edition of the house rules; 0 before there are any.
_PRESENT_RULES = select(func.coalesce(func.max(RulesEdition.version), 0)).scalar_subquery()


@dataclass(frozen=True)
class Profile:
    """What only a member sees of themselves."""

    id: UUID
    handle: str
    name: str
    title: str | None
    email: str
    email_verified: bool
    needs_other_address: bool
    wanted_email: str | None
    roles: Sequence[Role]
    moderated_boards: Sequence[str]
    roles_withheld: bool
    standing: Standing
    rules_version: int | None
    rules_accepted: bool
    least_age: int | None
    joined_at: datetime


def select_profiles() -> Query:
    """Return a select with one row per member, of what only they may read of themselves; add a condition on Member."""
    return viewers().add_columns(
        col(Member.email),
        col(Member.email_verified_at),
        col(Member.wanted_email),
        (~MAY_RESET_BY_MAIL).label("needs_other_address"),
        col(Member.rules_version),
        col(Member.least_age),
        (func.coalesce(col(Member.rules_version), 0) == _PRESENT_RULES).label("rules_accepted"),
    )


async def get_profile(work: Work, viewer: Viewer) -> Profile:
    """Return the viewer's own profile. Raises NotSignedIn when they have left."""
    return await read_profile(work.session, viewer.member_id, withheld=viewer.withheld)


async def rename(work: Work, viewer: Viewer, name: str) -> Profile:
    """Take another display name, and return the profile.

    Raises Throttled, Forbidden, and Invalid for a name that cannot be read, that the gate would hold, or that looks
    like the name of staff.
    """
    await work.count_try("editing", "editing", viewer.id)
    account = await lock_account_row(work.session, viewer.member_id, work.now)
    allow(Act.RENAME, viewer, account)
    judged = await judge_name(work, name, member_id=viewer.id)
    await rename_member(work.session, account.member, name, forum_name=work.settings.name)
    await work.gate.record(work.session, ("member", account.member.id), judged, work.now)
    work.forget_sessions_of(viewer.member_id)
    return await get_profile(work, viewer)


async def change_password(
    transactions: Transactions, viewer: Viewer, current: str, new: str, *, breaches: BreachedPasswords | None = None
) -> None:
    """Take a new password, end every other session of the viewer, and tell them by mail.

    Raises Throttled, and Invalid when `current` is not the password, or `new` is too short, too long, easily guessed
    or stolen.
    """
    await transactions.count_try("sign_in", "password", viewer.id)
    async with transactions.begin() as work:
        member = await work.session.get_one(Member, viewer.member_id)
    while True:
        stored = member.password_hash
        is_right, _ = await hashing.verify(current, stored)
        if not is_right:
            raise sign_in.wrong_password()
        about = (member.handle, member.name, member.email)
        hashed = await hashing.hash_new_password(new, about=about, breaches=breaches, pointer="#/new")
        async with transactions.begin() as work:
            member = await lock_member_row(work.session, viewer.member_id)
            if member.password_hash == stored:  # else it was changed meanwhile: check the new one
                await set_password(work.session, member, new, hashed)
                await outbox.enqueue_sign_in_changed(work.session, member, work.now)
                await sessions.end_others(work.session, viewer)
                work.forget_sessions_of(member.id)
                return


async def set_password(session: AsyncSession, member: Member, new: str, hashed: str) -> None:
    """Store the hash of a new password for a member, whose row is locked. Raises Invalid when staff need a longer one.

    Links to a new password stop working.
    """
    # Read now, with the row locked: a role that was given a moment ago counts.
    policy.check_length(new, staff=await is_staff(session, member.id), pointer="#/new")
    member.password_hash, member.staff_password = hashed, policy.is_long_enough_for_staff(new)
    await outbox.cancel_password_resets(session, member.id)


async def rename_member(session: AsyncSession, member: Member, name: str, *, forum_name: str = "") -> None:
    """Give a member another display name. Raises Invalid when it cannot be read, or looks like the name of staff."""
    member.name = names.normalise_name(name)
    member.name_skeleton = names.skeleton(member.name)
    await refuse_look_alikes(session, member, pointers=("#/name",), forum_name=forum_name)
    await session.flush()
    await let_name_follow(session, member)


async def let_name_follow(session: AsyncSession, member: Member) -> None:
    """Have a job put a member's display name, which changed, in the place of the old one on quotes of them."""
    await jobs.enqueue(session, REPLACE_NAME, {"member": str(member.id)})


async def judge_name(work: Work, name: str, *, member_id: UUID | None = None, pointer: str = "#/name") -> GateResult:
    """Return what the gate found in a name or handle, to be recorded. Raises Invalid when it would not publish it."""
    result = await work.gate.judge(work.session, Submission(None, (name,), named=member_id))
    if result.held_because:  # a name cannot be half visible
        raise Invalid(result.held_because, pointer, code="name_held")
    return result


async def refuse_look_alikes(
    session: AsyncSession,
    member: Member,
    pointers: Sequence[str] = ("#/handle", "#/name"),
    *,
    forum_name: str = "",
) -> None:
    """Return when neither handle nor name looks like staff or like the forum itself, in any of their words.

    Raises Invalid, and Conflict when a member of the staff has this very handle.
    """
    chosen = {"#/handle": member.handle, "#/name": member.name}
    forum = names.skeleton(forum_name)
    for pointer in pointers:
        if names.is_reserved(chosen[pointer]) or forum in names.readings(chosen[pointer]):
            raise _name_reserved(pointer)
    if "#/handle" in pointers and names.is_clients_word(member.handle):
        raise _name_reserved("#/handle")
    read = {pointer: names.readings(chosen[pointer]) for pointer in pointers}
    for handle, taken in await _staff_names(session, member, frozenset().union(*read.values())):
        if handle == member.handle:
            raise handle_taken(handle)
        for pointer in pointers:
            if read[pointer] & taken:
                raise Invalid(
                    "This looks like the name of somebody who works here. Please choose another.",
                    pointer,
                    code="name_looks_like_staff",
                )


def _name_reserved(pointer: str) -> Invalid:
    return Invalid(
        "This name is kept for the people who run the forum. Please choose another.", pointer, code="name_reserved"
    )


async def _staff_names(session: AsyncSession, member: Member, read: frozenset[str]) -> list[tuple[str, set[str]]]:
    """Return the handles of others who work here, with what their handles, names, titles and organisations look like.

    Of the staff, only those whose handle or name is among what was `read`; their titles are few.
    """
    these = any_(literal(sorted(read), ARRAY(Text)))
    alike = or_(col(Member.skeleton) == these, col(Member.name_skeleton) == these)
    others = (
        select(col(Member.handle), col(Member.skeleton), col(Member.name_skeleton), col(Member.title))
        .add_columns(col(Adviser.title).label("adviser_title"), col(Adviser.organisation))
        .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
        .where(
            col(Member.id) != member.id,
            or_(and_(has_role(), alike), col(Member.title).is_not(None), col(Adviser.title).is_not(None)),
        )
    )
    rows = (await session.execute(others)).all()
    titles = [{names.skeleton(text) for text in row[3:] if text} for row in rows]
    return [
        (row.handle, ({row.skeleton, row.name_skeleton} | called) - {"", None})
        for row, called in zip(rows, titles, strict=True)
    ]


def handle_taken(handle: str) -> Conflict:
    """Return the error for a handle that somebody has."""
    return Conflict(f"The handle {handle} is taken. Please choose another.", code="handle_taken", pointer="#/handle")


async def read_profile(session: AsyncSession, member_id: UUID, *, withheld: bool = False) -> Profile:
    """Return a member's own profile. Raises NotSignedIn when they have left."""
    row = (await session.execute(select_profiles().where(col(Member.id) == member_id))).one()
    if row.standing == Standing.LEFT:  # a moment ago: this process has not read it yet
        raise NotSignedIn("Sign in first.")
    slugs = select(_BOARDS.c.slug).where(_BOARDS.c.id.in_(row.boards or ())).order_by(_BOARDS.c.slug)
    boards: Sequence[str] = (await session.execute(slugs)).scalars().all() if row.boards else ()
    return Profile(
        id=row.id,
        handle=row.handle,
        name=row.name,
        title=row.title,
        email=row.email,
        email_verified=row.email_verified_at is not None,
        needs_other_address=row.needs_other_address,
        wanted_email=row.wanted_email,
        roles=sorted({*(row.roles or ()), *([Role.MODERATOR] if boards else ())}),
        moderated_boards=list(boards),
        roles_withheld=withheld,
        standing=row.standing,
        rules_version=row.rules_version,
        rules_accepted=row.rules_accepted,
        least_age=row.least_age,
        joined_at=row.joined_at,
    )


def refusal_of(error: IntegrityError, handle: str) -> Exception:
    """Return why a member cannot be stored so: for a handle that is taken or looks like another, or unknown rules."""
    match broken_constraint(error):
        case "uq_member_handle":
            return handle_taken(handle)
        case "uq_member_skeleton":
            return Conflict(
                f"The handle {handle} looks like another member's. Please choose another.",
                code="handle_looks_like_another",
                pointer="#/handle",
            )
        case "fk_member_rules_version":
            return Invalid(
                "There is no such version of the rules. Please read the rules again.",
                "#/rules_version",
                code="rules_version_not_found",
            )
        case _:
            return error
