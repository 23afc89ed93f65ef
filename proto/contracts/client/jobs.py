"""The jobstore's client: calls on jobs and agents, besides those on operations and receipts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

import grpc

from contracts import messages
from contracts.client.connection import JobStoreError, watch_backoffs_s
from contracts.client.judges import JudgesClient
from contracts.client.operations import OperationsClient
from contracts.client.receipts import ReceiptsClient
from contracts.identity import new_execution_id
from contracts.messages.filters import job_filter_message, view_number
from signoff.errors import ErrorCode
from signoff.status import JobOrder, JobStatus, View
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.v1.agent_service_pb2_grpc import AgentServiceStub
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.wire import write_words

if TYPE_CHECKING:
    from contracts.resources import (
        Agent,
        AgentPatch,
        Execution,
        Job,
        JobCounts,
        JobFacets,
        JobFilter,
        JobLog,
        JobPatch,
        NewAgent,
        NewJob,
        SavedJob,
    )
    from contracts.waiting.reasons import Waiting

#: For `assign_agent`: the job keeps the payload that it has.
UNCHANGED: Final = object()

# gRPC's health protocol as bytes: grpcio-health-checking is no dependency of the contracts.
_HEALTH_CHECK, _SERVING = "/grpc.health.v1.Health/Check", b"\x08\x01"

#: The jobstore does not answer, or does not say why it does not serve.
UNREACHABLE: Final = ErrorCode.JOBSTORE_UNREACHABLE


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One event of a watch: a job as it stood when the watch began, or a transition."""

    cursor: int
    job: Job | None = None
    log: JobLog | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of jobs; of a search for a text, also how many jobs were searched at most."""

    jobs: list[Job]
    next_page_token: str
    searched: int | None = None


class JobStoreClient(OperationsClient, ReceiptsClient, JudgesClient):
    """Call a jobstore. One client serves a whole process.

        async with JobStoreClient("localhost:50051", token) as jobstore:
            job = await jobstore.create_job(NewJob(title=..., acceptance_criteria=..., agent_id="writer"))
            execution = await jobstore.execute_job(job.id)
            async for event in jobstore.watch_jobs([job.id]):
                ...

    Every method raises JobStoreError. Calls that did not reach the jobstore are retried within `timeout_s`.
    """

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._jobs = JobServiceStub(self._channel)
        self._agents = AgentServiceStub(self._channel)
        return self

    async def create_job(self, job: NewJob, *, idempotency_key: str | None = None) -> SavedJob:
        """Create a job: ASSIGNED with an agent, PENDING without. Repeated with its id or key, it is the same job."""
        if job.id is None and idempotency_key is None:
            job = job.model_copy(update={"id": str(new_execution_id())})
        request = jobs_pb.CreateJobRequest(job=messages.convert.new_job_message(job), idempotency_key=idempotency_key)
        response = await self._call(self._jobs.CreateJob, request)
        return self._read(response)

    async def get_job(self, job_id: str, *, view: View = View.FULL) -> Job:
        """Return a job as it stands, with the newest entry of its log; NOT_FOUND."""
        request = jobs_pb.GetJobRequest(job_id=job_id, view=view_number(view))
        response = await self._call(self._jobs.GetJob, request)
        return self._read(response.job)

    async def explain_job(self, job_id: str) -> Waiting:
        """Return why a job waits; without reasons where it does not. NOT_FOUND."""
        response = await self._call(self._jobs.ExplainJob, jobs_pb.ExplainJobRequest(job_id=job_id))
        return self._read(response.waiting)

    async def list_jobs(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        statuses: Iterable[JobStatus] = (),
        agent_id: str | None = None,
        tenant: str | None = None,
        labels: Mapping[str, str] | None = None,
        batch_id: UUID | str | None = None,
    ) -> tuple[list[Job], str]:
        """Return a page of jobs, newest first (50 unless `page_size` is given), and the next page's token or ""."""
        conditions = {
            "statuses": statuses,
            "agent_id": agent_id,
            "tenant": tenant,
            "labels": labels or {},
            "batch_id": batch_id,
        }
        page = await self.list_matching(conditions, page_size=page_size, page_token=page_token)
        return page.jobs, page.next_page_token

    async def list_matching(
        self,
        job_filter: JobFilter | Mapping[str, Any],
        *,
        page_size: int = 0,
        page_token: str = "",
        order: JobOrder = JobOrder.CREATED_DESC,
        view: View = View.BASIC,
    ) -> JobPage:
        """Return a page of the jobs that match a filter, or its fields as a mapping, which the jobstore checks.

        Basic jobs have no description, criteria, references and payload.

        A page of a search for a text may hold fewer jobs than `page_size` although there is a next page.
        """
        request = jobs_pb.ListJobsRequest(
            filter=job_filter_message(job_filter),
            page_size=page_size,
            page_token=page_token,
            order=jobs_pb.JobOrder.Value(f"JOB_ORDER_{order.name}"),
            view=view_number(view),
        )
        response = await self._call(self._jobs.ListJobs, request)
        searched = response.searched if response.HasField("searched") else None
        return JobPage([self._read(job) for job in response.jobs], response.next_page_token, searched)

    async def count_jobs(self, job_filter: JobFilter | Mapping[str, Any]) -> JobCounts:
        """Count the jobs that match, by status and up to `capped_at`; the filter's own statuses are ignored."""
        request = jobs_pb.CountJobsRequest(filter=job_filter_message(job_filter))
        response = await self._call(self._jobs.CountJobs, request)
        return self._read(response)

    async def list_job_facets(
        self, field: str, job_filter: JobFilter | Mapping[str, Any], *, page_size: int = 0, page_token: str = ""
    ) -> JobFacets:
        """Count the jobs that match by the values of a field, of FACET_FIELDS or `label:NAME`, the most frequent first.

        What the filter says of the field itself is ignored.
        """
        request = jobs_pb.ListJobFacetsRequest(
            field=field, filter=job_filter_message(job_filter), page_size=page_size, page_token=page_token
        )
        response = await self._call(self._jobs.ListJobFacets, request)
        return self._read(response)

    async def list_job_logs(
        self,
        job_id: str,
        *,
        page_size: int = 0,
        page_token: str = "",
        newest_first: bool = False,
        submission: int | None = None,
        from_version: int | None = None,
        kinds: Sequence[str] = (),
        view: View = View.BASIC,
    ) -> tuple[list[JobLog], str]:
        """Return a page of a job's log, oldest first (100 unless `page_size` is given), and the next token or "".

        Basic entries have no bodies.
        """
        request = jobs_pb.ListJobLogsRequest(
            job_id=job_id,
            page_size=page_size,
            page_token=page_token,
            newest_first=newest_first,
            submission=submission,
            from_version=from_version,
            kinds=write_words(resources_pb.JobLogKind.DESCRIPTOR, kinds),
            view=view_number(view),
        )
        response = await self._call(self._jobs.ListJobLogs, request)
        return [self._read(log) for log in response.logs], response.next_page_token

    async def get_result(self, job_id: str, version: int) -> str:
        """Return the JSON text of the result in one entry of a job's log; `no_result` if the entry has none."""
        request = jobs_pb.GetResultRequest(job_id=job_id, version=version)
        return (await self._call(self._jobs.GetResult, request)).result_json

    async def edit_job(self, job_id: str, patch: JobPatch, *, version: int | None = None) -> SavedJob:
        """Change what is given of a job; `execution_live` while one is live, `version_conflict` at another version."""
        job, mask = messages.patches.patch_message(resources_pb.NewJob, patch)
        request = jobs_pb.UpdateJobRequest(job_id=job_id, job=job, update_mask=mask, version=version)
        response = await self._call(self._jobs.UpdateJob, request)
        return self._read(response)

    async def assign_agent(
        self, job_id: str, agent_id: str, payload: Any = UNCHANGED, *, version: int | None = None
    ) -> Job:
        """Assign an agent, and a new payload (any JSON value) if given; `execution_live` while an execution is live."""
        request = jobs_pb.AssignAgentRequest(job_id=job_id, agent_id=agent_id, version=version)
        if payload is not UNCHANGED:
            from signoff.json_fields import payload_text  # noqa: PLC0415 - needs pydantic

            request.payload_json = payload_text(payload)
        response = await self._call(self._jobs.AssignAgent, request)
        return self._read(response.job)

    async def execute_job(
        self,
        job_id: str,
        execution_id: UUID | str | None = None,
        *,
        idempotency_key: str | None = None,
        not_before: datetime | None = None,
        version: int | None = None,
    ) -> Execution:
        """Request an execution of the job with its assigned payload. With one id or key, it is one execution."""
        parameters: dict[str, Any] = {**_name_execution(execution_id, idempotency_key), "not_before": not_before}
        request = jobs_pb.ExecuteJobRequest(job_id=job_id, version=version, **parameters)
        response = await self._call(self._jobs.ExecuteJob, request)
        return self._read(response.execution)

    async def get_execution(self, execution_id: UUID | str) -> Execution:
        """Return an execution as it stands; NOT_FOUND."""
        request = jobs_pb.GetExecutionRequest(execution_id=str(execution_id))
        return self._read((await self._call(self._jobs.GetExecution, request)).execution)

    async def cancel_job(
        self,
        job_id: str,
        reason: str | None = None,
        *,
        execution_id: UUID | str | None = None,
        version: int | None = None,
    ) -> Job:
        """Cancel the job's live execution, or this one and no other. The job can be executed again."""
        named = await self._find_live(job_id) if execution_id is None else str(execution_id)
        request = jobs_pb.CancelJobRequest(job_id=job_id, reason=reason, execution_id=named, version=version)
        response = await self._call(self._jobs.CancelJob, request)
        return self._read(response.job)

    async def _find_live(self, job_id: str) -> str | None:
        """Return the id of a job's live execution, so that a cancel that is sent again never meets the next one."""
        request = jobs_pb.GetJobRequest(job_id=job_id, view=view_number(View.BASIC))
        job = (await self._call(self._jobs.GetJob, request)).job
        return job.execution_id if job.live and job.execution_id else None

    async def cancel_execution(self, execution_id: UUID | str, reason: str | None = None) -> Execution:
        """Cancel an execution, also one that nobody has asked for yet, and return it."""
        request = jobs_pb.CancelJobRequest(reason=reason, execution_id=str(execution_id))
        response = await self._call(self._jobs.CancelJob, request)
        return self._read(response.execution)

    async def resubmit_job(
        self,
        job_id: str,
        execution_id: UUID | str | None = None,
        *,
        idempotency_key: str | None = None,
        comment: str | None = None,
        version: int | None = None,
    ) -> Execution:
        """Request the next submission of a job at RESUBMISSION_REQUIRED, with the verdict's feedback and a comment."""
        name = _name_execution(execution_id, idempotency_key)
        request = jobs_pb.ResubmitJobRequest(job_id=job_id, comment=comment, version=version, **name)
        response = await self._call(self._jobs.ResubmitJob, request)
        return self._read(response.execution)

    async def watch_jobs(
        self,
        job_ids: Iterable[str] = (),
        after: int | None = None,
        *,
        view: View = View.BASIC,
        changes_only: bool = False,
    ) -> AsyncGenerator[WatchEvent]:
        """Yield the jobs as they stand (unless `after`, a cursor, is given), then every transition, without end.

        All jobs when `job_ids` is empty; `after=0` begins with the first transition ever, `changes_only` with the
        next. The first event has a cursor alone. A stream that is lost is opened again after the last transition
        that was yielded; before the first transition, the jobs are yielded again.
        """
        ids, backoffs_s = list(job_ids), watch_backoffs_s()
        while True:
            request = jobs_pb.WatchJobsRequest(
                job_ids=ids,
                after=after,
                view=view_number(view),
                changes_only=changes_only,
                batched=True,
            )
            async with aclosing(self._watch_once(request)) as events:
                async for event in events:
                    backoffs_s = watch_backoffs_s()
                    if event.log is not None:
                        after = event.cursor
                    yield event
            await asyncio.sleep(next(backoffs_s))

    async def get_latest_cursor(self) -> int:
        """Return the cursor after which a watch yields only what changes from now on."""
        try:
            async with asyncio.timeout(self._timeout_s), aclosing(self.watch_jobs(changes_only=True)) as events:
                async for event in events:
                    return event.cursor
        except TimeoutError:
            message = f"no response within {self._timeout_s:g} s"
            raise JobStoreError(ErrorCode.CALL_DEADLINE_EXCEEDED, message, grpc.StatusCode.DEADLINE_EXCEEDED) from None
        raise AssertionError

    async def create_agent(self, agent: NewAgent, *, idempotency_key: str | None = None) -> Agent:
        """Register an agent. Repeated with its id or key, it is the same agent."""
        if agent.id is None and idempotency_key is None:
            agent = agent.model_copy(update={"id": str(new_execution_id())})
        message = messages.convert.new_agent_message(agent)
        request = agents_pb.CreateAgentRequest(agent=message, idempotency_key=idempotency_key)
        response = await self._call(self._agents.CreateAgent, request)
        return self._read(response.agent)

    async def get_agent(self, agent_id: str) -> Agent:
        """Return an agent; NOT_FOUND."""
        response = await self._call(self._agents.GetAgent, agents_pb.GetAgentRequest(agent_id=agent_id))
        return self._read(response.agent)

    async def list_agents(self, *, page_size: int = 0, page_token: str = "") -> tuple[list[Agent], str]:
        """Return a page of agents by name (100 unless `page_size` is given), and the next page's token or ""."""
        request = agents_pb.ListAgentsRequest(page_size=page_size, page_token=page_token)
        response = await self._call(self._agents.ListAgents, request)
        return [self._read(agent) for agent in response.agents], response.next_page_token

    async def update_agent(self, agent_id: str, agent: NewAgent | AgentPatch, *, version: int | None = None) -> Agent:
        """Replace all fields of an agent, or change what a patch gives; `version_conflict` at another version."""
        message, mask = messages.patches.change_message(resources_pb.NewAgent, agent)
        request = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=message, update_mask=mask, version=version)
        response = await self._call(self._agents.UpdateAgent, request)
        return self._read(response.agent)

    async def disable_agent(self, agent_id: str, *, version: int | None = None) -> Agent:
        """Disable an agent: it is given no more work; `version_conflict` at another version."""
        request = agents_pb.DisableAgentRequest(agent_id=agent_id, version=version)
        response = await self._call(self._agents.DisableAgent, request)
        return self._read(response.agent)

    async def is_serving(self) -> bool:
        """Return whether the jobstore answers that it serves. Needs no token, and never raises JobStoreError."""
        return await self.find_outage() is None

    async def find_outage(self) -> str | None:
        """Return why the jobstore does not serve, or None: such as `database_read_only`, or UNREACHABLE.

        Needs no token, and never raises JobStoreError. While the database cannot be written, reads may still be served.
        """
        check: Any = self._channel.unary_unary(_HEALTH_CHECK)
        call = await check.end(b"", timeout=self._timeout_s)
        try:
            if await call == _SERVING:
                return None
            code = dict(await call.trailing_metadata() or ()).get("signoff-code")
        except grpc.aio.AioRpcError:
            return UNREACHABLE
        return str(code or UNREACHABLE)

    async def _watch_once(self, request: jobs_pb.WatchJobsRequest) -> AsyncGenerator[WatchEvent]:
        """Yield the events of one stream. Return where connecting again may help."""
        async with aclosing(self._stream(self._jobs.WatchJobs, request)) as responses:
            async for response in responses:
                job = self._read(response.job) if response.HasField("job") else None
                if not response.logs:
                    log = self._read(response.log) if response.HasField("log") else None
                    yield WatchEvent(response.cursor, job, log)
                for message in response.logs:
                    yield WatchEvent(message.cursor, None, self._read(message))


def _name_execution(execution_id: UUID | str | None, idempotency_key: str | None) -> dict[str, str]:
    """Return the field by which a request names its execution: an id, else a key, else an id of its own."""
    if execution_id is None and idempotency_key is not None:
        return {"idempotency_key": idempotency_key}
    return {"execution_id": str(execution_id or new_execution_id())}
