"""`forum import sweep`: look through what moved for what may show who somebody is."""

import typer

from forum.cli.import_run import bar
from forum.cli.runtime import database_of, first_steps, out, with_work
from forum.core import clock, signals
from forum.core.database import Database
from forum.core.settings import Settings
from moderation.swept_posts import Swept, count_open
from moderation.swept_posts import sweep as look_through

cli = typer.Typer()


@cli.command()
def sweep() -> None:
    """Look through what moved, of the last two years, on boards that guests read: does it show who somebody is?

    Moderators get one list of what was found, and nobody is told. It can be done again: what they settled stays so.
    """
    settings = Settings()
    with database_of(settings) as url:
        first_steps(url)
        swept = signals.run(_sweep(url, settings))
        waiting = with_work(url, lambda work: count_open(work.session))
    out.print(f"Posts that were looked through: {swept.posts:,}. Something was found in {swept.found:,}.")
    out.print(
        f"On the list of moderators, at {settings.public_url}/moderation/swept-posts: {waiting:,}.", soft_wrap=True
    )


async def _sweep(url: str, settings: Settings) -> Swept:
    database = Database(url, pool_size=1)
    try:
        with bar() as progress:
            task = progress.add_task("Posts", total=None)
            return await look_through(
                database,
                settings.screening_region,
                clock.now(),
                seen=lambda count: progress.advance(task, count),
            )
    finally:
        await database.close()
