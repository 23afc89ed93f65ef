"""The dispatcher offers within room and by priority, again at growing intervals, and through outages of the broker."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.steps import Published, Steps, seen

from contracts.events import ExecuteRequested, ResultProduced
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions import offers
from jobstore.executions.dispatcher import POLL_S, Dispatcher
from jobstore.jobs.model import ExecutionStage
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing


async def test_nothing_is_offered_to_nobody(steps: Steps, dispatcher: Dispatcher, published: Published) -> None:
    await steps.requested()
    await dispatcher.offer()
    assert published.events == []
    assert (await steps.row()).state == "QUEUED"


async def test_offers_do_not_exceed_the_room_and_go_by_priority(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    low = await steps.requested(priority=1)
    high = await Steps(database, runner).requested(priority=9)
    middle = await Steps(database, runner).requested(priority=5)
    await seen(database, ExecutionStage.EXECUTING, 2)
    await dispatcher.offer()
    await dispatcher.offer()  # the two that are offered take up the room
    assert [event.execution_id for event in published.events] == [high.execution_id, middle.execution_id]
    assert published.keyed == [False, False]
    assert (await low.row()).state == "QUEUED"
    assert isinstance(published.events[0], ExecuteRequested)


async def test_what_is_marked_and_not_published_is_offered_again(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    """Rule `mark-before-publish`: marked, committed, and only then published; a broker that loses it loses no job."""
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    published.away = True
    with pytest.raises(TransientError):
        await dispatcher.offer()
    assert (await steps.row()).state == "OFFERED"
    published.away = False
    await steps.due(-1)
    await Dispatcher(database, published, runner.terms, SECRETS).offer()  # type: ignore[arg-type]
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_what_is_marked_is_published_although_the_jobstore_stops(
    steps: Steps, published: Published, database: Database, runner: CommandRunner
) -> None:
    """Else it would wait until it is offered again, in whichever jobstore."""
    marked, may_publish, publish = asyncio.Event(), asyncio.Event(), published.publish_records

    async def publish_later(records: Sequence[Outgoing]) -> None:
        marked.set()
        await may_publish.wait()
        await publish(records)

    published.publish_records = publish_later  # type: ignore[method-assign]
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    dispatcher = Dispatcher(database, published, runner.terms, SECRETS)  # type: ignore[arg-type]
    running = asyncio.create_task(dispatcher.run(runner, asyncio.Event().wait))
    await marked.wait()
    running.cancel()
    await asyncio.sleep(0)
    may_publish.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_a_result_that_nobody_judges_is_published_again_as_it_was(
    steps: Steps, dispatcher: Dispatcher, published: Published
) -> None:
    """Rule `offer-again`."""
    lease = await steps.running()
    await steps.result(lease, {"text": "blue", "n": 2**70})
    await steps.due(-1)
    await dispatcher.offer()
    (event,) = published.events
    assert isinstance(event, ResultProduced)
    assert (event.result, event.lease, event.job_id) == ({"text": "blue", "n": 2**70}, lease, steps.job_id)
    assert event.acceptance_criteria == 'Says "blue"'


async def test_offers_again_come_at_growing_intervals(steps: Steps, database: Database) -> None:
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    intervals = []
    for _ in range(3):
        await steps.due(-1)
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE executions SET state = 'OFFERED'"))
            await offers.offer_again(connection, ExecutionStage.EXECUTING, 1, offers.OfferTerms(5.0, 60.0, 60.0))
            due = text("SELECT extract(epoch FROM due_at - now()) FROM executions WHERE execution_id = :id")
            intervals.append(round(float(await connection.scalar(due, {"id": steps.execution_id}) or 0)))
    assert intervals == [5, 10, 20]


async def test_an_outage_of_the_broker_makes_no_interval_grow(
    steps: Steps, dispatcher: Dispatcher, published: Published, database: Database, runner: CommandRunner
) -> None:
    await steps.requested()
    await seen(database, ExecutionStage.EXECUTING, 1)
    published.away = True
    for _ in range(5):
        with pytest.raises(TransientError):
            await Dispatcher(database, published, runner.terms, SECRETS).offer()  # type: ignore[arg-type]
        await steps.due(-1)
    published.away = False
    await dispatcher.offer()
    async with database.transaction() as connection:
        due = text("SELECT extract(epoch FROM due_at - now()) FROM executions WHERE execution_id = :id")
        due_in_s = float(await connection.scalar(due, {"id": steps.execution_id}) or 0)
    assert 0 < due_in_s <= runner.terms.offer_again_s
    assert [event.execution_id for event in published.events] == [steps.execution_id]


async def test_the_dispatcher_waits_for_what_is_due_next(steps: Steps, dispatcher: Dispatcher) -> None:
    """Nobody notifies it of the time at which an execution may begin, or an offer is to be made again."""
    await seen(steps.database, ExecutionStage.EXECUTING, 5)
    await steps.requested()
    await steps.due(2.0)
    assert not await dispatcher.offer()
    assert 1.0 < dispatcher._wait_s <= 2.0
    await steps.due(-1)
    await dispatcher.offer()
    await dispatcher.offer()
    assert 4.0 < dispatcher._wait_s <= 5.0, "then the offer is made again"
    await steps.due(3.0)
    await dispatcher.offer()
    assert 2.0 < dispatcher._wait_s <= 3.0
    await steps.due(-1)
    assert await dispatcher.offer(), "there may be more, and the next due time is not known"
    assert not await dispatcher.offer()


async def test_what_is_held_back_is_looked_at_when_room_is_told_and_not_again_and_again(
    steps: Steps, dispatcher: Dispatcher, published: Published
) -> None:
    lease = await steps.running()
    await steps.result(lease)
    async with steps.database.transaction() as connection:  # as a lapsed judging lease leaves it
        await connection.execute(text("UPDATE executions SET state = 'QUEUED', due_at = now() - interval '1 s'"))
    assert not await dispatcher.offer()
    assert (dispatcher._wait_s, dispatcher.held_back) == (POLL_S, True), "no validator has room"
    await seen(steps.database, ExecutionStage.JUDGING, 1)
    await dispatcher.offer()
    assert [event.execution_id for event in published.events] == [steps.execution_id]
    await dispatcher.offer()
    assert not dispatcher.held_back


async def test_an_open_circuit_is_looked_at_when_it_admits_a_probe(
    steps: Steps, dispatcher: Dispatcher, published: Published
) -> None:
    await seen(steps.database, ExecutionStage.EXECUTING, 5)
    await steps.requested()
    opened = "INSERT INTO circuits VALUES ('writer', 5, 1, clock_timestamp() + interval '2 s', NULL)"
    async with steps.database.transaction() as connection:
        await connection.execute(text(opened))
    await dispatcher.offer()
    assert 1.0 < dispatcher._wait_s <= 2.0
    async with steps.database.transaction() as connection:
        await connection.execute(text("UPDATE circuits SET open_until = now()"))
    await dispatcher.offer()
    assert [event.execution_id for event in published.events] == [steps.execution_id]
    async with steps.database.transaction() as connection:
        await connection.execute(text("DELETE FROM circuits"))
