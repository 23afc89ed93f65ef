"""Agents that a test serves in processes of their own; what they begin, and how it ends, is noted in files."""

import asyncio
import os
from pathlib import Path

from signoff_agent import RetryableError, Task, agent

FOLDER = Path(os.environ.get("SERVED_FOLDER", "."))


def note(task: Task, what: str) -> None:
    """Add a line to the file of a key, which outlives this process."""
    with (FOLDER / f"{task.key}.{what}").open("a") as file:
        file.write(f"{os.getpid()}\n")


async def wait(task: Task) -> str:
    """Work until the file `end` is there, and for as long as the payload says."""
    note(task, "began")
    await asyncio.sleep((task.payload or {}).get("for_s", 0))
    task.usage(input_tokens=3)
    try:
        while not (FOLDER / "end").exists():
            task.progress(0.5, f"in {os.getpid()}")
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        note(task, "cancelled")
        raise
    return task.title


async def wait_the_second_time(task: Task) -> str:
    """Fail the first call, and work in the second."""
    if task.call == 1:
        note(task, "failed")
        raise RetryableError("busy")
    return await wait(task)


waiting = agent(grace_s=30)(wait)
retried = agent(grace_s=30)(wait_the_second_time)
hasty = agent(grace_s=0.2)(wait)
repeatable = agent(grace_s=0.2, is_repeatable=True)(wait)
