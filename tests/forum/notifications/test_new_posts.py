"""Who is told of a new post, as what, and who is not."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from forum import worker
from forum.core import clock, jobs
from forum.core.sweeps import Sweep, sweep_once
from forum.features import sweeps_of
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.notifications import letters, new_posts
from forum.notifications.letter_times import LetterMode
from forum.notifications.letters import LetterChoice
from forum.notifications.new_posts import TELL_OF_POST
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import sql

API = "/api/v1"
NEW = ("kind", "thread_id", "number", "last_number", "count")


async def tell(services: Services) -> None:
    await run_due_jobs(services, clock.now())


async def follow(client: httpx.AsyncClient, place: str, mode: str = "each") -> None:
    answer = await client.put(f"{API}{place}/subscription", json={"mode": mode})
    assert answer.status_code == 204, answer.text


async def notices(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get(f"{API}/me/notifications")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def told(client: httpx.AsyncClient) -> list[tuple[Any, ...]]:
    """What they have not read: kind, thread, first and last number, count."""
    return [tuple(item[name] for name in NEW) for item in await notices(client) if item["read_at"] is None]


async def unread(client: httpx.AsyncClient) -> int:
    return int((await client.get(f"{API}/me/notifications")).json()["unread"])


async def has_been_told(services: Services, *posts: int) -> Sequence[Any]:
    return await sql(services, f"SELECT told_at IS NOT NULL FROM post WHERE id IN ({', '.join(map(str, posts))})")


@pytest.fixture
async def thread(services: Services) -> int:
    """A question of magpie's, on the only board."""
    await make.board(services)
    await make.member(services, "magpie")
    thread = await make.thread(services, "magpie")
    await tell(services)
    return thread


async def test_whoever_asked_hears_of_answers_and_of_an_advisers_answer_first(
    app: FastAPI, services: Services, thread: int
) -> None:
    await make.member(services, "heron")
    await make.member(services, "suzie", Role.ADVISER)
    async with make.signed_in(app, "magpie") as magpie:
        await make.post(services, "heron", thread)
        await make.post(services, "suzie", thread, "Yes, @magpie, they can", reply_to=1)
        await tell(services)
        assert await told(magpie) == [("adviser_answered", thread, 3, 3, 1), ("thread_post", thread, 2, 2, 1)]
        [first, _] = await notices(magpie)
        assert first["thread_title"] == "A question"
        assert await unread(magpie) == 2


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        ({"body": "What do you say, @heron?\n\n> @heron #2\n> I see", "reply_to": 2}, "mention"),
        ({"body": "> @heron #2\n> I see\n\nDo you?", "reply_to": 2}, "quote"),
        ({"body": "Do you?", "reply_to": 2}, "reply"),
        ({"body": "Let us see"}, "thread_post"),
        ({"body": "> @magpie #1\n> Hello all @heron\n\nLet us see"}, "thread_post"),
        ({"body": "> @heron #2\n> I never said so\n\nLet us see"}, "thread_post"),
    ],
)
async def test_one_person_is_told_of_one_post_once(
    app: FastAPI, services: Services, thread: int, draft: dict[str, Any], kind: str
) -> None:
    async with make.signed_in(app, "heron") as heron:
        await follow(heron, "/boards/new-here")
        await make.post(services, "heron", thread)
        await make.post(services, "magpie", thread, **draft)
        await tell(services)
        assert await told(heron) == [(kind, thread, 3, 3, 1)]


async def test_who_follows_the_board_hears_of_all_its_threads_but_those_that_are_off(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "otter") as otter,
        make.signed_in(app, "wren") as wren,
    ):
        await follow(heron, "/boards/new-here")
        await follow(otter, "/boards/new-here")
        await follow(otter, f"/threads/{thread}", "off")
        await follow(wren, "/boards/new-here", "off")
        another = await make.thread(services, "magpie")
        await make.post(services, "magpie", thread, "@otter, what do you say? And @wren?")
        await tell(services)
        assert await told(heron) == [("board_post", thread, 2, 2, 1), ("board_post", another, 1, 1, 1)]
        assert await told(otter) == [("board_post", another, 1, 1, 1)]
        assert await told(wren) == [("mention", thread, 2, 2, 1)]  # of a board, `off` is what no choice is


