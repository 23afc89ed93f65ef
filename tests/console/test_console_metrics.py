"""Requests are counted and timed by route, not by path, and logged one by one on demand, without what was searched."""

import asyncio
import logging
import re
from typing import Any

import aiohttp
import pytest
from prometheus_client import REGISTRY
from support.fakes import until

from console.clients import DURATIONS, REQUESTS


def count(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("signoff_http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/api/jobs/a-job-of-somebody", ("GET", "/api/jobs/{job_id}", 404)),
        ("HEAD", "/api/jobs?text=words", ("HEAD", "/api/jobs", 200)),
        ("PUT", "/api/jobs", ("other", "none", 405)),
        ("REPORT", "/api/jobs", ("other", "none", 405)),
        ("GET", "/made/up/by/a/stranger", ("GET", "none", 404)),
    ],
)
async def test_requests_are_counted_and_timed_by_route(http: Any, method: str, path: str, counted: Any) -> None:
    before = count(*counted)
    async with http.request(method, path):
        pass
    assert count(*counted) == before + 1
    times = {"method": counted[0], "route": counted[1]}
    assert (REGISTRY.get_sample_value("signoff_http_request_duration_seconds_count", times) or 0) >= 1


async def test_a_stranger_who_asks_for_all_by_every_method_makes_few_series(console: str) -> None:
    async with aiohttp.ClientSession(console) as stranger:
        async with stranger.get("/openapi.json") as answer:
            paths = (await answer.json())["paths"]

        async def ask(method: str, path: str) -> None:
            async with stranger.request(method, re.sub(r"{\w+}", "made-up", path), allow_redirects=False):
                pass

        methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "MADE-UP")
        for path in paths:
            await asyncio.gather(*(ask(method, path) for method in methods if "events" not in path))
    found = [sample for family in (REQUESTS, DURATIONS) for each in family.collect() for sample in each.samples]
    has = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    has |= {("HEAD", path) for method, path in has if method == "GET"}
    counted = {(each.labels["method"], each.labels["route"]) for each in found}
    has |= {(method, "/api/retentions/preview") for method in methods}  # which takes all, and says that it does not
    assert {each for each in counted if each[1] in paths} <= has
    assert len(found) < 5_000


async def test_a_request_that_cannot_be_read_is_counted_and_its_connection_seen(console: str) -> None:
    before = count("other", "none", 400)
    host, _, port = console.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    await until(lambda: (REGISTRY.get_sample_value("signoff_http_connections") or 0) >= 1)
    writer.write(b"nonsense\r\n\r\n")
    await reader.read()
    assert count("other", "none", 400) == before + 1
    writer.close()
    await until(lambda: REGISTRY.get_sample_value("signoff_http_connections") == 0)


async def test_open_streams_are_seen(http: Any) -> None:
    async with http.get("/api/events"):
        await until(lambda: REGISTRY.get_sample_value("signoff_http_viewers") == 1)
    await until(lambda: REGISTRY.get_sample_value("signoff_http_viewers") == 0)
    assert count("GET", "/api/events", 200) >= 1


async def test_each_request_is_a_line_once_somebody_wants_lines(http: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> str:
        async with http.get("/api/jobs/job-1?text=secret") as answer:
            return answer.headers["X-Request-Id"]

    await ask()
    with caplog.at_level(logging.DEBUG, "requests"):
        request_id = await ask()
    (line,) = [record for record in caplog.records if record.name == "requests.http"]
    told = {name: getattr(line, name) for name in ("method", "route", "status", "job_id", "request_id")}
    assert told == {
        "method": "GET",
        "route": "/api/jobs/{job_id}",
        "status": line.status,
        "job_id": "job-1",
        "request_id": request_id,
    }
    assert "secret" not in str(vars(line))
