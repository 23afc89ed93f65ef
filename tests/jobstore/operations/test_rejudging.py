"""Results that were judged are judged again by an operation: as a shadow, which changes nothing, or for real."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from batch_world import NOBODY, World, asked, judged
from pydantic import ValidationError
from rejudge_world import MET, NOT_MET, Validator, made, report_on, rested
from support.factories import SECRETS
from support.jobstore.edited import edited
from support.jobstore.steps import CRITERIA, unproven, verdict

from contracts.judging.policy import JudgePolicy
from contracts.resources import NewOperation
from contracts.signing import KeyUse
from jobstore.api import judging_service
from jobstore.api.judging_service import JudgingService
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.judging import store as judgings
from jobstore.judging.commands import PutVersion
from jobstore.judging.judgings import GRANTS_MAX
from jobstore.judging.queue import JudgingQueue
from jobstore.judging.rules import Kind, Named, format_body
from jobstore.operations.kinds import AHEAD_MAX, AHEAD_UNKNOWN_MAX, COST_UNKNOWN, OVER_BUDGET, Spent, find_affordable
from signoff.status import JobStatus, Outcome
from signoff.types import read_model
from signoff.v1 import judging_service_pb2 as judging_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.wire import write_message
from signoff.worker.v1 import work_service_pb2 as pb

OTHER = 'Says "sky"'


async def test_a_shadow_changes_nothing_and_tells_what_would(world: World, validator: Validator) -> None:
    kept, flips = await rested(world), await rested(world, Outcome.FAIL, policy={"max_submissions": 1})
    before = [await kept.logs(), await flips.logs()]
    operation = await made(world, [kept, flips], shadow=True)
    assert (await world.stands(operation.id)).counts == {"WAITING": 2}

    taken = await validator.take()
    assert {(one.acceptance_criteria, one.result_json, one.submission) for one in taken} == {(CRITERIA, '"blue"', 1)}
    assert await validator.take() == []
    assert await validator.say(taken, MET, cost_usd=0.25, tokens=7) == ["RECORDED"] * 2
    assert await validator.say(taken, MET) == ["LOST"] * 2, "an outcome counts once"
    await world.worked()

    assert [await kept.logs(), await flips.logs()] == before
    ended = await world.stands(operation.id)
    assert (ended.state, ended.counts, ended.shadow) == ("DONE", {"DONE": 2}, True)
    report = await report_on(world, operation)
    assert (report.judged, report.judged_before, report.accepted_before, report.accepted_after) == (2, 2, 1, 2)
    assert (report.flipped, report.cost_usd, report.tokens) == (1, 0.5, 14)
    assert report.criteria[0].outcomes == {"fail > pass": 1, "pass > pass": 1}
    (flip,) = report.flips
    assert (flip.job_id, flip.was_valid, flip.is_valid) == (flips.job_id, False, True)
    assert [(one.before, one.after) for one in flip.criteria] == [("fail", "pass")]


async def test_a_real_one_rejects_what_was_accepted_and_accepts_it_again(world: World, validator: Validator) -> None:
    job = await rested(world, policy={"max_submissions": 1})
    first = await job.job()
    await made(world, [job])
    assert await validator.say(await validator.take(), NOT_MET, cost_usd=0.5) == ["RECORDED"]

    rejected = await job.job()
    assert (rejected.status, rejected.code, rejected.live, rejected.not_met) == ("REJECTED", "rejudged", False, 1)
    assert (rejected.execution_id, rejected.duration_s) == (first.execution_id, first.duration_s)
    assert (rejected.not_met_criteria, rejected.cost_nanos) == ([CRITERIA], 500_000_000)
    begun, ended = (await job.logs())[-2:]
    assert (begun.kind, begun.status, begun.code) == ("rejudged", "IN_PROGRESS", "rejudged")
    assert (ended.kind, ended.status, ended.code, ended.submission) == ("not_met", "REJECTED", "rejudged", 1)
    assert ended.response_payload["result"] == "blue"
    assert not ended.response_payload["verdict"]["is_valid"]

    await made(world, [job])
    assert await validator.say(await validator.take(), MET) == ["RECORDED"]
    accepted = await job.job()
    assert (accepted.status, accepted.code, accepted.not_met, accepted.not_met_criteria) == ("COMPLETED", None, 0, None)
    assert (await job.row()).state == "DONE"
    assert (await world.sql("SELECT count(*) AS n FROM executions WHERE job_id = :id", id=job.job_id))[0].n == 1


async def test_what_is_unproven_goes_on_once_it_is_judged_again(world: World, validator: Validator) -> None:
    automatic = {"policy": {"resubmit": "automatic", "max_submissions": 2}}
    jobs = [await rested(world, unproven(), **automatic) for _ in range(3)]
    operations = [await made(world, [job]) for job in jobs]
    taken = {operation.id: one for operation, one in zip(operations, await validator.take(), strict=True)}
    for operation, said in zip(operations, (MET, NOT_MET, unproven()), strict=True):
        assert await validator.say([taken[operation.id]], said, cost_usd=0.5) == ["RECORDED"]
    await world.worked()

    met, not_met, left = [await job.job() for job in jobs]
    assert (met.status, met.code) == ("COMPLETED", None)
    assert (not_met.status, not_met.live, not_met.not_met) == ("ASSIGNED", True, 1)
    assert [row.kind for row in (await jobs[1].logs())[-3:]] == ["rejudged", "not_met", "requested"]
    assert (left.status, left.code, left.cost_nanos) == ("FAILED", "verdict_unproven", 0)
    assert [row.kind for row in (await jobs[2].logs())][-1] == "failed"
    assert [(await world.stands(each.id)).counts for each in operations] == [{"DONE": 1}, {"DONE": 1}, {"REFUSED": 1}]
    assert (await report_on(world, operations[2])).failed == {"verdict_unproven": 1}
    report = await report_on(world, operations[0])
    assert (report.accepted_before, report.accepted_after, report.flipped) == (0, 1, 1)


async def test_a_batch_that_is_done_stays_as_it_is_whatever_is_judged_again(world: World, validator: Validator) -> None:
    jobs = await world.jobs(3, policy={"resubmit": "automatic", "max_submissions": 2})
    batch = await world.executed(jobs)
    for job, said in zip(jobs, (Outcome.PASS, unproven(), unproven()), strict=True):
        await judged(job, said)
    await world.worked()
    done = await world.stands(batch.id)
    assert (done.state, done.counts) == ("DONE", {"COMPLETED": 1, "FAILED": 2})
    await made(world, jobs)
    first, *others = await validator.take()
    await validator.say([first], NOT_MET)
    for one, said in zip(others, (MET, NOT_MET), strict=True):
        await validator.say([one], said)
    assert {(await job.job()).status for job in jobs} == {"RESUBMISSION_REQUIRED", "COMPLETED", "ASSIGNED"}
    assert (await world.stands(batch.id)) == done


async def test_criteria_of_one_text_are_told_apart(world: World, validator: Validator) -> None:
    criteria = "Aaa\nnever: Aaa\noptional: Aaa"
    passes, fails = Outcome.PASS, Outcome.FAIL
    job = await rested(world, verdict(passes, fails, fails, criteria=criteria), acceptance_criteria=criteria)
    operation = await made(world, [job])
    assert await validator.say(await validator.take(), verdict(passes, passes, fails, criteria=criteria)) == [
        "RECORDED"
    ]
    report = await report_on(world, operation)
    told = {one.text: one.outcomes for one in report.criteria}
    assert told == {"Aaa": {"pass > pass": 1}, "never: Aaa": {"fail > pass": 1}, "optional: Aaa": {"fail > fail": 1}}
    assert [one.text for one in report.flips[0].criteria] == ["never: Aaa"]


async def test_the_payload_is_the_one_that_the_agent_was_sent(world: World, validator: Validator) -> None:
    criteria = "check: cel result == payload.n"
    job = await rested(
        world, verdict(Outcome.FAIL, criteria=criteria), acceptance_criteria=criteria, payload={"n": "\0blue"}
    )
    await edited(job, payload={"n": "red"})
    await made(world, [job])
    (taken,) = await validator.take()
    assert taken.payload_json == '{"n":"\\u0000blue"}'


async def test_the_task_is_that_which_was_frozen_and_references_are_those_of_the_jobs_criteria(
    world: World, validator: Validator
) -> None:
    job = await rested(
        world, Outcome.FAIL, title="Then", payload=[1], references={1: "sky"}, policy={"max_submissions": 1}
    )
    await edited(job, title="Now", payload=[2], references={1: "sea"})
    await made(world, [job], shadow=True)
    (taken,) = await validator.take()
    assert (json.loads(taken.task_json), dict(taken.references)) == ({"title": "Then", "payload": [1]}, {1: "sea"})
    await made(world, [job], shadow=True, criteria=OTHER)
    (other,) = await validator.take()
    assert dict(other.references) == {}, "their numbers are of the job's own criteria"


async def test_a_case_has_a_task_and_references_of_its_own(world: World, validator: Validator) -> None:
    service = JudgingService(Callers(world.database), world.runner, JudgingQueue(world.database, world.runner))
    case = judging_pb.JudgingCase(
        result_json="1",
        acceptance_criteria=CRITERIA,
        title="T",
        description="D",
        payload_json='{"a": 1.0}',
        references={1: "blue"},
    )
    await service.CreateJudgings(judging_pb.CreateJudgingsRequest(kind="JUDGING_KIND_TRY", cases=[case]), NOBODY)
    (taken,) = await validator.take()
    assert taken.task_json == '{"title":"T","description":"D","payload":{"a":1.0}}'
    assert dict(taken.references) == {1: "blue"}
    case.references[2] = "x"
    with pytest.raises(ValidationError, match="criterion 2"):
        await service.CreateJudgings(judging_pb.CreateJudgingsRequest(kind="JUDGING_KIND_TRY", cases=[case]), NOBODY)


async def test_the_jobs_budget_bounds_a_real_one(world: World, validator: Validator) -> None:
    policy = {"budget_usd": 2.0, "budget_tokens": 100}
    job = await rested(world, Outcome.FAIL, policy=policy)
    await made(world, [job])
    await validator.say(await validator.take(), NOT_MET, cost_usd=0.5, tokens=30)
    await made(world, [job])
    (taken,) = await validator.take()
    assert (taken.budget_usd, taken.budget_left_usd) == ("2", "1.5")
    assert (taken.budget_tokens, taken.budget_left_tokens) == (100, 70)
    await validator.say([taken], NOT_MET)
    await edited(job, policy={"budget_usd": 3.0})
    await made(world, [job])
    (taken,) = await validator.take()
    assert (taken.budget_usd, taken.budget_left_usd) == ("3", "2.5")
    await validator.say([taken], NOT_MET)
    await made(world, [job], shadow=True)
    (taken,) = await validator.take()
    assert not taken.HasField("budget_usd"), "a shadow costs the job nothing"


async def test_what_a_judging_had_cost_is_told_once_though_it_was_cancelled(world: World, validator: Validator) -> None:
    operation = await made(world, [await rested(world)])
    taken = await validator.take()
    cancel = asked(operations_pb.CancelOperationRequest, operation.id)
    await world.doors.CancelOperation(cancel, NOBODY)
    outcome = pb.JudgingOutcome(lease=validator.prove(taken[0].lease), code="cancelled", cost_usd="0.5", tokens=7)
    assert [await validator.finish(outcomes=[outcome]) for _ in range(2)] == [["LOST"], ["LOST"]]
    report = await report_on(world, operation)
    assert (report.failed, report.cost_usd, report.tokens) == ({"cancelled": 1}, 0.5, 7)


async def test_what_is_live_or_has_moved_on_is_refused(world: World, validator: Validator) -> None:
    live, moved, (never,) = await rested(world, Outcome.FAIL), await rested(world, Outcome.FAIL), await world.jobs(1)
    operation = await made(world, [live, moved, never])
    for job in (live, moved):
        job.execution_id = uuid4()
        request = ExecuteJob(job.job_id, job.execution_id, chosen=True, resubmission=True, actor=SIGNOFF)
        await world.runner.submit.run_one(request)
    await judged(moved, Outcome.FAIL)
    assert await validator.say(await validator.take(), MET) == ["RECORDED"] * 2
    await world.worked()
    rows = await world.sql("SELECT job_id, code FROM judgings")
    assert {row.job_id: row.code for row in rows} == {live.job_id: "execution_live", moved.job_id: "moved_on"}
    assert (await report_on(world, operation)).failed == {"execution_live": 1, "moved_on": 1, "nothing_to_judge": 1}
    again = await made(world, [live])
    assert (await report_on(world, again)).failed == {"execution_live": 1}
    assert [(await job.job()).status for job in (live, moved)] == [JobStatus.ASSIGNED, JobStatus.RESUBMISSION_REQUIRED]


async def test_a_verdict_on_other_criteria_than_the_jobs_is_not_recorded(world: World, validator: Validator) -> None:
    job = await rested(world)
    await made(world, [job])
    await validator.say(await validator.take(), verdict(Outcome.FAIL, criteria=OTHER))
    assert (await job.job()).status == JobStatus.COMPLETED
    (row,) = await world.sql("SELECT code FROM judgings")
    assert row.code == "verdict_mismatch"
    with pytest.raises(ValidationError, match="other criteria need shadow"):
        NewOperation(kind="rejudge", job_ids=[job.job_id], criteria=OTHER)


async def test_a_shadow_may_judge_by_other_criteria(world: World, validator: Validator) -> None:
    job = await rested(world)
    operation = await made(world, [job], shadow=True, criteria=OTHER)
    taken = await validator.take()
    assert [one.acceptance_criteria for one in taken] == [OTHER]
    await validator.say(taken, verdict(Outcome.FAIL, criteria=OTHER))
    report = await report_on(world, operation)
    assert (report.flipped, report.criteria) == (1, []), "no criterion has both verdicts"


async def test_the_payload_is_granted_only_where_a_check_looks_at_it(world: World, validator: Validator) -> None:
    name = f"p-{uuid4().hex[:8]}"
    loop = [{"asks": 0, "from_submission": 2, "check": "cel result.n > payload.n"}]
    policy = JudgePolicy.model_validate({"name": name, "loop": loop})
    await world.runner.administer.run_one(PutVersion(Named(Kind.JUDGE, name), format_body(policy), actor=SIGNOFF))
    job = await rested(world, payload={"n": 1})
    told = {}
    for criteria, judge in (
        ("check: max_words 200", None),
        ("Says check: this", None),
        ("check: cel result.n > payload.n", None),
        (CRITERIA, name),
    ):
        await made(world, [job], shadow=True, criteria=criteria, judge=judge)
        (one,) = await validator.take()
        told[criteria] = one.payload_json if one.HasField("payload_json") else None
        await validator.say([one], MET)
    assert told == {
        "check: max_words 200": None,
        "Says check: this": None,
        "check: cel result.n > payload.n": '{"n":1}',
        CRITERIA: None,  # its check is one of later submissions
    }
    await world.sql("UPDATE executions SET submission = 2 WHERE job_id = :id", id=job.job_id)
    await made(world, [job], shadow=True, judge=name)
    (one,) = await validator.take()
    assert one.payload_json == '{"n":1}'


async def test_a_strangers_lease_answers_nothing(world: World, validator: Validator) -> None:
    job = await rested(world)
    await made(world, [job])
    (taken,) = await validator.take()
    stranger = Validator(world)
    guessed = SECRETS.make_key(KeyUse.JUDGING, UUID(taken.lease.execution_id), taken.lease.lease)
    forged = pb.LeaseKey(
        execution_id=taken.lease.execution_id, lease=guessed.lease, secret_id=guessed.secret_id, key=guessed.key
    )
    said = {"verdict_json": NOT_MET.model_dump_json()}
    for lease in (
        stranger.prove(forged),
        validator.prove(taken.lease),
        pb.Lease(execution_id=taken.lease.execution_id, lease=1, proof=""),
    ):
        outcome = pb.JudgingOutcome(lease=lease, **said)
        assert await stranger.finish(outcomes=[outcome], held=[lease], given_back=[lease]) == ["LOST", "LOST"]
    assert (await job.job()).status == JobStatus.COMPLETED
    assert await validator.finish(held=[validator.prove(taken.lease)]) == ["KEEP"]


async def test_one_that_every_validator_is_lost_with_ends(world: World, validator: Validator) -> None:
    operation = await made(world, [await rested(world)], shadow=True)
    for lease in range(1, GRANTS_MAX + 1):
        ((taken,), row) = await validator.take(), (await world.sql("SELECT state, lease, due_at FROM judgings"))[0]
        assert (taken.lease.lease, row.state, row.lease) == (lease, "LEASED", lease)
        await validator.queue.look()
        assert await validator.take() == [], "it has not lapsed yet"
        await world.sql("UPDATE judgings SET due_at = now() - interval '1 second'")
        await validator.queue.look()
    assert await validator.take() == []
    assert await validator.say([taken], MET) == ["LOST"]
    (row,) = await world.sql("SELECT state, code, cost_nanos, answered_at FROM judgings")
    assert (row.state, row.code, row.cost_nanos, row.answered_at is None) == ("DONE", "judging_lost", None, False)
    await world.worked()
    assert (await world.stands(operation.id)).state == "DONE"


async def test_what_a_lost_validator_held_is_taken_by_another_and_counts_once(
    world: World, validator: Validator
) -> None:
    job = await rested(world)
    await made(world, [job], shadow=True)
    lost = await validator.take()
    await world.sql("UPDATE judgings SET due_at = now() - interval '1 second'")
    validator.leases_may_end = False
    await validator.queue.look()
    assert validator.queue.waiting == 0, "after a gap nothing lapses for one lease length"
    validator.leases_may_end = True
    await validator.queue.look()
    assert (validator.queue.waiting, validator.queue.has_open) == (1, True)
    other = Validator(world)
    taken = await other.take()
    assert [(one.lease.execution_id, one.lease.lease) for one in taken] == [(lost[0].lease.execution_id, 2)]
    assert await validator.say(lost, MET) == ["LOST"]
    assert await other.finish(given_back=[other.prove(taken[0].lease)]) == []
    (third,) = await validator.take()
    assert third.lease.lease == 4, "the number of a lease that was given back is spent"
    assert await validator.say([third], MET) == ["RECORDED"]
    await validator.queue.look()
    assert not validator.queue.has_open


async def test_nothing_of_a_paused_operation_begins_and_an_aborted_one_ends_at_once(
    world: World, validator: Validator
) -> None:
    jobs = [await rested(world) for _ in range(3)]
    operation = await made(world, jobs, shadow=True)
    (first,) = await validator.take(1)
    await world.doors.PauseOperation(asked(operations_pb.PauseOperationRequest, operation.id), NOBODY)
    assert await validator.take() == []
    await validator.queue.look()
    assert validator.queue.waiting == 0
    await world.doors.ResumeOperation(asked(operations_pb.ResumeOperationRequest, operation.id), NOBODY)
    (second,) = await validator.take(1)
    assert await validator.say([second], MET) == ["RECORDED"]
    answer = await world.doors.CancelOperation(asked(operations_pb.CancelOperationRequest, operation.id), NOBODY)
    ended = read_model(answer.operation)
    assert (ended.state, ended.counts) == ("CANCELLED", {"CANCELLED": 2, "DONE": 1})
    assert await validator.take() == []
    assert await validator.finish(held=[validator.prove(first.lease)]) == ["LOST"]
    assert await validator.say([first], MET) == ["LOST"]
    await world.worked()
    ended = await world.stands(operation.id)
    assert (ended.state, ended.counts) == ("CANCELLED", {"CANCELLED": 2, "DONE": 1})


async def test_validators_are_told_at_once_that_some_wait(world: World, validator: Validator) -> None:
    told = validator.service.WatchWaitingJudgings(pb.WatchWaitingJudgingsRequest(), NOBODY)
    assert (await anext(told)).judgings_waiting == 0
    await made(world, [await rested(world), await rested(world)], shadow=True)
    await validator.queue.look()
    assert (await anext(told)).judgings_waiting == 2
    nothing_new = asyncio.ensure_future(anext(told))
    await validator.say(await validator.take(), MET)
    await validator.queue.look()
    await asyncio.sleep(0)
    assert not nothing_new.done(), "nobody is woken for nothing"
    nothing_new.cancel()


async def test_one_that_is_aborted_while_it_is_queued_has_ended_with_that_answer(
    world: World, validator: Validator
) -> None:
    jobs = [await rested(world) for _ in range(5)]
    operation = await made(world, jobs, shadow=True, works=False)
    await world.operator.work()  # two are queued
    assert await validator.say(await validator.take(1), MET) == ["RECORDED"]
    cancel = asked(operations_pb.CancelOperationRequest, operation.id)
    for _ in range(2):
        ended = read_model((await world.doors.CancelOperation(cancel, NOBODY)).operation)
        assert (ended.state, ended.total, ended.counts) == ("CANCELLED", 5, {"CANCELLED": 4, "DONE": 1})
        assert ended.finished_at is not None
    report = await report_on(world, operation)
    assert (report.judged, report.failed) == (1, {"cancelled": 4})
    assert not await world.operator.work(), "nothing is left to be done"
    assert await world.sql("SELECT 1 FROM limits") == []


async def test_money_and_rate_are_limited(world: World, validator: Validator) -> None:
    jobs = [await rested(world) for _ in range(4)]
    operation = await made(world, jobs, shadow=True, budget_usd=0.6, rate_per_s=1)
    assert (await world.sql("SELECT count(*) AS n FROM judgings"))[0].n == 1, "one a second"
    await validator.say(await validator.take(), MET, cost_usd=0.3)

    async def on() -> None:
        await world.sql("UPDATE operations SET turn_at = now()")
        await world.worked()

    await on()
    await validator.say(await validator.take(), MET, cost_usd=0.3)
    await on()
    ended = await world.stands(operation.id)
    assert (ended.state, ended.counts) == ("DONE", {"DONE": 2, "REFUSED": 2})
    assert (await report_on(world, operation)).failed == {"budget_exhausted": 2}


async def test_judgings_without_a_job_are_queued_once_a_key_taken_first_and_kept_for_a_day(
    world: World, validator: Validator
) -> None:
    service = JudgingService(Callers(world.database), world.runner, JudgingQueue(world.database, world.runner))
    job = await rested(world)
    await made(world, [job], shadow=True)
    cases = [
        judging_pb.JudgingCase(result_json='{"n":[1,null]}', acceptance_criteria="A\nB", submission=2, submissions=3)
    ]
    request = judging_pb.CreateJudgingsRequest(kind="JUDGING_KIND_TRY", cases=cases, idempotency_key=uuid4().hex)
    group_id = (await service.CreateJudgings(request, NOBODY)).id
    assert (await service.CreateJudgings(request, NOBODY)).id == group_id

    (taken,) = await validator.take(1)
    assert (taken.judging_kind, taken.result_json, taken.submission) == ("try", '{"n":[1,null]}', 2)
    outcome = pb.JudgingOutcome(lease=validator.prove(taken.lease), code="judge_timeout", message="too\0 late")
    assert await validator.finish(outcomes=[outcome]) == ["RECORDED"]
    found = await service.GetJudgings(judging_pb.GetJudgingsRequest(judgings_id=group_id), NOBODY)
    (judging,) = map(read_model, found.judgings)
    assert (judging.state, judging.code, judging.message, judging.verdict) == (
        "DONE",
        "judge_timeout",
        "too late",
        None,
    )
    watched = service.WatchJudgings(judging_pb.WatchJudgingsRequest(judgings_id=group_id), NOBODY)
    assert [(one.answered, one.total) async for one in watched] == [(1, 1)]

    await world.sql("UPDATE judgings SET created_at = now() - interval '25 hours'")
    async with world.database.session() as session:
        assert await judgings.forget(session) == 1
    with pytest.raises(NotFoundError):
        await service.GetJudgings(judging_pb.GetJudgingsRequest(judgings_id=group_id), NOBODY)
    assert (await world.sql("SELECT kind FROM judgings"))[0].kind == "shadow", "an operation's are kept with it"


async def test_whoever_watches_judgings_is_told_as_soon_as_they_are_answered(
    world: World, validator: Validator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging_service, "WATCH_MIN_S", 60.0)
    service = JudgingService(Callers(world.database), world.runner, validator.queue)
    cases = [judging_pb.JudgingCase(result_json='"blue"', acceptance_criteria="Is blue")]
    request = judging_pb.CreateJudgingsRequest(kind="JUDGING_KIND_TRY", cases=cases)
    group_id = (await service.CreateJudgings(request, NOBODY)).id
    watched = service.WatchJudgings(judging_pb.WatchJudgingsRequest(judgings_id=group_id), NOBODY)
    assert (await anext(watched)).answered == 0
    (taken,) = await validator.take(1)
    told = asyncio.create_task(anext(watched))
    await asyncio.sleep(0)
    await validator.finish(outcomes=[pb.JudgingOutcome(lease=validator.prove(taken.lease), code="judge_timeout")])
    validator.queue.note_answers()
    async with asyncio.timeout(10):
        assert (await told).answered == 1


async def test_a_verdict_that_cannot_be_stored_is_a_failure(world: World, validator: Validator) -> None:
    await made(world, [await rested(world), await rested(world)], shadow=True)
    one, other = await validator.take()
    nul = MET.model_copy(update={"reason": "nul \0"}).model_dump_json()
    outcomes = [
        pb.JudgingOutcome(lease=validator.prove(one.lease), verdict_json=nul),
        pb.JudgingOutcome(lease=validator.prove(other.lease), verdict_json="{}"),
    ]
    assert await validator.finish(outcomes=outcomes) == ["RECORDED"] * 2
    assert {row.code for row in await world.sql("SELECT code FROM judgings")} == {"verdict_mismatch"}


async def test_one_that_names_what_is_not_there_is_refused(world: World) -> None:
    for name in ("judge", "criteria_set"):
        unknown = NewOperation(kind="rejudge", job_ids=["any"], shadow=True, **{name: "nobody-put-it"})
        request = operations_pb.CreateOperationRequest(operation=write_message(resources_pb.NewOperation, unknown))
        with pytest.raises(InvalidError, match="put it first"):
            await world.doors.CreateOperation(request, NOBODY)
    new = NewOperation(kind="rejudge", filter={"tenant": uuid4().hex}, shadow=True)
    request = operations_pb.CreateOperationRequest(operation=write_message(resources_pb.NewOperation, new))
    with pytest.raises(RefusedError, match="no job matches"):
        await world.doors.CreateOperation(request, NOBODY)


@pytest.mark.parametrize(
    ("spent", "room"),
    [
        (Spent(), AHEAD_UNKNOWN_MAX),
        (Spent(under_way=4), AHEAD_UNKNOWN_MAX - 4),
        (Spent(nanos=2_000_000_000, priced=4), 16),
        (Spent(nanos=2_000_000_000, priced=4, under_way=10), 6),
        (Spent(nanos=2_000_000_000, priced=4, unpriced=4), 12),  # which may have cost as much as the others
        (Spent(nanos=10_000_000_000, priced=4), 0),
        (Spent(nanos=1_000_000, priced=1_000), AHEAD_MAX),
        (Spent(priced=7), AHEAD_MAX),  # nobody was asked, as checks decided
        (Spent(priced=7, unpriced=1), 0),
    ],
)
def test_what_ten_dollars_allow(spent: Spent, room: int) -> None:
    assert find_affordable(10_000_000_000, spent) == room


def test_nothing_more_begins_once_they_are_spent_or_nobody_tells_what_one_costs() -> None:
    assert Spent(nanos=10_000_000_000, priced=1).code == OVER_BUDGET
    assert Spent(priced=3, unpriced=1).code == COST_UNKNOWN
    assert Spent(nanos=10_000_000_000, priced=3, unpriced=1).code == OVER_BUDGET
