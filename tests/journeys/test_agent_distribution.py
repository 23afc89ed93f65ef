"""An async function becomes an agent by a wheel that needs nothing else of Signoff, as its pages show."""

import re
from pathlib import Path

import pytest
from support.distributions import ROOT, UV, install_alone, run
from support.free_ports import free_port
from support.gates import SECRET, SIGNING, function
from support.system import System, follow, signoff

from contracts.resources import NewAgent

#: The section that shows it, by the module that its first block is.
PAGES = {
    "hello": (ROOT / "services/agent/README.md").read_text().partition("\n## An agent of ten lines\n")[2],
    "outline": (ROOT / "docs/agents.md").read_text().partition("\n## A function\n")[2],
}


@pytest.fixture(scope="module")
async def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has signoff-agent alone."""
    return await install_alone(ROOT / "services/agent", tmp_path_factory.mktemp("agent"))


async def test_a_function_is_tested_as_its_page_shows(python: Path, tmp_path: Path) -> None:
    code, test = re.findall(r"```python\n(.*?)```", PAGES["hello"], re.DOTALL)
    (tmp_path / "hello.py").write_text(code)
    called = "import asyncio; asyncio.run(test_three_lines())"
    await run(python, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{test}\n{called}")


async def test_its_wheel_brings_little(python: Path) -> None:
    listed = await run(UV, "pip", "list", "--format", "freeze", "--python", python)
    assert {line.partition("==")[0] for line in listed.splitlines() if "==" in line} == {
        "click",
        "h11",
        "signoff-agent",
        "uvicorn",
    }
    assert await run(python, "-c", "import sys, signoff_agent.testing; print('uvicorn' in sys.modules)") == "False\n"


@pytest.mark.parametrize("module", PAGES)
async def test_a_page_makes_an_agent_and_its_job_is_completed(
    system: System, python: Path, tmp_path: Path, module: str
) -> None:
    code, commands = (re.search(rf"```{kind}\n(.*?)```", PAGES[module], re.DOTALL)[1] for kind in ("python", "sh"))  # type: ignore[index]
    (tmp_path / f"{module}.py").write_text(code)
    commands = re.sub(r"\b900\d\b", str(free_port()), commands)
    told = await follow(system, tmp_path, commands, python.parent)
    assert "COMPLETED" in told
    jobs, _ = await system.client.list_jobs()
    (job,) = (job for job in jobs if f'--title "{job.title}"' in commands)
    assert "the sea" in str((await system.client.get_job(job.id)).result)


async def test_a_function_keeps_to_its_protocol(system: System, tmp_path: Path) -> None:
    system.keep_header(SIGNING.removeprefix("file:"), SECRET)
    async with function(tmp_path) as peer:
        fields = {"id": "checked", "name": "f", "protocol": peer.protocol, "signing": peer.signing}
        await system.client.create_agent(NewAgent.model_validate({"url": f"{peer.origin}/", **fields}))
        (tried,) = await signoff(system, "agents", "try", "checked", "--title", "sky-0", "--check")
        outcomes = {row["check"]: row["outcome"] for row in tried["checks"]}
        none_is_told = outcomes.pop("progress")
        assert outcomes == dict.fromkeys(("deadline", "size", "same_key", "cancel", "error", "signature"), "passed")
        assert none_is_told == "not_applicable"
        assert peer.count()["sky-0"] == 2  # the try, and the one piece of work of two calls with the same key
