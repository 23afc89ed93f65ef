"""What administrators set is in force again in a rebuilt database, and nothing begins where it was not found whole."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from pydantic_core import from_json, to_json
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.administered import pause_limit, put_agent, put_limit, put_old_limit, remove_limit
from support.jobstore.steps import Published, Steps, new_job, verdict
from support.jobstore.terms import IDS
from told_facts import KEYS, TOPICS, Facts, Since, empty, rebuilding, verified
from told_lives import claimed_and_judged
from told_settings import ODD, items_of, made

from contracts.resources import NewAgent, NewJob, NewLimit, Usage
from contracts.topics import MESSAGE_MAX_BYTES
from contracts.waiting import WaitCode
from jobstore.engine import facts as stored_facts
from jobstore.engine.database import Database
from jobstore.engine.facts import ADMINISTRATION, PART_ROWS
from jobstore.engine.runner import CommandRunner
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.insights.processes import read_backlog
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import BOOTSTRAP, ExecutionStage
from jobstore.jobs.waits import explain_jobs
from jobstore.limits.commands import ConfirmLimits
from jobstore.limits.store import get_limit
from jobstore.operations.commands import CreateOperation, OperationSpec
from jobstore.operations.worker import OperationWorker, make_items
from jobstore.recovery.database_age import check_age
from jobstore.subjects import STORES
from jobstore.tenants.store import adopt_tenants
from servicekit.errors import PermanentError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import Outgoing
from signoff.status import OperationKind, Outcome, ReportKind


class World:
    """A jobstore, the topics to which it tells its facts, and a database that is made of them."""

    def __init__(self, facts: Facts, source: tuple[Database, str], again: tuple[Database, str], like: Any) -> None:
        self.facts = facts
        self.database, self.url = source
        self.again, self.again_url = again
        self.runner = CommandRunner(self.database, STORES, like.terms)
        self.runner_again = CommandRunner(self.again, STORES, like.terms)

    async def rebuild(self) -> dict[str, Any]:
        await self.facts.relay(self.database)
        return dict(await rebuilding(self.again, self.open).run())

    def open(self, topic: str) -> Since:
        return Since(KafkaAccess(self.facts.kafka), topic)

    async def told(self, kind: str) -> list[dict[str, Any]]:
        """The facts of a kind, in order."""
        query = "SELECT body::text FROM facts WHERE topic = :topic AND body ->> 'kind' = :kind ORDER BY seq"
        async with self.database.session() as session:
            return [
                from_json(row) for row in await session.scalars(text(query), {"topic": ADMINISTRATION, "kind": kind})
            ]

    async def read(self, query: str) -> list[Any]:
        """The rows of a query on the rebuilt database."""
        async with self.again.session() as session:
            return [tuple(row) for row in await session.execute(text(query))]

    async def requested(self, **fields: Any) -> Steps:
        return await Steps(self.database, self.runner).requested(**fields)

    def same(self, steps: Steps) -> Steps:
        """The same life in the rebuilt database."""
        same = Steps(self.again, self.runner_again)
        same.job_id, same.execution_id = steps.job_id, steps.execution_id
        return same

    async def offered(self) -> list[str]:
        """The jobs that the rebuilt database offers to an executor with room."""
        published = Published()
        async with self.again.transaction() as connection:
            await note_worker(connection, uuid4(), WorkerRoom(ExecutionStage.EXECUTING, 100, 100))
        self.dispatcher = Dispatcher(self.again, published, self.runner.terms, SECRETS)  # type: ignore[arg-type]
        await self.dispatcher.offer()
        return [event.job_id for event in published.events]

    async def advised(self) -> bool:
        """Return whether operators are advised to confirm limits, by the last dispatcher and by Diagnose alike."""
        async with self.again.session() as session:
            is_lost = (await read_backlog(session)).are_limits_lost
        assert is_lost == ("signoff limits confirm" in (self.dispatcher.advise() or ""))
        return is_lost

    async def reasons(self, *jobs: Steps) -> list[list[WaitCode]]:
        async with self.again.session() as session:
            found = await explain_jobs(session, [job.job_id for job in jobs], alive_s=60.0)
        return [[reason.code for reason in found[job.job_id].reasons] for job in jobs]


@pytest.fixture
async def world(
    postgres: str, facts: Facts, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(Since, "began", {topic: await facts.topics.end_offsets(topic) for topic in TOPICS})
    async with empty(postgres) as source, empty(postgres) as again:
        await source[0].migrate()
        async with source[0].transaction() as connection:
            for name in ("writer", "resting"):
                await put_agent(connection, name, NewAgent(name=name, url="http://127.0.0.1:1/"), create=True)
            await stored_facts.begin_administration(connection)
        yield World(facts, source, again, runner)


async def test_what_was_paused_or_limited_is_so_in_the_rebuilt_database_before_anything_is_offered(
    world: World,
) -> None:
    free, paused = await world.requested(), await world.requested(agent_id="resting")
    labelled = [await world.requested(labels={"team": "a"}) for _ in range(3)]
    async with world.database.transaction() as connection:
        await pause_limit(connection, "agent:resting", paused=True)
        await put_limit(connection, "label:team=a", NewLimit(concurrency=1))
        await put_limit(connection, "tenant:default", NewLimit(concurrency=0))
        await remove_limit(connection, "tenant:default")
    assert not (await world.rebuild())["are_limits_lost"]
    assert (await verified(world.again_url, world.url))["ok"]
    offered = await world.offered()
    assert (free.job_id in offered, paused.job_id in offered) == (True, False)
    assert sum(job.job_id in offered for job in labelled) == 1
    assert await world.reasons(paused) == [[WaitCode.LIMIT_PAUSED]]
    assert (await world.same(paused).claim()).code == "limited"


async def test_what_a_tenant_spent_this_day_is_found_again_in_the_log_and_holds_it_back(world: World) -> None:
    spender = await world.requested(tenant="press")
    claimed = await spender.claim()
    assert claimed.execution is not None
    await spender.result(claimed.execution.lease, usage=Usage(cost_usd="0.75"))
    judging = await spender.claim_judging(claimed.execution.lease)
    assert judging.execution is not None
    judged = {"verdict": verdict(Outcome.PASS), "usage": Usage(cost_usd="0.25")}
    await spender.report(judging.execution.lease, ReportKind.VERDICT, **judged)
    waiting, other = await world.requested(tenant="press"), await world.requested(tenant="other")
    async with world.database.transaction() as connection:
        limit = NewLimit(usd_per_day="1", judge_policies=["cheap", "standard"])
        await put_limit(connection, "tenant:press", limit)
    await world.rebuild()
    assert await world.read("SELECT tenant, agents_nanos, judges_nanos FROM spending") == [
        ("press", 750_000_000, 250_000_000)
    ]
    assert await world.reasons(waiting) == [[WaitCode.LIMIT_USD_PER_DAY, WaitCode.NO_WORKER]]
    offered = await world.offered()
    assert (waiting.job_id in offered, other.job_id in offered) == (False, True)
    async with world.again.session() as session:
        found = await get_limit(session, "tenant:press")
    assert found is not None
    assert (found.usd_per_day, found.judge_policies) == (1, ["cheap", "standard"])


async def test_nothing_begins_until_an_operator_confirms_limits_that_were_not_found_whole(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.database.transaction() as connection:
        await pause_limit(connection, "agent:resting", paused=True)
    one, other = await world.requested(), await world.requested(agent_id="resting")
    monkeypatch.setattr(Since, "drops", staticmethod(lambda record: b'"complete"' in (record.value or b"")))
    assert (await world.rebuild())["are_limits_lost"]

    assert await world.offered() == []
    assert await world.advised()
    assert (await world.same(one).claim()).outcome == "QUEUED"
    assert await world.reasons(one, other) == [[WaitCode.LIMITS_LOST], [WaitCode.LIMITS_LOST, WaitCode.LIMIT_PAUSED]]
    async with world.again.transaction() as connection:
        await stored_facts.begin_administration(connection)  # a jobstore that starts confirms nothing
    requested_now = await world.same(Steps(world.again, world.runner_again)).requested()
    assert (await requested_now.row()).state == "QUEUED"
    assert await world.offered() == []

    await world.runner_again.limit.run_one(ConfirmLimits(actor=BOOTSTRAP))
    assert sorted(await world.offered()) == sorted([one.job_id, requested_now.job_id])
    assert not await world.advised()
    assert await world.reasons(other) == [[WaitCode.LIMIT_PAUSED]]


async def test_what_was_confirmed_is_found_whole_by_the_next_rebuild(
    world: World, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.database.transaction() as connection:
        await pause_limit(connection, "agent:resting", paused=True)
    await world.requested()
    await world.facts.relay(world.database)
    lost = (await world.facts.topics.end_offsets(ADMINISTRATION))[0]
    is_lost = staticmethod(lambda record: record.topic == ADMINISTRATION and record.offset < lost)
    monkeypatch.setattr(Since, "drops", is_lost)
    assert (await world.rebuild())["are_limits_lost"]
    async with world.again.transaction() as connection:
        await put_limit(connection, "agent:writer", NewLimit(concurrency=3))
    await world.runner_again.limit.run_one(ConfirmLimits(actor=BOOTSTRAP))
    await world.facts.relay(world.again)
    async with empty(postgres) as (third, _):
        result = await rebuilding(third, world.open).run()
        assert not result["are_limits_lost"]
        async with third.session() as session:
            assert await session.scalars(text("SELECT name FROM limits")) == ["agent:writer"]
            assert await session.scalar(text("SELECT count(*) FROM jobs")) == 1


async def test_a_batch_that_is_half_way_goes_on_in_the_rebuilt_database_and_asks_for_nothing_twice(
    world: World,
) -> None:
    batch_id = uuid4()
    known = await Steps(world.database, world.runner).created()
    items = make_items(IDS, batch_id, [known.job_id, "unknown"], [NewJob(**ODD, agent_id="writer"), NewJob(**ODD)])
    new = CreateOperation(batch_id, OperationSpec(items=items, name="half"), actor=BOOTSTRAP)
    await world.runner.administer.run_one(new)
    assert await OperationWorker(world.database, world.runner, items_max=2).work()
    await world.rebuild()
    assert (await verified(world.again_url, world.url))["ok"]

    worker = OperationWorker(world.again, world.runner_again)
    await worker.run_until_answered(batch_id)
    rows = await world.read(
        "SELECT item, job_id, answered, spec, execution_id IS NULL, code FROM operation_items ORDER BY 1"
    )
    jobs = [item.job_id for item in items]
    assert [row[1] for row in rows] == jobs
    assert all((answered, spec) == (True, None) for _, _, answered, spec, *_ in rows)
    assert [row[5] for row in rows] == [None, "unknown_job", None, "illegal_transition"]
    assert await world.read("SELECT count(*), count(DISTINCT job_id) FROM executions WHERE request_version > 0") == [
        (2, 2)
    ]
    assert await world.read("SELECT payload::text FROM jobs WHERE agent_id IS NULL") == [
        (to_json(ODD["payload"]).decode(),)
    ]
    await world.runner_again.administer.run_one(new)  # the same request: the batch is there


async def test_items_of_an_operation_that_is_not_found_end_no_rebuild(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A topic that was emptied, and is being filled again, may have these alone."""
    batch_id = uuid4()
    items = make_items(IDS, batch_id, ["unknown"], [])
    new = CreateOperation(batch_id, OperationSpec(items=items), actor=BOOTSTRAP)
    await world.runner.administer.run_one(new)
    lost = (b'"complete"', b'"operations"')
    is_lost = staticmethod(lambda record: any(kind in (record.value or b"") for kind in lost))
    monkeypatch.setattr(Since, "drops", is_lost)
    assert (await world.rebuild())["are_limits_lost"]
    assert await world.read("SELECT count(*) FROM operation_items") == [(0,)]


