"""`forum export`: take everything along, in a form that other programs can read."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from forum.cli.runtime import database_of, fail, first_steps, out, reaching
from forum.core import clock, signals
from forum.core.settings import Settings
from forum.importers.errors import CannotMove
from forum.importers.moving_out.collecting import Wishes
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
