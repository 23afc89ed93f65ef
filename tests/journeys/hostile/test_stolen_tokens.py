"""Who steals a worker's token can do the work of that worker, and nobody else's: only what was judged is COMPLETED."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest
from aiokafka import AIOKafkaConsumer
from support.system import WAIT_S, Agent, Judge, System

from contracts.criteria import parse_criteria
from contracts.events import Event, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.judging.policy import Verdict
from contracts.signing import SIGNATURE_HEADER, SigningKey
from localstack.datadir import DataDir
from servicekit.kafka.publisher import to_record
from servicekit.leasing.client import read_lease
from signoff.judging import CriterionVerdict
from signoff.status import JobStatus, Outcome, ReportKind
from signoff.types import JobLog
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub

CRITERIA = 'Says "blue"\nIs not empty'


class Thief:
    """A client of WorkService with a stolen token, who can write to the broker as well."""

    def __init__(self, system: System, channel: grpc.aio.Channel, token: str) -> None:
        self._system = system
        self._stub = WorkServiceStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.owner = str(uuid4())

    async def begin_execution(self, execution_id: UUID, job_id: str) -> pb.ExecutionAnswer:
        body = ExecuteRequested(execution_id=execution_id, job_id=job_id).model_dump_json().encode()
        claim = pb.ExecutionClaim(request=body)
        request = pb.BeginExecutionsRequest(owner=self.owner, room=1, claims=[claim])
        (answer,) = (await self._stub.BeginExecutions(request, metadata=self._metadata)).answers
        return answer

    async def begin_judging(self, record: Any) -> pb.JudgingAnswer:
        signature = dict(record.headers)[SIGNATURE_HEADER].decode()
        claim = pb.JudgingClaim(result=record.value, signature=signature)
        request = pb.BeginJudgingsRequest(owner=self.owner, room=1, model_and_prompt="a thief", claims=[claim])
        (answer,) = (await self._stub.BeginJudgings(request, metadata=self._metadata)).answers
        return answer

    async def judging(self, record: Any, above: int = 0) -> SigningKey:
        """Claim a judging until a lease above a number is granted; until it is spent, the same one is granted again."""
        async with asyncio.timeout(WAIT_S):
            while (answer := await self.begin_judging(record)).lease.lease <= above:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
        return read_lease(answer.lease)

    async def renew(self, kind: "pb.WorkKind.ValueType", *leases: pb.Lease) -> list["pb.LeaseState.ValueType"]:
        """Renew leases, and give them back as well."""
        given_back = [pb.GivenBackLease(lease=lease, begun=False) for lease in leases]
        request = pb.RenewLeasesRequest(owner=self.owner, kind=kind, held=leases, given_back=given_back)
        return list((await self._stub.RenewLeases(request, metadata=self._metadata)).held)

    async def publish(self, event: Event, key: SigningKey) -> None:
        record = to_record(event, "thief", signed_by=key)
        await self._system.producer.send_and_wait(record.topic, record.value, record.key, headers=record.headers)


@asynccontextmanager
async def thief(system: System, token: str) -> AsyncIterator[Thief]:
    async with grpc.aio.insecure_channel(system.endpoints["grpc"]) as channel:
        yield Thief(system, channel, DataDir(system.endpoints_file.parent).get_secret(token))


def results(logs: list[JobLog]) -> list[Any]:
    """What the log says that the agent answered."""
    return [entry.result for entry in logs if entry.kind == "result"]


async def refused(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def read(system: System, topic: str, is_wanted: Callable[[Any], bool]) -> Any:
    """The first record of a topic that is wanted, once there is one."""
    kafka = system.endpoints["kafka"]
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(WAIT_S):
            async for record in consumer:
                if is_wanted(record):
                    return record
    raise AssertionError


def report(execution_id: UUID, job_id: str, lease: int, criteria: str = CRITERIA) -> JobStatusReported:
    """A verdict that passes everything."""
    judged = [
        CriterionVerdict(**one.model_dump(), outcome=Outcome.PASS, evidence=["blue"])
        for one in parse_criteria(criteria)
    ]
    return JobStatusReported(
        execution_id=execution_id,
        job_id=job_id,
        attempt=1,
        lease=lease,
        seq=1,
        kind=ReportKind.VERDICT,
        verdict=Verdict.of(judged, "a thief's"),
        reported_at=datetime.now(UTC),
    )


def result(execution_id: UUID, job_id: str, lease: int, text: str) -> ResultProduced:
    return ResultProduced(
        execution_id=execution_id,
        job_id=job_id,
        attempt=1,
        lease=lease,
        acceptance_criteria="Is anything",
        result={"text": text},
        produced_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(("text", "ends"), [("The sky is blue.", True), ("The sky is red.", False)])
async def test_what_an_executors_thief_produces_is_judged_like_all_else(
    system: System, judge: Judge, agent: Agent, text: str, *, ends: bool
) -> None:
    """The thief takes a job before any executor does, says that it is done, and must still convince the judge."""
    job = await system.create(policy={"max_submissions": 1, "reuse_verdict": False})
    execution_id, asked = uuid4(), judge.asked
    async with thief(system, "executor_token") as stranger:
        key = read_lease((await stranger.begin_execution(execution_id, job.id)).grant.lease)
        for lease in (key.lease, key.lease + 1):
            await stranger.publish(report(execution_id, job.id, lease), key)
        await stranger.publish(result(execution_id, job.id, key.lease, text), key)
        await stranger.publish(report(execution_id, job.id, key.lease + 1), key)
        done = await system.at_rest(job.id)
    logs = await system.logs(job.id)
    assert (done.status is JobStatus.COMPLETED) is ends
    assert judge.asked > asked
    assert results(logs) == [{"text": text}]
    assert "a thief's" not in str(logs)
    assert job.id not in agent.calls


async def test_an_executors_thief_takes_no_work_over_and_judges_nothing(system: System, agent: Agent) -> None:
    job, execution_id, called, release = await system.create(), uuid4(), asyncio.Event(), asyncio.Event()

    async def slow(_: dict[str, Any]) -> dict[str, str]:
        called.set()
        await release.wait()
        return {"text": "The sky is blue."}

    agent.answers[job.id] = slow
    await system.client.execute_job(job.id, execution_id)
    await asyncio.wait_for(called.wait(), WAIT_S)
    async with thief(system, "executor_token") as stranger:
        other = await system.create()
        own = read_lease((await stranger.begin_execution(uuid4(), other.id)).grant.lease)
        answer = await stranger.begin_execution(execution_id, job.id)
        assert (answer.outcome, answer.HasField("grant")) == (pb.CLAIM_OUTCOME_DUPLICATE, False)
        for proof in ("", own.sign(stranger.owner.encode())):
            held = pb.Lease(execution_id=str(execution_id), lease=1, proof=proof)
            assert await stranger.renew(pb.WORK_KIND_EXECUTING, held) == [pb.LEASE_STATE_LOST]
            refusal = await refused(stranger.renew(pb.WORK_KIND_JUDGING, held))
            assert refusal is grpc.StatusCode.PERMISSION_DENIED
        await stranger.publish(result(execution_id, job.id, 1, "blue, says the thief"), own)
        release.set()
        record = await read(system, "result-produced", lambda r: r.key == job.id.encode() and b"thief" not in r.value)
        assert await refused(stranger.begin_judging(record)) is grpc.StatusCode.PERMISSION_DENIED
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert (len(agent.calls[job.id]), "thief" in str(await system.logs(job.id))) == (1, False)


async def test_a_validators_thief_calls_no_agent_and_changes_no_result(system: System, agent: Agent) -> None:
    """It takes a judging before the validator does. Its verdict on other criteria is no verdict."""
    pid = system.kill("validator", signal.SIGSTOP)
    try:
        job, execution_id = await system.create(), uuid4()
        await system.client.execute_job(job.id, execution_id)
        record = await read(system, "result-produced", lambda r: r.key == job.id.encode())
        async with thief(system, "validator_token") as stranger:
            assert await refused(stranger.begin_execution(uuid4(), job.id)) is grpc.StatusCode.PERMISSION_DENIED
            first = await stranger.judging(record)
            await stranger.publish(report(execution_id, job.id, first.lease, "Is anything"), first)
            key = await stranger.judging(record, above=first.lease)
            held = pb.Lease(execution_id=str(execution_id), lease=1, proof=key.sign(stranger.owner.encode()))
            assert await refused(stranger.renew(pb.WORK_KIND_EXECUTING, held)) is grpc.StatusCode.PERMISSION_DENIED
            for lease in (1, key.lease):
                await stranger.publish(result(execution_id, job.id, lease, "blue, says the thief"), key)
            code, body = await asyncio.wait_for(buried(system, execution_id), WAIT_S)
            assert (code, body["result"]) == (b"bad_signature", {"text": "blue, says the thief"})
    finally:
        system.kill("validator", signal.SIGCONT)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert system.endpoints["processes"]["validator"] == pid
    logs = await system.logs(job.id)
    assert results(logs) == [{"text": "The sky is blue."}]
    assert (len(agent.calls[job.id]), "thief" in str(logs)) == (1, False)


async def buried(system: System, execution_id: UUID) -> tuple[bytes, Any]:
    """Why the report of an execution became a dead letter, and its body."""
    id_ = str(execution_id).encode()
    letter = await read(system, "result-produced-dlq", lambda r: id_ in r.value)
    return dict(letter.headers)["dlq-error-code"], json.loads(letter.value)
