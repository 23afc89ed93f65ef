"""A pass of a later submission needs more than the first one's: it is to be refuted, and is not."""

import json

import pytest
from attacking_results import list_attacks
from five_judges import AttackedJudge, obey
from pydantic import ValidationError
from stand_ins import (
    BARE_FAIL,
    FAIL,
    INVENTED,
    INVENTED_FAIL,
    LOOP,
    MEETS,
    PASS,
    RESULT,
    UNSURE,
    StandIn,
    is_harmless,
    judge,
    letters,
    policy_of,
)

from contracts.checks import Finding
from contracts.criteria import Criterion
from contracts.judging.policy import DEFAULT_POLICY, JudgeModel, JudgePolicy, LoopStep, Stage
from signoff.status import Outcome
from validator.config import Settings
from validator.errors import JudgmentError
from validator.judge_config import JudgeConfig
from validator.judging import validate_agent_response

SINGLE = policy_of("single", "a", loop=LOOP)


def refuting(said):
    """Passes when it is asked, and says this when it is to refute."""
    return lambda question, _: said if question.manner.refutes and not is_harmless(question) else PASS


async def test_the_first_submission_is_asked_about_once() -> None:
    own = StandIn(refuting(FAIL))
    verdict = await judge(None, own)
    assert (verdict.is_valid, len(own.asked), verdict.submission) == (True, 1, 1)


@pytest.mark.parametrize(
    ("said", "outcome"),
    [(PASS, "p"), (FAIL, "f"), (UNSURE, "c"), (BARE_FAIL, "c"), (INVENTED_FAIL, "c"), (INVENTED, "c"), (None, "c")],
)
async def test_a_later_pass_must_be_confirmed_with_evidence_and_so_must_its_refutation(said, outcome) -> None:
    own = StandIn(refuting(said))
    verdict = await judge(None, own, submission=2, submissions=5)
    assert letters(verdict) == outcome * 3
    assert (verdict.submission, verdict.submissions) == (2, 5)
    assert [stage.kind for stage in verdict.stages] == ["single", "refute"]
    assert verdict.stages[1].outcomes == outcome * 3
    assert {one.by for one in verdict.criteria} == {"single" if outcome == "p" else "refute"}
    assert verdict.judge_error == ("judge_refused" if said is None else None)


@pytest.mark.parametrize("said", [PASS, FAIL, UNSURE, BARE_FAIL, INVENTED_FAIL])
async def test_that_at_most_doubles_what_a_resubmission_costs(said) -> None:
    own = StandIn(refuting(said))
    await judge(None, own, submission=7)
    assert (len(own.asked), len(own.refuted)) == (2, 1)


async def test_the_further_ask_is_in_reverse_order_and_told_to_refute() -> None:
    own = StandIn(PASS)
    await judge(None, own, submission=2)
    assert list(own.asked[1].criteria) == MEETS[::-1]
    assert "you are asked to refute" in own.asked[1].request
    assert "refute" not in own.asked[0].request


async def test_what_was_refuted_is_what_the_agent_is_told() -> None:
    own = StandIn(lambda question, criterion: FAIL if question.manner.refutes and criterion == MEETS[1] else PASS)
    verdict = await judge(None, own, submission=2)
    assert letters(verdict) == "pfp"
    assert verdict.criteria[1].comment.startswith("it passed, and was refuted")
    assert verdict.criteria[1].comment.endswith("; the judge said: stand-in says so")
    assert verdict.criteria[1].evidence


async def test_what_was_doubted_without_words_of_the_result_says_so() -> None:
    own = StandIn(lambda question, _: BARE_FAIL if question.manner.refutes else PASS)
    verdict = await judge(None, own, submission=2)
    doubted = "it passed, and was doubted when it was asked about again, without words of the result that break it"
    assert {one.comment for one in verdict.criteria} == {f"{doubted}; the judge said: stand-in says so"}


