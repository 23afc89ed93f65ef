"""Lead 2,000 jobs through an older jobstore's own doors, until they stand everywhere that jobs can stand.

A script, which make_dump.py starts with that version's `proto` in front of its path: `lives`, and then, while nothing
reaches the broker, `unpublished`. It speaks the form that claims had before reports were signed, and today's.
"""

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import grpc
from aiokafka import AIOKafkaProducer

from signoff.v1 import agent_service_pb2, job_service_pb2, resources_pb2, work_service_pb2
from signoff.v1.agent_service_pb2_grpc import AgentServiceStub
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.v1.work_service_pb2_grpc import WorkServiceStub

CRITERIA = 'Says "blue"'
AT_ONCE = 40
CLAIMS = 100
#: What jobs do until the dump is made, and how many of them.
LIVES = {
    "pending": 150,
    "unmatched": 50,
    "assigned": 150,
    "assigned_later": 50,
    "edited": 50,
    "executing": 200,
    "telling": 50,
    "executing_once": 50,
    "retrying": 100,
    "result_offered": 150,
    "judging": 150,
    "met": 250,
    "not_met": 100,
    "submitted_again": 50,
    "rejected": 50,
    "failed": 100,
    "declined": 50,
    "cancelled": 50,
    "offered": 100,
    "queued": 50,
    "batched": 50,
}
UNPUBLISHED = 100
EARLY_CANCELS = 20
#: Of these lives the agent is called, and of these it answers.
ANSWERED = ("result_offered", "judging", "met", "not_met", "submitted_again", "rejected")
CALLED = (*ANSWERED, "executing", "telling", "executing_once", "retrying", "failed", "declined", "cancelled")

Job = tuple[str, UUID]


class Doors:
    """The doors of an older jobstore, and its tables, which say when it is done."""

    def __init__(self, channel: grpc.aio.Channel, producer: AIOKafkaProducer, database: asyncpg.Connection) -> None:
        self.jobs, self.agents = JobServiceStub(channel), AgentServiceStub(channel)
        self.work, self.producer, self.database = WorkServiceStub(channel), producer, database
        self.keys: dict[tuple[UUID, str], Any] = {}
        self.owners = {"executing": str(UUID(int=1)), "judging": str(UUID(int=2))}

    async def call(self, method: Any, request: Any, role: str = "") -> Any:
        name = f"SIGNOFF_{role.upper()}_TOKEN" if role else "SIGNOFF_TOKEN"
        token = os.environ.get(name) or os.environ["SIGNOFF_WORKER_TOKEN"]
        return await method(request, metadata=(("authorization", f"Bearer {token}"),), timeout=60)

    async def settled(self, query: str, count: int) -> None:
        """Wait until a query counts as many rows as there should be."""
        async with asyncio.timeout(120):
            while (found := await self.database.fetchval(query)) != count:
                sys.stdout.write(f"{found} of {count}: {query}\n")
                await asyncio.sleep(0.5)

    async def say_room(self, kind: str, room: int) -> None:
        number = work_service_pb2.WorkKind.Value(f"WORK_KIND_{kind.upper()}")
        request = work_service_pb2.RenewLeasesRequest(owner=self.owners[kind], kind=number, room=room)
        await self.call(self.work.RenewLeases, request, "executor" if kind == "executing" else "validator")

    async def publish(self, topic: str, use: str, bodies: Iterable[dict[str, Any]]) -> None:
        sending = []
        for body in bodies:
            value = json.dumps(body).encode()
            key = self.keys.get((UUID(body["execution_id"]), use))
            headers = [("signoff-signature", key.sign(value).encode())] if key else []
            partition_key = body.get("job_id", body["execution_id"]).encode()
            sending.append(await self.producer.send(topic, value, partition_key, headers=headers))
        await asyncio.gather(*sending)

    def keep_key(self, use: str, execution_id: UUID, lease: Any) -> int:
        """Keep the key of a lease, where leases have keys; return the lease's number."""
        if isinstance(lease, int):
            return lease
        from contracts.signing import SigningKey  # noqa: PLC0415 - older versions have none

        self.keys[execution_id, use] = SigningKey(execution_id, lease.lease, lease.secret_id, lease.key)
        return int(lease.lease)


async def each(items: Sequence[Any], act: Callable[[Any], Awaitable[Any]]) -> None:
    free = asyncio.Semaphore(AT_ONCE)

    async def run(item: Any) -> None:
        async with free:
            await act(item)

    await asyncio.gather(*map(run, items))


def has(message: Any, field: str) -> bool:
    """Whether a message of this version has a field."""
    return field in message.DESCRIPTOR.fields_by_name


