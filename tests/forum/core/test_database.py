"""Reads: another site's page can make a browser read; nothing changes by that but the record of who looked."""

from fastapi import FastAPI
from sqlalchemy import text
from sqlmodel import SQLModel

from forum.http.services import Services
from tests.architecture.test_openapi import STAFF, fill, operations
from tests.support import make

# What staff looked at is written down.
RECORD = {"audit_entry"}


async def digests(services: Services) -> dict[str, str]:
    """One for what is in each table."""
    found = {}
    async with services.database.work() as session:
        for table in SQLModel.metadata.tables:
            whole = f"SELECT coalesce(md5(string_agg(r::text, '|' ORDER BY r::text)), '') FROM \"{table}\" AS r"
            found[table] = (await session.execute(text(whole))).scalar_one()
    return found


async def test_to_read_changes_nothing_but_the_record_of_who_looked(app: FastAPI, services: Services) -> None:
    community = await fill(app)
    async with make.client(app) as guest, make.signed_in(app, "heron") as member, make.signed_in(app, STAFF) as staff:
        before, answered = await digests(services), []
        for method, path, operation in operations():
            if method == "GET":
                for who in (guest, member, staff):
                    answered.append((await who.get(community.address(path, operation))).status_code)
        after = await digests(services)
    assert {table for table, digest in after.items() if digest != before[table]} == RECORD
    assert answered.count(200) > len(answered) / 2
