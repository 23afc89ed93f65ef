"""One attempt at an execution: calls of its agent, until one succeeds or none may follow here and now."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace

from contracts.events import Event
from contracts.resources import Usage
from contracts.spending import with_cost
from contracts.status import Protocol as AgentProtocol
from executor import retries
from executor.errors import AgentError, AgentTimeoutError
from executor.ports import Agent, Call, Grant
from executor.progress import Throttle
from executor.reporting import AttemptReports, produced
from servicekit.kafka.publisher import Publisher
from servicekit.leasing.worker import HeldLease, PublishOutcome, Worker
from servicekit.retry import retry_transient

log = logging.getLogger(__name__)


class Attempt:
    """What is done under one grant."""

    def __init__(
        self,
        grant: Grant,
        held: HeldLease,
        worker: Worker,
        agents: Mapping[AgentProtocol, Agent],
        publisher: Publisher,
        progress_interval_s: float,
    ) -> None:
        self._grant = grant
        self._held = held
        self._worker = worker
        self._agents = agents
        self._publisher = publisher
        self._progress_interval_s = progress_interval_s
        self._told = AttemptReports(grant)
        self._budget = replace(grant.budget)
        self._usage: Usage | None = None

    async def run(self) -> PublishOutcome:
        """How the outcome is reported."""
        self._publisher.publish_soon(self._told.begun())
        number, outcome = self._grant.spent, None
        while outcome is None:
            number += 1
            outcome = await self._outcome(number)
        return lambda: self._publisher.publish(outcome)

    async def _outcome(self, number: int) -> Event | None:
        """What a call comes to; None where another one follows now."""
        started, self._usage = time.monotonic(), None
        self._held.begun = True
        try:
            result = await self._answer(number)
        except AgentError as error:
            return await self._failed(number, error, time.monotonic() - started)
        return produced(self._grant, result, time.monotonic() - started, self._usage)

    async def _answer(self, number: int) -> object:
        agent = self._agents.get(self._grant.protocol)
        if agent is None:
            raise AgentError(f"no way to call an agent of protocol {self._grant.protocol}", code="unknown_protocol")
        timeout_s = self._grant.policy.attempt_timeout_s
        tell = Throttle(self._progress_interval_s, lambda p: self._publisher.publish_soon(self._told.progress(p)))
        try:
            async with asyncio.timeout(timeout_s) as timeout:
                given_up = lambda: timeout.expired() or self._held.cancelled  # noqa: E731 - of this block alone
                return await agent.call(Call(self._grant, number, tell, given_up, self._spend))
        except TimeoutError:
            raise AgentTimeoutError(f"no whole answer from the agent within {timeout_s:g} s") from None
        finally:
            tell.close()

    def _spend(self, usage: Usage) -> None:
        self._usage = with_cost(usage)
        self._budget.spend(self._usage)

    async def _failed(self, number: int, error: AgentError, duration_s: float) -> Event | None:
        about = {"job_id": self._grant.job_id, "code": error.code, "call": number, "reason": str(error)[:500]}
        log.warning("agent failed", extra=about)
        told: dict[str, object] = {"duration_s": duration_s, "usage": self._usage}
        wait_s = retries.wait_s(self._grant, number, error)
        if wait_s is not None and (used_up := self._budget.used_up):
            return self._told.stopped(number, error, used_up, **told)
        here = wait_s is not None and wait_s <= retries.WAIT_HERE_MAX_S and self._worker.may_wait
        report = self._told.failed(number, error, wait_s, here=here, **told)
        if not here:
            return report
        assert wait_s is not None
        self._held.begun = False  # nothing is lost by giving it back now
        async with self._worker.without_slot(self._held):
            telling = retry_transient(lambda: self._publisher.publish(report), on="kafka")
            await asyncio.gather(asyncio.sleep(wait_s), telling)
        return None
