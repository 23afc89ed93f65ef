"""Carry out commands: lock, load, decide and write a batch of them in one transaction."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from prometheus_client import Counter

from jobstore.commands.base import Command, Locks
from jobstore.commands.reports import EndLease
from jobstore.commands.rows import Changes
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.actor import Actor
from jobstore.domain.model import Execution, TransitionKind
from jobstore.domain.terms import ExecutionTerms
from jobstore.doubts import PATIENCE_S, Doubts
from jobstore.errors import DatabaseFaultError
from jobstore.lanes import SET_ASIDE, Lane, SetAside
from jobstore.storage.database import Database
from jobstore.storage.work.loading import load
from jobstore.storage.work.locking import lock
from jobstore.storage.work.recorded import Recorded
from jobstore.storage.work.writing import write
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.outages import DATABASE_OUTAGES
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

R = TypeVar("R")

DECISIONS = Counter("signoff_decisions", "Decisions on reports and requests", ["kind", "outcome"])
CIRCUITS = Counter("signoff_circuit_changes", "Circuits of agents that opened, again or anew, or closed", ["circuit"])


class CommandRunner:
    """Carry out commands. Each kind has a lane of its own, in which concurrent calls share a transaction."""

    def __init__(self, database: Database, terms: ExecutionTerms, patience_s: float = PATIENCE_S) -> None:
        """`patience_s`: for how long a command may fail alone, while the database can be written."""
        self._database = database
        self._doubts = Doubts(patience_s)
        self.terms = terms
        #: Is told of executions that were offered with their requests, once that is committed.
        self.on_offered: Callable[[Sequence[Execution]], None] | None = None
        #: Is handed the entries that were recorded, once that is committed.
        self.on_recorded: Callable[[Sequence[Recorded]], None] | None = None
        #: Is told in how many seconds something that was written is out of time, once that is committed.
        self.on_timed: Callable[[float], None] | None = None
        self.submit = Lane(self._carry_out_or_give_up)
        self.claim = Lane(self._carry_out_or_give_up)
        self.record = Lane(self._carry_out_or_give_up)
        #: Judgings without a job: neither jobs nor whoever judges these wait for the others.
        self.judge = Lane(self._carry_out_or_give_up)
        self.match = Lane(self._carry_out_or_give_up)
        #: What administrators ask for, but for what changes limits, which waits for all that hold them.
        self.administer = Lane(self._carry_out_or_give_up)
        self.limit = Lane(self._carry_out_or_give_up)

    async def end_leases(self, kind: TransitionKind, leases: Sequence[tuple[UUID, int, bool]], *, actor: Actor) -> None:
        """End leases (execution_id, lease, begun) that were given back, lapsed or timed out: see EndLease."""
        await self.record.run([EndLease(each, kind, lease, begun=begun, actor=actor) for each, lease, begun in leases])

    async def carry_out(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | SetAside]:
        """Carry out a batch in one transaction: lock, load, decide, write.

        Return the result of each command, in order: a PermanentError for one that failed, and changed nothing.
        TransientError: it is not known whether any was carried out. SET_ASIDE is the result of a command that needs the
        limits lock while limits are being changed, unless all need it, which wait: it is for the caller to carry out by
        itself.
        """
        on_offered = self.on_offered  # whoever is there now is told, or the offers are not made
        async with self._database.pipelined_transaction() as connection:
            uow = await lock(connection, commands, self.terms, offers=on_offered is not None)
            aside = _find_set_aside(commands, uow)
            ready = [command for i, command in enumerate(commands) if i not in aside]
            await load(connection, uow, ready)
            results = [_decide(command, uow) for command in ready]
            recorded = await write(connection, uow, hands_over=self.on_recorded is not None, commits=True)
        if self.on_recorded is not None and recorded:
            self.on_recorded(recorded)
        if self.on_timed is not None and (timeout_at := uow.changes.find_next_timeout()):
            self.on_timed((timeout_at - uow.stored.clock.now).total_seconds())
        _log_and_count(uow.changes, uow.stored.clock.now)
        if on_offered is not None and (offered := uow.changes.find_offered()):
            on_offered(offered)
        decided = iter(results)
        return [SET_ASIDE if i in aside else next(decided) for i in range(len(commands))]

    async def _carry_out_or_give_up(self, commands: Sequence[Command[R]]) -> list[R | PermanentError | SetAside]:
        """Carry out a batch; give a command up that has failed alone for too long.

        DoubtfulError: none was carried out, although the database can be written. The caller halves the batch until
        the command stands alone that is at fault, and then tries that again, until it is given up.
        """
        try:
            return await self.carry_out(commands)
        except DoubtfulError as error:
            await self._probe()
            if len(commands) > 1 or not self._doubts.is_over(commands[0]):
                raise
            fault = DatabaseFaultError(str(error))
            _log_alone(commands[0].locks(), fault)
            raise fault from error

    async def _probe(self) -> None:
        """Find out whether the database can be written at all. What failed during an outage did not fail alone."""
        try:
            await self._database.availability.probe()
        except TransientError as error:
            if error.code in DATABASE_OUTAGES:
                self._doubts.forget()
            raise


def _log_alone(locks: Locks, fault: DatabaseFaultError) -> None:
    named = {"job_id": min(locks.jobs, default=None), "execution_id": min(locks.executions, default=None)}
    extra = {**named, "code": fault.code, "reason": str(fault)}
    log.error("the database fails at one command for too long; it is given up", extra=extra)


def _find_set_aside(commands: Sequence[Command[R]], uow: UnitOfWork) -> list[int]:
    """Return the places of the commands that need the limits lock, if it is missed."""
    return [i for i, command in enumerate(commands) if command.locks().limits] if uow.stored.limits_missed else []


def _decide(command: Command[R], uow: UnitOfWork) -> R | PermanentError:
    try:
        return command.decide(uow)
    except PermanentError as error:
        return error


def _log_and_count(changes: Changes, now: datetime) -> None:
    for kind, count in changes.recorded_counts.items():
        DECISIONS.labels(kind.value, "recorded").inc(count)
    for job_id, report, refusal in changes.refusals:
        DECISIONS.labels(report.kind.value, refusal.code).inc()
        fields = {"job_id": job_id, "kind": report.kind.value, "code": refusal.code, "lease": report.lease}
        # Each result comes twice, from its topic and with the claim of its judging: a repeat is no news.
        level = logging.DEBUG if refusal.code == ErrorCode.REPEAT else logging.INFO
        log.log(level, "refused; nothing is recorded", extra={**fields, "reason": refusal.message})
    for execution_id, forgotten in changes.forgotten.items():
        told = {"execution_id": execution_id, "answer": forgotten.answer, "actor": forgotten.actor}
        log.warning("a remembered answer was forgotten, so that its record may be processed anew", extra=told)
    for name, change in changes.limits.items():  # a limit has no history of its own
        removed = change.limit is None
        log.info("a limit was changed", extra={"limit": name, "actor": change.actor, "removed": removed})
    for agent_id, breaker in changes.switched_circuits:
        circuit, until = breaker.circuit_at(now).value, breaker.open_until
        CIRCUITS.labels(circuit).inc()
        log.warning("an agent's circuit changed", extra={"agent_id": agent_id, "circuit": circuit, "open_until": until})
