"""A charity moves its old board in: the run is killed again and again, and in the end all is as if nothing had been."""

import asyncio
import os
import random
import re
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from forum.core import embedded_postgres
from forum.importers import phpbb
from forum.importers.plan import Plan
from forum.importers.staging import Staging
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support.old_boards import make_board, make_later, write

KILLS = int(os.environ.get("FORUM_TEST_KILLS", "2"))
# What the command does, in small batches, and without what it does first: it is killed between them and within them.
SCRIPT = """
import asyncio, os, shutil, sys
from pathlib import Path
from forum.core.database import Database
from forum.core.settings import Settings
from forum.cli.import_run import make_import
from forum.importers import old_threads, people
from forum.importers.plan import Plan
from forum.importers.run import carry_over
from forum.importers.staging import Staging
old_threads.BATCH = people.BATCH = 8
settings, folder = Settings(), Path(sys.argv[1])
# Each has a file of its own, as the command has: one that is killed may leave it spoilt.
with Staging(shutil.copy(folder / sys.argv[2], folder / f"{os.getpid()}.sqlite")) as staging:
    wanted = make_import(staging, Plan.read(folder / "moving.toml"), settings)
    asyncio.run(carry_over(Database(settings.sqlalchemy_url), wanted))
"""
MOVED = "SELECT count(*) FROM moved"
CHANGED = "SELECT count(*) FROM moved WHERE revision IS NOT NULL OR was IS NOT NULL"
COMMAND = ("-m", "forum", "import", "run", "board.sql", "--plan", "moving.toml")
# All that moved, without ids and the times of the run.
WHAT_IS_THERE = {
    "people": "SELECT moved.old, handle, name, email, password_hash = '', joined_at, login, may_reset_by_mail "
    "FROM moved LEFT JOIN member ON member.id = moved.member_id LEFT JOIN old_login USING (member_id) "
    "WHERE kind = 'person'",
    "boards": "SELECT moved.old, slug, section, position, readers, openers FROM moved "
    "JOIN board ON board.id = board_id",
    "threads": "SELECT moved.old, slug, title, state, pinned, visibility, opened_at, last_number, posts, participants, "
    "last_post_number, last_post_at, adviser_replies, asked_number, news_number FROM moved "
    "JOIN thread ON thread.id = thread_id JOIN board ON board.id = thread.board_id WHERE kind = 'thread'",
    "posts": "SELECT there.old, post.number, author.name, visibility, reply_to, lane, body_markdown, body_html, "
    "created_at, notice FROM post JOIN moved AS there ON there.thread_id = post.thread_id AND there.kind = 'thread' "
    "JOIN member AS author ON author.id = author_id",
    "digests": "SELECT kind, old, number, digest, revision, was, stood_on FROM moved WHERE kind <> 'person'",
    "revisions": "SELECT number, body_markdown, sealed FROM post_revision",
    "counts": "SELECT counts, state FROM import_run ORDER BY started_at",
    "tallies": "SELECT slug, sum(board_tally.threads), sum(board_tally.posts) FROM board_tally "
    "JOIN board ON board.id = board_id GROUP BY slug",
    "written": "SELECT member.name, slug, sum(posts) FROM post_tally JOIN member ON member.id = persona_id "
    "JOIN board ON board.id = board_id GROUP BY member.id, member.name, slug",
    "quotes": "SELECT quoting.number, quoted.number, quoting.body_markdown FROM post_quote "
    "JOIN post AS quoting ON quoting.id = post_id JOIN post AS quoted ON quoted.id = quoted_post_id",
    "runs": "SELECT runs FROM quoted_words",
    "to be indexed": "SELECT count(*) FROM unindexed_post",
    "told": "SELECT (SELECT count(*) FROM notification), (SELECT count(*) FROM event WHERE kind = 'post'), "
    "(SELECT count(*) FROM untold_post), (SELECT count(*) FROM mail)",
    "cases": "SELECT kind, state, category FROM moderation_case",
}


@pytest.fixture
async def other(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[str]:
    """The address of another migrated database."""
    await operator.execute(text(f"CREATE DATABASE undisturbed {AS_IT_WAS_MIGRATED}"))
    yield database_called(server.url, "undisturbed")
    await operator.execute(text("DROP DATABASE undisturbed WITH (FORCE)"))


async def begun(url: str, folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "FORUM_DATABASE_URL": url.replace("+asyncpg", ""),
        "FORUM_DATA": str(folder),
        "FORUM_PUBLIC_URL": "https://forum.example.org",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, env=environment, cwd=folder)


async def there(url: str) -> dict[str, Any]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            found = {name: (await connection.execute(text(query))).all() for name, query in WHAT_IS_THERE.items()}
            return {name: sorted(map(repr, rows)) for name, rows in found.items()}
    finally:
        await engine.dispose()


def names_in(folder: Path) -> str:
    return " ".join(sorted(path.name for path in folder.iterdir()))


async def count(url: str, query: str) -> int:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        return int(await connection.scalar(text(query)))


async def until_moved(url: str, enough: float, run: asyncio.subprocess.Process, query: str = MOVED) -> None:
    """Wait until so much has moved, and a random moment more, or until the run has ended."""
    while run.returncode is None and await count(url, query) < enough:  # noqa: ASYNC110 (of another process)
        await asyncio.sleep(0.02)
    await asyncio.sleep(random.uniform(0, 0.3))


async def killed(run: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        run.kill()
    await run.wait()


async def test_a_run_that_is_killed_again_and_again_ends_as_one_that_nothing_disturbed(
    database_url: str, other: str, tmp_path: Path
) -> None:
    board = make_board(posts=200)
    write(board, tmp_path / "board.sql")
    write(make_later(board), tmp_path / "newer.sql")
    for dump, file in (("board.sql", "looked.sqlite"), ("newer.sql", "newer.sqlite")):
        with Staging(tmp_path / file) as staging:
            phpbb.read(tmp_path / dump, staging)
            (tmp_path / "moving.toml").write_text(Plan.proposed(staging).as_toml(), "utf-8")
    assert await (await begun(other, tmp_path, *COMMAND)).wait() == 0
    assert re.fullmatch(
        r"before-moving-\S+ board.sql looked.sqlite moving.toml newer.sql newer.sqlite secret.key",
        await asyncio.to_thread(names_in, tmp_path),
    )

    script, total = ("-c", SCRIPT, str(tmp_path), "looked.sqlite"), await count(other, MOVED)
    for _ in range(KILLS):
        run = await begun(database_url, tmp_path, *script)
        await until_moved(database_url, random.uniform(await count(database_url, MOVED), total * 0.9), run)
        await killed(run)
    assert await (await begun(database_url, tmp_path, *script)).wait() == 0
    undisturbed, disturbed = await there(other), await there(database_url)
    assert undisturbed["posts"]
    assert disturbed == undisturbed
    assert undisturbed["told"] == [repr((0, 0, 0, 0))]

    # So does one of a newer dump, which changes what is there.
    script = ("-c", SCRIPT, str(tmp_path), "newer.sqlite")
    assert await (await begun(other, tmp_path, *script)).wait() == 0
    undisturbed, total = await there(other), await count(other, CHANGED)
    assert total > 20
    run = await begun(database_url, tmp_path, *script)
    await until_moved(database_url, random.uniform(1, total * 0.9), run, CHANGED)
    await killed(run)
    assert await (await begun(database_url, tmp_path, *script)).wait() == 0
    assert await there(database_url) == undisturbed
