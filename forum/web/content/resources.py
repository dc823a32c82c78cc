"""Pages of help elsewhere: the list, the form of a place, and the choice of what stands on a board or in a thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, ClassVar
from uuid import UUID

from fastapi import Response
from pydantic import Field

from forum.content import reading
from forum.content.links import URL_MAX
from forum.content.resources import actions, queries
from forum.content.resources.actions import ResourceWish
from forum.content.resources.queries import AttachedResources, ResourceView
from forum.content.resources.tables import (
    DESCRIPTION_MAX,
    HOURS_MAX,
    MOST_TAGS,
    NAME_MAX,
    NUMBER_MAX,
    REGION_MAX,
    TAG_MAX,
    ResourceState,
)
from forum.core.errors import ForumError, Invalid
from forum.http.fields import Id, Line, Slug, Text, Words
from forum.web.content.composer import FormNumber
from forum.web.forms import FormModel
from forum.web.languages import mark
from forum.web.pages import FormPage, Page
from forum.web.routing import page_router
from forum.web.visits import MemberForm, MemberVisit, Reading, Visit

router = page_router()

TITLE = mark("Help elsewhere")


class ResourceForm(FormModel):
    """What to say of a place of help. Tags stand in one field, with commas between them."""

    name: Annotated[Line, Field(max_length=NAME_MAX)]
    description: Annotated[Words, Field(max_length=DESCRIPTION_MAX)]
    telephone: Annotated[Line, Field(max_length=NUMBER_MAX)] | None = None
    text_number: Annotated[Line, Field(max_length=NUMBER_MAX)] | None = None
    hours: Annotated[Line, Field(max_length=HOURS_MAX)] | None = None
    url: Annotated[Text, Field(max_length=URL_MAX)] | None = None
    region: Annotated[Line, Field(max_length=REGION_MAX)] | None = None
    tags: Annotated[Line, Field(max_length=(TAG_MAX + 2) * MOST_TAGS)] | None = None
    state: ResourceState = ResourceState.CURRENT

    @property
    def wish(self) -> ResourceWish:
        """What was typed. Raises Invalid for a tag that is too long."""
        tags = tuple(tag for tag in map(str.strip, (self.tags or "").split(",")) if tag)
        if any(len(tag) > TAG_MAX for tag in tags):
            raise Invalid(f"each has {TAG_MAX} characters at most", "#/tags", code="too_long")
        return ResourceWish(**self.model_dump(exclude={"tags", "version"}), tags=tags)


class ResourceChangeForm(ResourceForm):
    """The same for a place that is there, as it was on the screen."""

    version: FormNumber


class ResourceChoice(FormModel):
    """The place of help that comes or goes."""

    resource: UUID


@dataclass(frozen=True, kw_only=True)
class ResourcesPage(Page):
    """Who helps elsewhere, by region."""

    template: ClassVar[str] = "content/resources.html"
    section: ClassVar[str] = "/resources"

    regions: Sequence[tuple[str | None, Sequence[ResourceView]]]
    tags: Sequence[str]
    tag: str | None
    may_write: bool


@dataclass(frozen=True, kw_only=True)
class ResourcePage(FormPage):
    """The form of a place of help."""

    template: ClassVar[str] = "content/resource.html"
    section: ClassVar[str] = "/resources"

    entry: ResourceView | None  # None for a new one


@dataclass(frozen=True, kw_only=True)
class AttachedPage(FormPage):
    """What stands on a board or in a thread, and the form that adds one."""

    template: ClassVar[str] = "content/attached_resources.html"
    section: ClassVar[str] = "/"

    path: str  # of the board or the thread
    name: str
    attached: Sequence[ResourceView]
    others: Sequence[ResourceView]

    @property
    def options(self) -> list[tuple[str, str]]:
        """The places that could stand here, too."""
        return [(str(entry.id), " · ".join(filter(None, (entry.name, entry.region)))) for entry in self.others]


@router.get("/resources")
async def show_resources(visit: Reading) -> Response:
    """Show who helps elsewhere."""
    listing = await queries.list_resources(visit.reader, visit.viewer)
    tag = dict(enumerate(listing.tags, start=1)).get(_number(visit.query("about")))
    entries = [entry for entry in listing.entries if tag is None or entry.is_about(tag)]
    together = [list(found) for _, found in groupby(entries, lambda entry: (entry.region or "").casefold())]
    regions = [(found[0].region, found) for found in together]
    page = ResourcesPage(
        title=visit.say(TITLE),
        regions=regions,
        tags=listing.tags,
        tag=tag,
        may_write=listing.may_write,
        indexable=True,
    )
    return visit.show(page)


@router.get("/resources/new")
async def show_new_resource(visit: MemberVisit) -> Response:
    """Show the form of a new place of help."""
    return visit.show(await _form_page(visit, None))


@router.post("/resources/new")
async def add_resource(visit: MemberForm) -> Response:
    """Write down a place of help."""
    try:
        await visit.act(actions.add_resource, visit.form.parse(ResourceForm).wish)
    except ForumError as error:
        return visit.show(await _form_page(visit.refusing(error), None), 422)
    return visit.go("/resources", done="resource-added")


@router.get("/resources/{id}/edit")
async def show_resource(id: UUID, visit: MemberVisit) -> Response:
    """Show the form of a place of help."""
    return visit.show(await _form_page(visit, id))


@router.post("/resources/{id}/edit")
async def change_resource(id: UUID, visit: MemberForm) -> Response:
    """Say something else of a place of help, or that all of it is still so."""
    try:
        wanted = visit.form.parse(ResourceChangeForm)
        await visit.act(actions.change_resource, id, wanted.version, wanted.wish)
    except ForumError as error:
        return visit.show(await _form_page(visit.refusing(error), id), 422)
    return visit.go("/resources", done="resource-changed")


@router.post("/resources/{id}/removal")
async def remove_resource(id: UUID, visit: MemberForm) -> Response:
    """Remove a place of help from the list and from wherever it stands."""
    await visit.act(actions.remove_resource, id)
    return visit.go("/resources", done="resource-removed")


@router.get("/boards/{slug}/resources")
async def show_board_resources(slug: Slug, visit: MemberVisit) -> Response:
    """Show which places of help stand on a board, and which could."""
    return visit.show(await _board_page(visit, slug))


@router.post("/boards/{slug}/resources")
async def attach_to_board(slug: Slug, visit: MemberForm) -> Response:
    """Have a place of help stand on a board."""
    try:
        await visit.act(actions.attach_to_board, slug, visit.form.parse(ResourceChoice).resource)
    except ForumError as error:
        return visit.show(await _board_page(visit.refusing(error), slug), 422)
    return visit.go(f"/boards/{slug}/resources", done="resource-attached")


@router.post("/boards/{slug}/resources/removal")
async def detach_from_board(slug: Slug, visit: MemberForm) -> Response:
    """Have a place of help stand on a board no longer."""
    await visit.act(actions.detach_from_board, slug, visit.form.parse(ResourceChoice).resource)
    return visit.go(f"/boards/{slug}/resources", done="resource-detached")


@router.get("/threads/{id}/resources")
async def show_thread_resources(id: Id, visit: MemberVisit) -> Response:
    """Show which places of help stand in a thread, and which could."""
    return visit.show(await _thread_page(visit, id))


@router.post("/threads/{id}/resources")
async def attach_to_thread(id: Id, visit: MemberForm) -> Response:
    """Have a place of help stand in a thread."""
    try:
        await visit.act(actions.attach_to_thread, id, visit.form.parse(ResourceChoice).resource)
    except ForumError as error:
        return visit.show(await _thread_page(visit.refusing(error), id), 422)
    return visit.go(f"/threads/{id}/resources", done="resource-attached")


@router.post("/threads/{id}/resources/removal")
async def detach_from_thread(id: Id, visit: MemberForm) -> Response:
    """Have a place of help stand in a thread no longer."""
    await visit.act(actions.detach_from_thread, id, visit.form.parse(ResourceChoice).resource)
    return visit.go(f"/threads/{id}/resources", done="resource-detached")


def _number(text: str) -> int:
    """Return the number of a tag in an address: the tag itself would stay in the history of a shared browser."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0


async def _form_page(visit: Visit, resource_id: UUID | None) -> ResourcePage:
    entry = await queries.get_to_write(visit.reader, visit.viewer, resource_id)
    title = entry.name if entry else visit.say(mark("Add a place of help"))
    return ResourcePage(title=title, entry=entry, form=visit.form)


async def _board_page(visit: Visit, slug: str) -> AttachedPage:
    found = await reading.read_board_to_attach(visit.reader, visit.viewer, slug, visit.now)
    return _attached_page(visit, found, f"/boards/{slug}", found.place.name)


async def _thread_page(visit: Visit, thread_id: int) -> AttachedPage:
    found = await reading.read_thread_to_attach(visit.reader, visit.viewer, thread_id, visit.now)
    return _attached_page(visit, found, f"/threads/{thread_id}", found.place.title)


def _attached_page(visit: Visit, found: AttachedResources, path: str, name: str) -> AttachedPage:
    return AttachedPage(
        title=visit.say(TITLE), path=path, name=name, attached=found.attached, others=found.others, form=visit.form
    )
