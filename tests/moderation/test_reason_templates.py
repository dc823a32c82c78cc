"""Templates: reasons that are written once, for moderators to begin from."""

from fastapi import FastAPI

from forum.http.services import Services
from forum.members.tables import Role
from tests.support import make

TEMPLATES = "/api/v1/moderation/templates"
NAMES = {"title": "Name-calling", "text": "You called somebody a name. Say what they did instead."}


async def test_an_administrator_writes_templates_and_moderators_read_them(app: FastAPI) -> None:
    async with (
        make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        assert (await boss.put(f"{TEMPLATES}/name-calling", json=NAMES)).status_code == 200
        anew = await boss.put(f"{TEMPLATES}/name-calling", json=NAMES | {"title": "Names"})
        assert anew.json()["title"] == "Names"
        items = (await orla.get(TEMPLATES)).json()["items"]
        assert [(item["slug"], item["title"], item["text"]) for item in items] == [
            ("name-calling", "Names", NAMES["text"])
        ]
        log = (await boss.get("/api/v1/moderation/log?subject_kind=template&subject_id=name-calling")).json()["items"]
        assert [entry["act"] for entry in log] == ["template.written", "template.written"]


async def test_a_discarded_template_is_gone(app: FastAPI) -> None:
    async with make.signed_in(app, "boss", Role.ADMINISTRATOR) as boss:
        await boss.put(f"{TEMPLATES}/name-calling", json=NAMES)
        assert (await boss.delete(f"{TEMPLATES}/name-calling")).status_code == 204
        assert (await boss.delete(f"{TEMPLATES}/name-calling")).status_code == 404
        assert (await boss.get(TEMPLATES)).json()["items"] == []


async def test_a_moderator_of_the_whole_forum_writes_templates(app: FastAPI) -> None:
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        assert (await orla.put(f"{TEMPLATES}/name-calling", json=NAMES)).status_code == 200
        assert (await orla.delete(f"{TEMPLATES}/name-calling")).status_code == 204


async def test_moderators_of_one_board_do_not_write_templates_and_members_do_not_read_them(
    app: FastAPI, services: Services
) -> None:
    await make.board(services)
    async with (
        make.signed_in(app, "bobby", boards=("new-here",)) as bobby,
        make.signed_in(app, "heron") as heron,
    ):
        assert (await bobby.get(TEMPLATES)).status_code == 200
        for refused in (
            await bobby.put(f"{TEMPLATES}/name-calling", json=NAMES),
            await bobby.delete(f"{TEMPLATES}/name-calling"),
        ):
            assert (refused.status_code, refused.json()["code"]) == (403, "not_a_moderator_of_all")
        assert (await heron.get(TEMPLATES)).json()["code"] == "not_a_moderator"
