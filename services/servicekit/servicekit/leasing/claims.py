"""Read the jobstore's answers to claims."""

from dataclasses import dataclass
from uuid import UUID

from contracts.signing import SigningKey
from signoff.v1 import work_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class ClaimDenied:
    """Why a claim was not granted; `outcome` is a name of the proto's ClaimOutcome without its prefix, as QUEUED."""

    outcome: str
    code: str
    message: str


def read_denial(answer: pb.ExecutionAnswer | pb.JudgingAnswer) -> ClaimDenied:
    """Return why a claim was not granted."""
    return ClaimDenied(pb.ClaimOutcome.Name(answer.outcome).removeprefix("CLAIM_OUTCOME_"), answer.code, answer.message)


def read_lease(key: pb.LeaseKey) -> SigningKey:
    """Return a lease that was granted, with its key."""
    return SigningKey(UUID(key.execution_id), key.lease, key.secret_id, key.key)
