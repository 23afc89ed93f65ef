"""Commands that claim: a worker asks for the lease of an execution, or of a result to be judged. Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from contracts.events import JobStatusReported, ResultProduced
from contracts.judging.policy import name_judging
from contracts.resources import NewJob
from jobstore.engine.commands import NOTHING, REFUSED, Command, LimitsLock, Locks, Reads, optional, read_circuit
from jobstore.engine.rows import Stored, WorkerRoom
from jobstore.engine.unit_of_work import UnitOfWork
from jobstore.errors import InvalidError
from jobstore.executions.commands import RecordReport, RecordResult
from jobstore.executions.granting import ClaimAnswer, ClaimOutcome, find_judge_policy, postpone_judging, try_grant
from jobstore.executions.requesting import ExecutionRequest, read_for_resubmission, request_execution
from jobstore.jobs.commands import check_creation, create_job, read_for_creation
from jobstore.jobs.model import (
    EXECUTOR,
    UPSTREAM,
    WORKER,
    Actor,
    Execution,
    ExecutionStage,
    ExecutionState,
    Refusal,
    Report,
    TransitionKind,
    is_same,
)
from jobstore.judging.rules import (
    Asked,
    Kind,
    Reusable,
    is_overruled,
    list_frozen,
    list_members,
    list_wanted,
    loop_needs_context,
    may_reuse,
    needs_context,
    rejudged_key,
    verdict_key,
)
from jobstore.limits.rules import is_held_back
from signoff.errors import ErrorCode
from signoff.status import ReportKind


@dataclass(frozen=True, slots=True)
class ClaimExecution(Command[ClaimAnswer]):
    """Claim an execution for an executor with room for `room` more leases, of its `capacity`; 0: that is not known.

    An unknown execution id is requested first, by the record's `author`, and its job created from `inline` if that is
    new, too. A `replay` changes nothing.
    """

    execution_id: UUID
    job_id: str
    owner: UUID
    room: int
    inline: NewJob | None = None
    replay: bool = False
    not_before: datetime | None = None
    author: Actor = UPSTREAM
    capacity: int = 0

    @property
    def _said(self) -> WorkerRoom:
        return WorkerRoom(ExecutionStage.EXECUTING, self.room, self.capacity)

    def locks(self) -> Locks:
        job_ids, execution_ids = frozenset({self.job_id}), frozenset({self.execution_id})
        if self.replay:
            return Locks(jobs=job_ids, executions=execution_ids)
        return Locks(
            limits=LimitsLock.SHARED,
            jobs=job_ids,
            executions=execution_ids,
            specs=job_ids if self.inline is not None else frozenset(),
            grants=execution_ids,
        )

    def reads(self, stored: Stored) -> Reads:
        execution, job = stored.executions.get(self.execution_id), stored.jobs.get(self.job_id)
        if self.replay:
            return NOTHING
        if execution is not None:
            is_reusing = execution.reuse_key is not None and execution.state is not ExecutionState.DONE
            return Reads(results=frozenset({self.execution_id})) if is_reusing else NOTHING
        if job is not None:
            return Reads(specs=frozenset({self.job_id}) - stored.specs.keys(), agents=optional(job.agent_id))
        return Reads(wrong_records=True) if self.inline is None else read_for_creation(self.inline)

    def late_reads(self, stored: Stored) -> Reads:
        if self.replay:
            return NOTHING
        if self.execution_id in stored.executions:
            return read_circuit(stored, self.execution_id)
        if self.job_id in stored.jobs:
            tenant, called = stored.specs[self.job_id].tenant, optional(stored.jobs[self.job_id].agent_id)
        elif self.inline is not None and self.inline.agent_id and self.inline.agent_id not in stored.agents:
            return Reads(wrong_records=True)
        elif self.inline is not None:
            tenant, called = self.inline.tenant, optional(self.inline.agent_id) or frozenset(stored.candidates)
        else:
            return NOTHING
        names_policy = self.inline is not None and bool(list_wanted(self.inline.policy))  # which nobody may know
        return Reads(queues=frozenset({tenant}), circuits=called, wrong_records=names_policy)

    def decide(self, uow: UnitOfWork) -> ClaimAnswer:
        execution = uow.executions.get(self.execution_id)
        if execution is not None and execution.job_id not in {self.job_id, ""}:
            return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.EXECUTION_CONFLICT, "the execution id is another job's")
        if self.replay:
            return self._answer_replay(execution)
        spec = uow.specs.get(self.job_id)
        if self.inline is not None and spec is not None and not is_same(spec, self.inline):
            return self._refuse(uow, Refusal(ErrorCode.JOB_CONFLICT, f"another job has the id {self.job_id}"))
        if execution is None:
            return self._admit(uow)
        return self._claim(uow, execution)

    def _answer_replay(self, execution: Execution | None) -> ClaimAnswer:
        """Answer a replayed record by the row, and change nothing (rule `replays-admit-nothing`)."""
        if execution is None:
            return ClaimAnswer(ClaimOutcome.REFUSED, ErrorCode.REPLAYED, "a replayed record admits nothing")
        if execution.state is ExecutionState.DONE:
            return self._answer_concluded(execution)
        is_waiting = execution.stage is ExecutionStage.EXECUTING and execution.state is not ExecutionState.LEASED
        return ClaimAnswer(ClaimOutcome.QUEUED if is_waiting else ClaimOutcome.DUPLICATE, ErrorCode.REPLAYED)

    def _admit(self, uow: UnitOfWork) -> ClaimAnswer:
        """Request an execution that is not known yet, and claim it."""
        if self.job_id not in uow.jobs:
            if self.inline is None:
                return self._reject(uow, ErrorCode.UNKNOWN_JOB, f"no job has the id {self.job_id}")
            try:
                check_creation(uow, self.inline)
            except InvalidError as error:
                return self._reject(uow, error.code, str(error))
            create_job(uow, self.inline, self.job_id, self.author)
        parameters = ExecutionRequest(not_before=self.not_before)
        decision = request_execution(uow, self.job_id, self.execution_id, self.author, parameters)
        if isinstance(decision, Refusal):
            return self._refuse(uow, decision)
        admitted = uow.executions[self.execution_id]
        if admitted.reuse_key is not None:
            # Reusable results are looked up for stored executions. The next claim, after an offer, finds this one's.
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.REUSABLE)
        return self._claim(uow, admitted)

    def _reject(self, uow: UnitOfWork, code: str, message: str) -> ClaimAnswer:
        """Answer that the record is wrong, and remember it: read again, it must not run once the world has changed."""
        if uow.stored.wrong_room > 0:
            uow.remember(self.job_id, self.execution_id, REFUSED + code)
            uow.stored.wrong_room -= 1
        return ClaimAnswer(ClaimOutcome.INVALID, code, message)

    def _refuse(self, uow: UnitOfWork, refusal: Refusal) -> ClaimAnswer:
        if self.execution_id not in uow.executions:
            uow.keep_answer(self.job_id, self.execution_id, REFUSED + refusal.code, self.author)
        return ClaimAnswer(ClaimOutcome.REFUSED, refusal.code, refusal.message)

    def _answer_concluded(self, execution: Execution) -> ClaimAnswer:
        answer = execution.answer or ""
        code = answer.removeprefix(REFUSED)
        if execution.is_wrong_record:
            causes: dict[str, str] = {ErrorCode.UNKNOWN_JOB: f"no job had the id {self.job_id}"}
            if self.inline is not None and self.inline.agent_id:
                causes[ErrorCode.UNKNOWN_AGENT] = f"no agent had the id {self.inline.agent_id}"
            cause = causes.get(code, f"it was refused ({code})")
            message = f"{cause} when this execution was first asked for; to ask anew: signoff dlq redrive"
            return ClaimAnswer(ClaimOutcome.INVALID, code, message)
        if answer.startswith(REFUSED):
            return ClaimAnswer(ClaimOutcome.REFUSED, code, "the execution id was refused before")
        return ClaimAnswer(ClaimOutcome.DUPLICATE, answer)

    def _claim(self, uow: UnitOfWork, execution: Execution) -> ClaimAnswer:
        if execution.state is ExecutionState.DONE:
            uow.settle_answer(execution, self.author)
            return self._answer_concluded(execution)
        if execution.stage is ExecutionStage.JUDGING:
            return ClaimAnswer(ClaimOutcome.DUPLICATE)
        is_queued = execution.state is ExecutionState.QUEUED
        if is_queued and execution.due_at is not None and execution.due_at > uow.clock.now:
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.NOT_DUE)
        if is_queued and is_held_back(execution.tenant, execution.flow, uow.stored.limit_names):
            # Limits are counted only where work is offered: the dispatcher offers this one in its turn.
            return ClaimAnswer(ClaimOutcome.QUEUED, ErrorCode.LIMITED)
        reused = uow.stored.results.get(execution.execution_id)
        if reused is not None and execution.state is not ExecutionState.LEASED:
            return self._reuse_result(uow, execution, reused)
        return try_grant(uow, execution, TransitionKind.CLAIMED, self.owner, self._said, self.actor)

    def _reuse_result(self, uow: UnitOfWork, execution: Execution, reused: Reusable) -> ClaimAnswer:
        """Record the claim and, as its result, that of another call; no agent is called."""
        uow.room_of(self.owner, self._said)
        claim = Report(
            TransitionKind.CLAIMED, owner=self.owner, code=ErrorCode.RESULT_REUSED, reused=reused, actor=self.actor
        )
        claimed = uow.record(execution.job_id, execution, claim)
        if isinstance(claimed, Refusal):
            return ClaimAnswer(ClaimOutcome.DUPLICATE, claimed.code, claimed.message)
        assert claimed.execution is not None
        result = Report(
            TransitionKind.RESULT,
            lease=claimed.execution.lease,
            code=ErrorCode.RESULT_REUSED,
            message=f"result reused of {reused}",
            result_hash=reused.result_hash,
            reused=reused,
            actor=self.actor,
        )
        uow.record(execution.job_id, claimed.execution, result)
        return ClaimAnswer(ClaimOutcome.DUPLICATE, ErrorCode.RESULT_REUSED)


@dataclass(frozen=True, slots=True)
class ClaimJudging(Command[ClaimAnswer]):
    """Claim a result for a validator: record it, unless it is recorded already, and lease it.

    `judge` identifies the judge and its settings if its verdicts may be reused. `size` is the record's, in bytes.
    """

    event: ResultProduced
    owner: UUID
    room: int
    size: int = 0
    judge: str = ""

    def locks(self) -> Locks:
        job_ids, execution_ids = frozenset({self.event.job_id}), frozenset({self.event.execution_id})
        return Locks(
            # A verdict that is reused may request the next submission.
            limits=LimitsLock.SHARED if self.judge else LimitsLock.NONE,
            jobs=job_ids,
            executions=execution_ids,
            followed=execution_ids if self.judge else frozenset(),
            questions=job_ids,
            tasks=job_ids,
        )

    def reads(self, stored: Stored) -> Reads:
        keys, execution = self._find_keys(stored), stored.executions.get(self.event.execution_id)
        references = frozenset(list_frozen(execution.policy)) if execution is not None else frozenset()
        return Reads(verdicts=frozenset(keys or ()), references=references) if keys or references else NOTHING

    def late_reads(self, stored: Stored) -> Reads:
        circuit, reused = read_circuit(stored, self.event.execution_id), self._find_reusable(stored)
        if self._needs_context(stored):
            job_ids = frozenset({self.event.job_id})
            circuit = Reads.join([circuit, Reads(specs=job_ids - stored.specs.keys(), histories=job_ids)])
        if self._shows_feedback(stored):
            circuit = Reads.join([circuit, Reads(feedback=frozenset({self.event.execution_id}))])
        if reused is None or reused.verdict is None or reused.verdict.is_valid:
            return circuit
        return Reads.join([circuit, read_for_resubmission(stored, self.event.execution_id)])

    def _needs_context(self, stored: Stored) -> bool:
        """Return whether the result is judged by more than itself: no other verdict stands for one on it then."""
        execution = stored.executions.get(self.event.execution_id)
        question = None if execution is None else stored.find_question(execution)
        if execution is None or question is None:
            return False
        if needs_context(question.acceptance_criteria):
            return True
        return loop_needs_context(find_judge_policy(stored, execution), execution.submission)

    def _shows_feedback(self, stored: Stored) -> bool:
        """Return whether judges see what the agent was told before: that is sent with the execution, and read anew."""
        execution = stored.executions.get(self.event.execution_id)
        if execution is None or execution.job_id not in stored.tasks:
            return False
        return "feedback" in list_members(find_judge_policy(stored, execution))

    def _find_keys(self, stored: Stored) -> tuple[bytes, bytes] | None:
        """Return the keys of the verdict that may be reused for this result, and of what overrules that one."""
        execution, question = stored.executions.get(self.event.execution_id), stored.questions.get(self.event.job_id)
        if not self.judge or execution is None or execution.state is ExecutionState.DONE:
            return None
        if question is None or execution.job_id != self.event.job_id:
            return None
        if (execution.policy or {}).get("reuse_verdict") is False:
            return None
        policies = (each.reference for each in list_frozen(execution.policy) if each.kind is Kind.JUDGE)
        judge = name_judging(self.judge, next(policies, None))
        asked = Asked(self.event.result_hash, execution.task_hash, *question)
        return verdict_key(asked, judge, execution.policy), rejudged_key(asked, execution.policy)

    def _find_reusable(self, stored: Stored) -> Reusable | None:
        """Return the loaded verdict that may be reused for this result."""
        keys = self._find_keys(stored) if stored.verdicts else None
        if keys is None:
            return None
        found, rejudged = map(stored.verdicts.get, keys)
        if found is None or found.verdict is None or is_overruled(found, rejudged) or self._needs_context(stored):
            return None
        return found if may_reuse(found.verdict, stored.executions[self.event.execution_id].submission) else None

    def decide(self, uow: UnitOfWork) -> ClaimAnswer:
        refusal = RecordResult(self.event, actor=EXECUTOR).decide(uow)
        execution = uow.executions.get(self.event.execution_id)
        if execution is None or not self._can_be_judged(execution):
            code = refusal.code if refusal else ErrorCode.CONCLUDED
            return ClaimAnswer(ClaimOutcome.DUPLICATE, code)
        if (waiting := postpone_judging(uow, execution)) is not None:
            return waiting
        reused = self._find_reusable(uow.stored)
        if reused is not None and execution.state is not ExecutionState.LEASED:
            return self._reuse_verdict(uow, execution, reused)
        said = WorkerRoom(execution.stage, self.room)
        return try_grant(uow, execution, TransitionKind.JUDGING_CLAIMED, self.owner, said, self.actor)

    def _reuse_verdict(self, uow: UnitOfWork, execution: Execution, reused: Reusable) -> ClaimAnswer:
        """Record the claim and, as its verdict, the one on the identical result; no judge is asked."""
        uow.room_of(self.owner, WorkerRoom(execution.stage, self.room))
        claimed = uow.record(execution.job_id, execution, Report(TransitionKind.JUDGING_CLAIMED, owner=self.owner))
        if isinstance(claimed, Refusal):
            return ClaimAnswer(ClaimOutcome.DUPLICATE, claimed.code, claimed.message)
        assert claimed.execution is not None
        assert reused.verdict is not None
        verdict = reused.verdict
        if verdict.submission is not None:
            submissions = (execution.policy or {}).get("max_submissions")
            about = {"submission": execution.submission, "submissions": submissions}
            verdict = verdict.model_copy(update=about)
        report = JobStatusReported(
            execution_id=execution.execution_id,
            job_id=execution.job_id,
            kind=ReportKind.VERDICT,
            attempt=max(1, execution.attempt),
            lease=claimed.execution.lease,
            seq=1,
            code=ErrorCode.VERDICT_REUSED,
            message=f"verdict reused of {reused}: {verdict.reason}",
            verdict=verdict,
            reported_at=uow.clock.now,
        )
        RecordReport(report, actor=WORKER).decide(uow)
        return ClaimAnswer(ClaimOutcome.DUPLICATE, ErrorCode.VERDICT_REUSED)

    def _can_be_judged(self, execution: Execution) -> bool:
        is_its_result = (execution.job_id, execution.result_lease) == (self.event.job_id, self.event.lease)
        # Under one lease an executor may have published two results: the recorded one is judged.
        is_its_result = is_its_result and execution.result_hash in {None, self.event.result_hash}
        is_live = execution.state is not ExecutionState.DONE
        return is_its_result and is_live and execution.stage is ExecutionStage.JUDGING
