"""A newer dump of an old board: what is new, changed or gone there comes; what people did here since stays."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from forum.administration.webhooks.tables import WebhookEvent
from forum.authentication.sign_in import find_claimant
from forum.cli import import_run
from forum.content.markup import GONE
from forum.content.posts import actions as posts
from forum.content.posts import visibility
from forum.content.posts.draft import Draft
from forum.content.posts.revisions import lock_post_row, replace_body_by_moderator
from forum.content.posts.tables import Visibility
from forum.content.posts.visibility import set_visibility
from forum.content.threads import actions as threads
from forum.content.threads.tables import Thread, ThreadState, ThreadVisibility
from forum.core import clock
from forum.features import FEATURES, compare_counts
from forum.http.services import Services
from forum.importers import check, old_threads, run
from forum.importers.conversion import NewPost, OldPost
from forum.importers.converters import LongConverter
from forum.importers.delta import carrying, facts
from forum.importers.delta.facts import BoardReaders, BoardsNow, PostHere, ThreadHere
from forum.importers.delta.steps import Deciding, KeptHere, Reason, Step
from forum.importers.errors import CannotMove
from forum.importers.plan import Plan
from forum.importers.records import (
    AddressRecord,
    BanRecord,
    BoardRecord,
    IgnoreRecord,
    PersonRecord,
    PostRecord,
    Readers,
    RemovalRecord,
    ReportRecord,
    Shown,
    SourceRecord,
    TextForm,
    ThreadRecord,
    WarningRecord,
)
from forum.importers.rows import digest_of
from forum.importers.run import Import, carry_over
from forum.importers.staging import Staging
from forum.importers.tables import ImportRun, MovedKind, Was
from forum.members.tables import Role
from forum.passwords import hashing
from moderation.carried_over import CarriedOver
from moderation.case_priority import Category
from moderation.gate import BoardGate
from moderation.reports import Complaint, save_report
from tests.support import make
from tests.support.listener import told_of
from tests.support.scenes import sql

API = "/api/v1"
THEN = datetime(2015, 3, 1, 3, 0, tzinfo=UTC)
NOW = clock.now().replace(microsecond=0)
LATELY = NOW - timedelta(days=10)


def post(old: int, thread: int, author: int, said: str, **more: Any) -> PostRecord:
    usual = {"written_at": THEN + timedelta(hours=old), "form": TextForm.PLAIN}
    return PostRecord(old=str(old), thread=str(thread), author=str(author), text=said, **{**usual, **more})


def quoting(name: str, said: str, more: str) -> dict[str, Any]:
    return {"said": f"[quote=&quot;{name}&quot;:u1]{said}[/quote:u1]\n{more}", "form": TextForm.BBCODE, "uid": "u1"}


def person(old: int, name: str, **more: Any) -> PersonRecord:
    return PersonRecord(old=str(old), name=name, last_seen_at=LATELY, joined_at=THEN, **more)


def thread(old: int, board: int, title: str, **more: Any) -> ThreadRecord:
    return ThreadRecord(old=str(old), board=str(board), author="3", title=title, opened_at=THEN, **more)


def md5(password: str) -> str:
    return hashlib.md5(password.encode()).hexdigest()


BY_SUZIE = RemovalRecord(at=LATELY, by="2", reason="spam")
BEFORE: Sequence[Any] = (
    SourceRecord(program="phpbb", version="3.3.14", name="Kin"),
    BoardRecord(old="11", name="Families", readers=Readers.EVERYONE),
    BoardRecord(old="12", name="Team room", readers=Readers.STAFF, position=1),
    BoardRecord(old="14", name="Bin", readers=Readers.STAFF, position=2),
    BoardRecord(old="15", name="Old families", readers=Readers.EVERYONE, is_closed=True, position=3),
    person(2, "Suzie", was=("moderator",)),
    person(3, "Magpie", email="magpie@example.org", password=md5("old magpie")),
    person(4, "Wren", email="wren@example.org", password=md5("old wren")),
    person(5, "Nia"),
    thread(1, 11, "What happens on Monday?"),
    post(1, 1, 3, "They come on Monday."),
    post(2, 1, 4, "The crimson heron stood alone in the rain."),
    post(3, 1, 5, **quoting("Wren", "The crimson heron stood alone in the rain.", "I saw it too.")),
    post(4, 1, 3, "An early draft of mine."),
    post(5, 1, 4, "Both of us changed this."),
    post(6, 1, 4, "Her name is Zephyrine Oakapple and she lives there."),
    post(7, 1, 5, "A turquoise kettle was here."),
    post(8, 1, 5, "I wait for a moderator.", shown=Shown.WAITING, written_at=LATELY),
    post(9, 1, 4, "You are a vermilion toad."),
    post(10, 1, 5, "Quite another matter."),
    thread(2, 11, "Old title"),
    post(11, 2, 3, "Locked later."),
    thread(3, 11, "Both retitled"),
    post(12, 3, 3, "Once."),
    thread(4, 11, "For the team"),
    post(13, 4, 3, "An ochre secret."),
    thread(5, 11, "For the bin"),
    post(14, 5, 3, "A mauve advert."),
    thread(6, 11, "Deleted there"),
    post(15, 6, 3, "An amaranth regret."),
    thread(7, 11, "Taken down there"),
    post(16, 7, 3, "A sepia insult."),
    thread(8, 12, "Of the staff"),
    post(17, 8, 2, "A scarlet word of the team."),
    thread(9, 11, "With a removed post"),
    post(18, 9, 3, "Ordinary."),
    post(19, 9, 4, "Restored there later.", shown=Shown.REMOVED, removed=BY_SUZIE),
    post(20, 9, 4, "Changed here, removed there."),
    thread(10, 15, "Nobody writes here"),
    post(21, 10, 3, "It was long ago."),
)
# What became of them on the old board; None: it is gone.
CHANGED: Mapping[tuple[str, str], Any] = {
    ("person", "3"): {"password": md5("new magpie"), "email": "new-magpie@example.org"},
    ("person", "4"): {"password": md5("new wren"), "email": "new-wren@example.org"},
    ("post", "2"): {"shown": Shown.REMOVED, "removed": BY_SUZIE},
    ("post", "4"): {"text": "The words that I stand by.", "edited_at": LATELY},
    ("post", "5"): {"text": "As it is over there."},
    ("post", "6"): {"text": "Her name is Zephyrine Oakapple, she lives there still."},
    ("post", "7"): None,
    ("post", "8"): {"shown": Shown.VISIBLE},
    ("post", "9"): {"text": "You are wrong.", "edited_by": "2", "edit_reason": "insult", "edited_at": LATELY},
    ("post", "10"): {"thread": "21"},
    ("thread", "2"): {"title": "New title", "is_locked": True},
    ("thread", "3"): {"title": "Retitled there"},
    ("thread", "4"): {"board": "12"},
    ("thread", "5"): {"board": "14"},
    ("thread", "6"): None,
    ("post", "15"): None,
    ("thread", "7"): {"shown": Shown.REMOVED},
    ("thread", "8"): {"board": "11"},
    ("post", "19"): {"shown": Shown.VISIBLE, "removed": None},
    ("post", "20"): {"shown": Shown.REMOVED, "removed": BY_SUZIE},
    ("thread", "10"): {"title": "Nobody writes here any more"},
}
NEW: Sequence[Any] = (
    person(6, "Newcomer"),
    thread(20, 11, "Opened since"),
    post(30, 20, 6, "A thread of its own.", written_at=LATELY),
    thread(21, 11, "Split off"),
    post(31, 21, 3, "An answer to what was split off.", written_at=LATELY),
    post(32, 1, 6, "I am new in an old thread.", written_at=LATELY),
    post(33, 1, 3, written_at=LATELY, **quoting("Wren", "Her name is Zephyrine Oakapple and she lives there.", "Hm.")),
    post(34, 1, 5, written_at=LATELY, **quoting("Magpie", "They come on Monday.", "And on Tuesday.")),
    post(35, 1, 6, "A fuchsia outburst.", written_at=LATELY, shown=Shown.REMOVED),
    post(36, 1, 6, "Somebody looks at it first.", written_at=LATELY, shown=Shown.WAITING),
    WarningRecord(person="4", given_at=LATELY),
    WarningRecord(person="4", given_at=LATELY),
    *(ReportRecord(post=old, by="4", reported_at=LATELY, reason="Not kind") for old in ("1", "4", "7", "30")),
    ReportRecord(post="1", by="4", reported_at=LATELY - timedelta(days=1), reason="It was not kind before"),
    ReportRecord(post="1", by="77", reported_at=LATELY, reason="From somebody who never came"),
    ReportRecord(post="3", by="3", reported_at=LATELY, reason="She said so here, too"),
    ReportRecord(post="3", by="4", reported_at=NOW - timedelta(days=91), reason="Long ago"),
    BanRecord(person="5", reason="Angry"),
    IgnoreRecord(person="3", ignored="5"),  # both are here: who stopped here does not begin again
    IgnoreRecord(person="6", ignored="4"),
)
# What nobody may read any more, wherever it stood.
HIDDEN = (
    "heron",
    "turquoise",
    "vermilion",
    "ochre",
    "mauve",
    "amaranth",
    "sepia",
    "scarlet",
    "fuchsia",
    "Oakapple and she",
)


def newer() -> list[Any]:
    """The records of the newer dump."""
    found = []
    for record in BEFORE:
        changed = CHANGED.get((record.kind, getattr(record, "old", "")), {})
        if changed is not None:
            found.append(record.model_copy(update=changed))
    return [*found, *NEW]


async def carry(
    services: Services, folder: Path, records: Sequence[Any], *, name: str = "moving", **more: Any
) -> ImportRun | None:
    path = folder / f"{name}.sqlite"
    path.unlink(missing_ok=True)
    with Staging(path) as staging:
        staging.add(records)
        plan = Plan.proposed(staging)
        closed = {"15": plan.boards["15"].model_copy(update={"into": "11"})} if "15" in plan.boards else {}
        boards = {**plan.boards, **closed, "14": plan.boards["14"].model_copy(update={"take": False})}
        plan = plan.model_copy(update={"boards": boards, "advisers": ("nia",)})
        wanted = Import(staging, plan, services.settings, BoardGate(3, "GB"), CarriedOver(services.settings), **more)
        return await carry_over(services.database, wanted)


async def looked(services: Services, folder: Path, name: str = "moving") -> check.Comparison:
    with Staging(folder / f"{name}.sqlite") as staging:
        async with services.database.work() as session:
            assert await check.find_faults(session) == []
            assert await compare_counts(session, FEATURES, mend=False) == []
            return await check.compare(session, staging, clock.now())


async def rows(services: Services, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await sql(services, query)]


async def everything(services: Services) -> dict[str, list[Any]]:
    """Each row of every table, with the transaction that wrote it."""
    tables = await rows(services, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {
        table: await rows(services, f'SELECT xmin::text, t::text FROM "{table}" AS t ORDER BY 2') for (table,) in tables
    }


async def opens(services: Services, login: str, password: str) -> bool:
    """Whether a password opens an account."""
    claimant = await find_claimant(services.database.reader, login)
    return claimant is not None and (await hashing.verify(password, claimant.password_hash))[0]


@pytest.fixture
async def moved(services: Services, tmp_path: Path) -> Services:
    """A forum into which the board moved, and in which people have gone on since."""
    await told_of(services, *WebhookEvent)
    await carry(services, tmp_path, BEFORE)
    for handle in ("orla", "tern"):
        await make.member(services, handle, *([Role.MODERATOR] if handle == "orla" else []))
    orla, wren, magpie = [await make.viewer(services, handle) for handle in ("orla", "wren", "magpie")]
    async with make.work(services) as work:
        await replace_body_by_moderator(
            work.session,
            orla,
            await lock_post_row(work.session, 6),
            ("Her name is [removed: rule 3] and she lives there.", None),
            now=work.now,
            sealed=True,
        )
    await sql(services, "UPDATE member SET email_verified_at = now() WHERE handle = 'magpie'")  # she signed in
    await make.post(services, "tern", 1, "> @wren #2\n> The crimson heron stood alone in the rain.\n\nI know that one.")
    await make.post(services, "tern", 6, "An answer to what is gone.")
    async with make.work(services) as work:
        await posts.edit_post(work, wren, 5, 1, Draft("As it is here."))
    async with make.work(services) as work:
        await posts.edit_post(work, wren, 20, 1, Draft("Changed here."))
    async with make.work(services) as work:
        await threads.retitle_thread(work, magpie, 3, threads.NewTitle(1, "Retitled here"))
        await save_report(work, magpie, await lock_post_row(work.session, 3), Complaint(Category.OTHER, 1, note="Here"))
    return services


async def test_threads_that_were_joined_split_or_retitled_there_keep_the_words_of_their_posts(
    services: Services, tmp_path: Path
) -> None:
    answer = {"form": TextForm.S9E, "reply_to": "1"}
    said = '<r><QUOTE author="Magpie" post_id="1">They come.</QUOTE>So I heard.</r>'
    before = [
        *BEFORE[:9],
        thread(1, 11, "Monday"),
        post(1, 1, 3, "They come."),
        post(2, 1, 4, said, **answer),
        post(3, 1, 5, "Aside."),
        thread(2, 11, "Tuesday"),
        post(4, 2, 3, "They came."),
        post(5, 2, 4, "A draft."),
    ]
    await carry(services, tmp_path, before)
    # One answer is split off, the rest of that thread is retitled; all of the other one is joined with it.
    after = [
        *BEFORE[:9],
        thread(1, 11, "In May"),
        post(1, 1, 3, "They come."),
        post(3, 1, 5, "Aside.", title="Re: Monday"),
        thread(3, 11, "Split off"),
        post(2, 3, 4, said, **{**answer, "reply_to": None, "title": "Re: Monday"}),
        post(4, 1, 3, "They came.", title="Tuesday"),
        post(5, 1, 4, "What I stand by.", title="Re: Tuesday", edited_at=LATELY),
    ]
    ended = await carry(services, tmp_path, after)
    assert ended
    assert (ended.counts.get("reworded"), ended.counts.get("hidden"), ended.counts.get("threads")) == (1, None, None)
    found = (
        "SELECT title, thread.visibility, number, post.visibility, post.revision, body_markdown FROM post JOIN thread "
    )
    assert await rows(services, found + "ON thread.id = thread_id ORDER BY thread_id, number") == [
        ("In May", "visible", 1, "visible", 1, "They come."),
        ("In May", "visible", 2, "visible", 1, "> @magpie #1\n> They come.\n\nSo I heard."),
        ("In May", "visible", 3, "visible", 1, "Aside."),
        ("Tuesday", "visible", 1, "visible", 1, "They came."),
        ("Tuesday", "visible", 2, "visible", 2, "**Re\\: Tuesday**\n\nWhat I stand by."),
    ]
    assert await carry(services, tmp_path, after) is None


@pytest.mark.parametrize("most_posts", [2_000, 2])  # a thread with more changes in pieces
async def test_a_newer_dump_brings_what_changed_and_leaves_what_people_did_here(
    moved: Services, guest: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_posts: int
) -> None:
    monkeypatch.setattr(old_threads, "MOST_POSTS", most_posts)
    for table in ("event", "webhook_delivery", "notification", "untold_post", "unindexed_post"):
        await sql(moved, f"DELETE FROM {table} RETURNING 1")
    assert "crimson heron" in (await guest.get("/threads/1")).text  # which is kept as bytes from now on
    # It is killed after the first thread that changed, and goes on as if nothing had disturbed it.
    with monkeypatch.context() as patched:
        patched.setattr(carrying._Carrying, "carry", _killed_after(carrying._Carrying.carry))
        with pytest.raises(KeyboardInterrupt):
            await carry(moved, tmp_path, newer())
    ended = await carry(moved, tmp_path, newer())
    assert ended
    counted = {
        name: ended.counts.get(name)
        for name in ("posts", "threads", "members", "reworded", "hidden", "shown", "held", "removed", "renewed")
    }
    assert counted == {
        **dict.fromkeys(("members", "shown", "held", "removed", "renewed"), 1),
        **{"posts": 7, "threads": 2, "reworded": 2, "hidden": 6},
    }

    ignored = "SELECT m.name, other.name FROM ignored JOIN member m ON m.id = member_id JOIN member other "
    assert await rows(moved, ignored + "ON other.id = persona_id") == [("Newcomer", "Wren")]
    words = (
        "SELECT number, visibility, revision, left_at, body_markdown FROM post LEFT JOIN (SELECT thread_id, number, "
        "revision AS left_at FROM moved WHERE kind = 'post') AS moved USING (thread_id, number) "
        "WHERE thread_id = 1 ORDER BY number"
    )
    heron = f"> {GONE * 41}."
    assert await rows(moved, words) == [
        (1, "visible", 1, None, "They come on Monday."),
        (2, "removed", 1, None, "The crimson heron stood alone in the rain."),
        (3, "visible", 1, None, f"> @wren #2\n{heron}\n\nI saw it too."),
        (4, "visible", 2, 2, "The words that I stand by."),
        (5, "visible", 2, None, "As it is here."),
        (6, "visible", 2, None, "Her name is [removed: rule 3] and she lives there."),
        (7, "removed", 1, None, "A turquoise kettle was here."),
        (8, "visible", 2, 2, "You are wrong."),
        (9, "visible", 1, None, "Quite another matter."),  # it stands in another thread there
        (10, "visible", 1, None, "I wait for a moderator."),
        (11, "visible", 1, None, f"> @wren #2\n{heron}\n\nI know that one."),  # of somebody here
        (12, "visible", 1, None, "I am new in an old thread."),
        (13, "visible", 1, None, "> **[a removed post]**\n\nHm."),
        (14, "visible", 1, None, "> @magpie #1\n> They come on Monday.\n\nAnd on Tuesday."),
        (15, "removed", 1, None, "A fuchsia outburst."),
        (16, "held", 1, None, "Somebody looks at it first."),
    ]
    # What waited for the old board waits for nobody here once that has decided; what still waits there does.
    cases = (
        "SELECT number, state, decided_revision, decision.reason FROM moderation_case JOIN post "
        "ON post.id = moderation_case.post_id LEFT JOIN decision ON case_id = moderation_case.id "
        "WHERE thread_id = 1 AND number IN (10, 16) ORDER BY number"
    )
    let_appear = (10, "decided", 1, "A moderator of the old board let it appear.")
    assert await rows(moved, cases) == [let_appear, (16, "open", None, None)]
    # The decision of the old board stands behind each, whenever it came.
    without = (
        "SELECT post.id FROM post WHERE visibility = 'removed' AND NOT EXISTS (SELECT FROM measure JOIN decision "
        "ON decision.id = decision_id WHERE measure.post_id = post.id AND import_run_id IS NOT NULL)"
    )
    assert await rows(moved, without) == []
    assert await rows(
        moved, "SELECT number, sealed, body_markdown FROM post_revision WHERE post_id IN (4, 8) ORDER BY post_id"
    ) == [
        (1, True, "An early draft of mine."),
        (1, True, "You are a vermilion toad."),
    ]
    assert await rows(
        moved, "SELECT notice ->> 'text', changed_by = author_id FROM post WHERE id IN (2, 7, 8, 14) ORDER BY id"
    ) == [
        ("Removed by a moderator", None),
        ("It is no longer on the old board", None),
        ("Edited by Suzie: insult", False),
        ("It is no longer on the old board", None),
    ]
    # Whose words are only gone there may have deleted them: nobody says to them that it was a moderator.
    assert await rows(moved, "SELECT post_id FROM statement WHERE post_id IS NOT NULL ORDER BY 1") == [
        (post_id,) for post_id in (2, 16, 19, 20, 27)
    ]
    page = (await guest.get("/threads/1")).text
    assert (page.count("Removed by a moderator."), page.count("It is no longer on the old board.")) == (2, 1)
    quoted = "SELECT quoting.number, quoted.number FROM post_quote JOIN post AS quoting ON quoting.id = post_id "
    quoted += "JOIN post AS quoted ON quoted.id = quoted_post_id"
    assert await rows(moved, quoted) == [(14, 1)]
    assert await rows(moved, "SELECT min(created_at), max(created_at) FROM post WHERE id > 25") == [(LATELY, LATELY)]

    threads_now = (
        "SELECT title, slug, state, thread.visibility FROM thread JOIN board ON board.id = board_id ORDER BY thread.id"
    )
    assert await rows(moved, threads_now) == [
        ("What happens on Monday?", "families", "open", "visible"),
        ("New title", "families", "locked", "visible"),
        ("Retitled here", "families", "open", "visible"),
        ("For the team", "team-room", "open", "visible"),
        ("For the bin", "families", "open", "removed"),
        ("Deleted there", "families", "open", "removed"),  # with the answer that somebody here wrote
        ("Taken down there", "families", "open", "removed"),
        ("Of the staff", "team-room", "open", "visible"),
        ("With a removed post", "families", "open", "visible"),
        ("Nobody writes here any more", "families", "locked", "visible"),  # closed there, and here on an open board
        ("Opened since", "families", "open", "visible"),
        ("Split off", "families", "open", "visible"),
    ]

    # Nobody is told of what is new; of what went, and of what has other words now, open pages and services hear.
    assert await rows(moved, "SELECT DISTINCT kind FROM event WHERE thread_id IS NOT NULL ORDER BY kind") == [
        (kind,) for kind in ("edit", "locked", "moved", "removed", "retitled")
    ]
    heard = await rows(moved, "SELECT DISTINCT event FROM webhook_delivery ORDER BY event")
    assert heard == [("case.opened",), ("import.finished",), ("post.removed",)]
    assert await rows(moved, "SELECT kind FROM notification") == [("post_held",)]
    assert await rows(moved, "SELECT count(*) FROM untold_post") == [(0,)]
    indexed = "SELECT DISTINCT number FROM unindexed_post JOIN post ON post.id = post_id WHERE thread_id = 1 ORDER BY 1"
    assert await rows(moved, indexed) == [(number,) for number in (3, 4, 8, 10, 11, 12, 13, 14)]
    for path in (
        *("/boards/families", "/threads/1", "/threads/4", "/threads/5", "/threads/6", "/threads/7", "/threads/8"),
        *(f"{API}/threads/{thread_id}/posts" for thread_id in range(1, 12)),
    ):
        page = (await guest.get(path)).text
        assert not [word for word in HIDDEN if word in page], path

    # What was reported and warned there since is here once, and of what nobody reads any more, nothing.
    reported = "SELECT thread_id, number, handle, note FROM report JOIN post ON post.id = post_id "
    reported += "LEFT JOIN member ON member.id = reporter_id ORDER BY post_id, handle"
    assert await rows(moved, reported) == [
        (1, 1, "wren", "Not kind"),
        (1, 1, None, "From somebody who never came"),
        (1, 3, "magpie", "Here"),
        (1, 4, "wren", "Not kind"),
        (11, 1, "wren", "Not kind"),
    ]
    assert await rows(moved, "SELECT handle FROM past_warning JOIN member ON member.id = member_id") == [("wren",)] * 2

    # She signed in here, so her password is her own; who never did has the new one.
    tried = [("magpie", "old magpie"), ("magpie", "new magpie"), ("wren", "old wren"), ("wren", "new wren")]
    assert [await opens(moved, *pair) for pair in tried] == [True, False, False, True]
    addresses = "SELECT email FROM member WHERE handle IN ('magpie', 'wren') ORDER BY handle"
    assert await rows(moved, addresses) == [("magpie@example.org",), ("new-wren@example.org",)]
    banned = "SELECT handle FROM sanction JOIN member ON member.id = member_id"
    assert await rows(moved, banned) == [("nia",)]

    # All is there but what people decided here, and another run has nothing to do.
    before = await everything(moved)
    assert await carry(moved, tmp_path, newer()) is None
    assert await everything(moved) == before
    found = await looked(moved, tmp_path)
    assert (found.missing, found.changed, found.gone) == (0, 0, 0)
    assert [(one.kind, one.old, one.reason) for one in found.kept] == [
        ("post", "5", "changed_here"),
        ("post", "6", "changed_here"),
        ("thread", "3", "changed_here"),
        ("thread", "8", "wider_board"),
        ("post", "19", "shown_again"),
    ]

    reported_since = ReportRecord(post="12", by="4", reported_at=LATELY, reason="Still there")
    assert await carry(moved, tmp_path, [*newer(), reported_since])  # and nothing else is new
    assert await carry(moved, tmp_path, [*newer(), reported_since]) is None

    # A moderator here lifts the ban, and brings the post back: neither comes undone with the next dump, not even where
    # the old board empties its bin. She moves a thread of the old team to where everybody reads: what the team goes on
    # writing there stays with the team. And a title of ours stays, also where the run moves its thread.
    await sql(moved, "DELETE FROM sanction RETURNING 1")
    orla = await make.viewer(moved, "orla")
    async with make.work(moved) as work:
        await set_visibility(work.session, await lock_post_row(work.session, 19), Visibility.VISIBLE, work.now)
    [(version,)] = await rows(moved, "SELECT version FROM thread WHERE id = 4")
    async with make.work(moved) as work:
        await threads.move_thread(work, orla, 4, version, "families")
    changed = {
        ("post", "13"): {"text": "An ochre secret, told anew."},
        ("post", "19"): None,
        ("thread", "3"): {"title": "Retitled there", "board": "12"},
    }
    later = [
        *(
            record.model_copy(update=change)
            for record in newer()
            if (change := changed.get((record.kind, getattr(record, "old", "")), {})) is not None
        ),
        *(post(40, 1, 3, "Later still.", written_at=LATELY), post(41, 4, 2, "A maroon secret.", written_at=LATELY)),
        BanRecord(person="4"),
    ]
    # Nor does it shut out who works here.
    works = (
        "INSERT INTO role_grant (id, member_id, role, given_at) SELECT gen_random_uuid(), id, 'administrator', now()"
    )
    await sql(moved, f"{works} FROM member WHERE handle = 'wren' RETURNING 1")
    assert await carry(moved, tmp_path, later)
    assert await carry(moved, tmp_path, later) is None
    assert await rows(moved, banned) == []
    staff = KeptHere(MovedKind.PERSON, "4", "/moderation/members/wren", Reason.STAFF)
    assert staff in (await looked(moved, tmp_path)).kept
    assert await rows(moved, "SELECT visibility FROM post WHERE id = 19") == [("visible",)]
    assert await rows(moved, "SELECT body_markdown FROM post WHERE thread_id = 4") == [("An ochre secret.",)]
    retitled = "SELECT title, slug FROM thread JOIN board ON board.id = board_id WHERE thread.id = 3"
    assert await rows(moved, retitled) == [("Retitled here", "team-room")]
    found = await looked(moved, tmp_path)
    assert (found.missing, found.gone) == (0, 0)
    assert [(one.kind, one.old, one.reason) for one in found.kept] == [
        ("post", "5", "changed_here"),
        ("post", "6", "changed_here"),
        ("thread", "3", "changed_here"),
        ("thread", "4", "read_by_more"),
        ("post", "13", "read_by_more"),
        ("thread", "8", "wider_board"),
        ("person", "4", "staff"),
    ]

    # Of whom the earliest runs brought, it was not noted who was banned: a ban that is older was decided about here.
    await sql(moved, "UPDATE moved SET was = NULL WHERE kind = 'person' RETURNING 1")
    await sql(moved, "UPDATE moved SET stood_on = NULL WHERE kind = 'thread' RETURNING 1")
    others = [record for record in later if record.kind != "ban"]
    assert await carry(moved, tmp_path, [*others, BanRecord(person="5", since=THEN)])
    assert await rows(moved, banned) == []
    assert await carry(moved, tmp_path, [*others, BanRecord(person="5", since=THEN)]) is None
    assert await carry(moved, tmp_path, others)
    assert await carry(moved, tmp_path, [*others, BanRecord(person="5", since=NOW)])
    assert await rows(moved, banned) == [("nia",)]


def _killed_after(carry_one: Any) -> Any:
    async def carry_and_die(self: Any, change: Any) -> None:
        await carry_one(self, change)
        raise KeyboardInterrupt

    return carry_and_die


async def test_what_somebody_writes_at_the_same_moment_stands_before_what_comes(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await carry(services, tmp_path, BEFORE)
    await make.member(services, "tern")
    lock, times = carrying._Carrying._lock, []

    async def slow_lock(self: Any, session: Any, change: Any, mark: Any) -> Any:
        times.append(change.steps.thread.id)
        if len(times) == 1:
            await make.post(services, "tern", 1, "I was quicker.")
        return await lock(self, session, change, mark)

    monkeypatch.setattr(carrying._Carrying, "_lock", slow_lock)
    new = post(
        32, 1, 3, written_at=NOW - timedelta(days=1), **quoting("Magpie", "They come on Monday.", "And on Tuesday.")
    )
    assert await carry(services, tmp_path, [*BEFORE, new])
    said = "SELECT number, split_part(body_markdown, E'\n', 1) FROM post WHERE thread_id = 1 AND number > 10 ORDER BY 1"
    assert await rows(services, said) == [(11, "I was quicker."), (12, "> @magpie #1")]
    assert times == [1, 1]

    # A dump in which half of the board is missing hides nothing, unless somebody says that it is so.
    with pytest.raises(CannotMove, match=r"newer than this dump.* Is it an older one\?"):
        await carry(services, tmp_path, BEFORE)
    monkeypatch.setattr(run, "MANY_GONE", 2)
    before = await everything(services)
    part = [record for record in BEFORE if not (record.kind == "post" and record.thread == "1" and record.old > "2")]
    with pytest.raises(CannotMove, match=r"8 of the 22 posts that moved are not in this dump.* --take-gone"):
        await carry(services, tmp_path, part)
    assert await everything(services) == before
    ended = await carry(services, tmp_path, part, takes_gone=True)
    assert ended
    assert ended.counts["hidden"] == 8
    # They are there again: only a person brings back what everybody reads.
    assert await carry(services, tmp_path, [*BEFORE, new]) is None
    assert {one.reason for one in (await looked(services, tmp_path)).kept} == {Reason.SHOWN_AGAIN}

    # Another board of the same program has the same numbers: neither is measured by what came from the other.
    boards = [record for record in BEFORE if record.kind == "board"]
    other = [SourceRecord(program="phpbb", version="3.3.14", name="Kith"), *boards, person(3, "Kite"), person(5, "Nia")]
    assert await carry(services, tmp_path, [*other, thread(1, 11, "Of others"), post(1, 1, 3, "Hello.")])
    assert await looked(services, tmp_path) == check.Comparison(boards=3, same=1)

    # Threads are taken together until they are long.
    monkeypatch.setattr(facts, "MOST_POSTS", 5)
    async with services.database.work() as session:
        assert [some async for some in facts.thread_batches(session, [1, 2, 3, 4], 2)] == [[1], [2, 3], [4]]


async def test_a_very_long_thread_is_gone_through_once_and_written_in_pieces(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(old_threads, "MOST_POSTS", 4)
    monkeypatch.setattr(carrying, "POSTS_AT_ONCE", 2)
    board = [record for record in BEFORE if record.kind in {"source", "board", "person"}]
    board.append(thread(1, 11, "Long"))
    was = [post(old, 1, 3 + old % 2, f"It was so with the cobalt kettle number {old} of them.") for old in range(1, 13)]
    await carry(services, tmp_path, [*board, *was])
    turned, pieces, counted = list[str](), list[int](), list[int]()
    turn, lock, count = LongConverter.turn, carrying._Carrying._lock, visibility.refresh_thread_counts

    async def turn_and_note(self: LongConverter, posts: Sequence[OldPost]) -> list[NewPost]:
        turned.extend(one.record.old for one in posts)
        return await turn(self, posts)

    async def lock_and_note(self: Any, session: Any, change: Any, mark: Any) -> Any:
        pieces.append(len(change.changing) + len(change.new))
        if len(pieces) == answers_at:
            await make.post(services, "tern", 1, "I was quicker.")
        return await lock(self, session, change, mark)

    async def count_and_note(session: AsyncSession, thread_id: int) -> Thread:
        counted.append(thread_id)
        return await count(session, thread_id)

    monkeypatch.setattr(LongConverter, "turn", turn_and_note)
    monkeypatch.setattr(carrying._Carrying, "_lock", lock_and_note)
    monkeypatch.setattr(visibility, "refresh_thread_counts", count_and_note)
    said = "SELECT number, split_part(body_markdown, E'\n', 1) FROM post WHERE visibility = 'visible' ORDER BY number"

    def changed(words: str) -> list[PostRecord]:
        there = [one.model_copy(update={"text": f"{words} {one.old}."}) for one in was if one.old != "3"]
        of_gone = quoting("Wren", "It was so with the cobalt kettle number 3 of them.", "Hm.")
        return [*there, post(13, 1, 3, **of_gone, written_at=LATELY)]

    answers_at = 0
    ended = await carry(services, tmp_path, [*board, *changed("By now")], takes_gone=True)
    assert ended
    assert (ended.counts["reworded"], ended.counts["hidden"], ended.counts["posts"]) == (11, 1, 1)
    assert turned == [str(old) for old in range(1, 14) if old != 3]
    assert pieces == [5, 4, 4]
    by_now = [(number, f"By now {number}.") for number in range(1, 13) if number != 3]
    assert await rows(services, said) == [*by_now, (13, "> **[a removed post]**")]

    # Somebody answers while it is written: what is written stays, and the rest is looked at anew.
    await make.member(services, "tern")
    pieces.clear()
    answers_at = 2
    assert await carry(services, tmp_path, [*board, *changed("At last")])
    assert pieces == [4, 4, 4, 3]
    at_last = [(number, f"At last {number}.") for number in range(1, 13) if number != 3]
    assert await rows(services, said) == [*at_last, (13, "> **[a removed post]**"), (14, "I was quicker.")]

    # All are removed: the thread is counted once for each piece.
    counted.clear()
    removed = [one.model_copy(update={"shown": Shown.REMOVED}) for one in changed("At last")]
    ended = await carry(services, tmp_path, [*board, *removed])
    assert ended
    assert (ended.counts["hidden"], len(counted)) == (12, 3)
    assert await rows(services, said) == [(14, "I was quicker.")]
    assert await carry(services, tmp_path, [*board, *removed]) is None
    assert (await looked(services, tmp_path)).kept == []


async def test_a_very_long_post_is_changed_and_hidden_whole_and_a_part_of_a_blog_hides_nothing(
    services: Services, tmp_path: Path
) -> None:
    long = post(1, 1, 3, "A long cobalt tale. " * 3_000)
    board = [
        SourceRecord(program="wordpress", version="1.2", name="Kin"),
        BoardRecord(old="14", name="Blog", readers=Readers.EVERYONE),
        BoardRecord(old="11", name="Pages", readers=Readers.EVERYONE),
        person(3, "Magpie"),
        person(5, "Nia"),
    ]
    first, second = thread(1, 11, "Long"), thread(2, 11, "Another")
    before = [*board, first, long, post(2, 1, 3, "Answer."), second, post(3, 2, 3, "Ordinary.")]
    await carry(services, tmp_path, before)
    assert await carry(services, tmp_path, [*board, second, post(3, 2, 3, "Ordinary.")]) is None
    # Whoever moved before addresses of words were kept gets them by the same export.
    addressed = [*before, AddressRecord(thread="1", path="2019/05/long", slug="long")]
    ended = await carry(services, tmp_path, addressed)
    assert ended
    assert ended.counts["moved"] == {"address": 2}
    assert await carry(services, tmp_path, addressed) is None
    said = (
        "SELECT number, visibility, revision, strpos(body_markdown, 'amber') > 0 FROM post "
        "WHERE thread_id = 1 ORDER BY number"
    )
    *parts, _ = await rows(services, said)
    assert len(parts) > 2

    async def change(text: str) -> tuple[bool, Sequence[Any], Sequence[Reason | None]]:
        changed = long.model_copy(update={"text": text})
        is_any = await carry(services, tmp_path, [*board, first, changed, post(2, 1, 3, "Answer.")]) is not None
        kept = (await looked(services, tmp_path)).kept
        return is_any, [row[1:] for row in (await rows(services, said))[: len(parts)]], [one.reason for one in kept]

    reworded = ("visible", 2, True)
    assert await change("A long amber tale! " * 3_000) == (True, [reworded] * len(parts), [])
    over = ("removed", 2, True)
    shorter = [("visible", 3, False), *[over] * (len(parts) - 1)]
    assert await change("Short.") == (True, shorter, [])
    assert await change("A long amber tale! " * 3_000) == (False, shorter, [Reason.TOO_LONG])
    shortest = [("visible", 4, False), *shorter[1:]]
    assert await change("Shorter.") == (True, shortest, [])
    assert await carry(services, tmp_path, [*board, first, post(2, 1, 3, "Answer."), post(4, 1, 3, "New.")])
    *hidden, answer, new = await rows(services, said)
    assert {visibility for _, visibility, *_ in hidden} == {"removed"}
    assert (answer[1], new[1]) == ("visible", "visible")


# How the thread of a team stands here, and whether what the team writes and changes there since comes.
STANDS: Sequence[tuple[Shown, Mapping[str, Any], set[Reason] | None]] = (
    (Shown.VISIBLE, {}, None),
    (Shown.VISIBLE, {"board_id": 1, "version": 2}, {Reason.CHANGED_HERE, Reason.READ_BY_MORE}),
    (Shown.VISIBLE, {"board_id": 1}, {Reason.READ_BY_MORE}),
    (Shown.REMOVED, {"was": Was.REMOVED, "visibility": ThreadVisibility.REMOVED}, None),
    (Shown.REMOVED, {"was": Was.REMOVED}, {Reason.READ_BY_MORE}),
)


def test_what_comes_is_read_by_nobody_who_could_not_read_it_there(tmp_path: Path) -> None:
    boards = BoardReaders(1, Readers.EVERYONE), BoardReaders(2, Readers.STAFF)
    known = BoardsNow({one.id: one for one in boards}, {"11": boards[0], "12": boards[1]}, frozenset())
    for shown, stands, reasons in STANDS:
        before = thread(8, 12, "Of the team", shown=shown)
        was = post(17, 8, 2, "As it was."), post(18, 8, 2, "It waits.", shown=Shown.WAITING)
        changed = [
            before.model_copy(update={"title": "Of all of the team"}),
            was[0].model_copy(update={"text": "As it is."}),
            was[1].model_copy(update={"shown": Shown.VISIBLE}),
            post(19, 8, 2, "New."),
        ]
        posts = (_here(2, was[0], Visibility.VISIBLE, None), _here(3, was[1], Visibility.HELD, Was.WAITING))
        here = ThreadHere(
            **{
                **{"id": 1, "old": "8", "board_id": 2, "author_id": posts[0].author_id, "title": "Of the team"},
                **{"state": ThreadState.OPEN, "pinned": False, "visibility": ThreadVisibility.VISIBLE, "version": 1},
                **{"last_number": 3, "digest": digest_of(before), "was": None, "stood_on": "12", "left": 1},
                **{"posts": posts, **stands},
            }
        )
        with Staging.without_name(tmp_path) as staging:
            staging.add([BEFORE[0], *changed])
            put = "INSERT INTO here (kind, old, thread_id) VALUES ('post', ?, 1)"
            staging.connection.executemany(put, [("17",), ("18",)])
            steps = Deciding(staging, known, {"12"}, NOW).decide(here)
        assert steps
        comes = (dict(steps.columns), [set(one.steps) for one in steps.posts], [one.old for one in steps.new])
        if reasons is None:
            assert comes == ({"title": "Of all of the team"}, [{Step.REWORD}, {Step.SHOW}], ["19"])
            assert not [*steps.kept()]
        else:
            assert comes == ({}, [set(), set()], [])
            assert not steps.is_any
            assert {one.reason for one in steps.kept() if one.kind == MovedKind.THREAD} == reasons
            assert [one.reason for one in steps.posts] == [Reason.READ_BY_MORE, Reason.READ_BY_MORE]


def _here(number: int, record: PostRecord, visibility: Visibility, was: Was | None) -> PostHere:
    return PostHere(
        id=number,
        number=number,
        author_id=UUID(int=2),
        handle="suzie",
        name="Suzie",
        visibility=visibility,
        revision=1,
        is_carried=False,
        created_at=NOW,
        waits=False,
        old=record.old,
        digest=digest_of(record),
        was=was,
        left=1,
    )


def test_what_stays_as_it_is_here_is_listed_with_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    kept = [KeptHere(MovedKind.POST, str(old), f"/threads/7#post-{old}", Reason.CHANGED_HERE) for old in range(1, 61)]
    import_run._report(None, check.Comparison(kept=kept), ())
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Nothing new: all that the plan takes is here already."
    assert said[1].startswith("- Changed on the old board, and here by people: 60.")
    assert said[2] == "  - post 1 of the old board: /threads/7#post-1"
    assert said[-1] == "  - and 10 more"
