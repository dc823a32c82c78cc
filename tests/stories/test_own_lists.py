"""Whatever becomes of posts and threads: a member's own lists lead to what they find, and count what there is."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content.boards import Publication
from forum.core import clock
from forum.core.errors import Conflict, NotFound
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import REMOVE, decision, house_rules, sql

API = "/api/v1"
STEPS, LOOKS = 60, 12  # in each game; how often all lists are looked at
BOARDS = ("new-here", "court", "staff-room")
WORDS = ("I see", "What do you say, @heron?", "> @heron #1 wrote:\n> Hello all\n\nYes")


@dataclass
class Game:
    """Heron's lists, and what others do meanwhile."""

    services: Services
    heron: httpx.AsyncClient
    orla: httpx.AsyncClient
    chance: random.Random
    story: list[str] = field(default_factory=list)

    async def pick(self, kind: str, *, own: bool = False) -> int:
        """A thread or a post; of Heron's own, where there is one."""
        by_heron = "author_id = (SELECT id FROM member WHERE handle = 'heron')"
        rows = await sql(self.services, f"SELECT id, {by_heron} AS own FROM {kind} ORDER BY id")
        return int(self.chance.choice([row for row in rows if row.own and own] or rows).id)

    async def of_heron(self, method: str, path: str, **body: Any) -> None:
        """What Heron asks for, whatever comes of it."""
        answer = await self.heron.request(method, f"{API}{path}", json=body or None)
        assert answer.status_code < 500, (answer.text, self.story)
        self.story.append(f"heron: {method} {path} {body} → {answer.status_code}")


async def _opens(game: Game) -> None:
    author, slug = game.chance.choice(("magpie", "suzie")), game.chance.choice(BOARDS[:2])
    game.story.append(f"{author} opens {await make.thread(game.services, author, slug)} on {slug}")


async def _replies(game: Game) -> None:
    thread, author = await game.pick("thread"), game.chance.choice(("magpie", "suzie"))
    with suppress(NotFound, Conflict):  # it may wait, or have moved to the staff room
        post = await make.post(game.services, author, thread, game.chance.choice(WORDS))
        game.story.append(f"{author} writes {thread}#{post.number}")


async def _heron_opens(game: Game) -> None:
    slug = game.chance.choice(("new-here", "first-posts"))
    await game.of_heron("POST", f"/boards/{slug}/threads", title="What now?", body_markdown="They come on Monday")


async def _heron_replies(game: Game) -> None:
    await game.of_heron("POST", f"/threads/{await game.pick('thread')}/posts", body_markdown=f"So {len(game.story)}")


async def _heron_reads(game: Game) -> None:
    number, back = game.chance.randrange(5), game.chance.random() < 0.3
    await game.of_heron("PUT", f"/threads/{await game.pick('thread')}/read", number=number, back=back)


async def _heron_has_read_all(game: Game) -> None:
    await game.of_heron("PUT", "/me/threads/read")


async def _heron_follows(game: Game) -> None:
    place = game.chance.choice((f"/threads/{await game.pick('thread')}", "/boards/new-here"))
    await game.of_heron("PUT", f"{place}/subscription", mode=game.chance.choice(("each", "digest", "off")))


async def _heron_saves(game: Game) -> None:
    await game.of_heron("PUT", f"/posts/{await game.pick('post')}/bookmark")


async def _heron_takes_back(game: Game) -> None:
    await game.of_heron("DELETE", f"/posts/{await game.pick('post', own=True)}")


async def _heron_ignores(game: Game) -> None:
    await game.of_heron(game.chance.choice(("PUT", "DELETE")), "/me/ignored/magpie")


async def _everybody_is_told(game: Game) -> None:
    await run_due_jobs(game.services, clock.now())
    game.story.append("everybody is told")


async def _orla_removes(game: Game) -> None:
    post = await game.pick("post")
    seen = {"revision": 1, "note": "Look at this"}
    opened = await game.orla.post(f"{API}/moderation/posts/{post}/case", json=seen)
    if opened.is_success:
        wanted = decision(opened.json(), REMOVE)
        await game.orla.post(f"{API}/moderation/cases/{opened.json()['id']}/decisions", json=wanted)
    game.story.append(f"orla removes {post}")


