"""Dead letters are counted by topic, the newest open ones are listed with their reasons, and each is done once."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.factories import SECRETS, record
from support.jobstore.steps import Steps

from contracts.events import ExecuteRequested
from contracts.resources import NewResolution
from contracts.signing import SIGNATURE_HEADER, FactKeys, Secrets, make_secret
from contracts.topics import TOPICS
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import NotFoundError
from jobstore.insights import dead_letters
from jobstore.insights.dead_letters import MARK_HEADER, DeadLetterTopics, Mark
from jobstore.jobs.model import BOOTSTRAP
from servicekit.errors import PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics, ensure_topics
from servicekit.kafka.dead_letters import to_dead_letter
from servicekit.kafka.history import History, Record
from servicekit.kafka.publisher import Outgoing, Publisher
from signoff.status import LetterOutcome
from signoff.types import DeadLetterResolution, Resolved
from signoff.values import new_execution_id

TOPIC, DLQ = "execute-requested", "execute-requested-dlq"
KEYS = FactKeys.derive(SECRETS)


@dataclass
class Desk:
    """Operators at a jobstore: what they ask for concerns the letters of one test alone, from its first offset on."""

    kafka: str
    publisher: Publisher
    make: Callable[..., DeadLetterTopics]
    letters: DeadLetterTopics
    begins: int
    source: dict[int, int]

    async def bury(self, code: str = "unknown_job", job_id: str = "a-job", **headers: str) -> UUID:
        """A request that its consumer has buried; its execution."""
        event = ExecuteRequested(execution_id=new_execution_id(), job_id=job_id)
        body = event.model_dump_json().encode()
        request = record(body, topic=TOPIC, offset=7, key=job_id.encode(), headers=((SIGNATURE_HEADER, b"s"),))
        letter = to_dead_letter(DLQ, request, PermanentError("it is wrong", code=code))
        added = [(name, value.encode()) for name, value in headers.items()]
        await self.put(letter.value, letter.key, [*letter.headers, *added])
        return event.execution_id

    async def put(self, value: bytes, key: bytes | None, headers: Any) -> int:
        (sent,) = await self.publisher.send([Outgoing(DLQ, value, key, headers)])
        assert not isinstance(sent, Exception)
        return int(sent.offset)

    async def resolve(self, outcome: LetterOutcome = LetterOutcome.REDRIVEN, **fields: Any) -> Resolved:
        asked = {"topic": TOPIC, "outcome": outcome, "from_offset": self.begins, **fields}
        return await self.letters.resolve(NewResolution(**asked), BOOTSTRAP)

    async def redriven(self) -> list[Record]:
        """The records that were published again since the test began."""
        async with History(KafkaAccess(self.kafka), TOPIC) as history:
            spans = {n: range(self.source[n], span.stop) for n, span in (await history.offsets()).items()}
            return [each for batch in [batch async for batch in history.read(spans)] for each in batch]

    async def executions(self) -> list[str]:
        return sorted(json.loads(each.value or b"")["execution_id"] for each in await self.redriven())

    async def open(self) -> int:
        """How many letters of this test are open, by the count of another jobstore, which knows nothing yet."""
        other = self.make()
        count, listed = (await other.count())[DLQ], (await other.list_newest(500)).letters
        await other.close()
        shown = [letter for letter in listed if letter.topic == DLQ and letter.offset >= self.begins]
        assert all(letter.resolution is None for letter in shown)
        assert count >= len(shown)
        return len(shown)


@pytest.fixture
async def desk(kafka: str, database: Database, runner: CommandRunner) -> AsyncIterator[Desk]:
    await ensure_topics(KafkaAccess(kafka), 1)
    publisher, topics = Publisher(KafkaAccess(kafka), "test"), Topics(KafkaAccess(kafka))
    await publisher.start()

    def make(keys: FactKeys = KEYS) -> DeadLetterTopics:
        return DeadLetterTopics(KafkaAccess(kafka), keys, database, runner, publisher)

    letters = make()
    source = dict(await topics.end_offsets(TOPIC))
    yield Desk(kafka, publisher, make, letters, (await topics.end_offsets(DLQ))[0], source)
    await letters.close()
    await topics.close()
    await publisher.stop()


async def test_dead_letters_are_counted_and_the_newest_say_why(desk: Desk) -> None:
    before = (await desk.letters.count())[DLQ]
    more = {"dlq-repeats": "12", "dlq-last-offset": "19"}
    first_id, last_id = [str(await desk.bury(code, **more)) for code in ("unknown_job", "malformed")]
    desk.letters._counted_at = -1_000
    assert (await desk.letters.count())[DLQ] == before + 2
    last, first = (await desk.letters.list_newest(500)).letters[:2]
    assert first_id in (first.body or "")
    assert (last.topic, last.source_topic, last.source_partition, last.source_offset) == (DLQ, TOPIC, 3, 7)
    assert (last.code, last.message, last.key) == ("malformed", "it is wrong", "a-job")
    assert last_id in (last.body or "")
    assert last.body_bytes == len(last.body or "")
    assert last.at > datetime.now(UTC) - timedelta(minutes=5)
    assert (last.repeats, last.source_last_offset) == (12, 19)
    assert len((await desk.letters.list_newest(1)).letters) == 1


async def test_the_oldest_and_the_newest_open_letter_of_a_topic_are_found(desk: Desk) -> None:
    last_id = [str(await desk.bury(code)) for code in ("unknown_job", "unknown_job", "malformed")][-1]
    ends = (await desk.letters.list_ends())[DLQ]
    assert ends.number == (await desk.letters.count())[DLQ]
    assert ends.oldest is not None
    assert ends.newest is not None
    assert ends.oldest.offset <= desk.begins
    assert (ends.newest.code, last_id in (ends.newest.body or "")) == ("malformed", True)
    await desk.resolve(LetterOutcome.DISCARDED, code="malformed")
    left = (await desk.letters.list_ends())[DLQ]
    assert left.newest is not None
    assert (left.number, left.newest.code) == (ends.number - 1, "unknown_job")
    await desk.resolve(LetterOutcome.DISCARDED)
    alone = await desk.bury("unknown_job")
    desk.letters._counted_at = -1_000
    one = (await desk.letters.list_ends())[DLQ]
    assert one.newest is not None
    assert str(alone) in (one.newest.body or "")


async def test_pages_hold_every_letter_once_though_others_are_done_and_come(desk: Desk) -> None:
    for _ in range(5):
        await desk.bury("unknown_job")
    whole = [(each.topic, each.offset) for each in (await desk.letters.list_newest(500)).letters]
    seen, before = [], None
    while True:
        page = await desk.letters.list_newest(2, before)
        assert 1 <= len(page.letters) <= 2
        seen += [(each.topic, each.offset) for each in page.letters]
        before = page.before
        if before is None:
            break
        await desk.bury("malformed")
    assert seen == whole


async def test_a_letter_is_redriven_as_it_came_and_once_however_often_that_is_asked(desk: Desk) -> None:
    ids = [str(await desk.bury()) for _ in range(3)]
    await desk.bury("schema_mismatch")
    await desk.bury(**{"dlq-body": "cut"})
    assert await desk.resolve(code="unknown_job", dry_run=True) == Resolved(letters=3, skipped=1)
    assert await desk.open() == 5
    assert await desk.resolve(code="unknown_job") == Resolved(letters=3, skipped=1)
    for _ in range(3):
        assert await desk.resolve(code="unknown_job") == Resolved(letters=0, skipped=1)
    assert await desk.executions() == sorted(ids)
    assert {each.headers for each in await desk.redriven()} == {((SIGNATURE_HEADER, b"s"),)}, (
        "it is processed as if new"
    )
    assert {each.key for each in await desk.redriven()} == {b"a-job"}
    assert await desk.open() == 2


async def test_what_comes_back_is_one_letter_more_and_no_more(desk: Desk) -> None:
    """The queue of 48 requests that were refused again stays at 48."""
    for number in range(4):
        for _ in range(3):
            await desk.bury()
        await desk.resolve()
        assert len(await desk.redriven()) == 3 * (number + 1)
    assert await desk.open() == 0


async def test_two_operators_at_two_jobstores_publish_each_letter_once(desk: Desk) -> None:
    ids = [str(await desk.bury()) for _ in range(20)]
    others = [desk.make() for _ in range(3)]
    asked = NewResolution(topic=TOPIC, outcome=LetterOutcome.REDRIVEN, from_offset=desk.begins)
    resolved = await asyncio.gather(*(each.resolve(asked, BOOTSTRAP) for each in [desk.letters, *others] * 2))
    assert sorted(each.letters for each in resolved) == [0] * 7 + [20]
    assert await desk.executions() == sorted(ids)
    for other in others:
        await other.close()


async def test_copies_of_one_letter_are_published_once(desk: Desk) -> None:
    execution_id = await desk.bury()
    async with History(KafkaAccess(desk.kafka), DLQ) as history:
        spans = {0: range(desk.begins, desk.begins + 1)}
        (letter,) = [each async for batch in history.read(spans) for each in batch]
    await desk.put(letter.value or b"", letter.key, letter.headers)
    assert (await desk.resolve()).letters == 2
    assert await desk.executions() == [str(execution_id)]
    assert await desk.open() == 0


async def test_a_caller_that_goes_away_leaves_nothing_half_done(desk: Desk) -> None:
    ids = [str(await desk.bury()) for _ in range(3)]
    caller = asyncio.create_task(desk.resolve())
    await asyncio.sleep(0)
    caller.cancel()
    assert (await desk.resolve()).letters in {0, 3}
    assert await desk.executions() == sorted(ids)


async def test_a_mark_that_is_not_acknowledged_leaves_letters_open_to_be_redriven_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The execution ids are the same: what is requested twice is answered once."""
    ids = [str(await desk.bury()) for _ in range(2)]
    send: Callable[..., Awaitable[Any]] = desk.publisher.send

    async def lose_marks(records: Any, **fields: Any) -> Any:
        if records[0].topic == DLQ:
            return [TransientError("the broker is away", code="kafka_unavailable")]
        return await send(records, **fields)

    with monkeypatch.context() as patch:
        patch.setattr(desk.publisher, "send", lose_marks)
        with pytest.raises(TransientError):
            await desk.resolve()
    assert await desk.open() == 2
    assert (await desk.resolve()).letters == 2
    assert await desk.executions() == sorted(ids * 2)