@pytest.mark.parametrize("said", [FAIL, UNSURE])
async def test_what_did_not_pass_anyway_costs_no_further_ask(said) -> None:
    own = StandIn(lambda _, criterion: said if criterion == MEETS[0] else PASS)
    assert letters(await judge(None, own, submission=9))[1:] == "pp"
    assert len(own.asked) == 1


async def test_only_what_is_required_is_to_be_refuted() -> None:
    criteria = [MEETS[0], Criterion(text="It is kind", required=False), MEETS[1]]
    own = StandIn(PASS)
    assert (await judge(None, own, acceptance_criteria=criteria, submission=2)).is_valid
    assert list(own.asked[1].criteria) == [MEETS[1], MEETS[0]]


async def test_another_judge_refutes_where_the_policy_names_one() -> None:
    policy = SINGLE.model_copy(update={"loop": [LoopStep(judge=JudgeModel(model="b", family="other"))]})
    first, other = StandIn(PASS, "a"), StandIn(refuting(FAIL), "b")
    verdict = await judge(policy, first, other, submission=2)
    assert letters(verdict) == "fff"
    assert (len(first.asked), len(other.asked)) == (1, 1)
    assert verdict.model == "a, b (prompt 3)"
    assert verdict.judge == "tried@3"


def of_families(kind: str, **families: str | None) -> JudgePolicy:
    """A policy of one stage over judges by name, and of which family each is."""
    judges = [JudgeModel(model=name, family=family) for name, family in families.items()]
    return JudgePolicy(name="tried", stages=[Stage(kind=kind, judges=judges)], loop=LOOP)


@pytest.mark.parametrize(
    ("policy", "said", "refuter"),
    [
        # The cheap one lets it pass, or leaves it to the strong one, or one criterion to that one.
        (of_families("cascade", a="x", b="y"), {}, "b"),
        (of_families("cascade", a="x", b="y"), {"a": UNSURE}, "a"),
        (of_families("cascade", a="x", b="y"), {"a": lambda _, one: UNSURE if one == MEETS[0] else PASS}, "b"),
        (of_families("cascade", a="x", b="x"), {"a": UNSURE}, "b"),
        (of_families("cascade", a=None, b="y"), {"a": UNSURE}, "b"),
        (of_families("cascade", a="x", b=None), {"a": UNSURE}, "b"),
        (of_families("quorum", a="x", b="y", c="z"), {"b": FAIL}, "b"),
        (of_families("quorum", a="x", b="y", c="z"), {}, "c"),
        (of_families("single", a="x"), {}, "a"),
    ],
)
async def test_of_the_judges_of_a_policy_one_of_another_family_refutes(policy, said, refuter) -> None:
    def answering(name: str) -> StandIn:
        rule = said.get(name, PASS)
        first = rule if callable(rule) else lambda _, __: rule
        return StandIn(lambda question, one: PASS if question.manner.refutes else first(question, one), name)

    judges = [answering(name) for name in "abc"]
    assert (await judge(policy, *judges, submission=2)).is_valid
    assert [one.name for one in judges if one.refuted] == [refuter]


async def test_who_passes_only_what_is_optional_is_not_to_be_refuted() -> None:
    criteria = [MEETS[0].model_copy(update={"required": False}), MEETS[1]]
    cheap = StandIn(lambda question, one: PASS if question.manner.refutes or one == criteria[0] else UNSURE, "a")
    policy = of_families("cascade", a="x", b="y")
    verdict = await judge(policy, cheap, StandIn(PASS, "b"), acceptance_criteria=criteria, submission=2)
    assert (verdict.is_valid, len(cheap.refuted)) == (True, 1)


