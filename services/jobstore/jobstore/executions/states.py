"""How an execution's state changes where its job's does not: queued, offered, leased, renewed, answered. Pure.

With `domain.transitions`, which call some of these, the one place where executions change. Where SQL applies a rule to
many rows at once, the rule names that SQL, and tests/jobstore/storage/test_rules_in_sql.py holds the one to the other.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Final
from uuid import UUID

from jobstore.jobs.model import CANCELLED, Clock, Execution, ExecutionStage, ExecutionState, replace
from jobstore.limits.rules import is_held_back
from servicekit.leasing.slots import SHARE
from signoff import status

#: How long an answer is remembered of an execution id of which nothing was requested: as long as the topics of requests
#: and cancels keep a record.
REMEMBERED: Final = timedelta(days=7)
#: With room for more than so many, what waits and is due waits for something else: the dispatcher offers it within
#: milliseconds, in which fewer leases end, however busy all are.
ROOM_TO_SPARE: Final = 64
#: A transaction offers no more than this part of the room beyond the fifth that the dispatcher gives alone: others
#: count the same room at the same time.
_PART_OF_ROOM: Final = 4
#: Doublings of the wait between two offers; bounds the exponent.
_DOUBLINGS_MAX: Final = 10


@dataclass(slots=True)
class Openings:
    """What decides whether requests may be offered at once.

    `room`: leases that live executors would still take, less the offers that are not claimed yet; and of what
    `capacity` that is. `is_waiting`: whether an execution waits that is due, or so many wait that nobody has looked.
    `held_back`: the names of limits that hold executions back, and of agents whose circuits are open.
    """

    room: int = 0
    capacity: int = 0
    is_waiting: bool = False
    held_back: Collection[str] = frozenset()
    _until: int = field(init=False)

    def __post_init__(self) -> None:
        self._until = self.room - ceil((self.room - self.capacity // (SHARE + 1)) / _PART_OF_ROOM)

    def take(self, execution: Execution, now: datetime) -> bool:
        """Return whether a queued execution may be offered at once, and count it.

        No limit or open circuit may apply to it, more than a fifth of the capacity must be free, and where anything
        that is due waits, there must be room to spare: else its turn is the dispatcher's to decide. More may be offered
        than there is room for where transactions count the same room; then its claim is answered `no_room`, and it is
        queued again.
        """
        if self.room <= max(self._until, ROOM_TO_SPARE if self.is_waiting else 0) or not may_offer(execution, now):
            return False
        if is_held_back(execution.tenant, execution.flow, self.held_back):
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
    """Return whether an execution is due, and its deadline has not passed (`DUE` in dispatching.offers)."""
    is_due = execution.due_at is not None and execution.due_at <= now
    return is_due and (execution.deadline_at is None or execution.deadline_at > now)


def offer(execution: Execution, now: datetime, again_s: float, again_max_s: float) -> Execution:
    """Return the execution as OFFERED; it is offered again after a wait that doubles (`mark` in dispatching.offers)."""
    wait_s = min(again_s * 2 ** min(execution.offers, _DOUBLINGS_MAX), again_max_s)
    due_at = _until_deadline(execution, now + timedelta(seconds=wait_s))
    return replace(execution, state=ExecutionState.OFFERED, offers=execution.offers + 1, due_at=due_at)


def offer_at_once(execution: Execution, now: datetime) -> Execution:
    """Return an offer that was perhaps not published, to be made again at once, by whoever can (dispatching.offers)."""
    return replace(execution, offers=0, due_at=_until_deadline(execution, now))


def decline_offer(execution: Execution, now: datetime) -> Execution:
    """Return an execution that was offered, and cannot be taken now, as QUEUED."""
    return replace(execution, state=ExecutionState.QUEUED, due_at=now)


def take_back(execution: Execution, now: datetime) -> Execution:
    """Return an offer to which a limit applies that was set since as QUEUED, as if never offered (administration)."""
    return replace(decline_offer(execution, now), offers=0)


def lease(execution: Execution, owner: UUID | None, clock: Clock) -> Execution:
    """Return the execution as LEASED to an owner, under the next number."""
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
    """Return an execution that has ended, and whose result is judged again, as if it were being judged."""
    return replace(lease(execution, owner, clock), stage=ExecutionStage.JUDGING)


def renew(execution: Execution, owner: UUID, clock: Clock) -> Execution:
    """Return the execution as held under its lease for another while (storage.leases).

    A lapsed lease that nobody else was granted still has its number: it is revived, and what `_lapse` of
    domain.transitions counted, its attempt as spent or its validator as lost, is not counted.
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


def make_answer(execution_id: UUID, job_id: str | None, answer: str) -> Execution:
    """Return the row of an execution id of which nothing is requested, with its answer (rule `keep-answers`)."""
    return Execution(execution_id, job_id or "", state=ExecutionState.DONE, answer=answer)


def make_remembered(execution_id: UUID, job_id: str | None, answer: str, now: datetime) -> Execution:
    """Return the row of an answer that is forgotten in time.

    Of an execution that was cancelled before it came (rule `cancel-before-arrival`), or whose record was wrong.
    """
    return replace(make_answer(execution_id, job_id, answer), due_at=now + REMEMBERED)


def keep_for_good(execution: Execution) -> Execution:
    """Return an early cancel as the answer of its execution, which has been asked for."""
    return replace(execution, due_at=None)


def show(execution: Execution, requested_at: datetime) -> dict[str, object]:
    """Return an execution as callers are shown it, but for how it ended and what it cost, which its job's log tells."""
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
    }


def _find_place(execution: Execution) -> status.ExecutionState:
    """Return where an execution stands that has no answer yet."""
    if execution.stage is ExecutionStage.JUDGING:
        return status.ExecutionState.JUDGING
    is_running = execution.state is ExecutionState.LEASED
    return status.ExecutionState.RUNNING if is_running else status.ExecutionState.WAITING


def _until_deadline(execution: Execution, due_at: datetime) -> datetime:
    return min(due_at, execution.deadline_at) if execution.deadline_at else due_at
