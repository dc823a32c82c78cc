"""`forum import run` and `forum import check`: move an old board here, and look whether all of it is there."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from forum.cli.import_look import source_of, sources_of
from forum.cli.runtime import database_of, fail, first_steps, out, reaching, with_work
from forum.core import backup as backups
from forum.core import clock, signals
from forum.core.database import Database
from forum.core.settings import Settings
from forum.core.work import Work
from forum.importers import check as checks
from forum.importers import people as people_here
from forum.importers import programs
from forum.importers.delta.steps import KeptHere, Reason
from forum.importers.errors import CannotMove
from forum.importers.plan import Plan
from forum.importers.run import Import, Stage, carry_over
from forum.importers.sources.live import size_of
from forum.importers.staging import Staging
from forum.importers.tables import ImportRun
from moderation.carried_over import CarriedOver
from moderation.gate import BoardGate

cli = typer.Typer()

PeopleFile = Annotated[str | None, typer.Option(help="For WordPress: a dump of its database, in which its users are")]

# What is said of each count.
_SAID = {
    "members": ("Members", "They sign in with their old name and password."),
    "guests": ("Authors without an account", "They wrote as guests, or closed their account. Their posts are there."),
    "threads": ("Threads", ""),
    "posts": ("Posts", ""),
    "titles": ("Threads whose title is not quite the old one", "The whole title stands above their first post."),
    "renamed": ("Members whose handle is not quite their old name", "Most sign in with either."),
    "without_password": (
        "Members whose password cannot be used here",
        "They ask for a new one by mail, if they were there in the last two years.",
    ),
    "without_old_name": (
        "Members whose old name opens somebody else's account",
        "They sign in with their handle, or with their address: tell them.",
    ),
    "without_address": ("Members to whose address no mail can be sent", "Only their password opens their account."),
    "banned": (
        "Members who were banned on the old board",
        "They are banned here for a month at most, and can ask for a second look from today. Each has a case in the "
        "queue: decide it before.",
    ),
    "warnings": ("Warnings that members had on the old board", "They stand on their records, for moderators."),
    "reports": ("Open reports of the last three months", "Each has a case in the queue."),
    "terms": (
        "Words that the old board replaced",
        "They are offered under Moderation, Watched terms. None is looked for until an administrator chooses so.",
    ),
    "removed": (
        "Posts that were removed on the old board",
        "They stay so. Beside each, moderators read what the old board decided, and can look into it; its author can "
        "ask for a second look from today.",
    ),
    "held": ("Posts that waited for a moderator", "They wait here, too: each has a case in the queue."),
    "notices": ("Posts that a moderator of the old board changed", "They say so."),
    "split": ("Posts that were too long", "Each is several here."),
    "reworded": ("Posts that were changed on the old board since", "Moderators can read the earlier words."),
    "hidden": (
        "Posts that were removed or deleted on the old board since",
        "They are removed here, and their words are gone from quotes of them.",
    ),
    "shown": ("Posts that a moderator of the old board approved since", "They can be read here, too."),
    "too_long": ("Posts whose new words had no room", "They stay as they were."),
    "changed_threads": (
        "Threads that changed on the old board since",
        "They got another title, lock, pin, board or readers.",
    ),
    "renewed": (
        "Members with another address or password on the old board",
        "They never signed in here, so they have it here, too.",
    ),
}
MOST_LINES = 50
# What is said of what stays as it is here.
_KEPT = {
    Reason.CHANGED_HERE: "Changed on the old board, and here by people: {:,}. They stay as they are here:",
    Reason.SHOWN_AGAIN: "Shown again on the old board, where they were removed before: {:,}. Here they stay removed:",
    Reason.WIDER_BOARD: "Moved on the old board to where more people read: {:,}. Here they stay where they are:",
    Reason.READ_BY_MORE: "New or changed on the old board, in a thread that more people read here: {:,}. It stays out:",
    Reason.TOO_LONG: "Changed on the old board, and too long for one post here: {:,}. They stay as they are here:",
    Reason.STAFF: "Banned on the old board since, and working here: {:,}. They are not banned here. Decide yourselves:",
}


@cli.command()
def run(
    dump: Annotated[list[str], typer.Argument(help="What was given to `forum import look`")],
    plan: Annotated[Path, typer.Option(help="The plan that `forum import look` wrote, as you changed it")],
    *,
    people: PeopleFile = None,
    backup: Annotated[
        Path | None, typer.Option(help="Where the backup is written that comes first; else in FORUM_DATA")
    ] = None,
    skip_backup: Annotated[bool, typer.Option("--skip-backup", help="Begin without a backup: there is one")] = False,
    take_gone: Annotated[
        bool, typer.Option("--take-gone", help="Hide what is gone on the old board, however much it is")
    ] = False,
) -> None:
    """Move an old board into this forum. Its members can read meanwhile.

    First all of the forum is written to a backup. If it is stopped or killed, start it again: it goes on where it was.
    With a newer dump, only what is new, changed or gone on the old board since is carried over.
    """
    settings = Settings()
    try:
        wanted = Plan.read(plan)
        with database_of(settings) as url:
            first_steps(url)
            with _staged(dump, people, settings.data) as staging, _progress(staging) as seen:
                moving = replace(make_import(staging, wanted, settings), takes_gone=take_gone)
                file = backup or settings.data / f"before-moving-{clock.now():%Y-%m-%d-%H%M%S}.backup"
                first = None if skip_backup else partial(_back_up, url, file)
                ended = signals.run(_carry(url, moving, seen, first))
                found = with_work(url, lambda work: checks.compare(work.session, staging, work.now))
                run_id = ended.id if ended else None
                unlike = with_work(url, lambda work: people_here.find_without_old_name(work.session, run_id))
    except CannotMove as error:
        fail(str(error))
    _report(ended, found, unlike)


@cli.command()
def check(
    dump: Annotated[list[str] | None, typer.Argument(help="The old board: is each of its posts here?")] = None,
    *,
    people: PeopleFile = None,
) -> None:
    """Look through all that moved here: that it is there, numbered, counted and hidden as it should be.

    The exit status is 1 if anything is wrong.
    """
    settings = Settings()

    async def act(work: Work) -> tuple[dict[str, int], list[str]]:
        return await checks.count_moved(work.session), await checks.find_faults(work.session)

    try:
        with database_of(settings) as url:
            first_steps(url)
            moved, faults = with_work(url, act)
            kept: Sequence[KeptHere] = ()
            if dump:
                with _staged(dump, people, settings.data) as staging:
                    found = with_work(url, lambda work: checks.compare(work.session, staging, work.now))
                    if not found.boards:
                        raise CannotMove(f"Nothing of {staging.source.board} has moved here.")
                faults += _differences(found)
                kept = found.kept
    except CannotMove as error:
        fail(str(error))
    if not moved:
        fail("Nothing has moved here from another board.")
    for kind, count in moved.items():
        out.print(f"{_PLURALS[kind]} that moved here: {count:,}.", highlight=False)
    _list_kept(kept)
    for fault in faults:
        out.print(f"- {fault}", highlight=False, soft_wrap=True)
    if faults:
        sys.exit(1)
    out.print("All of it is there.")


def _differences(found: checks.Comparison) -> list[str]:
    """Return what a dump has that is not here, or not so."""
    said = (
        (found.missing, "posts of the dump are not here yet"),
        (found.changed, "posts of the dump were changed on the old board after they moved"),
        (found.gone, "posts that moved are gone on the old board, and can be read here"),
    )
    return [f"{count:,} {what}" for count, what in said if count]


_PLURALS = {
    "address": "Addresses of threads",
    "board": "Boards",
    "person": "People",
    "post": "Posts",
    "thread": "Threads",
}


def make_import(staging: Staging, plan: Plan, settings: Settings) -> Import:
    """Return an import into a forum with moderation."""
    gate = BoardGate(settings.held_first_posts, settings.screening_region)
    return Import(staging, plan, settings, gate, CarriedOver(settings))


async def _back_up(url: str, file: Path) -> None:
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    with reaching():
        made = await backups.make(url, file)
    out.print(f"First a backup: {file} is whole, {made.size} bytes. Delete it when all is well.", soft_wrap=True)


@contextmanager
def _staged(dump: list[str], people: str | None, folder: Path) -> Iterator[Staging]:
    """Give the records of an old board, read anew; they go when the block ends, even if it is killed."""
    with Staging.without_name(folder) as staging:
        sources, users = sources_of(dump), source_of(people) if people else None
        with bar() as progress:
            size = size_of([*sources, *([users] if users else [])])
            task = progress.add_task("Reading", total=size or None)
            programs.read(sources, staging, people=users, seen=lambda size: progress.update(task, completed=size))
        yield staging


def bar() -> Progress:
    """Return a bar that shows how far something has come, while it lasts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=out, transient=True)


