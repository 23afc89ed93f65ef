"""Read operations with their progress, and their items with the outcome of each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import column, func, select, text, tuple_
from sqlalchemy.sql.roles import ColumnsClauseRole

from contracts.judging.policy import JudgePolicy
from contracts.resources import NewOperation
from jobstore.engine.sql import Connection, Row
from jobstore.errors import InvalidError
from jobstore.jobs.finding import Query
from jobstore.jobs.model import DEFAULT_TENANT, UNPROVEN
from jobstore.judging.rules import Kind, Version, Wanted
from jobstore.judging.store import load_versions
from jobstore.schema.tables import operations
from signoff.status import BATCH_KINDS, JobStatus, OperationKind, OperationState
from signoff.types import JobFilter, Operation, OperationItem
from signoff.values import to_usd

#: Seconds over which an operation's rate is measured: its age, between the second and the first of these.
RATE_OVER_S: Final = 60.0
RATE_OVER_MIN_S: Final = 1.0
#: Outcomes of items that are not statuses of a job.
WAITING, REFUSED, CANCELLED, DONE = "WAITING", "REFUSED", "CANCELLED", "DONE"

#: Outcomes of items whose results were judged, and of those of which it is known what they came to cost.
_JUDGED_WORDS: Final = (JobStatus.COMPLETED, JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED)
_ENDED_WORDS: Final = frozenset({*_JUDGED_WORDS, JobStatus.FAILED, DONE})
#: Kinds of which the time and the cost of each item are known.
_TIMED_KINDS: Final = (*BATCH_KINDS, OperationKind.REJUDGE)
_BATCH_KINDS: Final = ", ".join(f"'{kind}'" for kind in BATCH_KINDS)
# ruff: noqa: S608 - all below is of words of our own
#: Whether no more items of an operation are carried out: its items without an answer are cancelled.
_IS_STOPPED: Final = "o.state IN ('CANCELLING', 'CANCELLED')"
NOT_CARRIED_OUT: Final = "the operation was cancelled before this was carried out"
_IS_REQUESTED: Final = f"i.answered AND i.code IS NULL AND o.kind IN ({_BATCH_KINDS})"
#: The last execution that an item led to: the one that was requested, or what followed it by policy. OFFSET 0 keeps the
#: planner at the executions of the job, which are few, and from looking for any where none was requested.
_LAST: Final = f"""
    LEFT JOIN LATERAL (
        SELECT e.execution_id, e.state <> 'DONE' AS live, CASE WHEN e.state = 'DONE' THEN upper(e.answer)
            WHEN e.stage = 'EXECUTING' AND e.attempt = 0 THEN '{JobStatus.ASSIGNED}'
            ELSE '{JobStatus.IN_PROGRESS}' END AS stand
        FROM (SELECT * FROM executions WHERE job_id = i.job_id AND {_IS_REQUESTED} OFFSET 0) AS e
        WHERE e.batch_id = i.operation_id
        ORDER BY e.request_version DESC NULLS LAST, e.submission DESC, e.created_at DESC LIMIT 1
    ) AS last ON true
"""
_JUDGING: Final = f"""
    LEFT JOIN judgings g ON g.group_id = i.operation_id AND g.item = i.item AND o.kind = '{OperationKind.REJUDGE}'
"""
_CODE: Final = f"coalesce(i.code, g.code, CASE WHEN NOT i.answered AND {_IS_STOPPED} THEN 'cancelled' END)"
#: The status of the last execution; of the job, where no execution of this operation is known.
_OUTCOME: Final = f"""
    CASE WHEN {_CODE} = 'cancelled' THEN '{CANCELLED}' WHEN NOT i.answered OR g.state <> 'DONE' THEN '{WAITING}'
        WHEN {_CODE} IS NOT NULL THEN '{REFUSED}' WHEN o.kind NOT IN ({_BATCH_KINDS}) THEN '{DONE}'
        ELSE coalesce(last.stand, j.status) END
