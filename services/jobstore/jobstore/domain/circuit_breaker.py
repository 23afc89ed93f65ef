"""The circuit breaker of an agent: how the outcomes of calls open and close its circuit. Pure.

While a circuit is half open, a single execution, the probe, may call the agent. The breaker is not notified of the
probe's end: `probing` is derived from the probe's row, and false once the probe is neither OFFERED nor LEASED.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from signoff.status import Circuit

#: Bounds the exponent, so that 2**n stays a finite float.
_DOUBLINGS_MAX: Final = 30


@dataclass(frozen=True, slots=True)
class BreakerTerms:
    """Settings of circuits: `failures` in a row open one, for a time that doubles with each opening in a row."""

    failures: int = 5
    open_first_s: float = 5.0
    open_max_s: float = 300.0

    def open_until(self, now: datetime, times_opened: int) -> datetime:
        """Return until when a circuit stays open that was opened `times_opened` times in a row before."""
        seconds = min(self.open_first_s * 2 ** min(times_opened, _DOUBLINGS_MAX), self.open_max_s)
        return now + timedelta(seconds=seconds)


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
