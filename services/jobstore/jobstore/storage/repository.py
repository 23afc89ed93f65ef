"""Lock, load and write what the commands of one transaction decide on. Lists that people see are in `reads`."""

from collections.abc import Collection, Iterable
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobstore.commands.granting import Grant
from jobstore.commands.unit_of_work import Question, UnitOfWork
from jobstore.domain.model import Clock, ExecutionStage, ExecutionState
from jobstore.domain.terms import ExecutionTerms
from jobstore.storage import candidates, circuits, facts, limits, row_mapping, sql
from jobstore.storage.notifications import CHANNEL, Wake, notify
from jobstore.storage.row_mapping import (
    CHANGING_COLUMNS,
    EDITED_COLUMNS,
    EXECUTION_COLUMNS,
    JOB_COLUMNS,
    LOG_COLUMNS,
    NEW_JOB_COLUMNS,
)

_LOCK_JOBS: Final = text(
    "SELECT id, status, version, agent_id, execution_id, live, not_met, feedback::text AS feedback, "
    "progress, progress_message, batch_id, spent_usd, spent_tokens "
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR NO KEY UPDATE",
)
#: Beside the executions, or with none: the time after all locks are held, whether any circuit is stored, and NAMES.
_LOCK_EXECUTIONS: Final = text(
    f"""
    SELECT clock_timestamp() AS now, EXISTS (SELECT FROM circuits) AS has_circuits, {limits.NAMES}, e.*
    FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT {", ".join(EXECUTION_COLUMNS).replace("policy", "policy::text AS policy")}
        FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) ORDER BY execution_id FOR UPDATE
    ) AS e ON true
    """,  # noqa: S608 - names of our own
)
_QUESTIONS: Final = text("SELECT id, title, acceptance_criteria, tenant FROM jobs WHERE id = ANY(CAST(:ids AS text[]))")
_SPECS: Final = text(
    "SELECT id, title, description, acceptance_criteria, payload::text AS payload, priority, tenant, "
    "labels::text AS labels, policy::text AS policy, capabilities, not_before, spec_hash, created_at, updated_at "
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[]))",
)
_AGENTS: Final = text(
    "SELECT id, name, protocol, url, capabilities, policy::text AS policy, enabled, deterministic, "
    "headers::text AS headers, created_at, updated_at "
    "FROM agents WHERE id = ANY(CAST(:ids AS text[]))",
)
_INSERT_JOBS: Final = sql.insert("jobs", NEW_JOB_COLUMNS, order="id")
_INSERT_EXECUTIONS: Final = sql.insert("executions", EXECUTION_COLUMNS, order="execution_id")
#: One statement writes all changes of a batch. Its parts see the tables as they were before it: the result that a
#: verdict quotes must have been written by an earlier statement. The verdict is appended to the result as text, since
#: operators of json fail on U+0000, which JSON text may hold. ORDER BY l.n: a job's versions are numbered in order.
_RECORD: Final = text(
    f"""
    WITH job_rows AS (
        UPDATE jobs SET status = j.status, version = j.version, agent_id = j.agent_id, execution_id = j.execution_id,
            live = j.live, not_met = j.not_met, feedback = j.feedback::json,
            progress = j.progress, progress_message = j.progress_message, batch_id = j.batch_id,
            spent_usd = j.spent_usd, spent_tokens = j.spent_tokens,
            payload = coalesce(j.payload::json, jobs.payload), updated_at = :now
        FROM {sql.unnest("j", JOB_COLUMNS, "j")} WHERE jobs.id = j.id
    ), execution_rows AS (
        UPDATE executions SET {", ".join(f"{name} = e.{name}" for name in CHANGING_COLUMNS)}
        FROM {sql.unnest("e", {"execution_id": "uuid"} | CHANGING_COLUMNS, "e")}
        WHERE executions.execution_id = e.execution_id
    ), log_rows AS (
        INSERT INTO job_logs (job_id, version, status, job_status, agent_id, request_payload, response_payload,
            message, code, kind, execution_id, attempt, lease, submission, event_id, spent, progress,
            spent_usd, spent_tokens, next_attempt_at, actor, created_at)
        SELECT l.job_id, l.version, l.status, l.job_status, l.agent_id, l.request_payload::json,
            CASE WHEN l.result_version IS NULL THEN l.response_payload::json
                WHEN l.result_job_id IS NOT NULL THEN r.response_payload
                ELSE (left(r.response_payload::text, -1) || ',"verdict":' || l.response_payload || '}}')::json END,
            l.message, l.code, l.kind, l.execution_id, l.attempt, l.lease, l.submission, l.event_id, l.spent,
            l.progress, l.spent_usd, l.spent_tokens, l.next_attempt_at, l.actor, :now
        FROM {sql.unnest("l", LOG_COLUMNS, "l")}
        LEFT JOIN job_logs r ON r.job_id = coalesce(l.result_job_id, l.job_id) AND r.version = l.result_version
        ORDER BY l.n
    )
    SELECT pg_notify('{CHANNEL}', :wake)
    """,  # noqa: S608 - names of our own
)
_EDIT: Final = text(
    f"""
    UPDATE jobs SET {", ".join(f"{name} = new.{name}" for name in EDITED_COLUMNS if name != "id")}
    FROM (SELECT {sql.named_values("u", EDITED_COLUMNS)} FROM {sql.unnest("u", EDITED_COLUMNS, "u")}) AS new
    WHERE jobs.id = new.id
    """,  # noqa: S608 - names of our own
)
_GRANTS: Final = text(
    "SELECT e.execution_id, l.request_payload::text AS request, a.protocol, a.url, a.headers::text AS headers "
    "FROM executions e JOIN job_logs l ON l.job_id = e.job_id AND l.version = e.request_version "
    "JOIN agents a ON a.id = e.agent_id WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))",
)
_JOB_IDS: Final = text("SELECT job_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND job_id <> ''")
_NOTE_WORKER: Final = text(
    f"""
    INSERT INTO workers (owner, stage, room, seen_at) VALUES (:owner, :stage, :room, clock_timestamp())
    ON CONFLICT (owner) DO UPDATE SET room = excluded.room, seen_at = excluded.seen_at
    RETURNING CASE WHEN room > 0 THEN {notify(Wake.FREED)} END
    """,  # noqa: S608 - names of our own
)


