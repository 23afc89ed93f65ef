"""The asynchronous HTTP agent: how its work stands, what it may answer, and what becomes of it."""

import asyncio
import json
import time
from functools import partial

import pytest
from async_agent import AsyncAgent, status
from fault_agent import drips, hangs, pours, says, sends
from support.factories import execute_requested, grant, incoming_request, lease
from support.fakes import until

from contracts.events import JobStatusReported, ResultProduced
from servicekit.leasing.worker import LeaseState
from signoff.status import Delivery, ReportKind
from signoff.status import Protocol as AgentProtocol

DONE = status("succeeded", result="blue")
PASSING = {
    "500": says(b"", 500),
    "503": says(b"", 503, Retry_After=0),
    "429": says(b"", 429),
    "408": says(b"", 408),
    "closes": sends(b""),
    "no HTTP": sends(b"220 smtp.example.org\r\n\r\n"),
    "cut off": says(b'{"state": ', Content_Length=100),
    "hangs": hangs,
    "drips": drips,
}
NONSENSE = {
    "a list": (says(b"[1]"), "agent_invalid_status"),
    "nothing in it": (says(b"{}"), "agent_invalid_status"),
    "another state": (status("idle"), "agent_invalid_status"),
    "state is no text": (status(state=1), "agent_invalid_status"),
    "more than all": (status(progress=1.01), "agent_invalid_status"),
    "less than nothing": (status(progress=-0.1), "agent_invalid_status"),
    "progress in words": (status(progress="0.5"), "agent_invalid_status"),
    "progress is a truth": (status(progress=True), "agent_invalid_status"),
    "a message that is none": (status(message=["a"]), "agent_invalid_status"),
    "an error that is none": (status("failed", error="oops"), "agent_invalid_status"),
    "NaN": (says(b'{"state": "running", "progress": NaN}'), "agent_invalid_json"),
    "HTML": (says(b"<html>"), "agent_invalid_json"),
    "204": (says(b"", 204), "agent_invalid_json"),
    "100 MB": (pours, "result_too_large"),
    "a large result": (status("succeeded", result="x" * 100_000), "result_too_large"),
    "401": (says(b"who?", 401), "agent_status"),
    "302": (says(b"", 302, Location="/0"), "agent_redirect"),
}
FOREIGN = [
    "http://127.0.0.1:1/status",
    "https://127.0.0.1:{port}/status",
    "http://127.0.0.2:{port}/status",
    "http://localhost:{port}/status",
    "http://[::ffff:127.0.0.1]:{port}/status",
    "http://127.0.0.1:{port}@example.org/",
    "//example.org/status",
    "ftp://127.0.0.1:{port}/status",
    "file:///etc/passwd",
    "javascript:1",
    "http://[::1/",
    "http://127.0.0.1:99999/",
]


@pytest.fixture
def working(agent) -> AsyncAgent:
    return AsyncAgent(agent)


@pytest.fixture
def outcome(outcome):
    """The policy's times are short."""

    async def run(url: str, **fields):
        policy = {"heartbeat_timeout_s": 5.0, **fields.pop("policy", {})}
        return await outcome(url, protocol=AgentProtocol.HTTP_ASYNC, policy=policy, **fields)

    return run


@pytest.fixture
def begun(handlers, executions):
    """An execution under way; its lease."""

    async def begin(url: str, **policy):
        a_grant = grant(url=url, protocol=AgentProtocol.HTTP_ASYNC, policy={"heartbeat_timeout_s": 5.0, **policy})
        executions.answers[a_grant.lease.execution_id] = a_grant
        await handlers.on_execute_requested(
            [incoming_request(execute_requested(execution_id=a_grant.lease.execution_id))]
        )
        return a_grant.lease

    return begin


def progress(publisher) -> list[JobStatusReported]:
    return [event for event in publisher.soon if event.kind is ReportKind.PROGRESS]


