"""JobService and AgentService: what people and programs ask, as gRPC."""

import base64
import binascii
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import grpc

from contracts import convert
from contracts.identity import new_execution_id
from contracts.jsontext import json_text
from contracts.resources import NewAgent, NewJob
from contracts.status import RESTING, Protocol
from jobstore import queries
from jobstore.commands import AssignAgent, CancelJob, Command, CreateJob, ExecuteJob
from jobstore.database import Database
from jobstore.errors import ConflictError, InvalidError, NotFoundError
from jobstore.handlers import Handlers
from jobstore.ledger import Asked, new_id
from jobstore.watches import Watches
from servicekit.errors import PermanentError
from servicekit.retry import by_size
from signoff.v1 import agent_service_pb2 as agent_pb
from signoff.v1 import job_service_pb2 as pb
from signoff.v1.agent_service_pb2_grpc import AgentServiceServicer
from signoff.v1.job_service_pb2_grpc import JobServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
PAGE_MAX = 500
BATCH_MAX = 10_000
#: Of the transitions in one response of a batched watch: below what gRPC's readers take by default.
WATCHED_MAX_BYTES = 2 << 20
#: What the executor can call.
CALLABLE = frozenset({Protocol.HTTP, Protocol.HTTP_ASYNC})


class Jobs(JobServiceServicer):
    """Jobs, for everybody who asks for them."""

    def __init__(self, database: Database, handlers: Handlers, watches: Watches, payload_max_bytes: int) -> None:
        self._database = database
        self._handlers = handlers
        self._watches = watches
        self._payload_max_bytes = payload_max_bytes

    async def CreateJob(self, request: pb.CreateJobRequest, context: Context) -> pb.CreateJobResponse:
        new = self._sized(convert.new_job_of(request.job))
        view = await self._handlers.submit.one(CreateJob(new, new.id or new_id()))
        return pb.CreateJobResponse(job=convert.job_message(view, as_text=_as_text(context)))

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        async with self._database.session() as session:
            view = await queries.job(session, request.job_id)
        if view is None:
            raise _unknown_job(request.job_id)
        return pb.GetJobResponse(job=convert.job_message(view, as_text=_as_text(context)))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        limit = _limit(request.page_size, 50)
        before = _token(request.page_token, lambda at, job_id: (datetime.fromisoformat(at), str(job_id)))
        async with self._database.session() as session:
            views = await queries.list_jobs(
                session,
                limit=limit,
                before=before,
                statuses=[convert.status_of(status) for status in request.statuses],
                agent_id=request.agent_id if request.HasField("agent_id") else None,
                tenant=request.tenant if request.HasField("tenant") else None,
                labels=dict(request.labels),
                texts=not request.without_texts,
            )
        messages = [convert.job_message(view, as_text=_as_text(context)) for view in views]
        last = (views[-1]["created_at"].isoformat(), views[-1]["id"]) if len(views) == limit else None
        return pb.ListJobsResponse(jobs=messages, next_page_token=_next(last))

    async def ListJobLogs(self, request: pb.ListJobLogsRequest, context: Context) -> pb.ListJobLogsResponse:
        limit = _limit(request.page_size, 100)
        after = _token(request.page_token, int) or 0
        async with self._database.session() as session:
            logs = await queries.list_job_logs(session, request.job_id, after, limit)
            if not logs and await queries.job(session, request.job_id) is None:
                raise _unknown_job(request.job_id)
        messages = [convert.job_log_message(entry, as_text=_as_text(context)) for entry in logs]
        last = (logs[-1]["version"],) if len(logs) == limit else None
        return pb.ListJobLogsResponse(logs=messages, next_page_token=_next(last))

    async def AssignAgent(self, request: pb.AssignAgentRequest, context: Context) -> pb.AssignAgentResponse:
        payload = convert.get_json(request, "payload")
        _check_size(len(payload or ""), self._payload_max_bytes)
        view = await self._handlers.submit.one(AssignAgent(request.job_id, request.agent_id, payload))
        return pb.AssignAgentResponse(job=convert.job_message(view, as_text=_as_text(context)))

    async def ExecuteJob(self, request: pb.ExecuteJobRequest, context: Context) -> pb.ExecuteJobResponse:
        asked = Asked(not_before=convert.time_of(request, "not_before"))
        view = await self._handlers.submit.one(_execution(request, asked))
        return pb.ExecuteJobResponse(job=convert.job_message(view, as_text=_as_text(context)))

    async def ResubmitJob(self, request: pb.ResubmitJobRequest, context: Context) -> pb.ResubmitJobResponse:
        comment = request.comment if request.HasField("comment") else None
        _check_size(len(comment or ""), self._payload_max_bytes)
        view = await self._handlers.submit.one(_execution(request, Asked(_without_nul(comment))))
        return pb.ResubmitJobResponse(job=convert.job_message(view, as_text=_as_text(context)))

    async def CancelJob(self, request: pb.CancelJobRequest, context: Context) -> pb.CancelJobResponse:
        reason, requested_by = _without_nul(request.reason), _without_nul(request.requested_by)
        view = await self._handlers.submit.one(CancelJob(request.job_id, reason=reason, requested_by=requested_by))
        return pb.CancelJobResponse(job=convert.job_message(view, as_text=_as_text(context)))

    async def ExecuteJobs(self, request: pb.ExecuteJobsRequest, context: Context) -> pb.ExecuteJobsResponse:
        del context
        batch_id = uuid5(_BATCHES, request.idempotency_key) if request.idempotency_key else uuid4()
        if len(request.job_ids) + len(request.jobs) > BATCH_MAX:
            raise InvalidError(f"a batch holds {BATCH_MAX} jobs at most", code="batch_too_large")
        async with self._database.session() as session:
            known = await queries.batch(session, batch_id)
        if known is None:
            items = await self._accepted(batch_id, request)
            async with self._database.transaction() as connection:
                await queries.create_batch(connection, batch_id, items)
        return pb.ExecuteJobsResponse(batch=await self._batch(batch_id))

    async def _accepted(self, batch_id: UUID, request: pb.ExecuteJobsRequest) -> list[dict[str, Any]]:
        """Create and execute; with ids that follow from the batch's, so that doing it again changes nothing."""
        new = [self._sized(convert.new_job_of(job)) for job in request.jobs]
        created = [(n.id or str(uuid5(batch_id, str(i))), n) for i, n in enumerate(new)]
        job_ids = [*request.job_ids, *(job_id for job_id, _ in created)]
        creations: list[Command] = [CreateJob(n, job_id) for job_id, n in created]
        made = await self._handlers.submit.run(creations)
        failed = {job_id: e for (job_id, _), e in zip(created, made, strict=True) if isinstance(e, PermanentError)}
        asked = [(job_id, uuid5(batch_id, f"execution/{job_id}")) for job_id in job_ids if job_id not in failed]
        executions: list[Command] = [ExecuteJob(job_id, execution_id, chosen=True) for job_id, execution_id in asked]
        answers = dict(zip((job_id for job_id, _ in asked), await self._handlers.submit.run(executions), strict=True))
        return [_item(job_id, batch_id, failed.get(job_id) or answers[job_id]) for job_id in job_ids]

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.GetBatchResponse:
        del context
        try:
            batch_id = UUID(request.batch_id)
        except ValueError:
            raise _unknown_batch(request.batch_id) from None
        return pb.GetBatchResponse(batch=await self._batch(batch_id))

    async def _batch(self, batch_id: UUID) -> pb.Batch:
        async with self._database.session() as session:
            items = await queries.batch(session, batch_id)
        if items is None:
            raise _unknown_batch(str(batch_id))
        message = pb.Batch(id=str(batch_id), state="DONE", total=len(items))
        for item in items:
            accepted = item["code"] is None
            message.counts[item["status"] if accepted else "REFUSED"] += 1
            if accepted and (item["live"] or item["status"] not in RESTING | {"ASSIGNED"}):
                message.state = "RUNNING"
            about = {k: str(item[k]) for k in ("execution_id", "code", "message") if item[k] is not None}
            message.items.add(job_id=item["job_id"], accepted=accepted, **about)
        return message

    async def WatchJobs(self, request: pb.WatchJobsRequest, context: Context) -> AsyncIterator[pb.WatchJobsResponse]:
        as_text = _as_text(context)
        job_ids = list(request.job_ids)
        cursor = await self._watches.cursor(request.after if request.HasField("after") else None)
        yield pb.WatchJobsResponse(cursor=cursor)
        if not request.HasField("after") and not request.changes_only:
            async for view in self._watches.jobs(job_ids):
                yield pb.WatchJobsResponse(cursor=cursor, job=convert.job_message(view, as_text=as_text))
        async for page in self._watches.changes(cursor, job_ids, payloads=not request.without_payloads):
            logs = [convert.job_log_message(entry, as_text=as_text) for entry in page]
            most = len(logs) if request.batched else 1
            for part in by_size(logs, lambda log: log.ByteSize(), most=most, bytes_max=WATCHED_MAX_BYTES):
                told = {"logs": part} if request.batched else {"log": part[0]}
                yield pb.WatchJobsResponse(cursor=part[-1].cursor, **told)

    def _sized(self, new: NewJob) -> NewJob:
        texts = len(new.title) + len(new.description) + len(new.acceptance_criteria)
        _check_size(texts + len(json_text(new.payload)), self._payload_max_bytes)
        return new


