"""Pages for people beside the API: the same threads, as HTML and as JSON, and each again when nothing has changed."""

import http.client
import itertools
import random
from collections.abc import Sequence

from rich.table import Table

from tests.load.rounds import FORUM, Kind, Server, Target, get, page
from tests.load.seed import Seeded

THREADS = 50
JSON, HTML = "read by the API", "its page"
BARS = {HTML: 1.7, f"{HTML}, unchanged": 1.1}  # of the API's own work: issue 11


def targets(server: Server, seeded: Seeded) -> list[Target]:
    """The same threads in four ways; every thread is asked for once before, for its ETag."""
    chosen = random.Random(11).sample(seeded.short_threads, min(THREADS, len(seeded.short_threads)))
    made = []
    for what, paths in (
        (JSON, [page(thread) for thread in chosen]),
        (HTML, [f"/threads/{thread}" for thread in chosen]),
    ):
        plain = [get(path) for path in paths]
        again = [_unchanged(server.port, path, request) for path, request in zip(paths, plain, strict=True)]
        made.append(Target(Kind.THREAD, what, FORUM, itertools.cycle(plain)))
        made.append(Target(Kind.UNCHANGED, f"{what}, unchanged", FORUM, itertools.cycle(again)))
    return made


def table(measured: Sequence[Target]) -> Table:
    """What each costs the server, and how that compares with what the API's read costs it."""
    shown = Table("", "a second", "p50 ms", "CPU ms", "× API", "bar", box=None, pad_edge=False)
    for column in shown.columns[1:]:
        column.justify = "right"
    base = next(target for target in measured if target.what == JSON)
    for target in measured:
        bar = f"{BARS[target.what]}" if target.what in BARS else ""
        times = [f"{1000 * value:.2f}" for value in (target.percentile(50), target.cpu)]
        shown.add_row(target.what, f"{target.rate:,.0f}", *times, f"{target.cpu / base.cpu:.2f}", bar)
    return shown


def _unchanged(port: int, path: str, request: bytes) -> bytes:
    """The same request, of a browser that has the answer already."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Accept-Encoding": "gzip", "Accept-Language": "en-GB"})
    response = connection.getresponse()
    response.read()
    tag = response.headers["ETag"].encode()
    return request.replace(b"\r\nAccept: ", b"\r\nIf-None-Match: %b\r\nAccept: " % tag, 1)
