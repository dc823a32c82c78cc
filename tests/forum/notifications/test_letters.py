"""Letters: who gets one, when, and what is in it."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from forum.core import clock
from forum.core.errors import Throttled
from forum.core.settings import Settings
from forum.http.services import Services
from forum.mail.outbox import MailSender
from forum.mail.tables import MailKind
from forum.members.tables import Standing
from forum.notifications import letter_choices, letter_jobs, letters
from forum.notifications.inbox import NotificationKind, notify, notify_each
from forum.notifications.letter_times import LetterMode
from tests.forum.mail.test_outbox import PostOffice, smtp_server, with_mail
from tests.support import mailbox, make
from tests.support.jobs import run_due_jobs, run_errand
from tests.support.scenes import a_post, sql

API = "/api/v1"
NOON = datetime(2026, 7, 1, 11, tzinfo=UTC)


async def chooses(services: Services, handle: str, mode: LetterMode, **more: Any) -> None:
    """A member who chose this."""
    about = {"at": time(10), "zone": "Europe/London", **more}
    async with services.database.work() as session:
        [member] = await session.execute(text("SELECT id FROM member WHERE handle = :handle"), {"handle": handle})
        session.add(letters.LetterChoice(member_id=member.id, mode=mode, **about))


async def due(services: Services) -> dict[str, datetime]:
    rows = await sql(services, "SELECT handle, due_at FROM mail_due JOIN member ON member.id = member_id")
    return {row.handle: row.due_at for row in rows}


async def test_a_letter_is_due_to_whoever_chose_one(services: Services) -> None:
    told = {}
    for handle, mode in {"off": LetterMode.OFF, "daily": LetterMode.DAILY, "soon": LetterMode.SOON}.items():
        told[handle] = await make.member(services, f"{handle}-heron")
        await chooses(services, f"{handle}-heron", mode)
    await make.member(services, "never-asked")
    await make.member(services, "stopped")
    await chooses(services, "stopped", LetterMode.SOON, stopped_at=NOON)
    members = [row.id for row in await sql(services, "SELECT id FROM member")]
    async with services.database.work() as session:
        await letters.mark_due(session, members, NOON)
        await letters.mark_due(session, members, NOON.replace(minute=30))
    assert await due(services) == {
        "daily-heron": datetime(2026, 7, 2, 9, tzinfo=UTC),
        "soon-heron": datetime(2026, 7, 1, 11, 10, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    ("kind", "is_due"),
    [
        (NotificationKind.POST_PUBLISHED, True),
        (NotificationKind.RULES_CHANGED, True),
        (NotificationKind.CASE_URGENT, False),
        (NotificationKind.TALK_ANSWERED, False),
    ],
)
async def test_what_members_are_told_makes_one_due_and_what_staff_are_told_does_not(
    services: Services, kind: NotificationKind, is_due: bool
) -> None:
    for handle in ("one", "many"):
        await make.member(services, handle)
        await chooses(services, handle, LetterMode.SOON)
    one, many = [(await make.viewer(services, handle)).member_id for handle in ("one", "many")]
    async with services.database.work() as session:
        await notify(session, one, kind, NOON)
        await notify_each(session, [many], kind, NOON)
    assert set(await due(services)) == ({"one", "many"} if is_due else set())


async def test_nobody_is_told_while_their_letter_is_being_made_without_getting_another(services: Services) -> None:
    """The job takes the row; what is told meanwhile inserts it again."""
    await make.member(services, "heron")
    await chooses(services, "heron", LetterMode.SOON)
    heron = (await make.viewer(services, "heron")).member_id
    async with services.database.work() as session:
        await letters.mark_due(session, [heron], NOON)

    async def tell() -> None:
        async with services.database.work() as session:
            await letters.mark_due(session, [heron], NOON.replace(hour=12))

    async with services.database.work() as job:
        await job.execute(text("SELECT 1 FROM mail_due FOR UPDATE SKIP LOCKED"))
        await job.execute(text("DELETE FROM mail_due"))
        telling = asyncio.create_task(tell())
        await asyncio.wait([telling], timeout=0.2)
        assert not telling.done()
    await telling
    assert await due(services) == {"heron": datetime(2026, 7, 1, 12, 10, tzinfo=UTC)}


# Sent


async def told(services: Services, handle: str, kind: NotificationKind = NotificationKind.RULES_CHANGED) -> None:
    """Something happens that concerns them."""
    member = (await make.viewer(services, handle)).member_id
    async with services.database.work() as session:
        await notify(session, member, kind, clock.now())


async def came(services: Services, at: datetime) -> list[mailbox.Letter]:
    """What the clock has sent by then."""
    async with services.database.work() as session:
        await letter_jobs.send_due(session, {}, at)
    return await mailbox.come(services, at)


@pytest.fixture
async def heron(app: FastAPI, services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A member who wants letters soon, at any hour."""
    async with make.signed_in(app, "heron") as client:
        await chooses(services, "heron", LetterMode.SOON)
        yield client


