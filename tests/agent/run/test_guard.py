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
from model_fakes import WEATHER, Elsewhere, Fakes, calls

from servicekit import addresses
from signoff_agent.run.config import AgentConfig
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


def with_part(fakes: Fakes, part: str, url: str, *networks: str) -> AgentConfig:
    """An agent of which one part, the model, a tool or an MCP server, is at another URL."""
    changes: dict[str, Any] = {
        "model": {"model": {"name": "m", "base_url": f"{url}/v1"}},
        "tool": {"tools": [{**WEATHER, "url": f"{url}/{{city}}"}]},
        "mcp": {"mcp": [{"url": f"{url}/mcp", "tools": ["add"], "timeout_s": 5}]},
    }[part]
    return fakes.config(networks=["127.0.0.1/32", *networks], **changes)


async def tell(fakes: Fakes, config: AgentConfig) -> str:
    """What a run tells the model, or ends with, of a part that is not there."""
    try:
        await fakes.perform(config)
    except AgentError as error:
        return f"{error.code}: {error}"
    return str(fakes.told[0])


@pytest.mark.parametrize("part", ["model", "tool", "mcp"])
async def test_no_part_connects_to_an_address_that_is_forbidden(fakes: Fakes, elsewhere: Elsewhere, part: str) -> None:
    told = await tell(fakes, with_part(fakes, part, elsewhere.url))
    assert told.startswith("error: " if part == "tool" else "address_forbidden: ")
    assert "may not be called" in told
    assert elsewhere.connections == 0


@pytest.mark.parametrize("part", ["model", "tool", "mcp"])
async def test_name_that_resolves_to_another_address_at_the_connection(
    fakes: Fakes, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    answers = ["127.0.0.2"] if part == "tool" else ["93.184.215.14", "127.0.0.2"]
    resolve = socket.getaddrinfo

    def rebind(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        answer = answers.pop(0) if host == "rebinding.test" and len(answers) > 1 else answers[0]
        return resolve(answer if host == "rebinding.test" else host, port, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    config = with_part(fakes, part, elsewhere.url.replace("127.0.0.2", "rebinding.test"))
    told = await tell(fakes, config)
    assert "may not be called" in told or told.startswith("tool_unreachable: ")
    assert (answers, elsewhere.connections) == (["127.0.0.2"], 0)


async def test_proxies_and_keys_of_the_environment_are_not_used(
    mcp: Fakes, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, elsewhere.url)
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID"):
        monkeypatch.setenv(f"OPENAI_{name}", "hunter2")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Key: hunter2")
    mcp.answers.insert(1, calls("add", '{"a": 1, "b": 2}', "c2"))
    networks = ["127.0.0.1/32", "127.0.0.2/32"]
    assert (
        await mcp.perform(mcp.config(networks=networks, mcp=[{"url": mcp.mcp_url, "tools": ["add"]}])) == "It is sunny."
    )
    assert (mcp.told[1], len(mcp.called), elsewhere.connections) == ("3", 1, 0)
    assert "hunter2" not in str(mcp.headers)


@pytest.mark.parametrize("part", ["model", "tool", "mcp"])
async def test_redirects_are_not_followed(fakes: Fakes, elsewhere: Elsewhere, part: str) -> None:
    redirect = web.Response(status=307, headers={"Location": elsewhere.url})
    if part == "model":
        fakes.answers = [redirect]
    else:
        fakes.tool = lambda _: web.Response(status=307, headers={"Location": elsewhere.url})
    told = await tell(fakes, with_part(fakes, part, fakes.url, "127.0.0.2/32"))
    assert told.startswith(
        {"model": "model_unreachable", "tool": "error: HTTP status 307", "mcp": "tool_unreachable"}[part]
    )
    assert elsewhere.connections == 0


async def test_body_is_not_decompressed(fakes: Fakes) -> None:
    bomb = gzip.compress(b"x" * 100_000_000)
    fakes.tool = lambda _: web.Response(body=bomb, headers={"Content-Encoding": "gzip"})
    assert await fakes.perform() == "It is sunny."
    assert fakes.called[0].headers["Accept-Encoding"] == "identity"
    assert len(fakes.told[0]) < 200_000
