"""By which policy results are judged again, for which its verdicts count, and what that may cost."""

from typing import Any
from uuid import uuid4

import pytest
from batch_world import CALLER, World
from rejudge_world import MET, Validator, made, report_on, rested
from support.jobstore.steps import Steps

from contracts.judging.policy import JudgePolicy, Verdict
from contracts.resources import NewOperation
from jobstore.errors import InvalidError
from jobstore.jobs.model import SIGNOFF
from jobstore.judging.commands import PromoteVersion, PutVersion
from jobstore.judging.rules import Kind, Named, format_body
from signoff.judging import Ask, StageVerdict
from signoff.status import JobStatus
from signoff.types import read_model
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.values import SUM_NANOS_MAX
from signoff.wire import write_message

#: Of a model without a price.
ASKED = MET.model_copy(update={"stages": [StageVerdict(kind="single", outcomes="p", asks=[Ask(model="m")])]})


async def put(world: World) -> str:
    """A policy with one version, by its name."""
    name = f"p-{uuid4().hex[:8]}"
    body = format_body(JudgePolicy(name=name))
    await world.runner.administer.run_one(PutVersion(Named(Kind.JUDGE, name), body, actor=SIGNOFF))
    return name


def by(policy: str) -> Verdict:
    return MET.model_copy(update={"judge": policy})


@pytest.mark.parametrize("shadow", [True, False])
async def test_each_job_is_judged_again_by_the_policy_that_it_was_judged_by(
    world: World, validator: Validator, shadow: bool
) -> None:
    strict = await put(world)
    named, plain = await rested(world, policy={"judge": strict}), await rested(world)
    newer = format_body(JudgePolicy(name=strict, asks="each"))
    await world.runner.administer.run_one(PutVersion(Named(Kind.JUDGE, strict), newer, actor=SIGNOFF))
    await world.runner.administer.run_one(PromoteVersion(Named(Kind.JUDGE, strict), 2, actor=SIGNOFF))
    await made(world, [named, plain], shadow=shadow)
    of_named, of_plain = sorted(await validator.take(), key=lambda one: -len(one.judge_policy_json))
    assert JudgePolicy.model_validate_json(of_named.judge_policy_json).reference == f"{strict}@1"
    assert of_plain.judge_policy_json == ""
    assert await validator.say([of_named], by(f"{strict}@1")) == ["RECORDED"]
    assert await validator.say([of_plain], MET) == ["RECORDED"]


async def test_a_verdict_counts_for_the_version_that_it_was_asked_of(world: World, validator: Validator) -> None:
    strict, lenient = await put(world), await put(world)
    job = await rested(world, policy={"judge": strict})
    operation = await made(world, [job], judge=lenient)
    assert await validator.say(await validator.take(), by(f"{strict}@1")) == ["RECORDED"]
    assert (await report_on(world, operation)).failed == {"verdict_mismatch": 1}
    await made(world, [job], judge=lenient)
    assert await validator.say(await validator.take(), by(f"{lenient}@1"), cost_usd=0.5) == ["RECORDED"]
    assert (await job.job()).status == JobStatus.COMPLETED
    counts = "SELECT name, met, cost_nanos FROM judging_counts WHERE name = ANY(:names)"
    rows = await world.sql(counts, names=[strict, lenient])
    assert {row.name: (row.met, row.cost_nanos) for row in rows} == {strict: (1, 0), lenient: (1, 500_000_000)}


async def test_what_verdicts_by_a_version_cost_is_counted_to_no_more_than_a_column_holds(
    world: World, validator: Validator
) -> None:
    lenient = await put(world)
    job = await rested(world)
    for _ in range(2):
        await made(world, [job], judge=lenient)
        assert await validator.say(await validator.take(), by(f"{lenient}@1"), cost_usd=0.5) == ["RECORDED"]
        full = "UPDATE judging_counts SET cost_nanos = CAST(:most AS bigint) - 1 WHERE name = :name AND met = 1"
        await world.sql(full, most=SUM_NANOS_MAX, name=lenient)
    (row,) = await world.sql("SELECT cost_nanos FROM judging_counts WHERE name = :name", name=lenient)
    assert row.cost_nanos == SUM_NANOS_MAX


async def test_a_budget_ends_what_tells_no_cost_with_the_first_of_it(world: World, validator: Validator) -> None:
    operation = await made(world, [await rested(world) for _ in range(4)], shadow=True, budget_usd=0.6, rate_per_s=1)
    assert await validator.say(await validator.take(), ASKED, tokens=9) == ["RECORDED"]
    await world.sql("UPDATE operations SET turn_at = now()")
    await world.worked()
    ended = await world.stands(operation.id)
    assert (ended.state, ended.counts) == ("DONE", {"DONE": 1, "REFUSED": 3})
    assert (await report_on(world, operation)).failed == {"cost_unknown": 3}


async def estimated(world: World, jobs: list[Steps], **fields: Any) -> tuple[float | None, int]:
    """What judging jobs again may cost, and of how many of them that is known."""
    new = NewOperation(kind="rejudge", job_ids=[job.job_id for job in jobs], **fields)
    request = pb.PreviewOperationRequest(operation=write_message(resources_pb.NewOperation, new))
    preview = read_model(await world.doors.PreviewOperation(request, CALLER))
    return preview.cost_usd, preview.cost_of


async def test_the_estimate_is_what_judging_these_jobs_cost_last(world: World, validator: Validator) -> None:
    jobs = [await rested(world) for _ in range(2)]
    assert await estimated(world, jobs) == (None, 0)
    for job, usd in zip(jobs, (0.25, 0.75), strict=True):
        await made(world, [job])
        assert await validator.say(await validator.take(), MET, cost_usd=usd) == ["RECORDED"]
    assert await estimated(world, jobs) == (1.0, 2)
    assert await estimated(world, jobs[:1]) == (0.25, 1)


async def test_by_another_policy_it_is_what_verdicts_by_that_cost(world: World, validator: Validator) -> None:
    jobs, strict = [await rested(world) for _ in range(2)], await put(world)
    await made(world, jobs)
    assert await validator.say(await validator.take(), MET, cost_usd=9.0) == ["RECORDED"] * 2
    assert await estimated(world, jobs, judge=strict) == (None, 0)
    await made(world, jobs[:1], judge=strict)
    assert await validator.say(await validator.take(), by(f"{strict}@1"), cost_usd=0.5) == ["RECORDED"]
    for reference in (strict, f"{strict}@1"):
        assert await estimated(world, jobs, judge=reference) == (1.0, 2)
    with pytest.raises(InvalidError, match="put it first"):
        await estimated(world, jobs, judge="nobody-put-it")
