"""A call that fails is answered with a code and leaves one line, which names the job and holds nothing of the body."""

import contextlib
import gc
import logging
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
from api_calls import ADMINISTRATOR, EXECUTOR, TOKENS, Status, refused
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status as GoogleStatus
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import text
from support.factories import execute_requested
from support.fakes import until
from support.jobstore.steps import new_job

from jobstore.access.tokens import Tokens
from jobstore.api.server import CallInterceptor, create_server, set_serving
from jobstore.engine.database import Database
from jobstore.errors import InvalidError, RefusedError
from servicekit.errors import DoubtfulError, TransientError
from signoff import UNREACHABLE, AsyncClient, SignoffError
from signoff.connection import make_error
from signoff.status import Role
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1.job_service_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server
from signoff.worker.v1 import work_service_pb2 as work_pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub

TOKEN = TOKENS[Role.ADMINISTRATOR][0]
FUNCTION = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a bug'; END $$"
TRIGGER = "CREATE TRIGGER fail BEFORE INSERT ON job_logs FOR EACH ROW WHEN (NEW.job_id = 'bad') EXECUTE FUNCTION fail()"


class Failing(JobServiceServicer):
    """Fails at every call by one error."""

    error: Exception | type[Exception] = TransientError("why", code="database_read_only")

    async def CancelJob(self, *_: Any) -> Any:  # noqa: N802 - gRPC's name
        raise self.error


@pytest.fixture
async def failing() -> Any:
    server, _ = create_server(Tokens(TOKENS))
    servicer = Failing()
    add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield servicer, JobServiceStub(channel)
    await server.stop(0)


def lines(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.name == CallInterceptor.__module__]


@pytest.mark.parametrize(
    ("error", "answer", "level"),
    [
        (TransientError("why", code="database_busy"), (Status.UNAVAILABLE, "database_busy", "why"), "WARNING"),
        (DoubtfulError("why", code="database_error"), (Status.INTERNAL, "database_error", "its log says"), "ERROR"),
        (KeyError("why"), (Status.INTERNAL, "internal", "its log says"), "ERROR"),
        (ValueError("why"), (Status.INVALID_ARGUMENT, "invalid_request", "why"), "INFO"),
    ],
)
async def test_each_failure_leaves_one_line_with_the_job(
    failing: Any, caplog: pytest.LogCaptureFixture, error: Exception, answer: tuple[Status, str, str], level: str
) -> None:
    caplog.set_level(logging.INFO)
    status, code, told = answer
    failing[0].error = error
    request = jobs_pb.CancelJobRequest(job_id="job-7", reason="a secret")
    metadata = (("authorization", f"Bearer {TOKEN}"),)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await failing[1].CancelJob(request, metadata=metadata)
    assert failed.value.code() is status
    assert dict(failed.value.trailing_metadata() or ())["signoff-code"] == code
    assert told in str(failed.value.details())
    (line,) = lines(caplog)
    assert (line.levelname, line.job_id, line.code, line.status) == (level, "job-7", code, status.name)
    assert line.method == "/signoff.v1.JobService/CancelJob"
    assert "secret" not in str(vars(line))


def details_of(error: grpc.aio.AioRpcError) -> dict[str, Any]:
    """What google.rpc.Status says of an error, by the kinds of its details."""
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    status, kinds = GoogleStatus.FromString(packed), (BadRequest, ErrorInfo, RetryInfo)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    told = {}
    for detail in status.details:
        kind = next(each for each in kinds if detail.Is(each.DESCRIPTOR))
        told[kind.__name__] = kind.FromString(detail.value)
    return told


async def test_an_error_has_the_details_of_the_rich_error_model(failing: Any) -> None:
    servicer, stub = failing
    metadata, request = (("authorization", f"Bearer {TOKEN}"),), jobs_pb.CancelJobRequest(job_id="job-7")
    servicer.error = InvalidError("is no UUID", field="execution_id")
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.CancelJob(request, metadata=metadata)
    told = details_of(failed.value)
    assert told.keys() == {"ErrorInfo", "BadRequest"}
    info, (wrong,) = told["ErrorInfo"], told["BadRequest"].field_violations
    assert (info.reason, info.domain, dict(info.metadata)) == ("INVALID_REQUEST", "signoff", {"job_id": "job-7"})
    assert (wrong.field, wrong.description) == ("execution_id", "is no UUID")
    assert failed.value.details() == "execution_id: is no UUID"
    error = make_error(failed.value)
    assert (error.retryable, error.fields) == (False, [("execution_id", "is no UUID")])
    servicer.error = TransientError("why", code="kafka_unavailable", retry_after_s=2.5)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await stub.CancelJob(request, metadata=metadata)
    told = details_of(failed.value)
    assert told.keys() == {"ErrorInfo", "RetryInfo"}
    assert told["RetryInfo"].retry_delay.ToTimedelta() == timedelta(seconds=2.5)
    assert make_error(failed.value).retryable


async def test_however_much_is_wrong_the_error_fits_into_what_a_client_takes(failing: Any) -> None:
    failing[0].error = InvalidError("ä" * 200, field="job_id")
    failing[0].error.violations *= 100
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await failing[1].CancelJob(jobs_pb.CancelJobRequest(), metadata=(("authorization", f"Bearer {TOKEN}"),))
    assert failed.value.code() is Status.INVALID_ARGUMENT
    assert 0 < len(make_error(failed.value).fields) < 10


