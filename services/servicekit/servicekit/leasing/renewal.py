"""What a worker and a jobstore tell each other of leases when these are renewed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from contracts.signing import SigningKey


class LeaseState(Enum):
    """The jobstore's answer on a lease: renew it, its outcome is recorded, it is lost, its execution was cancelled."""

    KEEP = "keep"
    RECORDED = "recorded"
    LOST = "lost"
    CANCELLED = "cancelled"


#: A lease as its worker has it: the fencing token, and the key that proves it and signs its reports.
Lease = SigningKey


class GivenBackLease(NamedTuple):
    """A lease that is given back, whether its work has begun, and in how many seconds it is due again."""

    lease: Lease
    begun: bool
    due_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to a renewal: a state for each lease held and each outcome, in order; leases last `lease_s`.

    `new_keys` are of leases whose key comes from a secret that no longer signs. `judgings_waiting`: without a job.
    """

    held: Sequence[LeaseState]
    outcomes: Sequence[LeaseState]
    lease_s: float
    new_keys: Sequence[Lease]
    judgings_waiting: int
