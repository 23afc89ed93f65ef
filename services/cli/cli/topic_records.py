"""Which records of a topic are meant, and what each says of itself. Records of strangers may hold anything."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from pydantic import ValidationError

from cli.errors import CommandError
from contracts.jsontext import parse_json
from contracts.topics import REPLAY_HEADER, TOPICS, Topic

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record, and what it says of itself, as far as it says anything."""

    record: Any
    value: Any
    is_json: bool
    headers: Mapping[str, str]

    @property
    def at(self) -> datetime:
        """When it was published."""
        return datetime.fromtimestamp(self.record.timestamp / 1000, UTC)

    @property
    def key(self) -> str | None:
        """The partition key."""
        return None if self.record.key is None else self.record.key.decode(errors="replace")

    @property
    def is_replay(self) -> bool:
        """Whether it was published again by an operator."""
        return REPLAY_HEADER in self.headers

    def field(self, name: str) -> str | None:
        """A field of the event, or of the log entry in it."""
        if not isinstance(self.value, dict):
            return None
        log = self.value.get("log")
        found = self.value.get(name) or (log.get(name) if isinstance(log, dict) else None)
        return None if found is None or isinstance(found, dict | list) else str(found)

    def event_id(self, topic: Topic) -> str | None:
        """As the header says; an upstream that sends none leaves it to be worked out."""
        if "ce_id" in self.headers or topic.event is None:
            return self.headers.get("ce_id")
        try:
            return str(topic.event.model_validate(self.value).event_id)
        except ValidationError:
            return None

    def document(self, topic: Topic, *, headers: bool) -> dict[str, Any]:
        """For programs. A value that is no JSON is given as base64."""
        record = self.record
        return {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "time": self.at,
            "key": self.key,
            "event_id": self.event_id(topic),
            "job_id": self.field("job_id"),
            "execution_id": self.field("execution_id"),
            "value": self.value,
            **({} if self.is_json else {"value_base64": base64.b64encode(record.value or b"").decode()}),
            **({"headers": self.headers} if headers else {}),
        }


def told(record: Any) -> TopicRecord:
    """A record as it can be shown."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    try:
        return TopicRecord(record, parse_json(record.value or b""), is_json=True, headers=headers)
    except ValueError:
        return TopicRecord(record, None, is_json=False, headers=headers)


@dataclass(frozen=True, slots=True)
class Selection:
    """Records of one topic: by offsets (`last` included), by time (`until` excluded), by what they are about."""

    topic: Topic
    partition: int | None = None
    first: int | None = None
    last: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    job_id: str | None = None
    event_id: str | None = None
    execution_id: str | None = None

    def offsets(self, held: Mapping[int, range]) -> dict[int, range]:
        """What is to be read of what the topic holds."""
        if self.partition is None:
            return dict(held)
        if self.partition not in held:
            raise CommandError(f"{self.topic.name} has the partitions 0 to {max(held)}", code="unknown_partition")
        span = held[self.partition]
        begin = span.start if self.first is None else max(self.first, span.start)
        end = span.stop if self.last is None else min(self.last + 1, span.stop)
        return {self.partition: range(begin, max(begin, end))}

    def holds(self, record: TopicRecord) -> bool:
        """Whether a record that was read is meant."""
        return (
            (self.since is None or record.at >= self.since)
            and (self.until is None or record.at < self.until)
            and (self.job_id is None or self.job_id in {record.key, record.field("job_id")})
            and (self.execution_id is None or record.field("execution_id") == self.execution_id)
            and (self.event_id is None or record.event_id(self.topic) == self.event_id)
        )


def topic(name: str) -> Topic:
    """A topic of the catalogue."""
    if name not in TOPICS:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(TOPICS)}", param_hint="TOPIC")
    return TOPICS[name]


def moment(text: str | None, option: str) -> datetime | None:
    """A point in time: ISO 8601, local where no zone is said, or so long ago (`90s`, `15m`, `1h`, `2d`)."""
    if text is None:
        return None
    try:
        if found := _AGO.fullmatch(text):
            at = datetime.now(UTC) - timedelta(seconds=float(found[1]) * _SECONDS[found[2]])
        else:
            at = datetime.fromisoformat(text).astimezone(UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)  # a record's time has no more
    except (ValueError, OverflowError):
        message = f"{text!r} is neither a time (2026-11-24T09:30:00Z) nor a while ago (90s, 15m, 1h, 2d)"
        raise typer.BadParameter(message, param_hint=option) from None
