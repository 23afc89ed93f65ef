"""The README's examples do what it says, run as they stand there."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from support.system import System

from signoff.status import JobStatus

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def example(heading: str, language: str) -> str:
    """The first block in a language under a heading."""
    section = README.split(f"### {heading}\n", 1)[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
async def home(system: System, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the system's endpoints are where the README says."""
    path = tmp_path_factory.mktemp("readme")
    (path / ".signoff").mkdir()
    (path / ".signoff/endpoints.json").symlink_to(system.endpoints_file)
    (path / ".venv").symlink_to(Path(sys.executable).parents[1])
    return path


async def run(home: Path, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        env={**os.environ, "COLUMNS": "160", "XDG_CONFIG_HOME": str(home.parent / "config")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_the_operators_example(home: Path) -> None:
    """The example for operators ends with a completed job."""
    output = await run(home, "bash", "-ec", example("As an operator", "sh"))
    assert "COMPLETED" in output


async def test_the_example_of_many_jobs_and_limits(home: Path, system: System) -> None:
    """The example of batches completes thirty jobs under the limit that it sets."""
    output = await run(home, "bash", "-ec", example("Many jobs, and limits", "sh"))
    assert "DONE  30 jobs: 30 COMPLETED" in output
    assert [limit.name for limit in (await system.client.list_limits())[0]] == ["tenant:press"]
    await system.client.remove_limit("tenant:press")


async def test_the_example_of_who_may_do_what(home: Path) -> None:
    """The example of identity signs in as a viewer, and out again, and ends with what the audit has of that."""
    output = await run(home, "bash", "-ec", example("Who may do what", "sh"))
    assert "the session of the profile eve" in output
    assert re.search(r"token:bootstrap +revoke_token", output)


async def test_the_example_of_what_results_are_judged_by(home: Path) -> None:
    """The example of criteria by name completes a job by its own criteria and those of the set."""
    output = await run(home, "bash", "-ec", example("By what results are judged", "sh"))
    assert "COMPLETED" in output
    assert "careful@1 is current" in output
    assert "default@1" in output


async def test_the_example_of_replay_and_rebuild(home: Path, system: System) -> None:
    """The example of replay and rebuild ends with two equal databases."""
    await system.calm()
    output = await run(home, "bash", "-ec", example("Replay and rebuild", "sh"))
    assert "1 published again" in output
    assert output.splitlines()[-1].startswith("ok: ")


async def test_the_example_of_what_is_kept(home: Path) -> None:
    """The example of backup and restore ends with a database that has every job, also of what came after the backup."""
    output = await run(home, "bash", "-ec", example("What is kept, backup and restore", "sh"))
    assert re.search(r"backup 1 is in \S+: \d+ jobs, .* read back", output)
    assert "the topics have every fact since" in output


async def test_the_python_clients_example(home: Path) -> None:
    """The example of the Python client completes a job."""
    output = await run(home, sys.executable, "-c", example("As a gRPC client", "python"))
    assert output.splitlines()[-1].startswith("COMPLETED")


async def test_the_rest_example(home: Path, system: System) -> None:
    """The example of REST completes a job."""
    output = await run(home, "bash", "-ec", example("Over REST", "sh"))
    assert '"status":"COMPLETED"' in output.rpartition("\n")[2] or '"kind":"met"' in output
    assert (await system.at_rest("sonnet-1")).status is JobStatus.COMPLETED


def test_no_example_leaves_a_file_behind(home: Path) -> None:
    """Run after the examples above: what they made stands in the system alone."""
    assert {path.name for path in home.iterdir()} == {".signoff", ".venv"}
    assert {path.name for path in (home / ".signoff").iterdir()} == {"endpoints.json"}


async def test_the_upstream_example(home: Path, system: System) -> None:
    """The example of an upstream service completes the job that its event holds."""
    await run(home, sys.executable, "-c", example("As an upstream service", "python"))
    await system.known("ballad-1")
    assert (await system.at_rest("ballad-1")).status is JobStatus.COMPLETED


async def test_the_grpcurl_example(home: Path, system: System) -> None:
    """By grpcurl where there is one; else by a client that knows of the services what reflection tells it, too."""
    text = example("As a gRPC client", "sh")
    if shutil.which("grpcurl"):
        await run(home, "bash", "-ec", text)
    else:
        calls = re.findall(r"-d '(.*?)'\s+\\?\s*\$GRPC (\S+)", text, re.DOTALL)
        assert len(calls) == 2
        for body, method in calls:
            await asyncio.to_thread(call_by_reflection, system.endpoints, method, json.loads(body))
    assert (await system.at_rest("ode-1")).status is JobStatus.COMPLETED


class WithToken(grpc.StreamStreamClientInterceptor):
    """Asks for descriptions with the token, as `grpcurl -H` does."""

    def __init__(self, metadata: tuple[tuple[str, str], ...]) -> None:
        self._metadata = metadata

    def intercept_stream_stream(self, continuation: Any, client_call_details: Any, request_iterator: Any) -> Any:
        details = client_call_details._replace(metadata=self._metadata)
        return continuation(details, request_iterator)


def call_by_reflection(endpoints: dict[str, str], method: str, body: dict[str, object]) -> None:
    service_name, _, name = method.partition("/")
    metadata = (("authorization", f"Bearer {endpoints['token']}"),)
    with grpc.insecure_channel(endpoints["grpc"]) as channel:
        described_by = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, WithToken(metadata)))
        pool = descriptor_pool.DescriptorPool(described_by)
        described = pool.FindServiceByName(service_name).FindMethodByName(name)
        request, answer = (message_factory.GetMessageClass(t) for t in (described.input_type, described.output_type))
        call = channel.unary_unary(
            f"/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        said = call(json_format.ParseDict(body, request()), metadata=metadata, timeout=10)
        assert (said.job.title if name == "CreateJob" else said.execution.job_id) in {"An ode", "ode-1"}


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link of the page names a file that is there."""
    text = (ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / page).parent.joinpath(link).exists(), link
