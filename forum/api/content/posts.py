"""Posts over HTTP: a thread's pages, replies, edits, withdrawals, revisions, previews."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field, TypeAdapter
from typing_extensions import TypeAliasType

from forum.api.content.threads import robots
from forum.api.schemas import (
    After,
    Author,
    Body,
    Id,
    Identity,
    Limit,
    Moment,
    Next,
    Number,
    RequestBody,
    ResponseBody,
    SentIdentity,
    Warning_,
)
from forum.content.posts import actions, queries
from forum.content.posts.draft import Draft
from forum.content.posts.queries import PageRequest, PostView
from forum.content.posts.tables import Visibility
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember, CurrentViewer
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Reading, Route

router = APIRouter(tags=["posts"], route_class=Route)


class AdviserBadge(ResponseBody):
    """Whom an adviser spoke for, as it was when the post was written: make it stand out."""

    name: str = Field(examples=["Suzie"])
    title: str = Field(examples=["Online adviser"])
    organisation: str = Field(examples=["Example Family Charity"])


class Notice(ResponseBody):
    """What readers are told about a post that was changed or taken away."""

    kind: Literal["withdrawn", "removed", "edited"]
    by: str | None = Field(description="Who did it; null when its author did", examples=["Suzie"])
    rules: list[int] = Field(description="The numbers of the rules that it breached", examples=[[10]])
    text: str = Field(examples=["Withdrawn by its author"])


class Post(ResponseBody):
    """A post that can be read."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    number: int = Field(description="Its number in the thread, for good", examples=[7])
    revision: int = Field(description="Send it with an edit: it says what was on your screen", examples=[1])
    visibility: Literal["visible", "held"] = Field(description="`held`: only you and moderators see it yet")
    held_because: str | None = Field(
        description="Why it waits, when it is held", examples=["A moderator reads it first."]
    )
    author: Author
    adviser: AdviserBadge | None = Field(description="Null unless an adviser wrote it")
    reply_to: int | None = Field(description="The number of the post that this one answers", examples=[3])
    content_warning: str | None = Field(description="What a reader should know before reading", examples=["about loss"])
    body_markdown: str = Field(examples=["You are **not** alone."])
    body_html: str = Field(
        description="Safe to show as it is", examples=['<p dir="auto">You are <strong>not</strong> alone.</p>\n']
    )
    created_at: Moment
    edited_at: Moment | None = Field(description="Null while it is as it was first written")
    notice: Notice | None = Field(description="What readers are told, when a moderator changed it")


class Tombstone(ResponseBody):
    """Where a post stood that was withdrawn or removed, so that the talk keeps its sense."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    number: int = Field(description="Its number in the thread, for good", examples=[7])
    visibility: Literal["withdrawn", "removed"] = Field(description="By its author, or by a moderator")
    notice: Notice


PostInThread = TypeAliasType(
    "PostInThread",
    Annotated[
        Post | Tombstone,
        Field(discriminator="visibility", description="A post, or the tombstone of one: `visibility` tells"),
    ],
)


class PostList(ResponseBody):
    """A page of a thread."""

    items: list[PostInThread]
    next: Next


class Reply(RequestBody):
    """What to say, and to which post."""

    body_markdown: Body
    reply_to: Number | None = Field(None, description="The number of a post in this thread", examples=[1])
    content_warning: Warning_ | None = None


class Edit(RequestBody):
    """What the post shall say now."""

    revision: Number = Field(description="The revision that was on the screen", examples=[1])
    body_markdown: Body
    content_warning: Warning_ | None = Field(None, description="Left out, the post has none afterwards")


class Revision(ResponseBody):
    """What a post said from `written_at` on."""

    number: int = Field(examples=[1])
    sealed: bool = Field(description="Holds redacted words: moderators read it by its number, and that is recorded")
    content_warning: str | None = Field(examples=[None])
    body_markdown: str | None = Field(description="Null when it is sealed", examples=["Hello all"])
    body_html: str | None = Field(description="Safe to show as it is", examples=['<p dir="auto">Hello all</p>\n'])
    written_at: Moment


class RevisionList(ResponseBody):
    """Every revision, the present one last."""

    items: list[Revision]
    next: None = Field(description="Always null: a post has few revisions")


class PreviewWanted(RequestBody):
    """What somebody is writing."""

    body_markdown: Body
    thread_id: SentIdentity | None = Field(None, description="Where, so that quotes can be recognised", examples=[1])


class Preview(ResponseBody):
    """How it would look."""

    body_html: str = Field(
        description="Safe to show as it is", examples=['<p dir="auto">You are <strong>not</strong> alone.</p>\n']
    )


@router.get("/threads/{id}/posts", response_model=PostList, responses=documented(404, 422))
async def list_posts(
    request: Request,
    id: Id,
    viewer: CurrentViewer,
    reading: Reading,
    limit: Limit = 20,
    after: After = None,
    from_: Annotated[
        int,
        Query(alias="from", ge=1, lt=2**31, description="Start at this number; `after` goes on from it", examples=[1]),
    ] = 1,
    adviser: Annotated[bool, Query(description="Only what advisers wrote", examples=[True])] = False,
) -> Response:
    """Read a thread, page by page.

    A page covers `limit` numbers; one with posts that you may not see is shorter and still has a `next`.
    """
    asked = PageRequest(limit, after, first=from_, advisers_only=adviser)
    page = await queries.get_page(reading, viewer, id, asked)
    body = {"items": [post.as_json() for post in page.posts], "next": page.next}
    headers = {**robots(page), **next_link(request, page.next)}
    return cacheable_response(request, body, shared=page.is_shared, headers=headers)


@router.post(
    "/threads/{id}/posts",
    status_code=201,
    response_model=PostInThread,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422, 429),
)
async def create_post(id: Id, reply: Reply, viewer: CurrentMember, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Reply in a thread. With an `Idempotency-Key` it is safe to send twice."""
    draft = Draft(reply.body_markdown, reply.reply_to, reply.content_warning)
    post = await actions.reply(work, viewer, id, draft, repeat=key.of(reply))
    return json_response(post_response(post), 201, {"Location": f"/api/v1/posts/{post.id}"})


