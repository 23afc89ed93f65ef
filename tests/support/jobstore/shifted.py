"""The database's clock, shifted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from jobstore.engine.database import Database

_SHIFT = """
CREATE OR REPLACE FUNCTION signoff_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT statement_timestamp() + make_interval(secs => {shift_s})'
"""


@asynccontextmanager
async def shifted_clock(database: Database, shift_s: float) -> AsyncIterator[None]:
    """Shift the clock of a test's own database by some seconds."""
    await _shift(database, shift_s)
    try:
        yield
    finally:
        await _shift(database, 0.0)


async def _shift(database: Database, shift_s: float) -> None:
    async with database.transaction() as connection:
        await connection.execute(text(_SHIFT.format(shift_s=shift_s)))
