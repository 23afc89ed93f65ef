"""Calls are counted and timed by method and status, whoever makes them, and logged one by one on demand."""

import asyncio
import logging
from typing import Any

import grpc
import pytest
from api_calls import TOKENS
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY
from prometheus_client.values import MutexValue
from support.fakes import until

from jobstore.access.tokens import Tokens
from jobstore.api.server import create_server
from signoff.status import Role
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1.job_service_pb2_grpc import JobServiceServicer, JobServiceStub, add_JobServiceServicer_to_server

METADATA = (("authorization", f"Bearer {TOKENS[Role.ADMINISTRATOR][0]}"),)
CANCEL, WATCH = "signoff.v1.JobService/CancelJob", "signoff.v1.JobService/WatchJobs"


class Answering(JobServiceServicer):
    """Answers a cancel once it may, and a watch by one event, after which it lasts."""

    may_end = asyncio.Event()

    async def CancelJob(self, request: Any, _: Any) -> Any:  # noqa: N802 - gRPC's name
        if request.job_id == "failing":
            raise ZeroDivisionError
        await self.may_end.wait()
        return jobs_pb.CancelJobResponse()

    async def WatchJobs(self, _: Any, __: Any) -> Any:  # noqa: N802 - gRPC's name
        yield jobs_pb.WatchJobsResponse()
        await asyncio.Event().wait()


@pytest.fixture
async def stub() -> Any:
    Answering.may_end = asyncio.Event()
    server, _ = create_server(Tokens(TOKENS))
    add_JobServiceServicer_to_server(Answering(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield JobServiceStub(channel), channel, f"127.0.0.1:{port}"
    await server.stop(0)


def count(method: str, code: str) -> float:
    return REGISTRY.get_sample_value("signoff_grpc_requests_total", {"method": method, "code": code}) or 0.0


def timed(method: str) -> float:
    return REGISTRY.get_sample_value("signoff_grpc_request_duration_seconds_count", {"method": method}) or 0.0


def under_way(kind: str) -> float | None:
    return REGISTRY.get_sample_value("signoff_grpc_requests_under_way", {"kind": kind})


async def ended(call: Any, code: grpc.StatusCode) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    assert raised.value.code() is code


async def test_calls_are_counted_by_how_they_end_and_timed(stub: Any) -> None:
    jobs, *_ = stub
    codes = ("OK", "UNAUTHENTICATED", "INTERNAL", "CANCELLED")
    before, times = {code: count(CANCEL, code) for code in codes}, timed(CANCEL)
    await ended(jobs.CancelJob(jobs_pb.CancelJobRequest()), grpc.StatusCode.UNAUTHENTICATED)
    failing = jobs_pb.CancelJobRequest(job_id="failing")
    await ended(jobs.CancelJob(failing, metadata=METADATA), grpc.StatusCode.INTERNAL)
    gone = jobs.CancelJob(jobs_pb.CancelJobRequest(), metadata=METADATA)
    await until(lambda: under_way("call") == 1)
    gone.cancel()
    await until(lambda: count(CANCEL, "CANCELLED") > before["CANCELLED"])
    Answering.may_end.set()
    await jobs.CancelJob(jobs_pb.CancelJobRequest(), metadata=METADATA)
    await until(lambda: {code: count(CANCEL, code) - before[code] for code in codes} == dict.fromkeys(codes, 1))
    assert timed(CANCEL) - times == 4
    assert under_way("call") == 0


async def test_a_watch_is_under_way_until_it_ends_and_its_time_is_none_of_a_request(stub: Any) -> None:
    jobs, *_ = stub
    watch = jobs.WatchJobs(jobs_pb.WatchJobsRequest(), metadata=METADATA)
    await watch.read()
    assert under_way("watch") == 1
    before = count(WATCH, "CANCELLED")
    watch.cancel()
    await until(lambda: count(WATCH, "CANCELLED") == before + 1)
    assert (under_way("watch"), timed(WATCH)) == (0, 0)


async def test_methods_that_strangers_make_up_are_one(stub: Any) -> None:
    _, channel, _ = stub
    before = count("unknown", "UNIMPLEMENTED")
    for number in range(3):
        await ended(channel.unary_unary(f"/made.Up/M{number}")(b"", metadata=METADATA), grpc.StatusCode.UNIMPLEMENTED)
    await until(lambda: count("unknown", "UNIMPLEMENTED") == before + 3)
    named = {s.labels["method"] for f in REGISTRY.collect() if f.name == "signoff_grpc_requests" for s in f.samples}
    assert not [name for name in named if name.startswith("made")]


async def test_a_call_changes_three_values(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its counter, and a bucket and the sum of its duration, as docs/metrics.md says."""
    jobs, *_ = stub
    Answering.may_end.set()
    changes, change = list[object](), MutexValue.inc
    monkeypatch.setattr(MutexValue, "inc", lambda *given: (changes.append(given), change(*given)))
    before = count(CANCEL, "OK")
    await jobs.CancelJob(jobs_pb.CancelJobRequest(), metadata=METADATA)
    await until(lambda: count(CANCEL, "OK") == before + 1)
    assert len(changes) == 3


async def test_connections_are_counted_until_they_end(stub: Any) -> None:
    def connections() -> float | None:
        return REGISTRY.get_sample_value("signoff_grpc_connections")

    _, _, address = stub
    options = [("grpc.use_local_subchannel_pool", 1)]
    await until(lambda: connections() == 0)
    channels = [grpc.aio.insecure_channel(address, options=options) for _ in range(3)]
    for channel in channels:
        await channel.channel_ready()
    await until(lambda: connections() == 3)
    for channel in channels:
        await channel.close()
    await until(lambda: connections() == 0)


async def test_health_is_told_and_not_counted(stub: Any) -> None:
    _, channel, _ = stub
    await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert count("grpc.health.v1.Health/Check", "OK") == 0


async def test_each_call_is_a_line_once_somebody_wants_lines(stub: Any, caplog: pytest.LogCaptureFixture) -> None:
    jobs, *_ = stub
    Answering.may_end.set()
    request, before = jobs_pb.CancelJobRequest(job_id="job-1", reason="secret words"), count(CANCEL, "OK")
    await jobs.CancelJob(request, metadata=METADATA)
    with caplog.at_level(logging.DEBUG, "requests"):
        await jobs.CancelJob(request, metadata=METADATA)
        await until(lambda: count(CANCEL, "OK") == before + 2)
    (line,) = [record for record in caplog.records if record.name == "requests.grpc"]
    told = {name: getattr(line, name) for name in ("method", "status", "role", "job_id")}
    assert told == {"method": f"/{CANCEL}", "status": "OK", "role": "administrator", "job_id": "job-1"}
    assert "secret" not in str(vars(line))
