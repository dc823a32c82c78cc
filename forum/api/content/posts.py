"""Posts over HTTP: the pages of a thread, replies, edits, withdrawals, revisions, previews."""

from collections.abc import Collection
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, TypeAdapter
from typing_extensions import TypeAliasType

from forum.api.content.crisis_help import CrisisHelp, help_response
from forum.api.content.glossary import GlossaryTerm
from forum.api.content.personal_details import Confirm, PersonalDetail, details_response
from forum.api.content.threads import page_response, robots
from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.content.posts import actions, queries, thread_page
from forum.content.posts.draft import Draft
from forum.content.posts.queries import PostView
from forum.content.posts.thread_page import PageRequest
from forum.content.reactions.tables import ReactionKind
from forum.http.caching import cacheable_response
from forum.http.current_member import AnyMember, CurrentMember, CurrentViewer
from forum.http.fields import (
    After,
    Asks,
    Body,
    Id,
    Identity,
    Limit,
    Moment,
    Number,
    RevisionNumber,
    SentIdentity,
    Warning_,
)
from forum.http.idempotency_key import IdempotencyKey
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Reading, Route, services_of

router = APIRouter(tags=["posts"], route_class=Route)


class AdviserBadge(ResponseBody):
    """The adviser's badge, as it was when the post was written. Make the post stand out."""

    name: str = Field(examples=["Suzie"])
    title: str = Field(examples=["Online adviser"])
    organisation: str = Field(examples=["Example Family Charity"])


class Notice(ResponseBody):
    """What readers see about a post that was edited by a moderator, removed or withdrawn."""

    kind: Literal["withdrawn", "removed", "edited"]
    by: str | None = Field(
        description="The moderator who did it: `a moderator` where the forum gives no names. Null for other notices",
        examples=["Suzie"],
    )
    rules: list[int] = Field(description="The numbers of the rules that the post breached", examples=[[10]])
    text: str = Field(examples=["Withdrawn by its author"])


class WaitingEdit(ResponseBody):
    """An edit that waits for a moderator. Until one publishes it, readers see the post as it was approved."""

    body_markdown: str = Field(examples=["Hello all,\nI am new here, too."])
    body_html: str = Field(examples=['<p dir="auto">Hello all,\nI am new here, too.</p>\n'])
    content_warning: str | None = Field(examples=[None])
    held_because: str = Field(examples=["A moderator reads it first."])
    written_at: Moment


class Post(ResponseBody):
    """A post that you can read."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    number: int = Field(description="Its number in the thread, which never changes", examples=[7])
    revision: int = Field(
        description="Send it with an edit, so that you do not undo somebody else's change", examples=[1]
    )
    visibility: Literal["visible", "held"] = Field(
        description="`held`: it waits for a moderator, and only its author and moderators can see it"
    )
    held_because: str | None = Field(
        description="Why a held post waits. Null for other posts", examples=["A moderator reads it first."]
    )
    author: Author
    adviser: AdviserBadge | None = Field(description="Null unless an adviser wrote the post")
    reply_to: int | None = Field(description="The number of the post to which this one replies", examples=[3])
    content_warning: str | None = Field(
        description="What readers should know before they read the post", examples=["about loss"]
    )
    body_markdown: str = Field(examples=["You are **not** alone."])
    body_html: str = Field(
        description="It is safe to show as it is", examples=['<p dir="auto">You are <strong>not</strong> alone.</p>\n']
    )
    created_at: Moment
    edited_at: Moment | None = Field(description="When it was last edited. Null if it never was")
    endorsements: list[AdviserBadge] = Field(
        description="The badges of advisers who say that the post is right as it is: an edit ends that"
    )
    reactions: dict[ReactionKind, Annotated[int, Field(ge=1)]] = Field(
        description="How many members reacted to it, and how. A kind that nobody used is left out. Show them as "
        "sentences, never as a score",
        examples=[{"thank": 3}],
    )
    notice: Notice | None = Field(description="What readers see about a moderator's edit. Null if there was none")
    waiting: WaitingEdit | None = Field(description="For the author and moderators: an edit that waits")


class Tombstone(ResponseBody):
    """The place of a post that was withdrawn or removed, so that readers can follow the thread."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    number: int = Field(description="Its number in the thread, which never changes", examples=[7])
    visibility: Literal["withdrawn", "removed"] = Field(
        description="`withdrawn` by its author, or `removed` by a moderator"
    )
    notice: Notice


