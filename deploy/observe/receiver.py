"""A receiver of traces, OTLP over HTTP, that keeps the newest in memory and shows each as a page."""

import html
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from aiohttp import web
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SPANS_MAX = 50_000
BODY_MAX_BYTES = 64 << 20
LISTED_MAX = 100
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body {{font: 14px system-ui, sans-serif; margin: 2em; color-scheme: light dark}}
td, th {{text-align: left; padding: .2em 1em .2em 0; vertical-align: top; font-variant-numeric: tabular-nums}}
i {{display: block; height: .7em; min-width: 2px; background: #5a7fd0; margin-top: .3em}} .error i {{background: #c33}}
.bar {{width: 40vw; padding: .2em 0}} small {{opacity: .7}}
</style><h1>{title}</h1>{body}</html>
"""


def read_spans(body: bytes) -> list[Span]:
    """Return the spans of a request, whoever they are of."""
    sent = ExportTraceServiceRequest.FromString(body)
    return [span for of in sent.resource_spans for scope in of.scope_spans for span in scope.spans]


class Traces:
    """The newest spans, by their ids; one that is sent again replaces itself."""

    def __init__(self, spans_max: int = SPANS_MAX) -> None:
        self._spans_max = spans_max
        self._traces: OrderedDict[bytes, dict[bytes, Span]] = OrderedDict()
        self._count = 0

    def keep(self, spans: Iterable[Span]) -> None:
        """Keep spans; the traces that nothing was added to for longest go for them."""
        for span in spans:
            trace = self._traces.setdefault(span.trace_id, {})
            self._count += span.span_id not in trace
            trace[span.span_id] = span
            self._traces.move_to_end(span.trace_id)
        while self._count > self._spans_max:
            _, gone = self._traces.popitem(last=False)
            self._count -= len(gone)

    def get(self, trace_id: bytes) -> list[Span]:
        """Return the spans of a trace by their begin; none if it is not there."""
        return sorted(self._traces.get(trace_id, {}).values(), key=lambda span: span.start_time_unix_nano)

    def list_newest(self) -> Iterator[list[Span]]:
        """Yield the traces that were added to last, the newest first."""
        for trace_id in list(reversed(self._traces))[:LISTED_MAX]:
            yield self.get(trace_id)


class Receiver:
    """Takes spans, and shows them."""

    def __init__(self, traces: Traces) -> None:
        self._traces = traces

    def make_app(self) -> web.Application:
        """Make the application, without a server."""
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_post("/v1/traces", self._take)
        app.router.add_get("/", self._show_newest)
        app.router.add_get("/traces/{trace_id:[0-9a-f]{32}}", self._show)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        if request.content_type != "application/x-protobuf":
            raise web.HTTPUnsupportedMediaType(text="send binary protobuf: application/x-protobuf")
        try:
            spans = read_spans(await request.read())
        except DecodeError as error:
            raise web.HTTPBadRequest(text=f"not an ExportTraceServiceRequest: {error}") from error
        self._traces.keep(spans)
        return web.Response(content_type="application/x-protobuf")

    async def _show_newest(self, _request: web.Request) -> web.Response:
        rows = "".join(map(_render_line, self._traces.list_newest()))
        waiting = "<p>None was sent yet. A trace of a job is sent once the job has ended.</p>"
        return _answer("Traces", f"<table>{rows}</table>" if rows else waiting)

    async def _show(self, request: web.Request) -> web.Response:
        trace_id = request.match_info["trace_id"]
        spans = self._traces.get(bytes.fromhex(trace_id))
        if not spans:
            missing = "<p>It is not here: a trace is sent once its job has ended, and the newest alone are kept.</p>"
            return _answer(f"Trace {trace_id}", missing, status=404)
        begin = min(span.start_time_unix_nano for span in spans)
        whole = max(max(span.end_time_unix_nano for span in spans) - begin, 1)
        rows = "".join(_render_span(span, depth, begin, whole) for span, depth in walk(spans))
        head = "<tr><th>span<th>after<th>took<th><th>"
        return _answer(f"Trace {trace_id}", f"<p>{_format_time(begin)}</p><table>{head}{rows}</table>")


def walk(spans: Iterable[Span]) -> Iterator[tuple[Span, int]]:
    """Yield spans as a tree, by their begin, each with its depth; one whose parent is not there is a root.

    Whatever its parents are, each comes once: of strangers, spans may be their own ancestors.
    """
    left = {span.span_id: span for span in spans}
    roots = [span for span in left.values() if span.parent_span_id not in left]
    while left:
        stack = [(span, 0) for span in reversed(roots or [next(iter(left.values()))])]
        roots = []
        while stack:
            span, depth = stack.pop()
            if left.pop(span.span_id, None) is None:
                continue
            yield span, depth
            children = [each for each in left.values() if each.parent_span_id == span.span_id]
            stack += [(child, depth + 1) for child in reversed(children)]


def _render_line(spans: list[Span]) -> str:
    root, _ = next(walk(spans))
    trace_id, errors = root.trace_id.hex(), Counter(span.status.code for span in spans)[Status.STATUS_CODE_ERROR]
    told = f"<a href='/traces/{trace_id}'>{trace_id}</a><td>{html.escape(root.name)}<td>{_format_took(root)}"
    begun = _format_time(root.start_time_unix_nano)
    return f"<tr><td>{told}<td>{len(spans)} spans<td>{f'{errors} failed' if errors else ''}<td>{begun}"


def _render_span(span: Span, depth: int, begin: int, whole: int) -> str:
    left = 100 * (span.start_time_unix_nano - begin) / whole
    width = 100 * (span.end_time_unix_nano - span.start_time_unix_nano) / whole
    name = f"<span style='padding-left:{depth * 1.5}em'>{html.escape(span.name)}</span>"
    after = f"{(span.start_time_unix_nano - begin) / 1e9:.3f} s"
    bar = f"<td class=bar><i style='margin-left:{left:.2f}%;width:{width:.2f}%'></i>"
    style = " class=error" if span.status.code == Status.STATUS_CODE_ERROR else ""
    told = ", ".join(f"{each.key}={_format_value(each.value)}" for each in span.attributes)
    return f"<tr{style}><td>{name}<td>{after}<td>{_format_took(span)}{bar}<td><small>{html.escape(told)}</small>"


def _format_value(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind)).strip()


def _format_took(span: Span) -> str:
    return f"{(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9:.3f} s"


def _format_time(nanos: int) -> str:
    return datetime.fromtimestamp(nanos // 1_000_000_000, UTC).isoformat()


def _answer(title: str, body: str, status: int = 200) -> web.Response:
    return web.Response(text=PAGE.format(title=title, body=body), content_type="text/html", status=status)
