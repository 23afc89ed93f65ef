"""The real jobstore on real tables, among workers and topics in memory; every step is taken when told, and checked."""

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from invariants import Tables
from sqlalchemy import text
from standins import Agents, Held, Topics, Worker, tokens
from support.jobstore.steps import able_agents, reported, result, verdict
from world_jobs import at_most_once, spec

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.resources import JobEdit, Usage
from contracts.status import Outcome, ReportKind
from jobstore.api.work_service import WorkService
from jobstore.commands.base import Command
from jobstore.commands.edits import EditJob
from jobstore.commands.executions import CancelJob, ExecuteJob
from jobstore.commands.jobs import AssignAgent, CreateJob
from jobstore.dispatching.dispatcher import Dispatcher
from jobstore.handlers import EventHandlers
from jobstore.maintenance.sweeper import Sweeper
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from servicekit.errors import PermanentError
from signoff.v1 import work_service_pb2 as pb

_GRANTED = pb.CLAIM_OUTCOME_GRANTED
#: In real time nothing falls due during a test: time passes by moving due times.
LEASE_S = 1_000.0
JUDGE = "a judge"
USAGE = Usage(input_tokens=10)
CONSUMED = (CancelRequested, ResultProduced, JobStatusReported)
ROUNDS_MAX = 40


