"""What a command imports: the start of a command is most of the time that it takes."""

import asyncio
import os
import sys

import pytest

from cli.__main__ import COMMANDS, load_command
from contracts.resources import NewJob

#: None of these is needed to ask something of the jobstore and show the answer.
HEAVY = {
    "aiohttp",
    "aiokafka",
    "asyncpg",
    "faststream",
    "localstack",
    "pydantic",
    "pydantic_core",
    "rich",
    "sqlalchemy",
}
#: By command, how many modules it may import, and which heavy ones. Raise a bound only for what the command needs.
BOUNDS = {
    "--help": (170, set()),
    "jobs --help": (350, set()),
    "jobs list": (380, set()),
    "jobs list --json": (380, set()),
    "jobs list --status FAILED --json": (380, set()),
    "jobs get poem": (380, set()),
    "jobs logs poem": (380, set()),
    "jobs create --title t --criteria c": (480, {"pydantic", "pydantic_core"}),  # it checks a job before it is sent
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
    modules = out.decode().rpartition("\nmodules: ")[2].split()
    most, heavy = BOUNDS[command]
    assert {name.partition(".")[0] for name in modules} & HEAVY == heavy
    assert len(modules) <= most


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_what_they_say_of_themselves(name):
    command = load_command(name)
    assert COMMANDS[name].summary == (command.short_help or command.help)


async def test_words_are_completed_as_before(signoff): ...
