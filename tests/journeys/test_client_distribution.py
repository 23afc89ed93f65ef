"""The client is a distribution of its own: a program has it, its three dependencies, and nothing else of Signoff."""

import re
from pathlib import Path

import pytest
from support.distributions import ROOT, UV, install_alone, run
from support.system import System

PAGE = (ROOT / "docs/client.md").read_text()
EXAMPLES = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
USE = """
import importlib.util

from signoff import AsyncClient, Client, NotFoundError

assert not [name for name in ("contracts", "servicekit", "cli") if importlib.util.find_spec(name)]
with Client("{address}", "{token}") as client:
    print(client.get_job("{job_id}").title)
asyncio.run(main("{address}", "{token}"))


async def register_one():
    async with AsyncClient("{address}", "{token}") as client:
        print((await register(client)).settings)


asyncio.run(register_one())
"""


@pytest.fixture
async def python(tmp_path: Path) -> Path:
    """The Python of an environment that has the client alone."""
    return await install_alone(ROOT / "proto/client", tmp_path)


async def test_its_wheel_runs_a_job_alone(system: System, python: Path) -> None:
    job = await system.create()
    address, token = system.endpoints["grpc"], system.endpoints["token"]
    use = USE.format(address=address, token=token, job_id=job.id)
    output = await run(python, "-c", EXAMPLES.replace('"writer"', '"agent"') + use)
    assert output.splitlines()[0] == job.title
    assert output.splitlines()[1].startswith(("COMPLETED", "RESUBMISSION_REQUIRED"))
    assert str({"model": "gpt-5-mini", "template": "Translate: {{payload.text}}"}) in output.splitlines()
    installed = await run(UV, "pip", "list", "--python", python)
    assert "signoff-contracts" not in installed
