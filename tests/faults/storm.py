"""One run: a calm, a storm, quiet, what was seen; then every topic once more, and a verdict."""

import asyncio
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path
from random import Random
from uuid import UUID

import aiohttp

from contracts.topics import REPLAY_HEADER
from faults.checking.canaries import PRESS
from faults.checking.checker import KEPT, check
from faults.checking.observed import MODELS, ExecutionRow, Fault, Observed, Record, Replayed, Violation
from faults.checking.reading import Tables, all_jobs, all_logs, differences, executions, quiet, removed_jobs, topics
from faults.checking.rebuilding import rebuilt
from faults.outcome import Outcome, Storm
from faults.stack.adversary import Adversary
from faults.stack.crowd import Crowd
from faults.stack.hostile import Hostile, Victim, hostile
from faults.stack.injecting import Injector
from faults.stack.keeper import Keeper
from faults.stack.operator import Operator
from faults.stack.servers import MESSAGE
from faults.stack.strangers import registered
from faults.stack.wishes import LIMITS
from faults.stack.world import CONSOLES, World, world
from jobstore.engine.address import DRIVER_ERRORS
from jobstore.jobs.model import IdKey
from localstack.kafka import ADMIN
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.retry import retry_transient
from signoff import AsyncClient

QUIET_S = 300.0
#: A hostile tenant knows something of each so many honest jobs, and asks for so many at once, at most.
KNOWN_EVERY, FLOOD_MAX = 5, 1_000
#: In a storm of fewer jobs it takes its time.
UNHURRIED = 300
REPLAYED = ("execute-requested", "result-produced", "job-status-reported", "cancel-requested")


@dataclass(frozen=True, slots=True)
class Cast:
    """All who act on a running world, and the tables behind it."""

    running: World
    crowd: Crowd
    operator: Operator
    tables: Tables
    injector: Injector
    adversary: Adversary
    hostile: Hostile | None
    keeper: Keeper | None


async def run(
    storm: Storm, directory: Path, limit_s: float, say: Callable[[str], object] = sys.stderr.write
) -> Outcome:
    """Everything, in order. What breaks it off, the limit or an error, is told by the outcome, as is what was seen."""
    outcome, began = Outcome(storm, Observed(terms=storm.terms)), time.monotonic()
    try:
        async with asyncio.timeout(limit_s):
            await _run(outcome, directory, began, say)
    except Exception:  # noqa: BLE001 - whatever it is, what was seen until then must be kept
        outcome.broken_off = traceback.format_exc()
    outcome.took_s = time.monotonic() - began
    return outcome


async def _run(outcome: Outcome, directory: Path, began: float, say: Callable[[str], object]) -> None:
    storm = outcome.storm
    say(f"faults: seed {storm.seed}\n")
    on_small_disk = any(planned.kind == "full disk" for planned in storm.plan)
    async with (
        world(
            *(directory, storm.seed, storm.terms, storm.jobstores),
            on_small_disk=on_small_disk,
            secure=storm.secure,
            archives=storm.retention,
        ) as running,
        _clients(running, storm.seed) as (crowd, operator, tables),
        _hostile(running, storm, crowd, operator.client) as tenant,
    ):
        injector = Injector(running)
        adversary = Adversary(running.addresses.reach_as(ADMIN), storm.seed, storm.forges_facts)
        keeper = Keeper(crowd, tables, storm.seed) if storm.retention else None
        cast = Cast(running, crowd, operator, tables, injector, adversary, tenant, keeper)
        outcome.odd, outcome.impossible = crowd.odd, injector.impossible
        say(f"faults: running after {time.monotonic() - began:.0f} s\n")
        with kept_if_broken_off(outcome, lambda: _witnessed(cast)):
            watches = (crowd.watch(first) for first in range(storm.jobstores))
            watching = [asyncio.create_task(one) for one in (running.sample(), _follow(running, tables), *watches)]
            await operator.prepare()
            if keeper is not None:
                await keeper.prepare()
            if tenant is not None:
                await tenant.prepare(round(min(storm.jobs, FLOOD_MAX) / tenant.pace))
            await _weathered(storm, cast)
            running.agents.over.set()
            say(f"faults: the storm is over after {time.monotonic() - began:.0f} s\n")
            if tenant is not None:
                await tenant.leave()
            left = await quiet(tables, running.addresses.reach_as(ADMIN), QUIET_S)
            if tenant is not None:
                await tenant.come_back()
                tenant.read_logs(directory / "logs")
            uncut = None
            if keeper is not None:
                uncut = await keeper.settle()
                left = left or await quiet(tables, running.addresses.reach_as(ADMIN), QUIET_S)
            seen = await _seen(cast)
            say(f"faults: quiet after {time.monotonic() - began:.0f} s\n")
            seen.rebuilt = await rebuilt(running.addresses, running.archive)
            seen.replays = await _replays(running, crowd, tables, seen)
            seen.undying = sorted((await tables.removed()).keys() & await tables.jobs_of_payloads())
            for task in watching:
                assert not task.done(), task
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    outcome.seen = seen
    outcome.violations = [
        *([Violation(1, f"it does not get quiet: {left}")] if left else []),
        *([Violation(6, uncut)] if uncut else []),
        *check(seen),
    ]


