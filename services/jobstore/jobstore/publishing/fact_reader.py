"""Look for rows of the log that were not seen yet, and make the facts of rows that are to be published."""

import asyncio
import hashlib
import logging
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple

from prometheus_client import Counter
from pydantic import BaseModel
from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.agents import hide_userinfo
from contracts.events import AdministrationChanged, AgentChanged, ExecutionRefused, JobChanged, Stub, fact_id
from contracts.resources import JobPatch
from contracts.topics import TOPIC_OF
from jobstore.agents import store as agents
from jobstore.engine.facts import ADMINISTRATION, COMPLETE
from jobstore.engine.sql import Connection, Row
from jobstore.jobs.model import TERMS, TransitionKind, members, read_removal, split_bodies
from jobstore.jobs.store import FACT_COLUMNS, JOB_PART, JOB_TEXTS, EntryRow
from jobstore.jobs.transitions import BEGINNINGS, ENDS, NO_ENDING, change_ending, is_end, make_ending
from jobstore.publishing.watches import LAST, Recent, Taken
from jobstore.schema.columns import ENDING, HIDDEN, STATE, as_text, find_names
from jobstore.schema.scopes import TENANT_OF_REMOVED
from jobstore.schema.tables import LOG_NAMES, jobs
from servicekit.errors import PermanentError
from servicekit.kafka.publisher import Outgoing, build_event_headers
from signoff import types
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobLogStatus
from signoff.values import time_text, usd_text

log = logging.getLogger(__name__)


#: The CloudEvents type of the fact from which on facts have all that administrators set.
COMPLETE_TYPE: Final = "signoff.administration-complete.v1"
_OUTLINE_OF_AN_AGENT: Final = frozenset({"id", "name", "protocol", "url", "created_at", "updated_at", "version"})
_TYPES: Final = {TOPIC_OF[event]: event.type for event in (AgentChanged, ExecutionRefused, AdministrationChanged)}


def _order(model: type[BaseModel], columns: Mapping[str, str], *, without: str = "") -> dict[str, str]:
    return {name: columns[name] for name in model.model_fields if name in columns and name != without}


def make_fact(row: Row) -> Outgoing:
    """Return the record of a row of `facts`: an AgentChanged, an ExecutionRefused or an AdministrationChanged."""
    body = row.body.encode()
    subject = row.execution_id or row.key
    schema = _TYPES[row.topic]
    event_type = COMPLETE_TYPE if (row.topic, row.key) == (ADMINISTRATION, COMPLETE) else schema
    headers = build_event_headers(fact_id(subject, row.seq), event_type, None, row.happened_at, row.key, schema)
    return Outgoing(row.topic, body, row.key.encode(), headers)


#: The fields of an entry, and of its job without its texts, in the order of their models, each with the column that it
#: is read from; fields that follow from several columns are set afterwards.
_LOG: Final = _order(types.JobLog, {**LOG_NAMES, "max_calls": "max_calls", "cost_usd": "cost_nanos"}, without="waited")
_JOB: Final = _order(
    types.JobFields,
    {name: name for name in find_names(jobs, STATE, ENDING, without=[HIDDEN])}
    | dict(zip(FACT_COLUMNS, JOB_PART, strict=True))
    | {"id": "job_id", "status": "job_status", "execution_id": "job_execution_id", "submission": "job_submission"}
    | {"cost_usd": "cost_nanos", "updated_at": "created_at", "live": "job_id", "cancelled": "job_id"},
)
_get_log, _get_job = attrgetter(*_LOG.values()), attrgetter(*_JOB.values())


