"""Make dead letters: records that can never be processed, with their bytes and why."""

from typing import Any

from aiokafka import ConsumerRecord

from contracts.sizes import MESSAGE_MAX_BYTES
from servicekit import clock
from servicekit.errors import PermanentError
from servicekit.kafka.publisher import Outgoing

#: Bytes kept free for what a dead letter has beside the record's own body, key and headers.
DEAD_LETTER_BYTES = 4_096
#: Bytes kept of the body of a record that nobody vouches for, and of its key and headers: a stranger fills no queue.
FORGED_BYTES = 64 * 1024
#: The code of such a record.
BAD_SIGNATURE = "bad_signature"
#: Characters of an error's message; what is longer is cut.
REASON_MAX = 1_000


class UnvouchedError(PermanentError):
    """An error of a record that nobody vouches for, whatever else is wrong with it."""

    code = BAD_SIGNATURE


def to_dead_letter(dlq: str, record: ConsumerRecord[Any, Any], error: PermanentError) -> Outgoing:
    """Return the dead letter of a record: its bytes and headers, and what went wrong where.

    A record that would not fit, once unpacked (batches are compressed), leaves its body where it lies. Of one that is
    not signed by whom it should be, the beginning is kept.
    """
    fields = {
        "dlq-error-code": error.code,
        "dlq-error-message": str(error)[:REASON_MAX],
        "dlq-topic": record.topic,
        "dlq-partition": str(record.partition),
        "dlq-offset": str(record.offset),
        "dlq-time": clock.now().isoformat(),
    }
    key, value = record.key, record.value if record.value is not None else b""
    kept = [(name, content) for name, content in record.headers if name not in fields]
    size = sum(len(name) * 4 + len(content or b"") + 16 for name, content in kept) + len(key or b"")
    room = MESSAGE_MAX_BYTES - DEAD_LETTER_BYTES
    if error.code == BAD_SIGNATURE or isinstance(error, UnvouchedError):
        room = FORGED_BYTES
        if len(value) > FORGED_BYTES:
            fields["dlq-body"], value = "cut", value[:FORGED_BYTES]
    elif size + len(value) > room:
        fields["dlq-body"], value = "omitted", b""
    if size > room:
        fields["dlq-headers"], kept, key = "omitted", [], None
    return Outgoing(dlq, value, key, [*kept, *((name, text.encode(errors="replace")) for name, text in fields.items())])
