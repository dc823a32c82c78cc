"""Posts over HTTP: a thread's pages, replies, edits, withdrawals, revisions, previews."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
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
from forum.content.posts.actions import add_reply
from forum.content.posts.context import PostingContext, context_in_thread, context_of_post, known_names
from forum.content.posts.draft import NO_WORDS, drafted
from forum.content.posts.queries import (
    PostView,
    get_post_in_transaction,
    list_by_advisers,
    list_by_number,
    select_revisions,
)
from forum.content.posts.tables import SHOWN, Visibility
from forum.content.threads.queries import get_thread
from forum.core import pagination
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember, CurrentViewer, throttle_editing, throttle_posting
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import AppServices, Now, Reading, Route, Services, WorkSession
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

router = APIRouter(tags=["posts"], route_class=Route)

_BY_NUMBER = TypeAdapter(tuple[pagination.Identity])


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
    first = pagination.decode(after, _BY_NUMBER)[0] + 1 if after is not None else from_
    if adviser:
        found = await list_by_advisers(reading, viewer, id, first, limit + 1)
        last = found[limit - 1].number if len(found) > limit else None
    else:
        found = await list_by_number(reading, viewer, id, first, limit)
        last = first + limit - 1
    thread = found[0] if found else await get_thread(reading, viewer, id)
    going_on = pagination.encode(last) if last and last < thread.last_number else None
    page = {"items": list(map(_post_json, found[:limit])), "next": going_on}
    everyone_sees_it = all(post.visibility != Visibility.HELD for post in found)
    headers = {**robots(thread), **next_link(request, going_on)}
    return cacheable_response(request, page, shared=everyone_sees_it, headers=headers)


@router.post(
    "/threads/{id}/posts",
    status_code=201,
    response_model=PostInThread,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422, 429),
)
async def create_post(
    id: Id,
    reply: Reply,
    viewer: CurrentMember,
    key: IdempotencyKey,
    work: WorkSession,
    services: AppServices,
    now: Now,
) -> Response:
    """Reply in a thread. With an `Idempotency-Key` it is safe to send twice."""
    repeat = key.of(reply)
    earlier = await repeat.earlier(work, now) if repeat else None
    if earlier:
        return _created(post_response(await get_post_in_transaction(work, viewer, int(earlier))))
    await throttle_posting(services, viewer, now)
    draft = await drafted(reply.body_markdown, reply.reply_to, reply.content_warning)
    place = await context_in_thread(work, viewer, id, draft, now)
    allow_writing(Act.REPLY, services, viewer, place)
    allowed = links_allowed(services, viewer, now)
    post = await add_reply(work, viewer, place, draft, services.gate, now, links_allowed=allowed)
    if repeat:
        await repeat.keep(work, post.id, now)
    return _created(post_response(post))


@router.get("/posts/{id}", response_model=PostInThread, responses=documented(404, 422))
async def get_post(request: Request, id: Id, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read one post."""
    post = await queries.get_post(reading, viewer, id)
    return cacheable_response(
        request, post_response(post), shared=post.visibility != Visibility.HELD, headers=robots(post)
    )