async def test_it_says_by_whom_why_and_when_letters_were_done(desk: Desk) -> None:
    for code in ("unknown_job", "schema_mismatch", "unknown_job"):
        await desk.bury(code)
    await desk.resolve(code="schema_mismatch", reason="of a client that is gone", outcome=LetterOutcome.DISCARDED)
    await desk.resolve(to_offset=desk.begins)
    assert await desk.open() == 1
    assert len(await desk.redriven()) == 1, "what was discarded is not published"
    newest = [
        each for each in (await desk.letters.list_newest(9, include_done=True)).letters if each.offset >= desk.begins
    ]
    done = [each.resolution for each in reversed(newest)]
    assert [each and (each.outcome, each.reason, each.actor) for each in done] == [
        ("REDRIVEN", None, "token:bootstrap"),
        ("DISCARDED", "of a client that is gone", "token:bootstrap"),
        None,
    ]
    assert all(each is None or each.at > datetime.now(UTC) - timedelta(minutes=5) for each in done)


async def test_all_are_discarded_at_once_also_what_is_not_whole_or_no_letter_at_all(desk: Desk) -> None:
    await desk.bury(**{"dlq-body": "omitted"})
    await desk.put(b"\xff", None, [])
    await desk.bury("schema_mismatch")
    assert await desk.resolve(outcome=LetterOutcome.DISCARDED, reason="tests") == Resolved(letters=3)
    assert await desk.open() == 0
    assert await desk.redriven() == []


