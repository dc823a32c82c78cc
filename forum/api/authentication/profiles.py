"""One's own profile and password over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import RequestBody, ResponseBody
from forum.authentication import handles, profiles, rules_acceptance
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import Moment, NewPassword, Number, Password, Text, Uuid
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import AppServices, CurrentTransactions, CurrentWork, Route
from forum.members import names
from forum.members.tables import Role, Standing

router = APIRouter(tags=["members"], route_class=Route)


DisplayName = Annotated[
    Text,
    Field(
        min_length=names.NAME_MIN,
        max_length=names.NAME_MAX,
        description="What readers see: 1 to 60 characters. It must not look like the name of staff",
        examples=["Heron"],
    ),
]


NewHandle = Annotated[
    Text,
    Field(
        min_length=names.HANDLE_MIN,
        max_length=60,
        description="3 to 30 letters and digits of any script, with `_`, `-`, `.` between them. "
        "It is stored in small letters, and no two look alike",
        examples=["quiet-heron"],
    ),
]


class Me(ResponseBody):
    """Your own profile: only you see it."""

    id: Uuid
    handle: str = Field(examples=["quiet-heron"])
    name: str = Field(examples=["Heron"])
    title: str | None = Field(examples=[None])
    email: str = Field(examples=["heron@example.org"])
    email_verified: bool = Field(description="Needed before your first post, unless this forum does not require it")
    needs_other_address: bool = Field(
        description="Whether no link is mailed to your address: you moved here from an old board on which you had not "
        "been for two years, and somebody else may have it by now. Ask for another one"
    )
    wanted_email: str | None = Field(
        description="The address that replaces it once you followed the link that was mailed there", examples=[None]
    )
    roles: list[Role] = Field(examples=[["moderator"]])
    moderated_boards: list[str] = Field(
        description="The slugs of the boards that you moderate, if not the whole forum", examples=[["new-here"]]
    )
    roles_withheld: bool = Field(
        description="Whether you have roles that do not count, because this session has not shown a second factor"
    )
    standing: Standing = Field(
        description="`active` and `reviewed` members can write; what the latter write is read before it appears"
    )
    rules_version: int | None = Field(description="The version of the rules that you accepted", examples=[1])
    rules_accepted: bool = Field(
        description="Whether that is the present edition. If not, show the rules and accept them again"
    )
    least_age: int | None = Field(
        description="The age that you said you have reached when you joined; null: nobody asked", examples=[16]
    )
    joined_at: Moment


class ProfileChange(RequestBody):
    """Another display name."""

    name: DisplayName


class RulesAcceptance(RequestBody):
    """The edition of the rules that you have read."""

    edition: Number = Field(description="The `version` of `GET /rules`", examples=[1])


class HandleChoice(RequestBody):
    """Another handle."""

    handle: NewHandle


class PasswordChange(RequestBody):
    """Your present password and the new one."""

    current: Password
    new: NewPassword


@router.get("/me", response_model=Me, responses=documented(401, 422))
async def get_me(request: Request, viewer: AnyMember, work: CurrentWork) -> Response:
    """Read your own profile."""
    profile = await profiles.get_profile(work, viewer)
    return cacheable_response(request, Me.model_validate(profile), shared=False)


@router.patch("/me", response_model=Me, responses=documented(401, 403, 413, 422, 429))
async def change_me(change: ProfileChange, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Take another display name."""
    return json_response(Me.model_validate(await profiles.rename(work, viewer, change.name)))


@router.put("/me/rules-acceptance", response_model=Me, responses=documented(401, 403, 409, 413, 422, 429))
async def accept_rules(wanted: RulesAcceptance, viewer: AnyMember, work: CurrentWork) -> Response:
    """Accept the present edition of the house rules. Idempotent. An earlier edition is answered 409."""
    return json_response(Me.model_validate(await rules_acceptance.accept_rules(work, viewer, wanted.edition)))


@router.put("/me/handle", response_model=Me, responses=documented(401, 403, 409, 413, 422, 429))
async def change_handle(wanted: HandleChoice, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Take another handle, when the old one gives you away. You need to have signed in within the last 15 minutes.

    Mentions and quotes of you follow within a minute. Nobody can look the old handle up or ever take it, you neither.
    Once in 90 days. You are told by mail.
    """
    return json_response(Me.model_validate(await handles.change_handle(work, viewer, wanted.handle)))


@router.put("/me/password", status_code=204, responses=documented(401, 403, 413, 422, 429))
async def change_password(
    change: PasswordChange, viewer: AnyMember, transactions: CurrentTransactions, services: AppServices
) -> Response:
    """Change your password. Every other session of yours ends, and you are told by mail."""
    breaches = services.breached_passwords
    await profiles.change_password(transactions, viewer, change.current, change.new, breaches=breaches)
    return Response(status_code=204)
