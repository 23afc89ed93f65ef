"""By which policy results are judged again, for which its verdicts count, and what that may cost."""

from uuid import uuid4

import pytest
from batch_world import World
from rejudge_world import MET, Validator, made, report_on, rested

from contracts.judging.policy import JudgePolicy
from contracts.judging.verdict import Verdict
from contracts.status import JobStatus
from jobstore.commands.judging.versions import PromoteVersion, PutVersion
from jobstore.domain.judging.versions import Kind, Named, format_body


async def put(world: World) -> str:
    """A policy with one version, by its name."""
    name = f"p-{uuid4().hex[:8]}"
    body = format_body(JudgePolicy(name=name))
    await world.runner.administer.run_one(PutVersion(Named(Kind.JUDGE, name), body))
    return name


def by(policy: str) -> Verdict:
    return MET.model_copy(update={"policy": policy})


@pytest.mark.parametrize("shadow", [True, False])
async def test_each_job_is_judged_again_by_the_policy_that_it_was_judged_by(
    world: World, validator: Validator, shadow: bool
) -> None:
    strict = await put(world)
    named, plain = await rested(world, policy={"judge": strict}), await rested(world)
    newer = format_body(JudgePolicy(name=strict, asks="each"))
    await world.runner.administer.run_one(PutVersion(Named(Kind.JUDGE, strict), newer))
    await world.runner.administer.run_one(PromoteVersion(Named(Kind.JUDGE, strict), 2))
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
    counts = "SELECT name, met, cost_usd FROM judging_counts WHERE name = ANY(:names)"
    rows = await world.sql(counts, names=[strict, lenient])
    assert {row.name: (row.met, row.cost_usd) for row in rows} == {strict: (1, 0.0), lenient: (1, 0.5)}
