"""Batches and limits over REST: asked for, watched, paused, cancelled, run again."""

import asyncio

import pytest
from grpc import StatusCode
from streams import stream
from support.fake_jobstore import Refusal
from support.fake_operations import id_of

from contracts.resources import NewJob
from signoff.status import JobLogStatus
from signoff.types import Limit, Operation

WRITER = {"id": "writer", "name": "Writer", "url": "http://127.0.0.1:1/"}


def job(job_id, ends=None, **fields):
    payload = None if ends is None else {"ends": ends}
    return NewJob(id=job_id, title=job_id, acceptance_criteria="c", agent_id="writer", payload=payload, **fields)


async def asked(http, body, key="k"):
    async with http.post("/api/batches", json=body, headers={"Idempotency-Key": key}) as answer:
        assert answer.status == 201, await answer.text()
        assert answer.headers["Location"] == f"/api/batches/{id_of(key)}"
        return await answer.json()


async def post(http, path, body=None):
    async with http.post(path, json=body) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("way", ["jobs", "job_ids", "filter"])
async def test_a_batch_counts_its_jobs_by_status(http, jobstore, way):
    jobs = [job(f"b{n}", "COMPLETED", tenant="a") for n in range(2)]
    if way != "jobs":
        for new in jobs:
            await jobstore.add(new)
    body = {
        "jobs": [new.model_dump(mode="json") for new in jobs],
        "job_ids": ["b0", "b1", "unknown"],
        "filter": {"tenant": "a", "statuses": ["ASSIGNED"]},
    }
    made = await asked(http, {way: body[way]})
    async with http.get(f"/api/batches/{made['id']}") as answer:
        batch = await answer.json()
    assert set(batch) <= set(Operation.model_fields)
    refused = {"REFUSED": 1} if way == "job_ids" else {}
    assert (batch["state"], batch["counts"]) == ("DONE", {"COMPLETED": 2} | refused)
    assert (batch["total"], len(batch["refused"])) == (2 + len(refused), len(refused))


async def test_a_batch_and_an_operation_are_one_resource_at_two_doors(http, jobstore):
    for name in ("a", "b"):
        await jobstore.add(job(name, "FAILED"))
    made = await asked(http, {"job_ids": ["a", "unknown", "b"]})
    assert [(item["job_id"], item["code"]) for item in made["refused"]] == [("unknown", "unknown_job")]
    assert "items" not in made
    answers = {}
    for door in ("batches", "operations"):
        answers[door] = []
        for path in ("", "/items", "/items?outcome=REFUSED", "/items?page_size=2"):
            async with http.get(f"/api/{door}/{made['id']}{path}") as answer:
                answers[door].append(await answer.json())
        async with http.head(f"/api/{door}/{made['id']}") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with http.post(f"/api/{door}/{made['id']}/retry", headers={"Idempotency-Key": door}) as answer:
            assert (answer.status, answer.headers["Location"]) == (201, f"/api/{door}/{id_of(door)}")
    assert answers["batches"] == answers["operations"]
    assert answers["batches"][0]["counts"] == {"FAILED": 2, "REFUSED": 1}


async def test_operations_that_execute_are_listed_as_batches(http, jobstore):
    await jobstore.add(job("a"))
    batch_id = (await asked(http, {"job_ids": ["a"]}))["id"]
    await post(http, "/api/operations", {"kind": "cancel", "job_ids": ["a"]})
    for query, ids in (("", [batch_id]), ("?kind=execute&kind=cancel", [batch_id]), ("?kind=cancel", [])):
        async with http.get(f"/api/batches{query}") as answer:
            assert [each["id"] for each in (await answer.json())["items"]] == ids
    async with http.get("/api/operations") as answer:
        assert len((await answer.json())["items"]) == 2


@pytest.mark.parametrize("body", [{}, {"job_ids": ["a"], "filter": {}}, {"job_ids": ["a"], "jobs": [{}]}])
async def test_a_batch_is_asked_for_in_one_way(http, jobstore, body):
    assert (await post(http, "/api/batches", body))[0] == 422
    assert not jobstore.operations


async def test_a_key_of_another_batch_is_a_conflict(http, jobstore):
    jobstore.refusals["ExecuteJobs"] = Refusal(StatusCode.INVALID_ARGUMENT, "idempotency_key_reused")
    status, problem = await post(http, "/api/batches", {"job_ids": ["a"]})
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_batches_are_listed_newest_first_and_their_jobs_by_batch(http, jobstore):
    for name in ("a", "b", "c"):
        await jobstore.add(job(name))
        await asked(http, {"job_ids": [name]}, key=name)
    async with http.get("/api/batches", params={"page_size": 2}) as answer:
        first = await answer.json()
    async with http.get("/api/batches", params={"page_token": first["next_page_token"]}) as answer:
        last = await answer.json()
    assert [batch["id"] for batch in first["items"] + last["items"]] == [id_of(name) for name in "cba"]
    assert set(first["items"][0]) <= set(Operation.model_fields)
    async with http.get("/api/jobs", params={"batch_id": id_of("b")}) as answer:
        assert [found["id"] for found in (await answer.json())["items"]] == ["b"]
    async with http.get("/api/jobs", params={"batch_id": "b"}) as answer:
        assert answer.status == 422


