"""No read grows with the forum: each is answered from indexes, and from the small ones where there are such."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from unittest.mock import patch

import asyncpg
import httpx
from fastapi import FastAPI
from sqlalchemy import event

from forum.core.database import READER_SETTINGS
from forum.http.services import Services
from tests.architecture.test_openapi import STAFF, fill, finite_operations
from tests.load import seed
from tests.support import make
from tests.support.scenes import sql

POSTS = 3_000
# What staff make, and has hardly more rows in ten years; and what staff count for a year, or list for themselves.
SMALL = {
    *("board", "rule", "rules_edition", "glossary_term", "announcement", "adviser", "role_grant", "resource"),
    *("crisis_phrase", "known_detail", "reason_template", "on_call_shift", "administrator_proposal", "totp"),
    *("milestone", "moderation_case", "report", "measure", "appeal", "case_call", "service_complaint"),
    *("concern_disclosure", "webhook"),
}
ADVISER = "post.voice = 'adviser'::VARCHAR"
PARTIAL = "SELECT indexrelid::regclass::text, pg_get_expr(indpred, indrelid) FROM pg_index WHERE indpred IS NOT NULL"
FULL = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= 100"


class Asked(NamedTuple):
    """A statement, and whether it is planned once for all values."""

    statement: str
    is_generic: bool


@contextmanager
def note_of_questions(services: Services) -> Iterator[dict[Asked, Sequence[Any]]]:
    """What is selected while the block lasts, each statement with the values that it had first."""
    asked: dict[Asked, Sequence[Any]] = {}
    engine, fetch = services.database.transactions.sync_engine, asyncpg.Connection.fetch

    def note(statement: str, values: Sequence[Any], *, is_generic: bool) -> None:
        if statement.startswith(("SELECT", "WITH")):
            asked.setdefault(Asked(statement, is_generic), values)

    def in_transaction(_connection: Any, _cursor: Any, statement: str, values: Any, *_rest: Any) -> None:
        note(statement, values, is_generic=False)

    async def by_reader(connection: asyncpg.Connection, statement: str, *values: Any) -> Any:
        note(statement, values, is_generic=True)
        return await fetch(connection, statement, *values)

    event.listen(engine, "before_cursor_execute", in_transaction)
    try:
        with patch.object(asyncpg.Connection, "fetch", by_reader):
            yield asked
    finally:
        event.remove(engine, "before_cursor_execute", in_transaction)


@dataclass
class Planner:
    """Says what is wrong with the plan of a statement.

    Where an index can serve, no table is read from end to end here, nor joined so: a few thousand rows show what
    happens to millions.
    """

    connection: asyncpg.Connection
    partial: Mapping[str, str]  # the condition of each partial index
    full: frozenset[str]  # tables with some rows: where there are none, one index is as good as another

    @classmethod
    async def of(cls, services: Services) -> "Planner":
        """Return a planner on a connection of its own."""
        connection = await services.database.reader.open_connection()
        for way in ("seqscan", "hashjoin", "mergejoin"):
            await connection.execute(f"SET enable_{way} = off")
        partial = dict(await connection.fetch(PARTIAL))
        return cls(connection, partial, frozenset(name for (name,) in await connection.fetch(FULL)))

    async def faults(self, asked: Asked, values: Sequence[Any]) -> list[str]:
        """What is wrong with the plan of a statement."""
        own = _root(await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) {asked.statement}", *values))
        if not asked.is_generic:
            return list(self._scans(own))
        generic = await self._generic_plan(asked.statement)
        missed = (_indexes(own) - _indexes(generic)) & self.partial.keys()
        forgotten = [index for index in sorted(missed) if self._leaves_open(generic, index)]
        return [*self._scans(generic), *(f"forgets {index}" for index in forgotten)]

    async def _generic_plan(self, statement: str) -> Any:
        """The plan that the reader's connections make: before any value is known."""
        values = ["NULL"] * max(map(int, re.findall(r"\$(\d+)", statement)), default=0)
        given = f"({', '.join(values)})" if values else ""
        await self.connection.execute(f"SET plan_cache_mode = {READER_SETTINGS['plan_cache_mode']}")
        await self.connection.execute(f"PREPARE asked AS {statement}")
        found = await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE asked{given}")
        await self.connection.execute("DEALLOCATE asked")
        await self.connection.execute("SET plan_cache_mode = auto")
        return _root(found)

    def _leaves_open(self, plan: Any, index: str) -> bool:
        """Whether a parameter stands where the condition of the index has a value."""
        columns = re.findall(r"(\w+)\)?(?:::text)? =", self.partial[index])
        return any(re.search(rf"\b{column}\)?(?:::text)? = \(?\$\d", json.dumps(plan)) for column in columns)

    def _scans(self, node: Mapping[str, Any], *, is_limited: bool = False) -> Iterator[str]:
        kind, table, index = node["Node Type"], node.get("Relation Name"), node.get("Index Name")
        if kind == "Seq Scan" and table not in SMALL:
            yield f"reads all of {table}"
        # In the order of an index, a page ends soon; and a partial index has only what is asked for.
        walks = kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in node
        if walks and table in self.full and index not in self.partial and not is_limited:
            yield f"walks all of {index}"
        for part in node.get("Plans", ()):
            yield from self._scans(part, is_limited=is_limited or kind == "Limit")


