"""Jobs over REST: what goes in and what comes out."""

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from contracts.resources import NewJob
from signoff.status import JobLogStatus
from signoff.types import Reason, SavedJob, Waiting, WaitingSum
from signoff.v1 import job_service_pb2 as jobs_pb

NEW = {"title": "a poem", "acceptance_criteria": "It rhymes"}


async def create(http, **fields):
    async with http.post("/api/jobs", json=NEW | fields) as answer:
        assert answer.status == 201
        return await answer.json()


async def test_a_created_job_is_answered_with_its_location(http):
    async with http.post("/api/jobs", json=NEW | {"id": "poem-1"}) as answer:
        assert answer.status == 201
        assert answer.headers["Location"] == "/api/jobs/poem-1"
        job = await answer.json()
    assert job["status"] == "PENDING"
    assert set(job) <= {*SavedJob.model_fields, "criteria"}


async def test_criteria_are_given_in_either_form_and_answered_as_both(http):
    criteria = [{"text": "It rhymes", "required": True, "kind": "meets"}, {"text": "is long", "kind": "never"}]
    async with http.post("/api/jobs", json={"title": "a poem", "criteria": criteria}) as answer:
        job = await answer.json()
    assert (job["acceptance_criteria"], job["warnings"]) == ("It rhymes\nnever: is long", [])
    assert job["criteria"] == [criteria[0], {"text": "is long", "required": True, "kind": "never"}]
    async with http.get(f"/api/jobs/{job['id']}") as answer:
        assert (await answer.json())["criteria"] == job["criteria"]
    created = await create(http, acceptance_criteria="It rhymes\nIt must not be long")
    (warning,) = created["warnings"]
    assert (warning["code"], warning["criterion"]) == ("criterion_reads_as_absence", 1)


async def test_numbers_come_back_as_they_were_sent(http):
    payload = '{"big":123456789012345678901234567890,"small":0.1}'
    body = json.dumps(NEW)[:-1] + f', "id": "exact", "payload": {payload}}}'
    async with http.post("/api/jobs", data=body, headers={"Content-Type": "application/json"}) as answer:
        assert payload in await answer.text()
    async with http.get("/api/jobs/exact") as answer:
        assert payload in await answer.text()


async def test_one_idempotency_key_creates_one_job(http, jobstore):
    key = {"Idempotency-Key": "k1"}
    for _ in range(2):
        async with http.post("/api/jobs", json=NEW, headers=key) as answer:
            assert answer.status == 201
    async with http.post("/api/jobs", json=NEW | {"title": "another"}, headers=key) as answer:
        assert answer.status == 409
        assert (await answer.json())["code"] == "job_conflict"
    assert len(jobstore.jobs) == 1


async def test_one_idempotency_key_is_one_execution(http, jobstore):
    job = await create(http, agent_id="writer")
    for status, replayed in ((201, None), (200, "true")):
        async with http.post(f"/api/jobs/{job['id']}/execute", headers={"Idempotency-Key": "k"}) as answer:
            assert (answer.status, answer.headers.get("Idempotency-Replayed")) == (status, replayed)
            execution = await answer.json()
            assert execution["job_id"] == job["id"]
            assert answer.headers["Location"] == f"/api/executions/{execution['id']}"
    async with http.get(f"/api/executions/{execution['id']}") as answer:
        assert (answer.status, await answer.json()) == (200, execution)
    async with http.get(f"/api/executions/{uuid4()}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_execution")
    assert len({request.execution_id for request in jobstore.asked(jobs_pb.ExecuteJobRequest)}) == 1
    assert [log.status for log in jobstore.logs] == ["ASSIGNED", "ASSIGNED", "IN_PROGRESS"]


async def test_an_execution_id_in_the_body_comes_before_the_key(http):
    job = await create(http, agent_id="writer")
    execution_id = "0199d5a8-0000-7000-8000-000000000001"
    url, key = f"/api/jobs/{job['id']}/execute", {"Idempotency-Key": "k"}
    async with http.post(url, json={"execution_id": execution_id}, headers=key) as answer:
        assert (await answer.json())["id"] == execution_id


async def test_a_job_is_assigned_with_or_without_a_payload(http):
    job = await create(http, payload={"a": 1})
    url = f"/api/jobs/{job['id']}/assign"
    async with http.post(url, json={"agent_id": "writer"}) as answer:
        assert (await answer.json())["payload"] == {"a": 1}
    async with http.post(url, json={"agent_id": "writer", "payload": None}) as answer:
        assigned = await answer.json()
    assert assigned["payload"] is None
    assert assigned["status"] == "ASSIGNED"


