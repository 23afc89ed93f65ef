"""Ids at the command line: shown whole, and taken by their beginning or end where that is unambiguous."""

import asyncio
import os
from pathlib import Path

import pytest
from grpc import StatusCode
from support.commands import list_commands
from support.fake_jobstore import Refusal
from typer.testing import CliRunner

from cli.__main__ import app
from cli.output import find_short_ends
from contracts.resources import NewAgent, NewJob
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as operations_pb

COMMANDS = list_commands()

FIRST, SECOND = "01a21833-1379-7029-8282-0777d811bdfa", "01a21833-3bbe-79d2-b676-a32cec441922"


def poem(**fields):
    return NewJob(**{"title": "a poem", "acceptance_criteria": "It rhymes", "agent_id": "writer"} | fields)


@pytest.fixture
async def jobs(jobstore):
    for job_id in (FIRST, SECOND, "poem", "poem-of-the-sea"):
        await jobstore.add(poem(id=job_id))


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (FIRST, FIRST),
        ("bdfa", FIRST),
        ("1922", SECOND),
        ("01a21833-3", SECOND),
        ("poem", "poem"),  # an exact id wins
        ("of-the-sea", "poem-of-the-sea"),
    ],
)
async def test_a_job_is_found_by_the_beginning_or_end_of_its_id(signoff, given, meant):
    ran = await signoff("jobs", "get", given, "--json")
    assert (ran.status, ran.json["id"]) == (0, meant)


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("command", ["get", "show", "open", "edit"])
@pytest.mark.parametrize("job_id", [FIRST, "poem"])
async def test_a_job_that_is_named_by_its_id_is_asked_for_once(signoff, jobstore, env, command, job_id):
    env["SIGNOFF_HTTP"] = "http://127.0.0.1:1"
    options = ["--title", "another"] if command == "edit" else []
    await signoff("jobs", command, job_id, *options)
    assert len(jobstore.asked(jobs_pb.GetJobRequest)) == 1


@pytest.mark.usefixtures("jobs")
async def test_an_ambiguous_part_lists_what_it_could_be(signoff):
    ran = await signoff("jobs", "cancel", "01a2", "--json")
    assert ran.status == 2
    assert '"code":"ambiguous_id"' in ran.err
    assert FIRST in ran.err
    assert SECOND in ran.err


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("given", ["dfa", "the-", "a21833-1", "a poem"])
async def test_too_short_a_part_or_one_from_the_midst_names_no_job(signoff, given):
    ran = await signoff("jobs", "get", given)
    assert (ran.status, "no job" in ran.err or "there is no job" in ran.err) == (3, True)


@pytest.mark.usefixtures("jobs")
async def test_a_list_shows_ids_whole_and_a_short_end_of_the_long_ones(signoff):
    lines = (await signoff("jobs", "list")).out.splitlines()
    assert {line.split()[0]: line.split()[1] for line in lines[1:]} == {
        FIRST: "bdfa",
        SECOND: "1922",
        "poem": "ASSIGNED",
        "poem-of-the-sea": "ASSIGNED",
    }


def test_a_short_end_is_the_shortest_that_nothing_else_shown_has():
    ends = ["0" * 28 + each for each in ("11112222", "33332222", "33334444")]
    assert find_short_ends([*ends, "4444"]) == ["12222", "32222", "34444", ""]


async def test_an_agent_is_found_by_a_part_of_its_id_too(signoff, jobstore):
    jobstore.add_agent(NewAgent(id=FIRST, name="Writer", url="http://127.0.0.1:1/a-long-path/" + "x" * 100))
    ran = await signoff("agents", "get", "bdfa")
    assert (ran.status, "x" * 100 in ran.out) == (0, True)


@pytest.fixture
def agents(jobstore):
    for agent_id, name in ((FIRST, "Writer"), (SECOND, "Drafter")):
        jobstore.add_agent(NewAgent(id=agent_id, name=name, url="http://127.0.0.1:1/"))


@pytest.mark.usefixtures("jobs", "agents")
async def test_agents_and_batches_of_filters_are_meant_by_parts_of_their_ids(signoff, jobstore):
    batch = (await signoff("batches", "create", FIRST, "--json")).json["id"]
    for part, options in ((FIRST[-4:], ["--agent"]), (batch[:9], ["--batch"]), (batch[-4:], ["--batch"])):
        jobstore.requests.clear()
        for command in (["jobs", "list"], ["bulk", "execute", "--dry-run"]):
            ran = await signoff(*command, *options, part)
            assert ran.status == 0, ran.err
        (listed,) = jobstore.asked(jobs_pb.ListJobsRequest)
        (seen,) = jobstore.asked(operations_pb.PreviewOperationRequest)
        meant = FIRST if options == ["--agent"] else batch
        assert meant in {listed.filter.agent_id, listed.filter.batch_id}
        assert meant in {seen.operation.filter.agent_id, seen.operation.filter.batch_id}


@pytest.mark.usefixtures("jobs", "agents")
async def test_jobs_and_agents_of_operations_are_meant_by_parts_of_their_ids(signoff, jobstore):
    await signoff("bulk", "assign", "bdfa", "poem", "1922", "nobody", "--to", "1922", "--yes")
    (asked,) = jobstore.asked(operations_pb.CreateOperationRequest)
    assert list(asked.operation.job_ids) == [FIRST, "poem", SECOND, "nobody"]
    assert asked.operation.agent_id == SECOND
    await signoff("batches", "create", "bdfa", "of-the-sea")
    (executed,) = jobstore.asked(jobs_pb.ExecuteJobsRequest)
    assert list(executed.job_ids) == [FIRST, "poem-of-the-sea"]
    made = await signoff("jobs", "create", "--title", "t", "--criteria", "c", "--agent", "bdfa", "--json")
    assert made.json["agent_id"] == FIRST


