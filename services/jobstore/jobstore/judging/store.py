"""Judge policies, judgings and reusable results as rows: load, lock and write them, and grant leases of judgings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from contracts.judging.policy import Verdict, split_reference
from jobstore.agents.rules import Agents
from jobstore.engine import sql
from jobstore.engine.database import Wake, notify
from jobstore.engine.facts import tell
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Last, Piece, Store
from jobstore.engine.sql import Connection, Row
from jobstore.executions.leases import is_alive
from jobstore.jobs.model import SIGNOFF, Actor, ExecutionStage, Reusable, ReuseTerms, members
from jobstore.jobs.rows import Jobs
from jobstore.judging import rules
from jobstore.judging.judgings import GRANTS_MAX
from jobstore.limits.store import list_used_up
from jobstore.schema import tables
from jobstore.schema.tables import judgings, reusable
from signoff import types
from signoff.jsontext import json_text
from signoff.status import JudgingKind, JudgingState

#: A reference without a version means the current one; of a retired name it means none.
_VERSIONS: Final = text(
    """
    SELECT w.kind, w.reference, v.name, v.version, v.body, m.version IS NULL AS is_retired, v.tenant, v.shared
    FROM unnest(CAST(:kinds AS text[]), CAST(:references AS text[]), CAST(:names AS text[]), CAST(:versions AS int[]))
            AS w(kind, reference, name, version)
        CROSS JOIN LATERAL (SELECT version FROM judging_moves
            WHERE kind = w.kind AND name = w.name ORDER BY move DESC LIMIT 1) AS m
        JOIN judging_versions v ON v.kind = w.kind AND v.name = w.name AND v.version = coalesce(w.version, m.version)
    """
)
_NAMES: Final = text(
    """
    SELECT n.kind, n.name, v.version, sha256(convert_to(v.body, 'UTF8')) AS hash, v.tenant, v.shared,
        m.version AS current,
        coalesce(m.move, 0) AS moves,
        (SELECT count(*) FROM judging_moves first WHERE first.kind = n.kind AND first.move = 1) AS names
    FROM unnest(CAST(:kinds AS text[]), CAST(:names AS text[])) AS n(kind, name)
        LEFT JOIN LATERAL (SELECT version, move FROM judging_moves
            WHERE kind = n.kind AND name = n.name ORDER BY move DESC LIMIT 1) AS m ON true
        LEFT JOIN judging_versions v ON v.kind = n.kind AND v.name = n.name
    """
)
_NOTE_VALIDATOR: Final = text(
    """
    INSERT INTO workers (owner, stage, room, seen_at, judge, judge_keys)
    VALUES (:owner, 'JUDGING', 0, signoff_now(), :judge, CAST(CAST(:keys AS text) AS json))
    ON CONFLICT (owner) DO UPDATE SET judge = excluded.judge, judge_keys = excluded.judge_keys
    """
)
_VALIDATORS: Final = text(
    f"""
    SELECT owner, judge, CAST(judge_keys AS text) AS keys, seen_at FROM workers
    WHERE {is_alive(ExecutionStage.JUDGING)} ORDER BY seen_at DESC, owner LIMIT :limit
    """  # noqa: S608 - words of our own
)


#: The counts of a version's verdicts, and the columns of a JudgedCount.
COUNTED: Final = ("met", "not_met", "unjudged", "cost_nanos", "tokens")
_COUNT: Final = {"kind": "text", "reference": "text"} | sql.columns(tables.judging_counts, only=set(COUNTED))
_INSERT_VERSION: Final = tell(
    tables.judging_versions,
    "INSERT INTO judging_versions (kind, name, version, body, note, actor, tenant, shared) "
    "VALUES (:kind, :name, :version, :body, :note, :actor, :tenant, :shared) RETURNING *",
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
    """  # noqa: S608 - names of our own
)


