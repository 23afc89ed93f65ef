"""Read judgings without a job, and what judging jobs again came to."""

from collections import Counter
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import text

from contracts.criteria import format_line
from jobstore.commands.judgings import LETTERS, NO_LETTER
from jobstore.reads.page import fetch_page
from jobstore.storage.sql import Connection, Row
from signoff.judging import CriterionChange, CriterionDiff, Flip, Judging, JudgingProgress, RejudgeReport
from signoff.money import to_usd
from signoff.status import JudgingKind, Outcome

#: Criteria of a report at most: those that changed most.
CRITERIA_MAX: Final = 100
#: What `before` has a letter for, as words.
_WORDS: Final[Mapping[str, Outcome]] = {letter: outcome for outcome, letter in LETTERS.items()}

_JUDGINGS: Final = text(
    """
    SELECT item, kind, state, answer::text AS answer, code, message, cost_nanos, tokens, duration_s, job_id, created_at,
        answered_at
    FROM judgings WHERE group_id = :id AND item > :after ORDER BY item LIMIT :limit
    """,
)
_PROGRESS: Final = text(
    """
    SELECT count(*) AS total, count(*) FILTER (WHERE state = 'DONE') AS answered,
        coalesce(sum(cost_nanos), 0) AS cost_nanos
    FROM judgings WHERE group_id = :id
    """,
)
_SUMS: Final = text(
    """
    SELECT count(*) FILTER (WHERE is_valid IS NOT NULL) AS judged,
        count(*) FILTER (WHERE is_valid IS NOT NULL AND was_valid IS NOT NULL) AS judged_before,
        count(*) FILTER (WHERE is_valid IS NOT NULL AND was_valid) AS accepted_before,
        count(*) FILTER (WHERE is_valid) AS accepted_after, count(*) FILTER (WHERE is_valid <> was_valid) AS flipped,
        coalesce(sum(cost_nanos), 0) AS cost_nanos, coalesce(sum(tokens), 0)::bigint AS tokens
    FROM judgings WHERE group_id = :id
    """,
)
#: What an item was refused with stands with the operation, and so does that it was cancelled before it was queued; what
#: could not be judged, with its judging.
_FAILED: Final = text(
    """
    SELECT code, count(*) AS number FROM (
        SELECT code FROM judgings WHERE group_id = :id AND state = 'DONE' AND code IS NOT NULL
        UNION ALL SELECT coalesce(i.code, 'cancelled') FROM operations o JOIN operation_items i ON i.operation_id = o.id
        WHERE o.id = :id AND (i.code IS NOT NULL OR NOT i.answered AND o.state IN ('CANCELLING', 'CANCELLED'))
    ) AS failed GROUP BY code
    """,
)
#: U+0000, at which these operators fail, stands in no answer (api.judging_claims).
_CRITERIA: Final = text(
    """
    SELECT c.said ->> 'text' AS text, coalesce(c.said ->> 'kind', 'meets') AS kind,
        coalesce(CAST(c.said ->> 'required' AS boolean), true) AS required,
        substr(g.before, c.n::int, 1) AS before, c.said ->> 'outcome' AS after, count(*) AS number
    FROM judgings g CROSS JOIN LATERAL json_array_elements(g.answer -> 'criteria') WITH ORDINALITY AS c (said, n)
    WHERE g.group_id = :id AND g.is_valid IS NOT NULL AND g.before IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    """,
)
_FLIPS: Final = text(
    """
    SELECT g.item, g.job_id, j.title, g.was_valid, g.is_valid, g.before, g.answer::text AS answer
    FROM judgings g LEFT JOIN jobs j ON j.id = g.job_id
    WHERE g.group_id = :id AND g.is_valid <> g.was_valid AND g.item > :after ORDER BY g.item LIMIT :limit
    """,
)


async def list_judgings(connection: Connection, group_id: UUID, limit: int, after: int) -> tuple[list[Judging], bool]:
    """Return judgings of a group after a number, in order, and whether there may be more; call within a transaction."""
    asked = {"id": group_id, "after": after, "limit": limit}
    rows, more = await fetch_page(connection, _JUDGINGS, asked, bodies=True)
    return [_make_judging(row) for row in rows], more or len(rows) == limit


async def get_progress(connection: Connection, group_id: UUID) -> JudgingProgress:
    """Return how many of a group are answered."""
    row = (await connection.execute(_PROGRESS, {"id": group_id})).one()
    return JudgingProgress(total=row.total, answered=row.answered, cost_usd=to_usd(int(row.cost_nanos)))


async def get_report(connection: Connection, operation_id: UUID, limit: int, after: int) -> RejudgeReport:
    """Return what an operation `rejudge` has come to by now, its flips after an item; call within a transaction."""
    asked = {"id": operation_id}
    sums = (await connection.execute(_SUMS, asked)).one()
    flips, more = await fetch_page(connection, _FLIPS, asked | {"after": after, "limit": limit}, bodies=True)
    counts = dict(sums)
    cost_usd = to_usd(int(counts.pop("cost_nanos")))
    return RejudgeReport(
        **counts,
        cost_usd=cost_usd,
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
    most = sorted(outcomes, key=lambda criterion: (-changed[criterion], criterion))[:CRITERIA_MAX]
    return [
        CriterionDiff(
            text=criterion,
            judged=outcomes[criterion].total(),
            changed=changed[criterion],
            outcomes=dict(sorted(outcomes[criterion].items())),
        )
        for criterion in most
    ]


def _make_flip(row: Row) -> Flip:
    answer = from_json(row.answer)
    pairs = zip(row.before or "", answer["criteria"], strict=False)
    return Flip(
        item=row.item,
        job_id=row.job_id,
        title=row.title or "",
        was_valid=row.was_valid,
        is_valid=row.is_valid,
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
