"""The page after a post that sounds like danger: who helps, calmly above the post, for its author alone."""

from dataclasses import dataclass
from typing import ClassVar

from fastapi import Response

from forum.content import addressed_help, crisis_help
from forum.content.crisis_help import Help
from forum.content.posts.queries import PostView
from forum.http.fields import Id
from forum.web.content.threads import place_of
from forum.web.pages import Page
from forum.web.routing import page_router
from forum.web.visits import MemberVisit, OwnForm
from forum.web.words import HELP

router = page_router()


@dataclass(frozen=True, kw_only=True)
class PostHelpPage(Page):
    """Who helps with what a post says, above the post."""

    template: ClassVar[str] = "content/post_help.html"
    section: ClassVar[str] = "/help"
    is_own: ClassVar[bool] = True

    words: str
    help: Help
    post: PostView
    place: str  # of the post in its thread


@router.get("/posts/{id}/help")
async def show_post_help(id: Id, visit: MemberVisit) -> Response:
    """Show who helps with what a post says: to its author, or to whom it tells to harm themselves."""
    read = await visit.act(crisis_help.read_post_with_help, id)
    return visit.show(
        PostHelpPage(
            title=visit.say("You are not alone"),
            words=visit.say(HELP[read.help.kind]),
            help=read.help,
            post=read.post,
            place=place_of(read.post.thread_id, read.post.number),
        )
    )


@router.post("/threads/{id}/help/end")
async def put_help_away(id: Id, visit: OwnForm) -> Response:
    """Put away the help that stands beside a thread."""
    await visit.act(addressed_help.put_away, id)
    return visit.go(f"/threads/{id}", done="help-away")
