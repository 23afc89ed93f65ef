"""Wheels of the project, each in an environment that has what it needs and nothing else."""

import asyncio
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


async def run(*command: str | Path) -> str:
    """Run a program, which must succeed, and return what it says."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def install_alone(project: Path, folder: Path, extra: str = "") -> Path:
    """The Python of an environment that has a project's wheel and the oldest of what it needs by itself.

    With an extra, what it needs is at the versions of this environment.
    """
    build = ["build", "--wheel", "--no-build-isolation", "--python", sys.executable]
    await run(UV, *build, "-o", folder, project)
    pins = folder / "pins"
    if extra:
        pins.write_text(
            "\n".join(re.findall(r"^[\w.-]+==[^ ;\\]+", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
        )
    else:
        needs = tomllib.loads((project / "pyproject.toml").read_text())["project"]["dependencies"]
        pins.write_text("\n".join(need.partition(",")[0].replace(">=", "==") for need in needs))
    await run(UV, "venv", "--quiet", "--python", sys.executable, folder / "venv")
    made = folder / "venv/bin/python"
    (wheel,) = folder.glob("*.whl")  # noqa: ASYNC240 - of a folder with few files
    await run(UV, "pip", "install", "--quiet", "--python", made, "--constraint", pins, f"{wheel}{extra}")
    return made
