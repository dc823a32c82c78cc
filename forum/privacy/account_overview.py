"""What administrators see of one account on one screen, with what waits to be decided about it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import aliased
from sqlmodel import col

from forum.administration import accounts
from forum.administration.accounts import PROPOSED_FOR, AccountView, AdministratorProposal
from forum.authentication import sessions
from forum.core.database import query
from forum.core.work import Work
from forum.members.advisers import Adviser
from forum.members.queries import named_columns
from forum.members.tables import Member
from forum.members.viewer import Viewer
from forum.privacy import lost_mailboxes
from forum.privacy.lost_mailboxes import LostMailbox
from forum.privacy.tables import Departure, LegalHold

_Proposer, _Teller, _Holder = (aliased(Member, name=name) for name in ("proposer", "teller", "holder"))


@dataclass(frozen=True)
class Appointment:
    """What readers see beside an adviser's answers."""

    title: str
    organisation: str


@dataclass(frozen=True)
class PendingWish:
    """What one administrator wants and another has to agree to: who, when, and when it lapses or comes true."""

    by: str | None  # None: the command line
    at: datetime
    is_own: bool
    is_agreed: bool
    until: datetime


@dataclass(frozen=True)
class PlacedHold:
    """A legal hold: why, by whom, since when, and when the member wanted to be gone."""

    reason: str
    by: str
    placed_at: datetime
    departure_due_at: datetime | None


@dataclass(frozen=True)
class AccountOverview:
    """An account with what is open about it. The address of a lost mailbox is not shown: who agrees must know it."""

    account: AccountView
    is_own: bool
    open_sessions: int
    adviser: Appointment | None
    proposal: PendingWish | None
    lost_mailbox: PendingWish | None
    hold: PlacedHold | None


async def read_overview(work: Work, administrator: Viewer, handle: str) -> AccountOverview:
    """Return an account with what is open about it. Raises Forbidden, and NotFound when nobody has this handle."""
    account = await accounts.get_account(work, administrator, handle)
    row = (await work.session.execute(_select_open(account, work.now))).one()
    return AccountOverview(
        account=account,
        is_own=account.id == administrator.id,
        open_sessions=row.open_sessions,
        adviser=Appointment(row.title, row.organisation) if row.title else None,
        proposal=_proposal(row, administrator),
        lost_mailbox=_lost_mailbox(row, administrator),
        hold=PlacedHold(row.reason, row.holder_name, row.placed_at, row.due_at) if row.reason else None,
    )


def _select_open(account: AccountView, now: datetime) -> Any:
    is_recent = col(AdministratorProposal.proposed_at) > now - PROPOSED_FOR
    counts = or_(
        col(LostMailbox.agreed_at).is_not(None), col(LostMailbox.proposed_at) > now - lost_mailboxes.PROPOSED_FOR
    )
    return (
        query(
            sessions.count_sessions(account.id, now).label("open_sessions"),
            col(Adviser.title),
            col(Adviser.organisation),
            col(AdministratorProposal.proposed_by),
            col(AdministratorProposal.proposed_at),
            *named_columns(_Proposer, "proposer"),
            col(LostMailbox.proposed_by).label("told_by"),
            col(LostMailbox.proposed_at).label("told_at"),
            col(LostMailbox.agreed_at),
            col(LostMailbox.due_at).label("replaced_at"),
            *named_columns(_Teller, "teller"),
            col(LegalHold.reason),
            col(LegalHold.placed_at),
            *named_columns(_Holder, "holder"),
            col(Departure.due_at),
        )
        .select_from(Member)
        .outerjoin(Adviser, col(Adviser.member_id) == col(Member.id))
        .outerjoin(AdministratorProposal, and_(col(AdministratorProposal.member_id) == col(Member.id), is_recent))
        .outerjoin(_Proposer, col(_Proposer.id) == col(AdministratorProposal.proposed_by))
        .outerjoin(LostMailbox, and_(col(LostMailbox.member_id) == col(Member.id), counts))
        .outerjoin(_Teller, col(_Teller.id) == col(LostMailbox.proposed_by))
        .outerjoin(LegalHold, col(LegalHold.member_id) == col(Member.id))
        .outerjoin(_Holder, col(_Holder.id) == col(LegalHold.placed_by))
        .outerjoin(Departure, col(Departure.member_id) == col(Member.id))
        .where(col(Member.id) == account.id)
    )


def _proposal(row: Any, administrator: Viewer) -> PendingWish | None:
    if row.proposed_at is None:
        return None
    is_own = row.proposed_by == administrator.id
    return PendingWish(row.proposer_name, row.proposed_at, is_own, False, row.proposed_at + PROPOSED_FOR)


def _lost_mailbox(row: Any, administrator: Viewer) -> PendingWish | None:
    if row.told_at is None:
        return None
    is_own = row.told_by == administrator.id
    until = row.replaced_at or row.told_at + lost_mailboxes.PROPOSED_FOR
    return PendingWish(row.teller_name, row.told_at, is_own, row.agreed_at is not None, until)
