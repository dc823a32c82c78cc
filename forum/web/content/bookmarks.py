"""Saved posts: the button at each post, and the list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Response

from forum.content import bookmarks
from forum.http.fields import Id
from forum.web.content.threads import place_of
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, OwnForm, OwnVisit, own_path

router = page_router()

POSTS_A_PAGE = 20


@dataclass(frozen=True, kw_only=True)
class SavedPostsPage(Page):
    """The posts that one saved."""

    template: ClassVar[str] = "content/saved_posts.html"
    section: ClassVar[str] = "/me"
    is_own: ClassVar[bool] = True
    has_tools: ClassVar[bool] = True

    posts: Sequence[Any]
    next: str | None


@router.get("/me/bookmarks")
async def show_saved_posts(visit: OwnVisit) -> Response:
    """Show a page of the posts that one saved."""
    page = await bookmarks.list_bookmarks(visit.reader, visit.viewer, visit.query("after") or None, POSTS_A_PAGE)
    return visit.show(SavedPostsPage(title=visit.say("Saved posts"), posts=page.rows, next=page.next))


@router.post("/posts/{id}/bookmark")
async def save_post(id: Id, visit: MemberForm) -> Response:
    """Save a post, and go back to its place."""
    post = await visit.act(bookmarks.save_post, id)
    return visit.go(place_of(post.thread_id, post.number), done="post-saved")


@router.post("/posts/{id}/bookmark/delete")
async def forget_post(id: Id, visit: OwnForm) -> Response:
    """Save a post no longer, and go back to where one was."""
    await visit.act(bookmarks.forget_post, id)
    back = visit.form.values.get("back")
    return visit.go(own_path(back), done="post-forgotten") if back else visit.go(f"/posts/{id}")
