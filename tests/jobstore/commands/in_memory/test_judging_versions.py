"""Versions of judge policies and criteria sets: put, promoted and retired, without a database."""

import json
from uuid import UUID

import pytest
from support.jobstore.memory import MemoryJobstore

from contracts.judging.cases import hash_question, make_case
from contracts.judging.policy import JudgePolicy, Stage
from contracts.judging.versions import Counts, Evaluated, Measured, Report, make_golden
from jobstore.jobs.model import SIGNOFF
from jobstore.judging.commands import KeepEvaluation, PromoteVersion, PutVersion, ReportDefault, RetireName
from jobstore.judging.rules import (
    NAMES_MAX,
    POLICY_MAX_BYTES,
    RESERVED,
    VERSION_MAX,
    VERSIONS_MAX,
    Kind,
    Named,
    Policies,
    Version,
    Versions,
    format_body,
    hash_body,
)
from servicekit.errors import PermanentError

STRICT, POLITE = Named(Kind.JUDGE, "strict"), Named(Kind.CRITERIA, "house")
BODY, OTHER = '{"asks":"all"}', '{"asks":"each"}'


def code_of(jobstore: MemoryJobstore, command: PutVersion | PromoteVersion | RetireName | ReportDefault) -> str:
    with pytest.raises(PermanentError) as caught:
        jobstore.run(command)  # type: ignore[arg-type] # whatever it answers
    return caught.value.code


def test_the_first_version_of_a_policy_is_current_and_a_later_one_once_it_is_promoted(jobstore: MemoryJobstore) -> None:
    assert jobstore.put(*STRICT, BODY) == 1
    assert jobstore.put(*STRICT, OTHER, note="one ask for each") == 2
    assert [version.note for version in jobstore.uow[Policies].new] == ["one ask for each"]
    assert [(new.version, new.note) for new in jobstore.uow[Policies].new] == [(2, "one ask for each")]
    assert jobstore.names[STRICT].current == 1
    jobstore.run(PromoteVersion(STRICT, 2, "better on the golden set", actor=SIGNOFF))
    jobstore.run(PromoteVersion(STRICT, 2, "again", actor=SIGNOFF))
    assert (jobstore.names[STRICT].current, jobstore.names[STRICT].moves) == (2, 2)
    jobstore.run(PromoteVersion(STRICT, 1, "dearer", actor=SIGNOFF))
    assert [(move.move, move.version, move.reason) for move in jobstore.uow[Policies].moves] == [(3, 1, "dearer")]


def test_the_newest_version_of_a_set_is_current(jobstore: MemoryJobstore) -> None:
    assert [jobstore.put(*POLITE, f"Says {word}") for word in ("red", "blue", "red")] == [1, 2, 3]
    assert jobstore.names[POLITE].current == 3


def test_what_says_the_same_is_no_new_version_whatever_was_expected(jobstore: MemoryJobstore) -> None:
    for expected in (None, 0, 1, 7):
        assert jobstore.put(*STRICT, BODY, expected=expected if jobstore.names else None) == 1
    assert jobstore.put(*POLITE, BODY) == 1, "another kind has names of its own"


def test_who_changed_another_version_is_told(jobstore: MemoryJobstore) -> None:
    jobstore.put(*STRICT, BODY)
    jobstore.put(*POLITE, BODY)
    for expected in (0, 2):
        assert code_of(jobstore, PutVersion(STRICT, OTHER, expected=expected, actor=SIGNOFF)) == "judge_policy_conflict"
    assert code_of(jobstore, PutVersion(POLITE, OTHER, expected=0, actor=SIGNOFF)) == "criteria_set_conflict"
    assert jobstore.put(*STRICT, OTHER, expected=1) == 2


def test_of_two_that_put_at_once_each_has_a_version_of_its_own(jobstore: MemoryJobstore) -> None:
    same, one, other = (PutVersion(STRICT, body, actor=SIGNOFF) for body in (BODY, BODY, OTHER))
    assert jobstore.carry_out(same, one, other) == [1, 1, 2]
    told, late = jobstore.carry_out(
        PutVersion(STRICT, "{}", expected=2, actor=SIGNOFF), PutVersion(STRICT, "[]", expected=2, actor=SIGNOFF)
    )
    assert (told, late.code) == (3, "judge_policy_conflict")


def test_a_retired_name_can_be_promoted_again(jobstore: MemoryJobstore) -> None:
    jobstore.put(*STRICT, BODY)
    for reasons in (["too dear"], []):
        jobstore.run(RetireName(STRICT, "too dear", actor=SIGNOFF))
        assert [move.reason for move in jobstore.uow[Policies].moves] == reasons
    assert (jobstore.names[STRICT].current, jobstore.names[STRICT].moves) == (None, 2)
    jobstore.run(PromoteVersion(STRICT, 1, actor=SIGNOFF))
    assert jobstore.names[STRICT].current == 1


