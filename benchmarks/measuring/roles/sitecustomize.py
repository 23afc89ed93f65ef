"""Note how much CPU each role of a jobstore takes; Python imports this file first in processes that are measured.

The benchmark copies this file into a folder of its own, where each jobstore writes twice a second what was taken so
far: by the relay and by the dispatcher, with all tasks that they begin, and by the producer of what both publish.
"""

import asyncio
import contextvars
import json
import os
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROLE: contextvars.ContextVar[str] = contextvars.ContextVar("ROLE", default="")
taken: Counter[str] = Counter()


@types.coroutine
def timed(coroutine: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Run a coroutine, and add the CPU seconds of each of its steps to those of its role."""
    step, given = coroutine.send, None
    while True:
        began = time.thread_time()
        try:
            yielded = step(given)
        except StopIteration as ended:
            return ended.value
        finally:
            taken[ROLE.get()] += time.thread_time() - began
        try:
            step, given = coroutine.send, (yield yielded)
        except BaseException as error:  # noqa: BLE001 - also a cancellation
            step, given = coroutine.throw, error


def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """Make a task, whose steps are timed."""

    async def run() -> Any:
        if "aiokafka/producer" in coroutine.cr_code.co_filename:
            ROLE.set("producer")
        return await timed(coroutine)

    return asyncio.Task(run() if hasattr(coroutine, "cr_code") else coroutine, loop=loop, **options)


def playing(role: str, run: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return a function whose coroutine, and all tasks that it begins, have a role."""

    async def play(*arguments: Any) -> Any:
        ROLE.set(role)
        return await run(*arguments)

    return play


async def write_for_ever() -> None:
    """Write what was taken, twice a second."""
    file = FOLDER / f"{os.getpid()}.json"
    while True:
        file.with_suffix(".new").write_text(json.dumps(taken))
        file.with_suffix(".new").replace(file)
        await asyncio.sleep(0.5)


if sys.orig_argv[1:3] == ["-m", "jobstore"]:
    from jobstore import app
    from jobstore.executions.dispatcher import Dispatcher
    from jobstore.publishing.relay import Relay

    serve = app.main

    async def main(*arguments: Any, **options: Any) -> None:
        """Run the jobstore, and write what its roles take."""
        asyncio.get_running_loop().set_task_factory(make_task)
        writing = asyncio.create_task(write_for_ever())
        await serve(*arguments, **options)
        writing.cancel()

    app.main = main
    Relay.run = playing("relay", Relay.run)  # type: ignore[method-assign]
    Dispatcher.run = playing("dispatcher", Dispatcher.run)  # type: ignore[method-assign]
