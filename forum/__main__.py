"""The command line: start the forum, fill it, migrate it, name its people, verify its record."""

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import structlog
import typer
import uvicorn
from email_validator import EmailNotValidError, validate_email
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import NullPool, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from forum import (
    advisers,
    audit,
    boards,
    clock,
    database,
    demo,
    email_verifications,
    embedded,
    logs,
    mailer,
    members,
    stopping,
    worker,
)
from forum.app import create_app
from forum.database import Database
from forum.errors import ForumError
from forum.gate import PublishAtOnce
from forum.members import Role
from forum.settings import Settings
from moderation import rules

DRAIN_SECONDS = 15  # the rest of 20 seconds is for PostgreSQL to write all out
STOP = "Ctrl-C stops it."
UNREACHED = "The database that FORUM_DATABASE_URL names cannot be reached"

cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # they print variables, which hold people's words
    help="A moderated peer-support forum.",
)
admin = typer.Typer(no_args_is_help=True, help="Name administrators, advisers and moderators; make boards.")
record = typer.Typer(no_args_is_help=True, help="The append-only record of what staff did.")
mail = typer.Typer(no_args_is_help=True, help="Mails: whether they leave, and which did not.")
cli.add_typer(admin, name="admin")
cli.add_typer(record, name="audit")
cli.add_typer(mail, name="mail")
out = Console(markup=False, emoji=False)  # what people typed is no markup
log = structlog.get_logger()

Result = TypeVar("Result")
WithWorker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Whether a process beside it does the jobs; see `forum worker`")
]


def main() -> None:
    """Run the command line; what went wrong is one sentence, not a trace."""
    stopping.heed()
    try:
        cli()
    except (ForumError, embedded.EmbeddedError, audit.ChainBroken) as error:
        _fail(str(error))
    except ValidationError as error:  # of Settings
        fault = error.errors()[0]
        name, why = str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")
        _fail(f"Set FORUM_{name} to something else: {why}.")


# Running


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; FORUM_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; FORUM_PORT")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests")] = 1,
    with_worker: WithWorker = True,
) -> None:
    """Start the forum, over its own PostgreSQL or the one that FORUM_DATABASE_URL names.

    The database is migrated first. On the very first start nobody has an account:
    `forum admin create` makes the administrator's.
    """
    settings = Settings()
    told = () if settings.smtp_url else (f"Without FORUM_SMTP_URL, mails go to {mailer.transport_of(settings)}",)
    with _database(settings) as url:
        _first_steps(url)
        port = settings.port if port is None else port
        _answer(settings, url, host or settings.host, port, workers, with_worker, told)


@cli.command(name="demo")
def run_demo(
    host: Annotated[str | None, typer.Option(help="Address to listen on; FORUM_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; FORUM_PORT")] = None,
    with_worker: WithWorker = True,
) -> None:
    """Start the forum with a small made-up community to look at. A second start keeps what you did there."""
    os.environ["FORUM_SMTP_URL"] = ""  # nobody whom the demonstration makes up shall get a mail
    settings = Settings()
    with _database(settings) as url:
        _first_steps(url)
        _with_session(url, _fill_demo)
        rows = [f"{person.role:<40} {person.handle}" for person in demo.sign_ins()]
        mails = f"Mails go to {mailer.transport_of(settings)}"
        told = (mails, "", f"Sign in as one of these, with the password “{demo.PASSWORD}”:", *rows, "")
        _answer(settings, url, host or settings.host, settings.port if port is None else port, 1, with_worker, told)


