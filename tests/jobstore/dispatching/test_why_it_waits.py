"""Why an execution waits is what the dispatcher does, on the real tables, in worlds of limits, circuits and room.

Whoever is offered had no reason but its turn, and whoever is held back has one.
"""

import random
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_limit
from support.jobstore.terms import TERMS

from contracts.resources import NewLimit
from contracts.waiting import WaitCode
from jobstore.engine.database import Database
from jobstore.engine.parts import UnitOfWork
from jobstore.executions.offers import FairQueue, OfferTerms
from jobstore.executions.rows import Executions, WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.insights.processes import Report
from jobstore.jobs.model import Clock, Execution, ExecutionStage, ExecutionState
from jobstore.jobs.waits import explain_jobs, list_waiting, sum_up_all
from jobstore.limits.rules import flow_of, wildcard
from jobstore.limits.store import WILDCARD
from jobstore.subjects import STORES
from signoff.types import Waiting

#: Codes that tell whose turn it is, and hold nothing back.
TURNS = {WaitCode.QUEUE, WaitCode.OFFERED}
OFFER_TERMS = OfferTerms(again_s=5.0, again_max_s=60.0, alive_s=60.0)
AGENTS, TENANTS, TEAMS, BATCHES = ("a1", "a2", "a3"), ("t1", "t2"), ("red", "blue"), (None, UUID(int=1), UUID(int=2))
NAMES = (
    *(f"agent:{each}" for each in (*AGENTS, "*")),
    *(f"tenant:{each}" for each in (*TENANTS, "*")),
    *(f"label:team={each}" for each in (*TEAMS, "*")),
    *(f"batch:{each}" for each in BATCHES if each),
)


