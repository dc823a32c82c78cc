"""Open a stream: to which threads somebody may listen, and from where it goes on."""

from collections.abc import Collection

from forum.core.database import Reader
from forum.core.errors import Invalid, NotFound
from forum.members.viewer import Viewer
from forum.notifications.live_events import cursor
from forum.notifications.live_events.listeners import Listener
from forum.notifications.live_events.queries import list_threads

MOST_THREADS = 20


async def open_listener(reader: Reader, viewer: Viewer, threads: Collection[int], seen: str | None) -> Listener:
    """Return a listener to these threads and to what concerns the viewer, which goes on from the id `seen`.

    A thread that the viewer may not see now is kept all the same: it may come back, and nothing of it is told before.
    Raises NotFound when they may see none of those that they name, and Invalid for a guest who names none.
    """
    if not threads and viewer.id is None:
        raise Invalid("Sign in, or name the threads that you want to hear of.", "query/thread", code="required")
    if threads and not any(await list_threads(reader, [viewer], [threads])):
        raise NotFound("There is no such thread.", code="thread_not_found")
    return Listener(viewer, frozenset(threads), cursor.parse(seen) if seen else None)
