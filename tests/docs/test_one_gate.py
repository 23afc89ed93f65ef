"""State is written by the engine alone, apart from what docs/protocol/rules.md names; commands have an actor."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from test_protocol_page import PAGE, rows

import jobstore
from jobstore.engine.parts import Command
from jobstore.schema.tables import metadata

JOBSTORE = Path(__file__).parents[2] / "services" / "jobstore" / "jobstore"
#: Where the runner's commands are written, and what makes the tables.
STORES = ("agents", "jobs", "keeping", "limits", "operations", "tenants")
ENGINE = (*(f"{name}/store.py" for name in STORES), "schema/migrations/")
TABLE = rf"(?P<table>{'|'.join(sorted(metadata.tables))})"
#: In SQL, by SQLAlchemy's methods and functions, by our own `sql.insert`, and as records that are copied.
WRITES = re.compile(
    rf"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE|COPY)\s+(?:ONLY\s+)?{TABLE}\b"
    rf"|(?<!self\.)\b{TABLE.replace('table', 'called')}(?:\.c)?\.(?:insert|update|delete)\("
    rf"|copy\w*\((?:\w+,\s*)?[\"']{TABLE.replace('table', 'copied')}[\"']"
    rf"|\b(?:insert|update|delete)\(\s*[\"']?{TABLE.replace('table', 'passed')}\b",
    re.IGNORECASE,
)


def find_written(source: str) -> Counter[str]:
    """How often a module writes each table."""
    return Counter(table for match in WRITES.finditer(source) for table in match.groupdict().values() if table)


def test_every_way_to_write_a_table_is_noticed() -> None:
    ways = [
        "INSERT INTO jobs (id)",
        "insert into jobs",
        'text(f"UPDATE jobs j SET")',
        "DELETE FROM\n    jobs WHERE",
        "TRUNCATE jobs",
        "MERGE INTO jobs",
        "tables.jobs.update()",
        "jobs.delete()",
        "insert(jobs)",
        "delete(\n    jobs,",
        'sql.insert("jobs", COLUMNS)',
        "sql.insert('jobs', COLUMNS)",
        'driver.copy_records_to_table("jobs", records=rows)',
        '_copy(connection, "jobs", COLUMNS, rows)',
    ]
    assert [way for way in ways if find_written(way) != {"jobs": 1}] == []
    assert find_written("UPDATE judgings g SET; UPDATE judgings SET; INSERT INTO judging_moves") == {
        "judgings": 2,
        "judging_moves": 1,
    }
    reads = ["SELECT FROM jobs FOR UPDATE", "updated_at, jobs", "last_update(job)", "self.jobs.update(ids)"]
    assert [read for read in reads if find_written(read)] == []


def read_stateless() -> set[str]:
    """The tables of which the page says that they hold no state."""
    (named,) = re.findall(r"^Tables that hold no state of these \((.+?)\)", PAGE, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(\w+)`", named))


def test_nothing_but_the_engine_writes_state_apart_from_what_the_page_names() -> None:
    """What is not named there holds state, also in a table that is new."""
    stateless = read_stateless()
    assert stateless <= metadata.tables.keys()
    written = {
        path.relative_to(JOBSTORE).as_posix(): {
            table: count for table, count in find_written(path.read_text("utf-8")).items() if table not in stateless
        }
        for path in JOBSTORE.rglob("*.py")
    }
    named = {
        row[0].strip("`"): {table: int(count) for table, count in re.findall(r"`(\w+)` (\d+)", row[1])}
        for row in rows("Writers of state")
    }
    assert {name: tables for name, tables in written.items() if tables and not name.startswith(ENGINE)} == named


def list_commands(kind: type[Command[Any]] = Command) -> Iterator[type[Command[Any]]]:
    """Yield all commands that there are."""
    yield kind
    for each in kind.__subclasses__():
        yield from list_commands(each)


def test_no_command_can_be_made_without_who_asked() -> None:
    for module in pkgutil.walk_packages(jobstore.__path__, "jobstore."):
        if module.name.partition(".")[2].partition(".")[0] not in {"__main__", "schema"}:
            importlib.import_module(module.name)
    found = {command.__name__: inspect.signature(command).parameters["actor"] for command in list_commands()}
    assert len(found) > 30
    assert [name for name, actor in found.items() if actor.default is not actor.empty] == []