@pytest.mark.parametrize("code", [200, 201, 203, 299])
async def test_an_agent_may_answer_at_once(agent, outcome, code):
    produced = await outcome(agent.does(says(b'{"state": "running"}', code)))
    assert isinstance(produced, ResultProduced)
    assert produced.result == {"state": "running"}
    assert len(agent.calls) == 1


@pytest.mark.parametrize("result", [None, 0, "", [], {"a": [1, None]}, "x" * 99_998], ids=range(6))
async def test_work_is_asked_for_until_it_has_succeeded(working, outcome, result):
    produced = await outcome(working.takes(status(), status(), status("succeeded", result=result)))
    assert isinstance(produced, ResultProduced)
    assert produced.result == result
    assert len(working.looks) == 3
    assert working.stops == []


@pytest.mark.parametrize("location", ["/1/../0", "0", "?", "http://127.0.0.1:{port}/0", "HTTP://127.0.0.1:{port}/0#x"])
async def test_a_status_may_be_anywhere_at_the_agents_origin(agent, working, outcome, location):
    if location == "?":  # the very URL that was posted to
        answers = iter([says(b"", 202, Location=location), status(), DONE])

        async def in_turn(writer):
            await next(answers)(writer)

        url = agent.does(in_turn)
    else:
        url = working.takes(status(), DONE, location=location.format(port=agent.port))
    assert (await outcome(url)).result == "blue"


@pytest.mark.parametrize("location", FOREIGN)
async def test_a_status_anywhere_else_is_not_asked_for(agent, working, outcome, location):
    report = await outcome(working.takes(DONE, location=location.format(port=agent.port)))
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_invalid_location", False)
    assert len(agent.calls) == 1


@pytest.mark.parametrize("location", ["/{path}", "{path}", "http://127.0.0.1:{port}/{path}#x"])
async def test_the_handle_is_the_works_place_without_the_origin(agent, working, outcome, publisher, location):
    url = working.takes(DONE, location=location.format(port=agent.port, path="0?work=1"))
    await outcome(url.replace("127.0.0.1", "user:s3cret@127.0.0.1"))
    assert {event.handle for event in publisher.soon if event.handle} == {"/0?work=1"}
    assert "s3cret" not in str(publisher.soon)


async def test_kept_work_is_found_at_the_agents_present_address(working, outcome):
    url = working.takes(DONE)
    assert (await outcome(url, attempt=2, handle="/0")).result == "blue"
    assert working.posts == []


@pytest.mark.parametrize("handle", FOREIGN)
async def test_kept_work_of_another_origin_is_asked_for_by_its_key(agent, working, outcome, handle):
    url = working.takes(DONE)
    assert (await outcome(url, attempt=2, handle=handle.format(port=agent.port))).result == "blue"
    assert len(working.posts) == 1


async def test_work_without_a_status_is_no_answer(agent, outcome):
    report = await outcome(agent.does(says(b"1", 202)))
    assert (report.code, report.retryable) == ("agent_invalid_location", False)
    assert report.message == "the agent answered 202 without a Location"


@pytest.mark.parametrize("script", PASSING.values(), ids=PASSING)
async def test_a_look_that_fails_is_waited_out(working, outcome, script):
    produced = await outcome(working.takes(script, script, DONE), policy={"heartbeat_timeout_s": 1.5})
    assert produced.result == "blue"
    assert len(working.posts) == 1


@pytest.mark.parametrize(
    ("script", "why"),
    [
        *((script, "") for script in PASSING.values()),
        (status(heartbeat=[1]), "it answered with the same heartbeat as before"),
        (status(heartbeat=0, progress=0.5), "it answered with the same heartbeat as before"),
    ],
    ids=[*PASSING, "the same heartbeat", "zero"],
)
async def test_silence_is_a_failure_that_may_pass_and_ends_the_work(working, outcome, script, why):
    report = await outcome(working.takes(script), policy={"heartbeat_timeout_s": 0.2})
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_heartbeat_timeout", True)
    assert report.message.startswith(f"no heartbeat within 0.2 s of the work at http://127.0.0.1:{working.agent.port}/")
    assert why in report.message
    await until(lambda: working.stops)


