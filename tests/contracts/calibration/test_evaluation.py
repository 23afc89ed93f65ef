"""What is counted of policies on labelled cases, and what a golden set makes of it."""

from decimal import Decimal

import pytest

from contracts.judging.cases import make_case
from contracts.judging.evaluation import CRITERIA_MAX, LISTED_MAX, Asked, Evaluation, Judged
from contracts.judging.policy import Verdict
from contracts.judging.statistics import wilson
from signoff.judging import Ask, CriterionVerdict, StageVerdict
from signoff.status import Outcome


def make(name="a", label=True, criteria=("It rhymes",), labels=None, **more):
    fields = {"id": name, "result": "words", "acceptance_criteria": "\n".join(criteria), "label": label}
    return make_case({**fields, "labels": labels, **more})


def judged(outcomes, *asks, error=None):
    return Judged(outcomes, set(outcomes) == {"p"}, asks, error)


def evaluate(*pairs, policy="a@1"):
    """Return the report of one policy: pairs of a label and outcomes of one criterion, each case judged once."""
    evaluation = Evaluation([policy])
    for number, (label, outcomes) in enumerate(pairs):
        evaluation.add(make(f"{number}", label, labels=[label]), {policy: [judged(outcomes)]})
    return evaluation.report()


def test_each_judgement_is_counted_by_criterion_and_in_all():
    evaluation = Evaluation(["a@1"])
    both = ("It rhymes", "never: It swears")
    evaluation.add(make("1", criteria=both, labels=[True, True]), {"a@1": [judged("pp")]})
    evaluation.add(make("2", None, both, [True, False]), {"a@1": [judged("pp")]})
    evaluation.add(make("3", None, both, [False, None]), {"a@1": [judged("cp")]})
    evaluation.add(make("4", None, ("It rhymes",), [True]), {"a@1": [judged("f")]})
    evaluation.add(make("5", None, ("It rhymes",), [True]), {"a@1": [judged("-")]})
    (report,) = evaluation.report()["policies"]
    assert evaluation.report()["cases"] == 5
    assert (report["overall"]["good"], report["overall"]["bad"], report["criteria_not_listed"]) == (3, 2, 0)
    counted = ("labelled", "true_accepts", "false_accepts", "true_rejects", "false_rejects", "unsure")
    assert [report["overall"][name] for name in counted] == [5, 1, 1, 1, 2, 2]
    assert [report["all_criteria"][name] for name in counted] == [7, 3, 1, 1, 2, 2]
    first, second = report["criteria"]
    assert (first["criterion"], [first[name] for name in counted]) == ("It rhymes", [5, 2, 0, 1, 2, 2])
    assert (second["criterion"], [second[name] for name in counted]) == ("never: It swears", [2, 1, 1, 0, 0, 0])
    assert report["overall"]["false_accept_rate"] == pytest.approx(
        {"share": 0.5, "low": 0.0945, "high": 0.9055}, abs=1e-4
    )
    assert report["overall"]["kappa"] == pytest.approx(-2 / 13)


def test_of_one_label_alone_kappa_and_the_other_rate_are_undefined():
    overall = evaluate((True, "p"), (True, "p"))["policies"][0]["overall"]
    assert overall["kappa"] is None
    assert overall["true_negative_rate"] == {"share": None, "low": None, "high": None}


def test_of_no_cases_nothing_is_said():
    (report,) = Evaluation(["a@1"]).report()["policies"]
    assert report["overall"]["agreement"]["share"] is None
    assert (report["asks"], report["cost_usd"], report["latency_s"]["median"]) == (0, "0", None)


def test_what_was_not_judged_is_told_and_not_counted():
    evaluation = Evaluation(["a@1"])
    evaluation.add(make("1"), {"a@1": [judged("-", error="judge_invalid_json")]})
    evaluation.add(make("2"), {"a@1": [judged("-", error="judge_invalid_json")]})
    evaluation.add(make("3"), {"a@1": [judged("p")]})
    report = evaluation.report()
    assert report["policies"][0]["unjudged"] == {"judge_invalid_json": 2}
    assert report["policies"][0]["overall"]["labelled"] == 1
    assert report["disagreements"]["total"] == 0


def test_outcomes_of_other_criteria_are_a_bug_and_not_counted():
    with pytest.raises(ValueError, match="has 1 criteria, and 2 were judged"):
        Evaluation(["a@1"]).add(make("1"), {"a@1": [judged("pp")]})


