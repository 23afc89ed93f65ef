"""A tenant names the judge policies that its limit allows, and has judged what its limit lets it spend."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from support.jobstore.memory import POLICY, Life, MemoryJobstore
from support.jobstore.steps import new_job

from contracts.judging.policy import JudgePolicy
from contracts.resources import AgentPatch, JobPatch, NewAgent, Usage
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.executions.claims import ClaimOutcome
from jobstore.jobs.commands import CreateJob, EditJob
from jobstore.jobs.model import SIGNOFF, ExecutionState
from jobstore.judging.judgings import QueueRejudging
from jobstore.judging.rules import Kind, NewJudging, format_body
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import JudgingKind, Outcome

CHEAP, DEAR = {"judge": "cheap"}, {"judge": "dear@1"}


@pytest.fixture
def jobstore() -> MemoryJobstore:
    jobstore = MemoryJobstore()
    for name in ("cheap", "dear"):
        jobstore.put(Kind.JUDGE, name, format_body(JudgePolicy(name=name)))
    jobstore.policies_of = {"tenant:press": ["cheap", "standard"]}
    return jobstore


def code_of(jobstore: MemoryJobstore, command: Any) -> str:
    with pytest.raises(PermanentError) as caught:
        jobstore.run(command)
    return caught.value.code


def test_a_job_of_the_tenant_names_only_what_is_allowed(jobstore: MemoryJobstore) -> None:
    made = CreateJob(new_job(tenant="press", policy=DEAR), "press:dear", actor=SIGNOFF)
    with pytest.raises(PermanentError) as caught:
        jobstore.run(made)
    assert (caught.value.code, str(caught.value)) == (
        ErrorCode.JUDGE_POLICY_FORBIDDEN,
        "tenant press may name the judge policies cheap, standard, and not dear@1: name one of these, or none",
    )
    for tenant, policy in (("press", CHEAP), ("press", {"judge": "cheap@1"}), ("press", {}), ("other", DEAR)):
        Life(jobstore).requested(tenant=tenant, policy=policy)


def test_an_edit_names_only_what_is_allowed(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).created(tenant="press", policy=CHEAP)
    edit = EditJob(life.job_id, JobPatch(policy=DEAR), actor=SIGNOFF)
    assert code_of(jobstore, edit) == ErrorCode.JUDGE_POLICY_FORBIDDEN


def test_an_agent_of_the_tenant_names_only_what_is_allowed(jobstore: MemoryJobstore) -> None:
    def agent(policy: dict[str, str]) -> NewAgent:
        return NewAgent(name="a", url="http://127.0.0.1:1/", tenant="press", policy=policy)

    dear = RegisterAgent("press:a", agent(DEAR), actor=SIGNOFF)
    assert code_of(jobstore, dear) == ErrorCode.JUDGE_POLICY_FORBIDDEN
    jobstore.register("press:b", tenant="press")
    change = UpdateAgent("press:b", AgentPatch(policy=DEAR), actor=SIGNOFF)
    assert code_of(jobstore, change) == ErrorCode.JUDGE_POLICY_FORBIDDEN


def test_a_shared_agent_brings_no_policy_that_the_tenant_may_not_name(jobstore: MemoryJobstore) -> None:
    jobstore.register("shared", policy=DEAR)
    Life(jobstore).requested(tenant="other", agent_id="shared")
    life = Life(jobstore).created(tenant="press", agent_id="shared")
    with pytest.raises(PermanentError) as caught:
        life.execute()
    assert caught.value.code == ErrorCode.JUDGE_POLICY_FORBIDDEN
    Life(jobstore).requested(tenant="press", agent_id="shared", policy=CHEAP)


def test_what_was_created_before_the_limit_is_refused_as_it_is_executed(jobstore: MemoryJobstore) -> None:
    allowed, jobstore.policies_of = jobstore.policies_of, {}
    life = Life(jobstore).created(tenant="press", policy=DEAR)
    jobstore.policies_of = allowed
    with pytest.raises(PermanentError) as caught:
        life.execute()
    assert caught.value.code == ErrorCode.JUDGE_POLICY_FORBIDDEN


def test_the_policy_of_the_services_settings_is_for_all() -> None:
    jobstore = MemoryJobstore(policy=POLICY.model_copy(update=DEAR))
    jobstore.put(Kind.JUDGE, "dear", format_body(JudgePolicy(name="dear")))
    jobstore.policies_of = {"tenant:press": ["cheap"]}
    assert Life(jobstore).requested(tenant="press").execution.policy["judge"] == "dear@1"  # type: ignore[index]


def test_results_are_judged_again_only_by_what_is_allowed(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).judging(tenant="press")
    life.judged(Outcome.PASS)

    def again(policy: str | None) -> QueueRejudging:
        body = None if policy is None else f'{{"name":"{policy}","version":1}}'
        new = NewJudging(uuid4(), JudgingKind.REJUDGE, uuid4(), 0, judge_policy=body, job_id=life.job_id)
        return QueueRejudging(replace(new, execution_id=life.execution_id), actor=SIGNOFF)

    assert code_of(jobstore, again("dear")) == ErrorCode.JUDGE_POLICY_FORBIDDEN
    jobstore.run(again("cheap"))
    jobstore.run(again(None))


def test_the_wildcard_holds_for_tenants_without_a_list_of_their_own(jobstore: MemoryJobstore) -> None:
    jobstore.policies_of |= {"tenant:*": ["dear"]}
    Life(jobstore).requested(tenant="other", policy=DEAR)
    made = CreateJob(new_job(tenant="other", policy=CHEAP), "other:cheap", actor=SIGNOFF)
    assert code_of(jobstore, made) == ErrorCode.JUDGE_POLICY_FORBIDDEN
    Life(jobstore).requested(tenant="press", policy=CHEAP)


def test_a_result_is_judged_while_its_tenant_has_something_left_of_its_day() -> None:
    """What the result itself cost counts, and a lease that is claimed again is granted."""
    jobstore = MemoryJobstore()
    jobstore.daily_limits, jobstore.left_of_day = {"tenant:press"}, {"press": 10**9}
    fits, exceeds = (Life(jobstore).running(tenant="press") for _ in range(2))
    fitting = fits.claim_judging(usage=Usage(cost_usd="0.999999999"))
    assert (fitting.outcome, fits.execution.state) == (ClaimOutcome.GRANTED, ExecutionState.LEASED)
    exceeding = exceeds.claim_judging(usage=Usage(cost_usd="1"))
    assert (exceeding.outcome, exceeding.code) == (ClaimOutcome.QUEUED, ErrorCode.LIMITED)
    assert (exceeds.execution.state, exceeds.execution.due_at) == (ExecutionState.QUEUED, jobstore.now)
    jobstore.left_of_day["press"] = 0
    assert fits.claim_judging().outcome is ClaimOutcome.GRANTED
