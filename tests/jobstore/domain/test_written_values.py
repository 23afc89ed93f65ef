"""Values that others rely on, written out: fields that a step changes, texts that are sent and stored, defaults."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from support.jobstore.builders import (
    EXECUTION_ID,
    NOW,
    OWNER,
    TIMES,
    awaiting_judge,
    job,
    judging,
    offered,
    queued,
    report,
    running,
)
from support.jobstore.steps import reported

from contracts.judging.policy import Verdict
from contracts.resources import Policy, Usage
from contracts.spending import Budget
from jobstore.agents.rules import Breaker
from jobstore.executions import states
from jobstore.jobs.model import (
    BreakerTerms,
    Execution,
    ExecutionStage,
    ExecutionState,
    ExecutionTerms,
    IdKey,
    Report,
    ReuseTerms,
    Spec,
    TransitionKind,
    budget_of,
    format_edit,
    format_feedback,
    format_request_body,
    format_response,
    has_answered,
    with_cost,
)
from jobstore.jobs.transitions import describe_timeout, is_claimable, is_current
from jobstore.limits import rules
from signoff.judging import CriterionVerdict
from signoff.status import Outcome, ReportKind

SOON, LATE = NOW + timedelta(seconds=3), NOW + timedelta(seconds=60)
LEASED, QUEUED, OFFERED, DONE = (
    ExecutionState.LEASED,
    ExecutionState.QUEUED,
    ExecutionState.OFFERED,
    ExecutionState.DONE,
)
SPEC = Spec(
    title="A title", description="So", acceptance_criteria="Is", payload='{"n": 1}', priority=5, tenant="default",
    labels={}, policy=Policy(), capabilities=[], not_before=None, spec_hash=b"", created_at=NOW, updated_at=NOW,
)  # fmt: skip


def test_a_step_changes_these_fields_and_no_others() -> None:
    steps = [
        (
            states.renew(queued(attempt=1, lease=1, spent=2, deadline_at=SOON, fails_at=NOW), OWNER, TIMES),
            queued(
                attempt=1, lease=1, spent=1, deadline_at=SOON, fails_at=SOON, state=LEASED, owner=OWNER, due_at=SOON
            ),
        ),
        (
            states.renew(running(spent=2, due_at=NOW), OWNER, TIMES),
            running(spent=2, due_at=NOW + timedelta(seconds=10)),
        ),
        (
            states.renew(awaiting_judge(validators_lost=2, fails_at=SOON), OWNER, TIMES),
            judging(lease=1, validators_lost=1, fails_at=SOON),
        ),
        (
            states.offer(queued(offers=12, deadline_at=LATE), NOW, again_s=1.0, again_max_s=1e6),
            offered(offers=13, deadline_at=LATE, due_at=LATE),
        ),
        (
            states.offer(queued(offers=12), NOW, again_s=1.0, again_max_s=1e6),
            offered(offers=13, due_at=NOW + timedelta(seconds=1024)),
        ),
        (
            states.offer_at_once(offered(offers=4, deadline_at=SOON), LATE),
            offered(offers=0, deadline_at=SOON, due_at=SOON),
        ),
        (states.decline_offer(offered(offers=4, due_at=LATE), NOW), queued(offers=4)),
        (states.take_back(offered(offers=4, due_at=LATE), NOW), queued()),
        (
            states.make_answer(EXECUTION_ID, None, "default", "refused:x"),
            Execution(EXECUTION_ID, "", state=DONE, answer="refused:x"),
        ),
        (
            states.make_remembered(EXECUTION_ID, "job-1", "default", "cancelled", NOW),
            Execution(EXECUTION_ID, "job-1", state=DONE, answer="cancelled", due_at=NOW + timedelta(days=7)),
        ),
        (
            states.keep_for_good(Execution(EXECUTION_ID, "job-1", state=DONE, due_at=SOON)),
            Execution(EXECUTION_ID, "job-1", state=DONE),
        ),
        (
            states.lease(offered(seq=3, offers=2, lease=4), OWNER, TIMES),
            queued(state=LEASED, lease=5, owner=OWNER, due_at=NOW + timedelta(seconds=10)),
        ),
    ]
    for after, expected in steps:
        assert after == expected


def test_an_execution_may_be_claimed_until_its_deadline() -> None:
    assert is_claimable(queued(deadline_at=SOON), ExecutionStage.EXECUTING, TIMES)
    assert not is_claimable(queued(deadline_at=NOW), ExecutionStage.EXECUTING, TIMES)
    assert not is_claimable(queued(), ExecutionStage.JUDGING, TIMES)
    assert not is_claimable(running(), ExecutionStage.EXECUTING, TIMES)


def test_a_lease_counts_in_its_stage_above_that_of_the_result() -> None:
    told = report(TransitionKind.MET, lease=1)
    assert is_current(running(result_lease=1), told, ExecutionStage.EXECUTING), "of a result that was judged in vain"
    assert not is_current(judging(lease=1, result_lease=1), told, ExecutionStage.JUDGING)
    assert is_current(judging(lease=1, result_lease=None), told, ExecutionStage.JUDGING)
    assert not is_current(queued(lease=0), report(TransitionKind.RESULT, lease=0), ExecutionStage.EXECUTING)


def test_a_timeout_of_an_older_version_without_a_policy_is_told_all_the_same() -> None:
    for execution, stage in ((queued(), "no executor took it within 0 s"), (judging(), "was not judged within 0 s")):
        execution.policy = None
        assert describe_timeout(execution, TIMES)[1].endswith(stage)
    late = queued(policy={}, deadline_at=NOW)
    assert describe_timeout(late, TIMES)[1].startswith("not done within 0 s; ")


def test_limits_apply_by_name_and_kind() -> None:
    assert [rules.wildcard(name) for name in ("agent:a:b", "tenant:t", "label:team=a=b", "batch:x")] == [
        *("agent:*", "tenant:*", "label:team=*", "batch:*")
    ]
    assert (rules.agent_limit("a"), rules.tenant_limit("t")) == ("agent:a", "tenant:t")
    assert rules.batch_limit(UUID(int=1)) == "batch:00000000-0000-0000-0000-000000000001"
    assert rules.flow_of("a", {"team": "red"}, None, {"label:team=red"}) == ["agent:a", "label:team=red"]


def test_starts_are_counted_for_a_period_and_a_twentieth() -> None:
    assert rules.window_start(NOW, 60.0) == NOW - timedelta(seconds=63)


@pytest.mark.parametrize(
    ("event", "answered", "response"),
    [
        ({"kind": ReportKind.DECLINED}, True, None),
        ({"kind": ReportKind.FAILED, "retryable": False}, True, None),
        ({"kind": ReportKind.FAILED, "retryable": True}, False, None),
        ({"kind": ReportKind.CALL_BEGUN, "progress": 0.5}, None, None),
        ({"kind": ReportKind.PROGRESS}, None, None),
        ({"kind": ReportKind.PROGRESS, "progress": 0.5, "partial": {"n": 1}}, None, '{"partial":{"n":1}}'),
    ],
)
def test_what_a_report_says_of_the_agent(event: dict[str, Any], answered: bool | None, response: str | None) -> None:
    told = reported(EXECUTION_ID, "job-1", 1, **event)
    assert (has_answered(told), format_response(told)) == (answered, response)


def test_feedback_is_the_reason_and_what_did_not_pass() -> None:
    outcomes = (("a", Outcome.PASS), ("b", Outcome.FAIL), ("c", Outcome.CANNOT_ASSESS))
    told = Verdict.of(
        [CriterionVerdict(text=text, outcome=outcome, comment="why") for text, outcome in outcomes], "because"
    )
    assert format_feedback(told) == (
        '{"reason":"because","criteria":[{"text":"b","outcome":"fail","comment":"why"},'
        '{"text":"c","outcome":"cannot_assess","comment":"why"}]}'
    )


def test_feedback_has_no_words_that_disclose_a_reference() -> None:
    judged = [
        CriterionVerdict(text="a", outcome=Outcome.FAIL, comment="it is Oslo", discloses=True),
        CriterionVerdict(text="b", outcome=Outcome.FAIL, comment="why"),
    ]
    told = Verdict.of(judged, "Oslo is meant", discloses=True)
    assert format_feedback(told) == (
        '{"reason":"","criteria":[{"text":"a","outcome":"fail","comment":""},'
        '{"text":"b","outcome":"fail","comment":"why"}]}'
    )


def test_a_cost_that_nobody_named_is_none() -> None:
    plain = report(TransitionKind.RESULT)
    assert with_cost(plain, None) is plain
    counted = with_cost(plain, Usage(input_tokens=2, output_tokens=3))
    assert (counted.cost_nanos, counted.tokens) == (0, 5)
    assert with_cost(plain, Usage(cost_usd=0.5)).cost_nanos == 500_000_000


@pytest.mark.parametrize(("said", "before"), [("", ""), ("half done", "half done; ")])
def test_of_a_claim_that_does_not_count_whole_the_message_tells(said: str, before: str) -> None:
    told = with_cost(report(TransitionKind.RESULT, message=said), Usage(cost_usd=0.5, claimed_usd=9.25))
    assert told.message == f"{before}the agent claimed 9.25 USD for the call, of which 0.5 count"
    assert told.cost_nanos == 500_000_000


def test_what_is_sent_and_stored_of_a_request_and_an_edit() -> None:
    execution = queued(submission=2)
    ids = f'{{"execution_id":"{EXECUTION_ID}","job_id":"job-1","submission":2,'
    spec = '"title":"A title","description":"So","acceptance_criteria":"Is","payload":{"n": 1},'
    for feedback, comment, told in (
        (None, None, "null"),
        ('{"a":1}', None, '{"a":1}'),
        (None, "do", '{"comment":"do"}'),
        ('{"a":1}', "do", '{"comment":"do","verdict":{"a":1}}'),
    ):
        body = format_request_body(job(feedback=feedback), SPEC, execution, comment)
        assert body == f'{ids}{spec}"feedback":{told}}}'
    assert format_edit("1", {"a": "2", "b": "3"}, {"a": "4", "b": "5"}) == (
        '{"payload":1,"changed":{"a":2,"b":3},"before":{"a":4,"b":5}}'
    )


def test_a_budget_is_the_policys_with_what_all_executions_have_spent() -> None:
    spender = job(cost_nanos=500_000_000, tokens=7)
    assert budget_of(spender, {"budget_usd": "2", "budget_tokens": 9}) == Budget(2_000_000_000, 9, 500_000_000, 7)
    assert budget_of(spender, None) == Budget(None, None, 500_000_000, 7)


def test_what_an_execution_without_a_policy_may() -> None:
    bare = queued(policy=None, submission=1)
    assert [bare.may_call_after(spent) for spent in (0, 1)] == [True, False]
    assert (bare.has_submissions_left, bare.is_at_most_once) == (False, False)
    assert bare.fails_after("queue_timeout_s", NOW) is None
    assert queued(policy={"max_submissions": 2}, submission=2).has_submissions_left is False


def test_what_stands_where_nothing_is_set() -> None:
    assert (BreakerTerms(), ReuseTerms()) == (BreakerTerms(5, 5.0, 300.0), ReuseTerms(86_400.0, 86_400.0, 100_000))
    assert Breaker() == Breaker(0, 0, None, None, probing=False)
    terms = ExecutionTerms(policy=Policy(), lease_s=10.0, offer_again_s=5.0, ids=IdKey(b"0" * 32))
    assert (terms.remembered_max, terms.alive_s) == (100_000, 15.0)
    told = Report(TransitionKind.RESULT)
    assert (told.lease, told.seq, told.call, told.retry_after_s, told.cost_nanos, told.tokens) == (0, 0, 0, 0.0, 0, 0)
    new = Execution(EXECUTION_ID, "job-1")
    assert (new.stage, new.state, new.submission, new.priority, new.tenant) == (
        *(ExecutionStage.EXECUTING, QUEUED, 1, 5, "default"),
    )
    assert {new.attempt, new.lease, new.seq, new.offers, new.spent, new.misjudged, new.validators_lost} == {0}