def test_what_is_not_there_cannot_be_promoted_or_retired(jobstore: MemoryJobstore) -> None:
    assert code_of(jobstore, PromoteVersion(STRICT, 1, actor=SIGNOFF)) == "unknown_judge_policy"
    assert code_of(jobstore, RetireName(POLITE, actor=SIGNOFF)) == "unknown_criteria_set"
    jobstore.put(*STRICT, BODY)
    assert code_of(jobstore, PromoteVersion(STRICT, 2, actor=SIGNOFF)) == "unknown_judge_policy"


def test_a_lost_name_is_put_back_under_its_number(jobstore: MemoryJobstore) -> None:
    assert jobstore.put(*STRICT, BODY, expected=17) == 17
    assert jobstore.put(*STRICT, OTHER) == 18
    assert code_of(jobstore, PutVersion(POLITE, BODY, expected=VERSION_MAX + 1, actor=SIGNOFF)) == "too_many_versions"
    assert jobstore.put(*POLITE, BODY, expected=VERSION_MAX) == VERSION_MAX


def test_nothing_grows_without_bounds(jobstore: MemoryJobstore) -> None:
    whole = {version: hash_body(str(version)) for version in range(1, VERSIONS_MAX + 1)}
    jobstore.names = {STRICT: Versions(whole, 1, 1)}
    assert code_of(jobstore, PutVersion(STRICT, BODY, actor=SIGNOFF)) == "too_many_versions"
    jobstore.names = {Named(Kind.JUDGE, str(n)): Versions({1: b""}, 1, 1) for n in range(NAMES_MAX)}
    assert code_of(jobstore, PutVersion(STRICT, BODY, actor=SIGNOFF)) == "too_many_names"
    assert jobstore.put(*POLITE, BODY) == 1
    assert code_of(jobstore, PutVersion(STRICT, "x" * (POLICY_MAX_BYTES + 1), actor=SIGNOFF)) == "payload_too_large"


def test_only_validators_change_what_is_their_own(jobstore: MemoryJobstore) -> None:
    assert jobstore.run(ReportDefault(RESERVED, BODY, actor=SIGNOFF)) == 1
    for command in (
        PutVersion(RESERVED, OTHER, actor=SIGNOFF),
        PromoteVersion(RESERVED, 1, actor=SIGNOFF),
        RetireName(RESERVED, actor=SIGNOFF),
    ):
        assert code_of(jobstore, command) == "judge_policy_reserved"


GOLDEN = Named(Kind.GOLDEN, "strict")


EVALUATION = UUID(int=7)


def case(number: int, *, label: bool) -> dict[str, object]:
    return {"id": f"{number}", "result": f"words {number}", "acceptance_criteria": "It rhymes", "label": label}


CASES = [case(number, label=number < 2) for number in range(4)]  # of which a perfect record shows 0.22
LEAST = {"true_positive_rate_min": 0.2, "true_negative_rate_min": 0.2}
SET, GOLDEN_BODY = make_golden([json.dumps(each).encode() for each in CASES], **LEAST)
OTHER_BODY = make_golden([json.dumps({**each, "title": "other"}).encode() for each in CASES], **LEAST)[1]


def evaluate(*, lets_pass: int = 0) -> Evaluated:
    """Return what is kept of an evaluation on the set: of a version that lets so many bad results pass."""
    letters = ["p"] * (2 + lets_pass) + ["f"] * (2 - lets_pass)
    counts = Counts(true_accepts=2, false_accepts=lets_pass, true_rejects=2 - lets_pass, false_rejects=0)
    questions = (hash_question(read.ask()) for each in CASES if not isinstance(read := make_case(each), str))
    return Evaluated(Measured(cases_hash=SET.cases_hash, overall=counts), dict(zip(questions, letters, strict=True)))


def report_on(reference: str, **overall: int) -> Report:
    return Report.model_validate({"evaluation": EVALUATION, "policies": [{"policy": reference, "overall": overall}]})


def promote(
    reason: str | None = None, report: Report | None = None, evaluated: Evaluated | None = None
) -> PromoteVersion:
    return PromoteVersion(STRICT, 2, reason, report, evaluated, actor=SIGNOFF)


@pytest.fixture
def guarded(jobstore: MemoryJobstore) -> MemoryJobstore:
    """A policy whose second version waits, and a golden set."""
    for body in (BODY, OTHER):
        jobstore.put(*STRICT, body)
    assert jobstore.put(*GOLDEN, GOLDEN_BODY) == 1
    return jobstore


def test_a_golden_set_is_of_a_policy_that_is_there(jobstore: MemoryJobstore) -> None:
    """Put before the first version, which is current at once, it would have let that one take over unseen."""
    for put in (None, Named(Kind.CRITERIA, "strict"), Named(Kind.JUDGE, "other")):
        if put is not None:
            jobstore.put(*put, BODY)
        assert code_of(jobstore, PutVersion(GOLDEN, GOLDEN_BODY, actor=SIGNOFF)) == "unknown_judge_policy"
    jobstore.put(*STRICT, BODY)
    jobstore.run(RetireName(STRICT, actor=SIGNOFF))
    assert jobstore.put(*GOLDEN, GOLDEN_BODY) == 1


def test_a_version_that_passes_the_golden_set_takes_over(guarded: MemoryJobstore) -> None:
    guarded.run(promote(report=report_on("strict@2", true_rejects=2), evaluated=evaluate()))
    assert guarded.names[STRICT].current == 2


