"""Before a jobstore of the future each address answers as ever, with words that nobody knows yet as texts."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.fake_jobstore import TOKEN
from support.future import AN_ID, NEW_CODE, UNKNOWN, jobstore_of_the_future

from console.api.auth import Sessions
from console.app import Server, create_app
from console.config import ClientLimits
from console.live import LiveHub
from signoff import AsyncClient as JobStoreClient

#: What shows nothing that has words of an enumeration, nor codes.
WORDLESS = {
    *("/api/agent-stats", "/api/quality", "/api/job-counts", "/api/limits", "/api/limits/{name}", "/api/receipt-keys"),
    *("/api/criteria-sets", "/api/criteria-sets/{name}", "/api/judges", "/api/jobs/{job_id}/receipt"),
    *("/api/jobs/{job_id}/logs/{version}/result", "/api/jobs/{job_id}/logs/{version}/html", "/api/job-facets"),
    *("/api/judges/{name}/golden-set", "/api/tenants", "/api/holds"),
    *("/api/retentions", "/api/retentions/{name}"),
}
OPENAPI = Path(__file__).parents[2] / "services/console/web/openapi.json"
PATHS = sorted(
    path
    for path, methods in json.loads(OPENAPI.read_text())["paths"].items()
    if "get" in methods
    and path != "/api/health"
    and "text/event-stream" not in methods["get"]["responses"]["200"].get("content", {})
)


@pytest.fixture(scope="module")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with jobstore_of_the_future() as address, JobStoreClient(address, TOKEN, timeout_s=5) as client:
        limits, live = ClientLimits(), LiveHub(client)
        server = Server(create_app(client, live, Sessions([bytes(32)], 60.0), limits), live, "127.0.0.1:0", limits)
        stop = asyncio.Event()
        serving, watching = asyncio.create_task(server.serve_until(stop)), asyncio.create_task(live.run())
        while not (server.started and live.cursor is not None):  # noqa: ASYNC110 - it tells by no event
            await asyncio.sleep(0)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
            yield session
        stop.set()
        await serving
        watching.cancel()
        await asyncio.wait({watching})


@pytest.mark.parametrize("path", PATHS)
async def test_each_address_answers(http: aiohttp.ClientSession, path: str) -> None:
    address, query = path, {"field": "status"} if path == "/api/job-facets" else {}
    for name, value in {
        "version": "3",
        "name": "strict" if "limits" not in path and "retentions" not in path else "tenant:a",
    }.items():
        address = address.replace(f"{{{name}}}", value)
    while "{" in address:
        address = f"{address.partition('{')[0]}{AN_ID}{address.partition('}')[2]}"
    async with http.get(address, params=query) as answer:
        text = await answer.text()
    assert answer.status == 200, text
    assert path in WORDLESS or UNKNOWN in text or NEW_CODE in text


async def test_so_does_a_stream(http: aiohttp.ClientSession) -> None:
    told: Any = b""
    async with asyncio.timeout(10), http.get(f"/api/operations/{AN_ID}/events") as answer:
        async for line in answer.content:
            if line.startswith(b"data:"):
                told = line
                break
    assert UNKNOWN.encode() in told
