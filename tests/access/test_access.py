"""Every door answers each credential as the table of permissions says; what is not walked fails."""

import pytest
from support.real_console import real_console

from access.commands import ALIKE, COMMANDS, LOCAL, list_commands
from access.walk import find_unlisted, walk
from localstack.backing import Infrastructure


def test_each_command_is_walked_or_is_local() -> None:
    commands = set(list_commands())
    assert LOCAL - {"completion"} <= commands
    assert commands - LOCAL - ALIKE - COMMANDS.keys() == set()
    assert (COMMANDS.keys() | ALIKE) - commands == set()


@pytest.mark.timeout(600)
async def test_every_door_answers_each_credential_as_the_table_says(servers: Infrastructure) -> None:
    async with real_console(servers.postgres) as console:
        report = await walk(console)
    assert report.differences == []
    assert find_unlisted([*report.rows]) == set()
