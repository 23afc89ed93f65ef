"""The circuit breaker of an agent: how the outcomes of calls open and close its circuit. Pure.

While a circuit is half open, a single execution, the probe, may call the agent. The breaker is not notified of the
probe's end: `probing` is derived from the probe's row, and false once the probe is neither OFFERED nor LEASED.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from signoff.status import Circuit


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of an agent's circuit, as it is stored.

    `failures` and `opened` count in a row; `open_until` is in the past while the circuit is half open;
    `probe_id` is the execution that probes the agent, and `probing` whether it is OFFERED or LEASED.
    """

    failures: int = 0
    opened: int = 0
    open_until: datetime | None = None
    probe_id: UUID | None = None
    probing: bool = False

    def circuit_at(self, now: datetime) -> Circuit:
        """Return the circuit at a time."""
        if self.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.open_until > now else Circuit.HALF_OPEN

    def may_call(self, execution_id: UUID, now: datetime) -> bool:
        """Return whether the agent may be called for an execution."""
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

        While the circuit is not closed, only the probe counts: any other call began before the circuit opened.
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
    """An agent that is enabled and not paused.

    `load`: its live executions, up to a number (agents/store.py); each match within a transaction adds one.
    """

    agent_id: str
    capabilities: frozenset[str]
    circuit_closed: bool
    load: int


def find_best(
    job_id: str, needed: Collection[str], candidates: Iterable[Candidate], without: Collection[str] = ()
) -> Candidate | None:
    """Return the least loaded agent that has all capabilities needed, or None; ties are spread over the agents.

    Agents whose circuit is not closed come last; those in `without` are left out.
    """
    capable = (c for c in candidates if c.capabilities.issuperset(needed) and c.agent_id not in without)
    return min(capable, key=lambda c: (not c.circuit_closed, c.load, _tie_break(job_id, c.agent_id)), default=None)


def describe_missing(needed: Collection[str], candidates: Iterable[Candidate]) -> str:
    """Return why no agent has all capabilities needed.

    The text changes only with what is missing, so that comparing it tells whether a new log entry is due.
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
