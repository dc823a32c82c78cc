"""The command line: start the forum, fill it, migrate it, name its people, verify its record, keep it."""

import gc

gc.disable()  # nothing that is loaded now is garbage: looking for some took a quarter of the time to start

from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from forum.cli import admin, check, mail, pages, serve, transparency
from forum.cli import audit as cli_audit
from forum.cli import backup as cli_backup
from forum.cli.runtime import fail
from forum.core import audit, backup, embedded_postgres, signals
from forum.core.errors import ForumError, UnusableSetting

# Here, and not when the program begins: processes that answer load this file and run nothing of it.
gc.freeze()
gc.enable()

# Moving in and out takes 5 MB, which a forum that is served shall not have in memory.
LOADED_WHEN_ASKED = {"import": "forum.cli.importing", "export": "forum.cli.exporting"}


class Commands(TyperGroup):
    """The commands, with those that are loaded when somebody asks for them, or for help."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all."""
        return [*super().list_commands(ctx), *LOADED_WHEN_ASKED]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one of them, or None."""
        if cmd_name not in LOADED_WHEN_ASKED:
            return super().get_command(ctx, cmd_name)
        command = typer.main.get_group(import_module(LOADED_WHEN_ASKED[cmd_name]).cli)
        command.name = cmd_name
        return command


cli = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # they print variables, which hold people's words
    help="A moderated peer-support forum.",
)
cli.add_typer(serve.cli)
cli.add_typer(cli_backup.cli)
cli.add_typer(check.cli)
cli.add_typer(pages.cli)
cli.add_typer(transparency.cli)
cli.add_typer(admin.cli, name="admin")
cli.add_typer(cli_audit.cli, name="audit")
cli.add_typer(mail.cli, name="mail")
FAILURES = (ForumError, UnusableSetting, embedded_postgres.EmbeddedError, audit.ChainBroken, backup.BackupError)


def main() -> None:
    """Run the command line; what went wrong is one sentence, not a trace."""
    signals.install()
    try:
        cli()
    except FAILURES as error:
        fail(str(error))
    except ValidationError as error:  # of Settings
        fault = error.errors()[0]
        name, why = str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")
        fail(f"Set FORUM_{name} to something else: {why}.")


if __name__ == "__main__":
    main()
