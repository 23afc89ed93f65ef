"""Grant judgings without a job to validators, and take what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from pydantic_core import from_json

from contracts.criteria import read_references
from contracts.signing import KeyUse, Secrets, Signature
from contracts.sizes import JUDGED_MAX_BYTES, LIMIT_MAX_BYTES, cut_message
from contracts.spending import Budget
from jobstore.api.auth import CALLER
from jobstore.commands.judgings import FinishJudging
from jobstore.dispatching.judging_queue import JudgingQueue
from jobstore.domain.judging.criteria import join_criteria, loop_needs_context, needs_context
from jobstore.domain.judging.task import format_task, read_task
from jobstore.json_members import members
from jobstore.runner import CommandRunner
from jobstore.storage.database import Database
from jobstore.storage.judging import judgings
from jobstore.storage.sql import Row
from servicekit.errors import DoubtfulError, PermanentError
from signoff.errors import ErrorCode
from signoff.money import USD_MAX, to_nanos
from signoff.status import EmptyResult, JudgingKind
from signoff.worker.v1 import work_service_pb2 as pb

#: Judgings that one call grants at most, and outcomes that one call has.
TAKE_MAX: Final = 500
VERDICT_MAX_BYTES: Final = LIMIT_MAX_BYTES + JUDGED_MAX_BYTES
_Lease = tuple[UUID, int]


class JudgingClaims:
    """Grant, renew and finish judgings without a job."""

    def __init__(self, database: Database, runner: CommandRunner, secrets: Secrets, queue: JudgingQueue) -> None:
        self._database = database
        self._runner = runner
        self._secrets = secrets
        self.queue = queue
        self._lease_s = runner.terms.lease_s

    async def grant(self, owner: UUID, take: int) -> list[pb.JudgingAnswer]:
        """Grant up to `take` of those that wait."""
        take = min(take, TAKE_MAX)
        if take <= 0:
            return []
        async with self._database.session() as session:
            rows = await judgings.grant(session, owner, take, self._lease_s)
        self.queue.take(len(rows), take)
        return [self._make_answer(row) for row in rows]

    def _make_answer(self, row: Row) -> pb.JudgingAnswer:
        """Return what is judged: the case as it was asked for, or the job's, but for what is judged by instead."""
        key = self._secrets.make_key(KeyUse.JUDGING_ALONE, row.id, row.lease)
        asked = {} if row.asked is None else members(row.asked)
        said = {name: from_json(text) for name, text in asked.items() if name not in {"result", "payload"}}
        policy = from_json(row.policy) if row.policy else {}
        body = asked if row.execution_id is None else members(row.request or "{}")
        payload = body.get("payload") if row.execution_id is None or _needs_context(row) else None
        result = asked["result"] if "result" in asked else members(row.response or "{}").get("result", "null")
        return pb.JudgingAnswer(
            outcome=pb.CLAIM_OUTCOME_GRANTED,
            lease=pb.LeaseKey(execution_id=str(row.id), lease=row.lease, secret_id=key.secret_id, key=key.key),
            lease_s=self._lease_s,
            acceptance_criteria=said.get("acceptance_criteria") or _join_criteria(row),
            task_json=format_task(read_task(body), row.judge_policy or ""),
            references=read_references(asked.get("references") if asked else row.reference_texts),
            result_json=result,
            judging_kind=row.kind,
            judge_empty=said.get("judge_empty", policy.get("empty_result") == EmptyResult.JUDGE),
            judge_policy_json=row.judge_policy or "",
            submission=said.get("submission", row.submission or 0),
            submissions=said.get("submissions", policy.get("max_submissions", 0)),
            payload_json=payload,
            previous_result_hash=row.previous_hash or b"",
            **describe_budget(_find_budget(row, policy)),
        )

    async def finish(self, request: pb.FinishJudgingsRequest) -> pb.FinishJudgingsResponse:
        """Keep outcomes, renew what is held, and queue again what is given back. What is not proven is lost."""
        owner = UUID(request.owner)
        outcomes = [(_token(one.lease), one) for one in request.outcomes if self._is_proven(one.lease, owner)]
        held = [_token(lease) for lease in request.held if self._is_proven(lease, owner)]
        back = [_token(lease) for lease in request.given_back if self._is_proven(lease, owner)]
        real: Mapping[UUID, Row] = {}
        async with self._database.session() as session:
            kept = await judgings.renew(session, owner, held, self._lease_s)
            await judgings.give_back(session, back)
            if outcomes:
                real = await judgings.find_real(session, [judging_id for (judging_id, _), _ in outcomes])
        commands = [_make_command(token, one, real.get(token[0])) for token, one in outcomes]
        recorded = await self._finish(commands)
        return pb.FinishJudgingsResponse(
            outcomes=[
                pb.LEASE_STATE_RECORDED if _token(one.lease) in recorded else pb.LEASE_STATE_LOST
                for one in request.outcomes
            ],
            held=[pb.LEASE_STATE_KEEP if _token(lease) in kept else pb.LEASE_STATE_LOST for lease in request.held],
            lease_s=self._lease_s,
        )

    async def _finish(self, commands: Sequence[FinishJudging]) -> set[_Lease]:
        """Return the leases whose outcomes count; one that cannot be stored counts as a failure of that code.

        DoubtfulError: the validator sends all again, and what is recorded by then is answered LOST.
        """
        recorded: set[_Lease] = set()
        failed: list[FinishJudging] = []
        for command, result in zip(commands, await self._runner.judge.run(commands), strict=True):
            if isinstance(result, DoubtfulError):
                raise result
            if isinstance(result, PermanentError):
                failed.append(replace(command, verdict=None, code=result.code, message=cut_message(str(result))))
            elif result:
                recorded.add((command.judging_id, command.lease))
        if failed and any(command.verdict is not None for command in commands):
            recorded |= await self._finish(failed)
        return recorded

    def _is_proven(self, lease: pb.Lease, owner: UUID) -> bool:
        signature = Signature.parse(lease.proof)
        if signature is None or (signature.execution, signature.lease) != (lease.execution_id.lower(), lease.lease):
            return False
        return self._secrets.verify(KeyUse.JUDGING_ALONE, signature, str(owner).encode())


