"""Make each cause of waiting, and two at once, on a real system, and compare what is told with what was made.

Prints a JSON line a case, then how far off the foretold starts were, and how long the sums take while many wait.
The status is 1 unless all that was made is told, and nothing else.

    .venv/bin/python benchmarks/explain.py [--waiting 1000000] [--only cases|sums]
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import asyncpg
import uvloop
from aiohttp import web
from lives import compute_percentile, run_system
from measuring import seeding

from contracts.resources import NewAgent, NewJob, NewLimit, Policy
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.types import Job

#: Executors and validators hold so many leases here, so that little takes all their room.
CAPACITY: Final = 8
TOLD_WITHIN_S: Final = 60.0
STARTS, ASKED = 40, 100
#: Requests before those that are measured, since the services have just started.
WARM_UP: Final = 20
TENANT: Final = "tenant:press"


@dataclass
class World:
    """A running system with agents that answer, never answer, and fail; one fails until it `hangs`."""

    endpoints: dict[str, Any]
    client: AsyncClient
    hangs: asyncio.Event

    async def ask(self, agent: str = "slow", **fields: Any) -> Job:
        """Execute a new job of the tenant."""
        whole: dict[str, Any] = {"title": "A job", "acceptance_criteria": "Is not empty", "tenant": "press", **fields}
        job = await self.client.create_job(NewJob(agent_id=agent, **whole))
        await self.client.execute_job(job.id)
        return await self.client.get_job(job.id)

    async def limit(self, name: str, **fields: Any) -> None:
        """Set a limit."""
        await self.client.set_limit(name, NewLimit(**fields))

    @asynccontextmanager
    async def stopping(self, service: str) -> AsyncIterator[None]:
        """Let a process stand still meanwhile."""
        os.kill(self.endpoints["processes"][service], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.endpoints["processes"][service], signal.SIGCONT)

    async def clear(self) -> None:
        """Remove all limits, and cancel all batches that are paused, and all jobs."""
        for limit in await list_all(self.client.iter_limits()):
            kind, _, name = limit.name.partition(":")
            await (self.client.cancel_operation(name) if kind == "batch" else self.client.remove_limit(limit.name))
        token = ""
        while True:
            jobs, token = await self.client.list_jobs(page_size=500, page_token=token)
            live = [job.id for job in jobs if job.live]
            await asyncio.gather(*map(self.client.cancel_job, live), return_exceptions=True)  # some end meanwhile
            if not token:
                return

    async def find_codes(self, job: Job, wanted: list[str]) -> tuple[list[str], float]:
        """Return the codes that a job is told, once they are those wanted or it takes too long, and after how long."""
        began = time.monotonic()
        while True:
            waiting = await self.client.explain_job(job.id)
            told, took_s = [reason.code for reason in waiting.reasons], time.monotonic() - began
            if told == wanted or took_s > TOLD_WITHIN_S:
                return told, took_s
            await asyncio.sleep(0.05)


Case = Callable[[World, AsyncExitStack], Awaitable[Job]]


async def pause_tenant(world: World, _: AsyncExitStack) -> Job:
    """Pause the tenant."""
    await world.limit(TENANT, paused=True)
    return await world.ask()


async def pause_agent(world: World, _: AsyncExitStack) -> Job:
    """Pause the agent alone."""
    await world.client.pause("agent:slow")
    return await world.ask()


async def pause_agent_and_tenant(world: World, _: AsyncExitStack) -> Job:
    """Pause the agent beside the tenant."""
    await world.client.pause("agent:slow")
    return await pause_tenant(world, _)


async def pause_batch(world: World, _: AsyncExitStack) -> Job:
    """Pause a batch of which nothing has begun, since the tenant had no place for it."""
    await world.limit(TENANT, concurrency=0)
    new = NewJob(title="A job", acceptance_criteria="Is not empty", tenant="press", agent_id="slow")
    job = await world.client.create_job(new)
    batch = await world.client.execute_jobs([job.id])
    await world.client.pause_operation(batch.id)
    await world.client.remove_limit(TENANT)
    return job


async def fill_limit(world: World, _: AsyncExitStack) -> Job:
    """Let one execution of the tenant run at once, and ask for another."""
    await world.limit(TENANT, concurrency=1)
    await world.ask()
    return await world.ask()


async def fill_limit_and_rate(world: World, _: AsyncExitStack) -> Job:
    """Let one of the tenant run at once, and one begin in ten minutes."""
    await world.limit(TENANT, concurrency=1, rate=1, rate_period_s=600.0)
    await world.ask()
    return await world.ask()


async def use_up_rate(world: World, _: AsyncExitStack) -> Job:
    """Begin as many as may begin in ten minutes."""
    await world.limit("agent:*", rate=1, rate_period_s=600.0)
    await world.ask()
    return await world.ask()


async def begin_later(world: World, _: AsyncExitStack) -> Job:
    """Ask for a later time."""
    return await world.ask(not_before=datetime.now(UTC) + timedelta(hours=1))


async def begin_later_and_pause(world: World, _: AsyncExitStack) -> Job:
    """Ask for a later time of a tenant that is paused."""
    await world.limit(TENANT, paused=True)
    return await begin_later(world, _)


async def fail(world: World, _: AsyncExitStack) -> Job:
    """Call an agent that fails, and wait to call it again."""
    return await world.ask("failing", policy=Policy(max_calls=5, backoff_first_s=600.0, backoff_max_s=600.0))


async def open_circuit(world: World, _: AsyncExitStack) -> Job:
    """Let calls of an agent fail until it is called no more."""
    return await ask_broken(world, "broken")


async def probe_circuit(world: World, _: AsyncExitStack) -> Job:
    """Let the call that finds out whether such an agent answers take long."""
    await ask_broken(world, "hanging")
    world.hangs.set()
    return await world.ask("hanging")


async def ask_broken(world: World, agent: str) -> Job:
    """Open the circuit of an agent that fails, and ask it once more."""
    once = Policy(max_calls=1)
    for _number in range(8):
        await world.ask(agent, policy=once)
    while str((await world.client.get_agent(agent)).circuit) == "closed":  # noqa: ASYNC110 - it tells by no event
        await asyncio.sleep(0.05)
    return await world.ask(agent, policy=once)


async def stop_executor(world: World, stack: AsyncExitStack) -> Job:
    """Let the executor stand still, until it counts as gone."""
    await stack.enter_async_context(world.stopping("executor"))
    return await world.ask()


async def stop_executor_and_pause(world: World, stack: AsyncExitStack) -> Job:
    """Let it stand still beside a tenant that is paused."""
    await world.limit(TENANT, paused=True)
    return await stop_executor(world, stack)


async def stop_validator(world: World, stack: AsyncExitStack) -> Job:
    """Let the validator stand still, until it counts as gone."""
    await stack.enter_async_context(world.stopping("validator"))
    return await world.ask("quick")


async def stop_judge(world: World, stack: AsyncExitStack) -> Job:
    """Let the judge stand still, until the validator has waited long enough for its answer."""
    await stack.enter_async_context(world.stopping("judge"))
    return await world.ask("quick")


async def fill_judges_room(world: World, stack: AsyncExitStack) -> Job:
    """Let it stand still with as many results as the validator asks about at once, and ask for one more."""
    await stack.enter_async_context(world.stopping("judge"))
    for _number in range(CAPACITY):
        await world.ask("quick")
    return await world.ask("quick")


async def fill_share(world: World, _: AsyncExitStack) -> Job:
    """Ask for more than the executor takes of one tenant and agent."""
    for _number in range(CAPACITY):
        await world.ask()
    return await world.ask()


async def want_unknown_capability(world: World, _: AsyncExitStack) -> Job:
    """Create a job that no agent does."""
    new = NewJob(title="A job", acceptance_criteria="Is not empty", capabilities=["painting"])
    return await world.client.create_job(new)


async def want_disabled_agent(world: World, _: AsyncExitStack) -> Job:
    """Create a job that a disabled agent alone does."""
    agent = NewAgent(id="idle", name="idle", url="http://127.0.0.1:1/", capabilities=["weaving"], enabled=False)
    await world.client.create_agent(agent)
    new = NewJob(title="A job", acceptance_criteria="Is not empty", capabilities=["weaving"])
    return await world.client.create_job(new)


async def assign_nobody(world: World, _: AsyncExitStack) -> Job:
    """Create a job without an agent, and without saying what it takes."""
    return await world.client.create_job(NewJob(title="A job", acceptance_criteria="Is not empty"))


CASES: Final[Mapping[Case, list[str]]] = {
    pause_tenant: ["limit_paused"],
    pause_agent: ["limit_paused"],
    pause_batch: ["limit_paused"],
    pause_agent_and_tenant: ["limit_paused", "limit_paused"],
    fill_limit: ["limit_concurrency"],
    use_up_rate: ["limit_rate"],
    fill_limit_and_rate: ["limit_concurrency", "limit_rate"],
    begin_later: ["not_before"],
    begin_later_and_pause: ["not_before", "limit_paused"],
    fail: ["retry_backoff"],
    fill_share: ["share", "share"],
    open_circuit: ["circuit_open"],
    probe_circuit: ["circuit_probing"],
    want_unknown_capability: ["no_agent_matches"],
    want_disabled_agent: ["agent_disabled"],
    assign_nobody: ["agent_missing"],
    stop_executor_and_pause: ["limit_paused", "no_worker"],
    stop_executor: ["no_worker"],
    stop_validator: ["judge_missing"],
    stop_judge: ["judge_away"],
    fill_judges_room: ["judge_away"],
}


async def measure_starts(world: World) -> dict[str, Any]:
    """Ask for times to come, and compare the starts that are foretold with when executors took the work."""
    errors = []
    for number in range(STARTS):
        job = await world.ask("quick", not_before=datetime.now(UTC) + timedelta(seconds=1 + number / STARTS))
        foretold = (await world.client.explain_job(job.id)).starts_at
        while not (claims := (await world.client.list_job_logs(job.id, kinds=["claimed"]))[0]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert foretold is not None
        errors.append((claims[0].created_at - foretold).total_seconds())
    return {"starts": STARTS, "error_ms": {f"p{p}": round(compute_percentile(errors, p)) for p in (50, 95)}}


async def measure_sums(world: World, waiting: int) -> dict[str, Any]:
    """Measure the overview over REST while many wait for an agent that is paused."""
    database = await asyncpg.connect(world.endpoints["postgres"])
    await world.client.pause("agent:slow")

    async def make() -> None:
        await seeding.queue_jobs(database, waiting, "waiting-", "slow")
        await seeding.settle(world.endpoints["postgres"])

    await seeding.while_all_stopped(world.endpoints, world.client, make)
    took, sums = [], []
    headers = {"Authorization": f"Bearer {world.endpoints['token']}"}
    async with aiohttp.ClientSession(world.endpoints["http"], headers=headers, raise_for_status=True) as http:
        for number in range(WARM_UP + ASKED):
            asked = time.perf_counter()
            async with http.get("/api/overview") as answer:
                sums = (await answer.json())["waiting"]
            if number >= WARM_UP:
                took.append(time.perf_counter() - asked)
            await asyncio.sleep(0.2)
    await database.close()
    told = {each["code"]: each["count"] for each in sums}
    ms = {f"p{p}": compute_percentile(took, p) for p in (50, 95, 99)}
    return {"waiting": waiting, "told": told, "ms": ms | {"max": round(1000 * max(took), 1)}}


async def serve_agents(hangs: asyncio.Event) -> tuple[web.AppRunner, str]:
    """Serve agents that answer, that never do, that fail, and that fail until one `hangs`."""

    async def answer(request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        if kind == "slow" or (kind == "hanging" and hangs.is_set()):
            await asyncio.sleep(3_600)
        status = 200 if kind == "quick" else 503
        return web.json_response({"text": "an answer"}, status=status)

    app = web.Application()
    app.router.add_post("/{kind}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


async def main() -> int:
    """Make each case, and compare; then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--waiting", type=int, default=1_000_000, help="while sums are asked for")
    parser.add_argument("--only", choices=["cases", "sums"])
    arguments = parser.parse_args()
    os.environ["SIGNOFF_CAPACITY"] = str(CAPACITY)
    os.environ["SIGNOFF_JUDGE_TIMEOUT_S"] = "5"
    hangs = asyncio.Event()
    runner, url = await serve_agents(hangs)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as data:
        async with (
            run_system(Path(data)) as endpoints,
            AsyncClient(endpoints["grpc"], endpoints["token"], timeout_s=60) as client,
        ):
            world = World({**endpoints, "file": f"{data}/endpoints.json"}, client, hangs)
            await client.create_tenant(name="press")
            for name in ("quick", "slow", "failing", "broken", "hanging"):
                await client.create_agent(NewAgent(id=name, name=name, url=f"{url}/{name}"))
            chosen = {} if arguments.only == "sums" else CASES
            if chosen:
                print(json.dumps(await measure_starts(world)), flush=True)
            for case, made in chosen.items():
                async with AsyncExitStack() as stack:
                    told, took_s = await world.find_codes(await case(world, stack), made)
                wrong += told != made
                line = {"case": case.__name__, "made": made, "told": told, "right": told == made}
                print(json.dumps({**line, "after_s": round(took_s, 2)}), flush=True)
                await world.clear()
            if arguments.only != "cases":
                print(json.dumps(await measure_sums(world, arguments.waiting)), flush=True)
    await runner.cleanup()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
