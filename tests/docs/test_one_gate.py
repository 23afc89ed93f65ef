"""State is written by the engine alone, apart from what docs/protocol.md#one-gate names; calls say who asked."""

import ast
import importlib
import re
from collections import defaultdict
from pathlib import Path

import pytest
from test_protocol_page import rows

from jobstore.commands.base import Command

JOBSTORE = Path(__file__).parents[2] / "services" / "jobstore" / "jobstore"
#: Where the runner's commands are written, and what makes the tables.
ENGINE = ("storage/work/", "storage/migrations/")
TABLE = "(?P<table>jobs|job_logs|agents|limits|operations|operation_items|executions|judging_versions|judging_moves)"
#: In SQL, by SQLAlchemy's methods and functions, by our own `sql.insert`, and as records that are copied.
WRITES = re.compile(
    rf"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?{TABLE}\b"
    rf"|(?<!self\.)\b{TABLE.replace('table', 'called')}(?:\.c)?\.(?:insert|update|delete)\("
    rf"|copy\w*\((?:\w+,\s*)?\"{TABLE.replace('table', 'copied')}\""
    rf"|\b(?:insert|update|delete)\(\s*\"?{TABLE.replace('table', 'passed')}\b",
    re.IGNORECASE,
)


def find_written(source: str) -> set[str]:
    """The tables of state that a module writes."""
    return {table for match in WRITES.finditer(source) for table in match.groupdict().values() if table}


def test_every_way_to_write_a_table_is_noticed() -> None:
    ways = [
        "INSERT INTO jobs (id)",
        "insert into jobs",
        'text(f"UPDATE jobs j SET")',
        "DELETE FROM\n    jobs WHERE",
        "tables.jobs.update()",
        "jobs.delete()",
        "insert(jobs)",
        "delete(\n    jobs,",
        'sql.insert("jobs", COLUMNS)',
        'driver.copy_records_to_table("jobs", records=rows)',
        '_copy(connection, "jobs", COLUMNS, rows)',
    ]
    assert [way for way in ways if find_written(way) != {"jobs"}] == []
    reads = ["SELECT FROM jobs FOR UPDATE", "updated_at, jobs", "last_update(job)", "self.jobs.update(ids)"]
    assert [read for read in reads if find_written(read)] == []


def test_nothing_but_the_engine_writes_state_apart_from_what_the_page_names() -> None:
    written: defaultdict[str, set[str]] = defaultdict(set)
    for path in JOBSTORE.rglob("*.py"):
        name = path.relative_to(JOBSTORE).as_posix()
        if not name.startswith(ENGINE) and (tables := find_written(path.read_text("utf-8"))):
            written[name] |= tables
    named = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[1])) for row in rows("One gate")}
    assert written == named


def find_unattributed(source: str) -> list[int]:
    """The lines where a command is made without its actor."""
    commands = {
        name.asname or name.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jobstore.commands.")
        for name in node.names
        if is_command(node.module or "", name.name)
    }
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in commands
        if "actor" not in {keyword.arg for keyword in node.keywords}
    ]


def is_command(module: str, name: str) -> bool:
    made = getattr(importlib.import_module(module), name)
    return isinstance(made, type) and issubclass(made, Command)


@pytest.mark.parametrize("path", sorted((JOBSTORE / "api").glob("*.py")), ids=lambda path: path.name)
def test_each_command_that_a_call_asks_for_names_who_asked(path: Path) -> None:
    assert find_unattributed(path.read_text("utf-8")) == []


def test_a_command_without_its_actor_is_noticed() -> None:
    imports = (
        "from jobstore.commands.limits import RemoveLimit\nfrom jobstore.commands.operations import check_batch_size"
    )
    source = f"{imports}\nRemoveLimit(name)\nRemoveLimit(name, actor=CALLER.get())\ncheck_batch_size(3)"
    assert find_unattributed(source) == [3]