SOON = timedelta(minutes=11)


async def test_a_letter_says_that_something_is_new_and_nothing_else(
    services: Services, heron: httpx.AsyncClient
) -> None:
    await told(services, "heron")
    assert await came(services, clock.now()) == []
    [letter] = await came(services, clock.now() + SOON)
    assert (letter.to, letter.subject) == ("heron@example.org", "Something new for you")
    assert letter.words.count("/me/notices") == 3
    assert letter.words.count("/unsubscribe/") == 3
    assert not [word for word in ("heron", "rule", services.settings.name.lower()) if word in letter.words.lower()]
    assert await due(services) == {}
    assert await came(services, clock.now() + timedelta(days=1)) == []


async def test_letters_to_all_about_anything_have_the_same_words_but_for_the_link_that_turns_them_off(
    app: FastAPI, services: Services, heron: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "magpie"):
        await chooses(services, "magpie", LetterMode.SOON)
        for kind in (NotificationKind.EXPORT_READY, NotificationKind.DEPARTURE_WAITS, NotificationKind.RULES_CHANGED):
            await told(services, "magpie", kind)
        await told(services, "heron")
        first, second = await came(services, clock.now() + SOON)
    off = re.compile(r"/unsubscribe/[\w-]{22}")
    assert off.sub("", first.words) == off.sub("", second.words)
    assert len(first.words) == len(second.words)
    assert set(off.findall(first.words)) != set(off.findall(second.words))


async def test_what_was_read_meanwhile_is_worth_no_letter(services: Services, heron: httpx.AsyncClient) -> None:
    await told(services, "heron")
    newest = (await heron.get(f"{API}/me/notifications")).json()["items"][0]["id"]
    assert (await heron.put(f"{API}/me/notifications/read", json={"up_to": newest})).status_code == 204
    assert (await came(services, clock.now() + SOON), await due(services)) == ([], {})


async def test_what_was_read_as_the_letter_was_about_to_leave_is_worth_none_either(
    services: Services, heron: httpx.AsyncClient
) -> None:
    await told(services, "heron")
    async with services.database.work() as session:
        await letter_jobs.send_due(session, {}, clock.now() + SOON)
        await session.execute(text("UPDATE notification SET read_at = now()"))
    assert await mailbox.come(services) == []
    assert await sql(services, "SELECT 1 FROM mail") == []


async def test_what_can_no_longer_be_seen_is_worth_no_letter(services: Services, heron: httpx.AsyncClient) -> None:
    post = await a_post(services)
    herons = (await make.viewer(services, "heron")).member_id
    async with services.database.work() as session:
        await notify(session, herons, NotificationKind.POST_EDITED, clock.now(), post_id=post.id)
        await session.execute(text("UPDATE board SET readers = '{moderator}'"))
    assert await came(services, clock.now() + SOON) == []


async def test_soon_is_at_most_once_in_three_hours(services: Services, heron: httpx.AsyncClient) -> None:
    now = clock.now()
    times = []
    for minutes in range(0, 24 * 60, 10):
        at = now + timedelta(minutes=minutes)
        async with services.database.work() as session:
            member = (await make.viewer(services, "heron")).member_id
            await notify(session, member, NotificationKind.EXPORT_READY, at)
        times += [at] * len(await came(services, at))
    assert all(later - earlier >= timedelta(hours=3) for earlier, later in pairwise(times))
    assert len(times) == 8


async def test_a_letter_that_the_quiet_hours_overtook_waits_for_their_end(
    services: Services, heron: httpx.AsyncClient
) -> None:
    """As when the mail server was away in the evening."""
    await told(services, "heron")
    async with services.database.work() as session:
        await letter_jobs.send_due(session, {}, clock.now() + SOON)
        await session.execute(text("UPDATE letter_choice SET quiet_from = '00:00', quiet_to = '23:59', zone = 'UTC'"))
    day = (clock.now() + timedelta(days=1)).replace(hour=12)
    assert await mailbox.come(services, day) == []
    assert await due(services) == {"heron": day.replace(hour=23, minute=59, second=0, microsecond=0)}


