"""Count what is queued, running and judged now, and say when it is time to sample that for the overview."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import text

from jobstore.storage.sql import Connection


class Gauges(NamedTuple):
    """How many executions are queued, running and judging, and at which time of the database's clock."""

    at: datetime
    queued: int
    running: int
    judging: int


GAUGES: Final = Gauges._fields[1:]
#: Between two samples, of all jobstores together.
SAMPLED_EVERY: Final = timedelta(seconds=10)
#: Milliseconds that a sample may take: enough for millions of executions. One that takes longer is a gap.
SAMPLE_MAX_MS: Final = 5_000

#: Each count reads the partial index that holds only such rows: executions that are DONE cost nothing.
_NOW: Final = text(
    """
    SELECT signoff_now() AS at,
        (SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state = 'QUEUED') AS queued,
        (SELECT count(*) FROM executions WHERE stage = 'EXECUTING' AND state IN ('OFFERED', 'LEASED')) AS running,
        (SELECT count(*) FROM executions WHERE stage = 'JUDGING' AND state <> 'DONE') AS judging
    """,
)
#: Whether the gauges were sampled of late. A sample in the future does not count: the database's clock was set back.
_IS_RECENT: Final = "sampled_at BETWEEN signoff_now() - CAST(:every AS interval) AND signoff_now()"
#: A column of the row of `rollup`, or of none.
IS_SAMPLE_DUE: Final = f"({_IS_RECENT}) IS NOT TRUE AS is_sample_due"
#: Of several that claim at once, the first updates the row, and the others find that it is recent.
_CLAIM: Final = text(
    f"""
    INSERT INTO rollup (id, seq, sampled_at) VALUES (1, 0, signoff_now())
    ON CONFLICT (id) DO UPDATE SET sampled_at = excluded.sampled_at
    WHERE (rollup.{_IS_RECENT}) IS NOT TRUE RETURNING id
    """,  # noqa: S608 - words of our own
)
_SET_TIMEOUT: Final = text("SELECT set_config('statement_timeout', :limit_ms, true)")


async def count_now(connection: Connection) -> Gauges:
    """Count the executions that are queued, running and judging, all at one moment."""
    return Gauges(*(await connection.execute(_NOW)).one())


async def count_in_time(connection: Connection) -> Gauges:
    """Return the counts as `count_now` does, in a transaction. TransientError: it takes over SAMPLE_MAX_MS."""
    await connection.execute(_SET_TIMEOUT, {"limit_ms": str(SAMPLE_MAX_MS)})
    return await count_now(connection)


async def claim_sample(connection: Connection) -> bool:
    """Return whether to take a sample, and claim it: one that fails then is not taken again at once."""
    return await connection.scalar(_CLAIM, {"every": SAMPLED_EVERY}) is not None