def test_the_first_of_repeats_counts_and_flips_are_told():
    evaluation = Evaluation(["a@1"])
    evaluation.add(make("1"), {"a@1": [judged("p"), judged("f"), judged("p")]})
    evaluation.add(make("2"), {"a@1": [judged("p"), judged("p"), judged("p")]})
    evaluation.add(make("3"), {"a@1": [judged("p"), judged("-", error="x"), judged("p")]})
    evaluation.add(make("4"), {"a@1": [judged("f"), judged("-", error="x"), judged("-", error="x")]})
    (report,) = evaluation.report()["policies"]
    assert report["overall"]["labelled"] == 4
    assert (report["flips"]["cases"]["count"], report["flips"]["cases"]["share"]) == (1, pytest.approx(1 / 3))
    assert (report["flips"]["criteria"]["count"], report["flips"]["criteria"]["share"]) == (1, pytest.approx(1 / 3))


def test_unsure_and_failed_are_no_flip():
    evaluation = Evaluation(["a@1"])
    evaluation.add(make("1"), {"a@1": [judged("c"), judged("f")]})
    assert evaluation.report()["policies"][0]["flips"]["criteria"]["count"] == 0


def test_cost_and_latency_are_of_all_asks_and_what_is_unknown_is_told():
    evaluation = Evaluation(["a@1"])
    asks = [
        Asked("cheap", "c", Decimal("0.1"), 1.0, 10),
        Asked("strong", "p", Decimal("0.5"), 3.0, 20),
        Asked("strong", None, None, None),
    ]
    evaluation.add(make("1"), {"a@1": [judged("p", *asks), judged("p", asks[0])]})
    (report,) = evaluation.report()["policies"]
    assert (report["asks"], report["tokens"], report["asks_of_unknown_cost"]) == (4, 40, 1)
    assert report["cost_usd"] == "0.7"
    assert report["latency_s"] == {"median": 1.0, "p95": 3.0}
    free = Evaluation(["a@1"])
    free.add(make("1"), {"a@1": [judged("p", Asked("judge", "p"))]})
    assert free.report()["policies"][0]["cost_usd"] is None


def test_two_policies_are_compared_on_the_cases_that_both_judged():
    evaluation = Evaluation(["a@1", "a@2"])
    for number in range(6):
        evaluation.add(make(f"{number}", label=False), {"a@1": [judged("p")], "a@2": [judged("f")]})
    for number in range(2):
        evaluation.add(make(f"first {number}"), {"a@1": [judged("p")], "a@2": [judged("f")]})
    for number in range(3):
        evaluation.add(make(f"neither {number}"), {"a@1": [judged("f")], "a@2": [judged("f")]})
    evaluation.add(make("both"), {"a@1": [judged("p")], "a@2": [judged("p")]})
    evaluation.add(make("lost"), {"a@1": [judged("p")], "a@2": [judged("-", error="x")]})
    (comparison,) = evaluation.report()["comparisons"]
    assert comparison == {
        "first": "a@1",
        "second": "a@2",
        "both_right": 1,
        "only_first_right": 2,
        "only_second_right": 6,
        "both_wrong": 3,
        "p": 0.2890625,
    }


def test_policies_are_told_apart():
    for policies in ([], ["a@1", "a@1"]):
        with pytest.raises(ValueError, match="each once"):
            Evaluation(policies)


def test_votes_of_a_quorum_are_worth_what_their_errors_say():
    evaluation = Evaluation(["a@1"])
    for number, said in enumerate(["ppf", "ppp", "fff", "ppp"]):
        votes = [Asked("vote", letter) for letter in said]
        evaluation.add(make(f"{number}", labels=[True]), {"a@1": [judged("p", *votes, Asked("refute", "p"))]})
    evaluation.add(make("lost", labels=[True]), {"a@1": [judged("p", *[Asked("vote", None)] * 3)]})
    ((quorum,),) = [report["quorum"] for report in evaluation.report()["policies"]]
    assert (quorum["votes"], quorum["labels"], quorum["majority_wrong"], quorum["best_wrong"]) == (3, 5, 2, 2)
    assert quorum["adds_nothing"]
    assert 1 < quorum["worth_votes"] < 3