async def test_who_changes_the_address_gets_letters_there_and_only_once_it_is_verified(
    services: Services, heron: httpx.AsyncClient
) -> None:
    await told(services, "heron")
    async with services.database.work() as session:
        await letter_jobs.send_due(session, {}, clock.now() + SOON)
        await session.execute(text("UPDATE member SET email = 'other@example.org'"))
    assert await mailbox.come(services) == []
    await told(services, "heron", NotificationKind.EXPORT_READY)
    async with services.database.work() as session:
        await session.execute(text("UPDATE member SET email_verified_at = NULL"))
    assert (await came(services, clock.now() + timedelta(days=1)), await due(services)) == ([], {})


async def test_more_letters_than_one_transaction_takes_come_in_several(services: Services) -> None:
    now, many = clock.now(), letter_jobs.AT_ONCE + 3
    for number in range(many):
        await make.member(services, f"heron{number}")
    async with services.database.work() as session:
        every = "SELECT id, 'soon', '10:00'::time, 'UTC', 0 FROM member"
        await session.execute(text(f"INSERT INTO letter_choice (member_id, mode, at, zone, refusals) {every}"))
        members = (await session.execute(text("SELECT id FROM member"))).scalars().all()
        await notify_each(session, members, NotificationKind.RULES_CHANGED, now)
        await letter_jobs.send_due(session, {}, now + SOON)
    await run_due_jobs(services, now + SOON)
    assert len(await sql(services, "SELECT 1 FROM mail WHERE kind = 'news'")) == many


# Refused


async def test_a_mail_server_that_refuses_three_letters_gets_no_more_and_the_member_is_told_in_the_app(
    services: Services, settings: Settings, heron: httpx.AsyncClient
) -> None:
    office, now = PostOffice(), clock.now()
    async with smtp_server(office) as port:
        posted = with_mail(settings, f"smtp://127.0.0.1:{port}?tls=off")
        sender = MailSender(posted, {MailKind.NEWS: letter_jobs.HOOKS})
        for number, answer in enumerate(["550 no", "550 no", "", "550 no", "450 later", "550 no", "550 no", "550 no"]):
            at = now + timedelta(hours=4 * number + 1)
            office.answers = [answer] if answer else []
            async with services.database.work() as session:
                member = (await make.viewer(services, "heron")).member_id
                await notify(session, member, NotificationKind.EXPORT_READY, at)
                await letter_jobs.send_due(session, {}, at + SOON)
            newest = "SELECT id FROM mail WHERE kind = 'news' AND failures = 0"
            for [mail] in await sql(services, newest):
                await run_errand(services.database, sender, {"mail": str(mail)}, at + SOON)
    assert len(office.came) == 1
    [choice] = await sql(services, "SELECT refusals, stopped_at FROM letter_choice")
    assert (choice.refusals, choice.stopped_at) == (3, now + timedelta(hours=25) + SOON)
    kinds = [item["kind"] for item in (await heron.get(f"{API}/me/notifications")).json()["items"]]
    assert kinds.count("mails_stopped") == 1
    assert (await heron.get(f"{API}/me/mails")).json()["stopped_at"]
    assert await sql(services, "SELECT 1 FROM mail_due") == []
    assert (await heron.put(f"{API}/me/mails", json={"mode": "soon", "zone": "UTC"})).status_code == 204
    assert (await heron.get(f"{API}/me/mails")).json()["stopped_at"] is None


