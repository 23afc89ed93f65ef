"""Make dead letters of records that can never be processed, and bound how many unsigned records can cause."""

import logging
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiokafka import ConsumerRecord

from contracts.signing import SIGNATURE_HEADER, Signature
from contracts.topics import MESSAGE_MAX_BYTES
from servicekit import clock
from servicekit.errors import PermanentError
from servicekit.kafka.publisher import Outgoing
from servicekit.patches import UnreadableBatch
from signoff.errors import ErrorCode
from signoff.values import time_text

log = logging.getLogger(__name__)

#: Topic, partition and offset of a record.
Place = tuple[str, int, int]
#: A record that cannot be processed, and why.
Refused = tuple[ConsumerRecord[bytes | None, bytes | None], PermanentError]

#: Bytes that a dead letter may have beside the record's own body, key and headers.
DEAD_LETTER_BYTES = 4_096
#: Bytes kept of the body of an unsigned record, and of its key and headers, so that a stranger fills no queue.
FORGED_BYTES = 64 * 1024
#: Characters of an error's message; what is longer is cut.
REASON_MAX = 1_000
#: A record that names an execution does so within its first bytes.
NAMED_WITHIN_BYTES = 1 << 20
_EXECUTION: Final = re.compile(rb'"execution_id"\s*:\s*"([0-9a-fA-F-]{32,36})"')


#: Of requests that nobody may make who signed them, if anybody did.
FORGED_CODES: Final = frozenset({ErrorCode.BAD_SIGNATURE, ErrorCode.FORBIDDEN_TENANT})


class UnvouchedError(PermanentError):
    """A record has no valid signature, whatever other faults it has."""

    code = ErrorCode.BAD_SIGNATURE


def to_dead_letter(
    dlq: str, record: ConsumerRecord[Any, Any], error: PermanentError, *, is_whole: bool = True
) -> Outgoing:
    """Return the dead letter of a record: its bytes and headers, its place and its error.

    The body is left out if it does not fit: it may have come in a compressed batch. Only the beginning of the body is
    kept if no signature allows the record, or with `is_whole` False. An unreadable batch has its bytes as the body.
    """
    fields = {
        "dlq-error-code": error.code,
        "dlq-error-message": str(error)[:REASON_MAX],
        "dlq-topic": record.topic,
        "dlq-partition": str(record.partition),
        "dlq-offset": str(record.offset),
        "dlq-time": time_text(clock.now()),
    }
    if isinstance(record, UnreadableBatch):
        fields |= {"dlq-offset": str(record.first_offset), "dlq-last-offset": str(record.offset), "dlq-body": "batch"}
    key, value = record.key, record.value if record.value is not None else b""
    kept = [(name, content) for name, content in record.headers if name not in fields]
    size = sum(len(name) * 4 + len(content or b"") + 16 for name, content in kept) + len(key or b"")
    room = MESSAGE_MAX_BYTES - DEAD_LETTER_BYTES
    if not is_whole or error.code in FORGED_CODES or isinstance(error, UnvouchedError):
        room = FORGED_BYTES
        if len(value) > FORGED_BYTES:
            fields["dlq-body"], value = "cut", value[:FORGED_BYTES]
    elif size + len(value) > room:
        fields["dlq-body"], value = "omitted", b""
    if size > room:
        fields["dlq-headers"], kept, key = "omitted", [], None
    return Outgoing(dlq, value, key, [*kept, *make_fields(fields)])


def make_fields(fields: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """Return the fields of a dead letter as headers of its record."""
    return [(name, text.encode(errors="replace")) for name, text in fields.items()]


def add_repeats(letter: Outgoing, error: PermanentError, repeats: int, last_offset: int) -> Outgoing:
    """Return a dead letter that also stands for `repeats` more records of its partition, which fail alike."""
    reason = f"{str(error)[: REASON_MAX // 2]}; so are {repeats} more records of the partition, up to {last_offset}"
    fields = {"dlq-error-message": reason, "dlq-repeats": str(repeats), "dlq-last-offset": str(last_offset)}
    kept = [(name, content) for name, content in letter.headers if name not in fields]
    return replace(letter, headers=[*kept, *make_fields(fields)])


def names_execution(record: ConsumerRecord[Any, Any]) -> bool:
    """Return whether a record names an execution in its signature or its body, even if the body cannot be parsed."""
    signature = dict(record.headers).get(SIGNATURE_HEADER)
    return bool(_EXECUTION.search(record.value or b"", 0, NAMED_WITHIN_BYTES)) or Signature.parse(signature) is not None


def name_execution(body: bytes | None) -> dict[str, str]:
    """Return the id of the execution that a record's body names, as a field of a log line; {} if it names none."""
    found = _EXECUTION.search(body or b"", 0, NAMED_WITHIN_BYTES)
    return {} if found is None else {"execution_id": found[1].decode()}


async def bury_all(refused: Sequence[Refused]) -> Sequence[Refused]:
    """Return all refused records, each of which then becomes a dead letter."""
    return refused


async def bury_none(refused: Sequence[Refused]) -> Sequence[Refused]:
    """Return no refused records, and log them: another consumer of the topic makes their dead letters."""
    for record, error in refused:
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        log.info(
            "a record is passed over",
            extra={**where, **name_execution(record.value), "code": error.code, "reason": str(error)},
        )
    return ()


#: Executions that are remembered to have a dead letter of a forged request.
REMEMBERED_MAX: Final = 10_000


class Forgeries:
    """Choose the refused records that become dead letters: of forged requests, one for each execution.

    The memory of executions is bounded, and lost with the process: then an execution may have one more dead letter.
    """

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._buried: OrderedDict[int, None] = OrderedDict()

    async def choose_dead(self, refused: Sequence[Refused]) -> Sequence[Refused]:
        """Return the records that become dead letters."""
        return [
            (record, error) for record, error in refused if error.code not in FORGED_CODES or self._is_the_first(record)
        ]

    def _is_the_first(self, record: ConsumerRecord[Any, Any]) -> bool:
        signature = Signature.parse(dict(record.headers).get(SIGNATURE_HEADER))
        named = hash(signature.execution_id if signature is not None else record.key)  # a key may be large
        if named in self._buried:
            return False
        self._buried[named] = None
        if len(self._buried) > self._remembered_max:
            self._buried.popitem(last=False)
        return True