PostInThread = TypeAliasType(
    "PostInThread",
    Annotated[
        Post | Tombstone,
        Field(discriminator="visibility", description="A post, or a tombstone in the place of one: see `visibility`"),
    ],
)


class WrittenPost(Post):
    """Your post as you wrote or changed it, with help if its words sound like danger."""

    help: CrisisHelp | None = Field(description="Who helps at once. Null for most posts")
    findings: list[PersonalDetail] = Field(description="What in it may show who somebody is. Mostly empty")


class WrittenTombstone(Tombstone):
    """What became of a post that you sent twice: it was withdrawn or removed meanwhile."""

    help: CrisisHelp | None = Field(description="Who helps at once. Null for most posts")
    findings: list[PersonalDetail] = Field(description="What in it may show who somebody is. Mostly empty")


PostWithHelp = TypeAliasType(
    "PostWithHelp",
    Annotated[
        WrittenPost | WrittenTombstone,
        Field(discriminator="visibility", description="Your post, with help if its words sound like danger"),
    ],
)


class PostList(ResponseBody):
    """A page of a thread's posts."""

    items: list[PostInThread]
    next: Next
    glossary: list[GlossaryTerm] = Field(description="The words of the glossary that stand in these posts")


class Reply(RequestBody):
    """A reply in a thread, perhaps to one of its posts."""

    body_markdown: Body
    reply_to: Number | None = Field(None, description="The number of a post in this thread", examples=[1])
    content_warning: Warning_ | None = None
    confirm: Confirm | None = None
    asks: Asks = None


class Edit(RequestBody):
    """The new text of a post."""

    revision: Number = Field(description="The `revision` of the post that was on the screen", examples=[1])
    body_markdown: Body
    content_warning: Warning_ | None = Field(None, description="Leave it out to remove the content warning")
    confirm: Confirm | None = None


class Revision(ResponseBody):
    """The text of a post from `written_at` on."""

    number: int = Field(examples=[1])
    sealed: bool = Field(
        description="Whether it has redacted words. Only moderators can read it, and each read is recorded"
    )
    content_warning: str | None = Field(examples=[None])
    body_markdown: str | None = Field(description="Null when the revision is sealed", examples=["Hello all"])
    body_html: str | None = Field(description="It is safe to show as it is", examples=['<p dir="auto">Hello all</p>\n'])
    written_at: Moment


class RevisionList(ResponseBody):
    """All revisions of a post, the present one last."""

    items: list[Revision]
    next: None = Field(description="Always null: all revisions are on one page")


class PreviewWanted(RequestBody):
    """A text to preview."""

    body_markdown: Body
    thread_id: SentIdentity | None = Field(
        None, description="The thread of the post, so that quotes can be recognised", examples=[1]
    )


class Preview(ResponseBody):
    """The text as HTML, and what would be said to its author."""

    body_html: str = Field(
        description="It is safe to show as it is", examples=['<p dir="auto">You are <strong>not</strong> alone.</p>\n']
    )
    help: CrisisHelp | None = Field(description="Who helps at once. Null for most texts")
    findings: list[PersonalDetail] = Field(description="What in it may show who somebody is. Mostly empty")


@router.get("/threads/{id}/posts", response_model=PostList, responses=documented(404, 422))
async def list_posts(
    request: Request,
    id: Id,
    viewer: CurrentViewer,
    reading: Reading,
    *,
    limit: Limit = 20,
    after: After = None,
    from_: Annotated[
        int,
        Query(
            alias="from",
            ge=1,
            lt=2**31,
            description="Start at the post with this number. `after` continues from there",
            examples=[1],
        ),
    ] = 1,
    adviser: Annotated[bool, Query(description="Only posts of advisers", examples=[True])] = False,
) -> Response:
    """Read the posts of a thread, page by page.

    A page has the posts with the next `limit` numbers. It is shorter when you may not see all of them, and can still
    have a `next`.
    """
    wanted = PageRequest(limit, after, first=from_, advisers_only=adviser)
    page = await thread_page.get_page(reading, viewer, id, wanted)
    kinds = services_of(request).settings.reactions
    terms = [term._asdict() for term in page.terms]
    return page_response(request, page, [post.as_json(kinds) for post in page.posts], glossary=terms)


