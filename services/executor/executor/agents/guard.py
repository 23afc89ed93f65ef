"""Keeps agents' addresses out of networks that nobody allowed (server-side request forgery)."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network

_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
#: Public by number, or to some versions of Python: the host that a virtual machine of Azure runs on, the metadata of
#: Oracle's (192.0.0.192), Teredo, documentation.
_NEVER = [ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "2001::/23", "3fff::/20")]


#: The same for every address: of several failures that differ, aiohttp shows none as what it is.
FORBIDDEN = "the address is in a network in which no agent may be called"


class ForbiddenAddressError(OSError):
    """The address to connect to is not allowed."""


def networks(text: str) -> list[Network]:
    """Networks from comma-separated CIDR."""
    return [ip_network(part.strip()) for part in text.split(",") if part.strip()]


def guarded_socket(allowed: Iterable[Network]) -> Callable[[Any], socket.socket]:
    """A socket factory for aiohttp: it sees the address that is really connected to, whatever a name resolved to."""
    allowed = list(allowed)

    def open_socket(address_info: Any) -> socket.socket:
        family, kind, protocol, _, address = address_info
        check(str(address[0]), allowed)
        opened = socket.socket(family=family, type=kind, proto=protocol)
        opened.setblocking(False)
        return opened

    return open_socket


def check(host: str, allowed: Iterable[Network]) -> None:
    """ForbiddenAddressError, unless the address is on the public internet or in an allowed network."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _within(address) or address
    if _among(address, allowed):
        return
    public = address.is_global and not address.is_multicast and not _among(address, _NEVER)
    if not public or (isinstance(address, IPv6Address) and address not in _UNICAST):
        raise ForbiddenAddressError(FORBIDDEN)


def _among(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _within(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
