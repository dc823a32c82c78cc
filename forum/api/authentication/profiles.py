"""One's own profile and password over HTTP."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.api.schemas import Moment, NewPassword, Password, RequestBody, ResponseBody, Text, Uuid
from forum.authentication import registration, sign_in
from forum.content.boards import Board
from forum.core.errors import Invalid, NotSignedIn
from forum.core.gate import Submission
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember, throttle_editing
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import AppServices, Now, Route, WorkSession
from forum.members import names
from forum.members.queries import lock_account_row, profiles
from forum.members.tables import Member as MemberRow
from forum.members.tables import Role, Standing
from forum.permissions import Act, allow

router = APIRouter(tags=["members"], route_class=Route)


DisplayName = Annotated[
    Text,
    Field(
        min_length=names.NAME_MIN,
        max_length=names.NAME_MAX,
        description="What readers see: 1 to 60 characters. It may look like nobody's who works here",
        examples=["Heron"],
    ),
]


class Me(ResponseBody):
    """Your own profile: only you see it."""

    id: Uuid
    handle: str = Field(examples=["quiet-heron"])
    name: str = Field(examples=["Heron"])
    title: str | None = Field(examples=[None])
    email: str = Field(examples=["heron@example.org"])
    email_verified: bool = Field(description="Before your first post it must be, unless this forum does without")
    wanted_email: str | None = Field(
        description="The address that takes its place once you followed the link that was mailed there", examples=[None]
    )
    roles: list[Role] = Field(examples=[["moderator"]])
    moderated_boards: list[str] = Field(
        description="The slugs of the boards that you moderate, if not the whole forum", examples=[["new-here"]]
    )
    roles_withheld: bool = Field(
        description="Whether your roles wait for a second factor: until this session has shown one, they open nothing"
    )
    standing: Standing = Field(description="Only who is `active` can write")
    rules_version: int | None = Field(description="The version of the rules that you accepted", examples=[1])
    joined_at: Moment


class ProfileChange(RequestBody):
    """Another display name."""

    name: DisplayName


class PasswordChange(RequestBody):
    """Your present password and the next."""

    current: Password
    new: NewPassword


@router.get("/me", response_model=Me, responses=documented(401, 422))
async def get_me(request: Request, viewer: AnyMember, work: WorkSession) -> Response:
    """Read your own profile."""
    return cacheable_response(request, await profile_json(work, viewer.id, withheld=viewer.withheld), shared=False)


@router.patch(
    "/me",
    response_model=Me,
    responses=documented(401, 403, 413, 422, 429),
    dependencies=[Depends(throttle_editing)],
)
async def change_me(
    change: ProfileChange, viewer: CurrentMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Take another display name."""
    account = await lock_account_row(work, viewer.member_id, now)
    allow(Act.RENAME, viewer, account)
    await pass_gate(work, services, change.name)
    await registration.rename_member(work, account.member, change.name)
    services.session_cache.invalidate(viewer.id)
    return json_response(await profile_json(work, viewer.id, withheld=viewer.withheld))


@router.put("/me/password", status_code=204, responses=documented(401, 403, 413, 422, 429))
async def change_password(change: PasswordChange, viewer: AnyMember, services: AppServices, now: Now) -> Response:
    """Take another password. Every other session of yours ends, and you are told by mail."""
    await services.rate_limits.hit(services.settings.limit("sign_in"), "password", viewer.id)
    await sign_in.change_password(
        services.database, viewer, change.current, change.new, now, services.breached_passwords
    )
    services.session_cache.invalidate(viewer.id)
    return Response(status_code=204)


async def pass_gate(session: AsyncSession, services: AppServices, name: str) -> None:
    """Raise Invalid when the gate would hold a name."""
    verdict = await services.gate.judge(session, Submission(None, (name,)))
    if verdict.held_because:  # a name cannot be half visible
        raise Invalid(verdict.held_because, "#/name")


async def profile_json(session: AsyncSession, member_id: UUID | None, *, withheld: bool = False) -> Me:
    """The member's own profile; NotSignedIn when they have left."""
    row = (await session.execute(profiles().where(col(MemberRow.id) == member_id))).one()
    if row.standing == Standing.LEFT:  # a moment ago: this process has not heard of it yet
        raise NotSignedIn("Sign in first.")
    slugs = select(col(Board.slug)).where(col(Board.id).in_(row.boards or ())).order_by(col(Board.slug))
    boards = (await session.execute(slugs)).scalars().all() if row.boards else ()
    return Me(
        id=row.id,
        handle=row.handle,
        name=row.name,
        title=row.title,
        email=row.email,
        email_verified=row.email_verified_at is not None,
        wanted_email=row.wanted_email,
        roles=sorted({*(row.roles or ()), *([Role.MODERATOR] if boards else ())}),
        moderated_boards=list(boards),
        roles_withheld=withheld,
        standing=row.standing,
        rules_version=row.rules_version,
        joined_at=row.joined_at,
    )
