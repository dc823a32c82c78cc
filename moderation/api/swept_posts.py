"""Posts that moved from an old board and may show who somebody is, over HTTP: for moderators."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Author, Next, ResponseBody
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Id, Limit, Moment
from forum.http.problems import documented
from forum.http.services import CurrentWork, Route
from moderation import swept_posts
from moderation.screening.finding import DetailKind

router = APIRouter(prefix="/moderation/swept-posts", tags=["moderation"], route_class=Route)


class SweptPost(ResponseBody):
    """A post that moved from an old board, and what was found in it."""

    id: Id
    thread_id: Id
    number: int = Field(description="In its thread", examples=[2])
    thread_title: str = Field(examples=["Is it my fault?"])
    board: str = Field(examples=["new-here"])
    author: Author
    content_warning: str | None = Field(examples=["A visit"])
    body_markdown: str = Field(examples=["Ring me on 07700 900123, please."])
    created_at: Moment
    kinds: list[DetailKind] = Field(description="What may show who somebody is", examples=[["telephone"]])
    found_at: Moment


class SweptPostList(ResponseBody):
    """Posts that nobody settled."""

    items: list[SweptPost]
    next: Next


@router.get("", response_model=SweptPostList, responses=documented(401, 403, 422))
async def list_swept_posts(
    request: Request, viewer: CurrentMember, work: CurrentWork, *, limit: Limit = 20, after: After = None
) -> Response:
    """List posts that moved here and may show who somebody is: for the moderators of their boards."""
    page = await swept_posts.list_swept(work, viewer, after, limit)
    items = [SweptPost.of_row(row, author=Author.of(row, "author")) for row in page.rows]
    body = SweptPostList(items=items, next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.put("/{id}/settlement", status_code=204, responses=documented(401, 403, 404, 422))
async def settle_swept_post(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Leave a post as it is, and off the list: for the moderators of its board. To act, open its case."""
    await swept_posts.settle(work, viewer, id)
    return Response(status_code=204)
