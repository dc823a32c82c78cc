"""The side process: what it is asked comes back, also after it died; it keeps nobody's words and outlives nobody."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from forum.core import side_process
from forum.core.errors import Overloaded
from tests.support.running import until

ROOT = Path(__file__).parents[3]


async def test_a_function_is_called_in_another_process_of_lower_priority() -> None:
    child = await side_process.run(os.getpid)
    assert child != os.getpid()
    assert psutil.Process(child).nice() == psutil.Process().nice() + side_process.NICENESS
    assert await side_process.run(os.path.join, "a", "b") == "a/b"
    assert await side_process.run(os.getpid) == child


async def test_short_texts_are_compared_here_and_long_ones_in_the_other_process() -> None:
    half = "a" * (side_process.SHORT // 2)
    assert await side_process.run_unless_short([half, half], os.getpid) == os.getpid()
    assert await side_process.run_unless_short([half, half, "a"], os.getpid) == await side_process.run(os.getpid)


async def test_a_call_survives_that_the_process_was_killed() -> None:
    child = await side_process.run(os.getpid)
    os.kill(child, signal.SIGKILL)
    assert await side_process.run(os.getpid) != child


async def test_it_ends_when_nobody_needs_it_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    os.kill(await side_process.run(os.getpid), signal.SIGKILL)
    monkeypatch.setattr(side_process, "IDLE_SECONDS", 0.1)
    child = psutil.Process(await side_process.run(os.getpid))
    assert await until(lambda: child.status() == psutil.STATUS_ZOMBIE)
    monkeypatch.undo()
    assert await side_process.run(os.getpid) != child.pid


async def test_a_call_that_kills_the_process_is_refused_and_the_next_one_answered() -> None:
    with pytest.raises(Overloaded):
        await side_process.run(os._exit, 1)
    assert await side_process.run(abs, -1) == 1


async def test_a_call_that_hangs_is_refused_and_the_next_one_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    await side_process.run(abs, -1)
    monkeypatch.setattr(side_process, "LONGEST", 0.2)
    with pytest.raises(Overloaded):
        await side_process.run(time.sleep, 60)
    monkeypatch.undo()
    assert await side_process.run(abs, -1) == 1


async def test_an_error_is_told_without_the_words_that_caused_it() -> None:
    with pytest.raises(RuntimeError) as raised:
        await side_process.run(int, "her secret")
    assert str(raised.value).startswith("ValueError")
    assert "secret" not in str(raised.value)


async def test_when_too_many_wait_the_next_is_refused() -> None:
    await side_process.run(abs, -1)
    calls = [asyncio.create_task(side_process.run(time.sleep, 0.01)) for _ in range(side_process.WAITING_AT_MOST + 1)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None)] * side_process.WAITING_AT_MOST + [Overloaded]


def test_it_ends_with_a_process_that_is_killed() -> None:
    program = "import asyncio, os, time; from forum.core import side_process as s\n"
    program += "print(asyncio.run(s.run(os.getpid)), flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    child.wait(timeout=30)
