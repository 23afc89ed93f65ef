"""Read judge policies, criteria sets and judgings as they are shown, and sum up reports and evaluations."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from contracts.criteria import Criterion, format_line
from contracts.judging.cases import Case, hash_questions, read_labels
from contracts.judging.evaluation import FAIL, NOTHING, PASS, Judged, PolicyCounts
from contracts.judging.policy import JudgePolicy, Verdict, split_reference
from contracts.judging.statistics import find_quorum_warnings
from contracts.judging.versions import (
    Counts,
    Evaluated,
    JudgeEvaluation,
    JudgePolicyVersion,
    Measured,
    NamedJudgePolicy,
    read_golden,
)
from jobstore.engine.scoped import Callers, of_all
from jobstore.engine.sql import Connection, Row, fetch_page
from jobstore.errors import NotFoundError, RefusedError
from jobstore.judging.judgings import LETTERS, NO_LETTER
from jobstore.judging.rules import Kind, Version
from jobstore.limits.rules import end_of_day
from jobstore.limits.store import list_used_up
from jobstore.schema.scopes import OfAll
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.judging import (
    CriteriaSetVersion,
    CriterionChange,
    CriterionDiff,
    Flip,
    JudgedCounts,
    Judging,
    JudgingProgress,
    JudgingWarning,
    NamedCriteriaSet,
    NamedGoldenSet,
    NameMove,
    RejudgeReport,
)
from signoff.status import JudgingKind, Outcome
from signoff.values import to_usd

#: The highest number of versions, and of moves, in a page: with large sets, a message holds no more.
VERSIONS_PAGE: Final = 50
#: The columns of how a version was made.
_MADE: Final = ("version", "note", "actor", "created_at")

#: A version with the counts of its verdicts.
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
    """  # noqa: S608 - names of our own
)
_NAME: Final = text(
    f"""
    SELECT n.name, n.version AS current, {_NEWEST} FROM judging_moves n
    WHERE kind = :kind AND name = :name ORDER BY move DESC LIMIT 1
    """  # noqa: S608 - names of our own
)
_VERSIONS: Final = text(
    f"""
    SELECT v.body, {_VERSION} WHERE v.kind = :kind AND v.name = :name AND (:before = 0 OR v.version < :before)
    ORDER BY v.version DESC LIMIT :limit
    """
)
#: The newest evaluation of each version, or else of another version with the same stages.
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
    """
)
_MOVES: Final = text(
    """
    SELECT version, reason, actor, created_at FROM judging_moves WHERE kind = :kind AND name = :name
    ORDER BY move DESC LIMIT :limit
    """
)


async def list_names(
    connection: Connection, kind: Kind, limit: int, after: str
) -> Sequence[NamedJudgePolicy | NamedCriteriaSet]:
    """Return up to `limit` judge policies or criteria sets after a name, each with its current version, but no body."""
    rows = await connection.execute(_NAMES, {"kind": kind.value, "limit": limit, "after": after})
    if kind is Kind.JUDGE:
        return [NamedJudgePolicy(**_name(row), versions=[JudgePolicyVersion(**_version(row))]) for row in rows]
    return [NamedCriteriaSet(**_name(row), versions=[CriteriaSetVersion(**_version(row))]) for row in rows]


async def get_named(
    connection: Connection, kind: Kind, name: str, limit: int = VERSIONS_PAGE, before: int = 0
) -> NamedJudgePolicy | NamedCriteriaSet | NamedGoldenSet | None:
    """Return the policy or criteria set of a name with a page of its versions, newest first, or the newest golden set.

    The page ends before the version `before`; 0: it begins with the newest. None: nothing has had the name.
    """
    about: dict[str, object] = {"kind": kind.value, "name": name}
    found = (await connection.execute(_NAME, about)).one_or_none()
    if found is None:
        return None
    page = {"limit": 1 if kind is Kind.GOLDEN else limit, "before": before}
    rows = await connection.execute(_VERSIONS, about | page)
    if kind is Kind.JUDGE:
        moves = await connection.execute(_MOVES, about | {"limit": VERSIONS_PAGE})
        evaluated = await _list_evaluations(connection, name, [row.version for row in rows])
        versions = [_make_policy_version(name, row, evaluated.get(row.version)) for row in rows]
        return NamedJudgePolicy(**_name(found), versions=versions, moves=[NameMove(**row) for row in moves])
    if kind is Kind.CRITERIA:
        sets = [CriteriaSetVersion(**_version(row), acceptance_criteria=row.body) for row in rows]
        return NamedCriteriaSet(**_name(found), versions=sets)
    golden, cases = read_golden(rows[0].body)
    made = {field: rows[0][field] for field in _MADE}
    is_retired = found.current is None
    return NamedGoldenSet(name=name, is_retired=is_retired, cases_jsonl=cases, **golden.model_dump(), **made)


def _make_policy_version(name: str, row: Row, evaluation: JudgeEvaluation | None) -> JudgePolicyVersion:
    whole = Version(name, row.version, row.body, is_retired=False).policy_json
    policy = JudgePolicy.model_validate_json(whole, extra="ignore")  # a newer jobstore may have stored more fields
    found = find_quorum_warnings(policy, evaluation.quorum if evaluation else None)
    warnings = [JudgingWarning(code=code, message=message) for code, message in found]
    return JudgePolicyVersion(**_version(row), policy=policy, evaluation=evaluation, warnings=warnings)


async def _list_evaluations(connection: Connection, name: str, versions: Sequence[int]) -> dict[int, JudgeEvaluation]:
    rows = await connection.execute(_EVALUATIONS, {"name": name, "versions": versions})
    return {
        row.of_version: JudgeEvaluation(
            **from_json(row.measured),
            evaluation=str(row.evaluation),
            **{field: row[field] for field in ("version", "actor", "created_at")},
        )
        for row in rows
    }


def _name(row: Row) -> dict[str, object]:
    return {name: row[name] for name in ("name", "current", "newest")}


def _version(row: Row) -> dict[str, object]:
    counts = JudgedCounts(
        **{name: row[name] for name in ("met", "not_met", "unjudged", "tokens")}, cost_usd=to_usd(row.cost_nanos)
    )
    return {**{name: row[name] for name in _MADE}, "judged": counts}


#: The highest number of criteria in a report: those with the most changes.
CRITERIA_MAX: Final = 100
#: The outcomes by the letters of a judging's column `before`.
_WORDS: Final[Mapping[str, Outcome]] = {letter: outcome for outcome, letter in LETTERS.items()}

_JUDGINGS: Final = text(
    """
    SELECT item, kind, state, answer::text AS answer, code, message, cost_nanos, tokens, duration_s, job_id, created_at,
        answered_at
    FROM judgings WHERE group_id = :id AND item > :after ORDER BY item LIMIT :limit
    """
)
_PROGRESS: Final = text(
    """
    SELECT count(*) AS total, count(*) FILTER (WHERE state = 'DONE') AS answered,
        coalesce(sum(cost_nanos), 0) AS cost_nanos
    FROM judgings WHERE group_id = :id
    """
)
#: When judgings of a group are queued that are not granted, since their tenant has spent what it may.
_HELD_BACK: Final = text(
    f"""
    SELECT signoff_now() AS now FROM judgings
    WHERE group_id = :id AND state = 'QUEUED' AND tenant = ANY(ARRAY({list_used_up()})) LIMIT 1
    """  # noqa: S608 - words of our own
)
_SUMS: Final = text(
    """
    SELECT count(*) FILTER (WHERE is_valid IS NOT NULL) AS judged,
        count(*) FILTER (WHERE is_valid IS NOT NULL AND was_valid IS NOT NULL) AS judged_before,
        count(*) FILTER (WHERE is_valid IS NOT NULL AND was_valid) AS accepted_before,
        count(*) FILTER (WHERE is_valid) AS accepted_after, count(*) FILTER (WHERE is_valid <> was_valid) AS flipped,
        coalesce(sum(cost_nanos), 0) AS cost_nanos, coalesce(sum(tokens), 0)::bigint AS tokens
    FROM judgings WHERE group_id = :id
    """
)
#: The codes of judgings without a verdict, and of items that were refused or cancelled before they were queued.
_FAILED: Final = text(
    """
    SELECT code, count(*) AS number FROM (
        SELECT code FROM judgings WHERE group_id = :id AND state = 'DONE' AND code IS NOT NULL
        UNION ALL SELECT coalesce(i.code, 'cancelled') FROM operations o JOIN operation_items i ON i.operation_id = o.id
        WHERE o.id = :id AND (i.code IS NOT NULL OR NOT i.answered AND o.state IN ('CANCELLING', 'CANCELLED'))
    ) AS failed GROUP BY code
    """
)
#: These operators fail at U+0000, which no stored verdict has (api/work_service.py).
_CRITERIA: Final = text(
    """
    SELECT c.one ->> 'text' AS text, coalesce(c.one ->> 'kind', 'meets') AS kind,
        coalesce(CAST(c.one ->> 'required' AS boolean), true) AS required,
        substr(g.before, c.n::int, 1) AS before, c.one ->> 'outcome' AS after, count(*) AS number
    FROM judgings g CROSS JOIN LATERAL json_array_elements(g.answer -> 'criteria') WITH ORDINALITY AS c (one, n)
    WHERE g.group_id = :id AND g.is_valid IS NOT NULL AND g.before IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    """
)
_FLIPS: Final = text(
    """
    SELECT g.item, g.job_id, coalesce(j.title, '') AS title, g.was_valid, g.is_valid, g.before, g.answer::text AS answer
    FROM judgings g LEFT JOIN jobs j ON j.id = g.job_id
    WHERE g.group_id = :id AND g.is_valid <> g.was_valid AND g.item > :after ORDER BY g.item LIMIT :limit
    """
)


async def list_judgings(connection: Connection, group_id: UUID, limit: int, after: int) -> tuple[list[Judging], bool]:
    """Return judgings of a group by number, after `after`, and whether there may be more; call within a transaction."""
    asked = {"id": group_id, "after": after, "limit": limit}
    rows, more = await fetch_page(connection, _JUDGINGS, asked, bodies=True)
    return [_make_judging(row) for row in rows], more or len(rows) == limit


async def get_progress(connection: Connection, group_id: UUID) -> JudgingProgress:
    """Return how many judgings a group has, how many are answered, their cost, and until when they are held back."""
    row = (await connection.execute(_PROGRESS, {"id": group_id})).one()
    progress = JudgingProgress(total=row.total, answered=row.answered, cost_usd=to_usd(int(row.cost_nanos)))
    if row.answered < row.total:
        held_back = (await of_all(connection, OfAll.WAITS).execute(_HELD_BACK, {"id": group_id})).one_or_none()
        progress.held_back_until = None if held_back is None else end_of_day(held_back.now)
    return progress


async def get_report(connection: Connection, operation_id: UUID, limit: int, after: int) -> RejudgeReport:
    """Return the report of a `rejudge` operation so far, with flips after an item; call this within a transaction."""
    asked = {"id": operation_id}
    sums = (await connection.execute(_SUMS, asked)).one()
    flips, more = await fetch_page(connection, _FLIPS, asked | {"after": after, "limit": limit}, bodies=True)
    return RejudgeReport(
        **sums,
        cost_usd=to_usd(int(sums.cost_nanos)),
        failed={row.code: row.number for row in await connection.execute(_FAILED, asked)},
        criteria=_sum_up(await connection.execute(_CRITERIA, asked)),
        flips=[_make_flip(row) for row in flips],
        next_page_token=str(flips[-1].item) if more or len(flips) == limit else None,
    )


def _sum_up(rows: list[Row]) -> list[CriterionDiff]:
    outcomes: dict[str, Counter[str]] = {}
    changed: Counter[str] = Counter()
    for row in rows:
        if (before := _WORDS.get(row.before)) is not None:
            line = format_line(row.text, row.kind, required=row.required)
            outcomes.setdefault(line, Counter())[f"{before} > {row.after}"] += row.number
            changed[line] += row.number if before != row.after else 0
    shown = sorted(outcomes, key=lambda line: (-changed[line], line))[:CRITERIA_MAX]
    return [
        CriterionDiff(
            text=line,
            judged=outcomes[line].total(),
            changed=changed[line],
            outcomes=dict(sorted(outcomes[line].items())),
        )
        for line in shown
    ]


def _make_flip(row: Row) -> Flip:
    answer = from_json(row.answer)
    pairs = zip(row.before or "", answer["criteria"], strict=False)
    return Flip(
        **{name: row[name] for name in ("item", "job_id", "title", "was_valid", "is_valid")},
        criteria=[
            CriterionChange(
                text=format_line(one["text"], one.get("kind", "meets"), required=one.get("required", True)),
                before=_WORDS[letter],
                after=one["outcome"],
            )
            for letter, one in pairs
            if letter != NO_LETTER and _WORDS[letter] != one["outcome"]
        ],
        reason=answer["reason"],
    )


def _make_judging(row: Row) -> Judging:
    fields = {name: value for name, value in dict(row).items() if value is not None and name != "answer"}
    cost_usd = to_usd(fields.pop("cost_nanos", 0))
    answer = None if row.answer is None else from_json(row.answer)
    about = "probe" if row.kind == JudgingKind.TEST else "verdict"
    return Judging(**fields | {about: answer, "cost_usd": cost_usd})


#: How many judgings are read at once, with their verdicts.
PAGE: Final = 500
#: Bytes of the outcomes that are kept of one version's evaluation; of larger ones only the counts are kept.
JUDGED_MAX_BYTES: Final = 1 << 20

_EVALUATION_PROGRESS: Final = text(
    "SELECT count(*) AS total, count(*) FILTER (WHERE state <> 'DONE') AS open FROM judgings WHERE evaluation = :id"
)
#: Judgings of a question in the order of their repeats.
_EVALUATED: Final = text(
    """
    SELECT question, labels, repeat, created_at, id, judge, is_valid, code, CAST(answer AS text) AS answer FROM judgings
    WHERE evaluation = :evaluation
        AND (question, labels, repeat, created_at, id) > (:question, :labels, :repeat, :created_at, :id)
    ORDER BY question, labels, repeat, created_at, id LIMIT :limit
    """
)
#: The place before the first judging.
_FIRST: Final[Mapping[str, object]] = {
    "question": "",
    "labels": "",
    "repeat": 0,
    "created_at": datetime.fromtimestamp(0, UTC),
    "id": UUID(int=0),
}
_KEPT: Final = text(
    """
    SELECT CAST(measured AS text) AS measured, CAST(judged AS text) AS judged FROM judging_evaluations
    WHERE name = :name AND version = :version AND evaluation = :evaluation
    """
)


async def find_evaluated(connection: Connection, name: str, version: int, evaluation: UUID) -> Evaluated | None:
    """Return the evaluation of a policy's version that was kept, or None if it was not kept."""
    rows = await connection.execute(_KEPT, {"name": name, "version": version, "evaluation": evaluation})
    return Evaluated(Measured.model_validate_json(rows[0].measured), from_json(rows[0].judged)) if rows else None