@contextmanager
def kept_if_broken_off(outcome: Outcome, witnessed: Callable[[], Observed]) -> Iterator[None]:
    """Give an outcome what was witnessed so far where something breaks its run off."""
    try:
        yield
    except BaseException:
        outcome.seen = witnessed()
        raise


async def _follow(running: World, tables: Tables) -> None:
    """Note, for ever, which jobstore publishes facts."""
    while True:
        asked_at = time.time()
        with suppress(*DRIVER_ERRORS):
            for port in await tables.publishing_from():
                running.note_leader(port)
        running.note_late("postgres", asked_at)
        await asyncio.sleep(0.5)


async def _weathered(storm: Storm, cast: Cast) -> None:
    crowding = asyncio.create_task(cast.crowd.run(storm.seed, storm.wishes, storm.lasts_s))
    operating = [asyncio.create_task(cast.operator.run(storm.lasts_s))]
    if cast.keeper is not None:
        operating.append(asyncio.create_task(cast.keeper.run(storm.lasts_s)))
    harming = [asyncio.create_task(cast.adversary.run())]
    if cast.hostile is not None:
        harming.append(asyncio.create_task(cast.hostile.run()))
    await asyncio.sleep(storm.calm_s)
    await cast.injector.run(storm.plan)
    await crowding
    await asyncio.gather(*operating)
    for task in harming:
        assert not task.done(), task
        task.cancel()
    await asyncio.gather(*harming, return_exceptions=True)


@asynccontextmanager
async def _clients(running: World, seed: int) -> AsyncIterator[tuple[Crowd, Operator, Tables]]:
    addresses, links = running.addresses, running.links
    headers = {"Authorization": f"Bearer {addresses.token}"}
    timeout = aiohttp.ClientTimeout(total=15)
    async with AsyncExitStack() as stack:
        dial = partial(AsyncClient, token=addresses.token, credentials=addresses.client_tls)
        dialled = [dial(link.address) for link in links.values() if "grpc" in link.name]
        clients = [await stack.enter_async_context(client) for client in dialled]
        consoles = [
            await stack.enter_async_context(aiohttp.ClientSession(f"http://{one}", headers=headers, timeout=timeout))
            for one in running.console_addresses
        ]
        publisher = Publisher(replace(addresses.reach_as(ADMIN), servers=links["kafka"].address), "crowd")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        agents_url = f"http://{links['agent'].address}"
        await clients[0].create_tenant(name=PRESS)
        for agent in registered(agents_url, running.function_url, running.terms.attempt_timeout_s):
            await clients[0].create_agent(agent)
        ids = IdKey.parse(addresses.secrets["SIGNOFF_ID_KEY"])
        env = {"SIGNOFF_JOBSTORE": running.jobstore_addresses, "SIGNOFF_TOKEN": addresses.token}
        env |= {} if addresses.tls is None else {"SIGNOFF_JOBSTORE_CA": str(addresses.tls[0])}
        crowd = Crowd(clients, consoles, publisher, ids, env | addresses.reach_as("operator").to_environment())
        client = await stack.enter_async_context(dial(running.jobstore_addresses))
        operator = Operator(
            crowd, client, addresses, agents_url, running.terms.attempt_timeout_s, seed, running.archive
        )
        yield crowd, operator, Tables(addresses.postgres)


