"""The moderators' queue in a forum of few cases and in one of many: what is decided must not slow down what waits."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from rich.table import Table
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.core.database import Database
from forum.members.tables import Role
from moderation.case_priority import Category, priority
from tests.load import seed
from tests.load.rounds import PAGE, Kind, Target, get

PATH = f"/api/v1/moderation/cases?limit={PAGE}"
OF_ALL, OF_ONE, OF_NONE = "queue, whole forum", "queue, one board", "queue, administrator"


@dataclass(frozen=True)
class Size:
    """How many cases a forum has, and how many of them are open: enough for a full page of each moderator."""

    name: str
    cases: int
    open: int


FEW, MANY = Size("few cases", 200, 160), Size("many cases", 100_000, 2_000)

# A case on each of the newest posts; the newest of those are open.
CASES = """
INSERT INTO moderation_case (id, kind, post_id, state, category, reports, priority, version, opened_at, due_at,
                             decided_at, decided_revision, changed_at)
SELECT gen_random_uuid(), 'post', post.id, CASE WHEN place <= :open THEN 'open' ELSE 'decided' END,
       kinds.category, kinds.reports, kinds.priority, 1, created_at, created_at + interval '1 day',
       CASE WHEN place > :open THEN created_at END, CASE WHEN place > :open THEN 1 END, created_at
FROM (SELECT id, created_at, row_number() OVER (ORDER BY id DESC) AS place FROM post) AS post
JOIN unnest(CAST(:categories AS text[]), CAST(:reports AS integer[]), CAST(:priorities AS integer[]))
    WITH ORDINALITY AS kinds (category, reports, priority, number) ON kinds.number = 1 + post.place % :kinds
WHERE place <= :cases
"""
GRANT = """
INSERT INTO role_grant (id, member_id, role, board_id, given_at)
SELECT gen_random_uuid(), member.id, :role, board.id, now()
FROM member LEFT JOIN board ON board.slug = :slug WHERE handle = :handle
"""


async def fill(url: str, size: Size) -> list[Target]:
    """Fill the empty forum at `url`; what moderators of all and of one board and an administrator ask of it."""
    seeded = await seed.seed(url, size.cases + 100)
    database = Database(url, pool_size=1)
    try:
        async with database.work() as session:
            await _open(session, size)
            for number, role, slug in (
                (100, Role.MODERATOR, None),
                (101, Role.MODERATOR, seeded.boards[1]),
                (102, Role.ADMINISTRATOR, None),
            ):
                await session.execute(text(GRANT), {"handle": f"member{number}", "role": role, "slug": slug})
        async with database.autocommit.connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
    finally:
        await database.close()
    asked = ((OF_ALL, seeded.tokens[100]), (OF_ONE, seeded.tokens[101]), (OF_NONE, seeded.tokens[102]))
    return [Target(Kind.QUEUE, what, size.name, itertools.repeat(get(PATH, token))) for what, token in asked]


async def _open(session: AsyncSession, size: Size) -> None:
    kinds = list(product((category for category in Category if category != Category.APPEAL), range(4)))
    values = {
        "categories": [category for category, _ in kinds],
        "reports": [reports for _, reports in kinds],
        "priorities": [priority(category, reports) for category, reports in kinds],
    }
    await session.execute(text(CASES), {**values, "kinds": len(kinds), "open": size.open, "cases": size.cases})


def table(targets: Sequence[Target]) -> Table:
    """How much longer the page takes among many cases than among few."""
    lines = Table("", "cases", "open", "a second", "p50 ms", "p99 ms", "CPU ms", "time ×", box=None, pad_edge=False)
    for column in lines.columns[1:]:
        column.justify = "right"
    for what, size in product((OF_ALL, OF_ONE, OF_NONE), (FEW, MANY)):
        row, few = (_of(targets, what, one) for one in (size, FEW))
        times = [f"{1000 * value:.2f}" for value in (row.percentile(50), row.percentile(99), row.cpu)]
        lines.add_row(what, f"{size.cases:,}", f"{size.open:,}", f"{row.rate:,.0f}", *times, f"{few.ratio_to(row):.2f}")
    return lines


def _of(targets: Sequence[Target], what: str, size: Size) -> Target:
    return next(target for target in targets if (target.what, target.server) == (what, size.name))
