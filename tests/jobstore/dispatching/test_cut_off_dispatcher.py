"""What one jobstore cannot publish, since the broker alone is out of its reach, another offers, and soon."""

import asyncio
import time
from collections.abc import Sequence

import asyncpg
import pytest
from support.factories import SECRETS
from support.fakes import until
from support.jobstore.steps import Published, Steps, seen

from jobstore.engine.database import CHANNEL, Database, Wake
from jobstore.engine.runner import CommandRunner
from jobstore.executions.dispatcher import CLAIMED_AFTER_S, POLL_S, Dispatcher
from jobstore.jobs.model import ExecutionStage
from jobstore.subjects import STORES
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing


class CutOff(Published):
    """Nothing is acknowledged in time until it is in reach."""

    def __init__(self) -> None:
        super().__init__()
        self.in_reach = asyncio.Event()
        self.tried = 0

    async def publish_records(self, records: Sequence[Outgoing]) -> None:
        if not self.in_reach.is_set():
            self.tried += 1
            await asyncio.sleep(0.3)
            raise TransientError("not acknowledged in time", code="kafka_unavailable")
        await super().publish_records(records)


def offered(*published: Published) -> list[object]:
    return [event.execution_id for each in published for event in each.events]


@pytest.mark.parametrize("stage", ExecutionStage)
async def test_what_is_not_acknowledged_is_offered_by_another_jobstore_at_once(
    steps: Steps,
    published: Published,
    database: Database,
    database_url: str,
    runner: CommandRunner,
    stage: ExecutionStage,
) -> None:
    """And meanwhile the one that is cut off offers nothing, and once it is not it does again."""
    cut_off = CutOff()
    one = Dispatcher(database, cut_off, runner.terms, SECRETS)  # type: ignore[arg-type]
    other = Dispatcher(database, published, runner.terms, SECRETS)  # type: ignore[arg-type]

    def wake(*message: object) -> None:
        for each in (one, other) if Wake.QUEUED in Wake.of_payload(str(message[-1])) else ():
            each.wake.set()

    listening = await asyncpg.connect(database_url)
    await listening.add_listener(CHANNEL, wake)

    if stage is ExecutionStage.JUDGING:
        await steps.result(await steps.running())
    await seen(database, stage, 10)
    running = [asyncio.create_task(one.run(runner, cut_off.in_reach.wait))]
    try:
        began = time.monotonic()
        if stage is ExecutionStage.JUDGING:
            await steps.due(-1)
        else:
            await steps.requested()
        one.wake.set()
        await until(lambda: cut_off.tried)
        running.append(
            asyncio.create_task(other.run(CommandRunner(database, STORES, runner.terms), asyncio.Event().wait))
        )
        await until(lambda: published.events)
        assert time.monotonic() - began < POLL_S / 2
        assert offered(published) == [steps.execution_id]
        assert runner.listeners.on_offered is None
        later = await Steps(database, runner).requested()
        await seen(database, ExecutionStage.EXECUTING, 10)
        other.wake.set()
        await until(lambda: later.execution_id in offered(published))
        assert cut_off.tried == 1

        cut_off.in_reach.set()
        await until(lambda: runner.listeners.on_offered is not None, CLAIMED_AFTER_S + 2)
        last = await Steps(database, runner).requested()
        await until(lambda: last.execution_id in offered(cut_off, published))
        assert len(set(offered(cut_off, published))) == len(offered(cut_off, published)) == 3
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await listening.close()
