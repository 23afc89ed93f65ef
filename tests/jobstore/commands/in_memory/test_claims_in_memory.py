"""What claims are answered, without a database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock, call
from uuid import uuid4

import pytest
from support.jobstore.memory import POLICY, Life, MemoryJobstore
from support.jobstore.steps import new_job, result

from contracts.resources import NewJob
from jobstore.agents.rules import Breaker, Circuits
from jobstore.errors import RefusedError
from jobstore.executions.claims import ClaimExecution, ClaimJudging, ClaimOutcome
from jobstore.executions.commands import CancelJob, EndLease, ForgetAnswer
from jobstore.executions.requesting import ExecutionRequest
from jobstore.executions.rows import Executions, WorkerRoom, Workers
from jobstore.jobs.model import SIGNOFF, ExecutionStage, ExecutionState, TransitionKind
from jobstore.limits.rules import Starts
from signoff import jsontext
from signoff.status import Outcome, ReportKind

JUDGE = "a-model (chat, prompt 1)"
Q, D, R, G = ClaimOutcome.QUEUED, ClaimOutcome.DUPLICATE, ClaimOutcome.REFUSED, ClaimOutcome.GRANTED
INVALID = ClaimOutcome.INVALID


def offered(life: Life) -> Life:
    life.jobstore.executions[life.execution_id] = replace(life.execution, state=ExecutionState.OFFERED)
    return life


def test_a_claim_is_granted_once_and_again_to_its_owner(life: Life) -> None:
    first, again = life.requested().claim(), life.claim()
    assert (first.outcome, again.outcome) == (G, G)
    assert first.grant is not None
    assert life.claim(owner=uuid4()).outcome is D
    assert life.execution.lease == 1


def test_a_claim_admits_a_new_execution_of_a_new_job_and_grants_what_it_requested(life: Life) -> None:
    answer = life.claim(inline=new_job())
    assert answer.outcome is G
    assert answer.grant is not None
    assert f'"execution_id":"{life.execution_id}"' in answer.grant.request
    assert life.told == ["created", "requested", "claimed"]
    assert life.claim(inline=new_job(title="Another")).code == "job_conflict"
    known = Life(life.jobstore).created()
    assert known.claim().outcome is G


def test_a_claim_that_cannot_be_admitted_says_why(life: Life) -> None:
    assert life.claim().code == "unknown_job"
    assert Life(life.jobstore).claim(inline=new_job(agent_id="nobody")).code == "unknown_agent"
    waiting = Life(life.jobstore).created(agent_id=None)
    assert [waiting.claim().code for _ in range(2)] == ["illegal_transition"] * 2
    assert waiting.execution.answer == "refused:illegal_transition"
    other = Life(life.jobstore).created()
    other.execution_id = waiting.execution_id
    assert other.claim().code == "execution_conflict"


def test_a_new_job_is_matched_and_claimed_at_once_while_no_circuit_is_open(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    inline = new_job(agent_id=None, capabilities=["sing"])
    jobstore.circuits["writer"] = Breaker(failures=5, opened=1, open_until=jobstore.now + timedelta(hours=1))
    assert Life(jobstore).claim(inline=inline).outcome is G
    jobstore.circuits["able"] = jobstore.circuits["writer"]
    assert Life(jobstore).claim(inline=inline).code == "circuit_open"
    assert Life(jobstore).claim(inline=new_job()).code == "circuit_open"
    assert Life(jobstore).created().claim().code == "circuit_open"


def test_a_replay_changes_nothing(life: Life) -> None:
    assert life.claim(replay=True, inline=new_job()).outcome is R
    life.requested()
    assert life.claim(replay=True).outcome is Q
    life.claim()
    assert life.claim(replay=True).outcome is D
    life.jobstore.run(CancelJob(life.job_id, actor=SIGNOFF))
    assert life.claim(replay=True).code == "cancelled"
    assert life.told == ["created", "requested", "claimed", "cancelled"]


def test_what_is_concluded_or_judged_is_claimed_by_nobody(life: Life) -> None:
    life.judging()
    assert life.claim().outcome is D
    life.judged()
    assert (life.claim().outcome, life.claim().code) == (D, "completed")
    early = Life(life.jobstore)
    life.jobstore.run(CancelJob(None, early.execution_id, actor=SIGNOFF))
    assert early.claim(inline=new_job()).code == "cancelled"
    assert early.execution.due_at is None


@pytest.mark.parametrize(
    ("inline", "code"),
    [
        (None, "unknown_job"),
        (new_job(agent_id="nobody"), "unknown_agent"),
        (new_job(policy={"judge": "unheard-of"}), "unknown_judge_policy"),
        (new_job(policy={"criteria_set": "unheard-of"}), "unknown_criteria_set"),
    ],
)
def test_an_id_whose_record_was_wrong_is_answered_so_until_that_is_forgotten(
    life: Life, inline: NewJob | None, code: str
) -> None:
    answers = [life.claim(inline=inline) for _ in range(2)]
    life.created()  # the record lies in its topic, and is read again after an offset reset
    answers.append(life.claim())
    assert [(answer.outcome, answer.code) for answer in answers] == [(INVALID, code)] * 3
    with pytest.raises(RefusedError) as refused:
        life.execute()
    assert refused.value.code == code
    assert life.claim(replay=True).code == code
    assert life.jobstore.uow[Executions].final_answers == {}, "no fact: strangers fill nothing for ever"
    assert life.told == ["created"]
    assert life.jobstore.run(ForgetAnswer(life.execution_id, actor=SIGNOFF)) is True
    assert life.jobstore.run(ForgetAnswer(life.execution_id, actor=SIGNOFF)) is False
    assert life.claim().outcome is G


def test_of_wrong_records_so_many_are_remembered_and_cancels_beside_them() -> None:
    jobstore = MemoryJobstore(remembered_max=1)
    lives = [Life(jobstore) for _ in range(3)]
    assert [life.claim().code for life in lives] == ["unknown_job"] * 3
    assert [life.execution_id in jobstore.executions for life in lives] == [True, False, False]
    more = MemoryJobstore(remembered_max=2)
    claims = [ClaimExecution(uuid4(), "nobody's", uuid4(), 1, actor=SIGNOFF) for _ in range(3)]
    assert [answer.outcome for answer in more.carry_out(*claims)] == [INVALID] * 3
    assert [each.execution_id in more.executions for each in claims] == [True, True, False], "also in one transaction"
    jobstore.run(CancelJob(None, lives[1].execution_id, actor=SIGNOFF))
    assert lives[1].execution.is_early_cancel
    assert jobstore.run(ForgetAnswer(lives[1].execution_id, actor=SIGNOFF)) is False, "a cancel is no wrong record"
    assert lives[0].claim().outcome is INVALID


def test_only_what_a_wrong_record_was_answered_is_forgotten(life: Life) -> None:
    life.running()
    assert life.jobstore.run(ForgetAnswer(life.execution_id, actor=SIGNOFF)) is False


def test_a_claim_before_its_time_or_under_a_limit_waits(life: Life) -> None:
    later = life.jobstore.now + timedelta(hours=1)
    assert life.created().claim(not_before=later).code == "not_due"
    limited = Life(life.jobstore).requested()
    life.jobstore.limit_names.add("agent:writer")
    assert limited.claim().code == "limited"
    assert offered(limited).claim().outcome is G


def test_a_claim_without_room_is_queued_again(life: Life) -> None:
    assert offered(life.requested()).claim(room=0).code == "no_room"
    assert life.execution.state is ExecutionState.QUEUED
    assert life.claim(room=0).code == "no_room"
    batch = [Life(life.jobstore).requested() for _ in range(2)]
    claims = [ClaimExecution(each.execution_id, each.job_id, life.executor, 1, actor=SIGNOFF) for each in batch]
    assert [answer.outcome for answer in life.jobstore.carry_out(*claims)] == [G, Q]
    batch = [Life(life.jobstore).requested() for _ in range(4)]
    claims = [ClaimExecution(each.execution_id, each.job_id, life.executor, 3, actor=SIGNOFF) for each in batch]
    assert [answer.outcome for answer in life.jobstore.carry_out(*claims)] == [G, G, G, Q]


def test_the_last_fifth_of_a_worker_is_for_what_the_dispatcher_offers(life: Life) -> None:
    """Beside what is offered and not claimed yet: a record that admits an execution takes none of either."""
    claims = [
        ClaimExecution(uuid4(), f"job-{n}", life.executor, 4, capacity=10, inline=new_job(), actor=SIGNOFF)
        for n in range(4)
    ]
    assert [answer.code for answer in life.jobstore.carry_out(*claims)] == ["", "", "no_room", "no_room"]
    life.jobstore.offered = 2
    again = Life(life.jobstore).requested()
    assert [again.claim(room=room, capacity=10).code for room in (4, 5)] == ["no_room", ""]
    assert offered(Life(life.jobstore).requested()).claim(room=1, capacity=10).outcome is G


def test_a_job_over_its_budget_ends_in_place_of_a_grant(life: Life) -> None:
    life.requested(policy={"budget_usd": 1.0})
    life.jobstore.jobs[life.job_id] = replace(life.job, cost_nanos=1_000_000_000)
    assert life.claim().code == "budget_exhausted"
    judged = Life(life.jobstore).running(policy={"budget_usd": 1.0})
    judged.result()
    life.jobstore.jobs[judged.job_id] = replace(judged.job, cost_nanos=1_000_000_000)
    assert judged.claim_judging().code == "budget_exhausted"
    assert "the judge was not called" in (life.jobstore.log(judged.job_id)[-1].report.message or "")


def test_what_an_executor_cannot_call_as_it_was_frozen_waits(jobstore: MemoryJobstore) -> None:
    jobstore.register("model", protocol="openai", settings={"model": "m"})
    later, names = timedelta(seconds=jobstore.terms.offer_again_s), {"protocols": ("http", "openai")}
    life = offered(Life(jobstore).requested(agent_id="model", policy={"delivery": "at_most_once"}))
    assert (life.claim().code, life.execution.due_at) == ("protocol_not_called", jobstore.now + later)
    jobstore.now += later
    known, jobstore.agents["model"] = (
        jobstore.agents["model"],
        jobstore.agents["model"].model_copy(update={"settings": {}}),
    )
    assert (life.claim(**names).code, life.execution.state) == ("settings_unknown", ExecutionState.QUEUED)
    jobstore.now += later
    jobstore.agents["model"] = known
    assert life.claim(**names).outcome is life.claim(**names).outcome is G


def test_what_an_executor_calls_and_has_room_for_is_kept_of_its_claim(life: Life) -> None:
    life.requested().claim(room=5, capacity=8, protocols=("http", "a2a"))
    room = WorkerRoom(ExecutionStage.EXECUTING, 4, 8, protocols=("http", "a2a"))
    assert life.jobstore.uow[Workers].rooms == {life.executor: room}


@pytest.mark.parametrize("held", [{"follows_only": True}, {"agent_id": "signed"}], ids=["followed", "signed"])
def test_what_is_only_followed_or_signed_is_granted_to_those_that_know_how(
    jobstore: MemoryJobstore, held: dict[str, Any]
) -> None:
    """Rules `follow-never-send` and `never-unsigned`."""
    jobstore.register("signed", signing="env:SIGNOFF_AGENT_KEY")
    life = Life(jobstore).requested(agent_id=held.get("agent_id", "writer"), policy={"delivery": "at_most_once"})
    jobstore.executions[life.execution_id] = replace(life.execution, **held)
    assert life.claim().code == "protocol_not_called"
    jobstore.now += timedelta(seconds=jobstore.terms.offer_again_s)
    assert life.claim(protocols=("http",)).outcome is G


def test_past_its_deadline_nothing_is_granted(life: Life) -> None:
    life.requested(policy={"deadline_s": 1.0, "budget_usd": 1.0})
    life.jobstore.now += timedelta(seconds=2)
    assert (life.claim().outcome, life.claim().code) == (D, "fenced")
    life.jobstore.jobs[life.job_id] = replace(life.job, cost_nanos=1_000_000_000)
    assert (life.claim().outcome, life.claim().code) == (D, "fenced")


def test_a_circuit_opens_with_failures_and_its_probe_closes_it(life: Life) -> None:
    jobstore = life.jobstore
    for _ in range(5):
        failing = Life(jobstore).running()
        failing.report(ReportKind.FAILED, code="agent_unavailable", retryable=True)
    assert jobstore.uow[Circuits].switched
    waiting = offered(Life(jobstore).requested())
    assert waiting.claim().code == "circuit_open"
    jobstore.run(EndLease(waiting.execution_id, TransitionKind.DEADLINE, 0, actor=SIGNOFF))
    jobstore.now += timedelta(hours=1)
    assert waiting.claim().outcome is G
    assert jobstore.circuits["writer"].probe_id == waiting.execution_id
    other = offered(Life(jobstore).requested())
    assert other.claim().code == "circuit_open"
    waiting.result()
    assert other.claim().outcome is G


def test_a_result_is_recorded_and_leased_by_the_claim_of_its_judging(life: Life) -> None:
    life.running()
    answer = life.claim_judging()
    assert (answer.outcome, answer.grant) == (G, None)
    assert answer.question is not None
    assert life.claim_judging(owner=uuid4()).outcome is D
    assert life.claim_judging(value="another result").outcome is D
    life.judged()
    assert life.claim_judging().outcome is D
    unknown = result(uuid4(), life.job_id, 1)
    claim = ClaimJudging(unknown, life.validator, 1, judge=JUDGE, actor=SIGNOFF)
    assert life.jobstore.run(claim).code == "unknown_execution"


def test_a_claimed_result_is_made_a_text_once(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be large: its size, its hash and what is stored come of one text."""
    event = result(life.execution_id, life.job_id, life.running().execution.lease, "an answer")
    made = Mock(wraps=jsontext.to_json)
    monkeypatch.setattr(jsontext, "to_json", made)
    assert life.jobstore.run(ClaimJudging(event, life.validator, 1, judge=JUDGE, actor=SIGNOFF)).outcome is G
    assert made.call_args_list.count(call("an answer")) == 1


