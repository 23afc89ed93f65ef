"""REST endpoints of jobs, executions, and a job's log with the results in it."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response

from console.api.auth import CallersJobStore
from console.api.requests import CHANGED, READ, Change, IfNoneMatch, JsonRoute, Make, replays, show
from console.api.schemas import (
    Cancellation,
    FacetsQuery,
    JobAssignment,
    JobCancellation,
    JobPage,
    JobsFilter,
    JobsQuery,
    LogsQuery,
    NewExecution,
    Page,
    Resubmission,
)
from console.errors import document_problem
from contracts.evidence import Evidence
from contracts.fields import Strict
from contracts.resources import JobPatch, NewJob
from contracts.words import Span
from signoff import UNCHANGED
from signoff.jsontext import parse_json
from signoff.judging import CriterionVerdict
from signoff.status import View
from signoff.types import Execution, Job, JobCounts, JobFacets, JobLog, SavedJob, Waiting

router = APIRouter(prefix="/api/jobs", tags=["jobs"], route_class=JsonRoute)
#: Not below /api/jobs, where a job may have that id.
counts_router = APIRouter(prefix="/api/job-counts", tags=["jobs"], route_class=JsonRoute)
facets_router = APIRouter(prefix="/api/job-facets", tags=["jobs"], route_class=JsonRoute)
executions_router = APIRouter(prefix="/api/executions", tags=["jobs"], route_class=JsonRoute)


@router.post("", status_code=201, responses=replays(SavedJob))
async def create_job(jobstore: CallersJobStore, job: Strict[NewJob], make: Make) -> SavedJob:
    """Create a job: ASSIGNED with an agent, PENDING without. Repeated with its id, it is the same job."""
    return make.at("/api/jobs", await jobstore.create_job(job, idempotency_key=make.key))


@router.get("")
async def list_jobs(jobstore: CallersJobStore, query: Annotated[JobsQuery, Query()]) -> JobPage:
    """Jobs, newest first unless sorted otherwise, each with the newest entry of its log, and why it waits."""
    page = await jobstore.list_matching(
        query.to_job_filter(query.status), **query.page, order=query.order, view=query.view
    )
    return JobPage(items=page.jobs, next_page_token=page.next_page_token or None, searched=page.searched)


@counts_router.get("")
async def count_jobs(jobstore: CallersJobStore, query: Annotated[JobsFilter, Query()]) -> JobCounts:
    """How many jobs match, by status, each counted up to `capped_at`."""
    return await jobstore.count_jobs(query.to_job_filter())


@facets_router.get("")
async def list_job_facets(jobstore: CallersJobStore, query: Annotated[FacetsQuery, Query()]) -> JobFacets:
    """Count the jobs that match by the values of a field, the most frequent first; a filter by the field is ignored."""
    return await jobstore.list_job_facets(query.field, query.to_job_filter(query.status), **query.page)


@router.get("/{job_id}", response_model=Job, responses=READ)
async def get_job(
    jobstore: CallersJobStore,
    job_id: str,
    response: Response,
    view: Annotated[View, Query(description="`basic` leaves out description, criteria and payload")] = View.FULL,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """One job as it stands; its `ETag` is its version."""
    return show(await jobstore.get_job(job_id, view=view), response, if_none_match)


@router.get("/{job_id}/waiting")
async def explain_job(jobstore: CallersJobStore, job_id: str) -> Waiting:
    """Why a job waits: what holds it back, whose move it is, what lifts it. Without reasons where it does not wait."""
    return await jobstore.explain_job(job_id)


@router.patch("/{job_id}", responses=CHANGED)
async def edit_job(jobstore: CallersJobStore, job_id: str, patch: Strict[JobPatch], change: Change) -> SavedJob:
    """Change what is asked for, by a JSON merge patch, while nothing is live and the job is not COMPLETED.

    The same edit again is one edit.
    """
    return change.tag(await jobstore.edit_job(job_id, patch, version=change.version))


@router.post("/{job_id}/assign")
async def assign_job(jobstore: CallersJobStore, job_id: str, assignment: Strict[JobAssignment], change: Change) -> Job:
    """Assign an agent."""
    payload = assignment.payload if "payload" in assignment.model_fields_set else UNCHANGED
    return await jobstore.assign_agent(job_id, assignment.agent_id, payload, version=change.version)


@router.post("/{job_id}/execute", status_code=201, responses=replays(Execution))
async def execute_job(
    jobstore: CallersJobStore, job_id: str, make: Make, change: Change, execution: Strict[NewExecution | None] = None
) -> Execution:
    """Ask for one execution with the payload of the latest assignment."""
    asked = dict(execution or NewExecution())
    made = await jobstore.execute_job(job_id, **asked, idempotency_key=make.key, version=change.version)
    return make.at("/api/executions", made)


@router.post("/{job_id}/cancel")
async def cancel_job(
    jobstore: CallersJobStore, job_id: str, change: Change, cancellation: Strict[JobCancellation | None] = None
) -> Job:
    """Cancel what is asked for or under way. What has ended by itself is a conflict, with or without its id."""
    asked = dict(cancellation or JobCancellation())
    return await jobstore.cancel_job(job_id, **asked, version=change.version)


@executions_router.get("/{execution_id}")
async def get_execution(jobstore: CallersJobStore, execution_id: UUID) -> Execution:
    """One execution as it stands, and how it ended, whatever ran later."""
    return await jobstore.get_execution(execution_id)


@executions_router.post("/{execution_id}/cancel")
async def cancel_execution(
    jobstore: CallersJobStore, execution_id: UUID, cancellation: Strict[Cancellation | None] = None
) -> Execution:
    """Cancel one execution, also one that nobody has asked for yet. One that has ended by itself is a conflict."""
    return await jobstore.cancel_execution(execution_id, **dict(cancellation or Cancellation()))


@router.post("/{job_id}/resubmit", status_code=201, responses=replays(Execution))
async def resubmit_job(
    jobstore: CallersJobStore, job_id: str, make: Make, change: Change, resubmission: Strict[Resubmission | None] = None
) -> Execution:
    """Ask for the next submission of a job at RESUBMISSION_REQUIRED, with the verdict's feedback."""
    asked = dict(resubmission or Resubmission())
    made = await jobstore.resubmit_job(job_id, **asked, idempotency_key=make.key, version=change.version)
    return make.at("/api/executions", made)