class PoliciesStore(Store):
    """Load versions and names of judge policies and criteria sets, and write new versions and moves of names."""

    part, wish = rules.Policies, rules.PoliciesWish
    #: The versions that the policies of loaded jobs and agents name are loaded with them.
    is_always_loaded = True

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load the versions to which wishes and loaded policies refer, and the names that are to be changed."""
        wish = asked[rules.PoliciesWish]
        if wanted := wish.references | list_wanted_by_loaded(uow):
            versions = uow[rules.Policies].versions
            if unknown := wanted - versions.keys():
                versions |= dict.fromkeys(unknown) | await load_versions(connection, unknown)
        if wish.names:
            uow[rules.Policies].names.stored.update(await _load_names(connection, wish.names))

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write versions, moves of names to versions, and evaluations."""
        policies = uow[rules.Policies]
        for version in policies.new:
            await connection.execute(_INSERT_VERSION, version._asdict() | version.named._asdict())
        for move in policies.moves:
            await connection.execute(_INSERT_MOVE, move._asdict() | move.named._asdict())
        for evaluation in sorted(policies.evaluations, key=lambda one: (one.name, one.version, one.cases_hash)):
            await connection.execute(_KEEP_EVALUATION, evaluation._asdict())

    def find_last(self, uow: UnitOfWork) -> Last | None:
        """Return the function that counts verdicts, if any; it runs last, since all transactions update its rows."""
        if not (judged := uow[rules.Policies].judged):
            return None

        async def count(connection: Connection) -> None:
            await connection.execute(_COUNT_JUDGED, sql.arrays(_COUNT, "u", [each._asdict() for each in judged]))

        return count


def list_wanted_by_loaded(uow: UnitOfWork) -> set[rules.Wanted]:
    """Return the references in the policies of loaded jobs and agents and, if there are any, of the settings."""
    policies: list[types.Policy] = []
    if Jobs in uow:
        policies += [spec.policy for spec in uow[Jobs].specs.stored.values()]
    if Agents in uow:
        policies += [agent.policy for agent in uow[Agents].agents.stored.values()]
    if policies:
        policies.append(uow.terms.policy)
    return {wanted for policy in policies for wanted in rules.list_wanted(policy)}


async def load_versions(
    connection: Connection, wanted: Collection[rules.Wanted]
) -> dict[rules.Wanted, rules.Version | None]:
    """Return the version that each reference means; references to unknown versions are left out."""
    split = [(each, *split_reference(each.reference)) for each in wanted]
    parameters = {
        "kinds": [each.kind.value for each, _, _ in split],
        "references": [each.reference for each, _, _ in split],
        "names": [name for _, name, _ in split],
        "versions": [version for _, _, version in split],
    }
    return {
        rules.Wanted(rules.Kind(row.kind), row.reference): rules.Version(
            *(row.name, row.version, row.body, row.is_retired), None if row.shared else row.tenant, row.tenant
        )
        for row in await connection.execute(_VERSIONS, parameters)
    }


async def _load_names(connection: Connection, names: Collection[rules.Named]) -> dict[rules.Named, rules.Versions]:
    """Return, for each name, its versions, its current version and the number of its moves."""
    parameters = {"kinds": [each.kind.value for each in names], "names": [each.name for each in names]}
    found: dict[rules.Named, rules.Versions] = {}
    for row in await connection.execute(_NAMES, parameters):
        named = rules.Named(rules.Kind(row.kind), row["name"])
        known = found.get(named) or rules.Versions({}, row.current, row.moves, row.names)
        if row.version is not None:
            hashes = {**known.hashes, row.version: row.hash}
            known = replace(known, hashes=hashes, tenant=row.tenant, shared=row.shared)
        found[named] = known
    return found


class Validator(NamedTuple):
    """A validator: `judge` is the version of `default` that has its settings, `keys` the base URLs by a key's name.

    `judge` is empty until the validator has reported it.
    """

    owner: UUID
    judge: str
    keys: Mapping[str, Sequence[str]]


async def note_validator(connection: Connection, owner: UUID, judge: str, keys: Mapping[str, Sequence[str]]) -> None:
    """Store the version of `default` and the keys that a validator has reported."""
    await connection.execute(_NOTE_VALIDATOR, {"owner": owner, "judge": judge, "keys": json_text(keys)})


async def list_validators(connection: Connection, alive_s: float, limit: int) -> list[Validator]:
    """Return up to `limit` validators that gave a sign of life within `alive_s`, the last to report first."""
    rows = await connection.execute(_VALIDATORS, {"alive_s": alive_s, "limit": limit})
    return [Validator(row.owner, row.judge or "", from_json(row["keys"] or "{}")) for row in rows]


#: For how long judgings without an operation are kept, and how many.
KEPT_S: Final = 86_400.0
KEPT_MAX: Final = 100_000
FORGET_BATCH: Final = 5_000
#: Bytes of results in one grant, unless it has a single result.
GRANT_MAX_BYTES: Final = 16 << 20
#: Up to this number waiting judgings are counted.
WAITING_MAX: Final = 5_000

