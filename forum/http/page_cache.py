"""Answers that are the same for every ordinary reader, kept as bytes and given again without making them anew.

They are kept under the version that the database had before they were made (`core/page_versions.py`), and each request
asks for the version as it is now: a removed word is gone from the very next read, in every process. What is kept was
made for a guest, so nothing of anybody's own is in it. A member gets it too, unless they moderate, or something of
theirs waits for a moderator: what these see is made for them.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from cachetools import TTLCache
from fastapi import Request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from forum.core import clock
from forum.core.page_versions import Seen, Subject, site_version_is
from forum.http.caching import SHARED, is_known
from forum.http.compression import LARGE, SMALL, compress, takes_gzip
from forum.http.current_member import known_viewer, note_viewers_version, token_in, viewer_of
from forum.http.middleware import safe_headers
from forum.http.one_piece import WHOLE, head_of
from forum.http.services import Services
from forum.members.standing import SHUT_OUT
from forum.members.viewer import GUEST, Viewer

LATER = datetime.max.replace(tzinfo=UTC)
LONGEST_LANGUAGES = 100  # bytes, of an Accept-Language
LONGEST_QUERY = 300  # bytes: no page of ours links to a longer one
LEVEL = 6  # of zlib, as of all pages: it is done once for each version
KEPT_FOR = 600  # seconds, though nobody gets them: words that were removed or erased must not stay in memory for long
OVERHEAD = 4_000  # bytes that each kept answer takes besides its words

# What a route sets in the state of a request where it shows something that changes without a version.
MOMENTARY = "is_momentary"
# Of a request that is made for a guest: who asks, and what they have already.
_LEFT_OUT = {b"accept-encoding", b"authorization", b"cookie", b"if-none-match"}
_OF_CONTENT = {b"content-encoding", b"content-length", b"content-type"}


@dataclass(frozen=True)
class Kind:
    """Addresses whose answers can be kept: the group of the pattern is the subject, or else it is the site."""

    pattern: re.Pattern[str]
    for_members: bool = True  # whether members get what guests get, where a guest gets anything
    by_the_clock: bool = False  # whether opening hours or announcements show
    is_page: bool = False  # whether it is in a language, and looks as a cookie says
    # Of a page, what its address may say: it ignores all else, and each spelling would take room. The API refuses it.
    parameters: frozenset[bytes] = frozenset()


_NUMBER, _SLUG = "[1-9][0-9]{0,17}", "[a-z0-9-]{1,50}"


def _read(pattern: str, *, for_members: bool = True, by_the_clock: bool = False) -> Kind:
    return Kind(re.compile(f"/api/v1{pattern}"), for_members, by_the_clock)


def _page(pattern: str, *parameters: bytes) -> Kind:
    named = frozenset(parameters)
    return Kind(re.compile(pattern), for_members=False, by_the_clock=True, is_page=True, parameters=named)


KINDS = (
    _read(f"/threads/(?P<thread>{_NUMBER})(?:/posts)?"),
    _page(f"/threads/(?P<thread>{_NUMBER})", b"start", b"advisers"),
    _read(f"/boards/(?P<board>{_SLUG})/threads"),
    _read(f"/boards/(?P<board>{_SLUG})", by_the_clock=True),
    _page(f"/boards/(?P<board>{_SLUG})", b"after"),
    _read("/(?P<boards>)boards", for_members=False, by_the_clock=True),
    _page("/(?P<boards>)"),
    _read(f"/posts/(?P<post>{_NUMBER})"),
    _read("/(?:advisers|glossary|rules|rules/[1-9][0-9]{0,2})"),
    _page("/(?:advisers|glossary|rules)"),
)


@dataclass(frozen=True)
class Packet:
    """The headers and the bytes of an answer, as they are sent."""

    headers: Sequence[tuple[bytes, bytes]]
    content: bytes
    status: int = 200
    _heads: dict[str, bytes] = field(default_factory=dict)  # by the scheme

    @cached_property
    def unchanged(self) -> "Packet":
        """The answer to somebody who has these bytes already."""
        return Packet([pair for pair in self.headers if pair[0] not in _OF_CONTENT], b"", status=304)

    async def send(self, send: Send) -> None:
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.content})

    async def send_whole(self, send: Send, scheme: str) -> None:
        """Send it in one piece, with the headers of every answer that comes over `scheme`."""
        if scheme not in self._heads:
            self._heads[scheme] = head_of(safe_headers(self.headers, scheme))
        await send({"type": WHOLE, "status": self.status, "head": self._heads[scheme], "content": self.content})


@dataclass(slots=True)
class Kept:
    """What was answered under a version; without a packet, there it is made for each reader."""

    version: str
    until: datetime | None
    route: Any  # for the line of log
    packet: Packet | None
    small: Packet | None = None  # the same, compressed when somebody asks for it a second time
    tag: str = ""
    was_read: bool = False  # nothing is compressed for one reader alone

    def __post_init__(self) -> None:
        if self.packet:
            self.tag = dict(self.packet.headers)[b"etag"].decode("latin-1").removeprefix("W/")

    def holds(self, version: str, now: datetime) -> bool:
        """Return whether it is still true."""
        return self.version == version and (self.until is None or now < self.until)

    @property
    def size(self) -> int:
        """How many bytes it takes at most."""
        return OVERHEAD + (2 * len(self.packet.content) if self.packet else 0)

    def compressed(self) -> Packet | None:
        """Return the packet in fewer bytes; the same one where that saves nothing."""
        if self.packet and not self.small:
            self.small = _compressed(self.packet) if len(self.packet.content) >= SMALL else self.packet
        return self.small

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer a request."""
        scope["route"] = self.route
        asked = dict(reversed(scope["headers"]))  # the first counts, where there are several
        takes_small = self.was_read and takes_gzip(asked.get(b"accept-encoding", b"").decode("latin-1"))
        if takes_small and self.packet and len(self.packet.content) > LARGE and not self.small:
            self.small = await asyncio.to_thread(_compressed, self.packet)  # it would hold the loop for some 50 ms
        packet, self.was_read = (self.compressed() if takes_small else self.packet), True
        tags = asked.get(b"if-none-match")
        if packet and tags is not None and is_known(tags.decode("latin-1"), self.tag):
            packet = packet.unchanged
        if packet and WHOLE in scope.get("extensions", ()) and b"origin" not in asked:
            await packet.send_whole(send, scope["scheme"])
        elif packet:  # to another origin, headers are added on the way
            await packet.send(send)


