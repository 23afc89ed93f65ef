"""What a topic holds, shown and published again, on a real broker."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from support.kafka.batches import poison, produce

from contracts.events import CancelRequested
from contracts.signing import SIGNATURE_HEADER, FactKeys, Secrets, make_secret
from contracts.topics import REPLAY_HEADER, TOPICS
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import ensure_topics, wait_for_topics
from signoff.v1 import operations_service_pb2 as operations_pb

TOPIC = "cancel-requested"


@pytest.fixture(scope="module")
async def broker(kafka: str) -> str:
    await ensure_topics(KafkaAccess(kafka), 1)
    await wait_for_topics(KafkaAccess(kafka), "jobstore")
    return kafka


@pytest.fixture
async def producer(broker: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=broker) as made:
        yield made


@pytest.fixture
def replay(signoff, broker):
    async def run(*arguments: str, **fields):
        return await signoff("replay", *arguments, "--kafka", broker, **fields)

    return run


@pytest.fixture
def job_id() -> str:
    return f"job-{uuid4().hex[:12]}"


async def put(producer, job_id, count=3, partition=3, **headers):
    """Cancellations of one job; where the first of them stands."""
    events = [CancelRequested(execution_id=uuid4(), job_id=job_id, reason=f"number {n}") for n in range(count)]
    sent = [
        await producer.send_and_wait(
            TOPIC,
            event.model_dump_json().encode(),
            key=job_id.encode(),
            partition=partition,
            headers=[("ce_id", str(event.event_id).encode()), *((k, v.encode()) for k, v in headers.items())],
        )
        for event in events
    ]
    return events, sent[0].offset


async def test_records_are_selected_by_what_they_are_about(replay, producer, job_id):
    events, _ = await put(producer, job_id)
    await put(producer, f"{job_id}-other")
    ran = await replay(TOPIC, "--job", job_id, "--json")
    assert ran.status == 0, ran.err
    assert [line["value"] for line in ran.json_lines] == [event.model_dump(mode="json") for event in events]
    assert {line["job_id"] for line in ran.json_lines} == {job_id}
    for option, value in (("--execution", events[1].execution_id), ("--event-id", events[1].event_id)):
        (line,) = (await replay(TOPIC, option, str(value), "--json")).json_lines
        assert line["execution_id"] == str(events[1].execution_id)
    assert (await replay(TOPIC, "--job", "nobody")).out == "0 records\n"


async def test_a_batch_that_nobody_can_read_is_passed_by_and_told(replay, producer, broker):
    topic = "result-produced"
    first = (await producer.send_and_wait(topic, b"{}", partition=3)).offset
    await produce(KafkaAccess(broker), topic, 3, poison())
    await producer.send_and_wait(topic, b"{}", partition=3)
    about = topic, "--partition", "3", "--from-offset", str(first)
    ran = await replay(*about)
    assert ran.status == 0, ran.err
    unread = f"1 batches ({topic}/3 at {first + 1} to {first + 1})"
    assert ran.out.splitlines()[-2:] == ["2 records", f"passed by, since nobody can read them: {unread}"]
    *shown, told = (await replay(*about, "--json")).json_lines
    assert ([line["offset"] for line in shown], told["unread"]["batches"]) == ([first, first + 2], 1)


async def test_records_are_selected_by_offsets_the_last_included(replay, producer, job_id):
    events, first = await put(producer, job_id, 4)
    given = ["--partition", "3", "--from-offset", str(first + 1), "--to-offset", str(first + 2)]
    ran = await replay(TOPIC, *given, "--json")
    assert [line["offset"] for line in ran.json_lines] == [first + 1, first + 2]
    assert ran.json_lines[0]["event_id"] == str(events[1].event_id)
    beyond = await replay(TOPIC, "--partition", "3", "--from-offset", str(first + 4))
    assert (beyond.status, beyond.out) == (0, "0 records\n")


async def test_records_are_selected_by_time(replay, producer, job_id):
    await put(producer, job_id, 1)
    await asyncio.sleep(0.01)
    between = datetime.now(UTC).isoformat()
    await put(producer, job_id, 2)
    counts = [
        len((await replay(TOPIC, "--job", job_id, *given, "--json")).json_lines)
        for given in (["--since", between], ["--until", between], ["--since", "1h"], ["--until", "1h"])
    ]
    assert counts == [2, 1, 3, 0]


async def test_a_table_shows_each_record_and_its_headers_on_demand(replay, producer, job_id):
    await put(producer, job_id, 1, note="a [red]\x1b[2J note")
    table = (await replay(TOPIC, "--job", job_id)).out.splitlines()
    assert table[0].split()[:4] == ["partition", "offset", "time", "job"]
    at = re.escape(f"{datetime.now().astimezone():%Y-%m-%d}") + r" \d\d:\d\d:\d\d\.\d{3} \S+ "
    assert re.search(rf"^ +3 +\d+  {at} +{job_id} ", table[1])
    assert table[-1] == "1 record"
    shown = (await replay(TOPIC, "--job", job_id, "--headers")).out
    assert "note: a [red]" in shown
    assert "\x1b" not in shown
    (line,) = (await replay(TOPIC, "--job", job_id, "--headers", "--json")).json_lines
    assert line["headers"]["note"] == "a [red]\x1b[2J note"


async def test_what_is_no_json_is_shown_all_the_same(replay, producer, job_id):
    sent = await producer.send_and_wait(TOPIC, b"\xff{", key=job_id.encode(), partition=2)
    (line,) = (await replay(TOPIC, "--job", job_id, "--json")).json_lines
    assert (line["offset"], line.get("value"), base64.b64decode(line["value_base64"])) == (sent.offset, None, b"\xff{")
    assert "no JSON" in (await replay(TOPIC, "--job", job_id)).out


async def test_an_event_without_headers_has_its_id_all_the_same(replay, producer, job_id):
    event = CancelRequested(execution_id=uuid4(), job_id=job_id)
    await producer.send_and_wait(TOPIC, event.model_dump_json().encode())
    (line,) = (await replay(TOPIC, "--event-id", str(event.event_id), "--json")).json_lines
    assert line["job_id"] == job_id


async def test_records_are_published_again_as_they_were_and_say_so(replay, producer, broker, job_id):
    await put(producer, job_id, note="kept")
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=broker) as consumer:
        await consumer.seek_to_end()
        ran = await replay(TOPIC, "--job", job_id, "--publish", "--yes", "--json")
        assert (ran.status, ran.json) == (0, {"published": 3, "skipped": 0}), ran.err
        again = [await consumer.getone() for _ in range(3)]
    lines = (await replay(TOPIC, "--job", job_id, "--json", "--headers")).json_lines
    original = [line for line in lines if REPLAY_HEADER not in line["headers"]]
    for record, was in zip(again, original, strict=True):
        headers = {name: value.decode() for name, value in record.headers}
        assert headers.pop(REPLAY_HEADER)
        assert headers == was["headers"]
        assert (record.key.decode(), CancelRequested.model_validate_json(record.value).reason) == (
            was["key"],
            was["value"]["reason"],
        )
    twice = await replay(TOPIC, "--job", job_id, "--publish", "--yes", "--json")
    assert twice.json == {"published": 3, "skipped": 3}


@pytest.mark.parametrize(("says", "status", "published"), [("y\n", 0, 2), ("n\n", 1, 0), ("", 1, 0)])
async def test_it_asks_before_publishing(replay, producer, job_id, says, status, published):
    await put(producer, job_id, 2)
    ran = await replay(TOPIC, "--job", job_id, "--publish", stdin=says)
    assert ran.status == status
    assert "Publish 2 records again to cancel-requested?" in ran.err
    assert len((await replay(TOPIC, "--job", job_id, "--json")).json_lines) == 2 + published


async def test_nothing_to_publish_is_not_asked_about(replay):
    ran = await replay(TOPIC, "--job", "nobody", "--publish")
    assert (ran.status, ran.out) == (0, "0 published again\n")


@pytest.mark.parametrize("topic", sorted(name for name, topic in TOPICS.items() if topic.dlq is None))
async def test_facts_and_dead_letters_are_never_published_again(replay, topic):
    ran = await replay(topic, "--publish", "--yes")
    assert (ran.status, ran.out) == (2, "")
    assert "never published again" in ran.err


async def test_of_facts_it_says_who_signed_each_or_that_this_is_not_checked(replay, producer, env, job_id):
    old, new = make_secret("old", b"o" * 32), make_secret("new", b"n" * 32)
    keys, key = [FactKeys.derive(Secrets.parse(text)).signing for text in (old, new)], job_id.encode()
    marker = keys[0].make_marker("job-changed", 5)
    sent = await producer.send_and_wait("job-changed", b"", partition=5, headers=list(marker))
    for text, header in ((b'{"version":1}', keys[1].sign("job-changed", key, b'{"version":1}')), (b"{}", "v1,a")):
        headers = [(SIGNATURE_HEADER, header.encode())]
        await producer.send_and_wait("job-changed", text, key=key, partition=5, headers=headers)
    await producer.send_and_wait("job-changed", b"{}", key=key, partition=5)
    given = ["job-changed", "--partition", "5", "--from-offset", str(sent.offset)]

    told = [line["signature"] for line in (await replay(*given, "--json")).json_lines]
    assert told == ["not checked"] * 4
    table = (await replay(*given)).out.splitlines()
    assert [line.endswith("(not checked)") for line in table[1:5]] == [True] * 4
    assert "SIGNOFF_FACT_KEYS" in table[-1]

    env["SIGNOFF_SECRETS"] = f"{new},{old}"
    words = ["signed by old", "signed by new", "bad_signature", "unsigned"]
    assert [line["signature"] for line in (await replay(*given, "--json")).json_lines] == words
    table = (await replay(*given)).out.splitlines()
    assert table[1].endswith("marker (signed by old)")
    assert table[-1] == "4 records"
    del env["SIGNOFF_SECRETS"]
    env["SIGNOFF_FACT_KEYS"] = str(FactKeys.derive(Secrets.parse(new)))
    words[0] = "unknown_secret"
    assert [line["signature"] for line in (await replay(*given, "--json")).json_lines] == words


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-topic"], "execute-requested"),
        ([TOPIC, "--from-offset", "3"], "--partition"),
        ([TOPIC, "--partition", "0", "--from-offset", "3", "--to-offset", "2"], "lies before"),
        ([TOPIC, "--since", "yesterday"], "neither a time"),
        ([TOPIC, "--since", "1h", "--until", "2h"], "not after"),
        ([TOPIC, "--execution", "7"], "no UUID"),
    ],
)
async def test_bad_usage_is_2_and_says_what_is_wrong(replay, arguments, says):
    ran = await replay(*arguments)
    assert (ran.status, ran.out) == (2, "")
    assert says in ran.err


async def test_a_partition_that_is_not_there_is_2(replay):
    ran = await replay(TOPIC, "--partition", "99")
    assert (ran.status, "partitions 0 to 7" in ran.err) == (2, True)


async def test_a_broker_out_of_reach_is_4_and_an_unknown_one_2(signoff):
    away = await signoff("replay", TOPIC, "--kafka", "127.0.0.1:1", "--json")
    assert (away.status, "kafka_unavailable" in away.err) == (4, True)
    unknown = await signoff("replay", TOPIC)
    assert (unknown.status, "--kafka" in unknown.err) == (2, True)


LETTERS = ["--from-offset", "2", "--to-offset", "9", "--code", "unknown_job", "--job", "poem"]


async def test_dead_letters_are_redriven_page_by_page_up_to_those_that_were_there_at_first(signoff, jobstore):
    execution_id, why = uuid4(), ["--reason", "the jobs are there now"]
    asked = [*LETTERS, "--execution", str(execution_id), *why]
    ran = await signoff("dlq", "redrive", "execute-requested", *asked, "--yes", "--json")
    assert ran.json == {"redriven": 3, "skipped": 1, "forgotten": 1}, "as the jobstore says"
    first, last = jobstore.asked(operations_pb.ResolveDeadLettersRequest)
    chosen = {
        "topic": "execute-requested",
        "outcome": operations_pb.LETTER_OUTCOME_REDRIVEN,
        "code": "unknown_job",
        "job_id": "poem",
    }
    about = {"execution_id": str(execution_id), "reason": "the jobs are there now"}
    assert first == operations_pb.ResolveDeadLettersRequest(**chosen, **about, from_offset=2, to_offset=9)
    assert last == operations_pb.ResolveDeadLettersRequest(**chosen, **about, from_offset=5, to_offset=9)


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (["redrive", "execute-requested"], "Publish 3 again to execute-requested?"),
        (["discard", "execute-requested", "--reason", "old"], "Discard 3 dead letters of execute-requested?"),
    ],
)
async def test_it_asks_before_dead_letters_are_done(signoff, jobstore, command, question):
    ran = await signoff("dlq", *command, stdin="n\n")
    assert (ran.status, question in ran.err) == (1, True)
    assert all(asked.dry_run for asked in jobstore.asked(operations_pb.ResolveDeadLettersRequest))
    assert (await signoff("dlq", *command, stdin="y\n")).status == 0
    assert not jobstore.asked(operations_pb.ResolveDeadLettersRequest)[-1].dry_run


async def test_dead_letters_are_discarded_for_a_reason_alone(signoff, jobstore):
    assert (await signoff("dlq", "discard", "execute-requested", "--yes")).status == 2
    ran = await signoff("dlq", "discard", "execute-requested", "--reason", "tests", "--yes", "--json")
    assert (ran.status, ran.json) == (0, {"discarded": 3}), ran.err
    assert {each.outcome for each in jobstore.asked(operations_pb.ResolveDeadLettersRequest)} == {
        operations_pb.LETTER_OUTCOME_DISCARDED
    }


async def test_facts_have_no_dead_letters_to_redrive(signoff):
    ran = await signoff("dlq", "redrive", "job-changed", "--yes")
    assert "has no dead letters" in ran.err


@pytest.mark.parametrize("ms", [-9_000_000_000_000_000, -62_135_596_800_000])
async def test_a_record_of_a_time_that_no_calendar_has_is_shown_all_the_same(replay, producer, job_id, ms):
    await producer.send_and_wait(TOPIC, b"{}", key=job_id.encode(), timestamp_ms=ms)
    (line,) = (await replay(TOPIC, "--job", job_id, "--json")).json_lines
    assert line["time"][:4] in {"0001", "9999"}
    ran = await replay(TOPIC, "--job", job_id, "--until", "1h")
    assert ran.status == 0, ran.err
    assert (await replay(TOPIC, "--job", job_id)).out.endswith("1 record\n")
