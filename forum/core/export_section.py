"""One part of a member's copy of their data: what a feature stores about them, for the feature to fill."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


class SafeHtml(str):
    """HTML that is safe to show as it is."""

    __slots__ = ()


@dataclass(frozen=True)
class ExportSection:
    """Things of one kind, in order, under a title for people."""

    name: str
    title: str
    items: Sequence[dict[str, Any]]


def items_of(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the rows of a query as items of a section."""
    return [dict(row._mapping) for row in rows]