@asynccontextmanager
async def _hostile(running: World, storm: Storm, crowd: Crowd, bootstrap: AsyncClient) -> AsyncIterator[Hostile | None]:
    """A hostile tenant, with agents beside those of honest ones, and a connection to the broker."""
    if not storm.tenants:
        yield None
        return
    jobstores = {
        name.replace("grpc", "jobstore"): link.address for name, link in running.links.items() if "grpc" in name
    }
    consoles = {name: f"http://{at}" for name, at in zip(CONSOLES, running.console_addresses, strict=True)}
    agents = running.agents.hostile
    async with hostile(
        *(bootstrap, jobstores, consoles, lambda random: _choose_victim(crowd, random), storm.seed),
        running.directory / "hostile.jsonl.gz",
        tls=running.addresses.client_tls,
        agents_url=f"http://{running.links['agent'].address}",
        publisher=crowd.publisher,
        flood=ceil(storm.jobs / storm.lasts_s),
        pace=max(1.0, UNHURRIED / storm.jobs),  # the test of every run has a machine with others
        metrics=running.metrics,
    ) as tenant:
        agents.hear = tenant.hear_at_agent
        agents.call_back = tenant.try_word
        yield tenant


def _choose_victim(crowd: Crowd, random: Random) -> Victim | None:
    """Return what may be known of a job that was asked for lately; of most nobody but their tenant knows anything."""
    answered = (one for one in crowd.asked[-500:] if one.settled in KEPT)
    asked = [one for one in answered if int(one.job_id.split("-")[2]) % KNOWN_EVERY == 0]
    if not asked:
        return None
    one, batches = random.choice(asked), [batch.id for batch in crowd.batched] or [str(UUID(int=0))]
    return Victim(one.job_id, one.execution_id, random.choice(batches))


async def _seen(cast: Cast) -> Observed:
    running, crowd, operator, adversary = cast.running, cast.crowd, cast.operator, cast.adversary
    jobs = await all_jobs(operator.client)
    removed, archived_logs = await removed_jobs(
        operator.client, [] if cast.keeper is None else await cast.tables.removed()
    )
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            told = sum(job.version for job in (*jobs, *removed))
            while min(map(len, crowd.watched)) < told:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
    logs = [*await all_logs(operator.client, jobs), *archived_logs]
    read = await topics(running.addresses.reach_as(ADMIN))
    refused = [r for r in read["execution-refused"] if (r.topic, r.value or b"") not in adversary.forged]
    known = executions(logs, refused)
    _name_executions(running, crowd, known)
    return replace(
        _witnessed(cast),
        jobs=sorted((*jobs, *removed), key=lambda job: job.id),
        executions=known,
        logs=logs,
        topics=read,
        rebalances=running.rebalances(),
    )


def _name_executions(running: World, crowd: Crowd, known: Sequence[ExecutionRow]) -> None:
    """Give calls of agents that know an execution by its message, or a job alone, its id, and judges' calls, too."""
    ids = {str(crowd.ids.derive(MESSAGE, one.execution_id)): one.execution_id for one in known}
    of_models = {job_id for job_id, model in crowd.models.items() if model.agents <= MODELS}
    ids |= {one.job_id: one.execution_id for one in known if one.job_id in of_models and one.requested}
    for call in running.agents.calls:
        call.execution_id, call.key = ids.get(call.execution_id, call.execution_id), ids.get(call.key or "", call.key)
    judged = running.judge.calls
    judged[:] = [replace(call, execution_id=ids.get(call.execution_id, call.execution_id)) for call in judged]


