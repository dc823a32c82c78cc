"""The watched terms of this process: compiled once for each change of the list."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from forum.core import side_process
from forum.core.database import Reader, new_id
from forum.core.text import is_light
from moderation import watched_terms
from moderation.findings import LocatedFinding, TextPart
from moderation.screening.disguises import words_of
from moderation.screening.finding import Effect, Finding, FindingKind
from moderation.screening.watched_terms import Termbook, TermMatch, find_by_name


class TermWatch:
    """Finds the terms that are watched for now. Without a reader, there are none."""

    def __init__(self, reader: Reader | None) -> None:
        self._reader = reader
        self._serial, self._name = 0, ""
        self._book = Termbook([])
        self._compiling = asyncio.Lock()  # of many who meet a new list, one compiles it

    async def locate(
        self, parts: Sequence[tuple[TextPart, str]], board_id: int | None, *, is_name: bool = False
    ) -> list[LocatedFinding]:
        """Return where in these texts terms are that lead to something for moderators."""
        return [
            LocatedFinding(part, _finding(match))
            for part, text in parts
            for match in await self.find(text, board_id, is_name=is_name)
            if match.effect != Effect.HELP
        ]

    async def find(self, text: str, board_id: int | None = None, *, is_name: bool = False) -> Sequence[TermMatch]:
        """Return which terms are in a text that apply there; what may take long is looked for in another process."""
        book = await self._current_book()
        if not book.terms or not text:
            return []
        if is_light(text):
            return book.find(text, board_id, is_name=is_name)
        name, terms = self._name, book.terms
        found = await side_process.run(find_by_name, name, None, text, board_id, is_name=is_name)
        if found is None:
            found = await side_process.run(find_by_name, name, terms, text, board_id, is_name=is_name)
        return found or []

    async def _current_book(self) -> Termbook:
        if self._reader is None:
            return self._book
        serial = await watched_terms.get_serial(self._reader)
        if serial != self._serial:
            async with self._compiling:
                if serial != self._serial:
                    terms = await watched_terms.list_watched(self._reader)
                    # In a thread, so that others are answered between its steps: 20,000 terms take a second.
                    self._book = await asyncio.to_thread(Termbook, terms)
                    self._serial, self._name = serial, str(new_id())
        return self._book


def softened(found: LocatedFinding) -> LocatedFinding:
    """Return a finding that holds nothing: a moderator decides on it."""
    if found.finding.effect != Effect.HOLD:
        return found
    return replace(found, finding=replace(found.finding, effect=Effect.CASE))


def soften_repeated(found: Sequence[LocatedFinding], texts: Mapping[TextPart, str], said: str) -> list[LocatedFinding]:
    """Return these findings, those softened whose words were said before."""
    before = _row(said)
    return [
        softened(one) if _row(texts[one.part][one.finding.start : one.finding.end]) in before else one for one in found
    ]


def _row(text: str) -> str:
    return f" {' '.join(words_of(text))} "


def _finding(match: TermMatch) -> Finding:
    term = match.term
    return Finding(FindingKind.WATCHED_TERM, match.start, match.end, term.id, term.version, effect=match.effect)
