"""Requests that the forum sends: to public addresses only, whatever a name says, and never long or large."""

import asyncio
import gzip
import ssl
import time
import zlib
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest

from forum.core import http_client
from forum.core.http_client import HttpClient, HttpClientError, OutboundFailed, OutboundRefused, is_public
from tests.support.sites import LOCAL, Handler, Site, names, opened, raw, said

PAPERS = Path(__file__).parent / "hook.test.pem"
PUBLIC = ("8.8.8.8", "192.0.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2606:4700::1", "64:ff9b::808:808")


def local(**known: str) -> HttpClient:
    """One that may ask this machine, and knows it as site.test."""
    resolve, _ = names(**{"site_test": "127.0.0.1", **known})
    return HttpClient(resolve, LOCAL)


@pytest.mark.parametrize("address", PUBLIC)
def test_these_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254"),
        *("172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:808:808::1", "2001:db8::1"),
        *("2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%2"),
        *("fec0::1", "ff02::1", "4000::1"),
    ],
)
def test_and_these_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "0x7f.1", "0x7f000001", "0177.0.0.1", "2130706433", "017700000001", "0", "localhost"),
        *("LOCALHOST", "127。0。0。1", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"),
        *("[fe80::1]", "169.254.169.254", "10.0.0.1", "[fd00::1]"),
    ],
    ids=ascii,
)
async def test_however_a_url_spells_an_inner_address_it_is_not_asked(host: str) -> None:
    async with opened(Site(secret=said(b"ours"))) as site:
        with pytest.raises(OutboundRefused):  # by this machine's own resolver
            await HttpClient().get(site.at("secret", host))
        assert site.heard == []


async def test_a_name_is_asked_at_its_address_and_told_its_name() -> None:
    async with opened(Site(words=said(b"some words"))) as site:
        answer = await local().get(site.at("words"), headers={"Add-Padding": "true"})
    assert (answer.status, answer.body) == (200, b"some words")
    [request] = site.heard
    assert f"host: site.test:{site.port}\r\n".encode() in request.lower()
    assert b"add-padding: true\r\n" in request.lower()
    assert b"python" not in request.lower()
    assert b"forum" not in request.lower()


@pytest.mark.parametrize("addresses", ["10.0.0.1", "8.8.8.8 10.0.0.1", "127.0.0.1 ::1", "127.0.0.1 169.254.169.254"])
async def test_a_name_of_which_one_address_is_not_public_is_not_asked_at_all(addresses: str) -> None:
    async with opened(Site(words=said(b"some words"))) as site:
        with pytest.raises(OutboundRefused, match=r"inner\.test is not on the public internet"):
            await local(inner_test=addresses).get(site.at("words", "inner.test"))
        assert site.heard == []


async def test_a_name_is_resolved_once_so_that_it_cannot_change_its_mind() -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])

    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return next(answers)

    async with opened(Site(words=said(b"some words"))) as site:
        assert (await HttpClient(rebinding, LOCAL).get(site.at("words"))).status == 200
        with pytest.raises(OutboundRefused):
            await HttpClient(rebinding, LOCAL).get(site.at("words"))
    assert len(site.heard) == 1


async def test_where_one_address_does_not_answer_the_next_is_tried() -> None:
    resolve, _ = names(site_test="127.0.0.3 127.0.0.1")
    async with opened(Site(words=said(b"some words"))) as site:
        there = HttpClient(resolve, (ip_network("127.0.0.0/8"),))
        assert (await there.get(site.at("words"))).body == b"some words"


@pytest.mark.parametrize(
    ("target", "refusal"),
    [
        ("http://127.0.0.2/", "127.0.0.2 is not on the public internet"),
        ("http://inner.test/", "inner.test is not on the public internet"),
        ("//inner.test/", "inner.test is not on the public internet"),
        ("file:///etc/passwd", "only http and https"),
        ("gopher://site.test/", "only http and https"),
    ],
)
async def test_no_redirect_leads_to_where_we_do_not_ask(target: str, refusal: str) -> None:
    resolve, asked = names(site_test="127.0.0.1", inner_test="10.0.0.1", **{"127_0_0_2": "127.0.0.2"})
    moved = said(b"", f"Location: {target}", status="302 Found")
    async with opened(Site(door=moved)) as site:
        with pytest.raises(OutboundRefused, match=refusal):
            await HttpClient(resolve, LOCAL).get(site.at("door"))
    assert len(site.heard) == 1
    assert asked[0] == "site.test"


