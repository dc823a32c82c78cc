"""`forum import`: move an old board into this forum."""

import typer

from forum.cli import import_look, import_run

cli = typer.Typer(no_args_is_help=True, help="Move an old board of phpBB into this forum: look first, then run.")
cli.add_typer(import_look.cli)
cli.add_typer(import_run.cli)
