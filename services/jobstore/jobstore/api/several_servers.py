"""Serve one address by several servers of one event loop, so that calls are taken as fast as they can be refused."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import grpc

#: Options of a server that shares its port with others.
SHARED: Final = (("grpc.so_reuseport", 1),)


class SeveralServers(grpc.aio.Server):
    """Servers that have the same handlers and the same port, among which the system spreads connections.

    A server of grpc.aio takes one call of each method at a time, in some five turns of its event loop. Where turns are
    long, since much is asked for, callers would wait for long until they are told that it is too much.
    """

    def __init__(self, make: Callable[[], grpc.aio.Server], count: int) -> None:
        self._servers = [make() for _ in range(count)]

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Add handlers to each."""
        handlers = [*generic_rpc_handlers]
        for server in self._servers:
            server.add_generic_rpc_handlers(handlers)

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Any]) -> None:
        """Add the handlers of a service's methods to each.

        Left to the generic handlers, a server takes one call at a time of all methods: a call takes a twentieth less,
        and under foreign load some callers get no answer.
        """
        for server in self._servers:
            server.add_registered_method_handlers(service_name, method_handlers)

    def add_insecure_port(self, address: str) -> int:
        """Listen there, with all of them. OSError: somebody else does."""
        return self._listen(address, lambda server, where: server.add_insecure_port(where))

    def add_secure_port(self, address: str, server_credentials: grpc.ServerCredentials) -> int:
        """Listen there with these credentials, likewise."""
        return self._listen(address, lambda server, where: server.add_secure_port(where, server_credentials))

    def _listen(self, address: str, listen: Callable[[grpc.aio.Server, str], int]) -> int:
        host, _, port = address.rpartition(":")
        _check_free(host, int(port))
        first, *others = self._servers
        chosen = listen(first, address)
        for other in others:
            listen(other, f"{host}:{chosen}")
        return chosen

    async def start(self) -> None:
        """Start all."""
        for server in self._servers:
            await server.start()

    async def stop(self, grace: float | None) -> None:
        """Stop all."""
        await asyncio.gather(*(server.stop(grace) for server in self._servers))

    async def wait_for_termination(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - gRPC's own
        """Wait until all have stopped."""
        return all(await asyncio.gather(*(server.wait_for_termination(timeout) for server in self._servers)))


def _check_free(host: str, port: int) -> None:
    """Ask for a port for oneself alone: what shares ports would get it beside a stranger who does, too."""
    found = socket.getaddrinfo(host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    with socket.socket(family) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
