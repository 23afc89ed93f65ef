"""Every ask of a judgement is kept as it was; of very many the sum is."""

from typing import Any

import pytest
from stand_ins import FAIL, MEETS, PASS, StandIn, judge, letters, policy_of

from contracts.criteria import Criterion
from contracts.resources import Usage
from signoff.status import Outcome
from validator.errors import JudgeAnswerError
from validator.panel import RetryLimit
from validator.ports import Reply
from validator.verdict import ASKS_MAX, DESCRIBED_MAX, AskLog, to_letters

USAGE = Usage(input_tokens=10, output_tokens=2, cost_usd=0.5, model="told by usage")


def nonsense(**fields: Any) -> JudgeAnswerError:
    error = JudgeAnswerError("it refused", code="judge_refused")
    for name, value in fields.items():
        setattr(error, name, value)
    return error


def test_an_answer_is_kept_with_who_gave_it_what_it_took_and_what_it_said() -> None:
    log = AskLog(4, 2)
    ask = log.note(Reply("{}", "model-1", USAGE, "req-1", 0.12345), 9.0, role="judge", section=3)
    log.read(ask, [(0, Outcome.PASS), (2, Outcome.FAIL), (3, Outcome.CANNOT_ASSESS)])
    log.note(Reply("{}", "model-2"), 1.23456, role="judge")
    assert log.take() == [
        {
            "model": "model-1",
            "prompt": 2,
            "began_s": 0.0,
            "latency_s": 0.123,
            "request_id": "req-1",
            "role": "judge",
            "section": 3,
            "input_tokens": 10,
            "output_tokens": 2,
            "cost_usd": 0.5,
            "outcomes": "p-fc",
        },
        {"model": "model-2", "prompt": 2, "began_s": 0.0, "latency_s": 1.235, "request_id": None, "role": "judge"},
    ]
    assert log.take() == []
    assert list(log.models) == ["model-1", "model-2"]


def test_nonsense_is_kept_too_and_names_no_judge_of_the_verdict() -> None:
    log = AskLog(1, 1)
    log.note(nonsense(usage=USAGE, request_id="req\x00-2" + "x" * 200, latency_s=0.5), 3.0, role="judge")
    log.note(nonsense(), 3.0, role="judge")
    log.note(nonsense(usage=Usage(input_tokens=1)), 3.0, role="judge")
    log.note(Reply("{}"), 0.0, role="judge")
    first, *others = log.take()
    assert (first["model"], first["latency_s"], first["cost_usd"]) == ("told by usage", 0.5, 0.5)
    assert first["request_id"] == "req-2" + "x" * 94
    assert [each["model"] for each in others] == ["unnamed"] * 3
    assert "cost_usd" not in others[0]
    assert list(log.models) == ["unnamed"], "of those that answered"


def test_tries_that_were_refused_are_kept_with_the_ask_that_followed_and_summed_up() -> None:
    log = AskLog(1, 1)
    log.note(Reply("{}", "a", refused=3, last_refusal="429"), 0.5, role="judge")
    log.note(nonsense(refused=1, last_refusal="503"), 0.5, role="judge")
    log.note(Reply("{}", "a"), 0.5, role="judge")
    assert [(ask.get("refused"), ask.get("last_refusal")) for ask in log.take()] == [
        (3, "429"),
        (1, "503"),
        (None, None),
    ]
    assert "judge a, 0.5 s, after 3 refused, the last with 429; judge unnamed, 0.5 s, after 1 refused" in log.words
    for _ in range(ASKS_MAX):
        log.note(Reply("{}", "a"), 0.0, role="judge")
    log.note(Reply("{}", "a", refused=2, last_refusal="429"), 0.0, role="judge")
    log.note(Reply("{}", "a", refused=1, last_refusal="503"), 0.0, role="judge")
    log.note(Reply("{}", "a", refused=1, last_refusal="judge_timeout"), 0.0, role="judge")
    log.note(Reply("{}", "a"), 0.0, role="judge")
    summed = log.take()[-1]
    assert (summed["sum_of"], summed["refused"], summed["last_refusal"]) == (7, 4, "judge_timeout")
    assert log.take() == []


def test_asks_stand_in_the_order_of_their_votes() -> None:
    log = AskLog(1, 1)
    for vote in (2, 1, None, 2):
        log.note(Reply("{}", f"of {vote}"), 0.0, role="vote", vote=vote)
    assert [ask["vote"] for ask in log.take()] == [None, 1, 2, 2]
    for vote in (2, 1):
        log.note(Reply("{}"), 0.0, role="vote", vote=vote)
    assert [ask["vote"] for ask in log.take()] == [1, 2]


