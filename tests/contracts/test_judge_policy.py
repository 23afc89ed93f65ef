"""A judge policy: what it may say, whom it names, and what it says by itself."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.fields import explain
from contracts.judging.policy import (
    DEFAULT_POLICY,
    PARAMETERS_MAX_BYTES,
    VERSIONED,
    JudgeModel,
    JudgePolicy,
    LoopStep,
    Stage,
    join_reference,
    name_judging,
    split_reference,
)

SINGLE, CHECKS = Stage(kind="single"), Stage(kind="checks")
JUDGES = [JudgeModel(model=f"judge-{number}") for number in range(10)]


def refused(model: type[Any], /, **fields: Any) -> tuple[str | None, str]:
    """The code and the words with which fields are refused; no words where they are taken."""
    try:
        model(**fields)
    except ValidationError as error:
        return explain(error)
    return None, ""


@pytest.mark.parametrize(
    ("kind", "judges", "votes", "says"),
    [
        ("checks", 0, None, ""),
        ("checks", 1, None, "a stage `checks` names 0 judges, and this one 1"),
        ("single", 0, None, ""),
        ("single", 1, None, ""),
        ("single", 2, None, "a stage `single` names 0 to 1 judges"),
        ("single", 1, 2, "only a quorum has votes"),
        ("cascade", 1, None, "a stage `cascade` names 2 judges, and this one 1"),
        ("cascade", 2, None, ""),
        ("cascade", 3, None, "a stage `cascade` names 2 judges, and this one 3"),
        ("quorum", 0, None, "a quorum needs two votes at least"),
        ("quorum", 0, 1, "a quorum needs two votes at least"),
        ("quorum", 0, 2, ""),
        ("quorum", 1, None, "a quorum needs two votes at least"),
        ("quorum", 2, None, ""),
        ("quorum", 3, 2, "a quorum has a vote for each of its judges at least"),
        ("quorum", 3, 3, ""),
        ("quorum", 9, None, ""),
        ("quorum", 10, None, "at most 9 items"),
        ("quorum", 0, 10, "must be at most 9"),
    ],
)
def test_a_stage_asks_as_many_as_its_kind_does(kind: str, judges: int, votes: int | None, says: str) -> None:
    words = refused(Stage, kind=kind, judges=JUDGES[:judges], votes=votes)[1]
    assert says in words
    assert bool(says) == bool(words)


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ([SINGLE], ""),
        ([CHECKS, SINGLE], ""),
        ([SINGLE, CHECKS], "`checks` is the first stage or none"),
        ([CHECKS, CHECKS, SINGLE], "`checks` is the first stage or none"),
        ([CHECKS], "a policy has one stage that asks judges"),
        ([SINGLE, SINGLE], "a policy has one stage that asks judges"),
        ([CHECKS, SINGLE, SINGLE], "a policy has one stage that asks judges"),
        ([], "must not be empty"),
        ([CHECKS] * 9, "at most 8 items"),
    ],
)
def test_one_stage_asks_judges_and_checks_come_first(stages: list[Stage], says: str) -> None:
    words = refused(JudgePolicy, name="strict", stages=stages)[1]
    assert says in words
    assert bool(says) == bool(words)


def test_a_policy_that_only_has_a_name_checks_asks_one_model_and_refutes_later_submissions() -> None:
    policy = JudgePolicy(name=DEFAULT_POLICY)
    assert (policy.stages, policy.loop, policy.reference) == ([CHECKS, SINGLE], [LoopStep()], "default")


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        ({"base_url": "https://judge.example/v1"}, None, ""),
        ({"base_url": "ftp://judge.example"}, None, "base_url: "),
        ({"base_url": "https://somebody@judge.example"}, None, "no user, password, query or fragment"),
        ({"base_url": "https://judge.example/?key=x"}, None, "no user, password, query or fragment"),
        ({"base_url": "https://judge.example/#x"}, None, "no user, password, query or fragment"),
        ({"parameters": {"a": "\u00e4" * ((PARAMETERS_MAX_BYTES - 8) // 2)}}, None, ""),
        ({"parameters": {"a": "\u00e4" * (PARAMETERS_MAX_BYTES // 2)}}, None, "must have at most 4000 bytes as JSON"),
        ({"parameters": {"a": "x" * (PARAMETERS_MAX_BYTES - 7)}}, None, "must have at most 4000 bytes as JSON"),
    ],
)
def test_a_model_has_an_address_and_parameters_that_can_be_kept(
    fields: dict[str, Any], code: str | None, says: str
) -> None:
    told, words = refused(JudgeModel, model="judge", **fields)
    assert (told, says in words, bool(words)) == (code, True, bool(says)), words


def test_a_check_of_the_loop_is_one() -> None:
    assert refused(LoopStep, check="max_words 5") == (None, "")
    code, words = refused(LoopStep, check="max_wrods 5")
    assert (code, "max_wrods" in words) == ("check_unknown", True)


@pytest.mark.parametrize(
    ("input_usd", "output_usd", "price"),
    [("2", "3", "0.8"), ("2", None, "0.2"), (None, "3", "0.6"), (None, None, None)],
)
def test_a_price_is_of_a_million_tokens(input_usd: str | None, output_usd: str | None, price: str | None) -> None:
    judge = JudgeModel(model="judge", input_usd=input_usd, output_usd=output_usd)
    assert judge.price(100_000, 200_000) == (price and Decimal(price))


@pytest.mark.parametrize(("cached_usd", "price"), [("0.2", "0.746"), ("0", "0.74"), (None, "0.8")])
def test_cached_tokens_have_a_price_of_their_own(cached_usd: str | None, price: str) -> None:
    judge = JudgeModel(model="judge", input_usd=2.0, cached_usd=cached_usd, output_usd=3.0)
    assert judge.price(100_000, 200_000, 30_000) == Decimal(price)
    assert judge.price(100, 0, 10**9) == Decimal(100) / 1_000_000 * Decimal(cached_usd or 2)


def test_what_a_model_costs_and_whose_it_is_changes_no_answer() -> None:
    judge = JudgeModel(model="judge")
    same = JudgeModel(model="judge", family="of judges", input_usd=1.0, output_usd=2.0)
    assert same.asked_as == judge.asked_as
    assert JudgeModel(model="judge", parameters={"temperature": 1}).asked_as != judge.asked_as


def test_the_models_that_a_policy_names_are_listed_those_of_the_loop_last() -> None:
    first, second, third, fourth = JUDGES[:4]
    stages = [CHECKS, Stage(kind="quorum", judges=[first, second])]
    policy = JudgePolicy(name="strict", stages=stages, loop=[LoopStep(judge=third), LoopStep(), LoopStep(judge=fourth)])
    assert list(policy.list_judges()) == [first, second, third, fourth]


def test_a_reference_names_a_version_or_the_newest() -> None:
    assert JudgePolicy(name="strict", version=3).reference == join_reference("strict", 3) == "strict@3"
    assert (split_reference("strict@3"), split_reference("strict")) == (("strict", 3), ("strict", None))
    assert "must be a name of small letters" in refused(JudgePolicy, name="Strict")[1]
    assert [bool(VERSIONED.fullmatch(each)) for each in ("strict@3", "strict", "strict@0", "@3")] == [True] + [
        False
    ] * 3
    assert (name_judging("gpt", None), name_judging("gpt", "strict@3")) == ("gpt", "gpt by strict@3")


def test_judges_see_the_task_unless_a_policy_says_otherwise_and_feedback_only_where_it_names_it() -> None:
    assert JudgePolicy(name="a").task == ["title", "description", "payload"]
    assert JudgePolicy(name="a", task=[]).task == []
    assert JudgePolicy(name="a", task=["title", "feedback"]).task == ["title", "feedback"]
    assert refused(JudgePolicy, name="a", task=["title", "title"])[1].endswith("names a member twice")
    assert refused(JudgePolicy, name="a", task=["acceptance_criteria"])[1] != ""


def test_a_step_that_confirms_begins_at_once_and_does_nothing_else() -> None:
    step = LoopStep(confirm=True)
    assert (step.from_submission, step.asks) == (1, 0)
    assert LoopStep(confirm=True, from_submission=3).from_submission == 3
    assert LoopStep.model_validate_json(step.model_dump_json()) == step
    for other in ({"asks": 1}, {"check": "max_words 5"}):
        assert "steps of their own" in refused(LoopStep, confirm=True, **other)[1]


def test_the_refuter_follows_where_a_loop_only_confirms() -> None:
    confirm, check = LoopStep(confirm=True), LoopStep(asks=0, check="differs")
    assert JudgePolicy(name="a", loop=[confirm]).steps == [confirm, LoopStep()]
    for loop in ([], [LoopStep(from_submission=1)], [confirm, LoopStep(from_submission=4)], [check, confirm]):
        assert JudgePolicy(name="a", loop=loop).steps == loop
