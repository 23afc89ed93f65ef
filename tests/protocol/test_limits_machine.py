"""Limits, rates and batches hold what they promise, in every order in which they are set, paused, resumed and removed.

What is promised is modelled here by itself: names as jobs have them, merged field by field, on the real tables.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import text
from support.factories import SECRETS
from support.jobstore.administered import put_agent
from support.jobstore.steps import Published, Steps, new_job, seen
from test_state_machine import EXAMPLES, SETTINGS

from contracts.resources import NewAgent, NewJob, NewLimit
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.executions.dispatcher import Dispatcher
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import BOOTSTRAP, ExecutionStage
from jobstore.limits import store as limits
from jobstore.limits.commands import PauseLimit, RemoveLimit, SetLimit
from jobstore.limits.rules import batch_limit
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.subjects import STORES
from servicekit.errors import PermanentError
from signoff.status import OperationState, ReportKind

AGENTS, TENANTS, KINDS = ("writer", "other"), ("red", "blue"), ("x", "y")
#: Of each kind one value and the wildcard: the other value has the wildcard alone.
NAMES = ("tenant:red", "tenant:*", "agent:writer", "agent:*", "label:kind=x", "label:kind=*")
JOBS = {
    f"{tenant}:{agent}-{kind}": {"tenant": tenant, "agent_id": agent, "labels": {"kind": kind}}
    for tenant in TENANTS
    for agent in AGENTS
    for kind in KINDS
}
#: In real time no start leaves such a window during a test.
PERIOD_S = 1_000_000.0
VALUES: dict[str, tuple[Any, ...]] = {
    "concurrency": (1, 2, 3, 0),
    "rate": (1, 2, 4),
    "queue_max": (2, 0),
    "weight": (2.0,),
    "paused": (True, False),
}
_READ = text("""
    SELECT e.execution_id, e.job_id, e.state, e.due_at <= signoff_now() AS is_due, ARRAY['agent:' || e.agent_id,
        'tenant:' || j.tenant, 'label:kind=' || (j.labels ->> 'kind'), 'batch:' || coalesce(e.batch_id::text, '')
    ] AS names
    FROM executions e JOIN jobs j ON j.id = e.job_id WHERE e.stage = 'EXECUTING' AND e.state <> 'DONE'
    ORDER BY e.execution_id
