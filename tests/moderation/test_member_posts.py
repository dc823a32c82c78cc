"""All posts of a member in one list, and one decision about many of them: one statement, one appeal."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.content.posts.queries import PostView
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API, DISMISS, PUBLISH, REDACT, REMOVE, WARN

ADVERT = "Cheap loans for everybody at loans.example, ask me how."


async def adverts(services: Services, number: int = 3, slug: str = "new-here") -> list[PostView]:
    """Adverts of Stepdad, each in a thread of its own."""
    first = await scenes.a_post(services, ADVERT, slug=slug)
    posts = [first]
    for place in range(1, number):
        thread = await make.thread(services, "heron", slug, f"Thread {place}")
        posts.append(await make.post(services, "stepdad", thread, ADVERT))
    return posts


async def together(
    client: httpx.AsyncClient, posts: Sequence[PostView], *measures: dict[str, Any], key: str = "", **more: Any
) -> httpx.Response:
    """One decision about all of these."""
    seen = [{"id": post.id, "revision": 1} for post in posts]
    body = {"posts": seen, "measures": list(measures), "rules": [10], "reason": "No adverts here.", **more}
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post(f"{API}/moderation/members/stepdad/decisions", json=body, headers=headers)


async def visibilities(services: Services, posts: Sequence[PostView]) -> set[str]:
    ids = [post.id for post in posts]
    rows = await scenes.sql(services, "SELECT visibility FROM post WHERE id = ANY(:ids)", ids=ids)
    return {row.visibility for row in rows}


# The list


async def test_moderators_read_all_posts_of_a_member_on_their_boards(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    here = await adverts(services)
    there = await adverts(services, 1, slug="court")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "other", boards=("court",)) as other,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        await scenes.decided(app, suzie, here[0].id, REMOVE)
        await stepdad.delete(f"{API}/posts/{here[1].id}")
        url = f"{API}/moderation/members/stepdad/posts"
        first = (await suzie.get(f"{url}?limit=3")).json()
        rest = (await suzie.get(f"{url}?limit=3&after={first['next']}")).json()
        items = [*first["items"], *rest["items"]]
        assert [item["id"] for item in items] == [post.id for post in (*there, *here[::-1])]
        assert [item["visibility"] for item in items] == ["visible", "visible", "withdrawn", "removed"]
        assert [item["body_markdown"] for item in items] == [ADVERT, ADVERT, None, ADVERT]
        assert (items[0]["board"], items[0]["revision"], items[-1]["number"]) == ("court", 1, 2)
        assert [item["id"] for item in (await other.get(url)).json()["items"]] == [there[0].id]
        assert len((await boss.get(url)).json()["items"]) == 2
        assert (await magpie.get(url)).status_code == 403
        assert (await suzie.get(f"{API}/moderation/members/nobody/posts")).status_code == 404


# The decision


async def test_many_posts_are_removed_by_one_decision_and_come_back_by_one_appeal(
    app: FastAPI, services: Services
) -> None:
    posts = await adverts(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await together(suzie, posts, REMOVE, {"kind": "ban"})
        assert made.status_code == 201, made.text
        assert await visibilities(services, posts) == {"removed"}
        await make.sign_in_again(app, stepdad, "stepdad")
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert (statement["initiative"], statement["excerpts"]) == ("moderator", [ADVERT] * 3)
        assert statement["post_ids"] == [post.id for post in posts]
        news = [one["kind"] for one in (await stepdad.get(f"{API}/me/notifications")).json()["items"]]
        assert news == ["post_removed"]
        screen = (await orla.get(f"{API}/moderation/cases/{made.json()['case_id']}")).json()
        assert (screen["kind"], screen["state"]) == ("posts", "decided")
        assert [(post["id"], post["decided_revision"]) for post in screen["posts"]] == [(one.id, 1) for one in posts]

        assert (await scenes.appeal(stepdad, statement["id"])).status_code == 201
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        assert len((await orla.get(f"{API}/moderation/cases/{hearing['id']}")).json()["posts"]) == 3
        assert (await scenes.hear(suzie, hearing["id"], "overturn")).status_code == 403
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 201
        assert await visibilities(services, posts) == {"visible"}
        assert (await orla.get(f"{API}/moderation/members/stepdad")).json()["standing"] == "active"


async def test_an_appeal_can_change_what_was_decided_about_many(app: FastAPI, services: Services) -> None:
    posts = await adverts(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await together(suzie, posts, REMOVE)
        await scenes.appeal(stepdad, made.json()["statement_id"])
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        refused = await scenes.hear(orla, hearing["id"], "change", REDACT, rules=[10])
        assert (refused.status_code, refused.json()["code"]) == (422, "measure_needs_one_post")
        assert (await scenes.hear(orla, hearing["id"], "change", WARN, rules=[10])).status_code == 201
        assert await visibilities(services, posts) == {"visible"}
        statements = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statements[0]["post_ids"] == [post.id for post in posts]


async def test_open_cases_of_the_posts_are_taken_in_and_their_reports_settled(app: FastAPI, services: Services) -> None:
    posts = await adverts(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        await scenes.report(magpie, posts[1].id, category="spam", rules=[])
        await scenes.report(magpie, posts[2].id)
        assert (await together(suzie, posts, REMOVE)).status_code == 201
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []
        assert [one["outcome"] for one in (await magpie.get(f"{API}/me/reports")).json()["items"]] == ["upheld"] * 2
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["initiative"] == "report"
    acts = [row.act for row in await scenes.sql(services, "SELECT act FROM audit_entry ORDER BY number")]
    assert acts[-4:] == ["case.opened_on_sight", "case.taken_in", "case.taken_in", "case.decided"]


async def test_a_reporter_appeals_when_many_were_dismissed_and_only_that_post_is_looked_at_again(
    app: FastAPI, services: Services
) -> None:
    posts = await adverts(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "magpie") as magpie,
    ):
        await scenes.report(magpie, posts[1].id)
        assert (await together(suzie, posts, DISMISS)).status_code == 201
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        assert mine["outcome"] == "dismissed"
        lodged = await magpie.post(f"{API}/reports/{mine['id']}/appeal", json={"text": "Look again."})
        assert lodged.status_code == 201, lodged.text
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 201
        again = await scenes.a_case(orla, posts[1].id)
        assert [post["id"] for post in again["posts"]] == [posts[1].id]
        # Whoever dismissed it is not free to decide it as one of many, either.
        assert (await together(suzie, posts, REMOVE)).status_code == 403
        assert (await together(orla, posts, REMOVE)).status_code == 201


async def test_a_report_of_words_that_were_decided_on_together_is_settled_at_once(
    app: FastAPI, services: Services
) -> None:
    posts = await adverts(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        made = await together(suzie, posts, WARN)
        told = (await scenes.report(magpie, posts[2].id)).json()
        assert told["outcome"] == "upheld"
        assert (await suzie.get(f"{API}/moderation/cases")).json()["items"] == []
        await stepdad.patch(f"{API}/posts/{posts[2].id}", json={"revision": 1, "body_markdown": "Cheaper loans!"})
        assert (await scenes.report(magpie, posts[2].id, revision=2)).json()["outcome"] is None
        case = await scenes.a_case(suzie, posts[2].id)
        assert (case["kind"], case["id"] == made.json()["case_id"]) == ("post", False)


async def test_it_is_all_or_nothing(app: FastAPI, services: Services) -> None:
    await make.board(services, "court")
    posts = await adverts(services)
    elsewhere = await adverts(services, 1, slug="court")
    other = await make.post(services, "heron", posts[0].thread_id, "Hello")
    async with (
        make.signed_in(app, "here", boards=("new-here",)) as here,
        make.signed_in(app, "orla", boards=("new-here",)) as orla,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "stepdad") as stepdad,
    ):
        for added in (elsewhere[0], other):
            refused = await together(here, [*posts, added], REMOVE)
            assert (refused.status_code, refused.json()["code"]) == (422, "not_their_post")
            assert refused.json()["post_id"] == added.id
        twice = await together(here, [*posts, posts[0]], REMOVE)
        assert (twice.status_code, twice.json()["code"]) == (422, "post_repeated")
        for measure in (REDACT, {"kind": "edit", "body_markdown": "Hm"}, {"kind": "retitle", "title": "Other"}):
            assert (await together(here, posts, measure)).json()["code"] == "measure_needs_one_post"
        assert (await together(here, posts, PUBLISH)).json()["code"] == "post_not_held"
        assert (await together(magpie, posts, REMOVE)).status_code == 403

        await scenes.report(magpie, posts[1].id)
        case = await scenes.a_case(orla, posts[1].id)
        await orla.put(f"{API}/moderation/cases/{case['id']}/claim")
        claimed = await together(here, posts, REMOVE)
        assert (claimed.status_code, claimed.json()["code"]) == (409, "case_claimed")
        await orla.delete(f"{API}/moderation/cases/{case['id']}/claim")

        await stepdad.patch(f"{API}/posts/{posts[2].id}", json={"revision": 1, "body_markdown": "Cheaper loans!"})
        stale = await together(here, posts, REMOVE)
        assert (stale.status_code, stale.json()["code"], stale.json()["post_id"]) == (409, "post_changed", posts[2].id)
        await stepdad.delete(f"{API}/posts/{posts[2].id}")
        gone = await together(here, posts, REMOVE)
        assert (gone.status_code, gone.json()["code"], gone.json()["post_id"]) == (409, "post_withdrawn", posts[2].id)
        assert await scenes.sql(services, "SELECT count(*) FROM decision") == [(0,)]
        assert (await scenes.a_case(orla, posts[1].id))["state"] == "open"
        assert (await together(here, posts[:2], REMOVE)).status_code == 201


@pytest.mark.parametrize("kind", ["silence", "warn"])
async def test_a_measure_against_the_author_is_taken_once(app: FastAPI, services: Services, kind: str) -> None:
    posts = await adverts(services)
    measure = {"kind": kind} | ({"until": "2999-01-01T00:00:00Z"} if kind == "silence" else {})
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        assert (await together(suzie, posts, measure, REMOVE)).status_code == 201
    counted = await scenes.sql(services, "SELECT kind, count(*) FROM measure GROUP BY kind ORDER BY kind")
    assert counted == [("remove", 3), (kind, 1)]


async def test_the_same_decision_sent_twice_is_one(app: FastAPI, services: Services) -> None:
    posts = await adverts(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        first, again = [await together(suzie, posts, REMOVE, key="one") for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert await scenes.sql(services, "SELECT count(*) FROM decision") == [(1,)]
