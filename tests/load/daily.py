"""What members look at each day, in a forum of few threads and in one of many: it must not grow with the forum."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from rich.table import Table
from sqlalchemy import text

from forum.content import board_cards
from forum.content.posts import tallies
from forum.core import clock
from forum.core.database import Database
from tests.load import seed
from tests.load.rounds import Kind, Target, get

READERS = 100  # who ask, in turn; half of them have marked everything as read a week ago
PATHS = {
    "home": "/api/v1/home",
    "newest threads": "/api/v1/threads",
    "unread threads": "/api/v1/me/threads?kind=unread",
    "threads one wrote in": "/api/v1/me/threads?kind=written",
    "threads one opened": "/api/v1/me/threads?kind=opened",
    "threads one follows": "/api/v1/me/threads?kind=followed",
    "what one is told": "/api/v1/me/notifications",
    "first page": "/",
}
# What an adviser looks at: threads in both lanes, and some that somebody keeps. All news is of the last days, so that
# a page of it is as long in either forum.
LANES = {f"waiting, {lane}": f"/api/v1/adviser/threads?lane={lane}" for lane in ("asked", "news", "mine", "claimed")}
ADVISER = "an adviser"
WAITING = """
UPDATE thread SET asked_since = CASE WHEN id % 2 = 0 THEN asked_since END,
    asked_number = CASE WHEN id % 2 = 0 THEN asked_number END,
    news_since = now() - (now() - last_post_at) / 200, news_number = last_post_number
WHERE asked_since IS NOT NULL
"""
CLAIMS = """
INSERT INTO thread_claim (thread_id, member_id, since, until, seen_number)
SELECT thread.id, writer.id, now() - interval '1 hour', now() + interval '1 day', last_number
FROM thread JOIN writer ON writer.number = thread.id % 2 WHERE asked_since IS NOT NULL ORDER BY asked_since LIMIT 100
"""
CAUGHT_UP, BEHIND = "caught up a week ago", "never caught up"


@dataclass(frozen=True)
class Size:
    """How many threads and members a forum has."""

    name: str
    threads: int
    members: int


FEW, MANY = Size("few threads", 1_000, seed.MEMBERS), Size("many threads", 100_000, 10_000)

MEMBERS = """
INSERT INTO member (id, handle, skeleton, name, name_skeleton, email, password_hash, staff_password, joined_at,
                    caught_up_at)
SELECT gen_random_uuid(), 'more' || n, 'rnore' || n, 'More ' || n, 'rnore' || n, 'more' || n || '@example.org', '-',
       true, now() - interval '700 days', now() - interval '180 days'
FROM generate_series(1, :members) AS n
"""
WRITERS = """
CREATE TEMPORARY TABLE writer ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY joined_at, handle) - 1 AS number, id FROM member
"""
THREADS = f"""
INSERT INTO thread (board_id, author_id, title, state, pinned, visibility, version, opened_at, changed_at,
                    last_number, posts, participants, last_post_at, adviser_replies)
SELECT (SELECT min(id) FROM board) + n * 11 % {seed.BOARDS}, writer.id, 'Another question, number ' || n, 'open', false,
       'visible', 1, at, at, 0, 0, 0, at, 0
FROM generate_series(1, :threads) AS n
CROSS JOIN LATERAL (SELECT now() - interval '700 days' * (1 - n::float / :threads) AS at) AS moment
JOIN writer ON writer.number = CASE WHEN n % :step = 0 THEN n / :step % :readers
                               ELSE CAST(:readers AS integer) + n * 7 % CAST(:others AS integer) END
"""
# Two in each; short, because nothing of them is shown.
POSTS = """
INSERT INTO post (thread_id, number, author_id, voice, visibility, body_markdown, body_html, revision, created_at)
SELECT thread.id, place.number, writer.id, 'member', 'visible', 'I see', '<p>I see</p>', 1, opened_at
FROM thread CROSS JOIN generate_series(1, 2) AS place (number)
JOIN writer ON writer.number = CAST(:readers AS integer)
                             + (thread.id * 7 + place.number * 13) % CAST(:others AS integer)
WHERE last_number = 0
"""
# Whoever asks opened as many threads, and wrote in as many, in either forum.
OWN_POSTS = """
INSERT INTO post (thread_id, number, author_id, voice, visibility, body_markdown, body_html, revision, created_at)
SELECT thread.id, 3, writer.id, 'member', 'visible', 'So do I', '<p>So do I</p>', 1, opened_at
FROM (SELECT id, opened_at, row_number() OVER (ORDER BY id % 997, id) AS place FROM thread
      WHERE last_number = 0) AS thread
