"""Cases: the queue, worst first, and everything to decide one on one screen."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from fastapi import FastAPI
from sqlalchemy.exc import IntegrityError

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from moderation.case_priority import GRAVITY, Category, priority
from moderation.measures.catalogue import MEASURES
from tests.support import make, scenes
from tests.support.scenes import API


def test_every_category_has_its_gravity_and_its_due_time() -> None:
    assert set(GRAVITY) == set(Category)
    assert list(GRAVITY) == sorted(GRAVITY, key=lambda category: -GRAVITY[category][0]) == list(Category)


@pytest.mark.parametrize(("worse", "milder"), list(pairwise(Category)))
def test_no_number_of_reports_lifts_a_case_past_a_graver_one(worse: Category, milder: Category) -> None:
    assert priority(worse, 0, -5) < priority(milder, 1000, 5, 1000)


def test_more_reports_and_better_reporters_come_first() -> None:
    assert priority(Category.RULE, 2) < priority(Category.RULE, 1)
    assert priority(Category.RULE, 1, 3) < priority(Category.RULE, 1, -3)
    assert priority(Category.RULE, 1, findings=1) < priority(Category.RULE, 1)


async def test_the_queue_is_worst_first_page_by_page(app: FastAPI, services: Services) -> None:
    categories = ["spam", "risk", "other", "personal_information", "illegal"]
    first = await scenes.a_post(services)
    posts = [first, *[await make.post(services, "stepdad", first.thread_id, f"Number {n}") for n in range(4)]]
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        for post, category in zip(posts, categories, strict=True):
            assert (await scenes.report(magpie, post.id, category=category, rules=[])).status_code == 201
        seen, url = [], f"{API}/moderation/cases?limit=2"
        while url:
            page = await suzie.get(url)
            seen += [case["category"] for case in page.json()["items"]]
            url = page.links["next"]["url"] if "next" in page.links else ""
    assert seen == ["risk", "illegal", "personal_information", "other", "spam"]


async def test_the_graver_category_and_the_earlier_due_time_stay(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        seen = []
        for handle, category in (("magpie", "spam"), ("robin", "risk"), ("wren", "other")):
            async with make.signed_in(app, handle) as reporter:
                await scenes.report(reporter, post.id, category=category, rules=[])
            seen.append(await scenes.a_case(suzie, post.id))
    assert [case["category"] for case in seen] == ["spam", "risk", "risk"]
    assert [case["version"] for case in seen] == [1, 2, 3]
    assert seen[0]["due_at"] > seen[1]["due_at"] == seen[2]["due_at"]


async def test_the_database_holds_one_case_for_each_post(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "magpie") as magpie:
        await scenes.report(magpie, post.id)
    twin = (
        "INSERT INTO moderation_case (id, kind, post_id, state, category, reports, priority, version, opened_at,"
        " due_at, changed_at) SELECT gen_random_uuid(), kind, post_id, state, category, 0, 0, 1, opened_at,"
        " due_at, changed_at FROM moderation_case"
    )
    with pytest.raises(IntegrityError, match="uq_moderation_case_post"):
        await scenes.sql(services, twin)


async def test_everything_to_decide_is_on_one_screen(app: FastAPI, services: Services) -> None:
    first = await scenes.a_post(services)
    for number in range(3, 10):
        await make.post(services, "heron", first.thread_id, f"Number {number}")
    post = await make.post(services, "stepdad", first.thread_id, "You toad")
    for number in range(11, 16):
        await make.post(services, "heron", first.thread_id, f"Number {number}")
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.signed_in(app, "magpie") as magpie:
        await scenes.decided(app, suzie, first.id, scenes.WARN)
        await scenes.report(magpie, post.id, note="Rude")
        case = await scenes.a_case(suzie, post.id)
        note = await suzie.post(f"{API}/moderation/cases/{case['id']}/notes", json={"text": "I rang him."})
        assert note.status_code == 201
        case = await scenes.a_case(suzie, post.id)
    assert [one["number"] for one in case["context"]] == list(range(7, 14))
    assert [one["body_markdown"] for one in case["revisions"]] == ["You toad"]
    assert [(one["by"]["handle"], one["note"], one["rules"]) for one in case["reported"]] == [("magpie", "Rude", [10])]
    assert [(one["by"]["handle"], one["text"]) for one in case["notes"]] == [("suzie", "I rang him.")]
    assert (case["record"]["posts"], case["record"]["standing"]) == (2, "active")
    assert case["record"]["measures"] == {"warn": 1}
    assert {one["act"] for one in case["permitted"]} == {"claim", *MEASURES}
    assert all(one["allowed"] and one["because"] is None for one in case["permitted"])


async def test_the_screen_says_why_something_is_not_permitted(app: FastAPI, services: Services) -> None:
    await make.member(services, "ada", Role.MODERATOR)
    post = await scenes.a_post(services, author="ada")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "ada") as ada:
        await scenes.report(magpie, post.id)
        assert (await ada.get(f"{API}/moderation/cases")).json()["items"] == []
        async with (
            make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
            make.signed_in(app, "orla", Role.MODERATOR) as orla,
        ):
            own = await scenes.a_case(suzie, post.id)
            await suzie.put(f"{API}/moderation/cases/{own['id']}/claim")
            theirs = await scenes.a_case(orla, post.id)
            assert {one["because"] for one in theirs["permitted"]} == {"Suzie is working on this case."}
            assert theirs["claim"]["by"]["handle"] == "suzie"
            await scenes.decide(suzie, theirs, scenes.DISMISS)
            done = (await suzie.get(f"{API}/moderation/cases/{own['id']}")).json()
            assert {one["because"] for one in done["permitted"]} == {"This case is decided."}


async def test_a_moderator_of_one_board_sees_nothing_of_anothers(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "other", boards=("court",)) as other,
        make.signed_in(app, "here", boards=("new-here",)) as here,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await scenes.decided(app, suzie, post.id, scenes.WARN)
        lodged = (await scenes.appeal(stepdad, made["statement_id"])).json()
        hearing = await scenes.a_case(suzie, post.id, "appeal")
        edit = {"revision": 1, "body_markdown": "Toad!"}
        assert (await stepdad.patch(f"{API}/posts/{post.id}", json=edit)).status_code == 200
        async with make.signed_in(app, "robin") as robin:
            await scenes.report(robin, post.id, revision=2)
        assert len((await here.get(f"{API}/moderation/cases")).json()["items"]) == 2
        assert (await other.get(f"{API}/moderation/cases")).json()["items"] == []
        assert (await other.get(f"{API}/moderation/log")).json()["items"] == []
        assert (await here.get(f"{API}/moderation/log")).json()["items"] != []
        assert (await other.get(f"{API}/moderation/boards/new-here/team")).status_code == 404
        assert (await other.get(f"{API}/statements/{made['statement_id']}")).status_code == 404
        assert (await scenes.appeal(other, made["statement_id"])).status_code == 404
        assert lodged["outcome"] is None
        for case in (made["case_id"], hearing["id"]):
            base = f"{API}/moderation/cases/{case}"
            asked = [
                await other.get(base),
                await other.put(f"{base}/claim"),
                await other.delete(f"{base}/claim"),
                await other.put(f"{base}/recusal"),
                await other.post(f"{base}/notes", json={"text": "Hm"}),
                await scenes.decide(other, hearing | {"id": case}, scenes.DISMISS),
            ]
            assert [one.status_code for one in asked] == [404] * 6
            many = {"decisions": [{"case_id": case, **scenes.decision(hearing, scenes.DISMISS)}]}
            bulk = (await other.post(f"{API}/moderation/decisions", json=many)).json()["items"]
            assert [one["status"] for one in bulk] == [404]


async def test_a_case_moves_with_its_thread_to_the_other_boards_moderators(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "other", boards=("court",)) as other,
    ):
        await scenes.report(magpie, post.id)
        moved = await suzie.put(f"{API}/threads/{post.thread_id}/board", json={"version": 1, "board": "court"})
        assert moved.status_code in {200, 204}, moved.text
        assert (await scenes.a_case(other, post.id))["board"] == "court"


async def test_a_case_of_a_removed_post_shows_its_words_to_moderators(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        made = await scenes.decided(app, suzie, post.id, scenes.REMOVE)
        screen = (await suzie.get(f"{API}/moderation/cases/{made['case_id']}")).json()
    assert screen["revisions"][-1]["body_markdown"] == scenes.RUDE


async def test_due_times_follow_the_category(app: FastAPI, services: Services) -> None:
    post, before = await scenes.a_post(services), clock.now()
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        await scenes.report(magpie, post.id, category="risk", rules=[])
        due = datetime.fromisoformat((await scenes.a_case(suzie, post.id))["due_at"])
    assert before + timedelta(hours=1) <= due <= clock.now() + timedelta(hours=1)
