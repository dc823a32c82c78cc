"""What other readers notice while somebody asks for much, opens connections and leaves them, or sends a huge head."""

import asyncio
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager

from rich.table import Table

from tests.load.rounds import Server, get
from tests.load.seed import MEMBERS

READS = 400  # by others, in each row
GREEDY, AT_ONCE = 300, 10  # requests for a hundred cards each, and how many at the same time
HANDLES = "&".join(f"handle=member{number:03}" for number in range(100))
HALF_OPEN = 1_800
HUGE_HEAD = 150_000_000

assert MEMBERS >= 100


async def watch(server: Server) -> Table:
    """Read the list of boards while each of these goes on; how long it took, and the server's memory."""
    table = Table("meanwhile", "others' p50 ms", "p99 ms", "longest ms", "server's MB", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for what, act in (
        ("nothing (warming up)", _rest),
        ("nothing", _rest),
        (f"{GREEDY} requests for a hundred cards", _ask_for_much),
        (f"{HALF_OPEN:,} half-open connections", _leave_half_open),
        (f"a head of {HUGE_HEAD // 1_000_000} MB", _send_huge_head),
    ):
        took = await _read_while(server.port, act)
        figures = [
            1000 * value for value in (statistics.median(took), statistics.quantiles(took, n=100)[98], max(took))
        ]
        memory = server.process.memory_info().rss / 1_000_000
        table.add_row(what, *(f"{value:.1f}" for value in figures), f"{memory:.0f}")
    return table


async def _read_while(port: int, act: Callable[[int], Awaitable[None]]) -> list[float]:
    """Read at least so often, and until `act` has ended."""
    took: list[float] = []
    acting = asyncio.ensure_future(act(port))
    while len(took) < READS or not acting.done():
        begun = time.perf_counter()
        await _ask(port, "/api/v1/boards")
        took.append(time.perf_counter() - begun)
        await asyncio.sleep(0.005)
    await acting
    return took


async def _ask(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(get(path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    said = await reader.read()
    writer.close()
    if not said.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(said[:200].decode())


async def _rest(_port: int) -> None:
    pass


async def _ask_for_much(port: int) -> None:
    async def go_on() -> None:
        for _ in range(GREEDY // AT_ONCE):
            await _ask(port, f"/api/v1/members?{HANDLES}")

    await asyncio.gather(*(go_on() for _ in range(AT_ONCE)))


async def _leave_half_open(port: int) -> None:
    with _opened(port) as opening:
        for number, _ in enumerate(opening):
            if number % 50 == 0:
                await asyncio.sleep(0.01)
        await asyncio.sleep(2)


@contextmanager
def _opened(port: int) -> Iterator[Iterator[socket.socket]]:
    """So many connections, opened one after the other, on which a part of a head is sent; closed with the block."""
    with ExitStack() as connections:

        def opening() -> Iterator[socket.socket]:
            for _ in range(HALF_OPEN):
                connection = connections.enter_context(socket.create_connection(("127.0.0.1", port)))
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
                yield connection

        yield opening()


async def _send_huge_head(port: int) -> None:
    def send() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            try:
                for _ in range(HUGE_HEAD // 65_536):
                    connection.sendall(b"a" * 65_536)
            except OSError:
                pass  # the server hung up

    await asyncio.to_thread(send)
