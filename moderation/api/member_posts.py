"""A member's posts over HTTP: all of them in one list for moderators, and one decision about many of them."""

from fastapi import APIRouter, Request, Response
from pydantic import Field

from forum.api.schemas import Next, RequestBody, ResponseBody
from forum.content.posts.tables import Visibility
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember
from forum.http.fields import After, Handle, Identity, Limit, Moment, Number, SentIdentity
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import json_response
from forum.http.services import CurrentWork, Route
from moderation import member_posts
from moderation.api.decisions import Decision, RulingRequest, decision_input, decision_response
from moderation.member_posts import POSTS_MAX, SeenPost

router = APIRouter(prefix="/moderation", tags=["moderation"], route_class=Route)


class MemberPost(ResponseBody):
    """A post of a member, for those who moderate its board."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    thread_title: str = Field(examples=["What happens at a first conference?"])
    board: str = Field(description="Its slug", examples=["new-here"])
    number: int = Field(examples=[7])
    revision: int = Field(description="Send it with a decision", examples=[1])
    visibility: Visibility
    content_warning: str | None = Field(examples=["self-harm"])
    body_markdown: str | None = Field(description="Null when its author withdrew it", examples=["Cheap loans!"])
    created_at: Moment
    edited_at: Moment | None


class MemberPostList(ResponseBody):
    """A member's posts on your boards, newest first."""

    items: list[MemberPost]
    next: Next


class PostOnScreen(RequestBody):
    """A post, and the revision of it that you saw."""

    id: SentIdentity = Field(examples=[4711])
    revision: Number = Field(examples=[1])


class JointDecisionRequest(RulingRequest):
    """What you decide about up to a hundred posts of one member: all of it or nothing."""

    posts: list[PostOnScreen] = Field(
        min_length=1, max_length=POSTS_MAX, examples=[[{"id": 4711, "revision": 1}, {"id": 4712, "revision": 1}]]
    )


@router.get("/members/{handle}/posts", response_model=MemberPostList, responses=documented(401, 403, 404, 422))
async def list_member_posts(
    request: Request,
    handle: Handle,
    viewer: CurrentMember,
    work: CurrentWork,
    *,
    limit: Limit = 20,
    after: After = None,
) -> Response:
    """List a member's posts on your boards, newest first, also those that are held or removed.

    Administrators see those that readers see.
    """
    page = await member_posts.list_posts(work, viewer, handle, after, limit)
    body = MemberPostList(items=[MemberPost.model_validate(row) for row in page.rows], next=page.next)
    return cacheable_response(request, body, shared=False, headers=next_link(request, page.next))


@router.post(
    "/members/{handle}/decisions",
    status_code=201,
    response_model=Decision,
    responses=documented(401, 403, 404, 409, 413, 422),
)
async def decide_posts(
    handle: Handle, wanted: JointDecisionRequest, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork
) -> Response:
    """Decide about up to a hundred posts of a member at once, for instance a spammer's adverts.

    It is one case. The member gets one statement, and can appeal once, against all of it. Reports of these posts are
    settled with it. `edit`, `redact`, `retitle` and `move` are for one post alone. With an `Idempotency-Key`, you can
    safely send it twice.
    """
    seen = [SeenPost(post.id, post.revision) for post in wanted.posts]
    decided = await member_posts.decide_together(
        work, viewer, handle, seen, decision_input(wanted), repeat=key.of(wanted)
    )
    return json_response(decision_response(decided, viewer), 201)