@router.post(
    "/threads/{id}/posts",
    status_code=201,
    response_model=PostWithHelp,
    responses=CREATED_WITH_LOCATION | documented(401, 403, 404, 409, 413, 422, 429),
)
async def create_post(id: Id, reply: Reply, key: IdempotencyKey, work: CurrentWork) -> Response:
    """Reply in a thread. With an `Idempotency-Key`, you can safely send it twice.

    Where the words may show who somebody is, the answer is the problem `personal-information`: show its `findings`, let
    the author change the words, or send the same words with its `confirm`. Words of danger are never asked about.
    """
    draft = Draft(reply.body_markdown, reply.reply_to, reply.content_warning, reply.confirm, reply.asks)
    written = await actions.reply(work, key.member, id, draft, repeat=key.of(reply))
    return json_response(
        written_response(written, work.settings.reactions), 201, {"Location": f"/api/v1/posts/{written.post.id}"}
    )


@router.get("/posts/{id}", response_model=PostInThread, responses=documented(404, 422))
async def get_post(request: Request, id: Id, viewer: CurrentViewer, reading: Reading) -> Response:
    """Read one post."""
    post = await queries.get_post(reading, viewer, id)
    body = post_response(post, services_of(request).settings.reactions)
    return cacheable_response(request, body, shared=post.is_shared, headers=robots(post))


@router.patch("/posts/{id}", response_model=PostWithHelp, responses=documented(401, 403, 404, 409, 413, 422, 429))
async def edit_post(id: Id, edit: Edit, viewer: AnyMember, work: CurrentWork) -> Response:
    """Edit your own post. You and the board's moderators can still read the earlier text."""
    draft = Draft(edit.body_markdown, content_warning=edit.content_warning, confirm=edit.confirm)
    written = await actions.edit_post(work, viewer, id, edit.revision, draft)
    return json_response(written_response(written, work.settings.reactions))


@router.delete("/posts/{id}", status_code=204, responses=documented(401, 403, 404, 409, 422))
async def withdraw_post(id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Withdraw your own post. You cannot undo this, and a tombstone stays in its place. Idempotent.

    Its words leave the quotes of it, too. Say so before: for 30 days, whoever may read the thread can still report the
    post, and while a report of it is being decided, moderators can read it. Then its words are deleted.
    """
    await actions.withdraw_post(work, viewer, id)
    return Response(status_code=204)


@router.get("/posts/{id}/revisions", response_model=RevisionList, responses=documented(401, 403, 404, 422))
async def list_revisions(request: Request, id: Id, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Read all revisions of a post. For its author and the board's moderators."""
    items = [Revision.model_validate(row) for row in await actions.list_revisions(work, viewer, id)]
    return cacheable_response(request, RevisionList(items=items, next=None), shared=False)


@router.get("/posts/{id}/revisions/{number}", response_model=Revision, responses=documented(401, 403, 404, 422))
async def read_sealed_revision(
    request: Request, id: Id, number: RevisionNumber, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """Read a revision with redacted words. For the board's moderators; that you read it is recorded."""
    row = await actions.read_sealed_revision(work, viewer, id, number)
    return cacheable_response(request, Revision.model_validate(row), shared=False)


@router.post("/previews", response_model=Preview, responses=documented(401, 403, 404, 413, 422, 429))
async def preview_post(wanted: PreviewWanted, viewer: CurrentMember, work: CurrentWork) -> Response:
    """Preview a post as HTML, with what may show who somebody is and who helps at once. Nothing is stored."""
    shown = await actions.preview(work, viewer, Draft(wanted.body_markdown), wanted.thread_id)
    findings = details_response(shown.details.found)
    return json_response(Preview(body_html=shown.html, help=help_response(shown.help), findings=findings))


_POST: TypeAdapter[Post | Tombstone] = TypeAdapter(PostInThread)
_WRITTEN: TypeAdapter[WrittenPost | WrittenTombstone] = TypeAdapter(PostWithHelp)


def written_response(written: actions.WrittenPost, kinds: Collection[str]) -> WrittenPost | WrittenTombstone:
    """Return a post as its author sees it when they wrote it, with the counts of these kinds of reactions."""
    more = {"help": help_response(written.help), "findings": details_response(written.details)}
    return _WRITTEN.validate_python(written.post.as_json(kinds) | more)


def post_response(post: PostView, kinds: Collection[str] = tuple(ReactionKind)) -> Post | Tombstone:
    """Return a post as readers see it, with the counts of these kinds of reactions."""
    return _POST.validate_python(post.as_json(kinds))