def test_votes_that_are_halved_are_no_pass():
    """As in the quorum itself: of two votes that err in different good cases none is let pass."""
    evaluation = Evaluation(["a@1"])
    for said, label, times in [
        ("fp", True, 10),
        ("pf", True, 10),
        ("pp", True, 30),
        ("ff", False, 45),
        ("pf", False, 5),
    ]:
        for number in range(times):
            votes = [Asked("vote", letter) for letter in said]
            evaluation.add(make(f"{said} {number}", label, labels=[label]), {"a@1": [judged("f", *votes)]})
    ((quorum,),) = [report["quorum"] for report in evaluation.report()["policies"]]
    assert (quorum["wrong"], quorum["majority_wrong"], quorum["adds_nothing"]) == ([15, 10], 20, True)


@pytest.mark.parametrize(
    ("criterion", "asks", "wrong"),
    [
        # The first vote was asked twice, since its first answer was nonsense; the second is of no opinion.
        ("It rhymes", [(1, None), (1, "p"), (2, "-")], [0, 1]),
        # One ask a criterion: each answers one of them.
        ("It rhymes", [(1, "p"), (1, "-"), (2, "-"), (2, "f")], [0, 1]),
        # Of a result in parts, one part shows that the first says yes.
        ("It rhymes", [(1, "f"), (1, "p"), (1, "f"), (2, "f"), (2, "c")], [0, 1]),
        ("never: It swears", [(1, "p"), (1, "f"), (1, "p"), (2, "p"), (2, "p")], [1, 0]),
    ],
)
def test_a_vote_may_take_several_asks(criterion, asks, wrong):
    evaluation = Evaluation(["a@1"])
    votes = [Asked("vote", outcomes, vote=vote) for vote, outcomes in asks]
    for number in range(3):
        evaluation.add(make(f"{number}", criteria=[criterion], labels=[True]), {"a@1": [judged("p", *votes)]})
    ((quorum,),) = [report["quorum"] for report in evaluation.report()["policies"]]
    assert (quorum["labels"], quorum["wrong"]) == (3, [3 * one for one in wrong])


def test_one_vote_alone_and_checks_are_no_quorum():
    evaluation = Evaluation(["a@1"])
    evaluation.add(make("1", labels=[True]), {"a@1": [judged("p", Asked("vote", "p"))]})
    assert evaluation.report()["policies"][0]["quorum"] == []
    both = ("It rhymes", "check: max_words 5")
    evaluation.add(make("2", criteria=both, labels=[True, True]), {"a@1": [judged("pp", *[Asked("vote", "p-")] * 2)]})
    assert evaluation.report()["policies"][0]["quorum"][0]["labels"] == 1


def test_asks_that_are_told_as_a_sum_count_as_many_and_have_no_latency_of_their_own():
    evaluation = Evaluation(["a@1"])
    asks = [Asked("judge", "p", None, 1.0), Asked("judge", None, Decimal(2), 9.0, together=4)]
    evaluation.add(make("1"), {"a@1": [judged("p", *asks)]})
    (report,) = evaluation.report()["policies"]
    assert (report["asks"], report["asks_of_unknown_cost"], report["latency_s"]["p95"]) == (5, 1, 1.0)


def test_disagreements_are_kept_to_be_read_and_no_more_than_can_be():
    report = evaluate((False, "p"), (True, "p"), *[(False, "p")] * 200)
    assert report["disagreements"]["total"] == 201
    assert len(report["disagreements"]["items"]) == 200


def test_a_disagreement_is_kept_with_all_that_is_read_of_it():
    evaluation = Evaluation(["a@1", "a@2"])
    case = make("0", False, ("It rhymes", "never: It swears"), [False, None], title="A poem")
    evaluation.add(case, {"a@1": [judged("pp")], "a@2": [judged("--", error="judge_invalid_json")]})
    assert evaluation.report()["disagreements"]["items"] == [
        {
            "id": "0",
            "title": "A poem",
            "result": {"text": "words", "chars_left_out": 0},
            "label": False,
            "criteria": ["It rhymes", "never: It swears"],
            "labels": [False, None],
            "judged": {
                "a@1": {"accepted": True, "outcomes": "pp", "reason": ""},
                "a@2": {"error": "judge_invalid_json"},
            },
        }
    ]


