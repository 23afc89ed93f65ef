"""The protocol (docs/protocol.md) on the real tables, in every order that Hypothesis comes upon.

`SIGNOFF_EXAMPLES=2000 .venv/bin/pytest tests/protocol/test_state_machine.py` looks longer, and each time elsewhere.
"""

import asyncio
import os
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from world import LEASE_S, World
from world_jobs import JOBS, spec

from contracts.events import CancelRequested, ExecuteRequested, JobStatusReported
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import BreakerTerms
from jobstore.subjects import STORES

EXAMPLES = int(os.environ.get("SIGNOFF_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=EXAMPLES or 25,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
_PROGRESS = ("progress", "progress", "progress unknown")
Steps = Sequence[Coroutine[Any, Any, Any]]


class Lives(RuleBasedStateMachine):
    """A few jobs, two executors, two validators. One rule: of many, Hypothesis would switch off what a life needs."""

    loop: asyncio.AbstractEventLoop
    database: Database
    runner: CommandRunner

    @initialize()
    def begin(self) -> None:
        self.world = World(self.database, self.runner)
        self._run([self.world.empty(), *(self.world.create(job) for job in list(JOBS)[1:])])

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        world = self.world
        possible = {
            "people ask": (2, True),
            "a cancel is published": (1, self._known()),
            "time passes": (4, world.tables.live),
            "the jobstore reads": (4, world.unread),
            "a worker claims": (6, world.unclaimed),
            "work goes on": (8, self._work()),
            "an outcome is published": (4, self._busy("outcomes")),
            "a worker asks again": (1, self._busy("asking")),
            "a worker renews": (3, self._busy("held") or self._busy("outcomes")),
            "work is given back": (2, self._work()),
            "a worker crashes": (1, self._work() or self._busy("outcomes") or self._busy("asking")),
            "a worker is lost": (4, self._called()),
            "the broker is emptied": (1, world.unclaimed or world.unread),
            "all goes well": (1, world.tables.live),
        }
        self.draw = lambda *choices: data.draw(st.sampled_from(choices))
        what = self.draw(*(name for name, (weight, can) in possible.items() if can for _ in range(weight)))
        self._run(getattr(self, what.replace(" ", "_"))())

    def teardown(self) -> None:
        self._run([self.world.calm()])

    def _run(self, steps: Steps) -> None:
        async def checked() -> None:
            for step in steps:
                await step
                await self.world.check()

        self.loop.run_until_complete(checked())

    def _known(self) -> list[UUID]:
        requested = (event.execution_id for event in self.world.topics.logs[ExecuteRequested])
        return sorted({*requested, *self.world.tables.executions})

    def _work(self) -> list[Any]:
        return [(worker, held) for worker in self.world.workers for held in worker.held.values()]

    def _called(self) -> list[Any]:
        return [(worker, held) for worker, held in self._work() if worker in self.world.executors and held.begun]

    def _busy(self, how: str) -> list[Any]:
        return [worker for worker in self.world.workers if getattr(worker, how)]

    def people_ask(self) -> Steps:
        world = self.world
        idle = [job.id for job in world.tables.jobs.values() if not job.live]
        job = self.draw(*JOBS, *idle, *idle)
        what = self.draw(
            "execute", "execute", "resubmit", "resubmit", "by id", "inline", "inline", "assign", "cancel", "edit"
        )
        if what == "assign":
            return [world.assign(job)]
        if what == "edit":
            return [world.edit(job, self.draw("A title", "Another"))]
        if what == "cancel":
            return [world.cancel(job)]
        known = self._known()
        execution_id = self.draw(*known) if known and self.draw(False, False, True) else world.new_id()
        if what in {"by id", "inline"}:
            if what == "by id" and job not in world.tables.jobs:
                return []
            inline = spec(job) if what == "inline" else None
            return [world.topics.publish(ExecuteRequested(execution_id=execution_id, job_id=job, job=inline))]
        return [world.execute(job, execution_id, resubmission=what == "resubmit")]

    def a_cancel_is_published(self) -> Steps:
        event = CancelRequested(execution_id=self.draw(*self._known()), job_id=self.draw(None, None, *JOBS))
        return [self.world.topics.publish(event)]

    def time_passes(self) -> Steps:
        world = self.world
        execution = self.draw(*world.tables.live).execution_id
        steps = {
            "dispatch": lambda: [world.dispatch()],
            "wait": lambda: [world.wait(), world.dispatch()],
            "sweep": lambda: [world.sweep()],
            "lease ends": lambda: [world.lease_ends(execution)],
            "lapse": lambda: [world.lease_ends(execution), world.sweep()],
            "deadline": lambda: [world.deadline_passes(execution), world.sweep()],
            "half open": lambda: [world.circuits_half_open(), world.dispatch()],
        }
        return steps[self.draw("dispatch", "dispatch", "wait", "wait", "wait", *steps)]()

    def the_jobstore_reads(self) -> Steps:
        kind, most, commit = self.draw(*self.world.unread), self.draw(1, 2, 100), self.draw(True, True, True, False)
        return [self.world.consume(kind, most, commit=commit)]

    def a_worker_claims(self) -> Steps:
        kind, which, most = self.draw(*self.world.unclaimed), self.draw(0, 1), self.draw(100, 1, 2)
        lost, commit = self.draw(False, False, False, True), self.draw(True, True, True, False)
        return [self.world.take(kind, which, most, lost=lost, commit=commit)]

    def work_goes_on(self) -> Steps:
        worker, held = self.draw(*self._work())
        agent = self.draw(*["result"] * 6, "retry", "retry", "error", "decline", "unreachable", *_PROGRESS)
        return [self.world.advance(worker, held, agent, self.draw("met", "unmet", "unmet", "nonsense", "unproven"))]

    def an_outcome_is_published(self) -> Steps:
        self.world.publish(self.draw(*self._busy("outcomes")))
        return []

    def a_worker_asks_again(self) -> Steps:
        return [self.world.ask_again(self.draw(*self._busy("asking")))]

    def a_worker_renews(self) -> Steps:
        worker = self.draw(*self._busy("held"), *self._busy("outcomes"))
        return [self.world.renew(worker, lost=self.draw(False, False, True))]

    def work_is_given_back(self) -> Steps:
        return [self.world.give_back(*self.draw(*self._work()))]

    def a_worker_crashes(self) -> Steps:
        self.world.crash(self.draw(*self.world.workers))
        return []

    def a_worker_is_lost(self) -> Steps:
        """After what it reported is read, so that its work may be found again."""
        world, (worker, held) = self.world, self.draw(*self._called())

        async def is_lost() -> None:
            world.crash(worker)
            await world.lease_ends(held.lease[0])

        return [world.consume(JobStatusReported, 100), is_lost(), world.sweep(), world.wait(), world.dispatch()]

    def the_broker_is_emptied(self) -> Steps:
        self.world.topics.emptied()
        return []

    def all_goes_well(self) -> Steps:
        return [self.world.round(self.draw("result", "retry", "error"), self.draw("met", "unmet", "unproven"))]


@pytest.fixture
def machine(database: Database, database_url: str, runner: CommandRunner) -> Iterator[type[Lives]]:
    """On an event loop, and so with connections, of its own."""
    del database  # it is migrated
    own = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    Lives.loop, Lives.database = asyncio.new_event_loop(), own
    terms = replace(runner.terms, lease_s=LEASE_S, offer_again_s=LEASE_S, breaker=BreakerTerms(1, LEASE_S, LEASE_S))
    Lives.runner = CommandRunner(own, STORES, terms)
    yield Lives
    Lives.loop.run_until_complete(own.close())
    Lives.loop.close()


@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_no_order_of_steps_breaks_an_invariant(machine: type[Lives]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)


@pytest.mark.parametrize("how", ["lost", "given back"])
async def test_work_that_its_agent_shows_is_followed_and_never_sent_again(
    database: Database, runner: CommandRunner, how: str
) -> None:
    """Rule `follow-never-send`, step by step: the executor of 0.2.0 is granted nothing, the other one follows."""
    terms = replace(runner.terms, lease_s=LEASE_S, offer_again_s=LEASE_S)
    world = World(database, CommandRunner(database, STORES, terms))
    await world.empty()
    (known, old), execution_id = world.executors, world.new_id()
    await world.create("job-6")
    await world.check()
    await world.execute("job-6", execution_id)
    await world.dispatch()
    await world.take(ExecuteRequested, 0, 10)
    held = known.held[execution_id]
    world.call(held, known)
    await world.consume(JobStatusReported, 10)
    if how == "lost":
        world.crash(known)
        await world.lease_ends(execution_id)
        await world.sweep()
    else:
        await world.give_back(known, held)
    for worker in (old, known):
        await world.wait()
        await world.dispatch()
        await world.take(ExecuteRequested, world.executors.index(worker), 10)
        await world.check()
    assert (execution_id in old.held, known.held[execution_id].about[2].follows_only) == (False, True)
    world.call(known.held[execution_id], known)
    await world.calm()
    assert len(world.agents.calls[execution_id]) == 1
    assert world.tables.jobs["job-6"].status == "COMPLETED"
