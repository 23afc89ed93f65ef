"""Agents and their circuits in one transaction. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from jobstore.agents.rules import CLOSED, Breaker, Candidate
from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.errors import InvalidError
from jobstore.jobs.model import Actor, Execution, Report, TransitionKind
from signoff.errors import ErrorCode
from signoff.status import Circuit
from signoff.types import Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsWish(Wish):
    """Agents that are `locked` to be changed, or `read`; those that `called_by` jobs are assigned to.

    The agents with any of these `capabilities`, or of those that `match_jobs` need, which may be matched; the
    `histories` of jobs' agents.
    """

    locked: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    called_by: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    match_jobs: frozenset[str] = frozenset()
    histories: frozenset[str] = frozenset()


class AgentChange(NamedTuple):
    """An agent as it is from now on, by whom, and whether it is new."""

    agent: Agent
    actor: Actor
    is_new: bool


@dataclass(frozen=True, slots=True)
class AgentHistory:
    """The agents that a job has had since it was assigned by hand or matched.

    `not_met` counts verdicts on the present agent; `result_hash` is of the result that was judged last.
    """

    agents: frozenset[str] = frozenset()
    not_met: int = 0
    result_hash: bytes | None = None


@dataclass(eq=False, slots=True)
class Agents(Part):
    """Agents by id, and those that a job of this transaction may be matched to."""

    agents: Overlay[str, Agent] = field(default_factory=overlay)
    #: In the order in which they were asked for: no change of an agent takes another's place.
    changes: list[AgentChange] = field(default_factory=list)
    #: Ids that were looked for, and are no agent's.
    unknown: set[str] = field(default_factory=set)
    #: Their load counts what was decided since, too.
    candidates: dict[str, Candidate] = field(default_factory=dict)
    #: Of jobs that may be submitted again by policy, and of those that may be asked the same again.
    histories: dict[str, AgentHistory] = field(default_factory=dict)

    def require(self, agent_id: str | None) -> None:
        """Raise InvalidError (`unknown_agent`) if an agent is named that is not registered."""
        if agent_id is not None and agent_id not in self.agents:
            raise InvalidError(f"no agent has the id {agent_id}", code=ErrorCode.UNKNOWN_AGENT)

    def put(self, agent: Agent, actor: Actor) -> None:
        """Add or replace an agent."""
        self.changes.append(AgentChange(agent, actor, is_new=agent.id not in self.agents))
        self.agents[agent.id] = agent

    def change(self, stored: Agent, changes: Mapping[str, object], actor: Actor) -> None:
        """Change an agent, and count that."""
        counted = {"version": stored.version + 1, "updated_at": self.uow.clock.now}
        self.put(stored.model_copy(update={**changes, **counted}), actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitsWish(Wish):
    """The circuits of agents, where any circuit is stored."""

    agents: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Circuits(Part):
    """The circuits of agents by their ids."""

    #: Whether any agent has a stored circuit. If not, all are closed and none need be locked.
    are_stored: bool = False
    circuits: Overlay[str, Breaker] = field(default_factory=overlay)
    #: The circuits that opened or closed, for logs and metrics.
    switched: list[tuple[str, Breaker]] = field(default_factory=list)

    def of(self, execution: Execution) -> Breaker:
        """Return the breaker of the agent that is called for an execution."""
        return self.circuits.get(execution.agent_id or "") or CLOSED

    def describe(self, execution: Execution) -> str | None:
        """Return why an execution waits for its agent's circuit, or None if the circuit is closed."""
        circuit = self.of(execution).circuit_at(self.uow.clock.now)
        if circuit is Circuit.CLOSED:
            return None
        return f"the circuit of agent {execution.agent_id} is {circuit.replace('_', ' ').lower()}"

    def update(self, execution: Execution, report: Report) -> None:
        """Open or close the agent's circuit by what a report says of its calls."""
        before = self.of(execution)
        after, now = before, self.uow.clock.now
        if report.kind is TransitionKind.CLAIMED:
            after = before.note_grant(execution.execution_id, now)
        elif report.answered:
            after = CLOSED
        elif report.answered is not None:
            after = before.note_failure(execution.execution_id, now, self.uow.terms.breaker)
        if after is before or execution.agent_id is None:
            return
        self.circuits[execution.agent_id] = after
        if after.open_until != before.open_until:
            self.switched.append((execution.agent_id, after))
