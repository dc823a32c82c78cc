"""Search: what each kind of word takes in the database, and how often a slip is put right at the first guess."""

import random
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from rich.table import Table
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from forum.content import boards
from forum.content.boards import BoardPlan
from forum.content.search import queries, similar, spelling
from forum.content.search.tables import Search, Sort
from forum.core import clock
from forum.core.database import Database
from forum.core.settings import Settings
from forum.members.viewer import GUEST

MEMBERS, BOARDS, POSTS_A_THREAD = 10_000, 20, 12
LEAST_WORDS, MOST_WORDS = 20, 140  # of a post
SLIPS = 0.01  # of all words
AT_ONCE = 10_000  # rows in one COPY
ROUNDS = 15
SLIPS_TRIED = 500
RANKS = 40
LETTERS = "abcdefghijklmnopqrstuvwxyz"

# Words that no list has, each in a part of the posts.
SHARES = {"blorvin": 0.4, "cradnel": 0.05, "dustroy": 0.01, "elmrack": 0.001}
TWENTY, OLD, NEVER = "fropnik", "gulbrand", "hestwick"
OLD_POSTS = 2_000
KINDS = {
    "in 40 %": "blorvin",
    "in 5 %": "cradnel",
    "in 1 %": "dustroy",
    "in 0.1 %": "elmrack",
    "in 20 posts": TWENTY,
    "in 2,000 old ones only": OLD,
    "two words": "cradnel dustroy",
    "a common one and a rare one": f"blorvin {TWENTY}",
    "one or another": "cradnel or elmrack",
    "not a common one": "-blorvin",
    "a phrase": '"blorvin cradnel"',
    "nowhere": NEVER,
}
FILTERS: dict[str, dict[str, Any]] = {"no filter": {}, "of advisers": {"by_advisers": True}, "on a board": {}}


@dataclass
class Sampler:
    """Words as people use them: a few all the time, most of them hardly ever."""

    chance: random.Random
    words: list[str] = field(default_factory=lambda: list(FREQUENCY_LISTS["english_wikipedia"]))
    weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(self.words))))

    def some(self, number: int) -> list[str]:
        """Return so many words, one in a hundred with a slip."""
        found = self.chance.choices(self.words, cum_weights=self.weights, k=number)
        return [self.slip(word) if self.chance.random() < SLIPS else word for word in found]

    def slip(self, word: str) -> str:
        """Return the word with one letter missing, too much, wrong, or in the place of its neighbour."""
        if len(word) < 4:
            return word
        at, letter = self.chance.randrange(len(word) - 1), self.chance.choice(LETTERS)
        return self.chance.choice(
            (
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at:],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            )
        )


async def fill(url: str, posts: int) -> None:
    """Write a forum of so many posts by COPY, and index them as the sweeps would."""
    database = Database(url, pool_size=2)
    try:
        async with database.work() as session:
            for number in range(BOARDS):
                await boards.create_board(session, BoardPlan(f"board-{number}", f"Board {number}"), clock.now())
        async with database.autocommit.connect() as connection:
            plain: Any = (await connection.get_raw_connection()).driver_connection
            # Without the triggers of what a search does not read: counts, and what is to be told or indexed.
            await plain.execute("SET session_replication_role = replica")
            await _copy(plain, posts)
            await _index(plain)
            await connection.invalidate()
    finally:
        await database.close()


async def _index(plain: asyncpg.Connection) -> None:
    for table in ("post_search", "thread_search"):
        await plain.execute(f"DROP INDEX ix_{table}_words")
    await plain.execute(
        "INSERT INTO post_search (post_id, board_id, author_id, by_adviser, written_at, words) "
        "SELECT post.id, board_id, post.author_id, voice = 'adviser', created_at, "
        "to_tsvector('english', body_markdown) FROM post JOIN thread ON thread.id = thread_id ORDER BY post.id"
    )
    await plain.execute("INSERT INTO thread_search SELECT id, to_tsvector('english', title) FROM thread")
    await plain.execute("SET maintenance_work_mem = '512MB'")
    for table in ("post_search", "thread_search"):
        await plain.execute(f"CREATE INDEX ix_{table}_words ON {table} USING gin (words)")
    await plain.execute("VACUUM ANALYZE")
    await plain.execute("CHECKPOINT")