async def test_a_second_post_raises_the_count_and_comes_to_the_top(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron:
        await follow(heron, "/boards/new-here", "digest")
        await make.post(services, "magpie", thread)
        await tell(services)
        [before] = await notices(heron)
        another = await make.thread(services, "magpie")
        await make.post(services, "magpie", thread)
        await make.post(services, "magpie", thread)
        await tell(services)
        assert await told(heron) == [("board_post", thread, 2, 4, 3), ("board_post", another, 1, 1, 1)]
        # Who marks as read what was on the screen before does not mark what they have not seen.
        read = await heron.put(f"{API}/me/notifications/read", json={"up_to": before["id"]})
        assert (read.status_code, await unread(heron)) == (204, 2)
        newest = (await notices(heron))[0]["id"]
        await heron.put(f"{API}/me/notifications/read", json={"up_to": newest})
        await make.post(services, "magpie", thread)
        await tell(services)
        assert await told(heron) == [("board_post", thread, 5, 5, 1)]


async def test_reading_the_thread_reads_what_was_told_of_it(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await follow(heron, f"/threads/{thread}")
        for _ in range(3):
            await make.post(services, "magpie", thread)
        await tell(services)
        await heron.get(f"{API}/threads/{thread}/posts")
        assert await told(heron) == [("thread_post", thread, 2, 4, 3)]
        await heron.put(f"{API}/threads/{thread}/read", json={"number": 3})
        assert await told(heron) == [("thread_post", thread, 4, 4, 1)]
        await heron.put(f"{API}/threads/{thread}/read", json={"number": 4})
        assert (await told(heron), await unread(heron)) == ([], 0)
        await make.post(services, "magpie", thread)
        await tell(services)
        assert (await heron.put(f"{API}/me/threads/read")).status_code == 204
        assert await unread(heron) == 0


async def test_who_has_read_a_post_before_the_job_ran_is_not_told(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "otter") as otter:
        await follow(heron, f"/threads/{thread}")
        await follow(otter, f"/threads/{thread}")
        await make.post(services, "magpie", thread)
        await heron.put(f"{API}/threads/{thread}/read", json={"number": 2})
        await otter.put(f"{API}/me/threads/read")
        await tell(services)
        assert await told(heron) == await told(otter) == []


async def test_nobody_is_told_of_their_own_post_nor_who_is_gone(app: FastAPI, services: Services, thread: int) -> None:
    async with (
        make.signed_in(app, "heron") as heron,
        make.signed_in(app, "otter") as otter,
        make.signed_in(app, "robin") as robin,
    ):
        for each in (heron, otter, robin):
            await follow(each, f"/threads/{thread}")
        await make.sanction(services, "otter", Standing.SUSPENDED)
        await make.sanction(services, "robin", Standing.SILENCED)
        await make.post(services, "heron", thread, "Well, @heron would say > so", reply_to=1)
        await tell(services)
        assert await told(heron) == []
        assert await sql(services, "SELECT handle FROM notification JOIN member ON member.id = member_id") == [
            ("magpie",),
            ("robin",),
        ]


@pytest.mark.parametrize(
    ("readers", "roles", "is_told"),
    [
        (("everyone",), (), True),
        (("member",), (), True),
        (("moderator",), (), False),
        (("adviser",), (Role.ADVISER,), True),
        (("moderator",), (Role.ADVISER,), False),
        (("moderator", "adviser"), (Role.MODERATOR,), True),
        (("administrator",), (Role.MODERATOR,), False),
    ],
)
async def test_whoever_may_not_read_there_is_not_told(
    app: FastAPI, services: Services, readers: tuple[str, ...], roles: tuple[Role, ...], is_told: bool
) -> None:
    await make.board(services)
    await make.member(services, "orla", Role.MODERATOR)
    async with make.signed_in(app, "heron", *roles) as heron:
        await follow(heron, "/boards/new-here")
        await make.thread(services, "orla")
        await sql(services, f"UPDATE board SET readers = ARRAY{list(readers)} RETURNING 1")
        # What the job says of many members is what each one's own read says.
        assert (await heron.get(f"{API}/boards/new-here")).status_code == (200 if is_told else 404)
        await tell(services)
        assert len(await sql(services, "SELECT id FROM notification")) == int(is_told)


async def test_who_moderates_one_board_hears_of_it_whoever_reads_there(app: FastAPI, services: Services) -> None:
    await make.board(services, "court", readers=("administrator",))
    await make.board(services, "staff-room", readers=("moderator",))
    await make.board(services, "office", readers=("administrator",))
    await make.member(services, "vera", Role.ADMINISTRATOR, Role.MODERATOR)
    async with make.signed_in(app, "tern", boards=("court",)) as tern:
        await follow(tern, "/boards/court")
        await follow(tern, "/boards/staff-room")
        found = [await make.thread(services, "vera", slug) for slug in ("court", "staff-room", "office")]
        await tell(services)
        assert [item["thread_id"] for item in await notices(tern)] == [found[1], found[0]]


async def test_a_post_that_waits_is_told_of_once_it_is_there(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await follow(heron, f"/threads/{thread}")
        post = await make.post(services, "magpie", thread)
        await sql(
            services, f"UPDATE post SET visibility = 'held', held_because = 'So.' WHERE id = {post.id} RETURNING 1"
        )
        await tell(services)
        assert (await told(heron), await has_been_told(services, post.id)) == ([], [(False,)])
        shown = "visibility = 'visible', held_because = NULL, published_at = now()"
        await sql(services, f"UPDATE post SET {shown} WHERE id = {post.id} RETURNING 1")
        for _ in range(2):  # as if two jobs were there, or one ran twice
            await enqueue_again(services, post.id)
        await tell(services)
        assert (await told(heron), await has_been_told(services, post.id)) == (
            [("thread_post", thread, 2, 2, 1)],
            [(True,)],
        )


async def enqueue_again(services: Services, post_id: int) -> None:
    async with services.database.work() as session:
        await jobs.enqueue(session, TELL_OF_POST, {"post": str(post_id)})


async def test_what_can_no_longer_be_seen_is_not_told_of_any_more(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        await follow(heron, f"/threads/{thread}")
        posts = [await make.post(services, "magpie", thread) for _ in range(3)]
        await tell(services)
        assert await told(heron) == [("thread_post", thread, 2, 4, 3)]
        assert (await magpie.delete(f"{API}/posts/{posts[0].id}")).status_code == 204
        assert await told(heron) == [("thread_post", thread, 3, 4, 2)]
        hidden = "visibility = 'held', held_because = 'So.'"
        await sql(services, f"UPDATE post SET {hidden} WHERE id = {posts[2].id} RETURNING 1")
        assert await told(heron) == [("thread_post", thread, 3, 3, 1)]
        assert (await magpie.delete(f"{API}/posts/{posts[1].id}")).status_code == 204
        assert (await told(heron), await unread(heron)) == ([], 0)


async def test_a_thread_that_moved_out_of_sight_takes_its_notifications_with_it(
    app: FastAPI, services: Services, thread: int
) -> None:
    await make.board(services, "staff-room", readers=("moderator",))
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await follow(heron, f"/threads/{thread}")
        await make.post(services, "magpie", thread)
        await tell(services)
        assert await unread(heron) == 1
        for version, board in ((1, "staff-room"), (2, "new-here")):
            moved = {"version": version, "board": board}
            assert (await orla.put(f"{API}/threads/{thread}/board", json=moved)).status_code == 200
            assert await unread(heron) == len(await notices(heron)) == (board == "new-here")


async def test_who_names_many_is_heard_by_the_first_ten_and_who_pesters_by_nobody(
    app: FastAPI, services: Services, thread: int
) -> None:
    handles = [f"heron{number}" for number in range(12)]
    for handle in handles:
        await make.member(services, handle)
    await make.post(services, "magpie", thread, " ".join(f"@{handle}" for handle in reversed(handles)))
    await tell(services)
    named = await sql(services, "SELECT handle FROM notification JOIN member ON member.id = member_id ORDER BY handle")
    assert {row[0] for row in named} == set(handles) - {"heron0", "heron1"}
    for _ in range(12):
        await make.post(services, "magpie", thread, "And you, @heron5?")
    old = clock.now() - timedelta(days=2)
    await make.post(services, "magpie", thread, "And you, @heron1?", at=old)
    await tell(services)
    async with make.signed_in(app, "heron5") as heron:
        assert [item[4] for item in await told(heron)] == [10]


async def test_a_notification_counts_up_to_a_hundred(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "heron") as heron:
        await follow(heron, f"/threads/{thread}")
        await make.post(services, "magpie", thread)
        await tell(services)
        many = "ARRAY(SELECT generate_series(3, 102))"
        await sql(services, f"UPDATE notification SET numbers = {many} RETURNING 1")
        await make.post(services, "magpie", thread)
        await tell(services)
        assert await sql(services, "SELECT cardinality(numbers) FROM notification") == [(100,)]


async def test_where_telling_of_several_posts_fails_each_becomes_a_job(
    app: FastAPI, services: Services, thread: int
) -> None:
    async def fail(session: AsyncSession, now: datetime) -> bool:
        await new_posts.tell_of_posts(session, now)
        raise ValueError

    async with make.signed_in(app, "heron") as heron:
        await follow(heron, f"/threads/{thread}")
        for _ in range(2):
            await make.post(services, "magpie", thread)
        failing = Sweep("tell_of_posts", fail, new_posts.tell_each_by_itself)
        assert not await sweep_once(services.database.work, failing, clock.now())
        assert (await told(heron), await sql(services, "SELECT 1 FROM untold_post")) == ([], [])
        assert await run_due_jobs(services, clock.now()) == [TELL_OF_POST.name, TELL_OF_POST.name]
        assert await told(heron) == [("thread_post", thread, 2, 3, 2)]


async def test_posts_that_nobody_is_told_of_hold_up_no_others(services: Services, thread: int) -> None:
    [sweep] = [one for one in sweeps_of(worker.FEATURES) if one.name == "tell_of_posts"]
    for number in range(new_posts.AT_ONCE + 1):
        await make.post(services, "magpie", thread, f"Line {number}")
    await sql(services, "UPDATE post SET told_at = now() RETURNING 1")
    assert await sweep_once(services.database.work, sweep, clock.now())  # the others come at once
    assert not await sweep_once(services.database.work, sweep, clock.now())
    assert await sql(services, "SELECT 1 FROM untold_post") == []


async def test_a_sweep_that_fails_in_every_way_comes_again(services: Services) -> None:
    async def fail(session: AsyncSession, now: datetime) -> bool:
        raise PoolTimeoutError

    async def fail_too(session: AsyncSession, now: datetime) -> None:
        raise ValueError

    for first in (fail, fail_too):
        sweep = Sweep("failing", first, fail_too)  # type: ignore[arg-type]  # what it returns is never read
        assert not await sweep_once(services.database.work, sweep, clock.now())


async def test_only_one_worker_tells_at_a_time(app: FastAPI, services: Services, thread: int) -> None:
    [sweep] = [one for one in sweeps_of(worker.FEATURES) if one.name == "tell_of_posts"]
    async with make.signed_in(app, "heron") as heron:
        await follow(heron, f"/threads/{thread}")
        await make.post(services, "magpie", thread)
        async with services.database.work() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('tell_of_posts'))"))
            await sweep_once(services.database.work, sweep, clock.now())
            assert await told(heron) == []
        await sweep_once(services.database.work, sweep, clock.now())
        assert await told(heron) == [("thread_post", thread, 2, 2, 1)]


async def test_a_job_without_a_post_does_nothing(services: Services, thread: int) -> None:
    await enqueue_again(services, 999_999)
    assert await run_due_jobs(services, clock.now()) == [TELL_OF_POST.name]


async def test_a_digest_is_a_reason_for_the_daily_letter_alone(app: FastAPI, services: Services, thread: int) -> None:
    due = "SELECT handle FROM mail_due JOIN member ON member.id = member_id ORDER BY handle"
    chosen = (
        "INSERT INTO letter_choice (member_id, mode, at, zone, refusals) "
        "SELECT id, '{mode}', '10:00', 'Europe/London', 0 FROM member WHERE handle = '{handle}' RETURNING 1"
    )
    for handle, letter, mode in (("heron", "daily", "digest"), ("otter", "soon", "digest"), ("robin", "soon", "each")):
        async with make.signed_in(app, handle) as client:
            await follow(client, "/boards/new-here", "digest" if mode == "each" else "each")
            await follow(client, f"/threads/{thread}", mode)
        await sql(services, chosen.format(handle=handle, mode=letter))
    await make.post(services, "magpie", thread)
    await tell(services)
    assert len(await sql(services, "SELECT id FROM notification")) == 3
    assert await sql(services, due) == [("heron",), ("robin",)]


async def test_two_posts_at_once_tell_the_same_members_one_after_the_other(
    app: FastAPI, services: Services, thread: int
) -> None:
    """One of the members hears of each post at once, the other once a day; in the other thread it is the reverse."""
    heron, otter = (await make.member(services, "heron")).id, (await make.member(services, "otter")).id
    first, second = sorted([heron, otter])
    async with services.database.work() as session:
        for member_id in (first, second):
            session.add(LetterChoice(member_id=member_id, mode=LetterMode.DAILY, at=time(10), zone="UTC"))

    async def tell_both() -> None:
        async with services.database.work() as session:
            await letters.mark_due(session, {first, second}, clock.now(), patient={first})

    async with services.database.work() as session:
        await letters.mark_due(session, {first}, clock.now())
        telling = asyncio.create_task(tell_both())
        await asyncio.wait([telling], timeout=0.3)
        await session.execute(text("SET LOCAL lock_timeout = '2s'"))
        await letters.mark_due(session, {second}, clock.now())  # the other does not have this row yet
    await telling
    assert len(await sql(services, "SELECT 1 FROM mail_due")) == 2
