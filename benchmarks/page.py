"""Measure the page in Chromium, against the whole system: how soon something is seen, and what is fetched for it.

Starts `signoff up`, makes jobs, opens the list with an empty cache, several times, and prints one JSON object: medians
and the worst in milliseconds from the navigation on, and sizes in bytes as they are sent (gzip). It ends with status 1
where the first load is above its budget.

    .venv/bin/python benchmarks/page.py [--rounds 10] [--jobs 300] [--slowdown 4]
"""

import argparse
import asyncio
import gzip
import json
import os
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from lives import run_system
from playwright.async_api import Browser, async_playwright

from console.api.pages import DIRECTORY
from contracts.resources import NewJob
from signoff import AsyncClient

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from e2e.chromium import NO_BROWSER, find

BUDGET = {"script": 200_000, "style": 15_000}
PAINT = """() => new Promise((resolve) =>
  new PerformanceObserver((list) => {
    for (const paint of list.getEntriesByName("first-contentful-paint")) resolve(paint.startTime);
  }).observe({ type: "paint", buffered: true }))"""
# Timed in the page, at the frame after the first row is there.
FIRST_ROW = """window.firstRowMs = new Promise((resolve) =>
  new MutationObserver((_, observer) => {
    if (!document.querySelector("tbody tr a")) return;
    observer.disconnect();
    requestAnimationFrame(() => resolve(performance.now()));
  }).observe(document, { childList: true, subtree: true }));"""


async def open_list(browser: Browser, endpoints: dict[str, Any], slowdown: float) -> dict[str, float]:
    """Open the list with an empty cache; return the times of first paint and first row, in milliseconds."""
    context = await browser.new_context(base_url=endpoints["http"], viewport={"width": 1280, "height": 800})
    await context.request.post("/login", headers={"Authorization": f"Bearer {endpoints['token']}"})
    await context.add_init_script(FIRST_ROW)
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    await page.goto("/")
    first_row = await page.evaluate("() => window.firstRowMs")
    times = {"first_contentful_paint_ms": await page.evaluate(PAINT), "first_row_ms": first_row}
    await context.close()
    return times


def measure_sizes() -> dict[str, Any]:
    """Measure what the first page loads, and each part that is fetched later; in bytes as sent."""
    parts = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in (DIRECTORY / "assets").glob("*.[jc]s*")}
    parts = {name: size for name, size in parts.items() if not name.endswith(".gz")}
    first = set(re.findall(r"/assets/([\w.-]+)", (DIRECTORY / "index.html").read_text("utf-8")))
    later = {name: size for name, size in sorted(parts.items()) if name not in first}
    script = sum(size for name, size in parts.items() if name in first and name.endswith(".js"))
    style = sum(size for name, size in parts.items() if name in first and name.endswith(".css"))
    return {"first_load": {"script": script, "style": style}, "budget": BUDGET, "later": later}


async def measure(endpoints: dict[str, Any], rounds: int, jobs: int, slowdown: float) -> dict[str, Any]:
    """Open a list of `jobs` jobs `rounds` times."""
    async with AsyncClient(endpoints["grpc"], endpoints["token"]) as client:
        for number in range(jobs):
            await client.create_job(NewJob(title=f"Job {number}", acceptance_criteria="Is not empty"))
    if (chromium := find()) is None:
        raise SystemExit(NO_BROWSER)
    args = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.path, args=args, env={**os.environ, **chromium.env}
        )
        await open_list(browser, endpoints, slowdown)  # the browser's own first start
        measured = [await open_list(browser, endpoints, slowdown) for _ in range(rounds)]
        await browser.close()
    times = {name: [each[name] for each in measured] for name in measured[0]}
    figures = {name: {"p50": round(statistics.median(all_)), "max": round(max(all_))} for name, all_ in times.items()}
    return {"jobs": jobs, "rounds": rounds, "cpu_slowdown": slowdown, **figures, "gzip_bytes": measure_sizes()}


async def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure as the arguments say."""
    with tempfile.TemporaryDirectory(prefix="signoff-page-") as data:
        async with run_system(Path(data)) as endpoints:
            return await measure(endpoints, arguments.rounds, arguments.jobs, arguments.slowdown)


def main() -> None:
    """Measure; exit with status 1 if the first load exceeds its budget."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--slowdown", type=float, default=1.0, help="of the processor, as DevTools throttles it")
    figures = asyncio.run(run(parser.parse_args()))
    print(json.dumps(figures, indent=2))
    first = figures["gzip_bytes"]["first_load"]
    sys.exit(any(first[kind] > limit for kind, limit in BUDGET.items()))


if __name__ == "__main__":
    main()
