"""Serve WorkService over gRPC: grant, renew and take back the leases of executors and validators."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from contracts.criteria import read_references
from contracts.events import ExecuteRequested, ResultProduced
from contracts.fields import Text, explain
from contracts.judging.policy import JudgePolicy, Name, join_reference
from contracts.resources import Policy
from contracts.signing import KeyUse, Secrets, Signature
from jobstore.api.auth import CALLER
from jobstore.api.judging_claims import JudgingClaims, describe_budget
from jobstore.api.requests import Context, check_text_size
from jobstore.commands.base import Command
from jobstore.commands.claims import ClaimExecution, ClaimJudging
from jobstore.commands.granting import ClaimAnswer, ClaimOutcome
from jobstore.commands.judging.versions import ReportDefault
from jobstore.commands.reports import EndLease
from jobstore.commands.rows import WorkerRoom
from jobstore.dispatching.judging_queue import JudgingQueue
from jobstore.domain.actor import UPSTREAM
from jobstore.domain.judging.versions import POLICY_MAX_BYTES, RESERVED, format_body
from jobstore.domain.model import ExecutionStage, ExecutionState, TransitionKind
from jobstore.domain.upstreams import OPEN, Upstreams
from jobstore.errors import InvalidError
from jobstore.insights.processes import Report
from jobstore.runner import CommandRunner
from jobstore.storage import leases
from jobstore.storage.database import Database
from jobstore.storage.judging.versions import note_validator
from jobstore.storage.sql import Row
from jobstore.storage.work.writing import note_worker
from servicekit.errors import DoubtfulError, PermanentError, ServiceError
from servicekit.kafka.subscription import parse_event
from signoff.errors import ErrorCode
from signoff.status import EmptyResult
from signoff.v1 import resources_pb2 as resources_pb
from signoff.wire import write_message, write_row
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceServicer

#: The longest that a judge is said to have been away.
AWAY_MAX_S: Final = 365 * 86_400.0
#: The longest until what was given back is due again.
DUE_AFTER_MAX_S: Final = 3_600.0
_USES = {ExecutionStage.EXECUTING: KeyUse.EXECUTING, ExecutionStage.JUDGING: KeyUse.JUDGING}
#: The answer to a claim of a result that nobody signed: the jobstore's own consumer of results sees to the record.
_NOT_SIGNED = ClaimAnswer(
    ClaimOutcome.REFUSED, ErrorCode.BAD_SIGNATURE, "the result is not signed with the key of its lease"
)
#: The keys that a validator says it has: base URLs by name.
_KEYS: Final[TypeAdapter[dict[str, list[str]]]] = TypeAdapter(
    Annotated[
        dict[Name, Annotated[list[Annotated[Text, StringConstraints(max_length=2_000)]], Field(max_length=20)]],
        Field(max_length=100),
    ]
)
_STAGES = {pb.WORK_KIND_EXECUTING: ExecutionStage.EXECUTING, pb.WORK_KIND_JUDGING: ExecutionStage.JUDGING}


class WorkService(WorkServiceServicer):
    """Grant leases, renew them and take them back."""

    def __init__(
        self,
        database: Database,
        runner: CommandRunner,
        secrets: Secrets,
        *,
        upstreams: Upstreams = OPEN,
        judgings: JudgingQueue | None = None,
    ) -> None:
        self._database = database
        self._upstreams = upstreams
        self._runner = runner
        self._secrets = secrets
        self._lease_s = runner.terms.lease_s
        self._installation = runner.terms.ids.installation
        queue = judgings or JudgingQueue(database, runner)
        self._judgings = JudgingClaims(database, runner, secrets, queue)

    async def BeginExecutions(self, request: pb.BeginExecutionsRequest, context: Context) -> pb.BeginExecutionsResponse:
        del context
        owner = UUID(request.owner)
        claims = [self._parse_execution_claim(claim, owner, request) for claim in request.claims]
        answers = await self._run_claims(claims)
        messages = [self._make_execution_answer(*pair) for pair in zip(claims, answers, strict=True)]
        return pb.BeginExecutionsResponse(answers=messages, installation=self._installation)

    def _parse_execution_claim(
        self, claim: pb.ExecutionClaim, owner: UUID, request: pb.BeginExecutionsRequest
    ) -> ClaimExecution | ClaimAnswer:
        """Return the command of a claim. INVALID: the record is not signed as it must be, or it cannot be read."""
        author = UPSTREAM
        try:
            if not claim.replay:
                author = self._upstreams.check(KeyUse.EXECUTE, claim.request, claim.signature)
            event = parse_event(ExecuteRequested, claim.request)
        except PermanentError as error:
            return ClaimAnswer(ClaimOutcome.INVALID, error.code, str(error))
        if event.job is not None and event.job.references:
            message = "references are given by gRPC and REST alone: whoever reads the topic would read them"
            return ClaimAnswer(ClaimOutcome.INVALID, ErrorCode.REFERENCE_IN_RECORD, message)
        inline = None if event.job is None else event.job.model_copy(update={"id": event.job_id})
        return ClaimExecution(
            event.execution_id,
            event.job_id,
            owner,
            request.room,
            inline,
            claim.replay,
            event.not_before,
            author,
            request.capacity,
            actor=CALLER.get(),
        )

    async def BeginJudgings(self, request: pb.BeginJudgingsRequest, context: Context) -> pb.BeginJudgingsResponse:
        del context
        owner = UUID(request.owner)
        claims = [self._parse_judging_claim(claim, owner, request) for claim in request.claims]
        answers = await self._run_claims(claims)
        return pb.BeginJudgingsResponse(
            answers=[self._make_judging_answer(answer) for answer in answers],
            taken=await self._judgings.grant(owner, request.take),
            installation=self._installation,
        )

    async def FinishJudgings(self, request: pb.FinishJudgingsRequest, context: Context) -> pb.FinishJudgingsResponse:
        del context
        return await self._judgings.finish(request)

    async def WatchWaitingJudgings(
        self, request: pb.WatchWaitingJudgingsRequest, context: Context
    ) -> AsyncIterator[pb.WatchWaitingJudgingsResponse]:
        del request, context
        async for waiting in self._judgings.queue.watch():
            yield pb.WatchWaitingJudgingsResponse(judgings_waiting=waiting)

    async def _run_claims(self, claims: Sequence[Command[ClaimAnswer] | ClaimAnswer]) -> list[ClaimAnswer]:
        """Run the claims that are well formed, and return all answers in order; INVALID: it fails for good."""
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
            )
        return write_row(pb.ExecutionAnswer, answer, job_id=job_id, grant=granted)

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
            payload_json=None if context is None else context.payload,
            previous_result_hash=None if context is None else context.previous_result_hash,
            **describe_budget(answer.budget),
        )

    async def ReportJudge(self, request: pb.ReportJudgeRequest, context: Context) -> pb.ReportJudgeResponse:
        del context
        keys = _KEYS.validate_python({key.name: list(key.base_urls) for key in request.keys})
        check_text_size(request.policy_json, 4 * POLICY_MAX_BYTES)
        body = format_body(JudgePolicy.model_validate_json(request.policy_json))
        version = await self._runner.administer.run_one(ReportDefault(RESERVED, body, actor=CALLER.get()))
        reference = join_reference(RESERVED.name, version)
        async with self._database.session() as session:
            await note_validator(session, UUID(request.owner), reference, keys)
        return pb.ReportJudgeResponse(policy=reference)

    async def RenewLeases(self, request: pb.RenewLeasesRequest, context: Context) -> pb.RenewLeasesResponse:
        del context
        owner, stage = UUID(request.owner), _STAGES.get(request.kind)
        if stage is None:
            raise InvalidError("must be EXECUTING or JUDGING", field="kind")
        shown = [*request.held, *request.outcomes, *(one.lease for one in request.given_back)]
        tokens = [_token(lease) for lease in shown]
        # Rule `signed-reports`: what is not proven is lost to whoever asks, whatever the row says.
        proofs = [self._verify_proof(lease, owner, stage) for lease in shown]
        proven = {token: secret_id for token, secret_id in zip(tokens, proofs, strict=True) if secret_id}
        held, outcomes = tokens[: len(request.held)], tokens[len(request.held) :][: len(request.outcomes)]
        given_back = tokens[len(held) + len(outcomes) :]
        if back := [pair for pair in zip(given_back, request.given_back, strict=True) if pair[0] in proven]:
            await self._runner.record.run([_end_lease(token, one) for token, one in back])
        async with self._database.session() as session:
            # Outcomes too: while the broker is away they cannot be recorded, and no agent is to be called again.
            renewed = [lease for lease in {*held, *outcomes} if lease in proven]
            kept = await leases.renew(session, owner, stage, renewed, self._lease_s, _read_absences(request))
            asked = [lease for lease in held if lease not in kept] + outcomes
            rows = await leases.load_states(session, [execution_id for execution_id, _ in asked])
            said = WorkerRoom(stage, request.room, request.capacity, _read_report(request))
            await note_worker(session, owner, said)
        standing = {lease: rows.get(lease[0]) for lease in proven}
        signing = self._secrets.signing.id
        return pb.RenewLeasesResponse(
            held=[pb.LEASE_STATE_KEEP if lease in kept else _get_lost_state(standing.get(lease)) for lease in held],
            outcomes=[_get_outcome_state(standing.get(lease), lease[1]) for lease in outcomes],
            lease_s=self._lease_s,
            new_keys=[self._make_key(stage, *lease) for lease in sorted(kept) if proven[lease] != signing],
            judgings_waiting=self._judgings.queue.waiting if stage is ExecutionStage.JUDGING else 0,
        )

    def _verify_proof(self, lease: pb.Lease, owner: UUID, stage: ExecutionStage) -> str | None:
        """Return the id of the secret from which the lease's key is that proves it, or None if nothing does."""
        signature = Signature.parse(lease.proof)
        if signature is None or (signature.execution, signature.lease) != (lease.execution_id.lower(), lease.lease):
            return None
        return signature.secret_id if self._secrets.verify(_USES[stage], signature, str(owner).encode()) else None

    def _make_key(self, stage: ExecutionStage, execution_id: UUID, lease: int) -> pb.LeaseKey:
        key = self._secrets.make_key(_USES[stage], execution_id, lease)
        return pb.LeaseKey(execution_id=str(execution_id), lease=lease, secret_id=key.secret_id, key=key.key)

    def _parse_judging_claim(
        self, claim: pb.JudgingClaim, owner: UUID, request: pb.BeginJudgingsRequest
    ) -> Command[ClaimAnswer] | ClaimAnswer:
        """Return the command of a claim whose result is signed; a body that nobody signed is not parsed."""
        signature = Signature.parse(claim.signature)
        if signature is None or not self._secrets.verify(KeyUse.EXECUTING, signature, claim.result):
            return _NOT_SIGNED
        try:
            event = ResultProduced.model_validate_json(claim.result)
        except ValidationError as error:
            return ClaimAnswer(ClaimOutcome.INVALID, ErrorCode.SCHEMA_MISMATCH, explain(error)[1][:1000])
        if (event.execution_id, event.lease) != (signature.execution_id, signature.lease):
            return _NOT_SIGNED
        return ClaimJudging(
            event,
            owner,
            request.room,
            len(claim.result),
            request.model_and_prompt,
            actor=CALLER.get(),
        )


