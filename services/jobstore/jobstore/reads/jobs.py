"""What people and programs read: jobs, logs and agents; and agents as they are written."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, case, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.resources import Agent, NewAgent, Policy
from contracts.status import Circuit, JobStatus
from jobstore.storage import circuits, facts
from jobstore.storage.row_mapping import agent
from jobstore.storage.tables import agents, jobs
from jobstore.storage.tables import circuits as circuits_table

#: What one answer holds at most: below what gRPC's readers take by default.
PAGE_MAX_BYTES: Final = 2 << 20
ROWS_AT_ONCE: Final = 20

JOB_COLUMNS: Final[Sequence[Any]] = (
    *(
        column
        for column in jobs.c
        if column.name
        not in {"payload", "policy", "feedback", "spec_hash", "not_met"} | {"description", "acceptance_criteria"}
    ),
    text("greatest(1, not_met + (status NOT IN ('REJECTED', 'RESUBMISSION_REQUIRED'))::int) AS submission"),
    text("jobs.policy::text AS policy_text"),
)
TEXTS: Final[Sequence[Any]] = (
    jobs.c.description,
    jobs.c.acceptance_criteria,
    text("jobs.payload::text AS payload"),
)
NO_TEXTS: Final[Sequence[Any]] = (
    text("'' AS description"),
    text("'' AS acceptance_criteria"),
    text("NULL AS payload"),
)
LOG_COLUMNS: Final = (
    "seq AS cursor, id, job_id, version, status, job_status, agent_id, message, code, execution_id, attempt, lease, "
    "submission, event_id, progress, spent_usd, spent_tokens, next_attempt_at, kind, created_at, spent AS spent_calls, "
    "(SELECT CAST(e.policy ->> 'max_attempts' AS int) FROM executions e "
    "WHERE e.execution_id = job_logs.execution_id) AS calls"
)
PAYLOADS: Final = "request_payload::text AS request_payload, response_payload::text AS response_payload"
NO_PAYLOADS: Final = "NULL AS request_payload, NULL AS response_payload"
_LAST_LOGS: Final = text(
    f"SELECT {LOG_COLUMNS}, {NO_PAYLOADS} FROM job_logs "  # noqa: S608 - as above
    "JOIN unnest(CAST(:job_ids AS text[]), CAST(:versions AS bigint[])) AS wanted (job_id, version) "
    "USING (job_id, version)",
)


_STANDS: Final[Sequence[Any]] = (
    case(
        (circuits_table.c.open_until.is_(None), Circuit.CLOSED.value),
        (circuits_table.c.open_until > func.clock_timestamp(), Circuit.OPEN.value),
        else_=Circuit.HALF_OPEN.value,
    ).label("circuit"),
    circuits_table.c.open_until.label("circuit_open_until"),
    text(
        "coalesce((SELECT paused FROM limits WHERE limits.name = 'agent:' || agents.id), "
        "(SELECT paused FROM limits WHERE limits.name = 'agent:*'), false) AS paused",
    ),
)


def job_view(row: Row[Any]) -> dict[str, Any]:
    """A job from its row, as `job_message` takes it."""
    view = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's name
    return {**view, "status": JobStatus(row.status), "policy": Policy.model_validate_json(view.pop("policy_text"))}


async def page(
    connection: AsyncConnection, query: Any, about: Mapping[str, Any] | None = None, *, bodies: bool
) -> tuple[list[Row[Any]], bool]:
    """Rows, and whether they are cut: those with bodies are, at PAGE_MAX_BYTES, and few more are ever held.

    Within a transaction.
    """
    if not bodies:
        return list(await connection.execute(query, about)), False
    rows: list[Row[Any]] = []
    total = 0
    async with connection.stream(query, about, execution_options={"max_row_buffer": ROWS_AT_ONCE}) as found:
        async for row in found:
            total += sum(len(value) for value in row if isinstance(value, str))
            if rows and total > PAGE_MAX_BYTES:
                return rows, True
            rows.append(row)
    return rows, False


async def job(connection: AsyncConnection, job_id: str) -> dict[str, Any] | None:
    """One job, as `job_message` takes it."""
    row = (await connection.execute(select(*JOB_COLUMNS, *TEXTS).where(jobs.c.id == job_id))).one_or_none()
    return None if row is None else job_view(row)


async def add_last_logs(connection: AsyncConnection, views: Sequence[dict[str, Any]]) -> None:
    """Add to each job, as `last_log`, the entry that its version is of; an entry never changes."""
    versions = {"job_ids": [view["id"] for view in views], "versions": [view["version"] for view in views]}
    logs = {row.job_id: dict(row._mapping) for row in await connection.execute(_LAST_LOGS, versions)}  # noqa: SLF001
    for view in views:
        view["last_log"] = logs.get(view["id"])


async def jobs_after(
    connection: AsyncConnection, job_id: str, limit: int, job_ids: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The next jobs in the order of their ids, of these or of all; none when there are no more. In a transaction."""
    query = select(*JOB_COLUMNS, *TEXTS).where(jobs.c.id > job_id).order_by(jobs.c.id).limit(limit)
    rows, _ = await page(connection, query.where(jobs.c.id.in_(job_ids)) if job_ids else query, bodies=True)
    return [job_view(row) for row in rows]


