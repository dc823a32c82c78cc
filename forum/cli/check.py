"""`forum check`: what a forum still lacks before it can look after people."""

import sys

import typer

from forum.administration import setup
from forum.cli.runtime import on_forum, out

cli = typer.Typer()


@cli.command()
def check() -> None:
    """Say what the forum still lacks: people, telephone numbers, mail, a backup. The exit status is 1 if anything."""
    gaps = on_forum(setup.find_gaps)
    for gap in gaps:
        out.print(f"- {gap.detail}", highlight=False, soft_wrap=True)
    if gaps:
        sys.exit(1)
    out.print("Nothing is missing.")
