"""Run Prometheus and a receiver of traces beside the stack of a data folder, on loopback, until interrupted.

It may start before `signoff up` or after it. What Prometheus scrapes follows the stack's endpoints.json. A stack that
starts while this runs reads from observe.json beside it where traces go to, and leads from its page to them.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from localstack.datadir import write_atomically
from observe.prometheus import PrometheusError, find_port, serving
from observe.receiver import Receiver, Traces

RULES = Path(__file__).parents[1] / "helm/signoff/files/alerts.yml"
SCRAPE_S = 5
LOOK_S = 1.0


def make_config(targets: Path) -> dict[str, Any]:
    """Return Prometheus's configuration: the processes that a file names, with the token of metrics, and the rules."""
    scrape: dict[str, Any] = {"job_name": "signoff", "file_sd_configs": [{"files": [str(targets)]}]}
    if file := os.environ.get("SIGNOFF_METRICS_TOKEN_FILE"):
        scrape["authorization"] = {"credentials_file": str(Path(file).resolve())}
    elif token := os.environ.get("SIGNOFF_METRICS_TOKEN"):
        scrape["authorization"] = {"credentials": token}
    times = {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"}
    return {"global": times, "rule_files": [str(RULES)], "scrape_configs": [scrape]}


def make_targets(endpoints: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is scraped of a stack: each process, with the service that it is of as `component`."""
    return [
        {
            "targets": [url.removeprefix("http://").removesuffix("/metrics")],
            "labels": {"component": name.partition("-")[0]},
        }
        for name, url in endpoints.get("metrics", {}).items()
    ]


async def follow(endpoints: Path, targets: Path) -> None:
    """Write what is to be scraped whenever a stack has started or ended, for ever."""
    written: str | None = None
    while True:
        found = "[]"
        with suppress(FileNotFoundError):
            found = json.dumps(make_targets(json.loads(await asyncio.to_thread(endpoints.read_text))))
        if found != written:
            await asyncio.to_thread(write_atomically, targets, found)
            written = found
        await asyncio.sleep(LOOK_S)


@asynccontextmanager
async def receiving(port: int) -> AsyncIterator[str]:
    """Serve the receiver of traces, and yield its URL."""
    runner = web.AppRunner(Receiver(Traces()).make_app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def run(data_dir: Path, prometheus_port: int, traces_port: int) -> None:
    """Run both until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    folder, variables = data_dir / "observe", data_dir / "observe.json"
    targets = folder / "targets.json"
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(write_atomically, targets, "[]")
    async with (
        receiving(choose_port(traces_port)) as traces,
        serving(make_config(targets), folder, choose_port(prometheus_port)) as prometheus,
    ):
        settings = {"SIGNOFF_OTLP_ENDPOINT": traces, "SIGNOFF_TRACE_URL": f"{traces}/traces/{{trace_id}}"}
        await asyncio.to_thread(write_atomically, variables, json.dumps(settings))
        following = asyncio.create_task(follow(data_dir / "endpoints.json", targets))
        running = await asyncio.to_thread((data_dir / "endpoints.json").exists)
        try:
            say(f"Prometheus  {prometheus.url}    (queries, the alerts, and what is scraped)")
            say(f"traces      {traces}    (of a `signoff up` that starts {'anew' if running else 'from now on'})")
            say("stop        Ctrl-C")
            await stop.wait()
        finally:
            following.cancel()
            await asyncio.to_thread(variables.unlink, missing_ok=True)


def choose_port(wanted: int) -> int:
    """Return a port if nobody listens there, else one that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return find_port()
    return wanted


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run as the command line says, and return the exit status."""
    parser = argparse.ArgumentParser(prog="make observe", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path(".signoff"), help="the folder of the stack")
    parser.add_argument("--prometheus-port", type=int, default=9090, help="another one if it is taken")
    parser.add_argument("--traces-port", type=int, default=4318, help="another one if it is taken")
    given = parser.parse_args()
    try:
        asyncio.run(run(given.data_dir.resolve(), given.prometheus_port, given.traces_port))
    except PrometheusError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
