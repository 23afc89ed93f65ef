"""Read jobs, one or many, with the last entry of their log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import ARRAY, Text, TextClause, any_, literal, select, text
from sqlalchemy.sql.roles import ColumnsClauseRole

from contracts.criteria import read_references
from contracts.events import hash_result
from contracts.judging.policy import Verdict
from contracts.receipts import ReceiptKey, Statement, sign
from contracts.resources import Policy
from contracts.topics import measure
from jobstore.engine.scoped import of_all
from jobstore.engine.sql import Connection, Row, fetch_page, is_verdict
from jobstore.errors import NotFoundError, RefusedError, UnknownCursorError, make_removed_error
from jobstore.executions import states
from jobstore.executions.rows import ExecutionView
from jobstore.jobs.model import format_assignment, format_edit, members, read_verdict, split_bodies, write_removal
from jobstore.jobs.rows import JobView
from jobstore.jobs.store import READ_COLUMNS, to_execution
from jobstore.jobs.waits import explain_jobs
from jobstore.schema.columns import HIDDEN, TEXT, find_names
from jobstore.schema.scopes import TENANT_OF_REMOVED, OfAll
from jobstore.schema.tables import LOG_NAMES, jobs
from signoff.errors import ErrorCode
from signoff.status import ExecutionState, JobLogKind, JobStatus
from signoff.values import time_text

_VERDICT: Final = text(
    f"""
    SELECT job.id AS job_id, job.tenant, entry.version, entry.job_status, entry.execution_id, entry.submission,
        entry.code, entry.created_at, entry.response, execution.created_at AS requested_at, execution.task_hash,
        entry.execution_id = job.execution_id AND entry.job_status = job.status AND NOT job.live AS has_ended_it
    FROM jobs AS job
    LEFT JOIN LATERAL (
        SELECT version, job_status, execution_id, submission, code, created_at, response_payload::text AS response
        FROM job_logs AS log WHERE job_id = job.id AND {is_verdict("log")}
            AND version = coalesce(CAST(:version AS bigint), version)
            AND submission = coalesce(CAST(:submission AS int), submission)
        ORDER BY version DESC LIMIT 1
    ) AS entry ON true
    LEFT JOIN executions AS execution ON execution.execution_id = entry.execution_id
    WHERE job.id = :job_id
    """  # noqa: S608 - words of our own
)


@dataclass(frozen=True, slots=True)
class RecordedVerdict:
    """A verdict in a job's log, with the hash of the result that it judges, and the hash of the agent's task."""

    job_id: str
    tenant: str
    version: int
    status: JobStatus
    execution_id: UUID
    submission: int
    code: str | None
    requested_at: datetime | None
    judged_at: datetime
    verdict: Verdict
    result_hash: bytes
    task_hash: bytes | None


async def get_verdict(
    connection: Connection, job_id: str, *, version: int | None = None, submission: int | None = None
) -> RecordedVerdict:
    """Return a job's last verdict, at just `version` and on `submission` if given; with neither, the one that ended it.

    NotFoundError: no such job or verdict exists, or no result beside the verdict. RefusedError: the judge had failed.
    """
    parameters = {"job_id": job_id, "version": version, "submission": submission}
    row = (await connection.execute(_VERDICT, parameters)).one_or_none()
    if row is None:
        raise await make_missing_error(connection, job_id)
    is_chosen = version is not None or submission is not None
    if row.version is None and is_chosen:
        raise NotFoundError(
            f"the job {job_id} has no verdict there: its log says where it has one", code=ErrorCode.NO_VERDICT
        )
    if row.version is None or not (is_chosen or row.has_ended_it):
        message = f"the job {job_id} did not end with a verdict; an earlier one is chosen by its version or submission"
        raise NotFoundError(message, code=ErrorCode.NO_VERDICT)
    judged = members(row.response or "{}")
    if "verdict" not in judged or "result" not in judged:
        message = f"version {row.version} of the job {job_id} does not hold what was judged"
        raise NotFoundError(message, code=ErrorCode.NO_RESULT)
    verdict = Verdict.model_validate_json(judged["verdict"])
    _, failed = read_verdict(verdict)
    if failed is not None:
        raise RefusedError(
            f"the judge did not judge the result of the job {job_id} ({failed})", code=ErrorCode.UNJUDGED
        )
    columns = {name: row[name] for name in RecordedVerdict.__dataclass_fields__ if name in row}
    return RecordedVerdict(
        **columns,
        status=JobStatus(row.job_status),
        judged_at=row.created_at,
        verdict=verdict,
        result_hash=hash_result(judged["result"]),
    )


#: Fields of a statement that stand with its verdict.
_STATED: Final = (
    *("job_id", "version", "tenant", "execution_id", "submission", "code", "status", "requested_at", "judged_at"),
)


def make_receipt(key: ReceiptKey, recorded: RecordedVerdict, *, texts: bool) -> str:
    """Return the receipt of a verdict, signed with a key: the same verdict and key give the same receipt."""
    statement = Statement.of(
        recorded.verdict,
        recorded.result_hash,
        with_texts=texts,
        **{name: getattr(recorded, name) for name in _STATED},
        task_sha256=None if recorded.task_hash is None else recorded.task_hash.hex(),
    )
    return sign(key, statement.encode())


_RESPONSE: Final = ("result", "partial", "verdict")


def join_request(log: Mapping[str, str], job: Mapping[str, str], *, is_first: bool) -> str | None:
    """Return an entry's request, made of the `log` and `job` of its fact; `job` has the payload and edited fields.

    Raise ValueError if `job` lacks a field that the edit changed. Return None if the entry has no request.
    """
    if "request" in log:
        return log["request"]
    if "before" in log:
        before = members(log["before"])
        if missing := before.keys() - job.keys():
            msg = f"the job lacks what the edit changed: {', '.join(sorted(missing))}"
            raise ValueError(msg)
        return format_edit(job.get("payload", "null"), {name: job[name] for name in before}, before)
    payload = log.get("payload", job.get("payload", "null") if is_first else None)
    return None if payload is None else format_assignment(payload)


def join_response(log: Mapping[str, str]) -> str | None:
    """Return an entry's response, made of the `log` of its fact; None if it has none."""
    if "removed" in log:
        return write_removal(log["removed"])
    given = ",".join(f'"{name}":{log[name]}' for name in _RESPONSE if name in log)
    return f"{{{given}}}" if given else None


