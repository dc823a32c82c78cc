"""Passwords: long rather than odd, hashed with argon2id, and old boards' hashes still open the door once."""

import asyncio
import base64
import hashlib
import hmac
import time
from typing import Any

import argon2
import bcrypt
import httpx
import pytest
from fastapi import FastAPI
from passlib.hash import argon2 as argon2_hash
from passlib.hash import phpass
from sqlalchemy import update
from sqlmodel import col
from zxcvbn import zxcvbn
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from forum.administration import roles
from forum.authentication import profiles
from forum.core.errors import Invalid
from forum.http.services import Services
from forum.members.queries import get_member
from forum.members.roles import is_staff
from forum.members.tables import Member, Role
from forum.passwords import hashing, legacy_hashes, policy
from forum.passwords.common_passwords import is_common
from tests.support import make

API = "/api/v1"
OURS = "$argon2id$v=19$m=19456,t=2,p=1$"
SENTENCE = "four quiet herons dancing"
ANOTHER = "a new sentence about terns"
LONG = "Every heron of the northern shore " * 3  # more than the 72 bytes that bcrypt reads
ABOUT = ("quiet-heron", "Wilhelmina Strudel", "margaretwilliamson1974@example.org")


# New passwords.


@pytest.mark.parametrize(
    ("password", "staff", "is_taken"),
    [
        ("tea+9kt!v", False, False),  # 9
        ("tea+9kt!vq", False, True),  # 10
        ("tea+9kt!vq7wuz", True, False),  # 14
        ("tea+9kt!vq7wuzx", True, True),  # 15
        (SENTENCE, True, True),
        ((SENTENCE * 11)[:256], False, True),
        ((SENTENCE * 11)[:257], False, False),
        ("🦩🪿🦢🐦🦆🦉🦜🐧🐔🦚", False, True),  # ten characters, however many bytes
        ("äöü ß ñ é ø å", False, True),
        ("   tab\tand\nnewline   ", False, True),
        ("", False, False),
    ],
)
async def test_a_password_has_10_to_256_characters_of_any_kind_and_staffs_has_15(
    password: str, staff: bool, is_taken: bool
) -> None:
    if is_taken:
        kept = await hashing.hash_new_password(password, about=(), staff=staff, pointer="#/password")
        assert kept.startswith(OURS)
        assert await hashing.verify(password, kept) == (True, None)
    else:
        with pytest.raises(Invalid) as refused:
            await hashing.hash_new_password(password, about=(), staff=staff, pointer="#/new")
        assert refused.value.pointer == "#/new"


@pytest.mark.parametrize(
    "password",
    [
        "passwordpassword",
        "1234567890123",
        "qwertyuiopasdf",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "P@ssw0rd2024",
        "quiet-heron",
        "QuietHeron1",
        "wilhelmina1",
        "margaretwilliamson1974",  # the address without its host
        "margaretwilliamson1974@example.org",
        "a" * 200,
        "a" * 72 + "b",
    ],
)
async def test_a_password_that_is_easily_guessed_is_refused_in_words(password: str) -> None:
    with pytest.raises(Invalid, match="too easily guessed") as refused:
        await hashing.hash_new_password(password, about=ABOUT, pointer="#/password")
    assert refused.value.pointer == "#/password"
    assert password not in refused.value.detail


@pytest.mark.parametrize("staff", [False, True])
@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "CorrectHorseBatteryStaple1!",
        "correct-horse-battery-staple-correct-horse-battery-staple",  # its first 32 characters are strong
        "The quick brown fox jumps over the lazy dog.",
        "To be, or not to be: that is the question",
        "1 h4te p4sswords!",
        "ihatepasswords2024",
        "qwertyuiopasdfghjklzxcvbnm",
        "mnbvcxzlkjhgfdsapoiuytrewq",
        "January February March",
        "1qaz2wsx3edc4rfv5tgb",
        "sunshinesunshine2024",
    ],
)
async def test_a_password_that_is_tried_first_is_refused_however_strong_it_is_reckoned(
    password: str, staff: bool
) -> None:
    with pytest.raises(Invalid, match="one of those that attackers try first"):
        await hashing.hash_new_password(password, about=(), staff=staff, pointer="#/password")