JOIN writer ON writer.number = thread.place % :readers
WHERE place <= :readers * 5
"""
# A hundred each, most of them older than what is new.
MARKS = """
INSERT INTO read_mark (member_id, thread_id, read_number, read_at)
SELECT writer.id, (SELECT min(id) FROM thread) + (writer.number * 31 + n * 7919) % :threads, n % 3,
       now() - interval '1 day' * (n % 170)
FROM writer CROSS JOIN generate_series(1, 100) AS n
ON CONFLICT DO NOTHING
"""
# Fifty each, old ones and new ones; and of half of these they were told something.
FOLLOWED = """
INSERT INTO subscription (member_id, thread_id, mode, chosen_by, since)
SELECT writer.id, (SELECT min(id) FROM thread) + (writer.number * 37 + n * 6007) % :threads, 'each', 'reply',
       now() - interval '1 day' * n
FROM writer CROSS JOIN generate_series(1, 50) AS n
ON CONFLICT DO NOTHING
"""
TOLD = """
INSERT INTO notification (id, member_id, kind, thread_id, numbers, at, read_at)
SELECT gen_random_uuid(), member_id, 'thread_post', thread_id, ARRAY[1, 2], since,
       CASE WHEN subscription.id % 4 <> 0 THEN since END
FROM subscription WHERE subscription.id % 2 = 0
"""
CATCH_UP = """
UPDATE member SET caught_up_at = now() - CASE WHEN writer.number % 2 = 0 THEN interval '7 days' ELSE interval '180 days'
END FROM writer WHERE writer.id = member.id AND writer.number < :readers
"""


async def fill(url: str, size: Size) -> list[Target]:
    """Fill the empty forum at `url`; what members ask of it."""
    seeded = await seed.seed(url, 1_000)
    step = size.threads // (READERS * 5)
    values = {"threads": size.threads, "others": size.members - READERS, "readers": READERS, "step": step}
    database = Database(url, pool_size=1)
    try:
        async with database.work() as session:
            if size.members > seed.MEMBERS:
                await session.execute(text(MEMBERS), {"members": size.members - seed.MEMBERS})
            async with seed.without_triggers(session):
                for statement in (WRITERS, THREADS, POSTS, OWN_POSTS, seed.COUNTS, MARKS, FOLLOWED, TOLD, CATCH_UP):
                    await session.execute(text(statement), values)
                for statement in (WAITING, CLAIMS):
                    await session.execute(text(statement))
            for add_up in (tallies.add_up, board_cards.add_up):
                await add_up(session, clock.now())
        async with database.autocommit.connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
    finally:
        await database.close()
    by_advisers = [
        Target(Kind.DAILY, f"{what}, {ADVISER}", size.name, itertools.repeat(get(path, seeded.tokens[0])))
        for what, path in LANES.items()
    ]
    return by_advisers + [
        Target(Kind.DAILY, f"{what}, {who}", size.name, itertools.cycle([get(path, token) for token in tokens]))
        for what, path in PATHS.items()
        for who, tokens in (
            (CAUGHT_UP, seeded.tokens[0:READERS:2]),
            (BEHIND, seeded.tokens[1:READERS:2]),
        )
    ]


def table(targets: Sequence[Target]) -> Table:
    """How much longer each takes among many threads than among few."""
    lines = Table("", "threads", "members", "a second", "p50 ms", "p99 ms", "time ×", box=None, pad_edge=False)
    for column in lines.columns[1:]:
        column.justify = "right"
    asked = dict.fromkeys(target.what for target in targets)
    for what, size in product(asked, (FEW, MANY)):
        row, few = (_of(targets, what, one) for one in (size, FEW))
        times = [f"{1000 * value:.2f}" for value in (row.percentile(50), row.percentile(99))]
        ratio = f"{few.ratio_to(row):.2f}"
        lines.add_row(what, f"{size.threads:,}", f"{size.members:,}", f"{row.rate:,.0f}", *times, ratio)
    return lines


def _of(targets: Sequence[Target], what: str, size: Size) -> Target:
    return next(target for target in targets if (target.what, target.server) == (what, size.name))