logs_router = APIRouter(prefix="/api/jobs/{job_id}/logs", tags=["logs"], route_class=JsonRoute)

Version = Annotated[int, Path(ge=1, le=2**63 - 1, description="of the entry")]

# What agents wrote is shown in a sandbox: no scripts, no requests, no origin.
_SANDBOX: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NO_RESULT: Final = document_problem("No such entry, or one that holds no such result; `code` says which")
_TEXT: Final = {"schema": {"type": "string"}}
_RAW: Final[dict[str, Any]] = {
    "description": "A string as text, anything else as JSON, byte by byte as it is stored",
    "content": {"text/plain": _TEXT, "application/json": {"schema": {}}},
}
_HTML: Final[dict[str, Any]] = {"description": "The string, in a sandbox", "content": {"text/html": _TEXT}}


@logs_router.get("")
async def list_job_logs(
    request: Request, jobstore: CallersJobStore, job_id: str, query: Annotated[LogsQuery, Query()]
) -> Page[JobLog]:
    """The recorded transitions of a job, oldest first unless asked for otherwise.

    Each criterion of a verdict has `evidence_spans`, for each of its quotations a list of [start, end]: where it stands
    in the text of the result as `.../result` serves it, counted in Unicode characters; the first 20 places, in order.
    """
    logs, token = await jobstore.list_job_logs(
        job_id,
        **query.page,
        newest_first=query.newest_first,
        submission=query.submission,
        from_version=query.from_version,
        kinds=query.kind,
        view=query.view,
    )
    await request.app.state.evidence.add(logs)
    return Page[JobLog].of((logs, token))


@logs_router.get("/{version}/result", response_class=Response, responses={200: _RAW, 404: _NO_RESULT})
async def get_result(jobstore: CallersJobStore, job_id: str, version: Version, download: bool = False) -> Response:
    """The result that an entry of the log holds."""
    text = await jobstore.get_result(job_id, version)
    is_string = text.startswith('"')
    name = f"{job_id}-{version}.{'txt' if is_string else 'json'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} if download else {}
    media_type = "text/plain; charset=utf-8" if is_string else "application/json"
    return _respond(parse_json(text) if is_string else text, media_type, headers | _SANDBOX)


@logs_router.get("/{version}/html", response_class=Response, responses={200: _HTML, 404: _NO_RESULT})
async def get_result_as_html(jobstore: CallersJobStore, job_id: str, version: Version) -> Response:
    """A result that is a string, as a document: it runs no script, and fetches nothing."""
    text = await jobstore.get_result(job_id, version)
    shown = parse_json(text) if text.startswith('"') else text
    media_type = "text/html; charset=utf-8" if text.startswith('"') else "text/plain; charset=utf-8"
    return _respond(shown, media_type, _SANDBOX)


def _respond(text: str, media_type: str, headers: Mapping[str, str]) -> Response:
    return Response(text.encode(errors="replace"), media_type=media_type, headers=dict(headers))


#: Of each quotation of a criterion, where it stands.
Spans = list[list[Span]]
#: Entries whose spans are kept in memory, the latest.
REMEMBERED_MAX = 200
#: Characters of a result that is searched on the event loop; a longer one is searched in a thread.
INLINE_MAX_CHARS = 20_000


class EvidenceSpans:
    """Finds where evidence stands in results, and remembers it by log entry, since log entries never change."""

    def __init__(self) -> None:
        self._spans: OrderedDict[UUID, list[Spans]] = OrderedDict()

    async def add(self, logs: Iterable[JobLog]) -> None:
        """Set `evidence_spans` of all criteria in the verdicts: the places [start, end] of quotations in the result."""
        for log in logs:
            if log.verdict is None:
                continue
            criteria = log.verdict.criteria
            spans = self._spans.get(log.id)
            if spans is None:
                spans = await self._find(log, criteria)
            for criterion, places in zip(criteria, spans, strict=True):
                criterion.evidence_spans = places

    async def _find(self, log: JobLog, criteria: Sequence[CriterionVerdict]) -> list[Spans]:
        quotes, result = [criterion.evidence for criterion in criteria], log.result
        if isinstance(result, str) and len(result) <= INLINE_MAX_CHARS:
            spans = _find_spans(result, quotes)
        else:
            spans = await asyncio.to_thread(_find_spans, result, quotes)
        self._spans[log.id] = spans
        if len(self._spans) > REMEMBERED_MAX:
            self._spans.popitem(last=False)
        return spans


def _find_spans(result: Any, quotes: Iterable[Any]) -> list[Spans]:
    evidence = Evidence(result)  # criteria that it repeats are left in it: what is marked was checked without them
    return [[evidence.find_spans(quote) for quote in each] for each in quotes]
