"""Count verdicts by agent, judge and criterion: what was accepted, and how often judging again ended otherwise."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from pydantic_core import from_json
from sqlalchemy import text

from contracts.judging.cases import read_labels
from contracts.judging.policy import DEFAULT_POLICY
from jobstore.engine import sql
from jobstore.engine.sql import Row
from jobstore.jobs.model import UNPROVEN, TransitionKind
from jobstore.jobs.transitions import REJUDGED
from signoff.status import JudgingKind, Outcome

#: What is counted of verdicts. `compared`: judgings of what was judged before, or is labelled; `flipped`: those of them
#: that came to another end.
SUMS: Final = ("judged", "accepted", "unjudged", "compared", "flipped")
#: The place of an outcome among the counts of a criterion.
PLACES: Final[Mapping[str, int]] = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.CANNOT_ASSESS: 2}
#: The highest number of criteria of a span, an agent and a judge: those that were not passed most. The others are
#: counted together, under a text that no criterion has.
CRITERIA_MAX: Final = 50
OTHERS: Final = ""
#: Characters of a criterion, and of the names of judges and models, by which they are counted.
CRITERION_MAX: Final = 300
NAME_MAX: Final = 200
#: The highest number of models of a span, an agent and a judge.
MODELS_MAX: Final = 10

#: What a verdict says, of an entry `l` of an execution `e`. The verdict is the last member of its response, which may
#: hold the whole result: it is cut from the text, and nothing of it is decoded that cannot be.
COLUMNS: Final = f"""
    left(coalesce(v.verdict ->> 'judge', e.policy ->> 'judge', '{DEFAULT_POLICY}'), {NAME_MAX}) AS judged_by,
    left(v.verdict ->> 'model', {NAME_MAX}) AS model,
    (SELECT jsonb_agg(jsonb_build_array(left(c ->> 'text', {CRITERION_MAX}), c ->> 'outcome'))
        FROM jsonb_path_query(v.verdict, '$.criteria[*]', silent => true) AS c)::text AS outcomes,
    CASE WHEN l.code = '{REJUDGED}' AND v.verdict IS NOT NULL THEN (
        SELECT b.kind FROM job_logs b WHERE b.job_id = l.job_id AND b.version < l.version
            AND b.execution_id = l.execution_id AND {sql.is_verdict("b")} ORDER BY b.version DESC LIMIT 1
    ) END AS kind_before
"""  # noqa: S608 - words of our own
JOINED: Final = f"""
    LEFT JOIN LATERAL (
        SELECT left(split_part(l.response_payload::text, ',"verdict":', -1), -1) AS body
    ) AS said ON {sql.is_verdict("l")}
    LEFT JOIN LATERAL (
        SELECT CASE WHEN pg_input_is_valid(said.body, 'jsonb') THEN said.body::jsonb END AS verdict
    ) AS v ON true
