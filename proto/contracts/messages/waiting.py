"""Convert why executions wait to its gRPC messages (`x_message`) and back (`x_of`)."""

from collections.abc import Iterable
from datetime import UTC
from typing import Any, Final

from pydantic import TypeAdapter

from contracts.waiting.reasons import PastWait, Reason, Waiting, WaitingSum
from signoff.v1 import resources_pb2 as pb

_PAST_WAITS: Final = TypeAdapter(list[PastWait])


def waiting_message(waiting: Waiting) -> pb.Waiting:
    """Return why an execution waits, as it is sent."""
    named = {} if waiting.execution_id is None else {"execution_id": str(waiting.execution_id)}
    return pb.Waiting(**{**waiting.model_dump(exclude_none=True), **named})


def waiting_of(message: pb.Waiting) -> Waiting:
    """Return why an execution waits, as received."""
    reasons = [Reason(**{"owner": "", "remedy": "", **_fields_of(reason)}) for reason in message.reasons]
    return Waiting(**_fields_of(message), reasons=reasons)


def past_wait_messages(text: str | None) -> list[pb.PastWait]:
    """Return what an execution has waited for, as it is sent, from its JSON text."""
    return [pb.PastWait(**wait.model_dump()) for wait in _PAST_WAITS.validate_json(text)] if text else []


def past_waits_of(messages: Iterable[pb.PastWait]) -> list[PastWait] | None:
    """Return what an execution has waited for, as received; None where it did not wait."""
    return [PastWait(**_fields_of(message)) for message in messages] or None


def waiting_sum_message(waiting: WaitingSum) -> pb.WaitingSum:
    """Return a sum as it is sent."""
    return pb.WaitingSum(**waiting.model_dump(exclude_none=True))


def waiting_sum_of(message: pb.WaitingSum) -> WaitingSum:
    """Return a sum as received."""
    return WaitingSum(**{"count": 0, "owner": "", "remedy": "", **_fields_of(message)})


def _fields_of(message: Any) -> dict[str, Any]:
    """Return the set fields that are not lists, times as times."""
    return {
        field.name: value.ToDatetime(tzinfo=UTC) if field.message_type else value
        for field, value in message.ListFields()
        if not field.is_repeated
    }
