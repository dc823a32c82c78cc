"""The pages of search. What is sought is sent as a form, and found under a random address that says nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.content import boards
from forum.content.search import actions
from forum.content.search.actions import SearchView, WantedSearch
from forum.content.search.queries import Results
from forum.content.search.tables import QUERY_MAX, Sort
from forum.core.errors import ForumError
from forum.http.current_member import address_of
from forum.http.fields import BoardSlug, Line, SentDay, SoughtHandle
from forum.web.forms import Form, FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage
from forum.web.routing import page_router
from forum.web.visits import Reading, ReadingForm, Visit

router = page_router()

TITLE = mark("Search")


class SearchForm(FormModel):
    """What somebody looks for."""

    query: Annotated[Line, Field(max_length=QUERY_MAX)]
    board: BoardSlug | None = None
    author: SoughtHandle | None = None
    by_advisers: bool = False
    in_titles: bool = False
    since: SentDay | None = None
    until: SentDay | None = None
    sort: Sort = Sort.NEWEST


@dataclass(frozen=True, kw_only=True)
class SearchPage(FormPage):
    """The form, and what was found."""

    template: ClassVar[str] = "content/search.html"
    section: ClassVar[str] = "/search"

    boards: Sequence[Any]
    search: SearchView | None = None
    results: Results | None = None

    @property
    def has_filters(self) -> bool:
        """Whether the form has more than words, so that it is shown open."""
        return any(self.form.values.get(name) for name in _FILTERS) or bool(self.form.faults)


_FILTERS = ("board", "author", "by_advisers", "in_titles", "since", "until")


@router.get("/search")
async def show_search(visit: Reading) -> Response:
    """Show the form."""
    return visit.show(await _empty(visit))


@router.post("/searches")
async def search(visit: ReadingForm) -> Response:
    """Keep what is sought for an hour, and go to what is found."""
    try:
        wanted = visit.form.parse(SearchForm)
        made = await visit.act(actions.search, WantedSearch(**wanted.model_dump()), address_of(visit.request))
    except ForumError as error:
        return visit.show(await _empty(visit.refusing(error)), 422)
    return visit.go(f"/searches/{made.id}")


@router.get("/searches/{id}")
async def show_results(id: UUID, visit: Reading) -> Response:
    """Show a page of what is found."""
    read = await visit.act(actions.read_results, id, visit.query("after") or None, address_of(visit.request))
    page = SearchPage(
        title=visit.say(TITLE),
        form=_form_of(read.search),
        boards=read.boards,
        search=read.search,
        results=read.results,
    )
    return visit.show(page)


async def _empty(visit: Visit) -> SearchPage:
    readable = await boards.list_readable(visit.reader, visit.viewer)
    return SearchPage(title=visit.say(TITLE), form=visit.form, boards=readable)


def _form_of(made: SearchView) -> Form:
    """Return the form as it was sent: words and filters are changed where they stand."""
    values = {
        "query": made.query,
        "board": made.board_slug,
        "author": made.author_handle,
        "by_advisers": "yes" if made.by_advisers else "",
        "in_titles": "yes" if made.in_titles else "",
        "since": made.since,
        "until": made.until,
        "sort": made.sort,
    }
    return Form({name: str(value) for name, value in values.items() if value})
