"""What features count for monitoring: numbers that the database knows, and that name nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import text

from forum.core.database import Prepared, Reader
from forum.core.jobs import SETTINGS


@dataclass(frozen=True)
class Figure:
    """One number: its name and its meaning in the metrics, and a statement whose one row has it as `value`."""

    name: str
    meaning: str
    statement: Prepared


def figure(name: str, meaning: str, value: str, source: str = "") -> Figure:
    """Return the figure of an SQL expression; `source` is what follows it in the select."""
    return Figure(name, meaning, Prepared(text(f"SELECT CAST({value} AS float8) AS value {source}")))


_QUEUE = f"FROM {SETTINGS.qualified.queue_table}"
OF_CORE = (
    figure("forum_database_bytes", "Size of the forum's database", "pg_database_size(current_database())"),
    figure(
        "forum_jobs_waiting",
        "Background jobs that could run now and wait for a worker",
        "count(*)",
        f"{_QUEUE} WHERE status = 'queued' AND execute_after <= now()",
    ),
    figure(
        "forum_jobs_oldest_wait_seconds",
        "How long the longest of them has waited",
        "coalesce(extract(epoch FROM now() - min(execute_after)), 0)",
        f"{_QUEUE} WHERE status = 'queued' AND execute_after <= now()",
    ),
    figure(
        "forum_jobs_failed",
        "Background jobs that were given up",
        "count(*)",
        f"{_QUEUE} WHERE status = 'failed'",
    ),
)


async def read_figures(reader: Reader, figures: Sequence[Figure]) -> Mapping[Figure, float]:
    """Return the number of each figure now. Raises DBAPIError and PoolTimeoutError."""
    return {each: (await reader.row(each.statement)).value for each in figures}
