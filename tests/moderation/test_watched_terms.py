"""Watched terms: who writes them, what they lead to, what is counted of them, and what they never do."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from moderation import findings
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, PUBLISH, REMOVE, sql

TERMS, TRIALS = f"{API}/moderation/terms", f"{API}/moderation/term-trials"
CRY = "I want to kill myself tonight"


@pytest.fixture(autouse=True)
async def house_rules(services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)


async def watch(joan: httpx.AsyncClient, text: str = "gobshite", effect: str = "hold", **more: Any) -> dict[str, Any]:
    """A term that an administrator writes."""
    answer = await joan.post(TERMS, json={"kind": "word", "text": text, "effect": effect} | more)
    assert answer.status_code == 201, answer.text
    term: dict[str, Any] = answer.json()
    return term


async def opens(client: httpx.AsyncClient, body: str, slug: str = "new-here", title: str = "A question") -> Any:
    answer = await client.post(f"{API}/boards/{slug}/threads", json={"title": title, "body_markdown": body})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def case_of(suzie: httpx.AsyncClient, thread: dict[str, Any]) -> dict[str, Any]:
    case: dict[str, Any] = await scenes.a_case(suzie, thread["first_post"]["id"])
    return case


async def test_what_each_effect_leads_to(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
    ):
        await watch(joan, "gobshite", "hold", note="He came back")
        await watch(joan, "scrounger", "case")
        await watch(joan, "numpty", "point_out")
        await watch(joan, "bailiffs", "help", help_kind="carer")
        held = await opens(wren, "You g0bsh1te")
        assert held["first_post"]["visibility"] == "held"
        assert held["first_post"]["held_because"] == "A moderator reads this before it appears. You will be told."
        case = await case_of(suzie, held)
        assert case["category"] == "held"
        [finding], [term] = case["findings"], case["terms"]
        assert (finding["kind"], finding["recogniser"], finding["version"]) == ("watched_term", term["id"], "1")
        assert (finding["part"], finding["start"], finding["end"]) == ("body", 4, 12)
        assert (term["text"], term["note"], term["effect"]) == ("gobshite", "He came back", "hold")
        for text, category in (("scrounger", "rule"), ("numpty", "other")):
            thread = await opens(wren, f"You {text}")
            assert thread["first_post"]["visibility"] == "visible"
            assert (await case_of(suzie, thread))["category"] == category
        helped = await opens(wren, "The bailiffs are coming")
        assert helped["help"]["kind"] == "carer"
        assert (await wren.get(f"{API}/posts/{helped['first_post']['id']}/help")).status_code == 200
        assert len((await suzie.get(f"{API}/moderation/cases")).json()["items"]) == 3
        async with make.work(services) as work:
            own = await findings.list_own_others(work.session, await make.viewer(services, "wren"))
        assert [row.kind for row in own] == ["watched_term"] * 3
        # A title counts as the post does, and the author sees no term anywhere.
        assert (await opens(wren, "Hello", title="What a gobshite"))["first_post"]["visibility"] == "held"
        assert (await wren.get(TERMS)).status_code == 403


async def test_nobody_in_danger_waits_and_neither_does_who_repeats_the_words(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "magpie") as magpie,
    ):
        before = await opens(magpie, "You gobshite, go away")
        await watch(joan)
        cry = await opens(wren, f"He calls me gobshite. {CRY}")
        assert cry["first_post"]["visibility"] == "visible"
        case = await case_of(suzie, cry)
        assert case["category"] == "risk"
        assert {found["kind"] for found in case["findings"]} == {"crisis", "watched_term"}
        assert (await opens(wren, "He called me a “gobshite” again"))["first_post"]["visibility"] == "visible"
        thread = f"{API}/threads/{before['id']}/posts"
        for body, number, visibility in (
            ("Nobody is a gobshite here", 1, "visible"),  # the words of the post that it answers
            ("> You gobshite\n\nPlease do not", None, "visible"),
            ("Gobshite yourself", None, "held"),
        ):
            answer = await wren.post(thread, json={"body_markdown": body, "reply_to": number})
            assert answer.json()["visibility"] == visibility, answer.text
        # What stands there already is no reason to hold a corrected typing error.
        edit = {"revision": 1, "body_markdown": "You gobshite, go away!"}
        edited = await magpie.patch(f"{API}/posts/{before['first_post']['id']}", json=edit)
        assert (edited.json()["visibility"], edited.json()["waiting"]) == ("visible", None)
        # Staff name what they moderate.
        assert (await opens(suzie, "Who calls others gobshite is warned"))["first_post"]["visibility"] == "visible"


async def test_who_sends_others_into_danger_waits_and_so_does_who_repeats_a_cry(
    app: FastAPI, services: Services
) -> None:
    cry = "I want to kill myself tonight and nobody in this house would even notice it"
    thread = await make.thread(services, (await make.member(services, "heron")).handle, body=f"{cry}.")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan, make.signed_in(app, "wren") as wren:
        await watch(joan)
        for said in ("You gobshite, go and kill yourself.", f"{cry}. You gobshite."):
            words = {"body_markdown": said, "reply_to": 1}
            written = await wren.post(f"{API}/threads/{thread}/posts", json=words)
            assert (written.status_code, written.json()["visibility"]) == (201, "held"), said


async def test_a_trial_reads_what_its_administrator_may_read(app: FastAPI, services: Services) -> None:
    await make.board(services, "closed", readers=("moderator",), openers=("member",))
    await make.member(services, "heron")
    await make.thread(services, "heron", body="A gobshite.")
    await sql(services, "UPDATE thread SET board_id = (SELECT id FROM board WHERE slug = 'closed') RETURNING 1")
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        term = {"kind": "word", "text": "gobshite", "effect": "point_out"}
        trial = (await joan.post(f"{API}/moderation/term-trials", json=term)).json()
        assert (trial["caught"], trial["items"]) == (0, [])


async def test_an_edit_waits_and_a_name_is_refused(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "wren") as wren,
    ):
        await make.board(services, "court")
        await watch(joan, in_names=True, boards=[])
        await watch(joan, "scrounger", boards=["court"])
        post = (await opens(wren, "Hello, scrounger"))["first_post"]
        assert post["visibility"] == "visible"
        assert (await opens(wren, "Hello, scrounger", "court"))["first_post"]["visibility"] == "held"
        edit = {"revision": 1, "body_markdown": "Hello, gobshite"}
        edited = (await wren.patch(f"{API}/posts/{post['id']}", json=edit)).json()
        assert edited["waiting"]["body_markdown"] == "Hello, gobshite"
        answer = await wren.patch(f"{API}/me", json={"name": "Gob shite"})
        assert answer.status_code == 200, answer.text
        answer = await wren.patch(f"{API}/me", json={"name": "The G0BSHITE"})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "name_held")


async def test_a_term_is_tried_and_a_broad_one_cannot_hold(app: FastAPI, services: Services) -> None:
    await make.member(services, "wren")
    for number in range(50):
        body = f"The usual scrounger {number}" if number < 4 else f"Good evening, number {number}"
        await make.thread(services, "wren", title="A question" if number else "About a numpty", body=body)
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        term = {"kind": "word", "text": "scrounger", "effect": "hold"}
        trial = (await joan.post(TRIALS, json=term)).json()
        assert (trial["looked_at"], trial["caught"], trial["share"], trial["may_hold"]) == (50, 4, 0.08, False)
        assert [post["thread_title"] for post in trial["items"]][-1] == "About a numpty"
        refused = await joan.post(TERMS, json=term)
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "term_too_broad")
        assert refused.json()["errors"][0]["pointer"] == "#/effect"
        written = await watch(joan, "scrounger", "case")
        change = {"version": 1, **term}
        assert (await joan.put(f"{TERMS}/{written['id']}", json=change)).status_code == 422
        narrow = (await joan.post(TRIALS, json=term | {"text": "numpty"})).json()
        assert (narrow["caught"], narrow["may_hold"]) == (1, True)
        assert (await suzie.post(TRIALS, json=term)).status_code == 403
        assert (await suzie.post(TERMS, json=term)).status_code == 403


async def test_a_term_has_versions_and_one_name(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
    ):
        term = await watch(joan)
        again = await joan.post(TERMS, json={"kind": "word", "text": "GOBSHITE", "effect": "case"})
        assert (again.status_code, again.json()["code"]) == (409, "term_exists")
        path = f"{TERMS}/{term['id']}"
        change = {"version": 1, "kind": "word", "text": "gobshites", "effect": "case"}
        assert (await joan.put(path, json=change)).json()["version"] == 2
        stale = await joan.put(path, json=change)
        assert (stale.status_code, stale.json()["code"], stale.json()["current"]) == (409, "term_changed", 2)
        assert (await opens(wren, "You gobshite"))["first_post"]["visibility"] == "visible"
        for _ in range(2):
            assert (await joan.delete(path)).status_code == 204
        versions = (await suzie.get(path)).json()["items"]
        assert [(one["version"], one["on"]) for one in versions] == [(3, False), (2, True), (1, True)]
        assert versions[0]["changed_by"]["handle"] == "joan"
        assert (await suzie.get(TERMS)).json()["items"] == []
        about = f"subject_kind=term&subject_id={term['id']}"
        log = (await suzie.get(f"{API}/moderation/log?{about}")).json()["items"]
        assert [entry["act"] for entry in log] == ["term.switched_off", "term.written", "term.written"]
        assert "gobshite" not in str(log)
        for wrong, code in (
            ({"kind": "pattern", "text": "you(?=toad)"}, "pattern_looks_around"),
            ({"effect": "help"}, "help_kind_missing"),
            ({"effect": "help", "help_kind": "carer", "in_names": True}, "help_everywhere"),
            ({"boards": ["nowhere"]}, "board_not_found"),
        ):
            answer = await joan.post(TERMS, json={"kind": "word", "text": "newt", "effect": "case"} | wrong)
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
        unknown = f"{TERMS}/018f0000-0000-7000-8000-000000000001"
        assert (await joan.delete(unknown)).status_code == 404
        assert (await joan.put(unknown, json=change)).status_code == 404


async def test_how_often_a_term_was_right_is_counted_and_outlives_the_findings(
    app: FastAPI, services: Services
) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
    ):
        term = await watch(joan)
        for body, measure in (("gobshite", REMOVE), ("the gobshite, gobshite", PUBLISH), ("gobshite?", PUBLISH)):
            case = await case_of(suzie, await opens(wren, body))
            assert (await scenes.decide(suzie, case, measure)).status_code == 201
        await scenes.sql(services, "DELETE FROM finding RETURNING id")
        [counted] = (await suzie.get(f"{API}/moderation/precision")).json()["items"]
        assert counted == {
            "kind": "watched_term",
            "recogniser": term["id"],
            "found": 3,
            "upheld": 1,
            "dismissed": 2,
            "share": pytest.approx(1 / 3),
            "doubtful": False,
        }
        assert (await suzie.get(TERMS)).json()["items"][0]["precision"] == counted
        rows = "INSERT INTO finding_tally (day, kind, recogniser, what) SELECT now(), 'watched_term', :id, 'dismissed' "
        await scenes.sql(services, f"{rows} FROM generate_series(1, 18) RETURNING id", id=term["id"])
        assert (await suzie.get(TERMS)).json()["items"][0]["precision"]["doubtful"]


async def test_a_case_that_is_decided_twice_counts_what_is_new(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "wren") as wren,
    ):
        await watch(joan, effect="case")
        thread = await opens(wren, "gobshite")
        post = thread["first_post"]["id"]
        assert (await scenes.decide(suzie, await case_of(suzie, thread), DISMISS)).status_code == 201
        edit = {"revision": 1, "body_markdown": "gobshite and more of it"}
        await wren.patch(f"{API}/posts/{post}", json=edit)
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []  # the same words
        [counted] = (await suzie.get(f"{API}/moderation/precision")).json()["items"]
        assert (counted["found"], counted["dismissed"]) == (1, 1)
