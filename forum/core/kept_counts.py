"""Counts that are kept as things are written, compared with what counting gives."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession


class WrongCount(NamedTuple):
    """A count that is not what counting gives: of what, and both numbers."""

    what: str
    kept: str
    counted: str


@dataclass(frozen=True)
class KeptCount:
    """A count that a feature keeps: how to find where it is wrong, and how to put it right while others write."""

    find_differences: Callable[[AsyncSession], Awaitable[Sequence[WrongCount]]]
    mend: Callable[[AsyncSession], Awaitable[None]]
