"""Reads docker-compose.yml and the variables that it is given, and has secrets made as its service `secrets` does."""

import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from dockerfiles import ROOT

from console.config import ConsoleSettings
from executor.config import Settings as ExecutorSettings
from jobstore.config import Settings as JobStoreSettings
from servicekit.process.settings import ServiceSettings
from validator.config import Settings as ValidatorSettings

FILE = ROOT / "docker-compose.yml"
SCRIPT = ROOT / "deploy/compose/make_secrets.py"
#: Where a service finds its own secrets.
FOLDER = "/run/signoff"
SETTINGS: dict[str, type[ServiceSettings]] = {
    "jobstore": JobStoreSettings,
    "executor": ExecutorSettings,
    "validator": ValidatorSettings,
    "console": ConsoleSettings,
}
#: A value for each variable that an .env of 0.2.0 had to set.
OF_0_2_0 = {
    name: b64encode(sha256(name.encode()).digest()).decode()
    for name in (
        "SIGNOFF_TOKEN",
        "SIGNOFF_ID_KEY",
        "SIGNOFF_EXECUTOR_TOKEN",
        "SIGNOFF_VALIDATOR_TOKEN",
        "SIGNOFF_SESSION_SECRET",
        "OPENAI_API_KEY",
    )
} | {
    "POSTGRES_PASSWORD": sha256(b"POSTGRES_PASSWORD").hexdigest(),
    "SIGNOFF_SECRETS": f"test:{b64encode(sha256(b'secrets').digest()).decode()}",
}
#: Read by the OpenAI SDK under these names.
OPENAI = {"OPENAI_API_KEY", "OPENAI_BASE_URL"}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^{}]*))?\}")


def load(env: Mapping[str, str]) -> Any:
    """The file with the variables of `env` put in; KeyError: one that it requires is missing."""

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return env.get(name) or default if kind == "-" else env[name]

    document = yaml.safe_load(_VARIABLE.sub(value, FILE.read_text()))
    for service in document["services"].values():
        given = {name: env.get(name) if value is None else value for name, value in _environment(service).items()}
        service["environment"] = {name: str(value) for name, value in given.items() if value is not None}
    return document


def variables() -> tuple[set[str], set[str]]:
    """The variables that the file requires, and those that may be missing."""
    found = {name: kind for name, kind, _ in _VARIABLE.findall(FILE.read_text())}
    environments = [_environment(service) for service in yaml.safe_load(FILE.read_text())["services"].values()]
    passed_on = {name for environment in environments for name, value in environment.items() if value is None}
    required = {name for name, kind in found.items() if kind == "?"}
    return required, (found.keys() | passed_on) - required


def example() -> dict[str, list[str]]:
    """What .env.example says of each variable, set or commented out."""
    pairs = re.findall(r"(?m)^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text())
    return {name: [value for other, value in pairs if other == name] for name, _ in pairs}


def make_secrets(folder: Path, env: Mapping[str, str], *arguments: str) -> str:
    """Let the service `secrets` write into the folders of its volumes, and return what it prints."""
    given = load(env)["services"]["secrets"]["environment"] | {"SECRETS_FOLDER": str(folder)}
    command = [sys.executable, "-I", SCRIPT, *arguments]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=True).stdout


def read_secrets(folder: Path, service: str) -> dict[str, str]:
    """The secrets of one service, by name."""
    return {file.name: file.read_text() for file in (folder / service).iterdir()}


def find_environment(folder: Path, service: str, env: Mapping[str, str]) -> dict[str, str]:
    """What a service is given, with its secrets in `folder`."""
    given: dict[str, str] = load(env)["services"][service]["environment"]
    own = str(folder / service)
    return {name: value.replace(FOLDER, own) for name, value in given.items()}


def _environment(service: Mapping[str, Any]) -> dict[str, Any]:
    environment: dict[str, Any] = service.get("environment", {})
    return environment
