"""Verifying an e-mail address over HTTP, and changing it."""

from fastapi import APIRouter, Response
from pydantic import EmailStr, Field

from forum.api.schemas import Mailed, Password, RequestBody
from forum.authentication import email_addresses
from forum.http.current_member import AnyMember, FreshMember
from forum.http.problems import documented
from forum.http.services import AppServices, Now, Route, WorkSession
from forum.members.queries import lock_member_row
from forum.privacy import account_deletion

router = APIRouter(tags=["members"], route_class=Route)


class AddressChange(RequestBody):
    """Your present password and another address."""

    current: Password
    email: EmailStr = Field(max_length=254, examples=["heron@example.org"])


@router.post("/email-verifications", status_code=204, responses=documented(401, 403, 422, 429))
async def ask_for_verification(viewer: AnyMember, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Have a new link mailed to the address that you have yet to verify. The answer is always the same."""
    await services.rate_limits.hit(services.settings.limit("verification"), "verification", viewer.id)
    await email_addresses.ask(work, await lock_member_row(work, viewer.member_id), now)
    return Response(status_code=204)


@router.post("/email-verifications/confirmation", status_code=204, responses=documented(404, 413, 422))
async def verify_address(link: Mailed, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Show that the address to which this link was mailed is yours. It works once, for 24 hours."""
    services.session_cache.invalidate(await email_addresses.confirm(work, link.token, now))
    return Response(status_code=204)


@router.post("/email-verifications/refusal", status_code=204, responses=documented(404, 413, 422))
async def refuse_address(link: Mailed, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Refuse that another address takes the place of yours, with the link that was mailed to yours; for 7 days.

    Your address stays or comes back, every session ends, nobody leaves in your name, and the password opens nothing:
    ask for a new one.
    """
    member_id = await email_addresses.refuse(work, link.token, now)
    await account_deletion.cancel(work, member_id)
    services.session_cache.invalidate(member_id)
    return Response(status_code=204)


@router.put("/me/email", status_code=204, responses=documented(401, 403, 413, 422, 429))
async def change_address(wanted: AddressChange, viewer: FreshMember, services: AppServices, now: Now) -> Response:
    """Ask for another e-mail address, signed in within 15 minutes. It counts once you followed a link mailed there.

    Your present address, if it was verified, is told and can refuse. The answer is the same whether or not the new
    one is known here. To ask for your present one is to change your mind.
    """
    await services.rate_limits.hit(services.settings.limit("sign_in"), "password", viewer.id)
    await email_addresses.change(services.database, viewer, wanted.email, wanted.current, now)
    return Response(status_code=204)
