"""The glossary: who writes it, and where readers meet it."""

import pytest
from fastapi import FastAPI

from forum.content import glossary
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import API, sql
from tests.web.support import form, text_of

CIN = f"{API}/glossary/CIN"
MEANING = {"meaning": "Child in need", "see_url": "https://www.example.org/cin"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glossary, "FRESH_SECONDS", 0.0)


async def test_a_word_is_explained_in_posts_below_the_thread_and_in_the_api(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron", body="They closed the CIN plan. What is CIN?")
    path = f"{API}/threads/{thread}/posts"
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.client(app) as guest:
        before = await guest.get(path)
        assert before.json()["glossary"] == []
        written = await joan.put(CIN, json=MEANING)
        assert (written.status_code, written.json()) == (
            200,
            {"term": "CIN", **MEANING, "version": 1, "is_ordinary_word": False},
        )
        said = await guest.get(path, headers={"If-None-Match": before.headers["ETag"]})
        assert said.json()["glossary"] == [{"term": "CIN", **MEANING}]
        assert said.json()["items"] == before.json()["items"]
        page = (await guest.get(f"/threads/{thread}")).text
        assert page.count('<abbr title="Child in need">CIN</abbr>') == 1
        assert "What the short words here mean" in text_of(page)
        assert "Child in need" in text_of((await guest.get("/glossary")).text)
        other = {"meaning": "Children in need"}
        stale = await joan.put(CIN, json=other)
        assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (409, "word_changed", 1)
        for _ in range(2):  # sent twice
            changed = (await joan.put(CIN, json=other | {"version": 1})).json()
            assert (changed["see_url"], changed["version"]) == (None, 2)
        listed = (await guest.get(f"{API}/glossary")).json()["items"]
        assert listed == [{"term": "CIN", "see_url": None, **other, "version": 2}]
        assert "Children in need" in (await guest.get(f"/threads/{thread}")).text
        assert [(await joan.delete(CIN)).status_code for _ in range(2)] == [204, 404]
        assert "<abbr" not in (await guest.get(f"/threads/{thread}")).text
    acts = await sql(services, "SELECT act FROM audit_entry WHERE act LIKE 'glossary.%' ORDER BY number")
    assert [row.act for row in acts] == [*["glossary.written"] * 3, "glossary.removed"]


NO_ENTRIES: list[tuple[str, dict[str, str], str | None]] = [
    ("A", {}, None),
    ("A" * 31, {}, None),
    ("one two three four five", {}, None),
    ("<b>", {}, None),
    ("CIN", {"meaning": ""}, None),
    ("CIN", {"meaning": "A" * 201}, None),
    ("CIN", {"see_url": "http://www.example.org"}, "unusable_link"),
    ("CIN", {"see_url": "https://me@www.example.org"}, "unusable_link"),
    ("CIN", {"see_url": "https://[::1"}, "unusable_link"),
    ("CIN", {"see_url": "javascript:alert(1)"}, "unusable_link"),
]


async def test_what_can_be_no_entry_is_refused(app: FastAPI) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        for term, wish, code in NO_ENTRIES:
            refused = await joan.put(f"{API}/glossary/{term}", json=MEANING | wish)
            assert refused.status_code == 422, (term, wish, refused.text)
            assert code is None or refused.json()["code"] == code, (term, wish)


async def test_a_word_that_many_posts_have_as_an_ordinary_one_is_pointed_out(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    await make.thread(services, "heron", body="oh, how I wish")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        for term, is_ordinary in (("OH", True), ("HO", False), ("HOW I", False)):
            written = await joan.put(f"{API}/glossary/{term}", json={"meaning": "Occupational health"})
            assert written.json()["is_ordinary_word"] is is_ordinary


async def test_a_full_glossary_takes_no_other_word_and_changes_those_it_has(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glossary, "MOST", 1)
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        for path, status in ((CIN, 200), (f"{API}/glossary/SW", 409), (CIN, 200)):
            assert (await joan.put(path, json=MEANING)).status_code == status


async def test_an_administrator_writes_it_on_the_page(app: FastAPI) -> None:
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        page = await joan.get("/admin/glossary")
        refused = await form(joan, page, "/admin/glossary", term="C", meaning="Child in need")
        assert refused.status_code == 422
        assert "letters and digits only" in text_of(refused.text)
        written = await form(joan, refused, "/admin/glossary", term="CIN", meaning="Child in need")
        assert written.headers["Location"] == "/admin/glossary?done=explained"
        again = await form(joan, page, "/admin/glossary", term="CIN", meaning="Children in need")
        assert again.status_code == 422
        assert "It means now: Child in need" in text_of(again.text)
        sent = await form(joan, again, "/admin/glossary")
        assert sent.headers["Location"] == "/admin/glossary?done=explained"
        gone = await form(joan, await joan.get("/admin/glossary"), "/admin/glossary/removal")
        assert gone.headers["Location"] == "/admin/glossary?done=term-removed"
