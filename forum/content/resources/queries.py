"""Reads of help elsewhere: the whole list, and what stands on a board or in a thread."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Uuid, bindparam, func
from sqlmodel import col

from forum.content import boards
from forum.content.resources.tables import ResourceEntry, ResourceOnBoard, ResourceOnThread
from forum.content.threads import queries as threads
from forum.core.database import Prepared, Reader, query, rows_of
from forum.core.errors import NotFound
from forum.members.viewer import Viewer
from forum.permissions import Act, allow, why_not

# Digits with spaces or hyphens between them, and a plus before: nothing that one would have to think about to dial it.
_PLAIN = re.compile(r"\+?[0-9](?:[ -]?[0-9]){2,19}")


class ResourceView(NamedTuple):
    """A place of help as readers see it."""

    id: UUID
    version: int
    name: str
    description: str
    telephone: str | None
    text_number: str | None
    hours: str | None
    url: str | None
    region: str | None
    tags: list[str]
    state: str
    checked_at: datetime

    @property
    def dialled(self) -> str | None:
        """What a link rings; None where the number needs reading first."""
        return plain_number(self.telephone)

    @property
    def texted(self) -> str | None:
        """What a link writes to, likewise."""
        return plain_number(self.text_number)

    def is_about(self, tag: str) -> bool:
        """Return whether it has this tag, in any case."""
        return any(_same(own, tag) for own in self.tags)


def plain_number(typed: str | None) -> str | None:
    """Return a number as it is dialled, or None for one with words, two in one, or a part to leave out."""
    return re.sub("[ -]", "", typed) if typed and _PLAIN.fullmatch(typed) else None


_rows = rows_of(ResourceEntry).c
_SHOWN = query(*(_rows[name] for name in ResourceView._fields))
_ALL = Prepared(_SHOWN.order_by(func.lower(_rows.region).nulls_first(), func.lower(_rows.name), _rows.id), ResourceView)
_ONE = Prepared(_SHOWN.where(_rows.id == bindparam("resource_id", type_=Uuid())), ResourceView)
_ON_BOARD = Prepared(
    _SHOWN.join(ResourceOnBoard, col(ResourceOnBoard.resource_id) == _rows.id)
    .where(col(ResourceOnBoard.board_id) == bindparam("board_id", type_=Integer()))
    .order_by(col(ResourceOnBoard.attached_at), _rows.id),
    ResourceView,
)
_IN_THREAD = Prepared(
    _SHOWN.join(ResourceOnThread, col(ResourceOnThread.resource_id) == _rows.id)
    .where(col(ResourceOnThread.thread_id) == bindparam("thread_id", type_=BigInteger()))
    .order_by(col(ResourceOnThread.attached_at), _rows.id),
    ResourceView,
)


@dataclass(frozen=True)
class ResourceListing:
    """The places of help that were asked for, all tags that there are, and whether the viewer may write them."""

    entries: Sequence[ResourceView]
    tags: Sequence[str]
    may_write: bool


@dataclass(frozen=True)
class AttachedResources:
    """What stands on a board or in a thread, and what could stand there, too."""

    place: Any  # the board or the thread
    attached: Sequence[ResourceView]
    others: Sequence[ResourceView]


@dataclass(frozen=True)
class ThreadWithResources:
    """A thread, and the places of help that stand in it."""

    thread: Any
    resources: Sequence[ResourceView]


async def list_resources(
    reader: Reader, viewer: Viewer, region: str | None = None, tag: str | None = None
) -> ResourceListing:
    """Return the places of help, those for everybody first, then by region: of one region or tag, or all."""
    every: Sequence[ResourceView] = await reader.rows(_ALL)
    entries = [
        entry
        for entry in every
        if (region is None or _same(entry.region or "", region)) and (tag is None or entry.is_about(tag))
    ]
    tags = {own.casefold(): own for entry in every for own in entry.tags}
    may_write = viewer.id is not None and why_not(Act.WRITE_RESOURCES, viewer) is None
    return ResourceListing(entries, [tags[key] for key in sorted(tags)], may_write)


async def get_to_write(reader: Reader, writer: Viewer, resource_id: UUID | None) -> ResourceView | None:
    """Return a place to whoever may change it, and None for a new one. Raises Forbidden and NotFound."""
    allow(Act.WRITE_RESOURCES, writer)
    if resource_id is None:
        return None
    found: ResourceView | None = await reader.row(_ONE, resource_id=resource_id)
    if found is None:
        raise NotFound("There is no such place of help.", code="resource_not_found")
    return found


async def list_on_board(reader: Reader, board_id: int) -> Sequence[ResourceView]:
    """Return what stands on a board that the caller has read for the viewer."""
    return await reader.rows(_ON_BOARD, board_id=board_id)


async def list_in_thread(reader: Reader, thread_id: int) -> Sequence[ResourceView]:
    """Return what stands in a thread that the caller has read for the viewer."""
    return await reader.rows(_IN_THREAD, thread_id=thread_id)


async def list_on_visible_board(reader: Reader, viewer: Viewer, slug: str) -> Sequence[ResourceView]:
    """Return what stands on a board. Raises NotFound when it does not exist for the viewer."""
    board = await boards.get_board(reader, viewer, slug)
    return await list_on_board(reader, board.id)


async def get_thread_with_resources(reader: Reader, viewer: Viewer, thread_id: int) -> ThreadWithResources:
    """Return a thread with what stands in it. Raises NotFound when it does not exist for the viewer."""
    thread = await threads.get_thread(reader, viewer, thread_id)
    return ThreadWithResources(thread, await list_in_thread(reader, thread_id))


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
