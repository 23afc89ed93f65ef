"""The HTTP agent: what it may answer, and what becomes of it."""

import asyncio
import contextlib
import json
import socket
import tracemalloc
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fault_agent import bomb, drips, hangs, pours, says, sends, zipped
from support.factories import grant, lease
from support.fakes import until
from support.free_ports import free_port

from contracts.events import JobStatusReported, ResultProduced
from servicekit import clock
from servicekit.leasing.slots import Slots
from servicekit.leasing.worker import COPIES
from signoff.jsontext import json_text
from signoff.status import Delivery, ReportKind

FAULTS = {
    "500": (says(b"oops", 500), "agent_status"),
    "503": (says(b"", 503, Retry_After=7), "agent_status"),
    "429": (says(b"", 429), "agent_status"),
    "408": (says(b"", 408), "agent_status"),
    "closes": (sends(b""), "agent_connection_lost"),
    "no HTTP": (sends(b"220 smtp.example.org\r\n\r\n"), "agent_connection_lost"),
    "cut off": (says(b"[1, 2", Content_Length=100), "agent_connection_lost"),
    "cut off within its headers": (sends(b"HTTP/1.1 200 OK\r\nContent-Le"), "agent_connection_lost"),
    "a header without end": (says(b"1", X=("x" * 100_000)), "agent_connection_lost"),
    "no gzip": (says(b"[1]", Content_Encoding="gzip"), "agent_connection_lost"),
    "hangs": (hangs, "agent_timeout"),
    "drips": (drips, "agent_timeout"),
}
FINAL_FAULTS = {
    "404": (says(b"who?", 404), "agent_status"),
    "400": (says(b"\xff\0\x1b[2J", 400), "agent_status"),
    "302": (says(b"", 302, Location="/0"), "agent_redirect"),
    "304": (says(b"", 304), "agent_redirect"),
    "100 MB": (pours, "result_too_large"),
    "100 MB zipped": (bomb, "result_too_large"),
    "one byte too many": (says(json.dumps("x" * 99_999).encode()), "result_too_large"),
    "broken JSON": (says(b'{"a": '), "agent_invalid_json"),
    "HTML": (says(b"<html>"), "agent_invalid_json"),
    "NaN": (says(b"[NaN]"), "agent_invalid_json"),
    "Infinity": (says(b"-Infinity"), "agent_invalid_json"),
    "1e400": (says(b"[1e400]"), "agent_invalid_json"),
    "300 levels": (says(b"[" * 300 + b"]" * 300), "agent_invalid_json"),
    "half a surrogate pair": (says(rb'"\ud800"'), "agent_invalid_json"),
    "not UTF-8": (says(b'"\xff"'), "agent_invalid_json"),
    "UTF-16": (says('"a"'.encode("utf-16")), "agent_invalid_json"),
    "5000 digits": (says(b"9" * 5_000), "agent_invalid_json"),
    "nothing": (says(b""), "agent_invalid_json"),
    "204": (says(b"", 204), "agent_invalid_json"),
}
RESULTS = [None, False, 0, -1.5, 10**30, "", "text", [], [[[]]], {}, {"a": {"b": [1, None, "ü\x1b\u2028"]}}]


@pytest.mark.parametrize("result", RESULTS, ids=repr)
async def test_any_json_value_is_a_result(agent, outcome, result):
    produced = await outcome(agent.does(says(json_text(result).encode())))
    assert isinstance(produced, ResultProduced)
    assert produced.result == result
    assert type(produced.result) is type(result)
    assert produced.acceptance_criteria == 'Says "blue"'
    assert ResultProduced.model_validate_json(produced.model_dump_json()).result == result


@pytest.mark.parametrize("status", [200, 201, 202, 299])
async def test_every_2xx_is_an_answer(agent, outcome, status):
    assert (await outcome(agent.does(says(b"1", status)))).result == 1


async def test_a_large_answer_takes_more_of_the_room_until_it_is_recorded(agent, outcome, worker):
    worker.slot_bytes = COPIES * 10_000
    assert (await outcome(agent.does(says(json.dumps("x" * 39_990).encode())))).result
    await until(lambda: worker._awaited)
    assert worker._slots.free == worker.capacity - 3, "and a slot less than while it was called"


async def test_a_large_answer_is_read_once_there_is_memory_for_it_and_a_small_one_at_once(
    agent, outcome, worker, publisher
):
    worker.slot_bytes, worker._memory = 1, Slots(1)
    worker._memory.take()
    reading = asyncio.create_task(outcome(agent.does(says(json.dumps("x" * 65_535).encode()))))
    await until(lambda: worker._memory._waiting)
    await outcome(agent.does(says(json.dumps("y" * 65_534).encode())))
    worker._memory.leave()
    await until(lambda: len(publisher.events) == 2)
    assert [(one.result[0], len(one.result)) for one in publisher.events] == [("y", 65_534), ("x", 65_535)]
    reserved = [outcome.held.reserved for outcome in worker._awaited.values()]
    assert sorted(reserved) == [0, COPIES * 65_537], "no more than it has"
    await reading