def longer(word: str) -> set[str]:
    """The ways in which a short password is made long enough."""
    ways = (word, word * 2, word.capitalize() + "1234!", word.upper() + "2024", "123" + word, word + "!!")
    return {way for way in ways if len(way) >= policy.MEMBER_MIN}


def test_the_3000_most_common_passwords_are_refused_in_each_way_that_makes_them_long_enough() -> None:
    """ASVS 5.0, 6.2.4. What is left repeats one character or three, which zxcvbn's score refuses."""
    found = {way for word in FREQUENCY_LISTS["passwords"][:3000] for way in longer(word)}
    assert len(found) > 9000
    left = {way for way in found if not is_common(way)}
    assert len(left) < 50
    assert all(zxcvbn(way)["score"] < policy.STRONG_ENOUGH for way in left)


@pytest.mark.parametrize(
    "password",
    [SENTENCE, ANOTHER, "nine copper lanterns glowing", "tea+9kt!vq", "🦩🪿🦢🐦🦆🦉🦜🐧🐔🦚", "äöü ß ñ é ø å", ""],
)
def test_what_people_make_up_is_not_common(password: str) -> None:
    assert not is_common(password)


async def test_every_character_of_a_long_password_counts() -> None:
    kept = await hashing.hash_new_password(LONG + "1", about=(), pointer="#/password")
    assert await hashing.verify(LONG + "1", kept) == (True, None)
    assert await hashing.verify(LONG + "2", kept) == (False, None)
    assert await hashing.verify(LONG, kept) == (False, None)


async def test_two_members_with_one_password_have_different_hashes() -> None:
    hashes = {await hashing.hash_new_password(SENTENCE, about=(), pointer="#/password") for _ in range(2)}
    assert len(hashes) == 2


async def test_a_password_that_is_slow_to_judge_is_judged_by_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    real = policy._estimate

    def watched(password: str, user_inputs: list[str]) -> dict[str, Any]:
        judged.append(password)
        return real(password, user_inputs)

    monkeypatch.setattr(policy, "_estimate", watched)
    many_words_at_once = "4@8({[<369!1|70$5+%2" * 12
    await hashing.hash_new_password(many_words_at_once, about=(), pointer="#/password")
    assert judged == [many_words_at_once[:32]]


# Old boards' hashes.


SALT = "Moorhens.and.coots.nest"  # the same in every run: hashes are names of tests here


def _bcrypt(password: str, kind: str = "$2y$") -> str:
    """As PHP makes it: it reads no more than 72 bytes."""
    return bcrypt.hashpw(password.encode()[:72], f"$2b$04${SALT[:21]}.".encode()).decode().replace("$2b$", kind)


def _wordpress(password: str) -> str:
    """As WordPress 6.8 makes it."""
    digest = hmac.new(b"wp-sha384", password.strip(" \t\n\r\0\x0b").encode(), hashlib.sha384).digest()
    return "$wp" + _bcrypt(base64.b64encode(digest).decode())


def _phpass(password: str, kind: str = "H") -> str:
    return str(phpass.using(ident=kind, rounds=8, salt=SALT[:8]).hash(password))


def _md5(password: str) -> str:
    return hashlib.md5(password.encode()).hexdigest()


def _argon2(password: str, kind: str = "ID") -> str:
    return str(
        argon2_hash.using(type=kind, memory_cost=1024, rounds=1, parallelism=1, salt=SALT[:16].encode()).hash(password)
    )


def _wrapped(password: str) -> str:
    """As phpBB's `update_hashes` turns a hash of phpBB 3.0 into a better one, without knowing the password."""
    old = _phpass(password)
    setting, digest = old[3:12], old[12:]
    new = _bcrypt(digest)
    cost, salt, rest = new[4:6], new[7:29], new[29:]
    return f"$H\\2y${setting}${cost}\\{salt}${rest}"


# What somebody types, and what phpBB and WordPress hash of it.
TYPED = """Tom & "Jerry" <3 it's a \\ <b>heron</b>"""
ON_A_PAGE = "Tom &amp; &quot;Jerry&quot; &lt;3 it's a \\ &lt;b&gt;heron&lt;/b&gt;"
SLASHED = r"""Tom & \"Jerry\" <3 it\'s a \\ <b>heron</b>"""

