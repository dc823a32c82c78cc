"""The hub, one in each process: it reads what is new, and tells each stream what its reader may see at that moment."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from forum.authentication.sessions import SessionCache, list_signed_in
from forum.core import clock, wake_ups
from forum.core.database import Reader
from forum.core.errors import Overloaded, Throttled
from forum.core.settings import Settings
from forum.core.work import Transactions
from forum.members.viewer import Viewer
from forum.notifications.inbox import count_unread_of
from forum.notifications.live_events.cursor import Cursor
from forum.notifications.live_events.listeners import Listener, frame
from forum.notifications.live_events.queries import (
    OF_CASES,
    OF_POSTS,
    OF_THREADS,
    OF_VIEWERS,
    Audience,
    NewEvent,
    Place,
    find_seen,
    list_threads,
    read_between,
    read_now,
)
from forum.notifications.live_events.tables import EventKind

POLL_SECONDS = 1.0  # where no NOTIFY comes: it is lost with a process or a connection
COMMENT_SECONDS = 25.0  # proxies hang up on what says nothing for a minute
RENEWED_SECONDS = 5.0  # roles and sessions are read again at least so often, and with each event about them
RETRY_MILLISECONDS = (2_000, 6_000)  # after a restart, not all come back at once
CASE_CHANGES = {EventKind.CASE_WAITS: "waits", EventKind.CASE_DECIDED: "decided"}

# Which of these cases somebody may be told of. Moderation hands it over.
FindCases = Callable[[Transactions, Viewer, Collection[UUID]], Awaitable[Collection[UUID]]]

log = structlog.get_logger()


class _Outbox:
    """What each listener is told next: nothing of it is sent before all is known."""

    def __init__(self) -> None:
        self.frames: defaultdict[Listener, list[bytes]] = defaultdict(list)
        self.unread: dict[Listener, int] = {}


class LiveEvents:
    """All open streams of one process, and what they are told."""

    def __init__(
        self,
        settings: Settings,
        session_cache: SessionCache,
        transactions: Callable[[datetime], Transactions],
        find_cases: FindCases,
    ) -> None:
        self._settings, self._session_cache = settings, session_cache
        self._transactions, self._find_cases = transactions, find_cases
        self._listeners: set[Listener] = set()
        self._open: Counter[Hashable] = Counter()
        self._cursor: Cursor | None = None
        self._renewed_at = 0.0
        self._woken = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    # What a stream does

    @contextmanager
    def listening(self, listener: Listener, network: str, most: int) -> Iterator[None]:
        """Tell a listener what happens while the block runs.

        Raises Throttled where the member or the network has too many streams, and Overloaded where the process has
        `most`.
        """
        if len(self._listeners) >= most:
            raise Overloaded("Too many pages listen for news at this moment. Please try again in a minute.")
        limits: dict[Hashable, int] = {("network", network): self._settings.streams_per_address}
        if listener.viewer.id:
            limits["member", listener.viewer.id] = self._settings.streams_per_member
        for who, limit in limits.items():
            if self._open[who] >= limit:
                raise Throttled("Too many streams are open.", policy="streams", quota=limit, window=60, retry_after=60)
        self._open.update(limits.keys())
        self._listeners.add(listener)
        self._start()
        try:
            yield
        finally:
            self._listeners.discard(listener)
            self._open.subtract(limits.keys())
            self._open += Counter()  # without those that have none any more

    def count_open(self) -> int:
        """Return how many streams are open."""
        return len(self._listeners)

    def _start(self) -> None:
        self._woken.set()
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run(), name="live_events")

    async def close(self) -> None:
        """End every stream."""
        for listener in self._listeners:
            listener.end()
        if self._running:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    # Round after round

    @property
    def _reader(self) -> Reader:
        return self._transactions(clock.now()).reader

    async def _run(self) -> None:
        async with wake_ups.listening(self._reader, self._woken.set):
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_SECONDS if self._listeners else None)
                self._woken.clear()
                await self._try_round()

    async def _try_round(self) -> None:
        try:
            await self._round()
        except (DBAPIError, PoolTimeoutError) as error:
            # Nothing was sent, and the next round reads the same once more.
            log.warning("events_not_read", reason=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)
        except Exception as error:  # noqa: BLE001 (whatever it is, the streams must not stand still in silence)
            log.error("events_failed", error=type(error).__name__)
            for listener in self._listeners:
                listener.end()

    async def _round(self) -> None:
        """Read what is new, find out who may see it, and then, without waiting, have it sent to all."""
        listeners = [listener for listener in self._listeners if not listener.is_over]
        if not listeners:
            self._cursor = None
            return
        moment = await read_now(self._reader, self._cursor)
        await self._renew(listeners, moment.events)
        outbox = _Outbox()
        placed = [listener for listener in listeners if listener.is_placed]
        if self._cursor and (self._cursor.epoch != moment.cursor.epoch or not moment.is_whole):
            for listener in placed:
                listener.end()  # it comes back, and is told to read anew
        else:
            await self._collect(outbox, placed, moment.events)
        await self._place(outbox, [listener for listener in listeners if not listener.is_placed], moment.cursor)
        self._cursor = moment.cursor
        self._send(outbox, listeners)

    def _send(self, outbox: _Outbox, listeners: Sequence[Listener]) -> None:
        now = time.monotonic()
        for listener in listeners:
            frames = outbox.frames.get(listener, [])
            if not frames and now - listener.told_at >= COMMENT_SECONDS:
                frames = [b":\n\n"]
            if frames and self._cursor:
                listener.is_placed, listener.unread = True, outbox.unread.get(listener, listener.unread)
                listener.push(frames, self._cursor, now)

    # Who listens

    async def _renew(self, listeners: Iterable[Listener], events: Sequence[NewEvent]) -> None:
        """Read again who signed in, and with which roles: of those whom an event names, and every five seconds of all.

        The sessions that this process remembers are forgotten too, as where the change was made.
        """
        changed = {member_id for event in events if event.kind in OF_VIEWERS for member_id in event.refs}
        for member_id in changed:
            self._session_cache.invalidate(member_id)
        is_due = time.monotonic() - self._renewed_at >= RENEWED_SECONDS
        asked = {
            listener.viewer.session_id: listener
            for listener in listeners
            if listener.viewer.session_id and (is_due or listener.viewer.id in changed)
        }
        found = await list_signed_in(self._reader, asked.keys(), clock.now()) if asked else {}
        for listener in listeners:
            if (session_id := listener.viewer.session_id) in asked:
                if session_id in found:
                    listener.see_as(found[session_id])
                else:
                    listener.end()
        if is_due:
            self._renewed_at = time.monotonic()

    async def _place(self, outbox: _Outbox, joining: Sequence[Listener], cursor: Cursor) -> None:
        """Tell those who came just now what they missed; where that is not known, that they must read anew."""
        for listener in joining:
            outbox.frames[listener] = [b"retry: %d\n\n" % random.randint(*RETRY_MILLISECONDS)]  # noqa: S311 - no secret
        since = {listener.seen for listener in joining if listener.seen and cursor.can_follow(listener.seen)}
        read = {seen: await read_between(self._reader, seen, cursor) for seen in since}
        missed = {seen: moment for seen, moment in read.items() if moment.is_whole}
        await self._have_read_anew(outbox, [listener for listener in joining if listener.seen not in missed])
        for seen, moment in missed.items():
            await self._collect(outbox, [each for each in joining if each.seen == seen], moment.events)
        await self._tell_unread(outbox, [listener for listener in joining if listener.viewer.id])

    async def _have_read_anew(self, outbox: _Outbox, listeners: Sequence[Listener]) -> None:
        viewers, watched = [each.viewer for each in listeners], [each.threads for each in listeners]
        threads = await list_threads(self._reader, viewers, watched)
        for listener, rows in zip(listeners, threads, strict=True):
            here = [{"id": row.id, "posts": row.posts, "last_number": row.last_post_number} for row in rows]
            outbox.frames[listener].append(frame("reset", {"threads": here}))
            listener.seen = None

    # What they are told

    async def _collect(self, outbox: _Outbox, listeners: Sequence[Listener], events: Sequence[NewEvent]) -> None:
        await self._tell_of_threads(outbox, listeners, events)
        await self._tell_of_cases(outbox, listeners, events)
        told = {member_id for event in events if event.kind == EventKind.NOTICE for member_id in event.refs}
        await self._tell_unread(outbox, [each for each in listeners if each.viewer.id in told and each.is_placed])

    async def _tell_of_threads(
        self, outbox: _Outbox, listeners: Iterable[Listener], events: Sequence[NewEvent]
    ) -> None:
        of_threads: dict[int, list[NewEvent]] = {}
        for event in events:
            if event.thread_id is not None:
                of_threads.setdefault(event.thread_id, []).append(event)
        concerned = [listener for listener in listeners if not listener.threads.isdisjoint(of_threads)]
        seen: dict[Audience, Mapping[Place, bool]] = {}
        for audience in {listener.audience for listener in concerned}:
            threads = {
                thread for each in concerned if each.audience == audience for thread in each.threads & of_threads.keys()
            }
            places = {(thread, event.number or 0) for thread in threads for event in of_threads[thread]}
            seen[audience] = await find_seen(self._reader, audience, places)
        frames = {id(event): _of_thread(event) for events in of_threads.values() for event in events}
        for listener in concerned:
            for thread in listener.threads & of_threads.keys():
                for event in of_threads[thread]:
                    if _may_be_told(event, seen[listener.audience]):
                        outbox.frames[listener].append(frames[id(event)])

    async def _tell_of_cases(self, outbox: _Outbox, listeners: Iterable[Listener], events: Sequence[NewEvent]) -> None:
        of_cases = [event for event in events if event.kind in OF_CASES]
        if not of_cases:
            return
        case_ids = {event.refs[0] for event in of_cases}
        told: dict[Viewer, Collection[UUID]] = {}
        for listener in listeners:
            viewer = listener.viewer
            if not viewer.is_staff:
                continue
            if viewer not in told:
                told[viewer] = await self._find_cases(self._transactions(clock.now()), viewer, case_ids)
            for event in of_cases:
                if event.refs[0] in told[viewer]:
                    data = {"case": str(event.refs[0]), "change": CASE_CHANGES[event.kind]}
                    outbox.frames[listener].append(frame("queue", data))

    async def _tell_unread(self, outbox: _Outbox, listeners: Sequence[Listener]) -> None:
        """Tell how many notices somebody has not read, where they were told another number.

        So a notice about what they may no longer see is not told of, not even by its coming.
        """
        counted = await count_unread_of(self._reader, {listener.viewer for listener in listeners})
        for listener in listeners:
            unread = counted[listener.viewer]
            if listener.unread != unread:
                outbox.unread[listener] = unread
                outbox.frames[listener].append(frame("notice", {"unread": unread}))


def _of_thread(event: NewEvent) -> bytes:
    if event.kind in OF_POSTS:
        return frame(event.kind, {"thread": event.thread_id, "number": event.number})
    return frame("thread", {"thread": event.thread_id, "change": event.kind})


def _may_be_told(event: NewEvent, seen: Mapping[Place, bool]) -> bool:
    """Return whether readers who see these places may be told: of a post only while it can be read."""
    place = (event.thread_id or 0, event.number or 0)
    if event.kind in OF_THREADS or event.kind == EventKind.REMOVED:
        return place in seen
    return seen.get(place, False)
