"""A subscription on a real broker: bad records to the dead-letter queue, good ones handled, nothing skipped."""

import asyncio
import os
import signal
import time

import pytest
from subscribing import TOPIC, body, subscribed
from support.fakes import until
from support.kafka.topics import count_calls, count_requests

from contracts.events import ExecuteRequested
from contracts.signing import SIGNATURE_HEADER
from contracts.topics import REPLAY_HEADER
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.broker import Topics
from servicekit.kafka.dead_letters import Forgeries
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import (
    FETCH_MAX_WAIT_MS,
    STOP_TIMEOUT_S,
    ConsumerDeadError,
    Subscription,
    count_unread,
    make_broker,
    stop_consuming,
)
from signoff.errors import ErrorCode


async def test_bad_records_become_dead_letters_and_good_ones_are_handled_once(place, dlq, handler):
    await place.put(body("a"), b"{", body("b"), None, body("c"))
    await place.put(b"[", headers=[(REPLAY_HEADER, b"1")])  # came from the queue, and is no second letter
    await place.put(body("d"), headers=[("ce_id", b"\xff\xfe"), ("kept", b"1")])
    async with subscribed(place, handler):
        letters = await dlq.records(3)
        await until(lambda: len(handler.seen) == 3)
    assert (handler.seen, letters[0].value[:15]) == (["a", "b", "c"], b'{"execution_id"')
    assert not any("dlq-repeats" in dict(letter.headers) for letter in letters), "nor a repeat of one"
    assert letters[0].headers[:2] == (("ce_id", b"\xff\xfe"), ("kept", b"1"))
    assert {letter.value for letter in letters[1:]} == {b"{", b""}
    codes = [dict(letter.headers)["dlq-error-code"] for letter in letters]
    assert (codes[0], {*codes[1:]}) == (b"malformed_header", {b"malformed_json", b"empty_body"})
    assert await place.uncommitted() == 0


async def test_records_that_fail_alike_leave_one_dead_letter_but_one_each_where_they_name_an_execution(
    place, dlq, handler, caplog
):
    named = [body(job)[:-1] for job in "abc"]
    await place.put(b"{", b"[", named[0], b"\xff", named[1], None, named[2])
    async with subscribed(place, handler):
        letters = await dlq.records(5)
    assert [letter.value for letter in letters[:3]] == named
    runs = {one["dlq-error-code"]: one for one in (dict(letter.headers) for letter in letters[3:])}
    assert (runs[b"malformed_json"]["dlq-repeats"], "dlq-repeats" in runs[b"empty_body"]) == (b"2", False)
    first, last = (int(runs[b"malformed_json"][name]) for name in ("dlq-offset", "dlq-last-offset"))
    assert last - first == 3
    assert b"2 more" in runs[b"malformed_json"]["dlq-error-message"]
    assert len([line for line in caplog.records if line.message == "dead letter"]) == 5
    assert await place.uncommitted() == 0


async def test_what_nobody_vouches_for_is_buried_unread_and_once(place, dlq, handler):
    def check(one):
        if (SIGNATURE_HEADER, b"good") not in one.headers:
            raise PermanentError("nobody has signed this", code=ErrorCode.BAD_SIGNATURE)
        return "whoever has the key"

    good, forged = [(SIGNATURE_HEADER, b"good")], [(SIGNATURE_HEADER, b"bad")]
    await place.put(b"{", b"}" * 80_000, body("a"), headers=forged)
    await place.put(body("b"), headers=good)
    await place.put(body("c"), headers=[(REPLAY_HEADER, b"1")])
    await place.put(b"{", headers=good)
    async with subscribed(place, handler, check_record=check, choose_dead=Forgeries().choose_dead):
        letters = await dlq.records(2)
        await until(lambda: len(handler.seen) == 2)
    assert handler.seen == ["b", "c"]
    assert handler.vouched_by == ["whoever has the key", None], "nobody vouches for a replay"
    codes = [dict(letter.headers)["dlq-error-code"] for letter in letters]
    assert codes == [b"bad_signature", b"malformed_json"]
    assert await place.uncommitted() == 0


async def test_a_stop_waits_for_a_dead_letter_that_is_being_published(place, handler):
    await place.put(b"{")
    async with subscribed(place, handler) as subscription:
        publish, began = subscription.publisher.publish_records, asyncio.Event()

        async def publish_late(letters):
            began.set()
            await subscription._stopping.wait()
            await asyncio.sleep(0.3)
            await publish(letters)

        subscription.publisher.publish_records = publish_late
        await began.wait()
    assert await place.uncommitted() == 0


async def test_an_idle_subscription_waits_in_one_poll_and_one_fetch(place, handler):
    async with subscribed(place, handler) as subscription:
        await place.put(body("a"))
        await until(lambda: handler.seen)
        polls, requests = count_calls(subscription.consumer(), "getmany"), count_requests(subscription.consumer())
        for number in range(3):
            handler.seen.clear()
            await place.put(body(f"job-{number}"))
            await until(lambda: handler.seen)
        assert len(polls) == 3, "each poll came back with a record, and none empty"
        requests.clear()
        started = time.monotonic()
        await until(lambda: requests["FetchRequest"] > 2)
        assert time.monotonic() - started > 2 * FETCH_MAX_WAIT_MS / 1000 * 0.9


