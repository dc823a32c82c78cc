"""SIGTERM and Ctrl-C: a command that is told to stop leaves through every `with`, and is never told in vain."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

# What we were told, and may not have obeyed yet: an exception that comes up in a finalizer is lost.
_pending: list[BaseException] = []


def install() -> None:
    """From now on SIGTERM raises SystemExit and Ctrl-C KeyboardInterrupt; call it from the main thread."""
    _pending.clear()
    signal.signal(signal.SIGTERM, lambda *_: _stop(SystemExit(0)))
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us wants it ignored
        # asyncio would put its own in the place of the default one, and lose a Ctrl-C that comes as its work ends.
        signal.signal(signal.SIGINT, lambda *_: _stop(KeyboardInterrupt()))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, and then what we were told too late for its event loop."""
    result = asyncio.run(work)
    raise_if_signalled()
    return result


def raise_if_signalled() -> None:
    """Raise what a signal demanded and has not had yet; call it before what lasts."""
    if _pending:
        raise _pending[-1]


def _stop(demand: BaseException) -> None:
    """Raise the demand; where an event loop runs, between two of its steps.

    In the middle of one may be the database driver's compiled code. An exception that comes up there may be lost,
    and with it the answer that was being read, which is then awaited for ever; or the process crashes.
    """
    _pending.append(demand)
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise demand from None
    loop.call_soon_threadsafe(raise_if_signalled)
