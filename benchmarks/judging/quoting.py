"""Say which right results are refused for how a judge quotes, and which wrong ones pass for a true quotation.

`honest.jsonl` has results that meet their criterion, each with the quotation that a judge might give; `attacks.jsonl`
results that do not. The judge of an attack passes everything: with its first sentence, or with any quotation that the
rules allow, and with the next one where it is told that one shows nothing. The confirmer is wrong about 10 % of the
passages that it is shown, drawn for each by a fixed seed. All is judged by the validator's own code.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from measuring.figures import make_table

from contracts.criteria import Criterion, parse_stored_criteria
from contracts.evidence import Evidence, render_result
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage, Verdict
from validator.judging import validate_agent_response
from validator.ports import Reply
from validator.prompt import Question

ERRS: Final = 0.1
_JUDGE, _CONFIRMER = JudgeModel(model="judge"), JudgeModel(model="confirmer")
_STAGES: Final = [Stage(kind="single", judges=[_JUDGE])]
ALONE: Final = JudgePolicy(name="alone", stages=_STAGES, loop=[])
CONFIRMED: Final = JudgePolicy(
    name="confirmed", stages=_STAGES, loop=[LoopStep(confirm=True, judge=_CONFIRMER), LoopStep(asks=0)]
)

#: From a result and a criterion, what a judge quotes in turn, as often as it is asked about it.
Quote = Callable[[Any, Criterion], Iterator[str | None]]


class _Judge:
    """Passes every criterion with what is next to quote for it, and the last of that for ever."""

    def __init__(self, result: Any, quote: Quote) -> None:
        self._result, self._quote = result, quote
        self._quotes: dict[str, Iterator[str | None]] = {}
        self._last: dict[str, str | None] = {}
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        self.asked += 1
        return _answer([self._say(one) for one in question.criteria])

    def _say(self, criterion: Criterion) -> dict[str, Any]:
        quotes = self._quotes.setdefault(criterion.text, self._quote(self._result, criterion))
        quote = self._last[criterion.text] = next(quotes, self._last.get(criterion.text))
        return {"comment": "", "evidence": [] if quote is None else [quote], "outcome": "pass"}


class _Confirmer:
    """Knows whether the result is right, and is wrong about a share of the passages that it is shown."""

    def __init__(self, *, is_right: bool, errs: float, seed: str) -> None:
        self._is_right, self._errs, self._seed = is_right, errs, seed
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        self.asked += 1
        (criterion,), shown = question.criteria, question.result.split("\n", 2)[2].rsplit("\n", 1)[0]
        is_wrong = Random(f"{self._seed} {criterion.text} {shown}").random() < self._errs
        outcome = "pass" if self._is_right != is_wrong else "fail"
        return _answer([{"comment": "", "evidence": [], "outcome": outcome}])


def _answer(said: Sequence[dict[str, Any]]) -> Reply:
    return Reply(json.dumps({f"c{n}": one for n, one in enumerate(said, 1)} | {"reason": ""}), "stand-in")


def read_lines(name: str) -> list[dict[str, Any]]:
    """Return the cases of a file beside this one."""
    return [json.loads(line) for line in (Path(__file__).parent / name).read_text("utf-8").splitlines()]


def quote_first(result: Any, _: Criterion) -> Iterator[str | None]:
    """Yield the first sentence of a result, and then the others; None if it has none."""
    sentences = list(list_sentences(result))
    yield from sentences or [None]


def quote_anything(result: Any, criterion: Criterion) -> Iterator[str | None]:
    """Yield whatever is evidence on a criterion by the rules."""
    text, evidence = render_result(result), Evidence(result, [criterion.text])
    candidates = [*list_sentences(result), text, json.dumps(result, ensure_ascii=False), *text.split()[:1_000]]
    yield from (quote for quote in candidates if evidence.find_fault(quote, criterion.text) is None)


def list_sentences(value: Any) -> Iterator[str]:
    """Yield the sentences and lines of the texts in a result."""
    if isinstance(value, str):
        yield from (sentence for sentence in re.split(r"(?<=[.!?])\s+|\n", value) if sentence.strip())
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from list_sentences(item)


def judge(
    result: Any, criteria: Sequence[Criterion], policy: JudgePolicy, quote: Quote, *, is_right: bool, seed: str
) -> tuple[Verdict, int]:
    """Return the verdict on a result, and the most asks about it that one judge had."""
    judges = {
        "judge": _Judge(result, quote),
        "confirmer": _Confirmer(is_right=is_right, errs=0 if is_right else ERRS, seed=seed),
    }
    verdict = asyncio.run(
        validate_agent_response(result, criteria, {}, judge_of=lambda model: judges[model.model], policy=policy)
    )
    return verdict, sum(one.asked for one in judges.values())


def describe_honest() -> list[str]:
    """Return what becomes of right results: who passes by how many asks, and why the others do not."""
    cases, lines = read_lines("honest.jsonl"), [""]
    for policy, most in ((ALONE, 2), (CONFIRMED, 3)):
        asks, refused = list[int](), list[str]()
        for case in cases:
            (criterion,) = parse_stored_criteria(case["criterion"])
            verdict, asked = judge(
                case["result"], [criterion], policy, lambda *_, case=case: iter([case["quote"]]), is_right=True, seed=""
            )
            if verdict.is_valid:
                asks.append(asked)
            else:
                refused.append(f"  {case['name']}, {asked} asks: {verdict.criteria[0].comment}")
        within = sum(one <= most for one in asks)
        lines.append(
            f"{policy.name}: {within} of {len(cases)} right results pass by {most} asks, {asks.count(1)} by one"
        )
        lines += refused
    return lines


def describe_attacks() -> list[str]:
    """Return how many wrong results pass, by how the judge quotes, alone and with a confirmer."""
    cases, rows = read_lines("attacks.jsonl"), list[Sequence[object]]()
    for what, quote in (("the first sentence", quote_first), ("any quotation that the rules allow", quote_anything)):
        row = [0, 0]
        for case in cases:
            criteria = [one for text in case["criteria"] for one in parse_stored_criteria(text)]
            for column, policy in enumerate((ALONE, CONFIRMED)):
                verdict, _ = judge(case["result"], criteria, policy, quote, is_right=False, seed=case["name"])
                row[column] += verdict.is_valid
        rows.append((what, *row))
    header = (f"of {len(cases)} wrong results pass, by a judge that passes all with", "alone", "confirmed")
    return ["", *make_table(header, rows)]
