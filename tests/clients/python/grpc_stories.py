"""The stories over gRPC, with the code that grpcio-tools makes of the protobuf files."""

import json
import os
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import field_mask_pb2
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from telling import new_id, run, until

from signoff.v1 import agent_service_pb2 as agents
from signoff.v1 import agent_service_pb2_grpc as agents_grpc
from signoff.v1 import job_service_pb2 as jobs
from signoff.v1 import job_service_pb2_grpc as jobs_grpc
from signoff.v1 import operations_service_pb2 as operations
from signoff.v1 import operations_service_pb2_grpc as operations_grpc
from signoff.v1 import resources_pb2 as pb
from signoff.v1 import verdict_pb2

CHANNEL = grpc.insecure_channel(os.environ["SIGNOFF_JOBSTORE"])
METADATA = (("authorization", f"Bearer {os.environ['SIGNOFF_TOKEN']}"),)
JOBS, OPERATIONS = jobs_grpc.JobServiceStub(CHANNEL), operations_grpc.OperationsServiceStub(CHANNEL)
AGENTS = agents_grpc.AgentServiceStub(CHANNEL)


def new_job(payload: Any = None, agent_id: str = "writer", labels: dict[str, str] | None = None) -> pb.NewJob:
    text = json.dumps({"text": "blue"} if payload is None else payload)
    new = pb.NewJob(id=new_id(), title="A story", acceptance_criteria='Says "blue"', agent_id=agent_id, labels=labels)
    new.payload_json = text
    return new


def make(payload: Any = None, agent_id: str = "writer", labels: dict[str, str] | None = None) -> str:
    request = jobs.CreateJobRequest(job=new_job(payload, agent_id, labels))
    return JOBS.CreateJob(request, metadata=METADATA).job.id


def read(job_id: str) -> pb.Job:
    return JOBS.GetJob(jobs.GetJobRequest(job_id=job_id), metadata=METADATA).job


def execute(job_id: str) -> None:
    JOBS.ExecuteJob(jobs.ExecuteJobRequest(job_id=job_id), metadata=METADATA)


def wait(job_id: str, status: pb.JobStatus.ValueType) -> pb.Job:
    return until(lambda: read(job_id), lambda job: job.status == status)


def refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, error_details_pb2.ErrorInfo, list[str]]:
    """Return the status, the `ErrorInfo` and the fields of the `BadRequest` with which a call is refused."""
    error = None
    try:
        call()
    except grpc.RpcError as refused:
        error = refused
    assert isinstance(error, grpc.Call)
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for each in status_pb2.Status.FromString(details).details:
        each.Unpack(info)
        each.Unpack(bad)
    return error.code(), info, [field.field for field in bad.field_violations]


def job_runs() -> None:
    job_id = make()
    execute(job_id)
    job = wait(job_id, pb.JOB_STATUS_COMPLETED)
    assert "blue" in job.result_json
    assert job.verdict.is_valid
    assert [each.outcome for each in job.verdict.criteria] == [verdict_pb2.CRITERION_OUTCOME_PASS]


def key_repeats() -> None:
    request = jobs.ExecuteJobRequest(job_id=make(), idempotency_key=new_id())
    first, _ = JOBS.ExecuteJob.with_call(request, metadata=METADATA)
    again, call = JOBS.ExecuteJob.with_call(request, metadata=METADATA)
    assert first.execution.id == again.execution.id
    assert ("idempotency-replayed", "true") in [(key, value) for key, value in call.trailing_metadata()]


