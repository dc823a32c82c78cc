"""What runs beside a forum or before it, and loads neither its pages nor its API: `worker`, `migrate`."""

from typing import Annotated

import typer

from forum import worker
from forum.cli.runtime import database_of, fail, first_steps, out, reaching, refuse_too_many_connections
from forum.core import database, signals
from forum.core.settings import Settings

cli = typer.Typer()


@cli.command(name="worker")
def run_worker() -> None:
    """Do the forum's queued jobs: send mail, tell members that a measure has ended, delete what has expired.

    `forum serve` starts a worker beside itself, so most forums never need this. A larger one runs
    `forum serve --no-worker` on the machines that answer and this command, under a supervisor that
    starts it again, on one that does not; several do no harm, each job is done once.
    """
    settings = Settings()
    with database_of(settings) as url:
        first_steps(url)
        refuse_too_many_connections(url, settings, processes=1)
        signals.raise_if_signalled()
        worker.run(url, settings, with_parent=False)


@cli.command()
def migrate(
    back_to: Annotated[
        str | None,
        typer.Option("--back-to", help="Take back all that came after this migration, to install an older version"),
    ] = None,
) -> None:
    """Bring the database to the shape that this version needs. Safe while the forum runs.

    With --back-to, stop the forum first: what only newer versions know is deleted.
    """
    with database_of(Settings()) as url:
        if back_to:
            _migrate_back(url, back_to)
            return
        first_steps(url)
    out.print("The database is up to date.")


def _migrate_back(url: str, revision: str) -> None:
    try:
        with reaching():
            database.migrate_back(url, revision)
    except ValueError as error:
        fail(str(error))
    out.print(f"The database is as it was after migration {revision}. Install that version before you start the forum.")
