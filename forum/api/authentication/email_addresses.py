"""Verify an e-mail address over HTTP, and change it."""

from fastapi import APIRouter, Response
from pydantic import EmailStr, Field

from forum.api.schemas import Mailed, RequestBody
from forum.authentication import email_addresses
from forum.http.current_member import AnyMember
from forum.http.fields import Password
from forum.http.problems import documented
from forum.http.services import CurrentTransactions, CurrentWork, Route
from forum.privacy import account_deletion

router = APIRouter(tags=["members"], route_class=Route)


class AddressChange(RequestBody):
    """Your present password, and the new address."""

    current: Password
    email: EmailStr = Field(max_length=254, examples=["heron@example.org"])


@router.post("/email-verifications", status_code=204, responses=documented(401, 403, 422, 429))
async def ask_for_verification(viewer: AnyMember, work: CurrentWork) -> Response:
    """Request a new link to verify your e-mail address. The answer is always the same."""
    await email_addresses.request_verification(work, viewer)
    return Response(status_code=204)


@router.post("/email-verifications/confirmation", status_code=204, responses=documented(404, 413, 422))
async def verify_address(link: Mailed, work: CurrentWork) -> Response:
    """Verify your e-mail address with the link that was mailed there. The link works for 24 hours. Idempotent."""
    await email_addresses.confirm_address(work, link.token)
    return Response(status_code=204)


@router.post("/email-verifications/refusal", status_code=204, responses=documented(404, 413, 422))
async def refuse_address(link: Mailed, work: CurrentWork) -> Response:
    """Refuse a change of your e-mail address, with the link that was mailed to it. The link works for 7 days.

    Your address stays or comes back, every session ends, a departure is cancelled, and the password no longer works:
    request a new one.
    """
    await account_deletion.refuse_address_change(work, link.token)
    return Response(status_code=204)


@router.put("/me/email", status_code=204, responses=documented(401, 403, 413, 422, 429))
async def change_address(change: AddressChange, viewer: AnyMember, transactions: CurrentTransactions) -> Response:
    """Ask for another e-mail address. It counts once you followed a link that is mailed there.

    You must have signed in within the last 15 minutes. Your present address, if it was verified, gets a mail and can
    refuse. The answer is the same whether or not the new one is known here. Ask for your present address to take an
    earlier wish back.
    """
    await email_addresses.change_address(transactions, viewer, change.email, change.current)
    return Response(status_code=204)
