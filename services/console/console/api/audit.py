"""REST endpoints of the audit: what callers did and were refused."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from console.api.auth import CallersJobStore
from console.api.requests import JsonRoute
from console.api.schemas import AuditChoice, AuditQuery, Page
from signoff.identity import AuditEntry

router = APIRouter(prefix="/api/audit", tags=["access"], route_class=JsonRoute)

#: JSON lines, which have no registered type.
JSON_LINES: Final = "application/x-ndjson"
_EXPORT: Final[dict[str, Any]] = {
    "description": "The entries as JSON, one a line, newest first. The export is an entry itself.",
    "content": {JSON_LINES: {"schema": {"$ref": "#/components/schemas/AuditEntry"}}},
}


@router.get("")
async def list_audit(jobstore: CallersJobStore, query: Annotated[AuditQuery, Query()]) -> Page[AuditEntry]:
    """Entries of the audit: what callers of one's tenants did and were refused, newest first."""
    return Page[AuditEntry].of(await jobstore.list_audit(filter=query.filter, **query.page))


@router.get("/export", response_class=StreamingResponse, responses={200: _EXPORT})
async def export_audit(jobstore: CallersJobStore, query: Annotated[AuditChoice, Query()]) -> StreamingResponse:
    """All that is chosen, as JSON lines."""
    entries = jobstore.export_audit(filter=query.filter)
    first = await anext(entries, None)  # a refusal is answered as such, and not within a stream
    headers = {"Content-Disposition": 'attachment; filename="audit.jsonl"', "Cache-Control": "no-store"}
    return StreamingResponse(_write_lines(first, entries), media_type=JSON_LINES, headers=headers)


async def _write_lines(first: AuditEntry | None, entries: AsyncGenerator[AuditEntry]) -> AsyncGenerator[str]:
    if first is None:
        return
    yield _to_line(first)
    async for entry in entries:
        yield _to_line(entry)


def _to_line(entry: AuditEntry) -> str:
    return f"{entry.model_dump_json(exclude_none=True)}\n"