@cli.command(name="worker")
def run_worker(
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Do what the forum put down to be done later: tell members that a measure has ended, tidy up.

    `forum serve` starts a worker beside itself, so most forums never need this. A larger one runs
    `forum serve --no-worker` on the machines that answer and this command, under a supervisor that
    starts it again, on one that does not; several do no harm, each job is done once.
    """
    settings = Settings()
    with _database(settings) as url:
        if not with_parent:  # it migrated
            _first_steps(url)
        stopping.if_told()
        worker.run(url, settings, with_parent=with_parent)


@cli.command()
def migrate() -> None:
    """Bring the database to the shape that this version needs. Safe while the forum runs."""
    with _database(Settings()) as url:
        _first_steps(url)
    out.print("The database is up to date.")


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document, for those who write clients."""
    app = create_app(Settings(database_url="postgresql://unused"))
    sys.stdout.write(json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n")


# People and boards


@admin.command()
def create(
    handle: Annotated[str, typer.Argument(help="The name under which they sign in")],
    name: Annotated[str, typer.Option(prompt=True, help="The name that members see")],
    email: Annotated[str, typer.Option(prompt=True, help="Their e-mail address")],
) -> None:
    """Make an account and give it the role of administrator. The password is asked for, or read from a pipe."""
    email = _checked(email)
    password = _password()

    async def act(session: AsyncSession, now: datetime) -> None:
        newcomer = await members.newcomer(handle, name, email, password, staff=True)
        member = await members.join(session, newcomer, now)
        await email_verifications.vouch(session, member, now)  # whoever runs this knows them
        await members.grant(session, member, Role.ADMINISTRATOR, now)

    _on_forum(act)
    out.print(f"{handle} is administrator now.")


@admin.command()
def grant(
    handle: Annotated[str, typer.Argument(help="Whom")],
    role: Annotated[Role, typer.Argument(help="What they become")],
    board: Annotated[str | None, typer.Option(help="A moderator's board; without it, the whole forum")] = None,
    title: Annotated[str | None, typer.Option(help="An adviser's title: “Online adviser”")] = None,
    organisation: Annotated[str | None, typer.Option(help="The organisation for which an adviser speaks")] = None,
) -> None:
    """Give a member a role. It is written into the record."""
    _refuse_board(role, board)
    if role == Role.ADVISER and not (title and title.strip() and organisation and organisation.strip()):
        _fail("An adviser needs --title and --organisation: members see them beside every answer.")
    if role != Role.ADVISER and (title or organisation):
        _fail("Only an adviser has a --title and an --organisation.")

    async def act(session: AsyncSession, now: datetime) -> None:
        member = await members.by_handle(session, handle)
        if role == Role.ADVISER and title and organisation:
            await advisers.appoint(session, member, title.strip(), organisation.strip(), now)
        else:
            await members.grant(session, member, role, now, board_id=await _board_id(session, board))

    _on_forum(act)
    out.print(f"{handle} is {role} now.")


@admin.command()
def revoke(
    handle: Annotated[str, typer.Argument(help="Whose")],
    role: Annotated[Role, typer.Argument(help="What they are no longer")],
    board: Annotated[str | None, typer.Option(help="The board, if the role was for one")] = None,
) -> None:
    """Take a role away. It is written into the record; within five seconds it holds everywhere."""
    _refuse_board(role, board)

    async def act(session: AsyncSession, now: datetime) -> None:
        member = await members.by_handle(session, handle)
        if role == Role.ADVISER:
            await advisers.dismiss(session, member, now)
        else:
            await members.revoke(session, member, role, now, board_id=await _board_id(session, board))

    _on_forum(act)
    out.print(f"{handle} is no longer {role}.")


@admin.command(name="board")
def make_board(
    slug: Annotated[str, typer.Argument(help="Its name in addresses: small letters, digits, '-'")],
    name: Annotated[str | None, typer.Option(help="Its name for people; needed for a new board")] = None,
    group: Annotated[str | None, typer.Option(help="The heading under which it is listed")] = None,
    position: Annotated[int | None, typer.Option(help="Its place in the list")] = None,
    description: Annotated[str | None, typer.Option(help="One or two sentences")] = None,
    help_file: Annotated[Path | None, typer.Option(help="Markdown for guests, telephone numbers first")] = None,
    reader: Annotated[list[str] | None, typer.Option(help="Who reads: everyone, member, or a role; repeatable")] = None,
    opener: Annotated[list[str] | None, typer.Option(help="Who opens threads; repeatable")] = None,
    replier: Annotated[list[str] | None, typer.Option(help="Who replies; repeatable")] = None,
    indexable: Annotated[bool | None, typer.Option(help="Whether search engines may list it")] = None,
    advised: Annotated[bool | None, typer.Option(help="Whether advisers answer there")] = None,
) -> None:
    """Make a board, or change what you name of one that exists."""
    said: dict[str, Any] = {
        "name": name,
        "section": group,
        "position": position,
        "description": description,
        "help_markdown": help_file and _words_in(help_file),
        "readers": reader and tuple(reader),
        "openers": opener and tuple(opener),
        "repliers": replier and tuple(replier),
        "indexable": indexable,
        "advised": advised,
    }
    changes = {key: value for key, value in said.items() if value is not None}

    async def act(session: AsyncSession, now: datetime) -> None:
        if await boards.find(session, slug):
            await boards.change(session, slug, changes, now)
        else:
            await boards.make(session, boards.BoardPlan(slug=slug, **{"name": "", **changes}), now)

    _on_forum(act)
    out.print(f"The board {slug} is as you said.")


# Mails


@mail.command(name="test")
def send_test(address: Annotated[str, typer.Argument(help="Where to")]) -> None:
    """Send a mail, to see whether it arrives. What the mail server says is shown."""
    settings, to = Settings(), _checked(address)
    transport = mailer.transport_of(settings)
    try:
        stopping.run(transport.deliver(mailer.compose(mailer.TEST, settings.mail_from, to, clock.now())))
    except mailer.TRANSPORT_ERRORS as error:
        _fail(f"It could not be handed to {transport}: {error}.")
    out.print(f"It was handed to {transport}.", soft_wrap=True)


@mail.command(name="list")
def list_unsent() -> None:
    """List the mails that are not sent yet, oldest first. Each is tried for three days, and kept here for a month."""

    async def act(session: AsyncSession, _now: datetime) -> Sequence[Any]:
        return (await session.execute(mailer.unsent())).all()

    rows = _on_forum(act)
    for row in rows:
        state = "given up" if row.given_up_at else "waits"
        tried = f", failed {row.failures} times, at last with {row.failure}" if row.failures else ""
        since = f"{row.put_down_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        out.print(f"{since}  {row.kind} for {row.handle} {state}{tried}", highlight=False, soft_wrap=True)
    if not rows:
        out.print("Every mail is sent.")


# The record


@record.command()
def verify(
    head: Annotated[str | None, typer.Option(help="NUMBER:DIGEST that an earlier run printed, kept elsewhere")] = None,
) -> None:
    """Check that no entry was changed, cut out or swapped. Note the printed head elsewhere: with it,
    `--head` also finds a tail that was cut off."""
    try:
        noted = audit.Head.parse(head) if head else None
    except ValueError:
        _fail("--head takes what an earlier `forum audit verify` printed: NUMBER:DIGEST.")

    async def act(session: AsyncSession, _now: datetime) -> audit.Head:
        return await audit.verify(session, noted)

    found = _on_forum(act)
    out.print(f"The record is whole: {found.number} entries.\nhead {found}", soft_wrap=True)


# How it is done


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The database's address for SQLAlchemy, for as long as the block lasts."""
    logs.configure(settings.log_level)
    if settings.database_url:
        yield settings.sqlalchemy_url
        return
    with embedded.running(settings.data) as server:
        yield server.url


def _first_steps(url: str) -> None:
    """Migrate, and give a forum without rules those of the house."""
    try:
        _refuse_old_server(url)
        database.migrate(url)
    except OSError as error:
        _fail(f"{UNREACHED}: {error}.")
    except DBAPIError as error:
        if error.statement is None:  # it failed before there was any: a wrong password or name
            _fail(f"{UNREACHED}: {error.orig}.")
        raise
    _with_session(url, rules.adopt_house_rules)


def _refuse_old_server(url: str) -> None:
    async def ask() -> int:
        async with create_async_engine(url, poolclass=NullPool).connect() as connection:
            return int(await connection.scalar(text("SHOW server_version_num"))) // 10_000

    if (major := stopping.run(ask())) < embedded.OLDEST_MAJOR:
        _fail(f"The forum needs PostgreSQL {embedded.OLDEST_MAJOR} or newer, and FORUM_DATABASE_URL names a {major}.")


def _on_forum(act: Callable[[AsyncSession, datetime], Awaitable[Result]]) -> Result:
    with _database(Settings()) as url:
        _first_steps(url)
        return _with_session(url, act)


def _with_session(url: str, act: Callable[[AsyncSession, datetime], Awaitable[Result]]) -> Result:
    """What `act` gives, done in one transaction."""

    async def run() -> Result:
        forum = Database(url, pool_size=1)
        try:
            async with forum.work() as session:
                return await act(session, clock.now())
        finally:
            await forum.close()

    return stopping.run(run())


async def _fill_demo(session: AsyncSession, now: datetime) -> None:
    if not await demo.is_empty(session):
        return
    with Progress(console=out, transient=True) as progress:
        task = progress.add_task("Writing the community", total=demo.size())
        await demo.fill(session, PublishAtOnce(), now, written=lambda: progress.advance(task))


def _refuse_board(role: Role, board: str | None) -> None:
    if board is not None and role != Role.MODERATOR:
        _fail("Only a moderator's role can be for one board.")


def _checked(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError as error:
        _fail(f"{email} is no e-mail address: {error}")


def _words_in(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        _fail(f"{file} cannot be read as text in UTF-8.")


async def _board_id(session: AsyncSession, slug: str | None) -> int | None:
    if slug is None:
        return None
    board = await boards.find(session, slug)
    if board is None:
        _fail(f"There is no board {slug}.")
    return board.id


def _answer(
    settings: Settings, url: str, host: str, port: int, workers: int, with_worker: bool, told: tuple[str, ...]
) -> None:
    """Answer requests until told to stop; then finish those that are under way."""
    os.environ["FORUM_DATABASE_URL"] = url  # for this process's application, and for its workers'
    address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    for line in (f"The forum is at {address}", f"Its API is explained at {address}/api/v1/docs", *told, STOP):
        out.print(line, highlight=False, soft_wrap=True)
    config = uvicorn.Config(
        "forum.app:process_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        lifespan="on",
    )
    with worker.beside() if with_worker else nullcontext():
        stopping.if_told()
        if workers == 1:
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run()
            return
        processes = Workers(config, [config.bind_socket()])
        processes.run()
        if processes.cannot_start:
            sys.exit(STARTUP_FAILURE)


class Workers(Multiprocess):
    """The processes that answer requests, where there are several, and this one, which looks after them.

    Uvicorn's own loop also kills those that do not answer to it within five seconds: on a slow machine,
    all that are still starting, again and again; and it would not hear Ctrl-C meanwhile.
    """

    cannot_start = False

    def keep_subprocess_alive(self) -> None:
        """Replace those that died."""
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            if process.process.is_alive():
                continue
            log.error("worker died", process=process.pid, status=process.exitcode)
            if process.exitcode == STARTUP_FAILURE:
                # So would the next one.
                self.cannot_start = True
                self.should_exit.set()
                return
            self.processes[place] = Process(self.config, self.sockets)
            self.processes[place].start()

    def terminate_all(self) -> None:
        """Let them finish what they began; whoever comes new is refused at once and does not wait in vain."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _fail(sentence: str) -> NoReturn:
    Console(stderr=True, markup=False, emoji=False).print(sentence, style="red", highlight=False, soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
