"""Rebuild: a database made again from the facts in Kafka is the same, and its live jobs go on."""

import json
from collections.abc import AsyncIterator
from typing import Any, Self

import asyncpg
import pytest
from msgspec import MsgspecError
from sqlalchemy import text
from support.jobstore.steps import Steps, verdict
from told_facts import TOPICS, Facts, Since, list_definitions, rebuilding, verified
from told_lives import claimed_and_judged

from contracts.signing import is_marker
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.recovery import rebuild
from jobstore.recovery.fact_parsing import read_as_known
from jobstore.recovery.rebuild import OpenHistory
from jobstore.subjects import STORES
from servicekit.errors import PermanentError
from servicekit.kafka.history import Record
from signoff.status import Outcome, ReportKind


async def test_a_database_made_again_from_the_facts_is_the_same(rebuilt_url: str, database_url: str) -> None:
    result = await verified(rebuilt_url, database_url)
    assert result["ok"], result
    assert (result["ended"], result["behind"]) == (3, 0)
    assert all(count > 2 for count in result["counts"].values())


async def test_a_rebuilt_database_has_every_index_and_constraint(rebuilt_url: str, database_url: str) -> None:
    found = await list_definitions(rebuilt_url)
    assert found == await list_definitions(database_url)
    assert any("jobs_labels_idx" in definition for definition in found)


async def test_what_every_life_tells_is_read_fast(history: OpenHistory) -> None:
    left = []
    async with history(rebuild.JOBS) as topic:
        async for records in topic.read(await topic.offsets()):
            for record in records:
                try:
                    read_as_known(record.value)
                except MsgspecError:
                    if not is_marker(record):
                        left.append(record.value)
    assert not left


