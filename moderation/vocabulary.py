"""The charity's own words that screening looks for: watched terms, and its changes to the phrases of danger.

Each process asks once a second whether administrators changed them, and compiles them once for each change.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from forum.core import side_process
from forum.core.database import Prepared, Reader, new_id, query
from forum.core.text import is_light
from moderation import crisis_phrases, watched_terms
from moderation.findings import LocatedFinding, TextPart
from moderation.screening import NO_CHANGES, Changes
from moderation.screening.disguises import words_of
from moderation.screening.finding import Finding, FindingKind, SignEffect
from moderation.screening.watched_terms import Termbook, TermMatch, find_by_name

FRESH_SECONDS = 1.0
NOTHING_CHANGED = (0, None)  # the version before the first change

# Another one after each change.
_VERSION = Prepared(query(watched_terms.SERIAL, crisis_phrases.CHANGED_AT))

# Not the loop's own executor: a loop that is closed waits for that, and a second signal then ends it with an error.
_compiling = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vocabulary")

log = structlog.get_logger()


class Vocabulary:
    """Finds the terms that are watched for now, and knows the phrases. Without a reader, there are only ours."""

    def __init__(self, reader: Reader | None) -> None:
        self._reader = reader
        self._version: tuple[object, ...] = NOTHING_CHANGED
        self._fresh_until = 0.0
        self._changed_here = 0
        self._name = ""
        self._book = Termbook([])
        self._changes = NO_CHANGES
        self._learning = asyncio.Lock()  # of many who meet a new list, one compiles it

    async def get_changes(self) -> Changes:
        """Return what administrators changed about the phrases of danger."""
        await self._refresh()
        return self._changes

    async def locate(
        self, parts: Sequence[tuple[TextPart, str]], board_id: int | None, *, is_name: bool = False
    ) -> list[LocatedFinding]:
        """Return where in these texts terms are that lead to something for moderators."""
        return [
            LocatedFinding(part, _finding(match))
            for part, text in parts
            for match in await self.find(text, board_id, is_name=is_name)
            if match.effect != SignEffect.HELP
        ]

    async def find_help_kinds(self, text: str) -> list[str]:
        """Return which help the terms in a text ask for. Where none of them does, the text is not looked through."""
        await self._refresh()
        if not self._book.leads_to_help:
            return []
        return [match.term.help_kind for match in await self.find(text) if match.term.help_kind]

    async def find(self, text: str, board_id: int | None = None, *, is_name: bool = False) -> Sequence[TermMatch]:
        """Return which terms are in a text that apply there; what may take long is looked for in another process."""
        await self._refresh()
        book = self._book
        if not book.terms or not text:
            return []
        if is_light(text):
            return book.find(text, board_id, is_name=is_name)
        name, terms = self._name, book.terms
        found = await side_process.run(find_by_name, name, None, text, board_id, is_name=is_name)
        if found is None:
            found = await side_process.run(find_by_name, name, terms, text, board_id, is_name=is_name)
        return found or []

    async def _refresh(self) -> None:
        """Read what changed. Where the database fails, what was known last counts: help does not depend on it."""
        changed_here = watched_terms.CHANGED_HERE.total()
        is_fresh = changed_here == self._changed_here and time.monotonic() < self._fresh_until
        if self._reader is None or is_fresh:
            return
        try:
            version = tuple(await self._reader.row(_VERSION))
            if version != self._version:
                async with self._learning:
                    await self._learn(self._reader, version)
            self._fresh_until, self._changed_here = time.monotonic() + FRESH_SECONDS, changed_here
        except (SQLAlchemyError, OSError) as error:
            log.warning("vocabulary_unread", kind=type(error).__name__)

    async def _learn(self, reader: Reader, version: tuple[object, ...]) -> None:
        if version == self._version:
            return
        self._changes = await crisis_phrases.read_changes(reader)
        terms = await watched_terms.list_watched(reader)
        # In a thread, so that others are answered between its steps: 20,000 terms take a second.
        self._book = await asyncio.get_running_loop().run_in_executor(_compiling, Termbook, terms)
        self._version, self._name = version, str(new_id())


def softened(found: LocatedFinding) -> LocatedFinding:
    """Return a finding that holds nothing: a moderator decides on it."""
    if found.finding.effect != SignEffect.HOLD:
        return found
    return replace(found, finding=replace(found.finding, effect=SignEffect.CASE))


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
