"""An answer that goes on: Server-Sent Events, straight over ASGI."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from forum.notifications.live_events.listeners import Listener

MEDIA_TYPE = "text/event-stream"
END_STREAM = "end_stream"  # in the state of its request: what ends it when the server is told to stop
HEADERS = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses it would hold it back
    "X-Accel-Buffering": "no",  # nginx passes each event on at once
}


class EventStream(Response):
    """The events of one listener, until it or its client ends. `listening` has the hub tell it of them."""

    media_type = MEDIA_TYPE

    def __init__(self, listener: Listener, listening: AbstractContextManager[None]) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._listener, self._listening = listener, listening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send each event as it comes."""
        scope.setdefault("state", {})[END_STREAM] = self._listener.end
        with self._listening:
            hung_up = asyncio.create_task(_wait_until_gone(receive, self._listener.end))
            try:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                while frames := await self._listener.next():
                    await send({"type": "http.response.body", "body": frames, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
            finally:
                hung_up.cancel()


async def _wait_until_gone(receive: Receive, then: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    then()
