"""Read why executions wait. Each answer is read by one statement, so that all of it is of one moment."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import TextClause, text

from contracts.waiting import Owner, WaitCode, split_reason
from jobstore.engine.scoped import of_all, scope
from jobstore.engine.sql import Connection, Parameters
from jobstore.executions.leases import ARE_LOST, is_alive
from jobstore.jobs.model import ExecutionStage, ExecutionState
from jobstore.jobs.waiting import AGEING, Circumstances, Room, Wait, explain, find_start, sum_up
from jobstore.limits.rules import PERIOD_PARTS, PROTOCOL
from jobstore.limits.store import HOLDS_BACK, apply, count_running, is_agent_paused, sum_spent
from jobstore.schema.scopes import OfAll
from servicekit.leasing.slots import SHARE
from signoff.types import Waiting, WaitingSum

#: Turns are counted up to here; 1 more stands for all that come later.
PLACE_MAX: Final = 10_000
#: The maximum of agents that are named for a job that none of them takes.
CANDIDATES_MAX: Final = 10

#: The maximum of reasons in a sum of all that wait: thousands of agents may each have a limit of their own.
SUMS_MAX: Final = 100
#: Characters of JSON that are parsed without a thread.
PARSED_AT_ONCE: Final = 50_000

_QUEUED: Final = "stage = 'EXECUTING' AND state = 'QUEUED'"
_JUDGE_AWAY: Final = "stage = 'JUDGING' AND state = 'LEASED' AND judge_away_at IS NOT NULL"
#: Executions that wait out of the queue, of which those of one stage, state and tenant wait for the same.
_PUBLISHED: Final = f"(state = 'OFFERED' OR stage = 'JUDGING' AND state = 'QUEUED' OR {_JUDGE_AWAY})"
_UNMATCHED: Final = "status = 'PENDING' AND capabilities <> '{}'"
#: An execution that was asked for later is due at that time; any other that is not due was tried, or offered, before.
_IS_AGAIN: Final = "({0}due_at IS DISTINCT FROM {0}not_before)"
#: The executions before `e`, in the order of jobs.waiting and executions.fair_share: of a higher rank, or a lower id.
_BEFORE: Final = f"""
    SELECT FROM generate_series(0, 9) AS level CROSS JOIN LATERAL (
        SELECT FROM executions q WHERE {_QUEUED}
        AND (q.tenant, q.flow, q.priority) = (e.tenant, e.flow, CAST(level AS smallint))
        AND q.due_at <= least(clock.now, e.due_at + (level - e.priority) * CAST(:ageing AS interval))
        AND (q.due_at < e.due_at + (level - e.priority) * CAST(:ageing AS interval) OR q.execution_id < e.execution_id)
        LIMIT :place_max) AS of_level
    LIMIT :place_max
"""  # noqa: S608 - words of our own
_CANDIDATES: Final = f"""
    SELECT json_agg(a) FROM (
        SELECT id AS agent_id, enabled, {is_agent_paused("agents.id")} AS paused
        FROM agents WHERE agents.capabilities @> {{of}}.capabilities AND (shared OR agents.tenant = {{of}}.tenant)
        ORDER BY id LIMIT :candidates_max) AS a
"""  # noqa: S608 - words of our own
_OF_JOBS: Final = f"""
    SELECT j.id AS job_id, e.execution_id, j.updated_at AS since, j.live OR j.status = 'PENDING' AS is_waiting,
        e.stage, e.state, e.due_at, {_IS_AGAIN.format("e.")} AS is_again, coalesce(e.tenant, '') AS tenant,
        coalesce(e.flow, '{{}}') AS flow, j.capabilities AS needed, coalesce(CASE
            WHEN j.status = 'PENDING' AND j.capabilities <> '{{}}' THEN ({_CANDIDATES.format(of="j")})
        END, '[]') AS candidates,
        CASE WHEN e.stage = 'EXECUTING' AND e.state = 'LEASED' THEN (
            SELECT next_attempt_at FROM job_logs l WHERE l.job_id = j.id AND l.version = j.version)
        END AS retry_at,
        CASE WHEN e.state = 'LEASED' THEN e.judge_away_at END AS judge_away_at,
        CASE WHEN :places AND e.stage = 'EXECUTING' AND e.state = 'QUEUED' AND e.due_at <= clock.now
            THEN 1 + (SELECT count(*) FROM ({_BEFORE}) AS before)
        END AS place,
        CASE WHEN :places THEN (
            SELECT actor || coalesce(': ' || reason, '') FROM holds WHERE holds.job_id = j.id)
        END AS held
    FROM clock CROSS JOIN jobs j LEFT JOIN executions e ON j.live AND e.execution_id = j.execution_id
    WHERE j.id = ANY(CAST(:job_ids AS text[]))
