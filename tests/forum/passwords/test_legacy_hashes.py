"""Old boards' hashes, ten of each kind as the boards made them: all open once and are renewed; hostile ones never."""

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Iterator

import bcrypt
import pytest
from passlib.hash import argon2, phpass

from forum.passwords import hashing, legacy_hashes

OURS = "$argon2id$v=19$m=19456,t=2,p=1$"
EACH = 10
TYPED = [
    "four quiet herons dancing",
    'Tom & Jerry <3 "cheese" it\'s',
    "a\\b\\\\c 'quoted' \\\"twice\\\"",
    "Zoe\u0308 und Zo\u00eb im Schlo\u00df",
    "длинный пароль из многих русских слов, длиннее семидесяти двух байт",
    "🦩 🪿 🦢 🐦 with birds",
    "Every heron of the northern shore, and every bittern of the southern one, sleeps standing up",
    "&amp; &lt;already&gt; escaped; 100%",
]


def _on_a_page(text: str) -> str:
    """What phpBB hashes of what was typed."""
    for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, written)
    return unicodedata.normalize("NFC", text)


def _slashed(text: str) -> str:
    """What WordPress hashes of what was typed."""
    return text.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')


def _salt(number: int) -> str:
    return hashlib.md5(f"salt {number}".encode()).hexdigest()


def _bcrypt(text: str, number: int) -> str:
    setting = f"$2b$0{4 + number % 2}${_salt(number)[:21]}."
    return bcrypt.hashpw(text.encode()[:72], setting.encode()).decode().replace("$2b$", "$2y$")


def _phpass(text: str, number: int, ident: str = "H") -> str:
    return str(phpass.using(ident=ident, rounds=7 + number % 3, salt=_salt(number)[:8]).hash(text))


def _wrapped(text: str, number: int) -> str:
    """phpBB 3.0's, made better without its password: bcrypt of its digest."""
    old = _phpass(text, number)
    new = _bcrypt(old[12:], number)
    return f"$H\\2y${old[3:12]}${new[4:6]}\\{new[7:29]}${new[29:]}"


def _argon2(kind: str, text: str, number: int) -> str:
    cost = {"memory_cost": 256 + 8 * number, "rounds": 1 + number % 2, "parallelism": 1 + number % 4}
    return str(argon2.using(type=kind, salt=_salt(number)[:16].encode(), **cost).hash(text))


def _wordpress(text: str, number: int) -> str:
    digest = hmac.new(b"wp-sha384", text.encode(), hashlib.sha384).digest()
    return "$wp" + _bcrypt(base64.b64encode(digest).decode(), number)


Mint = Callable[[str, int], str]
KINDS: dict[str, Mint] = {
    "phpBB $H$": lambda typed, number: _phpass(_on_a_page(typed), number),
    "phpBB $2y$": lambda typed, number: _bcrypt(_on_a_page(typed), number),
    "phpBB argon2i": lambda typed, number: _argon2("I", _on_a_page(typed), number),
    "phpBB argon2id": lambda typed, number: _argon2("ID", _on_a_page(typed), number),
    "phpBB $H\\2y$": lambda typed, number: _wrapped(_on_a_page(typed), number),
    "WordPress $P$": lambda typed, number: _phpass(_slashed(typed), number, "P"),
    "WordPress $wp$2y$": lambda typed, number: _wordpress(_slashed(typed), number),
    "WordPress md5": lambda typed, number: hashlib.md5(_slashed(typed).encode()).hexdigest(),
}


def _minted(mint: Mint) -> Iterator[tuple[str, str]]:
    """What was typed, and what was kept of it."""
    for number in range(EACH):
        typed = f"{number} {TYPED[number % len(TYPED)]}"
        yield typed, mint(typed, number)


@pytest.mark.parametrize("kind", KINDS)
async def test_ten_of_each_kind_open_with_their_password_alone_and_are_renewed(kind: str) -> None:
    for number, (typed, kept) in enumerate(_minted(KINDS[kind])):
        right, renewed = await hashing.verify(typed, kept)
        assert right, (typed, kept)
        assert renewed is not None
        assert renewed.startswith(OURS)
        assert await hashing.verify(f"!{typed}", kept) == (False, None)
        if number < len(TYPED):
            assert await hashing.verify(typed, renewed) == (True, None)


