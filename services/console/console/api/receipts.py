"""REST endpoints of receipts, and of the keys that verify them, which are everybody's."""

import asyncio
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from console.api.auth import CallersJobStore
from console.api.requests import JsonRoute
from console.api.schemas import Page, Paging, ReceiptQuery
from console.errors import ProblemError, document_problem
from signoff import AsyncClient
from signoff.connection import list_all
from signoff.errors import ErrorCode
from signoff.judging import ReceiptKey

router = APIRouter(prefix="/api", tags=["receipts"], route_class=JsonRoute)

#: As in-toto names the type of an envelope about this kind of predicate.
RECEIPT_TYPE: Final = "application/vnd.in-toto.verdict+dsse"
#: Seconds for which the keys are answered without asking the jobstore, and for which readers may keep them. A key is
#: added before it signs.
KEPT_S: Final = 60
KEYS_A_PAGE: Final = 100

_RECEIPT: Final[dict[str, Any]] = {
    "description": "A DSSE envelope of an in-toto statement, signed with Ed25519 (docs/receipts.md)",
    "content": {
        media_type: {"schema": {"$ref": "#/components/schemas/ReceiptEnvelope"}}
        for media_type in (RECEIPT_TYPE, "application/json")
    },
}
_UNJUDGED: Final = document_problem(
    "The judge did not judge the result, so that there is nothing to state (`unjudged`)"
)


class ReceiptSignature(BaseModel):
    """A signature of a receipt, and the key that verifies it."""

    keyid: str
    sig: str


class ReceiptEnvelope(BaseModel):
    """A receipt, as DSSE has it: the payload and the signatures are base64."""

    payload: str
    payload_type: str = Field(alias="payloadType")
    signatures: list[ReceiptSignature]


class KeptKeys:
    """Keeps the public keys of receipts for KEPT_S, since requests for them need no token and may be many."""

    def __init__(self, jobstore: AsyncClient) -> None:
        self._jobstore = jobstore
        self._keys: list[ReceiptKey] = []
        self._until = 0.0
        self._asking: asyncio.Task[None] | None = None

    async def get(self) -> list[ReceiptKey]:
        """Return all keys, from the jobstore if none were kept within KEPT_S; concurrent requests share its answer."""
        if self._until <= time.monotonic():
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
                self._asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
            await asyncio.shield(self._asking)
        return self._keys

    async def _ask(self) -> None:
        self._keys = await list_all(self._jobstore.iter_receipt_keys())
        self._until = time.monotonic() + KEPT_S


@router.get("/jobs/{job_id}/receipt", response_class=Response, responses={200: _RECEIPT, 409: _UNJUDGED})
async def get_receipt(
    request: Request, jobstore: CallersJobStore, job_id: str, query: Annotated[ReceiptQuery, Query()]
) -> Response:
    """A signed statement about the verdict that ended a job, or about the one that is chosen."""
    receipt = await jobstore.get_receipt(job_id, **dict(query))
    headers = {
        "Content-Disposition": f'attachment; filename="{job_id}-{receipt.version}.receipt.json"',
        "Vary": "Accept",
    }
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    media_type = "application/json" if wants_json else RECEIPT_TYPE
    return Response(receipt.envelope.encode(), media_type=media_type, headers=headers)


@router.get("/receipt-keys")
async def list_receipt_keys(request: Request, response: Response, query: Paging) -> Page[ReceiptKey]:
    """The public keys that receipts are and were signed with, the newest first; needs no token."""
    kept: KeptKeys = request.app.state.receipt_keys
    keys = await kept.get()
    ids, begin = [key.keyid for key in keys], 0
    if query.page_token:  # the last key of the page before: no caller without a token reaches the jobstore
        if query.page_token not in ids:
            raise ProblemError(ErrorCode.INVALID_PAGE_TOKEN, "page_token is not the next_page_token of this list.")
        begin = ids.index(query.page_token) + 1
    end = begin + (query.page_size or KEYS_A_PAGE)
    response.headers["Cache-Control"] = f"public, max-age={KEPT_S}"
    return Page(items=keys[begin:end], next_page_token=ids[end - 1] if keys[end:] else None)
