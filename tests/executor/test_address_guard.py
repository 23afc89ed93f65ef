"""No agent may be called in a network that nobody allowed, however its address is written."""

import contextlib
import socket

import pytest
from fault_agent import fault_agent, says
from hypothesis import given
from hypothesis import strategies as st
from support.factories import grant

from executor.errors import AgentError, AgentForbiddenError
from executor.http_agents import HeaderValues, HttpAgent, HttpClient
from executor.outcomes import wait_s
from executor.ports import Call
from servicekit.addresses import (
    ForbiddenAddressError,
    HostPort,
    is_allowed,
    make_socket_factory,
    note_called,
    parse_allowed,
)


def words(text: str) -> list[str]:
    return text.split()


FORBIDDEN = words("""
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 169.254.169.254 169.254.170.2 172.16.0.1
172.31.255.255 192.0.0.192 192.0.2.1 192.168.0.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255
240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
64:ff9b:1::7f00:1 100::1 2001::1 2001:0:7f00:1:: 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 2002:a00:1::1 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 400::1
""")
PUBLIC = words("""
1.1.1.1 8.8.8.8 172.32.0.1 100.128.0.1 192.169.0.1 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
""")


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused(address):
    assert not is_allowed(address, [])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_not(address):
    assert is_allowed(address, [])


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("127.0.0.1", "127.0.0.0/8"),
        ("::ffff:127.0.0.1", "127.0.0.0/8"),
        ("::1", "::1/128"),
        ("10.1.2.3", "192.168.0.0/16, 10.0.0.0/8,"),
        ("fd12::1", "fd00::/8"),
        ("168.63.129.16", "168.63.129.16/32"),
    ],
)
def test_an_allowed_network_is_open_and_no_other(address, allowed):
    assert is_allowed(address, parse_allowed(allowed))
    assert not is_allowed("169.254.169.254", parse_allowed(allowed))


def test_an_allowed_network_written_wrongly_is_an_error_and_allows_nothing():
    with pytest.raises(ValueError, match="host bits"):
        parse_allowed("10.0.0.1/8")


WRONG_PAIRS = words(
    "localhost localhost: localhost:0 localhost:65536 localhost:x :9000 localhost:9000/ http://localhost:9000"
)
WRONG_PAIRS += words("[::1] [localhost]:9000 ::1:9000/1 [::1]:9000,10.0.0.1/8")


@pytest.mark.parametrize("text", [*WRONG_PAIRS, "a b:1"])
def test_a_pair_written_wrongly_is_an_error(text):
    with pytest.raises(ValueError, match=r".+"):
        parse_allowed(text)


PAIRS = "10.9.0.0/16, localhost:9000, [0:0::1]:9000,Agent.Internal:8080, 169.254.1.1:80"


@pytest.mark.parametrize(
    ("called", "address"),
    [
        (HostPort("localhost", 9000), "127.0.0.1"),
        (HostPort("localhost", 9000), "::1"),
        (HostPort("localhost", 9000), "::ffff:127.0.0.1"),
        (HostPort("::1", 9000), "::1"),
        (HostPort("agent.internal", 8080), "10.1.2.3"),
        (HostPort("agent.internal", 8080), "fd12::1"),
        (HostPort("169.254.1.1", 80), "169.254.1.1"),
    ],
)
def test_a_pair_opens_inner_addresses_to_whoever_calls_this_host_at_this_port(called, address):
    allowed = parse_allowed(PAIRS)
    assert is_allowed(address, allowed, called)
    for other in (None, called._replace(port=81), called._replace(host="evil.example"), HostPort("", 0)):
        assert not is_allowed(address, allowed, other)


@pytest.mark.parametrize("address", words("169.254.169.254 fd00:ec2::254 0.0.0.0 100.100.100.200 fe80::1 224.0.0.1 ::"))
def test_the_name_of_a_pair_may_not_lead_to_metadata_or_to_no_host(address):
    assert not is_allowed(address, parse_allowed(PAIRS), HostPort("agent.internal", 8080))


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address):
    plain, number = is_allowed(str(address), []), int(address)
    high, low = number >> 16, number & 0xFFFF
    assert is_allowed(f"::ffff:{address}", []) == plain
    assert is_allowed(f"64:ff9b::{address}", []) == plain
    assert is_allowed(f"2002:{high:x}:{low:x}::", []) == plain


