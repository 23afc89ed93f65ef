"""A relay whose records nobody acknowledges lets another lead, and leads again once they are acknowledged."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.relays import make_relay
from support.jobstore.signed_facts import TopicsInMemory, make_keys
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing.relay import FactSigner, Relay
from servicekit.kafka.publisher import BoundedPublisher, Outgoing, UnacknowledgedError

LOCKS = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)


class CutOff:
    """A publisher whose records are acknowledged once the link is open again, and stand in the topics then."""

    def __init__(self, topics: TopicsInMemory) -> None:
        self.topics = topics
        self.is_open = False
        self.given_up: list[tuple[Outgoing, asyncio.Future[Any]]] = []

    async def send(self, records: Sequence[Outgoing], within_s: float | None = None) -> list[Any]:
        if self.is_open:
            return await self.topics.send(records)
        assert within_s is not None, "it would wait for ever"
        await asyncio.sleep(within_s)
        acks = [asyncio.get_running_loop().create_future() for _ in records]
        self.given_up += zip(records, acks, strict=True)
        return [UnacknowledgedError(ack) for ack in acks]

    async def open(self) -> None:
        self.is_open = True
        for record, ack in self.given_up:
            (place,) = await self.topics.send([record])
            ack.set_result(place)


async def until_told(topics: TopicsInMemory, count: int) -> None:
    async with asyncio.timeout(10):
        while sum(record.key is not None for record in topics.records) < count:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("beside_another", [True, False])
async def test_facts_go_on_elsewhere_and_here_once_they_are_acknowledged(
    database: Database, runner: CommandRunner, *, beside_another: bool
) -> None:
    topics = TopicsInMemory()
    cut_off = CutOff(topics)
    bounded = BoundedPublisher(cut_off, 0.2)  # type: ignore[arg-type]

    async def make_topics() -> None:
        pass

    relay = Relay(database, bounded, FactSigner(make_keys("a")), topics.end_offsets, lambda: bounded.wait(make_topics))
    await Steps(database, runner).created()
    running = [asyncio.create_task(relay.run())]
    try:
        async with asyncio.timeout(10):
            while not cut_off.given_up:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        async with database.session() as session, asyncio.timeout(5):
            while await session.scalar(LOCKS):  # noqa: ASYNC110 - the server ends its session soon
                await asyncio.sleep(0.01)
        await asyncio.sleep(1.5)  # it does not try to lead meanwhile
        async with database.session() as session:
            assert not await session.scalar(LOCKS)
        if beside_another:
            running.append(asyncio.create_task(make_relay(database, topics).run()))
            await until_told(topics, 1)
            running.pop().cancel()
        await cut_off.open()
        await Steps(database, runner).created()
        await until_told(topics, 2)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
