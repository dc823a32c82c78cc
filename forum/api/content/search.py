"""Search over HTTP: what is sought stands in a body and under a random id, never in an address."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field, StrictBool

from forum.api.content.threads import BoardName
from forum.api.schemas import Author, Next, RequestBody, ResponseBody
from forum.content.search import actions, similar
from forum.content.search.actions import SearchView, WantedSearch
from forum.content.search.plain import Snippet
from forum.content.search.queries import FoundPost, FoundThread
from forum.content.search.tables import QUERY_MAX, Sort
from forum.http.caching import cacheable_response, next_link
from forum.http.current_member import CurrentMember, CurrentViewer, address_of
from forum.http.fields import After, BoardSlug, Day, Identity, Line, Moment, SentDay, Slug, SoughtHandle, Title, Uuid
from forum.http.problems import documented
from forum.http.responses import CREATED_WITH_LOCATION, json_response
from forum.http.services import CurrentWork, Route

router = APIRouter(tags=["search"], route_class=Route)

SearchId = Annotated[UUID, Path(examples=["6e0f6f0e-54fb-4a55-9a0e-6b7f0c3e8f11"])]
NO_STORE = {"Cache-Control": "no-store"}


class SearchRequest(RequestBody):
    """What you look for."""

    query: Annotated[Line, Field(max_length=QUERY_MAX)] = Field(
        description='Words. `"several words"` in a row, `or` between two, `-` before one that must not be there; the '
        "first eight count",
        examples=["first conference"],
    )
    board: BoardSlug | None = Field(None, description="Only on this board", examples=["court"])
    author: Annotated[SoughtHandle, Field(examples=["suzie"])] | None = Field(
        None, description="Only what this member wrote"
    )
    by_advisers: StrictBool = Field(
        False, description="Only what advisers wrote; of titles, threads in which one answered", examples=[False]
    )
    in_titles: StrictBool = Field(False, description="Only titles of threads", examples=[False])
    since: SentDay | None = Field(None, description="Only what was written on this day or later")
    until: SentDay | None = Field(None, description="Only what was written on this day or before")
    sort: Sort = Field(Sort.NEWEST, description="`newest`, or `relevance`: at most 60 posts", examples=["newest"])


class Search(ResponseBody):
    """What you look for. It is forgotten after an hour."""

    id: Uuid
    query: str = Field(examples=["first conference"])
    board: str | None = Field(description="Null: on every board", examples=["court"])
    author: str | None = Field(description="The handle", examples=[None])
    by_advisers: bool
    in_titles: bool
    since: Day | None
    until: Day | None
    sort: Sort
    expires_at: Moment

    @classmethod
    def of_view(cls, view: SearchView) -> "Search":
        """Return the search as the API shows it."""
        return cls.of_row(view, board=view.board_slug, author=view.author_handle)


class Passage(ResponseBody):
    """Some words, and where in them the hits are."""

    text: str = Field(examples=["The first conference is about your views."])
    spans: list[tuple[int, int]] = Field(
        description="Of each hit, where it starts and ends, in code points from 0", examples=[[[4, 20]]]
    )

    @classmethod
    def of_snippet(cls, snippet: Snippet) -> "Passage":
        """Return the passage of a snippet."""
        return cls(text=snippet.text, spans=list(snippet.spans))


class SearchedThread(ResponseBody):
    """A thread whose title was found."""

    id: Identity = Field(examples=[42])
    title: Passage
    board: BoardName
    author: Author
    opened_at: Moment
    posts: int = Field(examples=[7])
    is_ignored: bool = Field(description="Whether you ignore its author: show it folded")

    @classmethod
    def of_found(cls, found: FoundThread) -> "SearchedThread":
        """Return a thread that was found."""
        return cls.of_row(
            found,
            title=Passage.of_snippet(found.title),
            board=BoardName(slug=found.board_slug, name=found.board_name),
            author=Author.of(found, "author"),
        )


class SearchedPost(ResponseBody):
    """A post that was found."""

    id: Identity = Field(examples=[4711])
    thread_id: Identity = Field(examples=[42])
    number: int = Field(examples=[7])
    thread_title: str = Field(examples=["What happens at a first conference?"])
    board: BoardName
    author: Author
    by_adviser: bool
    content_warning: str | None = Field(
        description="Show it before the words of the post, and these only when asked", examples=[None]
    )
    created_at: Moment
    is_ignored: bool = Field(description="Whether you ignore its author: show it folded")
    snippet: Passage = Field(description="From the text without Markdown and without what it quotes")

    @classmethod
    def of_found(cls, found: FoundPost) -> "SearchedPost":
        """Return a post that was found."""
        return cls.of_row(
            found,
            board=BoardName(slug=found.board_slug, name=found.board_name),
            author=Author.of(found, "author"),
            by_adviser=found.adviser_name is not None,
            snippet=Passage.of_snippet(found.snippet),
        )


class SearchResults(ResponseBody):
    """What was found, as you may read it at this moment."""

    search: Search
    threads: list[SearchedThread] = Field(description="Whose titles were found; with the first page of posts, a few")
    items: list[SearchedPost]
    suggestion: str | None = Field(
        description="Where nothing was found: the same search with words that others wrote", examples=[None]
    )
    hint: str | None = Field(
        description="`too_common`: there is no word to look for, only such as are in every text", examples=[None]
    )
    next: Next


class SimilarRequest(RequestBody):
    """A title that you are about to give to a thread."""

    title: Title


class SimilarThread(ResponseBody):
    """A thread that may be about the same."""

    id: Identity = Field(examples=[42])
    title: str = Field(examples=["What happens at a first conference?"])
    board: BoardName
    posts: int = Field(examples=[7])


class SimilarThreadList(ResponseBody):
    """At most five threads, those that are most alike first."""

    items: list[SimilarThread]
    next: None = Field(description="Always null")


@router.post(
    "/searches",
    status_code=201,
    response_model=Search,
    responses=CREATED_WITH_LOCATION | documented(403, 413, 422, 429),
)
async def search_posts(wanted: SearchRequest, request: Request, viewer: CurrentViewer, work: CurrentWork) -> Response:
    """Search. The answer has an id; what is found, `GET /searches/{id}` says, for one hour.

    Words that are sought stand in no address, no log and no copy but your own. A search of yours is for you alone; that
    of a guest is for whoever has its id.
    """
    made = await actions.search(work, viewer, WantedSearch(**wanted.model_dump()), address_of(request))
    return json_response(Search.of_view(made), 201, {"Location": f"{request.url.path}/{made.id}", **NO_STORE})


@router.get("/searches/{id}", response_model=SearchResults, responses=documented(404, 422, 429, 503))
async def list_results(
    id: SearchId, request: Request, viewer: CurrentViewer, work: CurrentWork, *, after: After = None
) -> Response:
    """Give a page of what is found, sought anew each time. What waits for a moderator is never found."""
    read = await actions.read_results(work, viewer, id, after, address_of(request))
    body = SearchResults(
        search=Search.of_view(read.search),
        threads=list(map(SearchedThread.of_found, read.results.threads)),
        items=list(map(SearchedPost.of_found, read.results.posts)),
        suggestion=read.results.suggestion,
        hint=read.results.hint,
        next=read.results.next,
    )
    return cacheable_response(request, body, shared=False, headers=next_link(request, read.results.next))


@router.post(
    "/boards/{slug}/similar",
    response_model=SimilarThreadList,
    responses=documented(401, 403, 404, 413, 422, 429, 503),
)
async def list_similar_threads(
    slug: Slug, wanted: SimilarRequest, viewer: CurrentMember, work: CurrentWork
) -> Response:
    """List threads that may be about the same as a title, before somebody opens another. Nothing is stored."""
    return json_response(_similar(await similar.find_similar(work, viewer, slug, wanted.title)), 200, NO_STORE)


def _similar(found: Sequence[similar.SimilarThread]) -> SimilarThreadList:
    items = [SimilarThread.of_row(row, board=BoardName(slug=row.board_slug, name=row.board_name)) for row in found]
    return SimilarThreadList(items=items, next=None)
