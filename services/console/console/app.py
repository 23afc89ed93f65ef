"""Wire the console's parts together, and serve."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import cast

import uvicorn
from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from console import errors, openapi
from console.api import audit, events, identity, jobs, judging, keeping, operations, pages, receipts, sign_in, system
from console.api.auth import KnownTokens, Sessions
from console.api.jobs import EvidenceSpans
from console.api.pages import Page
from console.api.requests import Bodies, refuse_unknown_parameters
from console.api.sign_in import SignIns
from console.clients import Connection, Heads, Measured, RequestIds, RequestSlots
from console.config import ClientLimits, ConsoleSettings
from console.live import LiveHub
from contracts.topics import PAYLOAD_MAX_BYTES
from servicekit.certificates import export_ends
from servicekit.oidc import Provider
from servicekit.process import runtime
from servicekit.process.settings import read_settings, split_address
from signoff import AsyncClient

log = logging.getLogger(__name__)

#: How long open connections may take to end when the console stops.
CONNECTIONS_END_S = 5
#: Smaller bodies are sent uncompressed.
COMPRESSED_MIN_BYTES = 1_000
#: zlib's 1 to 9.
COMPRESSION_LEVEL = 5
#: Seconds between two checks of the server's connections, and between two dates in its answers.
TICK_S = 1.0
DEFAULT_LIMITS = ClientLimits()


def create_app(
    jobstore: AsyncClient,
    live: LiveHub,
    sessions: Sessions,
    client_limits: ClientLimits = DEFAULT_LIMITS,
    *,
    payload_max_bytes: int = PAYLOAD_MAX_BYTES,
    page: Page | None = None,
    sign_ins: SignIns | None = None,
) -> FastAPI:
    """Make the ASGI application of the console, without a server."""
    app = FastAPI(
        title="Signoff",
        version="1",
        description="Jobs for AI agents, judged against their acceptance criteria. Errors are RFC 9457 problems.",
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,  # api/pages.py serves /docs, with no parts from other hosts
        redoc_url=None,
        dependencies=[Depends(refuse_unknown_parameters)],
    )
    app.state.jobstore, app.state.live, app.state.payload_max_bytes = jobstore, live, payload_max_bytes
    app.state.client_limits, app.state.bodies = client_limits, Bodies(client_limits)
    app.state.page, app.state.evidence = page or Page(provider_name=sign_ins.name if sign_ins else ""), EvidenceSpans()
    app.state.sign_ins = sign_ins
    app.state.sessions, app.state.known_tokens = sessions, KnownTokens(jobstore)
    app.state.receipt_keys = receipts.KeptKeys(jobstore)
    # Event streams are not compressed: the middleware leaves text/event-stream as it is.
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_MIN_BYTES, compresslevel=COMPRESSION_LEVEL)
    app.add_middleware(Heads)
    errors.install(app)
    first = (
        jobs.router,
        jobs.logs_router,
        receipts.router,
        operations.router,
        judging.judgings_router,
        system.agents_router,
    )
    then = (
        judging.judges_router,
        system.limits_router,
        keeping.retentions_router,
        keeping.kept_router,
        system.overview_router,
        events.router,
        pages.router,
        sign_in.router,
        audit.router,
    )
    more = (jobs.counts_router, jobs.facets_router, jobs.executions_router, system.stats_router, system.tenants_router)
    names = (judging.golden_router, judging.sets_router, judging.criteria_router, judging.reports_router)
    access = (identity.me_router, identity.tokens_router, identity.sessions_router)
    for router in (*first, *then, *more, *names, operations.batches_router, *access):
        app.include_router(router)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app


class Server(uvicorn.Server):
    """An HTTP server that leaves signals to the runtime, and ends open streams before it waits for connections."""

    def __init__(self, app: FastAPI, live: LiveHub, address: str, client_limits: ClientLimits = DEFAULT_LIMITS) -> None:
        host, port = split_address(address)
        config = uvicorn.Config(
            RequestIds(Measured(RequestSlots(app, client_limits))),  # outermost: a bug has one, too
            host=host,
            port=port,
            http=cast("type[asyncio.Protocol]", partial(Connection, limits=client_limits)),
            timeout_keep_alive=client_limits.idle_s,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,  # it would show what people search for
            server_header=False,
            timeout_graceful_shutdown=CONNECTIONS_END_S,
        )
        super().__init__(config)
        self._live = live
        self._exiting = asyncio.Event()

    async def main_loop(self) -> None:
        """Check all connections once a second until the server exits; uvicorn's own loop wakes ten times a second."""
        while not await self.on_tick(0):
            for connection in list(self.server_state.connections):
                cast("Connection", connection).check()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._exiting.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Set no handlers of signals: the runtime of the process handles signals."""
        yield

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set or the server ends; then end all streams and wait for requests under way."""
        serving = asyncio.create_task(self.serve())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        self._live.close()
        self.should_exit = True
        self._exiting.set()
        await serving


async def serve(settings: ConsoleSettings, stop: asyncio.Event) -> None:
    """Run the console until `stop` is set."""
    if settings.console_token is None:
        log.warning(
            "the console watches with an administrator's token: set SIGNOFF_CONSOLE_TOKEN, here and at jobstores"
        )
    async with AsyncClient(settings.jobstore, settings.own_token, credentials=settings.jobstore_tls) as jobstore:
        export_ends(settings.jobstore_certificate)
        live = LiveHub(jobstore, viewers_max=settings.viewers_max)
        sessions = Sessions(settings.session_secret.keys, settings.session_s)
        client_limits = ClientLimits(connections_max=settings.connections_max)
        sign_ins, limit = _make_sign_ins(settings), settings.payload_max_bytes
        page = Page(provider_name=sign_ins.name if sign_ins else "", trace_url=settings.trace_url or "")
        app = create_app(jobstore, live, sessions, client_limits, payload_max_bytes=limit, page=page, sign_ins=sign_ins)
        server = Server(app, live, settings.http_address, client_limits)
        watching = asyncio.create_task(live.run())
        watching.add_done_callback(lambda _: stop.set())  # the watch ends only by a bug: then the process restarts
        checks = _make_health_checks(server, live)
        runner = None
        if settings.health_address:
            runner = await runtime.serve(settings.health_address, checks, tokens=settings.metrics_tokens)
        runtime.tune_gc()
        try:
            await server.serve_until(stop)
            if watching.done():
                await watching  # raises what ended it
        finally:
            watching.cancel()
            await asyncio.wait({watching})
            if runner is not None:
                await runner.cleanup()


def _make_sign_ins(settings: ConsoleSettings) -> SignIns | None:
    """Return the sign-ins at the provider of the settings; None: people sign in with tokens."""
    if settings.oidc_issuer is None:
        return None
    secret = settings.oidc_client_secret
    return SignIns(
        Provider(settings.oidc_issuer),
        settings.oidc_client_id,
        None if secret is None else secret.get_secret_value(),
        settings.oidc_name,
        settings.session_secret.keys,
    )


def _make_health_checks(server: Server, live: LiveHub) -> dict[str, runtime.Check]:
    return {
        "http": lambda: None if server.started else "does not listen yet",
        "jobstore": lambda: None if live.cursor is not None else "cannot be watched",
    }


def main() -> None:
    """Run the console with the settings in the environment."""
    settings = read_settings(ConsoleSettings)
    runtime.run("console", lambda stop: serve(settings, stop), **settings.of_logs)