"""  # noqa: S608 - words of our own
#: All executions of one flow wait for the same, apart from their times.
_OF_BATCH: Final = f"""
    SELECT stage, state, tenant, flow, min(due_at) AS due_at, due_at > now AND {_IS_AGAIN.format("")} AS is_again,
        min(judge_away_at) AS judge_away_at, count(*) AS count
    FROM clock CROSS JOIN executions WHERE batch_id = :batch_id AND (state IN ('QUEUED', 'OFFERED') OR {_JUDGE_AWAY})
    GROUP BY stage, state, tenant, flow, due_at > now, due_at > now AND {_IS_AGAIN.format("")}
    UNION ALL
    SELECT 'JUDGING', state, tenant, '{{}}', min(now), false, NULL, count(*)
    FROM clock CROSS JOIN judgings WHERE group_id = :batch_id AND state = 'QUEUED' GROUP BY state, tenant
"""  # noqa: S608 - words of our own
#: When an execution `e` could begin.
STARTABLE_AT: Final = "greatest(e.created_at, e.not_before)"
_OF_QUEUE: Final = (
    f"executions AS e WHERE {_QUEUED} AND (tenant, flow, priority) = (queues.tenant, queues.flow, queues.priority)"
)
#: Counts each queue along the index, from queue to queue as the dispatcher goes: grouping all rows takes ten times as
#: long. Of executions that are not due the times are looked up.
_QUEUES: Final = f"""
    SELECT 'EXECUTING' AS stage, 'QUEUED' AS state, queues.*, counted.*
    FROM clock CROSS JOIN (
        WITH RECURSIVE queues AS (
            (SELECT tenant, flow, priority FROM executions WHERE {_QUEUED} ORDER BY tenant, flow, priority LIMIT 1)
            UNION ALL
            SELECT following.* FROM queues CROSS JOIN LATERAL (
                SELECT tenant, flow, priority FROM executions
                WHERE {_QUEUED} AND (tenant, flow, priority) > (queues.tenant, queues.flow, queues.priority)
                ORDER BY tenant, flow, priority LIMIT 1) AS following)
        SELECT * FROM queues) AS queues
    CROSS JOIN LATERAL (
        SELECT clock.now AS due_at, false AS is_again, count(*), (
            SELECT {STARTABLE_AT} FROM {_OF_QUEUE} AND attempt = 0 ORDER BY due_at LIMIT 1) AS oldest_at
        FROM {_OF_QUEUE} AND due_at <= clock.now HAVING count(*) > 0
        UNION ALL
        SELECT min(due_at), {_IS_AGAIN.format("")}, count(*), NULL FROM {_OF_QUEUE} AND due_at > clock.now GROUP BY 2
    ) AS counted
"""  # noqa: S608 - words of our own
#: Each part reads a partial index that holds only such rows: executions that are DONE cost nothing.
_OF_ALL: Final = f"""
    SELECT *, NULL::timestamptz AS judge_away_at, '{{}}'::text[] AS needed, '[]'::json AS candidates
    FROM ({_QUEUES}) AS queued
    UNION ALL
    SELECT stage, state, tenant, '{{}}', NULL, min(due_at), false, count(*), min({STARTABLE_AT}), min(judge_away_at),
        '{{}}', '[]'
    FROM executions AS e WHERE {_PUBLISHED} GROUP BY stage, state, tenant
    UNION ALL
    SELECT NULL, NULL, tenant, '{{}}', NULL, NULL, false, count, oldest_at, NULL, capabilities,
        coalesce(({_CANDIDATES.format(of="waiting")}), '[]')
    FROM (SELECT capabilities, tenant, count(*) AS count, min(updated_at) AS oldest_at FROM jobs
        WHERE {_UNMATCHED} GROUP BY capabilities, tenant) AS waiting
