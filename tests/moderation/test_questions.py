"""The question before publication: what is asked, how it is answered, and who is never asked."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

NUMBER, OTHER, MAIL = "07700 900123", "07700 900456", "sam@example.org"
DANGER = "I want to die. I mean it."


async def board(services: Services, slug: str = "lounge", *readers: str) -> None:
    await make.board(services, slug, readers=readers or ("member",))


async def a_thread(services: Services, slug: str = "lounge", body: str = "Hello all") -> int:
    await scenes.known(services, "stepdad")
    return await make.thread(services, "stepdad", slug, body=body)


async def say(client: httpx.AsyncClient, thread: int, body: str, **more: Any) -> httpx.Response:
    return await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body, **more})


async def found(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """What was asked about: kind, words and what follows."""
    return [(one["kind"], one["words"], one["effect"]) for one in answer.json()["findings"]]


async def categories(services: Services) -> list[str]:
    return [row[0] for row in await scenes.sql(services, "SELECT category FROM moderation_case ORDER BY opened_at")]


async def test_words_that_show_who_somebody_is_are_asked_about_first(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services)
    async with make.signed_in(app, "wren") as wren:
        asked = await say(wren, thread, f"Ring me on {NUMBER}.")
        problem = asked.json()
        assert (asked.status_code, problem["type"], problem["code"]) == (
            422,
            "/problems/personal-information",
            "personal_information",
        )
        [one] = problem["findings"]
        assert (one["field"], one["start"], one["end"], one["words"]) == ("body_markdown", 11, 23, NUMBER)
        assert one["why"].endswith("can ring it.")
        assert one["suggestion"]
        assert await scenes.sql(services, "SELECT count(*) FROM post WHERE number > 1") == [(0,)]
        written = await say(wren, thread, f"Ring me on {NUMBER}.", confirm=problem["confirm"])
        assert (written.status_code, written.json()["visibility"]) == (201, "visible")
        assert await categories(services) == ["personal_information"]
        # Only what is new is asked about.
        again = await say(wren, thread, f"Ring me on {NUMBER} or {OTHER}.", confirm=problem["confirm"])
        assert [words for _, words, _ in await found(again) if words == OTHER] == [OTHER]
        # Other words around it are not.
        assert (await say(wren, thread, f"So: {NUMBER}!", confirm=problem["confirm"])).status_code == 201


@pytest.mark.parametrize("words", [f"{DANGER} Ring me on {NUMBER}", f"{DANGER} We live at 12 Acacia Avenue, SW1A 1AA"])
async def test_nobody_in_danger_is_asked_anything(app: FastAPI, services: Services, words: str) -> None:
    await board(services, "public", "everyone")
    thread = await a_thread(services, "public")
    async with make.signed_in(app, "wren") as wren:
        written = await say(wren, thread, words)
        assert (written.status_code, written.json()["visibility"]) == (201, "visible")
        assert written.json()["help"]["level"] == "acute"


async def test_an_answer_is_of_one_member_on_one_board_for_a_day(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await board(services)
    await board(services, "court")
    thread, elsewhere = [await a_thread(services, slug) for slug in ("lounge", "court")]
    words = f"Ring me on {NUMBER}."
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "magpie") as magpie:
        confirm = (await say(wren, thread, words)).json()["confirm"]
        body, _, seal = confirm.partition(".")
        wrong = ["", "x", "é", "☃.☃", "a.b", f"x{confirm}", f"{body[:-2]}AA.{seal}", f"{body}.", "." * 5000]
        for value in wrong:
            assert (await say(wren, thread, words, confirm=value)).status_code == 422, value
        assert (await say(magpie, thread, words, confirm=confirm)).json()["code"] == "personal_information"
        assert (await say(wren, elsewhere, words, confirm=confirm)).json()["code"] == "personal_information"
        tomorrow = clock.now() + timedelta(hours=24, minutes=1)
        with monkeypatch.context() as later:
            later.setattr(clock, "now", lambda: tomorrow)
            assert (await say(wren, thread, words, confirm=confirm)).json()["code"] == "personal_information"
        assert (await say(wren, thread, words, confirm=confirm)).status_code == 201
        assert (await say(wren, thread, "Hello", confirm="lost")).status_code == 201  # of nothing, nothing is asked


async def test_two_answers_at_once_with_one_key_are_one_post(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services)
    async with make.signed_in(app, "wren") as wren:
        words = {"body_markdown": f"Ring me on {NUMBER}."}
        path, key = f"{API}/threads/{thread}/posts", {"Idempotency-Key": "a-key-of-mine-0001"}
        confirm = (await wren.post(path, json=words, headers=key)).json()["confirm"]
        sends = [wren.post(path, json=words | {"confirm": confirm}, headers=key) for _ in range(4)]
        answers = await asyncio.gather(*sends)
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await scenes.sql(services, "SELECT count(*) FROM post WHERE number > 1") == [(1,)]


async def test_what_follows_is_what_the_board_says(app: FastAPI, services: Services) -> None:
    await board(services, "public", "everyone")
    thread = await a_thread(services, "public")
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada:
        details = f"{API}/administration/boards/public/details"
        # By default, a name of somebody at work is pointed out, and a school waits where guests read.
        told = await say(wren, thread, "My social worker Emma Smith never rings back.")
        assert (told.status_code, told.json()["visibility"]) == (201, "visible")
        assert [one["kind"] for one in told.json()["findings"]] == ["professional"]
        school = "He goes to Greenfield Primary School."
        asked = await say(wren, thread, school)
        assert await found(asked) == [("school", "Greenfield Primary School", "ask_and_hold")]
        held = await say(wren, thread, school, confirm=asked.json()["confirm"])
        assert held.json()["visibility"] == "held"
        assert "moderator reads this first" in held.json()["held_because"]
        assert await categories(services) == ["personal_information"]
        # An administrator chooses otherwise.
        wanted = [{"kind": "school", "effect": "tell"}, {"kind": "email", "effect": "ask"}]
        assert (await ada.put(details, json={"items": wanted})).status_code == 200
        assert (await ada.put(details, json={"items": wanted})).status_code == 200
        effects = {one["kind"]: one["effect"] for one in (await ada.get(details)).json()["items"]}
        assert (effects["school"], effects["email"], effects["address"]) == ("tell", "ask", "ask_and_hold")
        assert (await say(wren, thread, school)).json()["visibility"] == "visible"
        asked = await say(wren, thread, f"Write to {MAIL}.")
        assert await found(asked) == [("email", MAIL, "ask")]
        written = await say(wren, thread, f"Write to {MAIL}.", confirm=asked.json()["confirm"])
        assert (written.json()["visibility"], await categories(services)) == ("visible", ["personal_information"])
        for client, status in ((wren, 403), (ada, 404)):
            nowhere = details if client is wren else details.replace("public", "nowhere")
            assert (await client.get(nowhere)).status_code == status
            assert (await client.put(nowhere, json={"items": wanted})).status_code == status
    log = "SELECT act, count(*) FROM audit_entry WHERE act LIKE '%detail%' GROUP BY act"
    assert await scenes.sql(services, log) == [("board.details", 1)]


async def test_an_edit_and_a_title_are_asked_about_only_for_what_is_new(app: FastAPI, services: Services) -> None:
    await board(services)
    async with make.signed_in(app, "wren") as wren:
        path = f"{API}/boards/lounge/threads"
        words = {"title": "A question", "body_markdown": f"Ring me on {NUMBER}, pleese."}
        opened = await scenes.confirmed(wren, "POST", path, words)
        thread, post = opened.json()["id"], f"{API}/posts/{opened.json()['first_post']['id']}"
        mended = {"revision": 1, "body_markdown": f"Ring me on {NUMBER}, please."}
        assert (await wren.patch(post, json=mended)).status_code == 200
        more = {"revision": 2, "body_markdown": f"Ring me on {NUMBER} or {OTHER}."}
        asked = await wren.patch(post, json=more)
        assert await found(asked) == [("telephone", OTHER, "ask_and_case")]
        assert (await wren.patch(post, json=more | {"confirm": asked.json()["confirm"]})).status_code == 200
        title = {"version": 1, "title": f"Write to {MAIL}"}
        asked = await wren.patch(f"{API}/threads/{thread}", json=title)
        assert [one["field"] for one in asked.json()["findings"]] == ["title"]
        retitled = await wren.patch(f"{API}/threads/{thread}", json=title | {"confirm": asked.json()["confirm"]})
        assert (retitled.status_code, retitled.json()["title"]) == (200, f"Write to {MAIL}")


async def test_a_preview_shows_what_would_be_asked_and_stores_nothing(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services)
    async with make.signed_in(app, "wren") as wren:
        shown = (await wren.post(f"{API}/previews", json={"body_markdown": f"Ring me on {NUMBER}."})).json()
        assert ([one["words"] for one in shown["findings"]], shown["help"]) == ([NUMBER], None)
        shown = (await wren.post(f"{API}/previews", json={"body_markdown": DANGER, "thread_id": thread})).json()
        assert (shown["findings"], shown["help"]["kind"]) == ([], "suicide")
    assert await categories(services) == []


async def test_what_the_charity_gives_out_itself_is_asked_about_by_nobody(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services)
    known = f"{API}/administration/known-details"
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "ada", Role.ADMINISTRATOR) as ada:
        added = await ada.post(known, json={"words": "07700 900 123", "note": "Our own line"})
        assert (await ada.post(known, json={"words": NUMBER})).json() == added.json()
        assert (await say(wren, thread, f"Ring them on +44 7700-900123: {NUMBER}.")).status_code == 201
        assert await found(await say(wren, thread, f"Or on {OTHER}.")) == [("telephone", OTHER, "ask_and_case")]
        assert [one["words"] for one in (await ada.get(known)).json()["items"]] == ["07700 900 123"]
        one = f"{known}/{added.json()['id']}"
        assert [(await ada.delete(one)).status_code for _ in range(2)] == [204, 404]
        assert (await say(wren, thread, f"Ring {NUMBER}.")).status_code == 422
        assert (await ada.post(known, json={"words": "-"})).status_code == 422
        assert (await wren.get(known)).status_code == (await wren.post(known, json={"words": "a"})).status_code == 403


async def test_what_somebody_quotes_from_the_thread_is_asked_about_by_nobody(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services, "lounge", f"Ring me on {NUMBER}.")
    async with make.signed_in(app, "wren") as wren:
        assert (await say(wren, thread, f"> Ring me on {NUMBER}.\n\nPlease take it out.")).status_code == 201
        assert (await say(wren, thread, f"> Ring {OTHER}\n\nNobody said that.")).status_code == 422
        assert (await say(wren, thread, f"His number is {NUMBER}.")).status_code == 422


async def test_a_moderator_is_asked_only_about_what_shows_who_a_child_is(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert (await say(orla, thread, f"Our office is on {NUMBER}.")).status_code == 201
        asked = await say(orla, thread, "Tom is 4 and at Greenfield Primary School. The hearing is on 4 June.")
        assert [kind for kind, _, _ in await found(asked)] == ["identifies_child"]


async def test_a_question_is_no_post_for_the_limit_of_posts(settings: Settings) -> None:
    slow = settings.model_copy(update={"posting_limit": "1/1 hour"})
    async with make.application(slow) as app:
        await board(app.state.services)
        thread = await a_thread(app.state.services)
        async with make.signed_in(app, "wren") as wren:
            asked = await say(wren, thread, f"Ring me on {NUMBER}.")
            written = await say(wren, thread, f"Ring me on {NUMBER}.", confirm=asked.json()["confirm"])
            assert written.status_code == 201
            assert (await say(wren, thread, "Hello")).status_code == 429


async def test_five_thousand_telephone_numbers_are_one_question(app: FastAPI, services: Services) -> None:
    await board(services)
    thread = await a_thread(services)
    async with make.signed_in(app, "wren") as wren:
        body = " ".join(f"0770090{number:04}" for number in range(1600))
        asked = await say(wren, thread, body)
        assert (asked.status_code, len(asked.json()["findings"])) == (422, 100)
        assert len(asked.json()["confirm"]) < 8000
        assert (await say(wren, thread, body, confirm=asked.json()["confirm"])).status_code == 201