@pytest.mark.parametrize("target", ["https://xn--a/", "//:x/"])
async def test_a_redirect_to_what_is_no_address_is_a_failure_also_where_none_is_followed(target: str) -> None:
    resolve, _ = names(site_test="127.0.0.1")
    async with opened(Site(door=said(b"", f"Location: {target}", status="302 Found"))) as site:
        for redirects in (0, 3):
            with pytest.raises(HttpClientError):
                await HttpClient(resolve, LOCAL).get(site.at("door"), redirects=redirects)


@pytest.mark.parametrize(("redirects", "status", "asked"), [(3, 200, 4), (2, 302, 3), (0, 302, 1)])
async def test_redirects_are_followed_as_often_as_is_wanted(redirects: int, status: int, asked: int) -> None:
    steps = {f"{n}": said(b"", f"Location: /{n + 1}", "Set-Cookie: a=b", status="302 Found") for n in range(3)}
    async with opened(Site(**steps, **{"3": said(b"at last")})) as site:
        assert (await local().get(site.at("0"), redirects=redirects)).status == status
    assert len(site.heard) == asked
    assert b"cookie" not in b"".join(site.heard).lower()


@pytest.mark.parametrize("url", ["ftp://site.test/", "file:///etc/passwd", "site.test", "", "http://", "http://a\nb/"])
async def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        await local().get(url)


@pytest.mark.parametrize("url", ["http://a" + "a" * 80 + ".test/", "http://site.test:99999/", "http://no.invalid/"])
async def test_what_cannot_be_reached_has_failed(url: str) -> None:
    with pytest.raises(OutboundFailed, match="has no address"):
        await HttpClient().get(url)


