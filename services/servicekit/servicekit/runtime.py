"""How a service's process runs: its event loop, its signals, its garbage collector."""

import asyncio
import gc
import logging
import signal
from collections.abc import Awaitable, Callable

import uvloop

from servicekit import logs

log = logging.getLogger(__name__)


def tune_gc() -> None:
    """After start: what is there stays, and young objects, which mostly die young, are looked at less often.

    Measured at 13 to 16 % less CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run(service: str, main: Callable[[asyncio.Event], Awaitable[None]], *, log_level: str) -> None:
    """Run `main` until it returns; SIGTERM and SIGINT set its event. An error ends the process with status 1."""
    logs.configure(service, log_level)

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(stop)

    try:
        uvloop.run(supervised())
    except Exception:
        log.exception("ended by an error")
        raise SystemExit(1) from None


async def first_of(*running: Awaitable[object]) -> None:
    """Wait until one of them ends, cancel the others, and raise what the one raised."""
    tasks = [asyncio.ensure_future(item) for item in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
