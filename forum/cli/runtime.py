"""What every command needs: the settings, the database, and one sentence for what went wrong."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

import typer
from email_validator import EmailNotValidError, validate_email
from rich.console import Console
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from forum.core import clock, connection_budget, database, embedded_postgres, logs, signals
from forum.core.database import Database
from forum.core.gate import PublishAtOnce
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.core.work import Work
from moderation import rules

UNREACHED = "The database that FORUM_DATABASE_URL names cannot be reached"

out = Console(markup=False, emoji=False)  # what people typed must not be read as markup

Result = TypeVar("Result")


@contextmanager
def database_of(settings: Settings, processes: int = 1) -> Iterator[str]:
    """Give the database's address for SQLAlchemy, for as long as the block lasts: past a pooler, where there is one.

    The embedded PostgreSQL permits the connections of so many `processes`, where it is started here.
    """
    logs.configure(settings.log_level)
    if settings.database_url:
        yield settings.direct_url
        return
    needed = connection_budget.count_needed(settings.pool_size, processes)
    connections = connection_budget.server_limit(needed)
    with embedded_postgres.running(settings.data, connections=connections) as server:
        yield server.url


def first_steps(url: str) -> None:
    """Migrate the database, and adopt the house rules in a forum without rules."""
    with reaching():
        _refuse_old_server(url)
        database.migrate(url)
    with_work(url, lambda work: rules.adopt_house_rules(work.session, work.now))


@contextmanager
def reaching() -> Iterator[None]:
    """End the command with one sentence when the block cannot reach the database."""
    try:
        yield
    except OSError as error:
        fail(f"{UNREACHED}: {error}.")
    except DBAPIError as error:
        if error.statement is None:  # it failed before there was any: a wrong password or name
            fail(f"{UNREACHED}: {error.orig}.")
        raise


def refuse_too_many_connections(url: str, settings: Settings, processes: int) -> None:
    """End the command where the server does not permit the connections that so many processes open.

    Behind a pooler nearly all of them are the pooler's, which holds them back.
    """
    if settings.direct_database_url:
        return
    with reaching():
        permitted = signals.run(connection_budget.count_permitted(url))
    if sentence := connection_budget.refusal(settings.pool_size, processes, permitted):
        fail(sentence)


def _refuse_old_server(url: str) -> None:
    async def ask() -> int:
        async with database.engine_for_once(url).connect() as connection:
            return int(await connection.scalar(text("SHOW server_version_num"))) // 10_000

    if (major := signals.run(ask())) < embedded_postgres.OLDEST_MAJOR:
        oldest = embedded_postgres.OLDEST_MAJOR
        fail(f"The forum needs PostgreSQL {oldest} or newer, and FORUM_DATABASE_URL names a {major}.")


def on_forum(act: Callable[[Work], Awaitable[Result]]) -> Result:
    """Return the result of `act`, in one transaction on the forum that the environment names."""
    with database_of(Settings()) as url:
        first_steps(url)
        return with_work(url, act)


def with_work(url: str, act: Callable[[Work], Awaitable[Result]]) -> Result:
    """Return the result of `act`, in one transaction on the database at `url`."""

    async def run() -> Result:
        forum = Database(url, pool_size=1)
        try:
            async with forum.work() as session:
                return await act(Work(session, clock.now(), Settings(), RateLimits(forum.reader), PublishAtOnce()))
        finally:
            await forum.close()

    return signals.run(run())


def parse_address(email: str) -> str:
    """Return an e-mail address in its normal form; end the command when it is none."""
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        fail(f"{email} is no e-mail address: {error}")


def read_password() -> str:
    """Return a password: asked for twice at a terminal, else the first line of a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def ask_password(prompt: str) -> str:
    """Return a password that somebody else chose: asked for at a terminal, else the first line of a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt(prompt, hide_input=True))
    return sys.stdin.readline().rstrip("\n")


def fail(sentence: str) -> NoReturn:
    """End the command with one sentence on standard error."""
    Console(stderr=True, markup=False, emoji=False).print(sentence, style="red", highlight=False, soft_wrap=True)
    sys.exit(1)
