"""The steps of a life, as workers take them, against the real runner and tables."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from contracts.criteria import parse_stored_criteria
from contracts.events import ExecuteRequested, JobStatusReported, ResultProduced
from contracts.judging.policy import Verdict
from contracts.resources import NewAgent, NewJob
from contracts.signing import SIGNATURE_HEADER, KeyUse, Signature
from contracts.topics import TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.claims import ClaimAnswer, ClaimExecution, ClaimJudging
from jobstore.executions.commands import ExecuteJob, RecordReport, RecordResult
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.executions.sweeper import Sweeper, end_leases
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import EXECUTOR, SIGNOFF, WORKER, ExecutionStage, TransitionKind
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing
from signoff.judging import CriterionVerdict
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id
from support.factories import SECRETS
from support.fakes import FakeReaders
from support.jobstore.administered import put_agent
from support.jobstore.registered import register_tenants
from support.jobstore.rows import parsed

CRITERIA = 'Says "blue"'
#: A timeout that is over when it begins, however fast the machine is: times are kept to the microsecond.
NO_TIME_S = 1e-9


def new_job(**fields: Any) -> NewJob:
    return NewJob(**{"title": "A title", "acceptance_criteria": CRITERIA, "agent_id": "writer", **fields})


def result(
    execution_id: UUID, job_id: str, lease: int, value: Any = "blue", attempt: int = 1, **fields: Any
) -> ResultProduced:
    whole = {"acceptance_criteria": CRITERIA, "produced_at": datetime.now(UTC), **fields}
    return ResultProduced(execution_id=execution_id, job_id=job_id, attempt=attempt, lease=lease, result=value, **whole)


def verdict(*outcomes: Outcome, criteria: str = CRITERIA, **fields: Any) -> Verdict:
    """Of criteria one a line, with an outcome each; the last, or a pass, for the rest."""
    judged = [
        CriterionVerdict(**one.model_dump(), outcome=outcome, evidence=["blue"])
        for one, outcome in zip_longest(
            parse_stored_criteria(criteria), outcomes, fillvalue=(outcomes or (Outcome.PASS,))[-1]
        )
    ]
    return Verdict.of(judged, **{"reason": "a reason", **fields})


def unproven(*others: Outcome, criteria: str = CRITERIA) -> Verdict:
    """Of criteria one a line: the first is unproven; the others have an outcome each, or are unproven, too."""
    said = verdict(Outcome.CANNOT_ASSESS, *others, criteria=criteria)
    open_ones = [0, *range(len(others) + 1, len(said.criteria))]
    changes = {"outcome": Outcome.CANNOT_ASSESS, "evidence": [], "unproven": True}
    judged = [one.model_copy(update=changes if place in open_ones else {}) for place, one in enumerate(said.criteria)]
    return Verdict.of(judged, "a reason")


def reported(execution_id: UUID, job_id: str, lease: int, kind: ReportKind, **fields: Any) -> JobStatusReported:
    whole = {"attempt": 1, "seq": 1, "reported_at": datetime.now(UTC), **fields}
    return JobStatusReported(execution_id=execution_id, job_id=job_id, lease=lease, kind=kind, **whole)


class Steps:
    """One job's way, step by step."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database = database
        self.runner = runner
        self.job_id = str(uuid4())
        self.execution_id = new_execution_id()
        self.executor, self.validator = uuid4(), uuid4()

    async def created(self, **fields: Any) -> "Steps":
        new = new_job(**fields)
        await register_tenants(self.runner, new.tenant)
        await self.runner.submit.run_one(CreateJob(new, self.job_id, actor=SIGNOFF))
        return self

    async def requested(self, **fields: Any) -> "Steps":
        await self.created(**fields)
        await self.runner.submit.run_one(ExecuteJob(self.job_id, self.execution_id, chosen=True, actor=SIGNOFF))
        return self

    async def claim(self, owner: UUID | None = None, room: int = 10, **fields: Any) -> ClaimAnswer:
        command = ClaimExecution(self.execution_id, self.job_id, owner or self.executor, room, **fields, actor=SIGNOFF)
        answer: ClaimAnswer = await self.runner.claim.run_one(command)
        return answer

    async def running(self, **fields: Any) -> int:
        await self.requested(**fields)
        answer = await self.claim()
        assert answer.execution is not None
        return answer.execution.lease

    async def judging(self, **fields: Any) -> int:
        lease = await self.running(**fields)
        answer = await self.claim_judging(lease)
        assert answer.execution is not None
        return answer.execution.lease

    async def claim_judging(self, lease: int, owner: UUID | None = None, room: int = 10, **fields: Any) -> ClaimAnswer:
        event = result(self.execution_id, self.job_id, lease, **fields)
        answer: ClaimAnswer = await self.runner.claim.run_one(
            ClaimJudging(event, owner or self.validator, room, actor=SIGNOFF)
        )
        return answer

    async def report(self, lease: int, kind: ReportKind, **fields: Any) -> Any:
        event = reported(self.execution_id, self.job_id, lease, kind, **fields)
        return await self.runner.record.run_one(RecordReport(event, actor=WORKER))

    async def result(self, lease: int, value: Any = "blue", **fields: Any) -> Any:
        event = result(self.execution_id, self.job_id, lease, value, **fields)
        return await self.runner.record.run_one(RecordResult(event, actor=EXECUTOR))

    async def row(self) -> Any:
        async with self.database.session() as session:
            query = text("SELECT * FROM executions WHERE execution_id = :id")
            return parsed((await session.execute(query, {"id": self.execution_id})).one())

    async def job(self) -> Any:
        async with self.database.session() as session:
            row = await session.execute(text("SELECT * FROM jobs WHERE id = :id"), {"id": self.job_id})
        return parsed(row.one())

    async def logs(self) -> list[Any]:
        """The job's log; its versions have no gap and no repeat, and the job stands at the last."""
        async with self.database.session() as session:
            query = text("SELECT * FROM job_logs WHERE job_id = :id ORDER BY seq")
            rows = list(map(parsed, await session.execute(query, {"id": self.job_id})))
        assert [row.version for row in rows] == list(range(1, len(rows) + 1))
        job = await self.job()
        assert (job.version, job.status) == (len(rows), rows[-1].job_status)
        return rows

    async def due(self, seconds: float) -> None:
        """Move the execution's due time, as if time had passed."""
        query = text(
            "UPDATE executions SET due_at = clock_timestamp() + make_interval(secs => :s) WHERE execution_id = :id"
        )
        async with self.database.transaction() as connection:
            await connection.execute(query, {"s": seconds, "id": self.execution_id})

    async def lapsed(self) -> None:
        """Have the lease lapse, which is due."""
        await end_leases(self.runner.record, TransitionKind.LAPSED, [(self.execution_id, 0, False)], actor=SIGNOFF)

    async def deadline_passed(self) -> None:
        """Move the execution's deadline, as if time had passed."""
        query = text("UPDATE executions SET deadline_at = now(), fails_at = now() WHERE execution_id = :id")
        async with self.database.transaction() as connection:
            await connection.execute(query, {"id": self.execution_id})


