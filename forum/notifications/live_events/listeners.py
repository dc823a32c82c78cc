"""One open stream: who listens, to which threads, and what waits to be sent; and how an event is written there."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from forum.members.viewer import Viewer
from forum.notifications.live_events.cursor import Cursor
from forum.notifications.live_events.queries import Audience, audience_of

MOST_WAITING = 64  # frames that a client has not read: then its stream ends, and it comes back for the rest


class Listener:
    """One open stream."""

    def __init__(self, viewer: Viewer, threads: frozenset[int], seen: Cursor | None) -> None:
        self.viewer, self.threads, self.seen = viewer, threads, seen
        self.audience: Audience = audience_of(viewer)
        self.is_placed = False  # whether it has been told where it stands
        self.is_over = False
        self.unread: int | None = None  # how many unread notices it was told of
        self.told_at = 0.0
        self._frames: list[bytes] = []
        self._changed = asyncio.Event()

    def see_as(self, viewer: Viewer) -> None:
        """Go on as the same member with the roles and the standing that they have now."""
        if viewer != self.viewer:
            self.viewer, self.audience = viewer, audience_of(viewer)

    def push(self, frames: Sequence[bytes], cursor: Cursor, now: float) -> None:
        """Have frames sent. The last one has the cursor: whoever got only some of them gets them all again."""
        self._frames += frames[:-1]
        self._frames.append(b"id: %b\n%b" % (str(cursor).encode(), frames[-1]))
        self.told_at = now
        if len(self._frames) > MOST_WAITING:
            self.end()
        self._changed.set()

    def end(self) -> None:
        """End the stream; what was not sent yet is not sent any more."""
        self.is_over = True
        self._changed.set()

    async def next(self) -> bytes:
        """Return the frames that wait, once there are any; nothing at the end."""
        await self._changed.wait()
        self._changed.clear()
        if self.is_over:
            return b""
        frames, self._frames = self._frames, []
        return b"".join(frames)


def frame(name: str, data: Mapping[str, Any]) -> bytes:
    """Return an event as it is sent: its name, and ids."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(data, separators=(",", ":")).encode())
