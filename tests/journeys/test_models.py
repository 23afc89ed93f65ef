"""A model becomes an agent as its page shows, and what it costs and answers is in the job."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from support import fake_model as fake
from support.fake_model import FakeModel
from support.system import AGENT_TOKEN, WAIT_S, System, follow

PAGE = (Path(__file__).parents[2] / "docs/agents.md").read_text()
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE.partition("\n## A model\n")[2].partition("\n## ")[0], re.DOTALL)
USAGE = {"prompt_tokens": 30, "completion_tokens": 8, "input_tokens": 30, "output_tokens": 8}


async def answer(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """A line about the sea, as JSON where that is asked for."""
    line = "Salt and wind, the sea."
    asks_for_json = "response_format" in body or "text" in body
    said = fake.says(json.dumps({"line": line}) if asks_for_json else line)
    return await fake.charges(said, USAGE)(request, body)


async def begin(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """The same, in the background where that is asked for."""
    if not body.get("background"):
        return await answer(request, body)
    end = fake.charges(fake.says(json.dumps({"line": "Salt and wind, the sea."})), USAGE)
    return await fake.goes_on(fake.runs(), end)(request, body)


@pytest.fixture
async def model() -> AsyncIterator[FakeModel]:
    model = FakeModel()
    model.plays(begin)
    await model.start()
    yield model
    await model.stop()


async def test_the_pages_commands_make_agents_of_models(system: System, model: FakeModel, tmp_path: Path) -> None:
    assert len(COMMANDS) == 2
    commands = "".join(COMMANDS).replace("https://api.openai.com/v1", model.base_url)
    commands = commands.replace("SIGNOFF_AGENT_OPENAI", "SIGNOFF_AGENT_JOURNEY")
    output = await follow(system, tmp_path, commands, within_s=2 * WAIT_S)
    assert output.count("COMPLETED") >= 2
    plain, background = model.asked
    assert plain["messages"][-1]["content"].startswith("A line about the sea. ")
    assert (background["background"], background["max_output_tokens"]) == (True, 2_000)
    assert {headers["Authorization"] for headers in model.headers} == {f"Bearer {AGENT_TOKEN}"}
    for agent_id in ("lyricist", "thinker"):
        (job,), _ = await system.client.list_jobs(agent_id=agent_id)
        assert job.tokens >= 38
        assert job.cost_usd > 0