class World:
    """Executions of all tenants, agents, teams and batches, under limits, circuits and workers as chance has it."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database, self.chance = database, random.Random(seed)
        self.ids: list[UUID] = []

    async def make(self) -> "World":
        async with self.database.transaction() as connection:
            for table in ("executions", "workers", "limits", "starts", "spending", "circuits", "job_logs", "jobs"):
                await connection.execute(text(f"DELETE FROM {table}"))
            await connection.execute(
                text(
                    "INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled) "
                    "SELECT id, id, 'http', 'http://127.0.0.1:1/', '{}', '{}', true "
                    "FROM unnest(CAST(:ids AS text[])) AS id ON CONFLICT DO NOTHING"
                ),
                {"ids": list(AGENTS)},
            )
            names = {name for name in NAMES if self.chance.random() < 0.35}
            for name in names:
                await put_limit(connection, name, self._make_limit(name))
            now = await connection.scalar(text("SELECT clock_timestamp()"))
            for name in ("agent:a1", "tenant:t1", "tenant:t2", "label:team=red"):
                await self._start(connection, name, now)
            for tenant in TENANTS:
                await self._spend(connection, tenant)
            for stage in ExecutionStage:
                if self.chance.random() < 0.85:
                    room = self.chance.choice([0, 1, 3, 40, 40])
                    capacity = room + self.chance.choice([0, 0, 10, 200])
                    called = self.chance.choice([(), ("http", "a2a"), ("http", "a2a", "openai")])
                    await note_worker(connection, uuid4(), WorkerRoom(stage, room, capacity, protocols=called))
            uow = UnitOfWork(TERMS, Clock(now, 10.0, 5.0))
            for number in range(30):
                uow[Executions].put(self._make_execution(names, now, number))
            await STORES.write(connection, uow)
            for agent in AGENTS:
                if self.chance.random() < 0.3:
                    await self._open_circuit(connection, agent, now)
            await connection.execute(
                text(
                    "INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, "
                    "agent_id, execution_id, live, not_met, priority, tenant, labels, policy, spec_hash, created_at, "
                    "updated_at) SELECT execution_id::text, '', '', '', 'null', 'ASSIGNED', 1, agent_id, "
                    "execution_id, true, 0, priority, tenant, '{}', '{}', '', now(), now() FROM executions"
                )
            )
        return self

    def _make_limit(self, name: str) -> NewLimit:
        fields: dict[str, Any] = {"paused": self.chance.random() < 0.2}
        if self.chance.random() < 0.6:
            fields["concurrency"] = self.chance.randrange(8)
        if self.chance.random() < 0.4:
            fields |= {"rate": self.chance.randrange(1, 8), "rate_period_s": 100.0}
        if name.startswith("tenant:") and self.chance.random() < 0.5:
            fields["usd_per_day"] = self.chance.choice(["1", "2", "3"])
        return NewLimit(**fields)

    async def _spend(self, connection: Any, tenant: str) -> None:
        """In two parts of this day, and the day before."""
        await connection.execute(
            text(
                "INSERT INTO spending SELECT CAST(now() AT TIME ZONE 'UTC' AS date) - age, :tenant, part, 500000000, "
                "CAST(:usd * 1000000000 AS bigint) FROM (VALUES (0, 0), (0, 1), (1, 0)) AS u(age, part)"
            ),
            {"tenant": tenant, "usd": self.chance.choice([0, 1])},
        )

    async def _start(self, connection: Any, name: str, now: datetime) -> None:
        for age_s in self.chance.sample([10, 50, 101, 110], 2):
            await connection.execute(
                text("INSERT INTO starts (name, began_at, count) VALUES (:name, :at, 2)"),
                {"name": name, "at": now - timedelta(seconds=age_s)},
            )

    async def _open_circuit(self, connection: Any, agent: str, now: datetime) -> None:
        until = now + timedelta(seconds=self.chance.choice([-5, -5, 100]))
        probe = self.chance.choice(
            [
                None,
                *await connection.scalars(
                    text("SELECT execution_id FROM executions WHERE agent_id = :a"), {"a": agent}
                ),
            ]
        )
        await connection.execute(
            text(
                "INSERT INTO circuits (agent_id, failures, opened, open_until, probe_id) VALUES (:a, 5, 1, :at, :probe)"
            ),
            {"a": agent, "at": until, "probe": probe},
        )

    def _make_execution(self, names: set[str], now: datetime, number: int) -> Execution:
        agent, batch, chance = self.chance.choice(AGENTS), self.chance.choice(BATCHES), self.chance
        labels = {"team": chance.choice(TEAMS)}
        made = uuid4()
        self.ids.append(made)
        return Execution(
            made,
            str(made),
            stage=ExecutionStage.EXECUTING,
            state=ExecutionState.QUEUED
            if number > 5
            else chance.choice([ExecutionState.LEASED, ExecutionState.OFFERED]),
            attempt=chance.choice([0, 0, 1]),
            lease=1,
            due_at=now + timedelta(seconds=chance.choice([-30, -20, -10, -10, -1, 100])),
            priority=chance.choice([4, 5, 6]),
            tenant=chance.choice(TENANTS),
            agent_id=agent,
            flow=flow_of(agent, labels, batch, names, chance.choice([None, None, "http_async", "openai", "a2a"])),
            batch_id=batch,
            policy={},
        )

    async def explain(self) -> dict[UUID, Waiting]:
        async with self.database.session() as session:
            known = await explain_jobs(session, [str(each) for each in self.ids], OFFER_TERMS.alive_s, places=True)
        return {UUID(job_id): waiting for job_id, waiting in known.items()}

    async def list_queued(self) -> set[UUID]:
        async with self.database.session() as session:
            return set(await session.scalars(text("SELECT execution_id FROM executions WHERE state = 'QUEUED'")))

    async def offer(self) -> list[UUID]:
        """What one dispatcher offers until there is no more, whatever was used up when it looked before."""
        queue, offered = FairQueue(used_up=self.chance.sample(NAMES, self.chance.choice([0, 3, len(NAMES)]))), []
        while True:
            async with self.database.transaction() as connection:
                more = await queue.offer(connection, 500, OFFER_TERMS)
            offered += [row.execution_id for row in more.rows]
            if not more.more:
                return offered


def holds_back(waiting: Waiting) -> list[str]:
    return [reason.code for reason in waiting.reasons if reason.code not in TURNS]


@pytest.mark.parametrize("seed", range(60))
async def test_whoever_is_offered_was_held_back_by_nothing_and_whoever_is_not_by_something(
    database: Database, seed: int
) -> None:
    world = await World(database, seed).make()
    before = await world.explain()
    queued = await world.list_queued()
    offered = await world.offer()
    after, left = await world.explain(), await world.list_queued()
    assert queued - left == {*offered}
    assert {each: codes for each in offered if (codes := holds_back(before[each]))} == {}
    assert [after[each] for each in left if not holds_back(after[each])] == []
    assert all(after[each].starts_at is None or len(after[each].reasons) == 1 for each in left)


@pytest.mark.parametrize("seed", range(5))
async def test_sums_count_what_each_is_told(database: Database, seed: int) -> None:
    world = await World(database, seed).make()
    told: dict[tuple[str, str], set[str]] = {}
    for execution_id, waiting in (await world.explain()).items():
        for reason in waiting.reasons[:1]:
            told.setdefault((reason.code, reason.name), set()).add(str(execution_id))
    async with database.session() as session:
        now = await sum_up_all(session, OFFER_TERMS.alive_s)
        for (code, name), job_ids in told.items():
            found = await list_waiting(session, [f"{code}:{name}"], OFFER_TERMS.alive_s, 100)
            assert (len(found), {*found}) == (len(job_ids), job_ids), "a filter finds what a sum counts"
        found = await list_waiting(session, [code for code, _ in told], OFFER_TERMS.alive_s, 100)
    assert {*found} == {*chain(*told.values())}
    assert {(each.code, each.name): each.count for each in now.sums} == {key: len(of) for key, of in told.items()}
    assert now.queued == len(await world.list_queued())


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([{"bound": "setting"}, {"bound": "memory"}], "start more executors, or give each a larger capacity"),
        ([{"bound": "memory", "partitions": 3}] * 2, "start more executors, or give each more memory"),
        ([{"bound": "memory", "partitions": 1}] * 2, "have more partitions than 2"),
        ([{"partitions": 1}, None], "start more executors, or give each a larger capacity"),
        ([{"paced": 1, "partitions": 9}, None], "start more executors, or give each a larger capacity"),
        ([{"paced": 20, "partitions": 9}, {"paced": 20}, None], "most asks wait for the pace"),
    ],
)
async def test_of_full_workers_it_is_told_what_they_report_as_their_bound(
    database: Database, reports: list[dict[str, Any] | None], words: str
) -> None:
    """None: an older one reports nothing of it. Of one that is silent nothing counts."""
    world = await World(database, 1).make()
    async with database.transaction() as connection:
        for table in ("limits", "circuits", "workers"):
            await connection.execute(text(f"DELETE FROM {table}"))
        for fields in ({"paced": 1_000, "partitions": 99, "bound": "memory"}, *reports):
            await connection.execute(
                text("UPDATE workers SET seen_at = now() - interval '1 hour' WHERE report->>'paced' = '1000'")
            )
            said = None if fields is None else Report(clock=datetime.now(UTC), **fields).model_dump_json()
            await note_worker(connection, uuid4(), WorkerRoom(ExecutionStage.EXECUTING, 0, 10, report=said))
    told = [reason.remedy for waiting in (await world.explain()).values() for reason in waiting.reasons]
    assert [remedy for remedy in told if remedy.startswith(words)]


async def test_places_are_those_in_which_the_queue_is_offered(database: Database) -> None:
    """Of one tenant and flow: higher priorities count as time waited, and equal ranks go by their ids."""
    world = await World(database, 1).make()
    async with database.transaction() as connection:
        for table in ("limits", "circuits", "starts", "workers"):
            await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(
            text(
                "UPDATE executions SET tenant = 't1', flow = '{agent:a1}', state = 'QUEUED', "
                "priority = (random() * 9)::int, "
                "due_at = date_trunc('minute', now()) - (random() * 5)::int * interval '1 minute'"
            )
        )
        await note_worker(connection, uuid4(), WorkerRoom(ExecutionStage.EXECUTING, 200, 200))
    places = {each: waiting.place for each, waiting in (await world.explain()).items()}
    offered = await world.offer()
    assert [places[each] for each in offered] == list(range(1, len(world.ids) + 1))


async def test_the_wildcard_of_a_name_is_that_of_the_domain(database: Database) -> None:
    names = ["label:team=a=b", "label:=x", "label:a:b=c\nd", "tenant:a:b", "agent:x", "batch:1", "tenant:a=b"]
    given = "unnest(CAST(:names AS text[])) WITH ORDINALITY AS names(name, n)"
    async with database.session() as session:
        rows = await session.scalars(text(f"SELECT {WILDCARD} FROM {given} ORDER BY n"), {"names": names})
    assert rows == [wildcard(name) for name in names]
