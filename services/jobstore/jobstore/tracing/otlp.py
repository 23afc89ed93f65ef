"""Send spans by OTLP over HTTP, as binary protobuf, until they are taken."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as pb
from prometheus_client import Counter

from contracts.traceparent import TraceContext
from jobstore.tracing.spans import Attributes, Span

log = logging.getLogger(__name__)

#: The semantic conventions that names are by: open-telemetry/semantic-conventions-genai, stability development.
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/gen-ai/1.42.0"
#: Seconds that a request may take, and those between two tries, which double.
TIMEOUT_S: Final = 10.0
AGAIN_FIRST_S: Final = 0.5
AGAIN_MAX_S: Final = 30.0
#: Answers to a request that would be the same of another try: of one trace alone it is given up.
_REFUSED: Final = frozenset({400, 413})
_ANSWER_MAX_BYTES: Final = 64 << 10

SENT: Final = Counter("signoff_trace_spans_sent", "Spans that the receiver took")
REFUSED: Final = Counter("signoff_trace_spans_refused", "Spans that the receiver refused for good")
TRIES: Final = Counter("signoff_trace_requests_failed", "Requests with spans that are made again", ["reason"])

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FAILED: Final = pb.Status(code=pb.Status.STATUS_CODE_ERROR)


def write_request(traces: Sequence[Sequence[Span]], resource: Mapping[str, str]) -> bytes:
    """Return the body of a request with the spans of some traces; `resource` are the attributes of who sends them."""
    request = service.ExportTraceServiceRequest()
    of = request.resource_spans.add()
    of.resource.CopyFrom(Resource(attributes=_write(resource)))
    scope = of.scope_spans.add()
    scope.scope.CopyFrom(InstrumentationScope(name="signoff", version=resource.get("service.version", "")))
    scope.schema_url = SCHEMA_URL
    scope.spans.extend(_write_span(span) for spans in traces for span in spans)
    return request.SerializeToString()


def _write_span(span: Span) -> pb.Span:
    attributes = span.attributes if span.error is None else {**span.attributes, "error.type": span.error}
    return pb.Span(
        trace_id=bytes.fromhex(span.trace.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=b"" if span.parent_id is None else bytes.fromhex(span.parent_id),
        flags=int(span.trace.flags, 16),
        name=span.name,
        kind=span.kind.value,  # type: ignore[arg-type] # by number
        start_time_unix_nano=_nanos(span.begun_at),
        end_time_unix_nano=_nanos(span.ended_at),
        attributes=_write(attributes),
        events=[
            pb.Span.Event(time_unix_nano=_nanos(event.at), name=event.name, attributes=_write(event.attributes))
            for event in span.events
        ],
        links=[_write_link(link) for link in span.links],
        status=None if span.error is None else _FAILED,
    )


def _write_link(link: TraceContext) -> pb.Span.Link:
    return pb.Span.Link(trace_id=bytes.fromhex(link.trace_id), span_id=bytes.fromhex(link.span_id))


def _write(attributes: Attributes | Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=_write_value(value)) for key, value in attributes.items() if value is not None]


def _write_value(value: str | float | bool) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    return AnyValue(double_value=value) if isinstance(value, float) else AnyValue(string_value=value)


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

    async def send(self, traces: Sequence[Sequence[Span]]) -> None:
        """Send traces, and return once they are taken, or refused for good one by one."""
        body, wait_s = write_request(traces, self._resource), AGAIN_FIRST_S
        while (reason := await self._try(traces, body)) is not None:
            self.failing = reason
            log.warning("traces are not taken, and sent again", extra={"reason": reason, "wait_s": wait_s})
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, AGAIN_MAX_S)
        self.failing = None

    async def _try(self, traces: Sequence[Sequence[Span]], body: bytes) -> str | None:
        """Make one request. Return why it is to be made again; None if it is not."""
        count = sum(map(len, traces))
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
            return f"status {status}"
        else:
            refused = _count_refused(answer)
            SENT.inc(count - refused)
            REFUSED.inc(refused)
        return None


def _count_refused(answer: bytes) -> int:
    try:
        return int(service.ExportTraceServiceResponse.FromString(answer).partial_success.rejected_spans)
    except ValueError:  # it answers something else, and has taken them
        return 0