@pytest.mark.usefixtures("jobs")
async def test_the_whole_id_of_a_removed_job_is_no_part_of_another(signoff, jobstore):
    jobstore.refusals["GetJob"] = Refusal(StatusCode.NOT_FOUND, "job_removed", "the job was removed")
    ran = await signoff("jobs", "execute", "of-the-sea", "--json")
    assert (ran.status, '"code":"job_removed"' in ran.err) == (3, True)
    await signoff("batches", "create", "of-the-sea")
    (executed,) = jobstore.asked(jobs_pb.ExecuteJobsRequest)
    assert list(executed.job_ids) == ["of-the-sea"]
    assert jobstore.asked(jobs_pb.ListJobsRequest) == []


@pytest.mark.usefixtures("jobs", "agents")
@pytest.mark.parametrize(
    "arguments",
    [
        ["jobs", "list", "--agent", "01a2"],
        ["jobs", "create", "--title", "t", "--criteria", "c", "--agent", "01a2"],
        ["bulk", "cancel", "01a2", "--yes"],
        ["bulk", "assign", "poem", "--to", "01a2", "--yes"],
        ["batches", "create", "01a2"],
    ],
)
async def test_an_ambiguous_part_is_refused_wherever_ids_are_taken(signoff, jobstore, arguments):
    ran = await signoff(*arguments, "--json")
    assert (ran.status, '"code":"ambiguous_id"' in ran.err) == (2, True)
    assert (len(jobstore.jobs), jobstore.operations) == (4, {})


@pytest.mark.usefixtures("jobs", "agents")
async def test_each_list_shows_a_short_end_of_long_ids(signoff):
    batch = (await signoff("batches", "create", FIRST, "--json")).json["id"]
    for arguments, shown in (
        (["agents", "list"], {FIRST: "bdfa", SECOND: "1922"}),
        (["batches", "list"], {batch: batch[-4:]}),
        (["bulk", "list"], {batch: batch[-4:]}),
        (["bulk", "report", batch], {FIRST: "bdfa"}),
        (["bulk", "execute", FIRST, SECOND, "--dry-run"], {FIRST: "bdfa", SECOND: "1922"}),
        (["batches", "create", FIRST], {FIRST: "bdfa"}),  # it is refused
    ):
        lines = [line.split() for line in (await signoff(*arguments)).out.splitlines()]
        assert {line[0]: line[1] for line in lines if line[0] in shown} == shown, arguments


@pytest.fixture
def complete(env, monkeypatch):
    for name, value in env.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    def run(words: str) -> list[str]:
        typed = {"_SIGNOFF_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        return CliRunner().invoke(app, [], env={**os.environ, **typed}, prog_name="signoff").stdout.split()

    return run


@pytest.mark.usefixtures("jobs")
async def test_a_shell_completes_the_ids_of_jobs(complete):
    assert await asyncio.to_thread(complete, "signoff jobs get poe") == ["poem-of-the-sea", "poem"]
    assert await asyncio.to_thread(complete, "signoff jobs create --policy max_s") == ["max_submissions="]


@pytest.mark.usefixtures("jobs", "agents")
async def test_a_shell_completes_ids_wherever_they_are_taken(complete, signoff):
    batch = (await signoff("batches", "create", FIRST, "--json")).json["id"]
    for words, known in (
        ("jobs cancel poe", ["poem-of-the-sea", "poem"]),
        ("bulk execute poe", ["poem-of-the-sea", "poem"]),
        ("batches create poe", ["poem-of-the-sea", "poem"]),
        ("jobs list --agent 01a21833-1", [FIRST]),
        ("jobs create --agent 01a21833-1", [FIRST]),
        ("bulk assign --to 01a21833-1", [FIRST]),
        (f"jobs list --batch {batch[:6]}", [batch]),
        (f"bulk report {batch[:6]}", [batch]),
    ):
        assert await asyncio.to_thread(complete, f"signoff {words}") == known, words


@pytest.mark.parametrize("name", COMMANDS)
def test_whatever_takes_an_id_of_the_jobstore_is_completed(name):
    taken = {"JOB", "[JOB]...", "AGENT", "BATCH", "OPERATION"}
    ids = [each for each in COMMANDS[name].params if each.metavar in taken]
    elsewhere = name == "replay"  # which reads topics, and knows of no jobstore
    assert [each.name for each in ids if not (each._custom_shell_complete or elsewhere)] == []


def test_a_shell_is_told_of_no_ids_where_there_is_no_jobstore(complete, monkeypatch):
    monkeypatch.setenv("SIGNOFF_JOBSTORE", "127.0.0.1:9")
    assert complete("signoff jobs get poe") == []


async def test_the_endpoints_file_is_found_in_a_folder_above(
    signoff, jobstore_server, env, tmp_path: Path, monkeypatch
):
    (tmp_path / ".signoff").mkdir()
    text = f'{{"grpc": "{jobstore_server.address}", "token": "{env["SIGNOFF_TOKEN"]}"}}'
    (tmp_path / ".signoff" / "endpoints.json").write_text(text)
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    env |= {"SIGNOFF_JOBSTORE": None, "SIGNOFF_TOKEN": None}
    assert (await signoff("jobs", "list")).status == 0
    monkeypatch.setattr(
        os, "getuid", lambda: 12345
    )  # it is another user's: whoever wrote it does not say where jobs go
    if (tmp_path / ".signoff").stat().st_uid:
        assert "no jobstore is known" in (await signoff("jobs", "list")).err
