"""The command line: start the forum, fill it, migrate it, name its people, verify its record, keep it."""

import gc

gc.disable()  # nothing that is loaded now is garbage: looking for some took a quarter of the time to start

import sys
from importlib import import_module

import typer
from pydantic import ValidationError

from forum.cli.runtime import fail
from forum.core import audit, backup, embedded_postgres, signals
from forum.core.errors import ForumError, UnusableSetting

# Here, and not when the program begins: processes that answer load this file and run nothing of it.
gc.freeze()
gc.enable()

cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # they print variables, which hold people's words
    help="A moderated peer-support forum.",
)
# The modules of `forum/cli`, and what their commands are called together, where they are.
COMMANDS = (
    ("serve", None),
    ("backup", None),
    ("check", None),
    ("pages", None),
    ("transparency", None),
    ("admin", "admin"),
    ("audit", "audit"),
    ("mail", "mail"),
    ("importing", "import"),
    ("exporting", "export"),
)
# Moving takes long and much memory: it loads itself alone, and not the pages, which take a third of what it may have.
_ALONE = {"import"} & {*sys.argv[1:2]}
for _module, _name in COMMANDS:
    if not _ALONE or _name in _ALONE:
        cli.add_typer(import_module(f"forum.cli.{_module}").cli, name=_name)
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