async def test_the_letters_of_one_call_are_bounded_and_the_next_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "RESOLVED_MAX", 2)
    ids = [str(await desk.bury()) for _ in range(3)]
    first = await desk.resolve()
    assert first == Resolved(letters=2, next_offset=desk.begins + 2, to_offset=desk.begins + 2)
    ids += [str(await desk.bury())]  # as a record does that is refused again
    rest = {"from_offset": first.next_offset, "to_offset": first.to_offset}
    assert await desk.resolve(**rest) == Resolved(letters=1)
    assert await desk.executions() == sorted(ids[:3])
    monkeypatch.setattr(dead_letters, "READ_MAX_BYTES", 0)
    await desk.bury("schema_mismatch")
    assert (await desk.resolve(code="schema_mismatch")).next_offset is not None


async def test_letters_are_chosen_by_their_job_and_execution(desk: Desk) -> None:
    ids = [await desk.bury(job_id=job_id) for job_id in ("poem", "song", "poem")]
    assert (await desk.resolve(job_id="poem", dry_run=True)).letters == 2
    assert (await desk.resolve(job_id="poem", execution_id=ids[1])).letters == 0
    assert (await desk.resolve(job_id="poem", execution_id=ids[2])).letters == 1
    assert await desk.executions() == [str(ids[2])]