#: An entry of a log, as `write_row` sends it.
LogView: TypeAlias = dict[str, Any]
LOG_COLUMNS: Final = ", ".join(
    [
        *(f"{column} AS {name}" if name != column else name for name, column in LOG_NAMES.items()),
        (
            "(SELECT CAST(e.policy ->> 'max_calls' AS int) FROM executions e "
            "WHERE e.execution_id = job_logs.execution_id) AS max_calls"
        ),
    ]
)
BODIES: Final = "request_payload::text AS request, response_payload::text AS response"
#: The number up to which entries may be read in order: none below it can still commit. During an upgrade the relay may
#: be one that stores `published_seq` alone.
SETTLED: Final = "greatest(settled_seq, published_seq)"
_CURSORS: Final = text(
    f"SELECT {SETTLED} AS settled, last_value AS last, cut_below FROM relay JOIN keeping USING (id), job_logs_seq_seq "  # noqa: S608
    "WHERE id = 1"
)
#: The highest number of an entry that was cut: what follows a cursor below it is not all there.
_CUT_BELOW: Final = text("SELECT cut_below FROM keeping")
_REMOVAL: Final = text(
    "SELECT created_at, actor, message, job_status FROM job_logs WHERE job_id = :job_id AND kind = 'removed'"
)
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
def _compose(entries: str, job_id: str, where: str, order: str, *, payloads: bool) -> TextClause:
    """Return the query of entries; `job_id`: the SQL of the job that they are of.

    Of a removed job it has the last entry alone, also while the others are not cut yet. The result is cached: the
    arguments are constants, so there are few such queries.
    """
    columns = f"{LOG_COLUMNS}, {BODIES if payloads else NO_BODIES}, (SELECT cut_below FROM keeping) AS cut_below"  # noqa: S608
    columns += f", coalesce(owner.tenant, {TENANT_OF_REMOVED}) AS tenant"
    owner = f"LEFT JOIN LATERAL (SELECT jobs.tenant FROM jobs WHERE jobs.id = {job_id}) AS owner ON true"  # noqa: S608
    where = f"{where} AND (owner.tenant IS NOT NULL OR kind = '{JobLogKind.REMOVED}')"
    return text(f"SELECT {columns} FROM {entries} {owner} WHERE {where} ORDER BY {order} LIMIT :limit")  # noqa: S608


