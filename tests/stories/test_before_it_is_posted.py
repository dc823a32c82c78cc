"""What people are asked before their words are posted, and what nobody is asked."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

PAPER = """\
IN THE FAMILY COURT AT LEEDS      Case No. LS22C50173
The Children Act 1989
BETWEEN:
THE CITY COUNCIL          Applicant
UPON READING the papers
IT IS ORDERED that the children live with their aunt.
What does this mean for me?"""


async def say(client: httpx.AsyncClient, thread: int, body: str, **more: Any) -> httpx.Response:
    return await client.post(f"{API}/threads/{thread}/posts", json={"body_markdown": body, **more})


async def asked(client: httpx.AsyncClient, thread: int, body: str) -> list[str]:
    """The kinds that are asked about; none where it was posted."""
    answer = await say(client, thread, body)
    return [one["kind"] for one in answer.json()["findings"]] if answer.status_code == 422 else []


@pytest.fixture
async def thread(services: Services) -> int:
    """A thread on a board that guests read."""
    await make.board(services)
    return await make.thread(services, await scenes.known(services, "heron"))


async def test_a_telephone_number_in_a_cry_for_help_is_not_asked_about(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        cry = "I've taken the tablets. My sister is on 07700 900123, please somebody ring her."
        written = await say(wren, thread, cry)
        assert (written.status_code, written.json()["visibility"]) == (201, "visible")
        assert written.json()["help"]["kind"] == "attempt"
        case = await scenes.a_case(suzie, written.json()["id"])
        assert {one["recogniser"] for one in case["findings"]} >= {"attempt", "telephone"}


async def test_a_court_paper_is_pasted(app: FastAPI, services: Services, thread: int) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        question = (await say(wren, thread, PAPER)).json()
        paper = next(one for one in question["findings"] if one["kind"] == "court_paper")
        assert "in your own words" in paper["suggestion"].lower()
        held = (await say(wren, thread, PAPER, confirm=question["confirm"])).json()
        assert held["visibility"] == "held"
        case = await scenes.a_case(suzie, held["id"])
        assert "court_paper" in {one["recogniser"] for one in case["findings"]}
        # In her own words, nothing is asked.
        told = "The order says that the children live with their aunt. What now?"
        assert (await say(wren, thread, told)).status_code == 201


async def test_a_survivor_who_tells_her_own_story_is_not_lectured(
    app: FastAPI, services: Services, thread: int
) -> None:
    async with make.signed_in(app, "wren") as wren:
        for story in (
            "I was raped when I was nineteen. It took me ten years to say it. I am still here.",
            "My ex raped me, my own husband, and nobody believed me. The police dropped it. You are not alone.",
            "My stepdad abused me as a child. I am 41 now, I have two kids and I sleep again.",
        ):
            written = await say(wren, thread, story)
            assert (written.status_code, written.json()["findings"]) == (201, []), written.text
        named = await asked(wren, thread, "My cousin Beth was sexually abused in 1998.")
        assert named == ["identifies_complainant", "person"]
    assert await scenes.sql(services, "SELECT count(*) FROM moderation_case WHERE category <> 'risk'") == [(0,)]


async def test_three_posts_together_show_who_a_child_is(app: FastAPI, services: Services, thread: int) -> None:
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "magpie") as magpie:
        assert await asked(wren, thread, "My boy is 6 and he cries at every contact.") == []
        assert await asked(magpie, thread, "We are in Bristol too, it is the same here.") == []
        assert await asked(wren, thread, "We are in Bristol.") == []
        third = await say(wren, thread, "The social worker is Emma Smith, does anybody know her?")
        together = next(one for one in third.json()["findings"] if one["kind"] == "identifies_child")
        assert set(together["pieces"]) == {"an age", "a town or a council", "the name of somebody at work"}
        assert together["effect"] == "ask_and_hold"
        # Somebody else may name her.
        assert await asked(magpie, thread, "The social worker is Emma Smith, does anybody know her?") == []


async def test_of_a_cry_for_help_only_what_shows_who_the_child_is_waits(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, thread: int
) -> None:
    await scenes.house_rules(services)
    cry = "I want to die. The hearing took my son Tyler from me, he is at Greenfield Primary School. I miss TYLER."
    shown = (
        cry.replace("Tyler", "█████")
        .replace("TYLER", "█████")
        .replace("Greenfield Primary School", "██████████ ███████ ██████")
    )
    async with make.signed_in(app, "wren") as wren, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        written = await say(wren, thread, cry)
        post = f"{API}/posts/{written.json()['id']}"
        assert (written.status_code, written.json()["help"]["level"]) == (201, "acute")
        assert written.json()["body_markdown"] == (await guest.get(post)).json()["body_markdown"] == shown
        assert "Tyler" not in (await guest.get(post)).text
        assert (await wren.get(post)).json()["waiting"]["body_markdown"] == cry
        case = await scenes.a_case(suzie, written.json()["id"])
        assert {one["recogniser"] for one in case["findings"]} == {"suicide", "child", "school", "identifies_child"}
        made = await scenes.decide(suzie, case, scenes.PUBLISH, rules=[])
        assert made.status_code == 201, made.text
        assert (await guest.get(post)).json()["body_markdown"] == cry
        # A title and an edit, too.
        opening = {"title": "I want to die, my daughter Sophie", "body_markdown": "The judge sent her away."}
        opened = await wren.post(f"{API}/boards/new-here/threads", json=opening)
        assert (opened.status_code, opened.json()["title"]) == (201, "I want to die, my daughter ██████")
        mended = {"revision": 1, "body_markdown": "I want to die. The judge sent my daughter Sophie away."}
        edited = await wren.patch(f"{API}/posts/{opened.json()['first_post']['id']}", json=mended)
        assert (edited.status_code, "Sophie" in edited.json()["body_markdown"]) == (200, False)
        assert "Sophie" in edited.json()["waiting"]["body_markdown"]
        again = await wren.patch(f"{API}/posts/{opened.json()['first_post']['id']}", json=mended)  # a double tap
        assert (again.status_code, again.json()["revision"]) == (200, edited.json()["revision"])
        assert await scenes.sql(services, "SELECT 1 FROM refused_text") == []
