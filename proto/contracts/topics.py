"""The catalogue of topics: who writes what, who reads it, and how long it is kept."""

from dataclasses import dataclass
from datetime import timedelta

from contracts.events import (
    AdministrationChanged,
    AgentChanged,
    CancelRequested,
    Event,
    ExecuteRequested,
    ExecutionRefused,
    JobChanged,
    JobStatusReported,
    ResultProduced,
)
from contracts.sizes import MESSAGE_MAX_BYTES
from contracts.topic_prefix import TOPIC_PREFIX


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention` None is for ever; `dlq` is the dead-letter topic of its consumers."""

    name: str
    event: type[Event] | None
    retention: timedelta | None
    producers: frozenset[str]
    consumers: frozenset[str]
    partitions: int = 8
    dlq: str | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The broker's settings of the topic."""
        retention_ms = -1 if self.retention is None else int(self.retention.total_seconds() * 1000)
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(retention_ms),
            "retention.bytes": "-1",
            "max.message.bytes": str(MESSAGE_MAX_BYTES),
        }


def _topic_with_dlq(
    event: type[Event], days: int | None, producers: set[str], consumers: set[str], *, partitions: int = 8
) -> list[Topic]:
    """Make a topic named after its event, behind the prefix, and the dead-letter queue of its consumers."""
    name = TOPIC_PREFIX + event.type.removeprefix("signoff.").removesuffix(".v1")
    retention = None if days is None else timedelta(days=days)
    services = consumers & {"jobstore", "executor", "validator"}
    if not services:
        return [Topic(name, event, retention, frozenset(producers), frozenset(consumers), partitions)]
    dlq = Topic(f"{name}-dlq", None, timedelta(days=30), frozenset(services), frozenset({"cli"}), partitions=1)
    return [Topic(name, event, retention, frozenset(producers), frozenset(consumers), dlq=dlq.name), dlq]


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in [
        *_topic_with_dlq(ExecuteRequested, 7, {"jobstore", "upstream"}, {"executor"}),
        *_topic_with_dlq(ResultProduced, 30, {"executor", "jobstore"}, {"validator", "jobstore"}),
        *_topic_with_dlq(JobStatusReported, 30, {"executor", "validator"}, {"jobstore"}),
        *_topic_with_dlq(CancelRequested, 7, {"upstream"}, {"jobstore"}),
        *_topic_with_dlq(JobChanged, None, {"jobstore"}, {"upstream", "cli"}),
        *_topic_with_dlq(AgentChanged, None, {"jobstore"}, {"upstream", "cli"}),
        *_topic_with_dlq(ExecutionRefused, None, {"jobstore"}, {"upstream", "cli"}),
        # One partition: of a topic that lost its beginning, all that follows a record is there.
        *_topic_with_dlq(AdministrationChanged, None, {"jobstore"}, {"upstream", "cli"}, partitions=1),
    ]
}
TOPIC_OF: dict[type[Event], str] = {topic.event: topic.name for topic in TOPICS.values() if topic.event}


def find_topic(name: str) -> Topic | None:
    """Return a topic by its name, with the prefix or without."""
    return TOPICS.get(name) or TOPICS.get(TOPIC_PREFIX + name)


#: The topics of facts, which the jobstore signs.
FACT_TOPICS: tuple[str, ...] = tuple(name for name, topic in TOPICS.items() if topic.retention is None)

#: The consumer groups of workers.
EXECUTOR_GROUP = f"{TOPIC_PREFIX}signoff-executor"
VALIDATOR_GROUP = f"{TOPIC_PREFIX}signoff-validator"
#: What the names of the jobstore's begin with, one for each topic: consumers of one group would rebalance one another.
JOBSTORE_GROUPS = f"{TOPIC_PREFIX}signoff-jobstore"

#: A record with this header was published again by an operator: it admits no execution.
REPLAY_HEADER = "signoff-replay"
