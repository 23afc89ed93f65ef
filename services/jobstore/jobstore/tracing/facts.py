"""Read of a JobChanged what its trace is made of: a hundredth of the time that the whole takes. Pure."""

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec import Struct


class Waited(Struct, frozen=True, gc=False):
    """What an execution has waited for."""

    code: str
    since: datetime
    until: datetime
    name: str = ""


class Judged(Struct, frozen=True, gc=False):
    """The judgement of one criterion."""

    text: str
    outcome: str
    required: bool = True
    kind: str = "meets"
    comment: str = ""
    unproven: bool = False


class Asked(Struct, frozen=True, gc=False):
    """One ask of a model; `began_s`: seconds after the judging began."""

    model: str
    role: str = "judge"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None
    latency_s: float | None = None
    began_s: float | None = None
    request_id: str | None = None
    refused: int | None = None
    vote: int | None = None
    section: int | None = None
    sum_of: int | None = None


class JudgedStage(Struct, frozen=True, gc=False):
    """What one stage of judging decided."""

    kind: str
    asks: list[Asked] = []


class Verdict(Struct, frozen=True, gc=False):
    """A verdict."""

    is_valid: bool
    criteria: list[Judged] = []
    reason: str = ""
    model: str | None = None
    judge: str | None = None
    judge_error: str | None = None
    began_at: datetime | None = None
    stages: list[JudgedStage] = []


class Entry(Struct, frozen=True, gc=False):
    """An entry of a job's log."""

    status: str
    created_at: datetime
    id: str = ""
    kind: str | None = None
    agent_id: str | None = None
    code: str | None = None
    message: str | None = None
    execution_id: str | None = None
    attempt: int | None = None
    lease: int | None = None
    submission: int | None = None
    cost_usd: Decimal | None = None
    tokens: int | None = None
    progress: float | None = None
    next_attempt_at: datetime | None = None
    spent_calls: int | None = None
    actor: str | None = None
    duration_s: float | None = None
    waited: list[Waited] | None = None
    verdict: Verdict | None = None


class JobPart(Struct, frozen=True, gc=False):
    """Of the job as it stood."""

    title: str = ""
    tenant: str = "default"


class FrozenPolicy(Struct, frozen=True, gc=False):
    """Of the policy of an execution."""

    resubmit: str | None = None


class Terms(Struct, frozen=True, gc=False):
    """Of the terms of an execution, where the entry requests it."""

    policy: FrozenPolicy = FrozenPolicy()
    batch_id: str | None = None
    protocol: str | None = None
    traceparent: str | None = None


class Fact(Struct, frozen=True, gc=False):
    """A JobChanged."""

    job_id: str
    version: int
    log: Entry
    job: JobPart = JobPart()
    requested: Terms | None = None
    stub: dict[str, object] | None = None


_DECODER = msgspec.json.Decoder(Fact)


def read_fact(body: bytes) -> Fact:
    """Return the fact in the body of a record. Raise ValueError if there is none."""
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error
