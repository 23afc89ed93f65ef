"""Offer queued executions by fair share: read the head of each queue, and mark those whose turn it is.

Of all processes one dispatcher at a time does this, so limits are exact, and counted nowhere else.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from contracts.waiting import WaitCode
from jobstore.engine import locks
from jobstore.engine.database import Wake, notify
from jobstore.engine.locks import Lock
from jobstore.engine.sql import Connection, Row
from jobstore.executions.fair_share import Flow, Head, Shares, pick, rank
from jobstore.executions.leases import ARE_LOST, is_alive, read_room
from jobstore.jobs.model import ExecutionStage
from jobstore.jobs.waiting import WAITS_MAX, Cause, FlowKey, Holds, choose_waits, format_waits
from jobstore.limits.rules import (
    PERIOD_PARTS,
    SharedRoom,
    agent_limit,
    end_of_day,
    is_shared,
    list_protocols,
    protocol_limit,
    tenant_limit,
    window_start,
)
from jobstore.limits.store import apply, count_running, list_used_up, sum_spent
from servicekit.leasing.slots import is_scarce


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """When offers are made again, and which workers count; all in seconds.

    The wait until an offer is made again begins at `again_s` and doubles up to `again_max_s`. A worker counts that was
    heard of within the last `alive_s`.
    """

    again_s: float
    again_max_s: float
    alive_s: float


#: Past its deadline nothing is offered: the sweeper ends it.
IN_TIME: Final = "(deadline_at IS NULL OR deadline_at > signoff_now())"
DUE: Final = f"due_at <= signoff_now() AND {IN_TIME}"


def mark(besides: str = "") -> str:
    """Return the UPDATE that marks the executions of the CTE `due` as offered; `besides` sets further columns.

    It has an array, not a join: the planner cannot know how few rows a join on `due` leaves, and would read all rows.
    """
    return f"""
        UPDATE executions e SET state = 'OFFERED', offers = e.offers + 1,
            due_at = least(e.deadline_at,
                signoff_now() + make_interval(secs => least(:again_s * 2 ^ least(e.offers, 10), :again_max_s))){besides}
        WHERE e.execution_id = ANY(ARRAY(SELECT execution_id FROM due))
        RETURNING e.execution_id, e.job_id, e.attempt, e.result_lease, e.submission, e.priority, e.agent_id
    """  # noqa: S608 - fragments of our own


_OFFER_RESULTS: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE stage = 'JUDGING' AND state = 'QUEUED' AND {DUE}
        AND tenant <> ALL(ARRAY({list_used_up()}))
        ORDER BY priority DESC, due_at
        LIMIT (SELECT greatest(0, least(:limit, room)) FROM {read_room(ExecutionStage.JUDGING)}) FOR UPDATE SKIP LOCKED
    )
    {mark()}
    """  # noqa: S608 - fragments of our own
)
#: An execution that is offered again has its room already.
_OFFER_AGAIN: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE stage = :stage AND state = 'OFFERED' AND {DUE}
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
    )
    {mark()}
    """  # noqa: S608 - fragments of our own
)
#: `|| ''`: only the index of the ids can serve.
_OFFER_AT_ONCE: Final = text(
    f"""
    WITH due AS (
        UPDATE executions SET offers = 0, due_at = least(deadline_at, signoff_now())
        WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND state || '' = 'OFFERED' RETURNING 1
    )
    SELECT {notify(Wake.QUEUED)} WHERE EXISTS (SELECT FROM due)
    """  # noqa: S608 - a fragment of our own
)
_RESULTS: Final = text(
    """
    SELECT e.execution_id, a.request_payload::text AS request, r.response_payload::text AS response, r.created_at
    FROM executions e
    JOIN job_logs a ON a.job_id = e.job_id AND a.version = e.request_version
    JOIN job_logs r ON r.job_id = e.job_id AND r.version = e.result_version
    WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))
    """
)


async def offer_results(connection: Connection, limit: int, terms: OfferTerms) -> list[Row]:
    """Mark queued results as offered to validators, as `limit` and their room allow; return the rows by priority."""
    rows = await connection.execute(_OFFER_RESULTS, {"limit": limit, **asdict(terms)})
    return sorted(rows, key=lambda row: -row.priority)


async def offer_again(connection: Connection, stage: ExecutionStage, limit: int, terms: OfferTerms) -> list[Row]:
    """Mark up to `limit` offers of a stage that were not claimed in time as made again; return them by priority."""
    parameters = {"stage": stage.value, "limit": limit, "again_s": terms.again_s, "again_max_s": terms.again_max_s}
    return sorted(await connection.execute(_OFFER_AGAIN, parameters), key=lambda row: -row.priority)


async def offer_at_once(connection: Connection, execution_ids: Sequence[UUID]) -> None:
    """Make offers that were perhaps not published due at once, and wake the dispatchers of all jobstores."""
    await connection.execute(_OFFER_AT_ONCE, {"ids": sorted(execution_ids)})


async def get_results(connection: Connection, execution_ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Return the requests and results of executions that await a judge, as JSON texts in rows, by execution id."""
    return {row.execution_id: row for row in await connection.execute(_RESULTS, {"ids": list(execution_ids)})}


