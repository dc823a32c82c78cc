"""The HTTP client for requests to other sites: it reaches public addresses only, within limits of time and size.

Other people choose where a request goes: a link in a post, the address of a hook, a name server. So the address to
which a name resolves is checked when it is connected to, and the name is not resolved again: a name that gives first a
public and then a private address (DNS rebinding) gains nothing.
"""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import SOCK_STREAM
from typing import Any

import httpcore
import httpx

SECONDS = 10  # for the whole exchange, with the name lookup, redirects and a slow body
POST_SECONDS = 15  # the same of what is sent: whoever takes it may do something with it first
CONNECT_SECONDS = 3  # for each address of a name, so that one that does not answer leaves time for the next
LARGEST = 2**20  # bytes of a body after decompression
REDIRECTS = 3
AGENT = "Mozilla/5.0 (compatible)"  # says neither what software runs here nor whose forum it is

Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

# IANA's registries of special-purpose addresses (RFC 6890), and multicast. Not `ipaddress.is_global`: its answers
# differ between versions of Python.
_NOT_PUBLIC: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # the unspecified address, and this network's
            "10.0.0.0/8",
            "100.64.0.0/10",  # a provider's own (RFC 6598)
            "127.0.0.0/8",
            "169.254.0.0/16",  # link-local: clouds give out credentials there
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
# All other IPv6 addresses are loopback, local, multicast, IPv4 in another form, or not assigned (RFC 4291 §2.4).
_UNICAST = ip_network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")  # how a machine without IPv4 reaches it (RFC 6052): the address inside counts


class HttpClientError(Exception):
    """There is no answer. The message names at most the host: paths and queries can have secrets in them."""


class OutboundRefused(HttpClientError):
    """The request was not sent: its address or scheme is not allowed."""


class OutboundFailed(HttpClientError):
    """The site could not be reached, was too slow, or sent an answer that is not accepted."""


@dataclass(frozen=True)
class HttpHead:
    """What another site answered, without the body."""

    status: int
    headers: httpx.Headers


@dataclass(frozen=True)
class HttpAnswer(HttpHead):
    """The complete answer of another site, its body decompressed."""

    body: bytes


def is_public(address: str) -> bool:
    """Return whether an IP address can be reached from anywhere. Raises ValueError when it is no IP address."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found in _NAT64:
            return is_public(str(IPv4Address(int(found) & 0xFFFFFFFF)))
        if found not in _UNICAST:
            return False
    return not any(found in network for network in _NOT_PUBLIC)


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """Return the addresses to which this machine resolves a name. Raises OSError when there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(where[0]) for *_, where in found))


class HttpClient:
    """Sends requests to other sites.

    It keeps no connections and no cookies, and reads no proxies and no netrc from the environment.

    `resolve` finds the addresses of a name, `allowed` are networks that may be reached although they are not public,
    and `tls` says which certificates are trusted: all three are for tests with a server of their own.
    """

    def __init__(
        self,
        resolve: Resolver = system_resolver,
        allowed: Iterable[Network] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._backend = _PublicBackend(resolve, tuple(allowed))
        self._tls = tls or httpx.create_ssl_context(trust_env=False)

    async def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, redirects: int = REDIRECTS
    ) -> HttpAnswer:
        """Return the answer at `url`, whatever its status, after at most `redirects` redirects.

        `headers` are sent to every redirect too, so put no secret in them unless `redirects` is 0.

        Raises OutboundRefused when the URL, or one that it redirects to, is neither http nor https, has an address
        that is not public, or goes from https to http; OutboundFailed when no complete answer of at most 1 MiB comes
        within ten seconds.
        """
        request = _request("GET", url, headers)
        async with _within(SECONDS, request):
            return await self._follow(request, redirects, {"http", "https"})

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str] | None = None) -> HttpHead:
        """Send `body` to `url`, over https only, and return what is answered, whatever its status.

        No redirect is followed, and no body of an answer is read: nobody here needs what another site says.

        Raises OutboundRefused when the URL is not https or has an address that is not public; OutboundFailed when
        no answer begins within fifteen seconds.
        """
        request = _request("POST", url, headers, body)
        async with _within(POST_SECONDS, request), self._sent(request, {"https"}) as response:
            return HttpHead(response.status_code, response.headers)

    async def _follow(self, request: httpx.Request, redirects: int, schemes: set[str]) -> HttpAnswer:
        async with self._sent(request, schemes) as response:
            next_request = response.next_request if redirects else None
            if next_request is None:
                return HttpAnswer(response.status_code, response.headers, await _read_body(response))
        next_request.headers.pop("Cookie", None)
        return await self._follow(next_request, redirects - 1, {"https"} if request.url.scheme == "https" else schemes)

    @asynccontextmanager
    async def _sent(self, request: httpx.Request, schemes: set[str]) -> AsyncIterator[httpx.Response]:
        """Send a request, and have its answer open while the block runs."""
        if request.url.scheme not in schemes or not request.url.host:
            raise OutboundRefused(f"We ask only {' and '.join(sorted(schemes))} addresses here.")
        transport = _Transport(self._backend, self._tls)
        async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=_TIMEOUTS) as client:
            response = await client.send(request, stream=True)
            try:
                yield response
            finally:
                await response.aclose()


