"""The demonstration: a community in which everything that this forum promises can be seen at work."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from forum import demo
from forum.api.content.boards import ThreadList
from forum.api.content.posts import PostList
from forum.content.boards import Board
from forum.content.posts.tables import Post
from forum.content.threads.tables import Thread
from forum.core import audit, clock, embedded_postgres
from forum.core.database import Database
from forum.core.gate import PublishAtOnce
from forum.core.rate_limits import RateLimits
from forum.core.settings import Settings
from forum.core.work import Work
from forum.demo.keys import find_keys, keep_keys, make_keys
from forum.http.services import Services
from forum.members.tables import Member, Role
from forum.members.viewer import Viewer, viewer_of, viewers
from forum.notifications.inbox import Notification, NotificationKind
from moderation import rules
from tests.conftest import AS_IT_WAS_MIGRATED, database_called
from tests.support import make

API = "/api/v1"
KEYS = make_keys()
# Numbers that Ofcom keeps for drama, and the emergency services.
INVENTED = re.compile(r"0808 157 0\d{3}|08081570\d{3}|07700 ?900\d{3}|01632 ?960\d{3}")


@pytest.fixture(scope="module")
async def community(server: embedded_postgres.Server, operator: AsyncConnection) -> AsyncIterator[str]:
    """The address of a database that holds the community, written once for all of these tests."""
    await operator.execute(text(f"CREATE DATABASE community {AS_IT_WAS_MIGRATED}"))
    url = database_called(server.url, "community")
    database, written = Database(url, pool_size=1), 0

    def count() -> None:
        nonlocal written
        written += 1

    async with database.work() as session:
        await rules.adopt_house_rules(session, clock.now())
        assert await demo.is_empty(session)
        work = Work(session, clock.now(), Settings(database_url=url), RateLimits(database.reader), PublishAtOnce())
        await demo.fill(work, KEYS, written=count)
        assert not await demo.is_empty(session)
    assert written == demo.size()
    await database.close()
    yield url
    await operator.execute(text("DROP DATABASE community WITH (FORCE)"))


@pytest.fixture(scope="module")
async def app(community: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FastAPI]:
    folder = tmp_path_factory.mktemp("community")
    settings = Settings(database_url=community, data=folder, pool_size=5, **make.UNTHROTTLED)
    async with make.application(settings) as application:
        yield application


@pytest.fixture(scope="module")
async def readers(app: FastAPI) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    """A guest, and somebody of each kind, signed in with the password that the demonstration prints."""
    clients = {"guest": make.client(app)}
    for kind, handle in {"member": "magpie", "adviser": "suzie", "moderator": "orla", "lead": "priya"}.items():
        code = None if kind == "member" else KEYS.code_of(handle, clock.now())
        wanted = make.signing_in(handle, KEYS.password, code=code)
        token = (await clients["guest"].post(f"{API}/sessions", json=wanted)).json()["token"]
        clients[kind] = make.client(app, Authorization=f"Bearer {token}")
    yield clients
    for client in clients.values():
        await client.aclose()


async def _all(client: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """Every item of a list, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        answer = await client.get(API + path, params={"limit": 100, **query, **({"after": after} if after else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        after = answer.json()["next"]
        if after is None:
            return found


async def _everything(client: httpx.AsyncClient) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every thread and every post that this reader sees."""
    threads: list[dict[str, Any]] = []
    posts: list[dict[str, Any]] = []
    for board in (await client.get(f"{API}/boards")).json()["items"]:
        threads += await _all(client, f"/boards/{board['slug']}/threads")
    for thread in threads:
        posts += await _all(client, f"/threads/{thread['id']}/posts")
    return threads, posts


async def test_every_page_is_what_its_model_says(readers: dict[str, httpx.AsyncClient]) -> None:
    """Pages are written without making models of them: only here does anybody compare."""
    for reader in readers.values():
        for board in (await reader.get(f"{API}/boards")).json()["items"]:
            listed = await reader.get(f"{API}/boards/{board['slug']}/threads?limit=5")
            assert ThreadList.model_validate_json(listed.content).model_dump(mode="json") == listed.json()
            for thread in listed.json()["items"]:
                page = await reader.get(f"{API}/threads/{thread['id']}/posts?limit=30")
                assert PostList.model_validate_json(page.content).model_dump(mode="json") == page.json()


async def test_it_is_a_community_and_not_a_handful(services: Services) -> None:
    async with services.database.work() as session:

        async def count(table: Any) -> int:
            return (await session.execute(select(func.count()).select_from(table))).scalar_one()

        sizes = [await count(table) for table in (Board, Thread, Post, Member)]
        roles = Counter(role for person in await _people(session) for role in person.roles)
        of_boards = [person.handle for person in await _people(session) if person.moderated_boards]
    boards, threads, posts, people = sizes
    assert boards == 6
    assert 40 <= threads <= 50
    assert 390 <= posts <= 420
    assert 30 <= people <= 35
    staff = {Role.ADVISER: 2, Role.MODERATOR: 1, Role.SAFEGUARDING_LEAD: 1, Role.ADMINISTRATOR: 2}
    assert roles == staff | {Role.TRUSTED_FLAGGER: 1}
    assert len(of_boards) == 1


async def _people(session: Any) -> list[Viewer]:
    return [viewer_of(row) for row in (await session.execute(viewers())).all()]


async def test_one_can_sign_in_as_somebody_of_each_role(guest: httpx.AsyncClient) -> None:
    shown = {person.role: person for person in demo.sign_ins()}
    spoken = {str(role).replace("_", " ") for role in Role} | {"member", "moderator of kinship, kitchen-table"}
    assert set(shown) == spoken
    for role, person in shown.items():
        # Of the next 30 seconds: the code of these may have been used.
        code = KEYS.code_of(person.handle, clock.now() + timedelta(seconds=30)) if person.is_staff else None
        opened = await guest.post(f"{API}/sessions", json=make.signing_in(person.handle, KEYS.password, code=code))
        assert opened.status_code == 201, role
        me = await guest.get(f"{API}/me", headers={"Authorization": f"Bearer {opened.json()['token']}"})
        assert [r.replace("_", " ") for r in me.json()["roles"]] == (
            [] if role == "member" else [role.partition(" of")[0]]
        )


async def test_each_reader_finds_the_boards_that_are_for_them(readers: dict[str, httpx.AsyncClient]) -> None:
    public = ["new-here", "child-protection", "court", "kinship"]
    expected = {
        "guest": public,
        "member": [*public, "kitchen-table"],
        "adviser": [*public, "kitchen-table", "staff-room"],
        "moderator": [*public, "kitchen-table", "staff-room"],
        "lead": [*public, "kitchen-table", "staff-room"],
    }
    for kind, slugs in expected.items():
        boards = (await readers[kind].get(f"{API}/boards")).json()["items"]
        assert [board["slug"] for board in boards] == slugs
        assert all(board["threads"] and board["posts"] and board["last_post_at"] for board in boards)
        for slug in ("kitchen-table", "staff-room"):
            there = await readers[kind].get(f"{API}/boards/{slug}/threads")
            assert there.status_code == (200 if slug in slugs else 404)


async def test_a_guest_reads_whom_to_ring_before_anything_else(guest: httpx.AsyncClient) -> None:
    for board in (await guest.get(f"{API}/boards")).json()["items"]:
        assert re.search(r"999|tel:|0808 157 0\d{3}", board["help_html"][:400]), board["slug"]
        assert 'href="tel:' in board["help_html"]


async def test_every_promise_about_posts_can_be_seen(readers: dict[str, httpx.AsyncClient]) -> None:
    threads, posts = await _everything(readers["member"])
    shown = [post for post in posts if post["visibility"] == "visible"]
    html, words = "\n".join(post["body_html"] for post in shown), "\n".join(post["body_markdown"] for post in shown)
    assert any(post["visibility"] == "withdrawn" for post in posts)
    assert any(post["edited_at"] and post["revision"] > 1 for post in shown)
    assert any(post["content_warning"] for post in shown)
    assert any(post["reply_to"] for post in shown)
    assert any(post["notice"] for post in shown)
    assert html.count('class="mention"') >= 5
    assert html.count("data-post=") >= 5
    assert 'rel="ugc nofollow noopener"' in html
    assert "![" in words
    assert "<img" not in html
    for block in ("<ul>", "<ol>", "<strong>", "<em>"):
        assert block in html.replace(' dir="auto"', "")
    for script in (r"[\u0600-\u06ff]{3}", r"[\u0590-\u05ff]{3}", r"[\U0001f300-\U0001faff]"):
        assert re.search(script, words), script
    assert any(re.search(r"[\u0600-\u06ff]", thread["title"]) for thread in threads)
    assert any(re.search(r"[\U0001f300-\U0001faff]", thread["title"]) for thread in threads)


async def test_the_poem_keeps_its_lines(readers: dict[str, httpx.AsyncClient]) -> None:
    (poem,) = [
        thread for thread in await _all(readers["member"], "/boards/kitchen-table/threads") if "poem" in thread["title"]
    ]
    first = (await _all(readers["member"], f"/threads/{poem['id']}/posts"))[0]
    verses = [block for block in first["body_markdown"].split("\n\n") if block.count("\n") >= 3]
    assert verses
    assert first["body_html"].count("<br") >= sum(verse.count("\n") for verse in verses)


async def test_a_long_thread_is_read_page_by_page_to_its_end(readers: dict[str, httpx.AsyncClient]) -> None:
    member = readers["member"]
    longest = max(await _all(member, "/boards/kitchen-table/threads"), key=lambda thread: thread["last_number"])
    assert longest["last_number"] > 50
    pages = await _all(member, f"/threads/{longest['id']}/posts", limit=20)
    assert [post["number"] for post in pages] == list(range(1, longest["last_number"] + 1))
    there = await member.get(longest["last_post"]["href"])
    assert there.json()["items"][0]["number"] == longest["last_post"]["number"]


async def test_locked_and_pinned_threads_are_what_they_say(readers: dict[str, httpx.AsyncClient]) -> None:
    threads, _ = await _everything(readers["member"])
    locked = [thread for thread in threads if thread["state"] == "locked"]
    assert locked
    for thread in locked:
        answer = await readers["member"].post(f"{API}/threads/{thread['id']}/posts", json={"body_markdown": "But"})
        assert answer.status_code == 403
    for slug in ("court", "kinship", "new-here", "kitchen-table"):
        listed = await _all(readers["member"], f"/boards/{slug}/threads")
        pinned = [thread["pinned"] for thread in listed]
        assert pinned[0]
        assert pinned == sorted(pinned, reverse=True)


async def test_advisers_answered_most_and_some_threads_still_wait(readers: dict[str, httpx.AsyncClient]) -> None:
    advisers = (await readers["guest"].get(f"{API}/advisers")).json()["items"]
    assert {adviser["handle"] for adviser in advisers} == {"suzie", "marcus"}
    threads, _ = await _everything(readers["guest"])
    answered = [thread for thread in threads if thread["adviser_replies"]["count"]]
    assert len(answered) >= 10
    first = (await readers["guest"].get(answered[0]["adviser_replies"]["first"]["href"])).json()["items"][0]
    assert first["adviser"]["organisation"] == "Example Family Charity"
    waiting = await _all(readers["adviser"], "/adviser/threads")
    assert len(waiting) >= 3
    assert [thread["waiting_since"] for thread in waiting] == sorted(thread["waiting_since"] for thread in waiting)
    assert max(thread["waiting_working_days"] for thread in waiting) >= 1
    assert (await readers["member"].get(f"{API}/adviser/threads")).status_code == 403


async def test_an_edit_and_a_name_wait_for_a_moderator(readers: dict[str, httpx.AsyncClient]) -> None:
    queue = await _all(readers["moderator"], "/moderation/cases")
    screens = [(await readers["moderator"].get(f"{API}/moderation/cases/{case['id']}")).json() for case in queue]
    edits = {(edit["state"], edit["body_markdown"][:15]) for screen in screens for edit in screen["held_edits"]}
    assert edits == {("waiting", "Left a message.")}  # on the screen of the appeal, too
    names = [one["reported_handle"] for screen in screens for one in screen["reported"] if one["reported_handle"]]
    assert names == ["jem-was-in-care"]


async def test_a_newcomers_first_post_waits_for_a_moderator(readers: dict[str, httpx.AsyncClient]) -> None:
    listed = {kind: await _all(client, "/boards/new-here/threads") for kind, client in readers.items()}
    (held,) = [thread for thread in listed["moderator"] if thread["visibility"] == "held"]
    assert held["author"]["handle"] == "nell1990"
    for kind in ("guest", "member", "adviser", "lead"):
        assert held["id"] not in {thread["id"] for thread in listed[kind]}
        assert (await readers[kind].get(f"{API}/threads/{held['id']}")).status_code == 404


async def test_what_was_edited_or_taken_back_is_kept_for_moderators_only(
    readers: dict[str, httpx.AsyncClient],
) -> None:
    _, posts = await _everything(readers["moderator"])
    edited = [post for post in posts if post["visibility"] == "visible" and post["revision"] > 1]
    gone = [post for post in posts if post["visibility"] == "withdrawn"]
    assert edited
    assert gone
    for post in [*edited, *gone]:
        kept = await readers["moderator"].get(f"{API}/posts/{post['id']}/revisions")
        assert kept.status_code == (200 if post in edited else 403)  # withdrawn words are on a case's screen only
        assert post in gone or kept.json()["items"]
        assert (await readers["lead"].get(f"{API}/posts/{post['id']}/revisions")).status_code == 403


async def test_every_quote_and_mention_that_was_written_is_one(readers: dict[str, httpx.AsyncClient]) -> None:
    """A name misspelt in the community's own files would stay plain text, and nobody would notice."""
    _, posts = await _everything(readers["moderator"])
    quotes = 0
    for post in posts:
        if post["visibility"] != "visible":
            continue
        wanted = re.findall(r"^> @(\S+) #(\d+)", post["body_markdown"], re.MULTILINE)
        assert post["body_html"].count("data-post=") == len(wanted), post["body_markdown"]
        quotes += len(wanted)
        unquoted = re.sub(r"^> @.*$", "", post["body_markdown"], flags=re.MULTILINE)
        mentions = re.findall(r"(?<![\w/])@([\w.-]*\w)", unquoted)
        assert post["body_html"].count("data-handle=") == len(mentions), post["body_markdown"]
    assert quotes >= 5


async def test_everything_happened_in_its_time(services: Services) -> None:
    now = clock.now()
    async with services.database.work() as session:
        rows = (
            await session.execute(
                select(
                    col(Post.thread_id),
                    col(Post.number),
                    col(Post.created_at),
                    col(Post.edited_at),
                    col(Member.joined_at),
                    col(Member.handle),
                )
                .join(Member, col(Member.id) == col(Post.author_id))
                .order_by(col(Post.thread_id), col(Post.number))
            )
        ).all()
    before: tuple[int, datetime] | None = None
    for row in rows:
        assert row.joined_at <= row.created_at <= now, (row.handle, row.thread_id, row.number)
        assert row.edited_at is None or row.created_at <= row.edited_at <= now, (row.handle, row.thread_id, row.number)
        if before and before[0] == row.thread_id:
            assert before[1] <= row.created_at, (row.thread_id, row.number)
        before = row.thread_id, row.created_at


async def test_everybody_was_told_in_the_order_in_which_it_happened(services: Services) -> None:
    async with services.database.work() as session:
        told = select(col(Notification.at), col(Notification.kind)).order_by(col(Notification.id))
        rows = [tuple(row) for row in await session.execute(told)]
    times = [at for at, _ in rows]
    assert times == sorted(times)
    assert {NotificationKind.ADVISER_ANSWERED, NotificationKind.BOARD_POST} <= {
        NotificationKind(kind) for _, kind in rows
    }
    assert times[-1] - times[0] > timedelta(days=7)


async def test_nobody_in_it_is_real(readers: dict[str, httpx.AsyncClient], services: Services) -> None:
    _, posts = await _everything(readers["moderator"])
    boards = (await readers["moderator"].get(f"{API}/boards")).json()["items"]
    said = [post.get("body_markdown", "") for post in posts] + [board["help_html"] for board in boards]
    for words in said:
        for number in re.findall(r"\b0[\d ]{8,}\d", words):
            assert INVENTED.fullmatch(number), number
        for site in re.findall(r"https?://([^/\s)\"<]+)", words):
            assert site == "example.org"
        assert not re.search(r"\w@\w+\.\w", words)
    async with services.database.work() as session:
        emails = (await session.execute(select(col(Member.email)))).scalars().all()
    assert all(email.endswith("@example.org") for email in emails)


async def test_the_lists_count_what_can_be_read(readers: dict[str, httpx.AsyncClient]) -> None:
    threads, posts = await _everything(readers["moderator"])
    for thread in threads:
        shown = [post for post in posts if post["thread_id"] == thread["id"] and post["visibility"] == "visible"]
        assert thread["posts"] == len(shown)
        assert thread["participants"] == len({post["author"]["handle"] for post in shown})
        assert thread["adviser_replies"]["count"] == sum(bool(post["adviser"]) and post["number"] > 1 for post in shown)
        last = thread["last_post"]
        assert (last and last["number"]) == (shown[-1]["number"] if shown else None)
    for board in (await readers["moderator"].get(f"{API}/boards")).json()["items"]:
        there = [thread for thread in threads if thread["board"]["slug"] == board["slug"]]
        assert board["posts"] == sum(thread["posts"] for thread in there)


async def test_what_staff_did_in_it_is_on_record(services: Services) -> None:
    async with services.database.work() as session:
        head = await audit.verify(session)
        acts = set((await session.execute(select(col(audit.AuditEntry.act)).distinct())).scalars())
    assert head.number > 20
    assert {"board.made", "role.granted", "thread.locked", "thread.pinned"} <= acts


def test_each_demonstration_has_keys_of_its_own_which_only_its_owner_reads(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert find_keys(one) is None
    for folder in (one, other):
        keep_keys(folder, make_keys())
    keys, others = find_keys(one), find_keys(other)
    assert keys
    assert others
    assert keys.password != others.password
    assert keys.secret_of("suzie") != others.secret_of("suzie")
    assert keys.secret_of("suzie") != keys.secret_of("orla")
    assert (one / "demo.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("host", ["::", "forum.example.org"])
def test_a_demonstration_is_for_this_machine_unless_one_says_otherwise(host: str, tmp_path: Path) -> None:
    environment = {**os.environ, "FORUM_DATA": str(tmp_path)}
    command = (sys.executable, "-m", "forum", "demo", "--host", host)
    refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "--for-everybody" in refused.stderr
    assert list(tmp_path.iterdir()) == []
