"""Read the jobstore's answers to claims."""

from dataclasses import dataclass
from uuid import UUID

from contracts.signing import SigningKey
from servicekit.errors import DoubtfulError, PermanentError
from signoff.worker.v1 import work_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class ClaimDenied:
    """Why a claim was not granted; `outcome` is a name of the proto's ClaimOutcome without its prefix, as QUEUED."""

    outcome: str
    code: str
    message: str
    job_id: str = ""

    def to_error(self) -> PermanentError | DoubtfulError | None:
        """Return what the answer makes of the record: a dead letter, a claim to be made again, or nothing."""
        match self.outcome:
            case "INVALID":
                return PermanentError(self.message, code=self.code)
            case "DOUBTFUL":
                return DoubtfulError(self.message, code=self.code)
        return None


def read_denial(answer: pb.ExecutionAnswer | pb.JudgingAnswer, job_id: str = "") -> ClaimDenied:
    """Return why a claim was not granted. An outcome that is not known is left to the jobstore, which offers again."""
    is_known = answer.outcome in pb.ClaimOutcome.values()
    outcome = pb.ClaimOutcome.Name(answer.outcome).removeprefix("CLAIM_OUTCOME_") if is_known else "QUEUED"
    return ClaimDenied(outcome, answer.code, answer.message, job_id)


def read_lease(key: pb.LeaseKey) -> SigningKey:
    """Return a lease that was granted, with its key."""
    return SigningKey(UUID(key.execution_id), key.lease, key.secret_id, key.key)