async def test_items_are_told_in_parts_that_fit_their_topic(world: World) -> None:
    batch_id = uuid4()
    jobs = [NewJob(**ODD | {"description": "x" * 2_000 * (n % 2)}) for n in range(2_500)]
    items = make_items(IDS, batch_id, [], jobs)
    await world.runner.administer.run_one(CreateOperation(batch_id, OperationSpec(items=items), actor=BOOTSTRAP))
    parts = await world.told("operation_items")
    assert sum(len(part["rows"]) for part in parts) == 2_500
    assert max(len(part["rows"]) for part in parts) <= PART_ROWS
    assert max(len(to_json(part)) for part in parts) < MESSAGE_MAX_BYTES / 4
    assert 3 < len(parts) < 10
    await world.rebuild()
    assert (await verified(world.again_url, world.url))["ok"]


@pytest.mark.parametrize("shadow", [True, False])
async def test_results_that_an_operation_judges_again_are_judged_anew(world: World, shadow: bool) -> None:
    one = await world.requested()
    await claimed_and_judged(one, Outcome.PASS)
    spec = OperationSpec(OperationKind.REJUDGE, items_of(one), parameters={"shadow": shadow})
    operation_id = await made(world.runner, spec)
    async with world.database.transaction() as connection:  # no snapshot gave the item its execution
        query = "UPDATE operation_items SET execution_id = :execution_id"
        await connection.execute(text(query), {"execution_id": one.execution_id})
    assert await OperationWorker(world.database, world.runner).work()
    await world.rebuild()
    assert (await verified(world.again_url, world.url))["ok"]
    assert await world.read("SELECT count(*) FROM judgings") == [(0,)]
    await OperationWorker(world.again, world.runner_again).run_until_answered(operation_id)
    assert await world.read("SELECT group_id, execution_id, state FROM judgings") == [
        (operation_id, one.execution_id, "QUEUED")
    ]


