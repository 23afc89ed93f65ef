"""From a batch of requests to claims, from grants to calls, from calls to reports."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from support.factories import execute_requested, grant, incoming_request, lease, record
from support.fakes import FakeAgent, until

from contracts.events import ResultProduced
from contracts.signing import SIGNATURE_HEADER
from executor.app import make_agents
from executor.config import Settings
from executor.errors import AgentTimeoutError, AgentUnreachableError
from executor.handlers import BEGIN_REPORTED_AFTER_S, Handlers
from executor.http_agents import HeaderValues, HttpClient
from executor.outcomes import AttemptReports, to_printable
from executor.ports import Claim, Progress
from servicekit.errors import PermanentError
from servicekit.kafka.subscription import Incoming
from servicekit.leasing.client import ClaimDenied
from servicekit.leasing.worker import COPIES, LeaseState
from signoff.status import CALLABLE_PROTOCOLS, Delivery, ReportKind
from signoff.status import Protocol as AgentProtocol


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
def handlers(worker, executions, agent, publisher) -> Handlers:
    return Handlers(worker, executions, {AgentProtocol.HTTP: agent}, publisher)


@pytest.fixture
def requested(executions):
    """A request, answered as is said, or granted."""

    def make(answer=None, **fields) -> Incoming:
        event = execute_requested(**fields)
        executions.answers[event.execution_id] = answer or grant(lease=lease(event.execution_id), job_id=event.job_id)
        return incoming_request(event)

    return make


async def hangs(_):
    await asyncio.Event().wait()


async def test_a_batch_is_claimed_in_one_call_and_done_with_before_any_agent_answers(
    handlers, executions, agent, requested, worker
):
    agent.does = hangs
    requests = [requested(job_id=f"job-{number}") for number in range(3)]
    assert await handlers.on_execute_requested(requests) == [None, None, None]
    (claims,) = executions.asked
    assert [claim.request for claim in claims] == [request.event for request in requests]
    await until(lambda: len(agent.called) == 3)
    assert worker.room == 7


async def test_a_call_at_most_once_is_told_of_before_it_is_made_without_waiting(handlers, agent, publisher, requested):
    told = []
    agent.does = lambda call: told.extend(publisher.soon) or hangs(call)
    publisher.open.clear()
    await handlers.on_execute_requested([requested(grant(policy={"delivery": Delivery.AT_MOST_ONCE}))])
    await until(lambda: agent.called)
    (begun,) = told
    assert (begun.kind, begun.attempt, begun.seq) == (ReportKind.CALL_BEGUN, 1, 1)


async def test_a_call_that_runs_for_long_is_told_of_then_and_any_other_by_its_outcome(
    handlers, agent, publisher, requested
):
    await handlers.on_execute_requested([requested()])
    await until(lambda: publisher.events)
    (produced,) = publisher.events
    assert publisher.soon == []
    agent.does, started = hangs, datetime.now(UTC)
    await handlers.on_execute_requested([requested()])
    await until(lambda: publisher.soon)
    (begun,) = publisher.soon
    assert (begun.kind, begun.seq) == (ReportKind.CALL_BEGUN, 1)
    assert datetime.now(UTC) - begun.reported_at >= timedelta(seconds=BEGIN_REPORTED_AFTER_S)
    assert produced.began_at < started < begun.reported_at


async def test_progress_comes_behind_the_begin_of_its_call(handlers, agent, publisher, requested):
    async def progresses(call):
        call.report_progress(Progress(0.5, "half"))
        await hangs(call)

    agent.does = progresses
    await handlers.on_execute_requested([requested()])
    await until(lambda: len(publisher.soon) == 2)
    assert [(told.kind, told.seq) for told in publisher.soon] == [(ReportKind.CALL_BEGUN, 1), (ReportKind.PROGRESS, 2)]


async def test_each_failure_tells_when_the_attempt_began(handlers, agent, publisher, requested):
    async def fails(_):
        raise AgentUnreachableError("no connection")

    agent.does = fails
    await handlers.on_execute_requested([requested()])
    await until(lambda: len(publisher.events) == 3)
    assert [told.seq for told in publisher.events] == [2, 3, 4]
    assert len({told.began_at for told in publisher.events}) == 1
    assert publisher.events[0].began_at <= publisher.events[0].reported_at
    assert publisher.soon == []


async def test_a_result_is_reported_with_what_is_needed_to_judge_it(handlers, publisher, requested):
    await handlers.on_execute_requested([requested()])
    await until(lambda: publisher.events)
    (produced,) = publisher.events
    assert isinstance(produced, ResultProduced)
    assert (produced.title, produced.acceptance_criteria, produced.submission) == ("A title", 'Says "blue"', 1)
    assert produced.duration_s >= 0


async def test_a_result_that_its_topic_refuses_is_a_failure_and_no_lease_that_lapses(handlers, publisher, requested):
    """Else the agent would be called again and again for what is never published."""
    publish = publisher.publish_report

    async def refuses(event, lease):
        if isinstance(event, ResultProduced):
            raise PermanentError("too many bytes", code="message_too_large")
        await publish(event, lease)

    publisher.publish_report = refuses
    await handlers.on_execute_requested([requested()])
    await until(lambda: publisher.events)
    (failed,) = publisher.events
    assert (failed.kind, failed.code, failed.call) == (ReportKind.FAILED, "result_too_large", 1)


async def test_what_can_never_be_claimed_is_a_dead_letter_and_hinders_no_other(handlers, agent, requested):
    bad = requested(ClaimDenied("INVALID", "unknown_job", "no job has the id job-9"))
    first, second = await handlers.on_execute_requested([bad, requested()])
    assert isinstance(first, PermanentError)
    assert (first.code, str(first)) == ("unknown_job", "no job has the id job-9")
    assert second is None
    await until(lambda: agent.called)


@pytest.mark.parametrize("outcome", ["REFUSED", "DUPLICATE", "QUEUED"])
async def test_what_is_turned_away_is_done_with(handlers, agent, requested, caplog, outcome):
    turned = requested(ClaimDenied(outcome, "execution_live", "another is live", "job-9"))
    assert await handlers.on_execute_requested([turned]) == [None]
    assert agent.called == []
    refused = [(line.job_id, line.code) for line in caplog.records if line.message == "execution refused"]
    assert refused == ([("job-9", "execution_live")] if outcome == "REFUSED" else [])


async def test_the_batch_waits_while_the_jobstore_is_away(handlers, executions, agent, requested):
    executions.outages = 2
    assert await handlers.on_execute_requested([requested()]) == [None]
    await until(lambda: agent.called)
    assert len(executions.asked) == 3


async def test_a_lease_granted_after_an_outage_longer_than_itself_is_used(handlers, executions, agent, requested):
    executions.outages = 1
    await handlers.on_execute_requested([requested(grant(lease_s=0.02))])  # it is asked again only after that
    await until(lambda: agent.called)


async def test_room_is_told_with_every_claim(handlers, executions, agent, requested, worker):
    agent.does = hangs
    await handlers.on_execute_requested([requested() for _ in range(4)])
    await handlers.on_execute_requested([requested()])
    worker.take_no_more()
    await handlers.on_execute_requested([requested()])
    assert executions.rooms == [10, 6, 0]


async def test_a_large_request_takes_more_of_the_room(handlers, agent, requested, worker):
    agent.does, worker.slot_bytes = hangs, COPIES * 10_000
    request = execute_requested()
    asked = grant(lease=lease(request.execution_id), job_id=request.job_id, request={"payload": "x" * 30_000})
    await handlers.on_execute_requested([requested(asked, execution_id=request.execution_id)])
    assert worker._slots.free == worker.capacity - 4


async def test_a_grant_said_again_calls_no_agent_again(handlers, agent, requested):
    agent.does = hangs
    request = requested()
    await handlers.on_execute_requested([request, request])
    await handlers.on_execute_requested([request])
    await until(lambda: agent.called)
    assert len(agent.called) == 1


async def test_what_is_asked_for_goes_with_the_claim_as_it_is_and_with_its_signature(handlers, executions):
    headers = [("other", b"1"), (SIGNATURE_HEADER, b"v1,whatever")]
    body = b"no JSON at all"
    denied = ClaimDenied("INVALID", "malformed_json", "no JSON")
    executions.answers[None] = denied
    (error,) = await handlers.on_execute_requested([Incoming(body, record(body, headers=headers))])
    ((claim,),) = executions.asked
    assert claim == Claim(body, "v1,whatever", replay=False)
    assert error.code == "malformed_json"


async def test_a_replayed_record_is_claimed_as_one(handlers, executions, requested):
    first = requested()
    await handlers.on_execute_requested([replace(first, replay=True), requested()])
    ((replayed, plain),) = executions.asked
    assert (replayed.replay, plain.replay) == (True, False)


async def test_a_call_that_takes_too_long_is_given_up(handlers, agent, publisher, requested):
    given_up = []

    async def slowly(_):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given_up.append(True)
            raise

    agent.does = slowly
    request = requested(grant(policy={"attempt_timeout_s": 0.05, "max_calls": 1}))
    started = time.monotonic()
    await handlers.on_execute_requested([request])
    await until(lambda: publisher.events)
    (report,) = publisher.events
    assert (report.kind, report.code) == (ReportKind.FAILED, "agent_timeout")
    assert "0.05 s" in report.message
    assert given_up
    assert time.monotonic() - started < 2.0


async def test_a_cancelled_execution_aborts_its_call_and_reports_nothing(handlers, agent, publisher, leases, requested):
    agent.does = hangs
    request = requested()
    await handlers.on_execute_requested([request])
    await until(lambda: leases.held)
    leases.states[leases.held[0]] = LeaseState.CANCELLED
    await until(lambda: leases.held == [])
    assert publisher.events == []


@pytest.mark.parametrize(
    ("policy", "spent", "kind"),
    [
        ({"max_calls": 3}, 0, ReportKind.ATTEMPT_FAILED),
        ({"max_calls": 3}, 2, ReportKind.FAILED),
        ({"max_calls": 3, "delivery": Delivery.AT_MOST_ONCE}, 0, ReportKind.FAILED),
        ({"max_calls": 3, "no_retry_codes": ["executor_error"]}, 0, ReportKind.FAILED),
    ],
)
async def test_an_unexpected_error_is_a_failure_that_counts_and_is_not_the_agents(  # noqa: PLR0917 - fixtures
    handlers, agent, publisher, requested, policy, spent, kind
):
    async def buggy(_):
        raise ZeroDivisionError("a secret")

    agent.does = buggy
    await handlers.on_execute_requested([requested(grant(policy=policy, spent=spent))])
    await until(lambda: publisher.events)
    (report,) = publisher.events
    assert (report.kind, report.code, report.call, report.retryable) == (kind, "executor_error", spent + 1, None)
    assert "ZeroDivisionError" in report.message
    assert "secret" not in report.message


async def test_a_result_that_cannot_be_published_by_a_bug_is_a_failure(handlers, publisher, requested):
    publisher.errors = [ZeroDivisionError()]
    await handlers.on_execute_requested([requested()])
    await until(lambda: publisher.events)
    assert [report.code for report in publisher.events] == ["executor_error"]


def test_reports_of_one_happening_have_one_id():
    a_grant = grant()
    reports = [
        AttemptReports(a_grant).describe_failure(1, AgentTimeoutError("late"), 1.0, here=False, duration_s=2.0)
        for _ in range(2)
    ]
    assert reports[0].event_id == reports[1].event_id


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain\n\ttext ü 漢 🎉", "plain\n\ttext ü 漢 🎉"),
        ("\0\x1b[2J\r\x7f\x9b", "��[2J���"),
        ("\ud800\u2028\u202e\ufeff", "����"),
        ("x" * 3_000, "x" * 2_000),
    ],
)
def test_a_text_of_a_stranger_is_cut_and_made_harmless(text, stored):
    assert to_printable(text) == stored


async def test_each_protocol_has_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNOFF_EXECUTOR_TOKEN", "e" * 32)
    async with HttpClient(allowed=[], header_values=HeaderValues({}, None), result_max_bytes=1) as client:
        assert make_agents(client, Settings()).keys() == set(CALLABLE_PROTOCOLS)