async def create(doors: Doors, life: str, job_id: str) -> None:
    agent = None if life in {"pending", "unmatched", "assigned_later"} else "writer"
    policy = resources_pb2.Policy(max_submissions=1) if life == "rejected" else None
    if life == "executing_once":
        policy = resources_pb2.Policy(delivery=resources_pb2.DELIVERY_AT_MOST_ONCE)
    job = resources_pb2.NewJob(
        id=job_id, title=f"A job: {life}", acceptance_criteria=CRITERIA, agent_id=agent, policy=policy,
        payload_json='{"colour": "blue"}', labels={"life": life}, tenant=("default", "other")[int(job_id[-1]) % 2],
    )  # fmt: skip
    if life == "unmatched" and has(job, "capabilities"):
        job.capabilities.append("flying")
    await doors.call(doors.jobs.CreateJob, job_service_pb2.CreateJobRequest(job=job))


async def execute(doors: Doors, job: Job) -> None:
    request = job_service_pb2.ExecuteJobRequest(job_id=job[0], execution_id=str(job[1]))
    await doors.call(doors.jobs.ExecuteJob, request)


async def claim(doors: Doors, jobs: Sequence[Job]) -> dict[Job, int]:
    """Claim executions as an executor does."""
    leases = {}
    for chunk in _batched(jobs, CLAIMS):
        request = work_service_pb2.BeginExecutionsRequest(owner=doors.owners["executing"], room=CLAIMS)
        for job_id, execution_id in chunk:
            if has(work_service_pb2.ExecutionClaim, "request"):
                body = json.dumps({"job_id": job_id, "execution_id": str(execution_id)}).encode()
                request.claims.add(request=body)
            else:
                request.claims.add(job_id=job_id, execution_id=str(execution_id))
        response = await doors.call(doors.work.BeginExecutions, request, "executor")
        for job, answer in zip(chunk, response.answers, strict=True):
            assert answer.outcome == work_service_pb2.CLAIM_OUTCOME_GRANTED, answer
            leases[job] = doors.keep_key("executing", job[1], answer.grant.lease)
    return leases


