"""Jobs that ask for something else than they did."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from contracts.resources import JobPatch
from jobstore.executions.commands import ExecuteJob
from jobstore.executions.requesting import PLAIN_REQUEST, ExecutionRequest
from jobstore.jobs.commands import EditJob
from jobstore.jobs.model import SIGNOFF
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id
from support.jobstore.steps import Steps, verdict


async def edited(steps: Steps, version: int | None = None, **fields: Any) -> dict[str, Any]:
    view: dict[str, Any] = await steps.runner.submit.run_one(
        EditJob(steps.job_id, JobPatch(**fields), version, actor=SIGNOFF)
    )
    return view


async def edited_lives(life: Callable[[str], Steps]) -> None:
    """Edited before, between and after executions, each of which ran what was asked for then."""
    steps = life("edited, twice, and judged again")
    times = {"not_before": "2020-01-01T00:00:00+01:00"}
    await steps.created(payload={"n": [1.50]}, priority=3, labels={"a": "b"}, references={1: 'Is "blue"'}, **times)
    by_batch = ExecutionRequest(batch_id=uuid4())
    await _not_met(steps, by_batch)
    await edited(steps, title="Another", priority=9, payload={"big": 2**70}, labels={"c": 'd "e"'}, not_before=None)
    await edited(steps, references={1: "Is green"})
    steps.execution_id = new_execution_id()
    await _not_met(steps)
    assert (await steps.job()).batch_id == by_batch.batch_id, "it was executed by no other batch"
    await edited(steps, title="A third", description="d", acceptance_criteria="e", policy={"max_calls": 2})
    pending = life("pending, edited")
    await pending.created(agent_id=None)
    await edited(pending, title="Another", capabilities=["none has this"], references={1: "x"})


async def _not_met(steps: Steps, parameters: ExecutionRequest = PLAIN_REQUEST) -> None:
    await steps.runner.submit.run_one(
        ExecuteJob(steps.job_id, steps.execution_id, chosen=True, parameters=parameters, actor=SIGNOFF)
    )
    claimed = await steps.claim()
    assert claimed.execution is not None
    judged = await steps.claim_judging(claimed.execution.lease)
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
