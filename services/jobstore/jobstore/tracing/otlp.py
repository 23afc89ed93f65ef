"""Send spans by OTLP over HTTP, as binary protobuf, until they are taken."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as pb
from prometheus_client import Counter

from jobstore.tracing.spans import Attributes, Span

log = logging.getLogger(__name__)

#: The semantic conventions that names are by: open-telemetry/semantic-conventions-genai, stability development. Its
#: first release tells no schema URL that could be given instead (docs/tracing.md).
CONVENTIONS: Final = "v0.1.0"
#: Seconds that a request may take, and those between two tries, which double.
TIMEOUT_S: Final = 10.0
AGAIN_FIRST_S: Final = 0.5
AGAIN_MAX_S: Final = 30.0
#: Seconds that a receiver may ask for by Retry-After.
ASKED_MAX_S: Final = 300.0
#: Answers to a request that would be the same of another try: of one trace alone it is given up.
_REFUSED: Final = frozenset({400, 413})
_ANSWER_MAX_BYTES: Final = 64 << 10

SENT: Final = Counter("signoff_trace_spans_sent", "Spans that the receiver took")
REFUSED: Final = Counter("signoff_trace_spans_refused", "Spans that the receiver refused for good")
TRIES: Final = Counter("signoff_trace_requests_failed", "Requests with spans that are made again", ["reason"])

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def write_request(traces: Sequence[Sequence[Span]], resource: Mapping[str, str]) -> bytes:
    """Return the body of a request with the spans of some traces; `resource` are the attributes of who sends them."""
    request = service.ExportTraceServiceRequest()
    of = request.resource_spans.add()
    _write(of.resource.attributes, resource)
    scope = of.scope_spans.add()
    scope.scope.name, scope.scope.version = "signoff", resource.get("service.version", "")
    _write(scope.scope.attributes, {"signoff.semconv.genai": CONVENTIONS})
    for spans in traces:
        for span in spans:
            _write_span(scope.spans.add(), span)
    return request.SerializeToString()


# Messages are filled where they stand: to make each by itself, and copy it into the one around it, takes three times
# as long.
def _write_span(written: pb.Span, span: Span) -> None:
    written.trace_id = bytes.fromhex(span.trace.trace_id)
    written.span_id = bytes.fromhex(span.span_id)
    if span.parent_id is not None:
        written.parent_span_id = bytes.fromhex(span.parent_id)
    written.flags = int(span.trace.flags, 16)
    written.name = span.name
    written.kind = span.kind.value  # type: ignore[assignment] # by number
    written.start_time_unix_nano = _nanos(span.begun_at)
    written.end_time_unix_nano = _nanos(span.ended_at)
    _write(written.attributes, span.attributes)
    for event in span.events:
        told = written.events.add()
        told.time_unix_nano, told.name = _nanos(event.at), event.name
        _write(told.attributes, event.attributes)
    for link in span.links:
        written.links.add(trace_id=bytes.fromhex(link.trace_id), span_id=bytes.fromhex(link.span_id))
    if span.error is not None:
        _write(written.attributes, {"error.type": span.error})
        written.status.code = pb.Status.STATUS_CODE_ERROR


def _write(attributes: RepeatedCompositeFieldContainer[KeyValue], given: Attributes | Mapping[str, str]) -> None:
    for key, value in given.items():
        if value is None:
            continue
        attribute = attributes.add()
        attribute.key = key
        if isinstance(value, str):
            attribute.value.string_value = value
        elif isinstance(value, bool):
            attribute.value.bool_value = value
        elif isinstance(value, int):
            attribute.value.int_value = value
        else:
            attribute.value.double_value = value


def _nanos(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1_000


class Receiver:
    """Where spans are sent: it is tried until it takes them, so that whoever sends reads nothing more meanwhile."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str], resource: Mapping[str, str]
    ) -> None:
        """Take the URL that requests are posted to."""
        self._session = session
        self._url = url
        self._headers = {**headers, "Content-Type": "application/x-protobuf"}
        self._resource = resource
        #: Why the last request failed; None if it did not.
        self.failing: str | None = None
        self._failing_since: float | None = None
        self._asked_s = 0.0

    @property
    def stalled_s(self) -> float:
        """Seconds for which the receiver has taken nothing; 0 if it took the last request."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    def explain(self) -> str | None:
        """Return why nothing is taken, and for how long; None if the last request was."""
        return self.failing and f"takes nothing for {self.stalled_s:.0f} s: {self.failing}"

    async def send(self, traces: Sequence[Sequence[Span]]) -> None:
        """Send traces, and return once they are taken, or refused for good one by one."""
        body, wait_s = write_request(traces, self._resource), AGAIN_FIRST_S
        while (reason := await self._try(traces, body)) is not None:
            self.failing, self._failing_since = reason, self._failing_since or time.monotonic()
            for_s = max(wait_s, self._asked_s)
            log.warning("traces are not taken, and sent again", extra={"reason": reason, "wait_s": for_s})
            await asyncio.sleep(for_s)
            wait_s = min(2 * wait_s, AGAIN_MAX_S)
        self.failing = self._failing_since = None

    async def _try(self, traces: Sequence[Sequence[Span]], body: bytes) -> str | None:
        """Make one request. Return why it is to be made again; None if it is not."""
        count, self._asked_s = sum(map(len, traces)), 0.0
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._session.post(self._url, data=body, headers=self._headers, allow_redirects=False) as response,
            ):
                status, answer = response.status, await response.content.read(_ANSWER_MAX_BYTES)
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            TRIES.labels("unreachable").inc()
            return f"{type(error).__name__}: {error}"
        if status in _REFUSED and len(traces) > 1:
            half = len(traces) // 2
            await self.send(traces[:half])
            await self.send(traces[half:])
        elif status in _REFUSED:
            REFUSED.inc(count)
            log.error("a trace is refused for good", extra={"trace_id": traces[0][0].trace.trace_id, "status": status})
        elif not 200 <= status < 300:  # noqa: PLR2004
            TRIES.labels(str(status)).inc()
            self._asked_s = _read_wait(response.headers.get("Retry-After", ""))
            return f"status {status}"
        else:
            refused = _count_refused(answer)
            SENT.inc(count - refused)
            REFUSED.inc(refused)
        return None


def _read_wait(retry_after: str) -> float:
    """Return the seconds that a receiver asks for; a date, which it may send as well, is passed by."""
    return min(float(retry_after), ASKED_MAX_S) if retry_after.isdecimal() and retry_after.isascii() else 0.0


def _count_refused(answer: bytes) -> int:
    try:
        return int(service.ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except ValueError:  # it answers something else, and has taken them
        return 0
