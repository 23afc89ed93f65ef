"""Judgings without a job: queued within bounds, finished once, and recorded as the job's where that is asked for."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import CRITERIA, verdict

from contracts.judging.policy import JudgePolicy, Verdict
from jobstore.errors import NotFoundError, RefusedError
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.judging.commands import PromoteVersion, PutVersion, RetireName
from jobstore.judging.judgings import GRANTS_MAX, FinishJudging, LoseJudging, QueueJudgings, QueueRejudging
from jobstore.judging.rules import Judgings, Kind, Named, NewJudging, format_body
from signoff.judging import StageVerdict
from signoff.status import JobStatus, JudgingKind, JudgingState, Outcome, ReportKind

MET, NOT_MET = verdict(Outcome.PASS), verdict(Outcome.FAIL)
#: Those that have their turn before the next ones.
KINDS = (
    {JudgingKind.TRY, JudgingKind.TEST},
    {JudgingKind.DRAFT, JudgingKind.EVALUATE},
    {JudgingKind.SHADOW, JudgingKind.REJUDGE},
)
STRICT = Named(Kind.JUDGE, "strict")
MILD = JudgePolicy(name="mild", version=1).model_dump_json()
OTHER = verdict(Outcome.FAIL, criteria='Says "sky"')
LAPSED = {"has_lapsed": True}


@pytest.fixture
def policies(jobstore: MemoryJobstore) -> MemoryJobstore:
    jobstore.put(Kind.JUDGE, "strict", format_body(JudgePolicy(name="strict")))
    return jobstore


def by_which(judging: NewJudging, jobstore: MemoryJobstore) -> str | None:
    """The version by which a result that waits is judged."""
    text = jobstore.judgings[judging.id].judge_policy
    return None if text is None else JudgePolicy.model_validate_json(text).reference


def case(group_id: UUID, item: int = 0, kind: JudgingKind = JudgingKind.TRY) -> NewJudging:
    return NewJudging(uuid4(), kind, group_id, item, asked="{}")


def queued(life: Life, kind: JudgingKind = JudgingKind.REJUDGE, **fields: Any) -> NewJudging:
    """A result of a life that waits to be judged again."""
    judging = NewJudging(uuid4(), kind, uuid4(), 0, execution_id=life.execution_id, job_id=life.job_id)
    life.jobstore.run(QueueRejudging(replace(judging, **fields), actor=BOOTSTRAP))
    return judging


def finished(life: Life, judging: NewJudging, said: Verdict, **fields: Any) -> bool:
    about = {"execution_id": life.execution_id, "job_id": life.job_id} if judging.kind is JudgingKind.REJUDGE else {}
    text = said.model_dump_json()
    done: bool = life.jobstore.run(
        FinishJudging(
            judging.id, 1, text, cost_nanos=500_000_000, tokens=3, duration_s=1.5, **about, **fields, actor=SIGNOFF
        )
    )
    return done


def rested(life: Life, outcome: Outcome = Outcome.PASS, **fields: Any) -> Life:
    """A life whose result has a verdict, by the policy that was frozen."""
    life.judging(**fields)
    said, frozen = verdict(outcome), (life.execution.policy or {}).get("judge")
    life.report(ReportKind.VERDICT, verdict=said.model_copy(update={"judge": frozen}))
    assert not life.job.live
    return life


@pytest.mark.parametrize(("before", "said"), [(Outcome.PASS, NOT_MET), (Outcome.FAIL, MET), (Outcome.FAIL, NOT_MET)])
def test_a_verdict_takes_the_place_of_the_one_before(life: Life, before: Outcome, said: Verdict) -> None:
    rested(life, before, policy={"max_submissions": 1})
    first = life.job
    assert finished(life, queued(life), said)
    job = life.job
    assert job.status == (JobStatus.COMPLETED if said.is_valid else JobStatus.REJECTED)
    code, not_met = (None, 0) if said.is_valid else ("rejudged", 1)
    assert (job.live, job.code, job.not_met) == (False, code, not_met)
    assert (job.duration_s, job.cost_nanos, job.tokens) == (first.duration_s, 500_000_000, 3)
    assert life.told[-2:] == ["rejudged", "met" if said.is_valid else "not_met"]
    begun, ended = life.jobstore.log(life.job_id)[-2:]
    assert (begun.report.actor, begun.report.code, ended.report.code) == (BOOTSTRAP, "rejudged", "rejudged")
    assert ended.result_version == life.execution.result_version


def test_a_shadow_is_kept_beside_the_verdict_before(life: Life) -> None:
    rested(life)
    told, judging = list(life.told), queued(life, JudgingKind.SHADOW)
    assert finished(life, judging, NOT_MET)
    assert life.told == told
    kept = life.jobstore.answers[judging.id]
    assert (kept.was_valid, kept.is_valid, kept.before) == (True, False, "p")
    assert (kept.cost_nanos, kept.tokens, kept.duration_s) == (500_000_000, 3, 1.5)
    assert not finished(life, judging, MET), "it is answered once"
    other = queued(life, JudgingKind.SHADOW)
    assert finished(life, other, OTHER)
    assert life.jobstore.answers[other.id].before == "-", "no such criterion was judged before"


def test_a_shadow_says_what_each_criterion_was_before(life: Life) -> None:
    criteria, outcomes = "Says red\nSays blue\nIs short", (Outcome.PASS, Outcome.FAIL, Outcome.CANNOT_ASSESS)
    life.judging(acceptance_criteria=criteria)
    life.report(ReportKind.VERDICT, verdict=verdict(*outcomes, criteria=criteria))
    judging = queued(life, JudgingKind.SHADOW)
    assert finished(life, judging, verdict(criteria=criteria))
    assert life.jobstore.answers[judging.id].before == "pfc"


def test_nothing_is_recorded_of_a_job_that_moved_on(life: Life) -> None:
    rested(life, Outcome.FAIL)
    judging, mismatched, unjudged = queued(life), queued(life), queued(life)
    gone = queued(life)
    nonsense = verdict(Outcome.CANNOT_ASSESS, judge_error="judge_refused")
    assert finished(life, unjudged, nonsense)
    assert finished(life, mismatched, OTHER)
    life.jobstore.run(FinishJudging(gone.id, 1, MET.model_dump_json(), actor=SIGNOFF))
    life.execution_id = uuid4()
    life.execute(resubmission=True)
    life.execution_id = judging.execution_id or life.execution_id
    assert finished(life, judging, MET)
    codes = [life.jobstore.answers[each.id].code for each in (unjudged, mismatched, gone, judging)]
    assert codes == ["judge_refused", "verdict_mismatch", "unknown_job", "execution_live"]
    assert "rejudged" not in life.told


def test_the_criteria_are_those_that_the_execution_froze_with_its_set(life: Life) -> None:
    rested(life, Outcome.FAIL)
    judging = queued(life)
    execution = life.jobstore.executions[life.execution_id]
    frozen = {**(execution.policy or {}), "criteria_set": "house@1"}
    life.jobstore.executions[life.execution_id] = replace(execution, policy=frozen)
    assert finished(life, judging, MET)
    assert life.jobstore.answers[judging.id].code == "unknown_criteria_set"
    assert "rejudged" not in life.told


@pytest.mark.parametrize("kind", [JudgingKind.SHADOW, JudgingKind.REJUDGE])
def test_each_is_judged_by_the_policy_that_its_execution_froze_unless_one_is_named(
    policies: MemoryJobstore, kind: JudgingKind
) -> None:
    strict, plain = rested(Life(policies), policy={"judge": "strict"}), rested(Life(policies))
    default = rested(Life(policies), policy={"judge": "default"})
    policies.run(PutVersion(STRICT, format_body(JudgePolicy(name="strict", asks="each")), actor=SIGNOFF))
    policies.run(PromoteVersion(STRICT, 2, actor=SIGNOFF))
    policies.run(RetireName(STRICT, actor=SIGNOFF))
    for life, reference in ((strict, "strict@1"), (plain, None), (default, None)):
        assert by_which(queued(life, kind), policies) == reference
    assert by_which(queued(strict, kind, judge_policy=MILD), policies) == "mild@1"


def test_a_version_that_is_not_known_any_more_is_put_back_first(policies: MemoryJobstore) -> None:
    life = rested(Life(policies), policy={"judge": "strict"})
    policies.versions.clear()
    with pytest.raises(RefusedError, match="strict@1 is not known: put it back under that number") as caught:
        queued(life)
    assert caught.value.code == "unknown_judge_policy"
    assert by_which(queued(life, judge_policy=MILD), policies) == "mild@1"


def test_a_verdict_is_counted_for_the_version_that_it_was_made_by(policies: MemoryJobstore) -> None:
    policies.put(Kind.CRITERIA, "house", CRITERIA)
    life = rested(Life(policies), policy={"judge": "strict", "criteria_set": "house"})
    policies.judged.clear()
    mild, own = queued(life, judge_policy=MILD), NOT_MET.model_copy(update={"judge": "strict@1"})
    assert finished(life, mild, MET.model_copy(update={"judge": "mild@1"}))
    assert finished(life, queued(life), own)
    told = [(one.reference, one.met, one.not_met, one.cost_nanos) for one in policies.judged]
    half = 500_000_000
    assert told == [("mild@1", 1, 0, half), ("house@1", 1, 0, half), ("strict@1", 0, 1, half), ("house@1", 0, 1, half)]

    older = queued(life)
    policies.judgings[older.id] = policies.judgings[older.id]._replace(judge_policy=None)
    policies.judged.clear()
    assert finished(life, older, MET)
    assert [one.reference for one in policies.judged] == ["house@1"], "it was made by the validators' own settings"


def test_a_verdict_by_another_policy_than_was_asked_for_is_not_recorded(policies: MemoryJobstore) -> None:
    life = rested(Life(policies), policy={"judge": "strict"})
    judging = queued(life)
    assert finished(life, judging, NOT_MET.model_copy(update={"judge": "mild@1"}))
    kept = policies.answers[judging.id]
    assert kept.code == "verdict_mismatch"
    assert "made by the judge policy mild@1, and not by strict@1" in (kept.message or "")
    assert life.job.status is JobStatus.COMPLETED


def test_a_result_is_queued_while_it_is_the_jobs_last(life: Life) -> None:
    life.requested()
    with pytest.raises(RefusedError, match="is live"):
        queued(life)
    for job_id in ("nobody's", None):
        with pytest.raises(NotFoundError):
            queued(life, execution_id=None, job_id=job_id)
    life.jobstore.executions.clear()
    life.jobstore.jobs[life.job_id] = replace(life.job, live=False)
    with pytest.raises(RefusedError, match="has no result"):
        queued(life, execution_id=None)


def test_another_execution_has_ended_since(life: Life) -> None:
    rested(life, Outcome.FAIL)
    life.jobstore.jobs[life.job_id] = replace(life.job, execution_id=uuid4())
    with pytest.raises(RefusedError, match="another execution has ended since"):
        queued(life)


def test_what_was_assigned_anew_has_nothing_to_judge(life: Life) -> None:
    rested(life, Outcome.FAIL)
    life.jobstore.run(AssignAgent(life.job_id, "writer", actor=SIGNOFF))
    with pytest.raises(RefusedError, match="has no result"):
        queued(life)


def test_the_judgings_of_a_call_are_queued_once_and_within_bounds(jobstore: MemoryJobstore) -> None:
    group_id = uuid4()
    asked = QueueJudgings([case(group_id), case(group_id, 1)], actor=BOOTSTRAP)
    assert asked.size == len("{}{}")
    assert QueueJudgings([replace(case(group_id), asked=None)], actor=SIGNOFF).size == 0
    assert [{case(group_id, kind=kind).urgency for kind in kinds} for kinds in KINDS] == [{0}, {1}, {2}]
    jobstore.run(asked)
    jobstore.run(QueueJudgings([case(group_id)], actor=SIGNOFF))
    assert [judging.actor for judging in jobstore.judgings.values()] == [BOOTSTRAP] * 2
    jobstore.judging_room = 2
    calls = [QueueJudgings([case(uuid4())], actor=SIGNOFF) for _ in range(3)]
    *done, refused = jobstore.carry_out(*calls)
    assert done == [None, None]
    assert isinstance(refused, RefusedError)
    assert refused.code == "too_many_judgings"
    assert [call.judgings[0].id in jobstore.judgings for call in calls] == [True, True, False]


@pytest.mark.parametrize(
    ("kind", "said", "code"),
    [
        (JudgingKind.TRY, '{"is_valid":1}', "verdict_mismatch"),
        (JudgingKind.TRY, verdict(Outcome.FAIL, judge_error="judge_refused").model_dump_json(), "judge_refused"),
        (JudgingKind.TRY, MET.model_dump_json(), None),
        (JudgingKind.TEST, '{"api":"chat"}', None),
        (JudgingKind.TRY, None, "judge_timeout"),
    ],
)
def test_what_is_said_of_a_case_is_kept(
    jobstore: MemoryJobstore, kind: JudgingKind, said: str | None, code: str | None
) -> None:
    judging = case(uuid4(), kind=kind)
    jobstore.run(QueueJudgings([judging], actor=SIGNOFF))
    why = (None, None) if said else (code, "it did not answer")
    command = FinishJudging(judging.id, 1, said, *why, actor=SIGNOFF)
    assert command.size == len(said or "")
    assert jobstore.run(command)
    kept = jobstore.answers[judging.id]
    assert (kept.code, kept.before, kept.was_valid) == (code, None, None)
    assert (kept.message is None) == (code is None)
    assert (kept.answer is None) == (said is None or code == "verdict_mismatch")


ASK = {"kind": "single", "outcomes": "p"}


@pytest.mark.parametrize(
    ("asks", "told", "cost"),
    [
        ([], {}, 0),  # checks decided
        ([], {"tokens": 9}, None),  # an older validator says nothing of its asks
        ([{}], {}, None),
        ([{}], {"tokens": 9}, None),
        ([{"cost_usd": 0.0}], {"tokens": 9}, 0),  # its price is none
        ([{"cost_usd": 0.5}, {}], {"cost_nanos": 500_000_000}, 500_000_000),
        (None, {"tokens": 9}, None),  # it ended without a verdict
        (None, {}, 0),
    ],
)
def test_a_cost_that_nobody_told_is_none(
    jobstore: MemoryJobstore, asks: list[dict[str, float]] | None, told: dict[str, Any], cost: int | None
) -> None:
    judging = case(uuid4(), kind=JudgingKind.EVALUATE)
    jobstore.run(QueueJudgings([judging], actor=SIGNOFF))
    stages = [StageVerdict.model_validate(ASK | {"asks": [{"model": "m", **ask} for ask in asks or []]})]
    said = None if asks is None else MET.model_copy(update={"stages": stages}).model_dump_json()
    assert jobstore.run(FinishJudging(judging.id, 1, said, **told, actor=SIGNOFF))
    assert jobstore.answers[judging.id].cost_nanos == cost


def test_what_a_judging_cost_that_was_cancelled_while_it_ran_is_counted_once(life: Life) -> None:
    rested(life)
    judging = queued(life, JudgingKind.SHADOW)
    stored = life.jobstore.judgings[judging.id]
    life.jobstore.judgings[judging.id] = stored._replace(state=JudgingState.DONE, is_cut_short=True)
    assert not finished(life, judging, MET)
    assert life.jobstore.judging_costs == {judging.id: (500_000_000, 3)}
    assert judging.id not in life.jobstore.answers


def test_a_stale_lease_and_an_unknown_judging_count_for_nothing(jobstore: MemoryJobstore) -> None:
    judging = case(uuid4())
    jobstore.run(QueueJudgings([judging], actor=SIGNOFF))
    assert not jobstore.run(FinishJudging(judging.id, 0, MET.model_dump_json(), actor=SIGNOFF))
    assert not jobstore.run(FinishJudging(uuid4(), 1, actor=SIGNOFF))
    assert jobstore.judgings[judging.id].state is JudgingState.LEASED


@pytest.mark.parametrize(
    ("lease", "fields", "ends"), [(GRANTS_MAX, LAPSED, True), (GRANTS_MAX - 1, LAPSED, False), (GRANTS_MAX, {}, False)]
)
def test_the_last_lease_that_lapses_ends_a_judging(
    jobstore: MemoryJobstore, lease: int, fields: dict[str, bool], ends: bool
) -> None:
    judging = case(uuid4())
    jobstore.run(QueueJudgings([judging], actor=BOOTSTRAP))
    jobstore.judgings[judging.id] = jobstore.judgings[judging.id]._replace(lease=lease, **fields)
    lost, late = LoseJudging(judging.id, actor=SIGNOFF), FinishJudging(judging.id, lease, actor=SIGNOFF)
    *_, counts = jobstore.carry_out(lost, lost, LoseJudging(uuid4(), actor=SIGNOFF), late)
    answers = [(one.code, one.cost_nanos) for one in jobstore.uow[Judgings].answers]
    assert (answers, counts) == (([("judging_lost", None)], False) if ends else ([(None, 0.0)], True))
