"""The overview: what is published is counted once, and shown by time and by agent."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from random import randrange
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.edited import edited
from support.jobstore.steps import Steps, unproven, verdict

from contracts.judging.policy import JudgePolicy
from contracts.resources import Usage
from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import ScopedConnection
from jobstore.executions.commands import CancelJob
from jobstore.insights import overview, rollups
from jobstore.insights.rollups import Rollups
from jobstore.jobs.model import SIGNOFF
from jobstore.jobs.waits import sum_up_all
from jobstore.judging.commands import ReportDefault
from jobstore.judging.reads import get_named
from jobstore.judging.rules import RESERVED, Kind, format_body
from signoff.status import Outcome, ReportKind
from signoff.types import Overview


@pytest.fixture
async def counting(database: Database) -> Rollups:
    """Everything that is in the log is published, and was counted."""
    made = Rollups(database)
    await published(database)
    while await made.count():
        pass
    async with database.transaction() as connection:
        for table in ("rollups", "agent_rollups", "tenant_rollups", "tenant_agent_rollups", "executions"):
            await connection.execute(text(f"DELETE FROM {table}"))
    return made


async def published(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT coalesce(max(seq), 0) FROM job_logs)"))


async def shown(database: Database, counting: Rollups, range_s: int = 3_600) -> Overview:
    await published(database)
    while await counting.count():
        pass
    async with database.session() as session:
        return await overview.get_overview(session, range_s, await sum_up_all(session, 60.0), {})


def life(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


async def ended(steps: Steps, outcome: Outcome, **fields: Any) -> None:
    lease = await steps.judging(**fields)
    usage = Usage(input_tokens=5, output_tokens=2, cost_usd=0.25)
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(outcome), usage=usage)


async def test_what_happened_is_counted_once(database: Database, runner: CommandRunner, counting: Rollups) -> None:
    await ended(life(database, runner), Outcome.PASS)
    again = life(database, runner)
    await ended(again, Outcome.FAIL)
    await edited(again, title="Another")
    await ended(life(database, runner), Outcome.FAIL, policy={"max_submissions": 1})
    failing, cancelled = life(database, runner), life(database, runner)
    await failing.report(await failing.running(), ReportKind.FAILED, code="agent_status")
    lease = await cancelled.running()
    await runner.submit.run_one(CancelJob(cancelled.job_id, actor=SIGNOFF))
    await cancelled.result(lease)
    await life(database, runner).requested()
    created, queued = life(database, runner), life(database, runner)
    await created.created()
    await queued.requested()
    for never_ran in (created, queued):
        await runner.submit.run_one(CancelJob(never_ran.job_id, actor=SIGNOFF))

    for _ in range(2):
        seen = await shown(database, counting)
        totals = seen.totals
        ends = (totals.completed, totals.resubmission_required, totals.rejected, totals.failed, totals.cancelled)
        assert (totals.created, *ends) == (8, 1, 1, 1, 1, 1)
        assert (totals.tokens, totals.cost_usd) == (21, 0.75)
        assert sum(point.created for point in seen.points) == 8
    assert 0 <= totals.wait.p50 <= totals.wait.p99 < 60
    assert 0 < totals.duration.p95 < 60
    assert (seen.now.queued, seen.now.running, seen.now.judging) == (1, 0, 0)
    assert seen.now.oldest_wait_s >= 0


async def test_waits_agents_and_judges_are_told_apart(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    steps = life(database, runner)
    await steps.requested()
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE executions SET created_at = created_at - interval '35 s'"))
    claimed = await steps.claim()
    judging = await steps.claim_judging(claimed.execution.lease, duration_s=0.3)
    await steps.report(judging.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS), duration_s=2.5)
    failing = life(database, runner)
    await failing.report(await failing.running(), ReportKind.FAILED, code="agent_status", duration_s=0.3)
    totals = (await shown(database, counting)).totals
    assert 20 < totals.wait.p99 < 60
    assert 0.2 < totals.agent.p50 < totals.agent.p99 < 0.4
    assert 2 < totals.judge.p50 < 3
    assert totals.duration.p99 > 20
    async with database.session() as session:
        (stats,) = await overview.get_agent_stats(session, 500)
    assert (stats.mean_agent_s, stats.mean_judge_s) == (pytest.approx(0.3), pytest.approx(2.5))
    assert 17.5 <= stats.mean_wait_s < 30
    assert stats.mean_duration_s >= stats.mean_wait_s


async def test_nothing_is_counted_before_it_is_published_or_by_two_at_once(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    await life(database, runner).created()
    await counting.count()
    async with database.session() as session:
        assert (await overview.get_overview(session, 3_600, await sum_up_all(session, 60.0), {})).totals.created == 0
    async with database.transaction() as other:
        await published(database)
        await locks.hold(other, locks.Lock.ROLLUPS)
        assert not await counting.count()
    assert (await shown(database, counting)).totals.created == 1


async def test_a_database_that_was_never_counted_is_counted_from_its_first_entry_in_parts(
    database: Database, runner: CommandRunner, counting: Rollups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rollups, "BATCH", 3)
    for _ in range(4):
        await ended(life(database, runner), Outcome.PASS)
    first = await shown(database, counting)
    async with database.transaction() as connection:
        created = await connection.scalar(text("SELECT count(*) FROM jobs"))
        for table in ("rollups", "agent_rollups", "rollup"):
            await connection.execute(text(f"DELETE FROM {table}"))
    again = await shown(database, counting)
    assert (first.totals.completed, again.totals.created) == (4, created)


@pytest.mark.parametrize("range_s", [3_600, 6 * 3_600, 24 * 3_600, 7 * 24 * 3_600, 30 * 24 * 3_600])
async def test_a_range_has_about_sixty_points_without_a_gap(
    database: Database, runner: CommandRunner, counting: Rollups, range_s: int
) -> None:
    await life(database, runner).created()
    seen = await shown(database, counting, range_s)
    times = [point.at for point in seen.points]
    steps = {later - earlier for earlier, later in pairwise(times)}
    assert 50 <= len(times) <= 90
    assert len(steps) == 1
    assert times[-1] <= datetime.now(UTC) < times[-1] + steps.pop()
    assert seen.points[-1].created == seen.totals.created == 1


async def test_what_is_old_is_let_go(database: Database, runner: CommandRunner, counting: Rollups) -> None:
    await life(database, runner).created()
    await shown(database, counting)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE rollups SET at = at - interval '3 days'"))
    await counting.forget()
    async with database.session() as session:
        spans = list(await session.scalars(text("SELECT span_s FROM rollups")))
    assert spans == [rollups.HOUR_S]


async def test_agents_show_what_they_have_to_do_and_how_they_did(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    for outcome in (Outcome.PASS, Outcome.PASS, Outcome.PASS, Outcome.FAIL):
        await ended(life(database, runner), outcome)
    cancelled = life(database, runner)
    await cancelled.requested()
    await runner.submit.run_one(CancelJob(cancelled.job_id, actor=SIGNOFF))
    await life(database, runner).requested()
    await life(database, runner).running()
    await shown(database, counting)
    async with database.session() as session:
        (stats,) = await overview.get_agent_stats(session, 500)
    assert (stats.agent_id, stats.running, stats.queued, stats.success_rate) == ("writer", 1, 1, 0.75)
    left = life(database, runner)
    await left.report(await left.judging(), ReportKind.VERDICT, verdict=unproven())
    await shown(database, counting)
    async with database.session() as session:
        (after,) = await overview.get_agent_stats(session, 500)
    assert after.success_rate == 0.75, "what its judge does not prove says nothing of an agent"
    assert 0 < stats.mean_duration_s < 60


async def test_one_agent_shows_its_costs_failures_refusals_and_percentiles(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    await ended(life(database, runner), Outcome.PASS)
    refused = life(database, runner)
    await ended(refused, Outcome.FAIL)
    for _ in range(2):
        failing = life(database, runner)
        await failing.report(await failing.running(), ReportKind.FAILED, code="agent_status", duration_s=0.3)
        await shown(database, counting)  # added to an hour that is there
    async with database.session() as session:
        (stats,) = await overview.get_agent_stats(session, 500, agent_id="writer")
        (listed,) = await overview.get_agent_stats(session, 500)
        criteria = await session.scalar(
            text("SELECT not_met_criteria FROM jobs WHERE id = :id"), {"id": refused.job_id}
        )
        assert await overview.get_agent_stats(session, 500, agent_id="nobody") == []
        assert await overview.get_agent_stats(session, 500, "writer", agent_id="writer") == []
    assert (stats.ended, stats.completed, stats.refused) == (4, 1, 1)
    assert (stats.cost_usd, stats.tokens, stats.mean_cost_usd) == (Decimal("0.5"), 14, Decimal("0.125"))
    assert stats.failures == {"agent_status": 2}
    assert stats.refusals == dict.fromkeys(criteria, 1)
    assert 0.2 < stats.agent.p50 < stats.agent.p95 < 0.4
    assert stats.wait.p95 is not None
    assert (listed.ended, listed.cost_usd, listed.failures) == (4, stats.cost_usd, {})
    assert listed.agent is None, "what is read of one agent is not read of all"


@pytest.mark.usefixtures("counting")
async def test_the_most_frequent_codes_of_an_hour_are_kept(database: Database) -> None:
    def hour(codes: range) -> dict[str, object]:
        made = rollups.AgentHour()
        made.tallies["failures"].update({"most": 2, **{f"code_{n}": 1 for n in codes}})
        at = rollups.get_span_begin(datetime.now(UTC), rollups.HOUR_S)
        return {"tenant": "default", "agent_id": "writer", "at": at, **made.make_row()}

    async with database.transaction() as connection:
        for first in (0, 40):
            await connection.execute_many(rollups._ADD_AGENT_OF_TENANT, [hour(range(first, first + 40))])
    async with database.session() as session:
        more = await overview._read_more(session, "writer")
    assert len(more["failures"]) == rollups.TALLY_MAX
    assert more["failures"]["most"] == 4


async def test_verdicts_by_the_validators_own_settings_are_counted_for_their_version(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    async def judged() -> tuple[int, ...]:
        await shown(database, counting)
        async with database.session() as session:
            named = await get_named(session, Kind.JUDGE, "default")
        assert named is not None
        counts = named.versions[0].judged
        return (counts.met, counts.not_met, counts.unjudged, counts.tokens)

    body = format_body(  # of no other test
        JudgePolicy(name="default", section_chars=randrange(2_000, 1_000_000))
    )
    await runner.administer.run_one(ReportDefault(RESERVED, body, actor=SIGNOFF))
    assert await judged() == (0, 0, 0, 0)
    await ended(life(database, runner), Outcome.PASS)
    await ended(life(database, runner), Outcome.FAIL)
    steps = life(database, runner)
    silent = verdict(Outcome.CANNOT_ASSESS).model_copy(update={"judge_error": "judge_refused"})
    await steps.report(await steps.judging(), ReportKind.VERDICT, verdict=silent)
    left = life(database, runner)
    await left.report(await left.judging(), ReportKind.VERDICT, verdict=unproven())
    for _ in range(2):
        assert await judged() == (1, 1, 2, 14)


async def test_a_tenant_reads_the_counts_of_its_own(
    database: Database, runner: CommandRunner, counting: Rollups
) -> None:
    for tenant, count in (("press", 2), ("law", 1)):
        for _ in range(count):
            await ended(life(database, runner), Outcome.PASS, tenant=tenant)
    whole = await shown(database, counting)
    created = {}
    for tenants in ({"press"}, {"law"}, {"press", "law"}, {"books"}):
        async with database.transaction() as connection:
            scoped = ScopedConnection(connection.driver, frozenset(tenants))
            now = await sum_up_all(scoped, 60.0)
            view = await overview.get_overview(scoped, 3_600, now, {}, of_all=False)
            stats = await overview.get_agent_stats(scoped, 10, of_all=False)
            (one,) = await overview.get_agent_stats(scoped, 10, of_all=False, agent_id="writer") or [None]
        assert (one and one.tokens) == (7 * view.totals.completed or None)
        created["+".join(sorted(tenants))] = (view.totals.created, view.totals.completed, len(stats))
    assert (whole.totals.created, whole.totals.completed) == (3, 3)
    assert created == {"press": (2, 2, 1), "law": (1, 1, 1), "law+press": (3, 3, 1), "books": (0, 0, 0)}