async def test_a_topic_that_was_begun_again_and_holds_rubbish_makes_the_same_database(
    database: Database,
    database_url: str,
    facts: Facts,
    history: OpenHistory,
    target: tuple[Database, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Since, "rubbish", [None, b"no json", b"{}", b'{"job_id":"a","version":1}', b"\xff"])
    for _ in range(2):
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE relay SET published_seq = 0"))
        await facts.relay(database)
    again, url = target
    result = await rebuilding(again, history).run()
    assert (result["unreadable"] >= 15, result["gaps"]) == (True, 0)
    assert (await verified(url, database_url))["ok"]


async def test_what_was_live_is_queued_again_and_goes_on_unless_its_agent_must_not_be_called_twice(
    live: dict[str, Steps], runner: CommandRunner, history: OpenHistory, target: tuple[Database, str]
) -> None:
    database, _ = target
    result = await rebuilding(database, history).run()
    assert (result["queued"], result["failed"]) == (9, 3)
    anew = {name: _in(steps, database, runner) for name, steps in live.items()}
    for name in ("once, queued", "once, running", "found, and forgotten"):
        last = (await anew[name].logs())[-1]
        assert ((await anew[name].job()).status, last.code) == ("FAILED", "rebuilt")
        assert (await anew[name].claim()).outcome == "DUPLICATE"
    for name in ("queued", "running", "in progress"):
        before = await live[name].row()
        row = await anew[name].row()
        assert (row.stage, row.state, row.attempt) == ("EXECUTING", "QUEUED", before.attempt)
        assert row.lease > before.lease + 100
        assert (await anew[name].result(before.lease or 1)).code in {"fenced", "illegal_transition"}
        await claimed_and_judged(anew[name], Outcome.PASS)
        assert (await anew[name].job()).status == "COMPLETED"
    for name in ("judging", "once, judging"):
        row = await anew[name].row()
        assert (row.stage, row.state) == ("JUDGING", "QUEUED")
        judged = await anew[name].claim_judging(row.result_lease)
        assert judged.execution is not None
        await anew[name].report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict())
        assert (await anew[name].job()).status == "COMPLETED"
    found, before = await anew["once, found"].row(), await live["once, found"].row()
    assert (found.state, found.follows_only, found.handle) == ("QUEUED", True, "resp_\u00e4 1")
    kept = ("protocol", "settings_hash", "flow", "handle", "spent")
    assert [getattr(found, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (await anew["once, found"].claim(protocols=("http",))).code == "protocol_not_called"
    refused = await anew["refused"].claim()
    assert (refused.outcome, refused.code) == ("REFUSED", "illegal_transition")
    assert (await anew["cancelled before it came"].claim()).outcome in {"DUPLICATE", "REFUSED"}


def _in(steps: Steps, database: Database, runner: CommandRunner) -> Steps:
    """The same life in another database."""
    same = Steps(database, CommandRunner(database, STORES, runner.terms))
    same.job_id, same.execution_id = steps.job_id, steps.execution_id
    return same


async def test_what_happens_afterwards_is_published_behind_what_was(
    runner: CommandRunner, history: OpenHistory, target: tuple[Database, str]
) -> None:
    database, _ = target
    await rebuilding(database, history).run()
    async with database.session() as session:
        told = (await session.execute(text("SELECT published_seq, offsets FROM relay"))).one()
        new = list(await session.scalars(text("SELECT kind FROM job_logs WHERE seq > :s"), {"s": told.published_seq}))
    assert new == ["rebuilt"] * 3
    assert {place.partition("/")[0] for place in json.loads(told.offsets)} == set(TOPICS)
    await _in(Steps(database, runner), database, runner).created()


async def test_only_an_empty_database_is_filled(history: OpenHistory, target: tuple[Database, str]) -> None:
    database, _ = target
    async with database.transaction() as connection:
        await connection.execute(text("CREATE TABLE something (n int)"))
    with pytest.raises(PermanentError, match="something else"):
        await rebuilding(database, history).run()
    async with database.transaction() as connection:
        await connection.execute(text("DROP TABLE something"))
    await rebuilding(database, history).run()
    with pytest.raises(PermanentError, match="not empty: it holds rows in agents, agent_settings, jobs") as error:
        await rebuilding(database, history).run()
    assert error.value.code == "database_not_empty"


async def test_a_version_that_is_missing_is_told_and_nothing_is_filled_unless_that_is_accepted(
    live: dict[str, Steps], history: OpenHistory, target: tuple[Database, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, _ = target
    lost = live["completed"].job_id

    def drops(record: Record) -> bool:
        return b'"version":3,' in record.value and record.key == lost.encode()

    monkeypatch.setattr(Since, "drops", staticmethod(drops))
    with pytest.raises(PermanentError, match=lost):
        await rebuilding(database, history).run()
    async with database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM agents")) == 0
    result = await rebuilding(database, history, accept_gaps=True).run()
    assert result["gaps"] == 1
    async with database.session() as session:
        assert await session.scalar(text("SELECT version FROM jobs WHERE id = :id"), {"id": lost}) == 2


@pytest.mark.parametrize("how", ["before is gone", "all comes again"])
async def test_a_job_that_was_removed_stays_removed(
    history: OpenHistory,
    target: tuple[Database, str],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    """Its last fact needs none before it, and those that are read again behind it change nothing."""
    database, url = target
    gone = {row["job_id"].encode() for row in await list_removed(database_url)}
    assert len(gone) == 3
    if how == "before is gone":
        monkeypatch.setattr(Since, "drops", staticmethod(lambda r: r.key in gone and b'"removed":{' not in r.value))
        await rebuilding(database, history).run()
    else:
        monkeypatch.setattr(rebuild, "BATCH", 1)
        await rebuilding(database, lambda topic: Twice(history(topic))).run()  # type: ignore[arg-type, return-value]
    assert (await verified(url, database_url))["ok"]
    assert [row["version"] for row in await list_removed(url)] == [
        r["version"] for r in await list_removed(database_url)
    ]


class Twice:
    """A topic that has each of its records again, behind all others: as after a publication from the first one on."""

    def __init__(self, history: Any) -> None:
        self._history = history

    def __getattr__(self, name: str) -> Any:
        return getattr(self._history, name)

    async def __aenter__(self) -> Self:
        await self._history.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._history.__aexit__(*error)

    async def read(self, offsets: Any) -> AsyncIterator[list[Record]]:
        for _ in range(2):
            async for records in self._history.read(offsets):
                yield records


async def list_removed(url: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch("SELECT * FROM job_logs WHERE kind = 'removed' ORDER BY seq"))
    finally:
        await connection.close()


async def test_one_fact_at_a_time_makes_the_same_database_as_many_at_once(
    history: OpenHistory, target: tuple[Database, str], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "BATCH", 1)
    database, url = target
    await rebuilding(database, history).run()
    assert (await verified(url, database_url))["ok"]
