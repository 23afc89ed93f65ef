"""A jobstore in memory, behind real gRPC: what its clients see of it, and nothing of what makes it safe."""

# ruff: noqa: ARG001, ARG002, N802 - the names and arguments are gRPC's

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import grpc

from contracts.fields import merge
from contracts.lint import find_warnings
from contracts.receipts import PublicKey
from contracts.resources import AgentPatch, Job, NewAgent, NewAgentTry, NewJob, new_job_of, patch_of
from jobstore.api.server import make_credentials, make_details
from jobstore.errors import Violation
from signoff.connection import REPLAYED
from signoff.status import ExecutionState, JobLogStatus, JobStatus, Role
from signoff.tls import Tls
from signoff.types import Agent, AgentTry, Execution, JobLog, Waiting
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2
from signoff.v1.agent_service_pb2_grpc import AgentServiceServicer, add_AgentServiceServicer_to_server
from signoff.v1.identity_service_pb2_grpc import add_IdentityServiceServicer_to_server
from signoff.v1.job_service_pb2_grpc import JobServiceServicer, add_JobServiceServicer_to_server
from signoff.v1.judge_service_pb2_grpc import add_JudgeServiceServicer_to_server
from signoff.v1.judging_service_pb2_grpc import add_JudgingServiceServicer_to_server
from signoff.v1.keeping_service_pb2_grpc import add_KeepingServiceServicer_to_server
from signoff.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from signoff.v1.receipt_service_pb2_grpc import add_ReceiptServiceServicer_to_server
from signoff.wire import parse_words, read_fields, write_message
from support.fake_identity import BOOTSTRAP, FakeIdentity
from support.fake_judges import FakeJudges
from support.fake_judgings import FakeJudgings
from support.fake_keeping import FakeKeeping
from support.fake_operations import FakeOperations, Refusal, id_of
from support.fake_receipts import FakeReceipts

LOG_TEXTS = {"request", "payload", "before", "after", "result", "partial", "verdict"}
TOKEN, CONSOLE_TOKEN = "a-token-of-at-least-32-characters", "a-consoles-token-of-32-characters"
Status = grpc.StatusCode


