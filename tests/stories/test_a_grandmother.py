"""A grandmother without an account is named in a post: she reports it on the pages, follows it, and complains."""

import re

import httpx
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import mailbox, make, scenes
from tests.support.jobs import run_due_jobs
from tests.support.scenes import API, DISMISS, REMOVE
from tests.web.support import form, text_of

NAMED = "My mum Doreen Tamblyn at the Co-op in Hayle told them everything, ask her."


def code_in(page: httpx.Response) -> str:
    found = re.search("<code>([^<]+)</code>", page.text)
    assert found, text_of(page.text)
    return found[1]


async def asked(client: httpx.AsyncClient, code: str) -> str:
    """What the page says to whoever types a code."""
    answer = await form(client, await client.get("/progress"), "/progress", token=code)
    assert answer.headers["Cache-Control"] == "no-store"
    assert code not in answer.text
    return text_of(answer.text)


async def test_a_grandmother_reports_hears_complains_and_is_heard_by_another(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    post = await scenes.a_post(services, NAMED)
    read = await guest.get(f"/threads/{post.thread_id}")
    assert 'href="/reports"' in read.text
    page = await guest.get(f"/reports?post={post.id}")
    assert f'href="/reports?post={post.id}"' in read.text
    assert f'value="{post.id}"' in page.text
    assert 'name="post" type="text" value=""' in (await guest.get("/reports?post=Call+me")).text
    empty = await form(guest, page, "/reports", post="", text="")
    assert empty.status_code == 422
    assert "What you have to do with it" in text_of(empty.text)
    said = {
        "post": f"{services.settings.public_url}/threads/{post.thread_id}#post-{post.number}",
        "capacity": "named",
        "category": "personal_information",
        "text": "That is me, and my customers read it.",
        "email": "doreen@example.org",
    }
    async with (
        make.signed_in(app, "suzie", Role.MODERATOR) as suzie,
        make.signed_in(app, "orla", Role.MODERATOR) as orla,
    ):
        sent, again = [await form(guest, page, "/reports", **said) for _ in range(2)]
        code = code_in(sent)
        assert code_in(again) == code  # she taps twice
        assert code not in str(sent.url)
        await run_due_jobs(services, clock.now())
        assert "Somebody looks at it by" in await asked(guest, code)
        case = await scenes.a_case(suzie, post.id)
        assert case["reports"] == 1
        shown = text_of((await suzie.get(f"/moderation/cases/{case['id']}")).text)
        assert "Somebody without an account: I am named in it" in shown
        await scenes.decide(suzie, case, DISMISS)
        assert "can stay as it is" in await asked(guest, code)
        subjects = sorted(letter.subject for letter in await mailbox.come(services) if "doreen" in letter.to)
        assert subjects == ["It has arrived", "There is an answer"]

        complaint = {"about": "not_dealt_with", "text": "My name and my shop are still there.", "report_code": code}
        page = await guest.get("/complaints")
        sent = await form(guest, page, "/complaints", **complaint)
        answer_code = code_in(sent)
        [waiting] = (await orla.get(f"{API}/moderation/complaints")).json()["items"]
        at = f"/moderation/complaints/{waiting['id']}"
        assert "You decided what this is about" in text_of((await suzie.get(at)).text)
        assert "<button" not in (await suzie.get(at)).text.partition("<main")[2].partition("</main>")[0]
        seen = {"category": "personal_information", "note": "She complained.", "revision": 1}
        reopened = await orla.post(f"{API}/moderation/posts/{post.id}/case", json=seen)
        assert reopened.is_success, reopened.text
        assert (await scenes.decide(orla, await scenes.a_case(orla, post.id), REMOVE)).status_code == 201
        words = {"outcome": "upheld", "answer": "You are right. It is gone now, and we are sorry."}
        kept = await form(orla, await orla.get(at), f"{at}/answer", **words)
        assert kept.headers["Location"] == "/moderation/complaints?done=complaint-answered", text_of(kept.text)
        assert words["answer"] in await asked(guest, answer_code)
    assert NAMED not in text_of((await guest.get(f"/threads/{post.thread_id}")).text)
    wrong = await form(guest, await guest.get("/progress"), "/progress", token=code[:-1] + "U")
    assert wrong.status_code == 422
    assert "letter by letter" in text_of(wrong.text)


async def test_a_number_that_never_existed_is_answered_by_a_person(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    async with make.signed_in(app, "suzie", Role.MODERATOR) as suzie:
        said = {"post": "999999", "capacity": "other", "category": "rule", "text": "It is rude."}
        code = code_in(await form(guest, await guest.get("/reports"), "/reports", **said))
        await run_due_jobs(services, clock.now())
        assert "Somebody looks at it by" in await asked(guest, code)
        page = await suzie.get("/moderation/reports")
        [at] = re.findall("/moderation/reports/[0-9a-f-]{36}", page.text)
        wrong = await form(suzie, await suzie.get(at), f"{at}/post", post_id="x")
        assert wrong.status_code == 422
        words = {"outcome": "dismissed", "answer": "There is no such post here. Please send us its address."}
        kept = await form(suzie, await suzie.get(at), f"{at}/answer", **words)
        assert kept.headers["Location"] == "/moderation/reports?done=report-answered", text_of(kept.text)
        assert words["answer"] in await asked(guest, code)
