"""Lost mailboxes over HTTP: for administrators, and for the member who is told and can stop it."""

from fastapi import APIRouter, Request, Response
from pydantic import EmailStr, Field

from forum.api.schemas import Mailed, RequestBody, ResponseBody
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember
from forum.http.fields import Handle, Moment
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from forum.privacy import lost_mailboxes
from forum.privacy.lost_mailboxes import LostMailbox

router = APIRouter(tags=["privacy"], route_class=Route)


class MailboxRequest(RequestBody):
    """The address that is the member's now."""

    email: EmailStr = Field(max_length=254, examples=["heron@example.org"])


class MailboxReplacement(ResponseBody):
    """An address that is to take the place of a mailbox that was lost."""

    email: str = Field(examples=["heron@example.org"])
    agreed: bool = Field(description="Whether a second administrator agreed. A proposal lapses after 7 days")
    due_at: Moment | None = Field(description="When it takes the place. Null until a second administrator agrees")


@router.put(
    "/accounts/{handle}/lost-mailbox",
    response_model=MailboxReplacement,
    responses=documented(401, 403, 404, 413, 422),
)
async def replace_lost_mailbox(
    handle: Handle, wanted: MailboxRequest, viewer: AnyMember, work: CurrentWork
) -> Response:
    """Say that a member lost their mailbox, and which address is theirs now.

    For administrators who signed in within 15 minutes. A second administrator agrees by sending the same. Then the old
    address and the member are told; if neither objects within 72 hours, the new address counts. Idempotent.
    """
    return json_response(_replacement(await lost_mailboxes.replace_mailbox(work, viewer, handle, wanted.email)))


@router.delete("/accounts/{handle}/lost-mailbox", status_code=204, responses=documented(401, 403, 404, 422))
async def withdraw_lost_mailbox(handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """Take it back: for administrators who signed in within 15 minutes. Idempotent."""
    await lost_mailboxes.withdraw(work, viewer, handle)
    return Response(status_code=204)


@router.get("/me/lost-mailbox", response_model=MailboxReplacement, responses=documented(401, 404, 422))
async def get_own_lost_mailbox(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """Read which address is to take the place of yours, because administrators were told that you lost your mailbox."""
    replacement = _replacement(await lost_mailboxes.get_own(work, viewer))
    return cacheable_response(request, replacement, shared=False)


@router.delete("/me/lost-mailbox", status_code=204, responses=documented(401, 403, 422))
async def keep_own_mailbox(viewer: AnyMember, work: CurrentWork) -> Response:
    """Keep your e-mail address. Idempotent."""
    await lost_mailboxes.stop_own(work, viewer)
    return Response(status_code=204)


@router.post("/lost-mailboxes/refusal", status_code=204, responses=documented(404, 413, 422))
async def refuse_lost_mailbox(link: Mailed, work: CurrentWork) -> Response:
    """Keep your e-mail address, with the link that was mailed to it. The link works once, for 72 hours."""
    await lost_mailboxes.refuse(work, link.token)
    return Response(status_code=204)


def _replacement(row: LostMailbox) -> MailboxReplacement:
    return MailboxReplacement(email=row.email, agreed=row.agreed_at is not None, due_at=row.due_at)