def _root(found: str) -> Any:
    return json.loads(found)[0]["Plan"]


def _indexes(node: Mapping[str, Any]) -> set[str]:
    own = {node["Index Name"]} if "Index Name" in node else set()
    return own.union(*map(_indexes, node.get("Plans", ())))


async def read(who: httpx.AsyncClient, address: str, operation: dict[str, Any]) -> None:
    """Read something, its next page, and what each choice gives that the document has an example of."""
    answer = await who.get(address)
    if answer.status_code != 200:
        return
    choices = [p for p in operation.get("parameters", ()) if p["in"] == "query" and not p["required"]]
    chosen = {p["name"]: p["examples"]["1"]["value"] for p in choices if p.get("examples")}
    if "after" in chosen:
        chosen["after"] = answer.json().get("next")
    for name, value in chosen.items():
        if value is not None:
            await who.get(address, params={name: json.dumps(value) if isinstance(value, bool) else value})


async def test_every_read_is_answered_from_indexes(app: FastAPI, services: Services, database_url: str) -> None:
    community = await fill(app)
    await seed.seed(database_url, POSTS)
    for statement in ("UPDATE post SET published_at = created_at WHERE id % 50 = 0", "ANALYZE post"):
        await sql(services, statement)
    with note_of_questions(services) as asked:
        async with (
            make.client(app) as guest,
            make.signed_in(app, "heron") as member,
            make.signed_in(app, STAFF) as lead,
        ):
            for method, path, operation in finite_operations():
                for who in (guest, member, lead) if method == "GET" else ():
                    await read(who, community.address(path, operation), operation)
    planner = await Planner.of(services)
    faults = {asked_: await planner.faults(asked_, values) for asked_, values in asked.items()}
    assert {asked_.statement: found for asked_, found in faults.items() if found} == {}
    assert len(faults) > 100
    # The same look finds an index that is gone, and one that a parameter hides.
    by_advisers = next(asked_ for asked_ in asked if ADVISER in asked_.statement and asked_.is_generic)
    values = asked[by_advisers]
    hidden = Asked(by_advisers.statement.replace(ADVISER, f"post.voice = ${len(values) + 1}::VARCHAR"), True)
    assert await planner.faults(hidden, (*values, "adviser")) == ["forgets ix_post_adviser"]
    await planner.connection.execute("DROP INDEX ix_post_author")
    gone = [found for asked_, values in asked.items() for found in await planner.faults(asked_, values)]
    assert gone
    assert all("post" in found for found in gone)
    await planner.connection.close()
