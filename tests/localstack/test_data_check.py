"""`signoff up` goes on with what an earlier run left, or says what to do and changes nothing."""

import hashlib
from pathlib import Path

import pytest

from localstack.stack import StackSettings, run_stack

META = "#\ncluster.id=5L6g3nShT-eMCtK--X86sw\ndirectory.id=x\nnode.id={node}\nversion={version}\n"


def make_data(directory: Path, postgres: str, kafka: str) -> None:
    for name, text in {
        "postgres/data/PG_VERSION": f"{postgres}\n",
        "postgres/data/base/1/112": "rows",
        "kafka/data/meta.properties": kafka,
        "state.json": '{"ports": {}}',
        "logs/kafka.log": "a line",
    }.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)


def look(directory: Path) -> dict[str, tuple[int, int, str]]:
    """Everything in a directory: rights, time of its last change, and content."""
    return {
        str(path): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in [directory, *directory.rglob("*")]
    }


@pytest.mark.parametrize(
    ("postgres", "kafka", "told"),
    [
        ("17", META.format(node=1, version=1), ["PostgreSQL 17", "PostgreSQL 18", "upgrading.md", "--data-dir"]),
        ("19", META.format(node=1, version=1), ["PostgreSQL 19", "PostgreSQL 18"]),
        ("18", "broker.id=0\nversion=0\n", ["Kafka", "version=0", "version=1, node.id=1", "upgrading.md"]),
        ("18", META.format(node=2, version=1), ["node.id=2"]),
    ],
)
async def test_data_of_another_version_is_named_and_left_as_it_is(
    tmp_path: Path, postgres: str, kafka: str, told: list[str]
) -> None:
    make_data(tmp_path, postgres, kafka)
    before, messages = look(tmp_path), []
    assert await run_stack(StackSettings(tmp_path, progress=messages.append)) == 1
    (message,) = messages
    for words in ["nothing was changed", *told]:
        assert words in message
    assert look(tmp_path) == before
