"""Invitations over HTTP: administrators send them, and whoever has verified the address takes them up."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import EmailStr, Field
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration import accounts, invitations
from forum.administration.invitations import Offer
from forum.api.administration.accounts import Account, Spoken, read_account
from forum.api.schemas import Author, BoardSlug, Mailed, Moment, RequestBody, ResponseBody, Uuid
from forum.content import boards
from forum.core.errors import Invalid
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember, FreshMember
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, Now, Reading, Route, WorkSession
from forum.members.tables import Member, Role
from forum.permissions import Act, allow

router = APIRouter(tags=["administration"], route_class=Route)


class Invitation(ResponseBody):
    """A role that the owner of an address may take, for a week."""

    id: Uuid
    email: str = Field(examples=["suzie@example.org"])
    role: Role
    board: str | None = Field(description="A moderator's, if not the whole forum", examples=[None])
    title: str | None = Field(description="Of an adviser", examples=["Online adviser"])
    organisation: str | None = Field(examples=["Example Family Charity"])
    invited_at: Moment
    expires_at: Moment


class SentInvitation(Invitation):
    """The same, with who sent it."""

    by: Author


class InvitationList(ResponseBody):
    """Invitations to addresses that you have verified."""

    items: list[Invitation]
    next: None = Field(description="Always null: they are few")


class SentInvitationList(ResponseBody):
    """Invitations that nobody has taken up yet, newest first."""

    items: list[SentInvitation]
    next: None = Field(description="Always null: they are few")


class Inviting(RequestBody):
    """Whom you want here, and as what. An invitation sent to the same address before is taken back."""

    email: EmailStr = Field(max_length=254, examples=["suzie@example.org"])
    role: Role
    board: BoardSlug | None = Field(None, description="A moderator's board; without it, the whole forum")
    title: Spoken | None = Field(None, description="An adviser needs one", examples=["Online adviser"])
    organisation: Spoken | None = Field(None, description="An adviser's", examples=["Example Family Charity"])


@router.post(
    "/invitations",
    status_code=201,
    response_model=SentInvitation,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 413, 422),
)
async def invite(inviting: Inviting, viewer: FreshMember, work: WorkSession, now: Now) -> Response:
    """Invite somebody to work here: for administrators, who signed in within 15 minutes.

    They get a mail, which says neither from where nor as what it is; they join or sign in with an account that has
    verified this address, and take it up. The answer does not tell whether there is one.
    """
    allow(Act.ADMINISTER, viewer)
    offer = await _offer(work, inviting)
    made = await invitations.invite(work, viewer, inviting.email, offer, now)
    [row] = [row for row in (await work.execute(invitations.OPEN.query, {"now": now})).all() if row.id == made]
    return json_response(_sent(row), 201, {"Location": f"/api/v1/invitations/{made}"})


@router.get("/invitations", response_model=SentInvitationList, responses=documented(401, 403, 422))
async def list_invitations(request: Request, viewer: CurrentMember, reading: Reading, now: Now) -> Response:
    """List the invitations that nobody has taken up yet: for administrators."""
    allow(Act.ADMINISTER, viewer)
    rows = await reading.rows(invitations.OPEN, now=now)
    return cacheable_response(request, SentInvitationList(items=[_sent(row) for row in rows], next=None), shared=False)


@router.delete("/invitations/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def withdraw_invitation(id: Uuid, viewer: FreshMember, work: WorkSession, now: Now) -> Response:
    """Take an invitation back: for administrators, who signed in within 15 minutes."""
    allow(Act.ADMINISTER, viewer)
    await invitations.withdraw(work, viewer, id, now)
    return Response(status_code=204)


@router.get("/me/invitations", response_model=InvitationList, responses=documented(401, 422))
async def list_my_invitations(request: Request, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """List the invitations that were sent to the address that you have verified."""
    rows = await reading.rows(invitations.MINE, viewer_id=viewer.id, now=now)
    items = [Invitation.model_validate(row) for row in rows]
    return cacheable_response(request, InvitationList(items=items, next=None), shared=False)


@router.put(
    "/me/invitations/{id}/acceptance", response_model=Account, responses=documented(401, 403, 404, 409, 413, 422)
)
async def accept_invitation(
    id: Uuid, link: Mailed, viewer: FreshMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Take an invitation up with the link that was mailed, signed in within 15 minutes. Every session of yours ends:
    sign in again, and set up a second factor, without which the role counts nowhere.

    It needs a password of at least 15 characters. To become an administrator, another one has to agree first, unless
    this forum does without.
    """
    offer, administrator = await invitations.accept(work, viewer, id, link.token, now)
    member = await work.get_one(Member, viewer.member_id)
    two = services.settings.two_administrators
    await accounts.appoint(work, administrator, member, offer, now, two_people=two)
    services.session_cache.invalidate(viewer.id)
    return json_response(await read_account(work, member.id))


async def _offer(session: AsyncSession, inviting: Inviting) -> Offer:
    badge = (inviting.title, inviting.organisation)
    if not (all(badge) if inviting.role == Role.ADVISER else badge == (None, None)):
        raise Invalid("An adviser needs a title and an organisation, and nobody else has them.", "#/title")
    if inviting.board is None:
        return Offer(inviting.role, None, inviting.title, inviting.organisation)
    board = await boards.find_board(session, inviting.board)
    if board is None or inviting.role != Role.MODERATOR:
        raise Invalid("Only a moderator is for one board, and for one that there is.", "#/board")
    return Offer(inviting.role, board.id)


def _sent(row: Any) -> SentInvitation:
    told = Invitation.model_validate(row).model_dump()
    return SentInvitation(**told, by=Author.of(row, "by"))
