"""Keep calls out of networks that nobody allowed (server-side request forgery)."""

import re
import socket
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from yarl import URL

Network = IPv4Network | IPv6Network


def is_loopback(host: str) -> bool:
    """Return whether a host, as URLs name it, is this machine, which others do not reach by it."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class HostPort(NamedTuple):
    """A host, as URLs name it, and a port."""

    host: str
    port: int


_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\s\[\]/:]+)):(?P<port>[0-9]{1,5})")
_PORT_MAX = 65_535
_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
#: Forbidden, though public by number or to some versions of Python: the host that a virtual machine of Azure runs on,
#: the metadata of Oracle's (192.0.0.192), Teredo, documentation; and among the private ones Amazon's metadata.
_NEVER = [ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "2001::/23", "3fff::/20", "fd00:ec2::/32")]
#: Networks besides the public internet that an allowed name with its port may lead to.
_INNER = [
    ip_network(net) for net in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1", "fc00::/7")
]

#: The names by which a program calls its own machine; and by which one in a container of Compose calls the machine.
_OWN = {"localhost", "::1"}
OF_MACHINE = "host.docker.internal"

#: The host and port that the running task calls; a task that connects for it inherits them.
_called: ContextVar[HostPort | None] = ContextVar("called", default=None)


class ForbiddenAddressError(OSError):
    """The address to connect to is not allowed."""


def parse_allowed(text: str) -> list[Network | HostPort]:
    """Parse the networks (CIDR) and hosts (`host:port`) that may be called, comma-separated. Raise ValueError."""
    return [_parse_part(part.strip()) for part in text.split(",") if part.strip()]


def _parse_part(text: str) -> Network | HostPort:
    pair = _HOST_PORT.fullmatch(text)
    if pair is None:
        return ip_network(text)
    host, port = pair["host"] or str(IPv6Address(pair["v6"])), int(pair["port"])
    if not 0 < port <= _PORT_MAX:
        raise ValueError(f"{text!r} has no port from 1 to {_PORT_MAX}")
    return HostPort(host.lower(), port)


def note_called(url: str) -> None:
    """Note the host and port of a URL as what this task calls, for `is_allowed`. Raise ValueError if malformed."""
    _called.set(read_host_port(url))


def read_host_port(url: str) -> HostPort:
    """Return the host and port of a URL. Raise ValueError if it is malformed."""
    parsed = URL(url)
    return HostPort(parsed.raw_host or "", parsed.port or 0)


def make_socket_factory(
    allowed: Iterable[Network | HostPort], setting: str, called: HostPort | None = None
) -> Callable[[Any], socket.socket]:
    """Return a socket factory for aiohttp that checks the address of each connection.

    A check of the URL would not do: its name may resolve to another address at the connection. `setting` names the
    setting by which an operator allows more; `called` is the host of all connections; if None, each task notes its own.
    """
    allowed = list(allowed)

    def open_socket(address_info: Any) -> socket.socket:
        family, kind, protocol, _, address = address_info
        host_port = called or _called.get()
        if not is_allowed(str(address[0]), allowed, host_port):
            raise ForbiddenAddressError(_describe_refusal(setting, host_port))
        opened = socket.socket(family=family, type=kind, proto=protocol)
        opened.setblocking(False)
        return opened

    return open_socket


def _describe_refusal(setting: str, called: HostPort | None) -> str:
    """Return why an address is refused, and what allows it: one text for all addresses of a host.

    Of several failures that differ aiohttp shows none.
    """
    message = f"the address is in a network that may not be called; {setting} can allow it"
    if called is None:
        return message
    host = f"[{called.host}]" if ":" in called.host else called.host
    message = f"{message}: add {host}:{called.port}"
    if called.host not in _OWN and not called.host.startswith("127."):
        return message
    return f"{message}, or, where Signoff runs in containers, call {OF_MACHINE} instead, and add that with its port"


def is_allowed(host: str, allowed: Iterable[Network | HostPort], called: HostPort | None = None) -> bool:
    """Return whether an address is public, in an allowed network, or of `called`, if that host and port are allowed."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _extract_ipv4(address) or address
    if _is_in_any(address, (network for network in allowed if not isinstance(network, HostPort))):
        return True
    if called is not None and called in allowed and _may_lead_to(called.host, address):
        return True
    public = address.is_global and not address.is_multicast and not _is_in_any(address, _NEVER)
    return public and not (isinstance(address, IPv6Address) and address not in _UNICAST)


def _may_lead_to(host: str, address: IPv4Address | IPv6Address) -> bool:
    """Return whether an allowed host may have an address: its own or, for a name, also that of an inner network."""
    return host == str(address) or (_is_in_any(address, _INNER) and not _is_in_any(address, _NEVER))


def _is_in_any(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _extract_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address embeds; None if there is none."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
