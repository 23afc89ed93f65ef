"""By what an execution is judged: frozen at its request, granted to who judges, and checked; without a database."""

from datetime import timedelta
from typing import Any

import pytest
from support.jobstore.memory import POLICY, Life, MemoryJobstore
from support.jobstore.steps import CRITERIA, new_job, verdict

from contracts.criteria import CRITERIA_MAX
from contracts.judging.policy import JudgePolicy, LoopStep, Verdict, name_judging
from contracts.resources import JobPatch, NewAgent, Usage
from contracts.topics import measure_job
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.executions import rows
from jobstore.executions.claims import ClaimAnswer, ClaimOutcome
from jobstore.jobs.commands import EditJob
from jobstore.jobs.model import SIGNOFF
from jobstore.judging import rules
from jobstore.judging.commands import PromoteVersion, RetireName
from jobstore.judging.rules import JudgedCount, Kind, Named, format_body
from servicekit.errors import PermanentError
from signoff.status import JobStatus, Outcome, ReportKind
from signoff.types import Agent
from signoff.values import new_execution_id

JUDGE = "a-model (chat, prompt 1)"
BODY = format_body(JudgePolicy(name="strict"))
OTHER = format_body(JudgePolicy(name="strict", asks="each"))
POLITE = 'Is polite\nSays "blue"'
BOTH = {"judge": "strict", "criteria_set": "house"}
JOINED = 'Says "blue"\nIs polite'


@pytest.fixture
def jobstore() -> MemoryJobstore:
    jobstore = MemoryJobstore()
    jobstore.put(Kind.JUDGE, "strict", BODY)
    jobstore.put(Kind.CRITERIA, "house", POLITE)
    return jobstore


def code_of(jobstore: MemoryJobstore, command: Any) -> str:
    with pytest.raises(PermanentError) as caught:
        jobstore.run(command)
    return caught.value.code


def judged(*outcomes: Outcome, criteria: str = JOINED, policy: str | None = "strict@1", **fields: Any) -> Verdict:
    return verdict(*outcomes, criteria=criteria).model_copy(update={"judge": policy, **fields})


def claimed(life: Life, **fields: Any) -> ClaimAnswer:
    return life.claim_judging(judge=JUDGE, **fields)


def answered(life: Life, value: Any = "blue", **policy: Any) -> Life:
    """A life whose result waits for its judge."""
    life.running(policy=policy or BOTH).result(value=value)
    return life


def finished(life: Life, *outcomes: Outcome, **fields: Any) -> Any:
    """The verdict of a validator that names who judged as it does."""
    verdict = judged(*outcomes, **fields)
    judge = name_judging(JUDGE, (life.execution.policy or {}).get("judge"))
    return life.report(ReportKind.VERDICT, verdict=verdict, model_and_prompt=judge, usage=Usage(cost_usd=0.5))


def test_a_request_freezes_versions_and_sends_the_agent_all_criteria(life: Life) -> None:
    life.requested(policy=BOTH)
    frozen = life.execution.policy or {}
    assert (frozen["judge"], frozen["criteria_set"]) == ("strict@1", "house@1")
    request = life.jobstore.log(life.job_id)[-1].report.request or ""
    assert '"acceptance_criteria":"Says \\"blue\\"\\nIs polite"' in request
    assert life.jobstore.specs[life.job_id].acceptance_criteria == CRITERIA


def test_a_grant_says_how_much_the_policys_judge_takes_and_else_the_validators(jobstore: MemoryJobstore) -> None:
    jobstore.put(Kind.JUDGE, "short", format_body(JudgePolicy(name="short", result_max_chars=500)))
    jobstore.judged_max_chars = 90_000
    for policy, most in [({"judge": "short"}, 500), ({"judge": "strict"}, 90_000), ({}, 90_000)]:
        answer = Life(jobstore).claim(inline=new_job(policy=policy))
        assert answer.grant is not None
        assert answer.grant.judged_max_chars == most


