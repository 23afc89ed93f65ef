"""Handle results: claim them, start the judgings that were granted, judge, and publish the verdicts."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from contracts.checks import Finding
from contracts.events import JobStatusReported, ResultProduced
from contracts.judging.policy import name_judging as name_reusable
from contracts.traceparent import enter, find_trace_id, name_judging
from servicekit import clock
from servicekit.errors import ServiceError
from servicekit.kafka.publisher import Publisher
from servicekit.kafka.subscription import Incoming
from servicekit.leasing.client import ClaimDenied, claim
from servicekit.leasing.worker import HeldLease, Lease, PublishOutcome, Worker
from servicekit.logs import note_about
from servicekit.retry import retry_transient
from signoff.errors import ErrorCode
from signoff.status import ReportKind
from validator.errors import JudgmentError
from validator.judge_config import JudgeConfig
from validator.judging import JudgingBudget, judge_granted, read_policy
from validator.ports import SENT_TRACE, Claim, FindJudge, Grant, Judgings, RunChecks, Subject
from validator.verdict import is_reusable, to_storable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Handlers:
    """Handle batches of `result-produced`, from the claims to the verdicts.

    `name_own` returns the version of the policy `default` that has this validator's settings, None until known.
    """

    worker: Worker
    judgings: Judgings
    find_judge: FindJudge
    config: JudgeConfig
    publisher: Publisher
    name_own: Callable[[], str | None] = lambda: None
    run_checks: RunChecks | None = None
    _reporting: set[asyncio.Task[None]] = field(default_factory=set)

    async def on_result_produced(self, results: Sequence[Incoming[ResultProduced]]) -> list[ServiceError | None]:
        """Claim a batch of results in one call, and start the judgings that were granted; skip replayed records.

        Return an error or None for each record: PermanentError makes it a dead letter, DoubtfulError has it come again.
        """
        claims = [Claim(result.record.value or b"", result.signature) for result in results if not result.replay]
        sizes = [len(each.result) for each in claims]
        asked_at, claimed = await claim(self.worker, partial(self.judgings.claim, claims=claims), sizes)
        answers = iter(claimed)
        return [
            None if r.replay else self._handle_answer(r.event, next(answers), asked_at, len(r.record.value or b""))
            for r in results
        ]

    def _handle_answer(
        self, event: ResultProduced, answer: Grant | ClaimDenied, asked_at: float, size: int
    ) -> ServiceError | None:
        if isinstance(answer, ClaimDenied):
            return answer.to_error()
        if event.result_hash != answer.result_hash or event.execution_id != answer.lease.execution_id:
            # The lease lapses, and the recorded result is offered again.
            trace_id = find_trace_id(answer.traceparent or None, answer.lease.execution_id)
            about = {"job_id": event.job_id, "execution_id": str(event.execution_id), "trace_id": trace_id}
            log.error("another result than the recorded one is not judged", extra=about)
            return None
        budget = JudgingBudget(answer.budget)
        self.worker.start_work(
            answer.lease,
            event.job_id,
            asked_at + answer.lease_s,
            lambda held: self._judge_result(event, answer, budget, held),
            lambda held, bug: self._give_up(event, budget, held, bug),
            names=(f"tenant:{answer.tenant}",),
            size=size,
        )
        return None

    def _share_checks(self, held: HeldLease, run_checks: RunChecks, tenant: str) -> RunChecks:
        """Return a function that calls `run_checks` in a slot of the worker, under the tenant's name and `checks`."""

        async def run(checks: Sequence[str], subject: Subject) -> Sequence[Finding]:
            async with self.worker.with_slot(held, (tenant, "checks")):
                return await run_checks(checks, subject)

        return run

    async def _judge_result(
        self, event: ResultProduced, grant: Grant, budget: JudgingBudget, held: HeldLease
    ) -> PublishOutcome:
        """Judge a result by its grant, and return the function that publishes the verdict, or the failure to judge."""
        held.begun = True
        if grant.traceparent:
            execution_id, lease = grant.lease.execution_id, grant.lease.lease
            held.trace_id = find_trace_id(grant.traceparent, execution_id)
            note_about(trace_id=held.trace_id)
            SENT_TRACE.set(enter(grant.traceparent, execution_id, name_judging(execution_id, lease)))
        started, began_at, tenant = time.monotonic(), clock.now(), f"tenant:{grant.tenant}"
        try:
            verdict = await judge_granted(
                grant,
                event.result,
                self.config,
                self.find_judge,
                budget,
                run_checks=self.run_checks and self._share_checks(held, self.run_checks, tenant),
                absences=held.absences,
                take_slot=lambda model: self.worker.with_slot(held, (tenant, f"model:{model}")),
            )
        except JudgmentError as error:
            extra = {"code": error.code, "reason": str(error)}
            log.warning("a result cannot be judged, its job fails", extra=extra)
            fields: dict[str, Any] = {"kind": ReportKind.FAILED, "code": error.code, "message": to_storable(str(error))}
        except asyncio.CancelledError:
            if held.cancelled:
                reporting = asyncio.create_task(self._report_spent(event, budget, held.lease))
                self._reporting.add(reporting)
                reporting.add_done_callback(self._reporting.discard)
            raise
        else:
            verdict.judge, verdict.began_at = verdict.judge or self.name_own(), began_at
            fields = {"kind": ReportKind.VERDICT, "verdict": verdict}
            policy = read_policy(grant.policy)
            if is_reusable(verdict, event.result, policy):
                fields["model_and_prompt"] = name_reusable(
                    self.config.judge_name, None if policy is None else policy.reference
                )
        outcome = _to_report(event, held.lease, duration_s=time.monotonic() - started, usage=budget.usage, **fields)
        return lambda: self.publisher.publish_report(outcome, held.lease)

    async def _report_spent(self, event: ResultProduced, budget: JudgingBudget, lease: Lease) -> None:
        """Publish the cost, if any, of a judging that was cancelled or ran out of time, with asks then under way."""
        if (usage := await budget.settle()) is not None:
            report = _to_report(event, lease, kind=ReportKind.SPENT, usage=usage)
            await retry_transient(lambda: self.publisher.publish_report(report, lease), on="kafka")

    async def _give_up(self, event: ResultProduced, budget: JudgingBudget, held: HeldLease, bug: Exception) -> None:
        """Publish that judging failed by the unexpected error `bug`, without its text, which may hold secrets."""
        message = f"the validator failed unexpectedly ({type(bug).__name__}), and its log says how"
        fields = {"kind": ReportKind.MISJUDGED, "code": ErrorCode.VALIDATOR_ERROR, "message": message}
        await self.publisher.publish_report(_to_report(event, held.lease, usage=budget.usage, **fields), held.lease)


def _to_report(event: ResultProduced, lease: Lease, **fields: Any) -> JobStatusReported:
    return JobStatusReported.model_construct(
        execution_id=event.execution_id,
        job_id=event.job_id,
        attempt=event.attempt,
        lease=lease.lease,
        seq=1,
        reported_at=clock.now(),
        **fields,
    )