class Published:
    """Keeps what is published, in place of a broker; can be out of reach."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.keyed: list[bool] = []
        self.records: list[Outgoing] = []
        self.away = False

    async def publish(self, *events: Any, keyed: bool = True) -> None:
        if self.away:
            raise TransientError("away")
        self.events += events
        self.keyed += [keyed] * len(events)

    async def publish_records(self, records: Sequence[Outgoing]) -> None:
        """Offers, which may be signed, and results, each signed by the lease that it names."""
        self.records += records
        for record in records:
            assert record.value is not None
            if record.topic == TOPIC_OF[ExecuteRequested]:
                await self.publish(ExecuteRequested.model_validate_json(record.value), keyed=record.key is not None)
                continue
            event = ResultProduced.model_validate_json(record.value)
            signature = Signature.parse(dict(record.headers)[SIGNATURE_HEADER])
            assert signature is not None
            assert SECRETS.verify(KeyUse.EXECUTING, signature, record.value)
            assert (signature.execution_id, signature.lease) == (event.execution_id, event.lease)
            await self.publish(event)


async def seen(database: Database, stage: ExecutionStage, room: int, capacity: int | None = None) -> None:
    """A worker has told its room, and its capacity: all of it is free."""
    async with database.transaction() as connection:
        await note_worker(connection, uuid4(), WorkerRoom(stage, room, room if capacity is None else capacity))


async def swept(database: Database, runner: CommandRunner) -> None:
    """As a sweeper does that has been patient for long enough."""
    sweeper = Sweeper(database, runner, FakeReaders())
    await sweeper.sweep()
    sweeper._lapse_from = 0.0
    await sweeper.sweep()


async def able_agents(database: Database) -> None:
    """Two agents that can do what jobs ask for."""
    async with database.transaction() as connection:
        for name in ("able", "abler"):
            new = NewAgent(name=name, url="http://127.0.0.1:1/", capabilities=["able"])
            await put_agent(connection, name, new, create=True)
