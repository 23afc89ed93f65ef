"""Spans are sent until they are taken, whatever a receiver answers, and as often as it asks for."""

import asyncio
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from support.fakes import until
from support.jobstore.memory import Life
from support.jobstore.traced import TracedJobstore
from support.otlp import Collector

from jobstore.tracing import otlp
from jobstore.tracing.facts import read_fact
from jobstore.tracing.otlp import REFUSED, SENT, Receiver
from jobstore.tracing.spans import Chains, Span, fold
from signoff.status import Outcome


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "AGAIN_FIRST_S", 0.01)
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.2)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def make_traces(count: int) -> list[list[Span]]:
    jobstore, chains = TracedJobstore(), Chains()
    for number in range(count):
        Life(jobstore, f"job-{number}").judging().judged(Outcome.PASS)
    return [fold(chain) for body in jobstore.facts for chain in chains.add(read_fact(body))]


@pytest.mark.parametrize("answers", [(503, 429, 500, 401, 302), (0,)], ids=["refuses", "takes and never answers"])
async def test_what_is_not_taken_is_sent_again_until_it_is(
    session: aiohttp.ClientSession, answers: tuple[int, ...], caplog: pytest.LogCaptureFixture
) -> None:
    collector, traces = Collector(*answers), make_traces(2)
    async with collector.serving() as url:
        receiver = Receiver(session, f"{url}/v1/traces", {}, {})
        with caplog.at_level(logging.WARNING):
            await receiver.send(traces)
    assert (collector.requests, collector.jobs()) == (len(answers) + 1, ["job-0", "job-1"])
    assert set(collector.times.values()) == {1}
    assert receiver.failing is None
    assert len(caplog.records) == len(answers)


async def test_while_nobody_listens_it_says_why_and_goes_on_once_somebody_does(session: aiohttp.ClientSession) -> None:
    receiver = Receiver(session, "http://127.0.0.1:1/v1/traces", {}, {})
    sending = asyncio.create_task(receiver.send(make_traces(1)))
    await until(lambda: receiver.failing)
    assert receiver.failing
    assert receiver.stalled_s > 0
    assert (receiver.explain() or "").startswith("takes nothing for 0 s: ")
    assert "127.0.0.1:1" in receiver.failing
    collector = Collector()
    async with collector.serving() as url:
        receiver._url = f"{url}/v1/traces"
        await sending
    assert collector.jobs() == ["job-0"]
    assert (receiver.explain(), receiver.stalled_s) == (None, 0.0)


@pytest.mark.parametrize(
    ("asked", "waits_s"),
    [("0", 0.01), ("", 0.01), ("7", 7.0), ("86400", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.01), ("-1", 0.01)],
)
async def test_a_receiver_may_say_when_it_is_sent_to_again(
    session: aiohttp.ClientSession, asked: str, waits_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector, waited, sleep = Collector(503), list[float](), asyncio.sleep
    collector.retry_after = asked

    async def note(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    async with collector.serving() as url:
        monkeypatch.setattr(otlp.asyncio, "sleep", note)
        await Receiver(session, f"{url}/v1/traces", {}, {}).send(make_traces(1))
    assert waits_s in waited
    assert all(each == waits_s for each in waited if each)


@pytest.mark.parametrize("status", [400, 413])
async def test_the_one_trace_that_is_refused_for_good_is_left_out_and_counted(
    session: aiohttp.ClientSession, status: int
) -> None:
    collector, traces = Collector(), make_traces(5)
    collector.refuses, collector.refusal = "job-3", status
    sent, refused = SENT._value.get(), REFUSED._value.get()
    async with collector.serving() as url:
        await Receiver(session, f"{url}/v1/traces", {}, {}).send(traces)
    assert collector.jobs() == ["job-0", "job-1", "job-2", "job-4"]
    assert set(collector.times.values()) == {1}
    assert REFUSED._value.get() - refused == len(traces[3])
    assert SENT._value.get() - sent == sum(map(len, traces)) - len(traces[3])
