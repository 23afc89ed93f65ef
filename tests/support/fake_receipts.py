"""The doors of receipts of the jobstore in memory."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

import grpc

from contracts.receipts import PublicKey
from signoff.v1 import receipt_service_pb2 as pb
from signoff.v1.receipt_service_pb2_grpc import ReceiptServiceServicer
from signoff.wire import write_message
from support.fake_operations import Refusal


class FakeReceipts(ReceiptServiceServicer):
    """`receipts` are the envelopes that there are, by job."""

    receipts: dict[str, str]
    receipt_keys: list[PublicKey]

    async def GetReceipt(self, request, context):
        if request.job_id not in self.receipts:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "no_verdict")
        return pb.GetReceiptResponse(envelope_json=self.receipts[request.job_id], version=7)

    async def ListReceiptKeys(self, request, context):
        return write_message(pb.ListReceiptKeysResponse, {"keys": list(self.receipt_keys)})