async def test_letters_that_come_back_later_stop_too_and_nobody_can_stop_anothers(
    services: Services, heron: httpx.AsyncClient
) -> None:
    heron_id, now = (await make.viewer(services, "heron")).member_id, clock.now()
    async with make.work(services) as work:
        token = await letter_choices.create_off_token(work.session, heron_id, work.settings, now)
        assert await letter_choices.find_owner(work, token) == heron_id
        assert await letter_choices.find_owner(work, token[:-1]) is None
    # A second report of the same letter, and a row that a month has ended.
    for hours, stands in {0: 1, 0.5: 1, 4: 2, 24 * 32: 1, 24 * 32 + 4: 2, 24 * 32 + 8: 3, 24 * 32 + 12: 3}.items():
        async with services.database.work() as session:
            await letter_jobs.note_returned(session, heron_id, now + timedelta(hours=hours))
        [choice] = await sql(services, "SELECT returns, stopped_at FROM letter_choice")
        assert (choice.returns, choice.stopped_at is not None) == (stands, stands == 3), hours
    kinds = [item["kind"] for item in (await heron.get(f"{API}/me/notifications")).json()["items"]]
    assert kinds == ["mails_stopped"]
    assert (await heron.put(f"{API}/me/mails", json={"mode": "soon", "zone": "UTC"})).status_code == 204
    assert [tuple(row) for row in await sql(services, "SELECT returns, stopped_at FROM letter_choice")] == [(0, None)]


# Chosen


CHOICE = {
    "mode": "daily",
    "at": "18:30",
    "zone": "Pacific/Chatham",
    "quiet": ["22:00", "08:00"],
    "paused_until": None,
}


async def test_before_anybody_chose_mails_are_off(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        assert (await heron.get(f"{API}/me/mails")).json() == {
            "mode": "off",
            "at": "10:00",
            "zone": "Europe/London",
            "quiet": ["22:00", "08:00"],
            "paused_until": None,
            "answered": False,
            "stopped_at": None,
        }


async def test_what_was_chosen_is_read_again(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        paused = (clock.now() + timedelta(days=3)).replace(microsecond=0)
        chosen = CHOICE | {"paused_until": paused.isoformat().replace("+00:00", "Z")}
        for _ in range(2):
            assert (await heron.put(f"{API}/me/mails", json=chosen)).status_code == 204
            assert (await heron.get(f"{API}/me/mails")).json() == {**chosen, "answered": True, "stopped_at": None}


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"zone": "Atlantis/Centre"}, "unknown_zone", "#/zone"),
    ({"zone": "localtime"}, "unknown_zone", "#/zone"),
    ({"zone": "../../etc/passwd"}, "unknown_zone", "#/zone"),
    ({"quiet": ["00:00", "00:00"]}, "quiet_hours_empty", "#/quiet"),
    ({"at": "23:00"}, "hour_in_quiet_hours", "#/at"),
    ({"at": "07:59"}, "hour_in_quiet_hours", "#/at"),
    ({"at": "24:00"}, "wrong_format", "#/at"),
    ({"mode": "weekly"}, "unknown_value", "#/mode"),
    ({"paused_until": "2020-01-01T00:00:00Z"}, "time_not_in_future", "#/paused_until"),
    ({"paused_until": "2090-01-01T00:00:00Z"}, "time_too_far", "#/paused_until"),
    ({"paused_until": "9999-12-31T23:59:59-14:00"}, "year_out_of_reach", "#/paused_until"),
    ({"quiet": ["22:00"]}, "too_few", "#/quiet"),
]


async def test_what_cannot_be_is_refused(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        for change, code, pointer in REFUSED:
            answer = await heron.put(f"{API}/me/mails", json=CHOICE | change)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), change
            assert answer.json()["errors"][0].get("code", answer.json()["code"]) == code, change


async def test_without_a_verified_address_mails_can_only_be_off(app: FastAPI) -> None:
    async with make.signed_in(app, "heron", verified=False) as heron:
        refused = await heron.put(f"{API}/me/mails", json=CHOICE)
        assert (refused.status_code, refused.json()["code"]) == (403, "unverified_address")
        assert (await heron.put(f"{API}/me/mails", json=CHOICE | {"mode": "off"})).status_code == 204


@pytest.mark.parametrize("standing", [Standing.SILENCED, Standing.SUSPENDED, Standing.BANNED])
async def test_in_any_standing_one_chooses_and_turns_off(app: FastAPI, services: Services, standing: Standing) -> None:
    async with make.signed_in(app, "heron") as heron:
        await make.sanction(services, "heron", standing)
        assert (await heron.put(f"{API}/me/mails", json=CHOICE)).status_code == 204
        assert (await heron.put(f"{API}/me/mails", json=CHOICE | {"mode": "off"})).status_code == 204


