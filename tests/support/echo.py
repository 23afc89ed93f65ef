"""A server as a jobstore makes it, in a process of its own, which answers with its port: `python -m support.echo`."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc

from contracts.access import ADMINISTRATORS, Access, Of
from jobstore.access import callers
from jobstore.access.tokens import Tokens
from jobstore.api.server import create_server
from signoff.status import Role

TOKEN = "an-administrators-token-of-the-tests"
SERVICE, ANSWER, STREAM = "echo.Echo", "/echo.Echo/Answer", "/echo.Echo/Stream"


async def main() -> None:
    """Print the port, and serve for ever."""
    callers.ACCESS = dict.fromkeys((ANSWER, STREAM), Access(ADMINISTRATORS, Of.ANYBODY))
    server, _ = create_server(Tokens({Role.ADMINISTRATOR: [TOKEN]}))
    port = str(server.add_insecure_port("127.0.0.1:0"))

    async def answer(request: bytes, _: Any) -> bytes:
        """Answer after so many seconds in which this process does nothing else."""
        time.sleep(float(request))  # noqa: ASYNC251 - it is busy
        return port.encode()

    async def stream(request: bytes, _: Any) -> AsyncIterator[bytes]:
        yield port.encode()
        await asyncio.sleep(float(request))

    methods = {
        "Answer": grpc.unary_unary_rpc_method_handler(answer),
        "Stream": grpc.unary_stream_rpc_method_handler(stream),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, methods)])
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())
