"""Whatever a caller of one tenant asks for, another tenant's things are as if they were not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import pytest
from sqlalchemy import text
from support.jobstore.foreign import CANARY, REQUESTS, Things, ask, find_methods, walk
from support.jobstore.reused import Life
from support.jobstore.served import serving

from contracts.tokens import hash_token
from jobstore.access.callers import Caller
from jobstore.access.tokens import Tokens
from jobstore.engine import scoped
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.insights.rollups import Rollups
from jobstore.jobs import waits
from jobstore.jobs.model import Actor
from jobstore.jobs.texts import TextIndex
from jobstore.publishing.watches import Watches
from jobstore.schema.scopes import SCOPED
from signoff.status import Role

GAMES, PRESS, EVERYBODY = "of-games", "of-press", "of-all"
TENANTS = {GAMES: frozenset({"games"}), PRESS: frozenset({"press", "news"}), EVERYBODY: None}
BOTH = (True, False)
READS = [name for name in REQUESTS if name.startswith(("Get", "List", "Count", "Explain", "Watch", "Preview"))]
#: Tables that are read beside others alone, which show whose they are.
WITH_OTHERS = {
    *("agent_cards", "circuit_changes", "circuits", "job_logs", "job_texts", "operation_items", "spending"),
    *("judging_counts", "judging_evaluations", "judging_versions"),
}
#: It is kept by what is not served here, and has tests of its own.
UNNOTICED = {"audit"}
#: Of these nothing is made here.
UNMADE = {"GetRemovedJob", "ListAudit"}


@dataclass
class World:
    """One server, and what `games` has."""

    channel: grpc.aio.Channel
    there: Things

    async def make(self, name: str, by: str = GAMES, /, **fields: Any) -> dict[str, Any]:
        """Make something by a call of `games`, or of another token."""
        answer = await ask(self.channel, find_methods()[name], self.there.fill(fields), by)
        assert answer.startswith("{"), f"{name}: {answer}"
        return dict(json.loads(answer))


def make_tokens() -> Tokens:
    tokens = Tokens({})
    made = [
        Caller(name, Actor(f"token:{name}"), Role.ADMINISTRATOR, tenants, token_hash=hash_token(name))
        for name, tenants in TENANTS.items()
    ]
    tokens.put(made, [])
    return tokens


@pytest.fixture(scope="module")
async def world(database: Database, runner: CommandRunner) -> AsyncIterator[World]:
    watches = Watches(database)
    async with serving(database, runner, watches, make_tokens()) as channel:
        made = World(channel, Things())
        await fill(made, database, runner)
        watching = asyncio.create_task(watches.run())
        yield made
        watching.cancel()


async def fill(world: World, database: Database, runner: CommandRunner) -> None:
    """Make one of each thing, of `games`, with the canary in it."""
    ids = world.there.ids
    ids |= {name: f"games:{uuid4()}" for name in ("agent", "waiting")}
    ids |= {name: str(uuid4()) for name in ("queued", "key", "evaluation")}
    ids |= {"policy": "games.strict", "set": "games.poems", "token": f"{CANARY}-games"}
    agent = {"id": "{agent}", "name": CANARY, "url": f"http://127.0.0.1:1/{CANARY}", "tenant": "games"}
    await world.make("CreateAgent", agent=agent)
    ids["try"] = (await world.make("CreateAgentTry", agent_id="{agent}", agent_try={"title": CANARY}))["agentTry"]["id"]
    life = Life(database, runner)
    life.job_id = f"games:{uuid4()}"
    job = {"tenant": "games", "title": CANARY, "description": CANARY, "labels": {"team": CANARY}}
    await life.judged(**job, payload={"said": CANARY}, value=CANARY)
    ids |= {"job": life.job_id, "execution": str(life.execution_id)}
    about = {**job, "id": "{waiting}", "agent_id": "{agent}", "acceptance_criteria": CANARY}
    await world.make("CreateJob", job=about)
    await world.make("ExecuteJob", job_id="{waiting}", execution_id="{queued}", idempotency_key="{key}")
    operation = {"kind": "OPERATION_KIND_REJUDGE", "name": CANARY, "filter": {"tenant": "games"}}
    ids["operation"] = (await world.make("CreateOperation", operation=operation))["operation"]["id"]
    await world.make("SetLimit", limit={"name": "tenant:games", "weight": 2.0})
    await world.make("SetLimit", limit={"name": "agent:{agent}", "concurrency": 3})
    await world.make("HoldJob", job_id="{job}", reason=CANARY)
    await world.make("SetRetention", retention={"name": "tenant:games", "completed_s": 60.0})
    await world.make("CreateToken", token={"name": "{token}", "role": "ROLE_VIEWER", "tenants": ["games"]})
    policy = {"name": "{policy}", "stages": [{"kind": "single", "judges": [{"model": CANARY}]}]}
    await world.make("PutJudgePolicy", policy_json=json.dumps(policy), note=CANARY)
    await world.make("PutCriteriaSet", name="{set}", acceptance_criteria=f"Is {CANARY}", note=CANARY)
    cases = [{"id": f"{each}", "result": CANARY, "acceptance_criteria": f"Is {each}", "label": each} for each in BOTH]
    await world.make(
        "PutGoldenSet", EVERYBODY, name="{policy}", cases_jsonl="\n".join(map(json.dumps, cases)), note=CANARY
    )
    case = {"result_json": json.dumps(CANARY), "acceptance_criteria": "Is blue"}
    ids["judgings"] = (await world.make("CreateJudgings", kind="JUDGING_KIND_TRY", cases=[case]))["id"]
    ids["tenant"] = "games"  # last: other ids have it within
    async with database.transaction() as connection:
        for made in (
            "INSERT INTO agent_cards (agent_id, read_at) VALUES (:agent, now())",
            "INSERT INTO circuits (agent_id, failures, opened) VALUES (:agent, 1, 0)",
            "INSERT INTO circuit_changes (agent_id, at) VALUES (:agent, signoff_now())",
            "INSERT INTO judging_counts VALUES ('judge', :policy, 1, 1, 0, 0, 0, 0)",
            "INSERT INTO judging_evaluations VALUES (:policy, 1, '', gen_random_uuid(), '{}', '{}', '')",
            """
            INSERT INTO quality_rollups SELECT 'games', span_s, date_trunc(unit, signoff_now(), 'UTC'),
                CAST(:agent AS text), CAST(:policy AS text) || '@1', 1, 1, 0, 0, 0, '{}', '{"It rhymes": [1, 0, 0]}'
            FROM (VALUES (3600, 'hour'), (86400, 'day')) AS of (span_s, unit)
            """,
            "INSERT INTO spending VALUES (now(), 'games', 99, 1, 1)",
            """
            INSERT INTO workers (owner, stage, room, seen_at, judge_keys)
            VALUES (gen_random_uuid(), 'JUDGING', 0, now(), json_build_object(CAST(:canary AS text), '[]'))
            """,
        ):
            await connection.execute(text(made), {"agent": ids["agent"], "policy": ids["policy"], "canary": CANARY})
        await connection.execute(
            text("UPDATE relay SET (settled_seq, published_seq) = (SELECT max(seq), max(seq) FROM job_logs)")
        )
    for loop in (TextIndex(database).index, Rollups(database).count):
        while await loop():
            pass


def test_each_call_of_tenants_has_requests() -> None:
    """A new call needs an entry in support/jobstore/foreign.py: by what it names something that is another tenant's."""
    assert sorted(REQUESTS) == sorted(find_methods())