_HEADERS = {"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "close"}
_TIMEOUTS = httpx.Timeout(POST_SECONDS, connect=CONNECT_SECONDS)
_FAILURES = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, httpcore.UnsupportedProtocol)


def _request(method: str, url: str, headers: Mapping[str, str] | None, body: bytes | None = None) -> httpx.Request:
    try:
        request = httpx.Request(method, url, headers=_HEADERS | dict(headers or {}), content=body)
        _ = request.url.host  # a name that IDNA does not know is no error before it is read
    except (httpx.InvalidURL, ValueError) as error:
        raise OutboundRefused("This is no address on the web.") from error
    return request


@asynccontextmanager
async def _within(seconds: float, request: httpx.Request) -> AsyncIterator[None]:
    """Give a request so many seconds. Raises OutboundFailed after them, and for whatever else goes wrong."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise OutboundFailed(f"{request.url.host} did not answer in {seconds} seconds.") from error
    # ValueError: of an address in the answer, such as where a redirect leads, that is none.
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, zlib.error, *_FAILURES) as error:
        raise OutboundFailed(f"{request.url.host} could not be asked ({type(error).__name__}).") from error


async def _read_body(response: httpx.Response) -> bytes:
    """Return the decompressed body. Raises OutboundFailed when it is too large, cut off or in another encoding.

    Not left to httpx: it decompresses a whole chunk, to a thousand times its size, before the size can be checked.
    """
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip"}:
        raise OutboundFailed(f"{response.url.host} answered in a packing that was not asked for.")
    unpack = _Gunzip() if encoding == "gzip" else None
    body = bytearray()
    async for part in response.aiter_raw():
        body += unpack(part, LARGEST + 1 - len(body)) if unpack else part
        if len(body) > LARGEST:
            raise OutboundFailed(f"{response.url.host} answered more than {LARGEST} bytes.")
    if unpack and not unpack.is_whole:
        raise OutboundFailed(f"{response.url.host} answered what cannot be unpacked.")
    return bytes(body)


class _Gunzip:
    """Decompresses part by part, each time at most as many bytes as are asked for."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.is_whole = True

    def __call__(self, part: bytes, at_most: int) -> bytes:
        """Return at most `at_most` bytes (more than 0) of the next part; the rest of the part is dropped."""
        if self._stream.eof:  # what follows is not part of the body
            return b""
        unpacked = self._stream.decompress(part, at_most)
        self.is_whole = self._stream.eof
        return unpacked


class _PublicBackend(httpcore.AsyncNetworkBackend):
    """Connects to the same address that was checked; TLS, a layer above, still checks the name."""

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
        """Return the addresses of a name. Raises OutboundRefused if one is not public: an honest name mixes no kinds.

        Raises OutboundFailed when there is no address.
        """
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
    """The transport of httpx over `_PublicBackend`; httpx's own takes no network backend."""

    def __init__(self, backend: _PublicBackend, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=backend)

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
    """The parts of a body as they arrive."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()
