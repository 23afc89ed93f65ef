"""A page of rows, bounded in bytes."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

#: What one answer holds at most: below what gRPC's readers take by default.
PAGE_MAX_BYTES: Final = 2 << 20


ROWS_AT_ONCE: Final = 20


async def fetch_page(
    connection: AsyncConnection, query: Any, about: Mapping[str, Any] | None = None, *, bodies: bool
) -> tuple[list[Row[Any]], bool]:
    """Rows, and whether they are cut: those with bodies are, at PAGE_MAX_BYTES, and few more are ever held.

    Within a transaction.
    """
    if not bodies:
        return list(await connection.execute(query, about)), False
    rows: list[Row[Any]] = []
    total = 0
    async with connection.stream(query, about, execution_options={"max_row_buffer": ROWS_AT_ONCE}) as found:
        async for row in found:
            total += sum(len(value) for value in row if isinstance(value, str))
            if rows and total > PAGE_MAX_BYTES:
                return rows, True
            rows.append(row)
    return rows, False