async def test_a_slow_drip_ends_with_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "SECONDS", 0.5)

    async def drip(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with opened(Site(drip=drip)) as site:
        began = time.monotonic()
        with pytest.raises(OutboundFailed, match=r"site\.test did not answer in"):
            await local().get(site.at("drip"))
        assert time.monotonic() - began < 5


async def test_a_name_server_that_says_nothing_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "SECONDS", 0.2)

    async def silent(_host: str, _port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(OutboundFailed, match="did not answer"):
        await HttpClient(silent).get("http://site.test/")


@pytest.mark.parametrize("size", [2**20, 2**20 + 1])
@pytest.mark.parametrize("packed", [False, True])
async def test_a_body_has_at_most_a_mebibyte_unpacked(size: int, packed: bool) -> None:
    words = b"a" * size
    page = said(gzip.compress(words), "Content-Encoding: gzip") if packed else said(words)
    async with opened(Site(page=page)) as site:
        if size <= 2**20:
            assert (await local().get(site.at("page"))).body == words
        else:
            with pytest.raises(OutboundFailed, match="more than 1048576 bytes"):
                await local().get(site.at("page"))


async def test_an_endless_body_ends() -> None:
    async def endless(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"a" * 65_536)
            await writer.drain()

    async with opened(Site(endless=endless)) as site:
        with pytest.raises(OutboundFailed, match="more than"):
            await local().get(site.at("endless"))


async def test_a_bomb_is_not_unpacked() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\0" * 2**20) for _ in range(64)) + packer.flush()  # 64 MiB in 64 KiB
    async with opened(Site(bomb=said(bomb, "Content-Encoding: gzip"))) as site:
        with pytest.raises(OutboundFailed, match="more than"):
            await local().get(site.at("bomb"))


@pytest.mark.parametrize(
    "answer",
    [
        said(gzip.compress(b"some words")[:-9], "Content-Encoding: gzip"),
        said(b"no gzip", "Content-Encoding: gzip"),
        said(b"packed", "Content-Encoding: br"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        raw(b"220 smtp.test ESMTP\r\n"),
        raw(b""),
        said(b"", "Location: http://site.test:x/", status="302 Found"),
    ],
    ids=["half a gzip", "no gzip", "another packing", "half", "no HTTP", "nothing", "bad redirect"],
)
async def test_what_cannot_be_understood_has_failed(answer: Handler) -> None:
    async with opened(Site(odd=answer)) as site:
        with pytest.raises(OutboundFailed, match=r"site\.test"):
            await local().get(site.at("odd"))


async def test_what_follows_a_gzip_is_no_part_of_it() -> None:
    async with opened(Site(page=said(gzip.compress(b"words") + b"x" * 9, "Content-Encoding: gzip"))) as site:
        assert (await local().get(site.at("page"))).body == b"words"


async def test_no_proxy_and_no_netrc_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine site.test login operator password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.2:9")
    async with opened(Site(words=said(b"some words"))) as site:
        assert (await local().get(site.at("words"))).status == 200
    assert b"authorization" not in site.heard[0].lower()


@pytest.mark.parametrize(("host", "is_theirs"), [("hook.test", True), ("site.test", False)])
async def test_a_certificate_must_be_for_the_name_that_was_asked(host: str, is_theirs: bool) -> None:
    papers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    papers.load_cert_chain(PAPERS)
    resolve, _ = names(hook_test="127.0.0.1", site_test="127.0.0.1")
    there = HttpClient(resolve, LOCAL, ssl.create_default_context(cafile=PAPERS))
    async with opened(Site(words=said(b"some words")), papers) as site:
        if is_theirs:
            assert (await there.get(site.at("words", host, "https"))).body == b"some words"
        else:
            with pytest.raises(OutboundFailed, match="ConnectError"):
                await there.get(site.at("words", host, "https"))


async def test_nobody_unknown_is_believed_and_https_does_not_fall_back() -> None:
    papers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    papers.load_cert_chain(PAPERS)
    resolve, _ = names(hook_test="127.0.0.1")
    down = said(b"", "Location: http://hook.test/", status="302 Found")
    async with opened(Site(down=down), papers) as site:
        with pytest.raises(OutboundFailed, match="ConnectError"):
            await HttpClient(resolve, LOCAL).get(site.at("down", "hook.test", "https"))
        with pytest.raises(OutboundRefused, match="only https"):
            await HttpClient(resolve, LOCAL, ssl.create_default_context(cafile=PAPERS)).get(
                site.at("down", "hook.test", "https")
            )


async def test_what_is_sent_goes_over_https_and_nothing_is_read_of_the_answer() -> None:
    papers = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    papers.load_cert_chain(PAPERS)
    resolve, _ = names(hook_test="127.0.0.1", inner_test="127.0.0.1 10.0.0.1")
    there = HttpClient(resolve, LOCAL, ssl.create_default_context(cafile=PAPERS))

    async def never_ends(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 9999\r\n\r\nhalf")
        await writer.drain()
        await asyncio.Event().wait()

    moved = said(b"", "Location: https://inner.test/", status="307 Temporary Redirect")
    async with opened(Site(moved=moved, endless=never_ends), papers) as site:
        for path, status in (("endless", 202), ("moved", 307)):
            answer = await there.post(site.at(path, "hook.test", "https"), b"{}", headers={"webhook-id": "1"})
            assert answer.status == status
        for url in (site.at("moved", "hook.test"), site.at("moved", "inner.test", "https"), "https://a\nb/"):
            with pytest.raises(OutboundRefused):
                await there.post(url, b"{}")
    assert [request.split(b" ")[0] for request in site.heard] == [b"POST", b"POST"]
    assert all(request.endswith(b"\r\n\r\n{}") for request in site.heard)


async def test_no_sentence_tells_what_was_asked() -> None:
    async with opened(Site(half=raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))) as site:
        with pytest.raises(OutboundFailed) as failed:
            await local().get(site.at("half").replace("site.test", "operator:secret@site.test") + "?token=secret")
    assert "secret" not in str(failed.value)
