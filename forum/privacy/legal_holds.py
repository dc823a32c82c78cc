"""Legal holds: administrators keep a member's data from deletion for as long as the law requires."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.core import audit
from forum.core.database import query
from forum.core.work import Work
from forum.members.queries import get_member, lock_member_row, named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, require_recent_sign_in
from forum.privacy import account_deletion
from forum.privacy.tables import Departure, HoldReason, LegalHold

_Administrator = aliased(Member, name="administrator")

_HOLDS = (
    query(
        *named_columns(Member, "member"),
        *named_columns(_Administrator, "by"),
        col(LegalHold.reason),
        col(LegalHold.placed_at),
        col(Departure.due_at),
    )
    .join(Member, col(Member.id) == col(LegalHold.member_id))
    .join(_Administrator, col(_Administrator.id) == col(LegalHold.placed_by))
    .outerjoin(Departure, col(Departure.member_id) == col(LegalHold.member_id))
    .order_by(col(LegalHold.placed_at), col(LegalHold.member_id))
)


async def list_holds(work: Work, viewer: Viewer) -> Sequence[Any]:
    """Return every hold, oldest first, with its member, who placed it, and when the member wanted to be gone.

    Raises Forbidden.
    """
    allow(Act.HOLD_ACCOUNT, viewer)
    return (await work.session.execute(_HOLDS)).all()


async def place_hold(work: Work, viewer: Viewer, handle: str, reason: HoldReason) -> None:
    """Keep a member's data from deletion; placed again, the hold has the new reason.

    Raises SignInAgain, Forbidden, and NotFound when nobody has this handle.
    """
    member = await _lock_subject(work, viewer, handle)
    values = {"reason": reason, "placed_by": viewer.member_id, "placed_at": work.now}
    row = insert(LegalHold).values(member_id=member.id, **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=[col(LegalHold.member_id)], set_=values))
    await _record(work, "hold.placed", viewer, member, {"reason": reason})


async def release_hold(work: Work, viewer: Viewer, handle: str) -> None:
    """End a hold; a departure that it blocked goes on. Idempotent. Raises as `place_hold` does."""
    member = await _lock_subject(work, viewer, handle)
    this = delete(LegalHold).where(col(LegalHold.member_id) == member.id).returning(col(LegalHold.member_id))
    if (await work.session.execute(this)).first():
        await _record(work, "hold.released", viewer, member)
    await account_deletion.resume(work.session, member.id)


async def _lock_subject(work: Work, viewer: Viewer, handle: str) -> Member:
    require_recent_sign_in(viewer, work.now)
    allow(Act.HOLD_ACCOUNT, viewer)
    return await lock_member_row(work.session, (await get_member(work.session, handle)).id)


async def _record(work: Work, act: str, viewer: Viewer, member: Member, details: audit.Details | None = None) -> None:
    about = ("member", member.id)
    await audit.record(work.session, actor_id=viewer.id, act=act, subject=about, now=work.now, details=details)
