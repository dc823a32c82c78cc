"""One's account on pages: name, address, password, devices, the second step, passkeys, a copy, leaving."""

import json
import re
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI

from forum.authentication.second_factor import totp
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Standing
from forum.notifications.inbox import OF_NEW_POSTS, NotificationKind
from forum.web.notifications.inbox import NEW_POSTS, NOTICES
from tests.support import mailbox, make, scenes
from tests.support.authenticator import Device
from tests.support.jobs import run_due_jobs
from tests.web.support import fields_of, form, text_of


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Pages at the address of the tests, where passkeys are made."""
    return settings.model_copy(update={"public_url": make.BASE})


async def test_the_hub_leads_everywhere(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as heron:
        hub = await heron.get("/me")
        assert hub.status_code == 200
        assert hub.headers["Cache-Control"] == "no-store"
        for path in re.findall(r'href="(/me/[^"]+)"', hub.text):
            if path != "/me/drafts":
                assert (await heron.get(path)).status_code == 200, path


async def test_guests_are_asked_to_sign_in_and_those_shut_out_read_their_account(
    app: FastAPI, services: Services, guest: httpx.AsyncClient
) -> None:
    asked = await guest.get("/me/email")
    assert asked.headers["Location"] == "/sign-in?back=%2Fme%2Femail"
    async with make.signed_in(app, "heron") as heron:
        await make.sanction(services, "heron", Standing.BANNED)
        services.session_cache.invalidate((await make.viewer(services, "heron")).id)
        hub = await heron.get("/me")
        assert "Your account is closed" in text_of(hub.text)
        for path in ("/me/name", "/me/notices", "/me/copy", "/me/departure", "/me/sessions"):
            assert (await heron.get(path)).status_code == 200, path
        assert "/me/name" not in (await heron.get("/me/name")).text.replace('href="/me/name"', "")


async def test_a_member_takes_another_name(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/name")
        assert fields_of(page.text, "/me/name")["name"] == "Heron"
        taken = await form(heron, page, "/me/name", name="Quiet Heron")
        assert taken.headers["Location"] == "/me/name?done=renamed"
        refused = await form(heron, page, "/me/name", name="Moderator")
        assert refused.status_code == 422
        assert "kept for the people who run" in text_of(refused.text)
        changed = await form(heron, page, "/me/handle", handle="grey-heron")
        assert changed.headers["Location"] == "/me/name?done=handle-changed"
        again = await form(heron, page, "/me/handle", handle="blue-heron")
        assert again.status_code == 422
        assert "90 days" in text_of(again.text)
        assert (await heron.get("/me/handle")).status_code == 303


async def test_a_member_changes_the_password(app: FastAPI, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/password")
        wrong = await form(heron, page, "/me/password", current="guess", new="another four quiet herons")
        assert "not your present password" in text_of(wrong.text)
        done = await form(heron, page, "/me/password", current=make.PASSWORD, new="another four quiet herons")
        assert done.headers["Location"] == "/me?done=password-changed"


async def test_after_a_quarter_of_an_hour_the_password_is_asked_for_once_more(
    app: FastAPI, services: Services, guest: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make.member(services, "heron")
    page = await guest.get("/sign-in")
    await form(guest, page, "/sign-in", login="heron", password=make.PASSWORD)
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    asked = await guest.get("/me/passkeys/new")
    assert asked.status_code == 403
    assert fields_of(asked.text, "/sign-in")["login"] == "heron"
    wrong = await form(guest, asked, "/sign-in", password="guess")
    assert wrong.status_code == 422
    assert fields_of(wrong.text, "/sign-in")["login"] == "heron"
    back = await form(guest, wrong, "/sign-in", password=make.PASSWORD)
    assert back.headers["Location"] == "/me/passkeys/new?done=signed-in"
    assert (await guest.get("/me/passkeys/new")).status_code == 200

    much_later = later + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: much_later)
    leaving = await guest.get("/me/departure")
    asked = await form(guest, leaving, "/me/departure", kind="leave")
    assert asked.status_code == 403
    kept = await form(guest, asked, "/sign-in", password=make.PASSWORD)
    sent = await form(guest, kept, "/me/departure")
    assert sent.headers["Location"] == "/me/departure?done=leaving"
    late = (await guest.get("/me/email")).text
    monkeypatch.setattr(clock, "now", lambda: much_later + timedelta(minutes=16))
    values = {"email": "new@example.org", "current": make.PASSWORD}
    said = {"Sec-Fetch-Site": "same-origin", "Referer": f"{make.BASE}/me/email"}
    asked = await guest.post("/me/email", data=values, headers=said)
    assert asked.status_code == 403
    assert make.PASSWORD not in asked.text  # what has a password in it is typed again
    assert fields_of(asked.text, "/sign-in")["back"] == "/me/email"
    assert "current" in fields_of(late, "/me/email")


async def test_a_member_signs_devices_out(app: FastAPI) -> None:
    async with make.signed_in(app, "heron") as phone, make.signed_in(app, "heron") as laptop:
        page = await phone.get("/me/sessions")
        [other] = re.findall(r'action="(/me/sessions/[0-9a-f-]+/end)"', page.text)
        assert page.text.index('action="/me/sessions/all"') < page.text.index(other)  # found before a long list
        ended = await form(phone, page, other)
        assert ended.headers["Location"] == "/me/sessions?done=ended"
        assert (await laptop.get("/me")).status_code == 303
        everywhere = await form(phone, page, "/me/sessions/all")
        assert "cookies" in everywhere.headers["Clear-Site-Data"]
        assert (await phone.get("/me")).status_code == 303


async def test_a_member_sets_up_an_app_and_turns_it_off(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/second-factor/app")
        begun = await form(heron, page, "/me/second-factor/app")
        page = await heron.get(begun.headers["Location"])
        assert "<svg" in page.text
        secret = "".join(re.findall(r"<span>([A-Z2-7]{2,4})</span>", page.text))
        wrong = await form(heron, page, "/me/second-factor/app/code", code="000000")
        assert wrong.status_code == 422
        assert secret in wrong.text  # the same picture
        assert (await heron.get("/me/second-factor/app/code")).headers["Location"] == "/me/second-factor/app"
        code = totp.current_code(secret, clock.now())
        done = await form(heron, wrong, "/me/second-factor/app/code", code=code)
        assert done.status_code == 200
        assert done.headers["Cache-Control"] == "no-store"
        codes = re.findall(r"<code>([^<]+)</code>", done.text)
        assert len(codes) == 8
        twice = await form(heron, wrong, "/me/second-factor/app/code", code=code)
        assert twice.status_code == 422
        state = await heron.get("/me/second-factor")
        assert "8 codes left" in text_of(state.text)
        renewed = await form(heron, await heron.get("/me/second-factor/codes"), "/me/second-factor/codes")
        assert not set(codes) & set(re.findall(r"<code>([^<]+)</code>", renewed.text))
        off = await form(heron, await heron.get("/me/second-factor/off"), "/me/second-factor/off")
        assert off.headers["Location"] == "/me/second-factor?done=second-step-off"
        assert "codes left" not in text_of((await heron.get("/me/second-factor")).text)


async def test_a_member_adds_renames_and_removes_a_passkey(app: FastAPI) -> None:
    device = Device()
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/passkeys/new")
        options = (await heron.post("/api/v1/me/passkey-challenges")).json()
        credential = json.dumps(device.create(options))
        nameless = await form(heron, page, "/me/passkeys/new", credential=credential)
        assert nameless.status_code == 422
        added = await form(heron, page, "/me/passkeys/new", name="My <phone>", credential=credential)
        assert added.status_code == 200, text_of(added.text)
        assert len(re.findall(r"<code>([^<]+)</code>", added.text)) == 8
        listed = await heron.get("/me/passkeys")
        assert "My <phone>" in text_of(listed.text)
        one = re.search(r'href="(/me/passkeys/[0-9a-f-]{36})"', listed.text)
        assert one
        renamed = await form(heron, await heron.get(one[1]), one[1], name="Old phone")
        assert renamed.status_code == 303
        assert "Old phone" in text_of((await heron.get("/me/passkeys")).text)
        foreign = await heron.get("/me/passkeys/0197d2e5-5a3c-7c4e-9a61-2f6f3f0f9b1d")
        assert foreign.status_code == 404
        removed = await form(heron, await heron.get(f"{one[1]}/remove"), f"{one[1]}/remove")
        assert removed.headers["Location"] == "/me/passkeys?done=passkey-removed"
        assert (await heron.get(one[1])).status_code == 404


async def test_a_passkey_can_be_given_another_name_over_the_api(app: FastAPI) -> None:
    device = Device()
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "swift") as swift:
        options = (await heron.post("/api/v1/me/passkey-challenges")).json()
        body = {"name": "Phone", "credential": device.create(options)}
        added = (await heron.post("/api/v1/me/passkeys", json=body)).json()
        path = f"/api/v1/me/passkeys/{added['id']}"
        assert (await heron.patch(path, json={"name": "Old phone"})).json()["name"] == "Old phone"
        assert (await swift.patch(path, json={"name": "Mine"})).json()["code"] == "passkey_not_found"
        assert (await heron.get("/api/v1/me/passkeys")).json()["items"][0]["name"] == "Old phone"


async def test_a_member_gets_a_copy_of_their_data(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "heron") as heron, make.signed_in(app, "swift") as swift:
        page = await heron.get("/me/copy")
        asked = await form(heron, page, "/me/copy")
        assert asked.headers["Location"] == "/me/copy?done=copying"
        assert "being made" in text_of((await heron.get("/me/copy")).text)
        await run_due_jobs(services, clock.now())
        ready = await heron.get("/me/copy")
        way = re.search(r'href="(/me/copy/[0-9a-f-]+)"', ready.text)
        assert way
        fetched = await heron.get(way[1])
        assert (fetched.headers["Content-Type"], fetched.content[:2]) == ("application/zip", b"PK")
        assert (await swift.get(way[1])).status_code == 404
        notices = await heron.get("/me/notices")
        assert "copy of your data is ready" in text_of(notices.text)
        read = await form(heron, notices, "/me/notices")
        assert read.headers["Location"] == "/me/notices?done=read"
        assert 'action="/me/notices"' not in (await heron.get("/me/notices")).text


async def test_a_member_leaves_and_thinks_again(app: FastAPI, services: Services, guest: httpx.AsyncClient) -> None:
    async with make.signed_in(app, "heron") as heron:
        page = await heron.get("/me/departure")
        nothing = await form(heron, page, "/me/departure")
        assert nothing.status_code == 422
        asked = await form(heron, page, "/me/departure", kind="erase")
        assert asked.headers["Location"] == "/me/departure?done=leaving"
        page = await heron.get("/me/departure")
        assert "will be erased" in text_of(page.text)
        assert "You have asked to leave" in text_of((await heron.get("/me")).text)
        [letter] = await mailbox.come(services)
        stayed = await form(heron, page, "/me/departure/stop")
        assert stayed.headers["Location"] == "/me?done=staying"
        await form(heron, page, "/me/departure", kind="leave")
        letter = (await mailbox.come(services))[-1]
        refusal = await guest.get("/departures/refuse")
        kept = await form(guest, refusal, "/departures/refuse", token=letter.token)
        assert kept.headers["Location"] == "/password-resets?done=stays"
        assert (await heron.get("/me")).status_code == 303


async def test_a_member_accepts_a_new_edition_of_the_rules(app: FastAPI, services: Services) -> None:
    await scenes.house_rules(services)
    async with make.signed_in(app, "heron") as heron:
        assert "keep to the house rules" in text_of((await heron.get("/me")).text)
        page = await heron.get("/me/rules")
        accepted = await form(heron, page, "/me/rules")
        assert accepted.headers["Location"] == "/me?done=accepted"
        assert "keep to the house rules" not in text_of((await heron.get("/me")).text)
        stale = await form(heron, page, "/me/rules", edition="7")
        assert stale.status_code == 422


def test_every_kind_of_notification_has_words_and_a_way() -> None:
    assert NOTICES.keys() | NEW_POSTS.keys() == set(NotificationKind)
    assert set(NEW_POSTS) == set(OF_NEW_POSTS)
    assert all(path.startswith("/") for _, path in NOTICES.values())
