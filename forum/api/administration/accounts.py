"""Accounts over HTTP, for administrators: find them, give and take roles, and see refused sign-ins."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from forum.administration import accounts
from forum.administration.accounts import AccountFilter
from forum.administration.roles import Offer
from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.authentication import failed_sign_ins
from forum.authentication.failed_sign_ins import RefusalReason
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Handle, Limit, Line, Moment, Text
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from forum.members.tables import Role, Standing

router = APIRouter(tags=["administration"], route_class=Route)

GivenRole = Annotated[Role, Path(examples=["moderator"])]
AdviserText = Annotated[Line, Field(max_length=100)]


class Account(ResponseBody):
    """What administrators see of an account; not its e-mail address."""

    handle: str = Field(examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    joined_at: Moment
    standing: Standing
    email_verified: bool
    second_factor: bool = Field(description="Whether one is set up: without one, roles do not count")
    roles: list[Role] = Field(description="Of the whole forum", examples=[["adviser"]])
    moderated_boards: list[str] = Field(
        description="The slugs of the boards that they moderate, if not all", examples=[["new-here"]]
    )
    proposed_administrator: bool = Field(description="Whether one administrator proposed them as another")


class AccountList(ResponseBody):
    """A page of accounts, newest first."""

    items: list[Account]
    next: Next


class Appointment(RequestBody):
    """What readers see beside an adviser's answers; empty for other roles."""

    title: AdviserText | None = Field(None, description="Of an adviser", examples=["Online adviser"])
    organisation: AdviserText | None = Field(
        None, description="For whom an adviser speaks", examples=["Example Family Charity"]
    )


class RefusedSignIns(ResponseBody):
    """Sign-ins that were refused in one hour."""

    hour: Moment = Field(description="When it began")
    handle: str | None = Field(description="Whose account; null when there is no such account", examples=["suzie"])
    reason: RefusalReason
    times: int = Field(examples=[3])


class RefusedSignInsPage(ResponseBody):
    """A page of refused sign-ins, newest first."""

    items: list[RefusedSignIns]
    next: Next


@router.get("/accounts", response_model=AccountList, responses=documented(401, 403, 422))
async def list_accounts(
    request: Request,
    viewer: CurrentMember,
    work: CurrentWork,
    *,
    state: Annotated[
        AccountFilter | None,
        Query(description="Only those; `withheld`: staff without a second factor", examples=["banned"]),
    ] = None,
    named: Annotated[
        Text | None,
        Query(
            max_length=100, description="Only those whose handle begins with it or whose name has it", examples=["suz"]
        ),
    ] = None,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List the accounts in a state, newest first: for administrators. The audit record notes that somebody looked."""
    page = await accounts.list_accounts(work, viewer, state, after, limit, named=named)
    body = AccountList(items=[Account.model_validate(account) for account in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.get("/accounts/{handle}", response_model=Account, responses=documented(401, 403, 404, 422))
async def get_account(request: Request, handle: Handle, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read an account: for administrators."""
    account = await accounts.get_account(work, viewer, handle)
    return cacheable_response(request, Account.model_validate(account), shared=False)


@router.put(
    "/accounts/{handle}/roles/{role}", response_model=Account, responses=documented(401, 403, 404, 409, 413, 422)
)
async def give_role(
    handle: Handle, role: GivenRole, appointment: Appointment, viewer: AnyMember, work: CurrentWork
) -> Response:
    """Give a role of the whole forum: for administrators who signed in within 15 minutes. The member is signed out.

    It takes two administrators to make another one, unless this forum does not require it: the first one proposes the
    member, for a week, and the second one agrees by sending the same.
    """
    offer = Offer(role, None, appointment.title, appointment.organisation)
    return json_response(Account.model_validate(await accounts.give_role(work, viewer, handle, offer)))


@router.delete("/accounts/{handle}/roles/{role}", response_model=Account, responses=documented(401, 403, 404, 409, 422))
async def take_role(handle: Handle, role: GivenRole, viewer: AnyMember, work: CurrentWork) -> Response:
    """Take a role of the whole forum away, or a proposal back: for administrators who signed in within 15 minutes.

    The last administrator cannot lose the role (409).
    """
    return json_response(Account.model_validate(await accounts.take_role(work, viewer, handle, role)))


@router.delete("/accounts/{handle}/sessions", status_code=204, responses=documented(401, 403, 404, 422))
async def sign_member_out(handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """Sign a member out everywhere: for administrators who signed in within 15 minutes. Idempotent."""
    await accounts.sign_member_out(work, viewer, handle)
    return Response(status_code=204)


@router.get("/refused-sign-ins", response_model=RefusedSignInsPage, responses=documented(401, 403, 422))
async def list_refused_sign_ins(
    request: Request, viewer: CurrentMember, work: CurrentWork, limit: Limit = 20, after: After = None
) -> Response:
    """List the sign-ins of the last 30 days that were refused, newest first: for administrators.

    Neither the login that was typed nor the internet address is stored. The audit record notes that somebody looked.
    """
    page = await failed_sign_ins.list_refused_sign_ins(work, viewer, after, limit)
    items = [RefusedSignIns.model_validate(row) for row in page.rows]
    body = RefusedSignInsPage(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))
