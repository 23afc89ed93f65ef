"""Offers of executions on the real tables: fair shares, limits that no number of dispatchers passes, and waits."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.fakes import until
from support.jobstore.administered import pause_limit, put_agent, put_limit, remove_limit
from support.jobstore.registered import register_tenants
from support.jobstore.steps import Published, Steps, new_job, seen

from contracts.events import ExecuteRequested
from contracts.resources import NewAgent, NewLimit
from jobstore.engine.database import Database
from jobstore.engine.parts import Command, UnitOfWork
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.offers import _HEADS, DEPTH_FIRST, FairQueue, OfferTerms
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF, ExecutionStage
from jobstore.limits.rules import Limits, LimitsLock, LimitsWish
from jobstore.subjects import STORES
from servicekit.errors import PermanentError
from signoff.status import ReportKind

NOW = datetime.now(UTC)


class Queue:
    """What is asked for, offered and run, among several dispatchers."""

    def __init__(
        self, database: Database, runner: CommandRunner, dispatchers: list[Dispatcher], sink: Published
    ) -> None:
        self.database, self.runner, self.dispatchers, self.sink = database, runner, dispatchers, sink

    async def limit(self, name: str, **fields: Any) -> None:
        async with self.database.transaction() as connection:
            await put_limit(connection, name, NewLimit(**fields))

    async def pause(self, name: str, *, paused: bool = True) -> None:
        async with self.database.transaction() as connection:
            await pause_limit(connection, name, paused=paused)

    async def sql(self, query: str, **parameters: Any) -> Any:
        async with self.database.transaction() as connection:
            return await connection.execute(text(query), parameters)

    async def ask(self, count: int, asked: ExecutionRequest = ExecutionRequest(), **fields: Any) -> list[UUID]:  # noqa: B008 - a value
        """The executions of new jobs, in the order in which they are due."""
        ids = [uuid4() for _ in range(count)]
        await register_tenants(self.runner, new_job(**fields).tenant)
        creations: list[Command] = [CreateJob(new_job(**fields), str(i), actor=SIGNOFF) for i in ids]
        requests: list[Command] = [ExecuteJob(str(i), i, chosen=True, parameters=asked, actor=SIGNOFF) for i in ids]
        results = [*await self.runner.submit.run(creations), *await self.runner.submit.run(requests)]
        assert not [r for r in results if isinstance(r, PermanentError)]
        order = {str(i): n for n, i in enumerate(ids)}
        await self.sql(
            "UPDATE executions SET due_at = due_at - make_interval(secs => 10) + CAST(o.n AS int) * interval '1 ms' "
            "FROM unnest(CAST(:ids AS uuid[]), CAST(:ns AS int[])) AS o(id, n) WHERE execution_id = o.id",
            ids=[UUID(i) for i in order],
            ns=list(order.values()),
        )
        return ids

    async def offered(self) -> list[UUID]:
        """What all dispatchers, at once and until there is no more, offer now."""
        before = len(self.sink.events)

        async def run(dispatcher: Dispatcher) -> None:
            while await dispatcher.offer():
                pass

        await asyncio.gather(*map(run, self.dispatchers))
        return [event.execution_id for event in self.sink.events[before:] if isinstance(event, ExecuteRequested)]

    def steps(self, execution_id: UUID) -> Steps:
        steps = Steps(self.database, self.runner)
        steps.job_id, steps.execution_id = str(execution_id), execution_id
        return steps

    async def claimed(self, execution_ids: list[UUID]) -> list[str]:
        """How their claims are answered: by the code, or else the outcome."""
        answers = [await self.steps(each).claim() for each in execution_ids]
        return [answer.code or str(answer.outcome) for answer in answers]

    async def ended(self, execution_id: UUID) -> None:
        """It is taken, and has failed."""
        answer = await self.steps(execution_id).claim()
        assert answer.execution is not None
        await self.steps(execution_id).report(answer.execution.lease, ReportKind.FAILED, code="agent_status")

    async def cancelled(self, execution_id: UUID) -> None:
        await self.runner.submit.run_one(CancelJob(str(execution_id), actor=SIGNOFF))

    async def most_at_once(self, column: str) -> Counter[str]:
        rows = await self.sql(
            f"SELECT {column} AS name, count(*) AS n FROM executions e JOIN jobs j ON j.id = e.job_id "
            "WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED') GROUP BY 1"
        )
        return Counter({row.name: row.n for row in rows})


@pytest.fixture
async def queue(database: Database, database_url: str, runner: CommandRunner) -> AsyncIterator[Queue]:
    others = [Database(database_url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=2) for _ in range(2)]
    sink = Published()
    dispatchers = [Dispatcher(d, sink, runner.terms, SECRETS) for d in (database, *others)]  # type: ignore[arg-type]
    made = Queue(database, runner, dispatchers, sink)
    for table in ("executions", "workers", "limits", "starts", "circuits"):
        await made.sql(f"DELETE FROM {table}")
    async with database.transaction() as connection:
        for name in ("other", "third"):
            new = NewAgent(name=name, url="http://127.0.0.1:2/")
            await put_agent(connection, name, new, create=True)
    await seen(database, ExecutionStage.EXECUTING, 1_000)
    yield made
    for table in ("executions", "limits", "starts"):
        await made.sql(f"DELETE FROM {table}")
    for other in others:
        await other.close()


async def test_several_dispatchers_pass_no_limit_and_leave_nothing_that_may_run(queue: Queue) -> None:
    await queue.limit("agent:writer", concurrency=7)
    await queue.limit("tenant:*", concurrency=5)
    await queue.limit("tenant:large", concurrency=9)
    await queue.limit("label:customer=*", concurrency=3)
    waiting = set()
    for tenant in ("large", "small"):
        for agent in ("writer", "other"):
            for customer in ("acme", "zoo"):
                labels = {"customer": customer}
                waiting |= {*await queue.ask(6, tenant=tenant, agent_id=agent, labels=labels)}
    ran: set[UUID] = set()
    while offered := await queue.offered():
        assert not ran & {*offered}
        ran |= {*offered}
        agents, tenants = await queue.most_at_once("e.agent_id"), await queue.most_at_once("e.tenant")
        customers = await queue.most_at_once("j.labels ->> 'customer'")
        assert (agents["writer"] <= 7, tenants["large"] <= 9, tenants["small"] <= 5) == (True,) * 3
        assert max(customers.values()) <= 3
        assert len(offered) == customers.total() <= 6
        await asyncio.gather(*map(queue.ended, offered))
    assert ran == waiting


async def test_no_window_holds_more_than_the_rate(queue: Queue) -> None:
    await queue.limit("agent:writer", rate=4, rate_period_s=100.0)
    await queue.ask(10)
    assert await queue.claimed(first := await queue.offered()) == ["GRANTED"] * 4
    assert await queue.offered() == []
    await queue.sql("UPDATE starts SET began_at = began_at - interval '99 s'")
    assert await queue.offered() == [], "less than a period ago"
    await queue.sql("UPDATE starts SET began_at = began_at - interval '7 s'")
    assert await queue.claimed(more := await queue.offered()) == ["GRANTED"] * 4
    assert not {*first} & {*more}
    assert (await queue.sql("SELECT count(*) FROM starts")).one()[0] == 1, "what is over is forgotten"


@pytest.mark.parametrize("period_s", [1e-9, 20.0, 86_400.0])
async def test_starts_are_counted_by_parts_of_the_period(queue: Queue, period_s: float) -> None:
    await queue.limit("tenant:*", rate=9, rate_period_s=period_s)
    await queue.ask(5)
    await queue.claimed(await queue.offered())
    query = "SELECT name, sum(count) AS n, max(began_at) AS last, signoff_now() AS now FROM starts GROUP BY name"
    row = (await queue.sql(query)).one()
    assert (row.name, row.n) == ("tenant:default", 5)
    assert timedelta() <= row.now - row.last < timedelta(seconds=period_s / 20 + 5)


async def test_a_start_is_counted_when_it_begins_and_may_begin_late(queue: Queue) -> None:
    """What was offered a period ago and begins now would else begin beside what is offered now."""
    await queue.limit("agent:writer", rate=2, rate_period_s=100.0)
    await queue.ask(6)
    offered = await queue.offered()
    assert await queue.offered() == [], "both may begin at any time"
    assert await queue.claimed(offered) == ["GRANTED"] * 2
    await queue.sql("UPDATE starts SET began_at = began_at - interval '99 s'")
    assert await queue.offered() == []


async def test_a_rate_counts_nothing_that_never_began(queue: Queue) -> None:
    await queue.limit("agent:writer", rate=2, rate_period_s=1_000.0)
    first, second, third, fourth, _ = await queue.ask(5)
    assert await queue.offered() == [first, second]
    await queue.cancelled(first)
    assert await queue.offered() == [third]
    await queue.pause("tenant:default")
    await queue.pause("tenant:default", paused=False)
    again = await queue.offered()
    assert len(again) == 2
    assert await queue.claimed(again) == ["GRANTED"] * 2
    assert await queue.offered() == []
    await queue.cancelled(again[0])
    assert await queue.offered() == [], "it began"
    del second, fourth


async def test_what_a_rate_holds_back_is_looked_at_before_long(queue: Queue) -> None:
    await queue.limit("agent:writer", rate=1, rate_period_s=0.4)
    await queue.ask(4)
    dispatching = asyncio.create_task(queue.dispatchers[0].run(queue.runner, asyncio.Event().wait))
    for number in range(4):
        await until(lambda: len(queue.sink.events) > number)  # noqa: B023 - it is waited for at once
        await queue.claimed([queue.sink.events[number].execution_id])
    dispatching.cancel()


async def test_a_limit_that_changes_applies_to_what_waits(queue: Queue) -> None:
    ids = await queue.ask(6, labels={"customer": "acme", "odd": 'a "b" \\ {c},'})
    await queue.limit("label:customer=acme", concurrency=1)
    await queue.limit('label:odd=a "b" \\ {c},', concurrency=4)
    assert await queue.claimed(await queue.offered()) == ["GRANTED"]
    await queue.limit("label:customer=acme", concurrency=5)
    assert await queue.claimed(await queue.offered()) == ["GRANTED"] * 3, "now the other label holds them back"
    async with queue.database.transaction() as connection:
        await remove_limit(connection, 'label:odd=a "b" \\ {c},')
    assert await queue.offered() == ids[4:5]


@pytest.mark.parametrize("fields", [{"concurrency": 2}, {"rate": 2, "rate_period_s": 1_000.0}])
@pytest.mark.parametrize("name", ["agent:writer", "tenant:default", "tenant:*", "label:kind=x"])
async def test_a_new_limit_takes_back_what_it_does_not_allow_of_what_was_offered(
    queue: Queue, name: str, fields: dict[str, Any]
) -> None:
    ids = await queue.ask(6, labels={"kind": "x"})
    assert await queue.offered() == ids
    await queue.limit(name, **fields)
    assert await queue.claimed(ids) == ["limited"] * 6, "nothing begins by what was published before"
    offered = await queue.offered()
    assert await queue.claimed(offered) == ["GRANTED"] * 2
    assert await queue.offered() == []


async def test_what_runs_counts_under_a_new_limit_and_goes_on(queue: Queue) -> None:
    ids = await queue.ask(6)
    await queue.offered()
    assert await queue.claimed(ids[:2]) == ["GRANTED"] * 2
    await queue.limit("agent:writer", concurrency=3)
    assert len(await queue.offered()) == 1


async def test_a_limit_that_is_removed_leaves_what_was_offered_to_the_wildcards(queue: Queue) -> None:
    await queue.limit("tenant:*", concurrency=1)
    await queue.limit("tenant:default", concurrency=6)
    ids = await queue.ask(6)
    assert await queue.offered() == ids
    async with queue.database.transaction() as connection:
        await remove_limit(connection, "tenant:default")
    assert await queue.claimed(await queue.offered()) == ["GRANTED"]


async def test_a_weight_takes_nothing_back(queue: Queue) -> None:
    ids = await queue.ask(2)
    await queue.offered()
    await queue.limit("tenant:default", weight=2.0)
    assert await queue.claimed(ids) == ["GRANTED"] * 2


async def test_an_execution_requested_after_a_limit_is_under_it(queue: Queue) -> None:
    await queue.limit("label:customer=*", concurrency=1)
    first, second = await queue.ask(1, labels={"customer": "a"}), await queue.ask(2, labels={"customer": "b"})
    assert {*await queue.offered()} == {*first, second[0]}


@pytest.mark.parametrize("name", ["agent:writer", "tenant:default", "label:kind=x", "agent:*", "batch:{batch}"])
async def test_what_is_paused_begins_nothing_also_where_it_was_offered(queue: Queue, name: str) -> None:
    batch = uuid4()
    ids = await queue.ask(2, ExecutionRequest(batch_id=batch), labels={"kind": "x"})
    others = await queue.ask(1, agent_id="other", tenant="else")
    assert {*await queue.offered()} == {*ids, *others}
    await queue.pause(name.format(batch=batch))
    steps = Steps(queue.database, queue.runner)
    steps.job_id, steps.execution_id = str(ids[0]), ids[0]
    answer = await steps.claim()
    assert (answer.outcome, answer.code) == ("QUEUED", "limited")
    assert not {*await queue.offered()} & {*ids}
    await queue.pause(name.format(batch=batch), paused=False)
    assert {*ids} <= {*await queue.offered()}
    assert (await steps.claim()).outcome == "GRANTED"


async def test_of_what_is_held_back_one_head_is_read_until_it_no_longer_is(queue: Queue) -> None:
    ids = await queue.ask(20, agent_id="writer")
    await queue.pause("agent:writer")
    fair, terms = FairQueue(), OfferTerms(again_s=5.0, again_max_s=60.0, alive_s=60.0)
    offered: list[UUID] = []
    for paused, read in ((True, DEPTH_FIRST), (True, 1), (False, 1)):
        await queue.pause("agent:writer", paused=paused)
        async with queue.database.transaction() as connection:
            parameters = {"limit": 100, "depth": fair.depth, "used_up": fair.used_up, **asdict(terms)}
            assert len(await connection.execute(_HEADS, parameters)) == min(read, fair.depth)
            made = await fair.offer(connection, 100, terms)
            offered += [row.execution_id for row in made.rows]
    while made.more:
        async with queue.database.transaction() as connection:
            made = await fair.offer(connection, 100, terms)
        offered += [row.execution_id for row in made.rows]
    assert offered == ids


async def test_pausing_leaves_the_rest_of_the_limit_as_it_is(queue: Queue) -> None:
    await queue.limit("agent:writer", concurrency=1)
    await queue.pause("agent:writer")
    await queue.pause("agent:writer", paused=False)
    await queue.ask(3)
    assert len(await queue.offered()) == 1


async def test_an_own_limit_holds_what_it_sets_and_of_the_rest_what_the_wildcard_says(queue: Queue) -> None:
    await queue.limit("tenant:*", concurrency=3, rate=2, rate_period_s=1_000.0)
    await queue.limit("tenant:press", weight=2.0, rate=5, rate_period_s=1_000.0)
    await queue.ask(6, tenant="press")
    assert len(await queue.offered()) == 3
    await queue.limit("tenant:press", concurrency=6)
    assert len(await queue.offered()) == 2, "its own rate is not set any more"


@pytest.mark.parametrize("name", ["tenant:default", "agent:writer"])
async def test_a_pause_takes_no_limit_of_the_wildcard_away(queue: Queue, name: str) -> None:
    await queue.limit(f"{name.partition(':')[0]}:*", concurrency=3)
    await queue.ask(6)
    await queue.pause(name)
    assert await queue.offered() == []
    await queue.pause(name, paused=False)
    assert len(await queue.offered()) == 3
    assert (await queue.sql("SELECT count(*) FROM limits")).one()[0] == 1, "of its own nothing is left"


async def test_the_cap_of_the_wildcard_holds_while_a_tenant_is_paused(queue: Queue) -> None:
    await queue.limit("tenant:*", queue_max=3)
    await queue.pause("tenant:capped")
    await queue.ask(3, tenant="capped")
    with pytest.raises(AssertionError, match="as many executions of tenant capped wait as its limit allows"):
        await queue.ask(1, tenant="capped")


async def test_one_that_is_resumed_while_all_are_paused_is_excepted(queue: Queue) -> None:
    await queue.limit("tenant:*", concurrency=1)
    await queue.pause("tenant:*")
    await queue.pause("tenant:default", paused=False)
    ids = await queue.ask(2)
    await queue.ask(2, tenant="other")
    assert await queue.offered() == ids[:1], "within the rest of what the wildcard says"


async def test_a_limit_that_is_set_leaves_a_pause_as_it_is(queue: Queue) -> None:
    await queue.pause("tenant:default")
    ids = await queue.ask(2)
    await queue.limit("tenant:default", concurrency=1)
    assert await queue.offered() == []
    await queue.limit("tenant:default", concurrency=1, paused=False)
    assert await queue.offered() == ids[:1]


async def test_an_event_is_admitted_and_waits_where_a_limit_applies(queue: Queue) -> None:
    await queue.limit("tenant:default", concurrency=1)
    await queue.ask(1)
    await queue.offered()
    steps = Steps(queue.database, queue.runner)
    answer = await steps.claim(inline=new_job())
    assert (answer.outcome, answer.code) == ("QUEUED", "limited")
    assert (await steps.row()).state == "QUEUED"
    assert await queue.offered() == []
    await queue.limit("tenant:default", concurrency=2)
    assert steps.execution_id in await queue.offered()


async def test_tenants_share_by_weight_and_a_flood_delays_nobody(queue: Queue) -> None:
    await queue.limit("tenant:large", weight=3.0)
    await queue.ask(400, tenant="large")
    await queue.ask(400, tenant="small")
    await queue.sql("UPDATE workers SET room = 200, capacity = 0")
    queue.dispatchers = queue.dispatchers[:1]
    tenants = {row.execution_id: row.tenant for row in await queue.sql("SELECT execution_id, tenant FROM executions")}
    picked = Counter(tenants[i] for i in await queue.offered())
    assert 147 <= picked["large"] <= 153
    assert picked.total() == 200
    late = await queue.ask(1, tenant="late")
    await queue.sql("UPDATE workers SET room = 203")
    assert late[0] in await queue.offered()


async def test_a_flood_for_a_slow_agent_leaves_room_for_others_and_waits_for_its_share(queue: Queue) -> None:
    """Each of its jobs is in a tenant of its own; what runs is counted among what is offered."""
    queue.dispatchers = queue.dispatchers[:1]
    await queue.sql("UPDATE workers SET room = 50, capacity = 50")
    for number in range(60):
        await queue.ask(1, tenant=f"t{number}")
    slow = await queue.offered()
    assert len(slow) == 40
    await queue.sql("UPDATE executions SET state = 'LEASED', due_at = now() + interval '1 h' WHERE state = 'OFFERED'")
    await queue.sql("UPDATE workers SET room = 10")
    assert await queue.offered() == []
    assert queue.dispatchers[0].held_back
    honest = await queue.ask(9, agent_id="other", tenant="honest")
    assert await queue.offered() == honest[:8], "of two who want more each gets four times what is free"
    await has_passed(queue, 0.2)
    await queue.sql("UPDATE workers SET room = 60, capacity = 100")
    assert len(await queue.offered()) == 20 + 1
    query = "SELECT execution_id FROM executions WHERE state = 'OFFERED' AND agent_id = 'writer'"
    left = [row.execution_id for row in await queue.sql(query)]
    await queue.ended(left[0])
    assert [(wait["code"], wait["name"]) for wait in await list_waits(queue, left[0])] == [("share", "agent:writer")]


async def test_while_more_than_a_fifth_stays_free_nobody_is_counted(queue: Queue) -> None:
    """Nor is a tenant or an agent held back that holds more by what a worker that is gone has left behind."""
    lost = await queue.ask(45)
    leased = "UPDATE executions SET state = 'LEASED', due_at = now() + interval '1 h' WHERE execution_id = ANY(:ids)"
    await queue.sql(leased, ids=lost)
    await queue.ask(50)
    await queue.sql("UPDATE workers SET room = 20, capacity = 50")
    assert len(await queue.offered()) == 10


async def test_priority_goes_first_and_age_goes_before_priority(queue: Queue) -> None:
    low, high = await queue.ask(2, priority=0), await queue.ask(1, priority=9)
    await queue.sql("UPDATE workers SET room = 1")
    assert await queue.offered() == high
    await queue.sql("UPDATE executions SET due_at = due_at - interval '541 s' WHERE execution_id = :id", id=low[1])
    young = await queue.ask(1, priority=9)
    await queue.sql("UPDATE workers SET room = 2")
    assert await queue.offered() == low[1:]
    await queue.sql("UPDATE workers SET room = 3")
    assert await queue.offered() == young


async def test_nothing_begins_before_its_time(queue: Queue) -> None:
    later = NOW + timedelta(hours=1)
    by_job = await queue.ask(1, not_before=later, policy={"deadline_s": 60.0, "queue_timeout_s": 30.0})
    by_call = await queue.ask(1, ExecutionRequest(not_before=later))
    await queue.sql("UPDATE executions SET due_at = due_at + interval '10 s'")
    now = await queue.ask(1, not_before=NOW - timedelta(hours=1))
    assert await queue.offered() == now
    row = (await queue.sql("SELECT * FROM executions WHERE execution_id = :id", id=by_job[0])).one()
    assert (row.due_at, row.not_before) == (later, later)
    assert (row.fails_at, row.deadline_at) == (later + timedelta(seconds=30), later + timedelta(seconds=60))
    steps = Steps(queue.database, queue.runner)
    answer = await steps.claim(inline=new_job(), not_before=later)
    assert (answer.outcome, answer.code) == ("QUEUED", "not_due")
    await queue.sql("UPDATE executions SET due_at = now() - interval '1 s' WHERE state = 'QUEUED'")
    assert {*await queue.offered()} == {*by_job, *by_call, steps.execution_id}


async def test_a_tenants_queue_is_capped_and_a_refusal_says_so(queue: Queue) -> None:
    await queue.limit("tenant:*", queue_max=3)
    await queue.limit("tenant:free", queue_max=9)
    await queue.ask(3, tenant="capped")
    await queue.ask(5, tenant="free")
    steps = await Steps(queue.database, queue.runner).created(tenant="capped")
    with pytest.raises(PermanentError, match="tenant capped") as refused:
        await queue.runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    assert refused.value.code == "queue_full"
    await queue.offered()
    many: list[Command] = [CreateJob(new_job(tenant="capped"), str(uuid4()), actor=SIGNOFF) for _ in range(5)]
    jobs = await queue.runner.submit.run(many)
    answers = await queue.runner.submit.run([ExecuteJob(job["id"], uuid4(), actor=SIGNOFF) for job in jobs])
    assert [getattr(answer, "code", "ok") for answer in answers] == ["ok"] * 3 + ["queue_full"] * 2


async def test_a_circuit_is_one_more_limit(queue: Queue) -> None:
    await queue.sql("INSERT INTO circuits VALUES ('writer', 9, 1, now() + interval '1 hour', NULL)")
    await queue.limit("agent:writer", concurrency=2)
    ids, others = await queue.ask(4), await queue.ask(2, agent_id="other")
    assert await queue.offered() == others
    await queue.sql("UPDATE circuits SET open_until = now()")
    assert await queue.offered() == ids[:1], "half open: one finds out"
    await queue.sql("DELETE FROM circuits")
    assert await queue.offered() == ids[1:2]


async def test_a_new_limit_waits_for_requests_under_way_and_finds_what_they_made(queue: Queue) -> None:
    async with queue.database.transaction() as connection:
        uow = UnitOfWork(queue.runner.terms)
        await STORES.lock(connection, uow, [(LimitsWish(lock=LimitsLock.SHARED),)])
        assert uow[Limits].is_held
        setting = asyncio.create_task(queue.limit("label:customer=acme", concurrency=1))
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        async with queue.database.session() as session, asyncio.timeout(10):
            while not await session.scalar(text(waits)):
                assert not setting.done()
    await setting
    assert (await queue.sql("SELECT count(*) FROM limits")).one()[0] == 1


async def test_dispatchers_that_would_choose_differently_pass_no_limit_together(queue: Queue) -> None:
    """Each has given another tenant more before, and so has another one to give to next."""
    tenants = ("a", "b", "c")
    everybody, offered = queue.dispatchers, list[UUID]()
    for tenant, dispatcher in zip(tenants, everybody, strict=True):
        await queue.ask(3, tenant=tenant)
        queue.dispatchers = [dispatcher]
        offered += await queue.offered()
    assert len(offered) == 9
    queue.dispatchers = everybody
    for running in range(10, 20):
        await queue.claimed(offered)
        await queue.limit("agent:writer", concurrency=running)
        for tenant in tenants:
            await queue.ask(1, tenant=tenant)
        offered = await queue.offered()
        assert len(offered) == 1


async def test_the_claim_of_an_execution_that_waited_says_for_what(queue: Queue) -> None:
    """One that did not wait says nothing; what no worker had room for was waited for, too."""
    queue.dispatchers = queue.dispatchers[:1]
    await queue.limit("tenant:press", concurrency=1)
    first, second = await queue.ask(2, tenant="press")
    assert await queue.offered() == [first]
    await has_passed(queue, 0.2)
    await queue.ended(first)
    await queue.sql("UPDATE workers SET room = 0")
    assert await queue.offered() == []
    await has_passed(queue, 0.2)
    await queue.sql("UPDATE workers SET room = 1000")
    assert await queue.offered() == [second]
    await queue.ended(second)
    assert await list_waits(queue, first) == []
    waits = await list_waits(queue, second)
    assert [(wait["code"], wait["name"]) for wait in waits] == [
        ("limit_concurrency", "tenant:press"),
        ("no_room", "executor"),
    ]
    assert waits[0]["until"] == waits[1]["since"]
    assert (await queue.sql("SELECT count(*) FROM executions WHERE waited IS NOT NULL")).one()[0] == 0


async def has_passed(queue: Queue, seconds: float) -> None:
    began = (await queue.sql("SELECT signoff_now()")).one()[0]
    await until(lambda: datetime.now(UTC) >= began + timedelta(seconds=seconds))


async def list_waits(queue: Queue, execution_id: UUID) -> list[dict[str, str]]:
    """What the only entry that has any says that an execution waited for."""
    query = "SELECT kind, waited::text AS waited FROM job_logs WHERE execution_id = :id AND waited IS NOT NULL"
    rows = await queue.sql(query, id=execution_id)
    assert [row.kind for row in rows] in ([], ["claimed"])
    return [wait for row in rows for wait in json.loads(row.waited)]
