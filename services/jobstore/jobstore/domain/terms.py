"""The settings that decisions are made by."""

from dataclasses import dataclass, field
from typing import Final

from contracts.resources import Policy
from contracts.sizes import PAYLOAD_MAX_BYTES
from jobstore.domain.circuit_breaker import BreakerTerms
from jobstore.domain.ids import IdKey
from jobstore.domain.reuse import ReuseTerms

#: A worker that was silent for so many lease lengths counts as gone.
ALIVE_LEASES: Final = 1.5


@dataclass(frozen=True, slots=True)
class ExecutionTerms:
    """Settings of executions. `policy` applies where neither the job nor its agent sets a field.

    `ids` makes the ids that nobody may foretell. `lease_s`: how long a lease lasts unless it is renewed.
    `offer_again_s`: after which an offer is repeated. `remembered_max`: how many cancels of unknown executions are
    remembered, and how many answers to wrong records. `job_max_bytes`: what a job may ask for, as `contracts.sizes`
    measures it.
    """

    policy: Policy
    lease_s: float
    offer_again_s: float
    breaker: BreakerTerms = field(default_factory=BreakerTerms)
    reuse: ReuseTerms = field(default_factory=ReuseTerms)
    job_max_bytes: int = PAYLOAD_MAX_BYTES
    remembered_max: int = 100_000
    ids: IdKey = field(kw_only=True)

    @property
    def alive_s(self) -> float:
        """For how long a worker counts that is not heard of: then it is gone, and its room is not used."""
        return self.lease_s * ALIVE_LEASES