def _witnessed(cast: Cast) -> Observed:
    """What was seen from all sides so far, without a look through any door."""
    running, crowd, operator, injector, keeper = cast.running, cast.crowd, cast.operator, cast.injector, cast.keeper
    adversary, tenant = cast.adversary, cast.hostile.ears.seen if cast.hostile is not None else None
    return Observed(
        terms=running.terms,
        models=crowd.models,
        pauses=crowd.pauses,
        concurrency={name: limit.concurrency for name, limit in LIMITS.items() if limit.concurrency},
        rates={name.partition(":")[2]: limit.rate for name, limit in LIMITS.items() if limit.rate},
        rebuilt_midst=operator.rebuilt,
        rejudged=operator.rejudged,
        did=Counter(crowd.did) + operator.done + (keeper.done if keeper is not None else Counter()),
        held=keeper.held if keeper is not None else {},
        barred=keeper.barred if keeper is not None else [],
        in_vain=keeper.in_vain if keeper is not None else set(),
        agent_calls=list(running.agents.calls),
        judge_calls=list(running.judge.calls),
        asked=crowd.asked,
        cancels=crowd.cancels,
        batched=crowd.batched,
        watched=[list(told) for told in crowd.watched],
        faults=[*injector.done, *_starved(running.starved, injector.done)],
        thefts=injector.thefts,
        stops=running.stops,
        deaths=list(running.deaths),
        lost=injector.lost,
        poison=crowd.poison,
        rss=dict(running.rss),
        leaders=running.leaders,
        forged=adversary.forged | (tenant.wrote if tenant is not None else set()),
        copied=adversary.copied,
        adversary_jobs=adversary.jobs,
        hostile=tenant,
        keyed_for_others=running.agents.keyed_for_others,
    )


def _starved(starved: Sequence[Fault], done: Sequence[Fault]) -> list[Fault]:
    """When the machine was too busy; the database may also be late for what is done to it, or to what is before it."""
    return [
        one
        for one in starved
        if one.target == "machine" or not any(fault.within(one.began_at, one.ended_at) for fault in done)
    ]


async def _replays(running: World, crowd: Crowd, tables: Tables, seen: Observed) -> list[Replayed]:
    return [
        await _replay(running, crowd, tables, seen.topics[topic], with_header=with_header)
        for with_header in (True, False)
        for topic in REPLAYED
    ]


async def _replay(
    running: World, crowd: Crowd, tables: Tables, records: Sequence[Record], *, with_header: bool
) -> Replayed:
    """Publish records again as they are, and see what that changes."""
    topic = records[0].topic if records else "nothing"
    before, agents, judge = await tables.standing(), len(running.agents.calls), len(running.judge.calls)
    header = [(REPLAY_HEADER, b"1")] if with_header else []
    again = [Outgoing(r.topic, r.value or b"", r.key, [*r.headers, *header]) for r in records]
    for start in range(0, len(again), 500):
        await _published(crowd.publisher, again[start : start + 500])
    left = await quiet(tables, running.addresses.reach_as(ADMIN), QUIET_S)
    changed = differences(before, await tables.standing())
    called = len(running.agents.calls) - agents, len(running.judge.calls) - judge
    return Replayed(topic, with_header, [*changed, *([left] if left else [])], *called)


async def _published(publisher: Publisher, records: Sequence[Outgoing]) -> None:
    """All of them, some perhaps twice: a producer that met an emptied broker begins anew."""
    await retry_transient(lambda: _sent(publisher, records), on="kafka")


async def _sent(publisher: Publisher, records: Sequence[Outgoing]) -> None:
    for result in await publisher.send(records):
        if isinstance(result, Exception):
            raise result
