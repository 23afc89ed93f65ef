"""An execution is offered by the transaction that requests it, then published, and offered again if that is lost."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.fakes import until
from support.jobstore.administered import pause_limit, put_agent, put_limit
from support.jobstore.steps import Published, Steps, new_job, seen, verdict

from contracts.resources import NewAgent, NewLimit, Policy
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CreateAndExecute, ExecuteJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.states import ROOM_TO_SPARE
from jobstore.executions.store import note_worker
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import SIGNOFF, ExecutionStage
from jobstore.jobs.store import Recorded
from jobstore.jobs.waits import explain_jobs, sum_up_all
from servicekit.errors import TransientError
from signoff.status import Outcome, ReportKind, Resubmit

#: Of which one transaction offers two.
ROOM = 8


@pytest.fixture
async def steps(database: Database, runner: CommandRunner, dispatcher: Dispatcher) -> AsyncIterator[Steps]:
    """A job, executors with ROOM, and a dispatcher that is told of offers."""
    async with database.transaction() as connection:
        for table in ("executions", "workers", "limits", "circuits"):
            await connection.execute(text(f"DELETE FROM {table}"))
    await seen(database, ExecutionStage.EXECUTING, ROOM)
    runner.listeners.on_offered = dispatcher.hand_over
    yield Steps(database, runner)
    runner.listeners.on_offered = None


async def test_it_is_offered_in_the_transaction_of_its_request(
    steps: Steps, dispatcher: Dispatcher, published: Published
) -> None:
    await steps.requested(policy={"queue_timeout_s": 60.0})
    row = await steps.row()
    assert (row.state, row.offers) == ("OFFERED", 1)
    assert row.fails_at is not None
    await dispatcher.publish_handed_over()
    assert [(event.execution_id, event.job_id) for event in published.events] == [(steps.execution_id, steps.job_id)]
    assert published.keyed == [False]
    await dispatcher.publish_handed_over()
    await dispatcher.offer()
    assert len(published.events) == 1
    assert (await steps.claim()).outcome == "GRANTED"
    assert [row.kind for row in await steps.logs()] == ["created", "requested", "claimed"]


async def test_nothing_is_offered_with_its_request_while_no_dispatcher_runs(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    runner.listeners.on_offered = None
    running = asyncio.create_task(dispatcher.run(runner, asyncio.Event().wait))
    await steps.requested()
    await until(lambda: published.events)
    assert runner.listeners.on_offered is not None
    running.cancel()
    await asyncio.wait([running])
    later = await Steps(database, runner).requested()
    row = await later.row()
    assert (row.state, row.offers) == ("QUEUED", 0)


async def test_what_was_under_way_as_the_dispatcher_ended_is_published_at_last(
    steps: Steps, dispatcher: Dispatcher, published: Published, runner: CommandRunner
) -> None:
    def stop(rows: Sequence[Recorded]) -> None:
        if rows[0].kind == "requested":  # that is committed by now
            runner.listeners.on_offered = None

    runner.listeners.on_recorded = stop
    await steps.requested()
    runner.listeners.on_recorded = None
    assert published.events == []
    await dispatcher.close()
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_no_more_is_offered_than_there_is_room_for_and_then_nothing_overtakes(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    lives = [Steps(database, runner) for _ in range(3)]
    requests: list[Command] = [
        CreateAndExecute(
            CreateJob(new_job(), each.job_id, actor=SIGNOFF),
            ExecuteJob(each.job_id, each.execution_id, actor=SIGNOFF),
            actor=SIGNOFF,
        )
        for each in lives
    ]
    await runner.submit.run(requests)
    assert [(await each.row()).state for each in lives] == ["OFFERED", "OFFERED", "QUEUED"]
    await seen(database, ExecutionStage.EXECUTING, 10)
    await steps.requested()
    assert (await steps.row()).state == "QUEUED", "another waits, and has its turn first"
    await dispatcher.publish_handed_over()
    await dispatcher.offer()
    order = [event.execution_id for event in published.events]
    assert order == [each.execution_id for each in (*lives, steps)]


@pytest.mark.parametrize("held_back_by", ["a limit", "an open circuit", "its time", "no worker"])
async def test_what_might_not_run_is_queued(steps: Steps, database: Database, held_back_by: str) -> None:
    fields = {"not_before": "2100-01-01T00:00:00Z"} if held_back_by == "its time" else {}
    async with database.transaction() as connection:
        if held_back_by == "a limit":
            await put_limit(connection, "agent:*", NewLimit(concurrency=1))
        elif held_back_by == "an open circuit":
            opened = "INSERT INTO circuits VALUES ('writer', 5, 1, clock_timestamp() + interval '1 h', NULL)"
            await connection.execute(text(opened))
        elif held_back_by == "no worker":
            await connection.execute(text("UPDATE workers SET seen_at = seen_at - interval '1 h'"))
    await steps.requested(**fields)
    assert (await steps.row()).state == "QUEUED"


@pytest.mark.parametrize("held_back_by", ["a limit", "an open circuit"])
async def test_what_holds_others_back_is_not_in_the_way(steps: Steps, database: Database, held_back_by: str) -> None:
    async with database.transaction() as connection:
        if held_back_by == "a limit":
            await pause_limit(connection, "agent:other", paused=True)
        else:
            await put_agent(connection, "other", NewAgent(name="other", url="http://127.0.0.1:2/"), create=True)
            opened = "INSERT INTO circuits VALUES ('other', 5, 1, clock_timestamp() + interval '1 h', NULL)"
            await connection.execute(text(opened))
    await steps.requested()
    assert (await steps.row()).state == "OFFERED"


async def test_where_room_is_to_spare_those_who_wait_for_something_else_are_passed(
    steps: Steps, database: Database, runner: CommandRunner, dispatcher: Dispatcher, published: Published
) -> None:
    """Whatever waits for a tenant that is paused, and however much."""
    async with database.transaction() as connection:
        await pause_limit(connection, "tenant:closed", paused=True)
    for _ in range(21):
        await Steps(database, runner).requested(tenant="closed")
    await seen(database, ExecutionStage.EXECUTING, ROOM_TO_SPARE + 1 - ROOM)  # beside those of before
    await steps.requested()
    later = await Steps(database, runner).requested()
    assert [(await each.row()).state for each in (steps, later)] == ["OFFERED", "QUEUED"]
    await dispatcher.publish_handed_over()
    await dispatcher.offer()
    assert [event.execution_id for event in published.events] == [steps.execution_id, later.execution_id]


async def test_a_limit_that_only_shares_or_caps_the_queue_holds_nothing_back(steps: Steps, database: Database) -> None:
    async with database.transaction() as connection:
        await put_limit(connection, "tenant:default", NewLimit(weight=0.5, queue_max=10))
    await steps.requested()
    assert (await steps.row()).state == "OFFERED"


@pytest.mark.usefixtures("steps")
async def test_requests_that_come_while_others_wait_take_no_share_of_theirs(
    dispatcher: Dispatcher, database: Database, runner: CommandRunner
) -> None:
    """Each tenant asks faster than there is room, and each request comes before the dispatcher sees what is free."""
    rounds, offered = (
        40,
        text("SELECT tenant, count(*) AS offers FROM executions WHERE state = 'OFFERED' GROUP BY tenant"),
    )
    async with database.transaction() as connection:
        await put_limit(connection, "tenant:large", NewLimit(weight=3.0))
        await connection.execute(text("DELETE FROM workers"))
    for _ in range(rounds):
        await seen(database, ExecutionStage.EXECUTING, 1, capacity=0)
        for tenant in ("large", "small"):
            await Steps(database, runner).requested(tenant=tenant)
        await dispatcher.offer()
    async with database.session() as session:
        shares = {row.tenant: row.offers for row in await session.execute(offered)}
    assert sum(shares.values()) == rounds
    assert shares["large"] / shares["small"] == pytest.approx(3.0, rel=0.2)


async def test_what_waits_for_its_time_is_in_nobodys_way_unless_it_is_much(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    for _ in range(19):
        await Steps(database, runner).requested(not_before="2100-01-01T00:00:00Z")
    await steps.requested()
    assert (await steps.row()).state == "OFFERED"
    await Steps(database, runner).requested(not_before="2100-01-01T00:00:00Z")
    last = await Steps(database, runner).requested()
    assert (await last.row()).state == "QUEUED"


async def test_a_limit_that_is_paused_later_takes_it_back(steps: Steps, database: Database) -> None:
    await steps.requested()
    async with database.transaction() as connection:
        await pause_limit(connection, "agent:writer", paused=True)
    assert (await steps.row()).state == "QUEUED"
    answer = await steps.claim()
    assert (answer.outcome, answer.code) == ("QUEUED", "limited")


async def test_what_the_broker_did_not_take_or_a_crash_forgot_is_offered_again(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    await steps.requested()
    published.away = True
    with pytest.raises(TransientError):
        await dispatcher.publish_handed_over()
    assert (await steps.row()).offers == 0, "an outage makes no wait grow"
    published.away = False
    await dispatcher.publish_handed_over()
    assert published.events == [], "it is forgotten, as by a crash"
    await Dispatcher(database, published, runner.terms, SECRETS).offer()  # type: ignore[arg-type]
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_the_next_submission_by_policy_is_offered_with_the_verdict(
    steps: Steps, dispatcher: Dispatcher, published: Published
) -> None:
    lease = await steps.judging(policy=Policy(resubmit=Resubmit.AUTOMATIC))
    await dispatcher.publish_handed_over()
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    await dispatcher.publish_handed_over()
    first, second = published.events
    assert (first.execution_id, second.job_id) == (steps.execution_id, steps.job_id)
    steps.execution_id = second.execution_id
    assert (await steps.row()).state == "OFFERED"


async def test_a_claim_without_room_queues_it_and_it_waits_until_room_is_told(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database
) -> None:
    """More may be offered than there is room for; that must not go round and round."""
    await steps.requested()
    await dispatcher.publish_handed_over()
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM workers"))
    answer = await steps.claim(room=0)
    assert (answer.outcome, answer.code) == ("QUEUED", "no_room")
    for _ in range(3):
        await dispatcher.offer()
    assert len(published.events) == 1
    assert dispatcher.held_back
    await seen(database, ExecutionStage.EXECUTING, 1)
    await dispatcher.offer()
    assert len(published.events) == 2


async def test_what_few_executors_call_is_offered_by_the_dispatcher_once_one_does(
    steps: Steps, dispatcher: Dispatcher, database: Database
) -> None:
    async with database.transaction() as connection:
        new = NewAgent(name="model", protocol="openai", url="http://127.0.0.1:1/", settings={"model": "m"})
        await put_agent(connection, "model", new, create=True)
        silent = WorkerRoom(ExecutionStage.EXECUTING, 8, 8, protocols=("http", "openai"))
        await note_worker(connection, UUID(int=1), silent)
        await connection.execute(text("UPDATE workers SET seen_at = 'epoch' WHERE protocols <> '{}'"))
    await steps.requested(agent_id="model")
    await dispatcher.offer()
    assert (await steps.row()).state == "QUEUED"
    async with database.session() as session:
        (reason,) = (await explain_jobs(session, [steps.job_id], 60.0))[steps.job_id].reasons
        (summed,) = (await sum_up_all(session, 60.0)).sums
    for each in (reason, summed):
        assert (each.code, each.name, each.owner) == ("protocol_not_called", "openai", "operator")
    async with database.transaction() as connection:
        await note_worker(connection, UUID(int=1), silent)
    await dispatcher.offer()
    assert (await steps.row()).state == "OFFERED"
