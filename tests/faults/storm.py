"""One run: a calm, a storm, quiet, what was seen; then every topic once more, and a verdict."""

import asyncio
import sys
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import aiohttp

from contracts.topics import REPLAY_HEADER
from faults.checking.checker import check
from faults.checking.observed import MODELS, ExecutionRow, Fault, Observed, Record, Replayed, Violation
from faults.checking.reading import Tables, all_jobs, all_logs, differences, executions, quiet, topics
from faults.checking.rebuilding import rebuilt
from faults.outcome import Outcome, Storm
from faults.stack.adversary import Adversary
from faults.stack.crowd import Crowd
from faults.stack.injecting import Injector
from faults.stack.operator import Operator
from faults.stack.servers import MESSAGE
from faults.stack.strangers import registered
from faults.stack.wishes import LIMITS
from faults.stack.world import World, world
from jobstore.engine.database import DRIVER_ERRORS
from jobstore.jobs.model import IdKey
from servicekit.kafka.access import KafkaAccess
from servicekit.kafka.publisher import Outgoing, Publisher
from servicekit.retry import retry_transient
from signoff import AsyncClient

QUIET_S = 300.0
REPLAYED = ("execute-requested", "result-produced", "job-status-reported", "cancel-requested")


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
        world(directory, storm.seed, storm.terms, storm.jobstores, on_small_disk=on_small_disk) as running,
        _clients(running, storm.seed) as (crowd, operator, tables),
    ):
        injector = Injector(running)
        adversary = Adversary(running.addresses.kafka, storm.seed, storm.forges_facts)
        outcome.odd, outcome.impossible = crowd.odd, injector.impossible
        say(f"faults: running after {time.monotonic() - began:.0f} s\n")
        with kept_if_broken_off(outcome, lambda: _witnessed(running, crowd, operator, injector, adversary)):
            watches = (crowd.watch(first) for first in range(storm.jobstores))
            watching = [asyncio.create_task(one) for one in (running.sample(), _follow(running, tables), *watches)]
            await operator.prepare()
            await _weathered(storm, crowd, operator, injector, adversary)
            running.agents.over.set()
            say(f"faults: the storm is over after {time.monotonic() - began:.0f} s\n")
            left = await quiet(tables, running.addresses.kafka, QUIET_S)
            seen = await _seen(running, crowd, operator, injector, adversary)
            say(f"faults: quiet after {time.monotonic() - began:.0f} s\n")
            seen.rebuilt = await rebuilt(running.addresses)
            seen.replays = await _replays(running, crowd, tables, seen)
            for task in watching:
                assert not task.done(), task
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)
    outcome.seen = seen
    outcome.violations = [*([Violation(1, f"it does not get quiet: {left}")] if left else []), *check(seen)]


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


async def _weathered(storm: Storm, crowd: Crowd, operator: Operator, injector: Injector, adversary: Adversary) -> None:
    crowding = asyncio.create_task(crowd.run(storm.seed, storm.wishes, storm.lasts_s))
    operating = asyncio.create_task(operator.run(storm.lasts_s))
    forging = asyncio.create_task(adversary.run())
    await asyncio.sleep(storm.calm_s)
    await injector.run(storm.plan)
    await crowding
    await operating
    assert not forging.done(), forging
    forging.cancel()
    await asyncio.gather(forging, return_exceptions=True)


@asynccontextmanager
async def _clients(running: World, seed: int) -> AsyncIterator[tuple[Crowd, Operator, Tables]]:
    addresses, links = running.addresses, running.links
    headers = {"Authorization": f"Bearer {addresses.token}"}
    timeout = aiohttp.ClientTimeout(total=15)
    async with AsyncExitStack() as stack:
        dialled = [AsyncClient(link.address, addresses.token) for link in links.values() if "grpc" in link.name]
        clients = [await stack.enter_async_context(client) for client in dialled]
        consoles = [
            await stack.enter_async_context(aiohttp.ClientSession(f"http://{one}", headers=headers, timeout=timeout))
            for one in running.console_addresses
        ]
        publisher = Publisher(KafkaAccess(links["kafka"].address), "crowd")
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        agents_url = f"http://{links['agent'].address}"
        for agent in registered(agents_url, running.function_url, running.terms.attempt_timeout_s):
            await clients[0].create_agent(agent)
        ids = IdKey.parse(addresses.secrets["SIGNOFF_ID_KEY"])
        env = {"JOBSTORE": running.jobstore_addresses, "TOKEN": addresses.token, "KAFKA": addresses.kafka}
        crowd = Crowd(clients, consoles, publisher, ids, {f"SIGNOFF_{name}": value for name, value in env.items()})
        dialled_all = AsyncClient(running.jobstore_addresses, addresses.token)
        client = await stack.enter_async_context(dialled_all)
        operator = Operator(crowd, client, addresses, agents_url, running.terms.attempt_timeout_s, seed)
        yield crowd, operator, Tables(addresses.postgres)


async def _seen(running: World, crowd: Crowd, operator: Operator, injector: Injector, adversary: Adversary) -> Observed:
    jobs = await all_jobs(operator.client)
    with suppress(TimeoutError):
        async with asyncio.timeout(20):
            while min(map(len, crowd.watched)) < sum(job.version for job in jobs):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.1)
    logs, read = await all_logs(operator.client, jobs), await topics(running.addresses.kafka)
    refused = [r for r in read["execution-refused"] if (r.topic, r.value or b"") not in adversary.forged]
    known = executions(logs, refused)
    _name_executions(running, crowd, known)
    return replace(
        _witnessed(running, crowd, operator, injector, adversary),
        jobs=jobs,
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


def _witnessed(running: World, crowd: Crowd, operator: Operator, injector: Injector, adversary: Adversary) -> Observed:
    """What was seen from all sides so far, without a look through any door."""
    return Observed(
        terms=running.terms,
        models=crowd.models,
        pauses=crowd.pauses,
        concurrency={name: limit.concurrency for name, limit in LIMITS.items() if limit.concurrency},
        rates={name.partition(":")[2]: limit.rate for name, limit in LIMITS.items() if limit.rate},
        rebuilt_midst=operator.rebuilt,
        rejudged=operator.rejudged,
        did=Counter(crowd.did) + operator.done,
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
        forged=adversary.forged,
        copied=adversary.copied,
        adversary_jobs=adversary.jobs,
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
    left = await quiet(tables, running.addresses.kafka, QUIET_S)
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
