"""What executions may wait for, and what is known of one that waits. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from jobstore.domain.limits import PERIOD_PARTS
from jobstore.domain.model import ExecutionStage, ExecutionState

#: The wait that outweighs one level of priority. Nothing starves: ranks do not change, and newer ones come later.
AGEING: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How far the limit that applies to a name is used.

    `own` is what the name's own limit sets of it. `paused_by` is the limit that says whether it is paused, which was
    set at `updated_at`. `running`, and of that `offered`, which has not begun, are counted where it has a concurrency
    or a rate; `starts` are those of its window, by part and oldest first, where it has a rate.
    """

    name: str
    own: Mapping[str, object]
    paused: bool
    paused_by: str
    updated_at: datetime
    rate_period_s: float
    running: int
    offered: int = 0
    concurrency: int | None = None
    rate: int | None = None
    starts: Sequence[tuple[datetime, int]] = ()

    @property
    def started(self) -> int:
        """How much of its rate is used: by what began within the window, and by what was offered and may begin."""
        return sum(count for _, count in self.starts) + self.offered

    def find_opening(self, now: datetime) -> datetime | None:
        """Return when the rate allows the next start; None if it does now."""
        if self.rate is None:
            return None
        started, opens_at = self.started, None
        window = timedelta(seconds=self.rate_period_s * (1 + 1 / PERIOD_PARTS))
        parts = iter((*self.starts, (now, self.offered)))
        while started >= self.rate:
            began_at, count = next(parts)
            started, opens_at = started - count, max(began_at + window, now)
        return opens_at


@dataclass(frozen=True, slots=True)
class CircuitUse:
    """The circuit of an agent that is not closed: half open once `open_until` has passed."""

    agent_id: str
    failures: int
    open_until: datetime
    is_probed: bool


@dataclass(frozen=True, slots=True)
class Room:
    """What the workers of a stage that were heard of take: `free` leases more, beside those `leased` and `offered`.

    `capacity` is how many they hold at once.
    """

    workers: int
    free: int
    leased: int
    offered: int
    seen_at: datetime | None = None
    capacity: int = 0


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that executions may wait for, as it is `now`: limits and circuits by what they apply to, rooms by stage.

    `held` is how much of the executors tenants and agents hold, by the names of their limits, where that is too much.
    """

    now: datetime
    limits: Mapping[str, LimitUse] = field(default_factory=dict)
    circuits: Mapping[str, CircuitUse] = field(default_factory=dict)
    rooms: Mapping[ExecutionStage, Room] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    #: Whether a rebuild did not find them, so that nothing is offered until somebody has confirmed those that are set.
    are_limits_lost: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent that has the capabilities that a job needs."""

    agent_id: str
    enabled: bool
    paused: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """An execution that waits, or `count` of them for which the same holds.

    `retry_at` is when the worker that holds it calls the agent again, and `judge_away_at` since when the judge does not
    answer the validator that holds it. `needed` are the capabilities of a job without an
    execution, and `candidates` the agents that have them all.
    """

    stage: ExecutionStage | None = None
    state: ExecutionState | None = None
    due_at: datetime | None = None
    attempt: int = 0
    tenant: str = ""
    flow: Sequence[str] = ()
    retry_at: datetime | None = None
    judge_away_at: datetime | None = None
    needed: Sequence[str] = ()
    candidates: Sequence[Candidate] = ()
    count: int = 1
