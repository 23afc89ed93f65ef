"""REST endpoints of a job's log, and of the results in it as they are stored."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from console.api.auth import CallersJobStore
from console.api.json_body import JsonRoute
from console.api.schemas import LogsQuery, Page
from console.errors import MEDIA_TYPE
from signoff.jsontext import parse_json
from signoff.types import JobLog

router = APIRouter(prefix="/api/jobs/{job_id}/logs", tags=["logs"], route_class=JsonRoute)

Version = Annotated[int, Path(ge=1, le=2**63 - 1, description="of the entry")]

# What agents wrote is shown in a sandbox: no scripts, no requests, no origin.
_SANDBOX: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NO_RESULT: Final[dict[str, Any]] = {
    "description": "No such entry, or one that holds no such result; `code` says which",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
_TEXT: Final = {"schema": {"type": "string"}}
_RAW: Final[dict[str, Any]] = {
    "description": "A string as text, anything else as JSON, byte by byte as it is stored",
    "content": {"text/plain": _TEXT, "application/json": {"schema": {}}},
}
_HTML: Final[dict[str, Any]] = {"description": "The string, in a sandbox", "content": {"text/html": _TEXT}}


@router.get("")
async def list_job_logs(
    request: Request, jobstore: CallersJobStore, job_id: str, query: Annotated[LogsQuery, Query()]
) -> Page[JobLog]:
    """The recorded transitions of a job, oldest first unless asked for otherwise.

    Each criterion of a verdict has `evidence_spans`, for each of its quotations a list of [start, end]: where it stands
    in the text of the result as `.../result` serves it, counted in Unicode characters; the first 20 places, in order.
    """
    logs, token = await jobstore.list_job_logs(
        job_id,
        page_size=query.page_size or 0,
        page_token=query.page_token,
        newest_first=query.newest_first,
        submission=query.submission,
        from_version=query.from_version,
        kinds=query.kind,
        view=query.view,
    )
    await request.app.state.evidence.add(logs)
    return Page[JobLog].of((logs, token))


@router.get("/{version}/result", response_class=Response, responses={200: _RAW, 404: _NO_RESULT})
async def get_result(jobstore: CallersJobStore, job_id: str, version: Version, download: bool = False) -> Response:
    """The result that an entry of the log holds."""
    text = await jobstore.get_result(job_id, version)
    is_string = text.startswith('"')
    name = f"{job_id}-{version}.{'txt' if is_string else 'json'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if download else {}
    media_type = "text/plain; charset=utf-8" if is_string else "application/json"
    return _respond(parse_json(text) if is_string else text, media_type, headers | _SANDBOX)


@router.get("/{version}/html", response_class=Response, responses={200: _HTML, 404: _NO_RESULT})
async def get_result_as_html(jobstore: CallersJobStore, job_id: str, version: Version) -> Response:
    """A result that is a string, as a document: it runs no script, and fetches nothing."""
    text = await jobstore.get_result(job_id, version)
    shown = parse_json(text) if text.startswith('"') else text
    media_type = "text/html; charset=utf-8" if text.startswith('"') else "text/plain; charset=utf-8"
    return _respond(shown, media_type, _SANDBOX)


def _respond(text: str, media_type: str, headers: Mapping[str, str]) -> Response:
    return Response(text.encode(errors="replace"), media_type=media_type, headers=dict(headers))
