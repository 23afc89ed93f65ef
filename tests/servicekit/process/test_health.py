"""Liveness, readiness and metrics."""

import aiohttp
import pytest
from prometheus_client import Counter, Histogram

from servicekit.metrics import NAMED, WAITING
from servicekit.process import runtime
from servicekit.process.settings import split_address

OF_AGENTS = Counter("test_of_agents", "of a test", ["agent"], registry=NAMED)
TIMES = Histogram("test_times_seconds", "of a test")


@pytest.fixture
async def reasons() -> dict[str, str]:
    return {}


@pytest.fixture
async def url(reasons):
    checks = {name: lambda name=name: reasons.get(name) for name in ("consuming", "serving", "limits")}
    advice = {"limits": checks.pop("limits")}
    runner = await runtime.serve("127.0.0.1:0", checks, advice)
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def got(url: str, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        return response.status, await response.text()


async def test_ready_while_no_check_says_why_not(url):
    assert await got(f"{url}/readyz") == (200, '{"status": "ok", "reasons": {}, "advice": {}}')


async def test_ready_with_advice_on_what_an_operator_has_to_do_all_the_same(url, reasons):
    reasons["limits"] = "confirm them"
    assert await got(f"{url}/readyz") == (200, '{"status": "ok", "reasons": {}, "advice": {"limits": "confirm them"}}')


async def test_not_ready_with_the_reasons_and_alive_all_the_same(url, reasons):
    reasons["consuming"] = "not polled for 61 s"
    assert await got(f"{url}/readyz") == (
        503,
        '{"status": "unavailable", "reasons": {"consuming": "not polled for 61 s"}, "advice": {}}',
    )
    assert (await got(f"{url}/livez"))[0] == 200


async def test_metrics_are_served(url):
    WAITING.labels("nothing").set(0)
    status, text = await got(f"{url}/metrics")
    assert status == 200
    assert 'signoff_waiting{on="nothing"} 0.0' in text.splitlines()


async def test_with_tokens_metrics_are_for_their_holders_and_health_is_for_all():
    runner = await runtime.serve("127.0.0.1:0", {}, tokens=("new", "old"))
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    refused = (401, "metrics are for holders of the token SIGNOFF_METRICS_TOKEN: send Authorization: Bearer TOKEN\n")
    for header in ("", "Bearer ", "Bearer another", "é new", "another,new"):
        assert await got(f"{url}/metrics", Authorization=header) == refused
    for token in ("new", "old", "new,old", "new old"):
        assert (await got(f"{url}/metrics", Authorization=f"Bearer {token}"))[0] == 200
    assert (await got(f"{url}/livez"))[0] == (await got(f"{url}/readyz"))[0] == 200
    await runner.cleanup()


async def test_who_is_named_and_what_is_an_example_is_shown_to_holders_of_the_token_alone(url):
    OF_AGENTS.labels("kestrel").inc()
    TIMES.observe(0.2, {"execution_id": "01"})
    runner = await runtime.serve("127.0.0.1:0", {}, tokens=("known",))
    closed = f"http://127.0.0.1:{runner.addresses[0][1]}"
    accept = "application/openmetrics-text; version=1.0.0"
    _, told = await got(f"{closed}/metrics", Accept=accept, Authorization="Bearer known")
    assert 'test_of_agents_total{agent="kestrel"} 1.0' in told.splitlines()
    assert '# {execution_id="01"} 0.2' in told
    assert told.endswith("# EOF\n")
    _, told = await got(f"{url}/metrics", Accept=accept)
    assert "test_times_seconds_count 1.0" in told.splitlines()
    assert "test_of_agents" not in told
    assert "# {" not in told
    await runner.cleanup()


def test_it_is_said_that_others_may_read_metrics():
    told = "whoever reaches 0.0.0.0 may read the metrics of this process, without names: set SIGNOFF_METRICS_TOKEN"
    assert runtime.describe_open("0.0.0.0", ()) == told
    assert {runtime.describe_open(host, ()) for host in ("127.0.0.1", "::1", "localhost")} == {None}
    assert runtime.describe_open("0.0.0.0", ("a-token",)) is None


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("localhost:80", ("localhost", 80)),
        (":8080", ("127.0.0.1", 8080)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
    ],
)
def test_an_address_is_host_and_port(address, parts):
    assert split_address(address) == parts
