"""How migrations run: one at a time in the whole installation, and never holding up a live site for long."""

import asyncio

from alembic import context
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.ext.asyncio import create_async_engine

from forum.core.settings import Settings

# Whoever comes second waits here, and then finds everything done; `forum/core/database.py` waits with the same number.
MIGRATING = 0x6D696772
# A migration that cannot have its lock at once gives up rather than queue every reader behind it.
PATIENCE = ("SET lock_timeout = '5s'", "SET statement_timeout = '15min'")


def run(connection: Connection) -> None:
    # Only `alembic check` and its test compare with the models, and they hand them over.
    models = context.config.attributes.get("metadata")
    context.configure(connection=connection, target_metadata=models, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    url = context.config.attributes.get("url") or Settings().sqlalchemy_url
    # Whoever migrates a forum also says how the one of several servers is found that takes writes.
    connect = context.config.attributes.get("connect")
    engine = create_async_engine(url, poolclass=NullPool, connect_args={"async_creator_fn": connect} if connect else {})
    async with engine.connect() as connection:
        await connection.execute(text(f"SELECT pg_advisory_lock({MIGRATING})"))
        for patience in PATIENCE:
            await connection.execute(text(patience))
        await connection.commit()
        await connection.run_sync(run)
        await connection.rollback()  # of what only looked
        # Under the same lock, what others bring up to date themselves: the job library's tables.
        if then := context.config.attributes.get("then"):
            await then(connection)
    await engine.dispose()


asyncio.run(main())
