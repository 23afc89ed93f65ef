"""The doors of batches and limits of the jobstore in memory."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import grpc

from contracts.fields import merge
from contracts.resources import JobFilter, LimitPatch, NewLimit, NewOperation, job_message, new_job_of, patch_of
from servicekit.process.runtime import VERSION
from signoff import types
from signoff.status import BATCH_KINDS, RESTING, JobStatus, OperationState
from signoff.types import (
    Inbox,
    InboxGroup,
    InboxHappened,
    Job,
    Limit,
    Operation,
    OperationItem,
    Quality,
    QualityCounts,
    WaitingSum,
    Worker,
    Workers,
)
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2
from signoff.v1.operations_service_pb2_grpc import OperationsServiceServicer
from signoff.wire import parse_words, read_fields, write_message

Status = grpc.StatusCode
WORKERS = ("executor", "validator")
_ENDED = {OperationState.CANCELLED, OperationState.DONE}


class Refusal(Exception):  # noqa: N818 - a value, in its way
    def __init__(self, status: grpc.StatusCode, code: str | None, message: str = "refused", field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.field = status, code, field


def id_of(key: str) -> str:
    """The id that an idempotency key stands for."""
    return str(uuid5(UUID(int=0), key))


class FakeOperations(OperationsServiceServicer):
    """`jobs`, `add`, `execute` and `changed` are the jobstore's."""

    jobs: dict[str, Job]
    changed: asyncio.Condition

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, list[OperationItem]] = {}
        self.operations: dict[str, Operation] = {}
        self.limits: dict[str, Limit] = {}
        self.not_judged_again: set[str] = set()  # ids of jobs that operations refuse
        self.upstreams_sign = False
        self.waiting_sums: list[WaitingSum] = []
        self.login_codes: list[str] = []
        workers = [pb.ProcessState(id=f"{kind}-1", kind=kind, version=VERSION, room=5) for kind in WORKERS]
        self.are_limits_confirmed = False
        self.diagnosis = pb.DiagnoseResponse(version=VERSION, alive_s=20, processes=workers)
        self.dead_letters = {"a-dlq": 2}
        self.workers = Workers(workers=[Worker(id=f"{kind}-1", kind=kind, version=VERSION, room=5) for kind in WORKERS])
        self.quality = Quality(points=[], totals=QualityCounts())
        self.inbox = Inbox(groups=[], happened=InboxHappened(since=datetime(2026, 5, 1, tzinfo=UTC)))
        self.groups: list[InboxGroup] = []
        self.inbox_updates: list[pb.UpdateInboxRequest] = []

    async def GetOverview(self, request, context):
        return pb.GetOverviewResponse(
            totals=pb.OverviewPoint(
                created=12,
                completed=7,
                failed=2,
                cost_usd="0.25",
                wait=pb.Percentiles(p50=0.5),
                agent=pb.Percentiles(p50=0.3),
                duration=pb.Percentiles(p50=35.0),
            ),
            now=pb.OverviewNow(queued=3, running=1, oldest_wait_s=75.0, dead_letters=self.dead_letters),
            upstreams_sign=self.upstreams_sign,
            signing_secret="2026-11",
            waiting=[write_message(resources_pb2.WaitingSum, each) for each in self.waiting_sums],
        )

    async def GetQuality(self, request, context):
        return write_message(pb.GetQualityResponse, self.quality)

    async def GetInbox(self, request, context):
        return write_message(pb.GetInboxResponse, {"inbox": self.inbox})

    async def UpdateInbox(self, request, context):
        self.inbox_updates.append(request)
        return write_message(pb.UpdateInboxResponse, {"inbox": self.inbox})

    async def GetWorkers(self, request, context):
        return write_message(pb.GetWorkersResponse, self.workers)

    async def Diagnose(self, request, context):
        if not self.diagnosis.HasField("at"):
            self.diagnosis.at.GetCurrentTime()
        return self.diagnosis

    async def GetAgentStats(self, request, context):
        stats = pb.AgentStats(agent_id="writer", running=1, success_rate=0.9, mean_wait_s=34.0, mean_agent_s=0.3)
        if request.agent_id == "writer":
            stats.MergeFrom(
                pb.AgentStats(
                    ended=10,
                    completed=9,
                    refused=1,
                    mean_cost_usd="0.02",
                    refusals={"It rhymes": 1},
                    agent={"p50": 0.3},
                )
            )
        return pb.GetAgentStatsResponse(agents=[stats] if request.agent_id in {"", "writer"} else [])

    async def ListDeadLetters(self, request, context):
        about = {"topic": "a-dlq", "code": "malformed", "source_topic": "a", "at": datetime.now(UTC)}
        letters = [pb.DeadLetter(**about, offset=number, source_offset=number) for number in (2, 1)]
        if request.include_done:
            letters[1].resolution.CopyFrom(
                pb.DeadLetterResolution(outcome=2, actor="token:bootstrap", reason="a test", at=about["at"])
            )
        size = request.page_size or 50
        return pb.ListDeadLettersResponse(counts={"a-dlq": 2, "b-dlq": 0}, items=letters[:size])

    async def ResolveDeadLetters(self, request, context):
        if request.from_offset < 5:  # the rest is a page of its own
            return pb.ResolveDeadLettersResponse(letters=2, skipped=1, forgotten=1, next_offset=5, to_offset=9)
        return pb.ResolveDeadLettersResponse(letters=1)

    async def CreateLoginCode(self, request, context):
        self.login_codes.append(f"{len(self.login_codes):043}")
        return pb.CreateLoginCodeResponse(code=self.login_codes[-1])

    async def SpendLoginCode(self, request, context):
        if request.code not in self.login_codes:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "unknown_login_code")
        self.login_codes.remove(request.code)
        return pb.SpendLoginCodeResponse(token=self.begin_session(next(iter(self.callers))).secret)

    async def ExecuteJobs(self, request, context):
        batch_id = id_of(request.idempotency_key)
        if batch_id not in self.operations:
            ids = [*request.job_ids, *[(await self.add(new_job_of(new))).id for new in request.jobs]]
            if request.HasField("filter"):
                ids += [job.id for job in self.jobs.values() if _matches(job, JobFilter(**read_fields(request.filter)))]
            await self._begin(batch_id, ids, name=request.name or None)
        return write_message(jobs_pb.ExecuteJobsResponse, {"operation": self.operation(batch_id)})

    async def _begin(self, batch_id: str, ids: list[str], kind: str = "execute", **fields: Any) -> None:
        self.operations[batch_id] = Operation(
            id=UUID(batch_id), kind=kind, state=OperationState.RUNNING, total=len(ids), counts={},
            created_at=datetime.now(UTC), **fields,
        )  # fmt: skip
        done = kind not in BATCH_KINDS
        self.items[batch_id] = [
            OperationItem(item=number, job_id=job_id, outcome="DONE")
            if done
            else await self._item(batch_id, number, job_id)
            for number, job_id in enumerate(ids)
        ]

    def _choose(self, message: Any) -> tuple[NewOperation, list[str]]:
        new = NewOperation(**read_fields(message))
        return new, new.job_ids or [job.id for job in self.jobs.values() if _matches(job, new.filter)]

    async def PreviewOperation(self, request, context):
        _, ids = self._choose(request.operation)
        known = [self.jobs[job_id] for job_id in ids if job_id in self.jobs]
        counts = Counter(job.status.value for job in known)
        sample = [job_message(dict(job) | {"payload": None, "cost_nanos": 0}, as_text=True) for job in known[:5]]
        return pb.PreviewOperationResponse(
            total=len(ids), items_max=100_000, counts=counts, sample=sample, cost_usd="2.5", cost_of=1
        )

    async def CreateOperation(self, request, context):
        new, ids = self._choose(request.operation)
        operation_id = id_of(request.idempotency_key)
        if operation_id not in self.operations:
            chosen = new.filter and types.JobFilter(**dict(new.filter))
            about = {"name": new.name, "filter": chosen, "agent_id": new.agent_id}
            await self._begin(operation_id, ids, new.kind, **about)
        return write_message(pb.CreateOperationResponse, {"operation": self.operation(operation_id)})

    async def GetOperationGroups(self, request, context):
        return write_message(pb.GetOperationGroupsResponse, {"groups": self.groups})

    async def ListOperationItems(self, request, context):
        operation = self.operation(request.operation_id)
        outcomes = parse_words(resources_pb2.ItemOutcome.DESCRIPTOR, request.outcomes)
        found = [item for item in self._items(operation) if not outcomes or item.outcome in outcomes]
        start, size = int(request.page_token or 0), request.page_size or 50
        token = str(start + size) if len(found) > start + size else ""
        page = [write_message(resources_pb2.OperationItem, item) for item in found[start : start + size]]
        return pb.ListOperationItemsResponse(items=page, next_page_token=token)

    def _items(self, operation: Operation) -> list[OperationItem]:
        items = self.items[str(operation.id)]
        if operation.kind not in BATCH_KINDS:
            words = ["REFUSED" if item.job_id in self.not_judged_again else "DONE" for item in items]
        else:
            words = [item.outcome if item.code else str(self.jobs[item.job_id].status) for item in items]
        return [item.model_copy(update={"outcome": word}) for item, word in zip(items, words, strict=True)]

    async def _item(self, batch_id: str, number: int, job_id: str) -> OperationItem:
        execution_id = uuid4()
        try:
            await self.execute(job_id, str(execution_id))
        except Refusal as refusal:
            return OperationItem(item=number, job_id=job_id, outcome="REFUSED", code=refusal.code, message=str(refusal))
        self.jobs[job_id] = self.jobs[job_id].model_copy(update={"batch_id": UUID(batch_id)})
        return OperationItem(item=number, job_id=job_id, outcome="ASSIGNED", execution_id=execution_id)

    def operation(self, operation_id: str, code: str = "unknown_batch") -> Operation:
        """As it stands: DONE when all its jobs rest."""
        if operation_id not in self.operations:
            raise Refusal(Status.NOT_FOUND, code, f"no batch has the id {operation_id}")
        operation = self.operations[operation_id]
        items = self._items(operation)
        words = [item.outcome for item in items]
        rests = all(word in {"REFUSED", "DONE"} or JobStatus(word) in RESTING for word in words)
        refused = [item for item in items if item.outcome == "REFUSED"][:10]
        changes: dict[str, Any] = {"counts": {word: words.count(word) for word in sorted(set(words))}}
        changes["refused"] = refused
        if rests and operation.state is OperationState.RUNNING:
            changes |= {"state": OperationState.DONE, "finished_at": datetime.now(UTC)}
        self.operations[operation_id] = operation.model_copy(update=changes)
        return self.operations[operation_id]

    async def GetOperation(self, request, context):
        return write_message(pb.GetOperationResponse, {"operation": self.operation(request.operation_id)})

    async def ListOperations(self, request, context):
        known = [self.operation(operation_id) for operation_id in reversed(self.operations)]
        kinds = parse_words(resources_pb2.OperationKind.DESCRIPTOR, request.kinds)
        found = [write_message(resources_pb2.Operation, each) for each in known if not kinds or each.kind in kinds]
        start, size = int(request.page_token or 0), request.page_size or 50
        token = str(start + size) if len(found) > start + size else ""
        return pb.ListOperationsResponse(operations=found[start : start + size], next_page_token=token)

    async def WatchOperation(self, request, context):
        told = None
        while told is None or told.state not in _ENDED:
            async with self.changed:
                await self.changed.wait_for(lambda: self.operation(request.operation_id) != told)  # noqa: B023
            told = self.operation(request.operation_id)
            yield pb.WatchOperationResponse(operation=write_message(resources_pb2.Operation, told))

    async def _moved(self, operation_id: str, state: OperationState) -> Any:
        operation = self.operation(operation_id)
        if operation.state in _ENDED:
            raise Refusal(Status.FAILED_PRECONDITION, "operation_ended", f"the batch is {operation.state}")
        self.operations[operation_id] = operation.model_copy(update={"state": state})
        async with self.changed:
            self.changed.notify_all()
        return write_message(resources_pb2.Operation, self.operation(operation_id))

    async def PauseOperation(self, request, context):
        moved = await self._moved(request.operation_id, OperationState.PAUSED)
        return pb.PauseOperationResponse(operation=moved)

    async def ResumeOperation(self, request, context):
        moved = await self._moved(request.operation_id, OperationState.RUNNING)
        return pb.ResumeOperationResponse(operation=moved)

    async def CancelOperation(self, request, context):
        moved = await self._moved(request.operation_id, OperationState.CANCELLED)
        return pb.CancelOperationResponse(operation=moved)

    async def RetryOperation(self, request, context):
        of = self.operation(request.operation_id)
        statuses = parse_words(resources_pb2.JobStatus.DESCRIPTOR, request.statuses) or [JobStatus.FAILED]
        ids = [i.job_id for i in self.items[str(of.id)] if not i.code and self.jobs[i.job_id].status in statuses]
        if not ids:
            raise Refusal(Status.FAILED_PRECONDITION, "nothing_to_retry", "none of its jobs failed")
        batch_id = id_of(request.idempotency_key)
        if batch_id not in self.operations:
            await self._begin(batch_id, ids, "retry", retry_of=of.id, name=request.name or None)
        return write_message(pb.RetryOperationResponse, {"operation": self.operation(batch_id)})

    async def ListLimits(self, request, context):
        limits = [{**dict(limit), "name": name} for name, limit in sorted(self.limits.items())]
        return write_message(pb.ListLimitsResponse, {"limits": limits})

    async def GetLimit(self, request, context):
        if request.name not in self.limits:
            raise Refusal(Status.NOT_FOUND, "unknown_limit", f"there is no limit {request.name}")
        return write_message(pb.GetLimitResponse, {"limit": {**dict(self.limits[request.name]), "name": request.name}})

    async def SetLimit(self, request, context):
        new = NewLimit(**read_fields(request.limit))
        if request.HasField("update_mask"):
            stored = self.limits.get(request.limit.name, NewLimit())
            patch = patch_of(LimitPatch, request.limit, request.update_mask)
            new = NewLimit(
                **{**stored.model_dump(include=set(NewLimit.model_fields)), **merge(stored, patch, NewLimit)}
            )
        return pb.SetLimitResponse(limit=self._put(request.limit.name, new))

    async def RemoveLimit(self, request, context):
        if self.limits.pop(request.name, None) is None:
            raise Refusal(Status.NOT_FOUND, "unknown_limit", f"there is no limit {request.name}")
        return pb.RemoveLimitResponse()

    async def ConfirmLimits(self, request, context):
        self.are_limits_confirmed = True
        return pb.ConfirmLimitsResponse()

    async def Pause(self, request, context):
        known = self.limits.get(request.name, NewLimit())
        return pb.PauseResponse(limit=self._put(request.name, known.model_copy(update={"paused": request.paused})))

    def _put(self, name: str, limit: NewLimit) -> Any:
        version = self.limits[name].version + 1 if name in self.limits else 1
        fields = {**dict(limit), "name": name, "version": version, "updated_at": datetime.now(UTC)}
        self.limits[name] = Limit(**fields)
        return write_message(resources_pb2.Limit, {**dict(self.limits[name]), "name": name})

    def is_paused(self, name: str) -> bool:
        """Whether what has this name is given nothing."""
        return name in self.limits and self.limits[name].paused


def _matches(job: Job, chosen: Any) -> bool:
    said = {name: getattr(chosen, name) for name in ("agent_id", "tenant", "batch_id")}
    return (
        (not chosen.statuses or job.status in chosen.statuses)
        and chosen.labels.items() <= job.labels.items()
        and all(value in {None, getattr(job, name)} for name, value in said.items())
    )
