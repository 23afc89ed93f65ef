"""Keeps agents' addresses out of networks that nobody allowed (server-side request forgery)."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


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
    if isinstance(address, IPv6Address) and (inner := address.ipv4_mapped or address.sixtofour):
        address = inner
    if any(address.version == network.version and address in network for network in allowed):
        return
    if not address.is_global or address.is_multicast:
        raise ForbiddenAddressError(f"{host} is in a network in which no agent may be called")
