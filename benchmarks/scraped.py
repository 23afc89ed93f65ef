"""Measure what lives cost where metrics are scraped, and where they are not, by turns in one system.

Each process is scraped as Prometheus does, in OpenMetrics with exemplars. Prints a line for each round, and how many
times as much CPU a life takes in each pair; ends with status 1 if that is certainly more than the bar.

    .venv/bin/python benchmarks/scraped.py [--pairs 20] [--jobs 400] [--rate 20] [--every-s 5]
"""

import argparse
import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import uvloop
from lives import run_bench
from measuring.paired import compare_pairs

#: How much more CPU a life may take.
BAR: Final = 1.01
ACCEPT: Final = "application/openmetrics-text;version=1.0.0"


@asynccontextmanager
async def scraping(urls: Mapping[str, str], token: str, every_s: float) -> AsyncIterator[list[int]]:
    """Scrape processes while the block runs; yields the bytes of the scrapes."""
    sizes = list[int]()

    async def scrape(session: aiohttp.ClientSession) -> None:
        while True:
            for url in urls.values():
                async with session.get(url) as answer:
                    answer.raise_for_status()
                    sizes.append(len(await answer.read()))
            await asyncio.sleep(every_s)

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}", "Accept": ACCEPT}) as session:
        running = asyncio.create_task(scrape(session))
        yield sizes
        if running.done():
            running.result()
        running.cancel()


async def main() -> None:
    """Run the pairs, every second one in the other order."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=400)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--every-s", type=float, default=5.0)
    arguments = parser.parse_args()
    token = os.environ["SIGNOFF_METRICS_TOKEN"] = secrets.token_urlsafe()
    took: dict[bool, list[float]] = {False: [], True: []}
    async with run_bench() as bench:

        async def run(*, scraped: bool) -> None:
            urls = bench.endpoints["metrics"] if scraped else {}
            async with scraping(urls, token, arguments.every_s) as sizes:
                figures = await bench.run(arguments.jobs, arguments.rate)
            took[scraped].append(figures["cpu_ms_a_life"])
            told = {name: figures[name] for name in ("cpu_ms_a_life", "cpu_by_part", "foreign_cores", "disturbed")}
            print(json.dumps({"scraped": scraped, "scrapes": len(sizes), "bytes": sum(sizes), **told}), flush=True)

        await bench.run(arguments.jobs, arguments.rate)
        for number in range(arguments.pairs):
            for scraped in (False, True) if number % 2 == 0 else (True, False):
                await run(scraped=scraped)
    ratio = compare_pairs(took[False], took[True])
    told = f"{ratio.median:.3f} times ({ratio.low:.3f} to {ratio.high:.3f})"
    print(f"CPU a life, scraped each {arguments.every_s:g} s: {told}; at most {BAR}: {ratio.judge(BAR)}")
    sys.exit(ratio.judge(BAR) == "fails")


if __name__ == "__main__":
    uvloop.run(main())