@pytest.mark.parametrize("topic", ["job-changed", DLQ, "nowhere"])
async def test_a_topic_without_dead_letters_is_refused(desk: Desk, topic: str) -> None:
    with pytest.raises(NotFoundError) as refused:
        await desk.resolve(topic=topic)
    assert refused.value.code == "no_dlq"


def forged(offsets: list[tuple[int, int]], topic: str = DLQ, **about: Any) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A mark with a signature, but perhaps not the jobstore's of this topic."""
    resolution = DeadLetterResolution(outcome=LetterOutcome.DISCARDED, actor="x", at=datetime.now(UTC))
    value = Mark(offsets=offsets, resolution=resolution).model_dump_json().encode()
    keys = about.get("keys", KEYS)
    return value, [(MARK_HEADER, b"v1"), (SIGNATURE_HEADER, keys.signing.sign(topic, None, value).encode())]


async def test_a_strangers_mark_marks_nothing_and_is_a_letter_itself(desk: Desk) -> None:
    await desk.bury()
    span = [(desk.begins, desk.begins)]
    other = FactKeys.derive(Secrets.parse(make_secret("old", b"o" * 32)))
    for value, headers in (forged(span, keys=other), forged(span, topic="cancel-requested-dlq")):
        await desk.put(value, None, headers)
    await desk.put(forged(span)[0], None, [(MARK_HEADER, b"v1")])
    await desk.put(b"no mark", None, forged(span)[1])
    assert await desk.open() == 5


async def test_a_mark_that_was_copied_says_nothing_new(desk: Desk) -> None:
    await desk.bury()
    value, headers = forged([(desk.begins, desk.begins + 100)])
    assert await desk.put(value, None, headers) == desk.begins + 1
    await desk.bury()
    assert await desk.open() == 1, "it speaks of letters before it alone"
    await desk.resolve()
    await desk.put(value, None, headers)
    newest = [
        each for each in (await desk.letters.list_newest(500, include_done=True)).letters if each.offset >= desk.begins
    ]
    assert [each.resolution and each.resolution.actor for each in newest] == ["token:bootstrap", "x"]


