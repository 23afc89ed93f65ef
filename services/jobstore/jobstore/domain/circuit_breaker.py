"""The circuit breaker of an agent: what answers and failures of its calls make of it.

While its circuit is half open one execution, the probe, finds out whether the agent is back. What becomes of that
execution is never told here: the probe's place is free as soon as the probe is neither offered nor under way.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contracts.status import Circuit

_DOUBLINGS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """So many failures in a row open a circuit, for a time that doubles with each opening in a row; seconds."""

    failures: int = 5
    open_first_s: float = 5.0
    open_max_s: float = 300.0

    def open_until(self, now: datetime, opened: int) -> datetime:
        """Until when a circuit is open that was opened so many times in a row before."""
        seconds = min(self.open_first_s * 2 ** min(opened, _DOUBLINGS_MAX), self.open_max_s)
        return now + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Breaker:
    """`probing`: whether the probe is offered or under way."""

    failures: int = 0
    opened: int = 0
    open_until: datetime | None = None
    probe_id: UUID | None = None
    probing: bool = False

    def circuit(self, now: datetime) -> Circuit:
        """Where it stands."""
        if self.open_until is None:
            return Circuit.CLOSED
        return Circuit.OPEN if self.open_until > now else Circuit.HALF_OPEN

    def admits(self, execution_id: UUID, now: datetime) -> bool:
        """Whether the agent may be called for this execution."""
        circuit = self.circuit(now)
        if circuit is Circuit.HALF_OPEN:
            return not self.probing or execution_id == self.probe_id
        return circuit is Circuit.CLOSED

    def granted(self, execution_id: UUID, now: datetime) -> "Breaker":
        """What is granted while the circuit is half open is the probe."""
        if self.circuit(now) is not Circuit.HALF_OPEN:
            return self
        return replace(self, probe_id=execution_id, probing=True)

    def failed(self, execution_id: UUID, now: datetime, terms: BreakerTerms) -> "Breaker":
        """A call failed. One that began before the circuit opened tells nothing new."""
        circuit = self.circuit(now)
        if circuit is Circuit.OPEN or (circuit is Circuit.HALF_OPEN and execution_id != self.probe_id):
            return self
        failures = self.failures + 1
        if circuit is Circuit.CLOSED and failures < terms.failures:
            return replace(self, failures=failures)
        until = terms.open_until(now, self.opened)
        return replace(self, failures=failures, opened=self.opened + 1, open_until=until)


#: Also after any answer of the agent, whenever it was called.
CLOSED: Final = Breaker()