OLD = {
    "phpBB 3.0": _phpass(SENTENCE),
    "phpBB 3.0, made better later": _wrapped(SENTENCE),
    "phpBB 2, made better twice": _wrapped(_md5(SENTENCE)),
    "WordPress before 6.8": _phpass(SENTENCE, "P"),
    "WordPress, written by hand": _md5(SENTENCE),
    "phpBB 3.1, $2y$": _bcrypt(SENTENCE),
    "an old PHP, $2a$": _bcrypt(SENTENCE, "$2a$"),
    "phpBB 3.3, argon2id": _argon2(SENTENCE),
    "phpBB 3.3, argon2i": _argon2(SENTENCE, "I"),
    "WordPress 6.8": _wordpress(SENTENCE),
}


async def test_who_comes_from_an_old_board_signs_in_and_is_kept_in_our_way(
    services: Services, guest: httpx.AsyncClient
) -> None:
    await make.member(services, "heron")
    for board, old in OLD.items():
        await _keep(services, old)
        wrong = await guest.post(f"{API}/sessions", json=make.signing_in("heron", SENTENCE + "!"))
        assert wrong.status_code == 401, board
        assert await _kept(services) == old, board
        for _ in range(2):  # with the old hash, then with ours
            right = await guest.post(f"{API}/sessions", json=make.signing_in("heron", SENTENCE))
            assert right.status_code == 201, board
            assert (await _kept(services)).startswith(OURS), board


@pytest.mark.parametrize(
    ("kept", "password", "is_right"),
    [
        (_bcrypt(LONG), LONG, True),  # PHP read 72 bytes of it; more must not fail
        (_bcrypt(LONG), LONG[:72] + "whatever", True),
        (_bcrypt(LONG), LONG[:71], False),
        (_bcrypt("ж" * 50), "ж" * 50, True),  # 100 bytes
        (_bcrypt("x" * 71 + "ж"), "x" * 71 + "ж", True),  # cut in the middle of a letter
        (_wordpress(LONG), LONG, True),
        (_wordpress(LONG + "1"), LONG + "2", False),
        (_wordpress("  spaced  "), "spaced", True),  # WordPress trims, as PHP does
        (_wordpress("\u00a0spaced"), "\u00a0spaced", True),  # and PHP leaves other spaces alone
        (_wordpress("\u00a0spaced"), "spaced", False),
        (_phpass("spaced", "P"), " spaced ", True),
        (_phpass("spaced"), " spaced ", False),
        (_phpass(LONG), LONG, True),
        (_phpass("Zoe\u0308"), "Zo\u00eb", False),  # phpBB brings letters into one form
        (_phpass("Zo\u00eb"), "Zoe\u0308", True),
        (_bcrypt("&amp;" * 15), "&" * 15 + "!", True),  # 72 bytes and more, once it is escaped
        *((kind(ON_A_PAGE), TYPED, True) for kind in (_phpass, _wrapped, _bcrypt, _argon2, _md5)),
        *((kind(TYPED), TYPED, False) for kind in (_phpass, _wrapped, _bcrypt, _argon2, _md5, _wordpress)),
        *((kind(SLASHED), TYPED, True) for kind in (lambda text: _phpass(text, "P"), _wordpress, _md5)),
    ],
)
async def test_an_old_hash_is_read_as_the_old_board_read_it(kept: str, password: str, is_right: bool) -> None:
    right, renewed = await hashing.verify(password, kept)
    assert right is is_right
    assert (renewed is not None) is is_right
    if renewed:
        assert await hashing.verify(password, renewed) == (True, None)


BROKEN = [
    "$wp",
    "$wp$2y$10$bad",
    "$2y$10$bad",
    "$2y$10$" + "_" * 53,
    "$P$Bbad",
    "$H$9" + "_" * 30,
    "$H\\2y$9abcdefgh$10\\bad$bad",
    "$H\\2y$9abcdefgh$04\\" + "_" * 22 + "$" + "_" * 31,
    "$argon2id$bad",
    "$argon2id$v=19$m=1024,t=1,p=1$c29tZXNhbHQ$AAAAA",
    "$argon2id$v=19$m=8,t=1,p=4$c29tZXNhbHQ$AAAA",
    OURS + "ä$ö",
]
HOSTILE = [
    "$2y$31$" + "a" * 53,
    "$2y$13$" + "a" * 53,
    "$wp$2y$31$" + "a" * 53,
    "$H$S" + "a" * 30,  # 2 to the power of 30
    "$P$F" + "a" * 30,
    "$H\\2y$Sabcdefgh$10\\" + "a" * 22 + "$" + "a" * 31,
    "$H\\2y$9abcdefgh$31\\" + "a" * 22 + "$" + "a" * 31,
    "$argon2id$v=19$m=4194304,t=4,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
    "$argon2i$v=19$m=65536,t=1000000,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
]