"""
#: The cost of the executions of an item: of the one that was requested, and of those that followed it by policy,
#: also of a job that was removed since.
_SPENT: Final = """
    SELECT sum(e.cost_nanos) AS nanos, sum(e.tokens) AS tokens FROM executions e
    WHERE (j.cost_nanos > 0 OR j.tokens > 0 OR j.id IS NULL AND last.execution_id IS NOT NULL)
        AND e.job_id = i.job_id AND e.batch_id = i.operation_id
"""
#: The answer to an item that is judged again only says that it is queued: its judging has the outcome. Judgings are
#: counted by their group, since a look-up for each item would cost more.
_PROGRESS: Final = text(
    f"""
    WITH o AS MATERIALIZED (
        SELECT id, kind, state, signoff_now() - make_interval(secs => :over_s) AS since
        FROM operations WHERE id = ANY(CAST(:ids AS uuid[]))
    )
    SELECT o.id AS operation_id, {_OUTCOME} AS word, count(*) AS number,
        count(*) FILTER (WHERE (i.answered OR {_IS_STOPPED}) AND NOT coalesce(last.live, false)) AS rested,
        count(*) FILTER (WHERE NOT last.live AND j.updated_at > o.since AND j.execution_id = last.execution_id)
            AS lately, sum(spent.nanos) AS cost_nanos, sum(spent.tokens) AS tokens
    FROM o JOIN operation_items i ON i.operation_id = o.id {_LAST} LEFT JOIN LATERAL (
        SELECT * FROM jobs WHERE id = i.job_id AND {_IS_REQUESTED} OFFSET 0
    ) AS j ON true LEFT JOIN LATERAL ({_SPENT}) AS spent ON true
        CROSS JOIN (SELECT NULL::text AS state, NULL::text AS code) AS g
    WHERE NOT (o.kind = '{OperationKind.REJUDGE}' AND i.answered AND i.code IS NULL) GROUP BY 1, 2
    UNION ALL
    SELECT o.id, CASE WHEN g.state <> 'DONE' THEN '{WAITING}' WHEN g.code = 'cancelled' THEN '{CANCELLED}'
            WHEN g.code IS NOT NULL THEN '{REFUSED}' ELSE '{DONE}' END AS word, count(*),
        count(*) FILTER (WHERE g.state = 'DONE'), count(*) FILTER (WHERE g.answered_at > o.since),
        sum(g.cost_nanos), sum(g.tokens)
    FROM o JOIN judgings g ON g.group_id = o.id WHERE o.kind = '{OperationKind.REJUDGE}' GROUP BY 1, 2
    """
)
_ITEMS: Final = text(
    f"""
    SELECT i.item, i.job_id, CASE WHEN i.answered THEN i.execution_id END AS execution_id, {_CODE} AS code,
        coalesce(i.message, g.message, CASE WHEN NOT i.answered AND {_IS_STOPPED} THEN '{NOT_CARRIED_OUT}' END)
        AS message, coalesce(j.title, '') AS title, {_OUTCOME} AS outcome
    FROM operations o JOIN operation_items i ON i.operation_id = o.id {_LAST} {_JUDGING}
        LEFT JOIN jobs j ON j.id = i.job_id
    WHERE o.id = :id AND i.item > :after
        AND (CAST(:outcomes AS text[]) = '{{}}' OR {_OUTCOME} = ANY(CAST(:outcomes AS text[])))
    ORDER BY i.item LIMIT :limit
    """
)
#: The operation that last retried each job.
_RETRIES: Final = text(
    """
    SELECT DISTINCT ON (i.job_id) i.job_id, o.id AS retried_by, i.execution_id AS retry_execution_id
    FROM operations o JOIN operation_items i ON i.operation_id = o.id
    WHERE o.retry_of = :id AND i.job_id = ANY(CAST(:job_ids AS text[])) ORDER BY i.job_id, o.created_at DESC
    """
)
#: Items that ended at one of the statuses, of jobs that are still there, and not because their judge failed; each job
#: once, in the order of the items.
_RETRIED: Final = f"""
    SELECT min(i.item) AS item, i.job_id
    FROM operations o JOIN operation_items i ON i.operation_id = o.id {_LAST} {_JUDGING}
        JOIN jobs j ON j.id = i.job_id
    WHERE o.id = :retry_of AND j.status = ANY(CAST(:statuses AS text[])) AND NOT j.live
        AND j.code IS DISTINCT FROM '{UNPROVEN}' AND {_OUTCOME} = ANY(CAST(:statuses AS text[]))
    GROUP BY i.job_id
