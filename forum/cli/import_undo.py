"""`forum import undo` and `forum import forget`: take an import back, and forget what only later runs need."""

from typing import Annotated

import typer

from forum.cli.import_run import bar
from forum.cli.runtime import database_of, fail, first_steps, out
from forum.core import clock, signals
from forum.core.database import Database
from forum.core.settings import Settings
from forum.importers import forgetting
from forum.importers.errors import CannotMove
from forum.importers.forgetting import Forgotten
from forum.importers.tables import MovedKind
from forum.importers.undo import taking_back
from forum.importers.undo.taking_back import TakenBack, UndoStage

cli = typer.Typer()

_WHAT = {
    MovedKind.POST: "Posts",
    MovedKind.THREAD: "Threads",
    MovedKind.PERSON: "People",
    MovedKind.BOARD: "Boards",
}


@cli.command()
def undo(
    *,
    source: Annotated[str | None, typer.Option(help="Which old board, where several moved here")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go, and whether it can")] = False,
) -> None:
    """Take an import back: what all its runs brought goes, as if it had never come. Members can read meanwhile.

    That is possible until somebody here answers what moved, edits it, reacts to it, reports it or decides about it.
    If it is stopped or killed, start it again: it goes on where it was.
    """
    with database_of(Settings()) as url:
        first_steps(url)
        try:
            taken = signals.run(_undo(url, source, dry_run=dry_run))
        except CannotMove as error:
            fail(str(error))
    out.print(f"{taken.source} can be taken back. It would go:" if dry_run else f"{taken.source} is taken back.")
    for kind, what in _WHAT.items():
        out.print(f"- {what}: {taken.moved.get(kind, 0):,}.", highlight=False)
    if not dry_run:
        out.print("The forum is as it was before the move, but for the record of what staff did.", soft_wrap=True)


@cli.command()
def forget() -> None:
    """Forget at once what is forgotten by itself a year after a run: old passwords and names that nobody used.

    And by what a later run would see that something changed on the old board: it brings only what is new, then. Whoever
    did not come yet asks for a new password by mail, where mail may go to their address.
    """
    with database_of(Settings()) as url:
        first_steps(url)
        forgotten = signals.run(_forget(url))
    out.print(f"People who never signed in here, and cannot with what they used to: {forgotten.logins:,}.")
    out.print(f"Items of which a later run does not see that they changed: {forgotten.marks:,}.")


async def _undo(url: str, source: str | None, *, dry_run: bool) -> TakenBack:
    database = Database(url, pool_size=2)
    try:
        if dry_run:
            return await taking_back.look(database, source)
        with bar() as progress:
            tasks = {stage: progress.add_task(stage.capitalize(), total=None) for stage in UndoStage}
            return await taking_back.take_back(
                database, source, seen=lambda stage, count: progress.advance(tasks[stage], count)
            )
    finally:
        await database.close()


async def _forget(url: str) -> Forgotten:
    database, now = Database(url, pool_size=1), clock.now()
    logins = marks = 0
    try:
        found: Forgotten | None = Forgotten(0, 0)
        while found:
            logins, marks = logins + found.logins, marks + found.marks
            async with database.work() as session:
                found = await forgetting.forget(session, now, ended_before=now)
        return Forgotten(logins, marks)
    finally:
        await database.close()
