"""Accept the house rules: when joining, and again when there is a newer edition."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.authentication.profiles import Profile, get_profile
from forum.core.database import Prepared, Query, Reader, query
from forum.core.errors import Invalid, Stale
from forum.core.work import Work
from forum.members.queries import lock_own_row
from forum.members.tables import RulesAcceptance, RulesEdition
from forum.members.viewer import Viewer

_PRESENT = Prepared(query(func.max(RulesEdition.version).label("version")).having(func.count() > 0))
_NEWEST = select(RulesEdition).order_by(col(RulesEdition.version).desc()).limit(1)


def select_acceptances(viewer: Viewer) -> Query:
    """Return a select of the editions that the viewer accepted, the first one first."""
    accepted = query(col(RulesAcceptance.edition), col(RulesAcceptance.accepted_at))
    return accepted.where(col(RulesAcceptance.member_id) == viewer.id).order_by(col(RulesAcceptance.edition))


async def get_present_edition(reader: Reader) -> int:
    """Return the number of the present edition of the rules; 0 before there are any."""
    found = await reader.row(_PRESENT)
    return int(found.version) if found else 0


@dataclass(frozen=True)
class Acceptance:
    """The present edition of the rules, and the one that the viewer accepted last."""

    present: int
    accepted: int

    @property
    def is_present(self) -> bool:
        """Whether the viewer accepted the present edition."""
        return self.present == self.accepted


async def get_acceptance(work: Work, viewer: Viewer) -> Acceptance:
    """Return the present edition of the rules, and the one that the viewer accepted last."""
    profile = await get_profile(work, viewer)
    present = (await work.session.execute(_NEWEST)).scalar_one_or_none()
    return Acceptance(present.version if present else 0, profile.rules_version or 0)


async def accept_rules(work: Work, viewer: Viewer, edition: int) -> Profile:
    """Accept the present edition of the rules, and return the profile. Idempotent.

    Raises Throttled, Invalid for an edition that does not exist, and Stale for an earlier one: the rules have changed
    since they were read.
    """
    await work.count_try("editing", "editing", viewer.id)
    member = await lock_own_row(work.session, viewer)
    present = (await work.session.execute(_NEWEST)).scalar_one_or_none()
    if present is None or edition > present.version:
        raise rules_version_not_found("#/edition")
    if edition < present.version:
        raise Stale(
            "The rules were changed since you read them. Please read them again.",
            code="rules_changed",
            current=present.version,
            changed_by=None,
            changed_at=present.since,
        )
    member.rules_version = edition
    await record_acceptance(work.session, member.id, edition, work.now)
    return await get_profile(work, viewer)


async def record_acceptance(session: AsyncSession, member_id: UUID, edition: int, now: datetime) -> None:
    """Record that a member accepted an edition of the rules. The first time counts."""
    accepted = insert(RulesAcceptance).values(member_id=member_id, edition=edition, accepted_at=now)
    await session.execute(accepted.on_conflict_do_nothing())


def rules_version_not_found(pointer: str) -> Invalid:
    """Return the error for an edition of the rules that does not exist."""
    return Invalid(
        "There is no such version of the rules. Please read the rules again.", pointer, code="rules_version_not_found"
    )
