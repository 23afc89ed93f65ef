"""Handle requests: claim executions, start attempts at the granted ones, call their agents and publish the outcomes.

An attempt at an execution calls the agent until a call succeeds, or no other call may follow within the attempt.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from contracts.events import Event, ResultProduced, check_handle
from contracts.resources import Usage
from contracts.spending import CALL_COST_MAX_USD, bound_cost, with_cost
from contracts.traceparent import find_trace_id
from executor import outcomes
from executor.errors import (
    AgentAnswerError,
    AgentDeclinedError,
    AgentError,
    AgentProtocolError,
    AgentTimeoutError,
    ExecutorError,
)
from executor.outcomes import AttemptReports, to_result_event
from executor.ports import Agent, Call, Claim, Executions, Grant, Progress
from servicekit.errors import PermanentError, ServiceError
from servicekit.kafka.dead_letters import name_execution
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Incoming
from servicekit.leasing.client import ClaimDenied, claim
from servicekit.leasing.worker import HeldLease, PublishOutcome, Worker
from servicekit.logs import note_about
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode
from signoff.status import Delivery
from signoff.status import Protocol as AgentProtocol

log = logging.getLogger(__name__)


#: Seconds between two reports of a call's progress, by default.
PROGRESS_INTERVAL_S = 1.0


class Throttle:
    """Report the newest progress, at most once in `interval_s` seconds, and only if it differs from the last report."""

    def __init__(self, interval_s: float, report: Callable[[Progress], None]) -> None:
        self._interval_s = interval_s
        self._report = report
        self._loop = asyncio.get_running_loop()
        self._next_at = 0.0
        self._last = hash(repr(Progress()))  # a hash, so that thousands of calls keep no reports
        self._newest: Progress | None = None
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, progress: Progress) -> None:
        """Report `progress` when `interval_s` has passed since the last report, unless newer progress replaces it."""
        self._newest = progress
        if self._timer is None:
            self._timer = self._loop.call_at(self._next_at, self._report_newest)

    def close(self) -> None:
        """Cancel the report that is scheduled, if there is one."""
        if self._timer is not None:
            self._timer.cancel()

    def _report_newest(self) -> None:
        newest, self._newest, self._timer = self._newest, None, None
        assert newest is not None
        if (current := hash(repr(newest))) == self._last:
            return
        self._last, self._next_at = current, self._loop.time() + self._interval_s
        self._report(newest)


#: Seconds after which the begin of a call is reported; the outcome of a shorter one has its time.
BEGIN_REPORTED_AFTER_S = 1.0


class Attempt:
    """One attempt at an execution under a grant: it calls the agent, and publishes reports and the outcome."""

    _held: HeldLease

    def __init__(
        self,
        grant: Grant,
        worker: Worker,
        agents: Mapping[AgentProtocol, Agent],
        publisher: Publisher,
        progress_interval_s: float,
        call_cost_max_usd: Decimal,
    ) -> None:
        self._grant = grant
        self._worker = worker
        self._agents = agents
        self._publisher = publisher
        self._progress_interval_s = progress_interval_s
        self._call_cost_max_usd = call_cost_max_usd
        self._reports = AttemptReports(grant)
        self._budget = replace(grant.budget)
        self._usage: Usage | None = None
        self._is_begin_reported = False
        self._number = grant.spent + 1
        self._handle = grant.handle or None
        self._had_handle = self._handle is not None

    async def run(self, held: HeldLease) -> PublishOutcome:
        """Call the agent until there is an outcome, and return the function that publishes the outcome."""
        self._held = held
        if self._grant.traceparent:
            held.trace_id = find_trace_id(self._grant.traceparent, held.lease.execution_id)
            note_about(trace_id=held.trace_id)
        if self._grant.policy.delivery is Delivery.AT_MOST_ONCE:
            self._report_begin()
        timer = asyncio.get_running_loop().call_later(BEGIN_REPORTED_AFTER_S, self._report_begin)
        try:
            while (outcome := await self._make_call(self._number)) is None:
                self._number += 1
        finally:
            timer.cancel()
        return lambda: self._publish(self._number, outcome)

    async def give_up(self, held: HeldLease, bug: Exception) -> None:
        """Publish that the attempt failed by the unexpected error `bug`, without its text, which may hold secrets."""
        error = ExecutorError(f"the executor failed unexpectedly ({type(bug).__name__}), and its log says how")
        wait_s = outcomes.wait_s(self._grant, self._number, error)
        report = self._reports.describe_failure(
            self._number, error, wait_s, here=False, usage=self._usage, handle=self._handle_now
        )
        await self._publisher.publish_report(report, held.lease)

    async def _publish(self, number: int, outcome: Event) -> None:
        """Publish the outcome of call `number`; if the topic refuses a result, publish a failure in its place."""
        try:
            await self._publisher.publish_report(outcome, self._held.lease)
        except PermanentError as error:
            if not isinstance(outcome, ResultProduced):
                raise
            refused = AgentAnswerError(f"its topic refuses the result: {error}", code=ErrorCode.RESULT_TOO_LARGE)
            fields = {"duration_s": outcome.duration_s, "usage": outcome.usage}
            report = self._reports.describe_failure(number, refused, None, here=False, **fields)
            await self._publisher.publish_report(report, self._held.lease)

    def _report_begin(self) -> None:
        """Report that the agent is being called, unless this or the failure of a call has been reported already."""
        if not self._is_begin_reported:
            self._is_begin_reported = True
            self._report_soon(self._reports.describe_begin())

    def _keep_handle(self, handle: str) -> None:
        """Report the agent's name for the work, for the executor that goes on with it; an empty one is dropped."""
        if handle == (self._handle or ""):
            return
        try:
            self._handle = check_handle(handle) if handle else None
        except ValueError as error:
            raise AgentProtocolError(f"the agent's name for the work {error}") from None
        if self._handle is None:  # the report of the failure that follows says so
            return
        self._had_handle = True
        if self._is_begin_reported:
            self._report_soon(self._reports.describe_handle(handle))
        else:
            self._is_begin_reported = True
            self._report_soon(self._reports.describe_begin(handle))

    @property
    def _handle_now(self) -> str | None:
        """The agent's name for the work, empty if it has none any more; None if it never had one."""
        return self._handle if self._handle or not self._had_handle else ""

    def _report_progress(self, progress: Progress) -> None:
        self._report_begin()  # it comes first in the job's log
        self._report_soon(self._reports.describe_progress(progress))

    def _report_soon(self, report: Event) -> None:
        self._publisher.publish_report_soon(report, self._held.lease)

    async def _make_call(self, number: int) -> Event | None:
        """Make call `number`, and return the outcome to publish, or None if this attempt makes another call."""
        started, self._usage = time.monotonic(), None
        self._held.begun = True
        try:
            result = await self._call_agent(number)
        except AgentError as error:
            return await self._handle_failure(number, error, time.monotonic() - started)
        duration_s = time.monotonic() - started
        return to_result_event(self._grant, result, duration_s, self._usage, self._reports.began_at)

    async def _call_agent(self, number: int) -> object:
        agent = None if self._grant.protocol is None else self._agents.get(self._grant.protocol)
        if agent is None:
            raise AgentError("this executor does not know the agent's protocol", code=ErrorCode.UNKNOWN_PROTOCOL)
        timeout_s = self._grant.policy.attempt_timeout_s
        progress = Throttle(self._progress_interval_s, self._report_progress)
        timeout = asyncio.timeout(timeout_s)
        has_lapsed = self._held.has_lapsed
        is_given_up = lambda: self._held.cancelled or (timeout.expired() and not has_lapsed())  # noqa: E731 - of this call alone
        call = Call(
            self._grant,
            number,
            progress,
            is_given_up,
            self._spend,
            has_lapsed,
            handle=self._handle,
            keep_handle=self._keep_handle,
            tokens_left=self._budget.left_tokens,
            reserve=partial(self._worker.reserve, self._held),
            note_body=partial(self._worker.note_size, self._held),
        )
        try:
            async with timeout:
                return await agent.call(call)
        except TimeoutError:
            raise AgentTimeoutError(f"no whole answer from the agent within {timeout_s:g} s") from None
        except AgentError as error:
            error.args = (call.hide(str(error)),)
            raise
        finally:
            progress.close()

    def _spend(self, usage: Usage) -> None:
        self._usage = bound_cost(with_cost(usage), self._call_cost_max_usd)
        self._budget.spend(self._usage)

    async def _handle_failure(self, number: int, error: AgentError, duration_s: float) -> Event | None:
        extra = {"job_id": self._grant.job_id, "code": error.code, "call": number, **_describe(error)}
        log.warning("agent failed", extra=extra)
        fields: dict[str, object] = {"duration_s": duration_s, "usage": self._usage, "handle": self._handle_now}
        wait_s = outcomes.wait_s(self._grant, number, error)
        if wait_s is not None and (used_up := self._budget.used_up):
            return self._reports.describe_exhaustion(number, error, used_up, **fields)
        here = wait_s is not None and wait_s <= outcomes.WAIT_HERE_MAX_S and self._worker.may_wait
        report = self._reports.describe_failure(number, error, wait_s, here=here, **fields)
        if not here:
            return report
        assert wait_s is not None
        self._is_begin_reported = True
        self._held.begun = False  # nothing is lost if it is given back now
        async with self._worker.without_slot(self._held):
            reporting = retry_transient(lambda: self._publisher.publish_report(report, self._held.lease), on="kafka")
            await asyncio.gather(asyncio.sleep(wait_s), reporting)
        return None


