"""Acting on sight: a moderator looks into a post or a member that they see, without a report."""

from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal

from fastapi import Response
from pydantic import Field

from forum.content.posts.queries import PostView
from forum.core.errors import ForumError
from forum.http.fields import Handle, Id, Words
from forum.web.forms import FormModel
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Visit
from moderation import on_sight
from moderation.case_priority import Category
from moderation.on_sight import SightedPost, Sighting
from moderation.web import words
from moderation.web.member_history import record_page
from moderation.web.pages import ModerationPage, repeat_of, status_of

router = page_router()

SeenCategory = Literal["rule", "personal_information", "risk", "illegal", "intimate_image", "spam", "other"]


class SightingForm(FormModel):
    """What somebody saw."""

    note: Annotated[Words, Field(min_length=1, max_length=5000)]
    category: SeenCategory | None = None

    @property
    def sighting(self) -> Sighting:
        """The same as the action takes it."""
        return Sighting(self.note, Category(self.category) if self.category else None)


class PostSightingForm(SightingForm):
    """What somebody saw in a post, and the version of it that they saw."""

    revision: Annotated[int, Field(ge=1, lt=2**31)] | None = None

    @property
    def sighting(self) -> Sighting:
        """The same as the action takes it."""
        return replace(super().sighting, revision=self.revision)


@dataclass(frozen=True, kw_only=True)
class SightingPage(ModerationPage):
    """The form to look into a post."""

    template: ClassVar[str] = "moderation/on_sight.html"
    seen: ClassVar[tuple[str, ...]] = words.SEEN

    sighted: SightedPost

    @property
    def post(self) -> PostView:
        """The post."""
        return self.sighted.post


@router.get("/moderation/posts/{id}/case")
async def show_sighting(id: Id, visit: MemberVisit) -> Response:
    """Show the form to look into a post."""
    return visit.show(await _page(visit, id))


@router.post("/moderation/posts/{id}/case")
async def open_post_case(id: Id, visit: MemberForm) -> Response:
    """Open or find the case of a post, and take it."""
    try:
        seen = await visit.act(
            on_sight.open_on_post, id, visit.form.parse(PostSightingForm).sighting, repeat=repeat_of(visit)
        )
    except ForumError as error:
        return visit.show(await _page(visit.refusing(error), id), status_of(error))
    return visit.go(f"/moderation/cases/{seen.case.id}", done="case-claimed")


@router.post("/moderation/members/{handle}/case")
async def open_member_case(handle: Handle, visit: MemberForm) -> Response:
    """Open or find the case about a member, and take it."""
    try:
        seen = await visit.act(
            on_sight.open_on_member, handle, visit.form.parse(SightingForm).sighting, repeat=repeat_of(visit)
        )
    except ForumError as error:
        return visit.show(await record_page(visit.refusing(error), handle), status_of(error))
    return visit.go(f"/moderation/cases/{seen.case.id}", done="case-claimed")


async def _page(visit: Visit, post_id: int) -> SightingPage:
    sighted = await visit.act(on_sight.read_sighted_post, post_id)
    return SightingPage(title=visit.say("Look into this post"), sighted=sighted, form=visit.form)
