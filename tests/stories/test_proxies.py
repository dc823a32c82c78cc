"""Who asks: a real server that believes its proxies, and nobody else, about where a request came from."""

import itertools
from pathlib import Path

import pytest

from tests.support.running import Forum, started

# One household's requests tell for whom it is taken.
LIMITED = {"FORUM_RESET_NETWORK_LIMIT": "2/1 hour"}
ONE, SEVERAL = [204, 204, 429], [204, 204, 204]
_numbers = itertools.count()


async def _told(forum: Forum, *ways: str) -> list[int]:
    """What becomes of requests whose `X-Forwarded-For` says these; a `+` parts one such header from the next."""
    statuses = []
    for way in ways:
        headers = [("X-Forwarded-For", hops) for hops in way.split(" + ")]
        login = {"login": f"nobody{next(_numbers)}"}
        statuses.append((await forum.http.post("/api/v1/password-resets", json=login, headers=headers)).status_code)
    return statuses


async def test_a_trusted_proxy_is_believed_up_to_the_last_hop_that_is_none(tmp_path: Path, database_url: str) -> None:
    ways = {
        ("192.0.2.1", "192.0.2.2", "192.0.2.3"): SEVERAL,
        ("192.0.2.11", "192.0.2.11", "192.0.2.11"): ONE,
        # Whoever asks can write what they like before what the proxy adds.
        ("198.51.100.1, 192.0.2.21", "198.51.100.2, 192.0.2.21", "198.51.100.3, 192.0.2.21"): ONE,
        ("10.0.0.9, 192.0.2.31", "127.0.0.1, 192.0.2.31", "nonsense, 192.0.2.31"): ONE,
        # Several proxies, in one line or in several.
        ("192.0.2.41, 10.1.2.3", "192.0.2.41, 2001:db8:ffff::1, 10.9.9.9", "192.0.2.41 + 10.1.2.3"): ONE,
        ("192.0.2.51, 10.1.2.3", "192.0.2.52, 10.1.2.3", "192.0.2.53 + 10.1.2.3"): SEVERAL,
        # However it is written, a household is one.
        ("192.0.2.61", "::ffff:192.0.2.61", "192.0.2.61:4711"): ONE,
        ("2001:db8:1:2::1", "[2001:db8:1:2:ffff::9]:4711", "2001:DB8:1:2::3"): ONE,
        ("2001:db8:1:5::1", "2001:db8:1:6::1", "2001:db8:1:7::1"): SEVERAL,
        ("nonsense", "", "more nonsense"): SEVERAL,  # and the address of the proxy itself
    }
    told = {"FORUM_DATABASE_URL": database_url, "FORUM_TRUSTED_PROXIES": "127.0.0.1,10.0.0.0/8,2001:db8:ffff::1"}
    async with started(tmp_path, "serve", "--no-worker", **told, **LIMITED) as forum:
        await forum.ready()
        assert {way: await _told(forum, *way) for way in ways} == ways


@pytest.mark.parametrize(("proxies", "expected"), [("192.0.2.1", ONE), ("127.0.0.0/8", SEVERAL)])
async def test_who_is_no_proxy_makes_things_up_in_vain(
    tmp_path: Path, database_url: str, proxies: str, expected: list[int]
) -> None:
    """Several processes on `::` take IPv4 too, and show its addresses within IPv6."""
    told = {"FORUM_DATABASE_URL": database_url, "FORUM_TRUSTED_PROXIES": proxies}
    command = ("serve", "--no-worker", "--workers", 2, "--host", "::")
    async with started(tmp_path, *command, **told, **LIMITED) as forum:
        await forum.ready()
        assert await _told(forum, "198.51.100.1", "198.51.100.2", "198.51.100.3") == expected
