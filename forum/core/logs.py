"""Logs without personal data: lines of JSON, or of colour where a person reads them.

They say when, in which request, on which route and what; never who. docs/security.md lists every place where something
is written down.
"""

import logging
import os
import sys
import traceback
from pathlib import Path

import structlog

# Uvicorn logs an exception's message and values; `api/problems.py` logs the same failure without them.
_REPEATED = "Exception in ASGI application"

# By where they are, not by what libraries look like: some make functions while they run, in files that have no name,
# and an installed forum lies among the libraries.
_HOUSE = Path(__file__).parents[2]
_OURS = tuple(f"{_HOUSE / package}{os.sep}" for package in ("forum", "moderation"))


def configure(level: str) -> None:
    """Send every log line of this process, the libraries' too, to standard error in one form."""
    is_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,  # which request it was
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Our own lines, one a request at least, go straight out; the libraries' go through `logging`.
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
    handler.addFilter(lambda record: not record.getMessage().startswith(_REPEATED))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    for client in ("httpx", "httpcore"):  # they write whole addresses down, which can hold secrets
        logging.getLogger(client).setLevel(logging.WARNING)


def frames(error: BaseException) -> list[str]:
    """Where in the project an error came from, innermost last, without what it said: messages hold people's words."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(_OURS)]
    return [f"{Path(frame.filename).relative_to(_HOUSE)}:{frame.lineno} {frame.name}" for frame in ours]
