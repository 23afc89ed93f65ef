"""Batches as operations: stored first, then accepted job by job by whichever process is there, and counted."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from batch_world import World, ended, new
from support.jobstore.steps import Steps

from jobstore.errors import InvalidError, RefusedError
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as resources


async def test_who_dies_while_accepting_leaves_a_batch_that_another_goes_on_with(world: World) -> None:
    request = jobs_pb.ExecuteJobsRequest(jobs=[new(payload_json='{"n":1.0}') for _ in range(5)], idempotency_key="k")
    batch_id = await world.crashed(request)
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 2, "WAITING": 3}
    assert len(await world.sql("SELECT 1 FROM executions")) == 2

    await world.worked()
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 5}
    rows = await world.sql("SELECT job_id, batch_id FROM executions")
    assert Counter(row.batch_id for row in rows) == {batch_id: 5}
    assert await world.sql("SELECT 1 FROM operation_items WHERE spec IS NOT NULL") == []
    versions = await world.sql("SELECT version FROM jobs WHERE batch_id = :id", id=batch_id)
    assert [row.version for row in versions] == [2] * 5  # created and requested, once

    again = await world.execute(request)
    assert (again.id, [item.accepted for item in again.items]) == (str(batch_id), [True] * 5)


async def test_asking_again_waits_for_what_is_not_answered_yet(world: World) -> None:
    request = jobs_pb.ExecuteJobsRequest(jobs=[new() for _ in range(3)], idempotency_key="again")
    await world.crashed(request)
    first, second = await asyncio.gather(world.execute(request), world.execute(request))
    assert first.counts == second.counts == {"ASSIGNED": 3}
    assert len(await world.sql("SELECT 1 FROM executions")) == 3


async def test_a_key_is_one_batch_and_of_other_jobs_a_conflict(world: World) -> None:
    one, other = await world.jobs(2)
    request = jobs_pb.ExecuteJobsRequest(job_ids=[one.job_id], idempotency_key="key")
    batch = await world.execute(request)
    assert (await world.execute(request)).id == batch.id
    request.job_ids.append(other.job_id)
    with pytest.raises(InvalidError) as conflict:
        await world.execute(request)
    assert conflict.value.code == "idempotency_key_reused"
    labels = {str(n): "x" for n in range(20)}
    several = [new(labels=labels), new(labels=dict(reversed(labels.items())))]
    batches = [await world.execute(jobs_pb.ExecuteJobsRequest(jobs=[job], idempotency_key="map")) for job in several]
    assert batches[0].id == batches[1].id


async def test_items_of_one_id_and_other_contents_are_refused_one_by_one(world: World) -> None:
    job_id = f"twice-{uuid4()}"
    jobs = [new(id=job_id), new(id=job_id, title="Another"), new(), new(id=job_id, tenant="another"), new(id=job_id)]
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(jobs=jobs, idempotency_key=uuid4().hex))
    codes = [item.code for item in batch.items]
    assert codes == ["", "job_conflict", "", "job_conflict", ""]
    assert len({item.execution_id for item in batch.items if item.job_id == job_id and not item.code}) == 1
    assert len(await world.sql("SELECT 1 FROM executions WHERE job_id = :id", id=job_id)) == 1


async def test_a_job_of_a_batch_that_an_older_version_accepted_is_refused_alone(world: World) -> None:
    """Its criteria break a bound that was not known then; nothing else of the batch waits for it."""
    batch_id = await world.crashed(jobs_pb.ExecuteJobsRequest(jobs=[new() for _ in range(4)]))
    query = 'UPDATE operation_items SET spec = \'{"title": "t", "acceptance_criteria": "optional: a"}\''
    await world.sql(f"{query} WHERE operation_id = :id AND item = 3", id=batch_id)
    await world.worked()
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 3, "REFUSED": 1}
    ((code,),) = await world.sql("SELECT code FROM operation_items WHERE operation_id = :id AND item = 3", id=batch_id)
    assert code == "no_required_criterion"


async def test_a_batch_takes_the_jobs_that_match_a_filter(world: World) -> None:
    tenant = uuid4().hex
    chosen = await world.jobs(3, tenant=tenant, labels={"team": "a", "n": "1"})
    await world.jobs(1, tenant=tenant, labels={"team": "b"})
    (failed,) = await world.jobs(1, tenant=tenant, labels={"team": "a"})
    await world.executed([failed])
    await ended(failed)

    filter_ = {"tenant": tenant, "labels": {"team": "a"}, "statuses": [resources.JOB_STATUS_ASSIGNED]}
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(filter=filter_))
    assert [item.job_id for item in batch.items] == [job.job_id for job in chosen]
    assert batch.counts == {"ASSIGNED": 3}
    by_batch = await world.execute(jobs_pb.ExecuteJobsRequest(filter={"batch_id": batch.id}))
    assert [item.code for item in by_batch.items] == ["execution_live"] * 3


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"filter": {"tenant": "nobody's"}}, RefusedError, "nothing_matches"),
        ({"filter": {}}, InvalidError, "invalid_request"),
        ({"filter": {"tenant": "a"}, "job_ids": ["a"]}, InvalidError, "invalid_request"),
        ({"job_ids": ["a"] * 10_001}, InvalidError, "batch_too_large"),
    ],
)
async def test_what_is_no_batch_leaves_none(world: World, fields: Any, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as refused:
        await world.execute(jobs_pb.ExecuteJobsRequest(**fields))
    assert refused.value.code == code  # type: ignore[attr-defined]
    assert await world.sql("SELECT 1 FROM operations") == []


async def test_a_filter_that_takes_too_many_is_refused_whole(world: World) -> None:
    many = "INSERT INTO jobs SELECT (json_populate_record(j, json_build_object('id', j.id || '/' || n))).* "
    (job,) = await world.jobs(1, tenant="many")
    await world.sql(many + "FROM jobs j, generate_series(1, 10000) AS n WHERE id = :id", id=job.job_id)
    with pytest.raises(InvalidError) as refused:
        await world.execute(jobs_pb.ExecuteJobsRequest(filter={"tenant": "many"}))
    assert refused.value.code == "batch_too_large"
    assert await world.sql("SELECT 1 FROM operation_items") == []
    await world.sql("DELETE FROM jobs WHERE id LIKE :like", like=f"{job.job_id}/%")


async def test_a_batch_tells_how_it_goes_and_when_it_has_ended(world: World) -> None:
    jobs = await world.jobs(4)
    batch = await world.executed([*jobs, Steps(world.database, world.runner)])
    began = await world.stands(batch.id)
    assert (began.state, began.total, began.rate_per_s, began.ends_at) == ("RUNNING", 5, 0.0, None)
    assert began.counts == {"ASSIGNED": 4, "REFUSED": 1}
    await world.sql("UPDATE operations SET created_at = now() - interval '10 s' WHERE id = :id", id=batch.id)
    for job in jobs[:2]:
        await ended(job)
    going = await world.stands(batch.id)
    assert going.counts == {"ASSIGNED": 2, "FAILED": 2, "REFUSED": 1}
    assert going.rate_per_s == pytest.approx(0.2, rel=0.1)
    assert going.ends_at is not None
    assert (going.ends_at - going.created_at).total_seconds() == pytest.approx(20, rel=0.1)
    await world.worked()
    assert (await world.stands(batch.id)).state == "RUNNING"
    for job in jobs[2:]:
        await ended(job)
    await world.worked()
    done = await world.stands(batch.id)
    assert (done.state, done.counts, done.ends_at) == ("DONE", {"FAILED": 4, "REFUSED": 1}, None)
    await world.worked()
    assert (await world.stands(batch.id)).finished_at == done.finished_at is not None


async def test_a_batch_of_which_nothing_is_accepted_has_ended(world: World) -> None:
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(job_ids=["nobody"]))
    state = resources.OperationState.Name(batch.state)
    assert (state, batch.counts, batch.items[0].code) == ("OPERATION_STATE_DONE", {"REFUSED": 1}, "unknown_job")