@router.patch(
    "/posts/{id}",
    response_model=PostInThread,
    responses=documented(401, 403, 404, 409, 413, 422, 429),
    dependencies=[Depends(throttle_editing)],
)
async def edit_post(
    id: Id, edit: Edit, viewer: CurrentMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """Edit your own post. What it said before is kept, for you and for moderators."""
    draft = await drafted(edit.body_markdown, content_warning=edit.content_warning)
    place = await context_of_post(work, viewer, id, draft, now)
    allow(Act.EDIT_POST, viewer, place)
    allowed = links_allowed(services, viewer, now)
    await actions.edit_post(work, viewer, place, edit.revision, draft, services.gate, now, links_allowed=allowed)
    return json_response(post_response(await get_post_in_transaction(work, viewer, id)))


@router.delete("/posts/{id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def withdraw_post(id: Id, viewer: CurrentMember, work: WorkSession, now: Now) -> Response:
    """Withdraw your own post, for good: a tombstone stays. Done twice, it is as done once."""
    place = await context_of_post(work, viewer, id, NO_WORDS, now)
    allow(Act.WITHDRAW_POST, viewer, place)
    await actions.withdraw_post(work, viewer, place, now)
    return Response(status_code=204)


@router.get("/posts/{id}/revisions", response_model=RevisionList, responses=documented(401, 403, 404, 422))
async def list_revisions(request: Request, id: Id, viewer: CurrentMember, work: WorkSession, now: Now) -> Response:
    """Read every revision of a post: for its author and the board's moderators."""
    place = await context_of_post(work, viewer, id, NO_WORDS, now)
    allow(Act.READ_REVISIONS, viewer, place)
    rows = (await work.execute(select_revisions(id))).all()
    items = [Revision.model_validate(row) for row in rows]
    return cacheable_response(request, RevisionList(items=items, next=None), shared=False)


@router.get("/posts/{id}/revisions/{number}", response_model=Revision, responses=documented(401, 403, 404, 422))
async def read_sealed_revision(
    request: Request,
    id: Id,
    number: Annotated[int, Path(ge=1, lt=2**31, examples=[1])],
    viewer: CurrentMember,
    work: WorkSession,
    now: Now,
) -> Response:
    """Read a revision that holds redacted words: for the board's moderators. That you read it is recorded."""
    place = await context_of_post(work, viewer, id, NO_WORDS, now)
    allow(Act.READ_SEALED_REVISION, viewer, place)
    row = await queries.read_sealed_revision(work, viewer, id, number, now)
    return cacheable_response(request, Revision.model_validate(row), shared=False)


@router.post("/previews", response_model=Preview, responses=documented(401, 403, 404, 413, 422, 429))
async def preview_post(
    wanted: PreviewWanted, viewer: CurrentMember, work: WorkSession, services: AppServices, now: Now
) -> Response:
    """See how a post would look. Nothing is stored."""
    await services.rate_limits.hit(services.settings.limit("preview"), "preview", viewer.id)
    draft = await drafted(wanted.body_markdown)
    known = await known_names(work, viewer, wanted.thread_id, draft, now)
    return json_response(Preview(body_html=draft.parsed.html(known)))


_SHOWN: TypeAdapter[Post | Tombstone] = TypeAdapter(PostInThread)


def post_response(post: PostView) -> Post | Tombstone:
    """A post as readers see it."""
    return _SHOWN.validate_python(_post_json(post))


def _post_json(post: PostView) -> dict[str, Any]:
    """The same as plain members, of which pages are made."""
    if post.visibility not in SHOWN:
        return {
            "id": post.id,
            "thread_id": post.thread_id,
            "number": post.number,
            "visibility": post.visibility,
            "notice": _notice(post),
        }
    return {
        "id": post.id,
        "thread_id": post.thread_id,
        "number": post.number,
        "revision": post.revision,
        "visibility": post.visibility,
        "held_because": post.held_because,
        "author": {"handle": post.author_handle, "name": post.author_name, "title": post.author_title},
        "adviser": _badge(post),
        "reply_to": post.reply_to,
        "content_warning": post.content_warning,
        "body_markdown": post.body_markdown,
        "body_html": post.body_html,
        "created_at": post.created_at,
        "edited_at": post.edited_at,
        "notice": post.notice,
    }


def _badge(post: PostView) -> dict[str, Any] | None:
    if post.adviser_name is None:
        return None
    return {"name": post.adviser_name, "title": post.adviser_title, "organisation": post.adviser_organisation}


def allow_writing(act: Act, services: Services, viewer: Viewer, place: PostingContext) -> None:
    """Let the viewer write something new; where the forum wants it, only who has shown an address of theirs."""
    allow(act, viewer, place)
    if services.settings.verified_addresses:
        allow(Act.WRITE_FIRST_POST, viewer, place)


def links_allowed(services: Services, viewer: Viewer, now: datetime) -> int | None:
    """How many links a post of this member may carry; None: any number."""
    is_new = viewer.is_newcomer(services.settings.newcomer_days, now)
    return services.settings.newcomer_links if is_new else None


def _created(post: Post | Tombstone) -> Response:
    return json_response(post, 201, {"Location": f"/api/v1/posts/{post.id}"})


def _notice(post: PostView) -> dict[str, Any]:
    """What stands in the place of a post: of a removed one, what moderation said of it."""
    if post.visibility == Visibility.REMOVED and post.notice:
        return dict(post.notice)
    kind = post.visibility
    text = "Withdrawn by its author" if kind == Visibility.WITHDRAWN else "Removed"
    return {"kind": kind, "by": None, "rules": [], "text": text}
