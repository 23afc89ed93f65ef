"""Against A2A servers that nobody here wrote: `dummy-a2a` on `a2a-sdk`, `@a2a-js/sdk` by both bindings, `fasta2a`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from peers_servers import HERE
from support.factories import grant
from support.free_ports import free_port
from support.installed import find_python, installed
from support.programs import BIN, install_package, process, until_it_answers

from executor import errors
from executor.a2a_agents import A2AAgent
from executor.conformance import Check
from executor.http_agents import HeaderValues, HttpClient
from executor.ports import Call
from executor.recording import Recording
from servicekit.addresses import parse_allowed
from signoff.status import Protocol

pytestmark = pytest.mark.real

FAST, JS = HERE / "fasta2a.txt", HERE / "a2a_js"
DUMMY, NEEDED = "dummy-a2a", "Python 3.12"


def command_of(name: str, port: int) -> list[Any]:
    if name == DUMMY:
        python = find_python((3, 12))
        if python is None:
            pytest.skip(f"this machine has no {NEEDED}")
        program = installed(HERE / "dummy_a2a.txt", python).with_name("dummy-a2a")
        return [program, "--host", "127.0.0.1", "--port", str(port)]
    if name == "fasta2a":
        return [installed(FAST), HERE / "fasta2a_server.py", str(port)]
    install_package(JS)
    return [BIN / "node", JS / "server.mjs", str(port), name.partition(" ")[2]]


@dataclass
class Peer:
    """A server, and what an executor does with it."""

    name: str
    url: str
    agent: A2AAgent
    http: ClientSession

    def call(self, said: str, **fields: Any) -> Call:
        handles: list[str] = []
        whole = {
            "context_id": str(uuid4()),
            "message_id": str(uuid4()),
            "settings": {"template": "{{payload}}"},
            "policy": {"heartbeat_timeout_s": 20.0},
            **fields,
        }
        a_grant = grant(url=self.url, protocol=Protocol.A2A, request={"payload": said}, **whole)
        return Call(a_grant, is_given_up=lambda: True, keep_handle=handles.append)

    async def ask(self, operation: str, **params: Any) -> Any:
        """What the server itself says; by JSON-RPC, or by GET."""
        headers = {"A2A-Version": "1.0"}
        if self.name.endswith("HTTP+JSON"):
            path = f"/rest/tasks/{params['id']}" if operation == "GetTask" else "/rest/tasks"
            query = {name: value for name, value in params.items() if name != "id"}
            async with self.http.get(self.url + path, params=query, headers=headers) as answer:
                return await answer.json(content_type=None)
        place = f"{self.url}/rpc" if self.name.startswith("js") else self.url
        body = {"jsonrpc": "2.0", "id": 1, "method": operation, "params": params}
        async with self.http.post(place, json=body, headers=headers) as answer:
            return (await answer.json())["result"]

    async def count(self, context_id: str) -> int:
        """How many pieces of work it has in a context."""
        return len((await self.ask("ListTasks", contextId=context_id)).get("tasks", []))


@asynccontextmanager
async def serving(name: str) -> AsyncIterator[Peer]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    values, allowed = HeaderValues({}, None), parse_allowed("127.0.0.0/8")
    async with (
        process(*command_of(name, port)),
        HttpClient(allowed=allowed, header_values=values, result_max_bytes=1 << 20) as client,
        ClientSession() as http,
    ):
        await until_it_answers(f"{url}/.well-known/agent-card.json")
        yield Peer(name, url, A2AAgent(client, 0.2), http)


@pytest.fixture(scope="module", params=[DUMMY, "js JSONRPC", "js HTTP+JSON", "fasta2a"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async with serving(request.param) as peer:
        yield peer


async def test_a_text_is_answered(peer: Peer) -> None:
    said = "hello there"
    assert await peer.agent.call(peer.call(said)) == said


async def test_data_is_answered(peer: Peer) -> None:
    assert isinstance(await peer.agent.call(peer.call("data")), dict)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("fail", "agent_failed"),
        ("reject", "agent_declined"),
        ("ask", "agent_input_required"),
        ("file", "agent_part_unsupported"),
    ],
)
async def test_what_is_no_result_has_a_code(peer: Peer, said: str, code: str) -> None:
    with pytest.raises(errors.AgentError) as raised:
        await peer.agent.call(peer.call(said))
    assert raised.value.code == code


@pytest.mark.parametrize("follows_only", [False, True])
async def test_work_whose_answer_was_lost_is_found_and_not_done_again(peer: Peer, follows_only: bool) -> None:
    first = peer.call("hello again")
    assert await peer.agent.call(first) == "hello again"
    ids = {"context_id": first.grant.context_id, "message_id": first.grant.message_id}
    lost = peer.call("hello again", attempt=2, follows_only=follows_only, **ids)
    if peer.name == "fasta2a" and follows_only:  # it lists no tasks
        with pytest.raises(errors.AgentWorkUnknownError):
            await peer.agent.call(lost)
        return
    assert await peer.agent.call(lost) == "hello again"
    if peer.name != "fasta2a":
        assert await peer.count(first.grant.context_id) == 1


async def test_work_whose_handle_is_known_is_found(peer: Peer) -> None:
    first = peer.call("hello handle")
    kept: list[str] = []
    assert await peer.agent.call(_keeping(first, kept.append)) == "hello handle"
    ids = {"context_id": first.grant.context_id, "message_id": first.grant.message_id}
    again = peer.call("hello handle", attempt=2, follows_only=True, **ids)
    assert await peer.agent.call(_keeping(again, kept.append, kept[0])) == "hello handle"


async def test_work_that_it_does_not_know_is_not_sent_where_it_must_not_be(peer: Peer) -> None:
    call = peer.call("hello nobody", attempt=2, follows_only=True)
    with pytest.raises(errors.AgentWorkUnknownError):
        await peer.agent.call(_keeping(call, print, "no-such-task"))


async def test_a_resubmission_is_a_new_task_in_its_context(peer: Peer) -> None:
    first = peer.call("hello one")
    await peer.agent.call(first)
    second = peer.call("hello two", submission=2, context_id=first.grant.context_id)
    assert await peer.agent.call(second) == "hello two"
    if peer.name != "fasta2a":
        assert await peer.count(first.grant.context_id) == 2


async def test_work_that_is_given_up_is_cancelled(peer: Peer) -> None:
    kept: list[str] = []
    call = _keeping(peer.call("slow"), kept.append)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(3):
            await peer.agent.call(call)
    async with asyncio.timeout(10):
        while (await peer.ask("GetTask", id=kept[0]))["status"]["state"] != "TASK_STATE_CANCELED":
            continue


@pytest.mark.parametrize("said", ["hello there", "slow"])
async def test_a_check_says_what_it_keeps_to(peer: Peer, said: str) -> None:
    call = peer.call(said, policy={"heartbeat_timeout_s": 20.0, "attempt_timeout_s": 3.0})
    check = Check(peer.agent, replace(call, is_given_up=lambda: True), Recording())
    with suppress(errors.AgentTimeoutError):  # of what is slow
        assert await check.run(60.0) == said
    told = {row["check"]: row["outcome"] for row in check.rows}
    assert told["same_key"] == ("failed" if peer.name == "fasta2a" else "passed"), check.rows
    assert (told["cancel"] == "failed", told["error"]) == (False, "not_applicable"), check.rows


async def test_its_card_says_whether_it_lists_tasks(peer: Peer) -> None:
    card = await peer.agent.read_card(peer.call(""))
    assert (card["lists_tasks"], bool(card["name"])) == (peer.name != "fasta2a", True)


def _keeping(call: Call, keep: Callable[[str], None], handle: str | None = None) -> Call:
    return Call(call.grant, is_given_up=lambda: True, keep_handle=keep, handle=handle)
