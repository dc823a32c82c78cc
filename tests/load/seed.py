"""A forum of many posts, written by the database itself in a few seconds."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration import advisers
from forum.authentication.sessions import Transport, open_session
from forum.content import boards, markup, recount
from forum.content.boards import BoardPlan
from forum.core import clock
from forum.core.database import Database
from forum.members import names
from forum.members.tables import Member

MEMBERS, ADVISERS, BOARDS, BODIES = 200, 4, 6, 64
WITH_EMOJI = 8  # one body in so many: such text takes four bytes a character until it is sent
POSTS_A_THREAD = 22
LONG_SHARE = 10  # one post in ten stands in the one long thread
SPAN = timedelta(days=700)

# Two paragraphs of these, a list and a last word make about 1,200 characters.
SENTENCES = (
    "The letter came on a Friday afternoon, which seems to be when they all come.",
    "I have read it **four times** now and I still do not know what it asks of me.",
    "My sister sat with me in the kitchen and we wrote everything down, in order, with dates.",
    "Nobody had told us that we could bring a friend along to the meeting.",
    "The little one sleeps better since we stopped talking about it in the evening.",
    "What helped me was to ask for the next step, and *only* the next step.",
    "You are allowed to say that you need a moment, and to go outside for it.",
    "Our new worker is kinder than the one before, and she answers the telephone.",
    "I kept a notebook by the door and wrote in it before I took my shoes off.",
    "It took eleven weeks in the end, and I counted each of them on the fridge.",
    "They did say sorry, later, in a room with plastic chairs and a dying plant.",
    "Please eat something today, even if it is only toast.",
    "The court was smaller than I thought, and everyone in it looked tired.",
    "I was angry for a year and then, one morning, a little less.",
    "Ask them to put it in writing; that alone changed the tone of things.",
    "My mum is seventy-one and has learnt more about meetings than she ever wanted to.",
    "Nothing that you wrote here sounds unreasonable to me.",
    "We walked round the pond twice and did not mention it once.",
    "The plan had nine points, of which three had been done before anybody wrote them down.",
    "I would do it again, but I would ask for help in the first week and not in the ninth.",
)
ITEMS = (
    "the minutes of the last meeting",
    "a list of people who know your children well",
    "the name of whoever will be in the room",
    "something to drink, and a snack for the way home",
    "your own notes, with the dates",
    "the letter itself, and its envelope",
)

THREADS = f"""
INSERT INTO thread (board_id, author_id, title, state, pinned, visibility, version, opened_at, changed_at,
                    last_number, posts, participants, last_post_at, adviser_replies)
SELECT (SELECT min(id) FROM board) + n % {BOARDS}, writer.id, 'A question, and number ' || n || ' of its kind',
       'open', false, 'visible', 1, at, at, 0, 0, 0, at, 0
FROM generate_series(0, :threads - 1) AS n
CROSS JOIN LATERAL (SELECT CAST(:begin AS timestamptz) + CAST(:span AS interval) * n / :threads AS at) AS moment
JOIN seed_writer AS writer ON writer.number = n * 7 % {MEMBERS}
ORDER BY n
RETURNING id
"""
# Written in the order of time, so that the posts of a thread lie as far apart on the disk as they do where
# people really talk; the long thread lasts all the time.
POSTS = f"""
INSERT INTO post (thread_id, number, author_id, voice, adviser_name, adviser_title, adviser_organisation,
                  visibility, reply_to, body_markdown, body_html, revision, created_at)
SELECT thread_id, planned.number, writer.id, voice, CASE WHEN advises THEN writer.name END, title, organisation,
       'visible', CASE WHEN planned.number % 3 = 0 THEN planned.number - 1 END, body.markdown, body.html, 1, at
FROM (
    SELECT thread.id AS thread_id, number, opened_at + CAST(:pace AS interval) * (number - 1) AS at,
           number % 8 = 5 AS advises, CASE number % 8 WHEN 5 THEN 'adviser' ELSE 'member' END AS voice
    FROM thread
    CROSS JOIN LATERAL generate_series(
        1, CASE thread.id WHEN :long_thread THEN CAST(:long AS integer) ELSE {POSTS_A_THREAD} END
    ) AS number
    WHERE last_number = 0
) AS planned
JOIN seed_writer AS writer ON writer.number = (thread_id * 7 + planned.number * 13) % CASE
    WHEN advises THEN {ADVISERS} ELSE {MEMBERS} END
LEFT JOIN adviser ON advises AND adviser.member_id = writer.id
JOIN seed_body AS body ON body.number = (thread_id * 31 + planned.number * 17) % {BODIES}
ORDER BY at
"""
COUNTS = """
UPDATE thread SET last_number = counted.posts, posts = counted.posts, participants = counted.participants,
    last_post_number = counted.posts, last_post_at = last.created_at, last_post_by = last.author_id,
    adviser_replies = counted.adviser_replies, first_adviser_number = counted.first_adviser_number,
    latest_adviser_number = counted.latest_adviser_number, asked_since = waiting.created_at,
    asked_number = waiting.number
FROM (
    SELECT thread_id, count(*) AS posts, count(DISTINCT author_id) AS participants,
           count(*) FILTER (WHERE voice = 'adviser') AS adviser_replies,
           min(number) FILTER (WHERE voice = 'adviser') AS first_adviser_number,
           max(number) FILTER (WHERE voice = 'adviser') AS latest_adviser_number
    FROM post GROUP BY thread_id
) AS counted
JOIN post AS last ON last.thread_id = counted.thread_id AND last.number = counted.posts
LEFT JOIN post AS waiting
  ON waiting.thread_id = counted.thread_id AND waiting.number = coalesce(counted.latest_adviser_number, 0) + 1
