"""Members over HTTP: joining, public cards, one's own profile."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import EmailStr, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from forum.api.dependencies import (
    AnyMember,
    CurrentMember,
    CurrentViewer,
    Now,
    Reading,
    Route,
    TheHouse,
    Work,
    throttle_editing,
)
from forum.api.problems import documented
from forum.api.wire import (
    LOCATED,
    Handle,
    Moment,
    NewPassword,
    Number,
    Password,
    Shown,
    SoughtHandle,
    Text,
    Uuid,
    Wanted,
    answer,
    fresh,
)
from forum.authentication import email_addresses, registration, sign_in
from forum.content.boards import Board
from forum.content.posts.queries import WRITTEN
from forum.core import rate_limits
from forum.core.database import Reader
from forum.core.errors import Invalid, NotFound, NotSignedIn
from forum.core.gate import Submission
from forum.members import names
from forum.members.advisers import CARDS
from forum.members.queries import lock_account_row, profiles
from forum.members.tables import Member as MemberRow
from forum.members.tables import Role, Standing
from forum.members.viewer import Viewer
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


class Organisation(Shown):
    """Whom an adviser speaks for."""

    title: str = Field(examples=["Online adviser"])
    organisation: str = Field(examples=["Example Family Charity"])


class Member(Shown):
    """What everybody may know of a member."""

    handle: str = Field(examples=["suzie"])
    name: str = Field(examples=["Suzie"])
    title: str | None = Field(examples=["Online adviser"])
    joined_at: Moment
    posts: int = Field(description="Posts that you may read", examples=[12])
    adviser: Organisation | None = Field(description="Null unless this is an adviser")


class MemberList(Shown):
    """The members that were asked for and exist."""

    items: list[Member]
    next: None = Field(description="Always null: you named them all")


class Me(Shown):
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


class Joining(Wanted):
    """Who you want to be here. Choose a name that does not give you away."""

    handle: Text = Field(
        min_length=names.HANDLE_MIN,
        max_length=60,
        description="3 to 30 letters and digits of any script, with `_`, `-`, `.` between them. "
        "It is kept in small letters, and no two look alike",
        examples=["quiet-heron"],
    )
    name: DisplayName
    email: EmailStr = Field(max_length=254, examples=["heron@example.org"])
    password: NewPassword
    rules_version: Number | None = Field(None, description="The version of `/rules` that you accept", examples=[1])


class ProfileChange(Wanted):
    """Another display name."""

    name: DisplayName


class PasswordChange(Wanted):
    """Your present password and the next."""

    current: Password
    new: NewPassword


@router.post("/members", status_code=201, response_model=Me, responses=LOCATED | documented(409, 413, 422, 429))
async def join(request: Request, joining: Joining, work: Work, house: TheHouse, now: Now) -> Response:
    """Join. A link to verify your e-mail address is mailed there; the answer is the same if it is known here."""
    address = rate_limits.network(request.client.host if request.client else "")
    await house.throttle.hit(house.settings.limit("join"), "join", address)
    # Before `work` has a connection: it may take its time.
    newcomer = await registration.prepare_newcomer(**joining.model_dump(), breaches=house.breaches)
    await _pass_gate(work, house, joining.name)
    member = await registration.register(work, newcomer, now)
    await email_addresses.ask(work, member, now)
    return answer(await _profile(work, member.id), 201, {"Location": f"/api/v1/members/{quote(member.handle)}"})


@router.get("/members", response_model=MemberList, responses=documented(422))
async def list_members(
    request: Request,
    viewer: CurrentViewer,
    reading: Reading,
    handle: Annotated[
        list[SoughtHandle],
        Query(min_length=1, max_length=100, description="Whom: `?handle=suzie&handle=marcus`", examples=[["suzie"]]),
    ],
) -> Response:
    """Read several members' cards; those who do not exist are left out."""
    return fresh(request, MemberList(items=await _cards(reading, viewer, handle), next=None))


@router.get("/members/{handle}", response_model=Member, responses=documented(404, 422))
async def get_member(request: Request, handle: Handle, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read a member's card."""
    cards = await _cards(reading, viewer, [handle])
    if not cards:
        raise NotFound("There is no such member.")
    return fresh(request, cards[0])


@router.get("/me", response_model=Me, responses=documented(401, 422))
async def get_me(request: Request, viewer: AnyMember, work: Work) -> Response:
    """Read your own profile."""
    return fresh(request, await _profile(work, viewer.id, withheld=viewer.withheld), shared=False)


@router.patch(
    "/me",
    response_model=Me,
    responses=documented(401, 403, 413, 422, 429),
    dependencies=[Depends(throttle_editing)],
)
async def change_me(change: ProfileChange, viewer: CurrentMember, work: Work, house: TheHouse, now: Now) -> Response:
    """Take another display name."""
    account = await lock_account_row(work, viewer.member_id, now)
    allow(Act.RENAME, viewer, account)
    await _pass_gate(work, house, change.name)
    await registration.rename_member(work, account.member, change.name)
    house.doorkeeper.forget(viewer.id)
    return answer(await _profile(work, viewer.id, withheld=viewer.withheld))


@router.put("/me/password", status_code=204, responses=documented(401, 403, 413, 422, 429))
async def change_password(change: PasswordChange, viewer: AnyMember, house: TheHouse, now: Now) -> Response:
    """Take another password. Every other session of yours ends, and you are told by mail."""
    await house.throttle.hit(house.settings.limit("sign_in"), "password", viewer.id)
    await sign_in.change_password(house.database, viewer, change.current, change.new, now, house.breaches)
    house.doorkeeper.forget(viewer.id)
    return Response(status_code=204)


async def _pass_gate(session: AsyncSession, house: TheHouse, name: str) -> None:
    verdict = await house.gate.judge(session, Submission(None, (name,)))
    if verdict.held_because:  # a name cannot be half visible
        raise Invalid(verdict.held_because, "#/name")


async def _cards(reading: Reader, viewer: Viewer, handles: Sequence[str]) -> list[Member]:
    rows = await reading.rows(CARDS, handles=[names.folded(handle) for handle in handles])
    if not rows:
        return []
    counts = await reading.rows(WRITTEN, **viewer.sight, member_ids=[row.id for row in rows])
    written: dict[UUID, int] = {row.author_id: row.posts for row in counts}
    return [_card(row, written.get(row.id, 0)) for row in rows]


def _card(row: Any, written: int) -> Member:
    badge = row.adviser_title and Organisation(title=row.adviser_title, organisation=row.adviser_organisation)
    return Member(
        handle=row.handle,
        name=row.name,
        title=row.title,
        joined_at=row.joined_at,
        posts=written,
        adviser=badge or None,
    )


async def _profile(session: AsyncSession, member_id: UUID | None, *, withheld: bool = False) -> Me:
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