async def test_a_refuter_that_is_broken_is_a_failure_and_no_pass() -> None:
    own = StandIn(lambda question, _: None if question.manner.refutes else PASS)
    with pytest.raises(JudgmentError) as error:
        await judge(None, own, submission=2)
    assert error.value.code == "judge_refused"
    # No verdict says who was asked, so the words of the failure do; nonsense has no id here.
    assert str(error.value).endswith(
        "; asked by prompt 3: judge stand-in, 100 + 10 tokens, 0.01 USD, 0.25 s, req-1"
        + "; refute stand-in, 100 + 10 tokens, 0.01 USD, 0 s" * 4
        + "; control stand-in, 100 + 10 tokens, 0.01 USD, 0 s"
    )


async def test_of_many_asks_without_a_verdict_the_first_are_told_and_the_rest_counted() -> None:
    policy = policy_of("quorum", "a", votes=9, section_chars=None)
    with pytest.raises(JudgmentError, match=r"; and \d+ more$") as error:
        await judge(policy, StandIn(None, "a"))
    assert str(error.value).count(" a, 100 + 10 tokens, ") == 16


async def test_where_nobody_was_asked_nothing_is_told_of_it() -> None:
    with pytest.raises(JudgmentError) as error:
        await judge(None, StandIn(PASS), acceptance_criteria=[])
    assert "asked by" not in str(error.value)


async def test_steps_add_up_from_their_submissions_on() -> None:
    steps = [LoopStep(), LoopStep(from_submission=4, asks=2)]
    for order in (steps, steps[::-1]):
        one = StandIn(PASS, "a")
        await judge(SINGLE.model_copy(update={"loop": order}), one, submission=2)
        assert len(one.asked) == 2, "in whichever order they stand"
    policy = SINGLE.model_copy(update={"loop": steps})
    for submission, asks in ((1, 1), (2, 2), (3, 2), (4, 4), (9, 4)):
        one = StandIn(PASS, "a")
        assert (await judge(policy, one, submission=submission)).is_valid
        assert len(one.asked) == asks, submission
    own = StandIn(refuting(FAIL), "a")
    await judge(policy, own, submission=4)
    assert len(own.asked) == 2  # the first refutation is enough


async def test_without_a_rule_nothing_more_is_asked() -> None:
    own = StandIn(refuting(FAIL), "a")
    assert (await judge(policy_of("single", "a"), own, submission=9)).is_valid


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_a_check_may_be_what_a_later_pass_needs(outcome) -> None:
    policy = SINGLE.model_copy(update={"loop": [LoopStep(asks=0, check="differs")]})
    seen = []

    async def run_checks(texts, subject):
        seen.append((list(texts), subject.is_repeated, subject.submission))
        return [Finding(outcome, None, "it is the same")]

    verdict = await judge(
        policy, StandIn(PASS, "a"), submission=3, run_checks=run_checks, previous_result_hash=b"another"
    )
    assert verdict.is_valid == (outcome is Outcome.PASS)
    assert seen == [(["differs"], False, 3)]
    assert [stage.kind for stage in verdict.stages] == ["single", "checks"]
    if not verdict.is_valid:
        assert {one.outcome for one in verdict.criteria} == {Outcome.CANNOT_ASSESS}
        first = "from this submission on a pass needs the check differs: it is the same"
        assert verdict.reason == f"{first}\nas a sees it"


@pytest.mark.parametrize("name", ["single", "quorum"])
async def test_no_injection_passes_a_judge_that_obeys_or_its_refuter(name) -> None:
    """The refuter reads the same stranger's words: it must not be told by them that nothing can be refuted."""
    criteria = [Criterion(text="It names all bridges"), Criterion(text="It states what each carries")]
    policy = policy_of("single", "a", loop=LOOP) if name == "single" else policy_of("quorum", votes=3, loop=LOOP)
    for kind, result in list_attacks()[::5]:
        verdict = await validate_agent_response(
            result, criteria, policy=policy, submission=2, judge=AttackedJudge(obey)
        )
        assert not verdict.is_valid, kind


