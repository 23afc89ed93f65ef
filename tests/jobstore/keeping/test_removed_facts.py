"""What topics are told of removed jobs, also when a broker has come back empty."""

import json
from typing import Any

from sqlalchemy import text
from support.jobstore.relays import make_relay
from support.jobstore.removed import removed
from support.jobstore.signed_facts import TopicsInMemory
from support.jobstore.steps import Steps, verdict

from contracts.events import JobChanged
from contracts.topics import TOPIC_OF
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from signoff.status import Outcome, ReportKind

CANARY = "canary-5b1d"


async def test_a_broker_that_comes_back_empty_is_told_the_last_entry_alone(
    database: Database, runner: CommandRunner
) -> None:
    steps, other = Steps(database, runner), Steps(database, runner)
    for each in (steps, other):
        await each.report(await each.judging(title=CANARY), ReportKind.VERDICT, verdict=verdict(Outcome.PASS))
    topics = TopicsInMemory()
    relay = make_relay(database, topics)

    async def told(job_id: str) -> list[int]:
        facts = [r for r in topics.records if r.topic == TOPIC_OF[JobChanged] and r.key == job_id.encode()]
        return [json.loads(fact.value)["version"] for fact in facts]

    async def publish(session: Any) -> None:
        while await relay.relay(session) or relay.has_gaps:
            pass

    async with database.session() as session:
        await relay.load(session)
        await publish(session)
        versions = await told(steps.job_id)
        assert versions == list(range(1, len(versions) + 1))
        await removed(database, runner, steps.job_id)
        await publish(session)
        last = versions[-1] + 1
        assert (await told(steps.job_id))[-1] == last
        assert CANARY not in str([r.value for r in topics.records if r.key == steps.job_id.encode()][-1])
        for is_cut in (False, True):
            if is_cut:
                cut = "DELETE FROM job_logs WHERE job_id = :id AND kind <> 'removed'"
                async with database.transaction() as connection:
                    await connection.execute(text(cut), {"id": steps.job_id})
            topics.empty()
            await relay._begin_again(session)
            await publish(session)
            assert await told(steps.job_id) == [last]
            assert await told(other.job_id) == list(range(1, len(await other.logs()) + 1))