async def test_a_job_is_cancelled_and_resubmitted(http, jobstore):
    job = await create(http, agent_id="writer", payload={"ends": "RESUBMISSION_REQUIRED"})
    async with http.post(f"/api/jobs/{job['id']}/cancel", json={"reason": "too early"}) as answer:
        assert answer.status == 200
    await http.post(f"/api/jobs/{job['id']}/execute")
    async with http.post(f"/api/jobs/{job['id']}/resubmit", json={"comment": "shorter"}) as answer:
        assert (await answer.json())["submission"] == 2
    cancelled = jobstore.asked(jobs_pb.CancelJobRequest)[0]
    assert cancelled.reason == "too early"
    assert jobstore.asked(jobs_pb.ResubmitJobRequest)[0].comment == "shorter"


async def test_an_execution_is_cancelled_by_its_id(http, jobstore):
    job = await create(http, agent_id="writer")
    execution_id = "0199d5a8-0000-7000-8000-000000000001"
    async with http.post(f"/api/jobs/{job['id']}/cancel", json={"execution_id": execution_id}) as answer:
        assert (await answer.json())["id"] == job["id"]
    async with http.post(f"/api/executions/{execution_id}/cancel", json={"reason": "too late"}) as answer:
        cancelled = await answer.json()
    assert (cancelled["id"], cancelled["state"]) == (execution_id, "CANCELLED")
    asked = jobstore.asked(jobs_pb.CancelJobRequest)
    assert [(each.job_id, each.execution_id, each.reason) for each in asked] == [
        (job["id"], execution_id, ""),
        ("", execution_id, "too late"),
    ]
    async with http.post("/api/executions/no-uuid/cancel") as answer:
        assert answer.status == 422


async def test_a_list_goes_on_behind_its_page(http):
    ids = [(await create(http, id=f"job-{number}", labels={"team": "a"}))["id"] for number in range(3)]
    await create(http, id="other")
    async with http.get("/api/jobs", params={"label": "team:a", "status": "PENDING", "page_size": "2"}) as answer:
        first = await answer.json()
    async with http.get(
        "/api/jobs", params={"label": "team:a", "page_size": "2", "page_token": first["next_page_token"]}
    ) as answer:
        last = await answer.json()
    assert [job["id"] for job in first["items"] + last["items"]] == ids[::-1]
    assert "next_page_token" not in last
    async with http.get(
        "/api/jobs", params={"label": "team:a", "limit": "2", "cursor": first["next_page_token"]}
    ) as answer:
        assert await answer.json() == last, "earlier names are taken still"


@pytest.mark.parametrize("names", [{}, {"text": "q", "cost_usd_min": "spent_min", "criterion_not_met": "criterion"}])
async def test_a_filter_has_the_name_that_it_has_at_other_doors_and_its_earlier_one(http, jobstore, names):
    given = {"text": "moon", "cost_usd_min": "0.5", "criterion_not_met": "It rhymes"}
    async with http.get("/api/jobs", params={names.get(name, name): value for name, value in given.items()}) as answer:
        assert answer.status == 200, await answer.text()
    chosen = jobstore.asked(jobs_pb.ListJobsRequest)[-1].filter
    assert (chosen.text, chosen.cost_usd_min, chosen.criterion_not_met) == ("moon", "0.5", "It rhymes")


@pytest.mark.parametrize("sort", ["-cost", "-cost_usd"])
async def test_a_list_is_of_jobs_by_how_they_ended(http, jobstore, sort):
    given = {
        "cancelled": "false",
        "code": "agent_status",
        "criterion": "It rhymes",
        "id_part": "oem1",
        "spent_min": "0.5",
        "spent_max": "2",
        "duration_s_min": "1.5",
        "duration_s_max": "60",
        "sort": sort,
    }
    async with http.get("/api/jobs", params=given) as answer:
        assert answer.status == 200, await answer.text()
    asked = jobstore.asked(jobs_pb.ListJobsRequest)[-1]
    chosen = asked.filter
    assert (chosen.HasField("cancelled"), chosen.cancelled, list(chosen.codes)) == (True, False, ["agent_status"])
    assert (chosen.criterion_not_met, chosen.id_part) == ("It rhymes", "oem1")
    assert (chosen.cost_usd_min, chosen.cost_usd_max) == ("0.5", "2")
    assert (chosen.duration_s_min, chosen.duration_s_max) == (1.5, 60.0)
    assert asked.order == jobs_pb.JOB_ORDER_COST_DESC
    for name, wrong in (("spent_min", "-1"), ("duration_max", "nan"), ("id_part", "abc"), ("criterion", "")):
        async with http.get("/api/jobs", params={name: wrong}) as answer:
            assert answer.status == 422, name


