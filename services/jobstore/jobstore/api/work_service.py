"""Serve WorkService over gRPC: grant, renew and take back the leases of executors and validators."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import from_json

from contracts.criteria import read_references
from contracts.events import ExecuteRequested, ResultProduced
from contracts.fields import Text, explain
from contracts.judging.policy import JudgePolicy, Name, join_reference
from contracts.resources import NewJob, Policy
from contracts.signing import KeyUse, Secrets, Signature
from contracts.spending import Budget
from contracts.topics import JUDGED_MAX_BYTES, LIMIT_MAX_BYTES
from contracts.traceparent import go_on
from jobstore.access.callers import find_actor
from jobstore.access.upstreams import OPEN, Author, Upstreams
from jobstore.api.requests import Context, check_text_size, read_protocols
from jobstore.api.task_claims import TaskClaims
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Row
from jobstore.errors import InvalidError
from jobstore.executions import leases
from jobstore.executions.claims import ClaimAnswer, ClaimExecution, ClaimJudging, ClaimOutcome
from jobstore.executions.commands import EndLease
from jobstore.executions.rows import Grant, WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.insights.processes import Report
from jobstore.jobs.model import (
    UPSTREAM,
    Execution,
    ExecutionStage,
    ExecutionState,
    TransitionKind,
    cut_message,
    members,
)
from jobstore.judging import store as judgings
from jobstore.judging.commands import ReportDefault
from jobstore.judging.judgings import FinishJudging
from jobstore.judging.queue import JudgingQueue
from jobstore.judging.rules import (
    POLICY_MAX_BYTES,
    RESERVED,
    format_body,
    format_task,
    join_criteria,
    loop_needs_context,
    needs_context,
    read_task,
)
from jobstore.judging.store import note_validator
from jobstore.tasks.queue import TaskQueue
from servicekit.errors import DoubtfulError, PermanentError, ServiceError
from servicekit.kafka.subscription import parse_event
from servicekit.traceparents import take_traceparent
from signoff.errors import ErrorCode
from signoff.status import FIRST_PROTOCOLS, EmptyResult, JudgingKind
from signoff.v1 import resources_pb2 as resources_pb
from signoff.values import USD_MAX, to_nanos
from signoff.wire import read_fields, write_message, write_row
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceServicer

#: The highest number of judgings that one call grants.
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
        """Grant `owner` leases of up to `take` waiting judgings, TAKE_MAX at most, and return what is judged."""
        take = min(take, TAKE_MAX)
        if take <= 0:
            return []
        async with self._database.session() as session:
            rows = await judgings.grant(session, owner, take, self._lease_s)
        self.queue.take(len(rows), take)
        return [self._make_answer(row) for row in rows]

    def _make_answer(self, row: Row) -> pb.JudgingAnswer:
        """Return the answer that grants a judging: its case, or a job's result with the criteria given instead."""
        key = self._secrets.make_key(KeyUse.JUDGING_ALONE, row.id, row.lease)
        asked = {} if row.asked is None else members(row.asked)
        given = {name: from_json(text) for name, text in asked.items() if name not in {"result", "payload"}}
        policy = from_json(row.policy) if row.policy else {}
        body = asked if row.execution_id is None else members(row.request or "{}")
        payload = body.get("payload") if row.execution_id is None or _needs_context(row) else None
        result = asked["result"] if "result" in asked else members(row.response or "{}").get("result", "null")
        return pb.JudgingAnswer(
            outcome=pb.CLAIM_OUTCOME_GRANTED,
            lease=pb.LeaseKey(execution_id=str(row.id), lease=row.lease, secret_id=key.secret_id, key=key.key),
            lease_s=self._lease_s,
            acceptance_criteria=given.get("acceptance_criteria") or _join_criteria(row),
            task_json=format_task(read_task(body), row.judge_policy or ""),
            references=read_references(asked.get("references") if asked else row.reference_texts),
            result_json=result,
            judging_kind=row.kind,
            judge_empty=given.get("judge_empty", policy.get("empty_result") == EmptyResult.JUDGE),
            judge_policy_json=row.judge_policy or "",
            policy_tenant=row.policy_tenant,
            submission=given.get("submission", row.submission or 0),
            submissions=given.get("submissions", policy.get("max_submissions", 0)),
            payload_json=payload,
            previous_result_hash=row.previous_hash or b"",
            **describe_budget(_find_budget(row, policy)),
        )

    async def finish(self, request: pb.FinishJudgingsRequest) -> pb.FinishJudgingsResponse:
        """Record outcomes, renew held leases, and queue judgings given back. A lease without a valid proof is LOST."""
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
        lost, done = pb.LEASE_STATE_LOST, pb.LEASE_STATE_RECORDED
        return pb.FinishJudgingsResponse(
            outcomes=[done if _token(one.lease) in recorded else lost for one in request.outcomes],
            held=[pb.LEASE_STATE_KEEP if _token(lease) in kept else lost for lease in request.held],
            lease_s=self._lease_s,
        )

    async def _finish(self, commands: Sequence[FinishJudging]) -> set[_Lease]:
        """Return the leases whose outcomes count; an outcome that cannot be stored becomes a failure with that code.

        DoubtfulError: the validator sends all outcomes again, and those that are recorded by then are answered LOST.
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
        return _verify_proof(self._secrets, KeyUse.JUDGING_ALONE, lease, owner) is not None


def describe_budget(budget: Budget) -> dict[str, Any]:
    """Return the fields of an answer that give the budget of a job, and what is left of the budget."""
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
        message = f"the verdict has more than {VERDICT_MAX_BYTES} bytes"
        verdict, code = None, ErrorCode.VERDICT_TOO_LARGE
    elif verdict is not None and "\\u0000" in verdict:
        message = "the verdict has the character U+0000"
        verdict, code = None, ErrorCode.VERDICT_MISMATCH
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
        actor=find_actor(),
    )


def _needs_context(row: Row) -> bool:
    """Return whether a check needs more than the result, such as the payload, when a result is judged again."""
    criteria = from_json(members(row.asked).get("acceptance_criteria", "null")) if row.asked else None
    is_needed_by_loop = loop_needs_context(row.judge_policy or "", row.submission or 1)
    return is_needed_by_loop or needs_context(criteria or _join_criteria(row))


def _find_budget(row: Row, policy: Mapping[str, object]) -> Budget:
    """Return the budget and the spending of a job that is judged again for real, or else an unbounded budget.

    The job's own policy, as it is now, takes precedence over the policy that the execution froze.
    """
    if row.kind != JudgingKind.REJUDGE:
        return Budget()
    now = {**policy, **from_json(row.policy_of_job or "{}")}
    return Budget.under(now, row.cost_nanos or 0, row.tokens or 0)


def _join_criteria(row: Row) -> str:
    own = row.acceptance_criteria or ""
    return join_criteria(own, row.criteria_of_set) if row.criteria_of_set else own


#: The longest absence of a judge that a validator may report.
AWAY_MAX_S: Final = 365 * 86_400.0
#: The longest time until work that was given back is due again.
DUE_AFTER_MAX_S: Final = 3_600.0
_USES = {ExecutionStage.EXECUTING: KeyUse.EXECUTING, ExecutionStage.JUDGING: KeyUse.JUDGING}
#: The answer to a claim of an unsigned result: the jobstore's own consumer of results deals with the record.
_NOT_SIGNED = ClaimAnswer(
    ClaimOutcome.REFUSED, ErrorCode.BAD_SIGNATURE, "the result is not signed with the key of its lease"
)
#: The keys that a validator reports: base URLs by the key's name.
_KEYS: Final[TypeAdapter[dict[str, list[str]]]] = TypeAdapter(
    Annotated[
        dict[Name, Annotated[list[Annotated[Text, StringConstraints(max_length=2_000)]], Field(max_length=20)]],
        Field(max_length=100),
    ]
)
_STAGES = {pb.WORK_KIND_EXECUTING: ExecutionStage.EXECUTING, pb.WORK_KIND_JUDGING: ExecutionStage.JUDGING}


def _complete_job(job: NewJob, job_id: str, author: Author) -> NewJob:
    """Return the job in a request with its id, and with the tenant of its author if the author has one alone."""
    own = {} if author.tenants is None or len(author.tenants) > 1 else {"tenant": next(iter(author.tenants))}
    return job.model_copy(update={"id": job_id} | ({} if "tenant" in job.model_fields_set else own))


class WorkService(WorkServiceServicer):
    """Grant leases to workers, renew leases, and take leases back."""

    def __init__(
        self,
        database: Database,
        runner: CommandRunner,
        secrets: Secrets,
        *,
        upstreams: Upstreams = OPEN,
        judgings: JudgingQueue | None = None,
        tasks: TaskQueue | None = None,
    ) -> None:
        self._database = database
        self._upstreams = upstreams
        self._runner = runner
        self._secrets = secrets
        self._lease_s = runner.terms.lease_s
        self._installation = runner.terms.ids.installation
        queue = judgings or JudgingQueue(database, runner)
        self._judgings = JudgingClaims(database, runner, secrets, queue)
        self._tasks = TaskClaims(database, secrets, tasks or TaskQueue(database, runner), runner.terms)

    async def BeginExecutions(self, request: pb.BeginExecutionsRequest, _: Context) -> pb.BeginExecutionsResponse:
        owner, protocols = UUID(request.owner), read_protocols(request.protocols)
        claims = [self._parse_execution_claim(claim, owner, request, protocols) for claim in request.claims]
        answers = await self._run_claims(claims)
        messages = [self._make_execution_answer(*pair) for pair in zip(claims, answers, strict=True)]
        return pb.BeginExecutionsResponse(answers=messages, installation=self._installation)

    def _parse_execution_claim(
        self, claim: pb.ExecutionClaim, owner: UUID, request: pb.BeginExecutionsRequest, protocols: Sequence[str]
    ) -> ClaimExecution | ClaimAnswer:
        """Return the command of a claim, or INVALID if its record lacks a valid signature or cannot be read."""
        author = Author(UPSTREAM)
        try:
            if not claim.replay:
                author = self._upstreams.check(KeyUse.EXECUTE, claim.request, claim.signature)
            event = parse_event(ExecuteRequested, claim.request)
        except PermanentError as error:
            return ClaimAnswer(ClaimOutcome.INVALID, error.code, str(error))
        if event.job is not None and event.job.references:
            message = "references are given by gRPC and REST alone: whoever reads the topic would read them"
            return ClaimAnswer(ClaimOutcome.INVALID, ErrorCode.REFERENCE_IN_RECORD, message)
        inline = None if event.job is None else _complete_job(event.job, event.job_id, author)
        asked = (event.execution_id, event.job_id, owner, request.room, inline, claim.replay, event.not_before)
        trace = take_traceparent(claim.traceparent or None, "kafka")
        return ClaimExecution(*asked, *author, request.capacity, protocols, trace, actor=find_actor())

    async def BeginJudgings(self, request: pb.BeginJudgingsRequest, _: Context) -> pb.BeginJudgingsResponse:
        owner = UUID(request.owner)
        claims = [self._parse_judging_claim(claim, owner, request) for claim in request.claims]
        answers = await self._run_claims(claims)
        return pb.BeginJudgingsResponse(
            answers=[self._make_judging_answer(answer) for answer in answers],
            taken=await self._judgings.grant(owner, request.take),
            installation=self._installation,
        )

    async def FinishJudgings(self, request: pb.FinishJudgingsRequest, _: Context) -> pb.FinishJudgingsResponse:
        return await self._judgings.finish(request)

    async def WatchWaitingJudgings(
        self, _request: pb.WatchWaitingJudgingsRequest, _: Context
    ) -> AsyncIterator[pb.WatchWaitingJudgingsResponse]:
        async for waiting in self._judgings.queue.watch():
            yield pb.WatchWaitingJudgingsResponse(judgings_waiting=waiting)

    async def WatchTasks(self, request: pb.WatchTasksRequest, _: Context) -> AsyncIterator[pb.WatchTasksResponse]:
        async for response in self._tasks.watch(request):
            yield response

    async def FinishTask(self, request: pb.FinishTaskRequest, _: Context) -> pb.FinishTaskResponse:
        return await self._tasks.finish(request)

    async def _run_claims(self, claims: Sequence[Command[ClaimAnswer] | ClaimAnswer]) -> list[ClaimAnswer]:
        """Run the claims that are commands, and return all answers in order; a claim that fails for good is INVALID."""
        commands = [claim for claim in claims if isinstance(claim, Command)]
        results = iter(await self._runner.claim.run(commands))
        answers = [next(results) if isinstance(claim, Command) else claim for claim in claims]
        return [_read_error(answer) if isinstance(answer, ServiceError) else answer for answer in answers]

    def _make_execution_answer(self, claim: ClaimExecution | ClaimAnswer, answer: ClaimAnswer) -> pb.ExecutionAnswer:
        job_id = claim.job_id if isinstance(claim, ClaimExecution) else ""
        execution, grant, granted = answer.execution, answer.grant, None
        if execution is not None and grant is not None:
            policy = Policy(**execution.policy or {}).over(self._runner.terms.policy)
            granted = write_row(
                pb.ExecutionGrant,
                grant,
                lease=self._make_key(execution.stage, execution.execution_id, execution.lease),
                lease_s=self._lease_s,
                attempt=execution.attempt,
                submission=execution.submission,
                spent=execution.spent,
                agent_id=execution.agent_id,
                tenant=execution.tenant,
                policy=write_message(resources_pb.Policy, policy),
                budget_left_usd=answer.budget.left_usd,
                budget_left_tokens=answer.budget.left_tokens,
                handle=execution.handle,
                follows_only=execution.follows_only,
                traceparent=go_on(execution.traceparent, execution.execution_id),
                **self._name_work(execution, grant),
            )
        return write_row(pb.ExecutionAnswer, answer, job_id=job_id, grant=granted)

    def _name_work(self, execution: Execution, grant: Grant) -> dict[str, Any]:
        """Return the ids by which an agent's work is found again, if its protocol can (rule `ids-not-foretold`)."""
        if grant.protocol in FIRST_PROTOCOLS:
            return {}
        ids = self._runner.terms.ids
        context, message = ids.derive("context", execution.job_id), ids.derive("message", str(execution.execution_id))
        return {"context_id": str(context), "message_id": str(message)}

    def _make_judging_answer(self, answer: ClaimAnswer) -> pb.JudgingAnswer:
        execution, question, context = answer.execution, answer.question, answer.context
        if execution is None or question is None:
            return write_row(pb.JudgingAnswer, answer)
        policy = execution.policy or {}
        return write_row(
            pb.JudgingAnswer,
            answer,
            lease=self._make_key(execution.stage, execution.execution_id, execution.lease),
            lease_s=self._lease_s,
            acceptance_criteria=question.acceptance_criteria,
            references=read_references(question.references),
            result_hash=execution.result_hash,
            judge_empty=policy.get("empty_result") == EmptyResult.JUDGE,
            submission=execution.submission,
            submissions=policy.get("max_submissions"),
            tenant=execution.tenant,
            traceparent=go_on(execution.traceparent, execution.execution_id),
            payload_json=None if context is None else context.payload,
            previous_result_hash=None if context is None else context.previous_result_hash,
            **describe_budget(answer.budget),
        )

    async def ReportJudge(self, request: pb.ReportJudgeRequest, _: Context) -> pb.ReportJudgeResponse:
        keys = _KEYS.validate_python({key.name: list(key.base_urls) for key in request.keys})
        check_text_size(request.policy_json, 4 * POLICY_MAX_BYTES)
        body = format_body(JudgePolicy.model_validate_json(request.policy_json))
        version = await self._runner.administer.run_one(ReportDefault(RESERVED, body, actor=find_actor()))
        reference = join_reference(RESERVED.name, version)
        async with self._database.session() as session:
            await note_validator(session, UUID(request.owner), reference, keys)
        return pb.ReportJudgeResponse(policy=reference)

    async def RenewLeases(self, request: pb.RenewLeasesRequest, _: Context) -> pb.RenewLeasesResponse:
        owner, stage = UUID(request.owner), _STAGES.get(request.kind)
        if stage is None:
            raise InvalidError("must be EXECUTING or JUDGING", field="kind")
        shown = [*request.held, *request.outcomes, *(one.lease for one in request.given_back)]
        tokens = [_token(lease) for lease in shown]
        # Rule `signed-reports`: a lease without a proof is LOST, whatever its row holds.
        proofs = [_verify_proof(self._secrets, _USES[stage], lease, owner) for lease in shown]
        proven = {token: secret_id for token, secret_id in zip(tokens, proofs, strict=True) if secret_id}
        held, outcomes = tokens[: len(request.held)], tokens[len(request.held) :][: len(request.outcomes)]
        given_back = tokens[len(held) + len(outcomes) :]
        if back := [pair for pair in zip(given_back, request.given_back, strict=True) if pair[0] in proven]:
            await self._runner.record.run([_end_lease(token, one) for token, one in back])
        async with self._database.session() as session:
            # Also of outcomes: while the broker is away they cannot be recorded, and no agent must be called again.
            renewed = [lease for lease in {*held, *outcomes} if lease in proven]
            kept = await leases.renew(session, owner, stage, renewed, self._lease_s, _read_absences(request))
            asked = [lease for lease in held if lease not in kept] + outcomes
            rows = await leases.load_states(session, [execution_id for execution_id, _ in asked])
            room = WorkerRoom(
                stage, request.room, request.capacity, _read_report(request), read_protocols(request.protocols)
            )
            await note_worker(session, owner, room)
        await self._tasks.renew(owner, request.tasks)
        standing, signing = {lease: rows.get(lease[0]) for lease in proven}, self._secrets.signing.id
        return pb.RenewLeasesResponse(
            held=[pb.LEASE_STATE_KEEP if lease in kept else _get_lost_state(standing.get(lease)) for lease in held],
            outcomes=[_get_outcome_state(standing.get(lease), lease[1]) for lease in outcomes],
            lease_s=self._lease_s,
            new_keys=[self._make_key(stage, *lease) for lease in sorted(kept) if proven[lease] != signing],
            judgings_waiting=self._judgings.queue.waiting if stage is ExecutionStage.JUDGING else 0,
        )

    def _make_key(self, stage: ExecutionStage, execution_id: UUID, lease: int) -> pb.LeaseKey:
        key = self._secrets.make_key(_USES[stage], execution_id, lease)
        return pb.LeaseKey(execution_id=str(execution_id), lease=lease, secret_id=key.secret_id, key=key.key)

    def _parse_judging_claim(
        self, claim: pb.JudgingClaim, owner: UUID, request: pb.BeginJudgingsRequest
    ) -> Command[ClaimAnswer] | ClaimAnswer:
        """Return the command of a claim, or the answer that refuses it; an unsigned result is not parsed."""
        signature = Signature.parse(claim.signature)
        if signature is None or not self._secrets.verify(KeyUse.EXECUTING, signature, claim.result):
            return _NOT_SIGNED
        try:
            event = ResultProduced.model_validate_json(claim.result)
        except ValidationError as error:
            return ClaimAnswer(ClaimOutcome.INVALID, ErrorCode.SCHEMA_MISMATCH, explain(error)[1][:1000])
        if (event.execution_id, event.lease) != (signature.execution_id, signature.lease):
            return _NOT_SIGNED
        size, judge = len(claim.result), request.model_and_prompt
        return ClaimJudging(event, owner, request.room, size, judge, actor=find_actor())


