"""SIGTERM and Ctrl-C: a command that is stopped leaves every `with` block, and no signal is lost."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

# Signals that arrived and may not have had an effect: Python drops an exception that is raised in a finalizer.
_pending: list[BaseException] = []


def install() -> None:
    """Have SIGTERM raise SystemExit and Ctrl-C KeyboardInterrupt. Call it from the main thread."""
    _pending.clear()
    signal.signal(signal.SIGTERM, lambda *_: _stop(SystemExit(0)))
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # otherwise the parent process wants Ctrl-C ignored
        # asyncio replaces the default handler with its own, which loses a Ctrl-C that comes while its work ends.
        signal.signal(signal.SIGINT, lambda *_: _stop(KeyboardInterrupt()))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine with `asyncio.run`, then raise a signal that came too late for its event loop."""
    result = asyncio.run(work)
    raise_if_signalled()
    return result


def raise_if_signalled() -> None:
    """Raise the exception of a signal that has arrived. Call it before work that takes long."""
    if _pending:
        raise _pending[-1]


def _stop(exception: BaseException) -> None:
    """Raise the exception; where an event loop runs, between two of its steps.

    In the middle of a step the database driver's compiled code may run. An exception that is raised there can get lost
    together with the answer that was being read, which then never arrives, or can crash the process.
    """
    _pending.append(exception)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise exception from None
    loop.call_soon_threadsafe(raise_if_signalled)
