"""Change the state of an execution whose job does not change: queue, offer, lease, renew or answer it. Pure.

Executions change here and in `jobs.transitions` alone, which calls some of these functions. If SQL applies a rule to
many rows at once, the rule names that SQL, and tests/jobstore/storage/test_rules_in_sql.py compares both.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

from contracts import traceparent
from jobstore.jobs.model import CANCELLED, Clock, Execution, ExecutionStage, ExecutionState, replace
from jobstore.limits.rules import is_held_back, list_protocols
from servicekit.leasing.slots import SHARE
from signoff import status

#: How long the answer of an execution id that was never requested is remembered: as long as the topics of requests and
#: cancels keep a record.
REMEMBERED: Final = timedelta(days=7)
#: With more room than this, an execution that is due does not wait for room: the dispatcher offers it within
#: milliseconds, in which fewer leases end, even under load.
ROOM_TO_SPARE: Final = 64
#: A transaction offers one in so many of the leases beyond the fifth that is kept for the dispatcher: others count the
#: same room at the same time.
_PART_OF_ROOM: Final = 4
#: Doublings of the wait between two offers; bounds the exponent.
_DOUBLINGS_MAX: Final = 10


@dataclass(slots=True)
class Openings:
    """The room for executions that are offered as they are requested, and the other conditions of such offers.

    `room`: leases that live executors still take, less the offers that are not claimed yet; `capacity`: all their
    leases. `is_waiting`: whether an execution that is due waits, or more wait than were looked at. `held_back`: the
    names of limits that hold executions back, also those of agents whose circuits are open.
    """

    room: int = 0
    capacity: int = 0
    is_waiting: bool = False
    held_back: Collection[str] = frozenset()
    _until: int = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.room - ceil((self.room - self.capacity // (SHARE + 1)) / _PART_OF_ROOM)

    def take(self, execution: Execution, now: datetime) -> bool:
        """Return whether a queued execution may be offered at once, and if so, count it.

        No limit or open circuit may apply to it, more than a fifth of the capacity must be free, and if another one is
        due and waits, there must be room to spare: else the dispatcher decides whose turn it is. It alone knows which
        protocols executors call. Since transactions may count the same room, too many may be offered; then a claim is
        answered `no_room`, and the execution is queued.
        """
        if self.room <= max(self._until, ROOM_TO_SPARE if self.is_waiting else 0) or not may_offer(execution, now):
            return False
        if is_held_back(execution.tenant, execution.flow, self.held_back) or list_protocols(execution.flow):
            return False
        self.room -= 1
        return True


def queue(execution: Execution, due_at: datetime) -> Execution:
    """Return the execution as QUEUED, to be offered from `due_at` on.

    While EXECUTING, `queue_timeout_s` starts anew; while JUDGING, `judging_timeout_s` runs on.
    """
    fails_at = execution.fails_at
    if execution.stage is ExecutionStage.EXECUTING:
        fails_at = execution.fails_after("queue_timeout_s", due_at)
    return replace(execution, state=ExecutionState.QUEUED, owner=None, due_at=due_at, fails_at=fails_at)


def may_offer(execution: Execution, now: datetime) -> bool:
    """Return whether an execution is due, and its deadline has not passed yet (`DUE` in executions.offers)."""
    is_due = execution.due_at is not None and execution.due_at <= now
    return is_due and (execution.deadline_at is None or execution.deadline_at > now)


def forbid_sending(execution: Execution) -> Execution:
    """Return an execution whose work may have been sent: under `at_most_once` it is never sent again.

    From then on the work is only looked for (rule `follow-never-send`).
    """
    return replace(execution, follows_only=True) if execution.is_at_most_once else execution


def offer(execution: Execution, now: datetime, again_s: float, again_max_s: float) -> Execution:
    """Return the execution as OFFERED, due to be offered again after a doubling wait (`mark` in executions.offers)."""
    wait_s = min(again_s * 2 ** min(execution.offers, _DOUBLINGS_MAX), again_max_s)
    due_at = _until_deadline(execution, now + timedelta(seconds=wait_s))
    return replace(execution, state=ExecutionState.OFFERED, offers=execution.offers + 1, due_at=due_at)


def offer_at_once(execution: Execution, now: datetime) -> Execution:
    """Return an offer that was perhaps not published as due again at once (`_OFFER_AT_ONCE` in executions.offers)."""
    return replace(execution, offers=0, due_at=_until_deadline(execution, now))


def decline_offer(execution: Execution, due_at: datetime) -> Execution:
    """Return an execution that was offered, and cannot be granted now, as QUEUED and due at `due_at`."""
    return replace(execution, state=ExecutionState.QUEUED, due_at=due_at)


def take_back(execution: Execution, now: datetime) -> Execution:
    """Return an offered execution to which a newer limit applies as QUEUED, as if never offered (limits.store)."""
    return replace(decline_offer(execution, now), offers=0)


def lease(execution: Execution, owner: UUID | None, clock: Clock) -> Execution:
    """Return the execution as LEASED to an owner, under the next lease number."""
    return replace(
        execution,
        state=ExecutionState.LEASED,
        lease=execution.lease + 1,
        seq=0,
        offers=0,
        owner=owner,
        due_at=clock.after(clock.lease_s, execution),
    )


def reopen(execution: Execution, owner: UUID | None, clock: Clock) -> Execution:
    """Return an execution that has ended, and whose result is judged again, as LEASED for judging."""
    return replace(lease(execution, owner, clock), stage=ExecutionStage.JUDGING)


def renew(execution: Execution, owner: UUID, clock: Clock) -> Execution:
    """Return the execution with its lease renewed (`_RENEW` in executions.leases).

    A lapsed lease that no other worker was granted still has its number: it is revived, and what `_lapse` of
    jobs.transitions counted, the attempt as spent or the validator as lost, is taken back.
    """
    is_executing = execution.stage is ExecutionStage.EXECUTING
    is_revived = execution.state is not ExecutionState.LEASED
    return replace(
        execution,
        state=ExecutionState.LEASED,
        owner=owner,
        spent=execution.spent - (is_revived and is_executing),
        validators_lost=execution.validators_lost - (is_revived and not is_executing),
        due_at=clock.after(clock.lease_s, execution),
        fails_at=execution.deadline_at if is_executing else execution.fails_at,
    )


def make_answer(execution_id: UUID, job_id: str | None, tenant: str, answer: str) -> Execution:
    """Return the row of an execution id that is never requested, with its answer (rule `keep-answers`)."""
    return Execution(execution_id, job_id or "", tenant=tenant, state=ExecutionState.DONE, answer=answer)


def make_remembered(execution_id: UUID, job_id: str | None, tenant: str, answer: str, now: datetime) -> Execution:
    """Return the row of an execution id's answer that is forgotten after REMEMBERED.

    The execution was cancelled before its request (rule `cancel-before-arrival`), or its record was wrong.
    """
    return replace(make_answer(execution_id, job_id, tenant, answer), due_at=now + REMEMBERED)


def keep_for_good(execution: Execution) -> Execution:
    """Return an early cancel as the final answer of its execution, which is not forgotten in time."""
    return replace(execution, due_at=None)


def show(execution: Execution, requested_at: datetime) -> dict[str, object]:
    """Return an execution as callers are shown it, without its end and cost, which the log of its job has."""
    answer, _, code = (execution.answer or "").partition(":")
    policy = execution.policy or {}
    return {
        "id": execution.execution_id,
        "job_id": execution.job_id or None,
        "submission": execution.submission,
        "agent_id": execution.agent_id,
        "state": status.ExecutionState(answer.upper()) if answer else _find_place(execution),
        "attempt": execution.attempt,
        "spent_calls": execution.spent,
        "max_calls": policy.get("max_calls"),
        "batch_id": execution.batch_id,
        "not_before": execution.not_before,
        "deadline_at": execution.deadline_at,
        "judge": policy.get("judge"),
        "code": code or (answer if answer == CANCELLED else None),
        "created_at": requested_at,
        "ended_at": requested_at if execution.request_version is None else None,
        "trace_id": None if execution.request_version is None else find_trace_id(execution),
    }


def find_trace_id(execution: Execution) -> str:
    """Return the id of the trace of an execution that was requested."""
    return traceparent.find_trace_id(execution.traceparent, execution.execution_id)


def _find_place(execution: Execution) -> status.ExecutionState:
    """Return the state that callers are shown of an execution without an answer."""
    if execution.stage is ExecutionStage.JUDGING:
        return status.ExecutionState.JUDGING
    is_running = execution.state is ExecutionState.LEASED
    return status.ExecutionState.RUNNING if is_running else status.ExecutionState.WAITING


def _until_deadline(execution: Execution, due_at: datetime) -> datetime:
    return min(due_at, execution.deadline_at) if execution.deadline_at else due_at
