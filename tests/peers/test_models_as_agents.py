"""A model as an agent, behind servers that others wrote: `llmock`, `@copilotkit/aimock` and llama.cpp with SmolLM2."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from peers_servers import Mock, aimock
from support.factories import grant

from contracts.resources import Usage
from executor.errors import AgentBusyError, AgentFilteredError, AgentOutputError, AgentTruncatedError
from executor.http_agents import HeaderValues, HttpClient
from executor.openai_agents import OpenAIAgent
from executor.ports import Call
from servicekit.addresses import parse_allowed

pytestmark = pytest.mark.real

SCHEMA = {
    "type": "object",
    "properties": {"colour": {"enum": ["blue", "red"]}},
    "required": ["colour"],
    "additionalProperties": False,
}
KEY = {"SIGNOFF_AGENT_KEY": "Bearer k"}


@pytest.fixture
async def agent() -> AsyncIterator[OpenAIAgent]:
    allowed = parse_allowed("127.0.0.0/8")
    async with HttpClient(allowed=allowed, header_values=HeaderValues(KEY, None), result_max_bytes=1 << 20) as client:
        yield OpenAIAgent(client, 1.0)


@pytest.fixture(params=["chat", "responses"])
def api(request: pytest.FixtureRequest) -> str:
    return request.param


async def ask(agent: OpenAIAgent, url: str, **settings: Any) -> tuple[Any, list[Usage]]:
    """The result of one call, and what it used."""
    used: list[Usage] = []
    given = {"model": "gpt-4o-mini", "template": "{{title}}", **settings}
    headers = {"Authorization": "env:SIGNOFF_AGENT_KEY"}
    a_grant = grant(url=url, settings=given, headers=headers, request={"title": "What colour is the sky?"})
    return await agent.call(Call(a_grant, spend=used.append)), used


async def play(llmock: Mock, *behaviors: dict[str, Any]) -> str:
    await llmock.post("/_llmock/reset")
    await llmock.post(
        "/_llmock/scenario", {"behaviors": [*behaviors, {"type": "reply", "text": "blue", "times": None}]}
    )
    return f"{llmock.url}/v1"


async def test_llmock_answers_and_has_nothing_to_say_of_its_client(llmock: Mock, agent: OpenAIAgent, api: str) -> None:
    result, (usage,) = await ask(agent, await play(llmock), api=api, instructions="Be short.")
    assert result == "blue"
    assert usage.input_tokens > 0
    said = await llmock.get("/_llmock/verdict")
    assert [found for found in said["findings"] if found["severity"] == "error"] == []


async def test_llmock_fills_a_schema(llmock: Mock, agent: OpenAIAgent, api: str) -> None:
    await llmock.post("/_llmock/reset")
    result, _ = await ask(agent, f"{llmock.url}/v1", api=api, schema=SCHEMA)
    assert result["colour"] in {"blue", "red"}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_llmock_fails_and_says_when_to_come_again(
    llmock: Mock, agent: OpenAIAgent, api: str, status: int
) -> None:
    url = await play(llmock, {"type": "fail", "status": status, "retry_after": 0.3, "times": 1})
    with pytest.raises(AgentBusyError) as error:
        await ask(agent, url, api=api)
    assert error.value.status == status
    assert error.value.retry_after_s >= 0.3  # for the executor, which waits so long before it calls again
    if status != 500:  # at once is too soon for all who ask: the gate waits
        assert (await ask(agent, url, api=api))[0] == "blue"
        said = await llmock.get("/_llmock/verdict")
        assert [found for found in said["findings"] if found["severity"] == "error"] == []


async def test_llmock_filters(llmock: Mock, agent: OpenAIAgent, api: str) -> None:
    url = await play(llmock, {"type": "fail", "status": 400, "code": "content_filter", "times": None})
    with pytest.raises(AgentFilteredError):
        await ask(agent, url, api=api)


async def test_aimock_answers(tmp_path: Path, agent: OpenAIAgent, api: str) -> None:
    said = json.dumps({"colour": "blue"})
    async with aimock(tmp_path, [{"match": {}, "response": {"content": said}}]) as url:
        assert (await ask(agent, f"{url}/v1", api=api, schema=SCHEMA))[0] == {"colour": "blue"}
        assert (await ask(agent, f"{url}/v1"))[0] == said


async def test_aimock_says_what_is_no_json(tmp_path: Path, agent: OpenAIAgent, api: str) -> None:
    async with aimock(tmp_path, [{"match": {}, "response": {"content": "I am a mock."}}]) as url:
        with pytest.raises(AgentOutputError):
            await ask(agent, f"{url}/v1", api=api, schema=SCHEMA)


@pytest.mark.model
@pytest.mark.timeout(1_800)
async def test_a_weak_model_on_a_real_server_keeps_schema_and_bound(model: str, agent: OpenAIAgent) -> None:
    result, (usage,) = await ask(agent, model, model="smollm2", schema=SCHEMA, parameters={"max_tokens": 60})
    assert result["colour"] in {"blue", "red"}
    assert 0 < usage.output_tokens <= 60
    with pytest.raises(AgentTruncatedError):
        await ask(agent, model, model="smollm2", template="Count to a thousand.", parameters={"max_tokens": 1})
