"""Clients that others generate, in three languages and over both doors, and ours tell ten stories on a running stack.

What generates them prints no warning, and the type checkers of their languages find nothing. They are generated in an
environment of their own, by what strangers use: nothing of the project is there but its document and protobuf files.
"""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from support.installed import BIN, installed
from support.system import Judge, running

from contracts.resources import NewAgent

pytestmark = [pytest.mark.clients, pytest.mark.real, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: What each client does, in this order, and says once it has gone as it should.
STORIES = {
    "job_runs": "a job is created, executed and awaited, and has its result and its verdict",
    "key_repeats": "one idempotency key twice is one execution, and the second answer says that it is replayed",
    "unknown_member": "a body with an unknown member (over gRPC, with a wrong field) is refused with its pointer",
    "stale_edit": "an edit of a version that is no longer the job's is refused",
    "pages": "all pages of a list together have what was made, each once",
    "watch_resumes": "a watch that is cut off and goes on behind its last place sees each change once",
    "batch_of_twenty": "a batch of twenty jobs runs, and its items come in pages",
    "cancel": "a job that its agent works on is cancelled",
    "failure_says_why": "a job whose agent refuses it fails with a code, and waits for nothing",
    "agent_is_paused": "a job of a paused agent says what it waits for, and goes on when the agent is resumed",
}
PROTOC = "python -m grpc_tools.protoc -I {root}/proto"


@dataclass(frozen=True)
class Language:
    """How the clients of a language are installed, generated and checked, and what tells their stories."""

    check: list[str]
    tell: dict[str, str]
    generate: list[str] = field(default_factory=list)
    install: list[str] = field(default_factory=list)
    folder: str = ""  # that of its name, when it is not given
    paths: dict[str, str] = field(default_factory=dict)  # in the project, by variable


LANGUAGES = {
    "python": Language(
        generate=[
            "openapi-python-client generate --path {openapi} --output-path signoff_client --meta none --overwrite",
            PROTOC + " --python_out=. --grpc_python_out=. --mypy_out=quiet:. --mypy_grpc_out=quiet:. {protos}",
        ],
        check=[
            "mypy --follow-imports=silent signoff_client/api signoff_client/models",  # what is made of the document
            "mypy --strict --follow-imports=silent rest_stories.py grpc_stories.py",
        ],
        tell={"REST": "python -W error rest_stories.py", "gRPC": "python -W error grpc_stories.py"},
    ),
    "typescript": Language(
        install=["npm ci --silent"],
        generate=[
            "npx openapi-typescript {openapi} -o gen/rest.d.ts",
            PROTOC + " -I {packages} --plugin=protoc-gen-es=node_modules/.bin/protoc-gen-es --es_out=gen "
            "--es_opt=target=js+dts,import_extension=js {protos} google/rpc/error_details.proto",
        ],
        check=["npx tsc"],
        tell={"REST": "node rest.ts", "gRPC": "node grpc.ts"},
    ),
    "go": Language(
        install=[
            "go mod download",
            "go install google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc",
        ],
        generate=[
            "go tool oapi-codegen -generate types,client,skip-prune -package signoff -o signoff/rest.go {openapi}",
            PROTOC + " --go_out=gen --go_opt=module=signoff.dev/api "
            "--go-grpc_out=gen --go-grpc_opt=module=signoff.dev/api {protos}",
        ],
        check=["go vet ./..."],
        tell={"REST": "go run ./rest", "gRPC": "go run ./grpc"},
    ),
    # Ours, where nothing is installed but what it needs, and strangers' tools.
    "signoff": Language(
        folder="python",
        check=["mypy --strict --follow-imports=silent own_stories.py"],
        tell={"gRPC": "python -W error own_stories.py"},
        paths={"PYTHONPATH": "proto", "MYPYPATH": "proto"},
    ),
}


class Workshop:
    """A folder in which the clients of a language are generated, once for all tests."""

    def __init__(self, name: str, folder: Path) -> None:
        self.language = LANGUAGES[name]
        self.folder = folder / name
        tools = installed(HERE / "tools.txt")
        path = [self.folder / "bin", tools.parent, BIN]
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SIGNOFF_"))},
            "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]),
            "GOBIN": str(self.folder / "bin"),
            "GOTOOLCHAIN": "local",
            **{variable: str(ROOT / path) for variable, path in self.language.paths.items()},
        }
        protos = sorted((ROOT / "proto" / "signoff" / "v1").glob("*.proto"))
        self._values = {
            "root": ROOT,
            "openapi": ROOT / "services" / "console" / "web" / "openapi.json",
            "packages": next(tools.parents[1].glob("lib/python*/site-packages")),
            "protos": " ".join(str(proto.relative_to(ROOT / "proto")) for proto in protos),
        }
        shutil.copytree(
            HERE / (self.language.folder or name),
            self.folder,
            ignore=shutil.ignore_patterns("node_modules", "__pycache__"),
        )
        if self.language.generate:
            for made in ("gen", "signoff"):
                (self.folder / made).mkdir(exist_ok=True)
        self._is_generated = False

    async def run(self, command: str, **settings: str) -> tuple[int | None, str]:
        """Run a command in the folder; return its status and what it printed."""
        process = await asyncio.create_subprocess_exec(
            *command.format(**self._values).split(),
            cwd=self.folder,
            env=self._environment | settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode, output.decode()

    async def generate(self) -> None:
        """Install, generate and check, unless that was done: nothing may be said but that all is well."""
        if not self._is_generated:
            for command in (*self.language.install, *self.language.generate, *self.language.check):
                status, output = await self.run(command)
                assert status == 0, f"{command}\n{output}"
                if command in self.language.generate:
                    assert not re.search(r"warn|error|unsupported|skip|cannot", output, re.IGNORECASE), output
            self._is_generated = True


@pytest.fixture(scope="session")
def workshops(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Workshop]:
    folder = tmp_path_factory.mktemp("clients")
    return {name: Workshop(name, folder) for name in LANGUAGES}


@pytest.fixture(scope="session")
async def addresses(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, str]]:
    """A running stack, as the variables that clients read."""
    judge = Judge()
    await judge.start()
    async with AsyncExitStack() as closing:
        closing.push_async_callback(judge.stop)
        system = await closing.enter_async_context(running(tmp_path_factory.mktemp("stack"), judge))
        endpoints = json.loads(system.endpoints_file.read_text())
        agent = endpoints["agents"]["writer"]
        await system.client.create_agent(NewAgent(id="writer", name="writer", url=agent))
        yield {
            "SIGNOFF_HTTP": endpoints["http"],
            "SIGNOFF_JOBSTORE": endpoints["grpc"],
            "SIGNOFF_TOKEN": endpoints["token"],
            "STORIES_AGENT_URL": agent,
        }


@pytest.mark.parametrize("name", LANGUAGES)
async def test_clients_are_generated_without_a_warning_and_pass_the_type_checker(
    workshops: dict[str, Workshop], name: str
) -> None:
    await workshops[name].generate()


@pytest.mark.parametrize(
    ("name", "door"), [(name, door) for name, language in LANGUAGES.items() for door in language.tell]
)
async def test_a_client_tells_the_stories(
    workshops: dict[str, Workshop], addresses: dict[str, str], name: str, door: str
) -> None:
    workshop = workshops[name]
    await workshop.generate()
    status, output = await workshop.run(workshop.language.tell[door], **addresses)
    assert (status, output.split()) == (0, list(STORIES)), output
