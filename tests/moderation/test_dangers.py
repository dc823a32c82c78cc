"""Danger in somebody's words: help in every answer, a case in time, one call for one night, and nothing lost."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content import addressed_help
from forum.content.boards import Board
from forum.content.crisis_help import WORDS, help_for, lines_of, list_help, list_regional, list_regions
from forum.core import clock
from forum.core.errors import UnusableSetting
from forum.core.gate import Danger
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role, Standing
from forum.privacy.export_contents import export_addressed_help
from moderation import findings, refused_texts
from moderation.first_words import first_words_for
from moderation.screening.finding import CrisisKind
from tests.support import make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, sql
from tests.web.support import fields_of, form, parsed, text_of

ATTEMPT = "I've taken the tablets"
SUICIDE = "I want to die tonight"
WORRY = "Nobody would miss me."
TOLD = "Just go and kill yourself"


@pytest.fixture(autouse=True)
async def board(services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)


async def opens(client: httpx.AsyncClient, body: str, title: str = "A question") -> dict[str, Any]:
    answer = await client.post(f"{API}/boards/new-here/threads", json={"title": title, "body_markdown": body})
    assert answer.status_code == 201, answer.text
    thread: dict[str, Any] = answer.json()
    return thread


async def replies(client: httpx.AsyncClient, thread: int, body: str, **more: Any) -> httpx.Response:
    return await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body, **more})


async def queue(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await client.get(f"{API}/moderation/cases")).json()["items"]
    return items


def names(help_: dict[str, Any]) -> list[str]:
    return [line["name"] for line in help_["resources"]]


def test_there_is_help_for_each_kind_of_danger() -> None:
    assert set(WORDS) == set(CrisisKind)
    assert all(one.resources for one in list_help(Settings(), None, clock.now()))


def test_who_answers_at_that_hour_and_on_that_board_comes_first(tmp_path: Path) -> None:
    own = tmp_path / "lines.toml"
    own.write_text(
        """
        [[lines]]
        name = "By day"
        open = ["mon-fri 09:00-17:00", "sat 10:00-12:00"]
        kinds = ["suicide", "danger"]
        [[lines]]
        name = "Of the court board"
        boards = ["court"]
        kinds = ["suicide"]
        [[lines]]
        name = "Day and night"
        telephone = "999"
        open = ["00:00-24:00"]
        kinds = ["suicide", "danger"]
        """
    )
    settings = Settings(help_lines=own, time_zone="Europe/London")

    def order(kind: str, at: str, board: str | None = None) -> list[tuple[str, bool | None]]:
        place = Board(slug=board, hours=None) if board else None
        found = help_for(Danger(kind, None), settings, datetime.fromisoformat(at), board=place)
        return [(line.name, line.open_now) for line in found.resources]

    by_day, night = ("By day", True), ("Day and night", True)
    assert order("suicide", "2026-07-27T08:30+00:00") == [by_day, night]  # Monday, 9:30 in London
    assert order("suicide", "2026-07-27T16:30+00:00", "court") == [
        ("Of the court board", None),
        night,
        ("By day", False),
    ]
    assert order("suicide", "2026-07-25T10:30+00:00") == [by_day, night]  # Saturday
    assert order("danger", "2026-07-26T03:00+00:00") == [("By day", False), night]  # nothing rings first
    own.write_text('[[lines]]\nname = "A"\nopen = ["9 to 5"]\nkinds = ["suicide"]\n')
    with pytest.raises(UnusableSetting):
        lines_of(own.rename(tmp_path / "wrong.toml"))


def test_lines_of_other_regions_are_left_out_only_for_a_region_that_is_named(tmp_path: Path) -> None:
    own = tmp_path / "lines.toml"
    line = '[[lines]]\nname = "{0}"\nkinds = ["suicide"]\n{1}\n'
    regional = line.format("Of Wales", 'regions = ["Wales"]') + line.format("Of two", 'regions = ["England", "wales"]')
    own.write_text(line.format("Everywhere", "") + regional + line.format("Of Kent", 'regions = ["Kent"]'))
    settings = Settings(help_lines=own)

    def shown(region: str | None) -> list[str]:
        [found] = list_help(settings, "suicide", clock.now(), region)
        return [line.name for line in found.resources]

    assert shown("WALES") == ["Everywhere", "Of Wales", "Of two"]
    assert shown("England") == ["Everywhere", "Of two"]
    assert shown(None) == shown("Atlantis") == ["Everywhere", "Of Wales", "Of two", "Of Kent"]
    assert list_regions(settings) == ["England", "Kent", "wales"]
    assert [line.name for line in list_regional(settings, "wales", clock.now())] == ["Of Wales", "Of two"]


async def test_who_helps_where_one_lives_is_chosen_and_kept_nowhere(guest: httpx.AsyncClient) -> None:
    answer = (await guest.get(f"{API}/help", params={"kind": "danger", "region": "scotland"})).json()
    assert answer["regions"] == ["England", "Northern Ireland", "Scotland", "Wales"]
    [danger] = answer["items"]
    assert {region for line in danger["resources"] for region in line["regions"]} == {"Scotland"}
    page = await guest.get("/help")
    assert "Live Fear Free · Wales" not in text_of(page.text)
    [wales] = [link.get("href") for link in parsed(page.text).iter("a") if link.text == "Wales"]
    chosen = await guest.get(str(wales))
    assert "Live Fear Free · Wales" in text_of(chosen.text)
    assert "Set-Cookie" not in chosen.headers
    assert "Where do you live?" in text_of((await guest.get("/help?region=99")).text)


# Help in the answer


async def test_whoever_is_in_danger_is_answered_with_help_and_others_are_not(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "wren") as wren:
        opened = await opens(wren, SUICIDE)
        assert (opened["help"]["kind"], opened["help"]["level"]) == ("suicide", "acute")
        assert "Samaritans" in names(opened["help"])
        assert opened["help"]["watched"]["now"] is False
        post = opened["first_post"]["id"]
        assert (await wren.get(f"{API}/posts/{post}/help")).json()["help"] == opened["help"]
        edited = await wren.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "Sorry about that."})
        assert edited.json()["help"] is None
        assert (await wren.get(f"{API}/posts/{post}/help")).json() == {"help": None}
        retitled = await wren.patch(f"{API}/threads/{opened['id']}", json={"version": 1, "title": ATTEMPT})
        assert retitled.json()["help"]["kind"] == "attempt"
        async with make.signed_in(app, "magpie") as magpie:
            assert (await replies(magpie, opened["id"], "We hear you.")).json()["help"] is None
            assert (await magpie.get(f"{API}/posts/{post}/help")).status_code == 404


async def test_in_danger_of_another_person_what_makes_no_sound_comes_first(guest: httpx.AsyncClient) -> None:
    answer = await guest.get(f"{API}/help", params={"kind": "danger"})
    [danger] = answer.json()["items"]
    silent = [line["silent"] for line in danger["resources"]]
    assert silent == sorted(silent, reverse=True)
    assert silent[0]
    assert danger["resources"][0]["telephone"] is None
    assert answer.headers["etag"]
    assert len((await guest.get(f"{API}/help")).json()["items"]) == len(CrisisKind)
    assert (await guest.get(f"{API}/help", params={"kind": "x"})).status_code == 422


async def test_who_tells_another_to_harm_themselves_reads_no_help_and_the_other_does(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "toad") as toad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        opened = await opens(wren, "I am at the end of my strength.")
        told = (await replies(toad, opened["id"], TOLD, reply_to=1)).json()
        assert told["help"] is None
        assert (await toad.get(f"{API}/posts/{told['id']}/help")).json() == {"help": None}
        assert (await wren.get(f"{API}/posts/{told['id']}/help")).json()["help"]["kind"] == "encouragement"
        [case] = await queue(suzie)
        assert (case["category"], case["dangers"]) == ("encouragement", ["encouragement"])


async def test_help_stands_beside_the_thread_for_whom_it_was_said_to_and_for_nobody_else(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "toad") as toad,
        make.signed_in(app, "magpie") as magpie,
    ):
        opened = await opens(wren, "I am at the end of my strength.")
        mine, page = f"{API}/threads/{opened['id']}/mine", f"/threads/{opened['id']}"
        assert (await wren.get(mine)).json()["help"] is None
        assert (await replies(toad, opened["id"], TOLD, reply_to=1)).status_code == 201
        assert (await replies(toad, opened["id"], f"@magpie {TOLD}")).status_code == 201
        for reader in (wren, magpie):
            shown = (await reader.get(mine)).json()["help"]
            assert shown["resources"][0]["name"]
            assert not any(word in str(shown).lower() for word in ("toad", "encouragement", "wrote"))
            assert "Only you see this." in (await reader.get(page)).text
        assert (await toad.get(mine)).json()["help"] is None
        assert "Only you see this." not in (await toad.get(page)).text
        async with services.database.work() as session:
            [told] = await export_addressed_help(session, await make.viewer(services, "wren"), clock.now())
            assert len(told.items) == 1
            # A week later it is gone by itself.
            await addressed_help.delete_past(session, clock.now() + timedelta(days=6))
        assert (await form(wren, await wren.get(page), f"{page}/help/end")).status_code == 303
        assert (await magpie.delete(f"{API}/threads/{opened['id']}/help")).status_code == 204
        for reader in (wren, magpie):
            assert (await reader.get(mine)).json()["help"] is None
        async with services.database.work() as session:
            await addressed_help.delete_past(session, clock.now() + timedelta(days=8))
        assert await sql(services, "SELECT 1 FROM addressed_help") == []


async def test_help_stands_beside_the_thread_from_when_the_words_are_read_and_comes_back_with_other_words(
    app: FastAPI, services: Services
) -> None:
    await make.board(services, "held", publication="hold_all")
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "toad") as toad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        thread = await make.thread(services, "wren", "held")
        told = (await replies(toad, thread, TOLD, reply_to=1)).json()
        await sql(services, "UPDATE addressed_help SET since = since - interval '9 days'")  # it waited so long
        async with services.database.work() as session:
            await addressed_help.delete_past(session, clock.now())

        async def is_helped() -> bool:
            return (await wren.get(f"{API}/threads/{thread}/mine")).json()["help"] is not None

        async def published() -> None:
            done = await scenes.decide(suzie, await scenes.a_case(suzie, told["id"]), scenes.PUBLISH)
            assert done.status_code == 201, done.text

        put_away = f"{API}/threads/{thread}/help"
        assert (await wren.delete(put_away)).status_code == 204  # whatever it was for, it was not for this
        assert not await is_helped()
        await published()
        assert await is_helped()
        assert (await wren.delete(put_away)).status_code == 204
        edited = await toad.patch(f"{API}/posts/{told['id']}", json={"revision": 1, "body_markdown": f"{TOLD} now"})
        assert edited.json()["waiting"]
        assert not await is_helped()
        await published()
        assert await is_helped()


async def test_whoever_answers_a_cry_for_help_begins_with_words_of_the_house(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await opens(wren, SUICIDE)
        [case] = await queue(suzie)
        offered = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()["first_words"]
        assert [one["slug"] for one in offered] == ["with-you", "safe-now", "good-to-write"]
        for one in offered:
            assert all(said in one["text"] for said in ("116 123", "85258", "999"))
            assert len(one["text"]) < 400
        path = f"/moderation/cases/{case['id']}"
        page = await form(suzie, await suzie.get(path), f"{path}/first-words", first_words="safe-now")
        assert "Are you safe at this moment?" in fields_of(page.text, f"{path}/talks")["message"]
    assert first_words_for("rule", services.settings, clock.now()) == ()


async def test_nobody_in_danger_is_stopped_by_the_limit_of_links(app: FastAPI) -> None:
    links = " ".join(f"https://example.org/{number}" for number in range(5))
    async with make.signed_in(app, "wren") as wren:
        said = {"title": "Hello", "body_markdown": f"{links} {SUICIDE}"}
        assert (await wren.post(f"{API}/boards/new-here/threads", json=said)).status_code == 201


# When a text is refused


@pytest.mark.parametrize(
    "reason",
    ["member_silenced", "member_suspended", "member_banned", "unverified_address", "thread_locked", "board_closed"],
)
async def test_a_refused_cry_is_answered_with_help_and_read_by_a_moderator(
    app: FastAPI, services: Services, reason: str
) -> None:
    thread = await make.thread(services, (await make.member(services, "heron")).handle)
    made: dict[str, Any] = {"verified": False} if reason == "unverified_address" else {}
    async with (
        make.signed_in(app, "wren", **made) as wren,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await _refuse(services, suzie, wren, thread, reason)
        for _ in range(2):  # a second try is the same
            refused = await replies(wren, thread, ATTEMPT)
        assert refused.status_code in {403, 409, 429}, refused.text
        assert refused.json()["help"]["kind"] == "attempt"
        case = (await queue(suzie))[0]
        assert (case["kind"], case["category"], case["dangers"]) == ("member", "risk", ["attempt"])
        whole = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
        assert [(one["text"], one["kind"]) for one in whole["refused_texts"]] == [(ATTEMPT, "reply")]
        copy = (await wren.get(f"{API}/threads/{thread}/posts")).json()["items"]
        assert ATTEMPT not in str(copy)
        gentle = await replies(wren, thread, WORRY)
        assert gentle.json()["help"]["level"] == "worry"
        assert len(whole["refused_texts"]) == 1
        assert "help" not in (await replies(wren, thread, "Good morning")).json()


async def _refuse(
    services: Services, suzie: httpx.AsyncClient, wren: httpx.AsyncClient, thread: int, reason: str
) -> None:
    if reason == "thread_locked":
        assert (await suzie.put(f"{API}/threads/{thread}/lock")).status_code == 200
    if reason == "board_closed":
        await make.hours(services, "read_only")
    if reason.startswith("member_"):
        await make.sanction(services, "wren", Standing(reason.removeprefix("member_")))


@pytest.mark.parametrize("standing", [Standing.SUSPENDED, Standing.BANNED])
async def test_who_is_shut_out_does_not_learn_what_is_there(
    app: FastAPI, services: Services, standing: Standing
) -> None:
    said = {"body_markdown": ATTEMPT}
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        thread = await make.thread(services, "wren")
        [(own,)] = await scenes.sql(services, f"SELECT id FROM post WHERE thread_id = {thread}")
        await make.sanction(services, "wren", standing)
        answers = [
            await wren.post(f"{API}/threads/{thread}/posts", json=said),
            await wren.post(f"{API}/threads/999/posts", json=said),
            await wren.post(f"{API}/boards/new-here/threads", json=said | {"title": "Hello"}),
            await wren.post(f"{API}/boards/nowhere/threads", json=said | {"title": "Hello"}),
            await wren.patch(f"{API}/posts/{own}", json=said | {"revision": 1}),
            await wren.patch(f"{API}/posts/999", json=said | {"revision": 1}),
            await wren.patch(f"{API}/threads/{thread}", json={"version": 1, "title": ATTEMPT}),
            await wren.patch(f"{API}/threads/999", json={"version": 1, "title": ATTEMPT}),
        ]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.text for answer in answers}) == 1
        assert answers[0].json()["help"]["kind"] == "attempt"
        [case] = await queue(suzie)
        assert case["dangers"] == ["attempt"]


async def test_a_cry_that_comes_too_soon_is_answered_with_help(settings: Settings) -> None:
    strict = settings.model_copy(update={"posting_limit": "1/1 hour"})
    async with make.application(strict) as app:
        services: Services = app.state.services
        thread = await make.thread(services, (await make.member(services, "heron")).handle)
        async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
            assert (await replies(wren, thread, "Good morning")).status_code == 201
            refused = await replies(wren, thread, ATTEMPT)
            assert (refused.status_code, refused.json()["help"]["kind"]) == (429, "attempt")
            assert [case["dangers"] for case in await queue(suzie)] == [["attempt"]]


async def test_refused_words_are_deleted_90_days_after_the_decision(app: FastAPI, services: Services) -> None:
    thread = await make.thread(services, (await make.member(services, "heron")).handle)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await suzie.put(f"{API}/threads/{thread}/lock")
        await replies(wren, thread, ATTEMPT)
        [case] = await queue(suzie)
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 201
    later = clock.now() + timedelta(days=91)
    async with services.database.work() as session:
        await refused_texts.delete_old(session, later)
    assert await scenes.sql(services, "SELECT id FROM refused_text") == []


# Cases


@pytest.mark.parametrize(
    ("body", "category", "minutes"),
    [
        (ATTEMPT, "risk", 10),
        ("He is outside the door now", "risk", 10),
        ("My baby isn't breathing", "risk", 10),
        (SUICIDE, "risk", 60),
        ("My son says he wants to die", "risk", 60),
        ("My daughter told me her uncle touches her", "risk", 240),
        (TOLD, "encouragement", 60),
        (WORRY, "risk", 240),
    ],
)
async def test_each_kind_has_its_own_due_time(
    app: FastAPI, services: Services, body: str, category: str, minutes: int
) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await opens(wren, body)
        [case] = await queue(suzie)
        due = datetime.fromisoformat(case["due_at"]) - datetime.fromisoformat(case["opened_at"])
        assert (case["category"], due) == (category, timedelta(minutes=minutes))
        await run_due_jobs(services, clock.now())
        told = [one["kind"] for one in (await suzie.get(f"{API}/me/notifications")).json()["items"]]
        assert told == ["case_waiting" if body == WORRY else "case_urgent"]


async def test_one_night_is_one_case_and_only_another_danger_calls_again(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:

        async def unread() -> int:
            await run_due_jobs(services, clock.now())
            items = (await suzie.get(f"{API}/me/notifications")).json()["items"]
            await suzie.put(f"{API}/me/notifications/read", json={"up_to": items[0]["id"]})
            return len([one for one in items if one["read_at"] is None])

        opened = await opens(wren, SUICIDE)
        assert await unread() == 1
        again = (await replies(wren, opened["id"], "I want to kill myself")).json()
        assert await unread() == 0
        [case] = await queue(suzie)
        whole = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
        assert (whole["kind"], [post["id"] for post in whole["posts"]]) == (
            "posts",
            [opened["first_post"]["id"], again["id"]],
        )
        assert [one["post_id"] for one in whole["findings"]] == [opened["first_post"]["id"], again["id"]]
        await replies(wren, opened["id"], ATTEMPT)
        assert await unread() == 1
        [case] = await queue(suzie)
        assert case["dangers"] == ["attempt", "suicide"]
        async with make.signed_in(app, "magpie") as magpie:
            assert (await scenes.report(magpie, again["id"], category="spam", rules=[])).status_code == 201
        [case] = await queue(suzie)
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 201


async def test_a_worry_calls_once_it_is_acute(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        post = (await opens(wren, WORRY))["first_post"]["id"]
        await run_due_jobs(services, clock.now())
        await wren.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": SUICIDE})
        await run_due_jobs(services, clock.now())
        told = [one["kind"] for one in (await suzie.get(f"{API}/me/notifications")).json()["items"]]
        assert told == ["case_urgent", "case_waiting"]


async def test_a_cry_that_its_author_took_back_is_read_and_called_for_all_the_same(
    app: FastAPI, services: Services
) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        opened = await opens(wren, "Hello.")
        post = (await replies(wren, opened["id"], ATTEMPT)).json()["id"]
        assert (await wren.delete(f"{API}/posts/{post}")).status_code == 204
        await run_due_jobs(services, clock.now())
        told = [one["kind"] for one in (await suzie.get(f"{API}/me/notifications")).json()["items"]]
        assert told == ["case_urgent"]
        [case] = await queue(suzie)
        assert ATTEMPT not in str(case)
        whole = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
        assert [one["recogniser"] for one in whole["findings"]] == ["attempt"]
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 201
        assert await queue(suzie) == []


async def test_the_same_words_in_quotes_call_nobody(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        opened = await opens(wren, SUICIDE)
        helped = await replies(magpie, opened["id"], f"> @wren #1\n> {SUICIDE}\n\nI am here. Where are you?")
        assert helped.json()["help"] is None
        assert len(await queue(suzie)) == 1


async def test_a_sentence_of_the_answered_post_calls_nobody_and_ones_own_does(app: FastAPI) -> None:
    cry = "I cannot sleep and all that I think of is that I want to die."
    async with (
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        opened = await opens(wren, cry)
        await replies(magpie, opened["id"], f"You wrote: {cry} I am here.", reply_to=1)
        assert len(await queue(suzie)) == 1
        await replies(magpie, opened["id"], f"{cry[:-1]} tonight, like you. I want to die.", reply_to=1)
        assert len(await queue(suzie)) == 2


async def test_findings_are_deleted_90_days_after_the_decision_and_exported_as_kind_and_date(
    app: FastAPI, services: Services
) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await opens(wren, SUICIDE)
        async with services.database.work() as session:
            [own] = await findings.list_own(session, await make.viewer(services, "wren"))
            assert (own.kind, own.level) == ("suicide", "acute")
        [case] = await queue(suzie)
        assert (await scenes.decide(suzie, case, scenes.DISMISS)).status_code == 201
    async with services.database.work() as session:
        await findings.delete_old_findings(session, clock.now() + timedelta(days=91))
    assert await scenes.sql(services, "SELECT id FROM finding") == []
