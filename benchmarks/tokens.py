"""Measure a jobstore that knows many tokens and tenants beside one that knows one of each, in turn.

Both have as many jobs. Calls are those of a viewer of one tenant. Prints a table, and writes docs/performance.md: a
ratio is the median of the ratios of pairs, with its 95 % interval.

    make bench OF=tokens ARGS="[--tokens 100000] [--tenants 1000] [--jobs 100000] [--rounds 200] [--starts 5] [--dry]"
"""

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Final

import asyncpg
import uvloop
from measuring.figures import find_version, make_table, write_section
from measuring.host import compare, measure_memory, read_cpu
from measuring.paired import compare_pairs, describe_times
from measuring.seeding import settle, store_jobs
from viewers_and_lists import TOKEN, find_free_port, make_database, make_settings, start_service

from jobstore.engine.database import Database
from localstack.backing import Infrastructure, infrastructure
from signoff import AsyncClient, UnauthenticatedError

#: The jobs of a page, and the tokens whose holders call in turn, where there are so many.
PAGE: Final = 50
CALLERS: Final = 500
#: Calls before those that are measured, and how often a token is made and revoked.
WARM_UP, REVOCATIONS = 20, 40
RATIO_MAX: Final = 1.1
START_MAX_S: Final = 120.0
#: Each token ends some day, so that jobstores have to look for those that do.
_TENANTS: Final = """
INSERT INTO tenants (name, actor) SELECT 'tenant-' || n, 'bench' FROM generate_series(0, $1::int - 1) n
"""
_TOKENS: Final = """
INSERT INTO tokens (hash, kind, name, actor, role, tenants, hint, created_by, ends_at, change)
SELECT sha256(convert_to('caller-' || n, 'UTF8')), 'token', 'caller-' || n, 'token:caller-' || n, 'viewer',
    ARRAY['tenant-' || n % $2::int], 'caller-', 'bench', now() + make_interval(days => 1 + n % 365), n + 1
FROM generate_series(0, $1::int - 1) n
"""
_CHANGES: Final = "UPDATE token_changes SET number = (SELECT max(change) FROM tokens)"


@dataclass
class Side:
    """A database with so many tokens and tenants, and what its jobstores took in each round, by question.

    It has a broker of its own: jobstores refuse a database that lacks what they find in the topics.
    """

    kafka: str
    url: str
    tokens: int
    tenants: int
    took: dict[str, list[float]] = field(default_factory=dict)

    def note(self, question: str, figure: float) -> None:
        """Note a figure of a round."""
        self.took.setdefault(question, []).append(figure)


async def fill(side: Side, jobs: int) -> None:
    """Store jobs, tenants and tokens."""
    database = Database(side.url.replace("postgresql://", "postgresql+asyncpg://"))
    await database.migrate()
    await database.close()
    connection = await asyncpg.connect(side.url)
    await store_jobs(connection, jobs, tenant=f"'tenant-' || n % {side.tenants}")
    await connection.execute(_TENANTS, side.tenants)
    await connection.execute(_TOKENS, side.tokens, side.tenants)
    await connection.execute(_CHANGES)
    await settle(side.url)
    await connection.execute("VACUUM ANALYZE tokens, tenants")
    await connection.close()


async def _is_listening(address: str) -> bool:
    """Return whether there is anybody at an address: a client of gRPC that found nobody waits for longer each time."""
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def run_jobstore(side: Side) -> AsyncIterator[AsyncClient]:
    """Run a jobstore, and yield its administrator's client; note how long it took to serve, and its memory then."""
    address = f"127.0.0.1:{find_free_port()}"
    began = time.perf_counter()
    process = await start_service("jobstore", make_settings(side.kafka, side.url, address))
    try:
        async with asyncio.timeout(START_MAX_S):
            while not await _is_listening(address):  # noqa: ASYNC110 - it tells by no event
                await asyncio.sleep(0.01)
        async with AsyncClient(address, TOKEN) as client:
            while not await client.is_serving():  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)
            side.note(START, time.perf_counter() - began)
            side.note(MEMORY, measure_memory({"jobstore": process.pid})["jobstore"])
            yield client
    finally:
        process.terminate()
        await process.wait()


#: What is measured, as the table has it.
START, MEMORY = "s from its start until it serves", "MiB of a jobstore that serves"
KNOWN, REVOKED = "ms until another jobstore takes a new token", "ms until another jobstore takes a revoked one no more"
CALLS: Final[Mapping[str, Callable[[AsyncClient], Awaitable[object]]]] = {
    "GetCaller": lambda client: client.get_caller(),
    "GetJob": lambda client: client.get_job("job-00001000"),
    "ListJobs": lambda client: client.list_jobs(page_size=PAGE),
    "CountJobs": lambda client: client.count_jobs(),
}


