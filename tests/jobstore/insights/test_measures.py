"""Metrics tell what entries of logs say, once, and name nobody beyond a bound."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
import scrape
from prometheus_client import REGISTRY
from prometheus_client.values import MutexValue
from sqlalchemy import text
from support.jobstore.steps import Steps, verdict

from contracts.resources import Usage
from contracts.traceparent import derive_trace_id
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.insights import measures
from jobstore.insights.measures import Told
from jobstore.insights.rollups import Rollups
from servicekit.metrics import NAMED, OTHER, Names, write
from signoff.status import Outcome, ReportKind

EXECUTION_ID = uuid4()
#: Series that a running jobstore has besides: of groups, topics, storages and what it samples.
ALSO_THERE = 150
#: How many values of metrics a life changes: as its reports are recorded, and once its entries are counted.
ON_THE_WAY, BEHIND = 6, 20


def read(name: str, registry: Any = REGISTRY, **labels: str) -> float:
    return registry.get_sample_value(f"signoff_{name}", labels) or 0.0


def entry(**fields: Any) -> Any:
    shown: dict[str, Any] = {
        "created_at": datetime.now(UTC),
        "execution_id": EXECUTION_ID,
        "tenant": "default",
        "agent_id": "an-agent",
        **dict.fromkeys(("judge", "judged_by", "code", "kind", "traceparent")),
        **dict.fromkeys(("tokens", "cost_nanos"), 0),
    }
    return SimpleNamespace(**shown | fields)


def note(column: str | None = None, times: dict[str, float] | None = None, **fields: Any) -> None:
    measures.note([Told(entry(**fields), column, (times or {}).items())])


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One agent, one judge, and one code are counted by themselves."""
    monkeypatch.setattr(measures, "_AGENTS", measures._AGENTS._replace(names=Names(1)))
    monkeypatch.setattr(measures, "_JUDGES", Names(1))
    monkeypatch.setattr(measures, "_CODES", Names(1))


async def test_a_life_is_told_by_its_times_its_end_its_verdict_and_its_cost(
    database: Database, runner: CommandRunner
) -> None:
    counting = Rollups(database)

    async def count() -> None:
        async with database.transaction() as connection:
            await connection.execute(
                text("UPDATE relay SET published_seq = (SELECT coalesce(max(seq), 0) FROM job_logs)")
            )
        while await counting.count():
            pass

    await count()
    names = {
        **{f"{name}_seconds_count": {} for name in ("execution_wait", "agent_call", "judging", "execution")},
        "jobs_created_total": {},
        "executions_ended_total": {"status": "completed"},
        "verdicts_total": {"outcome": "met"},
        "tokens_total": {},
        "cost_usd_total": {},
    }
    before = {name: read(name, **labels) for name, labels in names.items()}
    steps = Steps(database, runner)
    claimed = await steps.running()
    judging = await steps.claim_judging(claimed, duration_s=0.3)
    usage = Usage(input_tokens=5, output_tokens=2, cost_usd=0.25)
    lease, met = judging.execution.lease, verdict(Outcome.PASS)
    await steps.report(lease, ReportKind.VERDICT, verdict=met, usage=usage, duration_s=2.5)
    await count()
    told = {name: read(name, **labels) - before[name] for name, labels in names.items()}
    assert told == {**dict.fromkeys(names, 1.0), "tokens_total": 7.0, "cost_usd_total": 0.25}
    await count()
    assert read("jobs_created_total") == before["jobs_created_total"] + 1, "once"
    by_tenant = read("tenant_tokens_total", NAMED, tenant="default")
    assert by_tenant >= 7


@pytest.mark.parametrize("name", measures.TIMES)
def test_an_exemplar_names_the_execution_and_its_trace(name: str) -> None:
    given = "0af7651916cd43dd8448eb211c80319c"
    for traceparent, trace_id in ((f"00-{given}-b7ad6b7169203331-01", given), (None, derive_trace_id(EXECUTION_ID))):
        note(times={name: 0.2}, traceparent=traceparent)
        told = write("application/openmetrics-text; version=1.0.0", names=True)[0].decode()
        family = re.escape(measures.TIMES[name]._name)
        exemplar = re.escape(f'# {{execution_id="{EXECUTION_ID}",trace_id="{trace_id}"}} 0.2 ')
        assert re.search(rf'^{family}_bucket{{le="0.25"}} \S+ {exemplar}', told, re.MULTILINE)


@pytest.mark.usefixtures("few")
def test_beyond_the_bound_agents_judges_and_codes_are_counted_together() -> None:
    def count() -> list[float]:
        return [
            read("agent_executions_ended_total", NAMED, agent=OTHER, status="failed"),
            read("judge_verdicts_total", NAMED, judge=OTHER, outcome="unjudged"),
            read("executions_failed_total", code=OTHER),
        ]

    before = count()
    for number in range(3):
        named = {"agent_id": f"a{number}", "code": f"judge_{number}", "judge": "j", "judged_by": f"j{number}"}
        note("failed", **named)
    assert [after - had for after, had in zip(count(), before, strict=True)] == [2, 2, 2]


async def test_a_life_changes_so_many_values(
    database: Database, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/metrics.md says: on the way of the job, and behind its facts."""
    changes = list[object]()
    for name in ("inc", "set"):
        change = getattr(MutexValue, name)
        monkeypatch.setattr(MutexValue, name, lambda *given, change=change: (changes.append(given), change(*given)))
    counting, steps = Rollups(database), Steps(database, runner)
    judging = await steps.claim_judging(await steps.running(), duration_s=0.3)
    usage = Usage(input_tokens=5, output_tokens=2, cost_usd=0.25)
    lease, met = judging.execution.lease, verdict(Outcome.PASS)
    await steps.report(lease, ReportKind.VERDICT, verdict=met, usage=usage, duration_s=2.5)
    on_the_way = len(changes)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT coalesce(max(seq), 0) FROM job_logs)"))
        await connection.execute(
            text("UPDATE rollup SET seq = (SELECT min(seq) - 1 FROM job_logs WHERE job_id = :id)"), {"id": steps.job_id}
        )
    changes.clear()
    while await counting.count():
        pass
    assert (on_the_way, len(changes)) == (ON_THE_WAY, BEHIND)


def test_what_is_late_is_nothing_of_now() -> None:
    before = read("jobs_created_total")
    note("created", created_at=datetime.now(UTC) - timedelta(hours=2))
    assert read("jobs_created_total") == before
    note("created", agent_id=None)
    assert read("jobs_created_total") == before + 1


def test_ten_thousand_agents_and_a_thousand_tenants_are_few_series() -> None:
    """In a process that has met nothing else: in this one other tests have left theirs."""
    command = [sys.executable, Path(scrape.__file__), "--rounds", "1"]
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        assert 4_000 < json.loads(line)["series"] < 5_000 - ALSO_THERE


def test_of_entries_that_are_counted_together_the_first_of_each_bucket_is_the_example() -> None:
    first, second, slow = (uuid4() for _ in range(3))
    told = ((first, 7.0), (second, 8.0), (slow, 200.0))
    measures.note(Told(entry(execution_id=each), None, [("judgings", seconds)]) for each, seconds in told)
    shown = write("application/openmetrics-text; version=1.0.0", names=True)[0].decode()
    assert [str(each) in shown for each in (first, second, slow)] == [True, False, True]
