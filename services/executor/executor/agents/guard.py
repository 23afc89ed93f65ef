"""Keep calls out of networks that nobody allowed (server-side request forgery)."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network

_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
#: Forbidden, though public by number or to some versions of Python: the host that a virtual machine of Azure runs on,
#: the metadata of Oracle's (192.0.0.192), Teredo, documentation.
_NEVER = [ip_network(text) for text in ("168.63.129.16/32", "192.0.0.0/24", "2001::/23", "3fff::/20")]

#: One text for every address: of several failures that differ, aiohttp shows none as what it is.
FORBIDDEN = "the address is in a network in which no agent may be called; SIGNOFF_AGENT_NETWORKS can allow it"


class ForbiddenAddressError(OSError):
    """The address to connect to is not allowed."""


def parse_networks(text: str) -> list[Network]:
    """Parse comma-separated CIDR. Raise ValueError for what is none, or has host bits set."""
    return [ip_network(part.strip()) for part in text.split(",") if part.strip()]


def make_socket_factory(allowed: Iterable[Network]) -> Callable[[Any], socket.socket]:
    """Return a socket factory for aiohttp that checks the address which is really connected to.

    A check of the URL would not do: what its name resolves to may change before the connection.
    """
    allowed = list(allowed)

    def open_socket(address_info: Any) -> socket.socket:
        family, kind, protocol, _, address = address_info
        check_address(str(address[0]), allowed)
        opened = socket.socket(family=family, type=kind, proto=protocol)
        opened.setblocking(False)
        return opened

    return open_socket


def check_address(host: str, allowed: Iterable[Network]) -> None:
    """Raise ForbiddenAddressError unless the address is on the public internet or in an allowed network."""
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _extract_ipv4(address) or address
    if _is_in_any(address, allowed):
        return
    public = address.is_global and not address.is_multicast and not _is_in_any(address, _NEVER)
    if not public or (isinstance(address, IPv6Address) and address not in _UNICAST):
        raise ForbiddenAddressError(FORBIDDEN)


def _is_in_any(address: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _extract_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
