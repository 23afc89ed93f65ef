"""A worker's clock that jumps by an hour makes no call shorter, no wait longer and no outcome lost."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from fault_agent import says

from contracts.events import ResultProduced
from contracts.status import ReportKind
from servicekit import clock

HOUR = timedelta(hours=1)


@pytest.fixture(params=[HOUR, -HOUR])
def jump(request, monkeypatch):
    """Make the clock jump, as often as it is called: there, and back."""
    shifts = [timedelta(), request.param] * 2
    real = clock.now

    def jumping():
        shifts.append(shifts.pop(0))
        monkeypatch.setattr(clock, "now", lambda: real() + shifts[0])

    return jumping


def http_date(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


async def test_a_call_during_which_the_clock_jumps_is_one_call_with_one_result(agent, outcome, worker, jump):
    answer = says(b'"blue"', Content_Type="application/json")

    async def script(writer):
        jump()
        await worker.renew()
        await answer(writer)

    event = await outcome(agent.does(script), policy={"attempt_timeout_s": 60.0, "max_attempts": 3})
    assert isinstance(event, ResultProduced)
    assert (event.result, len(agent.calls)) == ("blue", 1)
    assert event.duration_s is not None
    assert 0 <= event.duration_s < 60


async def test_an_agent_is_waited_for_as_long_as_it_asked_by_its_own_clock(agent, outcome, jump):
    jump()
    url = agent.does(says(b"", 503, Date=http_date(0), Retry_After=http_date(40)))
    report = await outcome(url, policy={"max_attempts": 2})
    assert report.kind is ReportKind.ATTEMPT_FAILED
    assert 39 <= report.retry_after_s <= 41
