"""What moves and how: `moving.toml`, which a person edits before anything is moved.

`forum import look` proposes it, with a sentence above each line. No line can make a board readable for more people than
could read it: only where the old board left a doubt may a person decide, and never for guests.
"""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from forum.importers.errors import CannotMove
from forum.importers.records import BoardRecord, PersonKind, Readers
from forum.importers.staging import Staging
from forum.members.tables import Role

NAME_MAX = 100  # as the forum's own boards
SECTION = "Boards"  # of a board that stood under no heading
BETWEEN = " › "  # a parent's name and its child's
_NARROW = (Readers.EVERYONE, Readers.MEMBERS, Readers.STAFF)  # narrower ones follow
_HEAD = """\
# What moves to the new forum, and how. Change what is wrong, keep the file, and name it with --plan.
# A line that begins with # is for you: the program does not read it.
"""
_BOARDS = """
# The boards, as the old one had them. For each:
# take: whether it moves, with all its threads (true or false)
# readers: "everyone" (guests too), "members" or "staff". You may choose fewer people than could read it; more only
#   where a line says that it was not clear, and then "members" at most.
# section: the heading under which it stands
# into: empty, or another board into which all its threads go: the number of one of these, as "3", or the address of one
#   that the new forum has already, as "/boards/new-here". Not more people may read that one. Links to both lead there.
"""
HERE = "/boards/"  # before the short name of a board that is here