"""
#: The columns of an operation that are shown as they are.
_ROW: Final = ("id", "tenant", "kind", "state", "name", "actor", "created_at", "finished_at", "retry_of")
_COLUMNS: Final[Sequence[ColumnsClauseRole]] = (
    *(operations.c[name] for name in _ROW),
    text("parameters::text AS parameters"),
)


async def get(connection: Connection, operation_id: UUID) -> Operation | None:
    """Return the operation with this id and its progress, or None if there is none."""
    rows = await _fetch_operations(connection, select(*_COLUMNS).where(operations.c.id == operation_id))
    return rows[0] if rows else None


async def list_operations(
    connection: Connection, limit: int, before: tuple[datetime, UUID] | None = None, kinds: Sequence[str] = ()
) -> list[Operation]:
    """Return operations, newest first, before a place (created_at, id); of the kinds in `kinds`, or of all if empty."""
    query = select(*_COLUMNS).order_by(operations.c.created_at.desc(), operations.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(tuple_(operations.c.created_at, operations.c.id) < tuple_(*before))
    if kinds:
        query = query.where(operations.c.kind.in_(kinds))
    return await _fetch_operations(connection, query)


async def list_items(
    connection: Connection, operation_id: UUID, limit: int, after: int = -1, outcomes: Iterable[str] = ()
) -> list[OperationItem]:
    """Return items of an operation by number, after `after`, each with its outcome and its last retry."""
    wanted = {"id": operation_id, "limit": limit, "after": after, "outcomes": list(outcomes)}
    rows = await connection.execute(_ITEMS, wanted)
    asked = {"id": operation_id, "job_ids": [row.job_id for row in rows]}
    retries = {row.job_id: dict(row) for row in await connection.execute(_RETRIES, asked)}
    return [OperationItem(**{**row, **retries.get(row.job_id, {})}) for row in rows]


def retried_jobs(retry_of: UUID, statuses: Sequence[JobStatus]) -> Query:
    """Return the query of (item, job_id) of those items of an operation that a retry by `statuses` would take."""
    asked = text(_RETRIED).bindparams(retry_of=retry_of, statuses=[status.value for status in statuses])
    return select(asked.columns(column("item"), column("job_id")).subquery())


async def _fetch_operations(connection: Connection, query: Query) -> list[Operation]:
    rows = await connection.execute(query.add_columns(func.signoff_now().label("now")))
    progress: dict[UUID, list[Row]] = {row.id: [] for row in rows}
    if rows:
        for part in await connection.execute(_PROGRESS, {"ids": list(progress), "over_s": RATE_OVER_S}):
            progress[part.operation_id].append(part)
    return [_make_operation(row, progress[row.id]) for row in rows]


def _make_operation(row: Row, parts: Sequence[Row]) -> Operation:
    counts: Counter[str] = Counter()
    for part in parts:
        counts[part.word] += part.number
    total, rested = sum(counts.values()), sum(part.rested for part in parts)
    age_s, over_s = ((row.finished_at or row.now) - row.created_at).total_seconds(), RATE_OVER_S
    lately = sum(part.lately for part in parts)
    has_costs = row.kind in _TIMED_KINDS
    if row.finished_at is not None or not has_costs:  # items of other kinds have no times
        lately, over_s = rested, age_s
    rate = lately / max(min(age_s, over_s), RATE_OVER_MIN_S)
    ends_at = None
    ends_by_itself = has_costs and row.state in {OperationState.RUNNING, OperationState.PAUSED}
    if row.state == OperationState.RUNNING and rate and rested < total:
        ends_at = row.now + timedelta(seconds=(total - rested) / rate)
    nanos, tokens = (sum(int(part[name] or 0) for part in parts) for name in ("cost_nanos", "tokens"))
    parameters = from_json(row.parameters)
    return Operation(
        **{name: row[name] for name in _ROW},
        **{name: parameters.get(name) for name in ("agent_id", "judge", "shadow")},
        filter=JobFilter(**parameters["filter"]) if "filter" in parameters else None,
        total=total,
        counts=dict(sorted(counts.items())),
        progress=rested / total if total else 1.0,
        rate_per_s=rate,
        ends_at=ends_at,
        cost_usd=to_usd(nanos) if has_costs else None,
        tokens=tokens if has_costs else None,
        expected_cost_usd=_expect_cost(parts, total - rested) if ends_by_itself else None,
        acceptance_rate=_find_acceptance(counts) if row.kind in BATCH_KINDS else None,
    )


def _expect_cost(parts: Iterable[Row], left: int) -> Decimal | None:
    """Return what an operation will have cost, if each item that is left costs the mean of those that ended.

    None: nothing is left, or known of any that ended. What is left may have cost more than that already.
    """
    costs = [(int(part.cost_nanos or 0), part.number, part.word in _ENDED_WORDS) for part in parts]
    ended_nanos = sum(nanos for nanos, _, has_ended in costs if has_ended)
    ended = sum(number for _, number, has_ended in costs if has_ended)
    if not left or not ended_nanos:
        return None
    return to_usd(max(ended_nanos + ended_nanos * left // ended, sum(nanos for nanos, _, _ in costs)))


def _find_acceptance(counts: Mapping[str, int]) -> float | None:
    judged = sum(counts.get(word, 0) for word in _JUDGED_WORDS)
    return counts.get(JobStatus.COMPLETED, 0) / judged if judged else None


class FrozenPolicy(NamedTuple):
    """A judge policy as JSON text, and its tenant, with whose keys it is asked; None: the validators' own settings."""

    text: str | None
    tenant: str


