"""Read requests, and page through lists."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message
from pydantic import TypeAdapter

from contracts.fields import OperationName, Patch
from contracts.resources import NewJob, new_job_of, patch_of
from contracts.topics import measure, measure_job
from contracts.traceparent import TRACEPARENT
from jobstore.access.callers import choose_tenant
from jobstore.engine.parts import check_size
from jobstore.errors import ForbiddenError, InvalidError
from jobstore.jobs.commands import Answer
from servicekit.traceparents import take_traceparent
from signoff.connection import JSON_AS_VALUE, PAGE_MAX, REPLAYED
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import Role, View
from signoff.v1 import resources_pb2 as pb
from signoff.v1.agent_service_pb2 import UpdateAgentRequest
from signoff.v1.keeping_service_pb2 import PreviewRetentionRequest, SetRetentionRequest
from signoff.v1.operations_service_pb2 import SetLimitRequest
from signoff.wire import parse_words, read_field, read_fields, read_word, write_message
from signoff.worker.v1 import work_service_pb2 as work_pb

Context = grpc.aio.ServicerContext[Any, Any]
R = TypeVar("R")
M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=Patch)
W = TypeVar("W")
#: Characters of an idempotency key at most.
KEY_MAX: Final = 255
#: Seconds that a session lasts unless it is said, and at most.
SESSION_S: Final = 43_200.0
SESSION_MAX_S: Final = 2_592_000.0
_NAME: Final[TypeAdapter[str]] = TypeAdapter(OperationName)
#: Fields of a list's request that choose how much is shown, and not what is listed.
_SHOWN: Final = frozenset({"page_size", "page_token", "view"})


def wants_text(context: Context) -> bool:
    """Return whether the caller takes JSON as text: it does unless its metadata asks for values."""
    return JSON_AS_VALUE not in {(key, value) for key, value in context.invocation_metadata() or ()}


def read_new_job(message: pb.NewJob) -> NewJob:
    """Return the new job in a message, which is of its caller's tenant unless it names one (`choose_tenant`).

    ValidationError or ValueError: the message is malformed. InvalidError (`unknown_tenant`, `tenant_needed`).
    """
    new = new_job_of(message)
    new.tenant = choose_tenant(new.tenant if "tenant" in new.model_fields_set else None)
    return new


def read_trace(context: Context) -> str | None:
    """Return the traceparent in a call's metadata; None if there is none."""
    given = (value for key, value in context.invocation_metadata() or () if key == TRACEPARENT)
    return take_traceparent(next(given, None), "grpc")


def reject_nul(text: str | None) -> str | None:
    """Return the text unchanged. InvalidError: it has the character U+0000, which PostgreSQL cannot store."""
    if text is not None and "\0" in text:
        raise InvalidError("a text must not contain the character U+0000")
    return text


def check_text_size(text: str, limit: int) -> None:
    """Raise an InvalidError if a text has more bytes than the limit allows."""
    check_size(measure(text), limit)


def check_job_size(job: NewJob, limit: int) -> None:
    """Raise an InvalidError if the specification of a job has more bytes than the limit allows."""
    check_size(measure_job(job, json_text(job.payload)), limit)


