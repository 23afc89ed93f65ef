"""Signoff on a cluster that others use, too: each of its topics and groups has a prefix, and all goes on as without."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from support.system import WAIT_S, Agent, Judge, System, running, signoff

from contracts.resources import NewAgent
from contracts.topics import TOPICS
from signoff.status import JobStatus

PREFIX = "press."
T = TypeVar("T")


@pytest.fixture
async def press(
    judge: Judge, agent: Agent, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    """A system whose topics have a prefix, which all processes that are started here know, too."""
    monkeypatch.setenv("SIGNOFF_TOPIC_PREFIX", PREFIX)
    async with running(tmp_path_factory.mktemp("press"), judge) as system:
        await system.client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        yield system


async def wait_for(read: Callable[[], Awaitable[T]], is_there: Callable[[T], bool]) -> T:
    """What is read, once it is as it must become."""
    async with asyncio.timeout(WAIT_S):
        while True:
            if is_there(found := await read()):
                return found
            await asyncio.sleep(0.05)


# It starts a system of its own, in the minute in which others start theirs.
@pytest.mark.timeout(300)
async def test_with_a_prefix_a_life_a_redrive_a_replay_and_a_rebuild_work_as_without(
    press: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job lives, dead letters come and go, facts are published again, and a lost database is made again."""
    job = await press.create()
    await press.client.execute_job(job.id)
    assert (await press.at_rest(job.id)).status is JobStatus.COMPLETED

    await press.producer.send_and_wait(f"{PREFIX}execute-requested", b"not JSON")
    letters = await wait_for(lambda: press.client.list_dead_letters(page_size=50), lambda found: bool(found.items))
    assert [letter.source_topic for letter in letters.items] == [f"{PREFIX}execute-requested"]
    (redriven,) = await signoff(press, "dlq", "redrive", "execute-requested", "--yes")
    assert redriven["redriven"] == 1

    count = len(await press.logs(job.id))
    facts = await wait_for(
        lambda: signoff(press, "replay", "job-changed", "--job", job.id), lambda found: len(found) == count
    )
    assert {fact["signature"] for fact in facts} == {"signed by local"}
    for topic in ("execute-requested", "result-produced", f"{PREFIX}job-status-reported"):
        (published,) = await signoff(press, "replay", topic, "--publish", "--yes")
        assert published["published"] > 0
    rebuilt = f"{press.endpoints['postgres']}_rebuilt"
    *_, told = await signoff(press, "rebuild", "--database-url", rebuilt, "--create")
    assert told["counts"]["jobs"] == 1
    (verified,) = await signoff(press, "verify", "--database-url", rebuilt)
    assert verified["ok"]
    assert json.dumps(await signoff(press, "doctor")).count(f"topic {PREFIX}") == len(TOPICS)

    admin = AIOKafkaAdminClient(bootstrap_servers=press.endpoints["kafka"])
    await admin.start()
    names = [*await admin.list_topics(), *(group for group, _ in await admin.list_consumer_groups())]
    await admin.close()
    assert [name for name in names if not name.startswith((PREFIX, "__"))] == []
    assert {f"{PREFIX}{name}" for name in TOPICS} <= set(names)

    assert press.endpoints["topic_prefix"] == PREFIX
    monkeypatch.delenv("SIGNOFF_TOPIC_PREFIX")
    with pytest.raises(AssertionError, match="set SIGNOFF_TOPIC_PREFIX to that"):
        await signoff(press, "replay", "job-changed")
    with pytest.raises(AssertionError, match="set SIGNOFF_TOPIC_PREFIX to that"):
        await signoff(press, "rebuild", "--database-url", rebuilt)
