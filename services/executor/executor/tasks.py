"""Do for agents what is no execution: stop work afterwards, read cards, try and check agents."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from contracts.spending import Budget, bound_cost, with_cost
from executor.conformance import Check
from executor.errors import AgentError, AgentTimeoutError, ExecutorError
from executor.executions import read_grant
from executor.ports import Agent, Call, Task, TaskOutcome, Tasks
from executor.recording import Recording, hide_secrets
from executor.work import PolledAgent
from servicekit.errors import PermanentError, TransientError
from servicekit.leasing.client import RENEWAL_WAIT, GrpcLeases, prove, read_lease, translate_errors
from servicekit.leasing.worker import Lease
from servicekit.logs import note_about
from servicekit.retry import backoffs_s, retry_transient
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import CALLABLE_PROTOCOLS, Protocol, TaskKind
from signoff.values import usd_text
from signoff.wire import read_field, write_message
from signoff.worker.v1 import work_service_pb2 as pb

log = logging.getLogger(__name__)

#: Tasks that an executor has at once.
ROOM: Final = 40
#: Seconds until it watches again, while the jobstore is out of reach or of a version without that call.
WATCH_AGAIN_S: Final = 1.0
WATCH_AGAIN_MAX_S: Final = 30.0
#: Seconds of a lease that are kept for what came of it to be said.
MARGIN_S: Final = 15.0
#: Seconds that an executor that stops may take to say of tries that they are lost.
STOP_S: Final = 1.0


class GrpcTasks:
    """Take tasks from the jobstore over gRPC, and say what came of them."""

    def __init__(self, leases: GrpcLeases) -> None:
        self._leases = leases

    async def watch(self, owner: UUID, room: int) -> AsyncIterator[Task]:
        """Yield granted tasks, at most `room` at once. Raise TransientError if the jobstore is out of reach."""
        asked = {"owner": owner, "room": room, "protocols": CALLABLE_PROTOCOLS}
        request = write_message(pb.WatchTasksRequest, asked)
        with translate_errors():
            async for answer in self._leases.stub.WatchTasks(request, metadata=self._leases.metadata):
                task = answer.task
                kind, grant = read_field(task, "kind"), read_grant(task.grant, task.job_id)
                is_known = isinstance(kind, TaskKind)
                yield Task(read_lease(task.lease), task.lease_s, kind if is_known else None, grant)

    async def finish(self, owner: UUID, lease: Lease, outcome: TaskOutcome) -> bool:
        """Say what came of a task; return whether its lease still counted. Raise TransientError in an outage."""
        request = pb.FinishTaskRequest(
            owner=str(owner),
            lease=prove(lease, owner),
            answer_json=None if outcome.answer is None else json_text(outcome.answer),
            code=outcome.code,
            message=outcome.message,
            cost_usd=usd_text(outcome.spent.spent_nanos),
            tokens=outcome.spent.spent_tokens,
            duration_s=outcome.duration_s,
        )
        answer = await self._leases.call(self._leases.stub.FinishTask, request, RENEWAL_WAIT)
        return answer.state == pb.LEASE_STATE_RECORDED


class TaskWorker:
    """Take tasks, do them, each within its lease, and say what came of them."""

    def __init__(self, owner: UUID, tasks: Tasks, agents: Mapping[Protocol, Agent], call_cost_max_usd: Decimal) -> None:
        self._owner = owner
        self._tasks = tasks
        self._agents = agents
        self._call_cost_max_usd = call_cost_max_usd
        self._under_way: dict[asyncio.Task[None], Lease] = {}
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to take tasks, until `stop` is called."""
        self._watching = asyncio.create_task(self._watch_for_ever())

    def list_leases(self) -> list[Lease]:
        """Return the leases of the tasks under way."""
        return [*self._under_way.values()]

    async def stop(self) -> None:
        """Take no more tasks, and give up those under way: tries are said to be lost, others are given again."""
        doing = [*self._under_way, *([] if self._watching is None else [self._watching])]
        for each in doing:
            each.cancel()
        await asyncio.gather(*doing, return_exceptions=True)

    async def _watch_for_ever(self) -> None:
        waits = backoffs_s(WATCH_AGAIN_S, WATCH_AGAIN_MAX_S)
        while True:
            try:
                async for task in self._tasks.watch(self._owner, ROOM):
                    waits = backoffs_s(WATCH_AGAIN_S, WATCH_AGAIN_MAX_S)
                    doing = asyncio.create_task(self._do(task))
                    self._under_way[doing] = task.lease
                    doing.add_done_callback(self._under_way.pop)
            except (TransientError, PermanentError) as error:
                log.debug("tasks are not watched", extra={"code": error.code, "reason": str(error)})
            except Exception:  # such as a task that cannot be read: a bug is no reason to take no more of them
                log.exception("the watch of tasks failed unexpectedly")
            await asyncio.sleep(next(waits))

    async def _do(self, task: Task) -> None:
        note_about(job_id=task.grant.job_id, task_id=task.lease.execution_id)
        ends_at = asyncio.get_running_loop().time() + task.lease_s
        try:
            outcome = await self._carry_out(task)
        except asyncio.CancelledError:
            if task.kind in {TaskKind.TRY, TaskKind.CHECK}:
                lost = TaskOutcome(code=ErrorCode.TRY_LOST, message="the executor stopped while it called the agent")
                with contextlib.suppress(TimeoutError, TransientError, PermanentError):
                    async with asyncio.timeout(STOP_S):
                        await self._tasks.finish(self._owner, task.lease, lost)
            raise
        try:
            async with asyncio.timeout_at(ends_at):
                try:
                    await self._say(task, outcome)
                except PermanentError as error:  # it cannot be kept: say at least that
                    message = f"what came of the call could not be kept: {error}"[:500]
                    await self._say(task, replace(outcome, answer=None, code=ErrorCode.EXECUTOR_ERROR, message=message))
        except (TimeoutError, PermanentError) as error:
            extra = {"kind": task.kind, "reason": str(error)[:500]}
            log.warning("what came of a task could not be said", extra=extra)

    async def _say(self, task: Task, outcome: TaskOutcome) -> None:
        await retry_transient(lambda: self._tasks.finish(self._owner, task.lease, outcome), on="jobstore")

    async def _carry_out(self, task: Task) -> TaskOutcome:
        """Do a task, and return what came of it, also after an unexpected error."""
        began, recording, spent = time.monotonic(), Recording(), Budget()
        is_tried = task.kind in {TaskKind.TRY, TaskKind.CHECK}
        call = Call(
            task.grant,
            is_given_up=lambda: True,
            spend=lambda usage: spent.spend(bound_cost(with_cost(usage), self._call_cost_max_usd)),
            handle=task.grant.handle,
            tokens_left=task.grant.budget.left_tokens,
            note_exchange=recording.note if is_tried else None,
        )
        checks: list[dict[str, Any]] = []
        answer, code, message = None, "", ""
        try:
            answer = hide_secrets(call, await self._make(task, call, recording, checks))
        except AgentError as error:
            code, message = error.code, call.hide(str(error))
        except Exception as error:  # a bug is no reason to end the loop
            log.exception("a task failed unexpectedly", extra={"kind": task.kind})
            code = ErrorCode.EXECUTOR_ERROR
            message = f"the executor failed unexpectedly ({type(error).__name__}), and its log says how"
        if is_tried:
            for row in checks:
                row["exchanges"] = recording.find_places(row["exchanges"])
            answer = {"result": answer, "exchanges": recording.show(), "checks": checks}
            answer |= {"exchanges_left_out": recording.left_out} if recording.left_out else {}
        return TaskOutcome(answer, code, message, spent, time.monotonic() - began)

    async def _make(self, task: Task, call: Call, recording: Recording, checks: list[dict[str, Any]]) -> Any:
        grant, within_s = task.grant, task.lease_s - MARGIN_S
        agent = None if grant.protocol is None else self._agents.get(grant.protocol)
        if agent is None or task.kind is None:
            raise ExecutorError("this executor does not know the agent's protocol, or the task: update executors")
        if task.kind is TaskKind.CHECK:
            check = Check(agent, call, recording)
            try:
                return await check.run(within_s)
            finally:
                checks += check.rows
        if task.kind is TaskKind.TRY:
            within_s = min(within_s, grant.policy.attempt_timeout_s or within_s)
        try:
            async with asyncio.timeout(within_s):
                if task.kind is TaskKind.TRY:
                    return await agent.call(call)
                if task.kind is TaskKind.CARD:
                    return await agent.read_card(call)  # type: ignore[attr-defined] # of protocols that have cards
                if isinstance(agent, PolledAgent):
                    await agent.stop_work(call)
                return None
        except TimeoutError:
            raise AgentTimeoutError(f"no whole answer from the agent within {within_s:g} s") from None
