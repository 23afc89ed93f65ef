"""What administrators ask for, carried out in a transaction of the test's own."""

from datetime import UTC, datetime
from typing import Any

from contracts.resources import NewAgent, NewLimit
from jobstore.agents.commands import DisableAgent, RegisterAgent, UpdateAgent
from jobstore.agents.rules import Agents
from jobstore.engine.parts import Command, UnitOfWork
from jobstore.jobs.model import BOOTSTRAP, Clock
from jobstore.limits.commands import PauseLimit, RemoveLimit, SetLimit
from jobstore.limits.rules import Limits
from jobstore.subjects import STORES
from signoff.types import Agent
from support.jobstore.terms import TERMS


async def carry_out(connection: Any, command: Command[Any]) -> Any:
    """As the runner does, but for the commit."""
    uow = UnitOfWork(TERMS)
    await STORES.lock(connection, uow, [command.locks()])
    await STORES.load(connection, uow, lambda: [command.reads(uow)])
    answer = command.decide(uow)
    await STORES.write(connection, uow)
    return answer


async def put_agent(connection: Any, agent_id: str, new: NewAgent, *, create: bool) -> None:
    change = RegisterAgent if create else UpdateAgent
    await carry_out(connection, change(agent_id, new, actor=BOOTSTRAP))


async def disable_agent(connection: Any, agent_id: str) -> None:
    await carry_out(connection, DisableAgent(agent_id, actor=BOOTSTRAP))


async def add_old_agent(connection: Any, agent_id: str, new: NewAgent) -> None:
    """Add an agent that is refused today, with a user and password in its URL, as older versions did."""
    now = datetime.now(UTC)
    agent = Agent(**new.model_dump(exclude={"id"}), id=agent_id, created_at=now, updated_at=now)
    uow = UnitOfWork(TERMS)
    uow[Agents].put(agent, BOOTSTRAP)
    await STORES.write(connection, uow)


async def put_limit(connection: Any, name: str, limit: NewLimit) -> None:
    await carry_out(connection, SetLimit(name, limit, actor=BOOTSTRAP))


async def put_old_limit(connection: Any, name: str, limit: NewLimit) -> None:
    """Set a limit as releases before 0.3.0 do, of tenants that nobody has registered."""
    uow = UnitOfWork(TERMS, Clock(datetime.now(UTC), TERMS.lease_s, TERMS.offer_again_s))
    uow[Limits].put(name, limit, BOOTSTRAP)
    await STORES.write(connection, uow)


async def pause_limit(connection: Any, name: str, *, paused: bool) -> None:
    await carry_out(connection, PauseLimit(name, paused, actor=BOOTSTRAP))


async def remove_limit(connection: Any, name: str) -> None:
    await carry_out(connection, RemoveLimit(name, actor=BOOTSTRAP))