def make_result(job: Job, lease: int) -> dict[str, Any]:
    return {
        "execution_id": str(job[1]), "job_id": job[0], "attempt": 1, "lease": lease, "result": "It is blue.",
        "acceptance_criteria": CRITERIA, "title": "A job", "produced_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip


async def claim_judging(doors: Doors, jobs: Sequence[Job], executing: dict[Job, int]) -> dict[Job, int]:
    """Claim results to judge as a validator does."""
    leases = {}
    for chunk in _batched(jobs, CLAIMS):
        request = work_service_pb2.BeginJudgingsRequest(owner=doors.owners["judging"], room=CLAIMS)
        for job in chunk:
            body = json.dumps(make_result(job, executing[job])).encode()
            if has(request, "claims"):
                key = doors.keys[job[1], "executing"]
                request.claims.add(result=body, signature=key.sign(body))
            else:
                request.results.append(body)
        response = await doors.call(doors.work.BeginJudgings, request, "validator")
        for job, answer in zip(chunk, response.answers, strict=True):
            assert answer.outcome == work_service_pb2.CLAIM_OUTCOME_GRANTED, answer
            leases[job] = doors.keep_key("judging", job[1], answer.lease)
    return leases


def make_report(job: Job, lease: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "execution_id": str(job[1]), "job_id": job[0], "attempt": 1, "lease": lease, "seq": 1, "kind": kind,
        "reported_at": datetime.now(UTC).isoformat(), **fields,
    }  # fmt: skip


def make_verdict(passes: bool) -> dict[str, Any]:
    criterion = {"text": CRITERIA, "outcome": "pass" if passes else "fail", "evidence": "blue" if passes else None}
    return {"is_valid": passes, "reason": "as it is", "criteria": [criterion]}


async def set_limit(doors: Doors, channel: grpc.aio.Channel) -> None:
    """Set a limit, where there are limits, of a tenant whose jobs are none of these."""
    try:
        from signoff.v1 import operations_service_pb2  # noqa: PLC0415 - older versions have none
        from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub  # noqa: PLC0415
    except ImportError:
        return
    request = operations_service_pb2.SetLimitRequest()
    request.limit.name, request.limit.concurrency = "tenant:elsewhere", 10
    await doors.call(OperationsServiceStub(channel).SetLimit, request)


async def live(doors: Doors, jobs: dict[str, list[Job]]) -> None:
    """Lead each job as far as its life says."""

    def of(*lives: str) -> list[Job]:
        return [job for life in lives for job in jobs[life]]

    await each([(life, job[0]) for life in jobs for job in jobs[life]], lambda new: create(doors, *new))
    await each(
        of("assigned_later"),
        lambda job: doors.call(
            doors.jobs.AssignAgent, job_service_pb2.AssignAgentRequest(job_id=job[0], agent_id="writer")
        ),
    )
    if hasattr(job_service_pb2, "UpdateJobRequest"):
        for job in of("edited"):
            request = job_service_pb2.UpdateJobRequest(job_id=job[0], job=resources_pb2.NewJob(title="Another title"))
            request.update_mask.paths.append("title")
            await doors.call(doors.jobs.UpdateJob, request)
    await each(of(*CALLED), lambda job: execute(doors, job))
    executing = await claim(doors, of(*CALLED))
    await doors.say_room("executing", 0)
    reports = [make_report(job, executing[job], "progress", progress=0.5, message="half") for job in of("telling")]
    reports += [
        make_report(job, executing[job], "attempt_failed", code="agent_error", message="no", retry_after_s=3600)
        for job in of("retrying")
    ]
    reports += [make_report(job, executing[job], "failed", code="agent_error", message="no") for job in of("failed")]
    reports += [make_report(job, executing[job], "declined", message="I will not") for job in of("declined")]
    await doors.publish("job-status-reported", "executing", reports)
    await doors.publish(
        "result-produced", "executing", [make_result(job, executing[job]) for job in of("result_offered")]
    )
    judging = await claim_judging(doors, of(*ANSWERED[1:]), executing)
    await doors.say_room("judging", 0)
    verdicts = [
        make_report(job, judging[job], "verdict", verdict=make_verdict(life == "met"))
        for life in ANSWERED[2:]
        for job in jobs[life]
    ]
    await doors.publish("job-status-reported", "judging", verdicts)
    await each(
        of("cancelled"), lambda job: doors.call(doors.jobs.CancelJob, job_service_pb2.CancelJobRequest(job_id=job[0]))
    )
    early = [{"execution_id": str(UUID(int=(9 << 64) + n))} for n in range(EARLY_CANCELS)]
    await doors.publish("cancel-requested", "cancel", early)
    ended = sum(LIVES[life] for life in (*ANSWERED[2:], "failed", "declined", "cancelled"))
    await doors.settled("SELECT count(*) FROM executions WHERE state = 'DONE'", ended + EARLY_CANCELS)
    await doors.settled("SELECT count(*) FROM executions WHERE stage = 'JUDGING' AND state <> 'DONE'", 300)
    await doors.settled("SELECT count(*) FROM executions WHERE state = 'QUEUED'", LIVES["retrying"])
    await each(
        of("submitted_again"),
        lambda job: doors.call(doors.jobs.ResubmitJob, job_service_pb2.ResubmitJobRequest(job_id=job[0])),
    )
    await each(of("offered"), lambda job: execute(doors, job))
    await doors.say_room("executing", LIVES["submitted_again"] + LIVES["offered"])
    await doors.settled("SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state = 'OFFERED'", 150)
    await doors.say_room("executing", 0)
    await each(of("queued"), lambda job: execute(doors, job))
    batch = job_service_pb2.ExecuteJobsRequest(job_ids=[job_id for job_id, _ in of("batched")])
    await doors.call(doors.jobs.ExecuteJobs, batch)
    await doors.settled("SELECT count(*) FROM executions WHERE state = 'QUEUED'", LIVES["retrying"] + 100)
    await doors.settled(
        "SELECT count(*) FROM jobs, relay WHERE version > 0 AND published_seq >= (SELECT max(seq) FROM job_logs)", 2_000
    )


async def go_on_unpublished(doors: Doors, jobs: dict[str, list[Job]]) -> None:
    """Do what its facts cannot tell of for want of a broker: assign, cancel and execute."""
    for job_id, _ in jobs["pending"][:UNPUBLISHED]:
        request = job_service_pb2.AssignAgentRequest(job_id=job_id, agent_id="writer")
        await doors.call(doors.jobs.AssignAgent, request)
    for job_id, _ in jobs["executing"][:10]:
        await doors.call(doors.jobs.CancelJob, job_service_pb2.CancelJobRequest(job_id=job_id))


def _batched(items: Sequence[Job], size: int) -> Iterable[Sequence[Job]]:
    return (items[at : at + size] for at in range(0, len(items), size))


async def main(phase: str) -> None:
    number = itertools.count(1)
    jobs: dict[str, list[Job]] = {}
    for life, count in LIVES.items():
        numbers = list(itertools.islice(number, count))
        jobs[life] = [(f"job-{n:04}", UUID(int=(7 << 76) + (1 << 63) + n)) for n in numbers]
    database = await asyncpg.connect(os.environ["SIGNOFF_DATABASE_URL"].replace("+asyncpg", ""))
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["SIGNOFF_KAFKA"])
    async with grpc.aio.insecure_channel(os.environ["SIGNOFF_GRPC_ADDRESS"]) as channel:
        doors = Doors(channel, producer, database)
        if phase == "lives":
            await producer.start()
            await set_limit(doors, channel)
            agent = resources_pb2.NewAgent(
                id="writer", name="writer", protocol=resources_pb2.PROTOCOL_HTTP, url="http://127.0.0.1:1/"
            )
            await doors.call(doors.agents.CreateAgent, agent_service_pb2.CreateAgentRequest(agent=agent))
            await live(doors, jobs)
        else:
            await go_on_unpublished(doors, jobs)
        await producer.stop()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
