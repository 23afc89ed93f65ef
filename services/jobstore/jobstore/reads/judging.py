"""Read judge policies and criteria sets with their versions, as people see them."""

from collections.abc import Sequence
from typing import Final

from pydantic_core import from_json
from sqlalchemy import text

from contracts.judging.policy import JudgePolicy
from contracts.judging.statistics import find_quorum_warnings
from contracts.judging.versions import JudgeEvaluation, JudgePolicyVersion, NamedJudgePolicy, read_golden
from jobstore.domain.judging.versions import Kind, Named, Version
from jobstore.storage.sql import Connection, Row
from signoff.judging import CriteriaSetVersion, JudgedCounts, JudgingWarning, NamedCriteriaSet, NamedGoldenSet, NameMove
from signoff.money import to_usd

#: Versions of one name that are read at once, and moves: of a large set that is as much as a message holds.
VERSIONS_PAGE: Final = 50

#: A version with what came of it.
_VERSION: Final = """
    v.version, v.note, v.actor, v.created_at, coalesce(c.met, 0) AS met, coalesce(c.not_met, 0) AS not_met,
    coalesce(c.unjudged, 0) AS unjudged, coalesce(c.cost_nanos, 0) AS cost_nanos, coalesce(c.tokens, 0) AS tokens
    FROM judging_versions v LEFT JOIN judging_counts c USING (kind, name, version)
"""
_NEWEST: Final = "(SELECT max(version) FROM judging_versions WHERE kind = :kind AND name = n.name) AS newest"
_NAMES: Final = text(
    f"""
    SELECT n.name, n.version AS current, {_NEWEST}, shown.*
    FROM (SELECT DISTINCT ON (name) name, version FROM judging_moves
            WHERE kind = :kind AND name > :after ORDER BY name, move DESC LIMIT :limit) AS n
        CROSS JOIN LATERAL (SELECT {_VERSION} WHERE v.kind = :kind AND v.name = n.name
            AND (n.version IS NULL OR v.version = n.version) ORDER BY v.version DESC LIMIT 1) AS shown
    ORDER BY n.name
    """,  # noqa: S608 - names of our own
)
_NAME: Final = text(
    f"""
    SELECT n.name, n.version AS current, {_NEWEST} FROM judging_moves n
    WHERE kind = :kind AND name = :name ORDER BY move DESC LIMIT 1
    """,  # noqa: S608 - names of our own
)
_VERSIONS: Final = text(
    f"""
    SELECT v.body, {_VERSION} WHERE v.kind = :kind AND v.name = :name AND (:before = 0 OR v.version < :before)
    ORDER BY v.version DESC LIMIT :limit
    """,
)
#: The newest evaluation of each version; of one that has none, of another that judges by the same stages.
_EVALUATIONS: Final = text(
    """
    SELECT v.version AS of_version, e.* FROM judging_versions v CROSS JOIN LATERAL (
        SELECT e.version, e.evaluation, CAST(e.measured AS text) AS measured, e.actor, e.created_at
        FROM judging_evaluations e JOIN judging_versions o
            ON o.kind = v.kind AND o.name = e.name AND o.version = e.version
        WHERE e.name = v.name AND (e.version = v.version OR (CAST(o.body AS json) ->> 'stages' = CAST(v.body AS json)
            ->> 'stages' AND CAST(o.body AS json) ->> 'asks' = CAST(v.body AS json) ->> 'asks'))
        ORDER BY e.version = v.version DESC, e.created_at DESC LIMIT 1) AS e
    WHERE v.kind = 'judge' AND v.name = :name AND v.version = ANY(CAST(:versions AS int[]))
    """,
)
_MOVES: Final = text(
    """
    SELECT version, reason, actor, created_at FROM judging_moves WHERE kind = :kind AND name = :name
    ORDER BY move DESC LIMIT :limit
    """,
)


async def list_judge_policies(connection: Connection, limit: int, after: str) -> list[NamedJudgePolicy]:
    """Return a page of judge policies by name: of each the version that is current, without its body."""
    rows = await _list_names(connection, Kind.JUDGE, limit, after)
    return [NamedJudgePolicy(**_name(row), versions=[JudgePolicyVersion(**_version(row))]) for row in rows]