@pytest.mark.parametrize("kind", ["plain", "null", "heartbeat"])
async def test_an_agent_that_shows_life_may_work_for_longer_than_it_may_be_silent(working, outcome, kind):
    said = {"plain": lambda _: {}, "null": lambda _: {"heartbeat": None}, "heartbeat": lambda n: {"heartbeat": n}}
    url = working.takes(*(status(**said[kind](number)) for number in range(1_000)))
    report = await outcome(url, policy={"heartbeat_timeout_s": 0.2, "attempt_timeout_s": 1.0})
    assert report.code == "agent_timeout"
    assert len(working.looks) > 10


@pytest.mark.parametrize(("script", "code"), NONSENSE.values(), ids=NONSENSE)
async def test_a_status_that_is_nonsense_ends_the_execution_and_the_work(working, outcome, script, code):
    report = await outcome(working.takes(status(), script))
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, code, False)
    assert len(report.message) < 1_000
    assert len(working.looks) == 2
    if script is not NONSENSE["a large result"][0]:  # that has ended
        await until(lambda: working.stops)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"state": "done"}, "state: must be running, succeeded, failed or declined"),
        ({"progress": 1.5}, "progress: must be at most 1"),
        ({"state": "failed", "error": "oops"}, "error: must be an object of names and values"),
        ({"state": 1, "message": 2}, "state: must be running, succeeded, failed or declined; message: must be a text"),
    ],
)
async def test_what_is_wrong_with_a_status_is_told_in_plain_words(working, outcome, said, words):
    report = await outcome(working.takes(status(**said)))
    assert report.message == f"the answer is no status: {words}"


@pytest.mark.parametrize("gone", [404, 410])
async def test_an_agent_that_lost_its_work_may_do_it_again(working, outcome, gone):
    report = await outcome(working.takes(status(), says(b"never heard of it", gone)))
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_work_lost", True)
    assert "never heard of it" in report.message
    assert working.stops == []


async def test_work_that_takes_too_long_is_given_up_and_ended(working, outcome):
    report = await outcome(working.takes(), policy={"attempt_timeout_s": 0.2})
    assert (report.code, report.retryable) == ("agent_timeout", True)
    assert [call.path for call in working.stops] == [f"/{working.status_path}"]


@pytest.mark.parametrize(
    ("error", "retryable", "message"),
    [
        ({}, False, "the agent's work failed"),
        (None, False, "the agent's work failed"),
        ({"message": "out of paper"}, False, "the agent's work failed: out of paper"),
        ({"code": "no_paper", "message": "sorry", "retryable": True}, True, "the agent's work failed: no_paper: sorry"),
        ({"code": "\x1b[2J", "message": "x" * 9_000}, False, None),
    ],
)
async def test_work_that_failed_says_why_and_whether_that_may_pass(working, outcome, error, retryable, message):
    report = await outcome(working.takes(status("failed", error=error)))
    assert (report.kind, report.code, report.retryable) == (ReportKind.FAILED, "agent_failed", retryable)
    assert report.message.removesuffix("; it was call 1 of 1") == message or message is None
    assert report.message.isprintable()
    assert len(report.message) <= 2_000
    assert working.stops == []


async def test_the_agents_own_code_may_decide_of_another_call(working, outcome):
    url = working.takes(status("failed", error={"code": "no_paper"}))
    report = await outcome(url, policy={"max_calls": 2, "retry_codes": ["no_paper"]})
    assert (report.kind, report.code) == (ReportKind.CALL_FAILED, "agent_failed")


async def test_an_agent_may_decline_what_it_took(working, outcome):
    report = await outcome(working.takes(status("declined", error={"message": "not mine"})))
    assert (report.kind, report.code, report.message) == (ReportKind.DECLINED, "agent_declined", "not mine")
    report = await outcome(working.takes(status("declined", message="nor this")))
    assert report.message == "nor this"