def test_criteria_that_leave_no_room_for_a_result_are_an_obstacle(life: Life) -> None:
    room = len(CRITERIA) + 1
    for most in (room - 1, room):
        body = format_body(JudgePolicy(name="short", result_max_chars=most))
        number = life.jobstore.put(Kind.JUDGE, "short", body)
        Life(life.jobstore).created(policy={"judge": f"short@{number}"})
    with pytest.raises(PermanentError, match=f"the criteria alone have {room - 1} characters") as caught:
        Life(life.jobstore).requested(policy={"judge": "short@1"})
    assert caught.value.code == "result_too_large_to_judge"
    Life(life.jobstore).requested(policy={"judge": "short@2"})


def test_edits_never_change_what_is_under_way(life: Life) -> None:
    answered(life)
    life.jobstore.put(Kind.JUDGE, "strict", OTHER)
    life.jobstore.run(PromoteVersion(Named(Kind.JUDGE, "strict"), 2, actor=SIGNOFF))
    life.jobstore.put(Kind.CRITERIA, "house", "Is rude")
    life.jobstore.run(RetireName(Named(Kind.CRITERIA, "house"), actor=SIGNOFF))
    answer = claimed(life)
    assert answer.question is not None
    assert answer.question.acceptance_criteria == JOINED
    assert JudgePolicy.model_validate_json(answer.judge_policy).reference == "strict@1"
    assert finished(life) is None
    assert life.job.status is JobStatus.COMPLETED


def test_the_jobs_policy_goes_before_its_agents_and_that_before_the_services(life: Life) -> None:
    life.jobstore.put(Kind.JUDGE, "mild", BODY)
    own = MemoryJobstore(policy=POLICY.model_copy(update=BOTH))
    own.versions, own.names = life.jobstore.versions, life.jobstore.names
    agent: Agent = own.agents["writer"]
    own.agents["writer"] = agent.model_copy(update={"policy": agent.policy.model_copy(update={"judge": "mild"})})
    ours, theirs = Life(own).requested(), Life(own).requested(policy={"judge": "strict@1"})
    assert (ours.execution.policy or {})["judge"] == "mild@1"
    assert (ours.execution.policy or {})["criteria_set"] == "house@1"
    assert (theirs.execution.policy or {})["judge"] == "strict@1"


def test_what_validators_are_set_to_is_named_without_a_version(life: Life) -> None:
    answered(life, judge="default")
    answer = claimed(life)
    assert (answer.outcome, answer.judge_policy) == (ClaimOutcome.GRANTED, "")
    assert finished(life, criteria=CRITERIA, policy="default@4") is None
    assert life.job.status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"judge": "nobody"}, "unknown_judge_policy"),
        ({"judge": "strict@2"}, "unknown_judge_policy"),
        ({"judge": "default@1"}, "unknown_judge_policy"),
        ({"criteria_set": "strict"}, "unknown_criteria_set"),
        ({"criteria_set": "old"}, "unknown_criteria_set"),
        ({"criteria_set": "old@1"}, "unknown_criteria_set"),
    ],
)
def test_what_is_not_there_is_refused_wherever_it_is_named(life: Life, policy: dict[str, str], code: str) -> None:
    jobstore = life.jobstore
    jobstore.versions[Named(Kind.JUDGE, "default")] = {1: BODY}
    jobstore.names[Named(Kind.JUDGE, "default")] = jobstore.names[Named(Kind.JUDGE, "strict")]
    jobstore.put(Kind.CRITERIA, "old", "Is old")
    jobstore.run(RetireName(Named(Kind.CRITERIA, "old"), actor=SIGNOFF))
    with pytest.raises(PermanentError) as caught:
        life.created(policy=policy)
    assert caught.value.code == code
    known = Life(jobstore).created()
    assert code_of(jobstore, EditJob(known.job_id, JobPatch(policy=policy), actor=SIGNOFF)) == code
    new = NewAgent(name="a", url="http://127.0.0.1:1/", policy=policy)
    assert code_of(jobstore, RegisterAgent("another", new, actor=SIGNOFF)) == code
    assert code_of(jobstore, UpdateAgent("writer", new, actor=SIGNOFF)) == code
    assert Life(jobstore).claim(inline=new_job(policy=policy)).code == code


