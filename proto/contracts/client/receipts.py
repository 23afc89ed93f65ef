"""The part of the jobstore's client for receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from contracts.client.connection import Connection
from contracts.messages.filters import view_number
from signoff.status import View
from signoff.v1 import receipt_service_pb2 as pb
from signoff.v1.receipt_service_pb2_grpc import ReceiptServiceStub

if TYPE_CHECKING:
    from contracts.receipts.keys import PublicKey


class Receipt(NamedTuple):
    """A receipt as JSON text, and the version of the entry of the log whose verdict it states."""

    envelope: str
    version: int


class ReceiptsClient(Connection):
    """Call the jobstore about receipts; a base of JobStoreClient."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._receipts = ReceiptServiceStub(self._channel)
        return self

    async def get_receipt(
        self, job_id: str, *, version: int | None = None, submission: int | None = None, view: View = View.FULL
    ) -> Receipt:
        """Return the receipt of the verdict that ended a job, or of the one at a version or on a submission.

        `no_verdict` where there is none, `unjudged` where the judge did not judge. A basic one has hashes of criteria.
        """
        request = pb.GetReceiptRequest(job_id=job_id, version=version, submission=submission, view=view_number(view))
        response = await self._call(self._receipts.GetReceipt, request)
        return Receipt(response.envelope_json, response.version)

    async def list_receipt_keys(self, *, page_size: int = 0, page_token: str = "") -> tuple[list[PublicKey], str]:
        """Return a page of the keys that receipts are and were signed with, newest first, and the next token or ""."""
        request = pb.ListReceiptKeysRequest(page_size=page_size, page_token=page_token)
        response = await self._call(self._receipts.ListReceiptKeys, request)
        return [self._read(key) for key in response.keys], response.next_page_token