async def test_a_zipped_answer_is_read(agent, outcome):
    assert (await outcome(agent.does(zipped(b"[1]")))).result == [1]


async def test_a_result_may_be_as_large_as_the_limit(agent, outcome):
    assert len((await outcome(agent.does(says(json.dumps("x" * 99_998).encode())))).result) == 99_998


@pytest.mark.parametrize(("script", "code"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_that_may_pass_is_told_as_one(agent, outcome, caplog, script, code):
    report = await outcome(agent.does(script), policy={"attempt_timeout_s": 0.3})
    assert isinstance(report, JobStatusReported)
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, code, True)
    assert report.message.endswith("; it was call 1 of 1")
    (line,) = [record for record in caplog.records if record.message == "agent failed"]
    assert (line.job_id, line.code) == ("job-1", code)


@pytest.mark.parametrize(("script", "code"), FINAL_FAULTS.values(), ids=FINAL_FAULTS)
async def test_a_fault_that_stays_ends_the_execution(agent, outcome, caplog, script, code):
    report = await outcome(agent.does(script))
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, code, False)
    (line,) = [record for record in caplog.records if record.message == "agent failed"]
    assert (line.job_id, line.code) == ("job-1", code)
    assert JobStatusReported.model_validate_json(report.model_dump_json()) == report


@pytest.mark.parametrize("script", [script for script, _ in FAULTS.values()], ids=FAULTS)
async def test_an_agent_that_must_not_be_called_twice_is_not_called_again_once_a_byte_has_left(agent, outcome, script):
    policy = {"attempt_timeout_s": 0.3, "delivery": Delivery.AT_MOST_ONCE, "max_calls": 3}
    report = await outcome(agent.does(script), policy=policy)
    assert (report.kind, report.retry_after_s, len(agent.calls)) == (ReportKind.FAILED, None, 1)


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
async def test_no_connection_is_tried_again_whatever_the_delivery(outcome, host, delivery):
    report = await outcome(f"http://{host}/", policy={"delivery": delivery, "max_calls": 2})
    assert (report.kind, report.code) == (ReportKind.CALL_FAILED, "agent_unreachable")


