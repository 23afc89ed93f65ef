"""Carry out commands: a batch of them is one transaction."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.commands.base import Command
from jobstore.commands.claims import ClaimExecution, ClaimJudging
from jobstore.commands.granting import ClaimAnswer, ClaimOutcome
from jobstore.commands.reports import NoticeLease, RecordReport, RecordResult
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import ExecutionStage, ExecutionState, TransitionKind
from jobstore.domain.terms import Terms
from jobstore.lanes import Lane
from jobstore.storage import reusable
from jobstore.storage.database import Database, RaceError
from jobstore.storage.repository import Repository
from servicekit.errors import PermanentError, TransientError

log = logging.getLogger(__name__)

DECISIONS = Counter("signoff_decisions", "Decisions on reports and requests", ["kind", "outcome"])
CIRCUITS = Counter("signoff_circuit_changes", "Circuits of agents that opened, again or anew, or closed", ["circuit"])


class LimitsChangingError(TransientError):
    """Who is asked for by policy is known only after rows are locked: then nobody may wait for limits."""


class CommandRunner:
    """Carry out commands. Each kind of write has a lane of its own, so that concurrent calls share a commit."""

    def __init__(self, database: Database, terms: Terms) -> None:
        self._database = database
        self.terms = terms
        self.submit: Lane[Command] = Lane(self.carry_out)
        self.claim: Lane[Command] = Lane(self.carry_out, size=_size)
        self.record: Lane[Command] = Lane(self.carry_out, size=_size)
        self.match: Lane[Command] = Lane(self.carry_out)

    async def notice(self, kind: TransitionKind, leases: Sequence[tuple[UUID, int, bool]]) -> None:
        """Act on leases given back, lapsed, or beyond their deadline: (execution_id, lease, begun)."""
        await self.record.run([NoticeLease(execution_id, kind, lease, begun) for execution_id, lease, begun in leases])

    async def carry_out(self, commands: Sequence[Command]) -> list[Any]:
        """The result of each command, in order; one that fails for good is a PermanentError, and changes nothing."""
        try:
            return await self._carried_out(commands, limits=any(command.needs_limits for command in commands))
        except LimitsChangingError:
            return await self._carried_out(commands, limits=True)
        except PermanentError as error:
            if len(commands) == 1 and (instead := commands[0].unstorable()) is not None:
                await self._carried_out([instead], limits=False)
                return [error]
            raise

    async def _carried_out(self, commands: Sequence[Command], *, limits: bool) -> list[Any]:
        async with self._database.transaction() as connection:
            jobs = Repository(connection)
            if limits:
                await jobs.hold_limits()
            uow = await self._locked(connection, jobs, commands, limits=limits)
            await self._record_results_judged_before(jobs, uow, commands)
            results = [await self._applied(jobs, uow, command) for command in commands]
            await jobs.flush(uow)
            await reusable.keep(connection, uow)
            await self._note_workers(jobs, uow, commands)
            results = await self._with_grants(jobs, results)
        _account(uow)
        return results

    async def _locked(
        self, connection: AsyncConnection, jobs: Repository, commands: Sequence[Command], *, limits: bool
    ) -> UnitOfWork:
        job_ids = {command.job for command in commands if command.job is not None}
        execution_ids = {i for c in commands for i in (c.execution, c.next_execution) if i is not None}
        orphans = {c.execution for c in commands if c.job is None and c.execution is not None}
        if orphans:
            job_ids.update(await jobs.jobs_of(orphans))
        terms = (self.terms.lease_s, self.terms.offer_again_s)
        uow = await jobs.lock(job_ids, execution_ids, terms, self.terms.policy, self.terms.breaker)
        uow.reuse = self.terms.reuse
        if {uow.executions[i].job_id for i in orphans & uow.executions.keys()} - {"", *job_ids}:
            raise RaceError("an execution was admitted meanwhile, and its job is not locked")
        requested = {e.job_id for e in uow.executions.values() if e.request_version is not None}
        if requested & job_ids - uow.jobs.keys():
            raise RaceError("a job was created meanwhile, and is not locked")
        await self._find_reusable(connection, uow, commands)
        specs = {job_id for command in commands for job_id in command.specs(uow)}
        agents = {agent_id for command in commands for agent_id in command.agents(uow)}
        again = {job_id for command in commands for job_id in command.resubmits(uow)}
        if again and not limits and not await jobs.limits_held_late(uow):
            raise LimitsChangingError("limits are being changed", code="limits_changing")
        agents |= {agent_id for job_id in again if (agent_id := uow.jobs[job_id].agent_id) is not None}
        await jobs.load(uow, specs | again, agents)
        if again:
            await jobs.load_histories(uow, again)
        if needs := {name for command in commands for name in command.needs(uow)}:
            await jobs.load_candidates(uow, needs)
        if limits and uow.capped:
            tenants = {uow.specs[job_id].tenant for job_id in specs}
            tenants |= {command.brings.tenant for command in commands if command.brings is not None}
            await jobs.load_room(uow, tenants)
        if uow.troubled and (called := {i for command in commands for i in command.circuits(uow)}):
            await jobs.lock_circuits(uow, called)
        return uow

    async def _find_reusable(self, connection: AsyncConnection, uow: UnitOfWork, commands: Sequence[Command]) -> None:
        judgings = [c for c in commands if isinstance(c, ClaimJudging)] if uow.reuse.verdict_age_s else []
        keys = {key: command for command in judgings if (key := command.key(uow)) is not None}
        claimed = {c.execution_id for c in commands if isinstance(c, ClaimExecution) and not c.replay}
        reusing = [
            execution.execution_id
            for execution in uow.executions.values()
            if execution.reuse_key is not None
            and execution.execution_id in claimed
            and execution.state is not ExecutionState.DONE
        ]
        await reusable.load(connection, uow, keys, reusing if uow.reuse.result_age_s else ())

    async def _record_results_judged_before(
        self, jobs: Repository, uow: UnitOfWork, commands: Sequence[Command]
    ) -> None:
        """The row of a result must stand before that of a verdict, which quotes it."""
        judged = [c for c in commands if isinstance(c, ClaimJudging) and c.reused(uow)] if uow.verdicts else []
        for command in judged:
            RecordResult(command.event).apply(uow)
        if judged:
            await jobs.flush(uow)

    async def _applied(self, jobs: Repository, uow: UnitOfWork, command: Command) -> Any:
        if isinstance(command, RecordReport) and command.is_verdict and uow.recorded[TransitionKind.RESULT]:
            await jobs.flush(uow)  # the row of the result must stand before the verdict's, which quotes it
        try:
            return command.apply(uow)
        except PermanentError as error:
            return error

    async def _note_workers(self, jobs: Repository, uow: UnitOfWork, commands: Sequence[Command]) -> None:
        stages = {c.owner: ExecutionStage.EXECUTING for c in commands if isinstance(c, ClaimExecution)}
        stages |= {c.owner: ExecutionStage.JUDGING for c in commands if isinstance(c, ClaimJudging)}
        for owner, room in sorted(uow.rooms.items()):  # as locks are taken
            await jobs.seen(owner, stages[owner], room)

    async def _with_grants(self, jobs: Repository, results: list[Any]) -> list[Any]:
        granted = {r.execution.execution_id: r for r in results if _is_executing_grant(r)}
        if not granted:
            return results
        grants = await jobs.grants(granted)
        return [replace(r, grant=grants[r.execution.execution_id]) if _is_executing_grant(r) else r for r in results]


def _is_executing_grant(result: Any) -> bool:
    if not isinstance(result, ClaimAnswer) or result.execution is None:
        return False
    return result.outcome is ClaimOutcome.GRANTED and result.execution.stage is ExecutionStage.EXECUTING


def _size(command: Command) -> int:
    return command.size if isinstance(command, RecordResult | ClaimJudging) else 0


def _account(uow: UnitOfWork) -> None:
    for kind, count in uow.recorded.items():
        DECISIONS.labels(kind.value, "recorded").inc(count)
    for job_id, report, refusal in uow.refusals:
        DECISIONS.labels(report.kind.value, refusal.code).inc()
        about = {"job_id": job_id, "kind": report.kind.value, "code": refusal.code, "lease": report.lease}
        level = logging.DEBUG if refusal.code == "repeat" else logging.INFO  # a result arrives on two ways
        log.log(level, "refused", extra={**about, "reason": refusal.message})
    for agent_id, breaker in uow.moved_circuits:
        circuit, until = breaker.circuit(uow.clock.now).value, breaker.open_until
        CIRCUITS.labels(circuit).inc()
        log.warning("circuit", extra={"agent_id": agent_id, "circuit": circuit, "open_until": until})
