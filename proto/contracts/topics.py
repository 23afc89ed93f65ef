"""Name the topics, and bound requests at every door in bytes of JSON, so that all records made of them fit.

Bytes are counted as records hold them: a control character counts the six bytes of its JSON escape. The largest record
is the fact that a job is submitted again: it holds what the job asks for, a comment, and the feedback of the last
verdict, each once. Every other record holds less.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import to_json

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
from contracts.topic_prefix import TOPIC_PREFIX

#: `max.message.bytes` of every topic.
MESSAGE_MAX_BYTES: Final = 8 << 20
#: The limit of a door unless its service is set otherwise: of what a job asks for, of a comment, of an agent's result.
PAYLOAD_MAX_BYTES: Final = 1 << 20
#: Texts of a door's size that one record holds at most: a job, a comment and the criteria in the feedback.
PARTS_MAX: Final = 3
#: What a judge's words add to the criteria in a verdict: its whole answer, and the names of fields.
JUDGED_MAX_BYTES: Final = (1 << 20) + (128 << 10)
#: All else of a record that has limits of its own: title, labels, policies, agent, messages, ids, key and headers.
REST_MAX_BYTES: Final = 512 << 10
#: Replicas from which on one may be away, and a record that is acknowledged survives the loss of another.
REPLICATION_SAFE: Final = 3
#: Partitions of topics of work, at least.
WORK_PARTITIONS_MIN: Final = 8
#: Bytes of dead letters that a topic keeps at most, unless its service is set otherwise.
DEAD_LETTERS_MAX_BYTES: Final = 1 << 30
#: Bytes of a segment, the file as a whole of which brokers delete; many small ones take descriptors and maps of memory.
SEGMENT_BYTES: Final = 256 << 20
#: Above the largest record: a broker refuses one that is larger than a segment.
SEGMENT_MIN_BYTES: Final = 16 << 20
#: Segments into which an age, or a size, is divided: so much more than that a topic may hold.
SEGMENTS: Final = 10
SEGMENT_MIN_S: Final = 10.0
SEGMENT_MAX_S: Final = 7 * 86_400.0
#: For how long facts stay in their topics once a checkpoint has them.
FACTS_KEPT: Final = timedelta(days=7)
#: Characters of an entry's message; what is longer is cut.
MESSAGE_MAX_CHARS: Final = 4_000


def largest_limit(message_max_bytes: int = MESSAGE_MAX_BYTES) -> int:
    """Return the largest limit, in bytes, that a door may have if topics take records of `message_max_bytes`."""
    return (message_max_bytes - JUDGED_MAX_BYTES - REST_MAX_BYTES) // PARTS_MAX


#: The largest size that any door accepts, and so what the jobstore accepts of jobs that came through another door.
LIMIT_MAX_BYTES: Final = largest_limit()


def _check_limit(limit: int) -> int:
    if limit > LIMIT_MAX_BYTES:
        msg = (
            f"at most {LIMIT_MAX_BYTES}: records made of more would not fit topics that take {MESSAGE_MAX_BYTES} bytes"
        )
        raise ValueError(msg)
    return limit


#: The setting of a door's limit: a value that does not fit the topics prevents the start.
DoorLimit = Annotated[int, Field(ge=1), AfterValidator(_check_limit)]

_JOB_FIELDS: Final = ("title", "description", "acceptance_criteria", "labels", "policy", "capabilities")


def measure(value: Any) -> int:
    """Return the number of bytes of a value as JSON."""
    return len(to_json(value))


def measure_job(job: Any, payload: str) -> int:
    """Return the number of bytes of a job's request as JSON: of its fields and of `payload`, which is JSON text."""
    fields: dict[str, Any] = {name: getattr(job, name) for name in _JOB_FIELDS}
    fields["references"] = job.references or None
    return len(to_json(fields, exclude_none=True)) + len(payload.encode())


@dataclass(frozen=True, slots=True)
class TopicBounds:
    """Bounds on what topics keep, as an installation sets them. An age counts where it is below the catalogue's."""

    work_kept: timedelta | None = None
    dead_letters_kept: timedelta | None = None
    dead_letters_max_bytes: int = DEAD_LETTERS_MAX_BYTES
    #: Facts go by no age of the broker's: the jobstore deletes those that a checkpoint has, once they are so old.
    facts_kept: timedelta = FACTS_KEPT


