"""A phone in a tunnel: what was sent arrived, the answer did not, and everything is sent again."""

import asyncio
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from forum.core import clock
from forum.http.services import Services
from tests.support import mailbox, make
from tests.support.scenes import API, sql

CONFIRMATION = f"{API}/email-verifications/confirmation"


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}


async def test_somebody_joins_in_a_tunnel_and_has_one_account(guest: httpx.AsyncClient, services: Services) -> None:
    newcomer, once = make.joining("quiet-heron"), key()
    first = await guest.post(f"{API}/members", json=newcomer, headers=once)
    assert first.status_code == 201, first.text
    # They see an error, wait for a signal, and send the form again: not "this handle is taken".
    for _ in range(3):
        again = await guest.post(f"{API}/members", json=newcomer, headers=once)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Location"] == first.headers["Location"]
    [letter] = await mailbox.come(services)
    # The link is followed, and followed again.
    for _ in range(3):
        assert (await guest.post(CONFIRMATION, json={"token": letter.token})).status_code == 204
    signed_in = await guest.post(f"{API}/sessions", json=make.signing_in("quiet-heron"))
    await make.board(services)
    guest.headers["Authorization"] = f"Bearer {signed_in.json()['token']}"
    assert (await guest.get(f"{API}/me")).json()["email_verified"] is True
    opening, once = {"title": "A first question", "body_markdown": "Hello all"}, key()
    threads = [await guest.post(f"{API}/boards/new-here/threads", json=opening, headers=once) for _ in range(2)]
    assert threads[0].json() == threads[1].json()
    [row] = await sql(services, "SELECT count(*) AS members, (SELECT count(*) FROM thread) AS threads FROM member")
    assert (row.members, row.threads) == (1, 1)


async def test_sent_many_times_at_once_it_makes_one_account(guest: httpx.AsyncClient, services: Services) -> None:
    newcomer, once = make.joining("quiet-heron"), key()
    answers = await asyncio.gather(*(guest.post(f"{API}/members", json=newcomer, headers=once) for _ in range(4)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {"request_in_progress"}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert (await guest.post(f"{API}/members", json=newcomer, headers=once)).status_code == 201


@pytest.mark.parametrize("address", ["known@example.org", "new@example.org"])
async def test_the_second_answer_does_not_tell_either_whether_an_address_is_known(
    guest: httpx.AsyncClient, services: Services, address: str
) -> None:
    await make.member(services, "known")
    newcomer, once = make.joining("quiet-heron", email=address), key()
    answers = [await guest.post(f"{API}/members", json=newcomer, headers=once) for _ in range(2)]
    for answer in answers:
        told = {name: value for name, value in answer.json().items() if name not in {"id", "joined_at"}}
        assert (answer.status_code, told) == (
            201,
            {
                "handle": "quiet-heron",
                "name": "Quiet-Heron",
                "title": None,
                "email": address,
                "email_verified": False,
                "wanted_email": None,
                "roles": [],
                "moderated_boards": [],
                "roles_withheld": False,
                "standing": "active",
                "rules_version": None,
                "rules_accepted": True,
                "needs_other_address": False,
                "least_age": None,
            },
        )
    assert len(await mailbox.come(services)) == 1


async def test_another_wish_needs_another_key(guest: httpx.AsyncClient) -> None:
    once = key()
    assert (await guest.post(f"{API}/members", json=make.joining("heron"), headers=once)).status_code == 201
    refused = await guest.post(f"{API}/members", json=make.joining("magpie"), headers=once)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert (await guest.post(f"{API}/members", json=make.joining("magpie"), headers=key())).status_code == 201
    taken = await guest.post(f"{API}/members", json=make.joining("heron"), headers=key())
    assert (taken.status_code, taken.json()["code"]) == (409, "handle_taken")


async def test_of_the_password_nothing_is_kept(guest: httpx.AsyncClient, services: Services) -> None:
    newcomer, once = make.joining("heron"), key()
    await guest.post(f"{API}/members", json=newcomer, headers=once)
    [before] = await sql(services, "SELECT body_digest FROM guest_repeat")
    await sql(services, "DELETE FROM member")
    mistyped = {**newcomer, "password": "nine loud herons singing"}
    again = await guest.post(f"{API}/members", json=mistyped, headers=once)
    [after] = await sql(services, "SELECT body_digest FROM guest_repeat")
    assert (again.status_code, after) == (201, before)


async def test_a_guests_key_cannot_be_guessed(guest: httpx.AsyncClient) -> None:
    for short in ("1", "retry-1", "0197-7f3a", "f" * 31, "1" * 38, "z" * 27, "zB3" * 7):
        refused = await guest.post(f"{API}/members", json=make.joining("heron"), headers={"Idempotency-Key": short})
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_too_short"), short
        assert refused.json()["errors"][0]["pointer"] == "header/Idempotency-Key", short


async def test_a_guests_key_of_128_bits_is_taken(guest: httpx.AsyncClient) -> None:
    keys = ("7f3a0197-c25b-4d8e-9a61-f0d2b48c6e35", "f" * 32, "1" * 39, "z" * 28, "zB3" * 8, "pS7yQ4nB1uC6vD8xE0zF2g")
    for number, long in enumerate(keys):
        newcomer = make.joining(f"heron{number}")
        joined = await guest.post(f"{API}/members", json=newcomer, headers={"Idempotency-Key": long})
        assert joined.status_code == 201, (long, joined.text)


async def test_a_repeat_is_no_second_try_for_the_throttle(app: FastAPI, services: Services) -> None:
    newcomer, once = make.joining("heron"), key()
    async with make.client_at(app, "192.0.2.7") as guest:
        for _ in range(15):  # more often than the limit allows accounts
            assert (await guest.post(f"{API}/members", json=newcomer, headers=once)).status_code == 201


async def test_a_link_that_was_followed_is_not_one_that_works(guest: httpx.AsyncClient, services: Services) -> None:
    """The second time, it changes nothing; and it says no longer that it worked once another address has come."""
    await guest.post(f"{API}/members", json=make.joining("heron"))
    [letter] = await mailbox.come(services)
    link = {"token": letter.token}
    assert (await guest.post(CONFIRMATION, json=link)).status_code == 204
    await sql(services, "UPDATE member SET email = 'new@example.org'")
    gone = await guest.post(CONFIRMATION, json=link)
    assert (gone.status_code, gone.json()["code"]) == (404, "link_expired")
    await sql(services, "UPDATE member SET email = 'heron@example.org'")
    assert (await guest.post(CONFIRMATION, json=link)).status_code == 204
    await sql(services, "UPDATE mailed_link SET expires_at = :now", now=clock.now())
    assert (await guest.post(CONFIRMATION, json=link)).status_code == 404