async def _copy(plain: asyncpg.Connection, posts: int) -> None:
    chance = random.Random(2026)
    sampler, members = Sampler(chance), [uuid4() for _ in range(MEMBERS)]
    now = clock.now()
    await plain.execute(
        "INSERT INTO member (id, handle, skeleton, name, name_skeleton, email, password_hash, staff_password, "
        "joined_at) SELECT id, 'm' || n, 'm' || n, 'M' || n, 'm' || n, 'm' || n || '@example.org', '-', true, now() "
        "FROM unnest($1::uuid[]) WITH ORDINALITY AS made (id, n)",
        members,
    )
    await plain.execute("INSERT INTO persona (id) SELECT id FROM member")
    threads = max(1, posts // POSTS_A_THREAD)
    made = [
        (number % BOARDS + 1, chance.choice(members), " ".join(sampler.some(chance.randint(2, 9)))[:120] or "Hello")
        for number in range(threads)
    ]
    await plain.execute(
        "INSERT INTO thread (board_id, author_id, title, state, pinned, visibility, version, opened_at, changed_at, "
        "last_number, posts, participants, last_post_at, adviser_replies) "
        "SELECT board, author, rpad(title, 3, '.'), 'open', false, 'visible', 1, now(), now(), 12, 12, 2, now(), 1 "
        "FROM unnest($1::int[], $2::uuid[], $3::text[]) AS made (board, author, title)",
        *([row[place] for row in made] for place in range(3)),
    )
    names = (
        *("thread_id", "number", "author_id", "voice", "adviser_name", "adviser_title", "adviser_organisation"),
        *("visibility", "body_markdown", "body_html", "revision", "created_at", "quotes_recorded"),
    )
    for start in range(0, posts, AT_ONCE):
        rows = [
            _post(sampler, members, number, (posts, threads), now)
            for number in range(start, min(start + AT_ONCE, posts))
        ]
        await plain.copy_records_to_table("post", records=rows, columns=names)


def _post(sampler: Sampler, members: list[UUID], number: int, total: tuple[int, int], now: datetime) -> Sequence[Any]:
    chance, (posts, threads) = sampler.chance, total
    words = sampler.some(chance.randint(LEAST_WORDS, MOST_WORDS))
    words += [word for word, share in SHARES.items() if chance.random() < share]
    words += [TWENTY] if number % max(1, posts // 20) == 7 else []
    words += [OLD] if number < OLD_POSTS else []
    said = " ".join(words)
    # A conversation lasts some days: its posts lie among those of others.
    thread = min(threads, max(1, int(number / posts * threads) + chance.randint(-40, 40)))
    advises = chance.random() < 0.1
    adviser = ("Ada", "Online adviser", "Example Family Charity") if advises else (None, None, None)
    at = now - timedelta(days=1800) * (1 - number / posts)
    voice = "adviser" if advises else "member"
    return (thread, number + 1, chance.choice(members), voice, *adviser, "visible", said, f"<p>{said}</p>", 1, at, True)


@contextmanager
def time_in_database(engine: AsyncEngine) -> Iterator[list[float]]:
    """How long each statement takes, in seconds, while the block lasts."""
    taken: list[float] = []
    begun: list[float] = []

    def begin(*_: Any) -> None:
        begun.append(time.perf_counter())

    def end(*_: Any) -> None:
        taken.append(time.perf_counter() - begun.pop())

    event.listen(engine.sync_engine, "before_cursor_execute", begin)
    event.listen(engine.sync_engine, "after_cursor_execute", end)
    try:
        yield taken
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", begin)
        event.remove(engine.sync_engine, "after_cursor_execute", end)


async def measure(url: str) -> list[Table]:
    """Return what each kind of word takes, and how slips are put right."""
    database = Database(url, pool_size=2)
    try:
        return [await _words(database), await _slips(database), await _titles(database)]
    finally:
        await database.close()


async def _words(database: Database) -> Table:
    table = Table("words", "newest", "relevance", *list(FILTERS)[1:], title="Milliseconds in the database, median")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind, words in KINDS.items():
        taken = [await _median(database, words, sort=sort) for sort in Sort]
        taken += [await _median(database, words, by_advisers=True), await _median(database, words, board_id=3)]
        table.add_row(kind, *(f"{value:.1f}" for value in taken))
    every = FREQUENCY_LISTS["english_wikipedia"]
    some = [every[int(len(every) ** (place / RANKS)) - 1] for place in range(RANKS)]
    worst = [max([await _median(database, word, sort=sort) for word in some]) for sort in Sort]
    table.add_row(f"worst of {RANKS}, of every rank", *(f"{value:.1f}" for value in worst), "", "")
    return table


async def _median(database: Database, words: str, **wanted: Any) -> float:
    search = Search(id=uuid4(), query=words, made_at=clock.now(), **wanted)
    found = []
    for _ in range(ROUNDS):
        async with database.work() as session:
            await queries.begin_bounded(session)
            with time_in_database(database.transactions) as taken:
                await queries.find(session, GUEST, search, None, Settings.model_fields["time_zone"].default)
            found.append(sum(taken))
    return statistics.median(found[2:]) * 1000


async def _slips(database: Database) -> Table:
    begun = time.perf_counter()
    async with database.work() as session:
        await spelling.collect_words(session, {}, clock.now())
    collected = time.perf_counter() - begun
    words, slips, share, milliseconds = await _guesses(database)
    table = Table("words to suggest", "collected in s", "slips", "right at the first guess", "median ms")
    table.add_row(f"{words:,}", f"{collected:.0f}", str(slips), f"{share:.1%}", f"{milliseconds:.2f}")
    return table


async def _guesses(database: Database) -> tuple[int, int, float, float]:
    """Return how many words there are, how many slips were tried, the share put right, and the median of the times."""
    sampler, right, taken = Sampler(random.Random(7)), 0, list[float]()
    async with database.work() as session:
        known = set((await session.execute(text("SELECT word FROM search_word"))).scalars())
        # Of the words that there are, and not of slips that several people made.
        real = sorted(word for word in known & set(sampler.words) if len(word) > 4)
        meant = sampler.chance.sample(real, min(SLIPS_TRIED, len(real)))
        typed = [(word, slip) for word in meant if (slip := sampler.slip(word)) not in known]
        for word, slip in typed:
            with time_in_database(database.transactions) as times:
                right += await spelling.guess_word(session, slip) == word
            taken.append(sum(times))
    return len(known), len(typed), right / max(1, len(typed)), statistics.median(taken) * 1000


async def _titles(database: Database) -> Table:
    async with database.work() as session:
        some = (await session.execute(text("SELECT title FROM thread ORDER BY id DESC LIMIT 50"))).scalars().all()
        taken = list[float]()
        await queries.begin_bounded(session)
        for title in some:
            with time_in_database(database.transactions) as times:
                await similar.similar_to(session, GUEST, title)
            taken.append(sum(times))
    table = Table("titles", "like one: median ms", "worst")
    table.add_row(str(len(some)), f"{statistics.median(taken) * 1000:.1f}", f"{max(taken) * 1000:.1f}")
    return table
