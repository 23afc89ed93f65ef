"""How much there is: as it is now, and whether it is time to look for the overview's past."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

GAUGES: Final = ("queued", "running", "judging")
SAMPLED_EVERY: Final = timedelta(seconds=10)
#: Enough for millions of executions. A sample that would take longer is given up, and is a gap.
SAMPLE_MAX_MS: Final = 5_000

#: Each from the partial index that holds only such rows: what is done costs nothing.
_NOW: Final = text(
    """
    SELECT clock_timestamp() AS at,
        (SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state = 'QUEUED') AS queued,
        (SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED')) AS running,
        (SELECT count(*) FROM executions WHERE stage = 'JUDGING' AND state <> 'DONE') AS judging
    """,
)
#: One of the future does not count: the database's clock was set back.
_WAS_SAMPLED: Final = text(
    "SELECT EXISTS (SELECT FROM rollup WHERE sampled_at BETWEEN clock_timestamp() - CAST(:every AS interval) "
    "AND clock_timestamp())",
)
_CLAIM: Final = text(
    "INSERT INTO rollup (id, seq, sampled_at) VALUES (1, 0, clock_timestamp()) "
    "ON CONFLICT (id) DO UPDATE SET sampled_at = excluded.sampled_at",
)
_BOUND: Final = text("SELECT set_config('statement_timeout', :most, true)")


async def now(connection: AsyncConnection) -> Any:
    """How much is queued, running and judging, all at one moment, and when that was by the database's clock."""
    return (await connection.execute(_NOW)).one()


async def sample(connection: AsyncConnection) -> Any:
    """The same within a transaction, and within some time. TransientError: it takes longer."""
    await connection.execute(_BOUND, {"most": str(SAMPLE_MAX_MS)})
    return await now(connection)


async def claimed(connection: AsyncConnection) -> bool:
    """Whether it is time for a sample. It is claimed before it is taken: one that fails is not taken again at once."""
    if await connection.scalar(_WAS_SAMPLED, {"every": SAMPLED_EVERY}):
        return False
    await connection.execute(_CLAIM)
    return True