class World:
    """Steps, each one event of the model; `check` after each."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database, self.runner = database, runner
        self.work: Any = WorkService(database, runner)
        self.sweeper = Sweeper(database, runner, lambda: True)
        self.topics, self.agents = Topics(), Agents()
        self._ids = count(1)
        self.executors = [Worker(pb.WORK_KIND_EXECUTING, self.new_id()) for _ in range(2)]
        self.validators = [Worker(pb.WORK_KIND_JUDGING, self.new_id()) for _ in range(2)]
        self.answers: dict[UUID, tuple[str, str]] = {}
        self.tables = Tables({}, {}, [])

    @property
    def workers(self) -> list[Worker]:
        return [*self.executors, *self.validators]

    def new_id(self) -> UUID:
        return UUID(int=next(self._ids))

    async def empty(self) -> None:
        """Forget what earlier examples left; two agents can do what jobs ask for."""
        await able_agents(self.database)
        for table in ("circuits", "executions", "workers", "reusable", "job_logs", "jobs"):
            await self.sql(f"DELETE FROM {table}")
        for worker in self.workers:  # as a worker does when it starts
            await self.renew(worker)

    async def sql(self, query: str, **parameters: Any) -> None:
        async with self.database.session() as session:
            await session.execute(text(query), parameters)

    async def check(self) -> None:
        before, self.tables = self.tables, await Tables.read(self.database)
        self.tables.check(before)

    # What people ask

    async def ask(self, command: Command) -> str:
        """How it is answered: `ok`, or the code of a refusal."""
        try:
            await self.runner.submit.one(command)
        except PermanentError as error:
            return error.code
        return "ok"

    async def create(self, job_id: str) -> None:
        await self.ask(CreateJob(spec(job_id), job_id))

    async def assign(self, job_id: str) -> None:
        await self.ask(AssignAgent(job_id, "writer"))

    async def edit(self, job_id: str, title: str) -> None:
        job = self.tables.jobs.get(job_id)
        answer = await self.ask(EditJob(job_id, JobEdit(title=title)))
        expected = "unknown_job" if job is None else "execution_live" if job.live else "illegal_transition"
        assert answer in {"ok", expected}, f"{answer} of {job}"
        assert answer != "illegal_transition" or (job is not None and job.status == "COMPLETED")

    async def execute(self, job_id: str, execution_id: UUID, *, resubmission: bool = False) -> None:
        """Rule `keep-answers`: asked again, an execution id is answered as it was."""
        known = execution_id in self.tables.executions
        answer = await self.ask(ExecuteJob(job_id, execution_id, chosen=True, resubmission=resubmission))
        if job_id not in self.tables.jobs:
            assert answer in {"unknown_job", "execution_conflict", "cancelled"}
        elif known and execution_id not in self.answers:
            return
        else:
            first = self.answers.setdefault(execution_id, (job_id, answer))
            assert answer == (first[1] if job_id == first[0] else "execution_conflict"), f"{first}, and then {answer}"

    async def cancel(self, job_id: str) -> None:
        await self.ask(CancelJob(job_id))

    # The dispatcher and the sweeper

    async def dispatch(self) -> None:
        await Dispatcher(self.database, self.topics, self.runner.terms).offer()  # type: ignore[arg-type]

    async def sweep(self) -> None:
        self.sweeper._swept_at, self.sweeper._lapse_from = time.monotonic(), 0.0
        await self.sweeper.sweep()

    async def wait(self) -> None:
        """All that waits for its time is due, in the order of ids."""
        order = "('x' || right(CAST(execution_id AS text), 8))::bit(32)::int"
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

    # Executors

    async def claim(
        self, worker: Worker, events: Sequence[ExecuteRequested], *, lost: bool = False, replay: bool = False
    ) -> list[Any]:
        claims = [
            pb.ExecutionClaim(
                execution_id=str(event.execution_id),
                job_id=event.job_id,
                job_json=event.job.model_dump_json() if event.job else None,
                replay=replay,
            )
            for event in events
        ]
        request = pb.BeginExecutionsRequest(owner=str(worker.owner), room=worker.room, claims=claims)
        before = await Tables.read(self.database)
        answers = (await self.work.BeginExecutions(request, None)).answers
        (await Tables.read(self.database)).check_grants(before)
        for event, answer in zip(events, answers, strict=True):
            if answer.outcome == _GRANTED:
                lease = event.execution_id, answer.grant.lease
                self.agents.granted(lease, worker.owner, answer.grant)
                if not lost:
                    worker.begin(lease, (event.job_id, answer.grant.attempt))
        worker.asking = [*worker.asking, *events] if lost else worker.asking
        return list(answers)

    async def ask_again(self, worker: Worker) -> None:
        """Rule `regrant-to-owner`: what it was granted, and still has, it is granted again."""
        asked, worker.asking = worker.asking, []
        rows = (await Tables.read(self.database)).live
        granted = {row.execution_id for row in rows if (row.state, row.owner) == ("LEASED", worker.owner)}
        await (self.claim if worker in self.executors else self.claim_judging)(worker, asked)
        kept = {*worker.held, *(execution_id for execution_id, _ in worker.outcomes)}
        assert granted & {event.execution_id for event in asked} <= kept, "a lost answer is not given again"

    def call(self, held: Held, worker: Worker) -> None:
        """Only while the lease runs by the worker's own clock; told of without waiting."""
        if held.expired:
            del worker.held[held.lease[0]]
            return
        job_id, _ = held.about
        self.agents.called(held.lease, once=at_most_once(job_id))
        held.begun = True
        self.topics.logs[JobStatusReported].append(reported(*self._named(held), ReportKind.CALL_BEGUN))

    def progress(self, held: Held, fraction: float | None) -> None:
        """The agent says how far it is; told without waiting."""
        held.seq += 1
        told = {"seq": held.seq, "progress": fraction, "message": f"step {held.seq}", "partial": {"n": held.seq}}
        self.topics.logs[JobStatusReported].append(reported(*self._named(held), ReportKind.PROGRESS, **told))

    def _named(self, held: Held) -> tuple[UUID, str, int]:
        return held.lease[0], held.about[0], held.lease[1]

    def answered(self, worker: Worker, held: Held, how: str) -> None:
        """The agent has answered: result, error, decline or retry; unreachable: it was not called at all."""
        if how == "result":
            value = "blue" if held.about[0] == "job-0" else f"blue {held.lease}"  # of which the verdict is reused
            outcome: Any = result(*self._named(held), value=value, attempt=held.about[1], usage=USAGE)
        else:
            if how == "retry" and at_most_once(held.about[0]):
                how = "error"
            kinds = {"error": ReportKind.FAILED, "decline": ReportKind.DECLINED}
            kind = kinds.get(how, ReportKind.ATTEMPT_FAILED)
            if how == "retry":
                self.agents.excused.add(held.lease)
            told = {
                "retry_after_s": 30.0,
                "code": f"agent_{how}",
                "retryable": kind is ReportKind.ATTEMPT_FAILED,
                "usage": USAGE,
            }
            outcome = reported(*self._named(held), kind, seq=held.seq + 1, **told)
        worker.end(held, outcome)

    # Validators

    async def claim_judging(self, worker: Worker, events: Sequence[ResultProduced], *, lost: bool = False) -> None:
        bodies = [event.model_dump_json().encode() for event in events]
        request = pb.BeginJudgingsRequest(owner=str(worker.owner), room=worker.room, results=bodies, judge=JUDGE)
        async with self.fenced(events):
            answers = (await self.work.BeginJudgings(request, None)).answers
        for event, answer in zip(events, answers, strict=True):
            if answer.outcome == _GRANTED and not lost:
                worker.begin((event.execution_id, answer.lease), (event.job_id, event))
        worker.asking = [*worker.asking, *events] if lost else worker.asking

    def judged(self, worker: Worker, held: Held, how: str) -> None:
        """The verdict: met, unmet, or no verdict at all, since the judge answers nonsense."""
        told: dict[str, Any] = {"kind": ReportKind.FAILED, "code": "judge_invalid"}
        if how != "nonsense":
            told = {"kind": ReportKind.VERDICT, "verdict": verdict(Outcome.PASS if how == "met" else Outcome.FAIL)}
            told |= {"judge": JUDGE, "usage": USAGE}
        worker.end(held, reported(*self._named(held), **told))

    # All workers

    @property
    def unclaimed(self) -> list[type]:
        """The topics in which workers have something to read."""
        readers = ((ExecuteRequested, "executors"), (ResultProduced, "validators"))
        return [kind for kind, reader in readers if self.topics.unread(kind, reader)]

    async def take(self, kind: type, which: int, most: int, *, lost: bool = False, commit: bool = True) -> None:
        """A worker reads and claims; `lost`: the answer does not arrive; not `commit`: a rebalance comes before."""
        if kind is ExecuteRequested:
            events = self.topics.read(kind, "executors", most, commit=commit)
            await self.claim(self.executors[which], events, lost=lost)
        else:
            events = self.topics.read(kind, "validators", most, commit=commit)
            await self.claim_judging(self.validators[which], events, lost=lost)

    async def advance(self, worker: Worker, held: Held, agent: str, judge: str) -> None:
        """The call begins, or the agent or the judge answers."""
        if worker in self.validators:
            self.judged(worker, held, judge)
        elif held.begun and agent.startswith("progress"):
            self.progress(held, 0.5 if agent == "progress" else None)
        elif held.begun or agent == "unreachable":
            self.answered(worker, held, "result" if held.begun and agent == "unreachable" else agent)
        else:
            self.call(held, worker)

    def publish(self, worker: Worker) -> None:
        """Outcomes are reported again until they are known to be recorded."""
        for event in worker.outcomes.values():
            self.topics.logs[type(event)].append(event)

    async def renew(self, worker: Worker, *, lost: bool = False) -> None:
        answer = await self.work.RenewLeases(worker.renewal(), None)
        if not lost:
            worker.renewed(answer)

    async def give_back(self, worker: Worker, held: Held) -> None:
        """A stopping worker hands work over."""
        del worker.held[held.lease[0]]
        if held.begun:
            self.agents.excused.add(held.lease)
        for _ in range(2):  # the first answer was lost
            worker.renewed(await self.work.RenewLeases(worker.renewal([held]), None))

    def crash(self, worker: Worker) -> None:
        """Rule `new-owner-at-start`: nothing is left, not even the name."""
        self.agents.excused |= {held.lease for held in worker.held.values() if held.begun} | set(worker.outcomes)
        worker.held, worker.outcomes, worker.asking = {}, {}, []
        worker.owner = self.new_id()

    # The jobstore's consumers

    @property
    def unread(self) -> list[type]:
        """The topics in which the jobstore has something to read."""
        return [kind for kind in CONSUMED if self.topics.unread(kind, "jobstore")]

    async def consume(self, kind: type, most: int, *, commit: bool = True) -> None:
        events = self.topics.read(kind, "jobstore", most, commit=commit)
        records: Any = [SimpleNamespace(event=event, size=1, replay=False) for event in events]
        if kind is CancelRequested:
            await EventHandlers(self.runner).on_cancel_requested(records)
            after = (await Tables.read(self.database)).executions
            for event in events:
                row = after.get(event.execution_id)
                assert row is not None, "rule `cancel-before-arrival`: it may still be executed"
                assert row.state == "DONE" or event.job_id not in {None, row.job_id}, "it lives on"
            return
        async with self.fenced(events):
            handle = (
                EventHandlers(self.runner).on_result_produced
                if kind is ResultProduced
                else EventHandlers(self.runner).on_job_status_reported
            )
            await handle(records)

    @contextlib.asynccontextmanager
    async def fenced(self, events: Sequence[Any]) -> AsyncIterator[None]:
        """What comes under a lease that is not the current one changes nothing (invariant 3)."""
        before = await Tables.read(self.database)
        yield
        after = await Tables.read(self.database)
        told = {row.event_id for row in after.logs[len(before.logs) :] if row.status != "CANCELLED"}
        for event_id, (execution_id, lease) in tokens(events).items():
            row = before.executions.get(execution_id)
            if row is None or row.state == "DONE" or row.lease != lease:
                assert event_id not in told, f"a fenced lease changed {row}"

    # Calm

    @property
    def quiet(self) -> bool:
        return (
            not (self.unclaimed or self.unread) and not self.tables.live and all(worker.idle for worker in self.workers)
        )

    async def read_everything(self, *, replay: bool = False) -> None:
        for worker in self.workers:
            await self.ask_again(worker)
        for kind in CONSUMED:
            await self.consume(kind, 1_000)
        await self.claim(self.executors[0], self.topics.read(ExecuteRequested, "executors", 1_000), replay=replay)
        await self.claim_judging(self.validators[0], self.topics.read(ResultProduced, "validators", 1_000))

    async def round(self, agent: str = "result", judge: str = "met") -> None:
        """Everybody does what there is to do, once."""
        kept = {lease for worker in self.workers for lease in (*worker.held, *(e for e, _ in worker.outcomes))}
        for row in self.tables.live:
            if row.state == "LEASED" and row.execution_id not in kept:
                await self.lease_ends(row.execution_id)
        await self.sweep()
        await self.circuits_half_open()
        await self.wait()
        await self.dispatch()
        await self.read_everything()
        for worker in self.workers:
            for held in list(worker.held.values()):
                if not held.begun:
                    await self.advance(worker, held, agent, judge)
                if held.begun and worker in self.executors:
                    await self.advance(worker, held, agent, judge)
            self.publish(worker)
        for kind in (JobStatusReported, ResultProduced):
            await self.consume(kind, 1_000)
        for worker in self.workers:
            await self.renew(worker)

    async def calm(self) -> None:
        """Left alone, every execution ends (invariant 1); replayed, nothing changes and nobody is called (5).

        Also when the broker comes back empty, as it does every other time.
        """
        if len(self.tables.logs) % 2:
            self.topics.emptied()
        for _ in range(ROUNDS_MAX):
            await self.round()
            await self.check()
            if self.quiet:
                break
        assert self.quiet, f"never ends: {self.tables.live} {[w for w in self.workers if not w.idle]}"
        assert "IN_PROGRESS" not in {job.status for job in self.tables.jobs.values()}
        for replay in (False, True):
            await self.replay_everything(replay=replay)

    async def replay_everything(self, *, replay: bool) -> None:
        before, calls = self.tables, self.agents.count()
        self.topics.rewind()
        await self.read_everything(replay=replay)
        await self.dispatch()
        await self.check()
        assert (self.tables, self.agents.count()) == (before, calls), "a replay changed something"
        assert all(worker.idle for worker in self.workers), "a replay was granted work"