#: Heads read of each queue in the first pass; later passes read as many as may fill the room.
DEPTH_FIRST: Final = 8

_NO_ROOM: Final = Cause(WaitCode.NO_ROOM, "executor")
_NO_WORKER: Final = Cause(WaitCode.NO_WORKER, "executor")
_LIMITS_LOST: Final = Cause(WaitCode.LIMITS_LOST)

_WAITS: Final = "stage = 'EXECUTING' AND state = 'QUEUED'"
#: Columns: seconds until the next execution of each kind is due, of which no commit notifies. Those past their deadline
#: do not count.
_DUE_TIMES: Final = ", ".join(
    f"(SELECT extract(epoch FROM due_at - signoff_now())::float8 FROM executions WHERE {waits} AND {IN_TIME} "  # noqa: S608 - ours
    f"ORDER BY due_at LIMIT 1) AS {name}"
    for name, waits in {
        "judge_in_s": "stage = 'JUDGING' AND state = 'QUEUED'",
        "offer_again_in_s": "stage = 'EXECUTING' AND state = 'OFFERED'",
        "offer_result_again_in_s": "stage = 'JUDGING' AND state = 'OFFERED'",
    }.items()
)
_OF_QUEUE: Final = (
    f"FROM executions WHERE {_WAITS} AND {IN_TIME} "
    "AND (tenant, flow, priority) = (queues.tenant, queues.flow, queues.priority)"
)
#: Skips from queue to queue along the index, so that a long queue costs the others nothing. The first execution of each
#: that is not due yet says when to look again.
_HEADS: Final = text(
    f"""
    WITH RECURSIVE room AS (
        SELECT greatest(0, least(:limit, room)) AS free, room, capacity FROM {read_room(ExecutionStage.EXECUTING)}
    ), queues AS (
        (SELECT tenant, flow, priority FROM executions WHERE {_WAITS} AND (SELECT free FROM room) > 0
        ORDER BY tenant, flow, priority LIMIT 1)
        UNION ALL
        SELECT following.* FROM queues CROSS JOIN LATERAL (
            SELECT tenant, flow, priority FROM executions
            WHERE {_WAITS} AND (tenant, flow, priority) > (queues.tenant, queues.flow, queues.priority)
            ORDER BY tenant, flow, priority LIMIT 1) AS following
    )
    SELECT signoff_now() AS now, room.free, room.room, room.capacity, EXISTS (SELECT FROM limits) AS has_limits,
        EXISTS (SELECT FROM circuits WHERE open_until IS NOT NULL) AS has_open_circuits,
        EXISTS (SELECT FROM executions WHERE {_WAITS}) AS has_queued, {ARE_LOST} AS are_limits_lost, {_DUE_TIMES},
        room.free > 0 OR EXISTS (SELECT FROM workers WHERE {is_alive(ExecutionStage.EXECUTING)}) AS has_workers,
        queued.tenant, queued.flow, queued.priority, queued.execution_id, queued.due_at
    FROM room LEFT JOIN (
        SELECT queues.*, heads.* FROM queues CROSS JOIN LATERAL (
            (SELECT execution_id, due_at {_OF_QUEUE} AND due_at <= signoff_now() ORDER BY due_at
                LIMIT CASE WHEN CAST(:used_up AS text[]) && (queues.flow || ('tenant:' || queues.tenant))
                    THEN 1 ELSE :depth END)
            UNION ALL
            (SELECT execution_id, due_at {_OF_QUEUE} AND due_at > signoff_now() ORDER BY due_at LIMIT 1)) AS heads
    ) AS queued ON true
    """  # noqa: S608 - fragments of our own
)
_LIMITS: Final = text(apply("SELECT unnest(CAST(:names AS text[]))"))
_RUNNING: Final = text(count_running("SELECT unnest(CAST(:names AS text[]))"))
#: Starts that have left their window are deleted on the way.
_STARTED: Final = text(
    """
    WITH windows AS (SELECT * FROM unnest(CAST(:names AS text[]), CAST(:since AS timestamptz[])) AS w(name, since)),
    past AS (DELETE FROM starts USING windows w WHERE starts.name = w.name AND starts.began_at <= w.since)
    SELECT starts.name, sum(starts.count) AS started FROM starts JOIN windows w
    ON starts.name = w.name AND starts.began_at > w.since GROUP BY starts.name
    """
)
_SPENT: Final = text(sum_spent("CAST(:tenants AS text[])"))
#: The protocols, beyond the first, by which live executors call agents.
_CALLED: Final = text(
    f"SELECT DISTINCT unnest(protocols) FROM workers WHERE {is_alive(ExecutionStage.EXECUTING)}"  # noqa: S608 - words of our own
)
#: SKIP LOCKED: others lock executions before circuits, so waiting for a circuit here could deadlock.
_HALF_OPEN: Final = text(
    "SELECT agent_id FROM circuits WHERE open_until <= signoff_now() ORDER BY agent_id FOR UPDATE SKIP LOCKED"
)
#: An open circuit admits nothing; a half-open one admits one probe, unless one is under way.
_ADMITS: Final = text(
    """
    SELECT agent_id, open_until, agent_id = ANY(CAST(:half_open AS text[])) AND NOT EXISTS (
        SELECT FROM executions probe WHERE probe.execution_id = circuits.probe_id
        AND probe.stage || '' = 'EXECUTING' AND probe.state || '' IN ('OFFERED', 'LEASED')) AS is_probe_due
    FROM circuits WHERE open_until IS NOT NULL
    """
)
#: Adds to the rows of executions what they waited for, unless they have WAITS_MAX waits already.
_WAITED: Final = f""",
        waited = coalesce(coalesce(CASE WHEN jsonb_array_length(e.waited) < {WAITS_MAX} THEN e.waited END, '[]')
            || CAST((CAST(:waited AS text[]))[array_position(CAST(:ids AS uuid[]), e.execution_id)] AS jsonb), e.waited)
"""
#: `due` is read again under the rows' locks: since the heads were read, some may have been cancelled. `|| ''`: no index
#: but that of the ids can serve, however few executions wait when the plan is made (docs/adr/0024).
_OFFER: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT execution_id FROM executions WHERE execution_id = ANY(CAST(:ids AS uuid[])) AND {DUE}
        AND stage || '' = 'EXECUTING' AND state || '' = 'QUEUED' FOR UPDATE SKIP LOCKED
    ), marked AS ({mark(_WAITED)}), probes AS (
        UPDATE circuits SET probe_id = marked.execution_id FROM marked
        WHERE circuits.agent_id = marked.agent_id AND circuits.open_until IS NOT NULL
    )
    SELECT * FROM marked
    """  # noqa: S608 - fragments of our own
)


@dataclass(frozen=True, slots=True)
class Offers:
    """The executions offered by one pass, in order.

    `more`: another pass may offer more at once. `held_back`: more may be offered once an execution ends or a worker has
    room. `again_in_s`: seconds until a rate or a circuit may allow more, or until the next execution may begin.
    `judge_in_s`: seconds until results are to be offered; `repeat_in_s`: seconds until offers of each stage are to be
    made again. Of all three, 0 or less means now, and None at no time.
    """

    rows: Sequence[Row]
    more: bool
    held_back: bool
    again_in_s: float | None
    judge_in_s: float | None
    repeat_in_s: Mapping[ExecutionStage, float | None]


@dataclass(slots=True)
class Capacity:
    """The room of the executors, and how many more executions may run under the name of each limit.

    `causes`: what holds executions back once such a name allows no more. `rates`: (rate, period in s), by name.
    `opens_at`: when open circuits become half open, and admit a probe, and when tenants may spend anew.
    """

    room: SharedRoom
    free: dict[str, int] = field(default_factory=dict)
    causes: dict[str, Cause] = field(default_factory=dict)
    rates: dict[str, tuple[int, float]] = field(default_factory=dict)
    opens_at: list[datetime] = field(default_factory=list)

    def find_changes(self, now: datetime) -> list[float]:
        """Return the seconds until each used-up rate, each open circuit, and each tenant's spending may allow more."""
        exhausted = [rate for name, rate in self.rates.items() if self.free.get(name, 1) <= 0]
        parts = [period_s / PERIOD_PARTS for _, period_s in exhausted]
        return parts + [(at - now).total_seconds() for at in self.opens_at if at > now]


