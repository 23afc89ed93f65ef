"""Read executions as callers are shown them."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobstore.commands.unit_of_work import ExecutionView
from jobstore.domain import execution_states
from jobstore.storage.sql import Connection
from jobstore.storage.work.row_mapping import READ_COLUMNS, to_execution
from signoff.money import usd_text
from signoff.status import ExecutionState

#: When it was requested, and when it ended and why.
_EXECUTION: Final = text(
    f"""
    SELECT {", ".join(f"e.{name}" for name in READ_COLUMNS).replace("e.policy", "e.policy::text AS policy")},
        r.created_at AS requested_at, ended.created_at AS ended_at, ended.code AS ended_code
    FROM executions e LEFT JOIN job_logs r ON r.job_id = e.job_id AND r.version = e.request_version
        LEFT JOIN LATERAL (
            SELECT l.created_at, l.code FROM job_logs l
            WHERE l.job_id = e.job_id AND l.version > e.request_version AND l.execution_id = e.execution_id
                AND l.status = upper(e.answer) ORDER BY l.version LIMIT 1
        ) AS ended ON true
    WHERE e.execution_id = :id
    """,  # noqa: S608 - names of our own
)


async def get_execution(connection: Connection, execution_id: UUID) -> ExecutionView | None:
    """Return an execution as `execution_message` takes it, or None where nothing is known of the id."""
    row = (await connection.execute(_EXECUTION, {"id": execution_id})).one_or_none()
    if row is None:
        return None
    view = execution_states.show(to_execution(row), row.requested_at or row.created_at)
    if row.ended_at is not None:
        view["ended_at"] = row.ended_at
        view["code"] = None if view["state"] is ExecutionState.COMPLETED else row.ended_code
    if row.requested_at is not None:
        view |= {"cost_usd": usd_text(row.cost_nanos), "tokens": row.tokens}
    return view