async def list_criteria_sets(connection: Connection, limit: int, after: str) -> list[NamedCriteriaSet]:
    """Return a page of criteria sets by name: of each the version that is current, without its criteria."""
    rows = await _list_names(connection, Kind.CRITERIA, limit, after)
    return [NamedCriteriaSet(**_name(row), versions=[CriteriaSetVersion(**_version(row))]) for row in rows]


async def get_judge_policy(
    connection: Connection, name: str, limit: int = VERSIONS_PAGE, before: int = 0
) -> NamedJudgePolicy | None:
    """Return a judge policy with a page of its versions, newest first; None where there is none."""
    found = await _find_name(connection, Named(Kind.JUDGE, name))
    if found is None:
        return None
    rows = await _list_versions(connection, Named(Kind.JUDGE, name), limit, before)
    evaluated = await _list_evaluations(connection, name, [row.version for row in rows])
    versions = []
    for row in rows:
        whole = Version(name, row.version, row.body, is_retired=False).policy_json
        policy = JudgePolicy.model_validate_json(whole, extra="ignore")  # of a newer jobstore
        evaluation = evaluated.get(row.version)
        found_in = find_quorum_warnings(policy, evaluation.quorum if evaluation else None)
        warnings = [JudgingWarning(code=code, message=message) for code, message in found_in]
        shown = JudgePolicyVersion(**_version(row), policy=policy, evaluation=evaluation, warnings=warnings)
        versions.append(shown)
    parameters = {"kind": Kind.JUDGE.value, "name": name, "limit": VERSIONS_PAGE}
    moves = [NameMove(**dict(row)) for row in await connection.execute(_MOVES, parameters)]
    return NamedJudgePolicy(**_name(found), versions=versions, moves=moves)


async def get_criteria_set(
    connection: Connection, name: str, limit: int = VERSIONS_PAGE, before: int = 0
) -> NamedCriteriaSet | None:
    """Return a criteria set with a page of its versions, newest first; None where there is none."""
    found = await _find_name(connection, Named(Kind.CRITERIA, name))
    if found is None:
        return None
    rows = await _list_versions(connection, Named(Kind.CRITERIA, name), limit, before)
    versions = [CriteriaSetVersion(**_version(row), acceptance_criteria=row.body) for row in rows]
    return NamedCriteriaSet(**_name(found), versions=versions)


async def get_golden_set(connection: Connection, name: str) -> NamedGoldenSet | None:
    """Return the newest golden set of a policy with its cases; None where it never had one."""
    found = await _find_name(connection, Named(Kind.GOLDEN, name))
    if found is None:
        return None
    (row,) = await _list_versions(connection, Named(Kind.GOLDEN, name), 1, 0)
    golden, cases = read_golden(row.body)
    made = {field: row[field] for field in ("version", "note", "actor", "created_at")}
    is_retired = found.current is None
    return NamedGoldenSet(name=name, is_retired=is_retired, cases_jsonl=cases, **golden.model_dump(), **made)


async def _list_names(connection: Connection, kind: Kind, limit: int, after: str) -> Sequence[Row]:
    return await connection.execute(_NAMES, {"kind": kind.value, "limit": limit, "after": after})


async def _find_name(connection: Connection, named: Named) -> Row | None:
    rows = await connection.execute(_NAME, {"kind": named.kind.value, "name": named.name})
    return rows[0] if rows else None


async def _list_versions(connection: Connection, named: Named, limit: int, before: int) -> Sequence[Row]:
    page = {"limit": limit, "before": before}
    return await connection.execute(_VERSIONS, {"kind": named.kind.value, "name": named.name, **page})


async def _list_evaluations(connection: Connection, name: str, versions: Sequence[int]) -> dict[int, JudgeEvaluation]:
    rows = await connection.execute(_EVALUATIONS, {"name": name, "versions": versions})
    return {
        row.of_version: JudgeEvaluation(
            **from_json(row.measured),
            evaluation=str(row.evaluation),
            **{name: row[name] for name in ("version", "actor", "created_at")},
        )
        for row in rows
    }


def _name(row: Row) -> dict[str, object]:
    return {name: row[name] for name in ("name", "current", "newest")}


def _version(row: Row) -> dict[str, object]:
    counts = JudgedCounts(
        **{name: row[name] for name in ("met", "not_met", "unjudged", "tokens")}, cost_usd=to_usd(row.cost_nanos)
    )
    return {**{name: row[name] for name in ("version", "note", "actor", "created_at")}, "judged": counts}