async def test_what_is_another_tenants_is_as_if_it_was_not(world: World) -> None:
    assert [told async for told in walk(world.channel, PRESS, world.there) if told.leaks] == []


async def test_its_own_callers_are_told(world: World) -> None:
    """Else the walk would find nothing, whatever was wrong."""
    told = {each.name async for each in walk(world.channel, GAMES, world.there, READS) if each.leaks}
    assert sorted({*READS} - told - UNMADE) == []
    assert sorted(told & UNMADE) == []


@pytest.fixture(params=sorted(SCOPED))
def unscoped(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mutant: the condition of one table is dropped."""
    name: str = request.param
    everything = f"SELECT * FROM {name} WHERE coalesce('' {{mine}}, true) OR true"
    monkeypatch.setitem(scoped._QUERIES, name, everything)
    scoped._scope_bound.cache_clear()
    yield name
    scoped._scope_bound.cache_clear()


async def count(database: Database, table: str, caller: str) -> int:
    async with database.session() as session:
        number = text(f"SELECT count(*) FROM {table}")
        return int(await scoped.ScopedConnection(session.driver, TENANTS[caller]).scalar(number))


@pytest.mark.parametrize("table", sorted({*SCOPED} - UNNOTICED))
async def test_each_table_shows_its_rows_to_their_tenants(world: World, database: Database, table: str) -> None:
    del world
    assert await count(database, table, PRESS) < await count(database, table, EVERYBODY)
    assert await count(database, table, GAMES) > 0


async def test_a_condition_that_is_dropped_is_noticed(world: World, database: Database, unscoped: str) -> None:
    if unscoped not in WITH_OTHERS | UNNOTICED:
        assert await find_leak(world) is not None
    assert await count(database, unscoped, PRESS) == await count(database, unscoped, EVERYBODY)


async def find_leak(world: World) -> str | None:
    """The first call that tells something of another tenant."""
    async for told in walk(world.channel, PRESS, world.there, READS):
        if told.leaks:
            return told.name
    return None


@pytest.mark.parametrize("name", ["_SELECT_JOBS", "_SELECT_ALL"])
async def test_waits_of_others_that_are_read_are_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(getattr(waits, name), True, getattr(waits, name)[False])
    assert await find_leak(world) is not None
