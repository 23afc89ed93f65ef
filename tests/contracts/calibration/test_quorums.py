"""What stands beside a quorum: what its votes are worth on labels, and what should be looked at."""

import pytest

from contracts.judging.policy import JudgeModel, JudgePolicy, Stage
from contracts.judging.statistics import QuorumWorth, find_quorum_warnings, judge_panel

GOOD = [0, 0, 0, 0, 1, 0, 0, 0]
POOR = [1, 1, 1, 0, 1, 0, 0, 0]
OTHER = [0, 0, 1, 0, 0, 1, 0, 1]


def quorum(*models: str, votes: int | None = None, families: tuple[str | None, ...] = ()) -> JudgePolicy:
    families = families or (None,) * len(models)
    judges = [JudgeModel(model=model, family=family) for model, family in zip(models, families, strict=True)]
    return JudgePolicy(name="strict", version=2, stages=[Stage(kind="quorum", judges=judges, votes=votes)])


def codes(policy: JudgePolicy, measured: list[QuorumWorth] | None = None) -> list[str]:
    return [code for code, _ in find_quorum_warnings(policy, measured)]


def worth(*errors: list[int]) -> QuorumWorth:
    return judge_panel(errors)


def test_what_it_says_is_computed_and_not_believed():
    told = worth(GOOD, POOR, OTHER)
    again = QuorumWorth.model_validate(told.model_dump() | {"adds_nothing": False, "worth_votes": 9, "best_wrong": 0})
    assert again == told
    assert (again.best_wrong, again.majority_wrong, again.adds_nothing) == (1, 2, True)
    assert again.worth_votes == pytest.approx(judge_panel([GOOD, POOR, OTHER]).worth_votes)


@pytest.mark.parametrize(
    ("errors", "sentence"),
    [
        (
            [GOOD, POOR, OTHER],
            (
                "a quorum of 3 is worth 3.4 independent votes (95 % interval 1.8 to 29.3) on 8 labels "
                "(mean correlation of errors -0.06): its majority is wrong in 2, its best vote in 1; it adds "
                "nothing to that one"
            ),
        ),
        (
            [[0, 0], [0, 0]],
            (
                "a quorum of 2 is worth no known number of independent votes on 2 labels (mean correlation of errors "
                "undefined): its majority is wrong in 0, its best vote in 0; it adds nothing to that one"
            ),
        ),
        (
            [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            (
                "a quorum of 3 is worth no known number of independent votes on 3 labels (mean correlation of errors "
                "-0.50): its majority is wrong in 0, its best vote in 1"
            ),
        ),
    ],
)
def test_what_votes_are_worth_is_a_sentence(errors: list[list[int]], sentence: str) -> None:
    assert worth(*errors).sentence == sentence


@pytest.mark.parametrize(
    ("policy", "whose"),
    [
        (quorum(votes=3), "one model"),
        (quorum("a", votes=3), "a"),
        (quorum("a", "a", families=("x", "y")), "a"),
        (quorum("a", "b", families=("x", "x")), "the family x"),
    ],
)
def test_votes_of_one_model_or_one_family_are_warned_of(policy: JudgePolicy, whose: str) -> None:
    alike, other = find_quorum_warnings(policy, None)
    assert (alike[0], other[0]) == ("quorum_alike", "quorum_not_measured")
    assert alike[1].startswith(f"all votes are of {whose}, which errs alike")


@pytest.mark.parametrize("families", [(None, None, None), ("x", "x", None), ("x", "y", "y")])
def test_those_of_several_are_not(families: tuple[str | None, ...]) -> None:
    (only,) = find_quorum_warnings(quorum("a", "b", "c", families=families), None)
    assert only[0] == "quorum_not_measured"
    assert "signoff judge evaluate CASES.jsonl --judge strict@2" in only[1]


def test_one_that_adds_nothing_on_the_labels_names_its_best_vote() -> None:
    policy = quorum("a", "b", "c")
    ((code, message),) = find_quorum_warnings(policy, [worth(POOR, OTHER, GOOD)])
    assert code == "quorum_adds_nothing"
    assert message.endswith("take vote 3 (c) alone")
    ((_, message),) = find_quorum_warnings(quorum("a", "b", votes=3), [worth(POOR, OTHER, GOOD)])
    assert message.endswith("take vote 3 (a) alone")
    *_, (_, message) = find_quorum_warnings(quorum(votes=3), [worth(POOR, OTHER, GOOD)])
    assert message.endswith("take vote 3 alone")
    assert codes(policy, [worth([1, 0, 0], [0, 1, 0], [0, 0, 1])]) == []
    assert codes(policy, [worth(GOOD, GOOD)]) == ["quorum_not_measured"], "of other votes"


def test_other_stages_have_no_such_warning() -> None:
    assert codes(JudgePolicy(name="plain")) == []


def test_two_entries_that_are_asked_alike_are_one() -> None:
    first, second = JudgeModel(model="a", family="x", input_usd=1), JudgeModel(model="a", family="y")
    assert first.asked_as == second.asked_as != JudgeModel(model="a", parameters={"temperature": 1}).asked_as
