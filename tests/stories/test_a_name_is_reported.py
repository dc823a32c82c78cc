"""A handle says whose mother somebody is: it is reported, taken, appealed, and replaced by one of her own choice."""

from datetime import timedelta

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import mailbox, make
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, a_post, appeal, decide, hear

TELLING = "jamie-smiths-mum"


async def test_a_name_that_says_who_somebodys_child_is(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await a_post(services, author=TELLING, body="He did not come home from school.")
    async with (
        make.signed_in(app, TELLING) as mother,
        make.signed_in(app, "magpie") as magpie,
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        thanks = await make.post(services, "heron", post.thread_id, f"We think of you, @{TELLING}.")
        complaint = {"category": "personal_information", "note": "Everybody in Leeds can tell who he is."}
        filed = await magpie.post(f"{API}/members/{TELLING}/reports", json=complaint)
        assert filed.status_code == 201, filed.text
        await run_due_jobs(services, clock.now() + timedelta(minutes=1))

        # A moderator is told, sees which name it was, and takes it.
        [news] = (await suzie.get(f"{API}/me/notifications")).json()["items"]
        case = (await suzie.get(f"{API}/moderation/cases/{news['subject_id']}")).json()
        assert [one["reported_handle"] for one in case["reported"]] == [TELLING]
        reason = "Your handle says whose mother you are. Please choose one that nobody can know you by."
        made = await decide(suzie, case, {"kind": "rename", "handle": "neutral"}, reason=reason)
        assert made.status_code == 201, made.text
        await run_due_jobs(services, clock.now() + timedelta(minutes=2))

        [letter] = [letter for letter in await mailbox.come(services) if letter.to == f"{TELLING}@example.org"]
        assert "changed the name with which you sign in" in letter.words

        # She is told what was taken and what she is called now, and not by whom it was reported.
        [told] = (await mother.get(f"{API}/me/statements")).json()["items"]
        neutral = told["renamed"]["handle_became"]
        assert (told["reason"], told["initiative"], told["renamed"]["handle_was"]) == (reason, "report", TELLING)
        assert (await mother.get(f"{API}/me")).json()["handle"] == neutral
        assert "agpie" not in str(told)
        page = (await guest.get(f"{API}/threads/{post.thread_id}/posts")).text
        assert TELLING not in page
        assert f"@{neutral}" in (await guest.get(f"{API}/posts/{thanks.id}")).json()["body_markdown"]
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        assert mine["outcome"] == "upheld"

        # Somebody else hears her appeal, sees which name it is about, and it stands.
        assert (await appeal(mother, told["id"], "Nobody knows me here.")).status_code == 201
        [hearing] = (await orla.get(f"{API}/moderation/cases")).json()["items"]
        screen = (await orla.get(f"{API}/moderation/cases/{hearing['id']}")).json()
        assert screen["appeal"]["renamed"]["handle_was"] == TELLING
        assert (await hear(orla, hearing["id"], "uphold")).status_code == 201

        # She chooses one herself, at once.
        taken = await mother.put(f"{API}/me/handle", json={"handle": "quiet-tern"})
        assert taken.status_code == 200, taken.text
        await run_due_jobs(services, clock.now() + timedelta(minutes=3))
        assert "@quiet-tern" in (await guest.get(f"{API}/posts/{thanks.id}")).json()["body_markdown"]
        assert neutral not in (await guest.get(f"{API}/threads/{post.thread_id}/posts")).text
