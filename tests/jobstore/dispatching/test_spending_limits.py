"""What a tenant may spend in a day of UTC holds back what it executes and what is judged of it, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.administered import put_limit, remove_limit
from support.jobstore.steps import Published, Steps, seen, verdict

from contracts.events import ExecuteRequested, ResultProduced
from contracts.resources import NewLimit, Usage
from contracts.waiting import Owner, WaitCode
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.dispatcher import POLL_S, Dispatcher
from jobstore.jobs.model import ExecutionStage
from jobstore.jobs.waits import explain_jobs, sum_up_all
from jobstore.limits.rules import end_of_day
from jobstore.limits.store import get_limit, list_limits
from signoff.errors import ErrorCode
from signoff.status import Outcome, ReportKind

ALIVE_S = 60.0


class Money:
    """Tenants that spend, and a dispatcher whose offers are kept."""

    def __init__(self, database: Database, runner: CommandRunner, dispatcher: Dispatcher, sink: Published) -> None:
        self.database, self.runner, self.dispatcher, self.sink = database, runner, dispatcher, sink

    def steps(self) -> Steps:
        return Steps(self.database, self.runner)

    async def limit(self, tenant: str = "press", **fields: Any) -> None:
        async with self.database.transaction() as connection:
            await put_limit(connection, f"tenant:{tenant}", NewLimit(**fields))

    async def spend(self, usd: str, judged_usd: str | None = None, tenant: str = "press") -> Steps:
        """A life at these costs: its result waits for a judge, unless judging it costs something."""
        steps = self.steps()
        await steps.requested(tenant=tenant)
        lease = (await self.begin(steps)).execution.lease
        await steps.result(lease, usage=Usage(cost_usd=usd))
        if judged_usd is not None:
            judging = await steps.claim_judging(lease)
            assert judging.execution is not None
            not_met = verdict(Outcome.FAIL)
            usage = Usage(cost_usd=judged_usd)
            await steps.report(judging.execution.lease, ReportKind.VERDICT, verdict=not_met, usage=usage)
        return steps

    async def begin(self, steps: Steps) -> Any:
        """Claim it, once the dispatcher has offered it if it must wait for that."""
        answer = await steps.claim()
        if answer.code == ErrorCode.LIMITED:
            await self.offered()
            answer = await steps.claim()
        assert answer.execution is not None, answer
        return answer

    async def offered(self, *kinds: type) -> list[str]:
        """The jobs of which the dispatcher offers something of these kinds now, or else an execution."""
        before = len(self.sink.events)
        while await self.dispatcher.offer():
            pass
        return [event.job_id for event in self.sink.events[before:] if isinstance(event, kinds or ExecuteRequested)]

    async def spent(self, tenant: str = "press") -> tuple[int, int]:
        """What it spent this day, by agents and judges, in nano-dollars."""
        query = "SELECT sum(agents_nanos)::bigint AS a, sum(judges_nanos)::bigint AS j FROM spending WHERE tenant = :t"
        async with self.database.session() as session:
            row = (await session.execute(text(query), {"t": tenant})).one()
        return row.a or 0, row.j or 0

    async def reasons(self, steps: Steps) -> list[Any]:
        async with self.database.session() as session:
            return (await explain_jobs(session, [steps.job_id], ALIVE_S))[steps.job_id].reasons

    async def sql(self, query: str) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(text(query))


@pytest.fixture
async def money(
    database: Database, runner: CommandRunner, dispatcher: Dispatcher, published: Published
) -> AsyncIterator[Money]:
    made = Money(database, runner, dispatcher, published)
    tables = ("executions", "workers", "limits", "starts", "circuits", "spending")
    for table in tables:
        await made.sql(f"DELETE FROM {table}")
    for stage in ExecutionStage:
        await seen(database, stage, 1_000)
    yield made
    for table in tables:
        await made.sql(f"DELETE FROM {table}")


async def test_what_agents_claim_and_what_judges_cost_is_counted_apart(money: Money) -> None:
    await money.spend("0.5", "0.25")
    await money.spend("0.000000001")
    await money.spend("3", tenant="other")
    assert await money.spent() == (500_000_001, 250_000_000)
    assert await money.spent("other") == (3_000_000_000, 0)


async def test_a_tenant_that_has_spent_its_day_begins_nothing_and_starves_nobody(money: Money) -> None:
    await money.limit(usd_per_day="1")
    await money.spend("0.6", "0.4")
    held, others = await money.steps().requested(tenant="press"), await money.steps().requested(tenant="other")
    assert (await held.claim()).code == ErrorCode.LIMITED
    assert await money.offered() == [others.job_id]
    assert [reason.code for reason in await money.reasons(held)] == [WaitCode.LIMIT_USD_PER_DAY]


async def test_what_is_below_the_limit_begins(money: Money) -> None:
    await money.limit(usd_per_day="1")
    await money.spend("0.6", "0.399999999")
    steps = await money.steps().requested(tenant="press")
    assert await money.offered() == [steps.job_id]


async def test_results_of_a_tenant_that_has_spent_its_day_are_not_judged(money: Money) -> None:
    await money.limit(usd_per_day="1")
    spender, other = await money.spend("1"), await money.spend("1", tenant="other")
    claimed = await spender.claim_judging((await spender.row()).result_lease)
    assert (claimed.outcome, claimed.code) == (ClaimOutcome.QUEUED, ErrorCode.LIMITED)
    for each in (spender, other):
        await each.due(-1)
    assert await money.offered(ResultProduced) == [other.job_id]
    (reason,) = await money.reasons(spender)
    assert (reason.code, reason.agents_usd, reason.judges_usd) == (WaitCode.LIMIT_USD_PER_DAY, 1, 0)


async def test_a_result_whose_own_cost_passes_the_limit_is_not_judged(money: Money) -> None:
    """Also where the validator's claim is what records the result, and its cost."""
    await money.limit(usd_per_day="1")
    cheap, dear = await money.steps().requested(tenant="press"), await money.steps().requested(tenant="press")
    await money.offered()
    leases = [(await money.begin(steps)).execution.lease for steps in (cheap, dear)]
    assert (await cheap.claim_judging(leases[0], usage=Usage(cost_usd="0.9"))).outcome is ClaimOutcome.GRANTED
    claimed = await dear.claim_judging(leases[1], usage=Usage(cost_usd="0.1"))
    assert (claimed.outcome, claimed.code) == (ClaimOutcome.QUEUED, ErrorCode.LIMITED)
    assert await money.spent() == (10**9, 0)


