"""An idempotency key asks for one thing: of a job in its tenant, of a batch for its caller; nobody foretells the id."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from api_calls import ADMINISTRATOR, JOB, Status, create, refused

from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2


@pytest.fixture
def key() -> str:
    return f"key-{uuid4()}"


async def make(jobs: Any, key: str | None = None, **fields: Any) -> Any:
    request = create(**fields)
    if key is not None:
        request.idempotency_key = key
    return (await jobs.CreateJob(request, metadata=ADMINISTRATOR)).job


async def batch(jobs: Any, key: str, /, **fields: Any) -> Any:
    request = jobs_pb.ExecuteJobsRequest(idempotency_key=key, **fields)
    return (await jobs.ExecuteJobs(request, metadata=ADMINISTRATOR)).batch


async def test_a_key_is_one_job_of_its_tenant(jobs: Any, key: str) -> None:
    ours = await make(jobs, key, tenant="ours")
    assert (await make(jobs, key, tenant="ours")).id == ours.id
    assert (await make(jobs, key, tenant="theirs")).id != ours.id
    assert UUID(ours.id).version == 8
    request = create(tenant="ours", title="another")
    request.idempotency_key = key
    status, code, _ = await refused(jobs.CreateJob(request, metadata=ADMINISTRATOR))
    assert (status, code) == (Status.ALREADY_EXISTS, "job_conflict")
    chosen = f"job-{uuid4()}"
    assert (await make(jobs, key, id=chosen)).id == chosen, "an id goes before a key"


async def test_a_key_is_one_execution_of_its_job(jobs: Any, key: str) -> None:
    one, other = await make(jobs), await make(jobs)
    asked = [jobs_pb.ExecuteJobRequest(job_id=job.id, idempotency_key=key) for job in (one, one, other)]
    answers = [(await jobs.ExecuteJob(request, metadata=ADMINISTRATOR)).job for request in asked]
    first, again, elsewhere = (answer.execution_id for answer in answers)
    assert first == again != elsewhere
    assert answers[0].version == answers[1].version
    assert UUID(first).version == 8
    await jobs.CancelJob(jobs_pb.CancelJobRequest(job_id=one.id), metadata=ADMINISTRATOR)
    repeated = (await jobs.ExecuteJob(asked[0], metadata=ADMINISTRATOR)).job
    assert not repeated.live, "asked again, it is answered as before"


async def test_what_was_refused_under_a_key_stays_refused(jobs: Any, key: str) -> None:
    job = await make(jobs)
    request = jobs_pb.ResubmitJobRequest(job_id=job.id, idempotency_key=key)
    for _ in range(2):
        status, code, _ = await refused(jobs.ResubmitJob(request, metadata=ADMINISTRATOR))
        assert (status, code) == (Status.FAILED_PRECONDITION, "illegal_transition")


async def test_a_key_is_of_each_call_on_its_own(jobs: Any, key: str) -> None:
    """A resubmission under the key of an execution is no repeat of it: it would say that all is well."""
    job = await make(jobs, agent_id="writer")
    await jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job.id, idempotency_key=key), metadata=ADMINISTRATOR)
    request = jobs_pb.ResubmitJobRequest(job_id=job.id, idempotency_key=key)
    assert (await refused(jobs.ResubmitJob(request, metadata=ADMINISTRATOR)))[1] == "illegal_transition"


async def test_a_key_is_one_agent(agents: Any, key: str) -> None:
    agent = resources_pb2.NewAgent(name=key, url="http://127.0.0.1:1/", protocol=resources_pb2.PROTOCOL_HTTP)
    request = agents_pb.CreateAgentRequest(agent=agent, idempotency_key=key)
    first, again = [(await agents.CreateAgent(request, metadata=ADMINISTRATOR)).agent.id for _ in range(2)]
    assert first == again
    assert UUID(first).version == 8


async def test_a_key_is_one_batch_whatever_its_jobs_are(jobs: Any, key: str) -> None:
    ours, theirs = await make(jobs, tenant="ours"), await make(jobs, tenant="theirs")
    first = await batch(jobs, key, job_ids=[ours.id])
    assert (await batch(jobs, key, job_ids=[ours.id])).id == first.id
    more = await make(jobs, tenant="ours")
    for other in (theirs, more):
        request = jobs_pb.ExecuteJobsRequest(idempotency_key=key, job_ids=[other.id])
        status, code, _ = await refused(jobs.ExecuteJobs(request, metadata=ADMINISTRATOR))
        assert (status, code) == (Status.ALREADY_EXISTS, "batch_conflict")


async def test_a_job_that_comes_meanwhile_makes_no_other_batch_of_a_key(jobs: Any, key: str) -> None:
    known, unknown = await make(jobs, tenant="ours", agent_id="writer"), f"job-{uuid4()}"
    first = await batch(jobs, key, job_ids=[known.id, unknown])
    assert [item.code for item in first.items] == ["", "unknown_job"]
    await make(jobs, tenant="theirs", id=unknown)
    assert (await batch(jobs, key, job_ids=[known.id, unknown])).id == first.id


async def test_ids_of_a_batch_cannot_be_foretold(jobs: Any, key: str) -> None:
    new = [resources_pb2.NewJob(**JOB, tenant=tenant) for tenant in ("ours", "theirs")]
    made = await batch(jobs, key, jobs=new)
    ids = [made.id, *(item.job_id for item in made.items), *(item.execution_id for item in made.items)]
    assert {UUID(one).version for one in ids} == {8}
    assert len(set(ids)) == 5


async def test_a_key_is_bounded(jobs: Any) -> None:
    request = create()
    request.idempotency_key = "x" * 256
    calls = [
        jobs.CreateJob(request, metadata=ADMINISTRATOR),
        jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id="a", idempotency_key="x" * 256), metadata=ADMINISTRATOR),
        jobs.ExecuteJobs(jobs_pb.ExecuteJobsRequest(idempotency_key="x" * 256), metadata=ADMINISTRATOR),
    ]
    for call in calls:
        status, code, message = await refused(call)
        assert (status, code) == (Status.INVALID_ARGUMENT, "invalid_request")
        assert "255" in message
