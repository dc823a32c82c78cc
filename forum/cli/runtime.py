"""What every command stands on: the settings, the database, and one sentence for what went wrong."""

import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn, TypeVar

import typer
from email_validator import EmailNotValidError, validate_email
from rich.console import Console
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from forum.core import clock, database, embedded_postgres, logs, signals
from forum.core.database import Database
from forum.core.gate import PublishAtOnce
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.core.work import Work
from moderation import rules

UNREACHED = "The database that FORUM_DATABASE_URL names cannot be reached"

out = Console(markup=False, emoji=False)  # what people typed is no markup

Result = TypeVar("Result")


@contextmanager
def database_of(settings: Settings) -> Iterator[str]:
    """The database's address for SQLAlchemy, for as long as the block lasts."""
    logs.configure(settings.log_level)
    if settings.database_url:
        yield settings.sqlalchemy_url
        return
    with embedded_postgres.running(settings.data) as server:
        yield server.url


def first_steps(url: str) -> None:
    """Migrate, and give a forum without rules those of the house."""
    with reaching():
        _refuse_old_server(url)
        database.migrate(url)
    with_session(url, rules.adopt_house_rules)


@contextmanager
def reaching() -> Iterator[None]:
    """The command ends with one sentence when the block cannot reach the database."""
    try:
        yield
    except OSError as error:
        fail(f"{UNREACHED}: {error}.")
    except DBAPIError as error:
        if error.statement is None:  # it failed before there was any: a wrong password or name
            fail(f"{UNREACHED}: {error.orig}.")
        raise


def _refuse_old_server(url: str) -> None:
    async def ask() -> int:
        async with create_async_engine(url, poolclass=NullPool).connect() as connection:
            return int(await connection.scalar(text("SHOW server_version_num"))) // 10_000

    if (major := signals.run(ask())) < embedded_postgres.OLDEST_MAJOR:
        oldest = embedded_postgres.OLDEST_MAJOR
        fail(f"The forum needs PostgreSQL {oldest} or newer, and FORUM_DATABASE_URL names a {major}.")


def on_forum(act: Callable[[AsyncSession, datetime], Awaitable[Result]]) -> Result:
    """What `act` gives, done in one transaction on the forum that the environment names."""
    with database_of(Settings()) as url:
        first_steps(url)
        return with_session(url, act)


def with_session(url: str, act: Callable[[AsyncSession, datetime], Awaitable[Result]]) -> Result:
    """What `act` gives, done in one transaction on the database at `url`."""
    return with_work(url, lambda work: act(work.session, work.now))


def with_work(url: str, act: Callable[[Work], Awaitable[Result]]) -> Result:
    """Return what an action gives, done in one transaction on the database at `url`; no gate holds its words."""

    async def run() -> Result:
        forum = Database(url, pool_size=1)
        try:
            async with forum.work() as session:
                limits = RateLimits(forum.reader)
                return await act(Work(session, clock.now(), Settings(), limits, PublishAtOnce()))
        finally:
            await forum.close()

    return signals.run(run())


def checked(email: str) -> str:
    """The address in its normal form; the command ends when it is none."""
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        fail(f"{email} is no e-mail address: {error}")


def typed_password() -> str:
    """A password: asked for twice where somebody types, else the first line of a pipe."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def fail(sentence: str) -> NoReturn:
    """End the command with one sentence on standard error."""
    Console(stderr=True, markup=False, emoji=False).print(sentence, style="red", highlight=False, soft_wrap=True)
    sys.exit(1)