@dataclass(slots=True)
class FairQueue:
    """Offer queued executions in fair shares; the shares of tenants are kept from pass to pass."""

    shares: Shares = field(default_factory=Shares)
    holds: Holds = field(default_factory=Holds)
    depth: int = DEPTH_FIRST
    #: Limits under which nothing could begin at the last pass: of a queue that they hold back only one head is read.
    used_up: Sequence[str] = ()
    #: Whether the last pass found that nothing may be offered until an administrator confirms what is set.
    are_limits_lost: bool = False

    async def offer(self, connection: Connection, limit: int, terms: OfferTerms) -> Offers:
        """Mark up to `limit` executions whose turn it is as offered, within the workers' room and all limits."""
        await locks.hold(connection, Lock.OFFERS)
        parameters = {"limit": limit, "depth": self.depth, "used_up": self.used_up, **asdict(terms)}
        rows = await connection.execute(_HEADS, parameters)
        first, flows = rows[0], _group_flows(rows, self.depth, frozenset(self.used_up))
        self.are_limits_lost = first.are_limits_lost
        begin_in_s = [(row.due_at - row.now).total_seconds() for row in rows if row.due_at and row.due_at > row.now]
        picked, more, capacity = list[UUID](), False, Capacity(SharedRoom(first.room, first.capacity))
        if flows:
            # Twice the average that a queue gets: few passes then end early because too little was read of one.
            self.depth = max(2, 2 * first.free // len(flows))
            await self._fill_in(connection, capacity, first, flows, terms.alive_s)
            used_up = {name for name, free in capacity.free.items() if free <= 0}
            picked, more = pick(flows, capacity.free, self.shares, first.free, capacity.room)
            self.used_up = sorted(used_up | {name for name in capacity.room.held if capacity.room.find_full([name])})
        marking = {"ids": picked, "waited": self._note_waits(rows, flows, picked, capacity), **asdict(terms)}
        marked = {row.execution_id: row for row in await connection.execute(_OFFER, marking)} if picked else {}
        return Offers(
            [marked[i] for i in picked if i in marked],
            more=bool(marked) and (more or len(picked) == limit),
            held_back=len(picked) < sum(len(flow.heads) for flow in flows) or (first.has_queued and not first.free),
            again_in_s=min([*capacity.find_changes(first.now), *begin_in_s], default=None),
            judge_in_s=first.judge_in_s,
            repeat_in_s={
                ExecutionStage.EXECUTING: first.offer_again_in_s,
                ExecutionStage.JUDGING: first.offer_result_again_in_s,
            },
        )

    def _note_waits(
        self, rows: Sequence[Row], flows: Sequence[Flow], picked: Sequence[UUID], capacity: Capacity
    ) -> list[str | None]:
        """Return the waits of the picked executions as JSON texts, in their order; note what holds others back."""
        first, due = rows[0], {row.execution_id: row.due_at for row in rows}
        left, waited = due.keys() - picked, dict[UUID, str | None]()
        causes: dict[FlowKey, Cause | None] = {}
        for flow in flows:
            key, ids = tuple(flow.limits), [head.execution_id for head in flow.heads]
            if holds := self.holds.find_holds(key, first.now):
                waited |= {i: format_waits(choose_waits(holds, due[i])) for i in ids if i not in left}
            used_up = next((capacity.causes[name] for name in key if capacity.free.get(name, 1) <= 0), None)
            if used_up is None and (full := capacity.room.find_full(key)):
                used_up = Cause(WaitCode.SHARE, full)
            found = used_up or (_NO_ROOM if len(picked) >= first.free else None)
            causes[key] = found if flow.more or not left.isdisjoint(ids) else causes.get(key)
        no_room = _LIMITS_LOST if first.are_limits_lost else _NO_ROOM if first.has_workers else _NO_WORKER
        self.holds.note(first.now, causes, no_room if first.has_queued and not first.free else None)
        return [waited.get(i) for i in picked] if any(waited.values()) else []

    async def _fill_in(
        self, connection: Connection, capacity: Capacity, first: Row, flows: Sequence[Flow], alive_s: float
    ) -> None:
        """Fill in `capacity`: what limits, executors and open circuits allow, and, if room is scarce, what names hold.

        Under the name of a protocol by which no live executor calls agents nothing may begin.
        """
        names = {name for flow in flows for name in flow.limits}
        limits = await self._load_limits(connection, names, flows) if first.has_limits else {}
        left = first.room - min(first.free, sum(len(flow.heads) for flow in flows))
        is_short = is_scarce(left, first.capacity)
        shared = set(filter(is_shared, names)) if is_short else set[str]()
        await _apply_limits(connection, capacity, first.now, limits, shared)
        if protocols := list_protocols(names):
            uncalled = protocols.difference(await connection.scalars(_CALLED, {"alive_s": alive_s}))
            capacity.free |= {protocol_limit(each): 0 for each in uncalled}
            capacity.causes |= {protocol_limit(e): Cause(WaitCode.PROTOCOL_NOT_CALLED, e) for e in uncalled}
        if first.has_open_circuits:
            half_open = list(await connection.scalars(_HALF_OPEN))
            for row in await connection.execute(_ADMITS, {"half_open": half_open}):
                name = agent_limit(row.agent_id)
                capacity.free[name] = min(capacity.free.get(name, 1), int(row.is_probe_due))
                code = WaitCode.CIRCUIT_OPEN if row.open_until > first.now else WaitCode.CIRCUIT_PROBING
                capacity.causes.setdefault(name, Cause(code, row.agent_id))
                capacity.opens_at.append(row.open_until)

    async def _load_limits(
        self, connection: Connection, names: AbstractSet[str], flows: Sequence[Flow]
    ) -> dict[str, Row]:
        """Return the limits that apply to `names`, by name, and set the weights of tenants that these limits have."""
        limits = {row.name: row for row in await connection.execute(_LIMITS, {"names": sorted(names)})}
        self.shares.weights = {
            flow.tenant: limit.weight
            for flow in flows
            if (limit := limits.get(tenant_limit(flow.tenant))) is not None and limit.weight
        }
        return limits


async def _apply_limits(
    connection: Connection, capacity: Capacity, now: datetime, limits: Mapping[str, Row], shared: AbstractSet[str]
) -> None:
    """Fill in `capacity`: how many more executions `limits` allow, and how many executions the `shared` names run."""
    capacity.rates = {name: (limit.rate, limit.rate_period_s) for name, limit in limits.items() if limit.rate}
    # Running executions are counted only where that decides anything: each count reads all of them. They are counted
    # before starts: an execution that begins in between is counted twice, and not overlooked.
    limited = capacity.rates.keys() | {name for name, limit in limits.items() if limit.concurrency is not None}
    counted = sorted(limited | shared)
    rows = await connection.execute(_RUNNING, {"names": counted}) if counted else ()
    running = {row.name: (row.running, row.offered) for row in rows}
    capacity.room.held = {name: runs for name, (runs, _) in running.items() if is_shared(name)}
    started = await _count_started(connection, now, capacity.rates)
    used_up = await _find_used_up(connection, limits)
    if used_up:
        capacity.opens_at.append(end_of_day(now))
    for name, limit in limits.items():
        left: list[tuple[int, WaitCode]] = [(0, WaitCode.LIMIT_PAUSED)] if limit.paused else []
        runs, offered = running.get(name, (0, 0))
        if limit.concurrency is not None:
            left.append((limit.concurrency - runs, WaitCode.LIMIT_CONCURRENCY))
        if limit.rate:  # an offer may begin at any time, and is counted as a start only then
            left.append((limit.rate - started.get(name, 0) - offered, WaitCode.LIMIT_RATE))
        if name in used_up:
            left.append((0, WaitCode.LIMIT_USD_PER_DAY))
        if left:
            free, code = min(left, key=lambda each: max(0, each[0]))
            capacity.free[name], capacity.causes[name] = max(0, free), Cause(code, name)


def _group_flows(rows: Sequence[Row], depth: int, used_up: AbstractSet[str]) -> list[Flow]:
    queues: defaultdict[tuple[str, int, tuple[str, ...]], list[Head]] = defaultdict(list)
    for row in rows:
        if row.due_at and row.due_at <= row.now:
            head = Head(rank(row.due_at, row.priority), row.execution_id)
            queues[row.tenant, row.priority, tuple(row.flow)].append(head)
    flows = []
    for (tenant, _, flow), heads in queues.items():
        limits = (tenant_limit(tenant), *flow)
        read_most = depth if used_up.isdisjoint(limits) else 1
        flows.append(Flow(tenant, limits, sorted(heads), more=len(heads) >= read_most))
    return flows


async def _count_started(
    connection: Connection, now: datetime, rates: Mapping[str, tuple[int, float]]
) -> Mapping[str, int]:
    if not rates:
        return {}
    since = [window_start(now, period_s) for _, period_s in rates.values()]
    rows = await connection.execute(_STARTED, {"names": list(rates), "since": since})
    return {row.name: row.started for row in rows}


async def _find_used_up(connection: Connection, limits: Mapping[str, Row]) -> set[str]:
    """Return the names of the limits of tenants that have spent what they may this day."""
    tenants = {each.removeprefix("tenant:"): limit.nanos_per_day for each, limit in limits.items()}
    allowed = {tenant: nanos for tenant, nanos in tenants.items() if nanos is not None}
    rows = await connection.execute(_SPENT, {"tenants": list(allowed)}) if allowed else ()
    return {tenant_limit(row.tenant) for row in rows if row.agents_nanos + row.judges_nanos >= allowed[row.tenant]}