async def test_each_member_knows_how_many_partitions_it_reads_and_is_told_of_a_change(place, handler):
    told = list[int]()
    async with subscribed(place, handler) as first:
        first.on_assigned = lambda: told.append(first.partitions)
        await until(lambda: first.partitions == 8)
        async with subscribed(place, handler) as second:
            await until(lambda: (first.partitions, second.partitions) == (4, 4))
        await until(lambda: first.partitions == 8)
    assert told[-2:] == [4, 8]
    assert Subscription(None, ExecuteRequested, place.group, handler).partitions == 0, "it has not begun"


async def test_what_was_committed_is_not_handled_again_by_the_next_process(place, handler):
    await place.put(body("a"))
    async with subscribed(place, handler):
        await until(lambda: handler.seen)
    await place.put(body("b"))
    async with subscribed(place, handler):
        await until(lambda: len(handler.seen) == 2)
    assert handler.seen == ["a", "b"]


async def test_an_outage_is_waited_out_and_nothing_is_skipped(place, dlq, handler):
    outages = [TransientError(), TransientError()]

    def away(_: list[str]) -> None:
        if outages:
            raise outages.pop()

    handler.does = away
    await place.put(body("a"), body("b"))
    async with subscribed(place, handler):
        await until(lambda: len(handler.seen) == 2)
        await place.put(body("c"))
        await until(lambda: len(handler.seen) == 3)
    assert handler.seen == ["a", "b", "c"]
    assert await dlq.records(0) == []


async def test_what_can_never_succeed_becomes_a_dead_letter(place, dlq, handler, caplog):
    handler.answers["b"] = PermanentError("no job has this id", code="unknown_job")
    bad = body("b")
    await place.put(body("a"), bad, body("c"))
    async with subscribed(place, handler):
        (letter,) = await dlq.records(1)
    assert letter.value == bad
    assert dict(letter.headers)["dlq-error-code"] == b"unknown_job"
    (line,) = [r for r in caplog.records if r.message == "dead letter"]
    assert (line.job_id, line.code, line.topic) == ("job-1", "unknown_job", TOPIC)


async def test_a_record_that_fails_alone_is_tried_again_and_delays_nobody(place, dlq, handler):
    failing, tried = {"b"}, []

    def doubt(jobs: list[str]) -> None:
        tried.append(jobs)
        if failing.intersection(jobs):
            raise DoubtfulError("a bug", code="database_error")

    handler.does = doubt
    await place.put(body("a"), body("b"), body("c"))
    async with subscribed(place, handler) as subscription:
        await until(lambda: handler.seen == ["a", "c"])
        await place.put(body("d"))
        await until(lambda: handler.seen == ["a", "c", "d"])
        await until(lambda: tried.count(["b"]) > 2)
        assert subscription.check() is None
        await subscription.stop()
        assert await place.uncommitted() == 3, "nothing behind it is committed"
        failing.clear()
        await until(lambda: handler.seen == ["a", "c", "d", "b"])
        await until(lambda: not subscription._parked)
    assert await place.uncommitted() == 0
    assert await dlq.records(0) == []


async def test_a_record_that_failed_alone_for_too_long_becomes_a_dead_letter(place, dlq, handler):
    handler.answers["b"] = DoubtfulError("a bug", code="database_error")
    await place.put(body("a"), body("b"))
    async with subscribed(place, handler) as subscription:
        await until(lambda: handler.seen.count("b") > 1)
        handler.answers["b"] = PermanentError("a bug, for ten minutes", code="database_error")
        (letter,) = await dlq.records(1)
        await until(lambda: not subscription._parked)
    assert dict(letter.headers)["dlq-error-code"] == b"database_error"
    assert handler.seen.count("a") == 1
    assert await place.uncommitted() == 0


async def test_what_failed_alone_is_read_again_by_the_next_process(place, handler):
    handler.answers["b"] = DoubtfulError("a bug", code="database_error")
    await place.put(body("a"), body("b"), body("c"))
    async with subscribed(place, handler) as subscription:
        watching = asyncio.create_task(subscription.watch())
        await until(lambda: handler.seen.count("b") > 1)
        watching.cancel()
        await asyncio.gather(watching, *subscription._parked.values(), return_exceptions=True)
    assert await place.uncommitted() == 2
    del handler.answers["b"], handler.seen[:]
    async with subscribed(place, handler):
        await until(lambda: handler.seen == ["b", "c"])
    assert await place.uncommitted() == 0


async def test_a_bug_that_one_record_meets_skips_no_other(place, dlq, handler):
    def buggy(jobs: list[str]) -> None:
        if "b" in jobs:
            raise ZeroDivisionError

    handler.does = buggy
    await place.put(body("a"), body("b"), body("c"), body("d"))
    async with subscribed(place, handler):
        (letter,) = await dlq.records(1)
        await until(lambda: len(handler.seen) == 3)
    assert handler.seen == ["a", "c", "d"]
    assert dict(letter.headers)["dlq-error-code"] == b"internal"
    assert await place.uncommitted() == 0


