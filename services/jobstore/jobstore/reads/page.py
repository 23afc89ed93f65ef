"""Fetch a page of rows, bounded in bytes."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

#: Characters of texts that a page holds at most: well below the 4 MiB that gRPC's clients take by default.
PAGE_MAX_BYTES: Final = 2 << 20
#: Rows read ahead of the page's end: few, since each may hold bodies of a megabyte.
ROWS_AT_ONCE: Final = 20


async def fetch_page(
    connection: AsyncConnection, query: Any, parameters: Mapping[str, Any] | None = None, *, bodies: bool
) -> tuple[list[Row[Any]], bool]:
    """Fetch a page of rows; with bodies, stop at PAGE_MAX_BYTES. Return the rows and whether more were left.

    At least one row is returned where there is one. Call within a transaction.
    """
    if not bodies:
        return list(await connection.execute(query, parameters)), False
    rows: list[Row[Any]] = []
    total = 0
    async with connection.stream(query, parameters, execution_options={"max_row_buffer": ROWS_AT_ONCE}) as stream:
        async for row in stream:
            total += sum(len(value) for value in row if isinstance(value, str))
            if rows and total > PAGE_MAX_BYTES:
                return rows, True
            rows.append(row)
    return rows, False