FREE: Final = f"kind NOT IN ('{JudgingKind.SHADOW}', '{JudgingKind.REJUDGE}')"
NOTIFY_QUEUED: Final = text(f"SELECT {notify(Wake.JUDGINGS)}")
#: No judging of an operation that is paused or cancelled is granted, nor of a tenant that has spent what it may today.
_STOPPED: Final = "('PAUSED', 'CANCELLING', 'CANCELLED')"
_RUNS: Final = f"""
    NOT EXISTS (SELECT FROM operations o WHERE o.id = g.group_id AND o.state IN {_STOPPED})
    AND g.tenant <> ALL(ARRAY({list_used_up()}))
"""
#: The result of a job that is judged, and the request that its agent got: in the log, where its execution says.
_OF_JOB: Final = """
    LEFT JOIN executions e ON e.execution_id = g.execution_id
    LEFT JOIN jobs j ON j.id = e.job_id
    LEFT JOIN job_logs r ON r.job_id = e.job_id AND r.version = e.result_version
    LEFT JOIN job_logs q ON q.job_id = e.job_id AND q.version = e.request_version
"""
#: The criteria of the set that the execution froze.
_OF_SET: Final = """
    LEFT JOIN judging_versions s ON s.kind = 'criteria' AND s.name = split_part(e.policy ->> 'criteria_set', '@', 1)
        AND s.version = CAST(nullif(split_part(e.policy ->> 'criteria_set', '@', 2), '') AS int)
"""
#: The next judgings are chosen before their texts are read, so that the cost depends on how many are taken, and not on
#: how many wait. The result of the submission before is that of the execution before.
_GRANT: Final = text(
    f"""
    WITH due AS MATERIALIZED (
        SELECT g.id, g.urgency, g.created_at, g.item, g.asked, g.judge_policy, g.execution_id
        FROM judgings g WHERE g.state = 'QUEUED' AND {_RUNS}
        ORDER BY g.urgency, g.created_at, g.item LIMIT :take FOR UPDATE OF g SKIP LOCKED
    ), sized AS (
        SELECT g.id, g.urgency, g.created_at, g.item, coalesce(octet_length(g.asked::text), 0)
            + coalesce(octet_length(r.response_payload::text), 0)
            + coalesce(octet_length(q.request_payload::text), 0) AS bytes
        FROM due g {_OF_JOB}
    ), fitting AS (
        SELECT id FROM (
            SELECT id, sum(bytes) OVER (ORDER BY urgency, created_at, item) - bytes AS before FROM sized
        ) AS summed WHERE before < :bytes_max
    ), granted AS (
        UPDATE judgings g SET state = 'LEASED', lease = g.lease + 1, owner = :owner,
            due_at = signoff_now() + make_interval(secs => :lease_s)
        WHERE g.id = ANY(ARRAY(SELECT id FROM fitting))
        RETURNING g.id, g.lease, g.kind, g.asked::text AS asked, g.judge_policy::text AS judge_policy, g.execution_id,
            g.policy_tenant
    )
    SELECT g.*, j.acceptance_criteria, j.reference_texts::text AS reference_texts, s.body AS criteria_of_set,
        j.policy::text AS policy_of_job, j.cost_nanos, j.tokens,
        r.response_payload::text AS response, q.request_payload::text AS request,
        e.submission, e.policy::text AS policy, p.result_hash AS previous_hash
    FROM granted g {_OF_JOB} {_OF_SET} LEFT JOIN LATERAL (
            SELECT result_hash FROM executions WHERE job_id = e.job_id AND submission = e.submission - 1
            ORDER BY request_version DESC NULLS LAST LIMIT 1
        ) AS p ON true
    """  # noqa: S608 - fragments of our own
)
_RENEW: Final = text(
    """
    UPDATE judgings g SET state = 'LEASED', owner = :owner, due_at = signoff_now() + make_interval(secs => :lease_s)
    FROM (
        SELECT g.id FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS int[])) AS u (id, lease)
        JOIN judgings g ON g.id = u.id AND g.lease = u.lease WHERE g.state <> 'DONE' ORDER BY g.id FOR UPDATE OF g
    ) AS locked
    WHERE g.id = locked.id RETURNING g.id, g.lease
    """
)
_GIVE_BACK: Final = text(
    """
    UPDATE judgings g SET state = 'QUEUED', lease = g.lease + 1, owner = NULL, due_at = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:leases AS int[])) AS u (id, lease)
    WHERE g.id = u.id AND g.lease = u.lease AND g.state = 'LEASED'
    """
)
#: Judgings whose lease has lapsed. `state <> 'DONE'`: the index of open judgings can serve.
_LAPSED: Final = ":may_end AND state = 'LEASED' AND state <> 'DONE' AND due_at <= signoff_now()"
#: A lapsed lease is valid until the next grant, as leases of jobs are; after the last, a command ends the judging.
_LOOK: Final = text(
    f"""
    WITH lapsed AS (
        UPDATE judgings SET owner = NULL, due_at = NULL, state = 'QUEUED' WHERE id = ANY(ARRAY(
            SELECT id FROM judgings WHERE {_LAPSED} AND lease < {GRANTS_MAX} LIMIT :up_to FOR UPDATE SKIP LOCKED))
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM lapsed)
        + (SELECT count(*) FROM (SELECT FROM judgings g WHERE state = 'QUEUED' AND {_RUNS} LIMIT :up_to) AS queued)
        AS waiting, EXISTS (SELECT FROM judgings WHERE state <> 'DONE') AS are_open,
        ARRAY(SELECT id FROM judgings WHERE {_LAPSED} AND lease >= {GRANTS_MAX} LIMIT :up_to) AS lost
    """  # noqa: S608 - fragments of our own
)
_REAL: Final = text(
    "SELECT id, execution_id, job_id FROM judgings WHERE id = ANY(CAST(:ids AS uuid[])) AND kind = 'rejudge'"
)
_FORGET: Final = text(
    f"""
    DELETE FROM judgings WHERE id = ANY(ARRAY(
        SELECT id FROM judgings WHERE {FREE} AND created_at <= signoff_now() - make_interval(secs => :kept_s)
        LIMIT :limit FOR UPDATE SKIP LOCKED))
    """  # noqa: S608 - fragments of our own
)


