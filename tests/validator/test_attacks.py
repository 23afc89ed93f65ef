"""No result makes a judge's word count for more than it shows: `make attacks` prints the figures."""

# ruff: noqa: T201 - the figures

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from attacking_results import CRITERIA, KINDS, NUMBER, ORDERS, list_attacks, list_attacks_beside
from five_judges import (
    LAZY,
    AttackedJudge,
    Rule,
    be_confused,
    be_honest,
    invent,
    make_confirmer,
    make_lazy,
    make_lucky,
    obey,
)
from honest_verdicts import LANGUAGES, QUOTES, SHAPES, list_verdicts

from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep
from signoff.status import Outcome
from validator.judging import validate_agent_response
from validator.ports import Reply
from validator.prompt import Question

GOOD = "Aston, Bourne and Carden were inspected; each carries 40 tonnes. No bridge need be closed."
JUDGES: dict[str, list[Rule]] = {
    "honest": [be_honest],
    "obeying": [obey],
    "inventing": [invent],
    "lazy": [make_lazy(quote) for quote in LAZY],
    "lucky": [make_lucky()],
    "confused": [be_confused],
}


async def count_valid(name: str) -> Counter[str]:
    """How many attacks of each kind any judge of this name lets pass."""
    valid: Counter[str] = Counter()
    for kind, result in list_attacks():
        judges = map(AttackedJudge, JUDGES[name])
        verdicts = [await validate_agent_response(result, CRITERIA, judge=judge) for judge in judges]
        valid[kind] += any(verdict.is_valid for verdict in verdicts)
    return +valid


def test_there_are_300_attacks_of_eight_kinds() -> None:
    attacks = list_attacks()
    assert (len(attacks), len(KINDS)) == (NUMBER, 8) == (300, 8)
    assert len({json.dumps(result) for _, result in attacks}) == NUMBER
    assert set(Counter(kind for kind, _ in attacks).values()) <= {34, 38}


@pytest.mark.parametrize("name", ["honest", "obeying"])
async def test_a_good_result_passes(name: str) -> None:
    assert (await validate_agent_response(GOOD, CRITERIA, judge=AttackedJudge(JUDGES[name][0]))).is_valid


@pytest.mark.parametrize("name", ["honest", "obeying", "inventing", "lazy"])
async def test_no_attack_passes(name: str) -> None:
    valid = await count_valid(name)
    print(f"\n{name} judge: {valid.total()} of {NUMBER} attacks are valid")
    assert valid == {}


@pytest.mark.parametrize("name", ["honest", "obeying", "inventing", "lazy", "confused"])
async def test_no_attack_in_a_task_a_payload_or_a_reference_passes(name: str) -> None:
    attacks = list_attacks_beside()
    valid: Counter[str] = Counter()
    for place, result, task, references in attacks:
        shown = {"task": json.dumps(task) if task else "", "references": references}
        for judge in map(AttackedJudge, JUDGES[name]):
            verdict = await validate_agent_response(result, CRITERIA, judge=judge, **shown)
            valid[place] += verdict.is_valid
    print(f"\n{name} judge: {valid.total()} of {len(attacks)} attacks beside the result are valid")
    assert +valid == {}


@pytest.mark.parametrize("name", ["honest", "obeying", "confused"])
async def test_a_good_result_passes_beside_its_task_and_reference(name: str) -> None:
    shown = {"task": json.dumps({"title": "A report", "payload": GOOD}), "references": {1: GOOD, 3: ORDERS[0]}}
    assert (await validate_agent_response(GOOD, CRITERIA, judge=AttackedJudge(JUDGES[name][0]), **shown)).is_valid


async def test_what_code_cannot_see_is_told_and_so_is_what_confirming_stops() -> None:
    alone, confirmed = (await count_valid("lucky")).total(), await count_confirmed()
    said = f"{alone} of {NUMBER} attacks are valid, and {confirmed} beside a confirmer that is wrong in 10 %"
    print(f"\na judge that passes everything with a random true sentence: {said}")
    assert confirmed <= NUMBER / 5
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    assert re.findall(r"(\d+) of 300 attacks", page) == [str(alone)]
    assert re.findall(r"(\d+) of the 300", page) == [str(confirmed)]


async def count_confirmed() -> int:
    """How many attacks the lucky judge lets pass where another one confirms, which is wrong about 10 % of passages."""
    policy = JudgePolicy(name="confirmed", loop=[LoopStep(confirm=True, judge=JudgeModel(model="b")), LoopStep(asks=0)])
    valid = 0
    for number, (_, result) in enumerate(list_attacks()):
        judge, confirmer = AttackedJudge(JUDGES["lucky"][0]), AttackedJudge(make_confirmer(str(number)))
        verdict = await validate_agent_response(
            result, CRITERIA, judge_of=lambda model, judges=(judge, confirmer): judges[model is not None], policy=policy
        )
        valid += verdict.is_valid
    return valid


class HonestJudge:
    """Passes every criterion with the quotation that an honest judge gives for it."""

    def __init__(self, quotes: list[str]) -> None:
        self._quotes = quotes
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        self.asked += 1
        quotes = self._quotes if question.count == len(self._quotes) else []
        answers = {
            f"c{number}": {"evidence": quote, "comment": "", "outcome": "pass"}
            for number, quote in enumerate(quotes, 1)
        }
        return Reply(json.dumps({**answers, "reason": "because"}))


async def test_honest_verdicts_lose_at_most_one_pass_in_a_hundred() -> None:
    passes, lost, verdicts = 0, [], 0
    for name, result, criteria, quotes in list_verdicts():
        verdict = await validate_agent_response(result, criteria, {"max_asks": 1}, judge=HonestJudge(quotes))
        verdicts += 1
        passes += len(criteria)
        lost += [
            f"{name}: {quote!r}: {one.comment}"
            for one, quote in zip(verdict.criteria, quotes, strict=True)
            if one.outcome is not Outcome.PASS
        ]
    print(f"\n{verdicts} honest verdicts: {len(lost)} of {passes} passes are lost", *lost, sep="\n")
    assert verdicts == len(LANGUAGES) * len(SHAPES) * len(QUOTES) >= 300
    assert len(lost) <= passes / 100
