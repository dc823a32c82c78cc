"""`forum backup` and `forum restore`: all of a forum in one file, and the way back."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import text

from forum.cli.runtime import database_of, first_steps, out, reaching, with_work
from forum.core import audit, milestones, signals
from forum.core import backup as backups
from forum.core.milestones import MilestoneKind
from forum.core.settings import Settings
from forum.core.work import Work

cli = typer.Typer()


@cli.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; FILE.part until it is whole")],
    force: Annotated[bool, typer.Option("--force", help="Whether it may take the place of an older one")] = False,
) -> None:
    """Write all of the forum to a file, for `forum restore`. Safe while the forum runs.

    Whoever has the file can read everything, so keep it locked up. Note the printed head of the record beside it.
    """

    async def note(work: Work) -> None:
        # A backup before an update is of a forum that has no such table yet.
        if (await work.session.execute(text("SELECT to_regclass('public.milestone')"))).scalar_one():
            await milestones.reach(work.session, MilestoneKind.BACKUP_MADE, work.now)

    with database_of(Settings()) as url, reaching():
        made = signals.run(backups.make(url, file, force=force))
        with_work(url, note)
    out.print(f"{file} is whole: {made.size} bytes.\nhead {made.head}", soft_wrap=True, highlight=False)


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `forum backup` wrote", resolve_path=True)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Whether the members and posts that are there now shall be given up")
    ] = False,
) -> None:
    """Put a backup in the place of all that the database holds, and bring it up to date. Stop the forum first.

    What fails or is killed midway changes nothing. Everybody has to sign in anew, and mails that waited are not sent.
    """

    async def act(work: Work) -> audit.Head:
        return await audit.verify(work.session)

    with database_of(Settings()) as url:
        with reaching():
            signals.run(backups.restore(url, file, replace=replace))
        first_steps(url)
        found = with_work(url, act)
    out.print(f"{file} is restored. The record is whole: {found.number} entries.\nhead {found}", soft_wrap=True)