def test_a_result_under_another_jobs_name_is_judged_by_nobody(life: Life) -> None:
    life.running().result()
    other = Life(life.jobstore).created()
    event = result(life.execution_id, other.job_id, 1)
    assert life.jobstore.run(ClaimJudging(event, life.validator, 1, judge=JUDGE, actor=SIGNOFF)).outcome is D
    assert life.execution.state is ExecutionState.OFFERED


def test_a_validator_that_names_no_judge_reuses_nothing(life: Life) -> None:
    event = result(life.execution_id, life.job_id, 1)
    assert ClaimJudging(event, life.validator, 1, actor=SIGNOFF) == ClaimJudging(
        event, life.validator, 1, size=0, judge="", actor=SIGNOFF
    )


def judged_before(jobstore: MemoryJobstore, *outcomes: Outcome) -> None:
    life = Life(jobstore).running()
    assert life.claim_judging(judge=JUDGE).outcome is G
    life.judged(*outcomes, model_and_prompt=JUDGE)


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.FAIL])
def test_an_identical_result_is_given_the_verdict_that_there_is(life: Life, outcome: Outcome) -> None:
    judged_before(life.jobstore, outcome)
    answer = life.running(policy={"resubmit": "automatic"}).claim_judging(judge=JUDGE)
    assert (answer.outcome, answer.code) == (D, "verdict_reused")
    follows = ["met"] if outcome is Outcome.PASS else ["not_met", "requested"]
    assert life.told == ["created", "requested", "claimed", "result", *follows]
    assert Life(life.jobstore).running(policy={"reuse_verdict": False}).claim_judging(judge=JUDGE).outcome is G


