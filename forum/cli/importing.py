"""`forum import`: look at an old board, move it into this forum, check that all of it is there, or take it back."""

import typer

from forum.cli import import_look, import_run, import_sweep, import_tell, import_undo

cli = typer.Typer(no_args_is_help=True, help="Move in from an old board: look first, then run.")
cli.add_typer(import_look.cli)
cli.add_typer(import_run.cli)
cli.add_typer(import_undo.cli)
cli.add_typer(import_tell.cli)
cli.add_typer(import_sweep.cli)
