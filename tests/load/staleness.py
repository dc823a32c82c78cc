"""Whether anybody, in any process, reads what is no longer so: writes of every kind, each followed at once by reads."""

import gzip
import http.client
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rich.table import Table
from sqlalchemy import text

from forum.authentication.sessions import Transport, open_session
from forum.content.posts.erasure import erase_posts
from forum.core import clock
from forum.core.database import Database
from forum.members.queries import get_member
from forum.members.standing import add_sanction
from forum.members.tables import Sanction, Standing
from tests.load.queue import GRANT
from tests.load.rounds import Server
from tests.load.seed import Seeded, bodies

WRITES, PLANTED = 1_000, 40
THREADS = 30  # so few that all of their pages are kept
KEPT_NOTHING = {"FORUM_PAGE_CACHE": "0"}
READER, MODERATOR, ADMINISTRATOR, ADVISER = 50, 100, 101, 0  # numbers of members
WRITERS = range(10, 45)
API = "/api/v1"
TRIES = 5  # where a background job changes something between two reads

# By an operator who knows nothing of versions: none of these is a statement of ours.
BY_HAND = (
    "UPDATE post SET body_html = '<p>By hand ' || random() || '</p>' WHERE thread_id = :thread AND number = 1",
    "UPDATE thread SET title = 'By hand ' || random() WHERE id = :thread",
    "UPDATE board SET description = 'By hand ' || random() WHERE id = (SELECT board_id FROM thread WHERE id = :thread)",
    "UPDATE member SET title = 'By hand ' || random() WHERE id = (SELECT author_id FROM thread WHERE id = :thread)",
    "UPDATE member SET name = 'By hand ' || random() WHERE id = (SELECT author_id FROM thread WHERE id = :thread)",
    "UPDATE thread SET last_post_at = now() WHERE id = :thread",
    "INSERT INTO board_tally (board_id, threads, posts) SELECT board_id, 0, 1 FROM thread WHERE id = :thread",
    "DELETE FROM endorsement WHERE post_id IN (SELECT id FROM post WHERE thread_id = :thread)",
)
FAULT = "ALTER TABLE post DISABLE TRIGGER page_version_is_raised"


class Told(NamedTuple):
    """What somebody was told."""

    status: int
    body: bytes
    tag: str | None


@dataclass
class Own:
    """A post that a member wrote here, as its author knows it."""

    id: int
    number: int
    thread: int
    author: int
    revision: int = 1


@dataclass
class Found:
    """How many writes there were of each kind, how many reads followed, and which of these were stale."""

    writes: Counter[str] = field(default_factory=Counter)
    stale: Counter[str] = field(default_factory=Counter)
    where: list[str] = field(default_factory=list)
    reads: int = 0


