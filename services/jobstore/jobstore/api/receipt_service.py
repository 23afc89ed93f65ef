"""Serve ReceiptService over gRPC: sign receipts of verdicts in the log, and list the keys that verify them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import text

from contracts.receipts import PublicKey, ReceiptKey
from jobstore.api.requests import Context, is_full, make_page, parse_page
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import Connection
from jobstore.jobs.reads import get_verdict, make_receipt
from signoff.status import View
from signoff.v1 import receipt_service_pb2 as pb
from signoff.v1.receipt_service_pb2_grpc import ReceiptServiceServicer
from signoff.wire import read_field

# Jobstores that start at once, or with their secrets in another order, add the same keys.
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
    """Store those of these keys that are not stored yet."""
    parameters = {"public_keys": [key.value for key in keys], "secret_ids": [key.secret_id for key in keys]}
    await connection.execute(_ADD, parameters)


async def list_keys(connection: Connection, limit: int, after: tuple[datetime, bytes] | None = None) -> list[PublicKey]:
    """Return up to `limit` keys, the newest first, after the place `after`, (added_at, public key)."""
    added_at, public_key = after or (None, None)
    rows = await connection.execute(_LIST, {"limit": limit, "added_at": added_at, "public_key": public_key})
    return [PublicKey.of(row.public_key, row.secret_id, row.added_at) for row in rows]


class ReceiptService(ReceiptServiceServicer):
    """Serve receipts, signed with the first key. No receipt is stored: the same verdict gives the same receipt."""

    def __init__(self, database: Callers, keys: Sequence[ReceiptKey]) -> None:
        self._database = database
        self._signing = keys[0]

    async def GetReceipt(self, request: pb.GetReceiptRequest, _: Context) -> pb.GetReceiptResponse:
        async with self._database.session() as session:
            recorded = await get_verdict(
                session,
                request.job_id,
                version=read_field(request, "version"),
                submission=read_field(request, "submission"),
            )
        envelope = make_receipt(self._signing, recorded, texts=is_full(request.view, View.FULL))
        return pb.GetReceiptResponse(envelope_json=envelope, version=recorded.version)

    async def ListReceiptKeys(self, request: pb.ListReceiptKeysRequest, _: Context) -> pb.ListReceiptKeysResponse:
        limit, after = parse_page(request, 100, lambda at, key: (datetime.fromisoformat(at), bytes.fromhex(key)))
        async with self._database.session() as session:
            keys = await list_keys(session, limit, after)
        return make_page(
            pb.ListReceiptKeysResponse,
            request,
            limit,
            "keys",
            keys,
            lambda last: (str(last.added_at), last.value.hex()),
        )