class Repository:
    """Lock, load and write the rows of one transaction."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(
        self, job_ids: Collection[str], execution_ids: Collection[UUID], terms: ExecutionTerms
    ) -> UnitOfWork:
        """Lock jobs and then executions, each in the order of their ids; the live executions of these jobs, too."""
        jobs = {}
        if job_ids:
            job_rows = await self._connection.execute(_LOCK_JOBS, {"ids": sorted(job_ids)})
            jobs = {row.id: row_mapping.to_job(row) for row in job_rows}
        ids = {*execution_ids, *(job.execution_id for job in jobs.values() if job.live and job.execution_id)}
        rows = (await self._connection.execute(_LOCK_EXECUTIONS, {"ids": sorted(ids)})).all()
        last = rows[-1]  # the time that was read after the last lock was held
        executions = {row.execution_id: row_mapping.to_execution(row) for row in rows if row.execution_id is not None}
        return UnitOfWork(
            ids=terms.ids,
            clock=Clock(last.now, lease_s=terms.lease_s, offer_again_s=terms.offer_again_s),
            default_policy=terms.policy,
            breaker_terms=terms.breaker,
            reuse_terms=terms.reuse,
            job_max_bytes=terms.job_max_bytes,
            jobs=jobs,
            executions=executions,
            has_circuits=last.has_circuits,
            limit_names=frozenset(last.limits or ()),
            has_queue_caps=last.capped,
        )

    async def share_limits_lock(self) -> None:
        """Let no limit change until the commit. Call before anything is locked."""
        await limits.share_lock(self._connection)

    async def try_share_limits_lock(self, uow: UnitOfWork) -> bool:
        """Let no limit change until the commit, and load the limits anew. Return False if they are being changed."""
        row = await limits.try_share_lock(self._connection)
        if row is None:
            return False
        uow.limit_names, uow.has_queue_caps = frozenset(row.limits or ()), row.capped
        return True

    async def load_candidates(self, uow: UnitOfWork, capabilities: Collection[str]) -> None:
        """Load the agents that have any of these capabilities."""
        await candidates.load(self._connection, uow, capabilities)

    async def load_histories(self, uow: UnitOfWork, job_ids: Collection[str]) -> None:
        """Load the histories of these jobs' agents."""
        await candidates.load_histories(self._connection, uow, job_ids)

    async def load_queue_room(self, uow: UnitOfWork, tenants: Collection[str]) -> None:
        """Load how many more executions of these tenants may wait."""
        uow.queue_room = await limits.load_queue_room(self._connection, tenants)

    async def load_cancel_room(self, uow: UnitOfWork, limit: int) -> None:
        """Load how many more cancels of unknown executions may be remembered, of so many."""
        uow.cancel_room = limit - await facts.count_early_cancels(self._connection, limit)

    async def lock_circuits(self, uow: UnitOfWork, agent_ids: Collection[str]) -> None:
        """Lock the circuits of agents, and load them."""
        uow.stored_circuits = await circuits.lock(self._connection, agent_ids)
        uow.circuits = dict(uow.stored_circuits)

    async def find_job_ids(self, execution_ids: Iterable[UUID]) -> list[str]:
        """Return the ids of the jobs of these executions."""
        return list(await self._connection.scalars(_JOB_IDS, {"ids": list(execution_ids)}))

    async def load_questions(self, uow: UnitOfWork, job_ids: Collection[str]) -> None:
        """Load by what the results of these jobs are judged."""
        for row in await self._connection.execute(_QUESTIONS, {"ids": list(job_ids)}):
            uow.questions[row.id] = Question(row.title, row.acceptance_criteria, row.tenant)

    async def load(self, uow: UnitOfWork, job_ids: Iterable[str], agent_ids: Iterable[str]) -> None:
        """Load the specs of jobs, and agents."""
        if ids := sorted(set(job_ids)):
            for row in await self._connection.execute(_SPECS, {"ids": ids}):
                uow.specs[row.id] = row_mapping.to_spec(row)
        if ids := sorted(set(agent_ids)):
            for row in await self._connection.execute(_AGENTS, {"ids": ids}):
                uow.agents[row.id] = row_mapping.to_agent(row)

    async def flush(self, uow: UnitOfWork) -> None:
        """Write the changes, and clear them. What may be reused is written by `reusable.keep`."""
        if uow.new_jobs:
            rows = [row_mapping.new_job_row(uow, job_id) for job_id in sorted(uow.new_jobs)]
            await self._connection.execute(_INSERT_JOBS, sql.arrays(NEW_JOB_COLUMNS, "u", rows))
        if uow.new_executions:
            executions = [uow.executions[i] for i in uow.new_executions]
            rows = [row_mapping.execution_row(execution, EXECUTION_COLUMNS) for execution in executions]
            await self._connection.execute(_INSERT_EXECUTIONS, sql.arrays(EXECUTION_COLUMNS, "u", rows))
        await facts.add_refusal_facts(self._connection, uow.final_answers)
        if not (uow.log_entries or uow.changed_executions or uow.changed_jobs):
            return
        columns = {"execution_id": "uuid"} | CHANGING_COLUMNS
        job_rows = [row_mapping.job_row(uow, i) for i in uow.changed_jobs - uow.new_jobs]
        execution_rows = [row_mapping.execution_row(uow.executions[i], columns) for i in uow.changed_executions]
        log_rows = [row_mapping.log_row(entry) for entry in uow.log_entries]
        parameters = {
            "now": uow.clock.now,
            "wake": _work_left_by(uow).payload,
            **sql.arrays(JOB_COLUMNS, "j", job_rows),
            **sql.arrays(columns, "e", execution_rows),
            **sql.arrays(LOG_COLUMNS, "l", log_rows),
        }
        await self._connection.execute(_RECORD, parameters)
        if uow.edited_jobs:
            rows = [row_mapping.edited_row(uow, job_id) for job_id in sorted(uow.edited_jobs)]
            await self._connection.execute(_EDIT, sql.arrays(EDITED_COLUMNS, "u", rows))
        await circuits.write(self._connection, uow.stored_circuits, uow.circuits)
        uow.clear_written()

    async def load_grants(self, execution_ids: Iterable[UUID]) -> dict[UUID, Grant]:
        """Return what an executor needs to call the agent, by execution."""
        rows = await self._connection.execute(_GRANTS, {"ids": list(execution_ids)})
        return {row.execution_id: Grant(row.request, row.protocol, row.url, from_json(row.headers)) for row in rows}

    async def note_worker(self, owner: UUID, stage: ExecutionStage, room: int) -> None:
        """Record that a worker is alive, and for how many more leases it has room."""
        await self._connection.execute(_NOTE_WORKER, {"owner": owner, "stage": stage.value, "room": room})


def _work_left_by(uow: UnitOfWork) -> Wake:
    """Return what the changes leave for the loops to do."""
    changed = [uow.executions[i] for i in uow.new_executions | uow.changed_executions]
    wake = Wake.RECORDED if uow.log_entries else Wake.NOTHING
    if any(e.state is ExecutionState.QUEUED for e in changed):
        wake |= Wake.QUEUED
    if any(e.stage is ExecutionStage.JUDGING or e.state is ExecutionState.DONE for e in changed):
        wake |= Wake.FREED
    return wake
