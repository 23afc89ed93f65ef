"""The client is a distribution of its own: a program has it, its three dependencies, and nothing else of Signoff."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from support.system import System

ROOT = Path(__file__).parents[2]
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


async def run(*command: str | Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture
async def python(tmp_path: Path) -> Path:
    """The Python of an environment that has the client's wheel and what it needs, at the versions of this one."""
    uv = Path(sys.executable).with_name("uv")
    await run(
        uv,
        "build",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "-o",
        tmp_path,
        ROOT / "proto/client",
    )
    lock = (ROOT / "requirements.lock").read_text()
    pins = tmp_path / "pins"
    pins.write_text("\n".join(re.findall(r"^[\w.-]+==[^ ;\\]+", lock, re.MULTILINE)))
    await run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    made = tmp_path / "venv/bin/python"
    (wheel,) = tmp_path.glob("signoff_client-*.whl")  # noqa: ASYNC240 - of a folder with two files
    await run(uv, "pip", "install", "--quiet", "--python", made, "--constraint", pins, wheel)
    return made


async def test_its_wheel_runs_a_job_alone(system: System, python: Path) -> None:
    job = await system.create()
    address, token = system.endpoints["grpc"], system.endpoints["token"]
    use = USE.format(address=address, token=token, job_id=job.id)
    output = await run(python, "-c", EXAMPLES.replace('"writer"', '"agent"') + use)
    assert output.splitlines()[0] == job.title
    assert output.splitlines()[1].startswith(("COMPLETED", "RESUBMISSION_REQUIRED"))
    assert output.splitlines()[2] == str({"model": "gpt-5-mini", "template": "Translate: {{payload.text}}"})
    installed = await run(Path(sys.executable).with_name("uv"), "pip", "list", "--python", python)
    assert "signoff-contracts" not in installed
