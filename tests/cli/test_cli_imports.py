"""What a command imports: the start of a command is most of the time that it takes."""

import asyncio
import os
import sys

import pytest
from typer.testing import CliRunner

from cli.__main__ import COMMANDS, app, load_command
from contracts.resources import NewJob

#: None of these is needed to ask something of the jobstore and to show what it answers.
HEAVY = {
    *("aiohttp", "aiokafka", "asyncpg", "faststream", "localstack", "pydantic", "rich", "sqlalchemy"),
    *("google.protobuf.json_format", "contracts.resources"),
}
#: By command: how many modules it may import, and which heavy ones. Raise a bound only for what the command needs.
BOUNDS = {
    "--help": (165, set()),
    "jobs --help": (344, set()),
    "jobs list --status FAILED --label a=b --limit 5 --json": (344, set()),
    "jobs logs poem": (344, set()),
    "jobs execute poem": (344, set()),
    "agents list": (344, set()),
    "limits list": (344, set()),
    # A job is checked before it is sent.
    "jobs create --title t --criteria c": (459, {"pydantic", "contracts.resources"}),
}
_RUN = """
import atexit, sys
atexit.register(lambda: print("\\nmodules:", *sys.modules))
from cli.__main__ import main
main()
"""


@pytest.mark.parametrize("command", BOUNDS)
async def test_a_command_imports_only_what_it_needs(jobstore, env, command):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    environment = {name: value for name, value in {**os.environ, **env}.items() if value is not None}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUN, *command.split(), env=environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    modules = set(out.decode().rpartition("\nmodules: ")[2].split())
    most, heavy = BOUNDS[command]
    assert modules & HEAVY == heavy
    assert len(modules) <= most


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_what_they_say_of_themselves(name):
    command = load_command(name)
    assert COMMANDS[name].summary == (command.short_help or command.help)


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("signoff do", ["doctor"]),
        ("signoff jobs l", ["list", "logs"]),
        ("signoff jobs list --stat", ["--status"]),
        ("signoff jobs list --status CO", ["COMPLETED"]),
    ],
)
def test_a_shell_completes_what_is_not_imported_yet(words, completions):
    typed = {"_SIGNOFF_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = CliRunner().invoke(app, [], env=typed, prog_name="signoff")
    assert result.stdout.split() == completions


@pytest.mark.parametrize(("arguments", "suggestion"), [(["job"], "jobs"), (["jobs", "lst"], "list")])
async def test_an_unknown_command_is_told_the_nearest(signoff, arguments, suggestion):
    ran = await signoff(*arguments)
    assert (ran.status, f"Did you mean '{suggestion}'?" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["jobs", "get"], "Missing argument 'JOB'"),
        (["jobs", "list", "--limit", "x"], "must be a whole number"),
        (["jobs", "list", "--limit", "0"], "must be at least 1"),
        (["jobs", "watch", "poem", "--timeout", "-1"], "must be at least 0"),
        (["jobs", "list", "--status", "DONE"], "Invalid value for '--status': 'DONE' is not one of"),
    ],
)
async def test_a_value_that_is_wrong_is_told_in_our_own_words(signoff, arguments, error):
    ran = await signoff(*arguments)
    assert ran.status == 2
    assert error in ran.err


async def test_a_value_is_taken_as_its_type_whichever_way_it_is_written(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    for arguments in (["--limit", "7", "--status", "ASSIGNED"], ["--limit", " 7", "--status", "assigned"]):
        ran = await signoff("jobs", "list", *arguments, "--json")
        assert [item["id"] for item in ran.json["items"]] == ["poem"]
        assert jobstore.requests[-1].page_size == 7
