"""The terms under which executions run, unless a job or an agent says otherwise."""

from dataclasses import dataclass, field

from contracts.resources import Policy
from jobstore.domain.circuit_breaker import BreakerTerms
from jobstore.domain.reuse import ReuseTerms


@dataclass(frozen=True, slots=True)
class Terms:
    """What executions are run under, unless a job or an agent says otherwise."""

    policy: Policy
    lease_s: float
    offer_again_s: float
    breaker: BreakerTerms = field(default_factory=BreakerTerms)
    reuse: ReuseTerms = field(default_factory=ReuseTerms)
