"""Help elsewhere: who writes it, where readers meet it, and what can be no place of help."""

from typing import Any

import pytest
from fastapi import FastAPI

from forum.content.resources import actions
from forum.content.resources.queries import plain_number
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make
from tests.support.scenes import API, sql
from tests.web.support import form, text_of

LINE: dict[str, Any] = {"name": "Kinship line", "description": "For relatives.", "telephone": "0808 157 0123"}


async def test_a_place_stands_on_the_list_on_a_board_and_in_a_thread(app: FastAPI, services: Services) -> None:
    await make.board(services)
    await make.member(services, "heron")
    thread = await make.thread(services, "heron")
    places = {"/boards/new-here": f"{API}/boards/new-here/resources", f"/threads/{thread}": f"{API}/threads/{thread}"}
    async with make.signed_in(app, "rosie", Role.ADVISER) as rosie, make.client(app) as guest:
        sent = {**LINE, "region": "Wales", "tags": ["Kinship", "kinship", "court"], "url": "https://www.example.org/"}
        key = {"Idempotency-Key": "once"}
        made, again = [await rosie.post(f"{API}/resources", json=sent, headers=key) for _ in range(2)]
        assert (made.status_code, made.json()["tags"], made.json()["state"]) == (201, ["Kinship", "court"], "current")
        assert made.json() == again.json()
        everywhere = (await rosie.post(f"{API}/resources", json=LINE | {"name": "All"})).json()["id"]
        place = made.json()["id"]

        async def listed(**sought: str) -> list[str]:
            found = (await guest.get(f"{API}/resources", params=sought)).json()["items"]
            return [entry["name"] for entry in found]

        assert await listed() == ["All", "Kinship line"]
        assert await listed(region="wales") == await listed(tag="Court") == ["Kinship line"]
        assert await listed(region="Kent") == []
        for page, read in places.items():
            assert LINE["name"] not in (await guest.get(page)).text
            for address in (f"{API}{page}/resources/{place}", f"{API}{page}/resources/{everywhere}"):
                assert [(await rosie.put(address)).status_code for _ in range(2)] == [204, 204]
            answer = (await guest.get(read)).json()
            assert [entry["name"] for entry in answer.get("resources", answer.get("items"))] == ["Kinship line", "All"]
            shown = (await guest.get(page)).text
            assert 'href="tel:08081570123"' in shown
            assert f"{page}/resources" not in shown
            assert f"{page}/resources" in (await rosie.get(page)).text
        changed = {**LINE, "telephone": "0808 157 0123, then press 2", "state": "doubtful"}
        to, older = f"{API}/resources/{place}", {**sent, "version": 1}
        assert (await rosie.put(to, json=changed | {"version": 1})).json()["region"] is None
        stale = await rosie.put(to, json=older)
        assert (stale.status_code, stale.json()["code"]) == (409, "resource_changed")
        assert (await rosie.put(to, json=changed | {"version": 1})).json()["version"] == 2  # sent twice
        for page in (*places, "/resources"):
            shown = text_of((await guest.get(page)).text)
            assert "This may be out of date." in shown, page
            assert "then press 2" in shown
        for page in places:
            assert [(await rosie.delete(f"{API}{page}/resources/{place}")).status_code for _ in range(2)] == [204, 204]
            assert LINE["name"] not in (await guest.get(page)).text
        assert [(await rosie.delete(f"{API}/resources/{everywhere}")).status_code for _ in range(2)] == [204, 404]
        for page in places:
            assert "Help elsewhere (" not in text_of((await guest.get(page)).text)
    acts = await sql(services, "SELECT act, count(*)::int FROM audit_entry WHERE act LIKE 'resource.%' GROUP BY act")
    assert {tuple(row) for row in acts} == {
        *(("resource.added", 2), ("resource.attached", 4), ("resource.changed", 2), ("resource.detached", 2)),
        ("resource.removed", 1),
    }


