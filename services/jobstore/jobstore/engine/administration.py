"""Lock and write what administrators change, and the facts of it: agents, limits, operations, what is judged by."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, insert, literal, text

from jobstore.agents import store as agents
from jobstore.engine import facts, sql
from jobstore.engine.commands import Locks
from jobstore.engine.facts import tell
from jobstore.engine.notifications import Wake, notify
from jobstore.engine.rows import (
    AgentChange,
    Changes,
    JudgedCount,
    LimitChange,
    NewOperation,
    OperationMove,
    StoredOperation,
)
from jobstore.engine.sql import Connection
from jobstore.jobs.model import SIGNOFF
from jobstore.limits.rules import wildcard
from jobstore.schema import tables
from signoff.jsontext import json_text
from signoff.status import OperationKind, OperationState
from signoff.types import Agent, Limit

_AGENT: Final = sql.columns(tables.agents)
_LIMIT: Final = sql.columns(tables.limits)
_ITEM: Final = sql.columns(tables.operation_items, only={"item", "job_id", "spec"})
#: What is counted of verdicts by a version, and the columns of a JudgedCount.
COUNTED: Final = ("met", "not_met", "unjudged", "cost_nanos", "tokens")
_COUNT: Final = {"kind": "text", "reference": "text"} | sql.columns(tables.judging_counts, only=set(COUNTED))
#: The columns of a snapshot, and those beside it.
_SNAPSHOT: Final = ("item", "job_id", "execution_id", "operation_id", "answered")
_ANSWER: Final = sql.columns(tables.operation_items, only={"item", "execution_id", "code", "message"})

_LOCK_AGENTS: Final = text(
    f"SELECT {agents.COLUMNS} FROM agents "  # noqa: S608 - names of our own
    "WHERE id = ANY(CAST(:ids AS text[])) ORDER BY id FOR NO KEY UPDATE",
)
_LOCK_OPERATIONS: Final = text(
    "SELECT id, state, kind FROM operations WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE",
)
_LIMITS: Final = text(
    f"SELECT {', '.join(_LIMIT)} FROM limits WHERE name = ANY(CAST(:names AS text[]))",  # noqa: S608 - names of our own
)
#: All in one statement, hence of one snapshot: an execution requested between two would be overlooked. Of items of a
#: cancelled operation only what new ones asked for is left to be done: to forget it.
_UNFINISHED: Final = text(
    """
    SELECT o.id FROM operations o WHERE o.id = ANY(CAST(:ids AS uuid[]))
        AND (EXISTS (SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered
                AND (o.state <> 'CANCELLING' OR i.spec IS NOT NULL))
            OR EXISTS (SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE')
            OR EXISTS (SELECT FROM judgings g WHERE g.group_id = o.id AND g.state <> 'DONE'))
    """,
)
_OPEN_ITEMS: Final = text(
    """
    SELECT operation_id, item FROM operation_items JOIN unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[]))
        AS wanted (operation_id, item) USING (operation_id, item) WHERE NOT answered
    """,
)
_INSERT_AGENT: Final = sql.insert("agents", _AGENT)
_UPDATE_AGENT: Final = text(
    f"""
    UPDATE agents SET {sql.assignments("u", _AGENT, key="id")}
    FROM {sql.unnest("u", _AGENT)} WHERE agents.id = u.id
    """,  # noqa: S608 - names of our own
)
_PUT_LIMIT: Final = tell(
    tables.limits,
    f"""
    INSERT INTO limits ({", ".join(_LIMIT)}) VALUES ({", ".join(f":{name}" for name in _LIMIT)})
    ON CONFLICT (name) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _LIMIT)} RETURNING *
    """,  # noqa: S608 - names of our own
)
_REMOVE_LIMIT: Final = tell(tables.limits, "DELETE FROM limits WHERE name = :name RETURNING *", removed=True)
#: Add a newly limited label or batch to the flows of live executions: those that it limits queue apart from now on.
#: What it applies to, and in which order names stand, is as domain.limits.flow_of says, whatever the database's own is:
#: two orders of the same names would be two flows.
#: Of a batch the index has them, however many more wait.
_ADD_BATCH_TO_FLOWS: Final = text(
    """
    UPDATE executions
    SET flow = ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(flow || CAST(:name AS text)) AS name ORDER BY 1)
    WHERE batch_id = :batch_id AND state <> 'DONE' AND NOT flow @> ARRAY[CAST(:name AS text)]
    """,
)
_ADD_LABEL_TO_FLOWS: Final = text(
    """
    UPDATE executions e
    SET flow = ARRAY(SELECT DISTINCT name COLLATE "C" FROM unnest(e.flow || limited.names) AS name ORDER BY 1)
    FROM (
        SELECT live.execution_id, array_agg(named.name) AS names
        FROM executions live JOIN jobs j ON j.id = live.job_id CROSS JOIN LATERAL (
            SELECT 'label:' || key || '=' || value AS name, 'label:' || key || '=*' AS general
            FROM jsonb_each_text(j.labels) WHERE strpos(key, '=') = 0
        ) AS named
        WHERE live.state <> 'DONE' AND :name IN (named.name, named.general) GROUP BY live.execution_id
    ) AS limited
    WHERE e.execution_id = limited.execution_id AND NOT e.flow @> limited.names
    """,
)
#: Take back offers to which a limit applies that was set or removed, where it, or now the wildcard's, holds anything
#: back. The dispatcher offers again what is allowed: of what has not begun nothing then goes on under the old limit.
#: Under a wildcard all offers are taken back, since those of its kind cannot be told apart here.
_TAKE_BACK: Final = text(
    """
    UPDATE executions SET state = 'QUEUED', offers = 0, due_at = signoff_now()
    WHERE stage = 'EXECUTING' AND state = 'OFFERED'
        AND (:name = :general OR 'tenant:' || tenant = :name OR flow @> ARRAY[CAST(:name AS text)])
        AND EXISTS (SELECT FROM limits WHERE name IN (:name, :general)
            AND (paused OR concurrency IS NOT NULL OR rate IS NOT NULL))
    """,
)
_INSERT_OPERATION: Final = tell(
    tables.operations,
    """
    INSERT INTO operations (id, actor, kind, name, retry_of, parameters)
    VALUES (:id, :actor, :kind, :name, :retry_of, CAST(CAST(:parameters AS text) AS json))
    RETURNING *
    """,
)
_INSERT_ITEMS: Final = text(
    f"INSERT INTO operation_items (operation_id, answered, item, job_id, spec) "  # noqa: S608 - names of our own
    f"SELECT :id, false, {sql.values('u', _ITEM)} FROM {sql.unnest('u', _ITEM)}",
)
_TELL_ITEMS: Final = tell(tables.operation_items, "SELECT * FROM operation_items WHERE operation_id = :id")
#: Due at once, so that a worker goes on with it without waiting for the last claim to expire.
_MOVE_OPERATION: Final = tell(
    tables.operations,
    """
    UPDATE operations SET state = :state, turn_at = signoff_now(),
        finished_at = CASE WHEN :has_ended THEN signoff_now() END,
        about = (CAST(about AS jsonb) || CAST(:said AS jsonb))::json
    WHERE id = :id RETURNING *
    """,
)
#: Release the claim on the operation, too: its next items may be requested then.
_ANSWER_ITEMS: Final = tell(
    tables.operation_items,
    f"""
    UPDATE operation_items SET answered = true, spec = NULL, execution_id = u.execution_id, code = u.code,
        message = u.message
    FROM {sql.unnest("u", _ANSWER)}
    WHERE operation_id = :id AND operation_items.item = u.item AND NOT answered RETURNING operation_items.*
    """,  # noqa: S608 - names of our own
    beside="""
    freed AS (
        UPDATE operations SET turn_at = signoff_now() + make_interval(secs => :rest_s) WHERE id = :id
    ),
    """,
)
_INSERT_VERSION: Final = tell(
    tables.judging_versions,
    "INSERT INTO judging_versions (kind, name, version, body, note, actor) "
    "VALUES (:kind, :name, :version, :body, :note, :actor) RETURNING *",
)
_INSERT_MOVE: Final = tell(
    tables.judging_moves,
    "INSERT INTO judging_moves (kind, name, move, version, reason, actor) "
    "VALUES (:kind, :name, :move, :version, :reason, :actor) RETURNING *",
)
_KEEP_EVALUATION: Final = tell(
    tables.judging_evaluations,
    """
    INSERT INTO judging_evaluations (name, version, cases_hash, evaluation, measured, judged, actor)
    VALUES (:name, :version, :cases_hash, :evaluation, CAST(CAST(:measured AS text) AS json),
        CAST(CAST(:judged AS text) AS json), :actor)
    ON CONFLICT (name, version, cases_hash) DO UPDATE SET evaluation = excluded.evaluation,
        measured = excluded.measured, judged = excluded.judged, actor = excluded.actor, created_at = excluded.created_at
    RETURNING *
    """,
)
_COUNT_JUDGED: Final = text(
    f"""
    INSERT INTO judging_counts (kind, name, version, met, not_met, unjudged, cost_nanos, tokens)
    SELECT kind, split_part(reference, '@', 1), CAST(split_part(reference, '@', 2) AS int), sum(met), sum(not_met),
        sum(unjudged), sum(cost_nanos), sum(tokens)
    FROM {sql.unnest("u", _COUNT)} GROUP BY kind, reference ORDER BY 1, 2, 3
    ON CONFLICT (kind, name, version) DO UPDATE SET
        {", ".join(sql.add_up("judging_counts", name) for name in COUNTED)}
    """,  # noqa: S608 - names of our own
)
_NOTIFY_LIMITS: Final = text(f"SELECT {notify(Wake.QUEUED | Wake.AGENTS)}")
_NOTIFY_OPERATIONS: Final = text(f"SELECT {notify(Wake.OPERATIONS)}")


class Administered(NamedTuple):
    """What administrators change, as it is stored."""

    agents: dict[str, Agent]
    operations: dict[UUID, StoredOperation]
    limits: dict[str, Limit]


async def lock(connection: Connection, locks: Locks) -> Administered:
    """Lock operations and agents, each in the order of their ids, and read named limits, which their lock protects."""
    found = Administered({}, {}, {})
    if locks.operations:
        for row in await connection.execute(_LOCK_OPERATIONS, {"ids": sorted(locks.operations)}):
            stored = StoredOperation(OperationState(row.state), OperationKind(row.kind))
            found.operations[row.id] = stored
    if locks.agents:
        for row in await connection.execute(_LOCK_AGENTS, {"ids": sorted(locks.agents)}):
            found.agents[row.id] = agents.to_agent(row)
    if locks.named_limits:
        for row in await connection.execute(_LIMITS, {"names": list(locks.named_limits)}):
            found.limits[row.name] = Limit(**{name: getattr(row, name) for name in _LIMIT})
    return found


async def find_unfinished(connection: Connection, operation_ids: Collection[UUID]) -> set[UUID]:
    """Return those operations of which an item is to be carried out or forgotten, or an execution is live."""
    return set(await connection.scalars(_UNFINISHED, {"ids": list(operation_ids)}))


async def find_open_items(connection: Connection, items: Collection[tuple[UUID, int]]) -> set[tuple[UUID, int]]:
    """Return those items that have no answer yet; their operations are locked."""
    operation_ids, numbers = zip(*items, strict=True)
    rows = await connection.execute(_OPEN_ITEMS, {"ids": operation_ids, "numbers": numbers})
    return {(row.operation_id, row.item) for row in rows}


async def write(connection: Connection, changes: Changes) -> None:
    """Write the changes of limits, operations and agents, in the order in which rows are locked."""
    for name, change in sorted(changes.limits.items()):
        await _write_limit(connection, name, change)
    if changes.confirmed_by is not None:
        await facts.complete_administration(connection, changes.confirmed_by)
        await connection.execute(_NOTIFY_LIMITS)
    for operation in changes.new_operations:
        await _insert_operation(connection, operation)
    for move in changes.moves:
        await _move_operation(connection, move)
    for operation_id, answers in changes.item_answers.items():
        rows = [asdict(answer) for answer in answers]
        about = {"id": operation_id, "rest_s": changes.rests_s.get(operation_id, 0.0), "actor": SIGNOFF}
        await connection.execute(_ANSWER_ITEMS, {**about, **sql.arrays(_ANSWER, "u", rows)})
    for changed in changes.agents:
        await _write_agent(connection, changed)
    for version in changes.new_versions:
        await connection.execute(_INSERT_VERSION, version._asdict() | version.named._asdict())
    for name_move in changes.name_moves:
        await connection.execute(_INSERT_MOVE, name_move._asdict() | name_move.named._asdict())
    for evaluation in sorted(changes.evaluations, key=lambda one: (one.name, one.version, one.cases_hash)):
        await connection.execute(_KEEP_EVALUATION, evaluation._asdict())


async def count_judged(connection: Connection, judged: Sequence[JudgedCount]) -> None:
    """Count what came of verdicts, for the versions that they were made by; last of all, since all count there."""
    await connection.execute(_COUNT_JUDGED, sql.arrays(_COUNT, "u", [count._asdict() for count in judged]))


async def _write_limit(connection: Connection, name: str, change: LimitChange) -> None:
    """Set a limit, also for executions that wait already, or remove one. Nothing is offered under the old one."""
    limit = change.limit
    if limit is None:
        await connection.execute(_REMOVE_LIMIT, {"name": name, "actor": change.actor})
    else:
        await connection.execute(_PUT_LIMIT, {**limit.model_dump(include=set(_LIMIT)), "actor": change.actor})
        await add_to_flows(connection, name)
    await connection.execute(_TAKE_BACK, {"name": name, "general": wildcard(name)})
    await connection.execute(_NOTIFY_LIMITS)


async def add_to_flows(connection: Connection, name: str) -> None:
    """Add the label or batch of a limit to the flows of the live executions that it applies to."""
    kind, _, rest = name.partition(":")
    if kind == "batch":
        await connection.execute(_ADD_BATCH_TO_FLOWS, {"name": name, "batch_id": UUID(rest)})
    elif kind == "label":
        await connection.execute(_ADD_LABEL_TO_FLOWS, {"name": name})


async def _insert_operation(connection: Connection, new: NewOperation) -> None:
    """Insert an operation with its items. RaceError: another transaction has inserted it since."""
    spec = new.spec
    row = {"id": new.id, "actor": new.actor, "parameters": json_text(spec.parameters)}
    named = {"kind": spec.kind.value, "name": spec.name, "retry_of": spec.retry_of}
    await connection.execute(_INSERT_OPERATION, row | named)
    if spec.items:
        items = [asdict(item) for item in spec.items]
        await connection.execute(_INSERT_ITEMS, {"id": new.id, **sql.arrays(_ITEM, "u", items)})
    if isinstance(spec.snapshot, Select):
        query = spec.snapshot.add_columns(literal(new.id), literal(False))
        await connection.execute(sql.PLAN_ANEW)
        await connection.execute(insert(tables.operation_items).from_select(_SNAPSHOT, query))
    await connection.execute(_TELL_ITEMS, {"id": new.id, "actor": new.actor})
    await connection.execute(_NOTIFY_OPERATIONS)


async def _move_operation(connection: Connection, move: OperationMove) -> None:
    row = {"id": move.id, "state": move.state.value, "has_ended": move.has_ended, "said": json_text(move.said)}
    await connection.execute(_MOVE_OPERATION, {**row, "actor": move.said.get("actor", SIGNOFF)})
    await connection.execute(_NOTIFY_OPERATIONS)


async def _write_agent(connection: Connection, change: AgentChange) -> None:
    """Write an agent, and the fact that it changed. RaceError: another transaction has inserted it since."""
    agent = change.agent
    row = {
        **agent.model_dump(include=set(_AGENT)),
        "protocol": agent.protocol.value,
        "policy": agent.policy.model_dump_json(exclude_none=True),
        "headers": json_text(agent.headers),
    }
    statement = _INSERT_AGENT if change.is_new else _UPDATE_AGENT
    await connection.execute(statement, sql.arrays(_AGENT, "u", [row]))
    await facts.add_agent_fact(connection, agent.id, change.actor)
