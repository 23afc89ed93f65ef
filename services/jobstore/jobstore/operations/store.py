"""Lock the operations of a transaction, find unfinished ones, write new ones, moves and answers, and remove some."""

from dataclasses import asdict
from typing import Final

from sqlalchemy import Select, literal, text

from jobstore.engine import sql
from jobstore.engine.database import Wake, notify
from jobstore.engine.facts import forget, tell
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Store
from jobstore.engine.scoped import ScopedConnection
from jobstore.engine.sql import Connection
from jobstore.jobs.model import SIGNOFF
from jobstore.operations.commands import NewOperation, Operations, OperationsWish, StoredOperation
from jobstore.schema import tables
from signoff.jsontext import json_text
from signoff.status import OperationKind, OperationState

_ITEM: Final = sql.columns(tables.operation_items, only={"item", "job_id", "spec"})
#: The columns of a snapshot, and those beside it.
_SNAPSHOT: Final = ("item", "job_id", "execution_id", "operation_id", "answered")
_ANSWER: Final = sql.columns(tables.operation_items, only={"item", "execution_id", "code", "message"})
_LOCK_OPERATIONS: Final = text(
    "SELECT id, state, kind, tenant FROM operations WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR UPDATE"
)
#: One statement sees one snapshot: between two, an execution that is requested meanwhile would be missed. Of a
#: cancelled operation only items of new jobs count, whose specifications are still to be deleted.
_UNFINISHED: Final = text(
    """
    SELECT o.id FROM operations o WHERE o.id = ANY(CAST(:ids AS uuid[]))
        AND (EXISTS (SELECT FROM operation_items i WHERE i.operation_id = o.id AND NOT i.answered
                AND (o.state <> 'CANCELLING' OR i.spec IS NOT NULL))
            OR EXISTS (SELECT FROM executions e WHERE e.batch_id = o.id AND e.state <> 'DONE')
            OR EXISTS (SELECT FROM judgings g WHERE g.group_id = o.id AND g.state <> 'DONE'))
    """
)
_OPEN_ITEMS: Final = text(
    """
    SELECT operation_id, item FROM operation_items JOIN unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[]))
        AS wanted (operation_id, item) USING (operation_id, item) WHERE NOT answered
    """
)
_INSERT_OPERATION: Final = tell(
    tables.operations,
    """
    INSERT INTO operations (id, actor, tenant, kind, name, retry_of, parameters)
    VALUES (:id, :actor, :tenant, :kind, :name, :retry_of, CAST(CAST(:parameters AS text) AS json))
    RETURNING *
    """,
)
_INSERT_ITEMS: Final = text(
    f"INSERT INTO operation_items (operation_id, answered, item, job_id, spec) "  # noqa: S608 - names of our own
    f"SELECT :id, false, {sql.values('u', _ITEM)} FROM {sql.unnest('u', _ITEM)}"
)
_TELL_ITEMS: Final = tell(tables.operation_items, "SELECT * FROM operation_items WHERE operation_id = :id")
#: `turn_at`: a worker goes on at once, without waiting for the last claim to expire.
_MOVE_OPERATION: Final = tell(
    tables.operations,
    """
    UPDATE operations SET state = :state, turn_at = signoff_now(),
        finished_at = CASE WHEN :has_ended THEN signoff_now() END,
        about = (CAST(about AS jsonb) || CAST(:about AS jsonb))::json
    WHERE id = :id RETURNING *
    """,
)
#: Also release the claim on the operation, so that its next items may be carried out.
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
#: Of an operation that is removed, how many items, and judgings, go at once.
FORGOTTEN_AT_ONCE: Final = 1_000
_FORGET_ITEMS: Final = forget(
    tables.operation_items,
    "operation_id = :id AND item IN (SELECT item FROM operation_items WHERE operation_id = :id LIMIT :limit)",
)
_FORGET_JUDGINGS: Final = text(
    "DELETE FROM judgings WHERE id IN (SELECT id FROM judgings WHERE group_id = :id AND state = 'DONE' LIMIT :limit)"
)
#: It goes with the last of them.
_FORGET_OPERATION: Final = forget(
    tables.operations,
    """
    id = :id AND NOT EXISTS (SELECT FROM operation_items WHERE operation_id = :id)
        AND NOT EXISTS (SELECT FROM judgings WHERE group_id = :id)
    """,
)
_NOTIFY_OPERATIONS: Final = text(f"SELECT {notify(Wake.OPERATIONS)}")


