"""What only the jobstore may do to a database, run as a process of its own; the services import each other nowhere."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from pydantic_core import from_json

from cli.errors import CommandError

LINE_MAX = 1 << 20


async def run(module: str, settings: Mapping[str, str]) -> AsyncGenerator[dict[str, Any]]:
    """What a module of the jobstore says; last its result. CommandError: it has none, and why."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"jobstore.recovery.{module}"),
        env=env | {f"SIGNOFF_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        limit=LINE_MAX,
    )
    assert process.stdout is not None
    said: dict[str, Any] = {}
    try:
        async for line in process.stdout:
            said = from_json(line)
            yield said
    finally:
        if process.returncode is None and "ok" not in said:
            process.terminate()
        await process.wait()
    if error := said.get("error"):
        raise CommandError(error["message"], code=error["code"])
    if "ok" not in said:
        command = f"{sys.executable} -m jobstore.recovery.{module}"
        message = f"`{command}` said nothing of how it ended; is the jobstore installed here?"
        raise CommandError(message, code="no_result")
