"""Grant executors tasks that are no executions, and take in what came of them."""

import logging
import math
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pydantic_core import from_json

from contracts.resources import Policy
from contracts.signing import KeyUse, Secrets, Signature
from contracts.spending import Budget
from contracts.topics import LIMIT_MAX_BYTES
from jobstore.api.requests import check_text_size, read_protocols
from jobstore.engine.database import Database
from jobstore.engine.sql import Row
from jobstore.jobs.model import ExecutionTerms, cut_message
from jobstore.tasks import store
from jobstore.tasks.queue import TaskQueue
from jobstore.tasks.rules import MARGIN_S, TRY_MAX_S
from jobstore.tasks.store import Finished
from signoff.jsontext import json_text, parse_json
from signoff.status import FIRST_PROTOCOLS, TaskKind, TryState
from signoff.types import AgentCard, AgentTry
from signoff.v1 import agent_service_pb2 as agent_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.values import USD_MAX, to_nanos
from signoff.wire import write_message, write_row
from signoff.worker.v1 import work_service_pb2 as pb

log = logging.getLogger(__name__)

#: The most bytes of what came of a try: its result, and its exchanges, whose bodies the executor bounds.
ANSWER_MAX_BYTES: Final = 2 * LIMIT_MAX_BYTES
#: What an executor says of a card and of a try; the rest of what is shown is the jobstore's own.
_OF_CARD: Final = AgentCard.model_fields.keys() - {"read_at", "code", "message", "changed_at", "changes"}
_OF_TRY: Final = frozenset({"result", "exchanges", "exchanges_left_out", "checks"})
_THEN: Final = datetime.fromtimestamp(0, UTC)
#: Tasks that one executor has under way at most, whatever room it reports.
ROOM_MAX: Final = 100


