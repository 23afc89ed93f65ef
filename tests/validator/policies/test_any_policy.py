"""Whatever the policy and whatever judges say, a pass has words of the result, and a verdict fits a record."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import RESULT, TRUE, Said, StandIn, policy_of

from contracts.checks import Finding
from contracts.criteria import Criterion
from contracts.evidence import Evidence
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage, Verdict, find_mismatch
from contracts.resources import Usage
from contracts.topics import JUDGED_MAX_BYTES, measure
from signoff.status import Outcome
from validator.errors import JudgmentError
from validator.judging import validate_agent_response
from validator.prompt import CRITERIA_MAX
from validator.verdict import ASKS_MAX

CRITERIA = [
    Criterion(text="It says what the old bridge carries"),
    Criterion(text="It names a bridge that is closed", kind="never"),
    Criterion(text="It is kind", required=False),
    Criterion(text="max_words 200", kind="check"),
]
#: What stands in RESULT, what does not, and what is too little.
QUOTES = [TRUE, "It stays open for everybody", '"done": true', "It", "the newest bridge of all", "", None]

models = st.sampled_from([JudgeModel(model=name) for name in "abc"])
stages = st.one_of(
    st.builds(lambda judges: Stage(kind="single", judges=judges), st.lists(models, max_size=1)),
    st.builds(lambda judges: Stage(kind="quorum", judges=judges), st.lists(models, min_size=2, max_size=5)),
    st.builds(lambda votes: Stage(kind="quorum", votes=votes), st.integers(2, 9)),
    st.builds(lambda judges: Stage(kind="cascade", judges=judges), st.lists(models, min_size=2, max_size=2)),
)
steps = st.builds(
    LoopStep,
    from_submission=st.integers(2, 3),
    asks=st.integers(0, 3),
    judge=st.none() | models,
    check=st.sampled_from([None, "max_words 200"]),
)
policies = st.builds(
    lambda first, stage, **fields: JudgePolicy(name="any", version=1, stages=[*first, stage], **fields),
    st.sampled_from([[], [Stage(kind="checks")]]),
    stages,
    asks=st.sampled_from(["all", "each"]),
    judge_after_checks=st.booleans(),
    loop=st.lists(steps, max_size=3),
    section_chars=st.sampled_from([None, 2_000]),
)
said = st.none() | st.builds(
    Said, st.sampled_from(["pass", "pass", "pass", "fail", "cannot_assess"]), st.sampled_from(QUOTES)
)
findings = st.builds(Finding, st.sampled_from(Outcome), st.sampled_from([None, "12 words"]), st.just("so it is"))


@given(policies, st.integers(1, 4), st.booleans(), st.data())
async def test_no_verdict_is_valid_without_words_of_the_result_for_all_that_is_required(
    policy: JudgePolicy, submission: int, is_long: bool, data: st.DataObject
) -> None:
    result = {**RESULT, "more": "And on it goes, and on. " * 300} if is_long else RESULT
    judges = {name: StandIn(lambda *_: data.draw(said), name) for name in "abc"}

    async def run_checks(texts: Any, _: Any) -> list[Finding]:
        return [data.draw(findings) for _ in texts]

    try:
        verdict = await validate_agent_response(
            result,
            CRITERIA,
            {"max_asks": 2},
            judge_of=lambda model: judges[model.model if model else "a"],
            policy=policy,
            submission=submission,
            run_checks=run_checks,
        )
    except JudgmentError:
        return
    assert find_mismatch(CRITERIA, verdict) is None
    evidence = Evidence(result)
    for criterion in verdict.criteria:
        if criterion.outcome is Outcome.PASS and criterion.kind != "check":
            assert all(map(evidence.is_quoted, criterion.evidence))
    if (
        verdict.is_valid
        and submission >= 2
        and any(step.asks for step in policy.loop if submission >= step.from_submission)
    ):
        assert any(stage.kind == "refute" for stage in verdict.stages or [])
    asked = sum(len(judge.asked) for judge in judges.values())
    assert sum(ask.sum_of or 1 for stage in verdict.stages or [] for ask in stage.asks) == asked
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.real
async def test_a_verdict_of_100_criteria_and_nine_votes_fits_whatever_is_written() -> None:
    character = "\N{GRINNING FACE}"  # of four bytes
    words = f"{TRUE} " + "wörter " * 400
    criteria = [Criterion(text=f"Criterion number {n}") for n in range(100)]

    class Wordy(StandIn):
        async def ask(self, question: Any) -> Any:
            reply = await super().ask(question)
            return replace(reply, model=character * 5_000, request_id=character * 5_000)

    usage = Usage(input_tokens=2**50, output_tokens=2**50, cost_usd=1.0 / 3)
    # Passes on words that do not stand there are asked about as often as it goes.
    own = Wordy(Said("pass", "nowhere to be found"), "a", usage)
    own.comment = character * 3_000
    policy = policy_of("quorum", votes=9, loop=[LoopStep(asks=9)] * 8, asks="all")
    verdict = await validate_agent_response({"text": words}, criteria, policy=policy, submission=9, judge=own)
    asks = [ask for stage in verdict.stages or [] for ask in stage.asks]
    assert sum(ask.sum_of or 1 for ask in asks) == len(own.asked) == 9 * 4 * len(criteria) // CRITERIA_MAX
    own.rule = lambda *_: Said("pass", words[:2_500])
    verdict = await validate_agent_response({"text": words}, criteria, policy=policy, submission=9, judge=own)
    asks = [ask for stage in verdict.stages or [] for ask in stage.asks]
    assert verdict.is_valid
    assert len(verdict.stages or []) == 1 + 72
    assert len(asks) > ASKS_MAX
    assert sum(ask.sum_of or 1 for ask in asks) == 81 * len(criteria) // CRITERIA_MAX
    assert measure(verdict) < JUDGED_MAX_BYTES
    evidence = Evidence({"text": words})
    assert all(evidence.is_quoted(quote) for one in verdict.criteria for quote in one.evidence)
