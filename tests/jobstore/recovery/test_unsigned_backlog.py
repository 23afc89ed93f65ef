"""The upgrade to signed reports: what was accepted before it, and what workers had said, is not lost by it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from support.factories import SECRETS
from support.jobstore.older import older_copy
from support.jobstore.steps import Steps, reported, result, swept, verdict

from contracts.events import Event, JobStatusReported, ResultProduced
from contracts.resources import Policy
from contracts.status import Delivery, ReportKind
from jobstore.handlers import EventHandlers
from jobstore.recovery.unsigned_backlog import handle_unsigned_backlog
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Subscription
from servicekit.kafka.topics import ensure_topics

ONCE = Policy(delivery=Delivery.AT_MOST_ONCE)


@pytest.fixture
async def publisher(kafka: str) -> AsyncIterator[Publisher]:
    await ensure_topics(kafka, 1)
    publisher = Publisher(kafka, "test")
    await publisher.start()
    yield publisher
    await publisher.stop()


def subscriptions(publisher: Publisher, database: Database, runner: CommandRunner) -> Sequence[Subscription[Any]]:
    handlers, group = EventHandlers(runner, database, SECRETS), uuid4().hex
    of = {JobStatusReported: handlers.on_job_status_reported, ResultProduced: handlers.on_result_produced}

    def make(event: type[Any]) -> Subscription[Any]:
        return Subscription(
            publisher,
            event,
            f"{group}-{event.__name__}",
            of[event],
            check_record=lambda record: handlers.check_report(event, record),
            choose_dead=lambda refused: handlers.choose_dead(event, refused),
        )

    return [make(event) for event in of]


async def test_the_upgrade_loses_nothing_that_was_accepted(
    database: Database, database_url: str, runner: CommandRunner, publisher: Publisher, kafka: str
) -> None:
    answered, judged, failed, lost, again, queued, late = steps = [Steps(database, runner) for _ in range(7)]
    said: list[Event] = []
    lease = await answered.running(policy=ONCE)
    said.append(result(answered.execution_id, answered.job_id, lease))
    lease = await judged.judging()
    said.append(reported(judged.execution_id, judged.job_id, lease, ReportKind.VERDICT, verdict=verdict()))
    lease = await failed.running(policy=ONCE)
    said.append(reported(failed.execution_id, failed.job_id, lease, ReportKind.FAILED, code="agent_error"))
    await lost.running(policy=ONCE)
    await again.running()
    await queued.requested()
    late_lease = await late.judging()
    await publisher.publish(*said)  # unsigned, as before

    async with older_copy(database_url, "0011") as upgraded:
        await upgraded.migrate()
        runner = CommandRunner(upgraded, runner.terms)
        for each in steps:
            each.database, each.runner = upgraded, runner
        readers = subscriptions(publisher, upgraded, runner)
        await handle_unsigned_backlog(kafka, upgraded, readers, SECRETS)

        row = await answered.row()
        assert (row.stage, row.state, row.result_lease) == ("JUDGING", "OFFERED", 1)
        assert (await judged.job()).status == "COMPLETED"
        assert ((await failed.job()).status, (await failed.logs())[-1].code) == ("FAILED", "agent_error")
        assert [(await each.row()).state for each in (lost, again, queued)] == ["LEASED", "LEASED", "QUEUED"]

        for each in (lost, again):  # their workers were stopped
            await each.due(-1)
        await swept(upgraded, runner)
        assert ((await lost.job()).status, (await lost.logs())[-1].code) == ("FAILED", "lease_lapsed")
        assert ((await again.job()).status, (await again.row()).state) == ("IN_PROGRESS", "QUEUED")

        # From then on what is not signed changes nothing, also after another start.
        forged = reported(late.execution_id, late.job_id, late_lease, ReportKind.VERDICT, verdict=verdict())
        await publisher.publish(forged)
        await handle_unsigned_backlog(kafka, upgraded, readers, SECRETS)
        assert (await late.job()).status == "IN_PROGRESS"


async def test_a_new_database_has_no_time_before_signatures(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    assert await connection.fetch("SELECT * FROM upgrades") == []
    await connection.close()
