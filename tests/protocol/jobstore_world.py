"""The real jobstore on real tables: what people ask of it, what time does to it, and what it reads of topics."""

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from invariants import Tables
from sqlalchemy import text
from standins import Agents, Topics, Worker, tokens
from support.factories import SECRETS, incoming
from support.fakes import FakeReaders
from support.jobstore.relays import Compared
from world_jobs import spec

from contracts.events import CancelRequested, JobStatusReported, ResultProduced
from contracts.resources import JobPatch
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.sweeper import Sweeper
from jobstore.handlers import EventHandlers
from jobstore.jobs.commands import AssignAgent, CreateJob, EditJob
from jobstore.jobs.model import SIGNOFF
from servicekit.errors import PermanentError
from signoff.v1.resources_pb2 import PROTOCOL_HTTP, PROTOCOL_OPENAI
from signoff.worker.v1 import work_service_pb2 as pb

CONSUMED = (CancelRequested, ResultProduced, JobStatusReported)


class JobstoreWorld:
    """The jobstore's side of each step; `check` after each."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database, self.runner = database, runner
        self.work: Any = WorkService(database, runner, SECRETS)
        self.sweeper = Sweeper(database, runner, FakeReaders())
        self.topics, self.agents = Topics(), Agents()
        self._ids = count(1)
        #: The second is of 0.2.0, and names no protocols.
        known = [(PROTOCOL_HTTP, PROTOCOL_OPENAI), ()]
        self.executors = [Worker(pb.WORK_KIND_EXECUTING, self.new_id(), protocols) for protocols in known]
        self.validators = [Worker(pb.WORK_KIND_JUDGING, self.new_id()) for _ in range(2)]
        self.answers: dict[UUID, tuple[str, str]] = {}
        self.tables = Tables({}, {}, [])
        self.compared = Compared(database)
        runner.listeners.on_recorded = self.compared.hand_over

    @property
    def workers(self) -> list[Worker]:
        return [*self.executors, *self.validators]

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids))

    async def sql(self, query: str, **parameters: Any) -> None:
        async with self.database.session() as session:
            await session.execute(text(query), parameters)

    async def check(self) -> None:
        before, self.tables = self.tables, await Tables.read(self.database)
        self.tables.check(before)
        await self.compared.check()

    # What people ask

    async def ask(self, command: Command) -> str:
        """How it is answered: `ok`, or the code of a refusal."""
        try:
            await self.runner.submit.run_one(command)
        except PermanentError as error:
            return error.code
        return "ok"

    async def create(self, job_id: str) -> None:
        await self.ask(CreateJob(spec(job_id), job_id, actor=SIGNOFF))

    async def assign(self, job_id: str) -> None:
        await self.ask(AssignAgent(job_id, "writer", actor=SIGNOFF))

    async def edit(self, job_id: str, title: str) -> None:
        job = self.tables.jobs.get(job_id)
        answer = await self.ask(EditJob(job_id, JobPatch(title=title), actor=SIGNOFF))
        expected = "unknown_job" if job is None else "execution_live" if job.live else "illegal_transition"
        assert answer in {"ok", expected}, f"{answer} of {job}"
        assert answer != "illegal_transition" or (job is not None and job.status == "COMPLETED")

    async def execute(self, job_id: str, execution_id: UUID, *, resubmission: bool = False) -> None:
        """Rule `keep-answers`: asked again, an execution id is answered as it was."""
        known = execution_id in self.tables.executions
        answer = await self.ask(ExecuteJob(job_id, execution_id, chosen=True, resubmission=resubmission, actor=SIGNOFF))
        if job_id not in self.tables.jobs:
            assert answer in {"unknown_job", "execution_conflict", "cancelled"}
        elif known and execution_id not in self.answers:
            return
        else:
            first = self.answers.setdefault(execution_id, (job_id, answer))
            assert answer == (first[1] if job_id == first[0] else "execution_conflict"), f"{first}, and then {answer}"

    async def cancel(self, job_id: str) -> None:
        await self.ask(CancelJob(job_id, actor=SIGNOFF))

    # The dispatcher and the sweeper

    async def dispatch(self) -> None:
        await Dispatcher(self.database, self.topics, self.runner.terms, SECRETS).offer()  # type: ignore[arg-type]

    async def sweep(self) -> None:
        self.sweeper._swept_at, self.sweeper._lapse_from = time.monotonic(), 0.0
        await self.sweeper.sweep()

    async def wait(self) -> None:
        """All that waits for its time is due, in the order of ids: seven digits are fewer seconds than since 1970."""
        order = "('x' || right(CAST(execution_id AS text), 7))::bit(28)::int"
        due = f"UPDATE executions SET due_at = to_timestamp({order}) WHERE state IN ('QUEUED', 'OFFERED')"
        await self.sql(due.replace(":", r"\:"))

    async def circuits_half_open(self) -> None:
        """The time of what is open is over."""
        await self.sql("UPDATE circuits SET open_until = clock_timestamp() WHERE open_until IS NOT NULL")

    async def lease_ends(self, execution_id: UUID) -> None:
        """Its time passes, in the tables and by the clock of the frozen worker that holds it."""
        late = "UPDATE executions SET due_at = clock_timestamp() WHERE execution_id = :id AND state = 'LEASED'"
        await self.sql(late, id=execution_id)
        for held in (worker.held.get(execution_id) for worker in self.workers):
            if held is not None:
                held.expired = True
        self.agents.excused |= {(execution_id, n) for n in self.agents.calls[execution_id]}

    async def deadline_passes(self, execution_id: UUID) -> None:
        late = "UPDATE executions SET deadline_at = now(), fails_at = now(), due_at = least(due_at, now())"
        await self.sql(f"{late} WHERE execution_id = :id AND deadline_at IS NOT NULL", id=execution_id)

    # The jobstore's consumers

    @property
    def unread(self) -> list[type]:
        """The topics in which the jobstore has something to read."""
        return [kind for kind in CONSUMED if self.topics.unread(kind, "jobstore")]

    async def consume(self, kind: type, most: int, *, commit: bool = True) -> None:
        events = self.topics.read(kind, "jobstore", most, commit=commit)
        records: Any = [incoming(event) for event in events]
        handlers = EventHandlers(self.runner, self.database, SECRETS)
        if kind is CancelRequested:
            await handlers.on_cancel_requested(records)
            after = (await Tables.read(self.database)).executions
            for event in events:
                row = after.get(event.execution_id)
                assert row is not None, "rule `cancel-before-arrival`: it may still be executed"
                assert row.state == "DONE" or event.job_id not in {None, row.job_id}, "it lives on"
            return
        async with self.fenced(events):
            is_result = kind is ResultProduced
            handle = handlers.on_result_produced if is_result else handlers.on_job_status_reported
            await handle(records)

    @contextlib.asynccontextmanager
    async def fenced(self, events: Sequence[Any]) -> AsyncIterator[None]:
        """What comes under a lease that is not current changes nothing, but says once what it cost (invariant 3)."""
        before = await Tables.read(self.database)
        yield
        after = await Tables.read(self.database)
        new = after.logs[len(before.logs) :]
        told = {row.event_id for row in new if row.status != "CANCELLED" and row.kind != "spent"}
        for event_id, (execution_id, lease) in tokens(events).items():
            row = before.executions.get(execution_id)
            if row is None or row.state == "DONE" or row.lease != lease:
                assert event_id not in told, f"a fenced lease changed {row}"
