"""Batches as operations: stored first, then accepted job by job by whichever process is there, and counted."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
from batch_world import NOBODY, World, asked, ended, new, spend
from support.jobstore.steps import Steps, verdict
from support.jobstore.terms import IDS

from contracts.resources import Policy
from jobstore.errors import InvalidError, RefusedError
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.operations.worker import OperationWorker
from signoff.status import Outcome, ReportKind
from signoff.types import read_model
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources
from signoff.wire import read_fields


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
    assert again.id == str(batch_id)
    assert [(item.outcome, item.code) for item in await world.items(batch_id)] == [("ASSIGNED", None)] * 5


async def test_items_of_a_batch_wait_while_a_storage_is_full_and_go_on_by_themselves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_id = await world.crashed(jobs_pb.ExecuteJobsRequest(jobs=[new() for _ in range(5)]))
    with monkeypatch.context() as full:
        full.setattr(world.runner, "find_full", lambda: "the disk is 96% full")
        await world.worked()
        assert (await world.stands(batch_id)).counts == {"ASSIGNED": 2, "WAITING": 3}
        with pytest.raises(RefusedError, match="96% full"):
            await world.execute(jobs_pb.ExecuteJobsRequest(jobs=[new()]))
    await world.sql("UPDATE operations SET turn_at = now() WHERE id = :id", id=batch_id)  # its rest is over
    await world.worked()
    assert (await world.stands(batch_id)).counts == {"ASSIGNED": 5}


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
    items = await world.items(batch.id)
    assert [item.code for item in items] == [None, "job_conflict", None, "job_conflict", None]
    assert len({item.execution_id for item in items if item.job_id == job_id and not item.code}) == 1
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
    assert [item.job_id for item in await world.items(batch.id)] == [job.job_id for job in chosen]
    assert batch.counts == {"ASSIGNED": 3}
    by_batch = await world.execute(jobs_pb.ExecuteJobsRequest(filter={"batch_id": batch.id}))
    assert [item.code for item in by_batch.refused] == ["execution_live"] * 3


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
    assert (state, batch.counts, batch.refused[0].code) == ("OPERATION_STATE_DONE", {"REFUSED": 1}, "unknown_job")


async def execute_alone(world: World, job: Steps) -> None:
    job.execution_id = uuid4()
    await world.runner.submit.run_one(ExecuteJob(job.job_id, job.execution_id, chosen=True, actor=SIGNOFF))


async def test_an_operation_tells_what_its_own_executions_have_cost(world: World) -> None:
    early, late, waits = await world.jobs(3)
    await execute_alone(world, early)
    await spend(early, 2.0)
    batch = await world.executed([early, late, waits])
    assert (batch.cost_usd, batch.tokens, batch.progress) == ("0", 0, 0)
    await spend(early, 0.5)
    await spend(late, 0.25)
    await execute_alone(world, late)
    await spend(late, 4.0)
    stands = await world.stands(batch.id)
    assert (float(stands.cost_usd or 0), stands.tokens) == (0.75, 75)
    assert stands.progress == pytest.approx(2 / 3)
    listed = (await world.doors.ListOperations(pb.ListOperationsRequest(page_size=1), NOBODY)).operations
    assert (read_model(listed[0]).cost_usd, listed[0].tokens) == (stands.cost_usd, 75)


async def test_what_follows_by_policy_is_part_of_the_cost(world: World) -> None:
    policy = resources.Policy(resubmit=resources.RESUBMIT_AUTOMATIC, max_submissions=3)
    (job,) = await world.jobs(1, policy=Policy(**read_fields(policy)))
    batch = await world.executed([job])
    await spend(job, 0.5, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    assert job.execution_id is not None
    job.execution_id = IDS.derive_next(job.execution_id)
    await spend(job, 0.25, ReportKind.VERDICT, verdict=verdict(Outcome.PASS))
    stands = await world.stands(batch.id)
    assert (stands.counts, float(stands.cost_usd or 0), stands.tokens) == ({"COMPLETED": 1}, 0.75, 75)


async def test_an_operation_that_executes_nothing_has_no_cost(world: World) -> None:
    (job,) = await world.jobs(1)
    new = resources.NewOperation(kind=resources.OPERATION_KIND_CANCEL, job_ids=[job.job_id])
    made = (await world.doors.CreateOperation(pb.CreateOperationRequest(operation=new), NOBODY)).operation
    assert (made.HasField("cost_usd"), made.HasField("tokens")) == (False, False)


async def test_a_batch_of_ten_thousand_is_answered_in_little(world: World) -> None:
    """Most of it is refused: even the reasons are told by pages."""
    (job,) = await world.jobs(1)
    worker = OperationWorker(world.database, world.runner)
    ids = [job.job_id, *(f"nobody-{number}" for number in range(9_999))]
    response = await world.serving(worker).ExecuteJobs(jobs_pb.ExecuteJobsRequest(job_ids=ids), NOBODY)
    made = response.operation
    assert (made.total, dict(made.counts)) == (10_000, {"ASSIGNED": 1, "REFUSED": 9_999})
    assert [item.item for item in made.refused] == [*range(1, 11)]
    read = (await world.doors.GetOperation(asked(pb.GetOperationRequest, made.id), NOBODY)).operation
    for answer in (made, read):
        assert answer.ByteSize() < 64 * 1024
        assert len(read_model(answer).model_dump_json()) < 64 * 1024
    items = await world.batches.list_items(made.id, 500, 9_498, [])
    assert [(item.code, bool(item.message)) for item in items] == [("unknown_job", True)] * 500
    assert items[-1].item == 9_998
