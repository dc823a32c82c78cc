"""Metrics for Prometheus: what this process counts, and, where there are several, what all of them counted.

Several processes share their counts through files in a folder (prometheus_client's multiprocess mode), so that each of
them answers for all. The library decides that when it is first imported, by an environment variable that the process
which starts them sets. No label names anybody: routes have the names of their parameters, never the values.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)

from forum.core.database import Database
from forum.core.figures import Figure

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
PAUSE = 1.0  # seconds between two looks at what is under way
# Methods that the forum answers. Anybody can send others, and each would be a label of its own.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
disable_created_metrics()  # type: ignore[no-untyped-call] # when each label was first seen: as many lines again, which nobody reads
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
SHORT_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5)


class Metrics:
    """What one process counts. It costs a request a few microseconds."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        requests, seconds = ["method", "route", "status"], ["method", "route"]
        self._requests = Counter("forum_requests", "Requests that were answered", requests, registry=registry)
        self._seconds = Histogram(
            *("forum_request_seconds", "How long requests took, streams left out", seconds),
            registry=registry,
            buckets=REQUEST_SECONDS,
        )
        self._cached = Counter("forum_page_cache", "Reads, by what the page cache had", ["outcome"], registry=registry)
        self._lag = Histogram(
            *("forum_loop_lag_seconds", "How late the event loop came back to what was due"),
            registry=registry,
            buckets=SHORT_SECONDS,
        )
        self._waits = Histogram(
            *("forum_pool_wait_seconds", "Waits of a millisecond or more for a database connection", ["pool"]),
            registry=registry,
            buckets=SHORT_SECONDS,
        )
        self._in_use = self._gauge("forum_pool_connections_in_use", "Database connections in use", "pool")
        self._streams = self._gauge("forum_streams_open", "Open pages that listen for news")
        # To find a child by its labels takes longer than to count.
        self._counts: dict[tuple[str, str | None, int], Callable[[], None]] = {}
        self._times: dict[tuple[str, str | None], Callable[[float], None]] = {}

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self._registry, multiprocess_mode="livesum")

    def count_request(self, method: str, route: str | None, status: int, seconds: float | None) -> None:
        """Count a request; `seconds` is None for a stream, which takes as long as its page is open."""
        method = method if method in METHODS else "other"
        if (count := self._counts.get((method, route, status))) is None:
            count = self._requests.labels(method, route or NO_ROUTE, status or "none").inc
            self._counts[method, route, status] = count
        count()
        if seconds is None:
            return
        if (observe := self._times.get((method, route))) is None:
            observe = self._times[method, route] = self._seconds.labels(method, route or NO_ROUTE).observe
        observe(seconds)

    def count_cached(self, outcome: str) -> None:
        """Count a read of the page cache: `hit`, `miss`, or another word of the cache's own."""
        self._cached.labels(outcome).inc()

    @asynccontextmanager
    async def watching(self, database: Database, count_streams: Callable[[], int]) -> AsyncIterator[None]:
        """Look once a second at the loop, the pools and the streams, for as long as the block lasts."""
        database.on_wait = lambda pool, seconds: self._waits.labels(pool).observe(seconds)
        task = asyncio.create_task(self._watch(database, count_streams), name="metrics")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self, database: Database, count_streams: Callable[[], int]) -> None:
        while True:
            self._streams.set(count_streams())
            for pool, connections in database.in_use().items():
                self._in_use.labels(pool).set(connections)
            due = time.perf_counter() + PAUSE
            await asyncio.sleep(PAUSE)
            self._lag.observe(max(0.0, time.perf_counter() - due))

    def render(self, figures: Mapping[Figure, float] | None) -> bytes:
        """Return all that every process counted, and the figures; None where the database could not be asked."""
        counted = self._registry
        if folder := os.environ.get(FOLDER):
            counted = CollectorRegistry()
            multiprocess.MultiProcessCollector(counted, folder)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + b"".join(_lines(figures))


def _lines(figures: Mapping[Figure, float] | None) -> list[bytes]:
    """Return the lines of what the database says, in Prometheus' text format 0.0.4."""
    told = [("forum_database_up", "Whether the database answers", float(figures is not None))]
    told += [(figure.name, figure.meaning, value) for figure, value in (figures or {}).items()]
    return [f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{name} {value}\n".encode() for name, meaning, value in told]


# What the process does that starts the others


def share_between_processes(folder: Path) -> None:
    """Have the processes that are started from now on share their counts in a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    os.environ[FOLDER] = str(folder)


def forget_process(process: int | None) -> None:
    """Leave out of the gauges what a process said that has died."""
    if FOLDER in os.environ:
        multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]