def _view(row: Row) -> LogView:
    entry = dict(row)
    del entry["cut_below"]
    return entry | split_bodies(entry["kind"], entry.pop("request"), entry.pop("response"))


async def list_changes(
    connection: Connection,
    after: int,
    until: int,
    *,
    job_ids: Sequence[str] = (),
    payloads: bool = True,
    limit: int = 200,
) -> tuple[list[LogView], bool]:
    """Return entries of all logs, or of those of `job_ids`, with after < cursor <= until, in the order of cursors.

    Also return whether there may be more entries up to `until`. With payloads, call within a transaction.
    UnknownCursorError: of all logs, entries behind the cursor were cut, so that those that are left are not all. Of
    named jobs none is missing: of one that was removed, its last entry says so.
    """
    entries, where = _OF_JOBS if job_ids else "job_logs", "seq > :after AND seq <= :until"
    query = _compose(entries, "job_logs.job_id", where, "seq", payloads=payloads)
    parameters = {"after": after, "until": until, "limit": limit, "job_ids": list(job_ids)}
    rows, is_cut = await fetch_page(connection, query, parameters, bodies=payloads)
    if not job_ids and after < (rows[-1].cut_below if rows else await connection.scalar(_CUT_BELOW)):
        raise UnknownCursorError(f"entries behind the cursor {after} belong to jobs that were removed; watch anew")
    return [_view(row) for row in rows], is_cut or len(rows) == limit


class Cursors(NamedTuple):
    """The cursor up to which no entry can appear any more, the highest that an entry was given, and the last cut."""

    settled: int
    last: int
    cut_below: int


async def get_cursors(connection: Connection) -> Cursors:
    """Return how far the log is settled, numbered and cut."""
    cursors = Cursors(*(await connection.execute(_CURSORS)).one())
    return cursors._replace(last=max(cursors.settled, cursors.last))


async def make_missing_error(connection: Connection, job_id: str) -> NotFoundError:
    """Return the error of a job that is not there: it was removed (`job_removed`), or never was (`unknown_job`)."""
    if removal := (await connection.execute(_REMOVAL, {"job_id": job_id})).one_or_none():
        rule = f" ({removal.message})" if removal.message else ""
        how = f" at {time_text(removal.created_at)} by {removal.actor}{rule}; it stood at {removal.job_status}"
        return make_removed_error(job_id, how)
    return NotFoundError(f"no job has the id {job_id}", code=ErrorCode.UNKNOWN_JOB)


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which entries of a log to read: of one submission, of some kinds, from a version on in the order of reading."""

    submission: int | None = None
    from_version: int | None = None
    kinds: Sequence[str] = ()


ALL_ENTRIES: Final = LogFilter()


async def get_removal(connection: Connection, job_id: str) -> LogView:
    """Return the entry that removed a job, as `write_row` sends it. Call within a transaction."""
    where = f"job_id = :job_id AND kind = '{JobLogKind.REMOVED}'"
    query = _compose("job_logs", ":job_id", where, "version", payloads=True)
    return _view((await connection.execute(query, {"job_id": job_id, "limit": 1})).one())


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
    """Return entries of a job's log behind the version `after`, in the order of reading, as `write_row` sends them.

    Also return the version behind which the next page begins, None at the end. Call within a transaction.
    NotFoundError (`job_removed`): the job was removed.
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
    query = _compose("job_logs", ":job_id", " AND ".join(wheres), f"version {order}", payloads=payloads)
    parameters = {"job_id": job_id, "limit": limit, **values}
    rows, is_cut = await fetch_page(connection, query, parameters, bodies=payloads)
    logs = [_view(row) for row in rows]
    if logs and logs[-1]["kind"] == JobLogKind.REMOVED:
        raise make_removed_error(job_id)
    return logs, logs[-1]["version"] if is_cut or len(logs) == limit else None