@pytest.fixture(params=["127.0.0.1", "::1"])
async def listener(request):
    """What must not be reached."""
    try:
        socket.create_server(
            (request.param, 0), family=socket.AF_INET6 if ":" in request.param else socket.AF_INET
        ).close()
    except OSError:
        pytest.skip(f"this machine has no {request.param}")
    async with fault_agent(request.param) as agent:
        agent.does(says(b"1"))
        yield agent


@pytest.fixture
async def closed():
    async with HttpClient(allowed=[], header_values=HeaderValues({}, None), result_max_bytes=1_000) as client:
        yield HttpAgent(client)


LOOPBACK = words("""
127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 0 0.0.0.0 127.0.0.1.
127。0。0。1 ①②⑦.0.0.1
[::1] [::] [::ffff:127.0.0.1] [::ffff:7f00:1] [0:0:0:0:0:0:0:1] localhost LOCALHOST localhost. ⓛocalhost
user:password@127.0.0.1
""")


@pytest.mark.parametrize("host", LOOPBACK)
async def test_loopback_is_not_reached_however_it_is_written(closed, listener, host):
    with pytest.raises(AgentError) as refused:
        await closed.call(Call(grant(url=f"http://{host}:{listener.port}/0")))
    assert listener.calls == []
    assert refused.value.code in {"agent_address_forbidden", "agent_unreachable", "agent_invalid_url"}


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "169.254.169.254"])
async def test_a_forbidden_address_has_a_code_and_is_not_tried_again(closed, host):
    a_grant = grant(url=f"http://{host}:9/latest/meta-data")
    with pytest.raises(AgentForbiddenError) as refused:
        await closed.call(Call(a_grant))
    assert refused.value.code == "agent_address_forbidden"
    assert wait_s(a_grant, 1, refused.value) is None


@pytest.mark.parametrize(
    ("pair", "host"), [("localhost", "LocalHost"), ("127.0.0.1", "127.0.0.1"), ("[::1]", "[0::1]")]
)
async def test_a_pair_opens_one_port_of_one_host_as_the_url_names_it(pair, host):
    """A name that leads to the same address, as whoever rebinds it may have it, opens nothing."""
    others = {"localhost", "127.0.0.1", "[::1]"} - {pair}
    async with contextlib.AsyncExitStack() as stack:
        try:
            agent = await stack.enter_async_context(fault_agent(pair.strip("[]")))
        except OSError:
            pytest.skip(f"this machine has no {pair}")
        agent.does(says(b"1"))
        allowed = parse_allowed(f"{pair}:{agent.port}, elsewhere.example:{agent.port}")
        client = HttpClient(allowed=allowed, header_values=HeaderValues({}, None), result_max_bytes=1_000)
        called = HttpAgent(await stack.enter_async_context(client))
        assert await called.call(Call(grant(url=f"http://{host}:{agent.port}/0"))) == 1
        for place in (*(f"{other}:{agent.port}" for other in others), f"{host}:{agent.port ^ 1}"):
            with pytest.raises(AgentForbiddenError):
                await called.call(Call(grant(url=f"http://{place}/0")))
        assert len(agent.calls) == 1


async def test_a_redirect_is_not_followed(agent, http_agent):
    url = agent.does(says(b"", 307, Location=f"http://127.0.0.1:{agent.port}/1"))
    agent.does(says(b"1"))
    with pytest.raises(AgentError) as refused:
        await http_agent.call(Call(grant(url=url)))
    assert refused.value.code == "agent_redirect"
    assert [call.path for call in agent.calls] == ["/0"]


async def test_no_proxy_of_the_environment_is_asked(http_agent, agent, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert await http_agent.call(Call(grant(url=agent.does(says(b"1"))))) == 1


def refuse(url, setting="SIGNOFF_AGENT_NETWORKS"):
    note_called(url)
    open_socket = make_socket_factory([], setting)
    with pytest.raises(ForbiddenAddressError) as refused:
        open_socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 80)))
    return str(refused.value)


def test_a_refusal_names_what_to_add():
    told = "the address is in a network that may not be called; SIGNOFF_AGENT_NETWORKS can allow it: add "
    assert refuse("http://agent.internal:9000/do") == f"{told}agent.internal:9000"
    assert refuse("https://[fd12::1]/do") == f"{told}[fd12::1]:443"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_the_refusal_of_the_own_machine_says_how_a_container_reaches_the_one_around_it(host):
    told = refuse(f"http://{host}:9000/")
    assert f"add {host}:9000, or" in told
    assert "call host.docker.internal instead" in told