CATALOGUED: Final = TopicBounds()


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `retention` None is for ever; `dlq` is the dead-letter topic of its consumers.

    `producers` and `consumers` are all who write and read it, for whatever purpose: services, `upstream` for the
    services that ask for jobs, and `operator` for people at the command line. Kafka's ACLs follow (contracts.grants).
    """

    name: str
    event: type[Event] | None
    retention: timedelta | None
    producers: frozenset[str]
    consumers: frozenset[str]
    partitions: int = WORK_PARTITIONS_MIN
    dlq: str | None = None

    @property
    def is_of_work(self) -> bool:
        """Whether the topic carries requests and reports, so that its number of partitions may grow."""
        return self.event is not None and self.retention is not None

    def list_settings(self, replication: int, bounds: TopicBounds = CATALOGUED) -> dict[str, str]:
        """Return the broker's settings of the topic where it has so many replicas: of three, two have each record."""
        return {
            "cleanup.policy": "delete",
            "max.message.bytes": str(MESSAGE_MAX_BYTES),
            **self.bound(bounds),
            **({"min.insync.replicas": "2"} if replication >= REPLICATION_SAFE else {}),
        }

    def bound(self, bounds: TopicBounds) -> dict[str, str]:
        """Return the settings by which a broker deletes records; it deletes whole segments, so these are bounded, too.

        A segment is closed, and only then deleted, at its size or its age: a tenth of what bounds the topic.
        """
        is_dead = self.event is None
        set_age = bounds.dead_letters_kept if is_dead else bounds.work_kept
        age_s = None if self.retention is None else min(self.retention, set_age or self.retention).total_seconds()
        # Of facts, which may stay for ever, few segments are made: they are divided only where they go early.
        divided_s = age_s or (bounds.facts_kept.total_seconds() if bounds.facts_kept < FACTS_KEPT else None)
        segment_s = SEGMENT_MAX_S if divided_s is None else max(SEGMENT_MIN_S, divided_s / SEGMENTS)
        bytes_max = bounds.dead_letters_max_bytes if is_dead else -1
        segment_bytes = max(SEGMENT_MIN_BYTES, bytes_max // SEGMENTS) if is_dead else SEGMENT_BYTES
        return {
            "retention.ms": "-1" if age_s is None else f"{age_s * 1000:.0f}",
            "retention.bytes": str(bytes_max),
            "segment.ms": f"{segment_s * 1000:.0f}",
            "segment.bytes": str(segment_bytes),
        }


def _name_topic(event: type[Event]) -> str:
    return TOPIC_PREFIX + event.type.removeprefix("signoff.").removesuffix(".v1")


def _topics_of_work(
    event: type[Event], days: int, producers: set[str], consumers: set[str], buried_by: str
) -> tuple[Topic, Topic]:
    """Return an event's topic and its dead-letter topic, of which the service `buried_by` puts records there.

    The jobstore redrives dead letters, and marks them; operators read all topics, and replay records of work.
    """
    name = _name_topic(event)
    retention = timedelta(days=days)
    writers, readers = frozenset({"jobstore", "operator"} | producers), frozenset({"operator"} | consumers)
    dead = Topic(
        f"{name}-dlq",
        None,
        timedelta(days=30),
        frozenset({"jobstore", buried_by}),
        frozenset({"jobstore", "operator"}),
        partitions=1,
    )
    return Topic(name, event, retention, writers, readers, dlq=dead.name), dead


def _topic_of_facts(event: type[Event], partitions: int = 8) -> Topic:
    """Return the topic of facts; the jobstore reads what it wrote there before it publishes more."""
    readers = frozenset({"jobstore", "upstream", "operator"})
    return Topic(_name_topic(event), event, None, frozenset({"jobstore"}), readers, partitions)


TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in [
        *_topics_of_work(ExecuteRequested, 7, {"upstream"}, {"executor"}, "executor"),
        # Validators bury nothing: the jobstore reads the same topic, and knows which records are signed.
        *_topics_of_work(ResultProduced, 30, {"executor"}, {"validator", "jobstore"}, "jobstore"),
        *_topics_of_work(JobStatusReported, 30, {"executor", "validator"}, {"jobstore"}, "jobstore"),
        *_topics_of_work(CancelRequested, 7, {"upstream"}, {"jobstore"}, "jobstore"),
        _topic_of_facts(JobChanged),
        _topic_of_facts(AgentChanged),
        _topic_of_facts(ExecutionRefused),
        # One partition: of a topic that lost its beginning, all that follows a record is there.
        _topic_of_facts(AdministrationChanged, partitions=1),
    ]
}
TOPIC_OF: dict[type[Event], str] = {topic.event: topic.name for topic in TOPICS.values() if topic.event}


def find_topic(name: str) -> Topic | None:
    """Return a topic by its name, with the prefix or without; None if there is no such topic."""
    return TOPICS.get(name) or TOPICS.get(TOPIC_PREFIX + name)


#: The topics of facts, which the jobstore signs.
FACT_TOPICS: tuple[str, ...] = tuple(name for name, topic in TOPICS.items() if topic.retention is None)

#: The consumer groups of workers.
EXECUTOR_GROUP = f"{TOPIC_PREFIX}signoff-executor"
VALIDATOR_GROUP = f"{TOPIC_PREFIX}signoff-validator"
#: What the names of the jobstore's begin with, one for each topic: consumers of one group would rebalance one another.
JOBSTORE_GROUPS = f"{TOPIC_PREFIX}signoff-jobstore"
#: What the names of groups begin with in which upstream services read facts.
UPSTREAM_GROUPS = f"{TOPIC_PREFIX}upstream"

#: A record with this header was published again by an operator: it admits no execution.
REPLAY_HEADER = "signoff-replay"