async def test_a_judging_under_way_goes_on_beyond_the_limit(money: Money) -> None:
    """So far may be overspent: what is with a worker is not taken from it."""
    await money.limit(usd_per_day="1")
    first, second = await money.spend("0.1"), await money.spend("0.1")
    lease = (await first.row()).result_lease
    judging = await first.claim_judging(lease)
    await second.report(
        (await second.claim_judging((await second.row()).result_lease)).execution.lease,  # type: ignore[union-attr]
        ReportKind.VERDICT,
        verdict=verdict(Outcome.PASS),
        usage=Usage(cost_usd="5"),
    )
    assert (await first.claim_judging(lease)).outcome is ClaimOutcome.GRANTED
    await first.report(judging.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS))  # type: ignore[union-attr]
    assert (await first.job()).status == "COMPLETED"


async def test_a_raised_or_removed_limit_lets_all_go_on_at_once(money: Money) -> None:
    await money.limit(usd_per_day="1")
    spender = await money.spend("1")
    waiting = await money.steps().requested(tenant="press")
    await spender.claim_judging((await spender.row()).result_lease)
    assert await money.offered(ExecuteRequested, ResultProduced) == []
    await money.limit(usd_per_day="2")
    assert {*await money.offered(ExecuteRequested, ResultProduced)} == {waiting.job_id, spender.job_id}
    await money.limit(usd_per_day="1")
    again = await money.steps().requested(tenant="press")
    assert await money.offered() == []
    async with money.database.transaction() as connection:
        await remove_limit(connection, "tenant:press")
    assert again.job_id in await money.offered()


async def test_the_next_day_of_utc_begins_anew(money: Money) -> None:
    await money.limit(usd_per_day="1")
    spender = await money.spend("1")
    waiting = await money.steps().requested(tenant="press")
    assert await money.offered() == []
    assert money.dispatcher._wait_s <= POLL_S
    await money.sql("UPDATE spending SET day = day - 1")
    assert await money.offered() == [waiting.job_id]
    assert (await spender.claim_judging((await spender.row()).result_lease)).outcome is ClaimOutcome.GRANTED


async def test_each_tenant_has_a_day_of_its_own_under_the_wildcard(money: Money) -> None:
    await money.limit("*", usd_per_day="1")
    await money.limit("rich", usd_per_day="10")
    for tenant in ("press", "rich"):
        await money.spend("1", tenant=tenant)
    asked = {tenant: await money.steps().requested(tenant=tenant) for tenant in ("press", "rich", "new")}
    assert sorted(await money.offered()) == sorted([asked["rich"].job_id, asked["new"].job_id])
    (reason,) = await money.reasons(asked["press"])
    assert (reason.name, reason.allowed_usd) == ("tenant:press", 1)


async def test_the_explanation_shows_both_sums_and_when_it_goes_on(money: Money) -> None:
    await money.limit(usd_per_day="20", concurrency=4)
    await money.spend("19.5", "0.75")
    steps = await money.steps().requested(tenant="press")
    (reason,) = await money.reasons(steps)
    assert (reason.code, reason.name, reason.owner) == (WaitCode.LIMIT_USD_PER_DAY, "tenant:press", Owner.TIME)
    assert (reason.allowed_usd, reason.agents_usd, reason.judges_usd) == (20, Decimal("19.5"), Decimal("0.75"))
    assert reason.remedy == "raise it: signoff limits set tenant:press --usd-per-day 40"
    now = datetime.now(reason.until.tzinfo)
    assert (reason.until.hour, reason.until.minute, now < reason.until <= now + timedelta(days=1)) == (0, 0, True)


