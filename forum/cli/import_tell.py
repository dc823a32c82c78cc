"""`forum import tell`: one letter to each member of the old board, that it moved."""

from typing import Annotated

import typer

from forum.cli.runtime import database_of, fail, first_steps, out, with_work
from forum.core import signals
from forum.core.database import Database
from forum.core.settings import Settings
from forum.importers.errors import CannotMove
from forum.importers.telling import Addressees, count_addressees, tell_members

cli = typer.Typer()

_SAID = {
    "told": "Members who got it before",
    "here": "Members who signed in here already",
    "unreached": "Members to whose address no mail may go",
    "shut_out": "Members who are banned or suspended",
}


@cli.command()
def tell(*, dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would get it")] = False) -> None:
    """Send each member of the old board one letter: it moved, sign in with your old name and password.

    It goes to whoever was on the old board in the two years before the move, and names neither the board nor anybody.
    Nobody ever gets it twice, also if this is killed and started again.
    """
    settings = Settings()
    with database_of(settings) as url:
        first_steps(url)
        try:
            if dry_run:
                found = with_work(url, lambda work: count_addressees(work.session, work.now))
            else:
                found = signals.run(_tell(url, settings))
        except CannotMove as error:
            fail(str(error))
    said = "would get the letter" if dry_run else "get the letter, as the mail server takes them"
    out.print(f"{found.due:,} {'member' if found.due == 1 else 'members'} {said}.", highlight=False)
    for key, what in _SAID.items():
        if count := getattr(found, key):
            out.print(f"- {what}: {count:,}. They get none.", highlight=False)


async def _tell(url: str, settings: Settings) -> Addressees:
    database = Database(url, pool_size=2)
    try:
        return await tell_members(database, settings)
    finally:
        await database.close()
