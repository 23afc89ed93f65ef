"""Serve liveness, readiness and metrics over HTTP."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from servicekit.process.settings import split_address

#: The version of this process.
VERSION: Final = version("signoff-servicekit")

#: Returns the reason why a service is not ready, or None.
Check = Callable[[], str | None]


async def serve(address: str, checks: Mapping[str, Check], advice: Mapping[str, Check] | None = None) -> web.AppRunner:
    """Serve /livez, /readyz (503 with the reasons while a check returns one) and /metrics at host:port.

    `advice` is shown beside the reasons: tasks for an operator although the service is ready.
    """

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        reasons = _ask(checks)
        body = {"status": "unavailable" if reasons else "ok", "reasons": reasons, "advice": _ask(advice or {})}
        return web.json_response(body, status=503 if reasons else 200)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", live), web.get("/readyz", ready), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, port = split_address(address)
    await web.TCPSite(runner, host, port).start()
    return runner


def _ask(checks: Mapping[str, Check]) -> dict[str, str]:
    return {name: answer for name, check in checks.items() if (answer := check()) is not None}