def test_a_verdict_is_reused_by_nobody_whose_time_is_over(life: Life) -> None:
    judged_before(life.jobstore, Outcome.PASS)
    life.running(policy={"deadline_s": 5.0}).result()
    life.jobstore.now += timedelta(seconds=6)
    assert (life.claim_judging(judge=JUDGE).outcome, life.claim_judging(judge=JUDGE).code) == (D, "fenced")
    assert life.execution.stage is ExecutionStage.JUDGING


def test_a_sure_agents_result_is_reused_in_place_of_a_call(jobstore: MemoryJobstore) -> None:
    jobstore.register("sure", deterministic=True)
    jobstore.now += timedelta(seconds=1)
    first = Life(jobstore).running(agent_id="sure")
    first.result()
    again = Life(jobstore).requested(agent_id="sure")
    assert (again.claim().code, again.told[-2:]) == ("result_reused", ["claimed", "result"])
    commented = Life(jobstore).created(agent_id="sure")
    commented.execute(parameters=ExecutionRequest(comment="bluer"))
    assert commented.claim().outcome is G, "the agent is asked for something else"
    inline = Life(jobstore).claim(inline=new_job(agent_id="sure"))
    assert inline.code == "reusable", "looked up once it is stored"
    late = Life(jobstore).requested(agent_id="sure", policy={"deadline_s": 1.0})
    jobstore.now += timedelta(seconds=2)
    assert (late.claim().outcome, late.claim().code) == (D, "fenced")


