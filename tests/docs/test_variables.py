"""One list has the variables that each part of Signoff reads: in a shared environment none of them is a mistake."""

import inspect
import re
from pathlib import Path

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from cli import session
from console.config import ConsoleSettings
from executor.config import Settings as ExecutorSettings
from jobstore.config import BackupSettings, RebuildSettings, VerifySettings
from jobstore.config import Settings as JobstoreSettings
from jobstore.tracing.exporter import Settings as TracesSettings
from servicekit.process.variables import KNOWN, OF_AGENTS, describe_unknown, find_unknown
from validator.config import Settings as ValidatorSettings

ROOT = Path(__file__).parents[2]
SETTINGS = (
    BackupSettings,
    ConsoleSettings,
    ExecutorSettings,
    JobstoreSettings,
    RebuildSettings,
    TracesSettings,
    ValidatorSettings,
    VerifySettings,
)
#: The command line's own; its options name those that are left.
OF_COMMANDS = {"SIGNOFF_TENANT", "SIGNOFF_FACT_KEYS", "SIGNOFF_FACT_KEYS_FILE"}
COMPOSE = re.compile(r"\$\{(SIGNOFF_\w+)")
OF_TESTS = {
    f"SIGNOFF_{name}" for name in ("CACHE_DIR", "CHROMIUM", "EXAMPLES", "FAULTS_SEED", "KILLS", "WRITE_EXPECTED")
}


def variables_of(kind: type[BaseSettings]) -> set[str]:
    names = set()
    for name, field in kind.model_fields.items():
        variable = f"SIGNOFF_{name.upper()}"
        names.add(variable)
        if "Secret" in str(field.annotation) or field.annotation is SecretStr or "KeySetting" in str(field.annotation):
            names.add(f"{variable}_FILE")
    return names


def test_the_list_has_what_each_part_reads_and_nothing_else() -> None:
    options = set(re.findall(r'envvar="(SIGNOFF_\w+)"', inspect.getsource(session)))
    files = ("docker-compose.yml", "deploy/compose/production.yml")
    compose = {name for file in files for name in COMPOSE.findall((ROOT / file).read_text())}
    read = set().union(*map(variables_of, SETTINGS)) | options | OF_COMMANDS | OF_TESTS | compose
    assert read == KNOWN


def test_a_variable_that_nothing_reads_is_named_with_what_is_near() -> None:
    names = ["PATH", "SIGNOFF_JUGDE_MODEL", "SIGNOFF_XYZZY", f"{OF_AGENTS}ANY", "SIGNOFF_TOKEN", "SIGNOFF_BIND"]
    environment = dict.fromkeys(names, "")
    assert find_unknown(environment) == ["SIGNOFF_JUGDE_MODEL", "SIGNOFF_XYZZY"]
    told = "nothing reads the variables SIGNOFF_JUGDE_MODEL (is SIGNOFF_JUDGE_MODEL meant?), SIGNOFF_XYZZY"
    assert describe_unknown(environment) == told
    assert describe_unknown({"SIGNOFF_TOKEN": ""}) is None


def test_a_variable_that_a_key_of_judges_refers_to_is_read() -> None:
    keys = '{"own": {"key": "env:SIGNOFF_OWN_KEY", "base_urls": ["https://judge.example/"]}}'
    environment = {"SIGNOFF_JUDGE_KEYS": keys, "SIGNOFF_OWN_KEY": "k", "SIGNOFF_OWN_KEYS": "k"}
    assert find_unknown(environment) == ["SIGNOFF_OWN_KEYS"]