class Agents(AgentServiceServicer):
    """The agents that jobs are assigned to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def CreateAgent(self, request: agent_pb.CreateAgentRequest, context: Context) -> agent_pb.CreateAgentResponse:
        del context
        new = convert.new_agent_of(request.agent)
        _check_callable(new.protocol)
        agent_id = new.id or new_id()
        async with self._database.transaction() as connection:
            created = await queries.put_agent(connection, agent_id, new, create=True)
            agent = await queries.agent_by_id(connection, agent_id)
        assert agent is not None
        same = agent.model_dump(include={*NewAgent.model_fields} - {"id"}) == new.model_dump(exclude={"id"})
        if not created and not same:
            raise ConflictError(f"another agent has the id {agent_id}", code="agent_conflict")
        return agent_pb.CreateAgentResponse(agent=convert.agent_message(agent))

    async def GetAgent(self, request: agent_pb.GetAgentRequest, context: Context) -> agent_pb.GetAgentResponse:
        del context
        async with self._database.session() as session:
            agent = await queries.agent_by_id(session, request.agent_id)
        if agent is None:
            raise _unknown_agent(request.agent_id)
        return agent_pb.GetAgentResponse(agent=convert.agent_message(agent))

    async def ListAgents(self, request: agent_pb.ListAgentsRequest, context: Context) -> agent_pb.ListAgentsResponse:
        del context
        limit = _limit(request.page_size, 100)
        after = _token(request.page_token, lambda name, agent_id: (str(name), str(agent_id)))
        async with self._database.session() as session:
            agents = await queries.list_agents(session, limit=limit, after=after)
        last = (agents[-1].name, agents[-1].id) if len(agents) == limit else None
        messages = [convert.agent_message(agent) for agent in agents]
        return agent_pb.ListAgentsResponse(agents=messages, next_page_token=_next(last))

    async def UpdateAgent(self, request: agent_pb.UpdateAgentRequest, context: Context) -> agent_pb.UpdateAgentResponse:
        del context
        new = convert.new_agent_of(request.agent)
        _check_callable(new.protocol)
        async with self._database.transaction() as connection:
            if not await queries.put_agent(connection, request.agent_id, new, create=False):
                raise _unknown_agent(request.agent_id)
            agent = await queries.agent_by_id(connection, request.agent_id)
        assert agent is not None
        return agent_pb.UpdateAgentResponse(agent=convert.agent_message(agent))

    async def DisableAgent(
        self, request: agent_pb.DisableAgentRequest, context: Context
    ) -> agent_pb.DisableAgentResponse:
        del context
        async with self._database.transaction() as connection:
            await queries.disable_agent(connection, request.agent_id)
            agent = await queries.agent_by_id(connection, request.agent_id)
        if agent is None:
            raise _unknown_agent(request.agent_id)
        return agent_pb.DisableAgentResponse(agent=convert.agent_message(agent))


_BATCHES = UUID("a8f1c8a0-6c0c-5e0e-8a53-0c1f6f0d7b21")


def _execution(request: pb.ExecuteJobRequest | pb.ResubmitJobRequest, asked: Asked) -> ExecuteJob:
    chosen = request.HasField("execution_id")
    execution_id = _uuid(request.execution_id, "execution_id") if chosen else new_execution_id()
    return ExecuteJob(request.job_id, execution_id, chosen, isinstance(request, pb.ResubmitJobRequest), asked)


def _item(job_id: str, batch_id: UUID, answer: Any) -> dict[str, Any]:
    refused = isinstance(answer, PermanentError)
    return {
        "job_id": job_id,
        "execution_id": None if refused else uuid5(batch_id, f"execution/{job_id}"),
        "code": answer.code if refused else None,
        "message": str(answer) if refused else None,
    }


def _as_text(context: Context) -> bool:
    return convert.JSON_AS_TEXT in {(key, value) for key, value in context.invocation_metadata() or ()}


def _without_nul(text: str | None) -> str | None:
    if text is not None and "\0" in text:
        raise InvalidError("a text must not contain the character U+0000")
    return text


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise InvalidError(f"{size} characters exceed the limit of {most}", code="payload_too_large")


def _check_callable(protocol: Protocol) -> None:
    if protocol not in CALLABLE:
        known = ", ".join(sorted(CALLABLE))
        raise InvalidError(f"agents of protocol {protocol} cannot be called yet; {known} can", code="unknown_protocol")


def _unknown_job(job_id: str) -> NotFoundError:
    return NotFoundError(f"no job has the id {job_id}", code="unknown_job")


def _unknown_batch(batch_id: str) -> NotFoundError:
    return NotFoundError(f"no batch has the id {batch_id}", code="unknown_batch")


def _unknown_agent(agent_id: str) -> NotFoundError:
    return NotFoundError(f"no agent has the id {agent_id}", code="unknown_agent")


def _uuid(text: str, field: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{field} is no UUID: {text[:100]!r}") from None


def _limit(page_size: int, default: int) -> int:
    if not 0 <= page_size <= PAGE_MAX:
        raise InvalidError(f"page_size is between 0 and {PAGE_MAX}")
    return page_size or default


def _next(last: Sequence[Any] | None) -> str:
    return "" if last is None else base64.urlsafe_b64encode(json.dumps(last).encode()).decode()


def _token(token: str, parse: Callable[..., Any]) -> Any:
    if not token:
        return None
    try:
        return parse(*json.loads(base64.urlsafe_b64decode(token.encode())))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidError("page_token is none that was given", code="invalid_page_token") from None