async def test_a_record_that_its_topic_takes_only_packed_delays_nobody(place, dlq, handler):
    await place.put(body("a") + b" " * (20 << 20), body("b"))
    async with subscribed(place, handler):
        (letter,) = await dlq.records(1)
        await until(lambda: handler.seen == ["b"])
    headers = dict(letter.headers)
    assert (headers["dlq-error-code"], headers["dlq-body"]) == (b"unreadable_batch", b"batch")
    assert b"8388608 bytes" in headers["dlq-error-message"]


async def test_a_batch_in_hand_ends_before_the_service_does(place, handler):
    handler.gate.clear()
    await place.put(body("a"))
    async with subscribed(place, handler):
        await until(lambda: handler.tried)
        asyncio.get_running_loop().call_later(0.1, handler.gate.set)
    assert handler.seen == ["a"]
    assert await place.uncommitted() == 0


async def test_a_batch_that_does_not_end_is_left_to_the_next_process(place, handler):
    handler.gate.clear()
    await place.put(body("a"))
    async with subscribed(place, handler, batch_grace_s=0.1):
        await until(lambda: handler.tried)
    assert await place.uncommitted() == 1
    handler.gate.set()
    async with subscribed(place, handler):
        await until(lambda: handler.seen == ["a"])


async def test_to_stop_consuming_takes_little_time_also_while_the_broker_is_away(place, handler, servers):
    broker = make_broker(KafkaAccess(place.kafka), "test")
    subscription = Subscription(Publisher(KafkaAccess(place.kafka), "test"), ExecuteRequested, place.group, handler)
    subscription.attach(broker, max_records=10)
    await broker.start()
    await until(lambda: bool(subscription.consumer().assignment()))
    pid = servers.processes["kafka"]
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        await stop_consuming(broker, [subscription])
        assert time.monotonic() - started < STOP_TIMEOUT_S + 1
    finally:
        os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(60):
        while subscription.consumer() is not None:  # noqa: ASYNC110 - goes on in the background
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("died", "why"),
    [
        (lambda consumer: consumer._coordinator._coordination_task, "group"),
        (lambda consumer: consumer._fetcher._fetch_task, "fetches"),
        (lambda consumer: consumer._client._sync_task, "metadata"),
    ],
)
async def test_a_consumer_that_died_ends_its_service(place, handler, died, why):
    async with subscribed(place, handler, dead_after_s=0.3) as subscription:
        watching = asyncio.create_task(subscription.watch())
        await place.put(body("a"))
        await until(lambda: handler.seen)
        assert subscription.check() is None
        died(subscription.consumer()).cancel()  # the fault is planted
        with pytest.raises(ConsumerDeadError, match=why):
            await asyncio.wait_for(watching, 10)
        assert why in subscription.check()


async def test_a_batch_that_waits_out_an_outage_does_not_end_its_service_but_shows(place, handler):
    handler.gate.clear()
    async with subscribed(place, handler, dead_after_s=0.1) as subscription:
        watching = asyncio.create_task(subscription.watch())
        await place.put(body("a"))
        await until(lambda: subscription.check() is not None)
        assert "one batch has waited" in subscription.check()
        handler.gate.set()
        await until(lambda: subscription.check() is None)
        assert not watching.done()
        watching.cancel()


async def test_a_batch_that_breaks_its_subscription_is_not_committed(place, handler):
    async def answers_too_little(requests):
        await handler(requests)
        return []

    async with subscribed(place, answers_too_little, dead_after_s=0.3) as subscription:
        await place.put(body("a"))
        with pytest.raises(ConsumerDeadError, match="failed"):
            await asyncio.wait_for(subscription.watch(), 10)
        await place.put(body("b"))
    assert handler.seen == ["a"]
    assert await place.uncommitted() == 2


async def test_not_started_is_said_so(place, handler):
    subscription = Subscription(Publisher(KafkaAccess(place.kafka), "test"), ExecuteRequested, place.group, handler)
    assert subscription.check() == "not started"


async def test_lag_is_what_was_not_read_yet(place, handler):
    async with subscribed(place, handler) as subscription:
        await place.put(body("a"), body("b"))
        await until(lambda: len(handler.seen) == 2)
        assert count_unread(subscription.consumer()) == 0


async def test_topics_say_how_far_they_reach(place):
    topics = Topics(KafkaAccess(place.kafka))
    before = await topics.end_offsets(TOPIC)
    await place.put(body("a"), partition=5)
    assert await topics.end_offsets(TOPIC) == {**before, 5: before[5] + 1}
    await topics.close()


async def test_topics_out_of_reach_leave_nothing_open():
    topics = Topics(KafkaAccess("127.0.0.1:1"))
    with pytest.raises(TransientError):
        await topics.end_offsets(TOPIC)
    await topics.close()
