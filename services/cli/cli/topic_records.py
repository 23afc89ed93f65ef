"""Select records of a topic, and read what they hold. Records of strangers may hold anything."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer
from pydantic import ValidationError

from cli.errors import CommandError
from contracts.fact_keys import MARKER_HEADER
from contracts.topics import REPLAY_HEADER, TOPICS, Topic, find_topic
from signoff.errors import ErrorCode
from signoff.jsontext import parse_json


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record of a topic, with its value parsed if it is JSON."""

    record: Any
    value: Any
    is_json: bool
    headers: Mapping[str, str]

    @property
    def at(self) -> datetime:
        """When the record was published."""
        from servicekit.kafka.history import read_time  # noqa: PLC0415 - heavy, and only needed here

        return read_time(self.record)

    @property
    def key(self) -> str | None:
        """The partition key."""
        return None if self.record.key is None else self.record.key.decode(errors="replace")

    @property
    def is_replay(self) -> bool:
        """Whether the record was published again by an operator."""
        return REPLAY_HEADER in self.headers

    @property
    def is_marker(self) -> bool:
        """Whether the record is no fact, but says that from here on another secret signs facts."""
        return MARKER_HEADER in self.headers

    def get_field(self, name: str) -> str | None:
        """Return a field of the event, or of the log entry in it, as text; None if it is not set or no scalar."""
        if not isinstance(self.value, dict):
            return None
        log = self.value.get("log")
        value = self.value.get(name) or (log.get(name) if isinstance(log, dict) else None)
        return None if value is None or isinstance(value, dict | list) else str(value)

    def find_event_id(self, topic: Topic) -> str | None:
        """Return the event id in the header, else the one that follows from the event; None if it has neither."""
        if "ce_id" in self.headers or topic.event is None:
            return self.headers.get("ce_id")
        try:
            return str(topic.event.model_validate(self.value).event_id)
        except ValidationError:
            return None

    def to_document(self, topic: Topic, *, headers: bool) -> dict[str, Any]:
        """Return the record as JSON for programs; a value that is no JSON as base64."""
        record = self.record
        return {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "time": self.at,
            "key": self.key,
            "event_id": self.find_event_id(topic),
            "job_id": self.get_field("job_id"),
            "execution_id": self.get_field("execution_id"),
            "value": self.value,
            **({} if self.is_json else {"value_base64": base64.b64encode(record.value or b"").decode()}),
            **({"headers": self.headers} if headers else {}),
        }


def parse_record(record: Any) -> TopicRecord:
    """Parse a record of Kafka; bytes that are no UTF-8 or no JSON are no error."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        return TopicRecord(record, parse_json(record.value or b""), is_json=True, headers=headers)
    except ValueError:
        return TopicRecord(record, None, is_json=False, headers=headers)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records of a topic are selected: by offsets (`last` included), time (`until` excluded) and ids."""

    topic: Topic
    partition: int | None = None
    first: int | None = None
    last: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    job_id: str | None = None
    event_id: str | None = None
    execution_id: str | None = None

    def limit_offsets(self, stored: Mapping[int, range]) -> dict[int, range]:
        """Return which of the stored offsets to read, by partition. Raise CommandError for an unknown partition."""
        if self.partition is None:
            return dict(stored)
        if self.partition not in stored:
            raise CommandError(
                f"{self.topic.name} has the partitions 0 to {max(stored)}", code=ErrorCode.UNKNOWN_PARTITION
            )
        span = stored[self.partition]
        begin = span.start if self.first is None else max(self.first, span.start)
        end = span.stop if self.last is None else min(self.last + 1, span.stop)
        return {self.partition: range(begin, max(begin, end))}

    def has(self, record: TopicRecord) -> bool:
        """Return whether a record that was read is selected."""
        return (
            (self.since is None or record.at >= self.since)
            and (self.until is None or record.at < self.until)
            and (self.job_id is None or self.job_id in {record.key, record.get_field("job_id")})
            and (self.execution_id is None or record.get_field("execution_id") == self.execution_id)
            and (self.event_id is None or record.find_event_id(self.topic) == self.event_id)
        )


def get_topic(name: str) -> Topic:
    """Return a topic of the catalogue. Raise BadParameter if it has none of this name."""
    if (topic := find_topic(name)) is None:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(TOPICS)}", param_hint="TOPIC")
    return topic