def unknown_member() -> None:
    new = new_job()
    new.priority = 12
    status, info, fields = refusal(lambda: JOBS.CreateJob(jobs.CreateJobRequest(job=new), metadata=METADATA))
    assert (status, info.reason, fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", ["job.priority"])


def stale_edit() -> None:
    job_id, mask = make(), field_mask_pb2.FieldMask(paths=["title"])

    def edit(title: str) -> None:
        request = jobs.UpdateJobRequest(job_id=job_id, job=pb.NewJob(title=title), update_mask=mask, version=1)
        JOBS.UpdateJob(request, metadata=METADATA)

    edit("New")
    _, info, _ = refusal(lambda: edit("Newer"))
    assert info.reason == "VERSION_CONFLICT"
    assert read(job_id).title == "New"


def pages() -> None:
    labels = {"team": new_id()}
    made = {make(labels=labels) for _ in range(5)}
    request = jobs.ListJobsRequest(filter=pb.JobFilter(labels=labels), page_size=2)
    found, sizes = list[str](), list[int]()
    while not sizes or request.page_token:
        page = JOBS.ListJobs(request, metadata=METADATA)
        found += [job.id for job in page.jobs]
        sizes.append(len(page.jobs))
        request.page_token = page.next_page_token
    assert (set(found), sizes) == (made, [2, 2, 1])


def watch_resumes() -> None:
    job_id = make()
    live = JOBS.WatchJobs(jobs.WatchJobsRequest(job_ids=[job_id]), metadata=METADATA)
    place = next(event.cursor for event in live if event.HasField("job"))
    execute(job_id)
    first = next(event for event in live if event.HasField("log") and event.cursor > place)
    live.cancel()
    versions = [first.log.version]
    for event in JOBS.WatchJobs(jobs.WatchJobsRequest(job_ids=[job_id], after=first.cursor), metadata=METADATA):
        versions += [event.log.version] if event.HasField("log") else []
        if event.log.job_status == pb.JOB_STATUS_COMPLETED:
            break
    assert versions == [*range(versions[0], versions[-1] + 1)]


def batch_of_twenty() -> None:
    request = jobs.ExecuteJobsRequest(jobs=[new_job() for _ in range(20)])
    batch = JOBS.ExecuteJobs(request, metadata=METADATA).operation
    asked = operations.GetOperationRequest(operation_id=batch.id)
    until(
        lambda: OPERATIONS.GetOperation(asked, metadata=METADATA).operation,
        lambda each: each.state == pb.OPERATION_STATE_DONE,
    )
    items = operations.ListOperationItemsRequest(operation_id=batch.id, page_size=8)
    outcomes = list[list[pb.ItemOutcome.ValueType]]()
    while not outcomes or items.page_token:
        page = OPERATIONS.ListOperationItems(items, metadata=METADATA)
        outcomes.append([item.outcome for item in page.items])
        items.page_token = page.next_page_token
    assert outcomes == [[pb.ITEM_OUTCOME_COMPLETED] * size for size in (8, 8, 4)]


def cancel() -> None:
    job_id = make({"agent": {"delay_s": 60}})
    execute(job_id)
    wait(job_id, pb.JOB_STATUS_IN_PROGRESS)
    JOBS.CancelJob(jobs.CancelJobRequest(job_id=job_id), metadata=METADATA)
    assert until(lambda: read(job_id), lambda job: not job.live).cancelled


def failure_says_why() -> None:
    job_id = make({"agent": {"status": 422}})
    execute(job_id)
    assert wait(job_id, pb.JOB_STATUS_FAILED).code == "agent_status"
    assert not JOBS.ExplainJob(jobs.ExplainJobRequest(job_id=job_id), metadata=METADATA).waiting.reasons


def agent_is_paused() -> None:
    new = pb.NewAgent(id=new_id(), name="Story", url=os.environ["STORIES_AGENT_URL"])
    agent = AGENTS.CreateAgent(agents.CreateAgentRequest(agent=new), metadata=METADATA).agent
    pause = operations.PauseRequest(name=f"agent:{agent.id}", paused=True)
    assert OPERATIONS.Pause(pause, metadata=METADATA).limit.paused
    job_id = make(agent_id=agent.id)
    execute(job_id)
    asked = jobs.ExplainJobRequest(job_id=job_id)
    waiting = until(lambda: JOBS.ExplainJob(asked, metadata=METADATA).waiting.reasons, lambda reasons: len(reasons) > 0)
    assert [reason.code for reason in waiting] == ["limit_paused"]
    pause.paused = False
    assert not OPERATIONS.Pause(pause, metadata=METADATA).limit.paused
    wait(job_id, pb.JOB_STATUS_COMPLETED)


run(
    job_runs,
    key_repeats,
    unknown_member,
    stale_edit,
    pages,
    watch_resumes,
    batch_of_twenty,
    cancel,
    failure_says_why,
    agent_is_paused,
)
