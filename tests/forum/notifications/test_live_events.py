"""Live events: who hears of what, nothing lost, nothing twice, never a word."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.core.database import Database
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.members.viewer import GUEST
from forum.notifications.inbox import NotificationKind, count_unread, count_unread_of, notify
from forum.notifications.live_events import cursor, hub
from forum.notifications.live_events.cursor import Cursor
from forum.notifications.live_events.listeners import MOST_WAITING, Listener, frame
from forum.notifications.live_events.queries import MOST_BEHIND, list_threads, read_between, read_now
from forum.notifications.live_events.tables import KEPT_FOR, delete_expired
from tests.support import make, scenes
from tests.support.scenes import sql
from tests.support.streams import Stream, Told, stream

API = "/api/v1"
HERE = Cursor("e", "10:20:12,15")


def told(name: str, **data: Any) -> Told:
    return Told(name, data)


async def begun(opened: Stream) -> list[Told]:
    """What a stream begins with."""
    return await opened.until("reset")


@dataclass
class Beacon:
    """A thread that everybody may see: who is told of a new post in it, and of nothing before, was told of nothing."""

    services: Services
    thread: int
    number: int = 1

    async def is_next(self, *streams: Stream) -> None:
        """Nothing else comes before a new post here."""
        self.number += 1
        await make.post(self.services, "heron", self.thread, f"Number {self.number}")
        for opened in streams:
            assert await opened.next() == told("post", thread=self.thread, number=self.number)


async def a_beacon(services: Services) -> Beacon:
    """A beacon, on a board of its own; Heron writes there."""
    await make.board(services, "beacon")
    return Beacon(services, await make.thread(services, await scenes.known(services, "heron"), "beacon"))


# Without a database


def test_a_cursor_is_read_as_it_was_written_and_nothing_else_is_one() -> None:
    last = 2**63 - 1
    for snapshot in ("1:1:", "10:20:", "10:20:10", "10:20:12,15", f"{last - 9}:{last}:{last - 8}"):
        assert str(cursor.parse(f"5f1c22aa90be.{snapshot}")) == f"5f1c22aa90be.{snapshot}"
    for wrong in (
        *(
            "",
            ".",
            "e",
            "e.",
            "10:20:",
            "e.10",
            "e.10:20",
            "e.20:10:",
            "e.0:20:",
            "e.-1:20:",
            "e.10:20:20",
            "e.10:20:9",
        ),
        *("e.10:20:15,12", "e.10:20:12,12", "e.10:20:12,", "e.10:20:,12", "e.10:20:x", "e.١:٢:", "e. 10:20:"),
        *("e.10:20:\n", "e.10:9223372036854775808:", f"e.1:{'9' * 30}:", "e.10:20:'; --", "e.1e1:20:", "\0.10:20:"),
        f"{'e' * cursor.LONGEST}.10:20:",
        f"e.1:{cursor.FARTHEST + 1}:",
    ):
        assert cursor.parse(wrong) is None, wrong
    assert HERE.can_follow(HERE)
    assert HERE.can_follow(Cursor("e", "9:19:"))
    assert not HERE.can_follow(Cursor("e", "10:21:"))
    assert not HERE.can_follow(Cursor("another", "9:19:"))


async def test_only_the_last_frame_has_the_cursor_and_who_reads_too_slowly_is_let_go() -> None:
    listener = Listener(GUEST, frozenset(), None)
    listener.push([frame("post", {"thread": 1}), frame("edit", {"thread": 1})], HERE, 0.0)
    assert await listener.next() == (
        b'event: post\ndata: {"thread":1}\n\nid: e.10:20:12,15\nevent: edit\ndata: {"thread":1}\n\n'
    )
    for _ in range(MOST_WAITING):
        listener.push([b":\n\n"], HERE, 0.0)
    assert not listener.is_over
    listener.push([b":\n\n"], HERE, 0.0)
    assert listener.is_over
    assert await listener.next() == b""


# The order of events


async def write(database: Database, marks: range, longest: float) -> None:
    """Write an event with each of these numbers, in transactions that commit in any order."""
    for mark in marks:
        async with database.work() as session:
            await session.execute(text(f"INSERT INTO event (kind, thread_id, number) VALUES ('post', 1, {mark})"))
            await asyncio.sleep(random.random() * longest)


async def test_a_snapshot_loses_nothing_and_tells_nothing_twice(services: Services, database_url: str) -> None:
    database = Database(database_url, pool_size=8)
    found, seen = Counter[int](), (await read_now(database.reader, None)).cursor
    resumed, asleep = Counter[int](), seen
    writers = [
        asyncio.create_task(write(database, range(1000 * who, 1000 * who + count), longest))
        for who, count, longest in ((1, 60, 0.0), (2, 60, 0.004), (3, 25, 0.02), (4, 2, 0.4), (5, 1, 0.7))
    ]
    is_over = False
    while not is_over:
        is_over = all(writer.done() for writer in writers)
        moment = await read_now(database.reader, seen)
        found.update(event.number for event in moment.events if event.number)
        seen = moment.cursor
        if is_over or random.random() < 0.1:  # somebody who comes back now and then, and goes on from where they were
            missed = await read_between(database.reader, asleep, seen)
            resumed.update(event.number for event in missed.events if event.number)
            asleep = seen
        await asyncio.sleep(0)
    await asyncio.gather(*writers)
    await database.close()
    written = {
        1000 * who + place: 1 for who, count in ((1, 60), (2, 60), (3, 25), (4, 2), (5, 1)) for place in range(count)
    }
    assert found == written
    assert resumed == written


async def test_what_is_too_old_too_much_or_of_another_database_is_not_gone_through(services: Services) -> None:
    reader = services.database.reader
    await sql(services, "INSERT INTO event (kind, thread_id, number) VALUES ('post', 1, 1)")
    first = (await read_now(reader, None)).cursor
    await sql(
        services,
        f"INSERT INTO event (kind, thread_id, number) SELECT 'post', 1, n FROM generate_series(1, {MOST_BEHIND}) n",
    )
    second = await read_now(reader, first)
    assert (len(second.events), second.is_whole) == (MOST_BEHIND, True)
    await sql(services, "INSERT INTO event (kind, thread_id, number) VALUES ('post', 1, 1)")
    assert not (await read_now(reader, first)).is_whole
    # A row of another server, whose transactions are still to come here, is not new again and again.
    await sql(services, "INSERT INTO event (xid, kind, thread_id, number) VALUES ('999999999', 'post', 1, 7)")
    now = (await read_now(reader, None)).cursor
    assert (await read_now(reader, now)).events == []
    await sql(services, "DELETE FROM event WHERE xid = '999999999'")
    # After a day nothing is left from before, and perhaps nothing of what came after.
    assert (await read_between(reader, second.cursor, now)).is_whole
    async with services.database.work() as session:
        await delete_expired(session, clock.now() + KEPT_FOR)
    assert not (await read_between(reader, second.cursor, now)).is_whole


# Who hears of what


async def test_an_open_thread_hears_of_new_changed_and_withdrawn_posts(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        thread = await make.thread(services, "heron")
        async with stream(app, thread) as guest:
            assert guest.status == 200
            assert guest.headers["content-type"].startswith("text/event-stream")
            assert (guest.headers["x-accel-buffering"], "content-length" in guest.headers) == ("no", False)
            assert guest.headers["cache-control"] == "no-store, no-transform"
            assert await begun(guest) == [told("reset", threads=[{"id": thread, "posts": 1, "last_number": 1}])]
            made = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I see"})
            assert await guest.next() == told("post", thread=thread, number=2)
            post = made.json()["id"]
            await heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Better"})
            assert await guest.next() == told("edit", thread=thread, number=2)
            await heron.delete(f"{API}/posts/{post}")
            assert await guest.next() == told("removed", thread=thread, number=2)
            await orla.put(f"{API}/threads/{thread}/lock")
            assert await guest.next() == told("thread", thread=thread, change="locked")
            await orla.delete(f"{API}/threads/{thread}/lock")
            assert await guest.next() == told("thread", thread=thread, change="unlocked")
            # Who was away goes on from where they were, by the header or the address.
            seen = guest.last_id
        await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "And again"})
        for how in ({"after": seen}, {"query": {"after": seen}}):
            async with stream(app, thread, **how) as back:  # type: ignore[arg-type]
                assert await back.next() == told("post", thread=thread, number=3)
        for strange in ("x", "another.1:1:", seen.split(".")[0] + ".1:999999999:"):
            async with stream(app, thread, after=strange) as back:
                assert (await begun(back))[-1].data == {"threads": [{"id": thread, "posts": 2, "last_number": 3}]}


async def test_a_thread_that_is_moved_out_of_sight_before_the_sending_is_told_to_nobody_outside(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    staff = await make.board(services, "staff-room", readers=("moderator",), openers=("moderator",))
    beacon = await a_beacon(services)
    thread = await make.thread(services, "heron")
    is_moved, asked = asyncio.Event(), hub.find_seen

    async def find_seen(*about: Any) -> Mapping[Any, bool]:
        await is_moved.wait()
        return await asked(*about)

    async with AsyncExitStack() as stack:
        orla = await stack.enter_async_context(make.signed_in(app, "orla", Role.MODERATOR))
        member = await stack.enter_async_context(make.signed_in(app, "magpie"))
        guest, magpie, inside = [
            await stack.enter_async_context(stream(app, thread, beacon.thread, token=token))
            for token in ("", member.headers["Authorization"], orla.headers["Authorization"])
        ]
        await begun(guest)
        for opened in (magpie, inside):
            await opened.until("notice")
        monkeypatch.setattr(hub, "find_seen", find_seen)
        await make.post(services, "heron", thread, "For your eyes only")
        await sql(services, f"UPDATE thread SET board_id = {staff.id} WHERE id = {thread}")
        is_moved.set()
        assert await inside.next() == told("post", thread=thread, number=2)
        assert await inside.next() == told("thread", thread=thread, change="moved")
        await beacon.is_next(guest, magpie, inside)
        async with stream(app, thread) as refused:
            assert refused.status == 404


async def test_members_hear_of_their_own_notices_while_they_may_see_them_and_never_of_concerns(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    staff = await make.board(services, "staff-room", readers=("moderator",), openers=("moderator",))
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "magpie") as magpie:
        beacon = await a_beacon(services)
        thread = await make.thread(services, "heron")
        own, others = (
            await make.post(services, "heron", thread, "Mine"),
            await make.post(services, "magpie", thread, "x"),
        )
        ids = [(await make.viewer(services, handle)).member_id for handle in ("heron", "magpie")]
        async with (
            stream(app, beacon.thread, token=heron.headers["Authorization"]) as first,
            stream(app, beacon.thread, token=magpie.headers["Authorization"]) as second,
        ):
            for opened in (first, second):
                assert (await opened.until("notice"))[1:] == [told("notice", unread=0)]
            async with services.database.work() as session:
                await notify(session, ids[0], NotificationKind.POST_EDITED, clock.now(), post_id=own.id)
            assert await first.next() == told("notice", unread=1)
            # Another device read it.
            page = (await heron.get(f"{API}/me/notifications")).json()
            await heron.put(f"{API}/me/notifications/read", json={"up_to": page["items"][0]["id"]})
            assert await first.next() == told("notice", unread=0)
            # About a post of somebody else that went out of sight, and about a concern: not even that something came.
            await sql(services, f"UPDATE thread SET board_id = {staff.id} WHERE id = {thread}")
            async with services.database.work() as session:
                await notify(session, ids[0], NotificationKind.POST_REMOVED, clock.now(), post_id=others.id)
                await notify(session, ids[0], NotificationKind.CONCERN_WAITING, clock.now(), subject_id=ids[1])
            await beacon.is_next(first, second)
        refs = [row[0] for row in await sql(services, "SELECT refs FROM event WHERE kind = 'notice'")]
        assert refs == [[ids[0]]] * 3


async def test_what_many_have_not_read_is_counted_as_for_each_alone(services: Services) -> None:
    await make.board(services)
    await make.board(services, "staff-room", readers=("moderator",))
    for handle, roles in (("wren", ()), ("orla", (Role.MODERATOR,)), ("heron", ()), ("ada", (Role.ADVISER,))):
        await make.member(services, handle, *roles)
    hidden = await make.thread(services, "orla", "staff-room")
    viewers = [await make.viewer(services, handle) for handle in ("wren", "orla", "heron", "ada")]
    [post] = await sql(services, f"SELECT id FROM post WHERE thread_id = {hidden}")
    async with services.database.work() as session:
        for viewer in viewers:
            for kind in (NotificationKind.POST_HELD, NotificationKind.REPORT_SETTLED):
                await notify(session, viewer.member_id, kind, clock.now(), post_id=post.id)
            await notify(session, viewer.member_id, NotificationKind.CASE_WAITING, clock.now())
    reader = services.database.reader
    alone = {viewer: await count_unread(reader, viewer) for viewer in viewers}
    assert await count_unread_of(reader, viewers) == alone
    assert len(set(alone.values())) > 1
    mine = await make.thread(services, "wren")
    found = await list_threads(reader, viewers, [{hidden, mine}, {hidden, mine}, {hidden}, set()])
    assert [[row.id for row in rows] for rows in found] == [[mine], [hidden, mine], [], []]


async def test_the_queue_is_told_to_those_who_would_find_the_case_there(app: FastAPI, services: Services) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        # Orla and Suzie moderate; the post is Suzie's.
        orla, suzie = [await enter(make.signed_in(app, who, Role.MODERATOR)) for who in ("orla", "suzie")]
        magpie = await enter(make.signed_in(app, "magpie"))
        post = await scenes.a_post(services, author="suzie")
        beacon = await a_beacon(services)
        streams = [
            await enter(stream(app, beacon.thread, token=http.headers["Authorization"]))
            for http in (orla, suzie, magpie)
        ]
        for opened in streams:
            await opened.until("notice")
        assert (await scenes.report(magpie, post.id)).status_code == 201
        found = [one for one in await streams[0].until("queue") if one.name == "queue"]
        case = await scenes.a_case(orla, post.id)
        assert found == [told("queue", case=case["id"], change="waits")]
        assert (await scenes.decide(orla, case, scenes.REMOVE)).status_code == 201
        assert (await streams[0].until("queue"))[-1] == told("queue", case=case["id"], change="decided")
        await make.post(services, "heron", beacon.thread, "Two")
        for opened in streams[1:]:
            assert {one.name for one in await opened.until("post")} <= {"notice", "post"}


async def test_who_signs_out_or_loses_a_role_hears_no_more(app: FastAPI, services: Services) -> None:
    await make.board(services, "staff-room", readers=("moderator",), openers=("moderator",), repliers=("moderator",))
    async with (
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        beacon = await a_beacon(services)
        thread = await make.thread(services, "orla", "staff-room")
        tokens = [http.headers["Authorization"] for http in (orla, suzie)]
        async with (
            stream(app, thread, beacon.thread, token=tokens[0]) as first,
            stream(app, thread, beacon.thread, token=tokens[1]) as second,
        ):
            for opened in (first, second):
                await opened.until("notice")
            member = (await make.viewer(services, "suzie")).member_id
            async with services.database.work() as session:
                await session.execute(text(f"DELETE FROM role_grant WHERE member_id = '{member}'"))
                await session.execute(text(f"UPDATE thread SET title = 'Who is next?' WHERE id = {thread}"))
            assert await first.next() == told("thread", thread=thread, change="retitled")
            await beacon.is_next(first, second)
            assert (await suzie.delete(f"{API}/sessions/current")).is_success
            assert await second.next() is None
            # A second factor that was turned off, and a sanction, count at once, too.
            await sql(services, "UPDATE member_session SET second_factor = false")
            await sql(services, f"UPDATE thread SET title = 'Who else?' WHERE id = {thread}")
            await beacon.is_next(first)
            await sql(services, "UPDATE member_session SET second_factor = true")
            await make.sanction(services, "orla", Standing.SUSPENDED)
            await sql(services, f"UPDATE thread SET title = 'And now?' WHERE id = {thread}")
            await beacon.is_next(first)


# Limits, and what breaks on the way


async def test_so_many_streams_and_no_more(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron, AsyncExitStack() as stack:
        thread, token = await make.thread(services, "heron"), heron.headers["Authorization"]
        for asked, status in (((), 422), ((2**40,), 404), (range(1, 22), 422), ((-1,), 422)):
            async with stream(app, *asked) as refused:
                assert refused.status == status, asked
        opened = [await stack.enter_async_context(stream(app, thread, token=token)) for _ in range(5)]
        async with stream(app, thread, token=token) as sixth:
            assert (sixth.status, "limit_streams" in sixth.body.decode()) == (429, True)
        for _ in range(15):
            opened.append(await stack.enter_async_context(stream(app, thread, 2**40)))
        async with stream(app, thread) as neighbour, stream(app, thread, address="198.51.100.7") as elsewhere:
            assert (neighbour.status, elsewhere.status) == (429, 200)
        assert {one.status for one in opened} == {200}
        await stack.aclose()
        async with stream(app, thread, token=token) as again:
            assert again.status == 200


async def test_a_lost_listener_loses_nothing_and_another_epoch_ends_every_stream(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "heron"))
    killed = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    )
    async with stream(app, thread) as guest:
        await begun(guest)
        for number in range(2, 8):
            if number % 2:
                await sql(services, killed)
            await make.post(services, "heron", thread, f"Post {number}")
        for number in range(2, 8):
            assert await guest.next() == told("post", thread=thread, number=number)
        # As after a restore from a backup, in which this row is not.
        await sql(services, "DELETE FROM event_epoch")
        assert await guest.next() is None
        seen = guest.last_id
    async with stream(app, thread, after=seen) as back:
        assert (await begun(back))[-1].name == "reset"


async def test_nobody_stands_still_while_the_database_cannot_be_read(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    thread = await make.thread(services, await scenes.known(services, "heron"))
    async with stream(app, thread) as guest:
        await begun(guest)

        async def broken(*_about: Any) -> None:
            raise RuntimeError

        with monkeypatch.context() as patched:
            patched.setattr(hub, "find_seen", broken)
            await make.post(services, "heron", thread, "One")
            assert await guest.next() is None
    async with stream(app, thread, after=guest.last_id) as back:
        assert await back.next() == told("post", thread=thread, number=2)
