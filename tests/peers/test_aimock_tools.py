"""A model with tools against `@copilotkit/aimock`: its own ids, streams and errors of calls of tools."""

import json
from pathlib import Path

import pytest
from peers_servers import aimock

from signoff_agent.run.config import AgentConfig
from signoff_agent.run.loop import ModelAgent
from signoff_agent.task import Task

pytestmark = pytest.mark.real

CALLS = {"toolCalls": [{"name": "weather", "arguments": json.dumps({"city": ".."})}]}
ANSWERS = [
    {"match": {"hasToolResult": False}, "response": CALLS},
    {"match": {"hasToolResult": True}, "response": {"content": "Nobody knows."}},
]


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_tool_is_called_once(tmp_path: Path, api: str) -> None:
    async with aimock(tmp_path, ANSWERS) as url:
        config = AgentConfig.model_validate(
            {
                "networks": ["127.0.0.1/32"],
                "model": {"name": "gpt-4o-mini", "base_url": f"{url}/v1", "api": api},
                "tools": [
                    {
                        "name": "weather",
                        "description": "The weather",
                        "url": "http://127.0.0.1:9/{city}",
                        "input": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
                    }
                ],
            }
        )
        agent, task = ModelAgent(config), Task("key", {"title": "The weather"})
        assert await agent.perform(task) == "Nobody knows."
        await agent.close()
    (call,) = (kept for name, kept in task.checkpoints.items() if name.startswith("call/"))
    assert call["answer"].startswith("error: city must be")