@contextmanager
def _progress(staging: Staging) -> Iterator[Any]:
    with bar() as progress:
        tasks: dict[Stage, TaskID] = {
            Stage.PEOPLE: progress.add_task("People", total=staging.count("person")),
            Stage.POSTS: progress.add_task("Posts", total=staging.count("post")),
        }
        yield lambda stage, count: progress.advance(tasks[stage], count)


async def _carry(url: str, wanted: Import, seen: Any, first: Callable[[], Awaitable[None]] | None) -> ImportRun | None:
    database = Database(url, pool_size=2)
    try:
        return await carry_over(database, wanted, seen=seen, first=first)
    finally:
        await database.close()


def _report(ended: ImportRun | None, found: checks.Comparison, without_old_name: Sequence[tuple[str, str]]) -> None:
    out.print("All that the plan takes is here." if ended else "Nothing new: all that the plan takes is here already.")
    counts = ended.counts if ended else {}
    for key, (what, sentence) in _SAID.items():
        if count := counts.get(key):
            out.print(f"- {what}: {count:,}. {sentence}".rstrip(), highlight=False, soft_wrap=True)
        for name, handle in without_old_name if count and key == "without_old_name" else ():
            out.print(f"  - {name}: @{handle}", highlight=False, soft_wrap=True, markup=False)
    if found.left_behind:
        said = "They waited for a moderator of the old board for more than three months."
        out.print(f"- Posts that stay behind: {found.left_behind:,}. {said}", highlight=False, soft_wrap=True)
    _list_kept(found.kept)
    for difference in _differences(found):
        out.print(f"- But {difference}.", highlight=False, soft_wrap=True)
    if ended:
        out.print(
            "Nobody has a role by it, and nobody was told. Look through the forum, then run `forum import check`.",
            highlight=False,
            soft_wrap=True,
        )


def _list_kept(kept: Sequence[KeptHere]) -> None:
    """Say what changed on the old board and stays as it is here, for whoever decides what becomes of it."""
    for reason, sentence in _KEPT.items():
        some = [one for one in kept if one.reason == reason]
        if some:
            out.print(f"- {sentence.format(len(some))}", highlight=False, soft_wrap=True)
        for one in some[:MOST_LINES]:
            out.print(f"  - {one.kind} {one.old} of the old board: {one.place}", highlight=False, soft_wrap=True)
        if len(some) > MOST_LINES:
            out.print(f"  - and {len(some) - MOST_LINES:,} more", highlight=False)
