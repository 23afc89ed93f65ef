"""Dead letters are counted by topic, and the newest are listed with their reasons."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.factories import record

from contracts.events import CancelRequested
from contracts.identity import new_execution_id
from jobstore.insights import dead_letters
from jobstore.insights.dead_letters import DeadLetterTopics
from servicekit.errors import PermanentError
from servicekit.kafka.dead_letters import to_dead_letter
from servicekit.kafka.history import History
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.kafka.topics import ensure_topics


async def test_dead_letters_are_counted_and_the_newest_say_why(kafka: str) -> None:
    await ensure_topics(kafka, 1)
    publisher, dead = Publisher(kafka, "test"), DeadLetterTopics(kafka)
    await publisher.start()
    before = (await dead.count())["cancel-requested-dlq"]
    event = CancelRequested(execution_id=new_execution_id(), job_id="a-job")
    for offset in (7, 8):
        body = record(event.model_dump_json().encode(), topic="cancel-requested", offset=offset, key=b"a-job")
        letter = to_dead_letter("cancel-requested-dlq", body, PermanentError("it says nothing", code="malformed"))
        (sent,) = await publisher.send([letter])
        assert not isinstance(sent, Exception)
    dead._counted_at = -1_000
    assert (await dead.count())["cancel-requested-dlq"] == before + 2
    last, first = (await dead.list_newest(500))[:2]
    assert (first.source_offset, last.source_offset) == (7, 8)
    assert (last.topic, last.source_topic, last.source_partition) == ("cancel-requested-dlq", "cancel-requested", 3)
    assert (last.code, last.message, last.key) == ("malformed", "it says nothing", "a-job")
    assert last.body == event.model_dump_json()
    assert last.body_bytes == len(last.body)
    assert last.at > datetime.now(UTC) - timedelta(minutes=5)
    assert len(await dead.list_newest(1)) == 1
    await dead.close()
    await publisher.stop()


async def test_a_list_reads_no_more_than_its_bytes_and_shows_the_newest(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_topics(kafka, 1)
    monkeypatch.setattr(dead_letters, "LIST_MAX_BYTES", 1 << 20)
    topic, size = "execute-requested-dlq", 200 << 10
    publisher = Publisher(kafka, "test")
    await publisher.start()
    for _ in range(30):
        (sent,) = await publisher.send([Outgoing(topic, os.urandom(size), None, [])])
        assert not isinstance(sent, Exception)
    await publisher.stop()
    read_all, read = History.read, list[int]()

    async def spied(history: History, offsets: Any) -> AsyncIterator[list[Any]]:
        async for records in read_all(history, offsets):
            read.extend(len(one.value) for one in records if one.topic == topic)
            yield records

    monkeypatch.setattr(History, "read", spied)
    dead = DeadLetterTopics(kafka)
    letters = [letter for letter in await dead.list_newest(500) if letter.topic == topic]
    shown = [letter.offset for letter in letters]
    await dead.close()
    assert sent.offset + 1 - len(shown) > 0
    assert shown == list(range(sent.offset, sent.offset - len(shown), -1))
    assert len(shown) >= 3
    assert {letter.body_bytes for letter in letters} == {size}
    assert all(len(letter.body or "") <= dead_letters.BODY_MAX_BYTES for letter in letters)
    assert sum(read) <= 4 << 20  # and what the broker sends at once
