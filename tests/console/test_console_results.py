"""Edits by version, logs from either end and results as they are, over REST on a real jobstore."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
from support.real_console import RealConsole

from contracts.events import JobStatusReported, ResultProduced
from contracts.judging.policy import Verdict
from jobstore.executions.claims import ClaimExecution, ClaimJudging
from jobstore.executions.commands import ExecuteJob, RecordReport
from jobstore.insights.rollups import Rollups
from jobstore.jobs.model import SIGNOFF, WORKER
from signoff.judging import CriterionVerdict
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id

NEW = {"title": "A title", "acceptance_criteria": 'Says "blue"', "agent_id": "writer"}
HTML = "<h1>Blue</h1><script>alert(1)</script>"


@pytest.fixture
async def web(real: RealConsole) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(real.url, headers={**real.headers, "Accept-Encoding": "identity"}) as session:
        yield session


async def created(web: aiohttp.ClientSession, **fields: Any) -> dict[str, Any]:
    async with web.post("/api/jobs", json=NEW | fields) as answer:
        job: dict[str, Any] = await answer.json()
    return job


async def judged(
    real: RealConsole, job_id: str, result: Any, *evidence: str | None, outcome: Outcome = Outcome.FAIL
) -> int:
    """Execute and judge a job; the version of the verdict."""
    execution_id, owner = new_execution_id(), uuid4()
    await real.runner.submit.run_one(ExecuteJob(job_id, execution_id, actor=SIGNOFF))
    claimed = await real.runner.claim.run_one(ClaimExecution(execution_id, job_id, owner, 5, actor=SIGNOFF))
    produced = ResultProduced(
        execution_id=execution_id, job_id=job_id, attempt=1, lease=claimed.execution.lease, acceptance_criteria="x",
        result=result, produced_at=datetime.now(UTC),
    )  # fmt: skip
    judging = await real.runner.claim.run_one(ClaimJudging(produced, owner, 5, actor=SIGNOFF))
    texts = [criterion.text for criterion in (await real.client.get_job(job_id)).criteria]
    criteria = [
        CriterionVerdict(text=text, outcome=outcome, evidence=[] if quote is None else [quote, "is"])
        for text, quote in zip(texts, evidence, strict=True)
    ]
    await _report(real, execution_id, job_id, judging.execution.lease, Verdict.of(criteria, "a reason"))
    return (await real.client.get_job(job_id)).version


async def _report(real: RealConsole, execution_id: UUID, job_id: str, lease: int, verdict: Verdict) -> None:
    report = JobStatusReported(
        execution_id=execution_id, job_id=job_id, kind=ReportKind.VERDICT, attempt=1, lease=lease, seq=1,
        verdict=verdict, reported_at=datetime.now(UTC),
    )  # fmt: skip
    await real.runner.record.run_one(RecordReport(report, actor=WORKER))


async def test_a_job_is_edited_at_the_version_that_is_meant(web: aiohttp.ClientSession) -> None:
    job = await created(web)
    url, edit = f"/api/jobs/{job['id']}", {"title": "Another"}
    async with web.get(url) as answer:
        assert (answer.headers["ETag"], (await answer.json())["live"]) == ('"1"', False)
    async with web.patch(url, json=edit, headers={"If-Match": '"7"'}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (412, "version_conflict")
    async with web.patch(url, json=edit, headers={"If-Match": '"1"'}) as answer:
        assert (answer.status, answer.headers["ETag"]) == (200, '"2"')
        assert (await answer.json())["title"] == "Another"
    async with web.patch(url, json={"title": "A third"}, headers={"If-Match": '"1"'}) as answer:
        assert answer.status == 412
    async with web.patch(url, json={"payload": None, "priority": 9}, headers={"If-Match": "*"}) as answer:
        assert (await answer.json())["priority"] == 9
    criteria = [{"text": "It rhymes"}, {"text": "Without a title", "required": False}]
    async with web.patch(url, json={"criteria": criteria}) as answer:
        edited = await answer.json()
    assert edited["acceptance_criteria"] == "It rhymes\noptional: Without a title"
    assert [(w["code"], w["criterion"]) for w in edited["warnings"]] == [("criterion_reads_as_absence", 1)]
    async with web.patch(url, json={"criteria": criteria, "acceptance_criteria": "It rhymes"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "criteria_conflict")
    async with web.patch(url, json={"priority": 99}) as answer:
        assert (answer.status, (await answer.json())["errors"][0]["pointer"]) == (422, "#/priority")
    async with web.patch(url, json={"status": "COMPLETED"}) as answer:
        assert (answer.status, (await answer.json())["errors"][0]["pointer"]) == (422, "#/status")


async def test_what_is_live_is_not_edited(web: aiohttp.ClientSession) -> None:
    job = await created(web)
    async with web.post(f"/api/jobs/{job['id']}/execute") as answer:
        assert (await answer.json())["state"] == "WAITING"
    async with web.patch(f"/api/jobs/{job['id']}", json={"title": "Another"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (409, "execution_live")


@pytest.mark.parametrize(("known", "status"), [('"1"', 304), ('W/"1", "9"', 304), ("*", 304), ('"2"', 200), ("1", 200)])
async def test_who_has_a_version_is_not_sent_it_again(web: aiohttp.ClientSession, known: str, status: int) -> None:
    job = await created(web)
    async with web.get(f"/api/jobs/{job['id']}", headers={"If-None-Match": known}) as answer:
        assert (answer.status, answer.headers["ETag"]) == (status, '"1"')
        assert bool(await answer.read()) == (status == 200)


async def test_a_result_is_served_as_it_is(web: aiohttp.ClientSession, real: RealConsole) -> None:
    job = await created(web)
    version = await judged(real, job["id"], HTML, "Blue")
    url = f"/api/jobs/{job['id']}/logs/{version}"
    async with web.get(f"{url}/result") as answer:
        assert (await answer.text(), answer.headers["Content-Type"]) == (HTML, "text/plain; charset=utf-8")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Length"] == str(len(HTML))
        assert "Content-Disposition" not in answer.headers
    async with web.get(f"{url}/result", params={"download": "1"}) as answer:
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{job["id"]}-{version}.txt"'
    async with web.get(f"{url}/html") as answer:
        assert (await answer.text(), answer.headers["Content-Type"]) == (HTML, "text/html; charset=utf-8")
        policy = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        assert answer.headers["Content-Security-Policy"] == policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_result_that_is_no_string_is_json_to_the_last_digit(
    web: aiohttp.ClientSession, real: RealConsole
) -> None:
    job = await created(web)
    version = await judged(real, job["id"], {"big": 2**70, "text": "bl\nue"}, "bl ue")
    async with web.get(f"/api/jobs/{job['id']}/logs/{version}/result") as answer:
        assert answer.headers["Content-Type"] == "application/json"
        assert (await answer.text()) == '{"big":1180591620717411303424,"text":"bl\\nue"}'
    async with web.get(f"/api/jobs/{job['id']}/logs/{version}/html") as answer:
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("version", [1, 99])
async def test_an_entry_without_a_result_has_none(web: aiohttp.ClientSession, version: int) -> None:
    job = await created(web)
    for what in ("result", "html"):
        async with web.get(f"/api/jobs/{job['id']}/logs/{version}/{what}") as answer:
            assert (answer.status, (await answer.json())["code"]) == (404, "no_result")


async def test_a_verdict_says_where_its_evidence_stands(web: aiohttp.ClientSession, real: RealConsole) -> None:
    job = await created(web, acceptance_criteria="It says blue\nIt says so twice\nIt says red")
    version = await judged(real, job["id"], "The sky is  BLUE, is blue.", '"is blue"', None, "red")
    for _ in range(2):
        async with web.get(f"/api/jobs/{job['id']}/logs?view=full") as answer:
            (log,) = [entry for entry in (await answer.json())["items"] if entry["version"] == version]
        spans = [criterion["evidence_spans"] for criterion in log["verdict"]["criteria"]]
        assert spans == [[[[8, 16], [18, 25]], [[8, 10], [18, 20]]], [], [[], [[8, 10], [18, 20]]]]
    async with web.get(f"/api/jobs/{job['id']}/logs/{version}/result") as answer:
        assert (await answer.text())[8:16] == "is  BLUE"


async def test_a_log_is_read_from_either_end(web: aiohttp.ClientSession, real: RealConsole) -> None:
    job = await created(web)
    version = await judged(real, job["id"], "blue", "blue", outcome=Outcome.PASS)
    url = f"/api/jobs/{job['id']}/logs"
    async with web.get(url, params={"newest_first": "true", "page_size": "2", "fields": "summary"}) as answer:
        page = await answer.json()
    assert [log["version"] for log in page["items"]] == [version, version - 1]
    assert not any(log.get("result") or log.get("verdict") for log in page["items"])
    async with web.get(url, params={"newest_first": "true", "page_token": page["next_page_token"]}) as answer:
        assert [log["version"] for log in (await answer.json())["items"]] == [*range(version - 2, 0, -1)]
    async with web.get(url, params={"submission": "2"}) as answer:
        assert (await answer.json())["items"] == []
    async with web.get(url, params={"from_version": str(version), "page_size": "1", "view": "full"}) as answer:
        (entry,) = (await answer.json())["items"]
    assert (entry["version"], entry["kind"], entry["result"]) == (version, "met", "blue")
    async with web.get(url, params=[("kind", "result"), ("kind", "not_met"), ("newest_first", "true")]) as answer:
        assert [log["kind"] for log in (await answer.json())["items"]] == ["result"]
    async with web.get(url, params={"from": "0"}) as answer:
        assert answer.status == 422


async def test_lists_are_sorted_counted_and_without_bodies(web: aiohttp.ClientSession) -> None:
    async with web.post("/api/tenants", json={"name": "lists"}) as answer:
        assert answer.status == 200
    ids = [(await created(web, tenant="lists", title=f"Number {n}", payload={"n": n}))["id"] for n in range(3)]
    query = {"tenant": "lists", "sort": "created_at", "page_size": "2"}
    async with web.get("/api/jobs", params=query) as answer:
        page = await answer.json()
    for basic in ({"fields": "summary"}, {"view": "basic"}):
        async with web.get("/api/jobs", params=query | basic) as answer:
            assert await answer.json() == page
    assert [job["id"] for job in page["items"]] == ids[:2]
    texts = {"description", "acceptance_criteria", "criteria", "references", "payload"}
    assert all(not texts & job.keys() for job in page["items"])
    async with web.get("/api/jobs", params=query | {"page_token": page["next_page_token"], "view": "full"}) as answer:
        assert [(job["id"], job["payload"]) for job in (await answer.json())["items"]] == [(ids[2], {"n": 2})]
    async with web.get("/api/jobs", params={"page_token": page["next_page_token"], "sort": "-updated_at"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "invalid_page_token")
    async with web.get("/api/jobs", params={"tenant": "lists", "q": "NUMBER 1"}) as answer:
        found = await answer.json()
    assert ([job["id"] for job in found["items"]], found.keys()) == ([ids[1]], {"items"})
    async with web.get("/api/job-counts", params={"tenant": "lists"}) as answer:
        assert await answer.json() == {"counts": {"ASSIGNED": 3}, "capped_at": 10_000, "cancelled": 0}
    async with web.get("/api/job-facets", params={"tenant": "lists", "field": "agent", "status": "ASSIGNED"}) as answer:
        body = await answer.json()
    assert [facet["count"] for facet in body.pop("facets")] == [3]
    assert body == {"capped_at": 10_000}
    async with web.get("/api/job-facets", params={"field": "colour"}) as answer:
        body = await answer.json()
        assert (answer.status, body["code"]) == (422, "unknown_field")
        assert "must be one of status, agent" in body["detail"]


async def test_the_overview_and_the_agents_are_shown(real: RealConsole, web: aiohttp.ClientSession) -> None:
    job_id = (await created(web))["id"]
    await real.runner.submit.run_one(ExecuteJob(job_id, new_execution_id(), actor=SIGNOFF))
    await Rollups(real.database).sample()
    async with web.get("/api/overview", params={"range": "6h"}) as answer:
        shown = await answer.json()
    assert set(shown) == {"points", "totals", "now", "upstreams_sign", "signing_secret", "waiting"}
    assert len(shown["points"]) in {60, 61}
    assert shown["now"]["dead_letters"] == {}
    depths = {f"{name}_max": shown["now"][name] for name in ("queued", "running", "judging")}
    assert depths["queued_max"] > 0
    assert shown["totals"] | depths == shown["totals"]
    assert not shown["points"][0].keys() & set(depths)
    async with web.get("/api/overview", params={"range": "1y"}) as answer:
        assert answer.status == 422
    async with web.get("/api/agent-stats") as answer:
        assert {stats["agent_id"] for stats in (await answer.json())["items"]} <= {"writer"}
    async with web.get("/api/dead-letters") as answer:
        assert await answer.json() == {"counts": {}, "items": []}


async def test_what_is_long_is_compressed_and_every_answer_tells_the_time(web: aiohttp.ClientSession) -> None:
    job = await created(web, description="word " * 500)
    async with web.get(f"/api/jobs/{job['id']}", headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(await answer.text())["description"].startswith("word")
        sent = int(answer.headers["X-Server-Time"]) / 1_000
    assert abs(sent - datetime.now(UTC).timestamp()) < 60
    async with web.get("/api/nothing") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    async with web.delete("/api/jobs") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
        assert (await answer.json())["code"] == "method_not_allowed"


async def test_an_event_stream_is_never_compressed(web: aiohttp.ClientSession) -> None:
    async with web.get("/api/events", headers={"Accept-Encoding": "gzip"}) as answer:
        assert "Content-Encoding" not in answer.headers
        assert await answer.content.readline() == b"retry: 1000\n"
