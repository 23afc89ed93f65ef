"""Agents and circuits of one transaction, the circuit breaker, and the choice of an agent for a job. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from jobstore.engine.parts import Overlay, Part, Wish, WishList, overlay
from jobstore.errors import InvalidError
from jobstore.jobs.model import Actor, BreakerTerms, Execution, Report, TransitionKind
from signoff.errors import ErrorCode
from signoff.status import Circuit
from signoff.types import Agent


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of an agent's circuit, as it is stored.

    `failures` and `opened` count consecutive failed calls and openings. While the circuit is half open, `open_until` is
    past, `probe_id` is the execution that probes, and `probing` whether that execution is OFFERED or LEASED.
    """

    failures: int = 0
    opened: int = 0
    open_until: datetime | None = None
    probe_id: UUID | None = None
    probing: bool = False

    def circuit_at(self, now: datetime) -> Circuit:
        """Return the state of the circuit at a time: closed, open or half open."""
        if self.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.open_until > now else Circuit.HALF_OPEN

    def may_call(self, execution_id: UUID, now: datetime) -> bool:
        """Return whether the agent may be called: the circuit is closed, or half open and no other execution probes."""
        circuit = self.circuit_at(now)
        if circuit is Circuit.HALF_OPEN:
            return not self.probing or execution_id == self.probe_id
        return circuit is Circuit.CLOSED

    def note_grant(self, execution_id: UUID, now: datetime) -> "Breaker":
        """Return the breaker after a grant: while the circuit is half open, the granted execution is the probe."""
        if self.circuit_at(now) is not Circuit.HALF_OPEN:
            return self
        return replace(self, probe_id=execution_id, probing=True)

    def note_failure(self, execution_id: UUID, now: datetime, terms: BreakerTerms) -> "Breaker":
        """Return the breaker after a failed call.

        While the circuit is open, or half open for another execution, nothing changes: the call began before it opened.
        """
        circuit = self.circuit_at(now)
        if circuit is Circuit.OPEN or (circuit is Circuit.HALF_OPEN and execution_id != self.probe_id):
            return self
        failures = self.failures + 1
        if circuit is Circuit.CLOSED and failures < terms.failures:
            return replace(self, failures=failures)
        until = terms.open_until(now, self.opened)
        return replace(self, failures=failures, opened=self.opened + 1, open_until=until)


#: The breaker without a failure: the initial one, and the one after any answer of the agent.
CLOSED: Final = Breaker()


@dataclass(slots=True)
class Candidate:
    """An agent to which a job may be matched: enabled, and not paused.

    `load` counts the agent's live executions, up to LOAD_MAX (agents/store.py), and the matches of this transaction.
    """

    agent_id: str
    capabilities: frozenset[str]
    circuit_closed: bool
    load: int
    #: The tenant whose jobs alone may use it; None: it is shared.
    tenant: str | None = None


def choose_usable(candidates: Iterable[Candidate], tenant: str) -> list[Candidate]:
    """Return the agents that jobs of a tenant may use: those of the tenant and shared ones."""
    return [candidate for candidate in candidates if candidate.tenant in {None, tenant}]


def may_use(agent: Agent, tenant: str) -> bool:
    """Return whether jobs of a tenant may use an agent: it is the tenant's, or shared."""
    return agent.shared or agent.tenant == tenant


def may_be_seen(agent: Agent, tenants: frozenset[str] | None) -> bool:
    """Return whether an agent is there for a caller of some tenants, or of all (None): jobs of these may use it."""
    return tenants is None or agent.shared or agent.tenant in tenants


def find_best(
    job_id: str, needed: Collection[str], candidates: Iterable[Candidate], without: Collection[str] = ()
) -> Candidate | None:
    """Return the agent with the least load that has all `needed` capabilities; None if no agent has them all.

    Agents whose circuit is not closed come last, ids in `without` are left out, and ties are spread over the agents.
    """
    capable = (c for c in candidates if c.capabilities.issuperset(needed) and c.agent_id not in without)
    return min(capable, key=lambda c: (not c.circuit_closed, c.load, _tie_break(job_id, c.agent_id)), default=None)


def describe_missing(needed: Collection[str], candidates: Iterable[Candidate]) -> str:
    """Return a text that says why no agent has all `needed` capabilities.

    The text depends on the missing capabilities alone: if the text has changed, the job's log needs a new entry.
    """
    all_needed = frozenset(needed)
    lacking = [all_needed - c.capabilities for c in candidates]
    nobody_has = all_needed.intersection(*lacking)
    if nobody_has:
        return f"no enabled agent has {_quote_all(nobody_has)}"
    nearest = min((sorted(names) for names in lacking), key=lambda names: (len(names), names))
    return f"no enabled agent has all of {_quote_all(all_needed)}: the nearest lacks {_quote_all(nearest)}"


