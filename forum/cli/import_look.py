"""`forum import look`: read what an old board has, and say what would move. Nothing does, and no forum is needed."""

import json
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from forum.cli.runtime import ask_password, fail, out
from forum.core import clock
from forum.importers import programs, report
from forum.importers.errors import CannotMove
from forum.importers.plan import Plan
from forum.importers.sources import live
from forum.importers.staging import Staging

cli = typer.Typer()

REPORT, PLAN = "moving.html", "moving.toml"


@cli.command()
def look(
    dump: Annotated[
        list[str],
        typer.Argument(
            help="phpBB's database as a file: .sql, .sql.gz, .sql.bz2 or .zip; or all parts of an export of WordPress; "
            "or the database itself, as mysql://USER@HOST/NAME"
        ),
    ],
    *,
    people: Annotated[
        str | None, typer.Option(help="For WordPress: a dump of its database, in which its users are")
    ] = None,
    folder: Annotated[Path, typer.Option("--to", help="Where report and plan are written")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print the report for a program, and write no page")] = False,
) -> None:
    """Read an old board, and write what would move: a report (moving.html) and a plan (moving.toml).

    Nothing is moved or changed, and no forum has to be there. A plan that is there already is left as it is.
    """
    if not folder.is_dir():
        fail(f"{folder} is no folder.")
    try:
        with Staging.without_name(Path(tempfile.gettempdir())) as staging:
            said, plan = _look(sources_of(dump), source_of(people) if people else None, staging)
            doubts = {board.old: board.doubt for board in staging.boards()}
    except CannotMove as error:
        fail(str(error))
    except sqlite3.OperationalError as error:
        fail(f"{tempfile.gettempdir()} has no room for the board: {error}. Set TMPDIR to a folder that has.")
    kept = (folder / PLAN).exists()
    if not kept:
        _write(folder / PLAN, plan.as_toml(doubts))
    if as_json:
        print(json.dumps(said.as_json(), ensure_ascii=False, indent=2))  # noqa: T201 (for a pipe)
        return
    _write(folder / REPORT, report.as_html(said))
    for line in said.parts[0].lines:
        out.print(line.says if line.count is None else f"{line.says}: {line.count:,}", highlight=False, soft_wrap=True)
    out.print(f"\nRead {folder / REPORT} in a browser, then look through {folder / PLAN}.", soft_wrap=True)
    if kept:
        out.print(f"{folder / PLAN} was there already, and was left as it is.", soft_wrap=True)


def sources_of(named: list[str]) -> list[live.Source]:
    """Return what was named: files, or databases; a password is asked for, or the first line of a pipe."""
    return [source_of(one) for one in named]


def source_of(named: str) -> live.Source:
    """Return one of these."""
    return live.source_of(named, ask_password)


def _look(sources: list[live.Source], people: live.Source | None, staging: Staging) -> tuple[report.LookReport, Plan]:
    with _progress(f"Reading {sources[0]}", live.size_of([*sources, *([people] if people else [])])) as seen:
        programs.read(sources, staging, people=people, seen=seen)
    plan = Plan.proposed(staging)
    facts = report.count_facts(staging, clock.now())
    # No bar yet: it runs in a thread, and processes are forked before there is one.
    with report.begin_proving(staging) as parts, _progress("Moving each text, to see", facts.posts) as seen:
        proof = report.prove(parts, seen)
    return report.write_report(staging, facts, proof, plan), plan


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with the time left on standard error, at a terminal; give what moves it on."""
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(what, total=total or None)
        yield lambda done: progress.update(task, completed=done)


def _write(path: Path, text: str) -> None:
    """Write a file that its owner alone can read: it holds what members wrote."""
    try:
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}.")
