"""Signs of spam: what a case says of a newcomer's post, which copy waits, and who is never held."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API

ADVERT = (
    "My brother got his children back after he paid this spiritual healer, who makes every judge change their mind "
    "within {} days only."
)


@pytest.fixture(autouse=True)
async def house(services: Services) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    await make.board(services, "court")


async def opens(client: httpx.AsyncClient, body: str, slug: str = "new-here") -> dict[str, Any]:
    words = {"title": "A question", "body_markdown": body}
    answer = await client.post(f"{API}/boards/{slug}/threads", json=words)
    if answer.status_code == 422:  # asked about what shows who somebody is, and they mean it
        again = words | {"confirm": answer.json()["confirm"]}
        answer = await client.post(f"{API}/boards/{slug}/threads", json=again)
    assert answer.status_code == 201, answer.text
    post: dict[str, Any] = answer.json()["first_post"]
    return post


async def new(services: Services, *handles: str) -> None:
    """They joined a moment ago."""
    for handle in handles:
        await scenes.sql(services, "UPDATE member SET joined_at = now() WHERE handle = :h RETURNING id", h=handle)


async def test_the_third_copy_waits_and_its_case_links_the_others(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "femi") as femi,
        make.signed_in(app, "ada") as ada,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "heron") as heron,
    ):
        await new(services, "femi", "ada", "suzie")
    async with make.client(app, **dict(femi.headers)) as femi, make.client(app, **dict(ada.headers)) as ada:
        first = await opens(femi, ADVERT.format("seven"))
        second = await opens(ada, ADVERT.format("eight"), "court")
        assert (first["visibility"], second["visibility"]) == ("visible", "visible")
        third = await opens(femi, ADVERT.format("nine"))
        assert third["visibility"] == "held"
        assert "its words have been here before" in third["held_because"]
        async with make.client(app, **dict(suzie.headers)) as suzie:
            case = await scenes.a_case(suzie, third["id"])
            assert case["copies"] == [first["id"], second["id"]]
            assert [found["recogniser"] for found in case["findings"]] == ["near_copy"]
            fourth = await opens(femi, ADVERT.format("ten"))
            again = (await suzie.get(f"{API}/moderation/cases/{case['id']}")).json()
            assert {post["id"] for post in again["posts"]} == {third["id"], fourth["id"]}
            page = (await suzie.get(f"/moderation/cases/{case['id']}")).text
            assert f'href="/posts/{second["id"]}"' in page
        # Quotes of it are no copies, words of danger do not wait, and who has been here for long is not looked at.
        thanks = "I would stay away from such people, they only want your money and give nothing back to anybody."
        assert (await opens(ada, f"> {ADVERT.format('seven')}\n\n{thanks}"))["visibility"] == "visible"
        cry = await opens(ada, f"{ADVERT.format('two')} I want to kill myself tonight.")
        assert cry["visibility"] == "visible"
    async with make.client(app, **dict(heron.headers)) as heron:
        assert (await opens(heron, ADVERT.format("three")))["visibility"] == "visible"


async def test_how_to_be_reached_elsewhere_is_a_sign_in_first_posts_only(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "femi") as femi,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        bodies = ("Join t.me/femi_heals", "See bit.ly/2kids", "Ring 07700 900123", "Join t.me/femi_heals, I say")
        posts = [await opens(femi, body) for body in bodies]
        assert {post["visibility"] for post in posts} == {"visible"}
        first, short = [await scenes.a_case(suzie, post["id"]) for post in posts[:2]]
        assert (first["category"], first["findings"][0]["recogniser"]) == ("spam", "contact")
        assert (short["category"], short["findings"][0]["recogniser"]) == ("spam", "short_link")
        queue = (await suzie.get(f"{API}/moderation/cases")).json()["items"]
        found = {case["post_id"]: case["category"] for case in queue}
        first_three = [post["id"] for post in posts[:3]]
        assert found == dict(zip(first_three, ("spam", "spam", "personal_information"), strict=True))
        assert (first["signals"], first["copies"]) == ([], [])


async def test_a_case_says_what_is_known_of_a_new_account(app: FastAPI, services: Services) -> None:
    async with (
        make.signed_in(app, "femi") as femi,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
    ):
        for number in range(4):
            await make.member(services, f"guest{number}")
        await new(services, "femi", *(f"guest{number}" for number in range(4)))
        mail = "UPDATE member SET email = 'x@mailinator.com' WHERE handle = 'femi' RETURNING id"
        await scenes.sql(services, mail)
        burst = "INSERT INTO arrival SELECT id, now(), NULL, true FROM member WHERE handle = 'femi' RETURNING member_id"
        await scenes.sql(services, burst)
        case = await scenes.a_case(suzie, (await opens(femi, "Join t.me/femi_heals"))["id"])
        assert case["signals"] == ["throw_away_mail", "joined_together", "joined_from_one_network"]
        page = (await suzie.get(f"/moderation/cases/{case['id']}")).text
        assert "This account has a mail address of a kind that is thrown away." in page
        assert "This account is one of many that joined from one network within an hour." in page
        assert "mailinator" not in page