@pytest.mark.parametrize("kept", HOSTILE)
async def test_a_hash_that_asks_for_too_much_work_is_refused_before_it_is_done(
    kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(legacy_hashes.HashFormat, "verify")
    monkeypatch.setattr(hashing, "FAILED_AFTER", 60)  # nothing is hidden, so nobody waits
    async with asyncio.timeout(30):
        assert await hashing.verify(SENTENCE, kept) == (False, None)


async def test_a_password_is_one_however_a_device_spells_its_letters() -> None:
    composed, decomposed = "caf\u00e9 vier reiher tanzen", "cafe\u0301 vier reiher tanzen"
    hashed = await hashing.hash_new_password(decomposed, about=ABOUT, pointer="#/password")
    for typed in (composed, decomposed):
        assert await hashing.verify(typed, hashed) == (True, None)
    as_typed = argon2_hash.using(type="ID", memory_cost=19456, rounds=2, parallelism=1).hash(decomposed)
    is_right, renewed = await hashing.verify(decomposed, as_typed)
    assert is_right
    assert renewed
    assert await hashing.verify(composed, renewed) == (True, None)
    assert (await hashing.verify(composed, as_typed))[0] is False  # until they sign in once as they did before
    policy.check_length("e\u0301" * 256, staff=False, pointer="#/password")
    with pytest.raises(Invalid):
        policy.check_length("e\u0301" * 9, staff=False, pointer="#/password")


async def test_an_account_without_a_password_is_opened_by_none(services: Services, guest: httpx.AsyncClient) -> None:
    await make.member(services, "heron")
    for kept in ("", "*", "!", "d41d8cd98f00b204e9800998ecf8427e", *BROKEN, *HOSTILE):
        await _keep(services, kept)
        for password in (SENTENCE, kept):
            answer = await guest.post(f"{API}/sessions", json=make.signing_in("heron", password))
            assert answer.status_code == 401, answer.text


# Nothing tells whether there is an account.


KINDS = [None, "", "*", *OLD.values()]


@pytest.mark.parametrize("kept", KINDS)
async def test_a_wrong_password_is_told_after_the_same_time_wherever_the_account_came_from(
    monkeypatch: pytest.MonkeyPatch, kept: str | None
) -> None:
    monkeypatch.setattr(hashing, "FAILED_AFTER", 0.3)
    await hashing.verify(SENTENCE, _argon2(SENTENCE))  # warm
    began = time.monotonic()
    assert await hashing.verify("wrong", kept) == (False, None)
    assert 0.3 <= time.monotonic() - began < 0.5


async def test_who_waits_to_be_told_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = await hashing.hash_new_password(SENTENCE, about=(), pointer="#/password")
    monkeypatch.setattr(hashing, "FAILED_AFTER", 60)
    async with asyncio.timeout(30):
        told = asyncio.create_task(hashing.verify("wrong", ours))
        await asyncio.sleep(0)
        assert await hashing.verify(SENTENCE, ours) == (True, None)
        assert not told.done()
        told.cancel()


QUICK = ("phpBB 3.0", "WordPress before 6.8", "WordPress, written by hand")


@pytest.mark.parametrize("kept", [None, "", "*", "$P$Bbad", *(OLD[board] for board in QUICK)])
async def test_a_wrong_password_costs_as_much_work_where_there_is_no_account(
    monkeypatch: pytest.MonkeyPatch, kept: str | None
) -> None:
    ours = await hashing.hash_new_password(SENTENCE, about=(), pointer="#/password")
    await hashing.verify("wrong", None)  # the first time, it makes the hash that it compares with
    costs: list[bytes] = []
    real = argon2.low_level.verify_secret

    def counted(hashed: bytes, *others: Any) -> bool:
        costs.append(hashed[: len(OURS)])
        return real(hashed, *others)

    monkeypatch.setattr(argon2.low_level, "verify_secret", counted)
    assert await hashing.verify("wrong", ours) == (False, None)
    assert await hashing.verify("wrong", kept) == (False, None)
    assert costs == [OURS.encode()] * 2


# Changing it.


async def test_a_new_password_needs_the_present_one_and_is_held_to_the_rules(
    app: FastAPI, guest: httpx.AsyncClient
) -> None:
    refused = [
        ("not my password", ANOTHER, "#/current"),
        ("", ANOTHER, "#/current"),
        (make.PASSWORD, "short", "#/new"),
        (make.PASSWORD, "passwordpassword", "#/new"),
        (make.PASSWORD, "heron@example.org", "#/new"),
        (make.PASSWORD, "x" * 257, "#/new"),
    ]
    async with make.signed_in(app, "heron") as heron:
        for current, new, pointer in refused:
            answer = await heron.put(f"{API}/me/password", json={"current": current, "new": new})
            assert answer.status_code == 422, answer.text
            assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
        for current, new in ((make.PASSWORD, ANOTHER), (ANOTHER, SENTENCE + "!"), (SENTENCE + "!", ANOTHER)):
            opens = await guest.post(f"{API}/sessions", json=make.signing_in("heron", current))
            stays_shut = await guest.post(f"{API}/sessions", json=make.signing_in("heron", new))
            assert (opens.status_code, stays_shut.status_code) == (201, 401)
            answer = await heron.put(f"{API}/me/password", json={"current": current, "new": new})
            assert answer.status_code == 204, answer.text


async def test_a_reply_does_not_wait_for_the_change_of_its_authors_password(
    app: FastAPI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies: list[int] = []
    real = is_staff

    async def meanwhile(session: Any, member_id: Any) -> bool:
        async with asyncio.timeout(10):
            reply = await heron.post(f"{API}/threads/{thread}/posts", json={"body_markdown": "I see"})
        replies.append(reply.status_code)
        return await real(session, member_id)

    await make.board(services)
    async with make.signed_in(app, "heron") as heron:
        thread = await make.thread(services, "heron")
        monkeypatch.setattr(profiles, "is_staff", meanwhile)
        changed = await heron.put(f"{API}/me/password", json={"current": make.PASSWORD, "new": ANOTHER})
    assert (replies, changed.status_code) == ([201], 204)


async def test_staff_cannot_take_a_short_password(app: FastAPI) -> None:
    async with make.signed_in(app, "suzie", Role.ADVISER) as suzie:
        for new, status in (("tea+9kt!vq7wuz", 422), ("tea+9kt!vq7wuzx", 204)):
            answer = await suzie.put(f"{API}/me/password", json={"current": make.PASSWORD, "new": new})
            assert answer.status_code == status, answer.text


async def test_who_was_made_staff_a_moment_ago_cannot_take_a_short_password(app: FastAPI, services: Services) -> None:
    async with make.signed_in(app, "marcus") as marcus:
        assert (await marcus.get(f"{API}/me")).json()["roles"] == []
        async with services.database.work() as session:
            member = await get_member(session, "marcus")
            await roles.grant(session, member, Role.MODERATOR, member.joined_at)
        new = {"current": make.PASSWORD, "new": "tea+9kt!vq"}
        # The session of before ends with what somebody was before.
        assert (await marcus.put(f"{API}/me/password", json=new)).status_code == 401
    async with make.signed_in(app, "marcus") as marcus:
        answer = await marcus.put(f"{API}/me/password", json=new)
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(("new", "counts"), [("tea+9kt!vq7wuz", False), ("tea+9kt!vq7wuzx", True)])
async def test_a_members_new_password_decides_whether_they_can_be_staff(
    app: FastAPI, services: Services, new: str, counts: bool
) -> None:
    async with make.signed_in(app, "marcus") as marcus:
        changed = await marcus.put(f"{API}/me/password", json={"current": make.PASSWORD, "new": new})
        assert changed.status_code == 204, changed.text
    async with services.database.work() as session:
        assert (await get_member(session, "marcus")).staff_password is counts


async def _keep(services: Services, hashed: str) -> None:
    async with services.database.work() as session:
        await session.execute(update(Member).where(col(Member.handle) == "heron").values(password_hash=hashed))


async def _kept(services: Services) -> str:
    async with services.database.work() as session:
        return (await get_member(session, "heron")).password_hash