# The path, the query, and of a page the languages that the browser asks for.
Key = tuple[str, bytes, bytes]


class PageCache:
    """Answers from what was kept where that is true, and keeps what is made for guests."""

    def __init__(self, app: ASGIApp, services: Services, most_bytes: int) -> None:
        self.app = app
        self._services = services
        self._answers: TTLCache[Key, Kept] = TTLCache(most_bytes, KEPT_FOR, getsizeof=lambda kept: kept.size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request from what was kept, or pass it on."""
        asked = _asked(scope)
        answer = await self._find(scope, receive, *asked) if asked else None
        await (answer or self.app)(scope, receive, send)

    async def _find(self, scope: Scope, receive: Receive, kind: Kind, subject: Subject) -> ASGIApp | None:
        """Return what answers the request; None where the answer is made for its reader."""
        now = clock.now()
        try:
            found = await self._ask(scope, kind, subject)
        except (DBAPIError, PoolTimeoutError):  # whoever answers without a version can say so better
            return None
        if found is None:
            return None
        reader, seen = found
        key = (scope["path"], scope["query_string"], _language(scope) if kind.is_page else b"")
        self._answers.expire()
        kept = self._answers.get(key)
        if kept and kept.holds(seen.version, now):
            return kept if kept.packet else None
        with site_version_is(seen.site):
            made = await _make_for_guest(self.app, scope, receive)
        if made.is_passing:
            return made
        until = min(_next_minute(now), seen.announced_until or LATER) if kind.by_the_clock else None
        kept = Kept(seen.version, until, scope["route"], made.packet, was_read=kind.is_page)
        # What is not there for guests is noted for members alone: others could fill the room with what is nowhere.
        if (kept.packet or reader.id) and kept.size <= self._answers.maxsize:
            self._answers[key] = kept
        if kept.packet:
            return kept
        return None if reader.id else made

    async def _ask(self, scope: Scope, kind: Kind, subject: Subject) -> tuple[Viewer, Seen] | None:
        """Return who reads, and the version as it is now; None for somebody who may see more than a guest.

        One statement says both, where the session is known here: whether it still is.
        """
        versions = self._services.page_versions
        if token_in(scope["headers"])[0] is None:
            return GUEST, await versions.ask(subject)
        request = Request(scope)
        expected = _as_reader(known_viewer(request) or await viewer_of(request))
        if _sees_more(expected, kind):
            return None
        seen = await versions.ask(subject, expected.personas)
        note_viewers_version(request, seen.viewers)
        reader = _as_reader(await viewer_of(request))
        # Of whoever is somebody else by now, nobody asked whether something waits.
        is_shared = reader.personas == expected.personas and not _sees_more(reader, kind) and not seen.waits
        return (reader, seen) if is_shared else None


class _Made:
    """An answer as it was made for a guest: what was sent is noted, and sent on when it is called."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self.is_momentary = False

    async def note(self, message: Message) -> None:
        """Note a part of the answer."""
        self._messages.append(message)

    @property
    def is_passing(self) -> bool:
        """Whether the same question may have another answer soon, though nothing changes: the server is busy."""
        return int(self._messages[0]["status"]) >= 500

    @property
    def packet(self) -> Packet | None:
        """The answer, if all readers get the same."""
        is_shared = dict(self._messages[0]["headers"]).get(b"cache-control") == SHARED.encode()
        return self._whole if is_shared and not self.is_momentary else None

    @property
    def _whole(self) -> Packet | None:
        """The answer, if it is what was asked for."""
        start, *parts = self._messages
        if start["status"] != 200:
            return None
        return Packet(start["headers"], b"".join(part.get("body", b"") for part in parts))

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the answer, or that the client has these bytes already."""
        whole, tags = self._whole, dict(scope["headers"]).get(b"if-none-match")
        tag = dict(whole.headers).get(b"etag") if whole else None
        if whole and tag and tags is not None:
            is_unchanged = is_known(tags.decode("latin-1"), tag.decode("latin-1").removeprefix("W/"))
            await (whole.unchanged if is_unchanged else whole).send(send)
            return
        for message in self._messages:
            await send(message)


def _asked(scope: Scope) -> tuple[Kind, Subject] | None:
    """Return what a request asks for, if the answer can be kept."""
    if scope["type"] != "http" or scope["method"] != "GET" or len(scope["query_string"]) > LONGEST_QUERY:
        return None
    for kind in KINDS:
        if match := kind.pattern.fullmatch(scope["path"]):
            if kind.is_page and not (_looks_as_usual(scope) and _says_only(scope, kind.parameters)):
                return None
            subject = match.lastgroup or "site"
            return kind, Subject(subject, match[subject] if match.lastgroup else "")
    return None


def _says_only(scope: Scope, parameters: frozenset[bytes]) -> bool:
    query: bytes = scope["query_string"]
    return not query or {part.partition(b"=")[0] for part in query.split(b"&")} <= parameters


def _looks_as_usual(scope: Scope) -> bool:
    """Return whether a browser asks for a page without having chosen anything, in not too many languages."""
    return all(
        name != b"cookie" and (name != b"accept-language" or len(value) <= LONGEST_LANGUAGES)
        for name, value in scope["headers"]
    )


def _as_reader(viewer: Viewer) -> Viewer:
    """Return who reads, as the routes do: whoever is shut out reads as a guest."""
    return GUEST if viewer.standing in SHUT_OUT else viewer


def _sees_more(reader: Viewer, kind: Kind) -> bool:
    """Return whether somebody may see more than a guest there: of what a guest reads, only who moderates does."""
    return reader.moderates_somewhere or (reader.id is not None and not kind.for_members)


def _language(scope: Scope) -> bytes:
    asked: bytes = dict(reversed(scope["headers"])).get(b"accept-language", b"")
    return asked


async def _make_for_guest(app: ASGIApp, scope: Scope, receive: Receive) -> _Made:
    """Have an answer made, whole and for a guest, whoever asks."""
    made = _Made()
    headers = [pair for pair in scope["headers"] if pair[0] not in _LEFT_OUT]
    as_guest = {**scope, "headers": headers, "state": {**scope.get("state", {})}}
    try:
        await app(as_guest, receive, made.note)
    finally:  # a mistake is logged with its route, too
        scope["route"] = as_guest.get("route")
    made.is_momentary = as_guest["state"].get(MOMENTARY, False)
    return made


def _compressed(packet: Packet) -> Packet:
    """Return the answer with its bytes compressed."""
    content = compress(packet.content, LEVEL)
    length = (b"content-length", b"%d" % len(content))
    headers = [pair for pair in packet.headers if pair[0] != length[0]]
    return Packet([*headers, length, (b"content-encoding", b"gzip")], content)


def _next_minute(now: datetime) -> datetime:
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)