async def test_a_list_is_of_what_waits_for_a_reason(http, jobstore):
    given = {"reason": ["no_worker", "limit_paused:agent:a:b", ""]}
    for address, request in (("/api/jobs", jobs_pb.ListJobsRequest), ("/api/job-counts", jobs_pb.CountJobsRequest)):
        async with http.get(address, params=given) as answer:
            assert answer.status == 200, await answer.text()
        assert [*jobstore.asked(request)[-1].filter.reasons] == ["no_worker", "limit_paused:agent:a:b"]
    async with http.get("/api/jobs", params={"reason": "paused"}) as answer:
        assert answer.status == 422
        told = await answer.text()
    assert "reason: must be one of not_before" in told


BATCH_ID = "0199d5a8-0000-7000-8000-00000000000a"


async def test_a_list_leaves_out_what_is_negated(http, jobstore):
    given = {name: ["a:1", "b:2"] for name in ("not_agent_id", "not_tenant", "not_label", "not_code")}
    given |= {"not_batch_id": [BATCH_ID], "not_criterion_not_met": ["It rhymes"]}
    for address, request in (("/api/jobs", jobs_pb.ListJobsRequest), ("/api/job-counts", jobs_pb.CountJobsRequest)):
        async with http.get(address, params=given) as answer:
            assert answer.status == 200, await answer.text()
        chosen = jobstore.asked(request)[-1].filter
        assert [*chosen.not_agent_ids] == [*chosen.not_tenants] == [*chosen.not_labels] == ["a:1", "b:2"]
        assert [*chosen.not_codes] == ["a:1", "b:2"]
        assert ([*chosen.not_batch_ids], [*chosen.not_criteria_not_met]) == ([BATCH_ID], ["It rhymes"])
    for name, wrong in (
        ("not_label", "team"),
        ("not_agent_id", "?"),
        ("not_batch_id", "nightly"),
        ("not_status", "FAILED"),
        ("not_created_after", "2026-01-01T00:00:00Z"),
        ("not_cost_min", "1"),
    ):
        async with http.get("/api/jobs", params={name: wrong}) as answer:
            assert answer.status == 422, name
            assert name in await answer.text()


async def test_logs_are_listed_oldest_first(http):
    job = await create(http, agent_id="writer", payload={"ends": "COMPLETED"})
    await http.post(f"/api/jobs/{job['id']}/execute")
    async with http.get(f"/api/jobs/{job['id']}/logs") as answer:
        page = await answer.json()
    assert [log["status"] for log in page["items"]] == ["ASSIGNED", "ASSIGNED", "IN_PROGRESS", "COMPLETED"]
    assert {log["actor"] for log in page["items"]} == {"token:bootstrap"}
    assert "next_page_token" not in page


async def test_a_job_is_read_with_the_newest_entry_of_its_log(http, jobstore):
    job = await create(http, agent_id="writer")
    await jobstore.record(job["id"], JobLogStatus.FAILED, code="agent_status", result=1)
    for url in ("/api/jobs", f"/api/jobs/{job['id']}"):
        async with http.get(url) as answer:
            read = await answer.json()
        last = read.get("items", [read])[0]["last_log"]
        assert (last["version"], last["code"], "result" in last) == (2, "agent_status", False)


async def test_an_execution_may_begin_later(http, jobstore):
    job = await create(http, agent_id="writer")
    async with http.post(f"/api/jobs/{job['id']}/execute", json={"not_before": "2100-01-01T00:00:00Z"}) as answer:
        assert answer.status == 201
    (asked,) = jobstore.asked(jobs_pb.ExecuteJobRequest)
    assert asked.not_before.ToJsonString() == "2100-01-01T00:00:00Z"
    async with http.post(f"/api/jobs/{job['id']}/execute", json={"not_before": "2100-01-01T00:00:00"}) as answer:
        assert answer.status == 422  # of which time zone?


