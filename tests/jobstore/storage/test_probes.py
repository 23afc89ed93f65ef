"""The probe of the database looks at the tables, and for sessions to end, when there may be something to see."""

import pytest
from sqlalchemy import text
from support.jobstore.statements import recorded_statements

from jobstore.engine.database import Database
from servicekit.errors import TransientError


async def count_looks(database: Database) -> tuple[int, int]:
    """Probe once, as it does regularly: how often it looks at the tables, and for sessions to end."""
    with recorded_statements() as statements:
        await database.availability.probe(thoroughly=False)
    looks = ("has_table_privilege", "pg_terminate_backend")
    tables, sessions = (sum(look in statement for statement in statements) for look in looks)
    return tables, sessions


async def test_tables_are_looked_at_first_and_once_an_outage_was_met(database: Database) -> None:
    assert [(await count_looks(database))[0] for _ in range(3)] == [1, 0, 0]
    with pytest.raises(TransientError):
        async with database.session() as session:
            await session.execute(text("SELECT FROM nobody_migrated_this"))
    assert [(await count_looks(database))[0] for _ in range(2)] == [1, 0]


async def test_sessions_are_looked_for_once_an_epoch_begins_or_ends(database: Database) -> None:
    await database.availability.probe()
    assert [(await count_looks(database))[1] for _ in range(2)] == [0, 0]
    async with database.session() as session:
        await session.execute(text("INSERT INTO epochs (until) VALUES (now() - interval '1 second')"))
        assert [(await count_looks(database))[1] for _ in range(2)] == [1, 0]
        await session.execute(text("DELETE FROM epochs"))
    assert [(await count_looks(database))[1] for _ in range(2)] == [1, 0]
