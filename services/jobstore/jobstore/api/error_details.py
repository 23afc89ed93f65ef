"""Write what gRPC's rich error model says of an error: google.rpc.Status, for the trailer `grpc-status-details-bin`."""

from collections.abc import Iterable, Mapping
from typing import Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from jobstore.errors import Violation
from signoff.errors import is_retryable

DOMAIN: Final = "signoff"
#: Bytes of fields that are wrong, and characters of a message: what a client's metadata takes is 8 KiB.
FIELDS_MAX_BYTES: Final = 2_048
MESSAGE_MAX_CHARS: Final = 500
#: Seconds after which a request may be sent again, where nothing says more.
RETRY_AFTER_S: Final = 1.0


def make_details(
    status: grpc.StatusCode,
    message: str,
    code: str,
    *,
    metadata: Mapping[str, str],
    violations: Iterable[Violation] = (),
    retry_after_s: float | None = None,
) -> bytes:
    """Return the bytes of the status of an error, with its code, the fields that are wrong and when to try again."""
    details: list[Message] = [ErrorInfo(reason=code.upper(), domain=DOMAIN, metadata=metadata)]
    wrong = BadRequest()
    for each in violations:
        wrong.field_violations.add(field=each.field, description=each.message)
        if wrong.ByteSize() > FIELDS_MAX_BYTES:
            wrong.field_violations.pop()
            break
    if wrong.field_violations:
        details.append(wrong)
    if is_retryable(code, status.name):
        delay = Duration()
        delay.FromMilliseconds(round((retry_after_s or RETRY_AFTER_S) * 1_000))
        details.append(RetryInfo(retry_delay=delay))
    told = Status(code=status.value[0], message=message[:MESSAGE_MAX_CHARS])
    for detail in details:
        told.details.add().Pack(detail)
    return bytes(told.SerializeToString())


def find_field(request: object, path: tuple[int | str, ...]) -> str:
    """Return a path within a resource or a request as one of the request's fields: `title` of a new job is `job.title`.

    A request holds its resource in a field of its own; the path of a model does not say which.
    """
    names = [str(step) for step in path]
    descriptor = request.DESCRIPTOR if isinstance(request, Message) else None
    if descriptor is not None and names and names[0] not in descriptor.fields_by_name:
        holders = ((each.name, each.message_type) for each in descriptor.fields)
        holder = next((name for name, kind in holders if kind is not None and names[0] in kind.fields_by_name), None)
        names = names if holder is None else [holder, *names]
    return ".".join(names)
