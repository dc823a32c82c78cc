"""Bookmarks over HTTP: save a post for yourself, and find it again."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.content.threads import BoardName
from forum.api.schemas import Author, Next, ResponseBody
from forum.content import bookmarks
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import AnyMember, CurrentMember
from forum.http.fields import After, Id, Identity, Limit, Moment
from forum.http.problems import documented
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["bookmarks"], route_class=Route)


class SavedPost(ResponseBody):
    """A post that you saved, and where it is."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    number: int = Field(description="Its number in the thread", examples=[7])
    thread_title: str = Field(examples=["What happens at a first conference?"])
    board: BoardName
    author: Author
    created_at: Moment
    saved_at: Moment

    @classmethod
    def of_bookmark(cls, row: Any) -> "SavedPost":
        """Return the saved post of a row."""
        board = BoardName(slug=row.board_slug, name=row.board_name)
        return cls.of_row(row, board=board, author=Author.of(row, "author"))


class SavedPostList(ResponseBody):
    """A page of posts, the one saved last first."""

    items: list[SavedPost]
    next: Next


@router.put("/posts/{id}/bookmark", status_code=204, responses=documented(401, 403, 404, 422))
async def save_post(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Save a post for yourself. Idempotent. Nobody is told."""
    await bookmarks.save_post(work, viewer, id)
    return Response(status_code=204)


@router.delete("/posts/{id}/bookmark", status_code=204, responses=documented(401, 403, 404, 422))
async def forget_post(id: Id, viewer: AnyMember, work: CurrentWork) -> Response:
    """Save a post no longer, also where you no longer see it. Idempotent."""
    await bookmarks.forget_post(work, viewer, id)
    return Response(status_code=204)


@router.get("/me/bookmarks", response_model=SavedPostList, responses=documented(401, 422))
async def list_bookmarks(
    request: Request, viewer: AnyMember, reading: Reading, *, limit: Limit = 20, after: After = None
) -> Response:
    """List the posts that you saved, the one saved last first. What you can no longer see is not among them."""
    page = await bookmarks.list_bookmarks(reading, viewer, after, limit)
    body = SavedPostList(items=[SavedPost.of_bookmark(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))