@pytest.fixture
def unanswered():
    """The URL of a listener whose queue is full: packets to it are dropped."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"


async def test_a_connection_has_a_timeout_of_its_own(outcome, unanswered):
    report = await outcome(unanswered, policy={"connect_timeout_s": 0.05})
    assert (report.kind, report.code) == (ReportKind.FAILED, "agent_connect_timeout")
    assert report.message.startswith(f"no connection to {unanswered} within 0.05 s")


async def test_a_refused_connection_is_told_without_words_of_the_library(outcome):
    url = f"http://127.0.0.1:{free_port()}/"
    report = await outcome(url)
    assert report.message.startswith(f"no connection to {url}: connection refused: nothing listens there")


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "nothing", "http://[::1/"])
async def test_a_url_that_cannot_be_called_ends_the_execution(outcome, url):
    report = await outcome(url)
    assert (report.kind, report.code) == (ReportKind.FAILED, "agent_invalid_url")


async def test_an_unknown_protocol_ends_the_execution(outcome):
    report = await outcome("http://127.0.0.1/", protocol=None)
    assert (report.kind, report.code) == (ReportKind.FAILED, "unknown_protocol")


@pytest.mark.parametrize("delivery", Delivery)
async def test_an_agent_can_decline(agent, outcome, delivery):
    report = await outcome(agent.does(says(b"", 422, Signoff_Declined="too much")), policy={"delivery": delivery})
    assert (report.kind, report.code, report.message) == (ReportKind.DECLINED, "agent_declined", "too much")


async def test_an_agent_that_declines_without_a_reason_declines(agent, outcome):
    report = await outcome(agent.does(says(b"", 400, Signoff_Declined="")))
    assert (report.kind, report.message) == (ReportKind.DECLINED, "the agent declined")


@pytest.mark.parametrize("status", [200, 500])
async def test_the_header_declines_only_beside_a_refusal(agent, outcome, status):
    report = await outcome(agent.does(says(b"1", status, Signoff_Declined="no")))
    assert not isinstance(report, JobStatusReported) or report.kind is not ReportKind.DECLINED


async def test_no_text_of_an_agent_can_spoil_a_log_a_terminal_or_a_database(agent, outcome):
    report = await outcome(
        agent.does(says(b"", 400, Signoff_Declined=b"\xff\x1b[2J\xe2\x80\xa8".decode(errors="surrogateescape")))
    )
    assert report.message.isprintable()
    report = await outcome(agent.does(says(b"\xff\0\x1b[2J\xe2\x80\xa8" * 10_000, 400)))
    assert len(report.message) <= 2_000
    assert all(character.isprintable() or character in "\n\t" for character in report.message)


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def in_an_hour() -> str:
    return in_seconds(3_600)


@pytest.mark.parametrize(
    ("retry_after", "least_s", "most_s"),
    [
        ("7", 7, 7),
        ("0", 0, 1),
        (in_an_hour, 3_500, 3_600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 1),
        ("Wed, 21 Oct 9999 07:28:00 GMT", 86_400, 86_400),
        ("999999999", 86_400, 86_400),
        ("9999999999", 86_400, 86_400),
        ("9" * 400, 86_400, 86_400),
        ("7.0000000001", 7, 7.1),
        ("²", 0, 1),
        ("-5", 0, 1),
        ("1.5", 1.5, 1.5),
        ("soon", 0, 1),
        ("", 0, 1),
        ("Wed, 99 Foo 99999 99:99:99 GMT", 0, 1),
    ],
)
async def test_retry_after_is_honoured_within_reason(agent, outcome, retry_after, least_s, most_s):
    policy = {"max_calls": 2, "backoff_first_s": 1.0, "backoff_max_s": 1.0}
    header = retry_after() if callable(retry_after) else retry_after
    report = await outcome(agent.does(says(b"", 503, Retry_After=header)), policy=policy)
    assert report.kind is (ReportKind.CALL_FAILED if most_s <= 30 else ReportKind.ATTEMPT_FAILED)
    assert least_s <= report.retry_after_s <= most_s


async def test_every_attempt_has_the_same_key_and_body_and_its_own_number(agent, outcome):
    url, a_lease = agent.does(says(b"", 500)), lease()
    request = {"payload": {"b": 1, "a": [0.1, "ü"]}}
    await outcome(url, lease=a_lease, attempt=1, request=request)
    await outcome(url, lease=lease(a_lease.execution_id), attempt=2, request=request, spent=2)
    first, second = agent.calls
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == str(a_lease.execution_id)
    assert [call.headers["Signoff-Attempt"] for call in agent.calls] == ["1", "2"]
    assert [call.headers["Signoff-Call"] for call in agent.calls] == ["1", "3"]
    assert {call.headers["Signoff-Result-Max-Bytes"] for call in agent.calls} == {"100000"}
    assert first.body == second.body == grant(request=request).request.encode()
    assert first.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("takes", "told"), [(None, 100_000), (300_000, 100_000), (1_011, 1_000), (11, 0)])
async def test_an_agent_is_told_what_its_judge_takes_where_that_is_less(agent, outcome, takes, told):
    await outcome(agent.does(says(b"1")), judged_max_chars=takes)  # the criteria have 11 characters
    assert agent.calls[0].headers["Signoff-Result-Max-Bytes"] == str(told)


async def test_cookies_are_not_kept(agent, outcome):
    url = agent.does(says(b"1", Set_Cookie="a=1"))
    for _ in range(2):
        await outcome(url)
    assert not any("Cookie" in call.headers for call in agent.calls)


@pytest.mark.parametrize("script", [pours, bomb], ids=["100 MB", "100 MB zipped"])
async def test_memory_stays_bounded_whatever_an_agent_pours(agent, outcome, script):
    url = agent.does(script)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        assert (await outcome(url)).code == "result_too_large"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 8 << 20


@pytest.mark.parametrize("script", [hangs, drips, pours], ids=["hangs", "drips", "pours"])
async def test_a_call_that_is_given_up_leaves_no_connection(agent, outcome, script):
    await outcome(agent.does(script), policy={"attempt_timeout_s": 0.2})
    if script is not hangs:  # that one writes nothing, and so does not notice
        await until(lambda: agent.ended == 1)


@pytest.fixture(params=[timedelta(hours=1), timedelta(hours=-1)])
def jump(request, monkeypatch):
    """Make the clock jump, as often as it is called: there, and back."""
    shifts = [timedelta(), request.param] * 2
    real = clock.now

    def jumping():
        shifts.append(shifts.pop(0))
        monkeypatch.setattr(clock, "now", lambda: real() + shifts[0])

    return jumping


async def test_a_call_during_which_the_clock_jumps_is_one_call_with_one_result(agent, outcome, worker, jump):
    answer = says(b'"blue"', Content_Type="application/json")

    async def script(writer):
        jump()
        await worker.renew()
        await answer(writer)

    event = await outcome(agent.does(script), policy={"attempt_timeout_s": 60.0, "max_calls": 3})
    assert isinstance(event, ResultProduced)
    assert (event.result, len(agent.calls)) == ("blue", 1)
    assert event.duration_s is not None
    assert 0 <= event.duration_s < 60


async def test_an_agent_is_waited_for_as_long_as_it_asked_by_its_own_clock(agent, outcome, jump):
    jump()
    url = agent.does(says(b"", 503, Date=in_seconds(0), Retry_After=in_seconds(40)))
    report = await outcome(url, policy={"max_calls": 2})
    assert report.kind is ReportKind.ATTEMPT_FAILED
    assert 39 <= report.retry_after_s <= 41
