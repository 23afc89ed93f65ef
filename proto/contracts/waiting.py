"""Declare the codes of the reasons that hold executions back, and who can remove a reason."""

from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from pydantic import StringConstraints

from contracts.fields import matches


class WaitCode(StrEnum):
    """The reasons that hold an execution back (docs/protocol.md#why-an-execution-waits)."""

    NOT_BEFORE = "not_before"
    RETRY_BACKOFF = "retry_backoff"
    LIMITS_LOST = "limits_lost"
    LIMIT_PAUSED = "limit_paused"
    LIMIT_CONCURRENCY = "limit_concurrency"
    LIMIT_RATE = "limit_rate"
    LIMIT_USD_PER_DAY = "limit_usd_per_day"
    CIRCUIT_OPEN = "circuit_open"
    CIRCUIT_PROBING = "circuit_probing"
    PROTOCOL_NOT_CALLED = "protocol_not_called"
    NO_WORKER = "no_worker"
    NO_ROOM = "no_room"
    SHARE = "share"
    QUEUE = "queue"
    OFFERED = "offered"
    JUDGE_MISSING = "judge_missing"
    JUDGE_NO_ROOM = "judge_no_room"
    JUDGE_AWAY = "judge_away"
    NO_AGENT_MATCHES = "no_agent_matches"
    AGENT_DISABLED = "agent_disabled"
    AGENT_MISSING = "agent_missing"


#: The codes under which sums of what waits count jobs. A job that nobody has assigned yet is counted under none.
COUNTED: Final = tuple(code.value for code in WaitCode if code is not WaitCode.AGENT_MISSING)


_REASON_PATTERN: Final = matches(
    rf"^({'|'.join(COUNTED)})(:[^\x00]*)?$",
    f"must be one of {', '.join(COUNTED)}, or one of these with a name behind it, as in limit_paused:agent:scribe",
)


def split_reason(text: str) -> tuple[str, str]:
    """Return the code and the name of `CODE:NAME`; the name is empty if only the code is given: it stands for any."""
    code, _, name = text.partition(":")
    return code, name


def join_reason(code: str, name: str) -> str:
    """Return a reason as a filter has it, of the code and the name of a sum."""
    return f"{code}:{name}" if name else code


#: What a job waits for, in a filter. A name may be all capabilities of a job.
WaitReason: TypeAlias = Annotated[str, StringConstraints(max_length=13_000, pattern=_REASON_PATTERN)]

#: What helps where limits are lost; until then nothing begins.
CONFIRM_LIMITS: Final = (
    "set limits and pauses again, as they were; then confirm that these are all: signoff limits confirm"
)


class Owner(StrEnum):
    """Whose move it is."""

    OPERATOR = "operator"
    CALLER = "caller"
    AGENT = "agent"
    TIME = "time"
    SIGNOFF = "signoff"
