"""Join over HTTP."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from pydantic import BeforeValidator, EmailStr, Field

from forum.api.authentication.profiles import DisplayName, Me, NewHandle
from forum.api.schemas import RequestBody
from forum.authentication import registration
from forum.http.current_member import address_of
from forum.http.fields import NewPassword, Number, numeric
from forum.http.idempotency_key import GuestIdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, CurrentTransactions, Route

router = APIRouter(tags=["members"], route_class=Route)


class Newcomer(RequestBody):
    """Who you want to be here. Choose a name that does not reveal who you are."""

    handle: NewHandle
    name: DisplayName
    email: EmailStr = Field(max_length=254, examples=["heron@example.org"])
    password: NewPassword
    rules_version: Number | None = Field(None, description="The version of the rules that you accept", examples=[1])
    least_age: Annotated[int, Field(ge=0, le=150), BeforeValidator(numeric)] | None = Field(
        None,
        description="The age that you say you have reached: ask for that of this forum, usually 16. It is kept",
        examples=[16],
    )


@router.post(
    "/members", status_code=201, response_model=Me, responses=CREATED_WITH_LOCATION | documented(409, 413, 422, 429)
)
async def join(
    request: Request,
    newcomer: Newcomer,
    key: GuestIdempotencyKey,
    transactions: CurrentTransactions,
    services: AppServices,
) -> Response:
    """Join. A link to verify your e-mail address is mailed there; the answer is the same if it is known here.

    With an `Idempotency-Key`, you can safely send it twice; without one, the second is told that the handle is taken.
    """
    wish, breaches = registration.Newcomer(**newcomer.model_dump()), services.breached_passwords
    sender = address_of(request)
    profile = await registration.register(transactions, wish, sender, repeat=key.of(newcomer), breaches=breaches)
    location = f"/api/v1/members/{quote(profile.handle)}"
    return json_response(Me.model_validate(profile), 201, {"Location": location})