class OperationsStore(Store):
    """Lock operations, and write new operations, moves of operations, and the answers to their items."""

    part, wish = Operations, OperationsWish

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock operations in the order of their ids."""
        if locked := asked[OperationsWish].locked:
            for row in await connection.execute(_LOCK_OPERATIONS, {"ids": sorted(locked)}):
                stored = StoredOperation(OperationState(row.state), OperationKind(row.kind), row.tenant)
                uow[Operations].operations.stored[row.id] = stored

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load which of the wished operations are unfinished, and which of the wished items have no answer yet."""
        wish, operations = asked[OperationsWish], uow[Operations]
        if wish.unfinished:
            operations.unfinished = set(await connection.scalars(_UNFINISHED, {"ids": list(wish.unfinished)}))
        if wish.open_items:
            ids, numbers = zip(*wish.open_items, strict=True)
            rows = await connection.execute(_OPEN_ITEMS, {"ids": ids, "numbers": numbers})
            operations.open_items = {(row.operation_id, row.item) for row in rows}

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write new operations, moves of operations to other states, and answers to items."""
        operations = uow[Operations]
        for operation in operations.new:
            await _insert_operation(connection, operation)
        for move in operations.moves:
            row = {"id": move.id, "state": move.state.value, "has_ended": move.has_ended}
            asked = {"about": json_text(move.about), "actor": move.about.get("actor", SIGNOFF)}
            await connection.execute(_MOVE_OPERATION, {**row, **asked})
            await connection.execute(_NOTIFY_OPERATIONS)
        for operation_id, answers in operations.answers.items():
            rows = [asdict(answer) for answer in answers]
            about = {"id": operation_id, "rest_s": operations.rests_s.get(operation_id, 0.0), "actor": SIGNOFF}
            await connection.execute(_ANSWER_ITEMS, {**about, **sql.arrays(_ANSWER, "u", rows)})
        for operation_id, actor in operations.removed.items():
            about = {"id": operation_id, "limit": FORGOTTEN_AT_ONCE, "actor": actor}
            for statement in (_FORGET_ITEMS, _FORGET_JUDGINGS, _FORGET_OPERATION):
                await connection.execute(statement, about)


async def _insert_operation(connection: Connection, new: NewOperation) -> None:
    """Insert an operation with its items. RaceError: another transaction has inserted the operation meanwhile."""
    spec, tenants = new.spec, new.tenants
    limited = {} if tenants is None else {"tenants": sorted(tenants)}
    row = {"id": new.id, "actor": new.actor, "parameters": json_text({**spec.parameters, **limited})}
    named = {"kind": spec.kind.value, "name": spec.name, "retry_of": spec.retry_of, "tenant": spec.tenant}
    await connection.execute(_INSERT_OPERATION, row | named)
    if spec.items:
        items = [asdict(item) for item in spec.items]
        await connection.execute(_INSERT_ITEMS, {"id": new.id, **sql.arrays(_ITEM, "u", items)})
    if isinstance(spec.snapshot, Select):
        query = spec.snapshot.add_columns(literal(new.id), literal(False))
        await connection.execute(sql.PLAN_ANEW)
        await ScopedConnection(connection.driver, tenants).insert("operation_items", _SNAPSHOT, query)
    await connection.execute(_TELL_ITEMS, {"id": new.id, "actor": new.actor})
    await connection.execute(_NOTIFY_OPERATIONS)