async def test_a_wrong_record_that_is_redriven_is_processed_anew_and_the_log_says_who_asked(
    desk: Desk, database: Database, runner: CommandRunner, caplog: pytest.LogCaptureFixture
) -> None:
    steps = Steps(database, runner)
    steps.execution_id = await desk.bury(job_id=steps.job_id)
    assert (await steps.claim()).outcome == "INVALID"
    await steps.created()
    again = await steps.claim()  # as after an offset reset
    assert (again.outcome, again.code) == ("INVALID", "unknown_job")
    assert again.message.startswith(f"no job had the id {steps.job_id} when this execution was first asked for")
    row = await steps.row()
    retention = TOPICS[TOPIC].retention
    assert retention is not None
    assert row.due_at - row.created_at > retention - timedelta(seconds=5)
    caplog.set_level("WARNING")
    assert await desk.resolve() == Resolved(letters=1, forgotten=1)
    (line,) = [vars(line) for line in caplog.records if "answer was forgotten" in line.message]
    told = line["execution_id"], line["answer"], line["actor"]
    assert told == (steps.execution_id, "refused:unknown_job", "token:bootstrap")
    assert (await steps.claim()).outcome == "GRANTED"
    await desk.bury(job_id=steps.job_id)
    await desk.resolve()
    assert (await steps.row()).state == "LEASED", "nothing of what runs is forgotten"


async def test_a_list_reads_no_more_than_its_bytes_and_shows_the_newest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "LIST_MAX_BYTES", 1 << 20)
    size = 200 << 10
    offsets = [await desk.put(os.urandom(size), None, []) for _ in range(30)]
    await desk.letters.count()  # what it reads once to find marks is another matter
    read_all, read = History.read, list[int]()

    async def spied(history: History, offsets: Any) -> AsyncIterator[list[Any]]:
        async for records in read_all(history, offsets):
            read.extend(len(one.value) for one in records if one.topic == DLQ)
            yield records

    monkeypatch.setattr(History, "read", spied)
    letters = [letter for letter in (await desk.letters.list_newest(500)).letters if letter.topic == DLQ]
    shown = [letter.offset for letter in letters]
    assert len(shown) < len(offsets)
    assert shown == offsets[: -len(shown) - 1 : -1]
    assert len(shown) >= 3
    assert {letter.body_bytes for letter in letters} == {size}
    assert all(len(letter.body or "") <= dead_letters.BODY_MAX_BYTES for letter in letters)
    assert sum(read) <= 4 << 20  # and what the broker sends at once


async def test_done_letters_hide_no_open_one_however_many_follow_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "LIST_MAX_BYTES", 1 << 16)
    execution_id = str(await desk.bury())
    begins = desk.begins + 1
    for _ in range(8):
        await desk.put(os.urandom(1 << 14), None, [])
    await desk.resolve(from_offset=begins, outcome=LetterOutcome.DISCARDED, reason="noise")
    newest = [each for each in (await desk.letters.list_newest(500)).letters if each.topic == DLQ]
    assert execution_id in (newest[0].body or "")
    assert newest[0].offset == desk.begins


def test_what_is_open_is_found_between_what_is_done() -> None:
    """By the queue that a jobstore keeps in memory, against a set of offsets."""
    queue, done = dead_letters._Queue(), set[int]()
    why = DeadLetterResolution(outcome=LetterOutcome.REDRIVEN, actor=str(uuid4()), at=datetime.now(UTC))
    for first, stop in ((5, 9), (20, 30), (8, 22), (0, 1), (40, 41), (0, 3), (39, 45), (12, 13)):
        queue._close(range(first, stop), why)
        done |= set(range(first, stop))
        for begin in range(50):
            spans = queue.find_letters(range(begin, 50))
            assert [each for span in spans for each in span] == [each for each in range(begin, 50) if each not in done]
            assert (queue.find_resolution(begin) is why) == (begin in done)
    queue.forget(21)
    assert [each for span in queue.find_letters(range(21, 50)) for each in span] == [*range(30, 39), *range(45, 50)]
