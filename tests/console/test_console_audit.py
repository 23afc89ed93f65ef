"""The audit at REST: a list by pages, and an export as JSON lines."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from support.real_console import RealConsole, real_console


@pytest.fixture(scope="module")
async def console(postgres: str) -> AsyncIterator[RealConsole]:
    async with real_console(postgres) as running:
        await running.client.create_tenant(name="press")
        for name in ("eve", "bob"):
            await running.client.create_token(name=name, role="viewer", tenants=["press"])
        yield running


@pytest.fixture
async def http(console: RealConsole) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(console.url, headers=console.headers) as session:
        yield session


async def test_entries_are_listed_by_pages_and_filters(http: aiohttp.ClientSession) -> None:
    asked = {"action": "create_token", "tenant": "press", "actor": "token:bootstrap", "page_size": "1"}
    async with http.get("/api/audit", params=asked) as response:
        page = await response.json()
    (entry,) = page["items"]
    assert (entry["name"], entry["outcome"], entry["tenants"]) == ("bob", "done", ["press"])
    async with http.get("/api/audit", params={**asked, "page_token": page["next_page_token"]}) as response:
        assert [each["name"] for each in (await response.json())["items"]] == ["eve"]
    async with http.get("/api/audit", params={"until": "2026-01-01T00:00:00Z"}) as response:
        assert (await response.json())["items"] == []


async def test_an_export_is_json_lines_of_the_same_entries(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/audit/export", params={"action": "create_token"}) as response:
        assert response.headers["Content-Type"] == "application/x-ndjson"
        lines = (await response.text()).splitlines()
    assert [json.loads(line)["name"] for line in lines] == ["bob", "eve"]
    async with http.get("/api/audit/export", params={"action": "none"}) as response:
        assert (response.status, await response.text()) == (200, "")
    async with http.get("/api/audit", params={"action": "export_audit"}) as response:
        assert len((await response.json())["items"]) == 2


async def test_who_is_no_administrator_exports_nothing(http: aiohttp.ClientSession, console: RealConsole) -> None:
    made = await console.client.create_token(name="carl", role="operator", all_tenants=True)
    headers = {"Authorization": f"Bearer {made.secret}"}
    for path in ("/api/audit", "/api/audit/export"):
        async with http.get(path, headers=headers) as response:
            assert (response.status, (await response.json())["code"]) == (403, "forbidden")