"""
#: Judgings without a job that have ended, each counted once. A judging again that is the job's is in its log.
TAKE_JUDGINGS: Final = text(
    f"""
    UPDATE judgings g SET is_counted = true
    WHERE id = ANY(ARRAY(SELECT id FROM judgings WHERE state = 'DONE' AND NOT is_counted LIMIT :limit
        FOR UPDATE SKIP LOCKED))
    RETURNING g.tenant, g.kind, g.answered_at, g.is_valid, g.was_valid, g.labels,
        coalesce((SELECT agent_id FROM jobs WHERE id = g.job_id), '') AS agent_id,
        CASE WHEN g.kind IN ('{JudgingKind.SHADOW}', '{JudgingKind.EVALUATE}') AND g.is_valid IS NOT NULL
            THEN left(coalesce(g.judge, g.answer ->> 'judge', '{DEFAULT_POLICY}'), {NAME_MAX}) END AS judged_by
    """  # noqa: S608 - words of our own
)


def name_most(added: str, most: int) -> str:
    """Return the query of the outcomes of criteria in `added`: `most` of them, those that were not passed most.

    The others are counted together, as OTHERS.
    """
    return f"""
        SELECT CASE WHEN place <= {most} THEN key ELSE '{OTHERS}' END AS text, sum(passed)::bigint AS passed,
            sum(failed)::bigint AS failed, sum(unassessed)::bigint AS unassessed
        FROM (SELECT *, row_number() OVER (
                ORDER BY key = '{OTHERS}', failed + unassessed DESC, passed DESC, key) AS place
            FROM (SELECT key, sum((value ->> 0)::bigint) AS passed, sum((value ->> 1)::bigint) AS failed,
                sum((value ->> 2)::bigint) AS unassessed FROM ({added}) AS added GROUP BY key) AS summed
        ) AS placed GROUP BY 1
    """  # noqa: S608 - words of our own


_BOTH: Final = (
    "SELECT * FROM jsonb_each(quality_rollups.criteria) UNION ALL SELECT * FROM jsonb_each(excluded.criteria)"
)
#: Adds the counts of a span. Of the criteria of both, those that were not passed most stay by themselves.
ADD: Final = text(
    f"""
    INSERT INTO quality_rollups (tenant, span_s, at, agent_id, judge, {", ".join(SUMS)}, models, criteria)
    VALUES (:tenant, :span_s, :at, :agent_id, :judge, :{", :".join(SUMS)}, CAST(CAST(:models AS text) AS jsonb),
        CAST(CAST(:criteria AS text) AS jsonb))
    ON CONFLICT (tenant, span_s, at, agent_id, judge) DO UPDATE
        SET {", ".join(f"{name} = quality_rollups.{name} + excluded.{name}" for name in SUMS)},
        models = (SELECT coalesce(jsonb_object_agg(key, count), '{{}}') FROM (
            SELECT key, sum(value::bigint) AS count FROM (SELECT * FROM jsonb_each_text(quality_rollups.models)
                UNION ALL SELECT * FROM jsonb_each_text(excluded.models)) AS added
            GROUP BY key ORDER BY count DESC, key LIMIT {MODELS_MAX}) AS most),
        criteria = (SELECT coalesce(jsonb_object_agg(text, jsonb_build_array(passed, failed, unassessed)), '{{}}')
            FROM ({name_most(_BOTH, CRITERIA_MAX)}) AS kept)
    """  # noqa: S608 - names of our own
)
OLD: Final = text("DELETE FROM quality_rollups WHERE span_s = :span_s AND at < signoff_now() - CAST(:kept AS interval)")


class Whose(NamedTuple):
    """Whose verdicts are counted together: of a tenant, an agent and a version of a judge policy."""

    tenant: str
    span_s: int
    at: datetime
    agent_id: str
    judge: str


@dataclass(slots=True)
class Verdicts:
    """The counts of verdicts of a span of time."""

    sums: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    criteria: dict[str, list[int]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count an entry of a job's log that holds a verdict."""
        if row.code == REJUDGED:
            return self._compare(row.kind_before, row.kind)
        if (row.code or "").startswith("judge_"):  # it did something else than judge
            self.sums["unjudged"] += 1
            return None
        self.sums["unjudged" if row.code == UNPROVEN else "judged"] += 1
        self.sums["accepted"] += row.kind == TransitionKind.MET
        if row.model:
            self.models[row.model] += 1
        for criterion, outcome in from_json(row.outcomes or "[]"):
            if criterion and (place := PLACES.get(outcome)) is not None:
                self.criteria.setdefault(criterion, [0, 0, 0])[place] += 1
        return None

    def _compare(self, before: str | None, kind: str) -> None:
        if before in {TransitionKind.MET, TransitionKind.NOT_MET}:
            self.sums.update({"compared": 1, "flipped": before != kind})

    def add_judging(self, row: Row) -> None:
        """Count a judging without a job, of what was judged before, or has a label."""
        before = read_labels(row.labels)[0] if row.labels else row.was_valid
        if before is not None:
            self.sums.update({"compared": 1, "flipped": before != row.is_valid})

    def make_row(self, whose: Whose) -> dict[str, object]:
        """Return the columns of the span."""
        most = sorted(self.criteria.items(), key=lambda item: (-sum(item[1][1:]), -item[1][0], item[0]))
        kept = dict(most[:CRITERIA_MAX])
        if others := [counts for _, counts in most[CRITERIA_MAX:]]:
            kept[OTHERS] = [sum(each) for each in zip(*others, strict=True)]
        tallies = {"models": dict(self.models.most_common(MODELS_MAX)), "criteria": kept}
        sums = {name: self.sums[name] for name in SUMS}
        return whose._asdict() | sums | {name: json.dumps(tally) for name, tally in tallies.items()}