async def test_a_stranger_resumes_nothing_by_a_fact(world: World) -> None:
    async with world.database.transaction() as connection:
        await pause_limit(connection, "agent:resting", paused=True)
    (paused,) = await world.told("limits")
    forged = paused | {"cursor": 10**6, "rows": [paused["rows"][0] | {"paused": False}]}
    complete = (await world.told("complete"))[0] | {"cursor": 10**6 + 1}
    await world.facts.relay(world.database)
    records = [Outgoing(ADMINISTRATION, to_json(each), each["name"].encode(), []) for each in (forged, complete)]
    assert not [ack for ack in await world.facts.publisher.send(records) if isinstance(ack, Exception)]
    result = await world.rebuild()
    assert result["left"] == {ADMINISTRATION: {"unsigned": 2}}
    assert await world.read("SELECT name, paused FROM limits") == [("agent:resting", True)]


async def test_a_database_that_lacks_what_administrators_set_is_refused(world: World) -> None:
    """Restored from before a pause, it would call the agent."""
    await world.rebuild()
    async with world.open(ADMINISTRATION) as topic:
        await check_age(world.again, topic, KEYS)
        async with world.database.transaction() as connection:
            await pause_limit(connection, "agent:resting", paused=True)
        await world.facts.relay(world.database)
        await check_age(world.database, topic, KEYS)
        with pytest.raises(PermanentError, match="agent:resting") as refused:
            await check_age(world.again, topic, KEYS)
    assert refused.value.code == "database_older_than_facts"


