"""All SQL that decides, records and queues; listings are in `queries`."""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Policy
from jobstore.commands.granting import Grant
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.circuit_breaker import BreakerTerms
from jobstore.domain.model import Clock, ExecutionStage, ExecutionState
from jobstore.storage import candidates, circuits, facts, limits, row_mapping, sql
from jobstore.storage.notifications import CHANNEL, Wake, notify

_LOCK_JOBS: Final = text(
    "SELECT id, status, version, agent_id, execution_id, live, not_met, feedback::text AS feedback, "
    "progress, progress_message, batch_id, spent_usd, spent_tokens "
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR NO KEY UPDATE",
)
#: With the database's time, read after all locks are held, whether there is any circuit to lock, and what limits.
_LOCK_EXECUTIONS: Final = text(
    f"""
    SELECT clock_timestamp() AS now, EXISTS (SELECT FROM circuits) AS troubled, {limits.NAMES}, e.*
    FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT {", ".join(row_mapping.EXECUTION).replace("policy", "policy::text AS policy")}
        FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) ORDER BY execution_id FOR UPDATE
    ) AS e ON true
    """,  # noqa: S608 - names of our own
)
_SPECS: Final = text(
    "SELECT id, title, description, acceptance_criteria, payload::text AS payload, priority, tenant, "
    "labels::text AS labels, policy::text AS policy, capabilities, not_before, spec_hash, created_at, updated_at "
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[]))",
)
_AGENTS: Final = text(
    "SELECT id, name, protocol, url, capabilities, policy::text AS policy, enabled, deterministic, "
    "created_at, updated_at "
    "FROM agents WHERE id = ANY(CAST(:ids AS text[]))",
)
_INSERT_JOBS: Final = sql.insert("jobs", row_mapping.NEW_JOB, order="id")
_INSERT_EXECUTIONS: Final = sql.insert("executions", row_mapping.EXECUTION, order="execution_id")
# A verdict is put beside its result as text: U+0000, which JSON may hold, survives no operator of JSON.
_RECORD: Final = text(
    f"""
    WITH job_rows AS (
        UPDATE jobs SET status = j.status, version = j.version, agent_id = j.agent_id, execution_id = j.execution_id,
            live = j.live, not_met = j.not_met, feedback = j.feedback::json,
            progress = j.progress, progress_message = j.progress_message, batch_id = j.batch_id,
            spent_usd = j.spent_usd, spent_tokens = j.spent_tokens,
            payload = coalesce(j.payload::json, jobs.payload), updated_at = :now
        FROM {sql.unnest("j", row_mapping.JOB, "j")} WHERE jobs.id = j.id
    ), execution_rows AS (
        UPDATE executions SET {", ".join(f"{name} = e.{name}" for name in row_mapping.MOVING)}
        FROM {sql.unnest("e", {"execution_id": "uuid"} | row_mapping.MOVING, "e")}
        WHERE executions.execution_id = e.execution_id
    ), log_rows AS (
        INSERT INTO job_logs (job_id, version, status, job_status, agent_id, request_payload, response_payload,
            message, code, kind, execution_id, attempt, lease, submission, event_id, spent, progress,
            spent_usd, spent_tokens, next_attempt_at, created_at)
        SELECT l.job_id, l.version, l.status, l.job_status, l.agent_id, l.request_payload::json,
            CASE WHEN l.result_version IS NULL THEN l.response_payload::json
                WHEN l.result_job_id IS NOT NULL THEN r.response_payload
                ELSE (left(r.response_payload::text, -1) || ',"verdict":' || l.response_payload || '}}')::json END,
            l.message, l.code, l.kind, l.execution_id, l.attempt, l.lease, l.submission, l.event_id, l.spent,
            l.progress, l.spent_usd, l.spent_tokens, l.next_attempt_at, :now
        FROM {sql.unnest("l", row_mapping.LOG, "l")}
        LEFT JOIN job_logs r ON r.job_id = coalesce(l.result_job_id, l.job_id) AND r.version = l.result_version
        ORDER BY l.n
    )
    SELECT pg_notify('{CHANNEL}', :wake)
    """,  # noqa: S608 - names of our own
)
_EDIT: Final = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = new.{name}" for name in row_mapping.EDITED if name != "id")}
    FROM (SELECT {sql.named_values("u", row_mapping.EDITED)} FROM {sql.unnest("u", row_mapping.EDITED, "u")}) AS new
    WHERE jobs.id = new.id
    """,  # noqa: S608 - names of our own
)
_GRANTS: Final = text(
    "SELECT e.execution_id, l.request_payload::text AS request, a.protocol, a.url "
    "FROM executions e JOIN job_logs l ON l.job_id = e.job_id AND l.version = e.request_version "
    "JOIN agents a ON a.id = e.agent_id WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))",
)
_JOBS_OF: Final = text("SELECT job_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND job_id <> ''")
_SEEN: Final = text(
    f"""
    INSERT INTO workers (owner, stage, room, seen_at) VALUES (:owner, :stage, :room, clock_timestamp())
    ON CONFLICT (owner) DO UPDATE SET room = excluded.room, seen_at = excluded.seen_at
    RETURNING CASE WHEN room > 0 THEN {notify(Wake.FREED)} END
    """,  # noqa: S608 - names of our own
)


class Repository:
    """The jobstore's tables within one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(
        self,
        job_ids: Collection[str],
        execution_ids: Collection[UUID],
        terms: tuple[float, float],
        defaults: Policy,
        breaker_terms: BreakerTerms,
    ) -> UnitOfWork:
        """Lock jobs in the order of their ids, and then executions, those live among the jobs' included."""
        jobs = {}
        if job_ids:
            rows = await self._connection.execute(_LOCK_JOBS, {"ids": sorted(job_ids)})
            jobs = {row.id: row_mapping.job(row) for row in rows}
        ids = {*execution_ids, *(job.execution_id for job in jobs.values() if job.live and job.execution_id)}
        locked = (await self._connection.execute(_LOCK_EXECUTIONS, {"ids": sorted(ids)})).all()
        last = locked[-1]
        executions = {row.execution_id: row_mapping.execution(row) for row in locked if row.execution_id is not None}
        return UnitOfWork(
            Clock(last.now, *terms),
            defaults,
            breaker_terms,
            last.troubled,
            frozenset(last.limits or ()),
            last.capped,
            jobs=jobs,
            executions=executions,
        )

    async def hold_limits(self) -> None:
        """Let no limit change until the commit; before anything is locked."""
        await limits.shared(self._connection)

    async def limits_held_late(self, uow: UnitOfWork) -> bool:
        """The same after rows were locked; False: limits are being changed."""
        now = await limits.shared_late(self._connection)
        if now is not None:
            uow.limits, uow.capped = frozenset(now.limits or ()), now.capped
        return now is not None

    async def load_candidates(self, uow: UnitOfWork, needs: Collection[str]) -> None:
        """Add the agents that jobs with these capabilities may be matched to."""
        await candidates.load(self._connection, uow, needs)

    async def load_histories(self, uow: UnitOfWork, job_ids: Collection[str]) -> None:
        """Add who had these jobs, and how it was judged."""
        await candidates.load_histories(self._connection, uow, job_ids)

    async def load_room(self, uow: UnitOfWork, tenants: Collection[str]) -> None:
        """Add how many executions of these tenants may still wait."""
        uow.may_wait = await limits.may_wait(self._connection, tenants)

    async def lock_circuits(self, uow: UnitOfWork, agent_ids: Collection[str]) -> None:
        """Add the circuits of agents, locked after all jobs and executions."""
        uow.stored_circuits = await circuits.lock(self._connection, agent_ids)
        uow.circuits = dict(uow.stored_circuits)

    async def jobs_of(self, execution_ids: Iterable[UUID]) -> list[str]:
        """The jobs of executions that are known."""
        return list(await self._connection.scalars(_JOBS_OF, {"ids": list(execution_ids)}))

    async def load(self, uow: UnitOfWork, job_ids: Iterable[str], agent_ids: Iterable[str]) -> None:
        """Add the texts of jobs, and agents, to what is locked."""
        if ids := sorted(set(job_ids)):
            for row in await self._connection.execute(_SPECS, {"ids": ids}):
                uow.specs[row.id] = row_mapping.spec(row)
        if ids := sorted(set(agent_ids)):
            for row in await self._connection.execute(_AGENTS, {"ids": ids}):
                uow.agents[row.id] = row_mapping.agent(row)

    async def flush(self, uow: UnitOfWork) -> None:
        """Write everything that was decided."""
        if uow.new_jobs:
            rows = [row_mapping.new_job_row(uow, job_id) for job_id in sorted(uow.new_jobs)]
            await self._connection.execute(_INSERT_JOBS, sql.arrays(row_mapping.NEW_JOB, "u", rows))
        if uow.new_executions:
            executions = [uow.executions[i] for i in uow.new_executions]
            rows = [row_mapping.execution_row(execution, row_mapping.EXECUTION) for execution in executions]
            await self._connection.execute(_INSERT_EXECUTIONS, sql.arrays(row_mapping.EXECUTION, "u", rows))
            refused = [e.execution_id for e in executions if e.request_version is None]
            await facts.tell_refusals(self._connection, refused)
        if not (uow.entries or uow.changed_executions or uow.changed_jobs):
            return
        moving = {"execution_id": "uuid"} | row_mapping.MOVING
        moved = [uow.executions[i] for i in uow.new_executions | uow.changed_executions]
        queued = any(execution.state is ExecutionState.QUEUED for execution in moved)
        freed = any(
            execution.stage is ExecutionStage.JUDGING or execution.state is ExecutionState.DONE for execution in moved
        )
        wake = Wake.RECORDED if uow.entries else Wake.NOTHING
        wake |= Wake.QUEUED if queued else Wake.NOTHING
        wake |= Wake.FREED if freed else Wake.NOTHING
        parameters = {
            "now": uow.clock.now,
            "wake": wake.payload,
            **sql.arrays(row_mapping.JOB, "j", [row_mapping.job_row(uow, i) for i in uow.changed_jobs - uow.new_jobs]),
            **sql.arrays(
                moving,
                "e",
                [row_mapping.execution_row(uow.executions[i], moving) for i in uow.changed_executions],
            ),
            **sql.arrays(row_mapping.LOG, "l", [row_mapping.log_row(entry) for entry in uow.entries]),
        }
        await self._connection.execute(_RECORD, parameters)
        if uow.edited:
            rows = [row_mapping.edited_row(uow, job_id) for job_id in sorted(uow.edited)]
            await self._connection.execute(_EDIT, sql.arrays(row_mapping.EDITED, "u", rows))
        await circuits.write(self._connection, uow.stored_circuits, uow.circuits)
        uow.written()

    async def grants(self, execution_ids: Iterable[UUID]) -> dict[UUID, Grant]:
        """What an executor needs to call the agent: request (JSON text), protocol and url by execution."""
        rows = await self._connection.execute(_GRANTS, {"ids": list(execution_ids)})
        return {row.execution_id: Grant(row.request, row.protocol, row.url) for row in rows}

    async def seen(self, owner: UUID, stage: ExecutionStage, room: int) -> None:
        """Note that a worker is alive, and its room."""
        await self._connection.execute(_SEEN, {"owner": owner, "stage": stage.value, "room": room})
