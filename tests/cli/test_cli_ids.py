"""Ids at the command line: shown whole, and taken by their beginning or end where that is unambiguous."""

import asyncio
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.short_ids import find_short_ends
from contracts.resources import NewAgent, NewJob
from signoff.v1 import job_service_pb2 as jobs_pb

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
    assert ran.status == 1
    assert '"code":"ambiguous_id"' in ran.err
    assert FIRST in ran.err
    assert SECOND in ran.err


@pytest.mark.usefixtures("jobs")
@pytest.mark.parametrize("given", ["dfa", "the-", "a21833-1", "a poem"])
async def test_too_short_a_part_or_one_from_the_midst_names_no_job(signoff, given):
    ran = await signoff("jobs", "get", given)
    assert (ran.status, "no job" in ran.err or "there is no job" in ran.err) == (1, True)


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
