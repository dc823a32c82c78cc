"""An old board moves in: its people, boards, threads and posts are as the forum's own actions would have made them."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from passlib.hash import phpass
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration.webhooks.tables import WebhookEvent
from forum.authentication import email_addresses, profiles
from forum.authentication.old_logins import normalise_old_login
from forum.content.lines import refuse_official
from forum.content.markup import GONE
from forum.content.posts.counts import refresh_thread_counts
from forum.core import clock
from forum.features import FEATURES, compare_counts
from forum.http.services import Services
from forum.importers import check, long_threads, old_threads, run
from forum.importers.board_rows import slug_of
from forum.importers.conversion import rewritten
from forum.importers.errors import CannotMove
from forum.importers.naming import Namer, skeletons_of
from forum.importers.old_threads import Setting
from forum.importers.people import find_without_old_name
from forum.importers.plan import Plan
from forum.importers.records import (
    BanRecord,
    BoardRecord,
    IgnoreRecord,
    PersonKind,
    PersonRecord,
    PostRecord,
    Readers,
    Shown,
    SourceRecord,
    TextForm,
    ThreadRecord,
    WatchRecord,
)
from forum.importers.rows import BatchRows
from forum.importers.run import Import, carry_over
from forum.importers.staging import Staging
from forum.importers.titles import is_whole, title_of
from forum.importers.undo.taking_back import take_back
from forum.members.tables import Role
from forum.privacy import account_deletion
from forum.privacy.tables import DepartureKind
from moderation.carried_over import CarriedOver
from moderation.gate import BoardGate
from tests.support import make
from tests.support.jobs import run_due_jobs
from tests.support.listener import told_of
from tests.support.scenes import sql

API = "/api/v1"
# All that came with threads, but for the ids that the database gives.
AS_IT_CAME = (
    "SELECT to_jsonb(thread) - '{id,author_id,board_id,last_post_by,search,tsv}'::text[] FROM thread ORDER BY title",
    "SELECT thread.title, to_jsonb(post) - '{id,thread_id,author_id,told_at,changed_by}'::text[], member.name "
    "FROM post JOIN thread ON thread.id = thread_id JOIN member ON member.id = post.author_id ORDER BY 1, number",
    "SELECT title, post.number, quoted.number, quoted_revision FROM post_quote JOIN post ON post.id = post_id "
    "JOIN thread ON thread.id = thread_id JOIN post AS quoted ON quoted.id = quoted_post_id ORDER BY 1, 2, 3",
    "SELECT title, number, runs FROM quoted_words JOIN post ON post.id = post_id "
    "JOIN thread ON thread.id = thread_id ORDER BY 1, 2",
    "SELECT kind, old, number, digest, was, stood_on, revision FROM moved ORDER BY kind, old",
    "SELECT counts FROM import_run ORDER BY started_at DESC LIMIT 1",
)
STAFF = ("moderator", "safeguarding_lead", "administrator")
THEN = datetime(2009, 3, 1, 3, 0, tzinfo=UTC)
PASSWORD = "six wet geese & a goose"
OLD_HASH = str(phpass.using(ident="H", rounds=8, salt="abcdefgh").hash(PASSWORD.replace("&", "&amp;")))


def post(old: int, thread: int, author: str | None, said: str, **more: Any) -> PostRecord:
    usual = {"written_at": THEN + timedelta(hours=old), "form": TextForm.PLAIN}
    return PostRecord(old=str(old), thread=str(thread), author=author, text=said, **{**usual, **more})


def small_board(now: datetime) -> list[Any]:
    """Four boards and twenty people, some of whom are hard to name; some posts are hidden."""
    recent = now - timedelta(days=30)
    people = [
        PersonRecord(old="2", name="Suzie", posts=3, was=("moderator",), joined_at=THEN, last_seen_at=recent),
        PersonRecord(old="3", name="Worried Mum of 3", email="mum@example.org", password=OLD_HASH, last_seen_at=recent),
        PersonRecord(old="4", name="Sunny 🌞", email="sunny@example.org", password="0" * 31, last_seen_at=THEN),
        PersonRecord(old="5", name="sunny", password=hashlib.md5(b"rain").hexdigest(), last_seen_at=recent),
        PersonRecord(old="6", name="Moderator Max", email="max@example.org", last_seen_at=recent),
        PersonRecord(old="7", name="Left Long Ago", what=PersonKind.INACTIVE),
        PersonRecord(old="8", name="Google [Bot]", what=PersonKind.BOT),
        PersonRecord(old="9", name="Sleeper", last_seen_at=THEN),
        PersonRecord(old="10", name="Nia", email="nia@example.org", last_seen_at=recent),
    ]
    threads = [
        ThreadRecord(old="1", board="11", author="3", title="Is it my fault?", opened_at=THEN),
        ThreadRecord(old="2", board="12", author="2", title="For staff", is_pinned=True),
        ThreadRecord(old="3", board="11", author="4", title="x", is_locked=True),
        ThreadRecord(old="4", board="11", title="A pointer", moved_to="1"),
        ThreadRecord(old="5", board="11", author="3", title="Gone", shown=Shown.REMOVED),
        ThreadRecord(old="6", board="13", author="3", title="New one", opened_at=recent),
        ThreadRecord(old="7", board="14", author="3", title="Not taken"),
    ]
    posts = [
        post(1, 1, "3", "My son was taken into care. What can I do?"),
        post(2, 1, "10", "You are not to blame."),
        post(3, 1, "4", "Thank you @suzie, **so** much [removed: rule 3]", reply_to="2"),
        post(4, 1, "4", "You toad.", shown=Shown.REMOVED),
        post(5, 1, None, "I only pass by.", author_name="Reader 7"),
        post(6, 1, None, "So do I.", author_name="reader 7"),
        post(7, 1, "7", "I closed my account.", edited_by="2", edit_reason="no telephone numbers", edited_at=THEN),
        post(
            17,
            1,
            "4",
            "[quote=&quot;Nia&quot;:u1]You are not to blame.[/quote:u1]\nThat helps.",
            form=TextForm.BBCODE,
            uid="u1",
        ),
        post(
            20,
            3,
            "10",
            "[quote=&quot;Worried Mum of 3&quot;:u1]Elsewhere.[/quote:u1] Really? "
            "[quote=&quot;Sleeper&quot;:u1]Yes.[/quote:u1]",
            form=TextForm.BBCODE,
            uid="u1",
        ),
        post(8, 1, "99", "Nobody knows me.", edited_by="99", edit_reason="a slip"),
        post(9, 1, "3", "Long. " * 6_000),
        post(10, 2, "2", "Who knows the toad?"),
        post(11, 3, "4", "   "),
        post(12, 5, "3", "Nobody is to read this."),
        post(13, 6, "3", "Is anybody here?", written_at=now - timedelta(days=3)),
        post(14, 6, "5", "I wait for a moderator.", written_at=now - timedelta(days=2), shown=Shown.WAITING),
        post(15, 6, "5", "And I have for years.", written_at=THEN, shown=Shown.WAITING),
        post(16, 7, "3", "This board stays behind."),
    ]
    return [
        SourceRecord(program="phpbb", version="3.3.14", name="Kin"),
        BoardRecord(old="10", name="Welcome", is_section=True, readers=Readers.EVERYONE),
        BoardRecord(old="11", parent="10", name="Mums & Dads", readers=Readers.EVERYONE),
        BoardRecord(old="12", parent="10", name="Team room", readers=Readers.STAFF, position=1),
        BoardRecord(old="13", name="Members", readers=Readers.MEMBERS, position=2),
        BoardRecord(old="14", name="Jokes", readers=Readers.EVERYONE, position=3),
        *people,
        *threads,
        *posts,
        BanRecord(person="5", until=now + timedelta(days=400), reason="Angry"),
        BanRecord(person="4", until=THEN),
        WatchRecord(person="3", thread="1"),
        WatchRecord(person="9", thread="1"),
        WatchRecord(person="10", board="13"),
        IgnoreRecord(person="10", ignored="4"),
        IgnoreRecord(person="10", ignored="9"),  # who does not come
        IgnoreRecord(person="7", ignored="10"),  # whose account was closed
    ]


def today() -> datetime:
    """The same moment in each dump of a test, so that nothing in it has changed."""
    return clock.now().replace(hour=0, minute=0, second=0, microsecond=0)


def plan_of(staging: Staging) -> Plan:
    """The plan that is proposed, with an adviser, and without the jokes."""
    proposed = Plan.proposed(staging)
    boards = {**proposed.boards, "14": proposed.boards["14"].model_copy(update={"take": False})}
    return proposed.model_copy(update={"advisers": ("nia",), "boards": boards})


async def move_in(
    services: Services, folder: Path, records: list[Any], name: str = "moving", **planned: dict[str, Any]
) -> None:
    """Move records here, where `b11={…}` changes what the plan says of the board 11."""
    with Staging(folder / f"{name}.sqlite") as staging:
        staging.add(records)
        plan = plan_of(staging)
        changed = {key[1:]: plan.boards[key[1:]].model_copy(update=update) for key, update in planned.items()}
        plan = plan.model_copy(update={"boards": {**plan.boards, **changed}})
        wanted = Import(staging, plan, services.settings, BoardGate(3, "GB"), CarriedOver(services.settings))
        await carry_over(services.database, wanted)


@pytest.fixture
async def moved(services: Services, tmp_path: Path) -> Services:
    """A forum with a moderator of its own, into which the small board moved."""
    await make.member(services, "orla", Role.MODERATOR)
    await move_in(services, tmp_path, small_board(today()))
    return services


async def rows(services: Services, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await sql(services, query)]


async def test_members_come_with_their_names_and_passwords_and_can_leave_for_good(
    moved: Services, app: FastAPI, guest: httpx.AsyncClient, tmp_path: Path
) -> None:
    people = await rows(
        moved,
        "SELECT moved.old, name, handle, email, left(password_hash, 9), login, may_reset_by_mail FROM moved "
        "JOIN member ON member.id = moved.member_id LEFT JOIN old_login ON old_login.member_id = member.id "
        "WHERE moved.kind = 'person' ORDER BY moved.old",
    )
    assert people == [
        ("10", "Nia", "nia", "nia@example.org", "", "nia", True),
        ("2", "Suzie", "suzie", "suzie@moved.invalid", "", "suzie", False),
        ("3", "Worried Mum of 3", "worried-mum-of-3", "mum@example.org", "$moved$H$", "worried mum of 3", True),
        ("4", "Sunny 🌞", "sunny", "sunny@example.org", "", "sunny 🌞", False),
        ("5", "sunny", "sunny-5", "sunny-5@moved.invalid", "$moved$md", None, False),
        ("6", "Member 6", "member-6", "max@example.org", "", "moderator max", True),
        ("7", "Left Long Ago (former member)", None, None, "", None, None),
        ("99", "A former member", None, None, "", None, None),
        ("guest:reader 7", "Reader 7 (guest)", None, None, "", None, None),
    ]
    assert await rows(moved, "SELECT count(*) FROM role_grant") == [(1,)]  # Orla's

    for login in ("Worried Mum of 3", " WORRIED  mum of 3 ", "worried-mum-of-3", "mum@example.org"):
        answer = await guest.post(f"{API}/sessions", json=make.signing_in(login, PASSWORD))
        assert answer.status_code == 201, (login, answer.text)
        assert (await guest.post(f"{API}/sessions", json=make.signing_in(login, "rain"))).status_code == 401
    renewed = await rows(moved, "SELECT left(password_hash, 9) FROM member WHERE handle = 'worried-mum-of-3'")
    assert renewed == [("$argon2id",)]
    async with make.client(app, Authorization=f"Bearer {answer.json()['token']}") as mum:
        me = (await mum.get(f"{API}/me")).json()
        assert (me["email_verified"], me["rules_version"], me["standing"], me["roles"]) == (False, None, "active", [])
    # The old board's second Sunny was banned; "Sunny" is the handle of the first, so it does not open their account.
    async with moved.database.work() as session:
        run_id = (await session.execute(text("SELECT id FROM import_run"))).scalar_one()
        assert await find_without_old_name(session, run_id) == [("sunny", "sunny-5")]
    answer = await guest.post(f"{API}/sessions", json=make.signing_in("sunny-5", "rain"))
    async with make.client(app, Authorization=f"Bearer {answer.json()['token']}") as sunny:
        assert (await sunny.get(f"{API}/me")).json()["standing"] == "banned"
    assert (await guest.post(f"{API}/sessions", json=make.signing_in("suzie", ""))).status_code in {401, 422}

    # A stranger may have Sunny's old mailbox by now.
    for login in ("sunny", "sunny 🌞", "sunny@example.org", "moderator max"):
        assert (await guest.post(f"{API}/password-resets", json={"login": login})).status_code in {202, 204}
    mailed = await rows(moved, "SELECT email FROM mail WHERE kind = 'password_reset' ORDER BY put_down_at")
    assert mailed == [(None,), (None,), (None,), ("max@example.org",)]

    # Nor is a link to confirm it mailed there: whoever follows it would be mailed the next password. Another address
    # is what they are asked for.
    for handle, other, sent in (
        ("sunny", None, None),
        ("sunny", "new@example.org", "new@example.org"),
        ("nia", None, "nia@example.org"),
    ):
        async with moved.database.work() as session:
            change = text("UPDATE member SET wanted_email = :wanted WHERE handle = :handle")
            await session.execute(change, {"wanted": other, "handle": handle})
        viewer = await make.viewer(moved, handle)
        async with moved.transactions(clock.now()).begin() as work:
            await email_addresses.request_verification(work, viewer)
            profile = await profiles.get_profile(work, viewer)
        assert profile.needs_other_address == (handle == "sunny")
        asked = await rows(moved, "DELETE FROM mail WHERE kind = 'verify_address' RETURNING email")
        assert [email for (email,) in asked] == ([sent] if sent else [])

    quoting = "SELECT split_part(body_markdown, E'\\n', 1) FROM post WHERE body_markdown LIKE '%Elsewhere%'"
    assert await rows(moved, quoting) == [("> **\\@worried-mum-of-3 wrote:**",)]
    await sql(moved, "UPDATE moved SET was = 'banned' WHERE kind = 'person' AND old = '3' RETURNING 1")  # once
    await _leave(moved, "worried-mum-of-3")
    assert await rows(moved, quoting) == [(f"> **\\@{GONE * 16} wrote:**",)]
    assert await rows(moved, "SELECT old FROM moved WHERE kind = 'thread' AND digest IS NULL ORDER BY old") == [
        (old,) for old in ("1", "5", "6")
    ]
    gone = "SELECT member_id, digest, was FROM moved WHERE kind = 'person' AND old = '3'"
    assert await rows(moved, gone) == [(None, None, None)]
    assert await rows(moved, "SELECT old FROM moved WHERE kind = 'post' AND digest IS NULL ORDER BY old") == [
        (old,) for old in ("1", "12", "13", "9")
    ]
    assert await rows(moved, "SELECT count(*) FROM old_login WHERE login LIKE 'worried%'") == [(0,)]
    # Its author changed the post since; the notice stayed.
    changed = "UPDATE post SET changed_by = author_id, revision = 2 WHERE notice ->> 'kind' = 'edited' RETURNING 1"
    assert await rows(moved, changed) == [(1,)]
    await _leave(moved, "suzie")
    notices = "SELECT notice ->> 'text' FROM post WHERE notice ->> 'kind' = 'edited'"
    assert await rows(moved, notices) == [("Edited by a moderator",)]
    # Who left does not come again with the next dump, and neither do their posts; nor does Nia follow a board again.
    await rows(moved, "DELETE FROM subscription WHERE board_id IS NOT NULL RETURNING 1")
    before = await _everything(moved)
    newer = [*small_board(today()), post(19, 7, "10", "Not on a board that moved.")]
    await move_in(moved, tmp_path, newer, name="again")
    assert await _everything(moved) == before
    with Staging(tmp_path / "again.sqlite") as staging:
        async with moved.database.work() as session:
            found = await check.compare(session, staging, clock.now())
    assert (found.same, found.missing, found.left_behind, found.kept) == (16, 0, 1, [])


async def _leave(services: Services, handle: str) -> None:
    now = clock.now()
    viewer = replace(await make.viewer(services, handle), signed_in_at=now)
    async with services.transactions(now).begin() as work:
        await account_deletion.request_departure(work, viewer, DepartureKind.ERASE)
    await run_due_jobs(services, now + timedelta(days=14, minutes=1))


async def _everything(services: Services) -> list[Any]:
    """Each row of what moves, with the transaction that wrote it."""
    tables = ("member", "persona", "board", "thread", "post", "post_quote", "quoted_words", "subscription", "old_login")
    found = [await rows(services, f"SELECT xmin::text, t::text FROM {table} AS t ORDER BY 2") for table in tables]
    return [*found, await rows(services, "SELECT t::text FROM moved AS t ORDER BY 1")]


@pytest.fixture
async def listener(services: Services) -> None:
    """Another service, which hears of everything."""
    await told_of(services, *WebhookEvent)


@pytest.mark.usefixtures("listener")
async def test_threads_are_as_the_forums_own_actions_would_have_made_them(
    moved: Services, app: FastAPI, guest: httpx.AsyncClient
) -> None:
    assert await rows(
        moved, "SELECT slug, section, readers, openers, advised, indexable FROM board ORDER BY position"
    ) == [
        ("mums-dads", "Welcome", ["everyone"], ["member"], True, False),
        ("team-room", "Welcome", list(STAFF), list(STAFF), False, False),
        ("members", "Boards", ["member"], ["member"], True, False),
    ]
    heard = await rows(moved, "SELECT DISTINCT event FROM webhook_delivery ORDER BY event")
    assert heard == [("case.opened",), ("import.finished",)]  # and of no old post
    threads = await rows(moved, "SELECT title, state, pinned, visibility, last_number, posts FROM thread ORDER BY id")
    assert threads == [
        ("Is it my fault?", "open", False, "visible", 11, 10),
        ("For staff", "open", True, "visible", 1, 1),
        ("Untitled: x", "locked", False, "visible", 2, 2),
        ("Gone", "open", False, "removed", 1, 0),
        ("New one", "open", False, "visible", 2, 1),
    ]
    # Nobody is told, no page hears of it, and nothing waits but what is new and what waited for a moderator.
    assert await rows(moved, "SELECT kind FROM event WHERE thread_id IS NOT NULL") == []
    assert await rows(moved, "SELECT count(*) FROM untold_post") == [(0,)]
    assert await rows(moved, "SELECT kind FROM notification") == [("post_held",)]
    assert await rows(moved, "SELECT kind, state FROM moderation_case WHERE state = 'open' ORDER BY kind") == [
        ("member", "open"),
        ("post", "open"),
    ]
    followed = await rows(
        moved,
        "SELECT handle, thread_id, board_id FROM subscription JOIN member ON member.id = member_id ORDER BY handle",
    )
    assert followed == [("nia", None, 3), ("worried-mum-of-3", 1, None)]
    ignoring = "SELECT m.name, other.name FROM ignored JOIN member m ON m.id = member_id "
    ignored = await rows(moved, ignoring + "JOIN member AS other ON other.id = persona_id")
    assert ignored == [("Nia", "Sunny 🌞")]

    # What guests read: neither the removed words, nor the staff's room, nor the thread that was taken down.
    for name in ("toad", "Nobody is to read", "wait for a moderator", "stays behind"):
        for path in (
            "/boards",
            "/boards/mums-dads/threads",
            "/threads/1/posts",
            "/threads/2/posts",
            "/threads/4/posts",
        ):
            assert name not in (await guest.get(f"{API}{path}")).text, (name, path)
    posts = (await guest.get(f"{API}/threads/1/posts")).json()["items"]
    assert posts[3]["notice"]["text"] == "Removed by a moderator"
    assert posts[6]["notice"] == {
        "kind": "edited",
        "by": "Suzie",
        "rules": [],
        "text": "Edited by Suzie: no telephone numbers",
    }
    assert posts[1]["adviser"] == {"name": "Nia", "title": "Adviser", "organisation": "Kin"}
    assert posts[4]["author"] == {"handle": None, "name": "Reader 7 (guest)", "title": None}
    assert 'data-post="2" data-author="nia"' in posts[10]["body_html"]

    # Links to the old board lead to what their reader may see, and to nothing else.
    links = [
        ("viewtopic.php?f=11&t=1", "/threads/1"),
        ("viewtopic.php?t=1&start=2&sid=0", "/threads/1#post-3"),
        ("viewtopic.php?t=1&start=4000", "/threads/1#post-11"),
        ("viewtopic.php?p=5#p5", "/threads/1#post-5"),
        ("viewforum.php?f=11", "/boards/mums-dads"),
    ]
    for link, place in links:
        answer = await guest.get(f"/{link}")
        assert (answer.status_code, answer.headers.get("location")) == (301, place), link
    hidden = ("t=2", "t=5", "t=6", "t=7", "t=", "t=-1", "p=10", "p=12", "p=14", "p=404", "x=1")
    for link in (
        *(f"viewtopic.php?{asked}" for asked in hidden),
        "viewforum.php?f=12",
        "memberlist.php?u=3",
        "memberlist.php?u=7",
    ):
        assert (await guest.get(f"/{link}")).status_code == 404, link

    # Counted again, nothing changes.
    async with moved.database.work() as session:
        before = await rows(moved, "SELECT t::text FROM thread AS t ORDER BY id")
        for thread in range(1, 6):
            await refresh_thread_counts(session, thread)
    assert await rows(moved, "SELECT t::text FROM thread AS t ORDER BY id") == before
    async with moved.database.work() as session:
        assert await check.find_faults(session) == []
        assert await check.count_moved(session) == {"board": 3, "person": 9, "post": 16, "thread": 5}

    # The same words, by the same people, through the actions.
    said = await rows(
        moved,
        "SELECT handle, body_markdown, reply_to FROM post JOIN member ON member.id = author_id "
        "WHERE thread_id = 1 AND handle IS NOT NULL AND visibility = 'visible' ORDER BY number",
    )
    first, *replies = said
    made = await make.thread(moved, first[0], "mums-dads", "Is it my fault?", first[1])
    for handle, words, _ in replies:
        await make.post(moved, handle, made, words)
    compared = (
        "SELECT body_html, post.revision, asks, content_warning, published_at, held_because, words_kept_until, "
        "quotes_recorded, edited_at, changed_by, notice, runs, quoted_revision FROM post LEFT JOIN quoted_words "
        "ON quoted_words.post_id = post.id AND quoted_words.revision = post.revision "
        "LEFT JOIN post_quote ON post_quote.post_id = post.id WHERE thread_id = {} AND visibility = 'visible' "
        "AND author_id IN (SELECT id FROM member WHERE handle IS NOT NULL) ORDER BY number"
    )
    ours, theirs = await rows(moved, compared.format(1)), await rows(moved, compared.format(made))
    assert ours == theirs


async def test_what_is_new_never_goes_to_a_board_that_more_people_read_here_than_the_plan_says(
    moved: Services, tmp_path: Path
) -> None:
    new = [ThreadRecord(old="20", board="11", author="3", title="Since then"), post(30, 20, "3", "Of the team alone.")]
    with pytest.raises(CannotMove, match=r"The board 11 \(Mums & Dads\) is here already, and read by everyone"):
        await move_in(moved, tmp_path, [*small_board(today()), *new], "staff", b11={"readers": Readers.STAFF})
    assert await rows(moved, "SELECT count(*) FROM import_run") == [(1,)]
    await move_in(moved, tmp_path, [*small_board(today()), *new], "left", b11={"take": False})
    assert await rows(moved, "SELECT title FROM thread WHERE title = 'Since then'") == []
    await sql(moved, f"UPDATE board SET readers = '{{{','.join(STAFF)}}}' WHERE slug = 'mums-dads'")
    await move_in(moved, tmp_path, [*small_board(today()), *new], "closed", b11={"readers": Readers.STAFF})
    assert await rows(moved, "SELECT title FROM thread WHERE title = 'Since then'") == [("Since then",)]


async def test_a_thread_that_waited_for_a_moderator_waits_here_with_all_its_posts(
    services: Services, guest: httpx.AsyncClient, tmp_path: Path
) -> None:
    now = clock.now()
    lately = now - timedelta(days=10)
    waiting = [
        ThreadRecord(old=old, board="11", author="3", title=f"Otter {old}", opened_at=THEN, shown=Shown.WAITING)
        for old in ("20", "21", "22")
    ]
    posts = [
        post(30, 20, "3", "Otter, changed lately.", shown=Shown.WAITING, edited_at=lately),
        post(31, 20, "10", "An answer to the otter."),
        post(32, 20, "10", "A bad otter.", shown=Shown.REMOVED),
        post(33, 21, "3", "Otter, long ago.", shown=Shown.WAITING),
        post(34, 21, "10", "An answer of those days."),
        post(35, 22, "3", "Otter of old.", shown=Shown.WAITING),
        post(36, 22, "10", "A late answer.", written_at=lately),
        post(37, 1, "3", "This otter was changed lately.", shown=Shown.WAITING, edited_at=lately),
    ]
    await move_in(services, tmp_path, [*small_board(now), *waiting, *posts])
    threads = "SELECT title, visibility, posts, last_number FROM thread WHERE title LIKE 'Otter%' ORDER BY title"
    assert await rows(services, threads) == [("Otter 20", "held", 0, 3), ("Otter 22", "held", 0, 2)]
    said = "SELECT body_markdown, visibility FROM post WHERE body_markdown ~* 'otter|late answer' ORDER BY id"
    assert dict(await rows(services, said)) == {
        "This otter was changed lately.": "held",
        "Otter, changed lately.": "held",
        "An answer to the otter.": "held",
        "A bad otter.": "removed",
        "Otter of old.": "held",
        "A late answer.": "held",
    }
    assert "Otter" not in (await guest.get(f"{API}/boards/mums-dads/threads")).text
    with Staging(tmp_path / "moving.sqlite") as staging:
        async with services.database.work() as session:
            found = await check.compare(session, staging, clock.now())
            assert await check.find_faults(session) == []
    assert (found.missing, found.left_behind) == (0, 3)  # both posts of the old thread, and one of the small board


async def test_a_board_does_not_come_twice_when_its_address_changes(moved: Services, tmp_path: Path) -> None:
    _, *others = small_board(today())
    before = await _everything(moved)
    renamed = SourceRecord(program="phpbb", version="3.3.14", name="Kith")
    with pytest.raises(CannotMove, match="The thread 1 came before from phpbb Kin; this dump calls the same board"):
        await move_in(moved, tmp_path, [renamed, *others], "renamed")
    with Staging(tmp_path / "moving.sqlite") as staging:
        settings = moved.settings.model_copy(update={"public_url": "https://forum.example.org"})
        plan = plan_of(staging).model_copy(update={"address": "https://old.example.org/"})
        await carry_over(moved.database, Import(staging, plan, settings, BoardGate(3, "GB"), CarriedOver(settings)))
    assert await _everything(moved) == before


async def test_a_run_that_was_killed_long_ago_gives_no_new_post_its_time(moved: Services, tmp_path: Path) -> None:
    now = clock.now()
    killed = "UPDATE import_run SET state = 'running', ended_at = NULL, started_at = now() - {}::interval"
    for old, ago, runs in ((20, "'3 hours'", 1), (21, "'20 days'", 2)):
        await sql(moved, killed.format(ago))
        new = [
            ThreadRecord(old=str(old), board="11", author="3", title="Since then"),
            post(old + 10, old, "3", f"Said {old}.", written_at=now - timedelta(hours=1)),
        ]
        await move_in(moved, tmp_path, [*small_board(now), *new], str(old))
        said = await rows(moved, f"SELECT created_at FROM post WHERE body_markdown LIKE 'Said {old}%'")
        assert said == [(now - timedelta(hours=1),)]
        assert await rows(moved, "SELECT count(*), min(state), max(state) FROM import_run") == [
            (runs, "ended", "ended")
        ]


async def test_a_very_long_thread_is_never_in_memory_and_comes_as_any_other(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, write = small_board(today()), long_threads.write_rows
    pieces = list[int]()

    async def write_some(session: AsyncSession, setting: Setting, written: BatchRows) -> None:
        pieces.append(len(written.posts))
        if len(pieces) == 3:  # it is killed between two pieces of a thread
            raise RuntimeError
        await write(session, setting, written)

    with monkeypatch.context() as patched:
        patched.setattr(old_threads, "MOST_POSTS", 3)
        patched.setattr(long_threads, "write_rows", write_some)
        with pytest.raises(RuntimeError):
            await move_in(services, tmp_path, records, "killed")
        assert await rows(services, "SELECT (SELECT count(*) FROM post), (SELECT count(*) FROM thread)") == [(0, 0)]
        await move_in(services, tmp_path, records, "long")
    assert pieces[3:] == [0, 3, 3, 4, 1]  # of the only long thread, where one post becomes two
    async with services.database.work() as session:
        assert await compare_counts(session, FEATURES, mend=False) == []
    there = [await rows(services, query) for query in AS_IT_CAME]
    await take_back(services.database)
    await move_in(services, tmp_path, records, "short")
    assert [await rows(services, query) for query in AS_IT_CAME] == there


async def test_nothing_is_moved_while_another_run_goes_on_or_where_links_would_lead_nowhere(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PATIENCE", timedelta(seconds=0.1))
    connection = await services.database.reader.open_connection()
    await connection.execute("SELECT pg_advisory_lock($1)", run.IMPORTING)
    with pytest.raises(CannotMove, match="Another import is running"):
        await move_in(services, tmp_path, small_board(clock.now()))
    await connection.close()
    with Staging(tmp_path / "moving.sqlite") as staging:
        plan = plan_of(staging).model_copy(update={"address": "https://old.example.org/"})
        wanted = Import(staging, plan, services.settings, BoardGate(3, "GB"), CarriedOver(services.settings))
        with pytest.raises(CannotMove, match="FORUM_PUBLIC_URL"):
            await carry_over(services.database, wanted)
    assert await rows(services, "SELECT count(*) FROM import_run") == [(0,)]


def test_names_are_the_nearest_that_the_house_allows() -> None:
    staff, was_staff = skeletons_of(["Heron Vale", "Online adviser"]), skeletons_of(["Suzie", "Heron Vale", "Kin"])
    namer = Namer(taken={"rnagple"}, staff=staff, old_staff=was_staff, forum="kln")
    for old, name, handle, shown in (
        ("1", "Mum & Dad", "mum-dad", "Mum & Dad"),
        ("2", "Jo", "jo-2", "Jo"),
        ("3", "Magpie", "magpie-3", "Magpie"),
        ("4", "MUM & DAD", "mum-dad-4", "MUM & DAD"),
        ("5", "suz1e", "member-5", "Member 5"),
        ("6", "Forum Admin", "member-6", "Member 6"),
        ("7", "🌞", "member-7", "🌞"),
        ("8", "jane.doe@example.org", "jane.doe", "jane.doe"),
        ("9", "Jane's ⭐ place", "janes-place", "Jane's place"),
        ("10", "x" * 80, "x" * 30, "x" * 60),
        ("11", "me", "member-11", "Member 11"),
        ("12", "Kin", "member-12", "Member 12"),
        ("13", " \u200b ", "member-13", "Member 13"),
        ("14", "Zoë", "zoë", "Zoë"),
    ):
        given = namer.name_member(old, name)
        assert (given.handle, given.name) == (handle, shown)
    assert len(normalise_old_login("Ж" * 3_000)) == 255
    assert namer.name_member("15", "Suzie", was_staff=True).handle == "suzie"
    for old, name in (("16", "Heron Vale"), ("17", "Kin"), ("18", "Suzie Heron Vale")):  # staff here, and the forum
        given = namer.name_member(old, name, was_staff=True)
        assert (given.handle, given.name) == (f"member-{old}", f"Member {old}")
    assert [namer.name_guest(name) for name in ("Reader 7", "Suzie", "", None)] == [
        "Reader 7 (guest)",
        *["A visitor"] * 3,
    ]
    assert namer.name_former("Jane") == "Jane (former member)"
    assert [slug_of(name, "7") for name in ("Mums & Dads' corner › Chat", "Ёлка", "x" * 70)] == [
        "mums-dads-corner-chat",
        "board-7",
        "x" * 50,
    ]
    titles = {
        "x": "Untitled: x",
        "": "Untitled",
        "a" * 200: "a" * 119 + "…",
        " Edited by Suzie as breaches rule 10": "Edited by Suzie as, breaches rule 10",
        "ＲＥＭＯＶＥＤ by Suzie as  breaching rules": "ＲＥＭＯＶＥＤ by Suzie as, breaching rules",
        "Removed by S, as \u200bbreach\u200bes rule 1": None,
        "[removed: rule 3] Court": "removed rule 3 Court",
        "[removed]": "removed",
        "Court \u202esetad\u202c now": "Court setad now",
        "⭐": None,
    }
    assert [is_whole(title) for title in ("x", "", "a" * 120, "a" * 121, "[removed]")] == [*[True] * 3, False, False]
    for old, new in titles.items():
        assert title_of(old) == (new or title_of(old))
        refuse_official(title_of(old), "#/title")
        assert 1 < len(title_of(old)) <= 120


def test_links_to_the_old_board_lead_to_this_one_and_no_others() -> None:
    old, new = "https://www.old.example.org/forum", "https://forum.example.org"
    for url, leads in (
        ("http://old.example.org/forum/viewtopic.php?t=4&sid=1#p9", f"{new}/viewtopic.php?t=4&sid=1#p9"),
        ("https://old.example.org/forum", f"{new}/"),
        ("https://old.example.org/forums/x", None),
        ("https://old.example.org.evil.example/forum/x", None),
        ("javascript:alert(1)", None),
        ("https://[::1/forum/x", None),
    ):
        assert rewritten(url, old, new) == (leads or url)
        assert rewritten(url, "", new) == url
