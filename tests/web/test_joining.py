"""Join on a page, follow what our mails link to, and get in again."""

import re
from typing import Any

import httpx
from fastapi import FastAPI

from forum.http.services import Services
from forum.mail import templates
from forum.mail.templates import MailTemplate
from forum.members.queries import get_member
from forum.members.tables import Role
from tests.support import mailbox, make, scenes
from tests.web.support import fields_of, form, text_of

HERON = {"handle": "heron", "email": "heron@example.org", "password": make.PASSWORD, "least_age": "16"}


async def join(guest: httpx.AsyncClient, **typed: Any) -> httpx.Response:
    return await form(guest, await guest.get("/join"), "/join", **{**HERON, **typed})


async def test_somebody_joins_confirms_their_address_and_signs_in(services: Services, guest: httpx.AsyncClient) -> None:
    await scenes.house_rules(services)
    await make.board(services)
    joined = await join(guest, rules_version="1", name="Quiet Heron")
    assert joined.status_code == 303, text_of(joined.text)
    sent = await guest.get(joined.headers["Location"])
    assert "check your e-mail" in text_of(sent.text)
    async with services.database.work() as session:
        kept = await get_member(session, "heron")
    assert (kept.name, kept.least_age, kept.rules_version) == ("Quiet Heron", 16, 1)
    [letter] = await mailbox.come(services)
    page = await guest.get("/email-verifications")
    link = re.search(r"https?://\S+#\S+", letter.words)
    assert link
    broken = "  " + link[0][:40] + "\n" + link[0][40:]  # pasted over two lines
    confirmed = await form(guest, page, "/email-verifications", token=broken)
    assert confirmed.headers.get("Location") == "/sign-in?done=confirmed", text_of(confirmed.text)
    async with services.database.work() as session:
        assert (await get_member(session, "heron")).email_verified_at
    signed = await form(guest, await guest.get("/sign-in?back=/me"), "/sign-in", login="heron", password=make.PASSWORD)
    me = await guest.get(signed.headers["Location"])
    assert "Quiet Heron" in text_of(me.text)
    assert "confirmed your" not in text_of(me.text)


async def test_the_name_alone_is_enough(services: Services, guest: httpx.AsyncClient) -> None:
    assert (await join(guest, handle="Quiet-Heron")).status_code == 303
    async with services.database.work() as session:
        assert (await get_member(session, "quiet-heron")).name == "Quiet-Heron"