async def _orla_moves(game: Game) -> None:
    thread, board = await game.pick("thread"), game.chance.choice(BOARDS)
    found = await game.orla.get(f"{API}/threads/{thread}")
    if found.is_success:
        await game.orla.put(f"{API}/threads/{thread}/board", json={"version": found.json()["version"], "board": board})
    game.story.append(f"orla moves {thread} to {board}")


DEEDS: tuple[Callable[[Game], Awaitable[None]], ...] = (
    *(_opens, _heron_replies, _heron_has_read_all, _heron_follows, _heron_takes_back, _heron_ignores),
    *(_heron_opens, _heron_reads, _heron_saves, _orla_removes, _orla_moves, _everybody_is_told) * 2,
    *(_replies,) * 3,
)


@pytest.mark.parametrize("seed", range(2))
async def test_ones_own_lists_lead_to_what_one_finds(app: FastAPI, services: Services, seed: int) -> None:
    await house_rules(services)
    for slug in BOARDS[:2]:
        await make.board(services, slug)
    await make.board(services, "first-posts", publication=Publication.HOLD_ALL)
    await make.board(services, "staff-room", readers=("moderator",))
    await make.member(services, "magpie")
    await make.member(services, "suzie", Role.ADVISER)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        game = Game(services, heron, orla, random.Random(seed))
        await _opens(game)
        for step in range(1, STEPS + 1):
            await game.chance.choice(DEEDS)(game)
            if step % (STEPS // LOOKS) == 0:
                await _look(game)


async def _look(game: Game) -> None:
    """Look through all lists of Heron's."""
    found = await _found(game)
    marks = await _items(game, "/me/marks?" + "&".join(f"thread={thread}" for thread in found)) if found else []
    assert [mark["thread_id"] for mark in marks] == sorted(found), game.story
    assert all(mark["unread_from"] in _shown(found[mark["thread_id"]]) for mark in marks if mark["unread"]), game.story
    unread = {mark["thread_id"] for mark in marks if mark["unread"]}
    for kind in ("opened", "written", "followed", "unread"):
        listed = {thread["id"] for thread in await _items(game, f"/me/threads?kind={kind}&limit=100")}
        assert listed <= found.keys(), (kind, game.story)
        assert kind != "unread" or listed == unread, game.story
    for saved in await _items(game, "/me/bookmarks?limit=100"):
        assert saved["number"] in _shown(found[saved["thread_id"]], own=True), (saved, game.story)
    for followed in await _items(game, "/me/subscriptions?limit=100"):
        assert not followed["thread"] or followed["thread"]["id"] in found, (followed, game.story)
    notices = await _items(game, "/me/notifications?limit=100")
    for notice in notices:
        if notice["count"]:
            assert notice["number"] in _shown(found[notice["thread_id"]]), (notice, game.story)
        elif notice["post_id"]:
            assert notice["number"] in found[notice["thread_id"]], (notice, game.story)
    home = (await game.heron.get(f"{API}/home")).json()
    assert home["unread_notifications"] == sum(notice["read_at"] is None for notice in notices), game.story


async def _found(game: Game) -> dict[int, dict[int, dict[str, Any]]]:
    """The threads that Heron finds, and the posts in each, by their numbers."""
    found = dict[int, dict[int, dict[str, Any]]]()
    for row in await sql(game.services, "SELECT id FROM thread"):
        page = await game.heron.get(f"{API}/threads/{row.id}/posts?limit=100")
        assert page.status_code in {200, 404}, (page.text, game.story)
        if page.is_success:
            found[row.id] = {post["number"]: post for post in page.json()["items"]}
    return found


def _shown(posts: dict[int, dict[str, Any]], *, own: bool = False) -> set[int]:
    """The numbers of posts that can be read; those of others alone, or Heron's own too."""
    readable = {number: post for number, post in posts.items() if post["visibility"] in {"visible", "held"}}
    return {number for number, post in readable.items() if own or post["author"]["handle"] != "heron"}


async def _items(game: Game, path: str) -> list[dict[str, Any]]:
    answer = await game.heron.get(f"{API}{path}")
    assert answer.status_code == 200, (path, answer.text, game.story)
    items: list[dict[str, Any]] = answer.json()["items"]
    return items
