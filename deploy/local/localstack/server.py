"""Serving one small aiohttp application on the loopback address."""

import uvloop
from aiohttp import web


def serve(application: web.Application, port: int) -> None:
    """Serve until SIGINT or SIGTERM."""
    application.router.add_get("/readyz", _ready)
    loop = uvloop.new_event_loop()
    web.run_app(application, host="127.0.0.1", port=port, access_log=None, print=None, shutdown_timeout=1.0, loop=loop)


async def _ready(_request: web.Request) -> web.Response:
    return web.Response(text="ready")
