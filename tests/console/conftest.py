"""The console, in this process, before a jobstore in memory."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from fastapi import FastAPI
from support.fake_jobstore import CONSOLE_TOKEN, TOKEN, FakeJobStore, running_jobstore
from support.fake_jobstore import Server as JobStoreServer
from support.fakes import until
from support.real_console import RealConsole, real_console

from console.api.auth import Sessions
from console.api.pages import Page
from console.app import Server, create_app
from console.config import ClientLimits
from console.live import LiveHub
from signoff import AsyncClient

#: The first application, for all that follow: FastAPI works out anew for each what its routes take and answer.
APPS: dict[str, FastAPI] = {}
SETTINGS = {"ring_max": 4, "queued_max": 8, "ping_s": 60.0, "viewers_max": 3}


@pytest.fixture(scope="module")
async def real(postgres: str) -> AsyncIterator[RealConsole]:
    """The console before a real jobstore and database."""
    async with real_console(postgres) as running:
        yield running


@pytest.fixture
async def jobstore_server() -> AsyncIterator[JobStoreServer]:
    async with running_jobstore() as server:
        yield server


@pytest.fixture
def jobstore(jobstore_server: JobStoreServer) -> FakeJobStore:
    return jobstore_server.store


@pytest.fixture
async def client(jobstore_server: JobStoreServer) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(jobstore_server.address, TOKEN, timeout_s=5) as client:
        yield client


@pytest.fixture
async def live(client: AsyncClient, request: pytest.FixtureRequest) -> LiveHub:
    """Small, so that tests reach its limits; a test may parametrize it."""
    return LiveHub(client.with_token(CONSOLE_TOKEN), **SETTINGS | getattr(request, "param", {}))


@pytest.fixture
def sessions() -> Sessions:
    return Sessions([bytes(32)], 60.0)


@pytest.fixture
def client_limits() -> ClientLimits:
    return ClientLimits()


@pytest.fixture(scope="session")
def page() -> Page:
    return Page()


@pytest.fixture
async def console(
    client: AsyncClient, live: LiveHub, sessions: Sessions, client_limits: ClientLimits, page: Page
) -> AsyncIterator[str]:
    """A console with a body limit of 1,000 bytes; its base URL."""
    app = create_app(
        client.with_token(CONSOLE_TOKEN), live, sessions, client_limits, payload_max_bytes=1_000, page=page
    )
    first = APPS.setdefault("first", app)
    app.router, app.openapi = first.router, first.openapi
    server = Server(app, live, "127.0.0.1:0", client_limits)
    stop = asyncio.Event()
    watching, serving = asyncio.create_task(live.run()), asyncio.create_task(server.serve_until(stop))
    await until(lambda: server.started and live.cursor is not None)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    stop.set()
    await serving
    watching.cancel()
    await asyncio.wait({watching})


@pytest.fixture
async def http(console: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(console, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session
