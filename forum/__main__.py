"""The command line: start the forum, fill it, migrate it, name its people, verify its record, keep it."""

import typer
from pydantic import ValidationError

from forum import audit, backup, embedded, stopping
from forum.commands import keeping, mails, people, record, running
from forum.commands.footing import fail
from forum.errors import ForumError

cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # they print variables, which hold people's words
    help="A moderated peer-support forum.",
)
cli.add_typer(running.cli)
cli.add_typer(keeping.cli)
cli.add_typer(people.cli, name="admin")
cli.add_typer(record.cli, name="audit")
cli.add_typer(mails.cli, name="mail")


def main() -> None:
    """Run the command line; what went wrong is one sentence, not a trace."""
    stopping.heed()
    try:
        cli()
    except (ForumError, embedded.EmbeddedError, audit.ChainBroken, backup.BackupError) as error:
        fail(str(error))
    except ValidationError as error:  # of Settings
        fault = error.errors()[0]
        name, why = str(fault["loc"][0]).upper(), fault["msg"].removeprefix("Value error, ")
        fail(f"Set FORUM_{name} to something else: {why}.")


if __name__ == "__main__":
    main()
