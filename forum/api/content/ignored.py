"""Whom you ignore, over HTTP."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import ResponseBody
from forum.content import ignored
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember
from forum.http.fields import Handle, Moment
from forum.http.problems import documented
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["members"], route_class=Route)


class IgnoredMember(ResponseBody):
    """Somebody whom you ignore."""

    handle: str = Field(examples=["stepdad-si"])
    name: str = Field(examples=["Si"])
    title: str | None = Field(examples=[None])
    since: Moment


class IgnoredList(ResponseBody):
    """Whom you ignore, the newest first."""

    items: list[IgnoredMember]
    next: None = Field(description=f"Always null: you can ignore at most {ignored.MOST} people")


@router.get("/me/ignored", response_model=IgnoredList, responses=documented(401, 422))
async def list_ignored(request: Request, viewer: AnyMember, reading: Reading) -> Response:
    """List whom you ignore. Nobody else can see it."""
    items = [IgnoredMember.model_validate(row) for row in await ignored.list_ignored(reading, viewer)]
    return cacheable_response(request, IgnoredList(items=items, next=None), shared=False)


@router.put("/me/ignored/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def ignore_member(handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """Ignore a member: fold their posts (`ignored` in `/threads/{id}/mine`), and hear nothing of what they write.

    Not staff. They are not told, and nothing that they or others read changes. Idempotent.
    """
    await ignored.ignore(work, viewer, handle)
    return Response(status_code=204)


@router.delete("/me/ignored/{handle}", status_code=204, responses=documented(401, 403, 404, 422))
async def stop_ignoring(handle: Handle, viewer: AnyMember, work: CurrentWork) -> Response:
    """Stop ignoring a member. Idempotent."""
    await ignored.stop_ignoring(work, viewer, handle)
    return Response(status_code=204)
