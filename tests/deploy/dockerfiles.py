"""Reads a Dockerfile as far as this repository's go, and carries out its build stage without Docker."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ("jobstore", "executor", "validator", "console")
BUILD, IMAGE = 0, 1  # the stages


@dataclass(frozen=True)
class Instruction:
    stage: int
    keyword: str
    value: str


def read(service: str) -> str:
    return (ROOT / "services" / service / "Dockerfile").read_text()


def instructions(service: str) -> list[Instruction]:
    found: list[Instruction] = []
    stage = -1
    for line in re.sub(r"\\\n\s*", " ", read(service)).splitlines():
        if line and not line.startswith("#"):
            keyword, value = line.split(maxsplit=1)
            stage += keyword == "FROM"
            found.append(Instruction(stage, keyword, value))
    return found


def values(service: str, stage: int, keyword: str) -> list[str]:
    return [i.value for i in instructions(service) if (i.stage, i.keyword) == (stage, keyword)]


def environment(service: str) -> dict[str, str]:
    """What the image sets."""
    return dict(pair.split("=", 1) for value in values(service, IMAGE, "ENV") for pair in value.split())


def build(service: str, directory: Path, python: Path) -> Path:
    """Copy and run what the build stage does, with `directory` in the place of /; the environment that it makes."""
    work = directory / "build"
    work.mkdir(parents=True)
    env = clean_env(PATH=f"{python.parent}:{os.environ['PATH']}")
    for step in instructions(service):
        if (step.stage, step.keyword) == (BUILD, "COPY"):
            *sources, target = step.value.split()
            for source in sources:
                copy(ROOT / source, work / target)
        elif (step.stage, step.keyword) == (BUILD, "RUN"):
            command = step.value.replace("/venv", str(directory / "venv"))
            run = ["/bin/sh", "-ec", command]
            done = subprocess.run(run, cwd=work, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return directory / "venv"


def copy(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy(source, target)
    else:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "node_modules", "static"))


def clean_env(**more: str) -> dict[str, str]:
    """This process's environment, without what tells Python or Signoff what to do."""
    told = ("PYTHON", "SIGNOFF_", "OPENAI_", "VIRTUAL_ENV", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(told)} | more
