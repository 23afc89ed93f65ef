"""A life stays within its budget: what it asks of PostgreSQL and Kafka is counted, exactly, on the real ones."""

import math
import subprocess
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from measuring import counting
from measuring.alone import run_alone
from measuring.counting import RequestCounter
from measuring.seeding import skip_facts, store_jobs, while_stopped
from support.system import Agent, Judge, running

from contracts.resources import NewAgent

ROOT = Path(__file__).parents[2]
BUDGET = ROOT / "benchmarks" / "budget.toml"
Counted = tuple[dict[str, int], list[tuple[str, int]]]
STORED, WARM_UP, LIVES = 5_000, 3, 20
#: As in a young stack: without statistics, which would come at some time in the middle, with transactions of their own.
_WITHOUT_AUTOVACUUM = ("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")


def read_budget(text: str) -> dict[str, dict[str, int | str]]:
    return tomllib.loads(text)


def read_committed(revision: str) -> str | None:
    shown = ["git", "show", f"{revision}:benchmarks/budget.toml"]
    ran = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=False)
    return None if ran.returncode else ran.stdout


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    server = Judge()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: Judge) -> Counted:
    """The largest count of each kind, of lives beside stored jobs; what the life with most statements asked for."""
    counter, data, agent = RequestCounter(tmp_path / "counts"), tmp_path / "signoff", Agent()
    data.mkdir()
    monkeypatch.setenv("PYTHONPATH", counter.path)
    async with agent.serving(), running(data, judge) as system:
        await system.client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        database = await asyncpg.connect(system.endpoints["postgres"])
        for statement in _WITHOUT_AUTOVACUUM:
            await database.execute(statement)
        before: dict[str, int] = {}

        async def store() -> None:
            await store_jobs(database, STORED)
            await skip_facts(database)
            before.update(await counting.count_scanned_rows(database))

        await while_stopped(lambda: system.endpoints["processes"], system.client, store)
        async with run_alone(system.client, system.endpoints["kafka"], counter, "agent") as alone:
            lives = [await alone.run() for _ in range(WARM_UP + LIVES)][WARM_UP:]
        after = await counting.count_all_scanned_rows(database, system.endpoints["processes"]["jobstore"])
        scanned = sum(after.values()) - sum(before.values())
        await database.close()
    counts = [life.counts for life in lives]
    largest = {name: max(each[name] for each in counts) for name in counts[0]}
    largest["scanned_rows"] = math.ceil(scanned / (WARM_UP + LIVES))
    dearest = max(lives, key=lambda life: life.counts["statements"])
    return largest, Counter(f"{note.kind} {note.what[:100]}" for note in dearest.notes).most_common()


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_a_life_stays_within_its_budget(counted: Counted) -> None:
    budget = {name: line["most"] for name, line in read_budget(BUDGET.read_text()).items()}
    largest, asked = counted
    assert largest.keys() == budget.keys()
    exceeded = {name: f"{most}, not {budget[name]}" for name, most in largest.items() if most > budget[name]}
    assert exceeded == {}, f"{largest}, {asked}"


def test_each_line_of_the_budget_says_why() -> None:
    lines = read_budget(BUDGET.read_text())
    assert [name for name, line in lines.items() if line.keys() != {"most", "reason"} or not line["reason"]] == []


def test_whoever_raises_a_line_writes_why() -> None:
    """Against the last commit, or the one before the last that touched it where nothing has changed since."""
    now, before = BUDGET.read_text(), read_committed("HEAD")
    if before == now:
        listed = ["git", "log", "-2", "--format=%H", "--", "benchmarks/budget.toml"]
        ran = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=False)
        before = read_committed(ran.stdout.split()[-1]) if ran.stdout else None
    if before is None:
        pytest.skip("there is no commit to compare with")
    assert find_raised_without_reason(read_budget(before), read_budget(now)) == []


def test_a_line_that_is_raised_without_a_new_reason_is_found() -> None:
    before = {"facts": {"most": 5, "reason": "so many transitions"}, "fetch": {"most": 3, "reason": "three topics"}}
    now = {"facts": {"most": 6, "reason": "so many transitions"}, "fetch": {"most": 2, "reason": "three topics"}}
    assert find_raised_without_reason(before, now) == ["facts"]
    now["facts"]["reason"] = "progress is a transition"
    assert find_raised_without_reason(before, now) == []


def find_raised_without_reason(
    before: dict[str, dict[str, int | str]], now: dict[str, dict[str, int | str]]
) -> list[str]:
    both = before.keys() & now.keys()
    raised = [name for name in both if int(now[name]["most"]) > int(before[name]["most"])]
    return [name for name in raised if now[name]["reason"] == before[name]["reason"]]