async def grant(connection: Connection, owner: UUID, take: int, lease_s: float) -> list[Row]:
    """Grant leases of up to `take` waiting judgings, the most urgent first, and return these with their content."""
    asked = {"owner": owner, "take": take, "lease_s": lease_s, "bytes_max": GRANT_MAX_BYTES}
    return await connection.execute(_GRANT, asked)


async def renew(
    connection: Connection, owner: UUID, leases: Sequence[tuple[UUID, int]], lease_s: float
) -> set[tuple[UUID, int]]:
    """Renew leases for `lease_s` from now, and return those renewed; a lapsed lease is valid until the next grant."""
    if not leases:
        return set()
    asked = {"owner": owner, "lease_s": lease_s, **_split(leases)}
    return {(row.id, row.lease) for row in await connection.execute(_RENEW, asked)}


async def give_back(connection: Connection, leases: Sequence[tuple[UUID, int]]) -> None:
    """Queue again the judgings whose leases are given back; the number of a lease is never used a second time."""
    if leases:
        await connection.execute(_GIVE_BACK, _split(leases))
        await connection.execute(NOTIFY_QUEUED)


def _split(leases: Sequence[tuple[UUID, int]]) -> dict[str, object]:
    ids, numbers = zip(*sorted(leases), strict=True)
    return {"ids": list(ids), "leases": list(numbers)}