def test_a_disagreement_has_the_evidence_that_was_given():
    evaluation = Evaluation(["a@1"])
    case = make("1", False, ("It rhymes", "It is short"))
    evaluation.add(case, {"a@1": [judged("pp")._replace(evidence=[["the words"], []])]})
    (item,) = evaluation.report()["disagreements"]["items"]
    assert item["judged"]["a@1"]["evidence"] == [["the words"], []]


def test_a_long_result_is_cut_and_says_so():
    evaluation = Evaluation(["a@1"])
    fields = {"id": "a", "acceptance_criteria": "It rhymes", "label": False}
    evaluation.add(make_case({**fields, "result": ["x" * 20_000]}), {"a@1": [judged("p")]})
    (item,) = evaluation.report()["disagreements"]["items"]
    assert (len(item["result"]["text"]), item["result"]["chars_left_out"]) == (20_000, 4)


def test_a_verdict_says_what_each_criterion_and_ask_did():
    criteria = [CriterionVerdict(text=f"{outcome}", outcome=outcome) for outcome in Outcome]
    criteria[0].evidence = ["the words"]
    ask = Ask(
        model="m", role="vote", outcomes="pf-", cost_usd=0.1, latency_s=2.0, input_tokens=3, output_tokens=4, vote=2
    )
    stage = StageVerdict(
        kind="quorum", outcomes="pf-", asks=[ask, Ask(model="m", input_tokens=1, sum_of=3), Ask(model="m")]
    )
    verdict = Verdict(is_valid=False, reason="no", criteria=criteria, stages=[stage], judge="strict@3")
    asks = [
        Asked("vote", "pf-", Decimal("0.1"), 2.0, 7, 2),
        Asked("judge", None, None, None, 1, None, 3),
        Asked("judge", None),
    ]
    assert Judged.of(verdict) == Judged("pfc", False, asks, None, "no", "strict@3", [["the words"], [], []])
    older = Verdict(is_valid=False, reason="", criteria=criteria, judge_error="judge_canary")
    assert Judged.of(older) == Judged("pfc", False, [], "judge_canary", evidence=[["the words"], [], []])


def test_a_criterion_alone_may_disagree():
    evaluation = Evaluation(["a@1"])
    case = make("1", False, ("It rhymes", "It is short"), [True, False])
    evaluation.add(case, {"a@1": [judged("fp")]})
    assert evaluation.report()["disagreements"]["total"] == 1


def test_a_report_lists_the_criteria_with_the_most_labels_and_counts_the_others():
    evaluation = Evaluation(["a@1"])
    for number in range(LISTED_MAX + 5):
        evaluation.add(make(f"{number}", criteria=[f"It says {number}"], labels=[True]), {"a@1": [judged("p")]})
    evaluation.add(make("again", criteria=["It says 77"], labels=[True]), {"a@1": [judged("f")]})
    (report,) = evaluation.report()["policies"]
    assert report["criteria"][0]["criterion"] == "It says 77"
    assert (len(report["criteria"]), report["criteria_not_listed"]) == (LISTED_MAX, 5)


def test_criteria_without_number_do_not_fill_the_memory():
    evaluation = Evaluation(["a@1"])
    case = make("a", labels=[True])
    for number in range(CRITERIA_MAX + 3):
        case.criteria[0] = case.criteria[0].model_copy(update={"text": f"{number}"})
        evaluation.add(case, {"a@1": [judged("p")]})
    (report,) = evaluation.report()["policies"]
    assert (report["labels_not_told_apart"], report["all_criteria"]["labelled"]) == (3, CRITERIA_MAX + 3)
    assert report["criteria_not_listed"] == CRITERIA_MAX - LISTED_MAX


def test_an_optional_criterion_that_fails_makes_no_verdict_sure():
    evaluation = Evaluation(["a@1"])
    evaluation.add(make("1", True, ("It rhymes", "optional: It is short")), {"a@1": [judged("cf")]})
    assert evaluation.report()["policies"][0]["overall"]["unsure"] == 1


