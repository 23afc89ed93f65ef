"""The tables made again from the facts alone, and held against the live ones."""

import asyncio
import os
import sys

from localstack.services import Addresses


async def rebuilt(addresses: Addresses) -> str | None:
    """None: the rebuilt tables are the same; else what `signoff rebuild` or `signoff verify` said."""
    database = f"{addresses.postgres}_rebuilt"
    made = await _signoff(addresses, "rebuild", "--kafka", addresses.kafka, "--database-url", database, "--create")
    return made or await _signoff(addresses, "verify", "--database-url", database, "--live", addresses.postgres)


async def _signoff(addresses: Addresses, *arguments: str) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env=os.environ | {"SIGNOFF_SECRETS": addresses.secrets["SIGNOFF_SECRETS"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return None if process.returncode == 0 else f"{arguments[0]}: {said.decode()[-2_000:]}"
