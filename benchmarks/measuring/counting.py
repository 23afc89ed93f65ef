"""Count what lives ask of PostgreSQL and Kafka, by what each process of the system notes while it runs."""

import asyncio
import json
import math
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from servicekit.kafka.subscription import COMMIT_INTERVAL_S

#: A step of a life is over once nothing that is not periodic was asked for so long, in seconds.
CALM_S = 0.4
#: All that a life has asked for is complete once the offsets of what was read for it are committed, too.
COMMITTED_S = COMMIT_INTERVAL_S + CALM_S
CALM_MAX_S = 30.0
#: Tables of one row or a few are read as a whole by any plan, and do not grow.
_SCANNED = """
SELECT relname, seq_tup_read FROM pg_stat_user_tables
WHERE relname IN ('jobs', 'job_logs', 'executions', 'facts', 'reusable', 'operation_items')
"""
_TRANSACTIONS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY($1)"


@dataclass(frozen=True, slots=True)
class Note:
    """A request that a process made. Times are those of the machine's monotonic clock, in seconds."""

    service: str
    began: float
    ended: float
    kind: str  # sql, or a request of Kafka's protocol: produce, fetch, offsetcommit, ..
    what: str  # the statement, or the topics
    connection: int  # the same for requests of one connection
    ends: bool  # whether it ended a transaction
    periodic: bool  # whether a timer asked for it, and nothing else


class RequestCounter:
    """Count the requests of systems that are started with PYTHONPATH at `path`: a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.path = folder, str(folder)
        folder.mkdir()
        shutil.copy(Path(__file__).parent / "counter/sitecustomize.py", folder)

    def read(self, since: float, until: float = math.inf) -> list[Note]:
        """Read the notes of what was answered in a stretch of time, in the order in which it was asked."""
        files = self._folder.glob("*.jsonl")
        lines = (line for file in files for line in file.read_text().splitlines(keepends=True) if line.endswith("\n"))
        notes = (Note(**json.loads(line)) for line in lines)
        return sorted((note for note in notes if since <= note.ended < until), key=lambda note: note.began)

    async def wait_for_calm(self, since: float, calm_s: float = CALM_S) -> list[Note]:
        """Wait until nothing but what is periodic goes on; return what was answered since a time, without that."""
        async with asyncio.timeout(CALM_MAX_S):
            while True:
                notes = [note for note in self.read(since) if not note.periodic]
                quiet_s = time.monotonic() - max([since, *(note.ended for note in notes)])
                if quiet_s >= calm_s:
                    return notes
                await asyncio.sleep(calm_s - quiet_s)


def count(notes: Iterable[Note]) -> dict[str, int]:
    """Count transactions, statements, and the requests to Kafka that move records or offsets."""
    kinds: Counter[str] = Counter()
    for note in notes:
        kinds[note.kind] += 1
        kinds["transactions"] += note.ends
    names = {"statements": "sql", "produce": "produce", "fetch": "fetch", "commit": "offsetcommit"}
    return {"transactions": kinds["transactions"], **{name: kinds[kind] for name, kind in names.items()}}


async def count_transactions(connection: asyncpg.Connection) -> int:
    """Return how many transactions PostgreSQL has counted."""
    counted: int = await connection.fetchval(_TRANSACTIONS)
    return counted


async def count_scanned_rows(connection: asyncpg.Connection) -> dict[str, int]:
    """Return how many rows sequential scans have read of each table that grows, as far as backends have told it."""
    await connection.execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()")
    return {row["relname"]: row["seq_tup_read"] for row in await connection.fetch(_SCANNED)}


async def count_all_scanned_rows(connection: asyncpg.Connection, jobstore: int) -> dict[str, int]:
    """Kill a jobstore, whose backends tell what they have read as they end; return what all have."""
    pids = [row["pid"] for row in await connection.fetch(_BACKENDS)]
    os.kill(jobstore, signal.SIGKILL)
    async with asyncio.timeout(CALM_MAX_S):
        while await connection.fetchval(_LEFT, pids):  # noqa: ASYNC110 - told by no event
            await asyncio.sleep(0.01)
    return await count_scanned_rows(connection)
