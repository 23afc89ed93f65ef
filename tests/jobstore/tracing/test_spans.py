"""The trace of a job says what its log says: as spans, within one another, and the same whoever makes them."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from support.jobstore.memory import POLICY, Life
from support.jobstore.steps import reported
from support.jobstore.traced import TracedJobstore

from contracts.resources import Policy
from contracts.traceparent import TraceContext, derive_trace_id, name_call, name_judging
from jobstore.executions.commands import CancelJob, EndLease, ExecuteJob, RecordReport
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF, WORKER, ExecutionStage, ExecutionState, TransitionKind
from jobstore.tracing.facts import Fact, read_fact
from jobstore.tracing.spans import Chains, Span, SpanKind, fold
from signoff.status import JobLogStatus, Outcome, ReportKind, Resubmit
from signoff.values import new_execution_id

AUTOMATIC = Policy(resubmit=Resubmit.AUTOMATIC)
#: Every name that OpenTelemetry has for what is of generative AI.
CONVENTIONAL = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}


@pytest.fixture
def jobstore() -> TracedJobstore:
    return TracedJobstore()


@pytest.fixture
def life(jobstore: TracedJobstore) -> Life:
    return Life(jobstore)


def read(jobstore: TracedJobstore) -> list[Fact]:
    return [read_fact(body) for body in jobstore.facts]


def trace(facts: Sequence[Fact], *, content: bool = False) -> list[list[Span]]:
    """The traces of facts, with those of chains that go on."""
    chains = Chains()
    ended = [chain for fact in facts for chain in chains.add(fact)]
    return [fold(chain, content=content) for chain in [*ended, *map(chains.close, list(chains.open.values()))]]


def one(jobstore: TracedJobstore, *, content: bool = False) -> dict[str, Span]:
    """The spans of the only trace, by their names; of several of a name the last."""
    (spans,) = trace(read(jobstore), content=content)
    check(spans)
    return {span.name: span for span in spans}


def check(spans: Sequence[Span]) -> None:
    """All spans are of one trace, have an id of their own, lie within their parents, and use conventional names."""
    root, *others = spans
    names = {name for span in spans for each in (span, *span.events) for name in each.attributes}
    assert {name for name in names if not name.startswith("signoff.") and name != "error.type"} <= CONVENTIONAL
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    assert {span.trace for span in spans} == {root.trace}
    for span in spans:
        assert span.begun_at <= span.ended_at, span
    for span in others:
        parent = by_id[span.parent_id or ""]
        assert parent.begun_at <= span.begun_at, (parent, span)
        assert span.ended_at <= parent.ended_at, (parent, span)
        assert all(span.begun_at <= event.at <= span.ended_at for event in span.events)


def answer(life: Life, seconds: float = 2.0) -> None:
    """The agent begins, and answers after so many seconds."""
    store = life.jobstore
    assert isinstance(store, TracedJobstore)
    life.report(ReportKind.CALL_BEGUN, seq=1)
    store.after(seconds)
    life.result()


def test_a_life_is_a_trace_of_request_wait_attempt_call_and_judging(jobstore: TracedJobstore, life: Life) -> None:
    life.requested()
    jobstore.after(1)
    life.claim()
    answer(life)
    jobstore.after(1)
    life.claim_judging()
    jobstore.after(3)
    life.judged(Outcome.PASS, duration_s=3.0)
    spans = one(jobstore)
    root, call, judging = spans["execute_job"], spans["invoke_agent writer"], spans["judge"]
    assert root.trace.trace_id == derive_trace_id(life.execution_id)
    assert (root.parent_id, root.kind, root.error) == (None, SpanKind.INTERNAL, None)
    assert root.ended_at - root.begun_at == timedelta(seconds=7)
    assert root.attributes["signoff.job.status"] == "COMPLETED"
    assert (call.span_id, call.kind) == (name_call(life.execution_id, 1, 1), SpanKind.CLIENT)
    assert call.ended_at - call.begun_at == timedelta(seconds=2)
    assert judging.span_id == name_judging(life.execution_id, 2)
    assert judging.ended_at - judging.begun_at == timedelta(seconds=3)
    (evaluation,) = judging.events
    assert evaluation.name == "gen_ai.evaluation.result"
    assert evaluation.attributes["gen_ai.evaluation.score.label"] == "pass"
    assert evaluation.attributes["gen_ai.evaluation.score.value"] == 1.0


def test_submissions_by_policy_are_of_one_trace_and_those_by_hand_of_another_that_is_linked(
    jobstore: TracedJobstore, life: Life
) -> None:
    first = life.execution_id
    life.judging(policy=AUTOMATIC)
    life.judged(Outcome.FAIL)
    life.execution_id = jobstore.jobs[life.job_id].execution_id or first
    life.claim()
    answer(life)
    life.claim_judging()
    jobstore.run(CancelJob(life.job_id, life.execution_id, actor=BOOTSTRAP))
    life.execution_id = by_hand = new_execution_id()
    jobstore.run(ExecuteJob(life.job_id, by_hand, chosen=True, actor=BOOTSTRAP))
    automatic, manual = trace(read(jobstore))
    check(automatic)
    assert [span.attributes["signoff.submission"] for span in automatic if span.name == "submission"] == [1, 2]
    assert automatic[0].trace.trace_id == derive_trace_id(first)
    assert automatic[0].attributes["signoff.job.status"] == "CANCELLED"
    assert manual[0].trace.trace_id == derive_trace_id(by_hand)
    assert manual[0].links == [automatic[0].trace]
    assert "signoff.job.status" in manual[0].attributes
    assert manual[0].attributes["signoff.job.status"] is None  # it goes on


def test_a_verdict_that_is_not_followed_ends_the_trace(jobstore: TracedJobstore, life: Life) -> None:
    life.judging()
    life.judged(Outcome.FAIL)
    chains = Chains()
    assert [len(chains.add(fact)) for fact in read(jobstore)][-1] == 1


def test_each_failed_call_is_a_span_with_its_error_and_the_wait_before_the_next(
    jobstore: TracedJobstore, life: Life
) -> None:
    life.running()
    life.report(ReportKind.CALL_BEGUN, seq=1)
    jobstore.after(1)
    life.report(ReportKind.CALL_FAILED, seq=2, code="agent_timeout", call=1, retry_after_s=4.0, duration_s=1.0)
    jobstore.after(6)
    life.report(ReportKind.FAILED, seq=3, code="agent_failed", call=2, duration_s=2.0)
    (spans,) = trace(read(jobstore))
    check(spans)
    calls = [span for span in spans if span.name == "invoke_agent writer"]
    assert [(call.span_id, call.error) for call in calls] == [
        (name_call(life.execution_id, 1, 1), "agent_timeout"),
        (name_call(life.execution_id, 1, 2), "agent_failed"),
    ]
    assert [call.ended_at - call.begun_at for call in calls] == [timedelta(seconds=1), timedelta(seconds=2)]
    (wait,) = [span for span in spans if span.name == "wait retry_backoff"]
    assert wait.ended_at - wait.begun_at == timedelta(seconds=4)
    assert {span.error for span in spans if span.name in {"execute_job", "submission", "attempt"}} == {"agent_failed"}


def test_a_lost_worker_ends_its_attempt_and_the_next_one_calls_again(jobstore: TracedJobstore, life: Life) -> None:
    life.running()
    life.report(ReportKind.CALL_BEGUN, seq=1)
    jobstore.after(60)
    jobstore.run(EndLease(life.execution_id, TransitionKind.LAPSED, 1, actor=SIGNOFF))
    life.claim()
    answer(life)
    (spans,) = trace(read(jobstore))
    check(spans)
    calls = [span for span in spans if span.kind is SpanKind.CLIENT]
    assert [call.error for call in calls] == ["lease_lapsed", None]
    assert calls[1].span_id == name_call(life.execution_id, 2, 2)


def test_nothing_of_what_users_agents_and_judges_wrote_is_in_a_trace_unless_asked_for(
    jobstore: TracedJobstore, life: Life
) -> None:
    life.running(title="A secret title", acceptance_criteria="It is a secret")
    life.report(ReportKind.CALL_BEGUN, seq=1)
    life.report(ReportKind.PROGRESS, seq=2, message="a secret so far", progress=0.5)
    life.result()
    life.claim_judging()
    life.judged(Outcome.PASS)
    assert "secret" not in repr(one(jobstore))
    told = repr(one(jobstore, content=True))
    assert "A secret title" in told
    assert "a secret so far" in told


def test_a_repeated_fact_changes_nothing_and_a_stub_is_passed_by(jobstore: TracedJobstore, life: Life) -> None:
    life.judging()
    life.judged(Outcome.PASS)
    facts = read(jobstore)
    assert trace([again for fact in facts for again in (fact, fact)]) == trace(facts)
    stub = read_fact(
        b'{"job_id":"a","version":1,"log":{"status":"FAILED","created_at":"2026-01-01T00:00:00Z"},"stub":{}}'
    )
    assert Chains().add(stub) == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"job_id":1}', b"\xff"])
def test_a_body_that_is_no_fact_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_fact(body)


#: What may come next of a job, by the stage and state of its execution; the first is what mostly comes.
NEXT = {
    None: ["execute", "late", "judge"],
    (ExecutionStage.EXECUTING, False): ["claim", "deadline", "cancel"],
    (ExecutionStage.EXECUTING, True): [
        "result", "begin", "progress", "call_failed", "attempt_failed", "failed", "declined", "lapse", "give_back",
        "deadline", "cancel",
    ],
    (ExecutionStage.JUDGING, False): ["claim_judging", "deadline", "cancel"],
    (ExecutionStage.JUDGING, True): ["judge", "misjudged", "lapse", "give_back", "deadline", "cancel"],
}  # fmt: skip


class Wanderer:
    """A job that does whatever comes; what its state machine refuses changes nothing."""

    def __init__(self, policy: Policy) -> None:
        self.store = TracedJobstore(policy=policy.over(POLICY))
        self.life = Life(self.store).created()
        self.answer, self.seq = "", 0

    def step(self, chance: random.Random) -> None:
        """Do what comes next, or now and then something else, which is refused."""
        self.store.after(chance.choice([0.0, 0.5, 3.0, 20.0]))
        self.life.execution_id = self.life.job.execution_id or self.life.execution_id
        self.seq += 1
        first, *others = NEXT[self._where] if chance.random() < 0.9 else chance.choice([*NEXT.values()])
        what = first if chance.random() < 0.6 else chance.choice(others)
        if what == "execute" or self.life.job.execution_id is not None:
            getattr(self, f"_{what}")(chance.choice([Outcome.PASS, Outcome.FAIL, Outcome.FAIL]))

    @property
    def _where(self) -> tuple[ExecutionStage, bool] | None:
        if not self.life.job.live:
            return None
        return self.life.execution.stage, self.life.execution.state is ExecutionState.LEASED

    def _execute(self, _: Outcome) -> None:
        if not self.life.job.live:
            self.store.run_if_allowed(ExecuteJob(self.life.job_id, new_execution_id(), chosen=True, actor=BOOTSTRAP))

    def _claim(self, _: Outcome) -> None:
        self.store.circuits.clear()
        if self.life.execution.stage is ExecutionStage.EXECUTING:
            self.life.claim()

    def _report(self, kind: ReportKind, **fields: object) -> None:
        event = reported(
            self.life.execution_id, self.life.job_id, self.life.execution.lease or 1, kind, seq=self.seq, **fields
        )
        self.store.run(RecordReport(event, actor=WORKER))

    def _begin(self, _: Outcome) -> None:
        self._report(ReportKind.CALL_BEGUN)

    def _progress(self, _: Outcome) -> None:
        self._report(ReportKind.PROGRESS, progress=0.5, message="on its way")

    def _fail(self, kind: ReportKind) -> None:
        call = self.life.execution.spent + 1
        self._report(kind, code="agent_failed", call=call, duration_s=1.5, retry_after_s=2.0)

    def _call_failed(self, _: Outcome) -> None:
        self._fail(ReportKind.CALL_FAILED)

    def _attempt_failed(self, _: Outcome) -> None:
        self._fail(ReportKind.ATTEMPT_FAILED)

    def _failed(self, _: Outcome) -> None:
        self._fail(ReportKind.FAILED)

    def _declined(self, _: Outcome) -> None:
        self._fail(ReportKind.DECLINED)

    def _result(self, _: Outcome) -> None:
        if self.life.execution.lease:
            self.answer = f"answer {self.seq}"
            self.life.result(value=self.answer)

    def _late(self, _: Outcome) -> None:
        self._result(_)

    def _claim_judging(self, _: Outcome) -> None:
        if self.life.execution.result_hash is not None and self.life.execution.state is not ExecutionState.DONE:
            self.life.claim_judging(value=self.answer)

    def _judge(self, outcome: Outcome) -> None:
        if self.life.execution.lease:
            self.life.judged(outcome, duration_s=1.0)

    def _misjudged(self, _: Outcome) -> None:
        self._report(ReportKind.MISJUDGED, code="validator_error", duration_s=0.5)

    def _end(self, kind: TransitionKind, **fields: object) -> None:
        lease = self.life.execution.lease
        self.store.run(EndLease(self.life.execution_id, kind, lease, **fields, actor=SIGNOFF))

    def _lapse(self, _: Outcome) -> None:
        self.store.after(30)
        self._end(TransitionKind.LAPSED)

    def _give_back(self, _: Outcome) -> None:
        self._end(TransitionKind.GIVEN_BACK, begun=True)

    def _deadline(self, _: Outcome) -> None:
        self.store.after(400)
        self._end(TransitionKind.DEADLINE)

    def _cancel(self, _: Outcome) -> None:
        self.store.run(CancelJob(self.life.job_id, self.life.execution_id, actor=BOOTSTRAP))


POLICIES = [AUTOMATIC, AUTOMATIC, Policy(), Policy(deadline_s=300.0), Policy(queue_timeout_s=30.0)]


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6), st.sampled_from(POLICIES))
def test_each_chain_of_any_log_is_one_trace_whose_times_and_outcomes_are_those_of_the_log(
    seed: int, policy: Policy
) -> None:
    wanderer, chance = Wanderer(policy), random.Random(seed)
    for _ in range(60):
        wanderer.step(chance)
    facts = read(wanderer.store)
    traces = trace(facts)
    requests = [fact for fact in facts if fact.log.kind == TransitionKind.REQUESTED]
    assert len(traces) == sum(fact.log.actor != SIGNOFF for fact in requests)
    assert len({spans[0].trace.trace_id for spans in traces}) == len(traces)
    assert len({span.span_id for spans in traces for span in spans}) == sum(map(len, traces))
    assert [spans[0].links for spans in traces[1:]] == [[before[0].trace] for before, _ in pairwise(traces)]
    for spans in traces:
        check(spans)
    _compare(facts, [span for spans in traces for span in spans])
    assert trace([*facts, *facts][len(facts) :]) == traces  # whoever makes them again


def _compare(facts: Sequence[Fact], spans: Sequence[Span]) -> None:
    submissions = {span.attributes["signoff.execution.id"]: span for span in spans if span.name == "submission"}
    kinds, ends = Counter[str](), {JobLogStatus.CANCELLED, "COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED"}
    for fact in facts:
        log = fact.log
        if log.kind == TransitionKind.RESULT and log.status == JobLogStatus.CANCELLED:
            continue
        kinds[str(log.kind)] += 1
        if log.kind == TransitionKind.REQUESTED:
            assert submissions[log.execution_id].begun_at == log.created_at
        elif log.execution_id is not None and log.status in ends:
            span = submissions[log.execution_id]
            assert (span.attributes["signoff.status"], span.ended_at) == (log.status, log.created_at)
            assert (span.error is not None) == (log.status == "FAILED")
    assert len(submissions) == kinds["requested"]
    assert sum(span.name == "attempt" for span in spans) == kinds["claimed"]
    verdicts = sum(fact.log.verdict is not None for fact in facts)
    assert sum("signoff.verdict.is_valid" in span.attributes for span in spans) == verdicts
    answered = [span for span in spans if span.name.startswith("invoke_agent") and span.error is None]
    assert len(answered) <= kinds["result"]


def test_what_an_upstream_gives_is_the_parent_and_chains_know_what_they_hold(
    jobstore: TracedJobstore, life: Life
) -> None:
    given = TraceContext("a" * 32, "b" * 16)
    parameters = ExecutionRequest(traceparent=str(given))
    life.created().jobstore.run(
        ExecuteJob(life.job_id, life.execution_id, chosen=True, parameters=parameters, actor=BOOTSTRAP)
    )
    chains = Chains()
    for fact in read(jobstore):
        chains.add(fact)
    (chain,) = chains.open.values()
    root = fold(chain)[0]
    assert (root.trace.trace_id, root.parent_id, root.kind) == ("a" * 32, "b" * 16, SpanKind.SERVER)


def test_facts_that_are_published_again_once_a_trace_has_ended_begin_none(jobstore: TracedJobstore, life: Life) -> None:
    life.judging().judged(Outcome.PASS)
    facts = read(jobstore)
    chains = Chains()
    assert [len(chains.add(fact)) for fact in facts].count(1) == 1
    assert [chains.add(fact) for fact in facts] == [[]] * len(facts)
    assert not chains.open
