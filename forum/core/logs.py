"""Logs without personal data: lines of JSON, or coloured lines on a terminal.

A line says when, in which request, on which route and what; never who. docs/security.md lists everything that is
stored or logged.
"""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
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


def configure(level: str) -> None:
    """Send every log line of this process, those of libraries too, to standard error in one format."""
    is_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer(_as_json)
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # the id of the request
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # The forum's own lines, at least one a request, are written directly; those of libraries go through `logging`.
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
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


def _as_json(event: Mapping[str, Any], default: Callable[[Any], Any]) -> str:
    """Return a line: in a quarter of the time of `json.dumps`, which is the most of what a line costs."""
    return to_json(event, fallback=default, ensure_ascii=True).decode()


def frames(error: BaseException) -> list[str]:
    """Return where in this project an error came from, innermost last.

    Not its message: that can have people's words in it.
    """
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_OURS)]
    return [f"{Path(frame.filename).relative_to(_PROJECT)}:{frame.lineno} {frame.name}" for frame in ours]
