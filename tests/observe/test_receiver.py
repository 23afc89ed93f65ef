"""The receiver of traces keeps the newest, and shows a trace as a tree, whoever sent it."""

import aiohttp
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from support.system import served

from observe.receiver import Receiver, Traces, walk

TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
SECOND = 1_000_000_000
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def make(number: int, parent: int = 0, *, trace: bytes = TRACE, name: str = "span") -> Span:
    parent_id = parent.to_bytes(8) if parent else b""
    begin = (100 + number) * SECOND
    return Span(
        trace_id=trace,
        span_id=number.to_bytes(8),
        parent_span_id=parent_id,
        name=name,
        start_time_unix_nano=begin,
        end_time_unix_nano=begin + SECOND // 2,
    )


def write(*spans: Span) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.extend(spans)
    return request.SerializeToString()


def test_a_span_that_is_sent_again_replaces_itself() -> None:
    traces = Traces()
    traces.keep([make(1, name="open"), make(2, 1)])
    traces.keep([make(1, name="ended")])
    assert [span.name for span in traces.get(TRACE)] == ["ended", "span"]


def test_of_many_the_newest_traces_are_kept() -> None:
    traces = Traces(spans_max=3)
    ids = [bytes([number]) * 16 for number in range(3)]
    for trace in ids:
        traces.keep([make(1, trace=trace), make(2, 1, trace=trace)])
    assert [len(traces.get(trace)) for trace in ids] == [0, 0, 2]
    assert [spans[0].trace_id for spans in traces.list_newest()] == ids[2:]


@pytest.mark.parametrize(
    ("parents", "depths"),
    [
        ({1: 0, 2: 1, 3: 2, 4: 1}, [(1, 0), (2, 1), (3, 2), (4, 1)]),
        ({1: 9, 2: 1}, [(1, 0), (2, 1)]),
        ({1: 2, 2: 1}, [(1, 0), (2, 1)]),
        ({1: 1}, [(1, 0)]),
        ({1: 0, 2: 3, 3: 2}, [(1, 0), (2, 0), (3, 1)]),
    ],
    ids=["tree", "parent elsewhere", "circle", "own parent", "circle beside a root"],
)
def test_each_span_comes_once_below_its_parent(parents: dict[int, int], depths: list[tuple[int, int]]) -> None:
    spans = [make(number, parent) for number, parent in parents.items()]
    assert [(int.from_bytes(span.span_id), depth) for span, depth in walk(spans)] == depths


async def test_a_trace_is_shown_with_nothing_of_strangers_as_markup() -> None:
    hostile = make(2, 1, name="<script>alert(1)</script>")
    hostile.attributes.add(key="<b>", value={"string_value": "<i>"})
    hostile.status.code = Status.STATUS_CODE_ERROR
    async with served(Receiver(Traces()).make_app()) as url, aiohttp.ClientSession(url) as http:
        async with http.get(f"/traces/{TRACE.hex()}") as answer:
            assert (answer.status, "sent once its job has ended" in await answer.text()) == (404, True)
        async with http.post(
            "/v1/traces", data=write(make(1, name="execute_job"), hostile), headers=PROTOBUF
        ) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with http.get(f"/traces/{TRACE.hex()}") as answer:
            page = await answer.text()
        async with http.get("/") as answer:
            listed = await answer.text()
    assert "execute_job" in page
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;=&lt;i&gt;" in page
    assert "<script" not in page + listed
    assert "1.000 s" in page, "after the begin of the trace"
    assert f"/traces/{TRACE.hex()}" in listed
    assert "1 failed" in listed


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"\xff\xff", "application/x-protobuf", 400), (b"{}", "application/json", 415)],
    ids=["no protobuf", "JSON"],
)
async def test_what_it_cannot_read_is_refused(body: bytes, kind: str, status: int) -> None:
    async with (
        served(Receiver(Traces()).make_app()) as url,
        aiohttp.ClientSession(url) as http,
        http.post("/v1/traces", data=body, headers={"Content-Type": kind}) as answer,
    ):
        assert answer.status == status
