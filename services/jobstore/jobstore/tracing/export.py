"""Make the traces of a job, or of all jobs since a time, from the facts that the topic holds: `signoff traces export`.

They have the ids that they were sent with, or would be. Each is printed as a line of JSON, and sent as well if there is
an endpoint and it has ended.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime

import aiohttp
from pydantic import AwareDatetime, SecretStr

from contracts.events import JobChanged
from contracts.signing import FactKeys, Unvouched
from contracts.topics import TOPIC_OF
from jobstore.recovery.process import run, write_line
from jobstore.tracing.exporter import OtelSettings, divide, to_url
from jobstore.tracing.facts import Fact, read_fact
from jobstore.tracing.otlp import Receiver
from jobstore.tracing.spans import Attributes, Chains, Span, fold
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.history import History
from servicekit.process.settings import ServiceSettings, load_settings
from signoff.values import time_text


class Settings(ServiceSettings):
    """Which traces are made: those of the job, and since the time, as far as these are given; and where they are sent.

    Of a time, those are left out that had begun before.
    """

    job: str | None = None
    since: AwareDatetime | None = None
    otlp_endpoint: str | None = None
    trace_content: bool = False
    fact_keys: SecretStr | None = None


async def main() -> Mapping[str, object]:
    """Print the traces, and return how many there are."""
    settings, chains, ended = load_settings(Settings), Chains(), list[list[Span]]()
    async with AsyncExitStack() as stack:
        receiver = None
        if settings.otlp_endpoint:
            session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=True))
            otel = OtelSettings()
            receiver = Receiver(session, to_url(settings.otlp_endpoint), otel.headers, otel.resource)
        traces = spans = 0
        async for fact in _read_facts(settings):
            found = [fold(chain, content=settings.trace_content) for chain in chains.add(fact)]
            traces, spans = traces + len(found), spans + sum(map(len, found))
            for trace in found:
                write_line(describe(trace, is_whole=True))
            ended += found
            if receiver is not None and len(ended) >= BATCH:
                await _send(receiver, ended)
        if receiver is not None:
            await _send(receiver, ended)
        for chain in list(chains.open.values()):
            write_line(describe(fold(chain, content=settings.trace_content), is_whole=False))
        return {"ok": True, "traces": traces, "spans": spans, "unfinished": len(chains.open), "sent": bool(receiver)}


#: Traces that are sent together.
BATCH = 200


async def _send(receiver: Receiver, traces: list[list[Span]]) -> None:
    for batch in divide(traces):
        await receiver.send(batch)
    traces.clear()


async def _read_facts(settings: Settings) -> AsyncGenerator[Fact]:
    keys = None if settings.fact_keys is None else FactKeys.parse(settings.fact_keys.get_secret_value())
    wanted = None if settings.job is None else settings.job.encode()
    async with History(KafkaAccess.of(settings), TOPIC_OF[JobChanged]) as history:
        async for records in history.read(await history.offsets(settings.since)):
            for record in records:
                if wanted not in {None, record.key}:
                    continue
                if keys is not None and isinstance(keys.find_signer(record, dict(record.headers)), Unvouched):
                    continue
                try:
                    yield read_fact(record.value or b"")
                except ValueError:
                    continue


def describe(spans: list[Span], *, is_whole: bool) -> dict[str, object]:
    """Return a trace as a JSON document; it `is_whole` once it has ended."""
    root = spans[0]
    return {
        "trace_id": root.trace.trace_id,
        "job_id": root.attributes["signoff.job.id"],
        "ended": is_whole,
        "spans": [_describe(span) for span in spans],
    }


def _describe(span: Span) -> dict[str, object]:
    document: dict[str, object] = {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "kind": span.kind.name,
        "begun_at": _write(span.begun_at),
        "ended_at": _write(span.ended_at),
        "error": span.error,
        "attributes": _leave_out(span.attributes),
        "events": [
            {"at": _write(each.at), "name": each.name, "attributes": _leave_out(each.attributes)}
            for each in span.events
        ],
        "links": [{"trace_id": link.trace_id, "span_id": link.span_id} for link in span.links],
    }
    return {name: value for name, value in document.items() if value not in (None, [])}


def _leave_out(attributes: Attributes) -> dict[str, object]:
    return {name: value for name, value in attributes.items() if value is not None}


def _write(at: datetime) -> str:
    return time_text(at)


if __name__ == "__main__":
    run(main)