async def count_evaluation(database: Callers, evaluation: UUID) -> list[tuple[str, Evaluated]]:
    """Return the counts of an evaluation's judgings, for each version of a policy, `name@version`, that made any.

    Judgings by the validators' settings are left out if several versions of `default` made them. NotFoundError
    (`unknown_evaluation`); RefusedError (`evaluation_unfinished`): some judgings are not done.
    """
    async with database.session() as session:
        progress = (await session.execute(_EVALUATION_PROGRESS, {"id": evaluation})).one()
    if not progress.total:
        message = f"no judgings are of the evaluation {evaluation}: they are kept for a day"
        raise NotFoundError(message, code=ErrorCode.UNKNOWN_EVALUATION)
    if progress.open:
        message = f"{progress.open} of {progress.total} judgings of the evaluation {evaluation} are not done"
        raise RefusedError(message, code=ErrorCode.EVALUATION_UNFINISHED)
    counted: dict[str | None, _Counted] = defaultdict(_Counted)
    async for rows in _list_questions(database, evaluation):
        for judge in {row.judge for row in rows}:
            counted[judge].add([row for row in rows if row.judge == judge])
    found = ((judge or each.find_judge(), each) for judge, each in counted.items())
    return [(judge, each.sum_up()) for judge, each in found if judge is not None]