async def test_a_malformed_resource_is_told_by_the_fields_of_the_request(jobs: Any) -> None:
    request = jobs_pb.CreateJobRequest(job={"title": "", "acceptance_criteria": "x", "priority": 10})
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await jobs.CreateJob(request, metadata=ADMINISTRATOR)
    wrong = details_of(failed.value)["BadRequest"].field_violations
    assert {(each.field, each.description) for each in wrong} == {
        ("job.title", "must be given"),
        ("job.priority", "must be at most 9"),
    }


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("unknown_agent", Status.NOT_FOUND),
        ("too_many_judgings", Status.RESOURCE_EXHAUSTED),
        ("storage_full", Status.RESOURCE_EXHAUSTED),
        ("of_tomorrow", None),
    ],
)
async def test_the_status_is_that_of_the_code_and_else_that_of_the_family(
    failing: Any, code: str, status: Status | None
) -> None:
    failing[0].error = RefusedError("why", code=code)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await failing[1].CancelJob(jobs_pb.CancelJobRequest(), metadata=(("authorization", f"Bearer {TOKEN}"),))
    assert failed.value.code() is (status or Status.FAILED_PRECONDITION)


class FailingOnce(Failing):
    """Fails at the first call, and answers the second."""

    calls = 0

    async def GetJob(self, *_: Any) -> Any:  # noqa: N802 - gRPC's name
        self.calls += 1
        if self.calls == 1:
            raise self.error
        return jobs_pb.GetJobResponse()


@pytest.mark.parametrize(
    ("error", "calls"),
    [(RefusedError("why", code="too_many_judgings"), 2), (TransientError("why"), 2), (RefusedError("why"), 1)],
)
async def test_our_client_tries_again_what_is_retryable_and_nothing_else(error: Exception, calls: int) -> None:
    server, _ = create_server(Tokens(TOKENS))
    servicer = FailingOnce()
    servicer.error = error
    add_JobServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with AsyncClient(f"127.0.0.1:{port}", TOKEN, read=lambda answer: answer) as client:
        with contextlib.suppress(SignoffError):
            await client.get_job("job-7")
    assert servicer.calls == calls
    await server.stop(0)


async def test_a_refused_token_leaves_a_line_too(jobs: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert (await refused(jobs.GetJob(jobs_pb.GetJobRequest(job_id="x" * 1_000), metadata=())))[1] == "unauthenticated"
    (line,) = lines(caplog)
    assert (line.levelname, line.code, line.method) == ("INFO", "unauthenticated", "/signoff.v1.JobService/GetJob")
    assert not hasattr(line, "job_id"), "what was not admitted is not read"


async def test_what_is_answered_leaves_no_line(jobs: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await jobs.ListJobs(jobs_pb.ListJobsRequest(), metadata=ADMINISTRATOR)
    assert lines(caplog) == []


async def test_a_claim_at_which_the_database_fails_alone_is_to_be_made_again(
    channel: grpc.aio.Channel, database: Database
) -> None:
    """Its batch is answered at once; the worker tries the one claim again."""
    async with database.transaction() as connection:
        await connection.execute(text(FUNCTION))
        await connection.execute(text(TRIGGER))
    requests = [execute_requested(job_id=job_id, job=new_job()) for job_id in ("good", "bad", "better")]
    claims = [work_pb.ExecutionClaim(request=event.model_dump_json().encode()) for event in requests]
    work: Any = WorkServiceStub(channel)
    request = work_pb.BeginExecutionsRequest(owner=str(uuid4()), room=9, claims=claims)
    try:
        answers = (await work.BeginExecutions(request, metadata=EXECUTOR)).answers
    finally:
        async with database.transaction() as connection:
            await connection.execute(text("DROP TRIGGER fail ON job_logs"))
            await connection.execute(text("DROP FUNCTION fail()"))
    names = [work_pb.ClaimOutcome.Name(answer.outcome).removeprefix("CLAIM_OUTCOME_") for answer in answers]
    assert names == ["GRANTED", "DOUBTFUL", "GRANTED"]
    assert answers[1].code == "database_error"


async def test_a_health_check_says_why_nothing_is_served() -> None:
    server, health = create_server(Tokens(TOKENS))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"127.0.0.1:{port}"
    async with AsyncClient(address, TOKEN) as client, grpc.aio.insecure_channel(address) as channel:
        await set_serving(health, ready=False, outage="database_forbidden")
        assert await client.find_outage() == "database_forbidden"
        stub: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "signoff.worker.v1.WorkService"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
        await set_serving(health, ready=True)
        assert await client.find_outage() is None
        await server.stop(0)
        assert await client.find_outage() == UNREACHABLE


async def test_a_call_that_failed_is_forgotten_at_once(failing: Any) -> None:
    """Thousands of refused calls held each other, and hundreds of MiB, until Python looked for what is unused."""
    metadata = (("authorization", f"Bearer {TOKEN}"),)
    failing[0].error = ValueError  # another one for each call

    def count_calls() -> int:
        return sum(type(each).__name__ == "_ServicerContext" for each in gc.get_objects())

    gc.collect()
    gc.disable()
    others = count_calls()  # of servers of other tests of this process
    try:
        for _ in range(20):
            with pytest.raises(grpc.aio.AioRpcError):
                await failing[1].CancelJob(jobs_pb.CancelJobRequest(job_id="job-7"), metadata=metadata)
        await until(lambda: count_calls() < others + 5)
    finally:
        gc.enable()
