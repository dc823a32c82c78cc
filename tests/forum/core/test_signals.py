"""Whoever says stop is heard, whatever code the signal falls into."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from forum.core import signals

ROOT = Path(__file__).parents[3]
DEMANDS = pytest.mark.parametrize(
    ("number", "demand"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)], ids=["SIGTERM", "SIGINT"]
)

# The signal comes as the driver's compiled code, which has read an answer, wakes whoever awaits it.
INTERRUPTED = """
import asyncio, signal, sys
from sqlalchemy import text
from forum.core import signals
from forum.core.database import Database

def interrupt_the_next_waking(loop):
    def call_soon(*what, **how):
        del loop.call_soon  # that of the class is there again
        signal.raise_signal(int(sys.argv[2]))
        return loop.call_soon(*what, **how)
    loop.call_soon = call_soon

async def work():
    database = Database(sys.argv[1], pool_size=1)
    try:
        async with database.work() as session:
            await session.execute(text("SELECT 1"))
            interrupt_the_next_waking(asyncio.get_running_loop())
            await session.execute(text("SELECT 2"))
            await asyncio.sleep(60)
    finally:
        await database.close()
        print("in order")

signals.install()
signals.run(work())
"""


@pytest.fixture(autouse=True)
def heeding() -> Iterator[None]:
    """Signals are heeded as in a command, and afterwards as they were."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signals.install()
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, -signal.SIGINT)])
def test_a_signal_while_the_driver_reads_an_answer_ends_the_work_in_order(
    database_url: str, number: signal.Signals, status: int
) -> None:
    # In a process that can be killed: where the driver loses the signal, it cannot be had to end otherwise.
    command = [sys.executable, "-c", INTERRUPTED, database_url, str(int(number))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120, check=False)
    assert (ended.stdout, ended.returncode) == (b"in order\n", status), ended.stderr


@DEMANDS
def test_a_signal_just_as_the_event_loop_ends_is_not_lost(number: signal.Signals, demand: type[BaseException]) -> None:
    async def last_step(*_: object) -> None:  # since Python 3.12 with a timeout
        # Such a callback comes after the one that ends the loop.
        asyncio.current_task().add_done_callback(lambda _: signal.raise_signal(number))

    async def work() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.shutdown_default_executor = last_step

    with pytest.raises(demand):
        signals.run(work())


@DEMANDS
def test_a_signal_that_fell_into_a_finalizer_is_heeded_before_what_lasts(
    number: signal.Signals, demand: type[BaseException]
) -> None:
    signals.raise_if_signalled()
    with suppress(demand):  # as Python does there
        signal.raise_signal(number)
    with pytest.raises(demand):
        signals.raise_if_signalled()


def test_a_ctrl_c_that_is_to_be_ignored_is_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals.install()
    signal.raise_signal(signal.SIGINT)
    signals.raise_if_signalled()
