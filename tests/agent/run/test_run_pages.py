"""The pages that describe `agent.toml` name all that it may have, and their example runs."""

import re
import textwrap
from pathlib import Path

import pytest
from aiohttp import web
from model_fakes import Fakes, calls, says

from signoff_agent.run import make_agent
from signoff_agent.run.config import AgentConfig, Bounds, HttpTool, McpServer, ModelConfig
from signoff_agent.testing import AgentClient

ROOT = Path(__file__).parents[3]
SECTION = (
    (ROOT / "services/agent/README.md").read_text().partition("\n## A model with tools\n")[2].partition("\n## ")[0]
)
PAGE = (ROOT / "docs/agents.md").read_text().partition("\n## A model with tools\n")[2].partition("\n## ")[0]
CODE = ROOT / "services/agent/signoff_agent/run"


@pytest.mark.parametrize("table", [AgentConfig, ModelConfig, Bounds, HttpTool, McpServer])
def test_each_member_is_described(table: type[AgentConfig]) -> None:
    names = {field.alias or name for name, field in table.model_fields.items()}
    assert [name for name in names if f"`{name}`" not in SECTION and f"[{name}]" not in SECTION] == []


def test_each_code_is_described() -> None:
    text = "".join(file.read_text() for file in CODE.glob("*.py"))
    codes = set(re.findall(r'code="([a-z_]+)"', text)) | {
        f"{bound}_exceeded" for bound in re.findall(r'_make_exceeded\("([a-z_]+)"', text)
    }
    assert len(codes) > 10
    assert [code for code in codes if f"`{code}`" not in SECTION] == []


async def test_example_runs(fakes: Fakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the servers that it names in place of those of the internet."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123")
    monkeypatch.delenv("SIGNOFF_AGENT_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    example = textwrap.dedent(PAGE.partition("```toml\n")[2].partition("   ```")[0])
    example = example.replace("https://geocoding-api.open-meteo.com", fakes.url)
    example = example.replace("[model]\n", f'[model]\nbase_url = "{fakes.url}/v1"\n')
    (tmp_path / "agent.toml").write_text('networks = ["127.0.0.1/32"]\n' + example)
    fakes.answers = [calls("find_place", '{"name": "Kyiv"}'), says("Kyiv has a population of 2,797,553.")]
    fakes.tool = lambda _: web.json_response({"results": [{"name": "Kyiv", "population": 2_797_553}]})
    agent = make_agent(tmp_path / "agent.toml")
    async with AgentClient(agent) as client:
        outcome = await client.run({"title": "How many people live in Kyiv?", "payload": None})
    assert outcome.result == "Kyiv has a population of 2,797,553."
    assert outcome.status["usage"]["input_tokens"] == 20
    assert fakes.called[0].raw_path == "/v1/search?count=3&name=Kyiv"
    await agent.function.__self__.close()  # as the end of the program does