def test_what_is_beyond_the_most_is_summed_up() -> None:
    log = AskLog(1, 3)
    for _ in range(ASKS_MAX - 1):
        log.note(Reply("{}", "kept"), 0.0, role="judge")
    assert len(log.take()) == ASKS_MAX - 1
    log.note(Reply("{}", "kept"), 0.0, role="judge")
    log.note(Reply("{}", "a", USAGE), 0.25, role="refute")
    log.note(Reply("{}", "b", Usage(input_tokens=5, output_tokens=1, cost_usd=0.25)), 0.5, role="judge")
    log.note(Reply("{}", "a"), 0.5, role="judge")
    assert log.take()[1:] == [
        {
            "model": "a, b",
            "role": "refute",
            "prompt": 3,
            "input_tokens": 15,
            "output_tokens": 3,
            "cost_usd": 0.75,
            "latency_s": 1.25,
            "sum_of": 3,
        }
    ]
    log.note(Reply("{}", "a"), 1.0, role="judge")
    (sum_of_one,) = log.take()
    assert (sum_of_one["sum_of"], sum_of_one["cost_usd"], sum_of_one["input_tokens"]) == (1, None, 0)


def test_all_asks_are_told_in_words_up_to_the_most() -> None:
    log = AskLog(1, 1)
    assert log.words == ""
    for _ in range(DESCRIBED_MAX):
        log.note(Reply("{}", "a"), 0.5, role="judge")
    assert "more" not in log.words
    log.note(Reply("{}", "a"), 0.5, role="judge")
    assert log.words.endswith("; and 1 more")


def test_letters_stand_at_their_places() -> None:
    assert to_letters([], 3) == "---"
    assert to_letters([(2, Outcome.PASS), (0, Outcome.FAIL)], 3) == "f-p"


def test_another_answer_is_waited_for_while_it_would_be_in_time() -> None:
    retry_limit = RetryLimit(10.0)
    for latency_s, may_retry in ((None, True), (3.0, True), (1.0, True), (3.0, True), (0.1, False)):
        retry_limit.spend(latency_s)
        assert retry_limit.may_retry == may_retry, str(retry_limit)
    assert str(retry_limit) == "the judge's answers took 7 s, and it is not asked again"


KIND = Criterion(text="It is kind", required=False)
CRITERIA = [MEETS[0], KIND, MEETS[1]]


def silent_on_kindness(said=PASS):
    """Answers about everything, but for whatever question that has the optional criterion in it."""
    return StandIn(lambda question, _: None if KIND in question.criteria else said, "a")


@pytest.mark.parametrize("asks", ["all", "each"])
@pytest.mark.parametrize(("said", "outcome", "is_valid"), [(PASS, "pcp", True), (FAIL, "fcf", False)])
async def test_nonsense_on_what_is_optional_leaves_the_rest_judged(asks, said, outcome, is_valid) -> None:
    own = silent_on_kindness(said)
    verdict = await judge(policy_of("single", "a", asks=asks), own, acceptance_criteria=CRITERIA)
    assert (letters(verdict), verdict.is_valid, verdict.judge_error) == (outcome, is_valid, None)
    assert not verdict.is_unproven


async def test_a_judge_that_is_broken_on_it_alone_ends_no_judgement() -> None:
    """Nobody is asked about a harmless result on its account."""
    own = silent_on_kindness()
    await judge(policy_of("single", "a"), own, acceptance_criteria=CRITERIA)
    assert "control" not in {"Two and two" in question.result and "control" for question in own.asked}


async def test_its_faults_are_not_the_reason_of_a_verdict() -> None:
    own = StandIn(lambda _, one: PASS._replace(evidence="Never said") if one == KIND else PASS, "a")
    verdict = await judge(policy_of("single", "a"), own, acceptance_criteria=CRITERIA)
    assert (letters(verdict), verdict.reason) == ("pcp", "as a sees it")


@pytest.mark.parametrize("kind", ["quorum", "cascade"])
async def test_nor_does_it_of_votes(kind: str) -> None:
    judges = silent_on_kindness(), StandIn(PASS, "b"), StandIn(PASS, "c")
    names = ("a", "b", "c") if kind == "quorum" else ("a", "b")
    verdict = await judge(policy_of(kind, *names), *judges, acceptance_criteria=CRITERIA)
    assert (verdict.is_valid, verdict.judge_error) == (True, None)


async def test_a_vote_that_never_comes_is_no_vote_against_the_agent() -> None:
    """One of three judges answers nonsense throughout, and the two others differ."""
    judges = StandIn(PASS, "a"), StandIn(FAIL, "b"), StandIn(None, "c")
    verdict = await judge(policy_of("quorum", "a", "b", "c"), *judges, acceptance_criteria=MEETS[:1])
    assert (letters(verdict), verdict.is_unproven) == ("c", True)
    judges = StandIn(FAIL, "a"), StandIn(FAIL, "b"), StandIn(None, "c")
    verdict = await judge(policy_of("quorum", "a", "b", "c"), *judges, acceptance_criteria=MEETS[:1])
    assert (letters(verdict), verdict.is_unproven) == ("f", False)
