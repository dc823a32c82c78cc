"""A title war, a typo mended on a board that holds, and words that were taken out and come back by an edit."""

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API, PUBLISH


async def _retitle(client: httpx.AsyncClient, thread: int, title: str) -> httpx.Response:
    version = (await client.get(f"{API}/threads/{thread}")).json()["version"]
    return await client.patch(f"{API}/threads/{thread}", json={"version": version, "title": title})


async def test_a_title_war_is_lost_by_whoever_names_the_neighbour(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        words = {"title": "June Marlow at number 9 is a witch", "body_markdown": "She rang the school about us."}
        opened = (await stepdad.post(f"{API}/boards/new-here/threads", json=words)).json()
        thread, post = opened["id"], opened["first_post"]["id"]
        assert (await scenes.report(magpie, post, note="The title names her")).status_code == 201
        case = await scenes.a_case(suzie, post)
        decided = await scenes.decide(suzie, case, {"kind": "retitle", "title": "About a neighbour"}, title_revision=1)
        assert decided.status_code == 201

        # He puts it back, as it was and in disguise.
        for title in (
            words["title"],
            "JUNE MARLOW AT NUMBER 9",
            "Ju\u200bne M\u00adarlow at num\u2060ber 9 is a witch",
        ):
            assert (await _retitle(stepdad, thread, title)).status_code == 422
        # Other words wait, so that somebody reads them first; these name her too, and are refused.
        waits = await _retitle(stepdad, thread, "That Marlow woman")
        assert (waits.status_code, waits.json()["title"]) == (200, "About a neighbour")
        case = await scenes.a_case(orla, post)
        assert case["held_edits"][0]["title"] == "That Marlow woman"
        assert (await scenes.decide(orla, case, {"kind": "refuse"}, reason="It is still her.")).status_code == 201
        for reader in (guest, magpie, stepdad):
            card = (await reader.get(f"{API}/threads/{thread}")).json()
            assert (card["title"], card["waiting"]) == ("About a neighbour", None)
            assert "Marlow" not in (await reader.get(f"{API}/boards/new-here/threads")).text

        # Nothing is taken from him without a reason, and he may appeal.
        told = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert [one["excerpts"] for one in told] == [["That Marlow woman"], [words["title"]]]
        assert (await scenes.appeal(stepdad, told[0]["id"])).status_code == 201
        case = await scenes.a_case(suzie, post, "appeal")
        assert (await scenes.hear(suzie, case["id"], "overturn")).status_code == 201
        assert (await guest.get(f"{API}/threads/{thread}")).json()["title"] == "That Marlow woman"


async def test_mending_a_typo_on_a_board_that_holds_hides_nothing(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        words = {"title": "A frist conference", "body_markdown": "What hapens there?"}
        opened = (await heron.post(f"{API}/boards/new-here/threads", json=words)).json()
        thread, post = opened["id"], opened["first_post"]["id"]
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post), PUBLISH)).status_code == 201
        posts = f"{API}/threads/{thread}/posts"
        assert (await suzie.post(posts, json={"body_markdown": "They talk, mostly."})).status_code == 201
        read = [(await guest.get(path)).json() for path in (f"{API}/threads/{thread}", posts)]

        mended = await heron.patch(f"{API}/posts/{post}", json={"revision": 1, "body_markdown": "What happens there?"})
        titled = await _retitle(heron, thread, "A first conference")
        assert [mended.json()["waiting"]["body_markdown"], titled.json()["waiting"]["title"]] == [
            "What happens there?",
            "A first conference",
        ]
        assert [(await guest.get(path)).json() for path in (f"{API}/threads/{thread}", posts)] == read

        case = await scenes.a_case(suzie, post)
        assert [(edit["title"], edit["body_markdown"]) for edit in case["held_edits"]] == [
            ("A first conference", None),
            (None, "What happens there?"),
        ]
        assert (await scenes.decide(suzie, case, PUBLISH)).status_code == 201
        card, page = [(await guest.get(path)).json() for path in (f"{API}/threads/{thread}", posts)]
        assert (card["title"], page["items"][0]["body_markdown"]) == ("A first conference", "What happens there?")
        kinds = [item["kind"] for item in (await heron.get(f"{API}/me/notifications")).json()["items"]]
        assert kinds[0] == "post_published"


async def test_taken_words_do_not_come_back_by_an_edit(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.decided(app, suzie, post.id, scenes.REDACT)
        first = await scenes.sql(services, "SELECT id FROM moderation_case")
        path = f"{API}/posts/{post.id}"
        redacted = (await guest.get(path)).json()
        assert "[removed: rule 10]" in redacted["body_markdown"]

        # Within 30 days every edit is read first.
        polite = await stepdad.patch(path, json={"revision": 2, "body_markdown": "I was angry. I am sorry."})
        assert polite.json()["waiting"]["body_markdown"] == "I was angry. I am sorry."
        case = await scenes.a_case(suzie, post.id)
        assert [(case["id"],)] == [(str(row.id),) for row in first]
        assert (await scenes.decide(suzie, case, PUBLISH)).status_code == 201
        assert (await guest.get(path)).json()["body_markdown"] == "I was angry. I am sorry."

        # Later only one that brings the words back.
        await scenes.sql(services, "UPDATE measure SET applied_at = applied_at - interval '31 days'")
        calm = await stepdad.patch(path, json={"revision": 3, "body_markdown": "I was angry once."})
        assert (calm.json()["waiting"], calm.json()["revision"]) == (None, 4)
        again = await stepdad.patch(path, json={"revision": 4, "body_markdown": "But: A LY\u200bING toad!"})
        assert again.json()["waiting"]["held_because"].startswith("A moderator took some of these words out")
        assert (await guest.get(path)).json()["body_markdown"] == "I was angry once."
        case = await scenes.a_case(suzie, post.id)
        assert (await scenes.decide(suzie, case, {"kind": "refuse"})).status_code == 201
        assert (await stepdad.get(path)).json()["waiting"] is None
