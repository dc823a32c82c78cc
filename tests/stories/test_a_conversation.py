"""A whole conversation over HTTP, as the clients of a charity would hold it."""

import httpx
from fastapi import FastAPI

from forum.members.tables import Role
from tests.support import mailbox, make


async def test_a_mother_asks_and_an_adviser_answers(app: FastAPI, guest: httpx.AsyncClient) -> None:
    await make.board(app.state.services)
    joining = {"handle": "heron", "name": "Heron", "email": "heron@example.org", "password": make.PASSWORD}
    joined = await guest.post("/api/v1/members", json=joining)
    assert joined.status_code == 201, joined.text
    [letter] = await mailbox.come(app.state.services)
    assert (
        await guest.post("/api/v1/email-verifications/confirmation", json={"token": letter.token})
    ).status_code == 204
    token = (await guest.post("/api/v1/sessions", json={"login": "heron", "password": make.PASSWORD})).json()["token"]
    async with make.client(app, Authorization=f"Bearer {token}") as heron:
        opened = await heron.post(
            "/api/v1/boards/new-here/threads", json={"title": "What now?", "body_markdown": "They come on Monday 😟"}
        )
    assert opened.status_code == 201, opened.text
    thread = opened.json()["id"]

    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        waiting = (await suzie.get("/api/v1/adviser/threads")).json()["items"]
        assert [item["id"] for item in waiting] == [thread]
        reply = {"body_markdown": "> @heron #1\n> They come on Monday 😟\n\nWe will get you ready.", "reply_to": 1}
        answered = await suzie.post(f"/api/v1/threads/{thread}/posts", json=reply)
        assert answered.status_code == 201, answered.text
        assert (await suzie.get("/api/v1/adviser/threads")).json()["items"] == []

    page = (await guest.get(f"/api/v1/threads/{thread}/posts")).json()["items"]
    assert [post["number"] for post in page] == [1, 2]
    assert page[1]["adviser"] == {
        "name": "Suzie",
        "title": "Online adviser",
        "organisation": "Example Family Charity",
    }
    assert 'data-author="heron"' in page[1]["body_html"]
    assert (await guest.get(f"/api/v1/threads/{thread}")).json()["adviser_replies"]["count"] == 1
