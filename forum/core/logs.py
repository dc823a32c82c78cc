"""Logs without personal data: lines of JSON, or coloured lines on a terminal.

A line says when, in which request, on which route and what; never who. docs/security.md lists everything that is
stored or logged.
"""

import logging
import os
import secrets
import sys
import time
import traceback
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog
from pydantic_core import to_json

# Uvicorn logs an exception with its message and values; `http/problems.py` logs the same failure without them.
_LOGGED_BY_UVICORN = "Exception in ASGI application"

# Code of this project is known by its folders. To exclude libraries would not do: some create functions at run time, in
# files without a name, and an installed forum is in the same folder as the libraries.
_PROJECT = Path(__file__).parents[2]
_OURS = tuple(f"{_PROJECT / package}{os.sep}" for package in ("forum", "moderation"))


_REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


def configure(level: str) -> None:
    """Send every log line of this process, those of libraries too, to standard error in one format."""
    is_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        add_request,
        structlog.processors.add_log_level,
        _add_time,
    ]
    renderer: structlog.typing.Processor = structlog.dev.ConsoleRenderer() if is_terminal else _as_json
    # The forum's own lines, at least one a request, are written directly; those of libraries go through `logging`.
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=_Lines if level == "INFO" else structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(lambda record: not record.getMessage().startswith(_LOGGED_BY_UVICORN))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    for client in ("httpx", "httpcore"):  # they log whole URLs, which can have secrets in them
        logging.getLogger(client).setLevel(logging.WARNING)


class _Lines(structlog.make_filtering_bound_logger("INFO")):  # type: ignore[misc] # a class made at run time
    """Writes lines with less on the way: structlog packs and unpacks what is said of a request four times."""

    def info(self, event: str, **said: Any) -> None:
        """Write a line, unless it is dropped on its way."""
        line: Any = {**self._context, **said, "event": event}
        try:
            for process in self._processors:
                line = process(self._logger, "info", line)
        except structlog.DropEvent:
            return
        self._logger.msg(line)


def begin_request() -> None:
    """Give all lines that follow in this task the same random id."""
    _REQUEST.set(secrets.token_hex(6))


def add_request(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the id of the request to a line, if it belongs to one."""
    if request := _REQUEST.get():
        event["request"] = request
    return event


def _add_time(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Add the time in UTC (RFC 3339)."""
    second, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    event["timestamp"] = f"{_second(second)}.{nanoseconds // 1000:06}Z"
    return event


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    """Return a second since 1970 as text: to write it anew takes four times as long as the rest of a time."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _as_json(_logger: Any, _method: str, event: Mapping[str, Any]) -> str:
    """Return a line: in a quarter of the time of `json.dumps`, which is the most of what a line costs."""
    return to_json(event, fallback=repr, ensure_ascii=True).decode()


def frames(error: BaseException) -> list[str]:
    """Return where in this project an error came from, innermost last.

    Not its message: that can have people's words in it.
    """
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_OURS)]
    return [f"{Path(frame.filename).relative_to(_PROJECT)}:{frame.lineno} {frame.name}" for frame in ours]
