"""`forum backup` and `forum restore`: all of a forum in one file, and the way back."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import text

from forum.cli.runtime import database_of, first_steps, out, reaching, with_work
from forum.core import audit, clock, logs, milestones, nightly_backups, signals, trial_restore
from forum.core import backup as backups
from forum.core.backup import BackupSummary
from forum.core.milestones import MilestoneKind
from forum.core.settings import Settings
from forum.core.work import Work

cli = typer.Typer()


@cli.command()
def backup(
    file: Annotated[
        Path | None,
        typer.Argument(help="The file to write; FILE.part until it is whole. Without it, one in FORUM_BACKUP_DIR"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Whether it may take the place of an older one")] = False,
) -> None:
    """Write all of the forum to a file, for `forum restore`. Safe while the forum runs.

    Whoever has the file can read everything, so keep it locked up. Note the printed head of the record beside it.
    Without a file, it does what the worker does each night, and deletes what is too old there.
    """
    settings = Settings()

    async def note(work: Work) -> None:
        # A backup before an update is of a forum that has no such table yet.
        if (await work.session.execute(text("SELECT to_regclass('public.milestone')"))).scalar_one():
            await milestones.reach(work.session, MilestoneKind.BACKUP_MADE, work.now)

    async def make(url: str) -> tuple[Path, BackupSummary]:
        if file is None:
            return await nightly_backups.make(url, settings, clock.now())
        return file, await backups.make(url, file, force=force)

    with database_of(settings) as url, reaching():
        written, made = signals.run(make(url))
        with_work(url, note)
    out.print(f"{written} is whole: {made.size} bytes.\nhead {made.head}", soft_wrap=True, highlight=False)


@cli.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file that `forum backup` wrote", resolve_path=True)],
    replace: Annotated[
        bool, typer.Option("--replace", help="Whether the members and posts that are there now shall be given up")
    ] = False,
    only_try: Annotated[
        bool, typer.Option("--try", help="Only see whether it is good: in a server of its own, beside the file")
    ] = False,
) -> None:
    """Put a backup in the place of all that the database holds, and bring it up to date. Stop the forum first.

    What fails or is killed midway changes nothing. Everybody has to sign in anew, and mails that waited are not sent.
    With --try, the forum's database is not touched, and the forum may run.
    """
    if only_try:
        _try(file)
        return

    async def act(work: Work) -> audit.Head:
        return await audit.verify(work.session)

    with database_of(Settings()) as url:
        with reaching():
            signals.run(backups.restore(url, file, replace=replace))
        first_steps(url)
        found = with_work(url, act)
    out.print(f"{file} is restored. The record is whole: {found.number} entries.\nhead {found}", soft_wrap=True)


def _try(file: Path) -> None:
    logs.configure(Settings().log_level)
    restored = trial_restore.try_restore(file)
    trial_restore.mark_as_tested(file)
    rows = sum(restored.contents.rows.values())
    compared = "as many as were counted when it was made" if restored.is_compared else "nothing to compare them with"
    out.print(f"{file} is good: {rows} rows, {compared}.\nhead {restored.head}", soft_wrap=True, highlight=False)
