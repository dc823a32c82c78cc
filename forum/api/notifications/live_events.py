"""Live events over HTTP: one stream, of ids and enumerated words."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import StringConstraints

from forum.core.rate_limits import network
from forum.http.connections import connection_limit
from forum.http.current_member import Anybody, address_of
from forum.http.event_stream import MEDIA_TYPE, EventStream
from forum.http.fields import SoughtId, Text
from forum.http.problems import documented
from forum.http.services import Reading, Route
from forum.notifications.live_events import cursor
from forum.notifications.live_events.hub import LiveEvents
from forum.notifications.live_events.listeners import Listener
from forum.notifications.live_events.opening import MOST_THREADS, open_listener

router = APIRouter(tags=["notifications"], route_class=Route)

EXAMPLE = (
    "retry: 3120\n\n"
    'id: 5f1c22aa90be.4711:4711:\nevent: reset\ndata: {"threads":[{"id":42,"posts":8,"last_number":9}]}\n\n'
    'id: 5f1c22aa90be.4713:4713:\nevent: post\ndata: {"thread":42,"number":10}\n\n'
)
DESCRIPTION = """Events as they happen, as Server-Sent Events (`text/event-stream`). None has a word of anybody.

| `event` | `data` | what it means |
|---|---|---|
| `reset` | `{"threads": [{"id": 42, "posts": 8, "last_number": 9}]}` | Read anew what you show: see below |
| `post` | `{"thread": 42, "number": 10}` | A post can be read now that could not before |
| `edit` | `{"thread": 42, "number": 7}` | A post was changed |
| `removed` | `{"thread": 42, "number": 7}` | A post was withdrawn, removed or held |
| `thread` | `{"thread": 42, "change": "locked"}` | The thread was `locked`, `unlocked`, `moved` or `retitled` |
| `notice` | `{"unread": 3}` | How many of your notifications you have not read now |
| `queue` | `{"case": "018f…", "change": "waits"}` | For moderators: a case `waits` or was `decided` |

A stream begins with `reset` where it does not go on from an id, and where that id is too old. Other events and members
may come. Events of one thread can overtake each other: order posts by number."""
STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": DESCRIPTION,
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}

Threads = Annotated[
    list[SoughtId],
    Query(description="A thread that you want to hear of; up to 20", max_length=MOST_THREADS, examples=[[42]]),
]
Seen = Annotated[Text, StringConstraints(max_length=cursor.LONGEST)]
LastEventId = Annotated[
    Seen | None,
    Header(
        description="The last `id` that you got: the stream goes on from there", examples=["5f1c22aa90be.4711:4711:"]
    ),
]
SeenBefore = Annotated[
    Seen | None,
    Query(description="The same, where you can send no header", examples=["5f1c22aa90be.4711:4711:"]),
]


async def _listener(
    viewer: Anybody,
    reader: Reading,
    thread: Threads = [],  # noqa: B006 - FastAPI copies it
    after: SeenBefore = None,
    last_event_id: LastEventId = None,
) -> Listener:
    return await open_listener(reader, viewer, thread, last_event_id or after)


@router.get("/events", status_code=200, response_class=EventStream, responses={**STREAM, **documented(401, 404, 422)})
async def listen_to_events(request: Request, listener: Annotated[Listener, Depends(_listener)]) -> Response:
    """Listen to what happens.

    In the threads that you name, to your notifications and, for moderators, in the queue. You hear only of what you can
    see at that moment; a thread that you may not see is left out. Guests hear of public threads. After 25 seconds
    without an event comes a comment. When the stream ends, connect again with the last id.
    """
    hub: LiveEvents = request.app.state.live_events
    return EventStream(listener, hub.listening(listener, network(address_of(request)), connection_limit() // 2))
