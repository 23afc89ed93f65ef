"""docs/actions.md names every command, route and call that there is, and none that there is not."""

import json
import re
from pathlib import Path

import pytest
from support.commands import list_commands
from test_protocol_page import SERVICES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "actions.md").read_text("utf-8")
OPENAPI = json.loads((ROOT / "services" / "console" / "web" / "openapi.json").read_text("utf-8"))
DOORS = ["CLI", "REST", "gRPC"]
CLI = list_commands()
REST = {f"{method.upper()} {path}" for path, methods in OPENAPI["paths"].items() for method in methods}
GRPC = {method for service in SERVICES.values() for method in service.methods_by_name}


def read_cells(door: str) -> list[str]:
    """Return what the page names in the column of a door."""
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
    tables = {tuple(cell.strip() for cell in row) for row in rows if row[0].strip() == "action"}
    assert tables == {("action", "page", *DOORS)}, "every table has the same columns"
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row[2 + DOORS.index(door)])]


@pytest.mark.parametrize(("door", "there_are"), [("CLI", set(CLI)), ("REST", REST), ("gRPC", GRPC)])
def test_what_can_be_done_at_a_door_is_on_the_page_and_nothing_else(door: str, there_are: set[str]) -> None:
    named = {name.partition(" --")[0] for name in read_cells(door)}
    missing, unknown = sorted(there_are - named), sorted(named - there_are)
    assert not missing, (
        f"docs/actions.md lacks in the column {door}, at a row of its own or that of its action: {missing}"
    )
    assert not unknown, f"docs/actions.md names in the column {door} what does not exist: {unknown}"


def test_each_option_that_the_page_names_is_one_of_its_command() -> None:
    named = [name.split(" --") for name in read_cells("CLI") if " --" in name]
    options = {
        name: {option for parameter in command.params for option in parameter.opts} for name, command in CLI.items()
    }
    assert [(name, option) for name, option in named if f"--{option}" not in options[name]] == []