def test_what_was_there_once_is_an_obstacle_and_no_hindrance_to_other_changes(life: Life) -> None:
    life.created(policy=BOTH)
    jobstore = life.jobstore
    agent = jobstore.agents["writer"]
    new = NewAgent(**agent.model_dump(include=set(NewAgent.model_fields) - {"id"}) | {"policy": BOTH})
    jobstore.run(UpdateAgent("writer", new, actor=SIGNOFF))
    jobstore.run(RetireName(Named(Kind.JUDGE, "strict"), actor=SIGNOFF))
    with pytest.raises(PermanentError) as caught:
        life.execute()
    assert caught.value.code == "unknown_judge_policy"
    jobstore.run(EditJob(life.job_id, JobPatch(title="Another"), actor=SIGNOFF))
    jobstore.run(UpdateAgent("writer", new.model_copy(update={"name": "another"}), actor=SIGNOFF))


def test_a_job_with_a_set_may_have_no_criteria_of_its_own(life: Life) -> None:
    life.requested(acceptance_criteria="", policy={"criteria_set": "house"}).claim()
    life.result()
    answer = claimed(life)
    assert answer.question is not None
    assert answer.question.acceptance_criteria == POLITE


def test_a_job_without_any_criteria_cannot_be_made_by_an_edit(life: Life) -> None:
    life.created(acceptance_criteria="", policy={"criteria_set": "house"})
    assert code_of(life.jobstore, EditJob(life.job_id, JobPatch(policy=None), actor=SIGNOFF)) == "criteria_empty"
    both = Life(life.jobstore).created(policy={"criteria_set": "house"})
    policy = {"criteria_set": "house@1"}
    life.jobstore.run(EditJob(both.job_id, JobPatch(acceptance_criteria="", policy=policy), actor=SIGNOFF))
    assert life.jobstore.specs[both.job_id].acceptance_criteria == ""


def test_a_reference_is_for_a_criterion_that_the_job_has_itself(life: Life) -> None:
    life.created(policy={"criteria_set": "house"})
    for number, code in ((2, "reference_unknown"), (1, None)):
        edit = EditJob(life.job_id, JobPatch(references={number: "blue"}), actor=SIGNOFF)
        if code is not None:
            assert code_of(life.jobstore, edit) == code
        else:
            life.jobstore.run(edit)
    assert life.jobstore.specs[life.job_id].references == {1: "blue"}


def test_judges_see_what_the_agent_was_told_where_their_policy_says_so(life: Life) -> None:
    body = format_body(JudgePolicy(name="told", task=["title", "feedback"]))
    life.jobstore.put(Kind.JUDGE, "told", body)
    answered(life, judge="told")
    assert "feedback" not in claimed(life).task
    finished(life, Outcome.FAIL, criteria=CRITERIA, policy="told@1", submission=1, submissions=3)
    life.execution_id = new_execution_id()
    life.execute(resubmission=True)
    life.claim()
    life.result(value="red")
    assert '"feedback"' in claimed(life, value="red").task


def test_a_set_that_is_too_much_for_a_job_is_an_obstacle(life: Life) -> None:
    life.jobstore.put(Kind.CRITERIA, "many", "\n".join(f"Says {n}" for n in range(CRITERIA_MAX)))
    life.created(policy={"criteria_set": "many"})
    with pytest.raises(PermanentError) as caught:
        life.execute()
    assert caught.value.code == "criteria_too_many"
    large = MemoryJobstore(job_max_bytes=1_000)
    fields = {"payload": None, "policy": {"criteria_set": "long"}}
    room = 1_000 - measure_job(new_job(**fields), "null") - len("\n")
    large.put(Kind.CRITERIA, "long", "x" * room)
    Life(large).requested(**fields)
    large.put(Kind.CRITERIA, "long", "x" * (room + 1))
    with pytest.raises(PermanentError) as caught:
        Life(large).requested(**fields)
    assert caught.value.code == "payload_too_large"


