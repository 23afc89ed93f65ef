"""Requests are counted and timed by route, not by path, and logged one by one on demand, without what was searched."""

import asyncio
import logging
from typing import Any

import pytest
from prometheus_client import REGISTRY
from support.fakes import until


def count(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("signoff_http_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("GET", "/api/jobs/a-job-of-somebody", ("GET", "/api/jobs/{job_id}", 404)),
        ("HEAD", "/api/jobs?text=words", ("HEAD", "/api/jobs", 200)),
        ("PUT", "/api/jobs", ("PUT", "/api/jobs", 405)),
        ("REPORT", "/api/jobs", ("other", "/api/jobs", 405)),
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
