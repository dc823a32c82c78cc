"""`forum export`: take everything along, in a form that other programs can read."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from forum.app import create_app, note_of_copy
from forum.cli.runtime import database_of, fail, first_steps, out, reaching
from forum.core import audit, clock, signals
from forum.core.settings import Settings
from forum.importers.errors import CannotMove
from forum.importers.moving_out.collecting import Wishes
from forum.importers.moving_out.pages.site import SiteCopy, pages_of
from forum.importers.moving_out.read_threads import find_read_threads
from forum.importers.moving_out.writing import export_all
from forum.importers.own.archive import FILES

cli = typer.Typer(no_args_is_help=True, help="Move out: take everything along.")

_SAID = {"board": "Boards and headings", "person": "People", "thread": "Threads", "post": "Posts"}


@cli.callback()
def export() -> None:
    """Move out: take everything along."""


@cli.command("all")
def export_everything(
    file: Annotated[Path, typer.Argument(help="The .zip to write; FILE.part until it is whole")],
    *,
    with_passwords: Annotated[
        bool,
        typer.Option("--with-passwords", help="With hashed passwords, confirmed addresses and bans: for the next home"),
    ] = False,
    with_removed: Annotated[
        bool, typer.Option("--with-removed", help="With the words that moderators removed")
    ] = False,
) -> None:
    """Write boards, people, threads and posts to a file that another forum and other programs can read.

    Safe while the forum runs. For a copy of this forum itself, with its cases and settings, make a backup.
    """
    settings, wishes = Settings(), Wishes(with_passwords, with_removed)
    columns = SpinnerColumn(), TextColumn("Writing: {task.completed:,} records")
    try:
        with database_of(settings) as url:
            first_steps(url)
            bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
            with reaching(), bar as progress:
                task = progress.add_task("Writing", total=None)
                writing = export_all(
                    url, file, settings, wishes, clock.now(), seen=lambda done: progress.update(task, completed=done)
                )
                made = signals.run(writing)
    except CannotMove as error:
        fail(str(error))
    out.print(f"{file} is whole.", soft_wrap=True, highlight=False)
    for kind, what in _SAID.items():
        out.print(f"- {what}: {made.files[FILES[kind]].records:,}.", highlight=False)
    out.print(
        "It holds what members wrote, also on boards for few. Keep it locked up, and delete it when you are done.",
        soft_wrap=True,
    )


@cli.command("site")
def export_site(
    folder: Annotated[Path, typer.Argument(help="A new folder, or an empty one; FOLDER.part until it is whole")],
) -> None:
    """Write what guests read as pages that any web server shows, or a browser from the folder, without this program.

    Boards, threads and texts, in the look of the forum; nothing that a guest may not read, and no script. Safe while
    the forum runs: each page is as it is when it is written. `redirects.txt` says which file has what was at which
    address.
    """
    settings = Settings()
    columns = TextColumn("Writing"), BarColumn(), TextColumn("{task.completed:,} pages"), TimeRemainingColumn()
    try:
        with database_of(settings) as url, new_folder(folder) as part:
            first_steps(url)
            bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
            with bar as progress:
                task = progress.add_task("Writing", total=None)

                def show(done: int, total: int) -> None:
                    progress.update(task, completed=done, total=total)

                pages = signals.run(copy_site(settings.model_copy(update={"database_url": url}), part, show))
    except CannotMove as error:
        fail(str(error))
    except OSError as error:
        fail(f"{folder} cannot be written: {error.strerror}.")
    out.print(f"{folder} is whole: {pages:,} pages. Begin with index.html.", soft_wrap=True, highlight=False)


async def copy_site(settings: Settings, folder: Path, seen: Callable[[int, int], None] = lambda *_: None) -> int:
    """Write what guests read into a folder, and that it was done into the record. Return how many pages there are.

    `seen` gets how many pages were written so far, and about how many there are.
    """
    app, now = create_app(settings), clock.now()
    database, own = app.state.services.database, settings.public_url.rstrip("/")
    try:
        threads = await find_read_threads(database)
        total = pages_of(threads)  # and some texts and boards
        pages = httpx.ASGITransport(app.state.site)  # without what guards the forum from those who ask too often
        async with httpx.AsyncClient(transport=pages, base_url=own, headers={"Accept-Encoding": "identity"}) as guest:
            copy = SiteCopy(
                guest,
                threads,
                folder,
                note_of_copy(settings, now),
                own,
                lambda done: seen(done, max(done, total)),
            )
            await copy.write()
        async with database.work() as session:
            details: audit.Details = {"pages": copy.pages}
            await audit.record(
                session, actor_id=None, act="site.copied", subject=("forum", "site"), now=now, details=details
            )
    finally:
        await app.state.commit_bell.stop()
        await database.close()
    return copy.pages


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a folder that gets its name at the end of the block; an error deletes it."""
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        fail(f"{folder} is there already, and not empty: choose another folder.")
    part = folder.with_name(f"{folder.name}.part")
    try:
        part.mkdir()
    except FileExistsError:
        fail(f"{part} is there already, as after an export that was killed: delete it first.")
    try:
        yield part
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
