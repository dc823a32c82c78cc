"""Invitations over HTTP: administrators send them, the owner of the address accepts them."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import EmailStr, Field

from forum.administration import invitations
from forum.api.administration.accounts import Account, AdviserText
from forum.api.schemas import Author, Mailed, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import BoardSlug, Moment, Uuid
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Now, Reading, Route
from forum.members.tables import Role

router = APIRouter(tags=["administration"], route_class=Route)


class Invitation(ResponseBody):
    """A role that the owner of an e-mail address may accept, for a week."""

    id: Uuid
    email: str = Field(examples=["suzie@example.org"])
    role: Role
    board: str | None = Field(description="The slug of a moderator's board; null for the whole forum", examples=[None])
    title: str | None = Field(description="Of an adviser", examples=["Online adviser"])
    organisation: str | None = Field(examples=["Example Family Charity"])
    invited_at: Moment
    expires_at: Moment


class SentInvitation(Invitation):
    """The same, with who sent it."""

    by: Author


class InvitationList(ResponseBody):
    """Invitations to the address that you have verified."""

    items: list[Invitation]
    next: None = Field(description="Always null: they are few")


class SentInvitationList(ResponseBody):
    """Invitations that nobody has accepted yet, newest first."""

    items: list[SentInvitation]
    next: None = Field(description="Always null: they are few")


class InvitationWish(RequestBody):
    """Whom you invite, and to which role. An earlier invitation to the same address is withdrawn."""

    email: EmailStr = Field(max_length=254, examples=["suzie@example.org"])
    role: Role
    board: BoardSlug | None = Field(None, description="A moderator's board; without it, the whole forum")
    title: AdviserText | None = Field(None, description="An adviser needs one", examples=["Online adviser"])
    organisation: AdviserText | None = Field(None, description="An adviser's", examples=["Example Family Charity"])


@router.post(
    "/invitations",
    status_code=201,
    response_model=SentInvitation,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422),
)
async def invite(wish: InvitationWish, viewer: AnyMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Invite somebody to work here: for administrators who signed in within 15 minutes.

    They get a mail that names neither the forum nor the role. They join, or sign in with an account that has verified
    this address, and accept. The answer does not tell whether there is one.
    """
    wanted = invitations.InvitationWish(**wish.model_dump())
    row = await invitations.invite(work, viewer, wanted, repeat=key.of(wish))
    return json_response(_sent(row), 201, {"Location": f"/api/v1/invitations/{row.id}"})


@router.get("/invitations", response_model=SentInvitationList, responses=documented(401, 403, 422))
async def list_invitations(request: Request, viewer: CurrentMember, reading: Reading, now: Now) -> Response:
    """List the invitations that nobody has accepted yet: for administrators."""
    items = [_sent(row) for row in await invitations.list_open(reading, viewer, now)]
    return cacheable_response(request, SentInvitationList(items=items, next=None), shared=False)


@router.delete("/invitations/{id}", status_code=204, responses=documented(401, 403, 404, 422))
async def withdraw_invitation(id: Uuid, viewer: AnyMember, work: CurrentWork) -> Response:
    """Withdraw an invitation: for administrators who signed in within 15 minutes."""
    await invitations.withdraw(work, viewer, id)
    return Response(status_code=204)


@router.get("/me/invitations", response_model=InvitationList, responses=documented(401, 422))
async def list_my_invitations(request: Request, viewer: AnyMember, reading: Reading, now: Now) -> Response:
    """List the invitations to the e-mail address that you have verified."""
    items = [Invitation.model_validate(row) for row in await invitations.list_own(reading, viewer, now)]
    return cacheable_response(request, InvitationList(items=items, next=None), shared=False)


@router.put(
    "/me/invitations/{id}/acceptance", response_model=Account, responses=documented(401, 403, 404, 409, 413, 422)
)
async def accept_invitation(id: Uuid, link: Mailed, viewer: AnyMember, work: CurrentWork) -> Response:
    """Accept an invitation with the link that was mailed. You must have signed in within 15 minutes.

    Every session of yours ends: sign in again, and set up a second factor, without which the role does not count. Your
    password must have at least 15 characters. To become an administrator, another one has to agree first, unless this
    forum does not require it.
    """
    return json_response(Account.model_validate(await invitations.accept(work, viewer, id, link.token)))


def _sent(row: Any) -> SentInvitation:
    return SentInvitation.of_row(row, by=Author.of(row, "by"))
