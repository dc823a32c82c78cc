"""Reports: what a member can say of a post, what they are told, and what they never learn."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role, Standing
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, REMOVE, WARN

LOCK = {"kind": "lock"}


async def test_several_reporters_join_one_case(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    for handle in ("magpie", "robin", "wren"):
        async with make.signed_in(app, handle) as member:
            assert (await scenes.report(member, post.id)).status_code == 201
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        case = await scenes.a_case(suzie, post.id)
    assert case["reports"] == 3
    assert [one["by"]["handle"] for one in case["reported"]] == ["magpie", "robin", "wren"]


async def test_a_second_report_on_the_same_revision_is_answered_with_the_first(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        first = await scenes.report(magpie, post.id)
        again = await scenes.report(magpie, post.id, category="spam", rules=[], note="Spam")
        mine = (await magpie.get(f"{API}/me/reports")).json()["items"]
    assert again.status_code == 201
    assert again.json() == first.json() == mine[0]
    assert len(mine) == 1


async def test_a_graver_report_of_the_same_words_is_taken_and_the_earlier_one_stays(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        first = (await scenes.report(magpie, post.id)).json()
        danger = {"category": "risk", "rules": [], "note": "He says that he will hurt her."}
        graver = await scenes.report(magpie, post.id, **danger)
        assert (graver.status_code, graver.json()["category"]) == (201, "risk")
        for again, category in ((first, "rule"), (graver.json(), "risk"), (graver.json(), "illegal")):
            rules = [10] if category == "rule" else []
            assert (await scenes.report(magpie, post.id, category=category, rules=rules)).json() == again
        assert [one["id"] for one in (await magpie.get(f"{API}/me/reports")).json()["items"]] == [
            graver.json()["id"],
            first["id"],
        ]
        case = await scenes.a_case(suzie, post.id)
        assert (case["category"], case["reports"], case["version"]) == ("risk", 1, 2)
        assert [one["category"] for one in case["reported"]] == ["rule", "risk"]
        # Decided as what it is, it is no news a third time; as a milder thing it never was.
        await scenes.decide(suzie, case, DISMISS)
        assert (await scenes.report(magpie, post.id, **danger)).json()["outcome"] == "dismissed"
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []


async def test_reports_sent_at_once_by_one_member_are_one(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        answers = await asyncio.gather(*(scenes.report(magpie, post.id) for _ in range(5)))
        assert [one.status_code for one in answers] == [201] * 5
        assert len({one.json()["id"] for one in answers}) == 1
        case = await scenes.a_case(suzie, post.id)
        assert (case["reports"], case["version"]) == (1, 1)


async def test_reports_sent_at_once_by_several_members_all_count(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with AsyncExitStack() as stack:
        handles = ("magpie", "robin", "wren", "finch")
        clients = [await stack.enter_async_context(make.signed_in(app, handle)) for handle in handles]
        answers = await asyncio.gather(*(scenes.report(client, post.id) for client in clients))
    assert [one.status_code for one in answers] == [201] * 4
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await scenes.a_case(suzie, post.id))["reports"] == 4


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"rules": []}, "#/rules"),
    ({"rules": [99]}, "#/rules"),
    ({"rules": [0]}, "#/rules/0"),
    ({"revision": 2}, "#/revision"),
    ({"revision": 0}, "#/revision"),
    ({"category": "held"}, "#/category"),
    ({"category": "appeal"}, "#/category"),
    ({"note": "x" * 2001}, "#/note"),
    ({"note": "\x00"}, "#/note"),
]


async def test_a_report_that_makes_no_sense_is_refused(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        for changes, pointer in NONSENSE:
            refused = await scenes.report(magpie, post.id, **changes)
            assert refused.status_code == 422, changes
            assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer], changes


async def test_only_a_rule_breach_needs_a_rule(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    posts = [post, *[await make.post(services, "stepdad", post.thread_id, f"Number {n}") for n in range(5)]]
    categories = ("personal_information", "risk", "illegal", "intimate_image", "spam", "other")
    async with make.signed_in(app, "magpie") as magpie:
        for reported, category in zip(posts, categories, strict=True):
            answer = await scenes.report(magpie, reported.id, category=category, rules=[])
            assert answer.status_code == 201, category


async def test_a_reporter_is_told_that_it_arrived_and_later_the_outcome_and_never_who_else_reported(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await scenes.report(magpie, post.id, note="I am frightened of him")
        await scenes.report(robin, post.id)
        assert await kinds(robin) == ["report_received"]
        assert (await robin.get(f"{API}/me/reports")).json()["items"][0]["outcome"] is None
        made = await scenes.decide(suzie, await scenes.a_case(suzie, post.id), scenes.WARN, note="Third time")
        assert made.status_code == 201
        assert await kinds(robin) == await kinds(magpie) == ["report_settled", "report_received"]
        told = (await robin.get(f"{API}/me/reports")).json()
        assert (told["items"][0]["outcome"], told["items"][0]["case_id"]) == ("upheld", None)
        everything = str(told) + (await robin.get(f"{API}/me/notifications")).text
    for secret in ("magpie", "Magpie", "frightened", "warn", "Suzie", "Third time", "Say what she did"):
        assert secret not in everything


async def test_the_author_never_learns_who_reported_not_even_as_a_moderator(app: FastAPI, services: Services) -> None:
    await make.member(services, "ada", Role.MODERATOR)
    post = await scenes.a_post(services, author="ada")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "ada") as ada:
        await scenes.report(magpie, post.id)
        assert (await ada.get(f"{API}/moderation/cases")).json()["items"] == []
        [(case_id,)] = await scenes.sql(services, "SELECT id FROM moderation_case")
        assert (await ada.get(f"{API}/moderation/cases/{case_id}")).status_code == 404


async def test_a_report_on_decided_words_gets_their_outcome_and_one_on_a_later_revision_reopens_the_case(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "wren") as wren,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        made = await scenes.decided(app, suzie, post.id, scenes.DISMISS)
        same = (await scenes.report(robin, post.id)).json()
        assert same["outcome"] == "dismissed"
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []
        edit = {"revision": 1, "body_markdown": "Worse: she is a toad."}
        assert (await stepdad.patch(f"{API}/posts/{post.id}", json=edit)).status_code == 200
        assert (await scenes.report(wren, post.id, revision=1)).json()["outcome"] == "dismissed"
        assert (await scenes.report(wren, post.id, revision=2)).json()["outcome"] is None
        case = await scenes.a_case(suzie, post.id)
        assert (case["id"], case["state"], case["reports"]) == (made["case_id"], "open", 1)


async def test_a_report_on_words_that_a_moderator_let_through_is_not_called_upheld(
    app: FastAPI, services: Services
) -> None:
    await scenes.house_rules(services)
    await make.board(services, publication="hold_all")
    await make.member(services, "stepdad")
    async with make.signed_in(app, "stepdad") as stepdad, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        opened = {"title": "A question", "body_markdown": "Hello"}
        post = (await stepdad.post(f"{API}/boards/new-here/threads", json=opened)).json()["first_post"]
        case = await scenes.a_case(suzie, post["id"])
        assert (await scenes.decide(suzie, case, scenes.PUBLISH)).status_code == 201
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post["id"])).json()["outcome"] == "dismissed"


@pytest.mark.parametrize(
    ("measures", "heard", "outcome"),
    [
        ((WARN,), None, "upheld"),
        ((WARN,), ("uphold",), "upheld"),
        ((WARN,), ("overturn",), "dismissed"),
        ((REMOVE,), ("overturn",), "dismissed"),
        ((REMOVE, WARN), ("change", LOCK), "upheld"),
        ((WARN,), ("change", DISMISS), "dismissed"),
    ],
)
async def test_a_later_report_on_the_same_words_is_told_the_outcome_that_stands(
    app: FastAPI, services: Services, measures: tuple[Any, ...], heard: tuple[Any, ...] | None, outcome: str
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "robin") as robin,
    ):
        made = await scenes.decided(app, suzie, post.id, *measures)
        if heard:
            await scenes.appeal(stepdad, made["statement_id"])
            hearing = await scenes.a_case(orla, post.id, "appeal")
            answer = await scenes.hear(orla, hearing["id"], *heard, rules=[10])
            assert answer.status_code == 201, answer.text
        assert (await scenes.report(robin, post.id)).json()["outcome"] == outcome


async def test_what_was_done_about_older_words_says_nothing_of_newer_ones(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "wren") as wren,
    ):
        await scenes.decided(app, suzie, post.id, WARN)
        edit = {"revision": 1, "body_markdown": "She did not listen to me."}
        assert (await stepdad.patch(f"{API}/posts/{post.id}", json=edit)).status_code == 200
        await scenes.report(robin, post.id, revision=2)
        assert (await scenes.decide(suzie, await scenes.a_case(suzie, post.id), DISMISS)).status_code == 201
        assert (await scenes.report(wren, post.id, revision=2)).json()["outcome"] == "dismissed"
        assert (await scenes.report(wren, post.id, revision=1)).json()["outcome"] == "upheld"


@pytest.mark.parametrize(
    ("decided_as", "reported_as", "reopens"),
    [
        ("rule", "risk", True),
        ("rule", "intimate_image", True),
        ("rule", "illegal", True),
        ("rule", "personal_information", True),
        ("personal_information", "illegal", True),
        ("illegal", "personal_information", False),
        ("risk", "risk", False),
        ("rule", "rule", False),
        ("spam", "rule", False),
        ("spam", "other", False),
    ],
)
async def test_only_something_graver_reopens_what_was_decided(
    app: FastAPI, services: Services, decided_as: str, reported_as: str, reopens: bool
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "robin") as robin,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        await scenes.report(magpie, post.id, category=decided_as)
        case = await scenes.a_case(suzie, post.id)
        assert (await scenes.decide(suzie, case, DISMISS)).status_code == 201
        filed = (await scenes.report(robin, post.id, category=reported_as)).json()
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        assert (await magpie.get(f"{API}/me/reports")).json()["items"][0]["outcome"] == "dismissed"
    assert filed["outcome"] == (None if reopens else "dismissed")
    assert [(one["id"], one["category"], one["reports"]) for one in queue] == [(case["id"], reported_as, 1)] * reopens


async def test_ones_reports_come_page_by_page(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    posts = [first, *[await make.post(services, "stepdad", first.thread_id, f"Number {n}") for n in range(4)]]
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "robin") as robin:
        await scenes.report(robin, first.id)
        for post in posts:
            await scenes.report(magpie, post.id)
        seen: list[int] = []
        url = f"{API}/me/reports?limit=2"
        while url:
            page = await magpie.get(url)
            seen += [one["post_id"] for one in page.json()["items"]]
            assert (page.json()["next"] is None) == ("next" not in page.links)
            url = page.links["next"]["url"] if "next" in page.links else ""
        assert (await magpie.get(f"{API}/me/reports?after=nonsense")).status_code == 422
    assert seen == [post.id for post in reversed(posts)]


async def test_one_cannot_report_what_was_taken_away(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "robin") as robin:
        await scenes.decided(app, suzie, post.id, scenes.REMOVE)
        assert (await scenes.report(robin, post.id)).status_code == 409


@pytest.mark.parametrize(
    ("handle", "status"), [("stepdad", 403), ("silent", 403), ("gone", 403), ("outsider", 201), (None, 401)]
)
async def test_who_may_report(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, handle: str, status: int
) -> None:
    post = await scenes.a_post(services)
    for member in ("silent", "gone", "outsider"):
        await make.member(services, member)
    await make.sanction(services, "silent", Standing.SILENCED)
    await make.sanction(services, "gone", Standing.SUSPENDED)
    if handle is None:
        assert (await scenes.report(guest, post.id)).status_code == status
        return
    async with make.signed_in(app, handle) as client:
        assert (await scenes.report(client, post.id)).status_code == status


async def test_who_is_silenced_can_still_say_that_somebody_is_in_danger(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    await make.member(services, "silent")
    await make.sanction(services, "silent", Standing.SILENCED)
    await make.sanction(services, "stepdad", Standing.SILENCED)
    async with make.signed_in(app, "silent") as silent, make.signed_in(app, "stepdad") as stepdad:
        refused = await scenes.report(silent, post.id)
        assert (refused.status_code, refused.json()["code"]) == (403, "account_silenced")
        assert "report that somebody is in danger" in refused.json()["detail"]
        assert (await scenes.report(silent, post.id, category="risk", rules=[])).status_code == 201
        assert (await scenes.report(stepdad, post.id, category="risk", rules=[])).status_code == 403
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await scenes.a_case(suzie, post.id))["category"] == "risk"


async def test_a_post_on_a_board_that_one_may_not_see_cannot_be_reported(app: FastAPI, services: Services) -> None:
    await make.board(services, "staff-room", readers=("moderator",))
    await make.member(services, "ada", Role.MODERATOR)
    thread = await make.thread(services, "ada", "staff-room")
    [[post]] = await scenes.sql(services, "SELECT id FROM post WHERE thread_id = :id", id=thread)
    async with make.signed_in(app, "magpie") as magpie:
        assert (await scenes.report(magpie, post, category="other", rules=[])).status_code == 404


async def test_the_case_id_is_for_staff(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "robin") as robin:
        assert (await scenes.report(suzie, post.id)).json()["case_id"] is not None
        assert (await scenes.report(robin, post.id)).json()["case_id"] is None


async def kinds(client: httpx.AsyncClient) -> list[str]:
    """The kinds of this member's notifications, newest first."""
    return [item["kind"] for item in (await client.get(f"{API}/me/notifications")).json()["items"]]
