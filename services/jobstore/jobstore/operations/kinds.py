"""Kinds of operations: the command that an item of each becomes. Each is what one call of that name would be."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypedDict
from uuid import UUID

from pydantic import ValidationError

from contracts.fields import explain
from contracts.resources import NewJob
from jobstore.commands.base import Command
from jobstore.commands.executions import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.commands.jobs import AssignAgent, CreateJob
from jobstore.commands.judgings import QueueRejudging
from jobstore.commands.operations import CarryOutItem
from jobstore.commands.requesting import ExecutionRequest
from jobstore.commands.rows import Item, NewJudging
from jobstore.domain.actor import Actor
from jobstore.domain.model import UNPROVEN, Job, Refusal
from jobstore.errors import InvalidError
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobStatus, JudgingKind, OperationKind, OperationState


class Parameters(TypedDict, total=False):
    """What the kinds need to know besides, as it is stored."""

    agent_id: str
    comment: str
    reason: str
    statuses: list[str]
    codes: list[str]
    judge: str
    judge_policy: str
    criteria: str
    shadow: bool
    rate_per_s: float
    budget_usd: str


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation that this worker has claimed; `actor` asked for it. `said`: who asked to cancel it, and why."""

    id: UUID
    kind: OperationKind
    state: OperationState
    parameters: Parameters
    said: Mapping[str, str]
    actor: Actor


def make_command(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem | PermanentError:
    """Return what carries out an item, or why nothing can. `execution_id` is what it requests, if it requests any."""
    try:
        return _KINDS[operation.kind](operation, item, execution_id)
    except ValidationError as error:  # a new job that an older version accepted, which knew fewer bounds
        code, message = explain(error)
        return InvalidError(message, code=code)


def _execute(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem:
    command: Command[object] = _request(operation, item, execution_id)
    if item.spec is not None:
        new = NewJob.model_validate_json(item.spec)
        creation = CreateJob(new, item.job_id, actor=operation.actor)
        request = _request(operation, item, execution_id)
        command = CreateAndExecute(creation, request, actor=operation.actor)
    return CarryOutItem(operation.id, item, command, execution_id, actor=operation.actor)


def _resubmit(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem:
    comment = operation.parameters.get("comment")
    command = _request(operation, item, execution_id, resubmission=True, comment=comment)
    return CarryOutItem(operation.id, item, command, execution_id, actor=operation.actor)


def _retry(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem:
    statuses = [JobStatus(status) for status in operation.parameters["statuses"]]
    guard = partial(_refuse_retry, statuses, operation.parameters.get("codes", ()))
    return CarryOutItem(
        operation.id, item, _request(operation, item, execution_id), execution_id, guard, actor=operation.actor
    )


def _cancel(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem:
    del execution_id
    command = CancelJob(item.job_id, None, operation.parameters.get("reason"), actor=operation.actor)
    guard = partial(_refuse_other_execution, item.execution_id)
    return CarryOutItem(operation.id, item, command, item.execution_id, guard, actor=operation.actor)


def _assign(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem:
    del execution_id
    command = AssignAgent(item.job_id, operation.parameters["agent_id"], actor=operation.actor)
    return CarryOutItem(operation.id, item, command, actor=operation.actor)


def _rejudge(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem:
    """Queue a result to be judged again. No execution is requested: the id that one would have is the judging's."""
    asked = {"acceptance_criteria": criteria} if (criteria := operation.parameters.get("criteria")) else None
    judging = NewJudging(
        execution_id,
        JudgingKind.SHADOW if operation.parameters.get("shadow") else JudgingKind.REJUDGE,
        operation.id,
        item.item,
        asked=None if asked is None else json_text(asked),
        judge_policy=operation.parameters.get("judge_policy"),
        execution_id=item.execution_id,
        job_id=item.job_id,
    )
    return CarryOutItem(operation.id, item, QueueRejudging(judging, actor=operation.actor), actor=operation.actor)


def _request(
    operation: ClaimedOperation,
    item: Item,
    execution_id: UUID,
    *,
    resubmission: bool = False,
    comment: str | None = None,
) -> ExecuteJob:
    parameters = ExecutionRequest(comment, batch_id=operation.id)
    return ExecuteJob(
        item.job_id,
        execution_id,
        chosen=True,
        resubmission=resubmission,
        parameters=parameters,
        actor=operation.actor,
    )


def _refuse_retry(statuses: Sequence[JobStatus], codes: Sequence[str], job: Job) -> Refusal | None:
    if job.status not in statuses or job.live:
        return Refusal(ErrorCode.MOVED_ON, f"the job is {job.status}, and no longer {' or '.join(statuses)}")
    if job.code == UNPROVEN and UNPROVEN not in codes:
        message = "the judge proved nothing, and its agent has done its work: judge it again, or retry it by this code"
        return Refusal(UNPROVEN, message)
    return None


def _refuse_other_execution(execution_id: UUID | None, job: Job) -> Refusal | None:
    if (job.execution_id if job.live else None) == execution_id:
        return None
    if job.live:
        return Refusal(
            ErrorCode.MOVED_ON, f"another execution is live since the operation was made: {job.execution_id}"
        )
    return Refusal(ErrorCode.MOVED_ON, f"the execution has ended since the operation was made: the job is {job.status}")


_KINDS: Final[Mapping[OperationKind, Callable[[ClaimedOperation, Item, UUID], CarryOutItem]]] = {
    OperationKind.EXECUTE: _execute,
    OperationKind.RESUBMIT: _resubmit,
    OperationKind.RETRY: _retry,
    OperationKind.CANCEL: _cancel,
    OperationKind.ASSIGN: _assign,
    OperationKind.REJUDGE: _rejudge,
}