class TaskClaims:
    """Grant tasks to executors that watch, and finish these under their leases."""

    def __init__(self, database: Database, secrets: Secrets, queue: TaskQueue, terms: ExecutionTerms) -> None:
        self._database = database
        self._secrets = secrets
        self._queue = queue
        self._terms = terms

    async def watch(self, request: pb.WatchTasksRequest) -> AsyncIterator[pb.WatchTasksResponse]:
        """Yield tasks for an executor, by whose protocols their agents are called, while it has room."""
        protocols = read_protocols(request.protocols) or FIRST_PROTOCOLS
        room = min(max(0, request.room), ROOM_MAX)
        async for rows in self._queue.watch(UUID(request.owner), protocols, room):
            for row in rows:
                yield pb.WatchTasksResponse(task=self._make_task(row))

    async def renew(self, owner: UUID, leases: Iterable[pb.Lease]) -> None:
        """Renew those leases of tasks that `owner` proved to hold."""
        if proven := [(UUID(lease.execution_id), lease.lease) for lease in leases if self._is_proven(lease, owner)]:
            await self._queue.renew(proven)

    async def finish(self, request: pb.FinishTaskRequest) -> pb.FinishTaskResponse:
        """Record what came of a task, unless its lease is not proven, or not the current one: then it is LOST.

        ValueError, InvalidError: its answer is too large, or cannot be shown.
        """
        lease = request.lease
        if not self._is_proven(lease, UUID(request.owner)):
            return pb.FinishTaskResponse(state=pb.LEASE_STATE_LOST)
        answer = None
        if request.HasField("answer_json"):
            check_text_size(request.answer_json, ANSWER_MAX_BYTES)
            async with self._database.session() as session:
                kind = await store.find_kind(session, UUID(lease.execution_id), lease.lease)
            answer = read_answer(kind, request.answer_json)
        finished = Finished(
            answer,
            request.code[:64].replace("\0", "") or None,
            cut_message(request.message).replace("\0", "") or None,
            to_nanos(request.cost_usd or "0", usd_max=USD_MAX),
            min(max(0, request.tokens), 2**53),
            max(0.0, request.duration_s) if math.isfinite(request.duration_s) else None,
        )
        async with self._database.session() as session:
            recorded = await store.finish(session, UUID(lease.execution_id), lease.lease, finished)
        if recorded is not None and recorded.has_changed:
            log.warning("the card of an agent has changed", extra={"agent_id": recorded.agent_id})
        return pb.FinishTaskResponse(state=pb.LEASE_STATE_LOST if recorded is None else pb.LEASE_STATE_RECORDED)

    def _make_task(self, row: Row) -> pb.AgentTask:
        key = self._secrets.make_key(KeyUse.TASK, row.id, row.lease)
        return pb.AgentTask(
            lease=pb.LeaseKey(execution_id=str(row.id), lease=row.lease, secret_id=key.secret_id, key=key.key),
            lease_s=row.lease_s,
            kind=pb.TaskKind.Value(f"TASK_KIND_{row.kind.upper()}"),
            grant=self._make_grant(row),
            job_id=row.job_id or str(row.id),
        )

    def _make_grant(self, row: Row) -> pb.ExecutionGrant:
        """Return how the agent is called: for an execution that has ended as it was, for anything else as it is now."""
        execution_id = row.execution_id or row.id
        if row.execution_id is None:
            policy = Policy(**from_json(row.agent_policy)).over(self._terms.policy)
            timeout_s = min(policy.attempt_timeout_s or TRY_MAX_S, row.lease_s - MARGIN_S)
            policy = policy.model_copy(update={"attempt_timeout_s": timeout_s, "max_calls": 1})
            settings = row.agent_settings
        else:
            policy = Policy(**from_json(row.policy or "{}")).over(self._terms.policy)
            settings = row.settings
        ids, budget = self._terms.ids, Budget.under(vars(policy), 0, 0)
        return write_row(
            pb.ExecutionGrant,
            {
                "agent_id": row.agent_id,
                "url": row.url,
                "signing": row.signing,
                "agent_tenant": row.agent_tenant,
                "handle": row.handle,
                "spent": row.spent or 0,
            },
            lease=pb.LeaseKey(execution_id=str(execution_id), lease=row.lease),
            attempt=row.attempt or 1,
            submission=row.submission or 1,
            request_json=row.asked or "{}",
            protocol=resources_pb.Protocol.Value(f"PROTOCOL_{row.protocol.upper()}"),
            policy=write_message(resources_pb.Policy, policy),
            headers=from_json(row.headers),
            budget_left_usd=budget.left_usd,
            budget_left_tokens=budget.left_tokens,
            settings_json=settings if settings and settings != "{}" else "",
            context_id=str(ids.derive("context", row.job_id or str(row.id))),
            message_id=str(ids.derive("message", str(execution_id))),
            tenant=row.tenant or "",
        )

    def _is_proven(self, lease: pb.Lease, owner: UUID) -> bool:
        """Return whether `owner` proved to hold the lease of a task."""
        signature = Signature.parse(lease.proof)
        if signature is None or (signature.execution, signature.lease) != (lease.execution_id.lower(), lease.lease):
            return False
        return self._secrets.verify(KeyUse.TASK, signature, str(owner).encode())


def read_answer(kind: str | None, text: str) -> str | None:
    """Return what is kept of the answer to a task, as JSON; None: nothing. Raise ValueError if it cannot be shown."""
    answer = parse_json(text)
    if not isinstance(answer, dict):
        raise ValueError("the answer is no object")  # noqa: TRY004 - a stranger's value, not one of our types
    names = _OF_CARD if kind == TaskKind.CARD else _OF_TRY
    kept = {name: value for name, value in answer.items() if name in names}
    if kind == TaskKind.CARD:
        write_message(resources_pb.AgentCard, AgentCard.model_validate({**kept, "read_at": _THEN}))
    elif kind in {TaskKind.TRY, TaskKind.CHECK}:
        rest = {"id": UUID(int=0), "agent_id": "", "state": TryState.DONE, "created_at": _THEN}
        write_message(agent_pb.AgentTry, AgentTry.model_validate({**rest, **kept}))
    else:
        return None
    return json_text(kept)