def test_a_verdict_by_another_policy_or_criteria_is_none(life: Life) -> None:
    faults = [
        (judged(policy=None), "judge policy None"),
        (judged(policy="strict@2"), "and not by strict@1"),
        (judged(criteria=CRITERIA), "1 criteria, and the job has 2"),
    ]
    for fault, message in faults:
        wrong = answered(Life(life.jobstore))
        claimed(wrong)
        wrong.report(ReportKind.VERDICT, verdict=fault)
        assert wrong.told[-1] == "misjudged"
        assert message in (life.jobstore.log(wrong.job_id)[-1].report.message or "")
    answered(life)
    claimed(life)
    life.report(ReportKind.VERDICT, verdict=judged(submission=2))
    assert "is of submission 2" in (life.jobstore.log(life.job_id)[-1].report.message or "")


def test_where_the_tables_were_lost_a_result_waits_until_they_are_put_back(life: Life) -> None:
    jobstore = answered(life).jobstore
    kept, jobstore.versions = jobstore.versions, {}
    answer = claimed(life)
    assert (answer.outcome, answer.code) == (ClaimOutcome.QUEUED, "unknown_judge_policy")
    assert life.execution.due_at == jobstore.now + timedelta(seconds=jobstore.terms.offer_again_s)
    jobstore.versions = {named: body for named, body in kept.items() if named.kind is Kind.JUDGE}
    assert claimed(life).code == "unknown_criteria_set"
    jobstore.versions = kept
    assert claimed(life).outcome is ClaimOutcome.GRANTED
    jobstore.versions = {}
    assert finished(life) is None
    assert "not known any more" in (jobstore.log(life.job_id)[-1].report.message or "")


def test_verdicts_are_counted_for_the_versions_that_they_were_made_by(life: Life) -> None:
    judgements = [(Outcome.PASS, {}), (Outcome.FAIL, {}), (Outcome.CANNOT_ASSESS, {"judge_error": "refused"})]
    for outcome, fields in judgements:
        each = answered(Life(life.jobstore), value=f"blue {outcome}")
        claimed(each, value=f"blue {outcome}")
        finished(each, outcome, **fields)
    met, not_met, unjudged = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    references = [(Kind.JUDGE, "strict@1"), (Kind.CRITERIA, "house@1")]
    told = [JudgedCount(*by, *counts, 500_000_000, 0) for counts in (met, not_met, unjudged) for by in references]
    assert life.jobstore.judged == told
    plain = Life(life.jobstore).judging()
    plain.judged()
    assert life.jobstore.judged == told, "nothing is counted where nothing is named"


def test_a_verdict_is_reused_by_the_same_versions_alone(life: Life) -> None:
    claimed(answered(life))
    finished(life)
    again = answered(Life(life.jobstore))
    assert claimed(again).code == "verdict_reused"
    for policy in ({}, {"judge": "strict"}, {"criteria_set": "house"}):
        other = Life(life.jobstore).running(policy=policy)
        other.result()
        assert claimed(other).outcome is ClaimOutcome.GRANTED
    life.jobstore.put(Kind.CRITERIA, "house", f"{POLITE}\nIs short")
    assert claimed(answered(Life(life.jobstore))).outcome is ClaimOutcome.GRANTED


def second(jobstore: MemoryJobstore, value: str) -> Life:
    """A life whose second submission waits for its judge, with this result."""
    life = answered(Life(jobstore), value="red")
    claimed(life, value="red")
    finished(life, Outcome.FAIL, submission=1, submissions=3)
    life.execution_id = new_execution_id()
    life.execute()
    life.claim()
    life.result(value=value)
    return life