async def test_what_is_due_comes_at_the_new_time_or_not_at_all(services: Services, heron: httpx.AsyncClient) -> None:
    await told(services, "heron")
    assert (await heron.put(f"{API}/me/mails", json={"mode": "daily", "at": "10:00", "zone": "UTC"})).status_code == 204
    [at] = (await due(services)).values()
    assert (at.hour, at.minute) == (10, 0)
    assert (await heron.put(f"{API}/me/mails", json={"mode": "off", "zone": "UTC"})).status_code == 204
    assert await due(services) == {}


# Turned off


async def off_token(services: Services, handle: str = "heron", at: datetime | None = None) -> str:
    member = (await make.viewer(services, handle)).member_id
    async with services.database.work() as session:
        return await letter_choices.create_off_token(session, member, services.settings, at or clock.now())


async def modes(services: Services) -> list[str]:
    await run_due_jobs(services, clock.now() + timedelta(minutes=1))
    return [row.mode for row in await sql(services, "SELECT mode FROM letter_choice")]


async def test_the_token_of_a_letter_turns_them_off(
    services: Services, heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await told(services, "heron")
    async with services.database.work() as session:
        await letter_jobs.send_due(session, {}, clock.now() + SOON)
    await told(services, "heron", NotificationKind.EXPORT_READY)
    for _ in range(2):
        answer = await guest.post(f"{API}/unsubscriptions", json={"token": await off_token(services)})
        assert answer.status_code == 204
        assert await modes(services) == ["off"]
    assert await sql(services, "SELECT 1 FROM mail UNION SELECT 1 FROM mail_due") == []


async def test_a_token_is_the_same_all_year_and_works_for_another(services: Services, heron: httpx.AsyncClient) -> None:
    years = [datetime(year, month, 1, tzinfo=UTC) for year in (2026, 2027) for month in (1, 12)]
    tokens_of = [await off_token(services, at=at) for at in years]
    assert tokens_of[0] == tokens_of[1] != tokens_of[2] == tokens_of[3]
    assert {len(token) for token in tokens_of} == {22}
    async with services.database.work() as session:
        await letter_choices.delete_expired(session, datetime(2027, 12, 31, tzinfo=UTC))
        assert len((await session.execute(text("SELECT 1 FROM off_link"))).all()) == 2
        await letter_choices.delete_expired(session, datetime(2028, 1, 1, tzinfo=UTC))
        assert len((await session.execute(text("SELECT 1 FROM off_link"))).all()) == 1


async def test_a_token_of_nobody_is_as_much_work(
    services: Services, heron: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    known = await off_token(services)
    jobs_of = []
    for token in (known, "A" * 22):
        with make.note_of_statements(services) as statements:
            assert (await guest.post(f"{API}/unsubscriptions", json={"token": token})).status_code == 204
        jobs_of.append([statement.split()[0] for statement in statements])
    assert jobs_of[0] == jobs_of[1]
    queued = await sql(services, "SELECT count(*) AS waiting FROM jobs.queue WHERE entrypoint = 'turn_letters_off'")
    assert queued[0].waiting == 2


async def test_ten_thousand_tokens_cannot_be_tried(services: Services, guest: httpx.AsyncClient) -> None:
    limited = replace(services, settings=services.settings.model_copy(update={"unsubscribe_limit": "2/1 minute"}))
    given = limited.transactions(clock.now())
    for number in range(2):
        await letter_choices.turn_off(given, str(number), "192.0.2.1")
    with pytest.raises(Throttled):
        await letter_choices.turn_off(given, "3", "192.0.2.1")
    await letter_choices.turn_off(given, "3", "192.0.2.2")


async def test_who_never_answered_is_asked_after_their_first_post_alone(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron"), make.signed_in(app, "wren", verified=False):
        for handle, is_asked in (("heron", True), ("wren", False)):
            viewer = await make.viewer(services, handle)
            assert await letter_choices.is_unasked(services.database.reader, viewer) is is_asked
        heron = await make.viewer(services, "heron")
        thread = await make.thread(services, "heron")
        assert await letter_choices.is_unasked(services.database.reader, heron)
        await make.member(services, "magpie")
        await make.thread(services, "magpie")
        await make.post(services, "magpie", thread)
        magpie = await make.viewer(services, "magpie")
        assert not await letter_choices.is_unasked(services.database.reader, magpie)  # who passed it over
        async with make.work(services) as work:
            await letter_choices.answer_question(work, heron, wants_letters=False)
            await letter_choices.answer_question(work, heron, wants_letters=True)
        assert not await letter_choices.is_unasked(services.database.reader, heron)
        assert await modes(services) == ["off"]