async def find_real(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Return those of the judgings whose verdict becomes their job's, as rows (id, execution_id, job_id), by id."""
    return {row.id: row for row in await connection.execute(_REAL, {"ids": list(ids)})}


async def look(connection: Connection, *, may_end: bool) -> Row:
    """Queue again the judgings whose lease has lapsed, if leases `may_end`; return (waiting, are_open, lost).

    `waiting`: how many wait for a validator; `are_open`: whether any is not done; `lost`: ids whose last lease lapsed.
    """
    return (await connection.execute(_LOOK, {"may_end": may_end, "up_to": WAITING_MAX})).one()


async def forget(connection: Connection) -> int:
    """Delete up to FORGET_BATCH judgings without an operation that are older than KEPT_S; return the number deleted."""
    return await connection.change(_FORGET, {"kept_s": KEPT_S, "limit": FORGET_BATCH})


#: Rows deleted by one `forget`.
FORGET_REUSABLE_BATCH: Final = 10_000

_VERDICTS: Final = text(
    """
    SELECT r.key, r.job_id, r.version, r.created_at, CAST(l.response_payload AS text) AS response
    FROM unnest(CAST(:keys AS bytea[])) AS k(key)
    JOIN reusable r ON r.key = k.key AND r.created_at > signoff_now() - make_interval(secs => :age_s)
    LEFT JOIN job_logs l ON l.job_id = r.job_id AND l.version = r.version
    """
)
#: A result is reused only if its agent has not changed since the result, nor since the execution was requested.
_RESULTS: Final = text(
    """
    SELECT e.execution_id, r.job_id, r.version, s.result_hash
    FROM unnest(CAST(:ids AS uuid[])) AS u(execution_id)
    JOIN executions e ON e.execution_id = u.execution_id
    JOIN agents a ON a.id = e.agent_id AND a.updated_at < e.created_at
    JOIN reusable r ON r.key = e.reuse_key AND r.created_at > a.updated_at
        AND r.created_at > signoff_now() - make_interval(secs => :age_s)
    JOIN executions s ON s.job_id = r.job_id AND s.result_version = r.version AND s.result_hash IS NOT NULL
    """
)
#: The columns of `make_rows`, and the alias of its rows.
COLUMNS: Final = sql.columns(reusable, without={"created_at"})
ALIAS: Final = "r"
#: Store these rows by key: all writers lock the rows in this order, so that they cannot deadlock.
KEEP: Final = f"""
    {sql.insert("reusable", COLUMNS, order="key", alias=ALIAS).text} ON CONFLICT (key) DO UPDATE
        SET job_id = excluded.job_id, version = excluded.version, created_at = excluded.created_at
"""  # noqa: S608 - names of our own
#: SKIP LOCKED: rows that a command is renewing are not forgotten.
_FORGET_REUSABLE: Final = text(
    """
    DELETE FROM reusable WHERE key = ANY(ARRAY(
        SELECT key FROM reusable WHERE created_at <= greatest(
            signoff_now() - make_interval(secs => :age_s),
            (SELECT created_at FROM reusable ORDER BY created_at DESC OFFSET :entries_max LIMIT 1))
        ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED))
    """
)


def _read_verdict(response: str | None) -> Verdict | None:
    verdict = members(response or "{}").get("verdict")
    return None if verdict is None else Verdict.model_validate_json(verdict)


class ReuseStore(Store):
    """Load verdicts and results that may be reused, and store new ones."""

    part, wish = rules.Reuse, rules.ReuseWish
    pieces: ClassVar[Mapping[str, Piece]] = {"reusable": Piece(KEEP, COLUMNS, ALIAS)}

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Load verdicts and results that are not too old; a verdict is None if its log entry no longer has one."""
        wish, terms = asked[rules.ReuseWish], uow.terms.reuse
        if wish.verdicts and terms.verdict_age_s:
            by_key = {"keys": list(wish.verdicts), "age_s": terms.verdict_age_s}
            for row in await connection.execute(_VERDICTS, by_key):
                kept = Reusable(row.job_id, row.version, _read_verdict(row.response), kept_at=row.created_at)
                uow[rules.Reuse].verdicts[row.key] = kept
        if wish.results and terms.result_age_s:
            by_id = {"ids": list(wish.results), "age_s": terms.result_age_s}
            for row in await connection.execute(_RESULTS, by_id):
                kept = Reusable(row.job_id, row.version, result_hash=row.result_hash)
                uow[rules.Reuse].results[row.execution_id] = kept

    def make_rows(self, uow: UnitOfWork) -> Mapping[str, Sequence[sql.Values]]:
        """Return the rows of the new reusable results and verdicts."""
        entries = uow[rules.Reuse].new_results | uow[rules.Reuse].new_verdicts
        rows = [{"key": key, "job_id": entry.job_id, "version": entry.version} for key, entry in entries.items()]
        return {"reusable": rows}


async def forget_reusable(connection: Connection, terms: ReuseTerms) -> int:
    """Delete up to FORGET_REUSABLE_BATCH rows, too old ones and the oldest of too many; return the number deleted."""
    age_s = max(terms.verdict_age_s, terms.result_age_s)
    parameters = {"age_s": age_s, "entries_max": terms.entries_max, "limit": FORGET_REUSABLE_BATCH}
    return await connection.change(_FORGET_REUSABLE, parameters)


_NEW: Final = sql.columns(judgings, only={"urgency", *(each.name for each in fields(rules.NewJudging))})
_ANSWER: Final = sql.columns(judgings, only={each.name for each in fields(rules.JudgingAnswer)})
#: A judging that exists is from a backup: an item of an operation requested it before a rebuild.
_INSERT: Final = text(f"{sql.insert('judgings', _NEW).text} ON CONFLICT (id) DO NOTHING")
_FINISH: Final = text(
    f"""
    UPDATE judgings SET {sql.assignments("u", _ANSWER, key="id")}, state = 'DONE', owner = NULL, due_at = NULL,
        asked = NULL, answered_at = signoff_now()
    FROM {sql.unnest("u", _ANSWER)}
    WHERE judgings.id = u.id AND judgings.id = ANY(CAST(:u_id AS uuid[]))
    """  # noqa: S608 - names of our own
)
_CANCEL: Final = text(
    """
    UPDATE judgings g SET state = 'DONE', code = 'cancelled', message = 'the operation was cancelled', owner = NULL,
        due_at = NULL, answered_at = signoff_now()
    FROM (SELECT id FROM judgings WHERE group_id = :id AND state <> 'DONE' ORDER BY id FOR UPDATE) AS locked
    WHERE g.id = locked.id
    """
)
#: The cost of a cancelled judging is known once its validator has reported it.
_COUNT_SPENDING: Final = text("UPDATE judgings SET cost_nanos = :cost_nanos, tokens = :tokens WHERE id = :id")
_NOTIFY_ANSWERED: Final = text(f"SELECT {notify(Wake.OPERATIONS)}")
#: `before`: the response, in the log, of the last verdict of a job that is judged again.
_LOCK: Final = text(
    f"""
    SELECT g.id, g.kind, g.tenant, g.state, g.lease, g.execution_id, g.job_id, g.actor,
        g.judge_policy::text AS judge_policy, g.state = 'LEASED' AND g.due_at <= signoff_now() AS has_lapsed,
        g.code = 'cancelled' AND g.cost_nanos IS NULL AS is_cut_short, (
        SELECT l.response_payload::text FROM job_logs l WHERE l.job_id = g.job_id AND l.version <= g.job_version
            AND {sql.is_verdict("l")} AND l.execution_id = g.execution_id ORDER BY l.version DESC LIMIT 1
    ) AS before
    FROM judgings g WHERE g.id = ANY(CAST(:ids AS uuid[])) ORDER BY g.id FOR UPDATE OF g
    """  # noqa: S608 - words of our own
)
_GROUPS: Final = text("SELECT DISTINCT group_id FROM judgings WHERE group_id = ANY(CAST(:ids AS uuid[]))")
_COUNT_KEPT: Final = text(f"SELECT count(*) FROM (SELECT FROM judgings WHERE {FREE} LIMIT :up_to) AS kept")  # noqa: S608


class JudgingsStore(Store):
    """Lock judgings without a job, and write judgings that were queued, answered and cancelled."""

    part, wish = rules.Judgings, rules.JudgingsWish

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock judgings in the order of their ids; read which groups exist, and how many more judgings may be kept."""
        wish, judgings = asked[rules.JudgingsWish], uow[rules.Judgings]
        if wish.groups:
            judgings.groups = set(await connection.scalars(_GROUPS, {"ids": list(wish.groups)}))
            judgings.room = KEPT_MAX - int(await connection.scalar(_COUNT_KEPT, {"up_to": KEPT_MAX}))
        if wish.locked:
            rows = await connection.execute(_LOCK, {"ids": sorted(wish.locked)})
            judgings.judgings |= {row.id: _to_judging(row) for row in rows}

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write new judgings, answers and cancels. RaceError: another transaction has queued the same judging."""
        judgings = uow[rules.Judgings]
        if judgings.new:
            rows = [_make_row(judging) for judging in judgings.new]
            await connection.execute(_INSERT, sql.arrays(_NEW, "u", rows))
            await connection.execute(NOTIFY_QUEUED)
        if judgings.answers:
            rows = [asdict(answer) for answer in judgings.answers]
            await connection.execute(_FINISH, sql.arrays(_ANSWER, "u", rows))
            await connection.execute(_NOTIFY_ANSWERED)
        for judging_id, (cost_nanos, tokens) in judgings.costs.items():
            await connection.execute(_COUNT_SPENDING, {"id": judging_id, "cost_nanos": cost_nanos, "tokens": tokens})
        for operation_id in judgings.cancelled:
            await connection.execute(_CANCEL, {"id": operation_id})


def _to_judging(row: Row) -> rules.StoredJudging:
    state, actor = JudgingState(row.state), Actor(row.actor or SIGNOFF)
    return rules.StoredJudging(**{**row, "state": state, "actor": actor, "is_cut_short": bool(row.is_cut_short)})


def _make_row(judging: rules.NewJudging) -> sql.Values:
    return {name: getattr(judging, name) for name in _NEW} | {"kind": judging.kind.value}