async def test_tenants_of_before_have_their_present_names(world: World) -> None:
    """Facts have the names that their tenants had as these were told, and those of releases before tell no tenants."""
    of_before = replace(world.runner.terms, known_tenants={"Old Team": "Old Team", "fits": "fits"})
    before = CommandRunner(world.database, STORES, of_before)
    for tenant in ("Old Team", "fits"):
        await Steps(world.database, before).requested(tenant=tenant)
    await world.facts.relay(world.database)
    async with world.database.transaction() as connection:
        await adopt_tenants(connection)
        await stored_facts.begin_administration(connection)
    anew = CommandRunner(world.database, STORES, replace(of_before, known_tenants={}))
    later = uuid4()
    await anew.submit.run_one(CreateJob(new_job(tenant="Old Team"), str(later), actor=BOOTSTRAP))
    await world.rebuild()
    found = await verified(world.again_url, world.url)
    assert found["differences"] == []
    named = "SELECT DISTINCT tenant FROM jobs UNION SELECT DISTINCT tenant FROM executions ORDER BY tenant DESC"
    ((name,),) = await world.read("SELECT name FROM tenants WHERE renamed_from = 'Old Team'")
    assert await world.read(named) == [(name,), ("fits",)]


async def test_limits_of_a_jobstore_of_before_register_the_same_tenants_here_and_there(world: World) -> None:
    """It sets them meanwhile for tenants that nobody has registered, and may be the only one that says who is one."""
    async with world.database.transaction() as connection:
        for name in ("tenant:fits", "tenant:Old Team", "tenant:*"):
            await put_old_limit(connection, name, NewLimit(concurrency=2))
        # The next one starts.
        await adopt_tenants(connection)
        await stored_facts.begin_administration(connection)
    await world.rebuild()
    assert (await verified(world.again_url, world.url))["differences"] == []
    former = "SELECT coalesce(renamed_from, name) FROM tenants ORDER BY renamed_from"
    assert await world.read(former) == [("Old Team",), ("fits",)]
