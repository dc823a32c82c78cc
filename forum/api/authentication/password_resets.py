"""Resetting a forgotten password over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Mailed, NewPassword, RequestBody, Text
from forum.authentication import password_resets
from forum.core import rate_limits
from forum.http.problems import documented
from forum.http.services import AppServices, Now, Route

router = APIRouter(tags=["sessions"], route_class=Route)


class Forgetting(RequestBody):
    """Whose password was lost."""

    login: Text = Field(
        min_length=1, max_length=254, description="Handle or e-mail address", examples=["heron@example.org"]
    )


class NewStart(Mailed):
    """Another password, and the link that was mailed."""

    new: NewPassword


@router.post("/password-resets", status_code=204, responses=documented(413, 422, 429))
async def ask_for_reset(request: Request, wanted: Forgetting, services: AppServices, now: Now) -> Response:
    """Have a link to a new password mailed. Neither words nor time tell whether the login is known here."""
    settings = services.settings
    address = rate_limits.network(request.client.host if request.client else "")
    await services.rate_limits.hit(settings.limit("reset_network"), "password-reset", "address", address)
    await password_resets.ask(services.database, wanted.login, services.rate_limits, settings.limit("reset"), now)
    return Response(status_code=204)


@router.post("/password-resets/completion", status_code=204, responses=documented(404, 413, 422, 429))
async def reset_password(start: NewStart, services: AppServices, now: Now) -> Response:
    """Take another password with a link that was mailed. Every session ends.

    The link works once, for 6 hours, and no longer once you signed in or changed the password.
    """
    limit = services.settings.limit("sign_in")
    owner = await password_resets.reset(
        services.database, start.token, start.new, services.rate_limits, limit, now, services.breached_passwords
    )
    services.session_cache.invalidate(owner)
    return Response(status_code=204)