def make_job_changed(row: EntryRow, reverted: Mapping[str, str]) -> Outgoing:
    """Return the record of one transition, a JobChanged, from its entry of the log, read back or as it was recorded.

    `reverted`: the job's fields that later edits changed, with the values that they had at this entry, as JSON texts.
    """
    if row.kind == TransitionKind.REMOVED:
        return _make_job_removed(row)
    cost_usd = None if row.cost_nanos is None else usd_text(row.cost_nanos)
    log_part = dict(zip(_LOG, _get_log(row), strict=True)) | {"cost_usd": cost_usd}
    standing = row.standing if isinstance(row.standing, Mapping) else _find_standing(from_json(row.standing or "[]"))
    job_part = dict(zip(_JOB, _get_job(row), strict=True))
    job_part |= {"submission": row.job_submission or 1, "cost_usd": cost_usd}
    job_part |= {name: standing[name] or None for name in ("live", "cancelled")}
    job_part |= {name: standing[name] for name in ("code", "duration_s")}
    request = _split_request(row)
    if request is not None:
        job_part |= {"description": row.description, "acceptance_criteria": row.acceptance_criteria}
    texts = {name: reverted[name] for name in reverted.keys() & {*job_part, "labels", "policy"}}
    texts = {"labels": row.job_labels, "policy": row.job_policy} | texts
    if request is not None:
        if (references := reverted.get("references", row.reference_texts)) not in {None, "{}"}:
            texts["references"] = references
        texts |= members(request.get("changed", "{}")) | {"payload": request["payload"]}
    body = _join_json(
        {"job_id": row.job_id, "version": row.version, "spec_hash": row.spec_hash},
        log=_join_json(log_part, waited=row.waited, **_get_bodies(row, request)),
        job=_join_json({name: value for name, value in job_part.items() if name not in texts}, **texts),
        agent=_conceal(row.agent),
        requested=_join_request(row) if row.kind == TransitionKind.REQUESTED else None,
    )
    headers = build_event_headers(row.id, JobChanged.type, None, row.created_at, row.job_id)
    return Outgoing(TOPIC_OF[JobChanged], body.encode(), row.job_id.encode(), headers)


def _make_job_removed(row: EntryRow) -> Outgoing:
    """Return the record of the entry that removes its job: a JobChanged with what such an event requires, and no text.

    The job has no row any more.
    """
    removed = read_removal(row.response)
    log_part = dict(zip(_LOG, _get_log(row), strict=True)) | {"cost_usd": None}
    known = {"tenant": from_json(removed)["tenant"], "created_at": from_json(removed)["created_at"]}
    job_part = {"id": row.job_id, "title": "", "status": row.job_status, "version": row.version, **known}
    body = _join_json(
        {"job_id": row.job_id, "version": row.version},
        log=_join_json(log_part, removed=removed),
        job=_join_json(job_part | {"execution_id": row.execution_id, "updated_at": row.created_at}),
    )
    headers = build_event_headers(row.id, JobChanged.type, None, row.created_at, row.job_id)
    return Outgoing(TOPIC_OF[JobChanged], body.encode(), row.job_id.encode(), headers)