async def test_what_can_be_no_place_of_help_is_refused(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.board(services)
    async with make.signed_in(app, "rosie", Role.ADVISER) as rosie:
        for wrong, code in (
            ({"name": ""}, None),
            ({"name": "A" * 101}, None),
            ({"description": "A" * 501}, None),
            ({"tags": ["A" * 31]}, None),
            ({"tags": [f"tag {number}" for number in range(9)]}, None),
            ({"state": "gone"}, None),
            ({"telephone": None}, "unreachable_resource"),
            ({"url": "http://www.example.org"}, "unusable_link"),
            ({"url": "javascript:alert(1)"}, "unusable_link"),
        ):
            refused = await rosie.post(f"{API}/resources", json=LINE | wrong)
            assert refused.status_code == 422, refused.text
            assert code is None or refused.json()["code"] == code
        monkeypatch.setattr(actions, "MOST", 2)
        monkeypatch.setattr(actions, "MOST_ATTACHED", 1)
        made = [await rosie.post(f"{API}/resources", json=LINE) for _ in range(3)]
        assert [answer.status_code for answer in made] == [201, 201, 409]
        one, other = (f"{API}/boards/new-here/resources/{answer.json()['id']}" for answer in made[:2])
        answers = [await rosie.put(address) for address in (one, one, other)]
        assert [answer.status_code for answer in answers] == [204, 204, 409]
        assert answers[-1].json()["code"] == "too_many_resources_here"


async def test_an_adviser_writes_it_and_chooses_it_on_the_pages(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "rosie", Role.ADVISER) as rosie:
        new = "/resources/new"
        refused = await form(rosie, await rosie.get(new), new, name="Line", description="They listen.")
        assert refused.status_code == 422
        assert "a telephone, a number for texts or a page" in text_of(refused.text)
        added = await form(rosie, refused, new, telephone="116 123", tags=" court,, kinship care ")
        assert added.headers["Location"] == "/resources?done=resource-added"
        [entry] = (await rosie.get(f"{API}/resources")).json()["items"]
        assert entry["tags"] == ["court", "kinship care"]
        here = "/boards/new-here/resources"
        nothing = await form(rosie, await rosie.get(here), here)
        assert nothing.status_code == 422
        chosen = await form(rosie, nothing, here, resource=entry["id"])
        assert chosen.headers["Location"] == f"{here}?done=resource-attached"
        assert "116 123" in (await rosie.get("/boards/new-here")).text
        await sql(services, "UPDATE board SET archived_at = now()")
        assert f'action="{here}"' not in (await rosie.get(here)).text
        assert (await rosie.put(f"{API}{here}/{entry['id']}")).status_code == 403
        assert here in (await rosie.get("/boards/new-here")).text
        away = await form(rosie, await rosie.get(here), f"{here}/removal")
        assert here not in (await rosie.get("/boards/new-here")).text
        await sql(services, "UPDATE board SET archived_at = NULL")
        assert away.headers["Location"] == f"{here}?done=resource-detached"
        edit = f"/resources/{entry['id']}/edit"
        saved = await form(rosie, await rosie.get(edit), edit, region="Wales")
        assert saved.headers["Location"] == "/resources?done=resource-changed"
        shown = await rosie.get("/resources?about=1")
        assert "Wales" in text_of(shown.text)
        assert "These are about" in text_of(shown.text)
        assert "These are about" not in text_of((await rosie.get("/resources?about=9")).text)
        gone = await form(rosie, await rosie.get(edit), f"/resources/{entry['id']}/removal")
        assert gone.headers["Location"] == "/resources?done=resource-removed"


def test_only_a_plain_number_can_be_dialled_with_a_tap() -> None:
    for typed, dialled in (
        *(("0808 157 0123", "08081570123"), ("116 123", "116123"), ("+44 20-7946 0018", "+442079460018")),
        *(("999", "999"), ("85258", "85258"), (None, None), ("", None), ("12", None)),
        *(("+44 (0)20 7946 0018", None), ("0808 157 0123 or 0124", None), ("0808 157 0123 ext. 4", None)),
        *(("٠٨٠٨ ١٢٣", None), ("0808\n157", None), ("0808 157 0123;wait=1", None), ("1" * 21, None)),
    ):
        assert plain_number(typed) == dialled, typed
