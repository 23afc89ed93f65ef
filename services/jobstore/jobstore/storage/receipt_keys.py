"""Keep the public keys of receipts: also of secrets that are gone, since what they signed is still shown around."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text

from contracts.receipts import PublicKey
from jobstore.storage.sql import Connection

# Jobstores that start at once, or with secrets in another order, add the same keys, whichever of them is first.
_ADD: Final = text(
    """
    INSERT INTO receipt_keys (public_key, secret_id)
    SELECT * FROM unnest(CAST(:public_keys AS bytea[]), CAST(:secret_ids AS text[])) AS added (public_key, secret_id)
    ORDER BY public_key ON CONFLICT DO NOTHING
    """
)
_LIST: Final = text(
    """
    SELECT public_key, secret_id, added_at FROM receipt_keys
    WHERE (added_at, public_key) < (CAST(:added_at AS timestamptz), CAST(:public_key AS bytea))
        OR CAST(:added_at AS timestamptz) IS NULL
    ORDER BY added_at DESC, public_key DESC LIMIT :limit
    """
)


async def add_keys(connection: Connection, keys: Sequence[PublicKey]) -> None:
    """Add the keys that are not there yet."""
    parameters = {"public_keys": [key.value for key in keys], "secret_ids": [key.secret_id for key in keys]}
    await connection.execute(_ADD, parameters)


async def list_keys(connection: Connection, limit: int, after: tuple[datetime, bytes] | None = None) -> list[PublicKey]:
    """Return keys, the newest first, after one."""
    added_at, public_key = after or (None, None)
    rows = await connection.execute(_LIST, {"limit": limit, "added_at": added_at, "public_key": public_key})
    return [PublicKey.of(row.public_key, row.secret_id, row.added_at) for row in rows]
