"""Joining over HTTP."""

from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import EmailStr, Field

from forum.api.authentication.profiles import DisplayName, Me, pass_gate, profile_json
from forum.api.schemas import NewPassword, Number, RequestBody, Text
from forum.authentication import email_addresses, registration
from forum.core import rate_limits
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, Now, Route, WorkSession
from forum.members import names

router = APIRouter(tags=["members"], route_class=Route)


class Joining(RequestBody):
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


@router.post(
    "/members", status_code=201, response_model=Me, responses=CREATED_WITH_LOCATION | documented(409, 413, 422, 429)
)
async def join(request: Request, joining: Joining, work: WorkSession, services: AppServices, now: Now) -> Response:
    """Join. A link to verify your e-mail address is mailed there; the answer is the same if it is known here."""
    address = rate_limits.network(request.client.host if request.client else "")
    await services.rate_limits.hit(services.settings.limit("join"), "join", address)
    # Before `work` has a connection: it may take its time.
    newcomer = await registration.prepare_newcomer(**joining.model_dump(), breaches=services.breached_passwords)
    await pass_gate(work, services, joining.name)
    member = await registration.register(work, newcomer, now)
    await email_addresses.ask(work, member, now)
    return json_response(
        await profile_json(work, member.id), 201, {"Location": f"/api/v1/members/{quote(member.handle)}"}
    )
