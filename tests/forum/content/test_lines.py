"""Nothing in a title or a content warning looks as if the forum had put it there."""

import httpx
import pytest
from fastapi import FastAPI

from forum.content.lines import refuse_official
from forum.core.errors import Invalid
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import API, REDACT, a_case, a_post, decide, report

OFFICIAL = [
    "[removed: rule 2]",
    "What [removed] said",
    "[REM\u200bOVED: rules 3 and 10]",
    "\uff3br\u0435moved: rule 2\uff3d",  # full-width brackets, Cyrillic e
    "My case. Edited by Suzie as breaches rule 10",
    "removed  by Orla as breaching rules 1 and 2",
    "\u2714 Answered by an adviser",
    "\u2b50 From the forum",
]
ORDINARY = ["[Removed from home at 6 weeks] now what", "Statement edited by my solicitor", "[update] we won!"]


@pytest.mark.parametrize("line", OFFICIAL)
def test_what_looks_official_is_refused(line: str) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_official(line, "#/title")
    assert (refused.value.pointer, refused.value.code) == ("#/title", "looks_official")


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines_are_taken(line: str) -> None:
    refuse_official(line, "#/title")


def test_a_mark_that_was_there_stays_and_no_more() -> None:
    refuse_official("about [removed: rule 2] x", "#/content_warning", ours="about [removed: rule 2]")
    with pytest.raises(Invalid):
        refuse_official("[removed: rule 2] [removed: rule 2]", "#/content_warning", ours="about [removed: rule 2]")


async def test_every_door_for_titles_and_warnings_asks(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        [first] = (await heron.get(f"{API}/threads/{thread}/posts")).json()["items"]
        words = {"title": "A question", "body_markdown": "Hello all"}
        ways = [
            ("POST", "/boards/new-here/threads", words | {"title": OFFICIAL[0]}, "#/title"),
            ("POST", "/boards/new-here/threads", words | {"content_warning": OFFICIAL[0]}, "#/content_warning"),
            ("PATCH", f"/threads/{thread}", {"version": 1, "title": OFFICIAL[0]}, "#/title"),
            (
                "POST",
                f"/threads/{thread}/posts",
                {"body_markdown": "x", "content_warning": "\u2714"},
                "#/content_warning",
            ),
            (
                "PATCH",
                f"/posts/{first['id']}",
                {"revision": 1, "body_markdown": "x", "content_warning": OFFICIAL[0]},
                "#/content_warning",
            ),
        ]
        for method, path, sent, pointer in ways:
            answer = await heron.request(method, API + path, json=sent)
            assert answer.status_code == 422, (path, answer.text)
            assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
                (pointer, "looks_official")
            ]


async def test_a_warning_out_of_which_words_were_taken_can_be_sent_again(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services)
    async with (
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        path = f"{API}/posts/{post.id}"
        warned = {"revision": 1, "body_markdown": post.body_markdown, "content_warning": "a lying toad is in it"}
        assert (await stepdad.patch(path, json=warned)).status_code == 200
        assert (await report(magpie, post.id, revision=2)).status_code == 201
        assert (await decide(suzie, await a_case(suzie, post.id), REDACT)).status_code == 201
        shown = (await guest.get(path)).json()
        assert "[removed: rule 10]" in shown["content_warning"]
        again = {
            "revision": shown["revision"],
            "body_markdown": "I was angry.",
            "content_warning": shown["content_warning"],
        }
        assert (await stepdad.patch(path, json=again)).status_code == 200
