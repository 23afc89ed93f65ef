"""The jobstore's world with its workers: every step of theirs is taken when told, until all is calm."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from invariants import Tables
from jobstore_world import CONSUMED, JobstoreWorld
from standins import Held, Worker
from support.factories import request_body, signature
from support.jobstore.administered import put_agent
from support.jobstore.steps import able_agents, reported, result, unproven, verdict
from world_jobs import at_most_once

from contracts.events import ExecuteRequested, JobStatusReported, ResultProduced
from contracts.resources import NewAgent, Usage
from signoff.status import Outcome, ReportKind
from signoff.v1.resources_pb2 import PROTOCOL_OPENAI
from signoff.worker.v1 import work_service_pb2 as pb

_GRANTED = pb.CLAIM_OUTCOME_GRANTED
#: In real time nothing falls due during a test: time passes by moving due times.
LEASE_S = 1_000.0
JUDGE = "a judge"
SHOWS_WORK = NewAgent(name="shows work", protocol="openai", url="http://127.0.0.1:1/", settings={"model": "m"})
USAGE = Usage(input_tokens=10)
ROUNDS_MAX = 40


class World(JobstoreWorld):
    """Steps, each one event of the model; `check` after each."""

    async def empty(self) -> None:
        """Forget what earlier examples left; two agents can do what jobs ask for, and one shows its work."""
        await able_agents(self.database)
        async with self.database.transaction() as connection:
            await put_agent(connection, "shows-work", SHOWS_WORK, create=True)
        for table in ("circuits", "executions", "workers", "reusable", "job_logs", "jobs"):
            await self.sql(f"DELETE FROM {table}")
        for worker in self.workers:  # as a worker does when it starts
            await self.renew(worker)

    # Executors

    async def claim(
        self, worker: Worker, events: Sequence[ExecuteRequested], *, lost: bool = False, replay: bool = False
    ) -> list[Any]:
        claims = [pb.ExecutionClaim(request=request_body(event), replay=replay) for event in events]
        request = pb.BeginExecutionsRequest(
            owner=str(worker.owner), room=worker.room, claims=claims, protocols=worker.protocols
        )
        before = await Tables.read(self.database)
        answers = (await self.work.BeginExecutions(request, None)).answers
        (await Tables.read(self.database)).check_grants(before)
        for event, answer in zip(events, answers, strict=True):
            if answer.outcome == _GRANTED:
                lease = event.execution_id, answer.grant.lease.lease
                self.agents.granted(lease, worker, answer.grant)
                if not lost:
                    worker.begin(lease, (event.job_id, answer.grant.attempt, answer.grant))
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
        """Only while the lease runs by the worker's own clock; told of without waiting, or later by the outcome.

        Work that may have been sent under `at_most_once` is looked for, and not sent.
        """
        if held.expired:
            del worker.held[held.lease[0]]
            return
        job_id, _, grant = held.about
        held.begun = True
        if grant.follows_only:
            return
        self.agents.called(held.lease, once=at_most_once(job_id))
        if at_most_once(job_id) or held.lease[1] % 2:
            handle = f"work of {held.lease}" if grant.protocol == PROTOCOL_OPENAI else None
            begun = reported(*self._named(held), ReportKind.CALL_BEGUN, handle=handle)
            self.topics.logs[JobStatusReported].append(begun)

    def progress(self, held: Held, fraction: float | None) -> None:
        """The agent says how far it is; told without waiting."""
        held.seq += 1
        told = {"seq": held.seq, "progress": fraction, "message": f"step {held.seq}", "partial": {"n": held.seq}}
        self.topics.logs[JobStatusReported].append(reported(*self._named(held), ReportKind.PROGRESS, **told))

    def _named(self, held: Held) -> tuple[UUID, str, int]:
        return held.lease[0], held.about[0], held.lease[1]

    def answered(self, worker: Worker, held: Held, how: str) -> None:
        """The agent has answered: result, error, decline or retry; unreachable: it was not called at all."""
        began = {"began_at": datetime.now(UTC)}
        if held.about[2].follows_only and not self.agents.calls[held.lease[0]]:
            how = "error"  # there is nothing to follow
        if how == "result":
            value = "blue" if held.about[0] == "job-0" else f"blue {held.lease}"  # of which the verdict is reused
            outcome: Any = result(*self._named(held), value=value, attempt=held.about[1], usage=USAGE, **began)
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
            outcome = reported(*self._named(held), kind, seq=held.seq + 1, **told, **began)
        worker.end(held, outcome)

    # Validators

    async def claim_judging(self, worker: Worker, events: Sequence[ResultProduced], *, lost: bool = False) -> None:
        claims = [pb.JudgingClaim(result=e.model_dump_json().encode(), signature=signature(e)) for e in events]
        request = pb.BeginJudgingsRequest(
            owner=str(worker.owner), room=worker.room, claims=claims, model_and_prompt=JUDGE
        )
        async with self.fenced(events):
            answers = (await self.work.BeginJudgings(request, None)).answers
        for event, answer in zip(events, answers, strict=True):
            if answer.outcome == _GRANTED and not lost:
                worker.begin((event.execution_id, answer.lease.lease), (event.job_id, event))
        worker.asking = [*worker.asking, *events] if lost else worker.asking

    def judged(self, worker: Worker, held: Held, how: str) -> None:
        """The verdict: met, unmet, unproven, or no verdict at all, since the judge answers nonsense."""
        told: dict[str, Any] = {"kind": ReportKind.FAILED, "code": "judge_invalid"}
        if how != "nonsense":
            said = unproven() if how == "unproven" else verdict(Outcome.PASS if how == "met" else Outcome.FAIL)
            told = {"kind": ReportKind.VERDICT, "verdict": said}
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