@dataclass(frozen=True, slots=True)
class Handlers:
    """Handle batches of `execute-requested`, from the claims to the attempts."""

    worker: Worker
    executions: Executions
    agents: Mapping[AgentProtocol, Agent]
    publisher: Publisher
    progress_interval_s: float = PROGRESS_INTERVAL_S
    call_cost_max_usd: Decimal = CALL_COST_MAX_USD

    async def on_execute_requested(self, requests: Sequence[Incoming[bytes]]) -> list[ServiceError | None]:
        """Claim a batch in one call, and start an attempt for each grant, without a wait for any agent's answer.

        Return an error or None for each record: PermanentError makes it a dead letter, DoubtfulError has it come again.
        """
        claims = [Claim(each.event, each.signature, each.replay, each.traceparent) for each in requests]
        asked_at, answers = await claim(self.worker, partial(self.executions.claim, claims=claims))
        return [self._handle_answer(claim, answer, asked_at) for claim, answer in zip(claims, answers, strict=True)]

    def _handle_answer(self, claim: Claim, answer: Grant | ClaimDenied, asked_at: float) -> ServiceError | None:
        if isinstance(answer, Grant):
            bounds = self.progress_interval_s, self.call_cost_max_usd
            attempt = Attempt(answer, self.worker, self.agents, self.publisher, *bounds)
            expires_at = asked_at + answer.lease_s
            work = attempt.run, attempt.give_up
            size = len(answer.request)
            self.worker.start_work(
                answer.lease, answer.job_id, expires_at, *work, names=answer.names, size=size, within_share=True
            )
            return None
        about = {"job_id": answer.job_id, **name_execution(claim.request), "code": answer.code}
        if claim.replay:
            log.info("a replayed record changes nothing", extra=about | {"outcome": answer.outcome})
            return None
        if answer.outcome == "REFUSED":
            log.warning("execution refused", extra=about | {"reason": answer.message})
        return answer.to_error()


def _describe(error: AgentError) -> dict[str, object]:
    """Return what a log may say of a failed call: nothing that the agent has answered, which the job's log has."""
    if error.status is not None or isinstance(error, AgentAnswerError | AgentDeclinedError):
        return {"status": error.status} if isinstance(error.status, int) else {}  # a code of the agent's is any text
    return {"reason": str(error)[:500]}