def _read_absences(request: pb.RenewLeasesRequest) -> dict[tuple[UUID, int], float]:
    """Return for how many seconds the judges of leases have not answered: whatever a validator says, some of a year."""
    away = (one for one in request.held if one.HasField("judge_away_s"))
    return {_token(one): min(max(0.0, one.judge_away_s), AWAY_MAX_S) for one in away}


def _end_lease(token: tuple[UUID, int], one: pb.GivenBackLease) -> EndLease:
    """Return the command that ends a lease given back: whatever a worker says, its work is due within an hour."""
    execution_id, lease = token
    after_s = min(max(0.0, one.due_after_s), DUE_AFTER_MAX_S)
    return EndLease(
        execution_id, TransitionKind.GIVEN_BACK, lease, begun=one.begun, due_after_s=after_s, actor=CALLER.get()
    )


def _read_report(request: pb.RenewLeasesRequest) -> str | None:
    """Return what a worker says of itself, as JSON, where it does."""
    if not request.HasField("report"):
        return None
    said = request.report
    clock = said.clock.ToDatetime(UTC)
    return Report(version=said.version, clock=clock, members=list(said.members), ends=said.ends).model_dump_json(
        exclude={"at"}
    )


def _token(lease: pb.Lease) -> tuple[UUID, int]:
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
