"""Serve ReceiptService over gRPC: sign what the log says of a verdict, and show the keys that verify it."""

from collections.abc import Sequence
from datetime import datetime

from contracts.receipts import ReceiptKey, Statement, sign
from jobstore.api.requests import Context, is_full, make_page_token, parse_page_size, parse_page_token
from jobstore.reads.verdicts import get_verdict
from jobstore.storage import receipt_keys
from jobstore.storage.database import Database
from signoff.status import View
from signoff.v1 import receipt_service_pb2 as pb
from signoff.v1.receipt_service_pb2_grpc import ReceiptServiceServicer
from signoff.wire import write_message


class ReceiptService(ReceiptServiceServicer):
    """Serve receipts, signed with the first of the keys. Nothing is kept of them: one verdict has one receipt."""

    def __init__(self, database: Database, keys: Sequence[ReceiptKey]) -> None:
        self._database = database.for_callers()
        self._signing = keys[0]

    async def GetReceipt(self, request: pb.GetReceiptRequest, context: Context) -> pb.GetReceiptResponse:
        del context
        async with self._database.session() as session:
            recorded = await get_verdict(
                session,
                request.job_id,
                version=request.version if request.HasField("version") else None,
                submission=request.submission if request.HasField("submission") else None,
            )
        statement = Statement.of(
            recorded.verdict,
            recorded.result_hash,
            with_texts=is_full(request.view, View.FULL),
            job_id=recorded.job_id,
            version=recorded.version,
            tenant=recorded.tenant,
            execution_id=recorded.execution_id,
            submission=recorded.submission,
            code=recorded.code,
            status=recorded.status,
            requested_at=recorded.requested_at,
            judged_at=recorded.judged_at,
            task_sha256=None if recorded.task_hash is None else recorded.task_hash.hex(),
        )
        envelope = sign(self._signing, statement.encode())
        return pb.GetReceiptResponse(envelope_json=envelope, version=recorded.version)

    async def ListReceiptKeys(self, request: pb.ListReceiptKeysRequest, context: Context) -> pb.ListReceiptKeysResponse:
        del context
        limit = parse_page_size(request.page_size, 100)
        after = parse_page_token(request, lambda at, key: (datetime.fromisoformat(at), bytes.fromhex(key)))
        async with self._database.session() as session:
            keys = await receipt_keys.list_keys(session, limit, after)
        last = (str(keys[-1].added_at), keys[-1].value.hex()) if len(keys) == limit else None
        token = make_page_token(request, last)
        return pb.ListReceiptKeysResponse(
            keys=[write_message(pb.ReceiptKey, key) for key in keys], next_page_token=token
        )
