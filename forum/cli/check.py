"""`forum check`: what a forum still lacks before it can look after people, and whether its counts are right."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from forum import worker
from forum.administration import setup
from forum.administration.setup import Gap
from forum.cli.runtime import fail, on_forum, out
from forum.core import clock
from forum.core.kept_counts import WrongCount
from forum.core.moving_day import moving_until
from forum.core.settings import Settings
from forum.core.work import Work
from forum.features import compare_counts
from moderation.gate import BoardGate

MOST_LINES = 20

cli = typer.Typer()


@cli.command()
def check(
    *,
    counts: Annotated[
        bool, typer.Option("--counts", help="Compare the counts of threads, boards, names and reactions with a recount")
    ] = False,
    mend: Annotated[bool, typer.Option("--mend", help="Put right what differs; the forum may be running")] = False,
) -> None:
    """Say what the forum still lacks: people, telephone numbers, mail, a backup. The exit status is 1 if anything."""
    if mend and not counts:
        fail("--mend belongs to --counts: nothing else can be put right from here.")
    if counts:
        _check_counts(mend=mend)
        return
    gaps = on_forum(_find_gaps)
    settings = Settings()
    if until := moving_until(settings, clock.now()):
        out.print(
            f"This is the moving day, until {until:%Y-%m-%d %H:%M} ({settings.time_zone}): ten times as many tries to "
            "sign in may fail at one address.",
            highlight=False,
            soft_wrap=True,
        )
    for gap in gaps:
        out.print(f"- {gap.detail}", highlight=False, soft_wrap=True)
    if gaps:
        sys.exit(1)
    out.print("Nothing is missing.")


def _check_counts(*, mend: bool) -> None:
    async def act(work: Work) -> Sequence[WrongCount]:
        return await compare_counts(work.session, worker.FEATURES, mend=mend)

    different = on_forum(act)
    for difference in different[:MOST_LINES]:
        sentence = f"- {difference.what}: {difference.kept} is kept, and counting gives {difference.counted}"
        out.print(sentence, highlight=False, soft_wrap=True)
    if len(different) > MOST_LINES:
        out.print(f"- and {len(different) - MOST_LINES} more")
    if not different:
        out.print("Every count is right.")
    elif mend:
        out.print(f"{len(different)} counts were wrong, and are right now.")
    else:
        out.print("Run `forum check --counts --mend` to put them right.")
        sys.exit(1)


async def _find_gaps(work: Work) -> Sequence[Gap]:
    gate = BoardGate(work.settings.held_first_posts, work.settings.screening_region)  # who is on call, it knows
    return await setup.find_gaps(replace(work, gate=gate))
