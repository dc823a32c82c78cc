"""The command line: start the forum, fill it, migrate it, name its people, verify its record, keep it."""

import gc
from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from forum.cli.runtime import fail
from forum.core import audit, backup, embedded_postgres, signals
from forum.core.errors import ForumError, UnusableSetting

# Each command, and the module of `forum/cli` that has it: alone, or with others under its name. Only what is asked for
# is loaded: a forum that is served keeps nothing of moving in memory, and moving nothing of the pages.
COMMANDS = {
    "serve": "serve",
    "demo": "serve",
    "worker": "beside",
    "migrate": "beside",
    "openapi": "serve",
    "backup": "backup",
    "restore": "backup",
    "check": "check",
    "pages": "pages",
    "transparency": "transparency",
    "admin": "admin",
    "audit": "audit",
    "mail": "mail",
    "import": "importing",
    "export": "exporting",
}
GROUPS = {"admin", "audit", "mail", "import", "export"}


class Commands(TyperGroup):
    """The commands, each loaded when somebody asks for it, or for help."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return one of them, or None."""
        if cmd_name not in COMMANDS:
            return None
        group = typer.main.get_group(_load(COMMANDS[cmd_name]).cli)
        if cmd_name not in GROUPS:
            return group.commands[cmd_name]
        group.name = cmd_name
        return group


def _load(name: str) -> Any:
    """Return a module of commands. Nothing that it loads is garbage: looking for some took a quarter of the time."""
    gc.disable()
    try:
        return import_module(f"forum.cli.{name}")
    finally:
        gc.freeze()
        gc.enable()


cli = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # they print variables, which hold people's words
    help="A moderated peer-support forum.",
)


@cli.callback()
def _everything() -> None:
    """Let all commands be found by name: a program of one command would need none."""


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
