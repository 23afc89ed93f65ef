"""The tables made again from the facts alone, and held against the live ones."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from jobstore.engine.address import DRIVER_ERRORS
from localstack.services import Addresses

#: A rebuild fails what was live and must not be called again; that is no fact.
_ENTRIES = "SELECT job_id, version, id::text FROM job_logs WHERE kind <> 'rebuilt'"
REBUILD_S = 120.0


async def rebuilt(addresses: Addresses, archive: Path | None) -> str | None:
    """None: the rebuilt tables are the same; else what `signoff rebuild` or `signoff verify` said.

    `archive`: where facts are archived, which is verified, too.
    """
    if archive is not None and (wrong := await _signoff(addresses, "archive", "verify", *_named(archive))) is not None:
        return wrong
    database = _beside(addresses.postgres, "rebuilt")
    made = await _rebuild(addresses, database, archive)
    compared = ("verify", "--database-url", database, "--live", addresses.postgres, *_named(archive))
    return made or await _signoff(addresses, *compared)


async def rebuilt_part(addresses: Addresses, archive: Path | None) -> str | None:
    """Rebuild while everything goes on. None: each entry of a log is as in the live one; else what is wrong."""
    database = _beside(addresses.postgres, "midst")
    try:
        async with asyncio.timeout(REBUILD_S):
            await _forget(addresses.postgres, database)
            if (wrong := await _rebuild(addresses, database, archive)) is not None:
                return wrong
            made = await _entries(database)
            other = made - await _entries(addresses.postgres)
    except (TimeoutError, *DRIVER_ERRORS) as error:
        return repr(error)
    return (
        f"{len(other)} entries are others, such as {min(other)}" if other else None if made else "nothing was rebuilt"
    )


def _beside(url: str, word: str) -> str:
    """The URL of another database of the same server."""
    at = urlsplit(url)
    return at._replace(path=f"{at.path}_{word}").geturl()


def _named(archive: Path | None) -> list[str]:
    return [] if archive is None else ["--archive", str(archive)]


async def _rebuild(addresses: Addresses, database: str, archive: Path | None) -> str | None:
    return await _signoff(addresses, "rebuild", "--database-url", database, "--create", *_named(archive))


async def _forget(live: str, database: str) -> None:
    async with _connected(live) as connection:
        await connection.execute(f'DROP DATABASE IF EXISTS "{urlsplit(database).path[1:]}" WITH (FORCE)')


async def _entries(database: str) -> set[tuple[str, int, str]]:
    async with _connected(database) as connection:
        return {tuple(row) for row in await connection.fetch(_ENTRIES)}


@asynccontextmanager
async def _connected(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def _signoff(addresses: Addresses, *arguments: str) -> str | None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", *arguments),
        env={
            **os.environ,
            **addresses.reach_as("operator").to_environment(),
            "SIGNOFF_SECRETS": addresses.secrets["SIGNOFF_SECRETS"],
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return None if process.returncode == 0 else f"{arguments[0]}: {said.decode()[-2_000:]}"