async def test_a_batch_is_paused_resumed_and_cancelled(http, jobstore):
    await jobstore.add(job("a"))
    batch_id = (await asked(http, {"job_ids": ["a"]}))["id"]
    for word, state in (("pause", "PAUSED"), ("resume", "RUNNING")):
        status, operation = await post(http, f"/api/batches/{batch_id}/{word}")
        assert (status, operation["state"]) == (200, state)
    said = {"reason": "no more"}
    assert (await post(http, f"/api/batches/{batch_id}/cancel", said))[1]["state"] == "CANCELLED"
    (cancel,) = [r for r in jobstore.requests if type(r).__name__ == "CancelOperationRequest"]
    assert cancel.reason == "no more"
    status, problem = await post(http, f"/api/batches/{batch_id}/pause")
    assert (status, problem["code"]) == (409, "operation_ended")
    status, problem = await post(http, "/api/batches/unknown/resume")
    assert (status, problem["code"]) == (404, "unknown_batch")


async def test_what_failed_of_a_batch_is_a_batch_again(http, jobstore):
    for name, ends in (("a", "FAILED"), ("b", "COMPLETED"), ("c", "REJECTED")):
        await jobstore.add(job(name, ends))
    batch_id = (await asked(http, {"job_ids": ["a", "b", "c"]}))["id"]
    status, retried = await post(http, f"/api/batches/{batch_id}/retry")
    assert (status, retried["retry_of"]) == (201, batch_id)
    async with http.get(f"/api/batches/{retried['id']}/items") as answer:
        assert [item["job_id"] for item in (await answer.json())["items"]] == ["a"]
    status, problem = await post(http, f"/api/batches/{batch_id}/retry", {"statuses": ["PENDING"]})
    assert (status, problem["code"]) == (409, "nothing_to_retry")


async def test_a_batch_is_watched_to_its_end(http, jobstore):
    await jobstore.add(job("a"))
    batch_id = (await asked(http, {"job_ids": ["a"]}))["id"]
    async with stream(http, f"/api/batches/{batch_id}/events") as events:
        first = await events.next()
        assert (first.name, first.data["state"], first.data["counts"]) == ("operation", "RUNNING", {"IN_PROGRESS": 1})
        await jobstore.record("a", JobLogStatus.COMPLETED)
        last = await events.next()
        assert (last.data["state"], last.data["counts"]) == ("DONE", {"COMPLETED": 1})
        with pytest.raises(EOFError):
            await events.next()
    async with http.get("/api/batches/unknown/events") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_batch")


@pytest.mark.parametrize("live", [{"ping_s": 0.01}], indirect=True)
async def test_who_watches_a_batch_is_pinged_and_let_go_when_the_console_stops(http, live, jobstore):
    await jobstore.add(job("a"))
    batch_id = (await asked(http, {"job_ids": ["a"]}))["id"]
    async with stream(http, f"/api/batches/{batch_id}/events") as events, asyncio.timeout(10):
        names = set()
        while names != {"operation", "ping"}:
            names.add((await events.next()).name)
        live.close()
        with pytest.raises(EOFError):
            await events.take(1_000)


async def test_limits_are_set_listed_and_removed(http):
    new = {"concurrency": 3, "rate_period_s": 1.0, "queue_max": 9, "weight": 2.0, "paused": False}
    async with http.put("/api/limits/tenant:a", json=new) as answer:
        assert answer.status == 200
        assert (limit := await answer.json()) == new | {
            "name": "tenant:a",
            "version": 1,
            "updated_at": limit["updated_at"],
        }
    async with http.put("/api/limits/label:path=a%2Fb", json={"rate": 5}) as answer:
        assert (await answer.json())["name"] == "label:path=a/b"
    async with http.get("/api/limits") as answer:
        items = (await answer.json())["items"]
    assert [item["name"] for item in items] == ["label:path=a/b", "tenant:a"]
    assert set(items[0]) <= set(Limit.model_fields)
    async with http.delete("/api/limits/tenant:a") as answer:
        assert answer.status == 204
    async with http.delete("/api/limits/tenant:a") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_limit")
    async with http.put("/api/limits/tenant:a", json={"concurrency": -1}) as answer:
        assert answer.status == 422
        assert (await answer.json())["errors"][0]["pointer"] == "#/concurrency"


async def test_a_tenants_money_is_limited_in_decimal_text(http):
    new = {"usd_per_day": 20, "judge_policies": ["cheap", "standard"]}
    async with http.put("/api/limits/tenant:press", json=new) as answer:
        made = await answer.json()
    assert (made["usd_per_day"], made["judge_policies"]) == ("20", ["cheap", "standard"])
    for wrong in ({"usd_per_day": 0}, {"usd_per_day": "0.0000000001"}, {"judge_policies": ["Dear"]}, {"agents_usd": 0}):
        async with http.patch("/api/limits/tenant:press", json=wrong) as answer:
            assert answer.status == 422
    async with http.patch("/api/limits/tenant:press", json={"usd_per_day": None, "judge_policies": []}) as answer:
        assert {"usd_per_day", "judge_policies"}.isdisjoint(await answer.json())


async def test_limits_are_confirmed_as_they_are_set(http, jobstore):
    async with http.put("/api/limits/tenant:a", json={"concurrency": 3}):
        assert not jobstore.are_limits_confirmed
    async with http.post("/api/limits/confirm") as answer:
        assert (answer.status, [each["name"] for each in (await answer.json())["items"]]) == (200, ["tenant:a"])
    assert jobstore.are_limits_confirmed


async def test_agents_and_tenants_are_paused_and_resumed(http):
    await post(http, "/api/agents", WRITER)
    for word, paused in (("pause", True), ("resume", False)):
        status, agent = await post(http, f"/api/agents/writer/{word}")
        assert (status, agent["paused"]) == (200, paused)
        status, limit = await post(http, f"/api/tenants/a/{word}")
        assert (status, limit["name"], limit["paused"]) == (200, "tenant:a", paused)
    status, problem = await post(http, "/api/agents/nobody/pause")
    assert (status, problem["code"]) == (404, "unknown_agent")