"""  # noqa: S608 - words of our own
#: Names that hold nothing back are left out, so that thousands of flows that wait for the same become one.
_SHOWN_OF_ALL: Final = """
    SELECT stage, state, min(due_at) AS due_at, is_again, sum(count)::bigint AS count, min(oldest_at) AS oldest_at,
        min(judge_away_at) AS judge_away_at, needed, candidates::json AS candidates, tenant, flow
    FROM (
        SELECT stage, state, due_at, is_again, count, oldest_at, judge_away_at, needed, candidates::text AS candidates,
            CASE WHEN (SELECT names FROM holding) ? ('tenant:' || tenant) THEN tenant ELSE '' END AS tenant,
            ARRAY(SELECT name FROM unnest(flow) AS name WHERE (SELECT names FROM holding) ? name) AS flow
        FROM waits
    ) AS reduced CROSS JOIN clock GROUP BY stage, state, due_at > now, is_again, needed, candidates, tenant, flow
"""
#: Columns of limits besides the values that apply: the values of its own limit, which limit pauses it, and since when.
_SET: Final = """,
    coalesce(to_json(own), '{}') AS own,
    coalesce(CASE WHEN own.paused IS NULL THEN general.name END, own.name) AS paused_by,
    coalesce(CASE WHEN own.paused IS NULL THEN general.updated_at END, own.updated_at) AS updated_at
"""
#: As `is_shared` in limits.rules.
_IS_SHARED: Final = "(name LIKE 'tenant:%' OR name LIKE 'agent:%')"
#: Shares are counted only if so little is free that a name could hold too much.
_COUNTED: Final = f"""
    SELECT name FROM held WHERE concurrency IS NOT NULL OR rate IS NOT NULL
    UNION SELECT name FROM names WHERE {_IS_SHARED} AND EXISTS (SELECT FROM scarce)
"""  # noqa: S608 - words of our own


#: The limits under which executions of `tenants` alone are counted: of these, and of agents that no others use.
_OWN: Final = """
    SELECT json_agg(name) FROM (
        SELECT 'tenant:' || unnest(CAST(:tenants AS text[])) AS name
        UNION ALL SELECT names.name FROM names JOIN agents ON agents.id = substr(names.name, 7)
        WHERE names.name LIKE 'agent:%' AND NOT agents.shared AND agents.tenant = ANY(CAST(:tenants AS text[]))
    ) AS own
