"""Send all requests to models and tools through one transport, which checks where each connection goes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

import httpcore2
import httpx2

from signoff_agent.task import AgentError

Network = IPv4Network | IPv6Network

_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
#: Forbidden, though public by number or to some versions of Python: the host that a virtual machine of Azure runs on,
#: the metadata of Oracle's (192.0.0.192), Teredo, documentation.
_NEVER: Final = [ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "2001::/23", "3fff::/20")]
#: The largest body of one response, of a model or of a tool, and all that one session of an MCP server may send.
BODY_MAX_BYTES: Final = 8 << 20
SESSION_MAX_BYTES: Final = 64 << 20


class ForbiddenAddressError(httpcore2.ConnectError):
    """The address to connect to is not allowed."""


def is_allowed(host: str, networks: Iterable[Network]) -> bool:
    """Return whether an address is public, or in one of these networks."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _extract_ipv4(address) or address
    if _is_in_any(address, networks):
        return True
    public = address.is_global and not address.is_multicast and not _is_in_any(address, _NEVER)
    return public and not (isinstance(address, IPv6Address) and address not in _UNICAST)


async def resolve(host: str, port: int, networks: Sequence[Network]) -> list[str]:
    """Return the addresses of a host that may be called. Raise ForbiddenAddressError if it has none, or OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [str(address[0]) for *_, address in found if is_allowed(str(address[0]), networks)]
    if not allowed:
        raise ForbiddenAddressError(
            f"{host} is in a network that may not be called; `networks` in agent.toml can allow it"
        )
    return list(dict.fromkeys(allowed))


class GuardedTransport:
    """The connections of an agent: to checked addresses alone, by no proxy, and neither redirected nor decompressed.

    A check of the URL would not do: its name may resolve to another address at the connection.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)
        self._inner._pool = httpcore2.AsyncConnectionPool(  # noqa: SLF001 - the transport does not pass a backend on
            ssl_context=httpx2.create_ssl_context(),  # with the certificates that SSL_CERT_FILE names
            max_connections=None,
            network_backend=_CheckedBackend(networks),
        )

    def open_client(
        self, headers: dict[str, str], timeout_s: float, bytes_max: float = float("inf")
    ) -> httpx2.AsyncClient:
        """Return a client with these headers, which reads `bytes_max` at most, in all responses together.

        It needs not be closed, and closing it leaves the connections open.
        """
        transport = _ClientTransport(self._inner, bytes_max)
        return httpx2.AsyncClient(transport=transport, headers=headers, timeout=timeout_s, trust_env=False)

    async def check(self, url: str) -> None:
        """Raise AgentError if the host of a URL may not be called: libraries tell a refused connection as a timeout."""
        try:
            await resolve(httpx2.URL(url).host, 0, self._networks)
        except ForbiddenAddressError as error:
            raise AgentError(str(error), code="address_forbidden") from error
        except OSError:
            return  # who connects tells it

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()


class _ClientTransport(httpx2.AsyncBaseTransport):
    """The transport of one client, which stays open when that is closed."""

    def __init__(self, transport: httpx2.AsyncBaseTransport, bytes_left: float) -> None:
        self._transport, self.bytes_left = transport, bytes_left

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"  # a small body that is decompressed could be a huge one
        response = await self._transport.handle_async_request(request)
        response.headers.pop("Content-Encoding", None)
        response.headers.pop("Location", None)  # so that no library follows a redirect, with headers meant for one host
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        response.stream = _BoundedStream(response.stream, self)
        return response


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(  # type: ignore[override]  # the rest is passed on
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - as the library calls it
        **options: Any,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await resolve(host, port, self._networks)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(f"{host} was not resolved in time") from error
        except OSError as error:
            raise httpcore2.ConnectError(f"{host} cannot be resolved: {error}") from error
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, **options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, **options)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _BoundedStream(httpx2.AsyncByteStream):
    """The body of a response, which fails once it is too large."""

    def __init__(self, inner: httpx2.AsyncByteStream, client: _ClientTransport) -> None:
        self._inner, self._client = inner, client

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = BODY_MAX_BYTES
        async with aclosing(aiter(self._inner)) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                left -= len(chunk)
                self._client.bytes_left -= len(chunk)
                if min(left, self._client.bytes_left) < 0:
                    raise httpx2.ReadError("the server sends more than is read")
                yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _is_in_any(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _extract_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address embeds; None if there is none."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
