"""A service for the tests of its process: it starts as long as its argument says, and tells of its life on stdout."""

import asyncio
import gc
import sys

from servicekit.process.runtime import run, run_until_first


def say(word: str) -> None:
    print(word, flush=True)  # noqa: T201 - it is read


async def main(stop: asyncio.Event) -> None:
    kind = sys.argv[1]
    try:
        say("starting" if gc.isenabled() else "no garbage is collected")
        if kind == "starts for ever":
            await asyncio.Event().wait()
        if kind == "fails":
            raise ValueError("first line\nsecond line")
        waiting = asyncio.create_task(stop.wait())
        await asyncio.sleep(0)
        say("started")
        await run_until_first(waiting, asyncio.Event().wait())
        say("stopping")
        await asyncio.sleep(0)
        say("stopped")
    finally:
        say("closed")


gc.disable()  # as services do while they import
run("signalled", main, log_level="INFO")