_ENTRY_RESPONSE: Final = text(
    "SELECT response_payload::text FROM job_logs JOIN jobs ON jobs.id = job_id "
    "WHERE job_id = :job_id AND job_logs.version = :version"
)


async def get_result(connection: Connection, job_id: str, version: int) -> str | None:
    """Return the result in an entry of a log as JSON text; None if the entry holds no result, or does not exist."""
    response = await connection.scalar(_ENTRY_RESPONSE, {"job_id": job_id, "version": version})
    return None if response is None else members(response).get("result")


_TEXTS: Final = find_names(jobs, TEXT)
_LEFT_OUT: Final = {*find_names(jobs, TEXT, HIDDEN), "labels", "policy"}
#: The columns of a job that lists show, by whether they have its texts; without columns for commands alone.
JOB_COLUMNS: Final[Mapping[bool, Sequence[ColumnsClauseRole]]] = {
    has_texts: (
        *(column for column in jobs.c if column.name not in _LEFT_OUT),
        text("greatest(1, not_met + (status NOT IN ('REJECTED', 'RESUBMISSION_REQUIRED'))::int) AS submission"),
        text("jobs.labels::text AS labels_text, jobs.policy::text AS policy_text"),
        *(text(f"{f'jobs.{name}::text' if has_texts else 'CAST(NULL AS text)'} AS {name}") for name in _TEXTS),
    )
    for has_texts in (True, False)
}
#: Bytes of the payload, the result and the verdict of a job that is read alone: gRPC's clients take 4 MiB.
JUDGED_MAX_BYTES: Final = 3 << 20
#: The version of the entry with the last verdict, and its response.
_JUDGED: Final = text(
    "(SELECT ARRAY[log.version::text, log.response_payload::text] FROM job_logs AS log "  # noqa: S608 - words of our own
    f"WHERE log.job_id = jobs.id AND {is_verdict('log')} ORDER BY log.version DESC LIMIT 1) AS judged"
)
_LAST_LOGS: Final = text(
    f"SELECT {LOG_COLUMNS}, {NO_BODIES} FROM job_logs "  # noqa: S608 - as above
    "JOIN unnest(CAST(:job_ids AS text[]), CAST(:versions AS bigint[])) AS wanted (job_id, version) "
    "USING (job_id, version)"
)


def make_job_view(row: Row) -> JobView:
    """Return the view of a job that `job_message` takes, from the job's row."""
    view = dict(row)
    labels, policy = from_json(view.pop("labels_text")), _read_policy(view.pop("policy_text"))
    references = read_references(view.pop("reference_texts"))
    return {**view, "status": JobStatus(row.status), "labels": labels, "policy": policy, "references": references}


@lru_cache(maxsize=1_000)
def _read_policy(text: str) -> Policy:
    return Policy.model_validate_json(text)


async def get_job(connection: Connection, job_id: str, *, texts: bool = True) -> JobView | None:
    """Return a job, with `texts` also its last verdict and the result that it judges; None if no job has the id."""
    columns = (*JOB_COLUMNS[texts], _JUDGED if texts else text("NULL AS judged"))
    row = (await connection.execute(select(*columns).where(jobs.c.id == job_id))).one_or_none()
    if row is None:
        return None
    view = make_job_view(row)
    version, response = view.pop("judged") or (None, None)
    if version is None:
        return view
    is_small = measure(row.payload or "") + measure(response or "") <= JUDGED_MAX_BYTES
    judged = split_bodies(None, None, response) if is_small else {}
    return {**view, "result_version": int(version), "result": judged.get("result"), "verdict": judged.get("verdict")}


