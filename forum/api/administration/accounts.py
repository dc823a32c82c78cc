"""Accounts over HTTP, for administrators: who is here in which state, roles, and sign-ins that were refused."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.administration import accounts
from forum.administration.accounts import State
from forum.administration.invitations import Offer
from forum.api.schemas import After, Handle, Limit, Line, Moment, Next, RequestBody, ResponseBody
from forum.authentication import failed_sign_ins
from forum.authentication.failed_sign_ins import Reason
from forum.content.boards import Board
from forum.core import audit, pagination
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember, FreshMember
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import AppServices, Now, Reading, Route, WorkSession
from forum.members.queries import get_member
from forum.members.tables import Role, Standing
from forum.permissions import Act, allow

router = APIRouter(tags=["administration"], route_class=Route)

GivenRole = Annotated[Role, Path(examples=["moderator"])]
Spoken = Annotated[Line, Field(max_length=100)]


class Account(ResponseBody):
    """What administrators know of an account; the e-mail address is not theirs to know."""

    handle: str = Field(examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    joined_at: Moment
    standing: Standing
    email_verified: bool
    second_factor: bool = Field(description="Whether one is set up: without, roles count nowhere")
    roles: list[Role] = Field(description="Of the whole forum", examples=[["adviser"]])
    moderated_boards: list[str] = Field(description="The slugs of single boards", examples=[["new-here"]])
    proposed_administrator: bool = Field(description="Whether one administrator wants them for another")


class AccountList(ResponseBody):
    """A page of accounts, newest first."""

    items: list[Account]
    next: Next


class Appointment(RequestBody):
    """What readers see beside an adviser's answers; nothing for other roles."""

    title: Spoken | None = Field(None, description="Of an adviser", examples=["Online adviser"])
    organisation: Spoken | None = Field(
        None, description="For whom an adviser speaks", examples=["Example Family Charity"]
    )


class RefusedSignIns(ResponseBody):
    """Sign-ins that were refused in one hour."""

    hour: Moment = Field(description="When it began")
    handle: str | None = Field(description="Whose account; null where the login is nobody's", examples=["suzie"])
    reason: Reason
    times: int = Field(examples=[3])


class RefusedSignInsPage(ResponseBody):
    """A page of refused sign-ins, newest first."""

    items: list[RefusedSignIns]
    next: Next


@router.get("/accounts", response_model=AccountList, responses=documented(401, 403, 422))
async def list_accounts(
    request: Request,
    viewer: CurrentMember,
    work: WorkSession,
    now: Now,
    state: Annotated[
        State | None, Query(description="Only those; `withheld`: staff without a second factor", examples=["banned"])
    ] = None,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the accounts in a state, newest first: for administrators. That somebody looked is written into the log."""
    allow(Act.ADMINISTER, viewer)
    before = pagination.decode(after, accounts.BY_ID) if after is not None else None
    rows = (await work.execute(accounts.listed(state, before, limit + 1))).all()
    shown, slugs = rows[:limit], await _slugs(work)
    await audit.record(work, actor_id=viewer.id, act="accounts.listed", subject=("accounts", state or "all"), now=now)
    cursor = pagination.encode(str(shown[-1].id)) if len(rows) > limit else None
    page = AccountList(items=[_account(row, slugs) for row in shown], next=cursor)
    return cacheable_response(request, page, shared=False, headers=next_link(request, cursor))


@router.get("/accounts/{handle}", response_model=Account, responses=documented(401, 403, 404, 422))
async def get_account(request: Request, handle: Handle, viewer: CurrentMember, work: WorkSession) -> Response:
    """Read an account: for administrators."""
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work, handle)
    return cacheable_response(request, await read_account(work, member.id), shared=False)


@router.put(
    "/accounts/{handle}/roles/{role}", response_model=Account, responses=documented(401, 403, 404, 409, 413, 422)
)
async def give_role(
    handle: Handle,
    role: GivenRole,
    appointment: Appointment,
    viewer: FreshMember,
    work: WorkSession,
    services: AppServices,
    now: Now,
) -> Response:
    """Give a role of the whole forum: for administrators, who signed in within 15 minutes. The member signs in anew.

    To make an administrator takes two, unless this forum does without: the first one's wish is a proposal for a
    week, and another administrator agrees by sending the same.
    """
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work, handle)
    offer = Offer(role, None, appointment.title, appointment.organisation)
    two = services.settings.two_administrators
    await accounts.appoint(work, viewer.member_id, member, offer, now, two_people=two)
    services.session_cache.invalidate(member.id)
    return json_response(await read_account(work, member.id))


@router.delete("/accounts/{handle}/roles/{role}", response_model=Account, responses=documented(401, 403, 404, 409, 422))
async def take_role(
    handle: Handle, role: GivenRole, viewer: FreshMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Take a role of the whole forum away, or a proposal back: for administrators, who signed in within 15 minutes.

    The last administrator stays one (409).
    """
    allow(Act.ADMINISTER, viewer)
    member = await get_member(work, handle)
    await accounts.dismiss(work, viewer, member, role, now)
    services.session_cache.invalidate(member.id)
    return json_response(await read_account(work, member.id))


@router.get("/refused-sign-ins", response_model=RefusedSignInsPage, responses=documented(401, 403, 422))
async def list_refused_sign_ins(
    request: Request,
    viewer: CurrentMember,
    reading: Reading,
    work: WorkSession,
    now: Now,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the sign-ins of the last 30 days that were refused, newest first: for administrators.

    What was typed is not kept, nor from where. That somebody looked is written into the log.
    """
    allow(Act.ADMINISTER, viewer)
    if after is None:
        rows = await reading.rows(failed_sign_ins.NEWEST, limit=limit + 1)
    else:
        hour, member_id, reason = pagination.decode(after, failed_sign_ins.BY_ROW)
        place = {"hour": hour, "member_id": member_id, "reason": reason}
        rows = await reading.rows(failed_sign_ins.NEWEST_AFTER, **place, limit=limit + 1)
    shown = rows[:limit]
    await audit.record(work, actor_id=viewer.id, act="refused_sign_ins.listed", subject=("accounts", "all"), now=now)
    last = shown[-1] if len(rows) > limit else None
    cursor = pagination.encode(last.hour, str(last.member_id), last.reason) if last else None
    items = [RefusedSignIns.model_validate(row) for row in shown]
    return cacheable_response(
        request, RefusedSignInsPage(items=items, next=cursor), shared=False, headers=next_link(request, cursor)
    )


async def read_account(session: AsyncSession, member_id: UUID) -> Account:
    """An account as administrators see it."""
    return _account(await accounts.account(session, member_id), await _slugs(session))


async def _slugs(session: AsyncSession) -> dict[int, str]:
    rows = (await session.execute(select(col(Board.id), col(Board.slug)))).all()
    return {row.id: row.slug for row in rows}


def _account(row: Any, slugs: dict[int, str]) -> Account:
    return Account(
        handle=row.handle,
        name=row.name,
        joined_at=row.joined_at,
        standing=row.standing,
        email_verified=row.email_verified_at is not None,
        second_factor=row.second_factor,
        roles=sorted(row.roles or ()),
        moderated_boards=sorted(slugs[board] for board in row.boards or ()),
        proposed_administrator=row.proposed,
    )
