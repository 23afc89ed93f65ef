"""docs/protocol.md and the pages below it say what the code does: their tables are read and compared."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from contracts.topics import TOPICS
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.transitions import RULES
from signoff.status import JobStatus
from signoff.v1 import (
    agent_service_pb2,
    identity_service_pb2,
    job_service_pb2,
    judge_service_pb2,
    judging_service_pb2,
    keeping_service_pb2,
    operations_service_pb2,
    receipt_service_pb2,
)
from signoff.worker.v1 import work_service_pb2

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGE = "\n".join(path.read_text("utf-8") for path in [DOCS / "protocol.md", *(DOCS / "protocol").glob("*.md")])
SERVICES = {
    service.name: service
    for module in (
        agent_service_pb2,
        identity_service_pb2,
        job_service_pb2,
        judge_service_pb2,
        judging_service_pb2,
        keeping_service_pb2,
        operations_service_pb2,
        receipt_service_pb2,
        work_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
}
SOURCES = [*(ROOT / "services").rglob("*.py")]
#: It asks whether the job's execution is live only after the table, which also lets IN_PROGRESS pass.
EDITED_TOO = {JobStatus.IN_PROGRESS}


def section(title: str) -> str:
    _, _, rest = PAGE.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_states_has_the_sources_of_every_transition() -> None:
    said = {row[0].strip("`"): set(row[1].split(", ")) - {"-"} for row in rows("States of a job")}
    known = {kind.value: {status.value for status in rule.sources} for kind, rule in RULES.items()}
    known[TransitionKind.CREATED] = set()
    known[TransitionKind.EDITED] -= EDITED_TOO
    assert said == known


def test_the_table_of_topics_is_the_catalogue() -> None:
    said = {row[0].strip("`"): row[2] for row in rows("Topics")}
    for name, topic in TOPICS.items():
        kept = "for ever" if topic.retention is None else f"{topic.retention.days} days"
        assert said.get(name, said["<topic>-dlq"] if name.endswith("-dlq") else None) == kept, name
    assert set(said) - {"<topic>-dlq"} == {name for name in TOPICS if not name.endswith("-dlq")}


@pytest.mark.parametrize("name", SERVICES)
def test_every_call_of_a_service_is_named(name: str) -> None:
    (line,) = re.findall(rf"^- `{name}`.*?(?=^- |^\*\*|\Z)", section("gRPC"), re.MULTILINE | re.DOTALL)
    assert [method for method in SERVICES[name].methods_by_name if not re.search(rf"\b{method}\b", line)] == []


def test_the_rules_of_the_models_are_those_that_the_page_says_can_be_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs" / "model"), *sys.path])
    modelled = runpy.run_path(str(ROOT / "docs" / "model" / "__main__.py"))["WITHOUT"]
    switched, _, _ = section("Rules").partition("\nThe models have no switch for these:")
    assert re.findall(r"^- \*\*`([a-z-]+)`\*\*", switched, re.MULTILINE) == list(modelled)
    assert ("The first twenty-eight" in switched, len(modelled)) == (True, 28)


@pytest.mark.parametrize("rule", re.findall(r"^- \*\*`([a-z-]+)`\*\*", section("Rules"), re.MULTILINE))
def test_what_keeps_a_rule_is_where_the_page_says(rule: str) -> None:
    """The names after `In` stand in the files that are named there."""
    _, _, paragraph = section("Rules").partition(f"- **`{rule}`**")
    _, _, kept_in = paragraph.partition("\n\n")[0].partition("\n- **`")[0].partition("*In*")
    names = [name.rpartition(".")[2] for name in re.findall(r"`([\w.]+)`", kept_in)]
    files = set(re.findall(r"[\w/]+\.py\b", re.sub(r"\]\([^)]*\)", "]", kept_in)))
    sources = [path for path in SOURCES for name in files if f"/{path}".endswith(f"/{name}")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    assert len(sources) == len(files) > 0
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []
