"""No request, of a model or a tool, leaves for an address that nobody allowed."""

import gzip
import socket
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from model_fakes import WEATHER, Fakes

from servicekit import addresses
from signoff_agent.run.guard import GuardedTransport, is_allowed
from signoff_agent.task import AgentError

NETWORKS = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]


@given(st.ip_addresses(network="0.0.0.0/0") | st.ip_addresses(network="::/0"))
def test_same_rule_as_of_executors(address: Any) -> None:
    assert is_allowed(str(address), NETWORKS) == addresses.is_allowed(str(address), NETWORKS)


KNOWN = """
    127.0.0.1 10.0.0.1 10.1.2.3 169.254.169.254 168.63.129.16 192.0.0.192 100.64.0.1 0.0.0.0 8.8.8.8 224.0.0.1
    ::1 :: fd00:ec2::254 fd00:1::1 fe80::1%eth0 ::ffff:127.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2606:4700:4700::1111
    ::ffff:8.8.8.8 ff02::1 2001::1 3fff::1
"""


@pytest.mark.parametrize("address", KNOWN.split())
def test_known_addresses(address: str) -> None:
    assert is_allowed(address, NETWORKS) == addresses.is_allowed(address, NETWORKS)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
async def test_ways_of_naming_this_machine(fakes: Fakes, host: str) -> None:
    guard = GuardedTransport([])
    url = fakes.url.replace("127.0.0.1", host)
    with pytest.raises(AgentError, match="may not be called"):
        await guard.check(url)
    with pytest.raises(httpx2.ConnectError, match="may not be called"):
        await guard.open_client({}, 5.0).get(url)
    await guard.aclose()
    assert fakes.called == []


async def test_name_that_resolves_to_another_address_at_the_connection(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = ["93.184.215.14", "127.0.0.1"]
    resolve = socket.getaddrinfo

    def rebind(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        return resolve(answers.pop(0) if host == "rebinding.test" else host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    guard = GuardedTransport([])
    url = fakes.url.replace("127.0.0.1", "rebinding.test")
    await guard.check(url)
    with pytest.raises(httpx2.ConnectError, match="may not be called"):
        await guard.open_client({}, 5.0).get(url)
    await guard.aclose()
    assert (answers, fakes.called) == ([], [])


async def test_proxies_of_the_environment_are_not_used(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, fakes.url)
    config = fakes.config(tools=[{**WEATHER, "url": "http://192.0.2.1:9/{city}", "timeout_s": 1}])
    assert await fakes.perform(config) == "It is sunny."
    assert fakes.called == []
    assert "may not be called" in fakes.told[0]


@pytest.mark.parametrize("part", ["model", "tool", "mcp"])
async def test_each_part_is_guarded(fakes: Fakes, part: str) -> None:
    """A public address would be called, so that the one that is refused is another of this machine."""
    inner = fakes.url.replace("127.0.0.1", "127.0.0.2")
    changes: dict[str, Any] = {
        "model": {"model": {"name": "m", "base_url": inner}},
        "tool": {"tools": [{**WEATHER, "url": f"{inner}/{{city}}"}]},
        "mcp": {"mcp": [{"url": f"{inner}/mcp", "tools": ["add"]}]},
    }[part]
    if part == "tool":
        await fakes.perform(fakes.config(**changes))
        assert "may not be called" in fakes.told[0]
    else:
        assert (await fakes.fail(fakes.config(**changes))).code == "address_forbidden"
    assert fakes.called == []


async def test_body_is_not_decompressed(fakes: Fakes) -> None:
    bomb = gzip.compress(b"x" * 100_000_000)
    fakes.tool = lambda _: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
    assert await fakes.perform() == "It is sunny."
    assert fakes.called[0].headers["Accept-Encoding"] == "identity"
    assert len(fakes.told[0]) < 200_000
