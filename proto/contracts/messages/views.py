"""What operators see, and its gRPC messages: the overview, agents' figures, dead letters."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from contracts.fields import Label, Model, NextPageToken, Open, Time
from contracts.messages.convert import fields_of, time_of
from contracts.messages.waiting import waiting_sum_message, waiting_sum_of
from contracts.waiting.reasons import WaitingSum
from signoff.status import LetterOutcome
from signoff.v1 import operations_service_pb2 as pb
from signoff.wire import read_fields, write_message


class Percentiles(Model):
    """In seconds; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class OverviewCounts(Model):
    """Counts and times of what happened within a span of time."""

    created: int = 0
    completed: int = 0
    failed: int = 0
    rejected: int = 0
    resubmission_required: int = 0
    cancelled: int = 0
    cost_usd: float = 0.0
    tokens: int = 0
    wait: Percentiles = Field(default_factory=Percentiles, description="from being asked for to the first claim")
    agent: Percentiles = Field(default_factory=Percentiles, description="of a call of an agent")
    judge: Percentiles = Field(default_factory=Percentiles, description="of a judging")
    duration: Percentiles = Field(
        default_factory=Percentiles, description="from being asked for to the end: all waits, calls and judgings"
    )
    queued_max: int | None = Field(None, description="the most that waited at once; None where no sample was taken")
    running_max: int | None = Field(None, description="the most at once that were with an agent")
    judging_max: int | None = Field(None, description="the most at once that were being judged")


class OverviewPoint(OverviewCounts):
    """A part of the range."""

    at: Time = Field(description="when it begins")


class OverviewTotals(OverviewCounts):
    """The whole range."""

    acceptance_rate: float | None = Field(None, description="of what was judged; None where nothing was")


class OverviewNow(Model):
    """What is there now."""

    queued: int = Field(0, description="executions that wait for a worker,")
    running: int = Field(0, description="are offered to or with one,")
    judging: int = Field(0, description="and whose result waits for a verdict")
    oldest_wait_s: float | None = Field(None, description="of what has waited longest among the queued")
    dead_letters: dict[str, int] = Field(
        default_factory=dict, description="by topic; empty while the broker is out of reach"
    )


class Overview(Model):
    """How it went of late, and how much is there now."""

    points: list[OverviewPoint]
    totals: OverviewTotals
    now: OverviewNow
    upstreams_sign: bool = Field(False, description="whether who asks or cancels by a topic must sign")
    signing_secret: str = Field("", description="the id of the secret that signs reports and facts")
    waiting: list[WaitingSum] = Field(
        default_factory=list,
        description="why executions wait now, the most first; this and `now` are two seconds old at most",
    )


class AgentStats(Model):
    """How an agent does: now, and over the last 24 hours."""

    agent_id: str
    running: int = 0
    queued: int = 0
    success_rate: float | None = Field(None, description="executions COMPLETED, of those that ended uncancelled")
    mean_duration_s: float | None = Field(
        None, description="from being asked for to the end: all waits, calls and judgings"
    )
    mean_wait_s: float | None = Field(None, description="from being asked for to the first claim")
    mean_agent_s: float | None = Field(None, description="of a call of it")
    mean_judge_s: float | None = Field(None, description="of a judging of its results")


_Offset = Annotated[int, Field(ge=0, le=2**53)]


class DeadLetterResolution(Model):
    """What became of a dead letter, by whom and why."""

    outcome: Open[LetterOutcome]
    actor: str
    reason: str | None = None
    at: Time


class NewResolution(Model):
    """Which open dead letters of a topic to redrive or to discard; all, unless something is given."""

    topic: str = Field(min_length=1, description="that they came from, such as `execute-requested`")
    outcome: LetterOutcome
    reason: Label | None = Field(None, description="why, which is kept beside them")
    code: str | None = Field(None, description="only those with this code")
    from_offset: _Offset | None = Field(None, description="in the dead-letter topic")
    to_offset: _Offset | None = Field(None, description="itself included")
    job_id: str | None = Field(None, description="only those of this job")
    execution_id: UUID | None = Field(None, description="only those of this execution")
    dry_run: bool = Field(False, description="only count them")


class Resolved(Model):
    """How many dead letters were chosen: 500 at most, or 8 MiB. `next_offset` is set where there may be more."""

    letters: int = 0
    skipped: int = Field(0, description="that cannot be redriven, since they are not whole")
    forgotten: int = Field(0, description="executions of which the answer to a wrong record was forgotten")
    next_offset: int | None = Field(None, description="the `from_offset` of the rest,")
    to_offset: int | None = Field(None, description="and its `to_offset`: of those that were there at first")