async def test_sums_of_what_waits_count_what_is_executed_and_what_is_judged(money: Money) -> None:
    await money.limit(usd_per_day="1")
    spender = await money.spend("1")
    await spender.claim_judging((await spender.row()).result_lease)
    for _ in range(2):
        await money.steps().requested(tenant="press")
    async with money.database.session() as session:
        (found,) = (await sum_up_all(session, ALIVE_S)).sums
    assert (found.code, found.name, found.count) == (WaitCode.LIMIT_USD_PER_DAY, "tenant:press", 3)


async def test_limits_are_shown_with_what_was_spent_this_day(money: Money) -> None:
    await money.limit(usd_per_day="20")
    await money.limit("*", usd_per_day="5")
    await money.spend("0.5", "0.25")
    async with money.database.session() as session:
        press, listed = await get_limit(session, "tenant:press"), await list_limits(session, 10)
    assert press is not None
    assert (press.usd_per_day, press.agents_usd, press.judges_usd) == (20, Decimal("0.5"), Decimal("0.25"))
    assert [(each.name, each.usd_per_day, each.agents_usd) for each in listed] == [
        ("tenant:*", 5, None),
        ("tenant:press", 20, Decimal("0.5")),
    ]


async def test_an_agent_that_claims_a_fortune_pauses_its_own_tenant_alone(money: Money) -> None:
    """A claim counts as a million USD at most, and a day's sums end where a BIGINT does: no report ever fails."""
    await money.limit("*", usd_per_day="20")
    await money.sql(
        "INSERT INTO spending SELECT (now() AT TIME ZONE 'UTC')::date, 'press', part, 9e18, 9e18 "
        "FROM generate_series(0, 7) AS part"
    )
    waiting, other = await money.steps().requested(tenant="press"), await money.steps().requested(tenant="other")
    assert await money.offered() == [other.job_id]
    await other.claim()
    (reason,) = await money.reasons(waiting)
    assert reason.agents_usd == 9_000_000_000
    await money.limit("press", usd_per_day="1000000")
    assert await money.offered() == []


async def test_several_jobstores_lose_nothing_of_the_sum(money: Money) -> None:
    await asyncio.gather(*(money.spend("0.01") for _ in range(30)))
    assert await money.spent() == (300_000_000, 0)


@pytest.mark.parametrize("day_end", ["2026-12-01T00:00:00+00:00"])
def test_a_day_is_of_utc_wherever_one_is(day_end: str) -> None:
    assert end_of_day(datetime.fromisoformat("2026-12-01T00:30:00+01:00")) == datetime.fromisoformat(day_end)


async def test_a_tenant_names_the_judge_policies_that_its_limit_allows(money: Money) -> None:
    await money.limit("*", judge_policies=["standard"])
    await money.limit("press", judge_policies=["cheap"], concurrency=4)
    for tenant, policy in (("press", "dear"), ("press", "standard"), ("other", "cheap")):
        with pytest.raises(InvalidError) as caught:
            await money.steps().created(tenant=tenant, policy={"judge": policy})
        assert caught.value.code == ErrorCode.JUDGE_POLICY_FORBIDDEN
    with pytest.raises(InvalidError) as caught:
        await money.steps().created(tenant="press", policy={"judge": "cheap"})
    assert caught.value.code == ErrorCode.UNKNOWN_JUDGE_POLICY
    await money.steps().requested(tenant="press")


async def test_no_more_is_overspent_than_what_is_under_way(money: Money) -> None:
    """By two dispatchers, at 1 USD a call, four at once: no more begin than ten, and those beside the tenth."""
    await money.limit(usd_per_day="10", concurrency=4)
    waiting = {steps.job_id: steps for steps in [await money.steps().requested(tenant="press") for _ in range(20)]}
    others = [money.dispatcher, Dispatcher(money.database, money.sink, money.runner.terms, SECRETS)]  # type: ignore[arg-type]
    begun = 0
    while True:
        before = len(money.sink.events)
        await asyncio.gather(*(dispatcher.offer() for dispatcher in others))
        offered = [waiting[event.job_id] for event in money.sink.events[before:]]
        if not offered:
            break
        leases = [(steps, (await money.begin(steps)).execution.lease) for steps in offered]
        await asyncio.gather(*(steps.result(lease, usage=Usage(cost_usd="1")) for steps, lease in leases))
        begun += len(offered)
    assert 10 <= begun < 10 + 4
    assert await money.spent() == (begun * 10**9, 0)
