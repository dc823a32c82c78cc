"""The command line: start the forum, fill it, migrate it, name its people, verify its record, keep it."""

import gc

gc.disable()  # nothing that is loaded now is garbage: looking for some took a quarter of the time to start

import typer
from pydantic import ValidationError

from forum.cli import admin, check, exporting, importing, mail, pages, serve, transparency
from forum.cli import audit as cli_audit
from forum.cli import backup as cli_backup
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
cli.add_typer(serve.cli)
cli.add_typer(cli_backup.cli)
cli.add_typer(check.cli)
cli.add_typer(pages.cli)
cli.add_typer(transparency.cli)
cli.add_typer(admin.cli, name="admin")
cli.add_typer(cli_audit.cli, name="audit")
cli.add_typer(mail.cli, name="mail")
cli.add_typer(importing.cli, name="import")
cli.add_typer(exporting.cli, name="export")
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
