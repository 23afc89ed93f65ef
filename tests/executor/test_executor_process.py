"""The whole executor between a real broker, real gRPC and real HTTP, told to stop at bad moments."""

import asyncio
import contextlib
from uuid import UUID

import pytest
from fake_work import FakeWork
from fault_agent import hangs, says
from support.factories import execute_requested
from support.fakes import until

from contracts.events import ResultProduced
from contracts.topics import TOPIC_OF
from executor.app import main
from executor.config import Settings
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.publisher import Publisher


@pytest.fixture
async def work():
    return FakeWork()


@pytest.fixture
async def executor(work, kafka):
    """Runs an executor; yields what stops it and waits for its end."""
    await ensure_topics(KafkaAccess(kafka), 1)
    stop = asyncio.Event()
    async with work.serving() as address:
        settings = Settings(
            kafka=kafka, jobstore=address, executor_token="e" * 32, grace_s=2.0, agent_networks="127.0.0.0/8"
        )
        running = asyncio.create_task(main(stop, settings))

        async def stopped() -> None:
            stop.set()
            await asyncio.wait_for(running, 20)

        yield stopped
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


@pytest.fixture
async def request_of(work, kafka):
    """Publishes a request of a job whose agent has this URL; the id of its execution."""
    publisher = Publisher(KafkaAccess(kafka), "test")
    await publisher.start()
    work.urls = {}

    async def request(url: str) -> str:
        event = execute_requested()
        work.urls[str(event.execution_id)] = url
        await publisher.publish(event)
        return str(event.execution_id)

    yield request
    await publisher.stop()


def outcomes(work: FakeWork) -> set[str]:
    return {lease.execution_id for renewal in work.renewed for lease in renewal.outcomes}


def given_back(work: FakeWork) -> dict[str, bool]:
    return {b.lease.execution_id: b.begun for renewal in work.renewed for b in renewal.given_back}


async def test_a_request_becomes_a_call_and_its_result_an_event(agent, executor, work, request_of, kafka):
    topics = Topics(KafkaAccess(kafka))
    before = await topics.end_offsets(TOPIC_OF[ResultProduced])
    execution_id = await request_of(agent.does(says(b"1")))
    await until(lambda: execution_id in outcomes(work))
    assert agent.calls[0].headers["Idempotency-Key"] == execution_id
    after = await topics.end_offsets(TOPIC_OF[ResultProduced])
    await topics.close()
    assert sum(after.values()) == sum(before.values()) + 1
    assert UUID(work.renewed[0].owner)
    await executor()


async def test_a_claim_that_is_under_way_when_it_is_told_to_stop_is_not_lost(agent, executor, work, request_of):
    execution_id = await request_of(agent.does(says(b"1")))
    work.open.clear()
    await until(lambda: any(execution_id in str(c.request) for request in work.begun for c in request.claims))
    stopping = asyncio.create_task(executor())
    asyncio.get_running_loop().call_later(0.2, work.open.set)
    await stopping
    assert execution_id in outcomes(work) | given_back(work).keys()


async def test_a_call_that_outlasts_the_grace_time_is_handed_back(agent, executor, work, request_of):
    execution_id = await request_of(agent.does(hangs))
    await until(lambda: agent.calls)
    await executor()
    assert given_back(work) == {execution_id: True}
    assert work.renewed[-1].room == 0
    assert execution_id not in outcomes(work)


async def test_leases_are_renewed_until_the_end(agent, executor, work, request_of):
    """Also while a claim under way, which nobody answers, is waited for."""
    work.lease_s = 0.5
    await request_of(agent.does(hangs))
    await until(lambda: agent.calls)
    work.open.clear()
    await request_of(agent.does(says(b"1")))
    claims = len(work.begun)
    await until(lambda: len(work.begun) > claims)
    stopping = asyncio.create_task(executor())
    await until(lambda: work.renewed[-1].room == 0)
    renewals = len(work.renewed)
    await until(lambda: len(work.renewed) > renewals + 5)
    work.open.set()
    await stopping