@router.get("/posts/{id}", response_model=PostInThread, responses=documented(404, 422))
async def get_post(request: Request, id: Id, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read one post."""
    post = await queries.get_post(reading, viewer, id)
    is_shared = post.visibility != Visibility.HELD
    return cacheable_response(request, post_response(post), shared=is_shared, headers=robots(post))


@router.patch("/posts/{id}", response_model=PostInThread, responses=documented(401, 403, 404, 409, 413, 422, 429))
async def edit_post(id: Id, edit: Edit, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Edit your own post. What it said before is kept, for you and for moderators."""
    draft = Draft(edit.body_markdown, content_warning=edit.content_warning)
    return json_response(post_response(await actions.edit_post(work, viewer, id, edit.revision, draft)))


@router.delete("/posts/{id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def withdraw_post(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Withdraw your own post, for good: a tombstone stays. Idempotent."""
    await actions.withdraw_post(work, viewer, id)
    return Response(status_code=204)


@router.get("/posts/{id}/revisions", response_model=RevisionList, responses=documented(401, 403, 404, 422))
async def list_revisions(request: Request, id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read every revision of a post: for its author and the board's moderators."""
    items = [Revision.model_validate(row) for row in await actions.list_revisions(work, viewer, id)]
    return cacheable_response(request, RevisionList(items=items, next=None), shared=False)


@router.get("/posts/{id}/revisions/{number}", response_model=Revision, responses=documented(401, 403, 404, 422))
async def read_sealed_revision(
    request: Request,
    id: Id,
    number: Annotated[int, Path(ge=1, lt=2**31, examples=[1])],
    viewer: CurrentMember,
    work: CurrentWork,
) -> Response:
    """Read a revision that holds redacted words: for the board's moderators. That you read it is recorded."""
    row = await actions.read_sealed_revision(work, viewer, id, number)
    return cacheable_response(request, Revision.model_validate(row), shared=False)


@router.post("/previews", response_model=Preview, responses=documented(401, 403, 404, 413, 422, 429))
async def preview_post(wanted: PreviewWanted, viewer: CurrentMember, work: CurrentWork) -> Response:
    """See how a post would look. Nothing is stored."""
    html = await actions.preview(work, viewer, Draft(wanted.body_markdown), wanted.thread_id)
    return json_response(Preview(body_html=html))


_POST: TypeAdapter[Post | Tombstone] = TypeAdapter(PostInThread)


def post_response(post: PostView) -> Post | Tombstone:
    """Return a post as readers see it."""
    return _POST.validate_python(post.as_json())