async def test_what_is_wrong_is_said_beside_its_field_and_the_password_is_not_sent_back(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await scenes.house_rules(services)
    await make.member(services, "swift")
    for typed, field, words in (
        ({"handle": ""}, "handle", "Write something here first"),
        ({"handle": "ab"}, "handle", "too short"),
        ({"handle": "swift"}, "handle", "Somebody has this name"),
        ({"handle": "moderator"}, "handle", "kept for the people who run"),
        ({"email": "nonsense"}, "email", "not right yet"),
        ({"password": "short"}, "password", "too short"),
        ({"least_age": ""}, "least_age", "tick this box"),
        ({"least_age": "12"}, "least_age", "not for people of your age"),
        ({"rules_version": ""}, "rules_version", "tick this box"),
    ):
        refused = await join(guest, **{"rules_version": "1", **typed})
        assert refused.status_code == 422, typed
        assert words in text_of(refused.text), (typed, text_of(refused.text))
        assert f'id="fault-{field}"' in refused.text, typed
        assert make.PASSWORD not in refused.text
    assert fields_of(refused.text, "/join")["email"] == HERON["email"]


async def test_a_form_that_is_sent_twice_makes_one_account(services: Services, guest: httpx.AsyncClient) -> None:
    page = await guest.get("/join")
    for _ in range(2):
        assert (await form(guest, page, "/join", **HERON)).headers.get("Location") == "/join/sent"
    assert len(await mailbox.come(services)) == 1
    another = await join(guest)
    assert "Somebody has this name" in text_of(another.text)


async def test_a_forum_may_ask_nobody_for_their_age(services: Services) -> None:
    settings = services.settings.model_copy(update={"least_age": 0})
    async with make.application(settings) as app, make.client(app) as guest:
        page = await guest.get("/join")
        assert "or older" not in text_of(page.text)
        joined = await form(guest, page, "/join", **{**HERON, "least_age": ""})
        assert joined.status_code == 303


async def test_a_link_that_is_wrong_or_used_says_so(services: Services, guest: httpx.AsyncClient) -> None:
    for path in ("/email-verifications", "/email-verifications/refuse", "/departures/refuse", "/lost-mailboxes/refuse"):
        page = await guest.get(path)
        assert page.status_code == 200
        wrong = await form(guest, page, path, token="https://forum.test/x#" + "a" * 43)
        assert wrong.status_code == 422
        assert "does not work any more" in text_of(wrong.text)
        empty = await form(guest, page, path)
        assert empty.status_code == 422


async def test_a_lost_password_is_replaced_by_a_mailed_link(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    page = await guest.get("/password-resets")
    answers = [await form(guest, page, "/password-resets", login=login) for login in ("heron", "nobody-at-all")]
    assert {answer.headers["Location"] for answer in answers} == {"/password-resets?done=link-sent"}
    [letter] = await mailbox.come(services)
    page = await guest.get("/password-resets")
    weak = await form(guest, page, "/password-resets/completion", token=letter.token, new="short")
    assert weak.status_code == 422
    assert "too short" in text_of(weak.text)
    new = "another four quiet herons"
    done = await form(guest, weak, "/password-resets/completion", token=letter.token, new=new)
    assert done.headers.get("Location") == "/sign-in?back=/&done=password-set", text_of(done.text)
    signed = await form(guest, await guest.get("/sign-in"), "/sign-in", login="heron", password=new)
    assert signed.status_code == 303
    again = await form(guest, page, "/password-resets/completion", token=letter.token, new=new)
    assert again.status_code == 422


async def test_the_present_address_refuses_another(services: Services, app: FastAPI, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/email")
        asked = await form(heron, page, "/me/email", email="thief@example.org", current=make.PASSWORD)
        assert asked.headers.get("Location") == "/me/email?done=mailed", text_of(asked.text)
        assert "thief@example.org" in text_of((await heron.get("/me/email")).text)
    letter = next(letter for letter in await mailbox.come(services) if letter.to == "heron@example.org")
    page = await guest.get("/email-verifications/refuse")
    kept = await form(guest, page, "/email-verifications/refuse", token=letter.token)
    assert kept.headers.get("Location") == "/password-resets?done=refused", text_of(kept.text)
    assert "Please ask for a new password" in text_of((await guest.get(kept.headers["Location"])).text)


def letters() -> dict[str, MailTemplate]:
    return {name: found for name, found in vars(templates).items() if isinstance(found, MailTemplate) and found.path}


async def test_every_link_of_a_mail_leads_to_a_page(guest: httpx.AsyncClient) -> None:
    for name, letter in letters().items():
        page = await guest.get(f"/{letter.path}", follow_redirects=True)
        assert page.status_code == 200, name
        assert "Paste the whole link" in text_of(page.text) or "Sign in" in text_of(page.text), name


async def test_an_invitation_is_accepted(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "suzie", Role.ADMINISTRATOR) as suzie, make.signed_in(app, "heron") as heron:
        wish = {"email": "heron@example.org", "role": "adviser", "title": "Adviser", "organisation": "A charity"}
        assert (await suzie.post("/api/v1/invitations", json=wish)).status_code == 201
        [letter] = await mailbox.come(services)
        assert "sign in with the address" in text_of((await guest.get("/invitations")).text)
        assert "There is no invitation" in text_of((await suzie.get("/invitations")).text)
        page = await heron.get("/invitations")
        assert "Adviser, A charity" in text_of(page.text)
        wrong = await form(heron, page, "/invitations", token="a" * 43)
        assert wrong.status_code == 422
        assert "does not work any more" in text_of(wrong.text)
        accepted = await form(heron, page, "/invitations", token=letter.token)
        assert accepted.status_code == 303, text_of(accepted.text)
        assert (await heron.get("/me")).status_code == 303