def _find_standing(turns: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
    """Return whether a job was live, and how it had ended, after `turns`: its entries since it began anew."""
    standing: dict[str, object] = {"live": False, **NO_ENDING}
    for turn in turns:
        kind, status, code = turn["kind"], JobLogStatus(turn["status"]), turn.get("code")
        if is_end(kind, status, turn.get("execution_id")):
            requested_at, at = (datetime.fromisoformat(turn[name]) for name in ("requested_at", "at"))
            standing |= {"live": False, **make_ending(status, code, requested_at, at, ())}
        else:
            standing |= change_ending(kind, code)
            standing["live"] = standing["live"] or kind in {TransitionKind.REQUESTED, TransitionKind.REJUDGED}
    return standing


def make_stub(row: EntryRow, reverted: Mapping[str, str], whole: Outgoing, code: str) -> Outgoing:
    """Return the record that stands for a fact that its topic refuses. It is small, and has the fact's event id."""
    stub = Stub(hash=hashlib.sha256(whole.value).hexdigest(), code=code, bytes=len(whole.value))
    if whole.topic != TOPIC_OF[JobChanged]:
        fields = _outline_fact(from_json(row.body))
    elif row.kind == TransitionKind.REMOVED:
        fields = from_json(whole.value)  # it has no texts
    else:
        fields = _outline_job(row, reverted)
    return Outgoing(whole.topic, to_json(fields | {"stub": stub}), whole.key, whole.headers)


def _outline_job(row: EntryRow, reverted: Mapping[str, str]) -> dict[str, object]:
    """Return a JobChanged's required fields, for a stub. Readers that know no stubs skip an entry without `kind`."""
    log = {name: _write(getattr(row, _LOG[name])) for name in _list_required(types.JobLog)} | {"cursor": row.seq}
    job = {name: _write(getattr(row, _JOB[name])) for name in _list_required(types.JobFields)}
    if "title" in reverted:
        job["title"] = from_json(reverted["title"])
    return {"job_id": row.job_id, "version": row.version, "log": log, "job": job}


def _list_required(model: type[BaseModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.is_required()]


def _outline_fact(body: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Return the fields of a stored fact, for a stub: of an agent only the required ones, and no rows."""
    agent = {name: value for name, value in body.get("agent", {}).items() if name in _OUTLINE_OF_AN_AGENT}
    return {**body, **({"agent": agent} if agent else {}), **({"rows": []} if "rows" in body else {})}


def _split_request(row: EntryRow) -> Mapping[str, str] | None:
    """Return the members of the request in an entry of version 1 or an edit, which the fact's `job` has; else None."""
    if row.kind == TransitionKind.EDITED:
        return members(row.request)
    is_first = row.version == 1  # it is `{"payload":...}`, and may be large
    return {"payload": row.request.removeprefix('{"payload":')[:-1]} if is_first else None


def _get_bodies(row: EntryRow, request: Mapping[str, str] | None) -> Mapping[str, str | None]:
    """Return the texts of the entry in a fact, without those of `request`, which the job in the fact has."""
    if request is not None:
        return {**split_bodies(row.kind, None, row.response), "before": request.get("before")}
    return split_bodies(row.kind, row.request, row.response)


def _conceal(agent: str | None) -> str | None:
    """Return an agent's JSON without user and password in its URL. A rebuild takes agents from other facts."""
    if agent is None or "@" not in agent:
        return agent
    fields = from_json(agent)
    return json_text(fields | {"url": hide_userinfo(fields["url"])})


def _join_request(row: EntryRow) -> str:
    columns = {"created_at": "requested_at"} | {n: n for n in (*TERMS, "reuse_key", "settings_hash")}
    return _join_json({name: getattr(row, column) for name, column in columns.items()}, policy=row.frozen_policy)


def _join_json(fields: Mapping[str, object], **texts: str | None) -> str:
    """Return one JSON object of `fields`, which are encoded, and of `texts`, which are JSON and put in as they are."""
    head = to_json({name: _write(value) for name, value in fields.items() if value is not None}).decode()
    tail = "".join(f',"{name}":{value}' for name, value in texts.items() if value is not None)
    return f"{head[:-1]}{tail}}}"


def _write(value: object) -> object:
    return time_text(value) if isinstance(value, datetime) else value


#: Without the payload, which stands in each entry whose fact has it.
_FIELDS: Final = JobPatch.model_fields.keys() - {"payload"}
_PREFIX: Final = "edited: "
_NEXT_EDIT: Final = text(
    """
    SELECT request_payload::text AS request, version FROM job_logs
    WHERE job_id = :job_id AND version > :version AND kind = 'edited'
        AND string_to_array(substr(message, :begin), ', ') && CAST(:names AS text[])
    ORDER BY version LIMIT 1
    """
)


async def find_reverted(session: Connection, rows: Sequence[Row]) -> Mapping[int, Mapping[str, str]]:
    """Return, by entry number, the job's fields that were edited after the entry, as JSON texts from before the edits.

    `rows` are all entries of a span of the log, in order.
    """
    reverted: dict[int, Mapping[str, str]] = {}
    of_jobs = defaultdict[str, list[Row]](list)
    for row in rows:
        of_jobs[row.job_id].append(row)
    for entries in of_jobs.values():
        if entries[0].is_edited_later:
            before = await _find_before_edits(session, entries[-1])
            for row in reversed(entries):
                reverted[row.seq] = before
                if row.kind == TransitionKind.EDITED:
                    before = {**before, **members(members(row.request)["before"])}
    return reverted


async def _find_before_edits(session: Connection, row: Row) -> Mapping[str, str]:
    """Return the fields of a job that were edited after an entry, as JSON texts, as they were before the first edit."""
    found: dict[str, str] = {}
    names = set(_FIELDS) if row.is_edited_later else set()
    while names:
        parameters = {"job_id": row.job_id, "version": row.version, "begin": len(_PREFIX) + 1, "names": sorted(names)}
        edit = (await session.execute(_NEXT_EDIT, parameters)).one_or_none()
        if edit is None:
            break
        before = members(members(edit.request)["before"])
        found |= {name: before[name] for name in names & before.keys()}
        names -= before.keys()
    return found


STUBS: Final = Counter("signoff_fact_stubs", "Facts that their topic refused for good", ["topic", "code"])

#: Seconds until stubs are tried again, which double while none is taken, and their maximum.
AGAIN_FIRST_S: Final = 5.0
AGAIN_MAX_S: Final = 60.0


#: Facts that were published and are no stubs are whole by now, perhaps after they were stubs before.
_STORE: Final = text(
    """
    WITH whole AS (DELETE FROM stubs WHERE seq = ANY(CAST(:sent AS bigint[])) AND seq <> ALL(CAST(:seqs AS bigint[])))
    INSERT INTO stubs (seq, topic, key, version, code, bytes)
    SELECT * FROM unnest(CAST(:seqs AS bigint[]), CAST(:topics AS text[]), CAST(:keys AS text[]),
        CAST(:versions AS bigint[]), CAST(:codes AS text[]), CAST(:bytes AS bigint[]))
    ON CONFLICT (seq) DO UPDATE SET code = excluded.code, bytes = excluded.bytes
    """
)
_SMALLEST: Final = text(
    "SELECT DISTINCT ON (topic, code) CASE WHEN version IS NULL THEN '' ELSE key END AS tenant, seq FROM stubs "
    "ORDER BY topic, code, bytes, seq"
)
_ANY: Final = text("SELECT EXISTS (SELECT FROM stubs)")
_FORGET: Final = text("DELETE FROM stubs WHERE seq = :seq")
_FORGET_ALL: Final = text("DELETE FROM stubs")


class Fact(NamedTuple):
    """A fact to publish: its number, its row, the job's fields before later edits, and the record of the whole fact."""

    seq: int
    row: EntryRow
    reverted: Mapping[str, str]
    record: Outgoing

    def make_stub(self, code: str) -> Outgoing:
        """Return the record of the stub that stands for this fact."""
        return make_stub(self.row, self.reverted, self.record, code)


class Progress(NamedTuple):
    """How many facts, from the first, were acknowledged; the codes of stubs, by number; whether any fact was lost."""

    acknowledged: int
    stubs: dict[int, str]
    is_lost: bool = False


class Stubs:
    """Keep which facts are published as stubs, and when the whole facts are tried again."""

    def __init__(self) -> None:
        self._refused_bytes: dict[str, int] = {}
        self._are_there = False
        self._wait_s = AGAIN_FIRST_S
        self._due_at = 0.0

    async def load(self, session: Connection) -> None:
        """Read whether any stubs are stored; forget the sizes of records that topics refused."""
        self._refused_bytes.clear()
        self._are_there = bool(await session.scalar(_ANY))
        self._due_at, self._wait_s = 0.0, AGAIN_FIRST_S

    def has_room_for(self, record: Outgoing) -> bool:
        """Return whether the topic of a record may take it: the topic has refused no record that is as small."""
        return len(record.value) < self._refused_bytes.get(record.topic, math.inf)

    def note_refusal(self, fact: Fact, error: PermanentError) -> str:
        """Return the code of a fact whose record was refused when sent alone; note the size if that was the reason."""
        if error.code != ErrorCode.MESSAGE_TOO_LARGE:
            return ErrorCode.FACT_REFUSED
        topic, size = fact.record.topic, len(fact.record.value)
        self._refused_bytes[topic] = min(size, self._refused_bytes.get(topic, size))
        return ErrorCode.FACT_TOO_LARGE

    async def store(self, session: Connection, facts: Sequence[Fact], codes: dict[int, str]) -> None:
        """Store which of the published facts are stubs: those whose numbers are in `codes`, with their codes."""
        if not facts or not (codes or self._are_there):
            return
        stubs = [fact for fact in facts if fact.seq in codes]
        for fact in stubs:
            STUBS.labels(fact.record.topic, codes[fact.seq]).inc()
            about = _describe(fact) | {"code": codes[fact.seq]}
            log.error("a topic refuses a fact: a stub stands in its place", extra=about)
        parameters = {
            "sent": [fact.seq for fact in facts],
            "seqs": [fact.seq for fact in stubs],
            "topics": [fact.record.topic for fact in stubs],
            "keys": [(fact.record.key or b"").decode() for fact in stubs],
            "versions": [fact.row.get("version") for fact in stubs],
            "codes": [codes[fact.seq] for fact in stubs],
            "bytes": [len(fact.record.value) for fact in stubs],
        }
        await session.execute(_STORE, parameters)
        if codes:
            self._are_there = True
            self._retry_in(AGAIN_FIRST_S)

    async def find_due(self, session: Connection) -> list[tuple[str, int]]:
        """Return the (tenant, number) of stubs to try again now: the smallest of each topic and code; [] if not due."""
        if not self._are_there or asyncio.get_running_loop().time() < self._due_at:
            return []
        due = [(row.tenant, row.seq) for row in await session.execute(_SMALLEST)]
        self._are_there = bool(due) or bool(await session.scalar(_ANY))
        self._retry_in(min(self._wait_s * 2, AGAIN_MAX_S))
        return due

    async def forget(self, session: Connection, fact: Fact) -> None:
        """Delete the stub of a fact that was published whole: its topic takes more now, so the next stub is due."""
        log.info("a fact that stood as a stub is whole", extra=_describe(fact))
        self._refused_bytes.pop(fact.record.topic, None)
        self._retry_in(AGAIN_FIRST_S)
        self._due_at = 0.0
        await session.execute(_FORGET, {"seq": fact.seq})

    async def forget_all(self, session: Connection) -> None:
        """Delete all stubs, since the topics lost them: every fact is published again, from the first one on."""
        self._refused_bytes.clear()
        self._are_there = False
        await session.execute(_FORGET_ALL)

    def _retry_in(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._due_at = asyncio.get_running_loop().time() + wait_s


def _describe(fact: Fact) -> dict[str, object]:
    key = (fact.record.key or b"").decode()
    version = fact.row.get("version")
    return {"topic": fact.record.topic, "key": key, "version": version, "bytes": len(fact.record.value)}


#: Bytes of stored bodies that one pass reads, so that memory is bounded however large they are.
BATCH_BYTES: Final = 4 << 20
#: Bytes of records that one pass makes of them.
RECORDS_BYTES: Final = 16 << 20
#: Rows that are looked for at once. They cost little, and rows behind them wait until these were seen.
LOOK_MAX: Final = 50_000

#: The tenant, whose name is never empty otherwise, of facts that have none: of agents and of refused executions.
NO_TENANT: Final = ""

#: Bytes of JSON in a column; a compressed text may be a hundred times larger.
_SIZE: Final = (
    "coalesce(CASE WHEN pg_column_compression({0}) IS NULL THEN pg_column_size({0}) "
    "ELSE octet_length({0}::text) END, 0)"
)
#: The kinds of entries with which a job begins anew, as an array; the kinds that change its ending without ending an
#: execution; and the statuses of entries that may end one.
_BEGINNINGS: Final = f"{{{','.join(sorted(BEGINNINGS))}}}"
_TURNS: Final = f"{{{','.join(sorted({*BEGINNINGS, TransitionKind.REJUDGED, TransitionKind.MATCHING_FAILED}))}}}"
_ENDS: Final = f"{{{','.join(sorted(ENDS))}}}"
#: The condition that an entry's fact has its job's texts.
_HAS_TEXTS: Final = "l.version = 1 OR l.kind = 'edited'"
#: Of a removed job there is no row: its last entry is published all the same, and those before it were.
#: A job may have changed since the entry: the fact has the job as it was then, by the entry or by `find_reverted`.
_ROWS: Final = text(
    f"""
    SELECT {", ".join(f"l.{name}" for name in LOG_NAMES.values() if name != "waited")}, l.waited::text AS waited,
        l.request_payload::text AS request, l.response_payload::text AS response,
        {", ".join(f"{as_text(jobs.c[name], 'j')} AS job_{name}" for name in FACT_COLUMNS)},
        CASE WHEN l.progress IS NOT NULL THEN (
            SELECT p.message FROM job_logs p
            WHERE p.job_id = l.job_id AND p.version <= l.version AND p.kind = 'progress'
            ORDER BY p.version DESC LIMIT 1) END AS progress_message,
        (SELECT json_agg(json_strip_nulls(json_build_object('kind', p.kind, 'status', p.status, 'code', p.code,
                'execution_id', p.execution_id, 'at', p.created_at, 'requested_at', of.created_at))
                ORDER BY p.version)::text
            FROM job_logs p LEFT JOIN executions of ON of.execution_id = p.execution_id
            WHERE p.job_id = l.job_id AND p.version BETWEEN (
                SELECT max(version) FROM job_logs WHERE job_id = l.job_id AND version <= l.version
                    AND (version = 1 OR kind = ANY('{_BEGINNINGS}'))) AND l.version
                AND (p.kind = ANY('{_TURNS}') OR p.status = ANY('{_ENDS}'))) AS standing,
        coalesce(now.execution_id, l.execution_id) AS job_execution_id,
        coalesce(now.submission, l.submission) AS job_submission,
        {", ".join(f"CASE WHEN {_HAS_TEXTS} THEN {as_text(jobs.c[name], 'j')} END AS {name}" for name in JOB_TEXTS)},
        EXISTS (SELECT FROM job_logs x
            WHERE x.job_id = l.job_id AND x.version > l.version AND x.kind = 'edited') AS is_edited_later,
        CASE WHEN l.status = 'ASSIGNED' AND l.execution_id IS NULL
            THEN {agents.json_object("a", with_settings=False)}::text END AS agent,
        CASE WHEN l.version = 1 THEN encode(j.spec_hash, 'hex') END AS spec_hash,
        e.policy::text AS frozen_policy, CAST(e.policy ->> 'max_calls' AS int) AS max_calls,
        {", ".join(f"e.{name}" for name in TERMS)},
        encode(e.reuse_key, 'hex') AS reuse_key, encode(e.settings_hash, 'hex') AS settings_hash,
        e.created_at AS requested_at, l.bytes
    FROM (
        SELECT *, sum(size) OVER (ORDER BY place) AS bytes FROM (
            SELECT log.*, taken.place, {_SIZE.format("request_payload")} + {_SIZE.format("response_payload")}
                + CASE WHEN version = 1 OR kind = 'edited' THEN coalesce((
                    SELECT octet_length(description) + octet_length(acceptance_criteria)
                        + coalesce(octet_length(reference_texts::text), 0) FROM jobs WHERE id = job_id), 0)
                ELSE 0 END AS size
            FROM unnest(CAST(:seqs AS bigint[])) WITH ORDINALITY AS taken (seq, place)
                CROSS JOIN LATERAL (SELECT * FROM job_logs WHERE seq = taken.seq) AS log
        ) AS sized
    ) AS l LEFT JOIN jobs j ON j.id = l.job_id LEFT JOIN agents a ON a.id = l.agent_id
        LEFT JOIN executions e ON e.execution_id = l.execution_id
        LEFT JOIN LATERAL (
            SELECT p.execution_id, p.submission FROM job_logs p
            WHERE p.job_id = l.job_id AND p.version < l.version AND p.kind = 'requested'
                AND (l.kind = 'result' AND l.status = 'CANCELLED' OR l.kind = 'spent')  -- of an older one
            ORDER BY p.version DESC LIMIT 1) AS now ON true
    WHERE l.bytes - l.size < :bytes
    ORDER BY l.place
    """  # noqa: S608 - fragments of our own
)
_FACTS: Final = text(
    """
    SELECT seq, topic, key, body::text AS body, body ->> 'execution_id' AS execution_id,
        CAST(coalesce(body ->> 'refused_at', body ->> 'changed_at', body -> 'agent' ->> 'updated_at') AS timestamptz)
            AS happened_at
    FROM facts WHERE seq = ANY(CAST(:seqs AS bigint[]))
    """
)
#: The entries of removed jobs but the last have no tenant: they are archived, and not published again.
#: One statement, so that of a job no version is seen before those below it, which committed before.
_LOOK: Final = text(
    f"""
    SELECT tenant, array_agg(seq ORDER BY seq) AS seqs FROM (
        SELECT found.* FROM unnest(CAST(:firsts AS bigint[]), CAST(:lasts AS bigint[])) AS unseen (first, last)
        CROSS JOIN LATERAL (
            (SELECT l.seq, coalesce(j.tenant, CASE WHEN l.kind = 'removed' THEN {TENANT_OF_REMOVED} END) AS tenant
            FROM job_logs l LEFT JOIN jobs j ON j.id = l.job_id
            WHERE l.seq BETWEEN unseen.first AND unseen.last ORDER BY l.seq LIMIT :limit)
            UNION ALL
            (SELECT seq, '{NO_TENANT}' FROM facts
            WHERE seq BETWEEN unseen.first AND unseen.last ORDER BY seq LIMIT :limit)
        ) AS found ORDER BY seq LIMIT :limit
    ) AS found GROUP BY tenant
    """  # noqa: S608 - a name of our own
)

#: A transaction that writes a table holds this lock from before it draws a number until its rows can be seen, or never
#: will be.
_WRITERS: Final = text(
    "SELECT DISTINCT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' "
    "AND granted AND relation IN (CAST('job_logs' AS regclass), CAST('facts' AS regclass)) "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


async def find_writers(session: Connection) -> frozenset[str]:
    """Return the ids of the transactions that are writing the log now."""
    return frozenset(await session.scalars(_WRITERS))


async def look(session: Connection, ranges: Sequence[tuple[int, int]]) -> tuple[dict[str | None, list[int]], int]:
    """Return, by tenant, the numbers of rows that exist in `ranges`, and the number up to which these are complete.

    Under None are those that are not published again, since their job was removed.

    No range is left out, however many there are: that could break the order of a job. A range takes two microseconds.
    """
    firsts, lasts = zip(*ranges, strict=True)
    parameters = {"firsts": list(firsts), "lasts": list(lasts), "limit": LOOK_MAX}
    found = {row.tenant: row.seqs for row in await session.execute(_LOOK, parameters)}
    is_cut = sum(map(len, found.values())) >= LOOK_MAX
    return found, max(seqs[-1] for seqs in found.values()) if is_cut else LAST


async def read(session: Connection, taken: Sequence[Taken], recent: Recent) -> tuple[list[Fact], int]:
    """Return the facts of the first `taken` rows, in order, and how many rows these are: as many as a pass may hold.

    Rows that were recorded a moment ago are taken from `recent`, which learns from the rows that are read.
    """
    facts, seqs, size = dict[int, Fact](), [seq for _, seq in taken], 0
    of_jobs = [seq for tenant, seq in taken if tenant != NO_TENANT and not recent.has_whole(seq)]
    entries = await session.execute(_ROWS, {"seqs": of_jobs, "bytes": BATCH_BYTES}) if of_jobs else []
    reverted = await find_reverted(session, entries)
    for row in entries:
        if row.job_tenant is None and row.kind != TransitionKind.REMOVED:
            continue  # it was removed after it was seen
        before = reverted.get(row.seq, {})
        facts[row.seq] = Fact(row.seq, row, before, make_job_changed(row, before))
        if row.job_tenant is not None:
            recent.learn(row)
        size += len(facts[row.seq].record.value)
        if row.bytes >= BATCH_BYTES or size >= RECORDS_BYTES:
            seqs = seqs[: seqs.index(row.seq) + 1]
            break
    for recorded in recent.pop_whole(seqs):
        facts[recorded.seq] = Fact(recorded.seq, recorded, {}, make_job_changed(recorded, {}))
    if len(seqs) > len(facts):
        for row in await session.execute(_FACTS, {"seqs": [seq for seq in seqs if seq not in facts]}):
            facts[row.seq] = Fact(row.seq, row, {}, make_fact(row))
    return [facts[seq] for seq in seqs if seq in facts], len(seqs)
