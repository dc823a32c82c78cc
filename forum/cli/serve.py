"""Start the forum: `serve`, `demo`, and the document of its API."""

import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self

import structlog
import typer
import uvicorn
from rich.progress import Progress
from uvicorn.config import STARTUP_FAILURE

from forum import demo, worker
from forum.app import application_of, check_pages, create_app
from forum.cli.runtime import database_of, fail, first_steps, out, refuse_too_many_connections, with_work
from forum.core import clock, embedded_postgres, metrics, signals
from forum.core.settings import Settings
from forum.core.work import Work
from forum.demo.keys import DemoKeys, find_keys, keep_keys, make_keys
from forum.mail import smtp

DRAIN_SECONDS = 15  # the rest of 20 seconds is for PostgreSQL to write all out
# How long a connection that nobody uses stays open. Uvicorn's own 5 seconds are over before a proxy or a phone sends
# its next request, which then meets the closing. nginx, which stands before many forums, lets go after 60 by itself.
KEEP_ALIVE_SECONDS = 75
STOP = "Ctrl-C stops it."
CODES = (
    "Staff need a code too: put the secret into an authenticator app, or take the code that is printed after it, which",
    "changes every 30 seconds and works once; `forum demo --codes` prints this again.",
    "",
)

EVERYBODY = (
    "Others could reach this demonstration from their machines: sign in as its administrator, write anything, and "
    "have it sent to anybody who reads there. If that is what you want, say --for-everybody."
)

cli = typer.Typer()
log = structlog.get_logger()

WithWorker = Annotated[
    bool, typer.Option("--worker/--no-worker", help="Whether a process beside it does the jobs; see `forum worker`")
]


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; FORUM_HOST")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; FORUM_PORT")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer requests")] = 1,
    with_worker: WithWorker = True,
) -> None:
    """Start the forum, over its own PostgreSQL or the one that FORUM_DATABASE_URL names.

    The database is migrated first. On the very first start nobody has an account:
    `forum admin create` makes the administrator's.
    """
    settings = Settings()
    check_pages(settings)  # ends here when a text of the pages cannot be used
    lines = () if settings.smtp_url else (f"Without FORUM_SMTP_URL, mails go to {smtp.choose_transport(settings)}",)
    port = settings.port if port is None else port
    listening = Listening(host=host or settings.host, port=port, processes=workers, with_worker=with_worker)
    _refuse_a_taken_port(listening.host, port)
    first = _First.make(listening)
    with _alone(settings), database_of(settings, listening.all_processes) as url:
        first_steps(url)
        refuse_too_many_connections(url, settings, listening.all_processes)
        _serve(settings, url, listening, lines, first)


