"""Carry out commands: lock, load, decide and write a batch of them in one transaction."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.commands.base import Command
from jobstore.commands.claims import ClaimExecution, ClaimJudging
from jobstore.commands.executions import CancelJob
from jobstore.commands.granting import ClaimAnswer, ClaimOutcome
from jobstore.commands.reports import EndLease, RecordReport, RecordResult
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.actor import SIGNOFF, Actor
from jobstore.domain.model import ExecutionStage, ExecutionState, TransitionKind
from jobstore.domain.terms import ExecutionTerms
from jobstore.doubts import PATIENCE_S, Doubts
from jobstore.errors import DatabaseFaultError
from jobstore.lanes import Lane
from jobstore.storage import reusable
from jobstore.storage.database import Database
from jobstore.storage.outages import RaceError
from jobstore.storage.repository import Repository
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.outages import DATABASE_OUTAGES

log = logging.getLogger(__name__)

DECISIONS = Counter("signoff_decisions", "Decisions on reports and requests", ["kind", "outcome"])
CIRCUITS = Counter("signoff_circuit_changes", "Circuits of agents that opened, again or anew, or closed", ["circuit"])


class LimitsChangingError(TransientError):
    """A resubmission by policy was found after rows were locked, while limits are being changed.

    Waiting for the limits lock then could deadlock: the transaction begins again with that lock first.
    """


class CommandRunner:
    """Carry out commands. Each kind has a lane of its own, in which concurrent calls share a transaction."""

    def __init__(self, database: Database, terms: ExecutionTerms, patience_s: float = PATIENCE_S) -> None:
        """`patience_s`: for how long a command may fail alone, while the database can be written."""
        self._database = database
        self._doubts = Doubts(patience_s)
        self.terms = terms
        self.submit: Lane[Command] = Lane(self.carry_out)
        self.claim: Lane[Command] = Lane(self.carry_out, size=_size_of)
        self.record: Lane[Command] = Lane(self.carry_out, size=_size_of)
        self.match: Lane[Command] = Lane(self.carry_out)

    async def end_leases(
        self, kind: TransitionKind, leases: Sequence[tuple[UUID, int, bool]], actor: Actor = SIGNOFF
    ) -> None:
        """End leases (execution_id, lease, begun) that were given back, lapsed or timed out: see EndLease."""
        await self.record.run([EndLease(i, kind, lease, begun=begun, actor=actor) for i, lease, begun in leases])

    async def carry_out(self, commands: Sequence[Command]) -> list[Any]:
        """Return the result of each command, in order: a PermanentError for one that failed, and changed nothing.

        TransientError: nothing was written, or the answer to the commit was lost. DoubtfulError: nothing was written,
        although the database can be written; the caller halves the batch until the command stands alone that is at
        fault, and then tries that again, until it is given up.
        """
        try:
            return await self._run_with_locks(commands)
        except DoubtfulError as error:
            await self._probe()
            if len(commands) > 1 or not self._doubts.is_over(commands[0]):
                raise
            fault = DatabaseFaultError(str(error))
            _log_alone(commands[0], "the database fails at one command for too long; it is given up", fault)
            raise fault from error

    async def _run_with_locks(self, commands: Sequence[Command]) -> list[Any]:
        try:
            return await self._run_transaction(commands, share_limits=any(c.needs_limits for c in commands))
        except LimitsChangingError:
            return await self._run_transaction(commands, share_limits=True)

    async def _probe(self) -> None:
        """Find out whether the database can be written at all. What failed during an outage did not fail alone."""
        try:
            await self._database.availability.probe()
        except TransientError as error:
            if error.code in DATABASE_OUTAGES:
                self._doubts.forget()
            raise

    async def _run_transaction(self, commands: Sequence[Command], *, share_limits: bool) -> list[Any]:
        async with self._database.transaction() as connection:
            repository = Repository(connection)
            if share_limits:
                await repository.share_limits_lock()
            uow = await self._lock_and_load(connection, repository, commands, has_limits=share_limits)
            await self._write_results_to_be_quoted(repository, uow, commands)
            results = [await self._apply(repository, uow, command) for command in commands]
            await repository.flush(uow)
            await reusable.keep(connection, uow)
            await self._note_workers(repository, uow, commands)
            results = await self._attach_grants(repository, results)
        _log_and_count(uow)
        return results

    async def _lock_and_load(
        self, connection: AsyncConnection, repository: Repository, commands: Sequence[Command], *, has_limits: bool
    ) -> UnitOfWork:
        """Lock rows in the order of docs/protocol.md#locks, and load what the commands need then.

        `has_limits`: whether the shared limits lock is held already.
        """
        job_ids = {command.job for command in commands if command.job is not None}
        execution_ids = {c.execution for c in commands if c.execution is not None}
        execution_ids |= {self.terms.ids.derive_next(c.followed) for c in commands if c.followed is not None}
        without_job = {c.execution for c in commands if c.job is None and c.execution is not None}
        if without_job:
            job_ids.update(await repository.find_job_ids(without_job))
        uow = await repository.lock(job_ids, execution_ids, self.terms)
        # Jobs are locked before executions: what another transaction inserted between the two statements is seen only
        # by the second, and the transaction begins again.
        if {uow.executions[i].job_id for i in without_job & uow.executions.keys()} - {"", *job_ids}:
            raise RaceError("an execution was requested meanwhile, and its job is not locked")
        requested = {e.job_id for e in uow.executions.values() if e.request_version is not None}
        if requested & job_ids - uow.jobs.keys():
            raise RaceError("a job was created meanwhile, and is not locked")
        judged = {c.job or "" for c in commands if isinstance(c, ClaimJudging) or _is_verdict(c)}
        if judged := judged & uow.jobs.keys():
            await repository.load_questions(uow, judged)
        await self._load_reusable(connection, uow, commands)
        specs = {job_id for command in commands for job_id in command.specs(uow)}
        agents = {agent_id for command in commands for agent_id in command.agents(uow)}
        resubmitted = {job_id for command in commands for job_id in command.resubmits(uow)}
        if resubmitted and not has_limits and not await repository.try_share_limits_lock(uow):
            raise LimitsChangingError("limits are being changed", code="limits_changing")
        agents |= {agent_id for job_id in resubmitted if (agent_id := uow.jobs[job_id].agent_id) is not None}
        await repository.load(uow, specs | resubmitted, agents)
        if resubmitted:
            await repository.load_histories(uow, resubmitted)
        if capabilities := {name for command in commands for name in command.capabilities(uow)}:
            await repository.load_candidates(uow, capabilities)
        if has_limits and uow.has_queue_caps:
            # A resubmission by policy is never refused for a full queue, so that its tenants need no count.
            tenants = {uow.specs[job_id].tenant for job_id in specs}
            tenants |= {command.new_job.tenant for command in commands if command.new_job is not None}
            await repository.load_queue_room(uow, tenants)
        await self._load_cancel_room(repository, uow, commands)
        if uow.has_circuits and (called := {i for command in commands for i in command.circuits(uow)}):
            await repository.lock_circuits(uow, called)
        return uow

    async def _load_cancel_room(self, repository: Repository, uow: UnitOfWork, commands: Sequence[Command]) -> None:
        if any(isinstance(command, CancelJob) and command.is_early(uow) for command in commands):
            await repository.load_cancel_room(uow, self.terms.cancels_max)

    async def _load_reusable(self, connection: AsyncConnection, uow: UnitOfWork, commands: Sequence[Command]) -> None:
        judgings = [c for c in commands if isinstance(c, ClaimJudging)] if uow.reuse_terms.verdict_age_s else []
        keys = {key for command in judgings if (key := command.verdict_key(uow)) is not None}
        claimed = {c.execution_id for c in commands if isinstance(c, ClaimExecution) and not c.replay}
        reusing = [
            execution.execution_id
            for execution in uow.executions.values()
            if execution.reuse_key is not None
            and execution.execution_id in claimed
            and execution.state is not ExecutionState.DONE
        ]
        await reusable.load(connection, uow, keys, reusing if uow.reuse_terms.result_age_s else ())

    async def _write_results_to_be_quoted(
        self, repository: Repository, uow: UnitOfWork, commands: Sequence[Command]
    ) -> None:
        """Write the results to which a reused verdict will be given: SQL copies a result into its verdict's entry."""
        if not uow.reusable_verdicts:
            return
        if judgings := [c for c in commands if isinstance(c, ClaimJudging) and c.find_reusable(uow)]:
            for command in judgings:
                RecordResult(command.event).apply(uow)
            await repository.flush(uow)

    async def _apply(self, repository: Repository, uow: UnitOfWork, command: Command) -> Any:
        if _is_verdict(command) and uow.recorded_counts[TransitionKind.RESULT]:
            await repository.flush(uow)  # this batch may hold the verdict's result, see _write_results_to_be_quoted
        try:
            return command.apply(uow)
        except PermanentError as error:
            return error

    async def _note_workers(self, repository: Repository, uow: UnitOfWork, commands: Sequence[Command]) -> None:
        stages = {c.owner: ExecutionStage.EXECUTING for c in commands if isinstance(c, ClaimExecution)}
        stages |= {c.owner: ExecutionStage.JUDGING for c in commands if isinstance(c, ClaimJudging)}
        for owner, room in sorted(uow.room_left.items()):  # in the order of row locks
            await repository.note_worker(owner, stages[owner], room)

    async def _attach_grants(self, repository: Repository, results: list[Any]) -> list[Any]:
        granted = {r.execution.execution_id: r for r in results if _is_executing_grant(r)}
        if not granted:
            return results
        grants = await repository.load_grants(granted)
        return [replace(r, grant=grants[r.execution.execution_id]) if _is_executing_grant(r) else r for r in results]


