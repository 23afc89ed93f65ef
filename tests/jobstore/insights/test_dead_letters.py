"""Dead letters are counted by topic, and the newest are listed with their reasons."""

from datetime import UTC, datetime, timedelta

from support.factories import record

from contracts.events import CancelRequested
from contracts.identity import new_execution_id
from jobstore.insights.dead_letters import DeadLetterTopics
from servicekit.errors import PermanentError
from servicekit.kafka.dead_letters import to_dead_letter
from servicekit.kafka.publisher import Publisher
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
    assert last.at > datetime.now(UTC) - timedelta(minutes=5)
    assert len(await dead.list_newest(1)) == 1
    await dead.close()
    await publisher.stop()
