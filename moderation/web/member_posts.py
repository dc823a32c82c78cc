"""Pages of a member's posts: all of them in one list, and one decision about many."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, ClassVar
from urllib.parse import quote

from fastapi import Response
from pydantic import Field

from forum.core.errors import Busy, ForumError
from forum.http.fields import Handle
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import decision_preview, member_posts, member_record
from moderation.member_posts import POSTS_MAX, SeenPost
from moderation.member_record import PostsScreen
from moderation.web.cases import DAYS
from moderation.web.decisions import RulingForm, preview_page
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

PostOnScreen = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}:[1-9][0-9]{0,8}$")]


class JointRulingForm(RulingForm):
    """What somebody decides about many posts, each with the version of it that was on the screen."""

    posts: Annotated[tuple[PostOnScreen, ...], Field(min_length=1, max_length=POSTS_MAX)]

    @property
    def seen(self) -> list[SeenPost]:
        """The posts that were chosen."""
        return [SeenPost(*map(int, post.split(":"))) for post in self.posts]


@dataclass(frozen=True, kw_only=True)
class PostsPage(ModerationPage):
    """A member's posts, to choose some and decide about them."""

    template: ClassVar[str] = "moderation/member_posts.html"
    is_wide: ClassVar[bool] = True
    days: ClassVar[tuple[int, ...]] = DAYS
    # What can be done about several posts at once.
    offered: ClassVar[tuple[str, ...]] = (
        "remove", "publish", "lock", "warn", "review", "silence", "suspend", "ban", "dismiss",
    )  # fmt: skip

    screen: PostsScreen
    now: datetime

    @property
    def address(self) -> str:
        """The address of the page."""
        return _address(self.screen.member.handle)


@router.get("/moderation/members/{handle}/posts")
async def show_posts(handle: Handle, visit: MemberVisit) -> Response:
    """Show a member's posts on the viewer's boards."""
    return visit.show(await _page(visit, handle))


@router.post("/moderation/members/{handle}/posts/preview")
async def preview_decision(handle: Handle, visit: MemberForm) -> Response:
    """Show what a decision about many posts would come to. Nothing is stored."""
    try:
        wanted = visit.form.parse(JointRulingForm)
        preview = await decision_preview.preview_joint_decision(
            visit.transactions, visit.viewer, handle, wanted.seen, wanted.ruling(visit.now)
        )
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), handle), status_of(error))
    address = _address(handle)
    return visit.show(preview_page(visit, preview, wanted, f"{address}/decide", f"{address}/change"))


@router.post("/moderation/members/{handle}/posts/change")
async def change_decision(handle: Handle, visit: MemberForm) -> Response:
    """Show the posts again with what was chosen, to change something."""
    return visit.show(await _page(visit, handle))


@router.post("/moderation/members/{handle}/posts/decide")
async def decide_posts(handle: Handle, visit: MemberForm) -> Response:
    """Decide about many posts of a member: one case, one statement."""
    try:
        wanted = visit.form.parse(JointRulingForm)
        decided = await visit.act(
            member_posts.decide_together, handle, wanted.seen, wanted.ruling(visit.now), repeat=repeat_of(visit)
        )
    except Busy:
        return visit.go(_address(handle), done="sending")
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), handle), status_of(error))
    return visit.go(f"/moderation/cases/{decided.decision.case_id}", done="case-decided")


async def _page(visit: Visit, handle: str) -> PostsPage:
    after = visit.query("after") or visit.form.values.get("after") or None
    screen = await member_record.read_posts(visit.transactions, visit.viewer, handle, after)
    title = visit.say("Posts of %(name)s", name=screen.member.name)
    return PostsPage(title=title, screen=screen, now=visit.now, form=visit.form)


def _address(handle: str) -> str:
    return f"/moderation/members/{quote(handle, safe='')}/posts"
