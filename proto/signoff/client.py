"""The jobstore's client: every call but those of workers. `signoff.blocking` has the same client without asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, Unpack, cast
from uuid import UUID

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from signoff.channels import HEALTH_CHECK, SERVING
from signoff.connection import (
    Call,
    NotFoundError,
    Page,
    Request,
    iterate,
    iterate_by,
    join_request,
    make_change,
    within,
)
from signoff.errors import ErrorCode
from signoff.identity_client import IdentityClient
from signoff.judging_client import JudgingClient
from signoff.keeping_client import KeepingClient
from signoff.status import RESTING, JobOrder, JobStatus, OperationState, View
from signoff.v1.resources_pb2 import Limit as LimitMessage
from signoff.v1.resources_pb2 import NewAgent, NewJob
from signoff.values import new_execution_id
from signoff.wire import split_patch

if TYPE_CHECKING:
    from datetime import datetime

    from signoff.types import (
        Agent,
        AgentStats,
        AgentTry,
        DeadLetters,
        Execution,
        Inbox,
        Job,
        JobCounts,
        JobFacets,
        JobLog,
        Limit,
        Operation,
        OperationGroups,
        OperationItem,
        OperationPreview,
        Overview,
        Resolved,
        SavedJob,
        Waiting,
        Worker,
        Workers,
    )
    from signoff.v1.operations_service_pb2 import DiagnoseResponse

P = ParamSpec("P")
Item = TypeVar("Item")

#: For `assign_agent`: the job keeps the payload that it has.
UNCHANGED: Final = object()
#: The outage of a jobstore that does not answer, or gives no reason why it does not serve.
UNREACHABLE: Final = ErrorCode.JOBSTORE_UNREACHABLE
#: A call that accepts many jobs may take at least this long, in seconds, however short its time is.
ACCEPT_TIMEOUT_S: Final = 120.0
ENDED: Final = frozenset({OperationState.CANCELLED, OperationState.DONE})
#: An entry of a log with one of these may be the last of an execution.
_ENDINGS: Final = frozenset({*map(str, RESTING), "CANCELLED"})


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


class AsyncClient(JudgingClient, IdentityClient, KeepingClient):
    """Call a jobstore. One client serves a whole process.

        async with AsyncClient("localhost:50051", token) as client:
            job = await client.create_job(title="A poem", acceptance_criteria="It rhymes", agent_id="writer")
            await client.execute_job(job.id)
            job = await client.wait(job.id)

    A request is given by keyword, as a mapping, or as a model. Every method raises SignoffError, of a class that says
    what kind of error it is. A call that fails in passing (`retryable`) is made again within `timeout_s`: each write
    has an id or a key, or has the same effect when it is repeated.
    """

    # Jobs.

    async def create_job(
        self,
        job: Request = None,
        /,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> SavedJob:
        """Create a job: ASSIGNED with an agent, else PENDING. A repeat with the same id or key returns the same job."""
        named = _identify(join_request(job, fields), idempotency_key)
        return await self._ask("CreateJob", job=named, idempotency_key=idempotency_key, timeout_s=timeout_s)

    async def get_job(self, job_id: str, *, view: View = View.FULL, **call: Unpack[Call]) -> Job:
        """Return a job as it stands, with the newest entry of its log, its last result and verdict."""
        return await self._ask("GetJob", "job", job_id=job_id, view=view, **call)

    async def explain_job(self, job_id: str, **call: Unpack[Call]) -> Waiting:
        """Return why a job waits; the answer has no reasons if the job does not wait."""
        return await self._ask("ExplainJob", "waiting", job_id=job_id, **call)

    async def list_jobs(
        self,
        /,
        *,
        page_size: int = 0,
        page_token: str = "",
        order: JobOrder = JobOrder.CREATED_DESC,
        view: View = View.BASIC,
        timeout_s: float | None = None,
        **conditions: Any,
    ) -> tuple[list[Job], str]:
        """Return a page of the jobs that match (50 unless `page_size` is given), and the next page's token or "".

        `conditions` are the fields of a filter, such as `tenant="a"` or `statuses=["FAILED"]`. See `list_matching`.
        """
        page = await self.list_matching(
            conditions, page_size=page_size, page_token=page_token, order=order, view=view, timeout_s=timeout_s
        )
        return page.jobs, page.next_page_token

    async def list_matching(
        self,
        job_filter: Request,
        *,
        page_size: int = 0,
        page_token: str = "",
        order: JobOrder = JobOrder.CREATED_DESC,
        view: View = View.BASIC,
        timeout_s: float | None = None,
    ) -> JobPage:
        """Return a page of the jobs that match a filter, newest first unless another order is given.

        Jobs of the view BASIC have no description, criteria, references and payload. A page of a search for a text may
        hold fewer jobs than `page_size` although there is a next page.
        """
        values = {"filter": job_filter, "page_size": page_size, "page_token": page_token}
        response = await self._call("ListJobs", **values, order=JobOrder(order).name, view=view, timeout_s=timeout_s)
        searched = response.searched if response.HasField("searched") else None
        return JobPage([self._read(job) for job in response.jobs], response.next_page_token, searched)

    iter_jobs = iterate(list_jobs)

    async def count_jobs(self, job_filter: Request = None, **call: Unpack[Call]) -> JobCounts:
        """Count the jobs that match a filter, by status and up to `capped_at`; statuses in the filter are ignored."""
        return await self._ask("CountJobs", filter=job_filter, **call)

    async def list_job_facets(self, field: str, job_filter: Request = None, **page: Unpack[Page]) -> JobFacets:
        """Count the jobs that match a filter by the values of a field, the most frequent value first.

        `field` is one of FACET_FIELDS, or `label:NAME`. A condition of the filter on this field is ignored.
        """
        return await self._ask("ListJobFacets", field=field, filter=job_filter, **page)

    async def list_job_logs(
        self,
        job_id: str,
        *,
        newest_first: bool = False,
        submission: int | None = None,
        from_version: int | None = None,
        kinds: Sequence[str] = (),
        view: View = View.BASIC,
        **page: Unpack[Page],
    ) -> tuple[list[JobLog], str]:
        """Return a page of a job's log, oldest first (100 unless `page_size` is given), and the next token or "".

        Entries of the view BASIC have no bodies.
        """
        values = {"newest_first": newest_first, "submission": submission, "from_version": from_version, "kinds": kinds}
        return await self._ask_page("ListJobLogs", "logs", job_id=job_id, **values, view=view, **page)

    iter_job_logs = iterate(list_job_logs)

    async def get_result(self, job_id: str, version: int, **call: Unpack[Call]) -> str:
        """Return the JSON text of the result in entry `version` of a job's log; error `no_result` if it has none."""
        response = await self._call("GetResult", job_id=job_id, version=version, **call)
        return cast("str", response.result_json)

    async def edit_job(
        self,
        job_id: str,
        patch: Request = None,
        /,
        *,
        version: int | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> SavedJob:
        """Change the given fields of a job. Errors: `execution_live`; `version_conflict` if not at `version`.

        Members of `policy`, `labels` and `references` are changed one by one, and None removes a member.
        """
        job, paths = split_patch(NewJob, join_request(patch, fields))
        values = {"job_id": job_id, "job": job, "update_mask": FieldMask(paths=paths), "version": version}
        return await self._ask("UpdateJob", **values, timeout_s=timeout_s)

    async def assign_agent(
        self, job_id: str, agent_id: str, payload: Any = UNCHANGED, *, version: int | None = None, **call: Unpack[Call]
    ) -> Job:
        """Assign an agent, and the payload (any JSON) if given; error `execution_live` while an execution is live."""
        given = {} if payload is UNCHANGED else {"payload": payload}
        values = {"job_id": job_id, "agent_id": agent_id, "version": version, **given}
        return await self._ask("AssignAgent", "job", **values, **call)

    async def execute_job(
        self,
        job_id: str,
        execution_id: UUID | str | None = None,
        *,
        idempotency_key: str | None = None,
        not_before: datetime | None = None,
        version: int | None = None,
        **call: Unpack[Call],
    ) -> Execution:
        """Request an execution of the job with its assigned payload. The same id or key is the same execution."""
        named = _name_execution(execution_id, idempotency_key)
        values = {"job_id": job_id, "version": version, "not_before": not_before, **named}
        return await self._ask("ExecuteJob", "execution", **values, **call)

    async def get_execution(self, execution_id: UUID | str, **call: Unpack[Call]) -> Execution:
        """Return an execution as it stands."""
        return await self._ask("GetExecution", "execution", execution_id=execution_id, **call)

    async def cancel_job(
        self,
        job_id: str,
        reason: str | None = None,
        *,
        execution_id: UUID | str | None = None,
        version: int | None = None,
        timeout_s: float | None = None,
    ) -> Job:
        """Cancel the job's live execution, or only `execution_id` if given. The job can be executed again."""
        named = execution_id
        if named is None:  # so that a cancel that is sent again never meets the next one
            job = (await self._call("GetJob", job_id=job_id, view=View.BASIC, timeout_s=timeout_s)).job
            named = job.execution_id if job.live and job.execution_id else None
        values = {"job_id": job_id, "reason": reason, "execution_id": named, "version": version}
        return await self._ask("CancelJob", "job", **values, timeout_s=timeout_s)

    async def cancel_execution(
        self, execution_id: UUID | str, reason: str | None = None, **call: Unpack[Call]
    ) -> Execution:
        """Cancel an execution, even one that has not been requested yet, and return the execution."""
        return await self._ask("CancelJob", "execution", execution_id=execution_id, reason=reason, **call)

    async def resubmit_job(
        self,
        job_id: str,
        execution_id: UUID | str | None = None,
        *,
        idempotency_key: str | None = None,
        comment: str | None = None,
        version: int | None = None,
        **call: Unpack[Call],
    ) -> Execution:
        """Request the next submission of a job at RESUBMISSION_REQUIRED, with the verdict's feedback and a comment."""
        named = _name_execution(execution_id, idempotency_key)
        values = {"job_id": job_id, "comment": comment, "version": version, **named}
        return await self._ask("ResubmitJob", "execution", **values, **call)

    async def watch_jobs(
        self,
        job_ids: Iterable[str] = (),
        after: int | None = None,
        *,
        view: View = View.BASIC,
        changes_only: bool = False,
    ) -> AsyncGenerator[WatchEvent]:
        """Yield the jobs as they stand (unless `after`, a cursor, is given), then every transition, without end.

        All jobs are watched if `job_ids` is empty; `after=0` begins with the first transition ever, `changes_only` with
        the next one. The first event has a cursor alone. A stream that is lost is opened again after the last
        transition that was yielded; before the first transition, the jobs are yielded again.
        """
        values = {"job_ids": list(job_ids), "after": after, "view": view, "changes_only": changes_only, "batched": True}
        async with aclosing(self._watch("WatchJobs", values)) as responses:
            async for response in responses:
                if not response.logs:
                    job = self._read(response.job) if response.HasField("job") else None
                    log = self._read(response.log) if response.HasField("log") else None
                    values["after"] = values["after"] if log is None else response.cursor
                    yield WatchEvent(response.cursor, job, log)
                for message in response.logs:
                    values["after"] = message.cursor
                    yield WatchEvent(message.cursor, None, self._read(message))

    async def get_latest_cursor(self, *, timeout_s: float | None = None) -> int:
        """Return the cursor after which a watch yields only what changes from now on."""
        async with (
            within(timeout_s or self._timeout_s, "no response"),
            aclosing(self.watch_jobs(changes_only=True)) as events,
        ):
            return (await anext(events)).cursor

    async def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        """Return a job once it is at rest: no execution of it is live. Raise DeadlineError after `timeout_s`, if given.

        A job that its policy submits again after a verdict is not at rest before that submission has ended.
        """
        async with within(timeout_s, f"{job_id} is not at rest"):
            job = await self.get_job(job_id)
            async with aclosing(self.watch_jobs([job_id])) as events:
                while job.live:
                    event = await anext(events)
                    if event.job is not None or (event.log is not None and event.log.status in _ENDINGS):
                        job = await self.get_job(job_id)
        return job

    # Agents.

    async def create_agent(
        self,
        agent: Request = None,
        /,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Agent:
        """Register an agent. A repeat with the same id or key returns the same agent."""
        named = _identify(join_request(agent, fields), idempotency_key)
        return await self._ask(
            "CreateAgent", "agent", agent=named, idempotency_key=idempotency_key, timeout_s=timeout_s
        )

    async def get_agent(self, agent_id: str, **call: Unpack[Call]) -> Agent:
        """Return an agent."""
        return await self._ask("GetAgent", "agent", agent_id=agent_id, **call)

    async def list_agents(self, **page: Unpack[Page]) -> tuple[list[Agent], str]:
        """Return a page of agents by name (100 unless `page_size` is given), and the next page's token or ""."""
        return await self._ask_page("ListAgents", "agents", **page)

    iter_agents = iterate(list_agents)

    async def update_agent(
        self,
        agent_id: str,
        agent: Request = None,
        /,
        *,
        version: int | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Agent:
        """Change the given fields of an agent, or, by a NewAgent, all. Error `version_conflict` if not at `version`."""
        values, mask = make_change(NewAgent, join_request(agent, fields))
        parameters = {"agent_id": agent_id, "agent": values, "update_mask": mask, "version": version}
        return await self._ask("UpdateAgent", "agent", **parameters, timeout_s=timeout_s)

    async def create_agent_try(
        self,
        agent_id: str,
        new: Request = None,
        /,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> AgentTry:
        """Have an executor call an agent with a `payload`, or `check` it: no job. `get_agent_try` says what came of it.

        Error `too_many_tries` while ten are under way. One key is one try.
        """
        values = {"agent_id": agent_id, "agent_try": join_request(new, fields)}
        key = idempotency_key or new_execution_id()
        return await self._ask("CreateAgentTry", "agent_try", **values, idempotency_key=key, timeout_s=timeout_s)

    async def get_agent_try(self, agent_id: str, try_id: UUID | str, **call: Unpack[Call]) -> AgentTry:
        """Return a try of an agent with its exchanges and checks; tries are kept for a day."""
        return await self._ask("GetAgentTry", "agent_try", agent_id=agent_id, try_id=try_id, **call)

    async def list_agent_tries(self, agent_id: str, **page: Unpack[Page]) -> tuple[list[AgentTry], str]:
        """Return a page of an agent's tries, newest first and without exchanges, and the next page's token or ""."""
        return await self._ask_page("ListAgentTries", "tries", agent_id=agent_id, **page)

    iter_agent_tries = iterate(list_agent_tries)

    async def disable_agent(self, agent_id: str, *, version: int | None = None, **call: Unpack[Call]) -> Agent:
        """Disable an agent: it is given no more work. Error `version_conflict` if the agent is not at `version`."""
        return await self._ask("DisableAgent", "agent", agent_id=agent_id, version=version, **call)

    # Batches and other operations.

    async def execute_jobs(
        self,
        job_ids: Iterable[str] = (),
        jobs: Iterable[Request] = (),
        *,
        filter: Request = None,  # noqa: A002 - the word of the contract
        name: str | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Operation:
        """Execute jobs that exist, by id or by filter, or create jobs and execute them, as one operation, a batch.

        The call returns once each job was accepted or refused. The same key is the same batch.
        """
        values = {"job_ids": list(job_ids), "jobs": list(jobs), "filter": filter, "name": name}
        return await self._accept_jobs("ExecuteJobs", idempotency_key, timeout_s, values)

    async def get_operation(self, operation_id: UUID | str, **call: Unpack[Call]) -> Operation:
        """Return an operation as it stands."""
        return await self._ask("GetOperation", "operation", operation_id=operation_id, **call)

    async def get_operation_groups(self, operation_id: UUID | str, **call: Unpack[Call]) -> OperationGroups:
        """Return what of a batch failed or was not accepted and stands so now, by what it needs."""
        return await self._ask("GetOperationGroups", operation_id=operation_id, **call)

    async def preview_operation(
        self, operation: Request = None, /, *, timeout_s: float | None = None, **fields: Any
    ) -> OperationPreview:
        """Return which jobs an operation would concern: how many, some of them, and what they may cost."""
        return await self._ask("PreviewOperation", operation=join_request(operation, fields), timeout_s=timeout_s)

    async def create_operation(
        self,
        operation: Request = None,
        /,
        *,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Operation:
        """Make an operation on the jobs that match now, which is then carried out. The same key: the same operation."""
        values = {"operation": join_request(operation, fields)}
        return await self._accept_jobs("CreateOperation", idempotency_key, timeout_s, values)

    async def list_operation_items(
        self, operation_id: UUID | str, outcomes: Iterable[str] = (), **page: Unpack[Page]
    ) -> tuple[list[OperationItem], str]:
        """Return a page of an operation's items, of all `outcomes` unless some are named, and the next token or ""."""
        return await self._ask_page(
            "ListOperationItems", "items", operation_id=operation_id, outcomes=list(outcomes), **page
        )

    iter_operation_items = iterate(list_operation_items)

    async def list_operations(
        self, kinds: Iterable[str] = (), *, tenant: str = "", **page: Unpack[Page]
    ) -> tuple[list[Operation], str]:
        """Return a page of operations, newest first (50 unless `page_size` is given), and the next token or "".

        `tenant`: of this tenant alone.
        """
        return await self._ask_page("ListOperations", "operations", kinds=list(kinds), tenant=tenant, **page)

    iter_operations = iterate(list_operations)

    async def watch_operation(self, operation_id: UUID | str) -> AsyncGenerator[Operation]:
        """Yield an operation as it stands and after each change, until it has ended. A lost stream is opened again."""
        async with aclosing(self._watch("WatchOperation", {"operation_id": operation_id})) as responses:
            async for response in responses:
                operation = self._read(response.operation)
                yield operation
                if operation.state in ENDED:
                    return

    async def pause_operation(self, operation_id: UUID | str, **call: Unpack[Call]) -> Operation:
        """Pause an operation: no more of its executions begin."""
        return await self._ask("PauseOperation", "operation", operation_id=operation_id, **call)

    async def resume_operation(self, operation_id: UUID | str, **call: Unpack[Call]) -> Operation:
        """Resume a paused operation."""
        return await self._ask("ResumeOperation", "operation", operation_id=operation_id, **call)

    async def cancel_operation(
        self, operation_id: UUID | str, reason: str | None = None, **call: Unpack[Call]
    ) -> Operation:
        """Cancel an operation: none of its executions begin any more, and the live ones are cancelled."""
        values = {"operation_id": operation_id, "reason": reason}
        return await self._ask("CancelOperation", "operation", **values, **call)

    async def retry_operation(
        self,
        operation_id: UUID | str,
        statuses: Sequence[JobStatus] = (),
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
        timeout_s: float | None = None,
    ) -> Operation:
        """Execute again an operation's jobs that ended FAILED, or in `statuses`; `nothing_to_retry` if none did."""
        values = {"operation_id": operation_id, "statuses": statuses, "name": name}
        return await self._accept_jobs("RetryOperation", idempotency_key, timeout_s, values)

    # Limits, and what operators see.

    async def list_limits(self, *, tenant: str = "", **page: Unpack[Page]) -> tuple[list[Limit], str]:
        """Return a page of limits by name (100 unless `page_size` is given), and the next page's token or "".

        `tenant`: of this tenant and its agents alone.
        """
        return await self._ask_page("ListLimits", "limits", tenant=tenant, **page)

    iter_limits = iterate(list_limits)

    async def get_limit(self, name: str, **call: Unpack[Call]) -> Limit:
        """Return a limit; error `unknown_limit` if there is no limit of this name."""
        return await self._ask("GetLimit", "limit", name=name, **call)

    async def set_limit(
        self,
        name: str,
        limit: Request = None,
        /,
        *,
        version: int | None = None,
        timeout_s: float | None = None,
        **fields: Any,
    ) -> Limit:
        """Change the given fields of a limit, or, by a NewLimit, all; executions that wait are affected at once."""
        values, mask = make_change(LimitMessage, join_request(limit, fields))
        parameters = {"limit": {**values, "name": name}, "update_mask": mask, "version": version}
        return await self._ask("SetLimit", "limit", **parameters, timeout_s=timeout_s)

    async def remove_limit(self, name: str, *, version: int | None = None, timeout_s: float | None = None) -> None:
        """Remove a limit; error `unknown_limit` if there is no limit of this name."""
        known = {limit.name async for limit in self.iter_limits(timeout_s=timeout_s)}
        try:
            await self._call("RemoveLimit", name=name, version=version, timeout_s=timeout_s)
        except NotFoundError:
            # A call may be sent again after it was carried out: what was there is removed.
            if name not in known:
                raise

    async def pause(self, name: str, *, version: int | None = None, **call: Unpack[Call]) -> Limit:
        """Pause the executions that a name applies to, such as `agent:writer` or `tenant:a`: none of them begins.

        `version` is the expected version of the agent of this name, or else of its limit.
        """
        return await self._ask("Pause", "limit", name=name, paused=True, version=version, **call)

    async def resume(self, name: str, *, version: int | None = None, **call: Unpack[Call]) -> Limit:
        """Resume the executions that a name applies to, within the rest of its limit."""
        return await self._ask("Pause", "limit", name=name, paused=False, version=version, **call)

    async def confirm_limits(self, **call: Unpack[Call]) -> None:
        """Confirm that the limits set now are complete, after a rebuild that did not find all limits."""
        await self._call("ConfirmLimits", **call)

    async def get_overview(self, range_s: int = 3_600, *, tenant: str = "", **call: Unpack[Call]) -> Overview:
        """Return counts and times of the last `range_s` seconds (30 days at most), and what is live now.

        `tenant`: of this tenant alone.
        """
        return await self._ask("GetOverview", range_s=range_s, tenant=tenant, **call)

    async def get_inbox(self, *, tenant: str = "", **call: Unpack[Call]) -> Inbox:
        """Return what needs somebody, the urgent first, and what happened since the caller's last visit."""
        return await self._ask("GetInbox", "inbox", tenant=tenant, **call)

    async def update_inbox(
        self,
        *,
        seen: bool = False,
        snoozed: Iterable[str] = (),
        until: datetime | None = None,
        shown: Iterable[str] = (),
        tenant: str = "",
        **call: Unpack[Call],
    ) -> Inbox:
        """Note that the caller looks at the inbox, and put groups off until they grow or a time; return it as it is.

        `snoozed`: ids of groups to put off, for 14 days unless `until` is given; `shown`: of those put off no longer.
        """
        values = {"seen": seen, "snoozed": list(snoozed), "until": until, "shown": list(shown), "tenant": tenant}
        return await self._ask("UpdateInbox", "inbox", **values, **call)

    async def get_workers(self, **call: Unpack[Call]) -> list[Worker]:
        """Return the jobstores, executors and validators, those that something is wrong with first."""
        workers: Workers = await self._ask("GetWorkers", **call)
        return workers.workers

    async def diagnose(self, **call: Unpack[Call]) -> DiagnoseResponse:
        """Return the state of processes, consumer groups and facts not yet published, as the gRPC message has it."""
        return await self._call("Diagnose", **call)

    async def get_agent_stats(self, *, agent_id: str = "", **page: Unpack[Page]) -> tuple[list[AgentStats], str]:
        """Return a page of agents' work now and results of the last 24 hours, and the next page's token or "".

        Agents without work are left out; a page has 100 unless `page_size` is given. `agent_id`: of this agent alone,
        with its percentiles, failures, refusals and changes of its circuit.
        """
        return await self._ask_page("GetAgentStats", "agents", agent_id=agent_id, **page)

    iter_agent_stats = iterate(get_agent_stats)

    async def list_dead_letters(self, *, include_done: bool = False, **page: Unpack[Page]) -> DeadLetters:
        """Return how many dead letters are open, by topic, and a page of them (50 unless `page_size` is given)."""
        return await self._ask("ListDeadLetters", include_done=include_done, **page)

    iter_dead_letters = iterate_by(list_dead_letters, lambda letters: (letters.items, letters.next_page_token))

    async def resolve_dead_letters(
        self, resolution: Request = None, /, *, timeout_s: float | None = None, **fields: Any
    ) -> Resolved:
        """Redrive or discard a bounded number of open dead letters; `next_offset` says where the rest begins."""
        values = dict(join_request(resolution, fields))
        return await self._ask("ResolveDeadLetters", **values, timeout_s=self._allow(timeout_s))

    async def create_login_code(self, **call: Unpack[Call]) -> str:
        """Return a code that logs the owner of the client's token in, once and within a quarter of an hour."""
        return cast("str", (await self._call("CreateLoginCode", **call)).code)

    async def spend_login_code(self, code: str, *, lasts_s: float | None = None, **call: Unpack[Call]) -> str:
        """Return the token of a new session of whoever made a code; error `unknown_login_code` if it was spent."""
        return cast("str", (await self._call("SpendLoginCode", code=code, lasts_s=lasts_s, **call)).token)

    # The jobstore itself.

    async def is_serving(self) -> bool:
        """Return whether the jobstore answers that it serves. Needs no token, and never raises SignoffError."""
        return await self.find_outage() is None

    async def find_outage(self) -> str | None:
        """Return why the jobstore does not serve, such as `database_read_only` or UNREACHABLE; None if it serves.

        Needs no token, and never raises SignoffError. While the database cannot be written, reads may still be served.
        """
        check: Any = self._channel.unary_unary(HEALTH_CHECK)
        call = await check.end(b"", timeout=self._timeout_s)
        try:
            if await call == SERVING:
                return None
            code = dict(await call.trailing_metadata() or ()).get("signoff-code")
        except grpc.aio.AioRpcError:
            return UNREACHABLE
        return str(code or UNREACHABLE)

    async def _accept_jobs(
        self, method: str, idempotency_key: str | None, timeout_s: float | None, values: Mapping[str, Any]
    ) -> Operation:
        """Call a method that accepts many jobs, and return its operation. The same key is the same operation."""
        key, time_s = idempotency_key or new_execution_id(), self._allow(timeout_s)
        return await self._ask(method, "operation", idempotency_key=key, timeout_s=time_s, **values)

    def _allow(self, timeout_s: float | None) -> float:
        """Return the timeout of a call that accepts many jobs: `timeout_s`, or ACCEPT_TIMEOUT_S at least."""
        return timeout_s or max(self._timeout_s, ACCEPT_TIMEOUT_S)


def _identify(given: Any, idempotency_key: str | None) -> Any:
    """Return a new resource with a new id; unchanged, if it has an id, or if an idempotency key is given."""
    named = given if isinstance(given, Mapping) else vars(given)
    if idempotency_key is not None or named.get("id") is not None:
        return given
    id_ = {"id": str(new_execution_id())}
    return {**given, **id_} if isinstance(given, Mapping) else given.model_copy(update=id_)


def _name_execution(execution_id: UUID | str | None, idempotency_key: str | None) -> dict[str, Any]:
    """Return the field by which a request names its execution: the given id, else the key, else a new id."""
    if execution_id is None and idempotency_key is not None:
        return {"idempotency_key": idempotency_key}
    return {"execution_id": execution_id or new_execution_id()}
