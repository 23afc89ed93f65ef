"""Serve one small aiohttp application, on the loopback address unless another is named."""

import uvloop
from aiohttp import web


def serve(application: web.Application, port: int, host: str = "127.0.0.1") -> None:
    """Serve until SIGINT or SIGTERM; `/readyz` answers once it is ready."""
    application.router.add_get("/readyz", _answer_ready)
    loop = uvloop.new_event_loop()
    web.run_app(application, host=host, port=port, access_log=None, print=None, shutdown_timeout=1.0, loop=loop)


async def _answer_ready(_request: web.Request) -> web.Response:
    return web.Response(text="ready")
