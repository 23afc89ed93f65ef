"""Liveness, readiness and metrics."""

import aiohttp
import pytest

from servicekit.metrics import WAITING
from servicekit.process import runtime
from servicekit.process.settings import split_address


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


async def got(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
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
