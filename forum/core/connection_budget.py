"""How many connections to the database one forum opens at most, and how many the server permits."""

from sqlalchemy import text

from forum.core import database
from forum.core.embedded_postgres import USUAL_CONNECTIONS

# Beside the processes of the forum: a backup has two, a command of `forum` two, and whoever looks with psql one.
FOR_COMMANDS = 5
# PostgreSQL's own default of `superuser_reserved_connections`: with them, somebody can still look when all are taken.
RESERVED = 3

# The role and the database can have limits of their own, -1 means none; `least` passes NULL over.
_PERMITTED = """
SELECT least(
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
    (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
    (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
)
"""


def count_needed(pool_size: int, processes: int) -> int:
    """Return how many connections so many processes open at most, with those of commands beside them.

    Each has a pool for writes, one for reads, and a connection that listens: for live events, or for jobs.
    """
    return processes * (2 * pool_size + 1) + FOR_COMMANDS


def largest_pool(permitted: int, processes: int) -> int:
    """Return the largest pool size with which so many processes fit; 0 or less where none does."""
    return ((permitted - FOR_COMMANDS) // processes - 1) // 2


def server_limit(needed: int) -> int:
    """Return the `max_connections` of a server that permits so many connections."""
    return max(USUAL_CONNECTIONS, needed + RESERVED)


async def count_permitted(url: str) -> int:
    """Return how many connections the server at `url` permits the forum's role on its database."""
    async with database.engine_for_once(url).connect() as connection:
        return int(await connection.scalar(text(_PERMITTED)))


def refusal(pool_size: int, processes: int, permitted: int) -> str | None:
    """Return the sentence that says what does not fit and what to set, or None where all fit."""
    needed = count_needed(pool_size, processes)
    if needed <= permitted:
        return None
    fitting = largest_pool(permitted, processes)
    smaller = f"set FORUM_POOL_SIZE to {fitting} or less, " if fitting > 0 else ""
    return (
        f"The forum would open up to {needed} connections to the database: {2 * pool_size + 1} for each of "
        f"{processes} processes and {FOR_COMMANDS} for commands beside them; the server permits {permitted}. "
        f"Start fewer --workers, {smaller}or raise max_connections of the server to {server_limit(needed)}."
    )
