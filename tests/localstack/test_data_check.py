"""`signoff up` goes on with what an earlier run left, or says what to do and changes nothing."""

import hashlib
import re
from pathlib import Path

import asyncpg
import pytest
from support.free_ports import free_port

from localstack.backing import infrastructure
from localstack.postgres import find_binaries
from localstack.process import find_unprivileged_account, run
from localstack.stack import StackSettings, run_stack

UPGRADING = Path(__file__).parents[2] / "docs" / "operations" / "upgrading.md"

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


@pytest.mark.real
async def test_the_commands_that_move_a_database_to_another_version_keep_it(tmp_path: Path) -> None:
    """With the same version as the older and the newer one, since no other is at hand."""
    with infrastructure(tmp_path) as running:
        session = await asyncpg.connect(running.postgres)
        await session.execute("CREATE TABLE kept AS SELECT uuidv7() AS id FROM generate_series(1, 100)")
        await session.close()
        password = re.search(r"signoff:([^@]+)@", running.postgres)
    assert password is not None
    (commands,) = re.findall(r"```sh\n(.*?)```", UPGRADING.read_text(), re.DOTALL)
    told = {"DATA": tmp_path, "OLD": find_binaries(), "NEW": find_binaries(), "PGPASSWORD": password[1]}
    script = "set -eu\n" + "".join(f"export {name}='{value}'\n" for name, value in told.items()) + commands
    await run("/bin/bash", "-c", script.replace("5433", str(free_port())), account=find_unprivileged_account())
    with infrastructure(tmp_path) as running:
        session = await asyncpg.connect(running.postgres)
        assert await session.fetchval("SELECT count(*) FROM kept") == 100
        await session.close()