class Community:
    """Everybody who writes, by turns to each of two processes, and everybody who reads of both and of a third, which
    keeps nothing."""

    def __init__(self, servers: Sequence[Server], truth: Server, url: str, seeded: Seeded) -> None:
        self.readers = [http.client.HTTPConnection("127.0.0.1", server.port) for server in servers]
        self.truth = http.client.HTTPConnection("127.0.0.1", truth.port)
        self.writers = itertools.cycle([http.client.HTTPConnection("127.0.0.1", server.port) for server in servers])
        self.database, self.seeded, self.chance = Database(url, pool_size=1), seeded, random.Random(15)
        self.threads = seeded.short_threads[:THREADS]
        self.places: dict[int, str] = {}
        self.own: list[Own] = []
        self.words = (f"{words} This is number {number}." for number, words in enumerate(itertools.cycle(bodies())))
        self.tags: dict[tuple[str | None, str], str] = {}
        self.found, self.reader = Found(), seeded.tokens[READER]

    async def prepare(self) -> None:
        """Give the roles."""
        async with self.database.work() as session:
            for number, role in ((MODERATOR, "moderator"), (ADMINISTRATOR, "administrator")):
                given = {"handle": f"member{number:03}", "role": role, "slug": None}
                await session.execute(text(GRANT), given)

    # Writes

    def send(self, who: int, method: str, path: str, **body: Any) -> Any:
        """Send something by a member, to the processes in turn. Raises ValueError when it is refused."""
        answer = _ask(next(self.writers), method, API + path, self.seeded.tokens[who], body or None)
        if answer.status >= 300:
            raise ValueError(f"{method} {path} by {who}: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body) if answer.body else None

    async def sql(self, statement: str, **values: Any) -> None:
        """Change something by hand."""
        async with self.database.work() as session:
            await session.execute(text(statement), values)

    def reply(self, thread: int) -> Own:
        """Reply in a thread, by somebody."""
        author = self.chance.choice(WRITERS)
        post = self.send(author, "POST", f"/threads/{thread}/posts", body_markdown=next(self.words))
        self.own.append(Own(post["id"], post["number"], thread, author))
        return self.own[-1]

    async def replies(self, thread: int) -> AsyncIterator[int]:
        """Reply."""
        self.reply(thread)
        yield thread

    async def edits(self, thread: int) -> AsyncIterator[int]:
        """Edit a post that was written a moment ago."""
        post = self.reply(thread)
        yield thread
        edited = self.send(post.author, "PATCH", f"/posts/{post.id}", revision=1, body_markdown=next(self.words))
        post.revision = edited["revision"]
        yield thread

    async def withdrawals(self, thread: int) -> AsyncIterator[int]:
        """Withdraw an older one."""
        post = self.own.pop(self.chance.randrange(len(self.own))) if self.own else self.reply(thread)
        self.own = [other for other in self.own if other is not post]
        self.send(post.author, "DELETE", f"/posts/{post.id}")
        yield post.thread

    def decide(self, post: Own, **measure: Any) -> None:
        """Decide on a post that a moderator sees."""
        seen = {"note": "I saw it.", "category": "rule", "revision": post.revision}
        case = self.send(MODERATOR, "POST", f"/moderation/posts/{post.id}/case", **seen)
        said = {"version": case["version"], "revision": case["post_revision"], "rules": [10], "reason": "Be kind."}
        self.send(MODERATOR, "POST", f"/moderation/cases/{case['id']}/decisions", measures=[measure], **said)

    async def redactions(self, thread: int) -> AsyncIterator[int]:
        """Take words out of a post."""
        post = self.reply(thread)
        yield thread
        self.decide(post, kind="redact", spans=[[4, 20]])
        self.own.remove(post)
        yield thread

    async def removals(self, thread: int) -> AsyncIterator[int]:
        """Remove a post."""
        post = self.reply(thread)
        yield thread
        self.decide(post, kind="remove")
        self.own.remove(post)
        yield thread

    async def reactions(self, thread: int) -> AsyncIterator[int]:
        """React to a post, and take it back."""
        post = self.reply(thread)
        for method in ("PUT", "DELETE"):
            self.send(READER + 1, method, f"/posts/{post.id}/reactions/thank")
            yield thread

    async def endorsements(self, thread: int) -> AsyncIterator[int]:
        """Say that a post is right, and take it back."""
        post = self.reply(thread)
        for method in ("PUT", "DELETE"):
            self.send(ADVISER, method, f"/posts/{post.id}/endorsement")
            yield thread

    def version(self, thread: int) -> int:
        """The version of a thread, as a moderator has it on the screen."""
        return int(self.send(MODERATOR, "GET", f"/threads/{thread}")["version"])

    async def titles(self, thread: int) -> AsyncIterator[int]:
        """Give a thread another title."""
        title = f"Another question, {self.chance.random()}"
        self.send(MODERATOR, "PATCH", f"/threads/{thread}", version=self.version(thread), title=title)
        yield thread

    async def moves(self, thread: int) -> AsyncIterator[int]:
        """Move a thread; its old board and its new one are looked at."""
        yield thread
        here = await self.place_of(thread)
        there = self.chance.choice([slug for slug in self.seeded.boards if slug != here])
        self.send(MODERATOR, "PUT", f"/threads/{thread}/board", version=self.version(thread), board=there)
        yield thread
        self.places[thread] = here
        yield thread

    async def locks(self, thread: int) -> AsyncIterator[int]:
        """Lock a thread, and unlock it."""
        self.send(MODERATOR, "PUT", f"/threads/{thread}/lock", reason="We read what was reported.")
        yield thread
        self.send(MODERATOR, "DELETE", f"/threads/{thread}/lock")
        yield thread

    async def pins(self, thread: int) -> AsyncIterator[int]:
        """Pin a thread, and unpin it."""
        for method in ("PUT", "DELETE"):
            self.send(MODERATOR, method, f"/threads/{thread}/pin")
            yield thread

    async def bans(self, thread: int) -> AsyncIterator[int]:
        """Ban the member who reads, and lift that.

        They sign in anew each time: whose session it is, a process knows for five seconds (`sessions.CACHED_FOR`).
        """
        for standing in (Standing.BANNED, None):
            async with self.database.work() as session:
                member = await get_member(session, f"member{READER:03}")
                if standing:
                    given = await add_sanction(session, member.id, standing, clock.now(), None)
                else:
                    await session.delete(await session.get_one(Sanction, given.id))
                _, self.reader = await open_session(session, member, Transport.BEARER, clock.now(), second_factor=True)
            yield thread

    async def closures(self, thread: int) -> AsyncIterator[int]:
        """Archive the board of a thread, and open it again."""
        for archived_at in ("now()", "NULL"):
            its_board = "id = (SELECT board_id FROM thread WHERE id = :thread)"
            await self.sql(f"UPDATE board SET archived_at = {archived_at} WHERE {its_board}", thread=thread)
            yield thread

    async def audiences(self, thread: int) -> AsyncIterator[int]:
        """Keep the board of a thread for members, and open it to all again."""
        for readers in ("member", "everyone"):
            its_board = "id = (SELECT board_id FROM thread WHERE id = :thread)"
            await self.sql(f"UPDATE board SET readers = '{{{readers}}}' WHERE {its_board}", thread=thread)
            yield thread

    async def erasures(self, thread: int) -> AsyncIterator[int]:
        """Erase what somebody wrote in a thread, as when they leave."""
        post = self.reply(thread)
        yield thread
        async with self.database.work() as session:
            member = await get_member(session, f"member{post.author:03}")
            await erase_posts(session, member.id, thread, (), clock.now())
        self.own = [other for other in self.own if (other.author, other.thread) != (post.author, thread)]
        yield thread

    async def changes_by_hand(self, thread: int) -> AsyncIterator[int]:
        """Change something that shows, in psql."""
        await self.sql(self.chance.choice(BY_HAND), thread=thread)
        yield thread

    # Reads

    async def place_of(self, thread: int) -> str:
        """The board that is looked at: where the thread is, or once where it was."""
        if thread in self.places:
            return self.places.pop(thread)
        slug = text("SELECT slug FROM board JOIN thread ON board.id = thread.board_id WHERE thread.id = :thread")
        async with self.database.work() as session:
            return str(await session.scalar(slug, {"thread": thread}))

    def addresses(self, thread: int, board: str) -> list[tuple[str | None, str]]:
        """Who reads what after a change to a thread: its page and its board in both forms, and what shows both."""
        other = f"{API}/threads/{thread}/posts?from={1 + 20 * self.chance.randrange(3)}"
        pages = (f"/threads/{thread}", f"/boards/{board}", "/", f"{API}/boards", f"{API}/boards/{board}")
        return [
            (None, f"{API}/threads/{thread}/posts"),
            (None, f"{API}/boards/{board}/threads"),
            (None, self.chance.choice(pages)),
            (self.reader, self.chance.choice((f"{API}/threads/{thread}", other))),
        ]

    async def look(self, what: str, thread: int) -> None:
        """Read what shows a thread of both processes, with all bytes and asked whether there are others."""
        for who, path in self.addresses(thread, await self.place_of(thread)):
            before = self.tags.get((who, path), '"none"')
            for place, reader in enumerate(self.readers):
                for tag in (None, before):
                    self.found.reads += 1
                    if self._is_stale(reader, who, path, tag):
                        self.found.stale[what] += 1
                        self.found.where.append(f"{what}: {path}, process {place}, {'asked again' if tag else 'whole'}")
            self.tags[who, path] = _ask(self.truth, "GET", path, who).tag or '"none"'

    def _is_stale(self, reader: http.client.HTTPConnection, who: str | None, path: str, tag: str | None) -> bool:
        """Whether that reader is told what was so neither before it asked nor after."""
        true = _ask(self.truth, "GET", path, who)
        for _ in range(TRIES):
            told = _ask(reader, "GET", path, who, tag=tag, packed=self.chance.random() < 0.5)
            if _is_so(told, true, tag):
                return False
            after = _ask(self.truth, "GET", path, who)
            if after == true:
                return True
            true = after
        return False


def _is_so(told: Told, true: Told, tag: str | None) -> bool:
    if told.status == 304:
        return true.status == 200 and tag == true.tag
    return (told.status, told.body) == (true.status, true.body) and not (true.status == 200 and tag == true.tag)


def _ask(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    token: str | None = None,
    body: Mapping[str, Any] | None = None,
    *,
    tag: str | None = None,
    packed: bool = False,
) -> Told:
    headers = {"Accept-Encoding": "gzip" if packed else "identity"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if tag:
        headers["If-None-Match"] = tag
    if body:
        headers["Content-Type"] = "application/json"
    connection.request(method, path, json.dumps(body) if body else None, headers)
    answer = connection.getresponse()
    content = answer.read()
    if answer.headers["Content-Encoding"] == "gzip":
        content = gzip.decompress(content)
    return Told(answer.status, content, answer.headers["ETag"])


async def watch(community: Community, writes: int, *, done: Callable[[], object]) -> Found:
    """Write so often, each kind in turn, and read after each; then drop a trigger, and see that it is found."""
    kinds = (
        *(community.replies, community.edits, community.withdrawals, community.redactions, community.removals),
        *(community.reactions, community.endorsements, community.titles, community.moves, community.locks),
        *(community.pins, community.bans, community.closures, community.audiences, community.erasures),
        community.changes_by_hand,
    )
    await community.prepare()
    found = community.found
    for kind in itertools.cycle(kinds):
        async for thread in kind(community.chance.choice(community.threads)):
            found.writes[kind.__name__] += 1
            await community.look(kind.__name__, thread)
            done()
        if found.writes.total() >= writes:
            break
    await community.sql(FAULT)
    for _ in range(PLANTED):
        thread = community.chance.choice(community.threads)
        await community.sql(BY_HAND[0], thread=thread)
        await community.look("planted fault", thread)
    await community.database.close()
    return found


def table(found: Found) -> Table:
    """How many writes of each kind there were, and how many reads after them told what was no longer so."""
    shown = Table("", "writes", "stale reads", box=None, pad_edge=False)
    for column in shown.columns[1:]:
        column.justify = "right"
    for kind, writes in found.writes.items():
        shown.add_row(kind.replace("_", " "), f"{writes:,}", f"{found.stale[kind]:,}")
    planted = found.stale["planted fault"]
    shown.add_row(f"all: {found.reads:,} reads", f"{found.writes.total():,}", f"{found.stale.total() - planted:,}")
    shown.add_row("a planted fault: a trigger dropped", f"{PLANTED:,}", f"{planted:,}")
    return shown
