"""Make the command that carries out an item, by the kind of its operation, and pace the judging again of results."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypedDict
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import text

from contracts.fields import explain
from contracts.resources import NewJob
from jobstore.engine.parts import Command
from jobstore.engine.sql import Connection
from jobstore.errors import InvalidError
from jobstore.executions.commands import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.commands import AssignAgent, CreateJob
from jobstore.jobs.model import DEFAULT_TENANT, UNPROVEN, Actor, Job, Refusal
from jobstore.judging.judgings import QueueRejudging
from jobstore.judging.rules import NewJudging
from jobstore.keeping.removal import RemoveJob
from jobstore.operations.commands import CarryOutItem, Item
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobStatus, JudgingKind, OperationKind, OperationState
from signoff.values import to_nanos


class Parameters(TypedDict, total=False):
    """The parameters of operations of all kinds, as they are stored."""

    agent_id: str
    comment: str
    reason: str
    statuses: list[str]
    codes: list[str]
    judge: str
    judge_policy: str
    policy_tenant: str
    criteria: str
    shadow: bool
    rate_per_s: float
    budget_usd: str
    tenants: list[str]


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation that this worker has claimed, and its actor; `cancel` has the actor and the reason of a cancel."""

    id: UUID
    kind: OperationKind
    state: OperationState
    parameters: Parameters
    cancel: Mapping[str, str]
    actor: Actor
    #: Those on whose jobs it was asked for; None: on those of all.
    tenants: frozenset[str] | None = None


#: Refuses a job that has moved on since the operation was made.
_Guard = Callable[[Job], Refusal | None]
#: The command of an item, the execution that its answer names, and a guard.
_Made = tuple[Command[object], UUID | None, _Guard | None]


def make_command(operation: ClaimedOperation, item: Item, execution_id: UUID) -> CarryOutItem | PermanentError:
    """Return the command that carries out an item, or the error with which the item is answered if none can.

    `execution_id`: the id of the execution, or of the judging, that the command requests, if it requests one.
    """
    try:
        command, answer, guard = _KINDS[operation.kind](operation, item, execution_id)
    except ValidationError as error:  # an older version accepted the new job, with fewer bounds
        code, message = explain(error)
        return InvalidError(message, code=code)
    command = replace(command, limited_to=operation.tenants)
    return CarryOutItem(operation.id, item, command, answer, guard, actor=operation.actor, limited_to=None)


def _execute(operation: ClaimedOperation, item: Item, execution_id: UUID) -> _Made:
    request = _request(operation, item, execution_id)
    if item.spec is None:
        return request, execution_id, None
    creation = CreateJob(NewJob.model_validate_json(item.spec), item.job_id, actor=operation.actor)
    return CreateAndExecute(creation, request, actor=operation.actor), execution_id, None


def _resubmit(operation: ClaimedOperation, item: Item, execution_id: UUID) -> _Made:
    comment = operation.parameters.get("comment")
    return _request(operation, item, execution_id, resubmission=True, comment=comment), execution_id, None


def _retry(operation: ClaimedOperation, item: Item, execution_id: UUID) -> _Made:
    statuses = [JobStatus(status) for status in operation.parameters["statuses"]]
    guard = partial(_refuse_retry, statuses, operation.parameters.get("codes", ()))
    return _request(operation, item, execution_id), execution_id, guard


def _cancel(operation: ClaimedOperation, item: Item, _: UUID) -> _Made:
    command = CancelJob(item.job_id, None, operation.parameters.get("reason"), actor=operation.actor)
    return command, item.execution_id, partial(_refuse_other_execution, item.execution_id)


def _assign(operation: ClaimedOperation, item: Item, _: UUID) -> _Made:
    return AssignAgent(item.job_id, operation.parameters["agent_id"], actor=operation.actor), None, None


def _rejudge(operation: ClaimedOperation, item: Item, judging_id: UUID) -> _Made:
    """Return the command that queues the result of an item's job to be judged again, as the judging `judging_id`."""
    asked = {"acceptance_criteria": criteria} if (criteria := operation.parameters.get("criteria")) else None
    judging = NewJudging(
        judging_id,
        JudgingKind.SHADOW if operation.parameters.get("shadow") else JudgingKind.REJUDGE,
        operation.id,
        item.item,
        asked=None if asked is None else json_text(asked),
        judge_policy=operation.parameters.get("judge_policy"),
        policy_tenant=operation.parameters.get("policy_tenant", DEFAULT_TENANT),
        execution_id=item.execution_id,
        job_id=item.job_id,
    )
    return QueueRejudging(judging, actor=operation.actor), None, None


def _remove(operation: ClaimedOperation, item: Item, _: UUID) -> _Made:
    reason = operation.parameters.get("reason") or f"the operation {operation.id}"
    return RemoveJob(item.job_id, reason, actor=operation.actor), None, None