@pytest.mark.parametrize(
    ("report", "evaluated", "code"),
    [
        (None, None, "golden_not_evaluated"),
        (report_on("strict@2"), None, "golden_not_kept"),
        (report_on("strict@2"), evaluate(lets_pass=1), "golden_failed"),
        (report_on("strict@2", true_rejects=2, false_accepts=0), evaluate(lets_pass=1), "golden_report_differs"),
        (report_on("strict@1"), None, "golden_other_version"),
        (report_on("strict@2"), Evaluated(evaluate().measured, {"0" * 64: "p"}), "golden_other_cases"),
    ],
)
def test_a_version_that_does_not_is_refused_unless_it_is_forced_with_a_reason(
    guarded: MemoryJobstore, report: Report | None, evaluated: Evaluated | None, code: str
) -> None:
    assert code_of(guarded, promote(report=report, evaluated=evaluated)) == code
    assert guarded.names[STRICT].current == 1
    guarded.run(promote("the set is old", report, evaluated))
    assert guarded.names[STRICT].current == 2
    assert [move.reason for move in guarded.uow[Policies].moves] == ["the set is old"]


def test_what_is_current_needs_no_report_and_a_retired_policy_does(guarded: MemoryJobstore) -> None:
    guarded.run(PromoteVersion(STRICT, 1, actor=SIGNOFF))
    guarded.run(RetireName(STRICT, actor=SIGNOFF))
    assert code_of(guarded, PromoteVersion(STRICT, 1, actor=SIGNOFF)) == "golden_not_evaluated"


def test_a_golden_set_is_replaced_and_removed(guarded: MemoryJobstore) -> None:
    assert guarded.put(*GOLDEN, OTHER_BODY) == 2
    assert code_of(guarded, promote(report=report_on("strict@2"), evaluated=evaluate())) == "golden_other_cases"
    guarded.run(RetireName(GOLDEN, actor=SIGNOFF))
    guarded.run(PromoteVersion(STRICT, 2, actor=SIGNOFF))
    assert guarded.names[STRICT].current == 2


def test_a_golden_set_is_its_policys_alone(guarded: MemoryJobstore) -> None:
    for kind, name in ((Kind.JUDGE, "mild"), (Kind.CRITERIA, "strict")):
        for body in (BODY, OTHER):
            guarded.put(kind, name, body)
        guarded.run(PromoteVersion(Named(kind, name), 1, actor=SIGNOFF))
        guarded.run(PromoteVersion(Named(kind, name), 2, actor=SIGNOFF))
    put = PutVersion(Named(Kind.GOLDEN, "default"), GOLDEN_BODY, actor=SIGNOFF)
    assert code_of(guarded, put) == "judge_policy_reserved"


def test_validators_of_two_settings_make_two_versions_however_often_they_report(jobstore: MemoryJobstore) -> None:
    reports = [ReportDefault(RESERVED, body, actor=SIGNOFF) for body in (BODY, OTHER) * 3]
    assert [jobstore.run(report) for report in reports] == [1, 2] * 3
    assert jobstore.names[RESERVED].current == 2
    large = ReportDefault(RESERVED, "x" * (POLICY_MAX_BYTES + 1), actor=SIGNOFF)
    assert code_of(jobstore, large) == "payload_too_large"


def test_a_version_has_all_that_it_leaves_to_defaults() -> None:
    policy = JudgePolicy(name="strict", stages=[Stage(kind="single")])
    version = Version("strict", 3, format_body(policy), is_retired=False)
    assert version.reference == "strict@3"
    assert '"loop":[{"from_submission":2,"confirm":false,"asks":1' in version.body
    assert JudgePolicy.model_validate_json(version.policy_json) == policy.model_copy(update={"version": 3})


def test_an_evaluation_is_kept_of_versions_that_are_known(guarded: MemoryJobstore) -> None:
    evaluated = [(reference, evaluate(lets_pass=2)) for reference in ("strict@1", "strict@9", "other@1", "strict")]
    assert guarded.run(KeepEvaluation(EVALUATION, evaluated, actor=SIGNOFF)) == ["strict@1"]
    (kept,) = guarded.evaluations.values()
    assert (kept.name, kept.version, kept.cases_hash, kept.evaluation) == ("strict", 1, SET.cases_hash, EVALUATION)
    assert Evaluated(Measured.model_validate_json(kept.measured), json.loads(kept.judged)) == evaluate(lets_pass=2)


def test_a_set_that_was_retired_is_current_again_once_it_is_put(jobstore: MemoryJobstore) -> None:
    jobstore.put(*STRICT, BODY)
    for put in (POLITE, GOLDEN):
        jobstore.put(*put, BODY)
        jobstore.run(RetireName(put, actor=SIGNOFF))
        assert jobstore.put(*put, BODY) == 1
        assert jobstore.names[put].current == 1
    jobstore.run(RetireName(STRICT, actor=SIGNOFF))
    assert jobstore.put(*STRICT, BODY) == 1
    assert jobstore.names[STRICT].current is None, "a policy is brought back by promoting"