@cli.command(name="demo")
def run_demo(
    host: Annotated[str | None, typer.Option(help="Address to listen on; FORUM_HOST")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; FORUM_PORT")] = None,
    with_worker: WithWorker = True,
    only_codes: Annotated[bool, typer.Option("--codes", help="Only print the sign-ins, with codes of now")] = False,
    for_everybody: Annotated[
        bool, typer.Option("--for-everybody", help="Whether other machines may reach it, if the address allows it")
    ] = False,
) -> None:
    """Start the forum with a small made-up community to look at. The next start keeps what you did there."""
    os.environ["FORUM_SMTP_URL"] = ""  # nobody whom the demonstration makes up shall get a mail
    settings = Settings()
    check_pages(settings)
    if only_codes:
        keys = find_keys(settings.data) or fail(f"There is no demonstration in {settings.data}.")
        out.print(*_sign_ins(keys), sep="\n", highlight=False, soft_wrap=True)
        return
    host, port = host or settings.host, settings.port if port is None else port
    if not for_everybody and not _is_this_machine(host):
        fail(EVERYBODY)
    _refuse_a_taken_port(host, port)
    if port and "public_url" not in settings.model_fields_set:
        # Else the links in its mails lead to another forum, or nowhere.
        os.environ["FORUM_PUBLIC_URL"] = _address(host, port)
    listening = Listening(host=host, port=port, processes=1, with_worker=with_worker)
    first = _First.make(listening)
    with _alone(settings), database_of(settings, processes=2) as url:
        first_steps(url)
        keys = with_work(url, lambda work: _fill_demo(work, settings.data))
        mails = f"Mails go to {smtp.choose_transport(settings)}"
        lines = (mails, "", "Sign in there as one of these.", *CODES, *_sign_ins(keys), "")
        _serve(settings, url, listening, lines, first)


@cli.command()
def openapi() -> None:
    """Print the OpenAPI document, for those who write clients."""
    app = create_app(Settings(database_url="postgresql://unused"))
    sys.stdout.write(json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n")


def _alone(settings: Settings) -> AbstractContextManager[None]:
    """Return a block in which nobody else serves a forum from the same folder, if PostgreSQL runs there."""
    return nullcontext() if settings.database_url else embedded_postgres.serving(settings.data)


def _address(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _sign_ins(keys: DemoKeys) -> list[str]:
    """Return the password, and a line for each kind of person: who they are, for staff the secret and present code."""
    people = [
        f"{who.role:<40} {who.handle:<12} {keys.secret_of(who.handle)} {keys.code_of(who.handle, clock.now())}"
        if who.is_staff
        else f"{who.role:<40} {who.handle}"
        for who in demo.sign_ins()
    ]
    return [f"Everybody's password: {keys.password}", *people]


async def _fill_demo(work: Work, folder: Path) -> DemoKeys:
    """Write the community into a forum without members. Return its keys, made anew, or those of the first start."""
    known = find_keys(folder)
    if not await demo.is_empty(work.session):
        return known or fail(f"The forum in {folder} has members and is no demonstration: set FORUM_DATA to another.")
    keys = make_keys()
    with Progress(console=out, transient=True) as progress:
        task = progress.add_task("Writing the community", total=demo.size())
        await demo.fill(work, keys, written=lambda: progress.advance(task))
    # Before the commit: a community whose password nobody knows would be of no use.
    keep_keys(folder, keys)
    return keys


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _refuse_a_taken_port(host: str, port: int) -> None:
    """End here, before anything is started or written: else the reason would be the last of many lines."""
    try:
        # A name stands for several addresses, often one of IPv6 and one of IPv4: the server listens at all of them.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                # As the server does: a forum that has just stopped is no hindrance, and IPv6 leaves IPv4 alone.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        fail(f"The forum cannot listen at {host}, port {port}: {error.strerror}. --port chooses another port.")


@dataclass(frozen=True, kw_only=True)
class Listening:
    """How the server listens: the address and port, how many processes, whether a worker runs beside them."""

    host: str
    port: int
    processes: int
    with_worker: bool

    @property
    def all_processes(self) -> int:
        """How many processes have connections to the database."""
        return self.processes + self.with_worker


@dataclass(frozen=True)
class _First:
    """What is made before anything runs: the application, where this process answers, and the worker, a copy of both.

    What is made before the copy is in memory once, and neither process has to unshare what it would fill for it.
    """

    address: str
    application: Callable[..., Any] | None
    worker: worker.Forked | None

    @classmethod
    def make(cls, listening: Listening) -> Self:
        """Make both, for a database that need not run yet."""
        settings = Settings()
        address = settings.database_url or embedded_postgres.address_of(settings.data)
        settings = settings.model_copy(update={"database_url": address})
        application = application_of(settings) if listening.processes == 1 else None
        return cls(address, application, worker.fork() if listening.with_worker else None)


def _serve(settings: Settings, url: str, listening: Listening, lines: tuple[str, ...], first: _First) -> None:
    """Print where the forum is, and answer requests until told to stop; then finish those that are under way."""
    host, port, workers = listening.host, listening.port, listening.processes
    # For this process's application, and for its workers': through a pooler, where there is one.
    os.environ["FORUM_DATABASE_URL"] = settings.database_url or url
    address = _address(host, port)
    where = f"Open {address} in a browser" if settings.pages else f"The forum is at {address}, without pages"
    for line in (where, f"Its API is explained at {address}/api/v1/docs", *lines, STOP):
        out.print(line, highlight=False, soft_wrap=True)
    # A command that runs PostgreSQL already may have it listen elsewhere: it had another folder for temporary files.
    application = first.application if first.address == os.environ["FORUM_DATABASE_URL"] else None
    config = uvicorn.Config(
        application or "forum.app:process_app",
        factory=application is None,
        host=host,
        port=port,
        workers=workers,
        log_config=None,
        access_log=False,
        server_header=False,
        http="forum.http.connections:BoundedConnection",
        ws="none",
        forwarded_allow_ips=settings.believed_proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        lifespan="on",
    )
    if settings.has_metrics and workers > 1:
        metrics.share_between_processes(settings.data / "metrics")
    with worker.beside(url, first.worker) if listening.with_worker else nullcontext():
        signals.raise_if_signalled()
        if workers == 1:
            with suppress(KeyboardInterrupt):
                uvicorn.Server(config).run()
            return
        from forum.cli.server_processes import ServerProcesses  # noqa: PLC0415 - most forums have one, of 1 MB less

        processes = ServerProcesses(config, [config.bind_socket()])
        processes.run()
        if processes.cannot_start:
            sys.exit(STARTUP_FAILURE)
