"""Serve JobService over gRPC: create, read, change, run and watch jobs."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Final
from uuid import UUID

from contracts.criteria import KEPT_MAX_CHARS, parse_stored_criteria
from contracts.lint import find_warnings
from contracts.resources import JobFilter, JobPatch, NewJob, job_message, patch_of
from jobstore.access.callers import find_actor
from jobstore.api.requests import (
    Context,
    check_job_size,
    check_text_size,
    is_full,
    make_page_token,
    mark_replay,
    parse_page,
    parse_uuid,
    read_key,
    read_name,
    read_new_job,
    read_trace,
    read_version,
    reject_nul,
    wants_text,
)
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.engine.sql import PAGE_MAX_BYTES, Connection
from jobstore.errors import InvalidError, NotFoundError
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.requesting import ExecutionRequest
from jobstore.executions.rows import ExecutionView
from jobstore.jobs import finding, lists
from jobstore.jobs.commands import AssignAgent, CreateJob, EditJob, Once
from jobstore.jobs.lists import Facet
from jobstore.jobs.model import IdKey, RequestKey, hash_spec
from jobstore.jobs.reads import (
    LogFilter,
    LogView,
    add_last_logs,
    add_waiting,
    get_execution,
    get_job,
    get_result,
    list_job_logs,
    make_missing_error,
)
from jobstore.jobs.rows import generate_id
from jobstore.jobs.waits import explain_jobs
from jobstore.operations.batches import Batches
from jobstore.operations.commands import check_batch_size
from jobstore.publishing.watches import Watches
from servicekit.retry import chunk_by_size
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobOrder, View
from signoff.v1 import job_service_pb2 as pb
from signoff.v1 import resources_pb2
from signoff.v1.job_service_pb2_grpc import JobServiceServicer
from signoff.values import new_execution_id
from signoff.wire import parse_words, read_field, read_fields, write_message, write_row

#: New jobs of one request that are converted before the event loop serves other calls.
CONVERTED_AT_ONCE: Final = 200
#: The pause of a batched watch after each response: a client that watches all jobs, as the page does, gets fewer.
BATCHED_REST_S: Final = 0.02


class JobService(JobServiceServicer):
    """Serve jobs, their logs and batches of executions."""

    def __init__(
        self, database: Callers, runner: CommandRunner, watches: Watches, batches: Batches, payload_max_bytes: int
    ) -> None:
        self._database = database
        self._runner = runner
        self._ids = runner.terms.ids
        self._watches = watches
        self._batches = batches
        self._payload_max_bytes = payload_max_bytes

    async def CreateJob(self, request: pb.CreateJobRequest, context: Context) -> pb.CreateJobResponse:
        new = read_new_job(request.job)
        check_job_size(new, self._payload_max_bytes)
        key = None
        if given := read_key(request):
            body = [new.id, hash_spec(new).hex()]
            new.id = new.id or str(self._ids.derive("job", new.tenant, given))
            key = RequestKey.of("CreateJob", given, body, tenant=new.tenant, job_id=new.id)
        command = CreateJob(new, new.id or generate_id(), actor=find_actor())
        view = mark_replay(context, await self._runner.submit.run_one(Once(command, key, actor=command.actor)))
        job = job_message(view, as_text=wants_text(context))
        return pb.CreateJobResponse(job=job, warnings=_make_warnings(view["acceptance_criteria"]))

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        texts = is_full(request.view, View.FULL)
        async with self._database.session() as session:
            view = await get_job(session, request.job_id, texts=texts)
            if view is None:
                raise await make_missing_error(session, request.job_id)
            await add_last_logs(session, [view])
        return pb.GetJobResponse(job=job_message(view, as_text=wants_text(context)))

    async def ExplainJob(self, request: pb.ExplainJobRequest, _: Context) -> pb.ExplainJobResponse:
        async with self._database.session() as session:
            known = await explain_jobs(session, [request.job_id], self._runner.terms.alive_s, places=True)
            if request.job_id not in known:
                raise await make_missing_error(session, request.job_id)
        return pb.ExplainJobResponse(waiting=write_message(resources_pb2.Waiting, known[request.job_id]))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        asked = read_field(request, "order")
        order = asked if isinstance(asked, JobOrder) else JobOrder.CREATED_DESC
        request.order = request.order or pb.JOB_ORDER_CREATED_DESC  # as page tokens know it, asked for or not
        limit, after = parse_page(request, 50, partial(_parse_place, order))
        texts = is_full(request.view)
        async with self._database.transaction() as connection:
            chosen = await self._choose(connection, request.filter)
            page = await lists.list_jobs(connection, limit=limit, chosen=chosen, order=order, after=after, texts=texts)
            await add_last_logs(connection, page.views)
            await add_waiting(connection, page.views, self._runner.terms.alive_s)
        as_text = wants_text(context)
        messages = [job_message(view, as_text=as_text) for view in page.views]
        token = make_page_token(request, page.next and tuple(map(_format_value, page.next)))
        return pb.ListJobsResponse(jobs=messages, next_page_token=token, searched=page.searched)

    async def CountJobs(self, request: pb.CountJobsRequest, _: Context) -> pb.CountJobsResponse:
        async with self._database.transaction() as connection:
            counts = await lists.count_jobs(connection, await self._choose(connection, request.filter))
        return write_message(pb.CountJobsResponse, counts, counts=counts.by_status, capped_at=finding.COUNTED_MAX)

    async def ListJobFacets(self, request: pb.ListJobFacetsRequest, _: Context) -> pb.ListJobFacetsResponse:
        limit, after = parse_page(request, 20, lambda count, value: Facet(str(value), int(count)))
        async with self._database.transaction() as connection:
            chosen = await self._choose(connection, request.filter)
            found = await lists.list_job_facets(connection, request.field, chosen, limit, after)
        token = make_page_token(request, None if found.last is None else (found.last.count, found.last.value))
        return write_message(pb.ListJobFacetsResponse, found, capped_at=finding.COUNTED_MAX, next_page_token=token)

    async def _choose(self, connection: Connection, asked: resources_pb2.JobFilter) -> JobFilter:
        return await finding.look_up(connection, JobFilter(**read_fields(asked)), self._runner.terms.alive_s)

    async def ListJobLogs(self, request: pb.ListJobLogsRequest, context: Context) -> pb.ListJobLogsResponse:
        limit, after = parse_page(request, 100, int)
        chosen = LogFilter(
            submission=read_field(request, "submission"),
            from_version=read_field(request, "from_version"),
            kinds=parse_words(resources_pb2.JobLogKind.DESCRIPTOR, request.kinds),
        )
        shown = {"newest_first": request.newest_first, "payloads": is_full(request.view)}
        async with self._database.transaction() as connection:
            logs, next_version = await list_job_logs(connection, request.job_id, after, limit, chosen=chosen, **shown)
            if not logs and await get_job(connection, request.job_id) is None:
                raise await make_missing_error(connection, request.job_id)
        as_text = wants_text(context)
        messages = [write_row(resources_pb2.JobLog, entry, as_text=as_text) for entry in logs]
        token = make_page_token(request, None if next_version is None else (next_version,))
        return pb.ListJobLogsResponse(logs=messages, next_page_token=token)

    async def GetResult(self, request: pb.GetResultRequest, _: Context) -> pb.GetResultResponse:
        async with self._database.session() as session:
            result = await get_result(session, request.job_id, request.version)
            if (
                result is None
                and (missing := await make_missing_error(session, request.job_id)).code == ErrorCode.JOB_REMOVED
            ):
                raise missing
        if result is None:
            message = f"version {request.version} of the job {request.job_id} holds no result"
            raise NotFoundError(message, code=ErrorCode.NO_RESULT)
        return pb.GetResultResponse(result_json=result)

    async def UpdateJob(self, request: pb.UpdateJobRequest, context: Context) -> pb.UpdateJobResponse:
        patch = patch_of(JobPatch, request.job, request.update_mask)
        command = EditJob(request.job_id, patch, read_version(request), actor=find_actor())
        view = await self._runner.submit.run_one(command)
        is_edited = "acceptance_criteria" in patch.model_fields_set
        warnings = _make_warnings(view["acceptance_criteria"]) if is_edited else ()
        return pb.UpdateJobResponse(job=job_message(view, as_text=wants_text(context)), warnings=warnings)

    async def AssignAgent(self, request: pb.AssignAgentRequest, context: Context) -> pb.AssignAgentResponse:
        fields = read_fields(request)
        payload = json_text(fields["payload"]) if "payload" in fields else None
        command = AssignAgent(request.job_id, request.agent_id, payload, read_version(request), actor=find_actor())
        view = await self._runner.submit.run_one(command)
        return pb.AssignAgentResponse(job=job_message(view, as_text=wants_text(context)))

    async def ExecuteJob(self, request: pb.ExecuteJobRequest, context: Context) -> pb.ExecuteJobResponse:
        not_before = read_field(request, "not_before")
        parameters = ExecutionRequest(not_before=not_before, traceparent=read_trace(context))
        return pb.ExecuteJobResponse(execution=await self._execute(request, parameters, context))

    async def ResubmitJob(self, request: pb.ResubmitJobRequest, context: Context) -> pb.ResubmitJobResponse:
        check_text_size(request.comment, self._payload_max_bytes)
        comment = reject_nul(read_field(request, "comment"))
        parameters = ExecutionRequest(comment, traceparent=read_trace(context))
        return pb.ResubmitJobResponse(execution=await self._execute(request, parameters, context))

    async def _execute(
        self, request: pb.ExecuteJobRequest | pb.ResubmitJobRequest, parameters: ExecutionRequest, context: Context
    ) -> resources_pb2.Execution:
        answer = await self._runner.submit.run_one(_make_command(request, parameters, self._ids))
        view = mark_replay(context, answer)
        if answer.is_replay:
            return await _show_execution(self._database.answering, UUID(str(view["id"])), context)
        return write_message(resources_pb2.Execution, view)

    async def GetExecution(self, request: pb.GetExecutionRequest, context: Context) -> pb.GetExecutionResponse:
        execution_id = parse_uuid(request.execution_id, "execution_id")
        return pb.GetExecutionResponse(execution=await _show_execution(self._database, execution_id, context))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        reason = reject_nul(request.reason)
        check_text_size(request.reason, self._payload_max_bytes)
        named = parse_uuid(request.execution_id, "execution_id") if request.HasField("execution_id") else None
        job_id = request.job_id or None
        command = CancelJob(job_id, named, reason, by_call=True, version=read_version(request), actor=find_actor())
        view = await self._runner.submit.run_one(command)
        job = None if view is None else job_message(view, as_text=wants_text(context))
        execution = None if named is None else await _show_execution(self._database.answering, named, context)
        return pb.CancelJobResponse(job=job, execution=execution)

    async def ExecuteJobs(self, request: pb.ExecuteJobsRequest, context: Context) -> pb.ExecuteJobsResponse:
        check_batch_size(len(request.job_ids) + len(request.jobs))
        chosen = _parse_filter(request)
        new = await self._convert_jobs(request)
        name, key = read_name(request), read_key(request)
        answer = await self._batches.execute(request.job_ids, new, chosen, name, key, find_actor())
        return pb.ExecuteJobsResponse(operation=write_message(resources_pb2.Operation, mark_replay(context, answer)))

    async def _convert_jobs(self, request: pb.ExecuteJobsRequest) -> list[NewJob]:
        new = []
        for number, job in enumerate(request.jobs, start=1):
            new.append(read_new_job(job))
            check_job_size(new[-1], self._payload_max_bytes)
            if number % CONVERTED_AT_ONCE == 0:
                await asyncio.sleep(0)  # ten thousand in one go would stall every other call
        return new

    async def WatchJobs(self, request: pb.WatchJobsRequest, context: Context) -> AsyncIterator[pb.WatchJobsResponse]:
        as_text = wants_text(context)
        job_ids, texts = list(request.job_ids), is_full(request.view)
        cursor = await self._watches.resolve_cursor(read_field(request, "after"), of_all=not request.job_ids)
        yield pb.WatchJobsResponse(cursor=cursor)
        if not request.HasField("after") and not request.changes_only:
            async for view in self._watches.read_jobs(job_ids, texts=texts):
                yield pb.WatchJobsResponse(cursor=cursor, job=job_message(view, as_text=as_text))
        rest_s = BATCHED_REST_S if request.batched else 0.0
        async for page in self._watches.read_changes(cursor, job_ids, payloads=texts, rest_s=rest_s):
            logs = (write_row(resources_pb2.JobLog, entry, as_text=as_text) for entry in _take_all(page))
            limit = len(page) if request.batched else 1
            for part in chunk_by_size(logs, lambda log: log.ByteSize(), limit=limit, bytes_max=PAGE_MAX_BYTES):
                fields = {"logs": part} if request.batched else {"log": part[0]}
                response = pb.WatchJobsResponse(cursor=part[-1].cursor, **fields)
                part.clear()  # the response has copies, and may wait for long
                yield response


async def _show_execution(database: Callers, execution_id: UUID, context: Context) -> resources_pb2.Execution:
    async with database.session() as session:
        view = await get_execution(session, execution_id)
    if view is None:
        raise NotFoundError(f"no execution has the id {execution_id}", code=ErrorCode.UNKNOWN_EXECUTION)
    return write_row(resources_pb2.Execution, view, as_text=wants_text(context))


def _take_all(page: deque[LogView]) -> Iterator[LogView]:
    """Remove the entries of a page one by one and yield each, so that memory holds no entry longer than needed."""
    while page:
        yield page.popleft()


def _format_value(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _parse_place(order: JobOrder, *values: str | float) -> finding.Place:
    """Return the place in an order of jobs that `values`, the parts of a page token, name."""
    columns = finding.get_order_columns(order)
    return tuple(_parse_value(column.type.python_type, value) for column, value in zip(columns, values, strict=True))


def _parse_value(kind: type, value: str | float) -> object:
    """Return the value of a column of the type `kind` from a page token. ValueError, TypeError: it is no such value."""
    if kind is int and value not in range(10):
        raise ValueError("there is no such priority")
    if kind is not datetime:
        return kind(value)
    at = datetime.fromisoformat(str(value))
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at


def _parse_filter(request: pb.ExecuteJobsRequest) -> JobFilter | None:
    if not request.HasField("filter"):
        return None
    if request.job_ids:
        raise InvalidError("give either these or a filter", field="job_ids")
    chosen = JobFilter(**read_fields(request.filter))
    if chosen == JobFilter():
        raise InvalidError("say what must hold; an empty one would take all jobs", field="filter")
    return chosen


def _make_command(
    request: pb.ExecuteJobRequest | pb.ResubmitJobRequest, parameters: ExecutionRequest, ids: IdKey
) -> Once[ExecutionView]:
    resubmits, key = isinstance(request, pb.ResubmitJobRequest), None
    named = parse_uuid(request.execution_id, "execution_id") if request.HasField("execution_id") else None
    execution_id = named or new_execution_id()
    if given := read_key(request):
        begins = parameters.not_before and parameters.not_before.isoformat()
        body = [str(named), parameters.comment, begins]
        key = RequestKey.of("ResubmitJob" if resubmits else "ExecuteJob", given, body, job_id=request.job_id)
        # Of each call on its own, since an id is answered once.
        derived = ids.derive("resubmitted" if resubmits else "execution", request.job_id, given)
        execution_id = named or derived
    is_chosen, version = named is not None, read_version(request)
    command = ExecuteJob(request.job_id, execution_id, is_chosen, resubmits, parameters, version, actor=find_actor())
    return Once(command, key, actor=command.actor)


def _make_warnings(criteria: str) -> Sequence[resources_pb2.CriterionWarning]:
    return _keep_warnings(criteria) if len(criteria) <= KEPT_MAX_CHARS else _read_warnings(criteria)


@lru_cache(maxsize=1_000)
def _keep_warnings(criteria: str) -> Sequence[resources_pb2.CriterionWarning]:
    """Return cached warnings of criteria: finding those of twenty criteria takes as long as the rest of a new job."""
    return _read_warnings(criteria)


def _read_warnings(criteria: str) -> Sequence[resources_pb2.CriterionWarning]:
    warnings = find_warnings(parse_stored_criteria(criteria))
    return [write_message(resources_pb2.CriterionWarning, warning) for warning in warnings]