"""


def _select(waits: str, shown: str = "SELECT * FROM waits") -> Mapping[bool, TextClause]:
    """Return the statement that reads, as JSON, executions that wait, and all that may hold these back.

    By whether only executions of the parameter `tenants` are read: limits, workers and circuits hold back those of all.
    """
    of_some = scope(waits, "= ANY(CAST(:tenants AS text[]))")
    return {True: _compose(of_some, shown, _OWN), False: _compose(waits, shown, "SELECT NULL::json")}


def _compose(waits: str, shown: str, own: str) -> TextClause:
    return text(
        f"""
        WITH clock AS MATERIALIZED (SELECT signoff_now() AS now), waits AS MATERIALIZED ({waits}),
        names AS (
            SELECT 'tenant:' || tenant AS name FROM waits WHERE state = 'QUEUED'
            UNION SELECT unnest(flow) FROM waits WHERE {_QUEUED}
        ), held AS MATERIALIZED (
            SELECT * FROM ({apply("SELECT name FROM names", _SET)}) AS applied
            WHERE {HOLDS_BACK}
        ), spent AS MATERIALIZED (
            SELECT 'tenant:' || spent.tenant AS name, agents_nanos, judges_nanos
            FROM ({sum_spent("ARRAY(SELECT substr(name, 8) FROM held WHERE nanos_per_day IS NOT NULL)")}) AS spent
        ), rooms AS MATERIALIZED (
            SELECT stage, known.*, heard.*, counted.* FROM clock
            CROSS JOIN (VALUES ('EXECUTING'), ('JUDGING')) AS s(stage)
            CROSS JOIN LATERAL (SELECT max(seen_at) AS seen_at FROM workers WHERE workers.stage = s.stage) AS known
            CROSS JOIN LATERAL (
                SELECT count(*) AS workers, coalesce(sum(room), 0) AS free, coalesce(sum(capacity), 0) AS capacity,
                    CASE WHEN bool_and(report->>'partitions' IS NOT NULL) THEN
                        sum(CAST(report->>'partitions' AS int)) END AS partitions,
                    count(*) FILTER (WHERE report->>'bound' = 'memory') AS by_memory,
                    coalesce(sum(CAST(report->>'paced' AS int)), 0) AS paced
                FROM workers WHERE workers.stage = s.stage AND seen_at > now - make_interval(secs => :alive_s)) AS heard
            CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE state = 'LEASED') AS leased,
                    count(*) FILTER (WHERE state = 'OFFERED') AS offered
                FROM executions e WHERE e.stage = s.stage AND state IN ('OFFERED', 'LEASED')) AS counted
        ), scarce AS MATERIALIZED (
            SELECT free - offered AS free FROM rooms WHERE stage = 'EXECUTING' AND free > offered
            AND (free - offered) * {SHARE + 1} <= capacity
        ), running AS MATERIALIZED (
            {count_running(_COUNTED)}
        ), holders AS MATERIALIZED (
            SELECT name, running FROM running CROSS JOIN scarce WHERE {_IS_SHARED} AND running >= {SHARE} * scarce.free
        ), uses AS MATERIALIZED (
            SELECT held.*, coalesce(running.running, 0) AS running, coalesce(running.offered, 0) AS offered,
                coalesce(agents_nanos, 0) AS agents_nanos, coalesce(judges_nanos, 0) AS judges_nanos, coalesce((
                SELECT json_agg(json_build_array(began_at, count) ORDER BY began_at) FROM starts
                WHERE starts.name = held.name AND held.rate IS NOT NULL
                AND began_at > clock.now - make_interval(secs => held.rate_period_s * :window)), '[]') AS starts
            FROM clock CROSS JOIN held LEFT JOIN running USING (name) LEFT JOIN spent USING (name)
            WHERE paused OR rate IS NOT NULL OR coalesce(running.running, 0) >= concurrency
                OR agents_nanos::numeric + judges_nanos >= nanos_per_day
        ), uncalled AS MATERIALIZED (
            SELECT name, substr(name, {len(PROTOCOL) + 1}) AS protocol FROM names
            WHERE starts_with(name, '{PROTOCOL}') AND NOT EXISTS (
                SELECT FROM workers WHERE {is_alive(ExecutionStage.EXECUTING)}
                AND substr(name, {len(PROTOCOL) + 1}) = ANY(protocols))
        ), circuits_open AS (
            SELECT agent_id, failures, open_until, EXISTS (
                SELECT FROM executions probe WHERE probe.execution_id = circuits.probe_id
                AND probe.stage || '' = 'EXECUTING' AND probe.state || '' IN ('OFFERED', 'LEASED')) AS is_probed
            FROM circuits WHERE open_until IS NOT NULL
        ), holding AS MATERIALIZED (
            SELECT coalesce(jsonb_object_agg(name, ''), '{{}}') AS names
            FROM (SELECT name FROM uses UNION SELECT 'agent:' || agent_id FROM circuits_open
                UNION SELECT name FROM holders UNION SELECT name FROM uncalled) AS held_back
        ), shown AS ({shown})
        SELECT json_build_object('now', clock.now,
            'limits', (SELECT coalesce(json_object_agg(name, uses), '{{}}') FROM uses),
            'circuits', (SELECT coalesce(json_object_agg(agent_id, circuits_open), '{{}}') FROM circuits_open),
            'uncalled', (SELECT coalesce(json_agg(protocol), '[]') FROM uncalled),
            'held', (SELECT coalesce(json_object_agg(name, running), '{{}}') FROM holders),
            'own', ({own}),
            'rooms', (SELECT json_object_agg(stage, rooms) FROM rooms), 'are_limits_lost', {ARE_LOST})::text AS around,
            (SELECT coalesce(json_agg(shown), '[]') FROM shown)::text AS waits
        FROM clock
        """  # noqa: S608 - fragments of our own
    )


_UNDER_WAY: Final = text(
    """
    SELECT of.stage, count(e.state) FILTER (WHERE state = 'LEASED') AS leased,
        count(e.state) FILTER (WHERE state = 'OFFERED') AS offered
    FROM (VALUES ('EXECUTING'), ('JUDGING')) AS of (stage)
        LEFT JOIN executions e ON e.stage = of.stage AND e.state IN ('OFFERED', 'LEASED')
    GROUP BY of.stage
    """
)
_SELECT_JOBS: Final = _select(_OF_JOBS)
_SELECT_BATCH: Final = _select(_OF_BATCH)
_SELECT_ALL: Final = _select(_OF_ALL, _SHOWN_OF_ALL)
_SELECT_EACH: Final = _select(_OF_ALL)
#: The jobs of `kinds` of waits as _OF_ALL has them; of each queue the newest, along its index.
_OF_KINDS: Final = text(
    f"""
    WITH kinds AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:kinds AS jsonb)) AS kind (stage text, state text, tenant text,
            flow text[], priority smallint, is_due boolean, is_again boolean, needed text[])
    )
    SELECT job_id FROM (
        SELECT queued.* FROM kinds CROSS JOIN LATERAL (
            SELECT job_id, due_at FROM executions AS e WHERE {_QUEUED}
            AND (tenant, flow, priority) = (kinds.tenant, kinds.flow, kinds.priority)
            AND due_at > CASE WHEN is_due THEN '-infinity' ELSE CAST(:now AS timestamptz) END
            AND due_at <= CASE WHEN is_due THEN CAST(:now AS timestamptz) ELSE 'infinity' END
            AND (is_due OR {_IS_AGAIN.format("")} = is_again)
            ORDER BY due_at DESC LIMIT :limit) AS queued
        WHERE kinds.priority IS NOT NULL
        UNION ALL
        SELECT job_id, created_at FROM executions WHERE {_PUBLISHED}
        AND (stage, state, tenant) IN (SELECT stage, state, tenant FROM kinds WHERE priority IS NULL)
        UNION ALL
        SELECT id, created_at FROM jobs WHERE {_UNMATCHED}
        AND (capabilities, tenant) IN (SELECT needed, tenant FROM kinds WHERE stage IS NULL)
    ) AS waiting ORDER BY due_at DESC LIMIT :limit
    """  # noqa: S608 - words of our own
)


@dataclass(frozen=True, slots=True)
class _JobWait(Wait):
    """The wait of a job. The job waits only if `is_waiting`."""

    job_id: str = ""
    execution_id: UUID | None = None
    since: datetime | None = None
    is_waiting: bool = True
    place: int | None = None
    held: str | None = None


@dataclass(frozen=True, slots=True)
class _FlowWait(Wait):
    """The wait of executions of one flow; `oldest_at`: since when the first of those that never began could begin."""

    oldest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WaitingNow:
    """The reasons why executions wait now, up to SUMS_MAX, the most frequent first.

    `queued`: how many executions are queued, of which the oldest became due at `oldest_at`; `running`: how many are
    with executors, or offered to them; `judging`: how many results are with judges. `turn_since`: since when executions
    wait that nothing but their turn holds back. `oldest`: by the code and the owner of a reason, since when the oldest
    execution could have begun that waits for it; in the queue, of those that never began; of jobs without an execution,
    when the oldest changed last. `circuits`: how many agents' circuits are not closed.
    """

    at: datetime
    sums: Sequence[WaitingSum]
    queued: int
    oldest_at: datetime | None
    running: int
    judging: int
    turn_since: datetime | None = None
    oldest: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    circuits: int = 0


@dataclass(frozen=True, slots=True)
class _QueueWait(_FlowWait):
    """The wait of the executions of one queue, which has a `priority`, or of others that wait for the same."""

    priority: int | None = None


#: A kind of wait, as _OF_KINDS takes it.
_Kind: TypeAlias = dict[str, object]

_AROUND: Final = TypeAdapter(Circumstances)
_JOB_WAITS: Final = TypeAdapter(list[_JobWait])
_FLOW_WAITS: Final = TypeAdapter(list[_FlowWait])
_QUEUE_WAITS: Final = TypeAdapter(list[_QueueWait])


async def explain_jobs(
    connection: Connection, job_ids: Sequence[str], alive_s: float, *, places: bool = False
) -> dict[str, Waiting]:
    """Return, by id, why each of these jobs waits, without reasons if it does not; unknown jobs are left out.

    `alive_s`: for how long a worker counts after its last report. Counting the `places` of many jobs is costly; with
    them it is said who holds a job.
    """
    parameters = {"job_ids": list(job_ids), "places": places, "ageing": AGEING, "place_max": PLACE_MAX}
    around, waits = await _read(connection, _SELECT_JOBS, parameters, alive_s)
    return {wait.job_id: _make_waiting(wait, around) for wait in _JOB_WAITS.validate_json(waits)}


async def sum_up_batch(connection: Connection, batch_id: UUID, alive_s: float) -> list[WaitingSum]:
    """Return the reasons why executions of a batch, or judgings of an operation, wait, the most frequent first."""
    around, waits = await _read(connection, _SELECT_BATCH, {"batch_id": batch_id}, alive_s)
    return sum_up(_FLOW_WAITS.validate_json(waits), around)


async def sum_up_all(connection: Connection, alive_s: float) -> WaitingNow:
    """Return the reasons why executions wait now, and how many wait.

    If a million executions wait, this costs the database 0.1 s in ten flows, and 0.4 s in ten thousand.
    """
    around, read = await _read(connection, _SELECT_ALL, {}, alive_s)
    rooms = around.rooms
    if connection.tenants is not None:  # of what workers hold, what is of the tenants
        held = await connection.execute(_UNDER_WAY)
        rooms = {ExecutionStage(row.stage): Room(0, 0, row.leased, row.offered) for row in held}
    if len(read) <= PARSED_AT_ONCE:
        return _sum_up_all(around, rooms, read)
    return await asyncio.to_thread(_sum_up_all, around, rooms, read)


def _sum_up_all(around: Circumstances, rooms: Mapping[ExecutionStage, Room], read: str) -> WaitingNow:
    waits, executors = _FLOW_WAITS.validate_json(read), rooms[ExecutionStage.EXECUTING]
    queued, rest = list[_FlowWait](), list[_FlowWait]()
    for wait in waits:
        is_queued = (wait.stage, wait.state) == (ExecutionStage.EXECUTING, ExecutionState.QUEUED)
        (queued if is_queued else rest).append(wait)
    is_judging = [wait for wait in waits if wait.stage is ExecutionStage.JUDGING]
    judging = sum(wait.count for wait in is_judging if wait.state is not ExecutionState.LEASED)
    of_queue, others = _find_oldest(queued, around), _find_oldest(rest, around)
    return WaitingNow(
        at=around.now,
        sums=sum_up(waits, around, SUMS_MAX),
        queued=sum(wait.count for wait in queued),
        oldest_at=min((wait.oldest_at for wait in queued if wait.oldest_at), default=None),
        running=executors.leased + executors.offered,
        judging=judging + rooms[ExecutionStage.JUDGING].leased,
        turn_since=of_queue.get((WaitCode.QUEUE, Owner.SIGNOFF)),
        oldest={key: min(each[key] for each in (of_queue, others) if key in each) for key in of_queue | others},
        circuits=len(around.circuits),
    )


def _find_oldest(waits: Iterable[_FlowWait], around: Circumstances) -> dict[tuple[str, str], datetime]:
    """Return since when the oldest wait, by the code and the owner of the first of their reasons."""
    oldest: dict[tuple[str, str], datetime] = {}
    for wait in waits:
        if wait.oldest_at is not None and (reasons := explain(wait, around)):
            key = reasons[0].code, reasons[0].owner
            oldest[key] = min(wait.oldest_at, oldest.get(key, wait.oldest_at))
    return oldest


async def list_waiting(
    connection: Connection, reasons: Collection[str], alive_s: float, limit: int, tenant: str | None = None
) -> list[str]:
    """Return the ids of the jobs that `sum_up_all` counts under any of the `reasons`: the `limit` newest of them.

    `tenant`: of this one alone, if it is given.
    """
    around, read = await _read(connection, _SELECT_EACH, {}, alive_s)
    chosen = await asyncio.to_thread(_choose_kinds, around, read, reasons)
    kinds = [kind for each in chosen.values() for kind in each if tenant is None or kind["tenant"] == tenant]
    return await _list_of_kinds(connection, kinds, around, limit)


async def find_newest_waiting(connection: Connection, reasons: Collection[str], alive_s: float) -> dict[str, str]:
    """Return, by reason, the id of the newest job that waits for it now; of reasons for which none does, nothing."""
    around, read = await _read(connection, _SELECT_EACH, {}, alive_s)
    chosen = await asyncio.to_thread(_choose_kinds, around, read, reasons)
    found = {reason: await _list_of_kinds(connection, kinds, around, 1) for reason, kinds in chosen.items()}
    return {reason: ids[0] for reason, ids in found.items() if ids}


async def _list_of_kinds(connection: Connection, kinds: list[_Kind], around: Circumstances, limit: int) -> list[str]:
    asked = {"kinds": json.dumps(kinds), "now": around.now, "limit": limit}
    return await connection.scalars(_OF_KINDS, asked) if kinds else []


def _choose_kinds(around: Circumstances, read: str, reasons: Collection[str]) -> dict[str, list[_Kind]]:
    """Return the kinds of waits whose first reason is one of `reasons`, by the first of these that it is."""
    asked = {split_reason(each): each for each in reasons}
    chosen: dict[str, list[_Kind]] = {reason: [] for reason in reasons}
    for wait in _QUEUE_WAITS.validate_json(read):
        for first in explain(wait, around)[:1]:
            named = asked.get((first.code, first.name)) or asked.get((first.code, ""))
            if named is not None:
                is_due = wait.due_at is None or wait.due_at <= around.now
                names = ("stage", "state", "tenant", "flow", "priority", "is_again", "needed")
                chosen[named].append({name: getattr(wait, name) for name in names} | {"is_due": is_due})
    return chosen


async def _read(
    connection: Connection, statements: Mapping[bool, TextClause], parameters: Parameters, alive_s: float
) -> tuple[Circumstances, str]:
    fixed = {"alive_s": alive_s, "window": 1 + 1 / PERIOD_PARTS, "candidates_max": CANDIDATES_MAX}
    asked, statement = {**parameters, **fixed}, statements[connection.tenants is not None]
    if connection.tenants is not None:
        asked["tenants"] = sorted(connection.tenants)
    row = (await of_all(connection, OfAll.WAITS).execute(statement, asked)).one()
    return _AROUND.validate_json(row.around), row.waits


def _make_waiting(wait: _JobWait, around: Circumstances) -> Waiting:
    if not wait.is_waiting or not (reasons := explain(wait, around)):
        return Waiting(execution_id=wait.execution_id, held=wait.held)
    return Waiting(
        execution_id=wait.execution_id,
        since=wait.since,
        reasons=reasons,
        place=wait.place,
        starts_at=find_start(reasons),
        held=wait.held,
    )