async def _list_questions(database: Callers, evaluation: UUID) -> AsyncIterator[list[Row]]:
    """Yield the judgings of each question and its labels; each page is a transaction, since no answer changes."""
    place, held = _FIRST, list[Row]()
    while True:
        asked = {"evaluation": evaluation, "limit": PAGE, **place}
        async with database.transaction() as connection:
            page, more = await fetch_page(connection, _EVALUATED, asked, bodies=True)
        questions = [list(rows) for _, rows in groupby([*held, *page], lambda row: (row.question, row.labels))]
        held = questions.pop() if more or len(page) == PAGE else []
        for rows in questions:
            yield rows
        if not held:
            return
        place = {name: page[-1][name] for name in _FIRST}


class _Counted:
    """Count the judgings of an evaluation that one version of a policy made."""

    def __init__(self) -> None:
        self._counts = PolicyCounts()
        self._labelled: list[tuple[str, str]] = []
        self._judged: dict[str, str] = {}

    def add(self, rows: Sequence[Row]) -> None:
        """Count the judgings of one question; each copy of the question within a repeat is a case of its own."""
        by_repeat = [[_read(row) for row in repeat] for _, repeat in groupby(rows, lambda row: row.repeat)]
        question, labels = rows[0].question, rows[0].labels
        label, *by_criterion = read_labels(labels)
        for copy in range(len(by_repeat[0])):
            judged = [repeat[copy][0] for repeat in by_repeat if copy < len(repeat)]
            criteria = next((repeat[copy][1] for repeat in by_repeat if copy < len(repeat) and repeat[copy][1]), [])
            self._counts.add(Case("", None, criteria, by_criterion if criteria else [], label), judged)
            self._labelled.append((question, labels))
            letters = (NOTHING if one.error is not None else PASS if one.accepted else FAIL for one in judged)
            self._judged.setdefault(question, "".join(letters))

    def find_judge(self) -> str | None:
        """Return the version of `default` that made the judgings; None: several did, or none."""
        judges = {judge for judge in self._counts.judges if split_reference(judge)[1] is not None}
        return judges.pop() if len(judges) == 1 else None

    def sum_up(self) -> Evaluated:
        """Return the counts as an evaluation, in the form in which it is kept."""
        judged = self._judged if len(json_text(self._judged)) <= JUDGED_MAX_BYTES else {}
        return Evaluated(
            Measured(
                cases_hash=hash_questions(self._labelled),
                overall=Counts.of(self._counts.overall),
                quorum=self._counts.list_quorums(),
            ),
            judged,
        )


def _read(row: Row) -> tuple[Judged, list[Criterion]]:
    """Return the outcome of a judging, and the criteria of its verdict, empty if it has no verdict."""
    if row.answer is None or row.is_valid is None:
        return Judged("", False, error=row.code or ErrorCode.NO_VERDICT), []
    verdict = Verdict.model_validate_json(row.answer)
    criteria = [
        Criterion.model_construct(**each.model_dump(include={"text", "kind", "required"})) for each in verdict.criteria
    ]
    return Judged.of(verdict), criteria