def _log_alone(command: Command, message: str, error: DatabaseFaultError | DoubtfulError) -> None:
    extra = {"job_id": command.job, "execution_id": command.execution, "code": error.code, "reason": str(error)}
    log.error(message, extra=extra)


def _is_executing_grant(result: Any) -> bool:
    if not isinstance(result, ClaimAnswer) or result.execution is None:
        return False
    return result.outcome is ClaimOutcome.GRANTED and result.execution.stage is ExecutionStage.EXECUTING


def _is_verdict(command: Command) -> bool:
    return isinstance(command, RecordReport) and command.is_verdict


def _size_of(command: Command) -> int:
    return command.size if isinstance(command, RecordResult | ClaimJudging) else 0


def _log_and_count(uow: UnitOfWork) -> None:
    for kind, count in uow.recorded_counts.items():
        DECISIONS.labels(kind.value, "recorded").inc(count)
    for job_id, report, refusal in uow.refusals:
        DECISIONS.labels(report.kind.value, refusal.code).inc()
        fields = {"job_id": job_id, "kind": report.kind.value, "code": refusal.code, "lease": report.lease}
        # Each result comes twice, from its topic and with the claim of its judging: a repeat is no news.
        level = logging.DEBUG if refusal.code == "repeat" else logging.INFO
        log.log(level, "refused; nothing is recorded", extra={**fields, "reason": refusal.message})
    for agent_id, breaker in uow.circuit_changes:
        circuit, until = breaker.circuit_at(uow.clock.now).value, breaker.open_until
        CIRCUITS.labels(circuit).inc()
        log.warning("an agent's circuit changed", extra={"agent_id": agent_id, "circuit": circuit, "open_until": until})
