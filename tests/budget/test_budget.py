"""A life stays within its budget: what it asks of PostgreSQL and Kafka is counted, exactly, on the real ones."""

import math
import subprocess
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

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


STORED, WARM_UP, LIVES = 5_000, 3, 20
CONSUMERS = ("jobstore", "executor", "validator")
#: As in a young stack: without statistics, which would come at some time in the middle, with transactions of their own.
_WITHOUT_AUTOVACUUM = ("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")


class Counted(NamedTuple):
    """Of lives: the largest count of each kind; what the dearest asked for; the least that each service committed."""

    largest: dict[str, int]
    asked: list[tuple[str, int]]
    committed: dict[str, int]


def read_budget(text: str) -> dict[str, dict[str, int | str]]:
    return tomllib.loads(text)


def run_git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    server = Judge()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: Judge) -> Counted:
    """What lives beside stored jobs ask for."""
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
    asked = Counter(f"{note.kind} {note.what[:100]}" for note in dearest.notes).most_common()
    commits = [Counter(note.service for note in life.notes if note.kind == "offsetcommit") for life in lives]
    return Counted(largest, asked, {service: min(each[service] for each in commits) for service in CONSUMERS})


@pytest.mark.real
@pytest.mark.timeout(300)
async def test_a_life_stays_within_its_budget(counted: Counted) -> None:
    budget = {name: line["most"] for name, line in read_budget(BUDGET.read_text()).items()}
    assert counted.largest.keys() == budget.keys()
    exceeded = {name: f"{most}, not {budget[name]}" for name, most in counted.largest.items() if most > budget[name]}
    assert exceeded == {}, f"{counted.largest}, {counted.asked}"
    assert min(counted.committed.values()) >= 1, f"a life ended before its commits: {counted.committed}"


def test_each_line_of_the_budget_says_why() -> None:
    lines = read_budget(BUDGET.read_text())
    assert [name for name, line in lines.items() if line.keys() != {"most", "reason"} or not line["reason"]] == []


def test_whoever_raises_a_line_writes_why() -> None:
    """In whatever commit: a later one hides nothing."""
    try:
        run_git(ROOT, "rev-parse", "HEAD")
    except subprocess.CalledProcessError:
        pytest.skip("there is no commit to compare with")
    assert find_raised_in_history(ROOT, BUDGET) == []


def test_a_raise_before_the_last_commits_is_found(tmp_path: Path) -> None:
    budget = tmp_path / "budget.toml"
    run_git(tmp_path, "init", "--quiet")
    for most in (5, 9, 8):
        budget.write_text(f'[facts]\nmost = {most}\nreason = "so many transitions"\n')
        run_git(tmp_path, "add", ".")
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        run_git(tmp_path, *author, "commit", "--quiet", "--message", f"{most}")
    raised = run_git(tmp_path, "rev-parse", "HEAD~1").strip()
    assert find_raised_in_history(tmp_path, budget) == [f"{raised}: facts"]
    budget.write_text('[facts]\nmost = 9\nreason = "so many transitions"\n')
    assert find_raised_in_history(tmp_path, budget) == ["not committed yet: facts", f"{raised}: facts"]


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


def find_raised_in_history(root: Path, budget: Path) -> list[str]:
    """Return which commit raised which line without a new reason: above what each commit before it had."""
    path = str(budget.relative_to(root))

    def read(commit: str) -> dict[str, dict[str, int | str]]:
        return read_budget(run_git(root, "show", f"{commit}:{path}"))

    lines = run_git(root, "rev-list", "--parents", "HEAD", "--", path).splitlines()
    changes = [("not committed yet", read_budget(budget.read_text()), ["HEAD"])]
    changes += [(commit, read(commit), parents) for commit, *parents in map(str.split, lines) if parents]
    return [
        f"{commit}: {name}"
        for commit, now, parents in changes
        for name in now
        if all(name in find_raised_without_reason(read(parent), now) for parent in parents)
    ]
