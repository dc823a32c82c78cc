"""Templates of answers: who writes them, their placeholders, and that a half-filled one is not published."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.administration import advisers
from forum.content.placeholders import fill, refuse_unfilled, refuse_unknown
from forum.core import clock
from forum.core.errors import Invalid
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.support import make
from tests.web.support import form, text_of

API = "/api/v1"
TEMPLATES = f"{API}/adviser/templates"
KINSHIP: dict[str, Any] = {
    "title": "Kinship care",
    "text": "Hello {name}, others on {board} asked this too: {link:our page on kinship care}",
}


def test_a_template_has_known_placeholders_and_no_others() -> None:
    known = ("", "No braces.", "{name} {board} {link:x}", "Dear {name},\n\n{link: our page (PDF), 2026}")
    unknown = ("{nmae}", "{Name}", "{ name }", "{link}", "{link:}", "{link: }", "{name", "name}", "{{name}}", "{}")
    for text in known:
        refuse_unknown(text, "#/text")
    for text in unknown:
        with pytest.raises(Invalid) as refused:
            refuse_unknown(text, "#/text")
        assert (refused.value.code, refused.value.pointer) == ("unknown_placeholder", "#/text"), text
    assert fill("{name} on {board}: {link:x}", name="{board} \\1", board="B") == "{board} \\1 on B: {link:x}"
    assert fill("Hello {name}", name=None, board="B") == "Hello {name}"
    for text in ("Braces {are} fine", "{", "{link:}", "set {name", "> They wrote {name}\n\nI see"):
        refuse_unfilled(text, "#/body_markdown")
    for text in ("{name}", "a {board} b", "{link:our page}", "{{name}}"):
        with pytest.raises(Invalid, match="is not filled in"):
            refuse_unfilled(text, "#/body_markdown")


async def test_advisers_of_one_organisation_write_their_templates_together(app: FastAPI, services: Services) -> None:
    await make.member(services, "marcus", Role.ADVISER)
    async with services.database.work() as session:
        await advisers.appoint(session, await get_member(session, "marcus"), "Adviser", "Another Charity", clock.now())
    async with (
        make.signed_in(app, "suzie", Role.ADVISER) as suzie,
        make.signed_in(app, "nia", Role.ADVISER) as nia,
        make.signed_in(app, "marcus") as marcus,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        unknown = await suzie.post(TEMPLATES, json=KINSHIP | {"text": "Dear {nmae}"})
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_placeholder")
        written = (await suzie.post(TEMPLATES, json=KINSHIP)).json()
        own = f"{TEMPLATES}/{written['id']}"
        changed = {**KINSHIP, "title": "Kin", "version": 1}
        for other, status in ((marcus, 404), (orla, 403), (joan, 403)):
            assert (await other.put(own, json=changed)).status_code == status
            assert (await other.delete(f"{own}?version=1")).status_code == status
        assert (await marcus.get(TEMPLATES)).json()["items"] == []
        assert (await joan.get(TEMPLATES)).json()["code"] == "not_an_adviser"
        assert (await nia.put(own, json=changed)).json()["version"] == 2
        assert (await nia.put(own, json=changed)).json()["version"] == 2  # idempotent
        stale = await suzie.put(own, json=changed | {"title": "Kinship"})
        assert (stale.status_code, stale.json()["code"]) == (409, "template_changed")
        assert stale.json()["changed_by"]["handle"] == "nia"
        assert (await suzie.delete(f"{own}?version=1")).status_code == 409
        assert [item["title"] for item in (await suzie.get(TEMPLATES)).json()["items"]] == ["Kin"]
        assert (await suzie.delete(f"{own}?version=2")).status_code == 204
        assert (await nia.delete(f"{own}?version=2")).json()["code"] == "template_not_found"
        log = (await joan.get(f"{API}/moderation/log?subject_kind=answer_template&subject_id={written['id']}")).json()
        assert sorted(entry["act"].partition(".")[2] for entry in log["items"]) == ["changed", "deleted", "written"]


async def test_a_template_fills_the_reply_and_what_is_left_open_is_not_sent(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    url = f"/threads/{thread}/reply"
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie, make.signed_in(app, "magpie") as magpie:
        shelf = await suzie.get("/advising/templates")
        refused = await form(suzie, shelf, "/advising/templates", title="Kin", text="Dear {nmae}")
        assert (refused.status_code, "Dear {nmae}" in refused.text) == (422, True)
        assert (await form(suzie, shelf, "/advising/templates", **KINSHIP)).status_code == 303
        page = await suzie.get("/advising/templates")
        template = (await suzie.get(TEMPLATES)).json()["items"][0]["id"]
        assert f'href="/advising/templates/{template}"' in page.text

        page = await suzie.get(f"{url}?to=1")
        none = await _followed(suzie, await form(suzie, page, url, body_markdown="I read it.", do="fill"))
        assert "I read it." in none.text
        assert 'id="fault-template"' in none.text
        filled = await _followed(suzie, await form(suzie, none, url, template=template, do="fill"))
        assert "I read it.\n\nHello Heron, others on New-Here asked this too: {link:our" in filled.text
        left = await _followed(suzie, await form(suzie, filled, url, do="send"))
        assert "Something of the template is not filled in" in text_of(left.text)
        assert "{link:our page on kinship care}" in left.text
        said = {"body_markdown": "Hello Heron: https://example.org/kin"}
        assert (
            (await form(suzie, left, url, **said, do="send"))
            .headers["location"]
            .startswith(f"/threads/{thread}?done=sent")
        )

        sent = await suzie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello {name}"})
        assert (sent.status_code, sent.json()["code"]) == (422, "unfilled_placeholder")
        assert (
            await magpie.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "Hello {name}"})
        ).status_code == 201
        assert "fold-template" not in (await magpie.get(url)).text
        one = await suzie.get(f"/advising/templates/{template}")
        changed = await form(suzie, one, f"/advising/templates/{template}", title="Kin")
        assert changed.status_code == 303
        stale = await form(suzie, one, f"/advising/templates/{template}/delete")
        assert (stale.status_code, "What it says now" in stale.text) == (422, True)
        assert (await form(suzie, stale, f"/advising/templates/{template}/delete")).status_code == 303


async def _followed(client: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 303, answer.text
    return await client.get(answer.headers["location"])
