"""Handle requests: claim executions, start the granted ones, call their agents and publish the outcomes."""

import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial

from contracts.spending import CALL_COST_MAX_USD
from executor.attempt import PROGRESS_INTERVAL_S, Attempt
from executor.ports import Agent, Claim, Executions, Grant
from servicekit.errors import ServiceError
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Incoming
from servicekit.leasing.client import ClaimDenied, claim
from servicekit.leasing.worker import Worker
from signoff.status import Protocol as AgentProtocol

log = logging.getLogger(__name__)


class Handlers:
    """Handle batches of `execute-requested`, from the claims to the attempts."""

    def __init__(
        self,
        worker: Worker,
        executions: Executions,
        agents: Mapping[AgentProtocol, Agent],
        publisher: Publisher,
        progress_interval_s: float = PROGRESS_INTERVAL_S,
        call_cost_max_usd: Decimal = CALL_COST_MAX_USD,
    ) -> None:
        self._worker = worker
        self._executions = executions
        self._agents = agents
        self._publisher = publisher
        self._progress_interval_s = progress_interval_s
        self._call_cost_max_usd = call_cost_max_usd

    async def on_execute_requested(self, requests: Sequence[Incoming[bytes]]) -> list[ServiceError | None]:
        """Claim a batch in one call and start what was granted. The offsets follow, before any agent need answer.

        Return one result a record: a PermanentError makes it a dead letter, after a DoubtfulError it comes again.
        """
        claims = [Claim(request.event, request.signature, request.replay) for request in requests]
        asked_at, answers = await claim(self._worker, partial(self._executions.claim, claims=claims))
        return [self._handle_answer(claim, answer, asked_at) for claim, answer in zip(claims, answers, strict=True)]

    def _handle_answer(self, claim: Claim, answer: Grant | ClaimDenied, asked_at: float) -> ServiceError | None:
        if isinstance(answer, Grant):
            bounds = self._progress_interval_s, self._call_cost_max_usd
            attempt = Attempt(answer, self._worker, self._agents, self._publisher, *bounds)
            expires_at = asked_at + answer.lease_s
            work = attempt.run, attempt.give_up
            self._worker.start_work(
                answer.lease, answer.job_id, expires_at, *work, names=answer.names, within_share=True
            )
            return None
        if claim.replay:
            extra = {"job_id": answer.job_id, "outcome": answer.outcome, "code": answer.code}
            log.info("a replayed record changes nothing", extra=extra)
            return None
        if answer.outcome == "REFUSED":
            log.warning(
                "execution refused", extra={"job_id": answer.job_id, "code": answer.code, "reason": answer.message}
            )
        return answer.to_error()
