"""Bound what every door takes, in bytes of its JSON, so that whatever is made of it fits its topic.

JSON is what is measured, since JSON is what a record holds: a control character counts six bytes, as it stands there.
The largest record is the fact that a job is submitted again: it holds what the job asks for, a comment, and the
feedback of the last verdict, each once. Every other record holds less.
"""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import to_json

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
#: Characters of an entry's message; what is longer is cut.
MESSAGE_MAX_CHARS: Final = 4_000


def largest_limit(message_max_bytes: int = MESSAGE_MAX_BYTES) -> int:
    """Return the largest limit that a door may have where a topic takes records of so many bytes."""
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
    """Return the bytes of a value as JSON."""
    return len(to_json(value))


def measure_job(job: Any, payload: str) -> int:
    """Return the bytes of what a job asks for as JSON: of its fields, and of its payload, which is JSON text."""
    fields: dict[str, Any] = {name: getattr(job, name) for name in _JOB_FIELDS}
    fields["references"] = job.references or None
    return len(to_json(fields, exclude_none=True)) + len(payload.encode())


def cut_message(message: str) -> str:
    """Return a message, cut to MESSAGE_MAX_CHARS."""
    return (
        message if len(message) <= MESSAGE_MAX_CHARS else f"{message[: MESSAGE_MAX_CHARS - 1]}\N{HORIZONTAL ELLIPSIS}"
    )
