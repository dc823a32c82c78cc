"""Write many rows of a table at once, by PostgreSQL's COPY, in the transaction of a session.

It runs the triggers of each row, and takes the ids that it is given. The rows are as the forum's own actions would
have made them; tests compare them.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from forum.core.database import rows_of


async def copy_rows(session: AsyncSession, model: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each with a value for the same columns."""
    if not rows:
        return
    columns = list(rows[0])
    # The connection begins its transaction with the first statement that goes through it.
    connection = await session.connection()
    await connection.execute(text("SELECT 1"))
    driver: Any = (await connection.get_raw_connection()).driver_connection
    records = [tuple(row[column] for column in columns) for row in rows]
    await driver.copy_records_to_table(rows_of(model).name, records=records, columns=columns)


async def take_ids(session: AsyncSession, model: type[SQLModel], count: int) -> list[int]:
    """Return ids for so many new rows of a table that counts them itself."""
    taken = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    found = await session.execute(taken, {"name": rows_of(model).name, "count": count})
    return list(found.scalars())
