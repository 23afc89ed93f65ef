"""Name the headers of a call and of an agent's response, and write those of a call."""

from executor.ports import Call

#: Sent with every call: the number of the grant, and that of the call over all attempts.
ATTEMPT_HEADER = "Signoff-Attempt"
CALL_HEADER = "Signoff-Call"
#: Sent by an agent: why it will not do the job, and what the call consumed.
DECLINED_HEADER = "Signoff-Declined"
USAGE_HEADER = "Signoff-Usage"


def build_headers(call: Call) -> dict[str, str]:
    """Return a call's headers. All calls of an execution have one key, so that an agent that knows it works once."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Idempotency-Key": str(call.grant.lease.execution_id),
        ATTEMPT_HEADER: str(call.grant.attempt),
        CALL_HEADER: str(call.number),
    }
