"""Reset a lost password over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Mailed, RequestBody
from forum.authentication import password_resets
from forum.http.current_member import address_of
from forum.http.fields import NewPassword, Text
from forum.http.problems import documented
from forum.http.services import AppServices, CurrentTransactions, Route

router = APIRouter(tags=["sessions"], route_class=Route)


class ResetRequest(RequestBody):
    """Whose password was lost."""

    login: Text = Field(
        min_length=1,
        max_length=254,
        description="Handle or e-mail address, or the name on an old board that moved here",
        examples=["heron@example.org"],
    )


class ResetCompletion(Mailed):
    """The new password, and the link that was mailed."""

    new: NewPassword


@router.post("/password-resets", status_code=204, responses=documented(413, 422, 429))
async def ask_for_reset(request: Request, lost: ResetRequest, transactions: CurrentTransactions) -> Response:
    """Request a password-reset e-mail. Neither the answer nor its time tells whether the login is known here."""
    await password_resets.request_reset(transactions, lost.login, address_of(request))
    return Response(status_code=204)


@router.post("/password-resets/completion", status_code=204, responses=documented(404, 413, 422, 429))
async def reset_password(reset: ResetCompletion, transactions: CurrentTransactions, services: AppServices) -> Response:
    """Set a new password with a link that was mailed. Every session ends.

    The link works once, for 6 hours, and no longer after you signed in or changed the password.
    """
    breaches = services.breached_passwords
    await password_resets.complete_reset(transactions, reset.token, reset.new, breaches=breaches)
    return Response(status_code=204)