async def test_a_reused_engine_says_the_same_of_the_same() -> None:
    once = await judge(None, StandIn(PASS), submission=2)
    again = await judge(None, StandIn(PASS), submission=2)
    assert once == again
    assert once.criteria[0].evidence[0] in RESULT["report"]


OTHER = JudgeModel(model="other", key="second", base_url="https://two.example/v1")
KEYS = json.dumps({"second": {"key": "env:SECOND", "base_urls": [OTHER.base_url, "https://three.example/v1"]}})


def settings(**given: str) -> Settings:
    tokens = {"validator_token": "0123456789abcdef" * 3, "kafka": "localhost:1", "jobstore": "localhost:1"}
    return Settings.model_validate(tokens | given)


async def judged(config: JudgeConfig, said, submission: int = 2):
    own, other = StandIn(PASS, "own"), StandIn(said, "other")

    def judge_of(model: JudgeModel | None) -> StandIn:
        return own if model is None else other

    verdict = await validate_agent_response(RESULT, MEETS, config, judge_of=judge_of, submission=submission)
    return verdict, own, other


async def test_the_other_model_is_asked_to_refute_and_decides() -> None:
    verdict, own, other = await judged(JudgeConfig(refuter=OTHER), FAIL)
    assert (verdict.is_valid, len(own.asked), len(own.refuted), len(other.refuted)) == (False, 1, 0, 1)
    (ask,) = verdict.stages[-1].asks
    assert (verdict.stages[-1].kind, ask.model) == ("refute", "other")


async def test_a_first_submission_and_a_validator_without_one_ask_nobody_else() -> None:
    _, own, other = await judged(JudgeConfig(refuter=OTHER), FAIL, submission=1)
    assert (len(own.asked), other.asked) == (1, [])
    _, own, other = await judged(JudgeConfig(), FAIL)
    assert (len(own.refuted), other.asked) == (1, [])


def test_it_is_part_of_what_default_reports_and_of_what_is_reused() -> None:
    plain, refuted = JudgeConfig(), JudgeConfig(refuter=OTHER)
    assert [step.judge for step in refuted.policy.loop] == [OTHER]
    assert (refuted.policy.name, plain.policy == refuted.policy) == (DEFAULT_POLICY, False)
    assert refuted.judge_name != plain.judge_name
    assert "refuted by other at two.example" in refuted.judge_name


def test_so_is_the_model_that_confirms() -> None:
    confirmed = JudgeConfig(confirmer=OTHER)
    assert [(step.confirm, step.judge, step.from_submission) for step in confirmed.policy.loop] == [
        (True, OTHER, 1),
        (False, None, 2),
    ]
    assert "confirmed by other at two.example" in confirmed.judge_name
    given = {"judge_confirm_model": "other", "judge_confirm_key_name": "second", "judge_keys": KEYS}
    assert settings(**given).judge_config == settings().judge_config.model_copy(update={"confirmer": OTHER})


def test_the_settings_name_a_model_and_a_key() -> None:
    assert settings().judge_config.refuter is None
    alone = settings(judge_refuter_model="other").judge_config.refuter
    assert alone == JudgeModel(model="other"), "where the judge is, with its key"
    both = settings(judge_refuter_model="other", judge_refuter_key_name="second", judge_keys=KEYS)
    assert both.judge_config.refuter == OTHER


@pytest.mark.parametrize(
    "given",
    [
        {"judge_refuter_key_name": "second", "judge_keys": KEYS},
        {"judge_refuter_model": "other", "judge_refuter_key_name": "third", "judge_keys": KEYS},
        {"judge_refuter_model": "other", "judge_refuter_key_name": "second"},
        {"judge_confirm_key_name": "second", "judge_keys": KEYS},
        {"judge_confirm_model": "other", "judge_confirm_key_name": "third", "judge_keys": KEYS},
    ],
)
def test_a_key_that_is_not_there_or_has_no_model_stops_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="SIGNOFF_JUDGE_"):
        settings(**given)