class FakeJobStore(
    FakeIdentity, FakeKeeping, FakeOperations, FakeReceipts, FakeJudges, JobServiceServicer, AgentServiceServicer
):
    """A job whose payload is {"ends": <status>} ends so as soon as it is executed; with null it stays under way."""

    def __init__(self) -> None:
        super().__init__()
        self.callers[TOKEN] = BOOTSTRAP
        self.add_caller(CONSOLE_TOKEN, Role.CONSOLE)
        self.retentions, self.removed, self.holds = {}, {}, {}
        self.receipts: dict[str, str] = {}
        self.receipt_keys: list[PublicKey] = []
        self.jobs: dict[str, Job] = {}
        self.agents: dict[str, Agent] = {}
        self.agents_page = 500
        self.tries: dict[str, AgentTry] = {}
        self.try_ends: dict[str, Any] = {"result": "a result"}
        self.logs: list[JobLog] = []
        self.requests: list[Any] = []
        self.refusals: dict[str, Refusal] = {}  # by the name of the request
        self.nonsense: dict[str, Any] = {}  # answered instead, likewise
        self.first_cursor = 0  # what lies before is forgotten
        self.waiting: dict[str, Waiting] = {}
        self.facets = jobs_pb.ListJobFacetsResponse(capped_at=10_000)
        self.counts = jobs_pb.CountJobsResponse(capped_at=10_000)
        self.watches = self.open_watches = 0
        self.judging = FakeJudgings()
        self.outage: str | None = None  # why health checks are not answered SERVING
        self.held: asyncio.Event | None = None  # what lists wait for
        self.executions: dict[str, Execution] = {}
        self.changed = asyncio.Condition()

    def asked(self, kind: type[Any]) -> list[Any]:
        return [request for request in self.requests if isinstance(request, kind)]

    async def record(self, job_id: str, status: JobLogStatus, **fields: Any) -> Job:
        """Record a transition and tell the watchers."""
        job, now = self.jobs[job_id], datetime.now(UTC)
        stays = status in {JobLogStatus.CANCELLED, JobLogStatus.MATCHING_FAILED}
        stands = (JobStatus.ASSIGNED if job.agent_id else JobStatus.PENDING) if stays else JobStatus(status.value)
        job = job.model_copy(update={"status": stands, "version": job.version + 1, "updated_at": now})
        log = JobLog(
            id=uuid4(), job_id=job_id, version=job.version, status=status, job_status=stands, agent_id=job.agent_id,
            cursor=self.first_cursor + len(self.logs) + 1, created_at=now,
            **{"actor": "token:bootstrap", "tenant": job.tenant, "execution_id": job.execution_id, **fields},
        )  # fmt: skip
        self.jobs[job_id] = job
        self.logs.append(log)
        async with self.changed:
            self.changed.notify_all()
        return job

    async def add(self, new: NewJob) -> Job:
        now = datetime.now(UTC)
        fields = new.model_dump(exclude={"id", "policy"})
        job_id = new.id or str(uuid4())
        known = self.jobs.get(job_id)
        if known is not None and known.title != new.title:
            raise Refusal(Status.ALREADY_EXISTS, "job_conflict", "another job has this id")
        if known is not None:
            return known
        job = Job(
            **fields, id=job_id, policy=new.policy, status=JobStatus.PENDING, version=0, created_at=now, updated_at=now
        )
        self.jobs[job_id] = job
        return await self.record(job_id, JobLogStatus.ASSIGNED if new.agent_id else JobLogStatus.PENDING)

    async def execute(
        self, job_id: str, execution_id: str, ends: Iterable[JobStatus] = (JobStatus.ASSIGNED,)
    ) -> Execution:
        job = self.job(job_id)
        if execution_id in self.executions:
            return self.executions[execution_id]
        if job.status not in {JobStatus.ASSIGNED, JobStatus.FAILED, *ends}:
            raise Refusal(Status.FAILED_PRECONDITION, "illegal_transition", f"the job is {job.status}")
        named = {"id": UUID(execution_id), "job_id": job_id, "submission": job.submission, "agent_id": job.agent_id}
        execution = Execution(**named, state=ExecutionState.WAITING, created_at=datetime.now(UTC))
        self.executions[execution_id] = execution
        self.jobs[job_id] = job.model_copy(update={"execution_id": UUID(execution_id)})
        await self.record(job_id, JobLogStatus.ASSIGNED)
        await self.record(job_id, JobLogStatus.IN_PROGRESS, attempt=1)
        if isinstance(job.payload, dict) and "ends" in job.payload:
            await self.record(job_id, JobLogStatus(job.payload["ends"]), attempt=1, message="as the payload said")
            ended = {"state": ExecutionState(job.payload["ends"]), "ended_at": datetime.now(UTC)}
            self.executions[execution_id] = execution.model_copy(update=ended)
        return execution

    def job(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise Refusal(Status.NOT_FOUND, "unknown_job", f"there is no job {job_id}")
        return self.jobs[job_id]

    async def CreateJob(self, request, context):
        new = new_job_of(request.job)
        if new.id is None and request.idempotency_key:
            new.id = id_of(request.idempotency_key)
        job = await self.add(new)
        warnings = [write_message(resources_pb2.CriterionWarning, warning) for warning in find_warnings(job.criteria)]
        return jobs_pb.CreateJobResponse(job=_job(job), warnings=warnings)

    async def GetJob(self, request, context):
        return jobs_pb.GetJobResponse(job=self._job(request.job_id))

    async def ExplainJob(self, request, context):
        self.job(request.job_id)
        return write_message(jobs_pb.ExplainJobResponse, {"waiting": self.waiting.get(request.job_id, Waiting())})

    async def ListJobs(self, request, context):
        if self.held is not None:
            await self.held.wait()
        chosen = request.filter
        statuses = set(parse_words(resources_pb2.JobStatus.DESCRIPTOR, chosen.statuses))
        found = [
            job
            for job in reversed(self.jobs.values())
            if (not statuses or job.status in statuses)
            and chosen.text.lower() in f"{job.id} {job.title}".lower()
            and chosen.agent_id in {"", job.agent_id}
            and chosen.batch_id in {"", str(job.batch_id)}
            and chosen.labels.items() <= job.labels.items()
        ]
        if request.order == jobs_pb.JOB_ORDER_CREATED:
            found.reverse()
        start, size = int(request.page_token or 0), request.page_size or 50
        token = str(start + size) if len(found) > start + size else ""
        jobs = [self._job(job.id) for job in found[start : start + size]]
        for job in jobs:
            if job.id in self.waiting:
                job.waiting.CopyFrom(write_message(resources_pb2.Waiting, self.waiting[job.id]))
        return jobs_pb.ListJobsResponse(jobs=jobs, next_page_token=token)

    async def ListJobFacets(self, request, context):
        return self.facets

    async def CountJobs(self, request, context):
        return self.counts

    def _job(self, job_id):
        job = self.job(job_id)
        logs = [JobLog(**log.model_dump(exclude=LOG_TEXTS)) for log in self.logs if log.job_id == job_id]
        return _job(job.model_copy(update={"last_log": logs[-1] if logs else None}))

    async def ListJobLogs(self, request, context):
        logs = [log_message(log) for log in self.logs if log.job_id == self.job(request.job_id).id]
        start = int(request.page_token or 0)
        end = start + (request.page_size or len(logs))
        return jobs_pb.ListJobLogsResponse(logs=logs[start:end], next_page_token=str(end) if logs[end:] else "")

    async def AssignAgent(self, request, context):
        job = self.job(request.job_id)
        payload = read_fields(request).get("payload", job.payload)
        self.jobs[job.id] = job.model_copy(update={"agent_id": request.agent_id, "payload": payload})
        return jobs_pb.AssignAgentResponse(job=_job(await self.record(job.id, JobLogStatus.ASSIGNED)))

    async def ExecuteJob(self, request, context):
        execution_id = request.execution_id or id_of(request.idempotency_key)
        if execution_id in self.executions:
            context.set_trailing_metadata((REPLAYED,))
        return jobs_pb.ExecuteJobResponse(execution=_execution(await self.execute(request.job_id, execution_id)))

    async def GetExecution(self, request, context):
        if request.execution_id not in self.executions:
            raise Refusal(Status.NOT_FOUND, "unknown_execution", f"there is no execution {request.execution_id}")
        return jobs_pb.GetExecutionResponse(execution=_execution(self.executions[request.execution_id]))

    async def ResubmitJob(self, request, context):
        ends = (JobStatus.RESUBMISSION_REQUIRED,)
        job = self.job(request.job_id)
        self.jobs[job.id] = job.model_copy(update={"payload": {"ends": "COMPLETED"}, "submission": job.submission + 1})
        execution_id = request.execution_id or id_of(request.idempotency_key)
        return jobs_pb.ResubmitJobResponse(execution=_execution(await self.execute(job.id, execution_id, ends)))

    async def CancelJob(self, request, context):
        if not request.job_id:
            cancelled = {"state": ExecutionState.CANCELLED, "created_at": datetime.now(UTC)}
            execution = self.executions.get(request.execution_id)
            execution = execution or Execution(id=UUID(request.execution_id), **cancelled)
            return jobs_pb.CancelJobResponse(execution=_execution(execution.model_copy(update=cancelled)))
        self.job(request.job_id)
        job = await self.record(request.job_id, JobLogStatus.CANCELLED, message=request.reason or None)
        return jobs_pb.CancelJobResponse(job=_job(job))

    async def WatchJobs(self, request, context):
        self.open_watches += 1
        try:
            async with aclosing(self._watch_jobs(request)) as responses:
                async for response in responses:
                    yield response
        finally:
            self.open_watches -= 1

    async def _watch_jobs(self, request):
        wanted, self.watches = set(request.job_ids), self.watches + (not request.changes_only)
        last = self.first_cursor + len(self.logs)
        after = request.after if request.HasField("after") else last
        if not self.first_cursor <= after <= last:
            raise Refusal(Status.OUT_OF_RANGE, "cursor_unknown")
        yield jobs_pb.WatchJobsResponse(cursor=after)
        if not request.HasField("after") and not request.changes_only:
            for job in self.jobs.values():
                if not wanted or job.id in wanted:
                    yield jobs_pb.WatchJobsResponse(cursor=after, job=_job(job))
        while True:
            for log in self.logs[after - self.first_cursor :]:
                after = log.cursor
                if not wanted or log.job_id in wanted:
                    yield jobs_pb.WatchJobsResponse(cursor=after, log=log_message(log))
            async with self.changed:
                await self.changed.wait_for(lambda: self.first_cursor + len(self.logs) > after)  # noqa: B023

    async def CreateAgent(self, request, context):
        agent_id = id_of(request.idempotency_key) if request.idempotency_key else None
        agent = self.add_agent(NewAgent(**read_fields(request.agent)), agent_id)
        return write_message(agents_pb.CreateAgentResponse, {"agent": agent})

    def add_agent(self, new: NewAgent, agent_id: str | None = None) -> Agent:
        now = datetime.now(UTC)
        agent_id = agent_id or new.id or str(uuid4())
        fields = new.model_dump(exclude={"id", "policy"})
        version = self.agents[agent_id].version + 1 if agent_id in self.agents else 1
        agent = Agent(**fields, id=agent_id, policy=new.policy, version=version, created_at=now, updated_at=now)
        self.agents[agent_id] = agent
        return agent

    def agent(self, agent_id: str) -> Agent:
        if agent_id not in self.agents:
            raise Refusal(Status.NOT_FOUND, "unknown_agent", f"there is no agent {agent_id}")
        return self.agents[agent_id]

    async def GetAgent(self, request, context):
        return agents_pb.GetAgentResponse(agent=self._agent(self.agent(request.agent_id)))

    def _agent(self, agent: Agent) -> Any:
        paused = self.is_paused(f"agent:{agent.id}")
        return write_message(resources_pb2.Agent, agent.model_copy(update={"paused": paused}))

    async def ListAgents(self, request, context):
        start = int(request.page_token or 0)
        agents = [self._agent(agent) for agent in self.agents.values()]
        page, rest = agents[start : start + self.agents_page], agents[start + self.agents_page :]
        return agents_pb.ListAgentsResponse(agents=page, next_page_token=str(start + len(page)) if rest else "")

    async def CreateAgentTry(self, request, context):
        self.agent(request.agent_id)
        new = NewAgentTry(**read_fields(request.agent_try))
        try_id = id_of(request.idempotency_key)
        made = AgentTry(
            id=try_id, agent_id=request.agent_id, check=new.check, state="QUEUED", created_at=datetime.now(UTC)
        )
        self.tries.setdefault(str(try_id), made)
        return write_message(agents_pb.CreateAgentTryResponse, {"agent_try": made})

    async def GetAgentTry(self, request, context):
        if (made := self.tries.get(request.try_id)) is None or made.agent_id != request.agent_id:
            raise Refusal(Status.NOT_FOUND, "unknown_try", f"there is no try {request.try_id}")
        self.tries[request.try_id] = made.model_copy(update={"state": "DONE", **self.try_ends})
        return write_message(agents_pb.GetAgentTryResponse, {"agent_try": self.tries[request.try_id]})

    async def ListAgentTries(self, request, context):
        self.agent(request.agent_id)
        made = [each for each in self.tries.values() if each.agent_id == request.agent_id]
        return write_message(agents_pb.ListAgentTriesResponse, {"tries": made})

    async def UpdateAgent(self, request, context):
        agent = self.agent(request.agent_id)
        if request.HasField("update_mask"):
            patch = patch_of(AgentPatch, request.agent, request.update_mask)
            if (patch.protocol or agent.protocol) != agent.protocol:
                raise Refusal(Status.FAILED_PRECONDITION, "agent_protocol_fixed", "register another one")
            changes = {**merge(agent, patch, NewAgent), "version": agent.version + 1}
            agent = self.agents[agent.id] = agent.model_copy(update=changes)
        else:
            agent = self.add_agent(NewAgent(**read_fields(request.agent)), request.agent_id)
        return write_message(agents_pb.UpdateAgentResponse, {"agent": agent})

    async def DisableAgent(self, request, context):
        agent = self.agent(request.agent_id).model_copy(update={"enabled": False})
        self.agents[agent.id] = agent
        return write_message(agents_pb.DisableAgentResponse, {"agent": agent})


class Edge(grpc.aio.ServerInterceptor):
    """Asks for the token, notes each request, and turns refusals into statuses with a code."""

    def __init__(self, store: FakeJobStore) -> None:
        self._store = store

    async def intercept_service(self, continuation, details):
        handler = await continuation(details)
        if details.method.startswith("/grpc.health"):
            return handler

        async def one(request: Any, context: Any) -> Any:
            try:
                self._check(context, details.method, request)
                nonsense = self._store.nonsense.get(type(request).__name__.removesuffix("Request"))
                return nonsense or await handler.unary_unary(request, context)
            except Refusal as refusal:
                await _abort(context, refusal)

        async def many(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                self._check(context, details.method, request)
                async for answer in handler.unary_stream(request, context):
                    yield answer
            except Refusal as refusal:
                await _abort(context, refusal)

        coding = (handler.request_deserializer, handler.response_serializer)
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(many, *coding)
        return grpc.unary_unary_rpc_method_handler(one, *coding)

    def _check(self, context: Any, method: str, request: Any) -> None:
        self._store.check_caller(context, method)
        self._store.requests.append(request)
        if refusal := self._store.refusals.get(type(request).__name__.removesuffix("Request")):
            raise refusal


async def _abort(context: Any, refusal: Refusal) -> None:
    message, violations = str(refusal), [Violation(refusal.field, str(refusal))] if refusal.field else []
    if refusal.field:
        message = f"{refusal.field}: {message}"
    if refusal.code is not None:
        details = make_details(refusal.status, message, refusal.code, metadata={}, violations=violations)
        context.set_trailing_metadata((("signoff-code", refusal.code), ("grpc-status-details-bin", details)))
    await context.abort(refusal.status, message)


def _execution(execution: Execution) -> resources_pb2.Execution:
    return write_message(resources_pb2.Execution, execution)


def _job(job: Job) -> Any:
    return write_message(resources_pb2.Job, job)


def log_message(log: JobLog) -> Any:
    """Return an entry as the jobstore sends it."""
    return write_message(resources_pb2.JobLog, log)


class Health(grpc.GenericRpcHandler):
    """Serving, unless the store says why not."""

    def __init__(self, store: FakeJobStore) -> None:
        self._store = store

    def service(self, details):
        if details.method != "/grpc.health.v1.Health/Check":
            return None

        async def check(request: bytes, context: Any) -> bytes:
            if self._store.outage is None:
                return b"\x08\x01"
            context.set_trailing_metadata((("signoff-code", self._store.outage),))
            return b"\x08\x02"

        return grpc.unary_unary_rpc_method_handler(check)


class Server:
    """The fake on a port of its own; stopped and started again, it is where it was."""

    def __init__(self, store: FakeJobStore) -> None:
        self.store = store
        self.port = 0
        self.tls: Tls | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        pings = [("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.min_ping_interval_without_data_ms", 500)]
        options = [("grpc.so_reuseport", 0), *pings]  # as jobstore.api.server has them
        self._server = grpc.aio.server(interceptors=[Edge(self.store)], options=options)
        add_JobServiceServicer_to_server(self.store, self._server)
        add_AgentServiceServicer_to_server(self.store, self._server)
        add_IdentityServiceServicer_to_server(self.store, self._server)
        add_OperationsServiceServicer_to_server(self.store, self._server)
        add_KeepingServiceServicer_to_server(self.store, self._server)
        add_ReceiptServiceServicer_to_server(self.store, self._server)
        add_JudgeServiceServicer_to_server(self.store, self._server)
        add_JudgingServiceServicer_to_server(self.store.judging, self._server)
        self._server.add_generic_rpc_handlers((Health(self.store),))
        if self.tls is None:
            self.port = self._server.add_insecure_port(self.address)
        else:
            self.port = self._server.add_secure_port(self.address, make_credentials(self.tls))
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(None)


@asynccontextmanager
async def running_jobstore() -> AsyncIterator[Server]:
    server = Server(FakeJobStore())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