# What is left of a hash when somebody who wants in, or a broken import, had it. Of md5's, a digit more or less is none.
SPOILED: dict[str, Callable[[str], str]] = {
    "cut short": lambda kept: kept[:-1],
    "too long": lambda kept: kept + kept[-1],
    "a line more": lambda kept: kept + "\n",
    "NUL": lambda kept: kept + "\0",
    "no ASCII": lambda kept: kept[:-1] + "é",
    "another digest": lambda kept: kept[:-8] + ("00000000" if kept[-8:] != "00000000" else "11111111"),
    "of no kind": lambda kept: "$x" + kept,
    "very long": lambda kept: kept * 100_000,
}


@pytest.mark.parametrize("kind", KINDS)
async def test_spoiled_ones_of_each_kind_open_with_nothing(kind: str) -> None:
    spoiled = [(typed, kept, how) for typed, kept in list(_minted(KINDS[kind]))[:2] for how in SPOILED]
    for typed, kept, how in spoiled:
        assert await hashing.verify(typed, SPOILED[how](kept)) == (False, None), (how, kept)


def _greedy(kind: str, kept: str) -> Iterator[str]:
    """The same hash, asking for more work than any board did."""
    if "argon2" in kind:
        head, _, rest = kept.partition("$m=")
        tail = rest.partition("$")[2]
        costs = ("m=4194304,t=1,p=1", "m=1024,t=5,p=1", "m=1024,t=99999999,p=1", "m=1024,t=1,p=64", "m=1024,t=1,p=5")
        yield from (f"{head}${cost}${tail}" for cost in costs)
    elif "2y" in kind:
        place = kept.index("$0") + 1
        yield from (f"{kept[:place]}{cost}{kept[place + 2 :]}" for cost in (13, 15, 20, 31, 99))
    elif kind != "WordPress md5":
        yield from (kept[:3] + cost + kept[4:] for cost in "EFSUz")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "WordPress md5"])
async def test_greedy_ones_of_each_kind_are_refused_before_anything_is_computed(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    greedy = [(typed, one) for typed, kept in list(_minted(KINDS[kind]))[:2] for one in _greedy(kind, kept)]
    assert len(greedy) == 10
    monkeypatch.delattr(legacy_hashes.HashFormat, "verify")
    for typed, kept in greedy:
        assert await hashing.verify(typed, kept) == (False, None), kept


async def test_a_phpbb_hash_within_bcrypt_is_refused_for_the_work_of_either(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = _wrapped(TYPED[0], 1)
    monkeypatch.delattr(legacy_hashes.HashFormat, "verify")
    for cost in "EFSUz":
        assert await hashing.verify(TYPED[0], f"{kept[:6]}{cost}{kept[7:]}") == (False, None)


async def test_a_quick_one_that_moves_is_kept_within_one_of_ours_and_opens_as_before() -> None:
    for kind in ("phpBB $H$", "WordPress $P$", "WordPress md5"):
        typed, kept = next(_minted(KINDS[kind]))
        stored = hashing.hash_to_store(kept)
        assert stored is not None
        assert kept[-20:] not in stored
        right, renewed = await hashing.verify(typed, stored)
        assert right
        assert renewed is not None
        assert renewed.startswith(OURS)
        assert await hashing.verify(f"!{typed}", stored) == (False, None)
        assert await hashing.verify(kept, stored) == (False, None)  # who stole the old board's database has only this
        for spoiled in (stored[:-1], stored + "\n", stored.replace("$moved$", "$moved$$"), stored + "é"):
            assert await hashing.verify(typed, spoiled) == (False, None)
    costly = KINDS["phpBB $2y$"](TYPED[0], 1)
    assert hashing.hash_to_store(costly) == costly
    for unknown in ("", "0" * 31, "0" * 33, "A" * 32, "$CP$x", "$H$z" + "a" * 30, "pbkdf2:sha256:1$a$b"):
        assert hashing.hash_to_store(unknown) is None
