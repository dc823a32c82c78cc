"""What advisers do with help elsewhere: write down a place, change it, and have it stand on a board or in a thread."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from forum.content.links import check_link
from forum.content.posts.context import context_in_thread, context_on_board
from forum.content.posts.draft import NO_WORDS
from forum.content.resources.queries import ResourceView
from forum.content.resources.tables import (
    MOST_TAGS,
    ResourceEntry,
    ResourceOnBoard,
    ResourceOnThread,
    ResourceState,
)
from forum.core import audit
from forum.core.errors import Conflict, Invalid, NotFound
from forum.core.idempotency import Repeat
from forum.core.work import Work
from forum.members.queries import changed_since
from forum.members.viewer import Viewer
from forum.permissions import Act, allow

MOST = 500
MOST_ATTACHED = 10  # on one board or in one thread: who must choose among more chooses none
# Held until the commit by whoever adds one: two at once would each see room for one more.
_ONE_AT_A_TIME = text("LOCK TABLE resource IN SHARE ROW EXCLUSIVE MODE")
_ONE_ATTACHED_AT_A_TIME = text("LOCK TABLE resource_on_board, resource_on_thread IN SHARE ROW EXCLUSIVE MODE")


Attachment = ResourceOnBoard | ResourceOnThread


@dataclass(frozen=True)
class ResourceWish:
    """What to say of a place of help."""

    name: str
    description: str
    telephone: str | None = None
    text_number: str | None = None
    hours: str | None = None
    url: str | None = None
    region: str | None = None
    tags: tuple[str, ...] = ()
    state: ResourceState = ResourceState.CURRENT

    @property
    def values(self) -> dict[str, Any]:
        """The columns, with each tag once. Raises Invalid for a place that nobody can reach, or an unusable link."""
        if not (self.telephone or self.text_number or self.url):
            raise Invalid("say how one reaches it", "#/telephone", code="unreachable_resource")
        if self.url:
            check_link(self.url, "#/url")
        tags = list({tag.casefold(): tag for tag in reversed(self.tags)}.values())[::-1]
        if len(tags) > MOST_TAGS:
            raise Invalid(f"has {MOST_TAGS} at most", "#/tags", code="too_many_tags")
        return {**vars(self), "tags": tags}


async def add_resource(work: Work, writer: Viewer, wish: ResourceWish, *, repeat: Repeat | None = None) -> ResourceView:
    """Write down a place of help. A `repeat` of an earlier request returns the one of that.

    Raises Forbidden, Invalid, Conflict when there are too many, and what `Repeat.earlier` raises.
    """
    allow(Act.WRITE_RESOURCES, writer)
    if repeat and (earlier := await repeat.earlier(work)):
        return _view(await _get(work, UUID(earlier)))
    values = wish.values
    await work.session.execute(_ONE_AT_A_TIME)
    if (await work.session.execute(select(func.count()).select_from(ResourceEntry))).scalar_one() >= MOST:
        raise Conflict(f"There are {MOST} places of help already. Remove one first.", code="too_many_resources")
    made = ResourceEntry(**values, checked_at=work.now, changed_by=writer.member_id)
    work.session.add(made)
    await work.session.flush()
    if repeat:
        await repeat.keep(work, made.id)
    await _record(work, writer, "resource.added", made.id)
    return _view(made)


async def change_resource(
    work: Work, writer: Viewer, resource_id: UUID, version: int, wish: ResourceWish
) -> ResourceView:
    """Say something else of a place, or that all of it is still so. Idempotent.

    Raises Forbidden, Invalid, NotFound when it is not there (any more), and Stale where it is no longer at `version`
    and says something else than what is wished.
    """
    allow(Act.WRITE_RESOURCES, writer)
    values = wish.values
    this = select(ResourceEntry).where(col(ResourceEntry.id) == resource_id).with_for_update()
    entry = (await work.session.execute(this)).scalar_one_or_none()
    if entry is None:
        raise _not_found()
    says_so = all(getattr(entry, name) == value for name, value in values.items())
    if entry.version != version and not says_so:
        raise await changed_since(
            work.session,
            "Somebody changed this place of help while you were looking at it. Please read it again.",
            code="resource_changed",
            current=entry.version,
            by=entry.changed_by,
            at=entry.checked_at,
        )
    for name, value in {**values, "checked_at": work.now, "changed_by": writer.member_id}.items():
        setattr(entry, name, value)
    entry.version += not says_so
    await work.session.flush()
    await _record(work, writer, "resource.changed", resource_id)
    return _view(entry)


async def remove_resource(work: Work, writer: Viewer, resource_id: UUID) -> None:
    """Remove a place from the list and from wherever it stands. Raises Forbidden and NotFound."""
    allow(Act.WRITE_RESOURCES, writer)
    # Before its row, in the order of whoever attaches it: what is deleted with it stands in these tables.
    await work.session.execute(_ONE_ATTACHED_AT_A_TIME)
    gone = delete(ResourceEntry).where(col(ResourceEntry.id) == resource_id).returning(col(ResourceEntry.id))
    if (await work.session.execute(gone)).first() is None:
        raise _not_found()
    await _record(work, writer, "resource.removed", resource_id)


async def attach_to_board(work: Work, adviser: Viewer, slug: str, resource_id: UUID) -> None:
    """Have a place of help stand on a board. Idempotent. Raises NotFound, Forbidden, and Conflict where ten do."""
    context = await context_on_board(work, adviser, slug, NO_WORDS)
    allow(Act.ATTACH_RESOURCE, adviser, context)
    await _attach(work, adviser, ResourceOnBoard, {"board_id": context.board.id}, resource_id)


async def detach_from_board(work: Work, adviser: Viewer, slug: str, resource_id: UUID) -> None:
    """Have a place of help stand on a board no longer. Idempotent. Raises NotFound and Forbidden."""
    context = await context_on_board(work, adviser, slug, NO_WORDS)
    allow(Act.DETACH_RESOURCE, adviser, context)
    await _detach(work, adviser, ResourceOnBoard, {"board_id": context.board.id}, resource_id)


async def attach_to_thread(work: Work, adviser: Viewer, thread_id: int, resource_id: UUID) -> None:
    """Have a place of help stand in a thread. Idempotent. Raises NotFound, Forbidden, and Conflict where ten do."""
    allow(Act.ATTACH_RESOURCE, adviser, await context_in_thread(work, adviser, thread_id, NO_WORDS))
    await _attach(work, adviser, ResourceOnThread, {"thread_id": thread_id}, resource_id)


async def detach_from_thread(work: Work, adviser: Viewer, thread_id: int, resource_id: UUID) -> None:
    """Have a place of help stand in a thread no longer. Idempotent. Raises NotFound and Forbidden."""
    allow(Act.DETACH_RESOURCE, adviser, await context_in_thread(work, adviser, thread_id, NO_WORDS))
    await _detach(work, adviser, ResourceOnThread, {"thread_id": thread_id}, resource_id)


async def _attach(
    work: Work, adviser: Viewer, table: type[Attachment], place: Mapping[str, int], resource_id: UUID
) -> None:
    await work.session.execute(_ONE_ATTACHED_AT_A_TIME)
    await _get(work, resource_id)
    here = select(func.count()).select_from(table).filter_by(**place)
    others = here.where(col(table.resource_id) != resource_id)
    if (await work.session.execute(others)).scalar_one() >= MOST_ATTACHED:
        raise Conflict(
            f"{MOST_ATTACHED} places of help stand here already. Take one away first.", code="too_many_resources_here"
        )
    values = {**place, "resource_id": resource_id, "attached_at": work.now, "attached_by": adviser.member_id}
    row = insert(table).values(**values).on_conflict_do_nothing().returning(col(table.resource_id))
    if (await work.session.execute(row)).first():
        await _record(work, adviser, "resource.attached", resource_id, place)


async def _detach(
    work: Work, adviser: Viewer, table: type[Attachment], place: Mapping[str, int], resource_id: UUID
) -> None:
    row = delete(table).filter_by(**place, resource_id=resource_id).returning(col(table.resource_id))
    if (await work.session.execute(row)).first():
        await _record(work, adviser, "resource.detached", resource_id, place)


async def _get(work: Work, resource_id: UUID) -> ResourceEntry:
    found = await work.session.get(ResourceEntry, resource_id, populate_existing=True)
    if found is None:
        raise _not_found()
    return found


def _not_found() -> NotFound:
    return NotFound("There is no such place of help.", code="resource_not_found")


def _view(entry: ResourceEntry) -> ResourceView:
    return ResourceView(*(getattr(entry, name) for name in ResourceView._fields))


async def _record(work: Work, by: Viewer, act: str, resource_id: UUID, place: Mapping[str, int] | None = None) -> None:
    details: audit.Details = dict(place or {})
    subject = ("resource", str(resource_id))
    await audit.record(work.session, actor_id=by.id, act=act, subject=subject, now=work.now, details=details)
