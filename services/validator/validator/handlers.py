"""From a result to a verdict: claim, commit; then judge, and tell."""

import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.events import JobStatusReported, ResultProduced
from contracts.status import ReportKind
from servicekit.errors import PermanentError
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Incoming
from servicekit.leasing.worker import HeldLease, Lease, PublishOutcome, Worker
from servicekit.retry import retry_transient
from validator.errors import JudgmentError
from validator.judge_config import JudgeConfig
from validator.judges.spending import SpendingJudge
from validator.judging import validate_agent_response
from validator.ports import ClaimDenied, Grant, Judge, Judgings
from validator.verdict import storable

log = logging.getLogger(__name__)

#: The longest wait before a judge that does not answer is asked again.
JUDGE_WAIT_MAX_S = 30.0


class Handlers:
    """The validator's story."""

    def __init__(
        self,
        worker: Worker,
        judgings: Judgings,
        judge: Judge,
        limits: JudgeConfig,
        publisher: Publisher,
    ) -> None:
        self._worker = worker
        self._judgings = judgings
        self._judge = judge
        self._limits = limits
        self._publisher = publisher

    async def on_result_produced(self, results: Sequence[Incoming[ResultProduced]]) -> list[PermanentError | None]:
        """Claim a batch in one call, and start what was granted; what was replayed is not claimed."""
        bodies = [result.record.value or b"" for result in results if not result.replay]
        asked_at, claimed = await retry_transient(lambda: self._claimed(bodies), on="jobstore")
        answers = iter(claimed)
        return [None if r.replay else self._begun(r.event, next(answers), asked_at) for r in results]

    async def _claimed(self, bodies: Sequence[bytes]) -> tuple[float, Sequence[Grant | ClaimDenied]]:
        """Also when it was asked: a lease runs from this try, not from one before an outage."""
        return time.monotonic(), await self._judgings.begin(self._worker.owner, self._worker.room, bodies)

    def _begun(self, event: ResultProduced, answer: Grant | ClaimDenied, asked_at: float) -> PermanentError | None:
        if isinstance(answer, ClaimDenied):
            return PermanentError(answer.message, code=answer.code) if answer.outcome == "INVALID" else None
        lease, judge = Lease(event.execution_id, answer.lease), SpendingJudge(self._judge, answer.budget)
        self._worker.start_work(
            lease, event.job_id, asked_at + answer.lease_s, lambda held: self._judge_result(event, held, judge)
        )
        return None

    async def _judge_result(self, event: ResultProduced, held: HeldLease, judge: SpendingJudge) -> PublishOutcome:
        """Judge, however long the judge is away; how the verdict is reported."""
        held.begun = True
        started = time.monotonic()
        try:
            verdict = await retry_transient(
                lambda: validate_agent_response(
                    event.result,
                    event.acceptance_criteria,
                    self._limits,
                    judge=judge,
                ),
                on="judge",
                longest_s=JUDGE_WAIT_MAX_S,
            )
        except JudgmentError as error:
            log.warning("cannot be judged", extra={"job_id": event.job_id, "code": error.code, "reason": str(error)})
            told: dict[str, Any] = {"kind": ReportKind.FAILED, "code": error.code, "message": storable(str(error))}
        else:
            told = {"kind": ReportKind.VERDICT, "verdict": verdict, "judge": self._limits.judge}
        outcome = _report(event, held.lease, duration_s=time.monotonic() - started, usage=judge.usage, **told)
        return lambda: self._publisher.publish(outcome)


def _report(event: ResultProduced, lease: Lease, **fields: Any) -> JobStatusReported:
    return JobStatusReported.model_construct(
        execution_id=event.execution_id,
        job_id=event.job_id,
        attempt=event.attempt,
        lease=lease.lease,
        seq=1,
        reported_at=datetime.now(UTC),
        **fields,
    )
