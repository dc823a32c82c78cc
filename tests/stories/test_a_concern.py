"""Somebody worries about those who should look after others: the moderator who reads the queue, and the only lead."""

from fastapi import FastAPI

from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from moderation.concerns import telling
from tests.support import mailbox, make, scenes
from tests.support.scenes import API

CONCERNS = f"{API}/moderation/concerns"
OUTSIDE = "The trustees: 020 7946 0000"


async def test_a_concern_about_the_moderator_who_reads_the_queue(app: FastAPI, services: Services) -> None:
    await make.member(services, "orla", Role.MODERATOR)
    post = await scenes.a_post(services, "You can always write to me, sweetheart. Not here.", author="orla")
    async with (
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "orla") as orla,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
        make.signed_in(app, "priya", Role.SAFEGUARDING_LEAD) as priya,
    ):
        desk = [f"{API}/moderation/cases", f"{API}/moderation/log", f"{API}/me/notifications"]
        before = {(staff, place): (await staff.get(place)).json() for staff in (orla, joan) for place in desk}
        said = {"text": "Orla asks young members to write to her elsewhere.", "posts": [post.id]}
        raised = await magpie.post(f"{API}/concerns", json=said)
        assert (raised.status_code, raised.json()["is_read"]) == (201, True)
        # The lead is told, by a mail that says nothing, too.
        [letter] = await mailbox.come(services)
        assert letter.to == "priya@example.org"
        assert not {"orla", "concern", "magpie"} & set(letter.words.casefold().split())
        [listed] = (await priya.get(CONCERNS)).json()["items"]
        assert (listed["about"][0]["handle"], listed["about_staff"]) == ("orla", True)

        # Orla reads the queue, the log and her notices as every day; nothing is there, nor for an administrator.
        for staff in (orla, joan):
            assert [(await staff.get(place)).json() for place in desk] == [before[staff, place] for place in desk]
            assert (await staff.get(CONCERNS)).status_code == 403
        # She takes her words back: the lead has them as they were.
        assert (await orla.delete(f"{API}/posts/{post.id}")).is_success
        path = f"{CONCERNS}/{listed['id']}"
        file = (await priya.get(path)).json()
        assert (file["posts"][0]["content"]["body_markdown"], file["posts"][0]["is_intact"]) == (
            "You can always write to me, sweetheart. Not here.",
            True,
        )
        told = {"text": "Told the designated officer of the council. Reference 4471."}
        assert (await priya.post(f"{path}/entries", json=told)).status_code == 201
        audit = (await priya.get(f"{path}/audit")).json()["items"]
        assert {entry["by"]["handle"] for entry in audit} == {"priya", "magpie"}
        assert [(await orla.get(place)).json() for place in desk] == [before[orla, place] for place in desk]


async def test_a_concern_about_the_only_lead_waits_for_another(settings: Settings, services: Services) -> None:
    named = settings.model_copy(update={"outside_contact": OUTSIDE})
    async with (
        make.application(named) as app,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "priya", Role.SAFEGUARDING_LEAD) as priya,
        make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan,
    ):
        said = {"text": "Priya told my ex where I live.", "about": ["priya"]}
        raised = (await magpie.post(f"{API}/concerns", json=said)).json()
        assert (raised["is_read"], raised["outside_contact"]) == (False, OUTSIDE)
        assert (await priya.get(CONCERNS)).json()["items"] == []
        assert (await priya.get(f"{API}/me/notifications")).json()["items"] == []

        # The administrator hears that there is nobody, and names somebody.
        [notice] = (await joan.get(f"{API}/me/notifications")).json()["items"]
        assert (notice["kind"], notice["subject_id"]) == ("concern_without_lead", None)
        assert (await joan.get(CONCERNS)).status_code == 403
        await make.member(services, "bea")
        role = f"{API}/accounts/bea/roles/safeguarding_lead"
        assert (await joan.put(role, json={})).is_success
        async with services.database.work() as session:
            await telling.watch(session, {}, clock.now())
        async with make.signed_in(app, "bea") as bea:
            [notice] = (await bea.get(f"{API}/me/notifications")).json()["items"]
            file = await bea.get(f"{CONCERNS}/{notice['subject_id']}")
            assert (notice["kind"], file.json()["text"]) == ("concern_waiting", said["text"])
        assert (await priya.get(f"{CONCERNS}/{notice['subject_id']}")).status_code == 404
        assert (await joan.get(f"{API}/me/notifications")).json()["items"] == []
