"""Operations on all jobs that match, over REST: previewed, made, watched, and reported job by job."""

import pytest
from streams import stream
from support.fake_operations import id_of

from contracts.resources import NewJob
from signoff.types import Operation, OperationItem, OperationPreview

K = id_of("k")


@pytest.fixture(autouse=True)
async def jobs(jobstore):
    for job_id, ends in (("a", "COMPLETED"), ("b", "FAILED"), ("c", "COMPLETED")):
        new = NewJob(
            id=job_id, title=job_id, acceptance_criteria="c", agent_id="writer", payload={"ends": ends}, tenant="t"
        )
        await jobstore.add(new)


async def post(http, path, body=None, key="k"):
    async with http.post(path, json=body, headers={"Idempotency-Key": key}) as answer:
        return answer.status, await answer.json(), answer.headers.get("Location")


async def get(http, path, **params):
    async with http.get(path, params=params) as answer:
        return answer.status, await answer.json()


async def test_an_operation_is_previewed_without_being_made(http, jobstore):
    body = {"kind": "execute", "filter": {"tenant": "t"}}
    status, preview, _ = await post(http, "/api/operations/preview", body)
    assert (status, set(preview)) == (200, set(OperationPreview.model_fields))
    assert (preview["total"], preview["counts"], preview["cost_usd"]) == (3, {"ASSIGNED": 3}, "2.5")
    assert [job["id"] for job in preview["sample"]] == ["a", "b", "c"]
    assert not jobstore.operations


async def test_an_operation_is_made_once_listed_and_reported(http):
    body = {"kind": "execute", "filter": {"tenant": "t"}, "name": "nightly"}
    for _ in range(2):
        status, made, location = await post(http, "/api/operations", body)
        assert (status, made["id"], location) == (201, K, f"/api/operations/{K}")
    assert set(made) <= set(Operation.model_fields)
    assert (made["name"], made["filter"]["tenant"], made["counts"]) == ("nightly", "t", {"COMPLETED": 2, "FAILED": 1})
    assert (await get(http, f"/api/operations/{K}"))[1] == made
    await post(http, "/api/operations", {"kind": "cancel", "job_ids": ["a"]}, key="other")
    assert len((await get(http, "/api/operations"))[1]["items"]) == 2
    for path, params in (("/api/operations", {"kind": "execute"}), ("/api/batches", {})):
        assert [each["id"] for each in (await get(http, path, **params))[1]["items"]] == [K]

    first = (await get(http, f"/api/operations/{K}/items", page_size=2))[1]
    last = (await get(http, f"/api/operations/{K}/items", page_token=first["next_page_token"]))[1]
    found = first["items"] + last["items"]
    assert set(found[0]) <= set(OperationItem.model_fields)
    assert [(item["job_id"], item["outcome"]) for item in found] == [
        ("a", "COMPLETED"), ("b", "FAILED"), ("c", "COMPLETED")
    ]  # fmt: skip
    failed = (await get(http, f"/api/operations/{K}/items", outcome="FAILED"))[1]["items"]
    assert [item["job_id"] for item in failed] == ["b"]

    status, retried, location = await post(http, f"/api/operations/{K}/retry", {"name": "again"}, key="r")
    assert (status, retried["retry_of"], retried["name"], location) == (
        201,
        K,
        "again",
        f"/api/operations/{id_of('r')}",
    )


async def test_an_operation_is_paused_resumed_cancelled_and_watched(http, jobstore):
    await jobstore.add(NewJob(id="d", title="d", acceptance_criteria="c", agent_id="writer"))
    await post(http, "/api/operations", {"kind": "execute", "job_ids": ["d"]})
    async with stream(http, f"/api/operations/{K}/events") as events:
        assert (await events.next()).data["state"] == "RUNNING"
        for word, state in (("pause", "PAUSED"), ("resume", "RUNNING"), ("cancel", "CANCELLED")):
            assert (await post(http, f"/api/operations/{K}/{word}"))[1]["state"] == state
        with pytest.raises(EOFError):
            await events.take(1_000)
    for path in (f"/api/operations/{id_of('x')}", f"/api/operations/{id_of('x')}/events"):
        status, problem = await get(http, path)
        assert (status, problem["code"]) == (404, "unknown_batch")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kind": "delete", "job_ids": ["a"]},
        {"kind": "execute"},
        {"kind": "execute", "filter": {}},
        {"kind": "execute", "filter": {"tenant": "t"}, "job_ids": ["a"]},
        {"kind": "assign", "job_ids": ["a"]},
        {"kind": "cancel", "job_ids": ["a"], "comment": "c"},
        {"kind": "execute", "job_ids": ["a"], "name": "\0"},
        {"kind": "execute", "filter": {"created_after": 5}},
    ],
)
@pytest.mark.parametrize("path", ["/api/operations", "/api/operations/preview"])
async def test_what_is_no_operation_is_a_problem(http, jobstore, path, body):
    assert (await post(http, path, body))[0] == 422
    assert not jobstore.operations
