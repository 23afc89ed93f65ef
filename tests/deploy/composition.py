"""Reads docker-compose.yml and the variables that it is given, and has secrets made as its service `secrets` does."""

import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from dockerfiles import ROOT

from console.config import ConsoleSettings
from executor.config import Settings as ExecutorSettings
from jobstore.config import Settings as JobStoreSettings
from servicekit.process.settings import ServiceSettings
from validator.config import Settings as ValidatorSettings

FILE = ROOT / "docker-compose.yml"
PRODUCTION = ROOT / "deploy/compose/production.yml"
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
    document = yaml.safe_load(_put_in(FILE.read_text(), env))
    _give(document["services"], env)
    return document


def _give(services: Mapping[str, Any], env: Mapping[str, str]) -> None:
    """Let each service have the variables that it is given as texts, and no others."""
    for service in services.values():
        given = {name: env.get(name) if value is None else value for name, value in _environment(service).items()}
        service["environment"] = {name: str(value) for name, value in given.items() if value is not None}


def _put_in(text: str, env: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return env.get(name) or default if kind == "-" else env[name]

    return _VARIABLE.sub(value, text).replace("$$", "$")


def load_production(env: Mapping[str, str]) -> Any:
    """What Compose makes of both files, as far as they go: of lists, those of volumes alone are joined."""
    document = load(env)
    text = _put_in(PRODUCTION.read_text(), env)
    over = yaml.load(text, Overlay)
    services: dict[str, Any] = document["services"]
    for name, service in over["services"].items():
        extended = service.pop("extends", {"service": name})["service"]
        services[name] = _merge(deepcopy(load(env)["services"].get(extended, {})), service)
    _give(services, env)
    document["volumes"] |= over["volumes"]
    return document


class _Reset:
    """In the place of a value that `!reset` takes away."""


class Overlay(yaml.SafeLoader):
    """Reads an overlay of Compose's."""


Overlay.add_constructor("!reset", lambda *_: _Reset())


def _merge(one: Any, over: Any) -> Any:
    if not isinstance(one, dict) or not isinstance(over, dict):
        return over
    merged = dict(one)
    for name, value in over.items():
        if isinstance(value, _Reset):
            merged.pop(name, None)
        elif name == "volumes":
            at = {volume.split(":")[1]: volume for volume in [*one.get(name, []), *value]}
            merged[name] = list(at.values())
        else:
            merged[name] = _merge(one.get(name), value)
    return merged


def variables(file: Path = FILE) -> tuple[set[str], set[str]]:
    """The variables that a file requires, and those that may be missing."""
    found = _VARIABLE.findall(file.read_text())
    environments = [_environment(service) for service in yaml.load(file.read_text(), Overlay)["services"].values()]
    passed_on = {name for environment in environments for name, value in environment.items() if value is None}
    required = {name for name, kind, _ in found if kind == "?"}
    return required, ({name for name, _, _ in found} | passed_on) - required


def example() -> dict[str, list[str]]:
    """What .env.example says of each variable, set or commented out."""
    pairs = re.findall(r"(?m)^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text())
    return {name: [value for other, value in pairs if other == name] for name, _ in pairs}


def make_secrets(folder: Path, env: Mapping[str, str], *arguments: str) -> str:
    """Let the service `secrets` write into the folders of its volumes, and return what it prints."""
    composition = load(env)
    command = [sys.executable, "-I", SCRIPT, *arguments]
    with NamedTemporaryFile("w") as file:
        file.write(composition["configs"]["given"]["content"])
        file.flush()
        given = {"SECRETS_FOLDER": str(folder), "SECRETS_GIVEN": file.name}
        given |= composition["services"]["secrets"]["environment"]
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
