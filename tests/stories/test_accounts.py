"""What becomes of an account: joining, a lost phone, another device, a role without its second key."""

from datetime import timedelta

import httpx
from fastapi import FastAPI

from forum.authentication.second_factor import totp
from forum.core import clock
from forum.core.settings import Settings
from forum.http.services import Services
from forum.members.tables import Role
from tests.support import mailbox, make
from tests.support.authenticator import Device

API = "/api/v1"
BEFORE, AFTER = "four quiet herons dancing", "nine brass kettles humming low"


def shown(secret: str, steps: int = 0) -> str:
    """What the authenticator app shows, now or so many steps of 30 seconds later."""
    return totp.current_code(secret, clock.now() + timedelta(seconds=30 * steps))


async def signed_in(app: FastAPI, guest: httpx.AsyncClient, **how: str) -> httpx.AsyncClient:
    """Another device of quiet-heron's."""
    opened = await guest.post(f"{API}/sessions", json={"login": "quiet-heron", **how})
    assert opened.status_code == 201, opened.text
    return make.client(app, Authorization=f"Bearer {opened.json()['token']}")


async def set_up(client: httpx.AsyncClient, steps: int = -1) -> tuple[str, list[str]]:
    """Somebody scans the picture and sends the code that the app shows: its secret, and the codes on paper."""
    begun = (await client.post(f"{API}/me/second-factor")).json()
    done = await client.put(f"{API}/me/second-factor", json={"code": shown(begun["secret"], steps)})
    assert done.status_code == 200, done.text
    return begun["secret"], done.json()["recovery_codes"]


async def test_she_joins_loses_her_phone_recovers_and_shuts_the_other_device_out(
    app: FastAPI, guest: httpx.AsyncClient, services: Services
) -> None:
    await make.board(services)
    asked = {"title": "What happens on Monday?", "body_markdown": "They are coming on Monday."}

    # She joins, and cannot write before the address is verified.
    joined = await guest.post(f"{API}/members", json=make.joining("quiet-heron", password=BEFORE))
    assert joined.status_code == 201
    phone = await signed_in(app, guest, password=BEFORE)
    assert (await phone.post(f"{API}/boards/new-here/threads", json=asked)).status_code == 403
    [letter] = await mailbox.come(services)
    assert (
        await guest.post(f"{API}/email-verifications/confirmation", json={"token": letter.token})
    ).status_code == 204
    assert (await phone.post(f"{API}/boards/new-here/threads", json=asked)).status_code == 201

    # She sets up an authenticator app on the phone, writes the codes down, and loses the phone.
    _, paper = await set_up(phone)
    alone = await guest.post(f"{API}/sessions", json={"login": "quiet-heron", "password": BEFORE})
    assert (alone.status_code, alone.json()["type"]) == (401, "/problems/second-factor-needed")

    # On a borrowed computer a code from the paper signs her in. She moves the app to a new phone.
    computer = await signed_in(app, guest, password=BEFORE, code=paper[0])
    secret, _ = await set_up(computer)
    assert (await phone.get(f"{API}/me")).status_code == 401

    # She signs in on the new phone, sees two sessions, and changes the password: the computer's ends.
    renewed = await signed_in(app, guest, password=BEFORE, code=shown(secret))
    assert len((await renewed.get(f"{API}/me/sessions")).json()["items"]) == 2
    change = {"current": BEFORE, "new": AFTER}
    assert (await renewed.put(f"{API}/me/password", json=change)).status_code == 204
    assert (await computer.get(f"{API}/me")).status_code == 401
    assert len((await renewed.get(f"{API}/me/sessions")).json()["items"]) == 1
    letters = await mailbox.come(services)
    assert [letter.subject for letter in letters] == ["About your account"] * 4  # twice the app, a code, the password


async def test_she_does_without_a_password_loses_the_phone_with_the_passkey_and_recovers_by_paper(
    settings: Settings, services: Services
) -> None:
    at_home = settings.model_copy(update={"public_url": make.BASE})
    async with make.application(at_home) as app, make.client(app) as guest:
        await make.member(services, "quiet-heron")
        lost, found = Device(), Device()

        # On her phone she makes a passkey and writes the codes down. From then on it opens the forum alone.
        phone = await signed_in(app, guest, password=BEFORE)
        paper = (await made(phone, lost)).json()["recovery_codes"]
        asked = (await guest.post(f"{API}/passkey-challenges", json={"purpose": "sign_in"})).json()
        opened = await guest.post(f"{API}/sessions/passkey", json={"credential": lost.get(asked)})
        assert opened.status_code == 201, opened.text

        # The phone is gone. The password alone opens nothing, and says what would.
        alone = await guest.post(f"{API}/sessions", json={"login": "quiet-heron", "password": BEFORE})
        assert (alone.status_code, alone.json()["factors"]) == (401, ["passkey", "recovery_code"])

        # A code from the paper does. She makes a passkey on another phone, and takes the lost one's away.
        computer = await signed_in(app, guest, password=BEFORE, code=paper[0])
        [old] = (await computer.get(f"{API}/me/passkeys")).json()["items"]
        assert (await made(computer, found)).status_code == 201
        assert (await computer.delete(f"{API}/me/passkeys/{old['id']}")).status_code == 204
        for session in (phone, make.client(app, Authorization=f"Bearer {opened.json()['token']}")):
            assert (await session.get(f"{API}/me")).status_code == 401

        # Who found the phone is not let in; she is.
        for device, status in ((lost, 401), (found, 201)):
            asked = (await guest.post(f"{API}/passkey-challenges", json={"purpose": "sign_in"})).json()
            shown = await guest.post(f"{API}/sessions/passkey", json={"credential": device.get(asked)})
            assert shown.status_code == status, shown.text


async def made(client: httpx.AsyncClient, device: Device) -> httpx.Response:
    """A new passkey on this device."""
    options = (await client.post(f"{API}/me/passkey-challenges")).json()
    return await client.post(f"{API}/me/passkeys", json={"name": "My phone", "credential": device.create(options)})


async def test_a_moderator_without_a_second_factor_is_stopped_at_the_queues_door(
    app: FastAPI, guest: httpx.AsyncClient, services: Services
) -> None:
    await make.board(services)
    await make.member(services, "orla", Role.MODERATOR)
    opened = await guest.post(f"{API}/sessions", json=make.signing_in("orla"))
    async with make.client(app, Authorization=f"Bearer {opened.json()['token']}") as orla:
        stopped = await orla.get(f"{API}/moderation/cases")
        assert (stopped.status_code, stopped.json()["type"]) == (403, "/problems/role-withheld")
        await set_up(orla)
        assert (await orla.get(f"{API}/moderation/cases")).status_code == 200
