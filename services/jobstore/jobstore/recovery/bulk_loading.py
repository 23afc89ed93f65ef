"""Load tables that are empty: the indexes and foreign keys that loading does not need are made of the whole at once."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text

from jobstore.storage.sql import Connection

_INDEXES: Final = text(
    """
    SELECT format('DROP INDEX %I', c.relname) AS drop, pg_get_indexdef(i.indexrelid) AS make
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
    """,
)
_FOREIGN_KEYS: Final = text(
    """
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop,
        format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS make
    FROM pg_constraint
    WHERE contype = 'f' AND conrelid = ANY(CAST(CAST(:tables AS text[]) AS regclass[]))
    """,
)
#: Of a table that is empty at first the planner believes that it is best read as a whole.
_BY_KEY: Final = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")


@asynccontextmanager
async def bulk_load(connection: Connection, tables: Sequence[str]) -> AsyncIterator[None]:
    """Load these tables within a transaction. Only primary keys are there meanwhile, and every look-up is by key.

    Statistics are left to autovacuum, as of any table that has just grown: no plan hangs on them (docs/adr/0024).
    """
    driver = connection.driver
    parts = [row for query in (_FOREIGN_KEYS, _INDEXES) for row in await connection.execute(query, {"tables": tables})]
    for part in parts:
        await driver.execute(part.drop)
    for name in _BY_KEY:
        await driver.execute(f"SET LOCAL {name} = off")
    yield
    for name in _BY_KEY:
        await driver.execute(f"SET LOCAL {name} TO DEFAULT")
    for part in reversed(parts):  # an index may serve to check a key
        await driver.execute(part.make)