async def test_the_next_call_asks_for_the_same_work(working, begun, publisher):
    await begun(working.takes(says(b"", 404), status(), DONE), max_calls=2)
    await until(lambda: len(publisher.events) == 2)
    assert (publisher.events[0].code, publisher.events[1].result) == ("agent_work_lost", "blue")
    first, second = working.posts
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.body == second.body


@pytest.mark.parametrize(
    "script", [says(b"", 404), says(b"", 500), status("failed", error={"retryable": True})], ids=range(3)
)
async def test_an_agent_that_must_not_be_called_twice_is_not_whatever_became_of_the_work(working, outcome, script):
    policy = {"delivery": Delivery.AT_MOST_ONCE, "max_calls": 3, "heartbeat_timeout_s": 0.2}
    report = await outcome(working.takes(script), policy=policy)
    assert (report.kind, report.retry_after_s, len(working.posts)) == (ReportKind.FAILED, None, 1)


async def test_a_status_out_of_reach_is_no_connection_that_was_not_made(agent, outcome):
    """The work was taken: for an agent that must not be called twice that is the end."""
    server = await asyncio.start_server(agent.on_connection, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]

    async def takes_and_is_gone(writer):
        server.close()
        await says(b"", 202, Location="/status", Connection="close")(writer)

    path = agent.does(takes_and_is_gone).rpartition("/")[2]
    policy = {"delivery": Delivery.AT_MOST_ONCE, "max_calls": 3, "heartbeat_timeout_s": 0.2}
    report = await outcome(f"http://127.0.0.1:{port}/{path}", policy=policy)
    assert (report.kind, report.code) == (ReportKind.FAILED, "agent_heartbeat_timeout")
    assert "no connection" in report.message


async def looked_at(working: AsyncAgent) -> None:
    await until(lambda: working.looks)


async def test_cancelled_work_is_ended(working, begun, leases, publisher):
    a_lease = await begun(working.takes())
    await looked_at(working)
    leases.states[a_lease] = LeaseState.CANCELLED
    await until(lambda: working.stops)
    assert publisher.events == []


@pytest.mark.parametrize("state", [LeaseState.CANCELLED, LeaseState.LOST])
async def test_work_that_is_cancelled_before_its_answer_is_ended_once_the_answer_names_it(
    working, begun, leases, worker, state
):
    answering = asyncio.Event()
    a_lease = await begun(working.answers_late(answering.wait()))
    await until(lambda: working.posts)
    (held,) = worker._held.values()
    leases.states[a_lease] = state
    await until(held.task.cancelling)
    if state is LeaseState.LOST:  # another attempt goes on with it
        await asyncio.wait([held.task])
    answering.set()
    await asyncio.wait([held.task])
    await until(lambda: working.agent.ended)
    assert len(working.stops) == (state is LeaseState.CANCELLED)


async def test_work_that_is_out_of_time_before_its_answer_is_ended_once_the_answer_names_it(working, outcome):
    report = await outcome(working.answers_late(asyncio.sleep(0.4)), policy={"attempt_timeout_s": 0.2})
    assert report.code == "agent_timeout"
    assert [call.path for call in working.stops] == [f"/{working.status_path}"]


@pytest.mark.parametrize("how", ["lost", "handed over", "stopped at once"])
async def test_work_that_is_another_attempts_now_goes_on(working, begun, leases, worker, how):
    a_lease = await begun(working.takes())
    await looked_at(working)
    (held,) = worker._held.values()
    if how == "lost":
        leases.states[a_lease] = LeaseState.LOST
    else:
        await worker.stop(0.2 if how == "handed over" else 0.0)
    await asyncio.wait([held.task])
    assert working.stops == []