def describe_budget(budget: Budget) -> dict[str, Any]:
    """Return the fields of an answer that say what a job may spend, and what is left of it."""
    return {
        "budget_usd": budget.usd,
        "budget_left_usd": budget.left_usd,
        "budget_tokens": budget.tokens,
        "budget_left_tokens": budget.left_tokens,
    }


def _make_command(token: _Lease, outcome: pb.JudgingOutcome, real: Row | None) -> FinishJudging:
    verdict = outcome.verdict_json if outcome.HasField("verdict_json") else None
    code, message = outcome.code or None, cut_message(outcome.message).replace("\0", "") or None
    if verdict is not None and len(verdict.encode()) > VERDICT_MAX_BYTES:
        verdict, code, message = (
            None,
            ErrorCode.VERDICT_TOO_LARGE,
            f"the verdict has more than {VERDICT_MAX_BYTES} bytes",
        )
    elif verdict is not None and "\\u0000" in verdict:
        verdict, code, message = (
            None,
            ErrorCode.VERDICT_MISMATCH,
            "the verdict has the character U+0000",
        )
    return FinishJudging(
        *token,
        verdict=verdict,
        code=code,
        message=message,
        cost_nanos=to_nanos(outcome.cost_usd or "0", usd_max=USD_MAX),
        tokens=min(max(0, outcome.tokens), 2**53),
        duration_s=outcome.duration_s,
        execution_id=real.execution_id if real is not None else None,
        job_id=real.job_id if real is not None else None,
        actor=CALLER.get(),
    )


def _token(lease: pb.Lease) -> _Lease:
    return UUID(lease.execution_id), lease.lease


def _needs_context(row: Row) -> bool:
    """Return whether a check of a result that is judged again looks at more than that: only then is it granted more."""
    criteria = from_json(members(row.asked).get("acceptance_criteria", "null")) if row.asked else None
    return needs_context(criteria or _join_criteria(row)) or loop_needs_context(
        row.judge_policy or "", row.submission or 1
    )


def _find_budget(row: Row, policy: Mapping[str, object]) -> Budget:
    """Return the budget of a job that is judged again for real, with what it spends; else one without a bound.

    It is that of the policy that was frozen, unless the job's own says another by now.
    """
    if row.kind != JudgingKind.REJUDGE:
        return Budget()
    now = {**policy, **from_json(row.policy_of_job or "{}")}
    return Budget.under(now, row.cost_nanos or 0, row.tokens or 0)


def _join_criteria(row: Row) -> str:
    own = row.acceptance_criteria or ""
    return join_criteria(own, row.criteria_of_set) if row.criteria_of_set else own