def test_what_begins_is_counted_under_its_limits_while_any_has_a_rate(jobstore: MemoryJobstore) -> None:
    jobstore.register("sure", deterministic=True)
    jobstore.now += timedelta(seconds=1)
    first = Life(jobstore).running(agent_id="sure")
    first.result()
    jobstore.limit_names |= {"tenant:*", "agent:sure"}
    assert dict(jobstore.uow[Starts].begun) == {}
    jobstore.has_rates = True
    life = offered(Life(jobstore).requested())
    assert life.claim().outcome is G
    assert dict(jobstore.uow[Starts].begun) == {"tenant:default": 1}
    assert life.claim().outcome is G, "again"
    assert dict(jobstore.uow[Starts].begun) == {}
    lives = [Life(jobstore).created(agent_id="sure") for _ in range(2)]
    for each in lives:
        each.execute(parameters=ExecutionRequest(comment="bluer"))
        offered(each)
    claims = [ClaimExecution(each.execution_id, each.job_id, each.executor, 9, actor=SIGNOFF) for each in lives]
    jobstore.carry_out(*claims)
    assert dict(jobstore.uow[Starts].begun) == {"tenant:default": 2, "agent:sure": 2}
    reused = offered(Life(jobstore).requested(agent_id="sure"))
    assert reused.claim().code == "result_reused"
    assert dict(jobstore.uow[Starts].begun) == {}, "no agent is called"


def test_without_reuse_nothing_is_kept(jobstore: MemoryJobstore) -> None:
    off = replace(jobstore.terms.reuse, verdict_age_s=0.0, result_age_s=0.0)
    never = MemoryJobstore(reuse=off, policy=POLICY)
    never.register("sure", deterministic=True)
    life = Life(never).running(agent_id="sure")
    assert life.claim_judging(judge=JUDGE).outcome is G
    life.judged(model_and_prompt=JUDGE)
    assert never.reusable == {}