""")


def wildcard(name: str) -> str:
    return "label:kind=*" if name.startswith("label:") else f"{name.partition(':')[0]}:*"


class LimitsWorld:
    """What is set and asked for, and what of it begins."""

    def __init__(self, database: Database, runner: CommandRunner) -> None:
        self.database, self.runner, self.ids = database, runner, count(1)
        self.sink = Published()
        self.dispatcher = Dispatcher(database, self.sink, runner.terms, SECRETS)  # type: ignore[arg-type]
        self.batches = Batches(Callers(database), runner, OperationWorker(database, runner))
        self.limits: dict[str, dict[str, Any]] = {}
        self.started: Counter[str] = Counter()
        self.keys: dict[str, tuple[UUID, tuple[str, ...]]] = {}
        self.rows: dict[UUID, Any] = {}

    async def begin(self) -> None:
        async with self.database.transaction() as connection:
            for table in (
                "executions",
                "job_logs",
                "jobs",
                "limits",
                "starts",
                "circuits",
                "operation_items",
                "operations",
                "request_keys",
            ):
                await connection.execute(text(f"DELETE FROM {table}"))
            await put_agent(connection, "other", NewAgent(name="other", url="http://127.0.0.1:2/"), create=True)
        await seen(self.database, ExecutionStage.EXECUTING, 1_000)
        for job_id, fields in JOBS.items():
            await self.ask(CreateJob(new_job(**fields), job_id, actor=BOOTSTRAP))

    async def ask(self, command: Command[Any]) -> str:
        lane = self.runner.limit if isinstance(command, SetLimit | PauseLimit | RemoveLimit) else self.runner.submit
        try:
            await lane.run_one(command)
        except PermanentError as error:
            return error.code
        return "ok"

    def said(self, name: str, field: str) -> Any:
        """What is said of a name: by its own limit, or else by that of its wildcard."""
        own, general = (self.limits.get(each, {}).get(field) for each in (name, wildcard(name)))
        return general if own is None else own

    # What administrators set

    async def put(self, name: str, fields: dict[str, Any], command: Command[Any]) -> None:
        assert await self.ask(command) == "ok"
        if fields.get("paused") is False and (name == wildcard(name) or not self.said(wildcard(name), "paused")):
            fields["paused"] = None
        self.limits[name] = {field: value for field, value in fields.items() if value is not None}
        self.limits = {each: sets for each, sets in self.limits.items() if sets}

    async def set_limit(self, name: str, fields: dict[str, Any]) -> None:
        new = NewLimit(**fields, rate_period_s=PERIOD_S)
        kept = self.limits.get(name, {}).get("paused") if fields.get("paused") is None else fields["paused"]
        await self.put(name, {**fields, "paused": kept}, SetLimit(name, new, actor=BOOTSTRAP))

    async def pause(self, name: str, *, paused: bool) -> None:
        fields = {**self.limits.get(name, {}), "paused": paused}
        await self.put(name, fields, PauseLimit(name, paused, actor=BOOTSTRAP))

    async def remove(self, name: str) -> None:
        known = self.limits.pop(name, None)
        assert await self.ask(RemoveLimit(name, actor=BOOTSTRAP)) == ("unknown_limit" if known is None else "ok")

    # What is asked for, and by whom it is done

    async def execute(self, job_id: str) -> None:
        command = ExecuteJob(job_id, UUID(int=next(self.ids)), chosen=True, actor=BOOTSTRAP)
        tenant = f"tenant:{JOBS[job_id]['tenant']}"
        most, waiting = self.said(tenant, "queue_max"), [row for row in self.queued if tenant in row.names]
        is_live = any(row.job_id == job_id for row in self.rows.values())
        expected = "ok" if most is None or len(waiting) < most else "queue_full"
        assert await self.ask(command) in ({"execution_live", expected} if is_live else {expected})

    async def cancel(self, job_id: str) -> None:
        await self.ask(CancelJob(job_id, actor=BOOTSTRAP))

    async def dispatch(self) -> None:
        """Whatever may begin is offered: what is left waits for what the model says, too."""
        while await self.dispatcher.offer():
            pass
        await self.read()
        for row in self.queued:
            assert not row.is_due or any(self.is_used_up(name) for name in row.names), f"nothing holds back {row}"

    async def claim(self, execution_id: UUID) -> None:
        """Also by a record of an offer that was taken back."""
        before = self.rows.get(execution_id)
        if before is None:
            return
        answer = await self.steps(before).claim(room=1_000)
        if before.state == "OFFERED":
            assert answer.outcome == "GRANTED", answer
            self.started.update(name for name in before.names if self.said(name, "rate") is not None)
        elif before.state == "QUEUED" and answer.outcome == "GRANTED":
            held = {"concurrency", "rate", "paused"}
            assert not any(self.said(name, field) is not None for name in before.names for field in held), answer

    async def end(self, execution_id: UUID) -> None:
        steps = self.steps(self.rows[execution_id])
        lease = (await steps.row()).lease
        await steps.report(lease, ReportKind.FAILED, code="agent_status", retryable=False)

    def steps(self, row: Any) -> Steps:
        steps = Steps(self.database, self.runner)
        steps.job_id, steps.execution_id = row.job_id, row.execution_id
        return steps

    # Batches

    async def batch(self, key: str, job_ids: tuple[str, ...]) -> None:
        """One key is one batch, whatever is made meanwhile; and of jobs of one id the first counts."""
        new, firsts = list[NewJob](), set[str]()
        for number, job_id in enumerate(job_ids):
            fields = JOBS[":".join(job_id.split(":")[:2])] | {"title": f"number {job_ids[:number].count(job_id)}"}
            new.append(new_job(**fields, id=job_id))
        known = self.keys.get(key)
        if known is not None and known[1] != job_ids:
            with pytest.raises(PermanentError, match="that of another request"):
                await self.batches.execute([], new, None, None, key, BOOTSTRAP)
            return
        batch = (await self.batches.execute([], new, None, None, key, BOOTSTRAP)).value
        assert known in {None, (batch.id, job_ids)}
        self.keys[key] = batch.id, job_ids
        for item in await self.batches.list_items(str(batch.id), 500, -1, []):
            is_other = item.job_id in firsts
            assert (item.code == "job_conflict") is is_other, item
            firsts.add(item.job_id)

    async def move(self, batch_id: UUID, to: OperationState) -> None:
        state = (await self.batches.get_operation(str(batch_id))).state
        if state is OperationState.DONE:
            return
        await self.batches.move(str(batch_id), to, BOOTSTRAP)
        self.limits.pop(batch_limit(batch_id), None)
        if to is OperationState.PAUSED:
            self.limits[batch_limit(batch_id)] = {"paused": True}

    # What holds

    @property
    def queued(self) -> list[Any]:
        return [row for row in self.rows.values() if row.state == "QUEUED"]

    def counted(self, *states: str) -> Counter[str]:
        return Counter(name for row in self.rows.values() if row.state in states for name in row.names)

    def is_used_up(self, name: str) -> bool:
        concurrency, rate = self.said(name, "concurrency"), self.said(name, "rate")
        offered, running = self.counted("OFFERED")[name], self.counted("OFFERED", "LEASED")[name]
        return bool(
            self.said(name, "paused")
            or (concurrency is not None and running >= concurrency)
            or (rate is not None and self.started[name] + offered >= rate)
        )

    async def read(self) -> None:
        async with self.database.session() as session:
            self.rows = {row.execution_id: row for row in await session.execute(_READ)}

    async def check(self) -> None:
        await self.read()
        async with self.database.session() as session:
            rows = await limits.list_limits(session, 500)
        stored = {row.name: {f: v for f in VALUES if (v := getattr(row, f)) is not None} for row in rows}
        assert {each for each in stored if not each.startswith("batch:")} == {
            each for each in self.limits if not each.startswith("batch:")
        }
        assert all(stored[each] == sets for each, sets in self.limits.items() if each in stored)
        running = self.counted("OFFERED", "LEASED")
        for name, offered in self.counted("OFFERED").items():
            concurrency, rate = self.said(name, "concurrency"), self.said(name, "rate")
            assert not self.said(name, "paused"), f"{name} is paused"
            assert concurrency is None or running[name] <= concurrency, f"{running[name]} of {concurrency} of {name}"
            assert rate is None or self.started[name] + offered <= rate, f"{self.started[name]} and {offered} of {rate}"

    async def calm(self) -> None:
        """Without limits all begins, and ends."""
        for name in [each for each in self.limits if not each.startswith("batch:")]:
            await self.remove(name)
        for batch_id, _ in self.keys.values():
            await self.move(batch_id, OperationState.RUNNING)
        await self.dispatch()
        assert not self.queued
        for execution_id in list(self.rows):
            await self.claim(execution_id)
            await self.end(execution_id)
        await self.read()
        assert not self.rows


class Limits(RuleBasedStateMachine):
    """A few jobs under limits that change. One rule: of many, Hypothesis would switch off what a life needs."""

    loop: asyncio.AbstractEventLoop
    database: Database
    runner: CommandRunner

    @initialize()
    def begin(self) -> None:
        self.world = LimitsWorld(self.database, self.runner)
        self._run(self.world.begin())

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        world, jobs = self.world, list(JOBS)
        draw = lambda *choices: data.draw(st.sampled_from(choices))  # noqa: E731
        by_state = defaultdict(list)
        for row in world.rows.values():
            by_state[row.state].append(row.execution_id)
        batches = [batch_id for batch_id, _ in world.keys.values()]
        what = draw(
            *["execute"] * 3, *["dispatch"] * 4, *["claim"] * 4, "end", "cancel", *["limit"] * 3, "batch", "move"
        )
        if what == "execute":
            self._run(*(world.execute(job) for job in draw(jobs, jobs[:4], jobs[4:], jobs[:1])))
        elif what == "dispatch":
            self._run(world.dispatch())
        elif what == "claim" and world.rows:
            claimed = draw(by_state["OFFERED"], by_state["OFFERED"][:1], list(world.rows)[:1])
            self._run(*(world.claim(each) for each in claimed))
        elif what == "end" and by_state["LEASED"]:
            self._run(world.end(draw(*by_state["LEASED"])))
        elif what == "cancel":
            self._run(world.cancel(draw(*(row.job_id for row in world.rows.values()), jobs[0])))
        elif what == "limit":
            self._run(self._limit(draw(*NAMES), draw))
        elif what == "batch":
            made = tuple(f"{draw(*jobs[::4])}:{draw(1, 2)}" for _ in range(draw(1, 2, 3)))
            self._run(world.batch(draw("a", "b", "c"), draw(made, *(names for _, names in world.keys.values()))))
        elif what == "move" and batches:
            self._run(world.move(draw(*batches), draw(OperationState.PAUSED, OperationState.RUNNING)))

    def _limit(self, name: str, draw: Any) -> Any:
        how = draw("set", "set", "set", "pause", "resume", "resume", "remove", "remove")
        if how == "remove":
            return self.world.remove(name)
        if how != "set":
            return self.world.pause(name, paused=how == "pause")
        kinds = [
            ("concurrency",),
            ("concurrency",),
            ("rate",),
            ("rate",),
            ("concurrency", "rate"),
            ("rate", "paused"),
            (),
        ]
        kinds += [("weight",), ("queue_max",)] if name.startswith("tenant:") else []
        return self.world.set_limit(name, {field: draw(*VALUES[field]) for field in draw(*kinds)})

    def teardown(self) -> None:
        self._run(self.world.calm())

    def _run(self, *steps: Any) -> None:
        async def checked() -> None:
            for step in steps:
                await step
                await self.world.check()

        self.loop.run_until_complete(checked())


@pytest.fixture
def machine(database: Database, database_url: str, runner: CommandRunner) -> Iterator[type[Limits]]:
    """On an event loop, and so with connections, of its own."""
    del database  # it is migrated
    own = Database(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    Limits.loop, Limits.database = asyncio.new_event_loop(), own
    Limits.runner = CommandRunner(own, STORES, runner.terms)
    yield Limits
    Limits.loop.run_until_complete(own.close())
    Limits.loop.close()


@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_no_order_of_limits_breaks_what_they_promise(machine: type[Limits]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)