async def test_an_agent_is_registered_changed_and_disabled(http):
    agent = {"id": "writer", "name": "Writer", "url": "http://127.0.0.1:1/writer"}
    async with http.post("/api/agents", json=agent) as answer:
        assert answer.status == 201
        assert answer.headers["Location"] == "/api/agents/writer"
    async with http.put("/api/agents/writer", json=agent | {"capabilities": ["prose"]}) as answer:
        assert (await answer.json())["capabilities"] == ["prose"]
    async with http.post("/api/agents/writer/disable") as answer:
        assert (await answer.json())["enabled"] is False
    async with http.get("/api/agents") as answer:
        assert [item["id"] for item in (await answer.json())["items"]] == ["writer"]
    async with http.get("/api/agents/writer") as answer:
        assert (await answer.json())["protocol"] == "http"
    async with http.post("/api/agents", json=agent | {"protocol": "telnet"}) as answer:
        problem = await answer.json()
    messages = [each["message"] for each in problem["errors"]]
    async with http.patch("/api/agents/writer", json={"protocol": "http_async"}) as other:
        assert (other.status, (await other.json())["code"]) == (409, "agent_protocol_fixed")
    assert (answer.status, messages) == (422, ["must be http, http_async, openai, langgraph or a2a"])


async def test_headers_of_an_agent_are_references_and_what_is_none_is_not_said_again(http):
    agent = {"id": "keyed", "name": "Keyed", "url": "http://127.0.0.1:1/"}
    headers = {"Authorization": "env:SIGNOFF_AGENT_KEYED", "X-Key": "file:key"}
    async with http.post("/api/agents", json=agent | {"headers": headers}) as answer:
        assert (await answer.json())["headers"] == headers
    async with http.get("/api/agents/keyed") as answer:
        assert (await answer.json())["headers"] == headers
    for wrong in (
        {"X-Key": "s3cret"},
        {"Host": "env:SIGNOFF_AGENT_KEYED"},
        {"s3 cret": "file:key"},
        {"X-Key": ["s3cret"]},
    ):
        async with http.put("/api/agents/keyed", json=agent | {"headers": wrong}) as answer:
            said = await answer.text()
        assert (answer.status, "s3cret" in said, "s3 cret" in said) == (422, False, False)
        assert '"#/headers' in said


@pytest.mark.parametrize(
    ("action", "body", "kind"),
    [
        ("assign", {"agent_id": "writer"}, jobs_pb.AssignAgentRequest),
        ("execute", {}, jobs_pb.ExecuteJobRequest),
        ("resubmit", {}, jobs_pb.ResubmitJobRequest),
        ("cancel", {}, jobs_pb.CancelJobRequest),
    ],
)
async def test_if_match_counts_at_each_write(http, jobstore, action, body, kind):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="x", agent_id="writer"))
    url = f"/api/jobs/poem/{action}"
    async with http.post(url, json=body, headers={"If-Match": 'W/"1"', "Idempotency-Key": "k"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (412, "version_conflict")
    assert not jobstore.asked(kind)
    for tag in ('"1"', '"1-gzip"'):
        async with http.post(url, json=body, headers={"If-Match": tag, "Idempotency-Key": tag}) as answer:
            await answer.read()
        assert jobstore.asked(kind)[-1].version == 1


AT = datetime(2100, 1, 1, tzinfo=UTC)
REASON = Reason(code="no_room", name="executor", used=200, allowed=200, owner="operator", remedy="start more")


async def test_one_job_and_each_of_a_list_say_why_they_wait(http, jobstore):
    for job_id in ("waits", "rests"):
        await jobstore.add(NewJob(id=job_id, title="t", acceptance_criteria="c", agent_id="writer"))
    jobstore.waiting["waits"] = Waiting(since=AT, reasons=[REASON], place=3)
    async with http.get("/api/jobs/waits/waiting") as answer:
        told = await answer.json()
    assert (answer.status, told["place"], told["reasons"][0]["used"]) == (200, 3, 200)
    assert "ETag" not in answer.headers, "it changes without the job"
    async with http.get("/api/jobs/rests/waiting") as answer:
        assert (await answer.json())["reasons"] == []
    async with http.get("/api/jobs/nobody/waiting") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_job")
    async with http.get("/api/jobs", params={"view": "basic"}) as answer:
        items = {item["id"]: item.get("waiting") for item in (await answer.json())["items"]}
    assert (items["rests"], items["waits"]["reasons"][0]["code"]) == (None, "no_room")


async def test_the_overview_sums_up_why_executions_wait(http, jobstore):
    jobstore.waiting_sums = [WaitingSum(code="queue", count=4, owner="signoff", remedy="its turn comes")]
    async with http.get("/api/overview") as answer:
        assert [each["count"] for each in (await answer.json())["waiting"]] == [4]
