"""Tasks of executors that are no executions: which there are, and those of one transaction. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.agents import FOUND_BY_IDS
from jobstore.engine.parts import Part, Wish
from jobstore.jobs.model import DEFAULT_TENANT, Actor, Execution, ExecutionStage, ExecutionState, TransitionKind
from signoff.errors import ErrorCode
from signoff.status import Protocol, TaskKind
from signoff.types import Agent

#: The highest number of tries and checks that wait or are under way.
TRIES_MAX: Final = 10
#: The longest that the call of a try may take, by the agent's policy; a check has as long for all its calls.
TRY_MAX_S: Final = 600.0
#: Seconds of a lease beyond its call: to report what came of it.
MARGIN_S: Final = 30.0
#: Seconds for which an executor has any other task.
LEASE_S: Final = 60.0
#: Seconds within which an executor has to take a try.
TAKEN_WITHIN_S: Final = 60.0
#: Seconds for which work is tried to be stopped, or a card to be read.
TRIED_FOR_S: Final = 3_600.0

#: Ends of executions that no executor brings about: nobody else stops the work.
_LEFT: Final = frozenset(
    {
        TransitionKind.CANCELLED,
        TransitionKind.DEADLINE,
        TransitionKind.OVER_BUDGET,
        TransitionKind.LAPSED,
        TransitionKind.GIVEN_BACK,
        TransitionKind.REBUILT,
    }
)

#: Codes of executions that an executor ends, and cannot know whether the agent is at work: no answer came.
_UNKNOWN: Final = frozenset(
    {
        ErrorCode.AGENT_CONNECTION_LOST,
        ErrorCode.AGENT_HEARTBEAT_TIMEOUT,
        ErrorCode.AGENT_TIMEOUT,
        ErrorCode.BUDGET_EXHAUSTED,
        ErrorCode.EXECUTOR_ERROR,
    }
)


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task that is to be queued."""

    id: UUID
    kind: TaskKind
    agent_id: str
    protocol: str
    due_at: datetime
    ends_at: datetime
    lease_s: float = LEASE_S
    execution_id: UUID | None = None
    asked: str | None = None
    actor: Actor | None = None
    #: Of a try: of whom the caller is that asked for it, where another tenant shares its agent.
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksWish(Wish):
    """Tries to be looked up by their ids, and how many more there may be."""

    tries: frozenset[UUID] = frozenset()


@dataclass(eq=False, slots=True)
class Tasks(Part):
    """The tasks that a transaction queues."""

    new: list[NewTask] = field(default_factory=list)
    #: The tries of those looked up that exist, and how many more there may be at once.
    known: Collection[UUID] = frozenset()
    room: int = 0

    def stop_work(self, before: Execution) -> None:
        """Queue that the agent's work for an execution, which has just ended (`is_left`), is stopped.

        An executor that still has the execution stops the work itself: then the task is due when its lease ends.
        """
        now = self.uow.clock.now
        leased_until = before.due_at if before.state is ExecutionState.LEASED else None
        due_at = max(now, leased_until or now)
        self.new.append(
            NewTask(
                self.uow.terms.ids.derive("cancel", str(before.execution_id)),
                TaskKind.CANCEL,
                before.agent_id or "",
                before.protocol or Protocol.HTTP_ASYNC,
                due_at,
                due_at + timedelta(seconds=TRIED_FOR_S),
                execution_id=before.execution_id,
            )
        )

    def read_card(self, agent: Agent) -> None:
        """Queue that an executor, which alone has the keys, reads what the agent says of itself."""
        now = self.uow.clock.now
        task_id = self.uow.terms.ids.derive("card", agent.id, now.isoformat())
        ends_at = now + timedelta(seconds=TRIED_FOR_S)
        self.new.append(NewTask(task_id, TaskKind.CARD, agent.id, agent.protocol, now, ends_at))


def is_left(before: Execution, after: Execution | None, kind: TransitionKind, code: str | None = None) -> bool:
    """Return whether an execution ends while its agent may be at work that can be found, and no executor stops it."""
    if after is None or after.state is not ExecutionState.DONE or before.stage is not ExecutionStage.EXECUTING:
        return False
    if kind not in _LEFT and not (kind is TransitionKind.FAILED and code in _UNKNOWN):
        return False
    return bool(after.handle) or (before.attempt > 0 and before.protocol in FOUND_BY_IDS)