def _request(
    operation: ClaimedOperation,
    item: Item,
    execution_id: UUID,
    *,
    resubmission: bool = False,
    comment: str | None = None,
) -> ExecuteJob:
    parameters = ExecutionRequest(comment, batch_id=operation.id)
    return ExecuteJob(item.job_id, execution_id, True, resubmission, parameters, actor=operation.actor)


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
        message = f"another execution is live since the operation was made: {job.execution_id}"
        return Refusal(ErrorCode.MOVED_ON, message)
    return Refusal(ErrorCode.MOVED_ON, f"the execution has ended since the operation was made: the job is {job.status}")


_KINDS: Final[Mapping[OperationKind, Callable[[ClaimedOperation, Item, UUID], _Made]]] = {
    OperationKind.EXECUTE: _execute,
    OperationKind.RESUBMIT: _resubmit,
    OperationKind.RETRY: _retry,
    OperationKind.CANCEL: _cancel,
    OperationKind.ASSIGN: _assign,
    OperationKind.REJUDGE: _rejudge,
    OperationKind.REMOVE: _remove,
}


#: The highest number of judgings of one operation that wait or are under way: enough to keep validators busy, and few
#: enough that those of other operations have their turn.
AHEAD_MAX: Final = 2_000
#: The same while there is a budget, and the cost of a judging is unknown.
AHEAD_UNKNOWN_MAX: Final = 10
#: The codes of items for which an operation has no money left, or whose cost no judge reports.
OVER_BUDGET: Final = ErrorCode.BUDGET_EXHAUSTED
COST_UNKNOWN: Final = ErrorCode.COST_UNKNOWN
#: The messages of items by these codes.
MESSAGES: Final[Mapping[str, str]] = {
    OVER_BUDGET: "what the operation may cost is spent",
    COST_UNKNOWN: "the operation has a budget in USD, and no judge that was asked tells what it costs: name prices in "
    "the policy, or set no budget",
}
#: Seconds until a worker looks again at an operation that may not go on.
LOOK_AGAIN_S: Final = 0.2

_OPEN: Final = text("SELECT count(*) FROM judgings WHERE group_id = :id AND state <> 'DONE'")
_SPENT: Final = text(
    """
    SELECT coalesce(sum(cost_nanos), 0) AS nanos,
        count(*) FILTER (WHERE state = 'DONE' AND cost_nanos IS NOT NULL) AS priced,
        count(*) FILTER (WHERE state = 'DONE' AND cost_nanos IS NULL AND tokens IS NOT NULL) AS unpriced,
        count(*) FILTER (WHERE state <> 'DONE') AS under_way
    FROM judgings WHERE group_id = :id
    """
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many judgings may be queued now, and in how many seconds more. `code`: why none may be queued any more."""

    room: int
    rest_s: float = 0.0
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """The known cost of an operation's judgings; the numbers done with a known or unknown cost, and not yet done."""

    nanos: int = 0
    priced: int = 0
    unpriced: int = 0
    under_way: int = 0

    @property
    def code(self) -> str:
        """The code with which items are refused once the budget allows no further judging."""
        return COST_UNKNOWN if self.unpriced and not self.nanos else OVER_BUDGET


async def find_pace(connection: Connection, operation_id: UUID, parameters: Parameters, items_max: int) -> Pace:
    """Return how many judgings an operation may queue now, up to `items_max`, by its budget and its rate."""
    budget_usd, rate = parameters.get("budget_usd"), parameters.get("rate_per_s")
    if budget_usd is None:
        room = AHEAD_MAX - int(await connection.scalar(_OPEN, {"id": operation_id}))
    else:
        row = (await connection.execute(_SPENT, {"id": operation_id})).one()
        spent = Spent(int(row.nanos), row.priced, row.unpriced, row.under_way)
        room = find_affordable(to_nanos(budget_usd), spent)
        if room <= 0 and not spent.under_way:
            return Pace(0, code=spent.code)
    room = min(room, items_max) if rate is None else min(room, items_max, max(1, round(rate)))
    if room <= 0:
        return Pace(0, LOOK_AGAIN_S)
    return Pace(room, 0.0 if rate is None else room / rate)


def find_affordable(budget_nanos: int, spent: Spent) -> int:
    """Return how many more judgings a budget allows, if each costs the mean of those judgings whose cost is known.

    A judging of unknown cost counts as the mean. If no cost above 0 is known, but some are unknown, none is allowed.
    """
    if spent.nanos >= budget_nanos or (spent.unpriced and not spent.nanos):
        return 0
    if not spent.nanos:
        return (AHEAD_MAX if spent.priced else AHEAD_UNKNOWN_MAX) - spent.under_way
    affordable = (budget_nanos - spent.nanos) * spent.priced // spent.nanos - spent.unpriced
    return min(affordable, AHEAD_MAX) - spent.under_way