def _quote_all(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))


def _tie_break(job_id: str, agent_id: str) -> bytes:
    return hashlib.blake2b(f"{job_id}\0{agent_id}".encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsWish(Wish):
    """Agents to be `locked` or to be `read`, by id; the agents to which the jobs in `called_by` are assigned.

    `made`: those of the locked agents that the command makes, if nothing has their ids yet.

    Candidates with any of `capabilities`, or any that jobs in `match_jobs` need; the `histories` of jobs' agents.
    """

    locked: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    called_by: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    match_jobs: frozenset[str] = frozenset()
    histories: frozenset[str] = frozenset()


class AgentChange(NamedTuple):
    """An agent after a change, the actor of the change, and whether the agent is new."""

    agent: Agent
    actor: Actor
    is_new: bool


@dataclass(frozen=True, slots=True)
class AgentHistory:
    """The agents that a job has had since it was assigned by hand or matched.

    `not_met` counts the not-met verdicts on the present agent; `result_hash` is the hash of the last judged result.
    """

    agents: frozenset[str] = frozenset()
    not_met: int = 0
    result_hash: bytes | None = None


@dataclass(eq=False, slots=True)
class Agents(Part):
    """The agents of a transaction by id, their changes, and the candidates for its jobs."""

    agents: Overlay[str, Agent] = field(default_factory=overlay)
    #: In the order of the commands; each change of an agent is a fact of its own.
    changes: list[AgentChange] = field(default_factory=list)
    #: Ids that were read, and that no agent has.
    unknown: set[str] = field(default_factory=set)
    #: Their load includes the decisions of this transaction.
    candidates: dict[str, Candidate] = field(default_factory=dict)
    #: The histories of jobs that may be resubmitted by policy, or executed with the same request again.
    histories: dict[str, AgentHistory] = field(default_factory=dict)

    def is_foreign(self, asked: WishList, tenants: frozenset[str]) -> bool:
        """Return whether a command locks an agent that jobs of these tenants may not use, and makes none."""
        wish = asked[AgentsWish]
        found = (self.agents.get(agent_id) for agent_id in wish.locked - wish.made)
        return any(agent is not None and not may_be_seen(agent, tenants) for agent in found)

    def require(self, agent_id: str | None, tenant: str) -> None:
        """Raise InvalidError (`unknown_agent`) if jobs of a tenant may not use the agent with this id; accept None."""
        if agent_id is not None and not self.has_usable(agent_id, tenant):
            raise InvalidError(f"no agent has the id {agent_id}", code=ErrorCode.UNKNOWN_AGENT)

    def has_usable(self, agent_id: str, tenant: str) -> bool:
        """Return whether an agent that was read has this id, and jobs of a tenant may use this agent."""
        agent = self.agents.get(agent_id)
        return agent is not None and may_use(agent, tenant)

    def put(self, agent: Agent, actor: Actor) -> None:
        """Add an agent, or replace the agent with the same id, and note the change."""
        self.changes.append(AgentChange(agent, actor, is_new=agent.id not in self.agents))
        self.agents[agent.id] = agent

    def change(self, stored: Agent, changes: Mapping[str, object], actor: Actor) -> None:
        """Change fields of a stored agent, and raise the agent's version by one."""
        version = {"version": stored.version + 1, "updated_at": self.uow.clock.now}
        self.put(stored.model_copy(update={**changes, **version}), actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitsWish(Wish):
    """Ids of agents whose circuits are locked and read, if any circuit is stored."""

    agents: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Circuits(Part):
    """The circuits of a transaction's agents, by the ids of the agents."""

    #: Whether any agent has a stored circuit. If not, all are closed and none need be locked.
    are_stored: bool = False
    circuits: Overlay[str, Breaker] = field(default_factory=overlay)
    #: The circuits that opened or closed, for logs and metrics.
    switched: list[tuple[str, Breaker]] = field(default_factory=list)

    def of(self, execution: Execution) -> Breaker:
        """Return the breaker of the agent that an execution calls; a closed breaker if none is stored."""
        return self.circuits.get(execution.agent_id or "") or CLOSED

    def describe(self, execution: Execution) -> str | None:
        """Return why an execution waits for its agent's circuit, or None if the circuit is closed."""
        circuit = self.of(execution).circuit_at(self.uow.clock.now)
        if circuit is Circuit.CLOSED:
            return None
        return f"the circuit of agent {execution.agent_id} is {circuit.replace('_', ' ').lower()}"

    def update(self, execution: Execution, report: Report) -> None:
        """Change the circuit of an execution's agent if a report is of a grant, an answer or a failed call."""
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