async def changes(
    connection: AsyncConnection,
    after: int,
    until: int,
    *,
    job_ids: Sequence[str] = (),
    payloads: bool = True,
    limit: int = 200,
) -> tuple[list[dict[str, Any]], bool]:
    """Entries of all logs, or of some jobs', with after < cursor <= until, in the order of publication.

    And whether there may be more. Within a transaction.
    """
    of_jobs = "AND job_id = ANY(CAST(:job_ids AS text[]))" if job_ids else ""
    query = text(
        f"SELECT {LOG_COLUMNS}, {PAYLOADS if payloads else NO_PAYLOADS} FROM job_logs "  # noqa: S608 - as above
        f"WHERE seq > :after AND seq <= :until {of_jobs} ORDER BY seq LIMIT :limit",
    )
    parameters: dict[str, Any] = {"after": after, "until": until, "limit": limit}
    if job_ids:
        parameters["job_ids"] = list(job_ids)
    rows, is_cut = await page(connection, query, parameters, bodies=payloads)
    return [dict(row._mapping) for row in rows], is_cut or len(rows) == limit  # noqa: SLF001


async def published(connection: AsyncConnection) -> int:
    """The cursor up to which everything is published."""
    return int((await connection.scalar(text("SELECT published_seq FROM relay"))) or 0)


async def cursors(connection: AsyncConnection) -> tuple[int, int]:
    """The cursor up to which everything is published, and the last that any entry has."""
    query = text("SELECT published_seq, last_value FROM relay, job_logs_seq_seq")
    published_seq, last = (await connection.execute(query)).one()
    return published_seq, max(published_seq, last)


async def agent_by_id(connection: AsyncConnection, agent_id: str) -> Agent | None:
    """One agent."""
    found = await list_agents(connection, limit=1, only=agent_id)
    return found[0] if found else None


async def list_agents(
    connection: AsyncConnection,
    *,
    limit: int,
    after: tuple[str, str] | None = None,
    only: str | None = None,
) -> list[Agent]:
    """Agents by (name, id), after one of them."""
    columns = [column for column in agents.c if column.name != "policy"]
    query = select(*columns, *_STANDS, text("policy::text AS policy")).outerjoin_from(agents, circuits_table)
    query = query.order_by(agents.c.name, agents.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(agents.c.name, agents.c.id) > tuple_(*after))
    if only is not None:
        query = query.where(agents.c.id == only)
    return [agent(row) for row in await connection.execute(query)]


async def put_agent(connection: AsyncConnection, agent_id: str, new: NewAgent, *, create: bool) -> bool:
    """Insert an agent, or replace one, whose circuit is closed then; False where one is there, or none."""
    row = {
        **new.model_dump(include={"name", "url", "capabilities", "enabled", "deterministic"}),
        "protocol": new.protocol.value,
        "policy": new.policy.model_dump(mode="json", exclude_none=True),
    }
    if create:
        insert = text(
            "INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled, deterministic) VALUES "
            "(:id, :name, :protocol, :url, :capabilities, CAST(:policy AS jsonb), :enabled, :deterministic) "
            "ON CONFLICT DO NOTHING",
        )
        policy = new.policy.model_dump_json(exclude_none=True)
        written = await connection.execute(insert, {**row, "id": agent_id, "policy": policy})
    else:
        update = agents.update().where(agents.c.id == agent_id).values(**row, updated_at=func.clock_timestamp())
        written = await connection.execute(update)
        await circuits.close(connection, agent_id)
    if written.rowcount:
        await facts.tell_agent(connection, agent_id)
    return bool(written.rowcount)


async def disable_agent(connection: AsyncConnection, agent_id: str) -> None:
    """No further execution is requested of an agent."""
    values = {"enabled": False, "updated_at": func.clock_timestamp()}
    await connection.execute(agents.update().where(agents.c.id == agent_id).values(**values))
    await facts.tell_agent(connection, agent_id)
