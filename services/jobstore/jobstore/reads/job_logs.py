"""Read the log of a job, from either end, and the changes of all jobs in the order of their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import TextClause, text

from jobstore.json_members import members
from jobstore.reads.page import fetch_page
from jobstore.storage.entry_bodies import split
from jobstore.storage.sql import Connection, Row

#: An entry of a log, as `job_log_message` takes it.
LogView: TypeAlias = dict[str, Any]
LOG_COLUMNS: Final = (
    "seq AS cursor, id, job_id, version, status, job_status, agent_id, message, code, execution_id, attempt, lease, "
    "submission, event_id, progress, cost_nanos, tokens, next_attempt_at, kind, actor, duration_s, waited, "
    "created_at, spent AS spent_calls, "
    "(SELECT CAST(e.policy ->> 'max_calls' AS int) FROM executions e "
    "WHERE e.execution_id = job_logs.execution_id) AS max_calls"
)
BODIES: Final = "request_payload::text AS request, response_payload::text AS response"
#: The number up to which entries may be read in order: none below it can still commit. During an upgrade a relay may be
#: at work that stores only what it has published.
SETTLED: Final = "greatest(settled_seq, published_seq)"
_SETTLED_CURSOR: Final = text(f"SELECT {SETTLED} FROM relay WHERE id = 1")  # noqa: S608 - names of our own
_CURSORS: Final = text(f"SELECT {SETTLED}, last_value FROM relay, job_logs_seq_seq WHERE id = 1")  # noqa: S608
NO_BODIES: Final = "NULL AS request, NULL AS response"
#: The entries of some jobs after a number, which are found by their versions: no entry of another job is read.
_OF_JOBS: Final = """
    (SELECT DISTINCT unnest(CAST(:job_ids AS text[])) AS of_job) AS wanted CROSS JOIN LATERAL (
        SELECT * FROM job_logs AS entry WHERE entry.job_id = wanted.of_job AND entry.version > coalesce((
            SELECT version FROM job_logs WHERE job_id = wanted.of_job AND seq <= :after
            ORDER BY version DESC LIMIT 1), 0)
        ORDER BY entry.version LIMIT :limit
    ) AS job_logs"""


@cache
def _compose(entries: str, where: str, order: str, *, payloads: bool) -> TextClause:
    """Return the query of entries; there are a few, made of words of our own."""
    columns = f"{LOG_COLUMNS}, {BODIES if payloads else NO_BODIES}"
    return text(f"SELECT {columns} FROM {entries} WHERE {where} ORDER BY {order} LIMIT :limit")  # noqa: S608


def _view(row: Row) -> LogView:
    entry = dict(row)
    return entry | split(entry["kind"], entry.pop("request"), entry.pop("response"))


async def list_changes(
    connection: Connection,
    after: int,
    until: int,
    *,
    job_ids: Sequence[str] = (),
    payloads: bool = True,
    limit: int = 200,
) -> tuple[list[LogView], bool]:
    """Return entries of all logs, or of some jobs', with after < cursor <= until, in the order of their numbers.

    Also return whether there may be more up to `until`. With payloads, call within a transaction.
    """
    query = _compose(_OF_JOBS if job_ids else "job_logs", "seq > :after AND seq <= :until", "seq", payloads=payloads)
    parameters = {"after": after, "until": until, "limit": limit, "job_ids": list(job_ids)}
    rows, is_cut = await fetch_page(connection, query, parameters, bodies=payloads)
    return [_view(row) for row in rows], is_cut or len(rows) == limit


async def get_settled_cursor(connection: Connection) -> int:
    """Return the cursor up to which no entry can appear any more."""
    return int(await connection.scalar(_SETTLED_CURSOR) or 0)


async def get_cursors(connection: Connection) -> tuple[int, int]:
    """Return the cursor up to which no entry can appear any more, and the last cursor given to any entry."""
    settled, last = (await connection.execute(_CURSORS)).one()
    return settled, max(settled, last)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The entries of a log to read: of one submission, of some kinds, from a version on in the order of reading."""

    submission: int | None = None
    from_version: int | None = None
    kinds: Sequence[str] = ()


ALL_ENTRIES: Final = LogFilter()


async def list_job_logs(
    connection: Connection,
    job_id: str,
    after: int | None,
    limit: int,
    *,
    newest_first: bool = False,
    chosen: LogFilter = ALL_ENTRIES,
    payloads: bool = True,
) -> tuple[list[LogView], int | None]:
    """Return entries of a job's log after a version, in the order of reading, as `job_log_message` takes them.

    Also return the version after which the next page begins, None at the end. Call within a transaction.
    """
    order, comparison = ("DESC", "<") if newest_first else ("ASC", ">")
    conditions = {
        "after": (after, f"version {comparison} :after"),
        "submission": (chosen.submission, "submission = :submission"),
        "from": (chosen.from_version, f"version {comparison}= :from"),
        "kinds": (list(chosen.kinds) or None, "kind = ANY(:kinds)"),
    }
    values = {name: value for name, (value, _) in conditions.items() if value is not None}
    wheres = ["job_id = :job_id", *(conditions[name][1] for name in values)]
    query = _compose("job_logs", " AND ".join(wheres), f"version {order}", payloads=payloads)
    parameters = {"job_id": job_id, "limit": limit, **values}
    rows, is_cut = await fetch_page(connection, query, parameters, bodies=payloads)
    logs = [_view(row) for row in rows]
    return logs, logs[-1]["version"] if is_cut or len(logs) == limit else None


_RESPONSE: Final = text("SELECT response_payload::text FROM job_logs WHERE job_id = :job_id AND version = :version")


async def get_result(connection: Connection, job_id: str, version: int) -> str | None:
    """Return the result in an entry of a log as JSON text; None where it holds none, or there is no such entry."""
    response = await connection.scalar(_RESPONSE, {"job_id": job_id, "version": version})
    return None if response is None else members(response).get("result")
