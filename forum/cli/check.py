"""`forum check`: what a forum still lacks before it can look after people."""

import sys
from collections.abc import Sequence
from dataclasses import replace

import typer

from forum.administration import setup
from forum.administration.setup import Gap
from forum.cli.runtime import on_forum, out
from forum.core.work import Work
from moderation.gate import BoardGate

cli = typer.Typer()


@cli.command()
def check() -> None:
    """Say what the forum still lacks: people, telephone numbers, mail, a backup. The exit status is 1 if anything."""
    gaps = on_forum(_find_gaps)
    for gap in gaps:
        out.print(f"- {gap.detail}", highlight=False, soft_wrap=True)
    if gaps:
        sys.exit(1)
    out.print("Nothing is missing.")


async def _find_gaps(work: Work) -> Sequence[Gap]:
    gate = BoardGate(work.settings.held_first_posts, work.settings.screening_region)  # who is on call, it knows
    return await setup.find_gaps(replace(work, gate=gate))