class DeadLetter(Model):
    """What could not be processed: why, where it came from, and how it begins. The whole stays in its topic."""

    topic: str
    partition: int
    offset: int
    at: Time
    code: str | None = None
    message: str | None = None
    source_topic: str | None = None
    source_partition: int | None = None
    source_offset: int | None = None
    key: str | None = None
    body: str | None = Field(None, description="its first 4,096 bytes as text")
    body_bytes: int = Field(0, description="how many it has in all")
    resolution: DeadLetterResolution | None = Field(None, description="what became of it; None while it is open")
    repeats: int | None = Field(None, description="how many more records of its partition it stands for,")
    source_last_offset: int | None = Field(None, description="and where the last of them stands")


class DeadLetters(Model):
    """How many are open, by topic, and a page of them, newest first."""

    counts: dict[str, int]
    items: list[DeadLetter]
    next_page_token: NextPageToken = None


def overview_of(message: pb.GetOverviewResponse) -> Overview:
    """Return an overview as received."""
    totals = OverviewTotals(**_counts_of(message.totals))
    judged = totals.completed + totals.rejected + totals.resubmission_required
    totals.acceptance_rate = totals.completed / judged if judged else None
    return Overview(
        points=[OverviewPoint(**_counts_of(point), at=time_of(point, "at")) for point in message.points],
        totals=totals,
        now=OverviewNow(**_scalar_fields(message.now), dead_letters=dict(message.now.dead_letters)),
        upstreams_sign=message.upstreams_sign,
        signing_secret=message.signing_secret,
        waiting=[waiting_sum_of(each) for each in message.waiting],
    )


def overview_message(overview: Overview) -> pb.GetOverviewResponse:
    """Return an overview as it is sent."""
    return pb.GetOverviewResponse(
        points=[_counts_message(point) for point in overview.points],
        totals=_counts_message(overview.totals),
        now=pb.OverviewNow(**overview.now.model_dump(exclude_none=True)),
        upstreams_sign=overview.upstreams_sign,
        signing_secret=overview.signing_secret,
        waiting=[waiting_sum_message(each) for each in overview.waiting],
    )


def agent_stats_of(message: pb.AgentStats) -> AgentStats:
    """Return an agent's figures as received."""
    return AgentStats(**_scalar_fields(message))


def agent_stats_message(stats: AgentStats) -> pb.AgentStats:
    """Return an agent's figures as they are sent."""
    return pb.AgentStats(**stats.model_dump(exclude_none=True))


def dead_letters_of(message: pb.ListDeadLettersResponse) -> DeadLetters:
    """Return dead letters as received."""
    items = [_dead_letter_of(each) for each in message.items]
    return DeadLetters(counts=dict(message.counts), items=items, next_page_token=message.next_page_token or None)


def _dead_letter_of(message: pb.DeadLetter) -> DeadLetter:
    resolution = None
    if message.HasField("resolution"):
        resolution = DeadLetterResolution(**read_fields(message.resolution))
    fields = {"partition": 0, "offset": 0, **_scalar_fields(message)}
    return DeadLetter(**fields, at=time_of(message, "at"), resolution=resolution)


def new_resolution_of(message: pb.ResolveDeadLettersRequest) -> NewResolution:
    """Return which dead letters to resolve, as received."""
    return NewResolution(**read_fields(message))


def new_resolution_message(new: NewResolution) -> pb.ResolveDeadLettersRequest:
    """Return which dead letters to resolve, as it is sent."""
    return write_message(pb.ResolveDeadLettersRequest, new.model_dump())


def resolved_of(message: pb.ResolveDeadLettersResponse) -> Resolved:
    """Return how many dead letters were resolved, as received."""
    return Resolved(**_scalar_fields(message))


def resolved_message(resolved: Resolved) -> pb.ResolveDeadLettersResponse:
    """Return how many dead letters were resolved, as it is sent."""
    return pb.ResolveDeadLettersResponse(**resolved.model_dump(exclude_none=True))


def dead_letters_message(letters: DeadLetters) -> pb.ListDeadLettersResponse:
    """Return dead letters as they are sent."""
    return write_message(pb.ListDeadLettersResponse, letters.model_dump())


def _counts_message(counts: OverviewCounts) -> pb.OverviewPoint:
    return pb.OverviewPoint(**counts.model_dump(exclude_none=True, exclude={"acceptance_rate"}))


def _counts_of(message: pb.OverviewPoint) -> dict[str, Any]:
    parts = {
        name: Percentiles(**_scalar_fields(getattr(message, name))) for name in ("wait", "agent", "judge", "duration")
    }
    return _scalar_fields(message) | parts


def _scalar_fields(message: Any) -> dict[str, Any]:
    """Return the set fields that are neither messages nor maps."""
    names = {field.name for field in message.DESCRIPTOR.fields if field.message_type is None}
    return fields_of(message, names)
