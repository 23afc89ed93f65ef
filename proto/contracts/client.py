"""The jobstore's client for Python: every door but those of workers, in terms of `contracts.resources`."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self
from uuid import UUID

import grpc

from contracts.asking import edit_message, filter_fields, job_filter_message, order_message
from contracts.calls import JobStoreError, watch_backoffs_s
from contracts.convert import (
    agent_of,
    job_log_of,
    job_of,
    new_agent_message,
    new_job_message,
    put_json,
)
from contracts.identity import new_execution_id
from contracts.jsontext import json_text, sound
from contracts.operations import OperationsClient
from contracts.resources import Agent, Job, JobCounts, JobEdit, JobFilter, JobLog, JobOrder, NewAgent, NewJob
from contracts.status import JobStatus
from contracts.views import Batch, BatchItem
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1.agent_service_pb2_grpc import AgentServiceStub
from signoff.v1.job_service_pb2_grpc import JobServiceStub

__all__ = ["UNCHANGED", "Batch", "BatchItem", "JobPage", "JobStoreClient", "JobStoreError", "WatchEvent"]

#: For `assign_agent`: the job keeps the payload that it has.
UNCHANGED: Final = object()

# Spoken in bytes, since contracts have no need of the package that would spell it out.
_HEALTH_CHECK, _SERVING = "/grpc.health.v1.Health/Check", b"\x08\x01"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """What a watch tells: a job as it stood when the watch began, or a transition."""

    cursor: int
    job: Job | None = None
    log: JobLog | None = None


@dataclass(frozen=True, slots=True)
class JobPage:
    """A part of a list; of a search, how many jobs were searched at most."""

    jobs: list[Job]
    next_page_token: str
    searched: int | None = None


class JobStoreClient(OperationsClient):
    """Talks to a jobstore. One client serves a whole process.

        async with JobStoreClient("localhost:50051", token) as jobstore:
            job = await jobstore.create_job(NewJob(title=..., acceptance_criteria=..., agent_id="writer"))
            job = await jobstore.execute_job(job.id)
            async for event in jobstore.watch_jobs([job.id]):
                ...

    Every method raises JobStoreError. Calls that did not reach the jobstore are tried again within `timeout_s`.
    """

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._jobs = JobServiceStub(self._channel)
        self._agents = AgentServiceStub(self._channel)
        return self

    async def create_job(self, job: NewJob) -> Job:
        """Create a job: ASSIGNED with an agent, PENDING without. The same job under its own id is answered again."""
        message = new_job_message(job.model_copy(update={"id": job.id or str(new_execution_id())}))
        answer = await self._call(self._jobs.CreateJob, jobs_pb.CreateJobRequest(job=message))
        return job_of(answer.job)

    async def get_job(self, job_id: str, *, with_last_log: bool = False) -> Job:
        """The job as it stands; NOT_FOUND."""
        request = jobs_pb.GetJobRequest(job_id=job_id, with_last_log=with_last_log)
        answer = await self._call(self._jobs.GetJob, request)
        return job_of(answer.job)

    async def list_jobs(
        self,
        *,
        limit: int = 0,
        page_token: str = "",
        statuses: Iterable[JobStatus] = (),
        agent_id: str | None = None,
        tenant: str | None = None,
        labels: Mapping[str, str] | None = None,
        batch_id: UUID | str | None = None,
    ) -> tuple[list[Job], str]:
        """A page of jobs, newest first (50 unless `limit` says otherwise), and the next page's token or ""."""
        chosen = JobFilter(
            statuses=list(statuses),
            agent_id=agent_id,
            tenant=tenant,
            labels=dict(labels or {}),
            batch_id=None if batch_id is None else UUID(str(batch_id)),
        )
        page = await self.list_matching(chosen, limit=limit, page_token=page_token)
        return page.jobs, page.next_page_token

    async def list_matching(
        self,
        chosen: JobFilter,
        *,
        limit: int = 0,
        page_token: str = "",
        order: JobOrder = JobOrder.CREATED_DESC,
        with_texts: bool = True,
        with_last_log: bool = False,
    ) -> JobPage:
        """A page of the jobs that match; without texts they have no description, criteria and payload.

        A page of a search may hold fewer jobs than its limit, and have a next one all the same.
        """
        request = jobs_pb.ListJobsRequest(
            **filter_fields(chosen),
            page_size=limit,
            page_token=page_token,
            order=order_message(order),
            without_texts=not with_texts,
            with_last_log=with_last_log,
        )
        answer = await self._call(self._jobs.ListJobs, request)
        searched = answer.searched if answer.HasField("searched") else None
        return JobPage([job_of(job) for job in answer.jobs], answer.next_page_token, searched)

    async def count_jobs(self, chosen: JobFilter) -> JobCounts:
        """How many jobs match, by status, whatever statuses the filter has; no further than up to `capped_at`."""
        request = jobs_pb.CountJobsRequest(filter=job_filter_message(chosen))
        answer = await self._call(self._jobs.CountJobs, request)
        searched = answer.searched if answer.HasField("searched") else None
        return JobCounts(counts=dict(answer.counts), capped_at=answer.capped_at, searched=searched)

    async def list_job_logs(
        self,
        job_id: str,
        *,
        limit: int = 0,
        page_token: str = "",
        newest_first: bool = False,
        submission: int | None = None,
        from_version: int | None = None,
        kinds: Sequence[str] = (),
        with_payloads: bool = True,
    ) -> tuple[list[JobLog], str]:
        """A page of a job's transitions, oldest first (100 unless told otherwise), and the next page's token or ""."""
        request = jobs_pb.ListJobLogsRequest(
            job_id=job_id,
            page_size=limit,
            page_token=page_token,
            newest_first=newest_first,
            submission=submission,
            from_version=from_version,
            kinds=kinds,
            without_payloads=not with_payloads,
        )
        answer = await self._call(self._jobs.ListJobLogs, request)
        return [job_log_of(log) for log in answer.logs], answer.next_page_token

    async def get_result(self, job_id: str, version: int) -> str:
        """The result in an entry of a job's log, as the JSON text that it is; `no_result` where there is none."""
        request = jobs_pb.GetResultRequest(job_id=job_id, version=version)
        return (await self._call(self._jobs.GetResult, request)).result_json

    async def edit_job(self, job_id: str, edit: JobEdit, *, version: int | None = None) -> Job:
        """Change what a job asks for; `execution_live` while one runs, `version_conflict` at another version."""
        job, mask = edit_message(edit)
        request = jobs_pb.UpdateJobRequest(job_id=job_id, job=job, update_mask=mask, version=version)
        answer = await self._call(self._jobs.UpdateJob, request)
        return job_of(answer.job)

    async def assign_agent(self, job_id: str, agent_id: str, payload: Any = UNCHANGED) -> Job:
        """Assign an agent, with a new payload (any JSON value) if one is given; `execution_live` while one runs."""
        request = jobs_pb.AssignAgentRequest(job_id=job_id, agent_id=agent_id)
        if payload is not UNCHANGED:
            put_json(request, "payload", json_text(sound(payload)), as_text=True)
        answer = await self._call(self._jobs.AssignAgent, request)
        return job_of(answer.job)

    async def execute_job(
        self, job_id: str, execution_id: UUID | str | None = None, *, not_before: datetime | None = None
    ) -> Job:
        """Ask for one execution of the job with its assigned payload. Asking twice with one id is one execution."""
        asked: dict[str, Any] = {"execution_id": str(execution_id or new_execution_id()), "not_before": not_before}
        request = jobs_pb.ExecuteJobRequest(job_id=job_id, **asked)
        answer = await self._call(self._jobs.ExecuteJob, request)
        return job_of(answer.job)

    async def cancel_job(self, job_id: str, reason: str | None = None, *, requested_by: str | None = None) -> Job:
        """Cancel what is asked for or under way. The job stays where it can be executed again."""
        request = jobs_pb.CancelJobRequest(job_id=job_id, reason=reason, requested_by=requested_by)
        answer = await self._call(self._jobs.CancelJob, request)
        return job_of(answer.job)

    async def resubmit_job(
        self, job_id: str, execution_id: UUID | str | None = None, *, comment: str | None = None
    ) -> Job:
        """Ask for the next submission of a job at RESUBMISSION_REQUIRED, with the verdict's feedback and a comment."""
        request = jobs_pb.ResubmitJobRequest(
            job_id=job_id, execution_id=str(execution_id or new_execution_id()), comment=comment
        )
        answer = await self._call(self._jobs.ResubmitJob, request)
        return job_of(answer.job)

    async def watch_jobs(
        self,
        job_ids: Iterable[str] = (),
        after: int | None = None,
        *,
        with_payloads: bool = True,
        changes_only: bool = False,
    ) -> AsyncGenerator[WatchEvent]:
        """First the jobs as they stand (unless `after`, a cursor, is given), then every transition, without end.

        All jobs when `job_ids` is empty; `after=0` begins with the first transition ever, `changes_only` with the
        next. The first event has a cursor alone. Connects again by itself
        behind the last transition it told; before the first, it tells again how the jobs stand.
        """
        wanted, backoffs_s = list(job_ids), watch_backoffs_s()
        while True:
            request = jobs_pb.WatchJobsRequest(
                job_ids=wanted,
                after=after,
                without_payloads=not with_payloads,
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

    async def latest_cursor(self) -> int:
        """Where a watch begins that wants only what changes from now on."""
        try:
            async with asyncio.timeout(self._timeout_s), aclosing(self.watch_jobs(changes_only=True)) as events:
                async for event in events:
                    return event.cursor
        except TimeoutError:
            message = f"no answer within {self._timeout_s:g} s"
            raise JobStoreError("deadline_exceeded", message, grpc.StatusCode.DEADLINE_EXCEEDED) from None
        raise AssertionError

    async def create_agent(self, agent: NewAgent) -> Agent:
        """Register an agent."""
        request = agents_pb.CreateAgentRequest(agent=new_agent_message(agent))
        answer = await self._call(self._agents.CreateAgent, request)
        return agent_of(answer.agent)

    async def get_agent(self, agent_id: str) -> Agent:
        """One agent; NOT_FOUND."""
        answer = await self._call(self._agents.GetAgent, agents_pb.GetAgentRequest(agent_id=agent_id))
        return agent_of(answer.agent)

    async def list_agents(self, *, limit: int = 0, page_token: str = "") -> tuple[list[Agent], str]:
        """A page of agents by name (100 unless told otherwise), and the next page's token or ""."""
        request = agents_pb.ListAgentsRequest(page_size=limit, page_token=page_token)
        answer = await self._call(self._agents.ListAgents, request)
        return [agent_of(agent) for agent in answer.agents], answer.next_page_token

    async def update_agent(self, agent_id: str, agent: NewAgent) -> Agent:
        """Replace all fields of an agent."""
        request = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=new_agent_message(agent))
        answer = await self._call(self._agents.UpdateAgent, request)
        return agent_of(answer.agent)

    async def disable_agent(self, agent_id: str) -> Agent:
        """Let the agent get no more work."""
        answer = await self._call(self._agents.DisableAgent, agents_pb.DisableAgentRequest(agent_id=agent_id))
        return agent_of(answer.agent)

    async def is_serving(self) -> bool:
        """Whether the jobstore answers and says that it serves. Never raises JobStoreError; needs no token."""
        check: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._channel.unary_unary(_HEALTH_CHECK)
        try:
            return await check(b"", timeout=self._timeout_s) == _SERVING
        except grpc.aio.AioRpcError:
            return False

    async def _watch_once(self, request: jobs_pb.WatchJobsRequest) -> AsyncGenerator[WatchEvent]:
        """One stream; it ends where a new one may go on."""
        async with aclosing(self._stream(self._jobs.WatchJobs, request)) as answers:
            async for answer in answers:
                job = job_of(answer.job) if answer.HasField("job") else None
                if not answer.logs:
                    yield WatchEvent(answer.cursor, job, job_log_of(answer.log) if answer.HasField("log") else None)
                for message in answer.logs:
                    yield WatchEvent(message.cursor, None, job_log_of(message))
