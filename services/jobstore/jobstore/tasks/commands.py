"""The command that has an agent tried. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from contracts.resources import NewAgentTry
from jobstore.agents.commands import make_unknown_agent_error
from jobstore.agents.rules import Agents, AgentsWish, may_be_seen
from jobstore.engine.parts import NOTHING, Creation, UnitOfWork, Wishes, check_size
from jobstore.errors import RefusedError
from jobstore.tasks.rules import MARGIN_S, TAKEN_WITHIN_S, TRIES_MAX, TRY_MAX_S, NewTask, Tasks, TasksWish
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import TaskKind


@dataclass(frozen=True, slots=True)
class TryAgent(Creation[None]):
    """Have an executor call an agent, or check it; do nothing if the try exists.

    NotFoundError (`unknown_agent`). RefusedError (`too_many_tries`). InvalidError (`payload_too_large`).
    """

    try_id: UUID
    agent_id: str
    new: NewAgentTry

    def locks(self) -> Wishes:
        return NOTHING

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (AgentsWish(read=frozenset({self.agent_id})), TasksWish(tries=frozenset({self.try_id})))

    def is_made(self, uow: UnitOfWork) -> bool:
        return self.try_id in uow[Tasks].known or any(new.id == self.try_id for new in uow[Tasks].new)

    def show(self, uow: UnitOfWork) -> None:
        """Return nothing: the caller reads the try by its id."""

    def decide(self, uow: UnitOfWork) -> None:
        agent, tasks, now = uow[Agents].agents.get(self.agent_id), uow[Tasks], uow.clock.now
        if agent is None or not may_be_seen(agent, self.limited_to):
            raise make_unknown_agent_error(self.agent_id)
        if self.is_made(uow):
            return
        if len(tasks.new) >= tasks.room:
            message = f"{TRIES_MAX} tries of agents wait or are under way: ask again when one has ended"
            raise RefusedError(message, code=ErrorCode.TOO_MANY_TRIES)
        body = self._make_body()
        check_size(len(body.encode()), uow.terms.job_max_bytes)
        takes_s = min(agent.policy.attempt_timeout_s or uow.terms.policy.attempt_timeout_s or TRY_MAX_S, TRY_MAX_S)
        kind, ends_at = (TaskKind.CHECK if self.new.check else TaskKind.TRY), now + timedelta(seconds=TAKEN_WITHIN_S)
        lease_s = (TRY_MAX_S if self.new.check else takes_s) + MARGIN_S
        called = agent.id, agent.protocol, now, ends_at, lease_s
        is_own = self.limited_to is None or agent.tenant in self.limited_to
        tenant = agent.tenant if is_own else min(self.limited_to or ())
        tasks.new.append(NewTask(self.try_id, kind, *called, asked=body, actor=self.actor, tenant=tenant))

    def _make_body(self) -> str:
        """Return the JSON body of the call, as that of an execution is (jobs.model.format_request_body)."""
        ids = {"execution_id": str(self.try_id), "job_id": str(self.try_id), "submission": 1}
        asked = self.new.model_dump(include={"title", "description", "acceptance_criteria"})
        return json_text({**ids, **asked, "payload": self.new.payload, "feedback": None})
