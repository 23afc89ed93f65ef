"""A receiver of traces: what OpenTelemetry's collectors do, as far as tests need it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from observe.receiver import read_spans
from support.system import served


class Collector:
    """Takes spans. `answers` are the statuses of its next answers, 0: none comes; then it takes all it is sent."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.refuses: str | None = None  # a job id
        self.refusal = 400
        self.retry_after: str | None = None
        self.spans: dict[bytes, Span] = {}
        self.times = Counter[bytes]()
        self.requests = 0
        self.headers: list[dict[str, str]] = []

    def traces(self) -> dict[bytes, list[Span]]:
        found: dict[bytes, list[Span]] = {}
        for span in self.spans.values():
            found.setdefault(span.trace_id, []).append(span)
        return found

    def jobs(self) -> list[str]:
        """The ids of jobs, of each trace one."""
        return sorted(find(span, "signoff.job.id") for span in self.spans.values() if span.name == "execute_job")

    async def on_traces(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests += 1
        self.headers.append(dict(request.headers))
        if self.answers:
            status = self.answers.pop(0)
            if not status:
                await asyncio.sleep(60)
            return web.Response(status=status, headers={"Retry-After": self.retry_after} if self.retry_after else None)
        spans = read_spans(body)
        if self.refuses in {find(span, "signoff.job.id") for span in spans}:
            return web.Response(status=self.refusal)
        for span in spans:
            self.spans[span.span_id] = span
            self.times[span.span_id] += 1
        return web.Response()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=64 << 20)
        app.add_routes([web.post("/v1/traces", self.on_traces)])
        async with served(app) as url:
            yield url


def find(span: Span, name: str) -> str:
    """The value of an attribute that is a text; empty if it is not there."""
    return next((each.value.string_value for each in span.attributes if each.key == name), "")


def roots(spans: Sequence[Span]) -> list[Span]:
    """The spans that have no parent among them."""
    ids = {span.span_id for span in spans}
    return [span for span in spans if span.parent_span_id not in ids]
