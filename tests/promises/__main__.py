"""`make contracts`: compare the promises of the tree with those of each release. With --write, write the catalogue.

Exit status 0 where each promise is kept, 2 where nothing is there to compare with.
"""

import argparse
import ast
import functools
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from google.protobuf.descriptor_pb2 import FileDescriptorProto

import signoff
from cli.__main__ import COMMANDS, load_command
from cli.errors import ExitStatus
from console.config import ConsoleSettings
from contracts.schemas import schemas
from contracts.topics import EXECUTOR_GROUP, JOBSTORE_GROUPS, TOPICS, VALIDATOR_GROUP
from executor.config import Settings as ExecutorSettings
from jobstore.config import BackupSettings, RebuildSettings, VerifySettings
from jobstore.config import Settings as JobstoreSettings
from promises.catalogue import (
    Promise,
    parse,
    read_codes,
    read_commands,
    read_events,
    read_grpc,
    read_python,
    read_rest,
    read_variables,
)
from promises.comparing import find_breaks
from servicekit.deprecations import DEPRECATIONS, EARLIER_NAMES
from servicekit.kafka.publisher import build_event_headers
from servicekit.process.variables import KNOWN
from signoff.errors import ErrorCode
from signoff.types import MODELS
from validator.config import Settings as ValidatorSettings

ROOT = Path(__file__).parents[2]
CATALOGUE = "proto/catalogue.txt"
#: The catalogue of each release, as `--release` has written it: a clone without tags or history has them, too.
RELEASES = ROOT / "proto/releases"
DOCUMENT = ROOT / "services/console/web/openapi.json"
SETTINGS = {
    "console": ConsoleSettings,
    "backup": BackupSettings,
    "executor": ExecutorSettings,
    "jobstore": JobstoreSettings,
    "rebuild": RebuildSettings,
    "validator": ValidatorSettings,
    "verify": VerifySettings,
}
#: Variables of tests, which nobody relies on.
OF_TESTS = {
    f"SIGNOFF_{name}" for name in ("CACHE_DIR", "CHROMIUM", "EXAMPLES", "FAULTS_SEED", "KILLS", "WRITE_EXPECTED")
}
REMEDY = (
    "A promise ends by being deprecated first, and in a new major version: docs/contracts.md. Put it back, or beside."
)


def read_files() -> list[FileDescriptorProto]:
    """Return the declarations of the calls that are promised to all; those of workers are in a package of their own."""
    files = []
    for path in sorted((ROOT / "proto/signoff/v1").glob("*.proto")):
        file = FileDescriptorProto()
        import_module(f"signoff.v1.{path.stem}_pb2").DESCRIPTOR.CopyToProto(file)
        files.append(file)
    return files


def read_schemas() -> dict[str, dict[str, object]]:
    """Return the schema of each event, by its topic."""
    return {name.removesuffix(".v1.json"): json.loads(text) for name, text in schemas().items()}


def read_headers() -> list[str]:
    """Return the names of the headers of events."""
    return [name for name, _ in build_event_headers(UUID(int=0), "type", "source", datetime.now(UTC), "subject")]


def read_client() -> Any:
    """Return what the client exports: the names that its package imports as themselves, and models of answers."""
    tree = ast.parse(Path(signoff.__file__).read_text("utf-8"))
    imported = [each for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for each in node.names]
    exported = {each.name: getattr(signoff, each.name) for each in imported if each.asname == each.name}
    exported |= {model.__name__: model for model in MODELS.values()}
    return SimpleNamespace(__all__=sorted(exported), **exported)


def read_version() -> str:
    """Return the version of the tree: that of the last release, but in the commit that makes the next one."""
    project: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return project


def read_tree() -> Iterator[Promise]:
    """Read every promise of the tree; REST's from the document that is generated before."""
    yield Promise("product", "version", {"major": read_version().partition(".")[0]})
    yield from read_grpc(read_files())
    yield from read_rest(json.loads(DOCUMENT.read_text("utf-8")))
    groups = (EXECUTOR_GROUP, JOBSTORE_GROUPS, VALIDATOR_GROUP)
    yield from read_events(read_schemas(), TOPICS.values(), read_headers(), groups)
    yield from read_codes(ErrorCode)
    settings = {process: kind.model_json_schema() for process, kind in SETTINGS.items()}
    yield from read_variables(settings, KNOWN - OF_TESTS)
    yield from read_commands("signoff", {name: load_command(name) for name in COMMANDS}, ExitStatus)
    yield from read_python(read_client())


def date_deprecated(promises: Iterable[Promise]) -> Iterator[Promise]:
    """Yield promises, those that are deprecated with the day from which on a new major version may lack them."""
    for promise in promises:
        if "deprecated" in promise.facts:
            known = DEPRECATIONS.get(promise.subject.removeprefix("signoff.v1."), EARLIER_NAMES)
            promise.facts["sunset"] = known.sunset.date().isoformat()
        yield promise


@functools.cache
def render() -> str:
    """Return the catalogue of the tree."""
    return "".join(f"{line}\n" for line in sorted({str(promise) for promise in date_deprecated(read_tree())}))


def read_releases() -> dict[str, str]:
    """Return the catalogue of each release, by its version."""
    return {path.stem: path.read_text("utf-8") for path in sorted(RELEASES.glob("*.txt"))}


def compare(catalogues: Mapping[str, str], version: str) -> int:
    """Say which promises of these catalogues the tree breaks; return the exit status, 2 if a version has none there."""
    if not catalogues.get(version):
        sys.stdout.write(f"contracts: there are no promises of {version} to compare with\n")
        return 2
    status = 0
    for name, text in catalogues.items():
        promises = [parse(line) for line in text.splitlines()]
        breaks = sorted(str(each) for each in find_breaks(promises, map(parse, render().splitlines())))
        sys.stdout.write("".join(f"{line}\n" for line in breaks))
        verdict = f"{len(breaks)} of {len(promises)} promises of {name} are broken. {REMEDY}"
        sys.stdout.write(f"contracts: {verdict if breaks else f'all {len(promises)} promises of {name} are kept'}\n")
        status |= bool(breaks)
    return status


def release(version: str, releases: Mapping[str, str]) -> int:
    """Write the catalogue of a release, unless there is one, or the tree breaks a promise of another."""
    if version in releases:
        sys.stdout.write(f"contracts: {version} is released, and its promises stay as they are\n")
        return 2
    if status := compare({**releases, version: render()}, version):
        return status
    (RELEASES / f"{version}.txt").write_text(render(), encoding="utf-8")
    return 0


def main() -> int:
    """Write the catalogue, or compare it with earlier ones."""
    parser = argparse.ArgumentParser(prog="make contracts", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the catalogue of the tree, and compare nothing")
    parser.add_argument("--release", action="store_true", help="write it as that of the version in pyproject.toml")
    parser.add_argument("--against", metavar="REV", help="compare with this revision instead of the releases")
    arguments = parser.parse_args()
    if arguments.write:
        (ROOT / CATALOGUE).write_text(render(), encoding="utf-8")
        return 0
    if arguments.release:
        return release(read_version(), read_releases())
    if not arguments.against:
        return compare(read_releases(), read_version())
    command = ["git", "-C", ROOT, "show", f"{arguments.against}:{CATALOGUE}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return compare({arguments.against: shown}, arguments.against)


if __name__ == "__main__":
    sys.exit(main())
