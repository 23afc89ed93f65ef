"""A hostile tenant for some seconds, beside a few jobs of another; and that what it is told wrongly is found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest
from support.fakes import until
from support.real_console import TOKEN, real_console

from contracts.resources import NewAgent
from faults.checking.canaries import CANARY, HOSTILE, PRESS, find_ids, find_words
from faults.checking.observed import Hostility, JobRow, Observed
from faults.checking.reading import all_jobs, all_logs
from faults.checking.tenants import nothing_is_told, revoked_tokens_open_nothing
from faults.stack import hostile as stack
from faults.stack.hostile import Victim, hostile
from jobstore.access.tokens import Tokens
from jobstore.engine import scoped
from localstack.backing import Infrastructure
from signoff import AsyncClient

#: How often the tenant is answered, and loses a token, before anybody looks.
JOBS, ANSWERS, REVOKED = 6, 400, 1


See = Callable[[], Awaitable[Observed]]


async def make_jobs(client: AsyncClient) -> list[Victim]:
    """Make jobs of a tenant, each with words that no other may see; they wait for an executor."""
    await client.create_tenant(name=PRESS)
    agent = NewAgent(id=f"{PRESS}:{CANARY}-steady", name=f"{CANARY} agent", url="http://127.0.0.1:1/", tenant=PRESS)
    await client.create_agent(agent)
    victims = []
    for number in range(JOBS):
        victim = Victim(f"{PRESS}:storm-1-{number}", str(uuid4()), str(uuid4()))
        texts = {"title": f"{CANARY}-title", "acceptance_criteria": f"{CANARY}-criterion"}
        about = {"payload": {"canary": f"{CANARY}-payload"}, "labels": {"canary": f"{CANARY}-label"}}
        await client.create_job(id=victim.job_id, tenant=PRESS, agent_id=agent.id, **texts, **about)
        await client.execute_job(victim.job_id, victim.execution_id)
        victims.append(victim)
    return victims


@pytest.fixture
async def see(servers: Infrastructure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[See]:
    """Let the tenant do what it does for a while, and return what was seen."""
    for name, lasts_s in {"TRY_S": 0.0, "REVOKE_S": 0.1, "USED_S": 1.3, "ENDS_S": 2.2}.items():
        monkeypatch.setattr(stack, name, lasts_s)
    async with real_console(servers.postgres) as console:
        client = console.client.with_token(TOKEN)
        victims = await make_jobs(client)

        def choose(random: Random) -> Victim:
            return victims[random.randrange(2)]

        async def see() -> Observed:
            doors = {"jobstore": console.jobstore}, {"console": console.url}
            async with hostile(client, *doors, choose, 1, tmp_path / "told.gz") as tenant:
                await tenant.prepare(0)
                told, running = tenant.ears.seen, asyncio.create_task(tenant.run())
                await until(lambda: told.answers.total() >= ANSWERS and len(told.revoked) >= REVOKED)
                running.cancel()
                await asyncio.wait([running])
                jobs = await all_jobs(client)
                return Observed(jobs=jobs, logs=await all_logs(client, jobs), hostile=told)

        yield see


async def test_a_hostile_tenant_is_told_nothing(see: See) -> None:
    seen = await see()
    assert [*nothing_is_told(seen)] == []
    assert [*revoked_tokens_open_nothing(seen)] == []
    assert seen.hostile is not None
    assert {door for one in seen.hostile.revoked for door, _, _ in one.asked} == {"jobstore", "console"}
    assert {door for one in seen.hostile.revoked for door, _ in one.streams} == {"jobstore", "console"}


@pytest.mark.parametrize("table", ["jobs", "agents"])
async def test_a_condition_that_is_dropped_is_noticed(see: See, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    everything = f"SELECT * FROM {table} WHERE coalesce('' {{mine}}, true) OR true"
    monkeypatch.setitem(scoped._QUERIES, table, everything)
    scoped._scope_bound.cache_clear()
    try:
        seen = await see()
    finally:
        scoped._scope_bound.cache_clear()
    assert [story for story in nothing_is_told(seen) if CANARY in story]


async def test_a_token_that_goes_on_is_noticed(see: See, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Tokens.put
    monkeypatch.setattr(Tokens, "put", lambda self, callers, _: put(self, callers, ()))
    seen = await see()
    assert [*revoked_tokens_open_nothing(seen)]


@pytest.mark.parametrize(
    "text",
    [
        '{"title": "kestrel-title"}',
        "press%3Akestrel-steady",
        "/api/jobs/press:storm-7-30/logs",
        "next: cHJlc3M6a2VzdHJlbC10aXRsZQ",
        '{"pageToken": "eyJpZCI6ICJzdG9ybS03LTMwIn0="}',
    ],
)
def test_a_word_is_found_however_it_is_spelt(text: str) -> None:
    assert find_words(text)


def test_what_the_reader_named_is_no_news() -> None:
    known = str(uuid4())
    text = f"{HOSTILE} asked for press:storm-7-3 and {known}, and not for press:storm-7-30"
    assert find_words(text, {"press:storm-7-3"}) == ["press:storm-7-30"]
    assert (find_ids(text), find_ids(text, {known})) == ({known}, set())


def test_counts_of_others_are_news() -> None:
    seen = Observed(jobs=[JobRow("press:1", "PENDING", 1, live=False, tenant=PRESS)], hostile=Hostility(counted=1))
    assert len([*nothing_is_told(seen)]) == 1
