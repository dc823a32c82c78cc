"""`forum audit`: the append-only record of what staff did."""

from typing import Annotated

import typer

from forum.cli.runtime import fail, on_forum, out
from forum.core import audit
from forum.core.work import Work

cli = typer.Typer(no_args_is_help=True, help="The append-only record of what staff did.")


@cli.command()
def verify(
    head: Annotated[str | None, typer.Option(help="NUMBER:DIGEST that an earlier run printed, kept elsewhere")] = None,
) -> None:
    """Check that no entry was changed, cut out or swapped. Note the printed head elsewhere: with it,
    `--head` also finds a tail that was cut off."""
    try:
        noted = audit.Head.parse(head) if head else None
    except ValueError:
        fail("--head takes what an earlier `forum audit verify` printed: NUMBER:DIGEST.")

    async def act(work: Work) -> audit.Head:
        return await audit.verify(work.session, noted)

    found = on_forum(act)
    out.print(f"The record is whole: {found.number} entries.\nhead {found}", soft_wrap=True)
