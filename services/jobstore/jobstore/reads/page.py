"""Fetch a page of rows, bounded in bytes."""

from typing import Final

from jobstore.storage.sql import Connection, Parameters, Row, Statement

#: Characters of texts that a page holds at most: well below the 4 MiB that gRPC's clients take by default.
PAGE_MAX_BYTES: Final = 2 << 20
#: Rows read ahead of the page's end: few, since each may hold bodies of a megabyte.
ROWS_AT_ONCE: Final = 20


async def fetch_page(
    connection: Connection, query: Statement, parameters: Parameters | None = None, *, bodies: bool
) -> tuple[list[Row], bool]:
    """Fetch a page of rows; with bodies, stop at PAGE_MAX_BYTES. Return the rows and whether more were left.

    At least one row is returned where there is one. Call within a transaction.
    """
    if not bodies:
        return list(await connection.execute(query, parameters)), False
    rows: list[Row] = []
    total = 0
    async for row in connection.stream(query, parameters, rows_ahead=ROWS_AT_ONCE):
        total += sum(len(value) for value in row if isinstance(value, str))
        if rows and total > PAGE_MAX_BYTES:
            return rows, True
        rows.append(row)
    return rows, False
