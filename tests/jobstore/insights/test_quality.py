"""Quality: each verdict is counted once, and shown by time, agent, judge and criterion; and so is what flipped."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import Steps, unproven, verdict

from contracts.judging.policy import Verdict
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import ScopedConnection
from jobstore.insights import quality, rollups, verdicts
from jobstore.insights.rollups import Rollups
from jobstore.insights.verdicts import Verdicts, Whose
from jobstore.jobs.model import TransitionKind
from signoff.quality import Quality
from signoff.status import Outcome, ReportKind

CRITERIA = 'Says "blue"\nSays "sky"'
BLUE, SKY = 'Says "blue"', 'Says "sky"'


@pytest.fixture
async def counting(database: Database) -> Rollups:
    """Everything that is in the log was counted before."""
    made = Rollups(database)
    await count(database, made)
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM quality_rollups"))
        await connection.execute(text("UPDATE judgings SET is_counted = true"))
    return made


async def count(database: Database, counting: Rollups) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT coalesce(max(seq), 0) FROM job_logs)"))
    while await counting.count():
        pass
    await counting.count_judgings()


async def shown(database: Database, counting: Rollups, range_s: int = 7 * 86_400, **chosen: str) -> Quality:
    await count(database, counting)
    async with database.session() as session:
        return await quality.get_quality(session, range_s, datetime.now(UTC), **chosen)


async def judged(database: Database, runner: CommandRunner, said: Verdict, **fields: Any) -> Steps:
    steps = Steps(database, runner)
    lease = await steps.judging(acceptance_criteria=CRITERIA, **fields)
    await steps.report(lease, ReportKind.VERDICT, verdict=said)
    return steps


def said(*outcomes: Outcome, **fields: Any) -> Verdict:
    return verdict(*outcomes, criteria=CRITERIA, **{"judge": "strict@3", "model": "a-model", **fields})


async def test_verdicts_are_counted_by_agent_judge_and_criterion(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    await judged(database, runner, said(Outcome.PASS, Outcome.PASS))
    await judged(database, runner, said(Outcome.PASS, Outcome.FAIL))
    await judged(database, runner, said(Outcome.CANNOT_ASSESS, Outcome.FAIL, judge="lenient@1", model="other"))
    await judged(database, runner, unproven(Outcome.PASS, criteria=CRITERIA))
    for _ in range(2):
        seen = await shown(database, counting)
        counts = seen.totals
        assert (counts.judged, counts.accepted, counts.unjudged, counts.compared) == (3, 1, 1, 0)
    assert [(point.judged, point.accepted) for point in seen.points] == [(3, 1)]
    assert [(agent.name, agent.judged) for agent in seen.agents] == [("writer", 3)]
    judges = {judge.name: (judge.judged, judge.accepted, judge.models) for judge in seen.judges}
    assert judges["strict@3"] == (2, 1, {"a-model": 2})
    assert judges["lenient@1"] == (1, 0, {"other": 1})
    criteria = [(each.text, each.passed, each.failed, each.unassessed) for each in seen.criteria]
    assert criteria == [(BLUE, 2, 0, 2), (SKY, 2, 2, 0)]
    assert seen.others is None


async def test_quality_is_read_of_an_agent_a_judge_or_a_criterion(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    await judged(database, runner, said(Outcome.PASS, Outcome.PASS))
    await judged(database, runner, said(Outcome.FAIL, Outcome.PASS, judge="strict@4"))
    chosen = [
        {"judge": "strict"},
        {"judge": "strict@4"},
        {"judge": "stri"},
        {"agent_id": "nobody"},
        {"of_criterion": SKY},
    ]
    seen = [await shown(database, counting, **one) for one in chosen]
    assert [(one.totals.judged, one.totals.accepted) for one in seen] == [(2, 1), (1, 0), (0, 0), (0, 0), (2, 2)]
    assert [judge.name for judge in seen[1].judges] == ["strict@4"]
    assert seen[2].points == []


async def test_by_hour_and_by_day_come_to_the_same(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    await judged(database, runner, said(Outcome.PASS, Outcome.PASS))
    await count(database, counting)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE quality_rollups SET at = at - interval '2 days'"))
    await judged(database, runner, said(Outcome.PASS, Outcome.FAIL))
    seen = [await shown(database, counting, days * 86_400) for days in (1, 7, 31, 90)]
    assert [(one.totals.judged, one.totals.accepted) for one in seen] == [(1, 0), (2, 1), (2, 1), (2, 1)]
    for one in seen[1:]:
        assert (one.points[0].accepted, one.points[-1].judged) == (1, 1), "points begin where data does"
        assert sum(point.judged for point in one.points) == 2
        assert len({later.at - early.at for early, later in zip(one.points, one.points[1:], strict=False)}) == 1


async def test_a_judging_again_flips_what_came_to_another_end(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    steps = await judged(database, runner, said(Outcome.PASS, Outcome.PASS))
    async with database.transaction() as connection:  # as FinishJudging records it
        for version, kind in ((100, "not_met"), (101, "not_met")):
            await connection.execute(
                text(
                    """
                    INSERT INTO job_logs (job_id, version, status, job_status, kind, code, execution_id, agent_id,
                        response_payload, created_at)
                    SELECT job_id, :version, status, job_status, :kind, 'rejudged', execution_id, agent_id,
                        response_payload, signoff_now()
                    FROM job_logs WHERE job_id = :job_id AND kind = 'met'
                    """
                ),
                {"version": version, "kind": kind, "job_id": steps.job_id},
            )
    seen = await shown(database, counting)
    assert (seen.totals.judged, seen.totals.compared, seen.totals.flipped) == (1, 2, 1)
    assert [(judge.name, judge.flipped) for judge in seen.judges] == [("strict@3", 1)]


async def test_a_result_is_not_taken_for_its_verdict(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    """It may hold members like those of a verdict, and U+0000, which functions of PostgreSQL do not take."""
    steps = await judged(database, runner, said(Outcome.PASS, Outcome.FAIL))
    result = json.dumps({"result": {"words": "a \0 b", "verdict": {"judge": "mine", "criteria": [1]}}})[:-1]
    async with database.transaction() as connection:
        of_entry = "job_logs WHERE job_id = :job_id AND kind = 'not_met'"
        about = {"job_id": steps.job_id}
        held = await connection.scalar(text(f"SELECT response_payload::text FROM {of_entry}"), about)
        made = result + held[held.rindex(',"verdict":') :]
        changed = f"UPDATE {of_entry}".replace(
            " WHERE", " SET response_payload = CAST(CAST(:made AS text) AS json) WHERE"
        )
        await connection.execute(text(changed), about | {"made": made})
    seen = await shown(database, counting)
    assert [judge.name for judge in seen.judges] == ["strict@3"]
    assert [(each.text, each.passed, each.failed) for each in seen.criteria] == [(SKY, 0, 1), (BLUE, 1, 0)]


JUDGING = text(
    """
    INSERT INTO judgings (id, kind, group_id, item, urgency, state, was_valid, is_valid, labels, judge, job_id, answer,
        created_at, answered_at)
    VALUES (:id, :kind, :id, 0, 1, :state, :was_valid, :is_valid, :labels, :judge, :job_id,
        CAST(CAST(:answer AS text) AS json), signoff_now(), signoff_now())
    """
)


async def test_shadows_and_labelled_cases_are_compared_once(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    steps = await judged(database, runner, said(Outcome.PASS, Outcome.PASS))
    shadow = {"kind": "shadow", "job_id": steps.job_id, "answer": '{"judge": "strict@4"}'}
    case = {"kind": "evaluate", "judge": "strict@4"}
    rows: list[dict[str, object]] = [
        shadow | {"was_valid": True, "is_valid": False},
        shadow | {"was_valid": True, "is_valid": True},
        shadow | {"was_valid": None, "is_valid": True},  # it proved nothing before
        shadow | {"was_valid": True, "is_valid": None},  # the judge failed
        shadow | {"was_valid": True, "is_valid": False, "state": "QUEUED"},
        case | {"labels": "tt-", "is_valid": False},
        case | {"labels": "ff-", "is_valid": False},
        case | {"labels": "-t-", "is_valid": False},
        {"kind": "try", "is_valid": True, "was_valid": False},
    ]
    empty = dict.fromkeys(("was_valid", "labels", "judge", "job_id", "answer")) | {"state": "DONE"}
    async with database.transaction() as connection:
        for row in rows:
            await connection.execute(JUDGING, empty | row | {"id": uuid4()})
    for _ in range(2):
        seen = await shown(database, counting)
        assert (seen.totals.judged, seen.totals.compared, seen.totals.flipped) == (1, 4, 2)
    judges = {judge.name: (judge.judged, judge.compared, judge.flipped) for judge in seen.judges}
    assert judges == {"strict@3": (1, 0, 0), "strict@4": (0, 4, 2)}
    assert [(agent.name, agent.compared, agent.flipped) for agent in seen.agents] == [("writer", 2, 1)]


def spans_of(made: Verdicts, agent_id: str = "writer", at: datetime | None = None) -> list[dict[str, object]]:
    """The rows of an hour and of its day, as both are counted; `at` is now, by itself."""
    begins = {span_s: rollups.get_span_begin(at or datetime.now(UTC), span_s) for span_s in rollups.VERDICTS_KEPT}
    return [made.make_row(Whose("default", span_s, at, agent_id, "strict@3")) for span_s, at in begins.items()]


async def test_outcomes_and_models_are_read_by_the_day_as_far_as_whole_days_are_asked_for(
    database: Database,
) -> None:
    """They come to the same as the hours, of which a week has twenty times as many to be taken apart."""
    now = datetime(2026, 3, 9, 17, 30, tzinfo=UTC)
    kept = [timedelta(hours=hours) for hours in (0, 17, 18, 23, 24, 42, 48)]
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM quality_rollups"))
        for ago in kept:
            made = Verdicts()
            made.sums["judged"], made.models["m"], made.criteria = 1, 1, {BLUE: [1, 0, 0]}
            await connection.execute_many(verdicts.ADD, spans_of(made, at=now - ago))
    async with database.session() as session:
        for hours in (1, 17, 18, 24, 41, 42, 48, 168):
            seen = await quality.get_quality(session, hours * 3_600, now)
            expected = sum(ago <= timedelta(hours=hours) for ago in kept)
            counted = (seen.totals.judged, seen.criteria[0].passed, seen.judges[0].models["m"])
            assert counted == (expected,) * 3, hours
        await session.execute(text("DELETE FROM quality_rollups WHERE span_s = 3600 AND at >= '2026-03-08'"))
        seen = await quality.get_quality(session, 48 * 3_600, now)
        assert (seen.totals.judged, seen.criteria[0].passed) == (2, 7), "hours of whole days are not read for them"


async def test_the_criteria_that_fail_most_stay_by_themselves(database: Database, counting: Rollups) -> None:
    async with database.transaction() as connection:
        for first in (0, 40, 80):
            made = Verdicts()
            made.criteria = {f"criterion {n}": [5, 0, 0] for n in range(first, first + 40)} | {"fails": [0, 1, 1]}
            await connection.execute_many(verdicts.ADD, spans_of(made))
    seen = await shown(database, counting)
    assert len(seen.criteria) == verdicts.CRITERIA_MAX
    assert (seen.criteria[0].text, seen.criteria[0].failed, seen.criteria[0].unassessed) == ("fails", 3, 3)
    assert seen.others is not None
    assert (seen.others.text, seen.others.passed) == ("", 5 * (120 - verdicts.CRITERIA_MAX + 1))


async def test_an_answer_is_bounded_however_many_criteria_and_models_were_counted(
    database: Database, counting: Rollups
) -> None:
    """A judge may name another model each time, and each agent has criteria of its own."""
    async with database.transaction() as connection:
        for agent in range(4):
            made = Verdicts()
            made.criteria = {f"criterion {agent}.{n}": [1, agent, 0] for n in range(verdicts.CRITERIA_MAX)}
            made.models.update({f"model {agent}.{n}": agent + 1 for n in range(verdicts.MODELS_MAX)})
            await connection.execute_many(verdicts.ADD, spans_of(made, f"agent {agent}"))
    seen = await shown(database, counting)
    assert list(seen.judges[0].models) == [f"model 3.{n}" for n in range(verdicts.MODELS_MAX)]
    assert len(seen.criteria) == quality.CRITERIA_MAX
    assert {each.failed for each in seen.criteria} == {3, 2}
    assert seen.others is not None
    assert (seen.others.passed, seen.others.failed) == (2 * verdicts.CRITERIA_MAX, verdicts.CRITERIA_MAX)


def test_criteria_of_one_span_are_bounded() -> None:
    made = Verdicts()
    made.criteria = {f"criterion {n}": [1, n, 0] for n in range(verdicts.CRITERIA_MAX + 2)}
    row = made.make_row(Whose("default", 3_600, datetime.now(UTC), "writer", "strict@3"))
    assert '"": [2, 1, 0]' in str(row["criteria"])


def test_a_judge_that_failed_says_nothing_of_criteria() -> None:
    made = Verdicts()
    row: Any = type("Row", (), {"code": "judge_refused", "kind": TransitionKind.NOT_MET, "outcomes": '[["a", "fail"]]'})
    made.add(row)
    assert (made.sums, made.criteria) == ({"unjudged": 1}, {})


async def test_a_tenant_reads_the_quality_of_its_own(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    for tenant in ("press", "press", "law"):
        await judged(database, runner, said(Outcome.PASS, Outcome.PASS), tenant=tenant)
    await count(database, counting)
    read = {}
    for tenants in ({"press"}, {"law"}, {"press", "law"}, {"books"}):
        async with database.transaction() as connection:
            scoped = ScopedConnection(connection.driver, frozenset(tenants))
            seen = await quality.get_quality(scoped, 86_400, datetime.now(UTC))
        read["+".join(sorted(tenants))] = (seen.totals.judged, len(seen.criteria))
    assert read == {"press": (2, 2), "law": (1, 2), "law+press": (3, 2), "books": (0, 0)}


async def test_a_database_that_was_never_counted_comes_to_the_same(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    await judged(database, runner, said(Outcome.PASS, Outcome.FAIL, judge="rebuilt@1"))
    before = await shown(database, counting, judge="rebuilt")
    async with database.transaction() as connection:
        for table in ("quality_rollups", "rollup"):
            await connection.execute(text(f"DELETE FROM {table}"))
    assert await shown(database, counting, judge="rebuilt") == before
    assert before.totals.judged == 1


async def test_what_is_old_is_forgotten(database: Database, runner: CommandRunner, counting: Rollups) -> None:
    await judged(database, runner, said(Outcome.PASS, Outcome.PASS))
    await count(database, counting)
    async with database.transaction() as connection:
        await connection.execute(
            text("UPDATE quality_rollups SET at = at - CAST(:by AS interval)"), {"by": timedelta(days=10)}
        )
    await counting.forget()
    async with database.session() as session:
        spans = await session.scalars(text("SELECT span_s FROM quality_rollups"))
    assert spans == [rollups.DAY_S]
