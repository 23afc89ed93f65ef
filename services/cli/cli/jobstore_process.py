"""Run the jobstore's programs for databases as processes: services do not import each other."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from pydantic_core import from_json

from cli.errors import CommandError, ExitStatus, find_exit_status
from contracts.topic_prefix import TOPIC_PREFIX
from signoff.errors import ErrorCode

#: Bytes of the longest line that is read from the program.
LINE_MAX = 1 << 20


async def run(module: str, settings: Mapping[str, str]) -> AsyncGenerator[dict[str, Any]]:
    """Run a module of jobstore.recovery and yield the JSON lines that it prints, the last with its result.

    Raise CommandError with the program's error, or if it ended without a result.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    settings = {"TOPIC_PREFIX": TOPIC_PREFIX, **settings}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"jobstore.recovery.{module}"),
        env=env | {f"SIGNOFF_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=None,
        limit=LINE_MAX,
    )
    assert process.stdout is not None
    last: dict[str, Any] = {}
    try:
        async for line in process.stdout:
            last = from_json(line)
            yield last
    finally:
        if process.returncode is None and "ok" not in last:
            process.terminate()
        await process.wait()
    if error := last.get("error"):
        raise CommandError(error["message"], code=error["code"], status=find_exit_status(error["code"]))
    if "ok" not in last:
        command = f"{sys.executable} -m jobstore.recovery.{module}"
        message = f"`{command}` said nothing of how it ended; is the jobstore installed here?"
        raise CommandError(message, code=ErrorCode.NO_RESULT, status=ExitStatus.OUT_OF_REACH)
