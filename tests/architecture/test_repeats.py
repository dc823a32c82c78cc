"""How each POST can be sent again: a phone loses the answer, and its owner must not get two of what they asked for."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from forum.http.idempotency_key import secret_fields
from forum.http.services import Services
from forum.members.tables import Role
from tests.architecture.test_openapi import document
from tests.support import make
from tests.support.scenes import API, DISMISS, REMOVE, a_case, a_post, decided, decision, report, sql

KEY = "key"  # takes an Idempotency-Key: what was created is answered again, as it is now
LINK = "link"  # a mailed link: answered as the first time, for as long as it lives
NOTHING = "nothing"  # stores nothing that could be there twice
ANEW = "anew"  # begins again: what the last answer gave counts, and the one before does no harm
SAME = "same"  # there can be only one: sent again, it is found as it is
ONCE = "once"  # never answered again: the answer would give a session or another secret to whoever sends it again

# A new POST stands here, too. What creates something takes a key.
REPEATS = {
    "add_concern_entry": KEY,
    "add_known": SAME,
    "add_passkey": ONCE,  # a challenge is answered once, and recovery codes are told once
    "appeal_report": KEY,
    "appeal_statement": KEY,
    "ask_for_passkey": ANEW,
    "ask_for_reset": ANEW,
    "ask_for_verification": ANEW,
    "begin_passkey": ANEW,
    "begin_second_factor": ANEW,
    "add_term": KEY,
    "announce": KEY,
    "add_resource": KEY,
    "add_phrase": SAME,
    "answer_in_talk": KEY,
    "complain_of_message": SAME,
    "complain_of_service": KEY,
    "create_post": KEY,
    "decide_case": KEY,
    "decide_cases": KEY,
    "decide_posts": KEY,
    "disclose_address": KEY,
    "export": KEY,
    "invite": KEY,
    "file_public_report": KEY,
    "follow_public_report": NOTHING,
    "follow_service_complaint": NOTHING,
    "join": KEY,
    "make_board": KEY,
    "make_webhook": KEY,
    "renew_webhook_secret": ONCE,  # it carries a version: sent again, the first new secret stays
    "send_webhook_test": KEY,
    "note_case": KEY,
    "note_danger_case": KEY,
    "add_answer_template": KEY,
    "leave_adviser_note": KEY,
    "leave_handover_note": KEY,
    "note_member": KEY,
    "open_member_case": KEY,
    "open_post_case": KEY,
    "list_similar_threads": NOTHING,
    "open_thread": KEY,
    "preview_post": NOTHING,
    "raise_concern": KEY,
    "refuse_address": ONCE,
    "refuse_departure": ONCE,
    "refuse_lost_mailbox": ONCE,
    "renew_recovery_codes": ANEW,
    "report_name": KEY,
    "report_post": KEY,
    "reset_password": ONCE,
    "search_posts": ANEW,
    "sign_in": ONCE,
    "try_term": NOTHING,
    "unsubscribe": SAME,
    "sign_in_by_passkey": ONCE,
    "try_phrase": NOTHING,
    "verify_address": LINK,
    "write_to_charity": KEY,
    "write_to_member": KEY,
}


def posts() -> dict[str, dict[str, Any]]:
    """Every POST of the document, by name."""
    found = [methods["post"] for methods in document()["paths"].values() if "post" in methods]
    return {operation["operationId"]: operation for operation in found}


def test_every_post_says_how_it_can_be_sent_again() -> None:
    assert posts().keys() == REPEATS.keys()


@pytest.mark.parametrize("name", posts())
def test_a_post_takes_a_key_exactly_when_it_says_so(name: str) -> None:
    headers = [parameter["name"] for parameter in posts()[name].get("parameters", ())]
    assert ("Idempotency-Key" in headers) == (REPEATS.get(name) == KEY)


def test_nothing_is_kept_of_a_password() -> None:
    from forum.api.authentication.profiles import PasswordChange
    from forum.api.authentication.registration import Newcomer

    assert secret_fields(Newcomer) == {"password"}
    assert secret_fields(PasswordChange) == {"current", "new"}


async def sent_again(client: httpx.AsyncClient, path: str, body: Any, other: Any = None) -> httpx.Response:
    """The first answer to a request with a key, which is also the answer to the second. `other` is refused."""
    headers = {"Idempotency-Key": "once"}
    first = await client.post(f"{API}{path}", json=body, headers=headers)
    assert first.is_success, first.text
    again = await client.post(f"{API}{path}", json=body, headers=headers)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers.get("Location") == first.headers.get("Location")
    if other:
        refused = await client.post(f"{API}{path}", json=other, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    return first


async def count(services: Services, table: str) -> int:
    [row] = await sql(services, f"SELECT count(*) AS times FROM {table}")
    return int(row.times)


async def test_a_report_is_made_once_and_counts_once(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    complaint = {"category": "rule", "rules": [10], "note": "Name-calling", "revision": 1}
    async with make.signed_in(app, "magpie") as magpie:
        await sent_again(magpie, f"/posts/{post.id}/reports", complaint, {**complaint, "note": "Something else"})
    assert await count(services, "report") == 1


async def test_a_decision_is_taken_once(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await report(magpie, post.id)
        wanted = decision(await a_case(orla, post.id), REMOVE)
        path = f"/moderation/cases/{(await a_case(orla, post.id))['id']}/decisions"
        await sent_again(orla, path, wanted, {**wanted, "reason": "Another reason."})
    assert (await count(services, "decision"), await count(services, "statement")) == (1, 1)


async def test_of_several_decisions_each_is_taken_once(app: FastAPI, services: Services) -> None:
    first, second = await a_post(services), await a_post(services, author="uncle")
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        for post in (first, second):
            await report(magpie, post.id)
        cases = [await a_case(orla, post.id) for post in (first, second)]
        wanted = [{"case_id": case["id"], **decision(case, DISMISS, rules=[])} for case in cases]
        # As if the first request had ended after one of them.
        half = await sent_again(orla, "/moderation/decisions", {"decisions": wanted[:1]})
        whole = await sent_again(orla, "/moderation/decisions", {"decisions": wanted})
    assert whole.json()["items"][0] == half.json()["items"][0]
    assert [item["status"] for item in whole.json()["items"]] == [201, 201]
    assert await count(services, "decision") == 2


async def test_a_note_is_written_once(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "magpie") as magpie, make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await report(magpie, post.id)
        path = f"/moderation/cases/{(await a_case(orla, post.id))['id']}/notes"
        await sent_again(orla, path, {"text": "I wrote to her."}, {"text": "I wrote to him."})
    assert await count(services, "case_note") == 1


async def test_a_note_on_a_member_is_written_once(app: FastAPI, services: Services) -> None:
    await make.member(services, "heron")
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        await sent_again(orla, "/moderation/members/heron/notes", {"text": "Write to her."}, {"text": "Write to him."})
    assert await count(services, "member_note") == 1


async def test_a_note_for_the_next_shift_is_left_once(app: FastAPI, services: Services) -> None:
    await make.board(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla:
        path = "/moderation/boards/new-here/handover"
        await sent_again(orla, path, {"text": "She was quiet."}, {"text": "He was quiet."})
    assert await count(services, "handover_note") == 1


async def test_an_advisers_note_is_left_once(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "nia", Role.ADVISER) as nia:
        path = f"/adviser/threads/{post.thread_id}/notes"
        await sent_again(nia, path, {"text": "She was quiet."}, {"text": "He was quiet."})
    assert await count(services, "adviser_note") == 1


async def test_a_template_of_answers_is_written_once(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "nia", Role.ADVISER) as nia:
        wanted = {"title": "Call", "text": "Please call us, {name}."}
        await sent_again(nia, "/adviser/templates", wanted, {**wanted, "title": "Calls"})
    assert await count(services, "answer_template") == 1


async def test_an_appeal_is_made_once(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "stepdad") as author:
        made = await decided(app, orla, post.id, REMOVE)
        path = f"/statements/{made['statement_id']}/appeal"
        await sent_again(author, path, {"text": "It was not meant so."}, {"text": "It was true."})
    assert await count(services, "appeal") == 1


async def test_a_reporters_appeal_is_made_once(app: FastAPI, services: Services) -> None:
    post = await a_post(services)
    async with make.signed_in(app, "orla", Role.MODERATOR) as orla, make.signed_in(app, "magpie") as magpie:
        await decided(app, orla, post.id, DISMISS)
        [mine] = (await magpie.get(f"{API}/me/reports")).json()["items"]
        await sent_again(magpie, f"/reports/{mine['id']}/appeal", {"text": "Look again."}, {"text": "Please."})
    assert await count(services, "appeal") == 1


async def test_an_invitation_is_sent_once_and_not_after_it_was_withdrawn(app: FastAPI, services: Services) -> None:
    wish = {"email": "ada@example.org", "role": "moderator"}
    async with make.signed_in(app, "joan", Role.ADMINISTRATOR) as joan:
        first = await sent_again(joan, "/invitations", wish, {**wish, "email": "eve@example.org"})
        assert await count(services, "mail") == 1
        assert (await joan.delete(first.headers["Location"])).status_code == 204
        again = await joan.post(f"{API}/invitations", json=wish, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["code"]) == (404, "invitation_not_found")


async def test_a_copy_is_asked_for_once(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        first = await sent_again(heron, "/me/exports", None)
        assert await count(services, "export") == 1
        await sql(services, "DELETE FROM export")
        gone = await heron.post(f"{API}/me/exports", headers={"Idempotency-Key": "once"})
        assert first.json()["state"] == "making"
    assert (gone.status_code, gone.json()["code"]) == (404, "export_not_found")
