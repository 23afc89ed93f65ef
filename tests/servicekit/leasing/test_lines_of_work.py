"""Each line about work under a lease says of which job and execution it is, whoever writes it."""

import json
import logging
from collections.abc import Iterator

import pytest
from leased_work import Work, begin, begun, refuse
from support.factories import lease
from support.fakes import FakeLeases, until

from servicekit.leasing.worker import HeldLease, LeaseState, Worker
from servicekit.logs import JsonFormatter

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Lines(logging.Handler):
    """The lines that were logged, as a process would write them."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter("executor"))
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    handler, root = Lines(), logging.getLogger()
    root.addHandler(handler)
    yield handler.lines
    root.removeHandler(handler)


async def told(lines: list[dict[str, object]], message: str) -> tuple[object, object]:
    await until(lambda: any(line["message"] == message for line in lines))
    line = next(line for line in lines if line["message"] == message)
    return line.get("job_id"), line.get("execution_id")


async def test_work_that_fails_or_is_left_and_what_it_calls(worker: Worker, work: Work, lines) -> None:
    async def fail(_: HeldLease):
        logging.getLogger("executor.http_agents").warning("an agent's usage is ignored")
        raise ZeroDivisionError

    work.give_up_fails = True
    failing, left = lease(), lease()
    begin(worker, work, failing, do=fail)
    begin(worker, work, left, do=refuse)
    of_failing, of_left = ("job-1", str(failing.execution_id)), ("job-1", str(left.execution_id))
    assert await told(lines, "an agent's usage is ignored") == of_failing
    assert await told(lines, "work failed by a bug") == of_failing
    assert await told(lines, "work is left to a newer worker") == of_left


async def test_an_outcome_that_cannot_be_reported(worker: Worker, work: Work, lines) -> None:
    work.report_errors, work.give_up_fails = [ZeroDivisionError()], True
    held = await begun(worker, work)
    work.finish.set()
    about = ("job-1", str(held.lease.execution_id))
    assert await told(lines, "an outcome cannot be reported") == about
    assert await told(lines, "that work failed cannot be reported, its lease will lapse") == about


async def test_work_that_is_aborted(
    worker: Worker, work: Work, leases: FakeLeases, lines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "servicekit.leasing")
    held = await begun(worker, work)
    leases.states[held.lease] = LeaseState.LOST
    assert await told(lines, "work aborted") == ("job-1", str(held.lease.execution_id))
