"""The requests that the forum itself sends to other sites, and what they can never reach or cost.

Somebody else often says where to: a link in a post, the address of a hook, a name server. So the address that a name
resolves to is judged where it is connected to, and nothing resolves the name again: a name that answers first with a
public and then with an inner address (DNS rebinding) wins nothing.
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM
from typing import Any

import httpcore
import httpx

SECONDS = 10  # for the whole exchange: looking the name up, redirects and a slow drip included
CONNECT_SECONDS = 3  # for each address of a name, so that a dead one leaves time for the next
LARGEST = 2**20  # bytes of a body, unpacked
REDIRECTS = 3
AGENT = "Mozilla/5.0 (compatible)"  # neither what runs here nor whose forum it is

Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

# IANA's registries of special-purpose addresses (RFC 6890), and multicast. Not `is_global`: it differs between
# Python's versions.
_WITHHELD: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # the unspecified address, and this network's
            "10.0.0.0/8",
            "100.64.0.0/10",  # a provider's own (RFC 6598)
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local: where clouds tell their secrets
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "2001::/23",  # protocols' own; among them Teredo, with an IPv4 address inside
            "2001:db8::/32",
            "2002::/16",  # 6to4, with an IPv4 address inside
            "3fff::/20",
        ),
    )
)
# What else there is of IPv6 is loopback, local, multicast, IPv4 in disguise, or given to nobody (RFC 4291 §2.4).
_UNICAST = ip_network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # how a machine without IPv4 reaches it (RFC 6052): the address inside counts


class HttpClientError(Exception):
    """There is no answer. The sentence names a host at most: paths and queries can hold secrets."""


class OutboundRefused(HttpClientError):
    """We do not ask there, or not in this way."""


class OutboundFailed(HttpClientError):
    """It could not be reached, was too slow, or answered what we do not read."""


@dataclass(frozen=True)
class Answer:
    """What another site answered, whole and unpacked."""

    status: int
    headers: httpx.Headers
    body: bytes


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet would reach; ValueError when it is none."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found in _NAT64:
            return is_public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
        if found not in _UNICAST:
            return False
    return not any(found in network for network in _WITHHELD)


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """The addresses of a name as this machine knows them; OSError when there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


class HttpClient:
    """Asks other sites. It keeps no connection and no cookie, and takes nothing from the environment: neither proxies
    nor a netrc.

    `resolve` finds the addresses of a name, `allowed` are networks that are asked although they are not public, and
    `tls` says whose certificates are believed: all three are for tests against a server of their own.
    """

    def __init__(
        self,
        resolve: Resolver = system_resolver,
        allowed: Iterable[Network] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._way = _CheckedWay(resolve, tuple(allowed))
        self._tls = tls or httpx.create_ssl_context(trust_env=False)

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, redirects: int = REDIRECTS) -> Answer:
        """What is at `url`, whatever its status, after following at most so many redirects; one more is the answer.

        `headers` go wherever a redirect leads, so hand over no secret in them unless `redirects` is 0. Raises
        OutboundRefused when it, or what it redirects to, is neither http nor https, has an address that is not public,
        or falls back from https to http; OutboundFailed when no whole answer of at most 1 MiB comes within ten seconds.
        """
        try:
            asked = httpx.Request("GET", url, headers=_PLAIN | dict(headers or {}))
        except httpx.InvalidURL as error:
            raise OutboundRefused("This is no address on the web.") from error
        try:
            async with asyncio.timeout(SECONDS):
                return await self._answer(asked, redirects, {"http", "https"})
        except TimeoutError as error:
            raise OutboundFailed(f"{asked.url.host} did not answer in {SECONDS} seconds.") from error
        except (httpx.HTTPError, httpx.InvalidURL, zlib.error, *_FAILURES) as error:
            raise OutboundFailed(f"{asked.url.host} could not be asked ({type(error).__name__}).") from error

    async def _answer(self, asked: httpx.Request, redirects: int, schemes: set[str]) -> Answer:
        if asked.url.scheme not in schemes or not asked.url.host:
            raise OutboundRefused(f"We ask only {' and '.join(sorted(schemes))} addresses here.")
        transport = _Transport(self._way, self._tls)
        async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=_TIMES) as client:
            response = await client.send(asked, stream=True)
            try:
                following = response.next_request if redirects else None
                if following is None:
                    return Answer(response.status_code, response.headers, await _body(response))
            finally:
                await response.aclose()
        following.headers.pop("Cookie", None)
        return await self._answer(following, redirects - 1, {"https"} if asked.url.scheme == "https" else schemes)


_PLAIN = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "close"}
_TIMES = httpx.Timeout(SECONDS, connect=CONNECT_SECONDS)
_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


async def _body(response: httpx.Response) -> bytes:
    """The body, unpacked by us: httpx unpacks whatever came at once, a thousand times its size, before one can look."""
    packing = response.headers.get("Content-Encoding", "identity").strip().lower()
    if packing not in {"identity", "gzip"}:
        raise OutboundFailed(f"{response.url.host} answered in a packing that was not asked for.")
    unpack = _Gzip() if packing == "gzip" else None
    body = bytearray()
    async for part in response.aiter_raw():
        body += unpack(part, LARGEST + 1 - len(body)) if unpack else part
        if len(body) > LARGEST:
            raise OutboundFailed(f"{response.url.host} answered more than {LARGEST} bytes.")
    if unpack and not unpack.is_whole:
        raise OutboundFailed(f"{response.url.host} answered what cannot be unpacked.")
    return bytes(body)


class _Gzip:
    """Unpacks part by part, never more than is asked for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.is_whole = True

    def __call__(self, part: bytes, at_most: int) -> bytes:
        """What is in the next part; the rest of it is lost where there is more than `at_most` bytes, more than 0."""
        if self._stream.eof:  # what follows is no longer part of it
            return b""
        unpacked = self._stream.decompress(part, at_most)
        self.is_whole = self._stream.eof
        return unpacked


class _CheckedWay(httpcore.AsyncNetworkBackend):
    """Connects to the very address that was checked; TLS still asks for the name, above this."""

    def __init__(self, resolve: Resolver, allowed: Sequence[Network]) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._net = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (httpcore's own)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = OutboundFailed(f"{host} has no address.")
        for address in await self._addresses(host, port):
            try:
                return await self._net.connect_tcp(address, port, timeout, local_address, socket_options)
            except _FAILURES as error:
                failure = error
        raise failure

    async def _addresses(self, host: str, port: int) -> Sequence[str]:
        """All of them, or none if a single one is not public: who mixes them is up to something."""
        try:
            found = await self._resolve(host, port)
        except (OSError, ValueError, OverflowError) as error:
            raise OutboundFailed(f"{host} has no address.") from error
        if not all(is_public(address) or self._is_allowed(address) for address in found):
            raise OutboundRefused(f"{host} is not on the public internet.")
        return found

    def _is_allowed(self, address: str) -> bool:
        return any(ip_address(address) in network for network in self._allowed)


class _Transport(httpx.AsyncBaseTransport):
    """What httpx sends by, over our way to the network; httpx's own does not take one."""

    def __init__(self, way: _CheckedWay, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=way)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Parts(answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Parts(httpx.AsyncByteStream):
    """The parts of a body as they come."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()