async def freeze_policy(
    connection: Connection, reference: str | None, body: JudgePolicy | None = None, tenant: str = DEFAULT_TENANT
) -> FrozenPolicy:
    """Return the judge policy that `reference` means now, or else `body`, which is of `tenant`.

    InvalidError (`unknown_judge_policy`): no policy has that name or that version, or the name is retired.
    """
    if reference is not None:
        version = await find_version(connection, Kind.JUDGE, reference)
        return FrozenPolicy(version.policy_json, version.tenant)
    if body is not None:
        return FrozenPolicy(body.model_dump_json(exclude_defaults=True), tenant)
    return FrozenPolicy(None, DEFAULT_TENANT)


async def find_version(connection: Connection, kind: Kind, reference: str) -> Version:
    """Return the version of a judge policy or a set that a reference means now.

    InvalidError (`unknown_judge_policy` and the like): nothing has that name or that version, or the name is retired.
    """
    wanted = Wanted(kind, reference)
    version = (await load_versions(connection, [wanted])).get(wanted)
    if version is None or version.is_retired:
        raise InvalidError(wanted.describe_obstacle(version), code=kind.unknown)
    return version


async def freeze_parameters(connection: Connection, new: NewOperation) -> dict[str, object]:
    """Return the policy and the criteria of a `rejudge` operation, as they are now; an empty dict for other kinds."""
    if new.kind is not OperationKind.REJUDGE:
        return {}
    frozen: dict[str, object] = {}
    if new.criteria_set is not None:
        frozen["criteria"] = (await find_version(connection, Kind.CRITERIA, new.criteria_set)).body
    policy, tenant = await freeze_policy(connection, new.judge)
    if policy is not None:
        judge = JudgePolicy.model_validate_json(policy).reference
        frozen |= {"judge_policy": policy, "judge": judge, "policy_tenant": tenant}
    return frozen
