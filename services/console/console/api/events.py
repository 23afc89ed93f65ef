"""Stream changes of jobs as server-sent events."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from console.api.access import find_access
from console.api.auth import CallersJobStore, token_of
from console.errors import ProblemError
from console.live import LiveHub, Viewer
from signoff import AsyncClient
from signoff.errors import ErrorCode

router = APIRouter(prefix="/api", tags=["events"])

#: How long a viewer that was cut off may take to read the frames that are on their way to it.
LAST_FRAMES_S = 2.0

After = Annotated[int | None, Query(ge=0, description="a cursor; the stream goes on behind it")]
LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="what a browser sends when it comes back; overrides `after`")
]


def describe_events(schemas: Mapping[str, str]) -> dict[str, Any]:
    """Return the OpenAPI content of a response that streams events; `schemas` name the schema of each event's data."""
    events = {name: {"$ref": f"#/components/schemas/{schema}"} for name, schema in schemas.items()}
    return {"text/event-stream": {"schema": {"type": "string", "x-events": events}}}


_STREAM: Final = {
    "description": (
        "Events, each with its cursor as `id`: `hello` (the cursor at which a new stream begins), `job-changed` (its "
        "data is a JobChange), `ping` every 15 s and when the jobstore goes or comes back (`jobstore` says whether it "
        "is there), and `reset` when it cannot go on behind the cursor asked for: what was read before must be read "
        "again. A reader that is too slow is cut off, and resumes by its last id."
    ),
    "content": describe_events(
        {"hello": "StreamPlace", "job-changed": "JobChange", "ping": "StreamPing", "reset": "StreamPlace"}
    ),
}


class EventStream(StreamingResponse):
    """A response that streams events to one viewer, and ends if the viewer is cut off, even if it reads nothing."""

    media_type = "text/event-stream"

    def __init__(self, live: LiveHub, viewer: Viewer, *, last_frames_s: float = LAST_FRAMES_S) -> None:
        super().__init__(viewer.frames(), headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._live, self._viewer, self._last_frames_s = live, viewer, last_frames_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events of the viewer until the client disconnects, or the viewer is cut off or ends."""
        sending = asyncio.ensure_future(super().__call__(scope, receive, send))
        ended = asyncio.ensure_future(self._viewer.ended.wait())
        try:
            await asyncio.wait({sending, ended}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({sending}, timeout=self._last_frames_s)
        finally:
            self._live.leave(self._viewer)
            sending.cancel()
            ended.cancel()
            await asyncio.gather(sending, ended, return_exceptions=True)


@router.get("/events", status_code=200, response_class=EventStream, responses={200: _STREAM})
async def watch_jobs(
    request: Request, jobstore: CallersJobStore, after: After = None, last_event_id: LastEventId = None
) -> EventStream:
    """All changes of all jobs."""
    return await _open_job_stream(request, jobstore, None, after, last_event_id)


@router.get("/jobs/{job_id}/events", status_code=200, response_class=EventStream, responses={200: _STREAM})
async def watch_job(
    request: Request, jobstore: CallersJobStore, job_id: str, after: After = None, last_event_id: LastEventId = None
) -> EventStream:
    """All changes of one job."""
    await jobstore.get_job(job_id)
    return await _open_job_stream(request, jobstore, job_id, after, last_event_id)


async def _open_job_stream(
    request: Request, jobstore: AsyncClient, job_id: str | None, after: int | None, last_event_id: str | None
) -> EventStream:
    """Open a stream of the jobs that the caller may watch; the console watches them with a token of its own."""
    live, token = request.app.state.live, token_of(request)
    caller = live.find_caller(token) or await request.app.state.known_tokens.find_caller(token)
    if not find_access("watch_jobs").allows(caller):
        await jobstore.get_latest_cursor()  # which the jobstore refuses, and keeps in the audit
    if last_event_id is not None:
        if not (last_event_id.isascii() and last_event_id.isdigit()):
            detail = "Last-Event-ID: must be the id of one of this stream's events"
            raise ProblemError(ErrorCode.INVALID_REQUEST, detail)
        after = int(last_event_id)
    return EventStream(live, await live.enter(token, caller, job_id, after))
