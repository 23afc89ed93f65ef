"""State is written by the engine alone, apart from what docs/protocol.md#one-gate names with its reason."""

import re
from collections import defaultdict
from pathlib import Path

from test_protocol_page import rows

JOBSTORE = Path(__file__).parents[2] / "services" / "jobstore" / "jobstore"
#: Where the runner's commands are written, and what makes the tables.
ENGINE = ("storage/work/", "storage/migrations/")
TABLE = "(?P<table>jobs|job_logs|agents|limits|operations|operation_items|executions)"
#: In SQL, by SQLAlchemy's methods and functions, and by our own `sql.insert`.
WRITES = re.compile(
    rf"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+(?:ONLY\s+)?{TABLE}\b"
    rf"|(?<!self\.)\b{TABLE.replace('table', 'called')}(?:\.c)?\.(?:insert|update|delete)\("
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
