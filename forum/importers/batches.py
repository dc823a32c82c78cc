"""Batches that are bounded in number and in size: one old post can have 16 million characters."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

ROOM = 8 << 20  # bytes or characters in a batch, and what its last item has more
Item = TypeVar("Item")


def batches(items: Iterable[Item], most: int, size_of: Callable[[Item], int], room: int = ROOM) -> Iterator[list[Item]]:
    """Give lists of the items, in their order: each ends once it has `most` of them, or they fill the room."""
    batch, size = list[Item](), 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if len(batch) >= most or size >= room:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
