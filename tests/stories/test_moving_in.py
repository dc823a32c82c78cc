"""A charity moves its old board in: the run is killed again and again, and in the end all is as if nothing had been."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from forum.core import embedded_postgres
from forum.importers import phpbb
from forum.importers.plan import Plan
from forum.importers.staging import Staging
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support.old_boards import make_board, write

KILLS = int(os.environ.get("FORUM_TEST_KILLS", "4"))
# The command, in small batches: it is killed between them and within them.
COMMAND = (
    "import sys; from forum.importers import old_threads, people; old_threads.BATCH = people.BATCH = 4; "
    "from forum.__main__ import main; sys.exit(main())"
)
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
    "posts": "SELECT there.old, number, author.name, visibility, reply_to, lane, body_markdown, body_html, created_at, "
    "notice FROM post JOIN moved AS there ON there.thread_id = post.thread_id AND there.kind = 'thread' "
    "JOIN member AS author ON author.id = author_id",
    "digests": "SELECT kind, old, number, digest FROM moved",
    "counts": "SELECT counts, state FROM import_run",
    "tallies": "SELECT slug, sum(board_tally.threads), sum(board_tally.posts) FROM board_tally "
    "JOIN board ON board.id = board_id GROUP BY slug",
    "written": "SELECT name, slug, sum(posts) FROM post_tally JOIN member ON member.id = persona_id "
    "JOIN board ON board.id = board_id GROUP BY member.id, name, slug",
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


async def begun(url: str, folder: Path) -> asyncio.subprocess.Process:
    environment = os.environ | {
        "FORUM_DATABASE_URL": url.replace("+asyncpg", ""),
        "FORUM_DATA": str(folder),
        "FORUM_PUBLIC_URL": "https://forum.example.org",
    }
    arguments = ("import", "run", str(folder / "board.sql"), "--plan", str(folder / "moving.toml"), "--skip-backup")
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, *arguments, env=environment, stdout=asyncio.subprocess.DEVNULL
    )


async def there(url: str) -> dict[str, Any]:
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            found = {name: (await connection.execute(text(query))).all() for name, query in WHAT_IS_THERE.items()}
            return {name: sorted(map(repr, rows)) for name, rows in found.items()}
    finally:
        await engine.dispose()


async def test_a_run_that_is_killed_again_and_again_ends_as_one_that_nothing_disturbed(
    database_url: str, other: str, tmp_path: Path
) -> None:
    write(make_board(posts=300), tmp_path / "board.sql")
    with Staging(tmp_path / "looked.sqlite") as staging:
        phpbb.read(tmp_path / "board.sql", staging)
        (tmp_path / "moving.toml").write_text(Plan.proposed(staging).as_toml(), "utf-8")
    assert await (await begun(other, tmp_path)).wait() == 0
    assert not (tmp_path / "moving.sqlite").exists()

    for _ in range(KILLS):
        run = await begun(database_url, tmp_path)
        await asyncio.sleep(random.uniform(1.0, 6.0))
        with suppress(ProcessLookupError):
            run.kill()
        await run.wait()
    assert await (await begun(database_url, tmp_path)).wait() == 0
    undisturbed, disturbed = await there(other), await there(database_url)
    assert undisturbed["posts"]
    assert disturbed == undisturbed
    assert undisturbed["told"] == [repr((0, 0, 0, 0))]
