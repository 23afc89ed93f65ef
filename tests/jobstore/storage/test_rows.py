"""Rows as they are read, and as they are written in batches."""

import pytest
from sqlalchemy import text

from jobstore.engine import sql
from jobstore.engine.database import Database


async def test_a_column_is_an_attribute_of_the_rows_that_have_it(database: Database) -> None:
    async with database.session() as session:
        (first,) = await session.execute(text("SELECT 1 AS a, 2 AS b"))
        (second,) = await session.execute(text("SELECT 3 AS b"))
    assert [first.a, first.b, second.b] == [1, 2, 3]
    with pytest.raises(AttributeError):
        _ = first.neither
    assert second.get("a") is None


async def test_a_column_of_nulls_alone_is_not_sent_and_is_written_all_the_same(database: Database) -> None:
    columns = {"id": "integer", "at": "timestamptz", "names": "text[]"}
    rows = [{"id": 1, "at": None, "names": None}, {"id": 2, "at": None, "names": None}]
    parameters = sql.arrays(columns, "u", rows)
    assert parameters == {"u_id": [1, 2], "u_at": [], "u_names": []}
    query = text(f"SELECT {sql.values('u', columns)} FROM {sql.unnest('u', columns)}")
    async with database.session() as session:
        assert [dict(row) for row in await session.execute(query, parameters)] == rows


@pytest.mark.parametrize("count", [1, 2])
async def test_few_rows_read_as_those_of_a_batch(database: Database, count: int) -> None:
    columns = {"id": "integer", "at": "timestamptz", "names": "text[]", "body": "json"}
    rows = [
        {"id": 1, "at": None, "names": ['a "quoted", name', ""], "body": '{"a": 1}'},
        {"id": 2, "at": None, "names": None, "body": None},
    ][:count]
    select = f"SELECT u.n, {sql.values('u', columns)} FROM"
    batch = text(f"{select} {sql.unnest('u', columns)}")
    few = text(f"{select} {sql.few('u', columns, count)}")
    async with database.session() as session:
        read = [dict(row) for row in await session.execute(few, sql.cells(columns, "u", rows))]
        assert read == [dict(row) for row in await session.execute(batch, sql.arrays(columns, "u", rows))]
    assert [{name: row[name] for name in columns} for row in read] == rows