WHERE thread.id = counted.thread_id
"""


@dataclass(frozen=True)
class Seeded:
    """What there is to read, and who can write."""

    posts: int
    long_thread: int
    long_posts: int
    short_threads: list[int]
    boards: list[str]
    tokens: list[str]


@asynccontextmanager
async def without_triggers(session: AsyncSession) -> AsyncIterator[None]:
    """Write threads and posts without what each of them triggers, which would take longer than all the rest.

    In one transaction it even grows with the square of their number: a row of counts leaves a copy with each change.
    """
    for table in ("thread", "post"):
        await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    yield
    for table in ("thread", "post"):
        await session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


async def seed(url: str, posts: int) -> Seeded:
    """Fill the empty forum at `url` with about `posts` posts."""
    database = Database(url, pool_size=2)
    try:
        async with database.work() as session:
            slugs = await _boards(session)
            tokens = await _members(session)
            await _bodies(session)
            async with without_triggers(session):
                seeded = await _talk(session, posts, slugs, tokens)
        async with database.autocommit.connect() as connection:
            # What the server would do by and by, and what would disturb the measuring.
            await connection.execute(text("VACUUM ANALYZE"))
            await connection.execute(text("CHECKPOINT"))
    finally:
        await database.close()
    return seeded


async def is_empty(url: str) -> bool:
    """Whether nobody lives in the forum at `url`."""
    database = Database(url, pool_size=1)
    try:
        async with database.work() as session:
            query = text("SELECT NOT EXISTS (SELECT FROM member) AND NOT EXISTS (SELECT FROM board)")
            return bool(await session.scalar(query))
    finally:
        await database.close()


async def version(url: str) -> str:
    """The version of the PostgreSQL at `url`."""
    database = Database(url, pool_size=1)
    try:
        async with database.work() as session:
            return str(await session.scalar(text("SHOW server_version")))
    finally:
        await database.close()


async def _boards(session: AsyncSession) -> list[str]:
    slugs = [f"board-{number}" for number in range(BOARDS)]
    for slug in slugs:
        await boards.create_board(session, BoardPlan(slug, slug.title()), clock.now())
    return slugs


async def _members(session: AsyncSession) -> list[str]:
    """The tokens of the sessions of all members, the first of whom are advisers."""
    now = clock.now()
    members = []
    for number in range(MEMBERS):
        handle = f"member{number:03}"
        member = Member(
            handle=handle,
            skeleton=names.skeleton(handle),
            name=handle.title(),
            name_skeleton=names.skeleton(handle),
            email=f"{handle}@example.org",
            password_hash="nobody signs in with it",
            staff_password=True,
            joined_at=now - SPAN,
        )
        members.append(member)
        session.add(member)
        await session.flush()
    for member in members[:ADVISERS]:
        await advisers.appoint(session, member, "Online adviser", "Example Family Charity", now)
    # After the roles: whoever is given one signs in anew.
    opened = [await open_session(session, member, Transport.BEARER, now, second_factor=True) for member in members]
    await session.execute(text("CREATE TEMPORARY TABLE seed_writer (number int, id uuid, name text) ON COMMIT DROP"))
    writers = [{"number": number, "id": member.id, "name": member.name} for number, member in enumerate(members)]
    await session.execute(text("INSERT INTO seed_writer VALUES (:number, :id, :name)"), writers)
    return [token for _, token in opened]


async def _bodies(session: AsyncSession) -> None:
    # Packed here, they would be packed in `post` too, where such words are not (migration 0005).
    unpacked = "WITH (toast_tuple_target = 4080)"
    await session.execute(
        text(f"CREATE TEMPORARY TABLE seed_body (number int, markdown text, html text) {unpacked} ON COMMIT DROP")
    )
    rows = [
        {"number": number, "markdown": words, "html": markup.parse(words).html()}
        for number, words in enumerate(bodies())
    ]
    await session.execute(text("INSERT INTO seed_body VALUES (:number, :markdown, :html)"), rows)


def bodies() -> list[str]:
    """Posts of about 1.2 KB, the same in every run."""
    chance = random.Random(2018)
    written = []
    for number in range(BODIES):
        first, second = (" ".join(chance.sample(SENTENCES, count)) for count in (7, 6))
        items = "\n".join(f"- {item}" for item in chance.sample(ITEMS, 3))
        last = "Thinking of you 🍞" if number % WITH_EMOJI == 0 else chance.choice(SENTENCES)
        written.append(f"{first}\n\n{second}\n\nWhat I would bring:\n\n{items}\n\n{last}")
    return written


async def _talk(session: AsyncSession, posts: int, slugs: list[str], tokens: list[str]) -> Seeded:
    long = max(posts // LONG_SHARE, POSTS_A_THREAD)
    threads = 1 + max((posts - long) // POSTS_A_THREAD, BOARDS)
    pace = SPAN / long
    begin = clock.now() - SPAN - pace * POSTS_A_THREAD
    opened = await session.scalars(text(THREADS), {"threads": threads, "begin": begin, "span": SPAN})
    long_thread, *short_threads = sorted(opened)
    await session.execute(text(POSTS), {"long_thread": long_thread, "long": long, "pace": pace})
    await session.execute(text(COUNTS))
    for kept in (recount.NAMES, recount.BOARDS):
        await kept.mend(session)
    total = long + len(short_threads) * POSTS_A_THREAD
    return Seeded(total, long_thread, long, short_threads, slugs, tokens)