def test_a_pass_is_reused_no_later_than_at_its_own_submission(life: Life) -> None:
    jobstore = life.jobstore
    claimed(answered(life))
    finished(life, submission=1, submissions=3)
    later = second(jobstore, "blue")
    assert claimed(later).outcome is ClaimOutcome.GRANTED, "a later one needs more"
    finished(later, submission=2, submissions=3)
    fewer = answered(Life(jobstore), **BOTH, max_submissions=2)
    for again, submissions in ((second(jobstore, "blue"), 3), (answered(Life(jobstore)), 3), (fewer, 2)):
        assert claimed(again).code == "verdict_reused"
        told = Verdict.model_validate_json(jobstore.log(again.job_id)[-1].report.response or "")
        assert (told.submission, told.submissions) == (again.execution.submission, submissions)


def test_a_fail_is_reused_at_any_submission(life: Life) -> None:
    claimed(answered(life, value="green"), value="green")
    finished(life, Outcome.FAIL, submission=1, submissions=3)
    later = second(life.jobstore, "green")
    assert claimed(later, value="green").code == "verdict_reused"


def test_checks_that_look_beyond_the_result_are_given_what_they_need_and_reused_by_nobody(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rules, rows):
        monkeypatch.setattr(module, "needs_context", lambda criteria: "differs" in criteria)
    jobstore = life.jobstore
    jobstore.put(Kind.CRITERIA, "fresh", "differs")
    for _ in range(2):
        each = Life(jobstore).running(policy={"criteria_set": "fresh"}, payload={"topic": "sea"})
        each.result()
        answer = claimed(each)
        assert answer.context is not None
        assert (answer.context.payload, answer.context.previous_result_hash) == ('{"topic":"sea"}', None)
        each.report(ReportKind.VERDICT, verdict=verdict(criteria=f"{CRITERIA}\ndiffers"), model_and_prompt=JUDGE)
    failed = verdict(Outcome.FAIL, criteria=f"{CRITERIA}\ndiffers")
    first = Life(jobstore).running(policy={"criteria_set": "fresh"})
    first.result()
    claimed(first)
    first.report(ReportKind.VERDICT, verdict=failed, model_and_prompt=JUDGE)
    again = Life(jobstore, first.job_id)
    again.execute(resubmission=True)
    again.claim()
    again.result()
    context = claimed(again).context
    assert context is not None
    assert context.previous_result_hash == first.execution.result_hash is not None
    plain = answered(Life(jobstore))
    assert claimed(plain).context is None


def test_a_check_of_the_policys_loop_is_given_what_it_needs_from_its_submission_on(jobstore: MemoryJobstore) -> None:
    step = LoopStep(asks=0, from_submission=2, check="differs")
    jobstore.put(
        Kind.JUDGE, "strict", format_body(JudgePolicy(name="strict", loop=[LoopStep(check="max_words 9"), step]))
    )
    jobstore.run(PromoteVersion(Named(Kind.JUDGE, "strict"), 2, actor=SIGNOFF))
    first = answered(Life(jobstore))
    assert claimed(first).context is None
    finished(first, policy="strict@2", submission=1, submissions=3)
    later = answered(Life(jobstore), value="red")
    claimed(later, value="red")
    finished(later, Outcome.FAIL, policy="strict@2", submission=1, submissions=3)
    later.execution_id = new_execution_id()
    later.execute()
    later.claim()
    later.result(value="blue")
    context = claimed(later).context
    assert context is not None
    assert context.previous_result_hash is not None


def test_a_report_without_a_verdict_needs_no_version(life: Life) -> None:
    claimed(answered(life))
    life.jobstore.versions = {}
    assert life.report(ReportKind.MISJUDGED, code="judge_away") is None
    assert life.told[-1] == "misjudged"


def test_a_verdict_on_what_nobody_knows_is_refused_as_ever(life: Life) -> None:
    refusal = life.report(ReportKind.VERDICT, lease=1, verdict=judged())
    assert refusal.code == "unknown_execution"