async def measure_calls(sides: list[tuple[Side, AsyncClient]], rounds: int) -> None:
    """Let callers of the tenant that has the job call, in turn by either side."""
    # Callers have numbers: those of each side are of its first tenant, to which the job belongs.
    callers = [
        (
            side,
            cycle(
                [
                    client.with_token(f"caller-{n * side.tenants}")
                    for n in range(min(CALLERS, side.tokens // side.tenants))
                ]
            ),
        )
        for side, client in sides
    ]
    for name, call in CALLS.items():
        for number in range(WARM_UP + rounds):
            for side, clients in callers if number % 2 else callers[::-1]:
                client = next(clients)
                began = time.perf_counter()
                await call(client)
                if number >= WARM_UP:
                    side.note(name, 1_000 * (time.perf_counter() - began))


async def measure_changes(sides: list[tuple[Side, AsyncClient]], others: list[AsyncClient]) -> None:
    """Make tokens at a jobstore of each side, and revoke them, and see when another one knows."""
    for number in range(REVOCATIONS):
        for (side, client), other in zip(sides, others, strict=True):
            name, began = f"brief-{number}", time.perf_counter()
            made = await client.create_token(name=name, role="viewer", tenants=["tenant-0"])
            caller = other.with_token(made.secret)
            side.note(KNOWN, await _wait(caller, began, is_known=True))
            began = time.perf_counter()
            await client.revoke_token(name)
            side.note(REVOKED, await _wait(caller, began, is_known=False))


async def _wait(caller: AsyncClient, began: float, *, is_known: bool) -> float:
    """Ask until a token opens something, or nothing any more; return how many ms that took."""
    while True:
        try:
            await caller.get_caller()
            knows = True
        except UnauthenticatedError:
            knows = False
        if knows is is_known:
            return 1_000 * (time.perf_counter() - began)


async def measure(sides: list[Side], rounds: int, starts: int) -> None:
    """Start jobstores of both sides in turn, and let two of each serve."""
    for number in range(starts):
        for side in sides if number % 2 else sides[::-1]:
            async with run_jobstore(side):
                pass
    async with AsyncExitStack() as stack:
        first, others = [[await stack.enter_async_context(run_jobstore(side)) for side in sides] for _ in range(2)]
        asked = [*zip(sides, first, strict=True)]
        await measure_calls(asked, rounds)
        await measure_changes(asked, others)


def show(sides: list[Side]) -> list[str]:
    """Return the table of what both sides took."""
    head = ("what", *(f"{side.tokens:,} tokens, {side.tenants:,} tenants" for side in sides), "ratio", "bar")
    rows = []
    for name in (START, MEMORY, KNOWN, REVOKED, *CALLS):
        took = [side.took[name] for side in sides]
        ratio = compare_pairs(*took)
        label = f"{name}, ms" if name in CALLS else name
        rows.append((label, *map(describe_times, took), ratio, ratio.judge(RATIO_MAX) if name in CALLS else "-"))
    return make_table(head, rows)


async def main(arguments: argparse.Namespace, one: Infrastructure, many: Infrastructure) -> None:
    """Make both sides, and measure them."""
    async with make_database(one.postgres) as first, make_database(many.postgres) as second:
        sides = [Side(one.kafka, first, 1, 1), Side(many.kafka, second, arguments.tokens, arguments.tenants)]
        for side in sides:
            await fill(side, arguments.jobs)
        began = read_cpu({})
        await measure(sides, arguments.rounds, arguments.starts)
        usage = compare(began, read_cpu({}))
        connection = await asyncpg.connect(first)
        version = await find_version(connection)
        await connection.close()
    table = show(sides)
    print("\n".join(table))
    if not arguments.dry:
        about = (
            f"p50 / p95; beside {arguments.jobs:,} jobs. A ratio is the median of pairs, with its 95 % interval;"
            f" a call's holds if that is at most {RATIO_MAX}."
            f" Others took {usage.foreign / usage.took_s:.1f} cores meanwhile."
        )
        write_section("tokens", sys.argv[1:], {"PostgreSQL": version}, [about, "", *table])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=1_000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="leave docs/performance.md as it is")
    given = parser.parse_args()
    with infrastructure(short_lived=False) as of_one, infrastructure(short_lived=False) as of_many:
        uvloop.run(main(given, of_one, of_many))
