"""What staff see, they can act on: also the only moderator, about a hundred adverts at once, and about a member."""

from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make, scenes
from tests.support.scenes import API, REMOVE

ADVERT = "Cheap loans for everybody, ask me how."


async def test_the_only_moderator_acts_on_what_she_sees_and_an_administrator_hears_the_appeal(
    app: FastAPI, services: Services
) -> None:
    post = await scenes.a_post(services)
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "stepdad") as stepdad,
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.client(app) as guest,
    ):
        # Nobody reported it. She opens a case, and it is hers to decide.
        sighting = {"note": "He calls the social worker names.", "category": "rule", "revision": 1}
        opened = await suzie.post(f"{API}/moderation/posts/{post.id}/case", json=sighting)
        assert opened.status_code == 201, opened.text
        assert (await scenes.decide(suzie, opened.json(), REMOVE)).status_code == 201
        assert (await scenes.first_page(guest, post.thread_id))[1]["visibility"] == "removed"

        # Its author reads that nobody complained, and appeals.
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert statement["initiative"] == "moderator"
        lodged = await scenes.appeal(stepdad, statement["id"], "It was not meant so.")
        assert lodged.json()["hearers"] == "administrator"
        # Suzie may not judge herself; there is no other moderator, so an administrator decides.
        [hearing] = (await boss.get(f"{API}/moderation/cases")).json()["items"]
        assert (await scenes.hear(suzie, hearing["id"], "uphold")).status_code == 403
        assert (await scenes.hear(boss, hearing["id"], "overturn")).status_code == 201
        assert (await scenes.first_page(guest, post.thread_id))[1]["body_markdown"] == scenes.RUDE


async def test_what_the_only_moderator_reports_is_decided_by_her(app: FastAPI, services: Services) -> None:
    post = await scenes.a_post(services)
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie, make.client(app) as guest:
        # She uses the same button as everybody.
        report = await scenes.report(suzie, post.id)
        case = await scenes.a_case(suzie, post.id)
        assert case["id"] == report.json()["case_id"]
        assert (await scenes.decide(suzie, case, REMOVE)).status_code == 201
        assert (await scenes.first_page(guest, post.thread_id))[1]["visibility"] == "removed"
        assert (await suzie.get(f"{API}/me/reports")).json()["items"][0]["outcome"] == "upheld"


async def test_a_spammers_hundred_adverts_go_in_one_act_and_come_back_in_one_appeal(
    app: FastAPI, services: Services
) -> None:
    first = await scenes.a_post(services, ADVERT)
    threads = [first.thread_id, *[await make.thread(services, "heron", title=f"Thread {n}") for n in range(4)]]
    for number in range(99):
        await make.post(services, "stepdad", threads[number % 5], ADVERT)
    theirs = await make.post(services, await scenes.known(services, "robin"), threads[0], f"> {ADVERT}\n\nGo away!")
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
        make.signed_in(app, "stepdad") as stepdad,
        make.client(app) as guest,
    ):
        listed = (await suzie.get(f"{API}/moderation/members/stepdad/posts?limit=100")).json()["items"]
        assert len(listed) == 100
        act = {
            "posts": [{"id": post["id"], "revision": post["revision"]} for post in listed],
            "measures": [REMOVE, {"kind": "ban"}],
            "rules": [10],
            "reason": "No adverts here.",
        }
        made = await suzie.post(f"{API}/moderation/members/stepdad/decisions", json=act)
        assert made.status_code == 201, made.text
        for thread in threads:
            page = (await guest.get(f"{API}/threads/{thread}/posts?limit=100")).json()["items"]
            shown = [post["visibility"] for post in page]
            assert shown.count("visible") == (2 if thread == threads[0] else 1)
        quoting = (await guest.get(f"{API}/posts/{theirs.id}")).json()
        assert "Cheap loans" not in quoting["body_markdown"]

        # The account had been stolen. One appeal brings everything back.
        await make.sign_in_again(app, stepdad, "stepdad")
        [statement] = (await stepdad.get(f"{API}/me/statements")).json()["items"]
        assert len(statement["post_ids"]) == 100
        assert (await scenes.appeal(stepdad, statement["id"])).status_code == 201
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        assert (await scenes.hear(orla, hearing["id"], "overturn")).status_code == 201
        back = (await suzie.get(f"{API}/moderation/members/stepdad/posts?limit=100")).json()["items"]
        assert {post["visibility"] for post in back} == {"visible"}
        assert "Cheap loans" in (await guest.get(f"{API}/posts/{theirs.id}")).json()["body_markdown"]
        assert (await orla.get(f"{API}/moderation/members/stepdad")).json()["standing"] == "active"