def test_intervals_of_criteria_are_by_case_and_of_one_criterion_each_they_are_wilsons():
    alone, together = Evaluation(["a@1"]), Evaluation(["a@1"])
    for number in range(40):
        said = "f" if number % 10 == 0 else "p"
        alone.add(make(f"{number}", labels=[True]), {"a@1": [judged(said)]})
        criteria = [f"It says {n}" for n in range(5)]
        together.add(make(f"{number}", True, criteria, [True] * 5), {"a@1": [judged(said * 5)]})
    (one,), (five,) = alone.report()["policies"], together.report()["policies"]
    assert one["all_criteria"]["agreement"] == wilson(36, 40)._asdict()
    assert five["criteria"][0]["agreement"] == wilson(36, 40)._asdict()
    assert five["all_criteria"]["labelled"] == 200
    by_case, as_if_alone = five["all_criteria"]["agreement"], wilson(180, 200)
    assert by_case["share"] == 0.9
    assert by_case["high"] - by_case["low"] > 2 * (as_if_alone.high - as_if_alone.low), "errs in 4 cases, and not in 20"


def test_a_criterion_that_stands_twice_in_a_case_is_counted_by_case():
    evaluation = Evaluation(["a@1"])
    for number in range(10):
        case = make(f"{number}", True, ("It rhymes", "It rhymes"), [True, True])
        evaluation.add(case, {"a@1": [judged("ff" if number < 2 else "pp")]})
    ((criterion,),) = [report["criteria"] for report in evaluation.report()["policies"]]
    assert criterion["labelled"] == 20
    assert criterion["agreement"]["low"] < wilson(16, 20).low


def test_what_a_quorum_is_worth_has_an_interval_that_is_by_case():
    alone, together = Evaluation(["a@1"]), Evaluation(["a@1"])
    for number in range(40):
        votes = ["fff", "fpp", "ppp", "pfp", "ppp"][number % 5]
        alone.add(make(f"{number}", labels=[True]), {"a@1": [judged("p", *[Asked("vote", said) for said in votes])]})
        criteria = [f"It says {n}" for n in range(4)]
        asks = [Asked("vote", said * 4) for said in votes]
        together.add(make(f"{number}", True, criteria, [True] * 4), {"a@1": [judged("pppp", *asks)]})
    ((one,), (four,)) = [each.report()["policies"][0]["quorum"] for each in (alone, together)]
    assert one["worth_votes_low"] < one["worth_votes"] < one["worth_votes_high"]
    assert one["worth_votes"] == pytest.approx(four["worth_votes"])
    widths = [each["worth_votes_high"] - each["worth_votes_low"] for each in (one, four)]
    assert widths[1] == pytest.approx(widths[0]), "four criteria of a case say no more than one"


def confirmed(single, confirm, *costs):
    """A verdict on one criterion that was confirmed, or was not, by asks at these costs."""
    letters = {"p": Outcome.PASS, "c": Outcome.CANNOT_ASSESS}
    asks = [Ask(model="b", role="confirm", cost_usd=cost) for cost in costs]
    stages = [StageVerdict(kind="single", outcomes=single), StageVerdict(kind="confirm", outcomes=confirm, asks=asks)]
    one = CriterionVerdict(text="It rhymes", outcome=letters[confirm], evidence=["words"])
    return Judged.of(Verdict.of([one], "because", stages=stages if costs else stages[:1]))


def test_what_confirming_is_worth_is_how_many_of_the_bad_and_of_the_good_it_stops():
    evaluation = Evaluation(["a@1"])
    cases = [(False, "c", 0.5), (False, "p", 0.5), (False, "c", 0.5, 0.25), (True, "p", 0.5), (True, "c", 0.5)]
    for number, (label, confirm, *costs) in enumerate(cases):
        evaluation.add(make(f"{number}", label, labels=[label]), {"a@1": [confirmed("p", confirm, *costs)]})
    evaluation.add(make("never asked", False, labels=[False]), {"a@1": [confirmed("c", "c")]})
    (report,) = evaluation.report()["policies"]
    counts = {"bad": 3, "bad_stopped": 2, "good": 2, "good_stopped": 1}
    assert report["confirm"] == {**counts, "asks": 6, "cost_usd": "2.75"}


def test_confirming_at_an_unknown_price_and_none_at_all():
    evaluation = Evaluation(["a@1"])
    evaluation.add(make("1", False, labels=[False]), {"a@1": [confirmed("p", "c", 0.5, None)]})
    assert evaluation.report()["policies"][0]["confirm"]["cost_usd"] is None
    assert evaluate((True, "p"))["policies"][0]["confirm"] is None