async def add_last_logs(connection: Connection, views: Sequence[JobView]) -> None:
    """Add to each job, as `last_log`, the entry of its log at the job's version, so that the two agree.

    The caller may see the jobs: they are not looked up once more for each entry.
    """
    parameters = {"job_ids": [view["id"] for view in views], "versions": [view["version"] for view in views]}
    found = await of_all(connection, OfAll.LAST_LOGS).execute(_LAST_LOGS, parameters)
    logs = {row.job_id: dict(row) for row in found}
    for view in views:
        log = logs.get(view["id"])
        view["last_log"] = log and log | {"tenant": view["tenant"]}


async def add_waiting(connection: Connection, views: Sequence[JobView], alive_s: float) -> None:
    """Add to each job that waits the reasons, as `waiting`, else None. If no job may wait, nothing is read."""
    may_wait = [view["id"] for view in views if view["live"] or view["status"] is JobStatus.PENDING]
    known = await explain_jobs(connection, may_wait, alive_s) if may_wait else {}
    for view in views:
        waiting = known.get(view["id"])
        view["waiting"] = waiting if waiting and waiting.reasons else None


async def list_jobs_after(
    connection: Connection, job_id: str, limit: int, job_ids: Sequence[str] = (), *, texts: bool = True
) -> list[JobView]:
    """Return the next jobs behind the id `job_id`, in the order of ids: of `job_ids`, or of all if that is empty.

    Call within a transaction. A page may have fewer than `limit` jobs; it is empty only after the last job.
    """
    query = select(*JOB_COLUMNS[texts]).where(jobs.c.id > job_id).order_by(jobs.c.id).limit(limit)
    if job_ids:
        query = query.where(jobs.c.id == any_(literal(list(job_ids), ARRAY(Text))))
    rows, _ = await fetch_page(connection, query, bodies=texts)
    return [make_job_view(row) for row in rows]


#: An execution with its settings, the time of its request, and the time and code of its end.
_EXECUTION: Final = text(
    f"""
    SELECT {", ".join(f"e.{name}" for name in READ_COLUMNS).replace("e.policy", "e.policy::text AS policy")},
        r.created_at AS requested_at, ended.created_at AS ended_at, ended.code AS ended_code,
        (SELECT body::text FROM agent_settings WHERE hash = e.settings_hash) AS settings,
        EXISTS (SELECT FROM job_logs WHERE job_id = e.job_id AND kind = '{JobLogKind.REMOVED}') AS is_removed
    FROM executions e LEFT JOIN job_logs r ON r.job_id = e.job_id AND r.version = e.request_version
        LEFT JOIN LATERAL (
            SELECT l.created_at, l.code FROM job_logs l
            WHERE l.job_id = e.job_id AND l.version > e.request_version AND l.execution_id = e.execution_id
                AND l.status = upper(e.answer) ORDER BY l.version LIMIT 1
        ) AS ended ON true
    WHERE e.execution_id = :id
    """  # noqa: S608 - names of our own
)
#: The job of an execution that is named by the entry that removed it, and has no row.
_JOB_OF_REMOVED: Final = text(
    f"SELECT job_id FROM job_logs WHERE kind = '{JobLogKind.REMOVED}' AND execution_id = :id"  # noqa: S608 - a word of our own
)


async def get_execution(connection: Connection, execution_id: UUID) -> ExecutionView | None:
    """Return an execution as `write_row` sends it, or None if the id is unknown.

    NotFoundError (`job_removed`): its job was removed.
    """
    row = (await connection.execute(_EXECUTION, {"id": execution_id})).one_or_none()
    if row is None:
        if job_id := await connection.scalar(_JOB_OF_REMOVED, {"id": execution_id}):
            raise make_removed_error(job_id)
        return None
    if row.is_removed:
        raise make_removed_error(row.job_id)
    view = states.show(to_execution(row), row.requested_at or row.created_at)
    if row.ended_at is not None:
        view["ended_at"] = row.ended_at
        view["code"] = None if view["state"] is ExecutionState.COMPLETED else row.ended_code
    if row.requested_at is not None:
        view |= {"cost_nanos": row.cost_nanos, "tokens": row.tokens}
    return view | {"settings": row.settings}
