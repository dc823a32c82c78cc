"""Emergency disclosure over HTTP."""

from fastapi import APIRouter, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.http.current_member import CurrentMember
from forum.http.fields import Line, Uuid, Words
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import disclosures
from moderation.disclosures import DisclosureWish

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class DisclosureRequest(RequestBody):
    """Why the address is needed, and to whom it goes."""

    reason: Words = Field(min_length=1, max_length=2000, examples=["Says that she took tablets an hour ago."])
    recipient: Line = Field(min_length=1, max_length=200, examples=["West Yorkshire Police"])
    reference: Line | None = Field(None, max_length=100, description="Of theirs", examples=["Log 412 of today"])
    exemption: Line | None = Field(
        None,
        max_length=300,
        description="The rule of law that allows to keep it from them. Without one, it is in the copy of their data",
        examples=["Data Protection Act 2018, Schedule 2, paragraph 2"],
    )


class DisclosedAddress(ResponseBody):
    """What is known to find somebody. Pass it on to whom you named, to nobody else."""

    email: str = Field(examples=["heron@example.org"])
    told: int = Field(
        description="How many others are told that you had it shown. 0: nobody else is there; tell a trustee yourself",
        examples=[1],
    )


@router.post(
    "/cases/{id}/disclosures",
    response_model=DisclosedAddress,
    status_code=201,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def disclose_address(
    id: Uuid, wanted: DisclosureRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Have the e-mail address of somebody in acute danger shown, for those who can find them.

    For those who may decide the case. It stands on the case, in the audit record and in the copy of
    their data, and others are told.
    """
    wish = DisclosureWish(wanted.reason, wanted.recipient, wanted.reference or "", wanted.exemption)
    shown = await disclosures.disclose(work, viewer, id, wish, repeat=key.of(wanted))
    return json_response(DisclosedAddress(email=shown.email, told=shown.told), 201)