def parse_uuid(text: str, field: str) -> UUID:
    """Return the text of a field as a UUID. InvalidError: the text is no UUID."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"is no UUID: {text[:100]!r}", field=field) from None


def read_key(request: Message) -> str:
    """Return the idempotency key of a request, empty if the request has none. InvalidError: the key is too long."""
    key: str = read_field(request, "idempotency_key") or ""
    if len(key) > KEY_MAX:
        raise InvalidError(f"has {len(key)} characters, and {KEY_MAX} at most", field="idempotency_key")
    return key


def read_session_s(request: Message) -> float:
    """Return the seconds for which a new session is to last. InvalidError: `lasts_s` is out of bounds."""
    lasts_s: float | None = read_field(request, "lasts_s")
    if lasts_s is not None and not 0 < lasts_s <= SESSION_MAX_S:
        raise InvalidError(f"must be above 0 and up to {SESSION_MAX_S:g}", field="lasts_s")
    return SESSION_S if lasts_s is None else lasts_s


def mark_replay(context: Context, answer: Answer[R]) -> R:
    """Return the value of an answer, and set REPLAYED in the trailing metadata if it repeats an earlier answer."""
    if answer.is_replay:
        context.set_trailing_metadata((REPLAYED,))
    return answer.value


def read_version(request: Message) -> int | None:
    """Return the version that the resource must have for a write, or None if any will do."""
    version: int | None = read_field(request, "version")
    return version


def read_change(
    request: UpdateAgentRequest | SetLimitRequest | SetRetentionRequest | PreviewRetentionRequest,
    message: Message,
    patch: type[P],
    whole: Callable[..., W],
) -> P | W:
    """Return the change of a resource that a request asks for: a patch by its mask or, without one, the whole resource.

    ValidationError or ValueError: the change is malformed.
    """
    if request.HasField("update_mask"):
        return patch_of(patch, message, request.update_mask)
    return whole(**read_fields(message))


def is_full(number: pb.View.ValueType, default: View = View.BASIC) -> bool:
    """Return whether a view is the full one; `number` 0 stands for `default`. ValueError: there is no such view."""
    return (parse_words(pb.View.DESCRIPTOR, [number]) if number else [default]) == [View.FULL]


def read_name(request: Message) -> str | None:
    """Return the name that a request gives to a new operation; None: it gives none. ValidationError: it is invalid."""
    name = read_field(request, "name")
    return None if name is None else _NAME.validate_python(name)


def parse_page_size(page_size: int, default: int, largest: int = PAGE_MAX) -> int:
    """Return the size of a page: `page_size`, or `default` for 0, up to `largest`. InvalidError: it is negative."""
    if page_size < 0:
        raise InvalidError("must not be negative", field="page_size")
    return min(page_size or default, largest)


def parse_page(request: Message, default: int, parse: Callable[..., R]) -> tuple[int, R | None]:
    """Return the size of a request's page, and the item after which the page begins, None for the first page."""
    return parse_page_size(read_field(request, "page_size"), default), parse_page_token(request, parse)


def make_page(
    kind: type[M], request: Message, limit: int, field: str, rows: Sequence[R], place: Callable[[R], Sequence[object]]
) -> M:
    """Return the response of a list: `rows` in a field, and the token of the next page if this page is full."""
    last = place(rows[-1]) if rows and len(rows) == limit else None
    return write_message(kind, {field: rows, "next_page_token": make_page_token(request, last)})


def make_page_token(request: Message, last: Sequence[object] | None) -> str:
    """Return the token of the page after the item `last`; empty if `last` is None, as on the last page."""
    if last is None:
        return ""
    return base64.urlsafe_b64encode(json.dumps([_digest(request), *last]).encode()).decode()


def parse_page_token(request: Message, parse: Callable[..., R]) -> R | None:
    """Return the item after which a request's page begins, or None for the first page.

    InvalidError (`invalid_page_token`): no page of this list, with this filter and in this order, gave such a token.
    """
    token = {field.name: value for field, value in request.ListFields()}.get("page_token")
    if token is None:
        return None
    try:
        digest, *last = json.loads(base64.urlsafe_b64decode(token.encode()))
        if digest == _digest(request):
            return parse(*last)
    except (binascii.Error, ValueError, TypeError):
        pass
    message = "is not the next_page_token of this list with this filter and order: begin again without one"
    raise InvalidError(message, code=ErrorCode.INVALID_PAGE_TOKEN, field="page_token")


def _digest(request: Message) -> str:
    """Return the digest of the list that a request asks for: of all fields of the request but those in _SHOWN."""
    asked = type(request)()
    asked.CopyFrom(request)
    for field, value in request.ListFields():
        if field.name in _SHOWN or (isinstance(value, Message) and not value.ListFields()):
            asked.ClearField(field.name)
    text = type(request).__name__.encode() + asked.SerializeToString(deterministic=True)
    return hashlib.blake2b(text, digest_size=8).hexdigest()


_PROTOCOLS: Final = pb.Protocol.DESCRIPTOR
#: The kind of work whose leases a role holds.
_WORK_KINDS: Final = {Role.EXECUTOR: work_pb.WORK_KIND_EXECUTING, Role.VALIDATOR: work_pb.WORK_KIND_JUDGING}


def check_kind(role: Role, request: object) -> None:
    """Raise ForbiddenError if a worker renews or gives back leases of another kind than its own."""
    if isinstance(request, work_pb.RenewLeasesRequest) and request.kind != _WORK_KINDS.get(role):
        raise ForbiddenError("a worker renews and gives back leases of its own kind of work alone: set `kind` to that")


def read_protocols(numbers: Iterable[int]) -> tuple[str, ...]:
    """Return the protocols by which an executor calls agents, but for those of a later release."""
    known = (number for number in numbers if number in _PROTOCOLS.values_by_number)
    return tuple(sorted({word for number in known if (word := read_word(_PROTOCOLS, number)) is not None}))
