"""`forum transparency`: what happened in moderation in a year, in numbers that give nobody away."""

from typing import Annotated

import typer

from forum.cli.runtime import on_forum, out
from forum.core.work import Work
from moderation import transparency
from moderation.transparency import FIRST_YEAR, TransparencyReport

cli = typer.Typer()


@cli.command("transparency")
def print_transparency_report(
    year: Annotated[int, typer.Argument(min=FIRST_YEAR, max=9999, help="Of which year")],
) -> None:
    """Print what happened in moderation in a year, as `/transparency/YEAR` shows it once the year is over."""

    async def act(work: Work) -> TransparencyReport:
        return await transparency.find_report(work.session, work.settings, year)

    report = on_forum(act)
    out.print(transparency.VOLUNTARY, soft_wrap=True)
    for section in report.sections:
        out.print(f"\n{section.counted}")
        for count in section.counts:
            out.print(f"  {count.kind:24}{'fewer than 5' if count.number is None else count.number}")
        out.print(f"  {'in all':24}{_total(section.least, section.most)}")
    if report.median_minutes is not None:
        out.print(f"\nHalf of the calls were answered within {report.median_minutes} minutes.")


def _total(least: int, most: int) -> str:
    return str(least) if least == most else f"{least} to {most}"