@pytest.mark.parametrize("limit", ["attempt_timeout_s", "heartbeat_timeout_s"])
async def test_work_that_another_attempt_may_follow_by_now_is_not_ended(
    working, begun, leases, worker, publisher, limit
):
    """The lease of a worker that is cut off, or was frozen, may have lapsed, and the next one follows the same work."""
    policy = {"attempt_timeout_s": 60.0, "heartbeat_timeout_s": 60.0, limit: 1.0}
    await begun(working.takes(status(heartbeat=1)), **policy)
    await looked_at(working)
    leases.away = True
    (held,) = worker._held.values()
    held.expires_at = 0.0
    await until(lambda: publisher.events)
    assert publisher.events[0].code == f"agent_{limit.removesuffix('_s').removeprefix('attempt_')}"
    assert working.stops == []


async def test_an_agent_that_does_not_answer_that_it_ends_holds_nothing_up(agent, outcome, monkeypatch):
    monkeypatch.setattr("executor.work.STOP_TIMEOUT_S", 0.1)

    async def runs_on(writer):
        await (hangs if agent.calls[-1].method == "DELETE" else status())(writer)

    path = agent.does(runs_on).rpartition("/")[2]
    url = agent.does(says(b"", 202, Location=path))
    started = time.monotonic()
    report = await outcome(url, policy={"attempt_timeout_s": 0.2})
    assert report.code == "agent_timeout"
    assert time.monotonic() - started < 2


async def test_retry_after_is_honoured(working, outcome):
    times = []

    def timed(script, writer):
        times.append(time.monotonic())
        return script(writer)

    slow = says(json.dumps({"state": "running"}).encode(), Retry_After=1)
    url = working.takes(partial(timed, slow), partial(timed, DONE), Retry_After=1)
    started = time.monotonic()
    await outcome(url)
    assert 1.0 <= times[0] - started < 2.0
    assert 1.0 <= times[1] - times[0] < 2.0


async def test_nobody_waits_so_long_that_silence_would_not_be_noticed(working, outcome):
    produced = await outcome(working.takes(DONE, Retry_After=3_600), policy={"heartbeat_timeout_s": 0.6})
    assert produced.result == "blue"


async def test_progress_is_told_as_it_changes(working, outcome, publisher):
    said = {"progress": 0.5, "message": "half", "partial": {"text": "bl"}}
    await outcome(working.takes(status(), status(**said), status(**said), status(progress=1), DONE))
    first, second = progress(publisher)
    assert (first.progress, first.message, first.partial) == (0.5, "half", {"text": "bl"})
    assert (second.progress, second.message, second.partial) == (1.0, None, None)
    assert first.seq < second.seq
    assert first.lease == second.lease


async def test_no_progress_of_a_stranger_can_spoil_a_log_or_fill_it(working, outcome, publisher):
    said = [{"message": "\0\x1b[2J\u202e" + "x" * 9_000}, {"partial": "x" * 20_000, "message": "much"}]
    await outcome(working.takes(*(status(**fields) for fields in said), DONE))
    first, second = progress(publisher)
    assert first.message.isprintable()
    assert first.message.endswith("x (cut, of 9006 characters)")
    assert len(first.message) < 600
    assert second.partial is None
    assert second.message == "much (a partial result of 20002 bytes, more than 16384, is left out)"


async def test_progress_is_told_only_while_the_call_lasts(working, begun, publisher, leases):
    a_lease = await begun(working.takes(*(status(progress=number / 1_000) for number in range(1_000))))
    await until(lambda: len(progress(publisher)) > 3)
    leases.states[a_lease] = LeaseState.CANCELLED
    await until(lambda: working.stops)
    told = len(progress(publisher))
    calls = leases.calls
    await until(lambda: leases.calls > calls + 3)
    assert len(progress(publisher)) == told


async def test_reports_of_one_call_are_numbered_in_the_order_in_which_they_are_told(working, outcome, publisher):
    report = await outcome(working.takes(status(progress=0.1), status(progress=0.2), status("failed")), lease=lease())
    assert [event.seq for event in (*publisher.soon, report)] == [1, 2, 3, 4]