class PlannedBoard(BaseModel):
    """What becomes of a board."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=NAME_MAX)
    take: bool = True
    readers: Readers
    section: str = Field(SECTION, min_length=1, max_length=NAME_MAX)
    into: str = Field("", max_length=100)

    @property
    def slug_here(self) -> str | None:
        """The short name of the board of this forum into which it goes; None where it goes into none."""
        return self.into.removeprefix(HERE) if self.into.startswith(HERE) else None


class Plan(BaseModel):
    """What moves, and how. Its fields' descriptions are the sentences of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+(/\S*)?)?$",
        description="Where the old board was, as in its links: https://forum.example.org/. Links in posts are turned "
        "into links to the new forum. Empty: they stay.",
    )
    advisers: tuple[str, ...] = Field(
        (),
        description="Who answered for the charity: names as on the old board, or numbers of accounts as #7. "
        "Their old posts get the adviser's badge; they get no role, an administrator invites them.",
    )
    dormant: Literal["leave", "take"] = Field(
        "leave",
        description="What becomes of accounts that never wrote a post and were away for three years: "
        '"leave" or "take".',
    )
    waiting_days: int = Field(
        14,
        ge=0,
        le=365,
        description="A thread that waited for an answer waits here too, if its last post is at most so many days old.",
    )
    boards: Mapping[str, PlannedBoard] = Field(default_factory=dict)

    @classmethod
    def proposed(cls, staging: Staging) -> Self:
        """Return what is done when nobody changes anything."""
        records = {board.old: board for board in staging.boards()}
        boards = {old: _propose(board, records) for old, board in records.items() if not board.is_section}
        address = staging.source.known_address
        known = address if re.fullmatch(r"https?://[^\s/]+(/\S*)?", address) else ""
        if not staging.source.has_handles:
            return cls(address=known, boards=boards)
        # Another forum like this one says who its advisers are, and not who only reads.
        return cls(address=known, boards=boards, advisers=_find_advisers(staging), dormant="take")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the plan in a file. Raises CannotMove when it is none."""
        try:
            return cls.model_validate(tomllib.loads(path.read_text("utf-8")))
        except OSError as error:
            raise CannotMove(f"{path} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise CannotMove(f"{path} is not a text in UTF-8: save it as one.") from error
        except tomllib.TOMLDecodeError as error:
            raise CannotMove(f"{path} cannot be understood: {error}.") from error
        except ValidationError as error:
            fault = error.errors()[0]
            where = ".".join(str(part) for part in fault["loc"])
            raise CannotMove(f"{path}: change {where}: {fault['msg'].removeprefix('Value error, ')}.") from error

    def for_board(self, board: BoardRecord, records: Mapping[str, BoardRecord]) -> PlannedBoard:
        """Return what becomes of a board: as planned, or as it would be proposed, where it is newer than the plan."""
        return self.boards.get(board.old) or _propose(board, records)

    def check(self, staging: Staging) -> None:
        """Raise CannotMove where the plan does not fit the board, or would let more people read than before."""
        if self.address and staging.source.address and not staging.source.known_address:
            raise CannotMove('Links to that site cannot be turned: write address = "" in the plan.')
        records = {board.old: board for board in staging.boards() if not board.is_section}
        too_wide = list[str]()  # told together, so that the plan is written once
        for old, planned in self.boards.items():
            if (record := records.get(old)) is None:
                raise CannotMove(f"The plan names the board {old} ({planned.name}), which the old board does not have.")
            if not planned.take:
                continue
            widest = record.readers if record.doubt is None else Readers.MEMBERS
            if is_wider(planned.readers, widest):
                too_wide.append(
                    f"The board {old} ({planned.name}) cannot be read by {planned.readers}: on the old board fewer "
                    f'people could read it. Write "{widest}", and change it later in the new forum.'
                )
            if planned.into and planned.slug_here is None:
                self._check_merging(old, planned, records)
        if too_wide:
            raise CannotMove("\n".join(too_wide))
        self.find_advisers(staging)

    def _check_merging(self, old: str, planned: PlannedBoard, records: Mapping[str, BoardRecord]) -> None:
        """Raise CannotMove unless a board goes into another one of the old board that is read by no more people."""
        named, into = f"The board {old} ({planned.name}) cannot go into {planned.into}", records.get(planned.into)
        if into is None:
            raise CannotMove(
                f"{named}: the old board has no such board. Write its number, or the address of a board of the new "
                f"forum, as {HERE}new-here."
            )
        goal = self.for_board(into, records)
        if into.old == old or goal.into:
            raise CannotMove(f"{named}: that one does not stay a board of its own.")
        if not goal.take:
            raise CannotMove(f"{named}: the plan does not take that one.")
        if is_wider(goal.readers, planned.readers):
            raise CannotMove(
                f"{named} ({goal.name}): that one is read by {goal.readers}, and this one by {planned.readers}. Write "
                f'readers = "{planned.readers}" for the board {into.old}.'
            )

    def find_advisers(self, staging: Staging) -> frozenset[str]:
        """Return the old ids of the advisers. Raises CannotMove for one who had no account, or whose name several had.

        A login names somebody too, or "#" with an old id: names that are shown are not always one person's.
        """
        found, numbers = dict[str, set[str]](), dict[str, set[str]]()
        for person in staging.people() if self.advisers else ():
            if person.what in {PersonKind.MEMBER, PersonKind.INACTIVE}:
                for called in {person.name.casefold(), (person.login or person.name).casefold()}:
                    found.setdefault(called, set()).add(person.old)
                numbers[f"#{person.old}"] = {person.old}
        found |= numbers
        return frozenset(_one_of(name, found.get(name.casefold(), set())) for name in self.advisers)

    def as_toml(self, doubts: Mapping[str, str | None] | None = None) -> str:
        """Return the file, with a sentence above each line; `doubts` says of a board why it is for staff alone."""
        return "".join([_HEAD, *self._settings(), _BOARDS, *self._boards(doubts or {})])

    def _settings(self) -> Iterator[str]:
        for name, field in type(self).model_fields.items():
            if name != "boards":
                yield f"\n{_comment(field.description or '')}{name} = {_value(getattr(self, name))}\n"

    def _boards(self, doubts: Mapping[str, str | None]) -> Iterator[str]:
        for old, board in self.boards.items():
            yield f"\n[boards.{_value(old)}]\n"
            if doubt := doubts.get(old):
                yield _comment(f'{doubt} If it was for all members, write "{Readers.MEMBERS}" below.')
            for name, value in board:
                yield f"{name} = {_value(value)}\n"


def _one_of(name: str, called: set[str]) -> str:
    """Return the old id of the one person whom a name in the plan means."""
    if not called:
        raise CannotMove(f"The plan names the adviser {name}, who had no account on the old board.")
    if len(called) > 1:
        raise CannotMove(
            f"{len(called)} accounts of the old board are called {name}, whom the plan names as an adviser. "
            f"Write the number of the right one instead: {', '.join(f'#{old}' for old in sorted(called))}."
        )
    return next(iter(called))


def is_wider(one: Readers, other: Readers) -> bool:
    """Return whether an audience has people whom the other one has not."""
    return _NARROW.index(one) < _NARROW.index(other)


class BoardPlace(NamedTuple):
    """Where a board stands."""

    section: str
    parents: tuple[str, ...]  # of a board within boards: their names, the outermost first


def place_of(board: BoardRecord, records: Mapping[str, BoardRecord]) -> BoardPlace:
    """Return under which heading a board stands, and within which boards."""
    parents: list[str] = []
    seen, above = {board.old}, records.get(board.parent or "")
    while above is not None and above.old not in seen:
        if above.is_section:
            return BoardPlace(above.name or SECTION, tuple(reversed(parents)))
        parents.append(above.name)
        seen.add(above.old)  # a board can be its own grandparent in a broken file
        above = records.get(above.parent or "")
    return BoardPlace(SECTION, tuple(reversed(parents)))


def _find_advisers(staging: Staging) -> tuple[str, ...]:
    """Return the names of advisers that nobody else has."""
    names = Counter(person.name.casefold() for person in staging.people())
    advisers = (person.name for person in staging.people() if Role.ADVISER in person.was)
    return tuple(name for name in advisers if names[name.casefold()] == 1)


def _propose(board: BoardRecord, records: Mapping[str, BoardRecord]) -> PlannedBoard:
    place = place_of(board, records)
    return PlannedBoard(
        name=_joined([*place.parents, board.name]) or f"Board {board.old}",
        readers=board.readers,
        section=_cut(place.section) or SECTION,
    )


def _joined(names: Sequence[str]) -> str:
    """Return names as one. Where there is no room for all, the innermost stay: else boards would be called the same."""
    for first in range(len(names)):
        name = BETWEEN.join(["…", *names[first:]] if first else names)
        if len(name) <= NAME_MAX:
            return _cut(name)
    return _cut(names[-1])


def _cut(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1].rstrip() + "…"


def _comment(sentence: str) -> str:
    return "".join(f"# {line}\n" for line in _wrapped(sentence))


def _wrapped(sentence: str, width: int = 98) -> Iterator[str]:
    line = ""
    for word in sentence.split():
        if line and len(line) + 1 + len(word) > width:
            yield line
            line = word
        else:
            line = f"{line} {word}".strip()
    yield line


def _value(value: object) -> str:
    """Return a value as TOML: JSON's strings, numbers and lists are TOML's, all but DEL and halves of pairs."""
    text = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return text.encode("utf-8", "replace").decode()
