"""Serve one small aiohttp application on the loopback address."""

import uvloop
from aiohttp import web


def serve(application: web.Application, port: int) -> None:
    """Serve until SIGINT or SIGTERM; `/readyz` answers once it is ready."""
    application.router.add_get("/readyz", _answer_ready)
    loop = uvloop.new_event_loop()
    web.run_app(application, host="127.0.0.1", port=port, access_log=None, print=None, shutdown_timeout=1.0, loop=loop)


async def _answer_ready(_request: web.Request) -> web.Response:
    return web.Response(text="ready")