def _read_absences(request: pb.RenewLeasesRequest) -> dict[tuple[UUID, int], float]:
    """Return, by lease, for how many seconds the judge has not answered, as the worker reports, up to AWAY_MAX_S."""
    away = (one for one in request.held if one.HasField("judge_away_s"))
    return {_token(one): min(max(0.0, one.judge_away_s), AWAY_MAX_S) for one in away}


def _end_lease(token: tuple[UUID, int], one: pb.GivenBackLease) -> EndLease:
    """Return the command that ends a lease given back; its work is due again after at most DUE_AFTER_MAX_S."""
    execution_id, lease = token
    after_s = min(max(0.0, one.due_after_s), DUE_AFTER_MAX_S)
    given_back = (execution_id, TransitionKind.GIVEN_BACK, lease)
    return EndLease(*given_back, begun=one.begun, due_after_s=after_s, actor=find_actor())


def _read_report(request: pb.RenewLeasesRequest) -> str | None:
    """Return the report of a worker on itself, as JSON, or None if the request has none."""
    if not request.HasField("report"):
        return None
    return Report(**read_fields(request.report)).model_dump_json(exclude={"at"})


def _verify_proof(secrets: Secrets, use: KeyUse, lease: pb.Lease, owner: UUID) -> str | None:
    """Return the id of the secret under which `owner` proved to hold the lease, or None if the proof is not valid."""
    signature = Signature.parse(lease.proof)
    if signature is None or (signature.execution, signature.lease) != (lease.execution_id.lower(), lease.lease):
        return None
    return signature.secret_id if secrets.verify(use, signature, str(owner).encode()) else None


def _token(lease: pb.Lease) -> _Lease:
    return UUID(lease.execution_id), lease.lease


def _read_error(error: ServiceError) -> ClaimAnswer:
    outcome = ClaimOutcome.DOUBTFUL if isinstance(error, DoubtfulError) else ClaimOutcome.INVALID
    return ClaimAnswer(outcome, error.code, str(error))


def _get_lost_state(row: Row | None) -> "pb.LeaseState.ValueType":
    is_done = row is not None and row.state == ExecutionState.DONE
    return pb.LEASE_STATE_CANCELLED if is_done else pb.LEASE_STATE_LOST


def _get_outcome_state(row: Row | None, lease: int) -> "pb.LeaseState.ValueType":
    if row is None:
        return pb.LEASE_STATE_LOST
    if row.state == ExecutionState.DONE or row.result_lease == lease:
        return pb.LEASE_STATE_RECORDED
    return pb.LEASE_STATE_KEEP if row.lease == lease else pb.LEASE_STATE_LOST
