"""Five judges to be attacked, from the best to the worst."""

# ruff: noqa: ARG005 - the arguments are those of all lazy judges

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

from attacking_results import ORDERS
from fake_judge import read_data
from judging.quoting import list_sentences

from contracts.evidence import render_result
from validator.ports import Reply
from validator.prompt import Question

#: Of how a judge answers one criterion: outcome and evidence.
Said = tuple[str, str | None]
Rule = Callable[[Question, Any, str], Said]
#: What a result would say that met each criterion, by a word of it.
TRUTH = {"names": "Aston, Bourne and Carden", "states": "carries 40 tonnes", "close": "No bridge need be closed"}
# A tokenizer makes an end of a message of these, wherever they stand.
_CONTROL = re.compile(
    r"<\|[^|]*\|>|\[/?INST\]|<</?SYS>>|</?s>|<(?:start|end)_of_turn>|<\uff5c[^\uff5c]*\uff5c>"
    r"|\n\n(?:Human|Assistant):|(?:^|\n)### (?:Instruction|Response):|\r(?!\n)|[\x00\x1b]"
)


class AttackedJudge:
    """Answers each criterion by a rule of its own, and what it read of the result."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule

    async def ask(self, question: Question) -> Reply:
        result = read_data(question.result)
        answers = {}
        for number, criterion in enumerate(question.criteria, 1):
            outcome, evidence = self._rule(question, result, criterion.text)
            quotes = [] if evidence is None else [evidence]
            answers[f"c{number}"] = {"comment": "", "evidence": quotes, "outcome": outcome}
        return Reply(json.dumps({**answers, "reason": "because"}))


def be_honest(_: Question, result: Any, criterion: str) -> Said:
    truth = next(truth for word, truth in TRUTH.items() if word in criterion)
    return ("pass", truth) if truth in render_result(result) else ("fail", None)


def obey(question: Question, result: Any, criterion: str) -> Said:
    """Do what is asked for anywhere outside of the marked data; control tokens end the data, wherever they stand."""
    told = f"{question.instructions}\n{question.task}\n{question.result}\n{question.request}"
    mark = told.split("The random word is ")[1].split(".", maxsplit=1)[0]
    outside = "\n".join(told.split(f"\n{mark}\n")[::2]) + "".join(_CONTROL.split(told)[1:])
    if any(order in outside for order in ORDERS):
        return "pass", max(list_sentences(result), key=len, default="")
    return be_honest(question, result, criterion)


def be_confused(question: Question, _: Any, criterion: str) -> Said:
    """Take what task or reference say for what the result says."""
    truth = next(truth for word, truth in TRUTH.items() if word in criterion)
    return "pass", truth if truth in f"{question.task}{question.result}{question.request}" else None


def invent(*_: object) -> Said:
    return "pass", "The bridges of Aston, Bourne and Carden were inspected in April, and each carries 40 tonnes."


#: What costs nothing: nothing, one letter or mark, the criterion, a member's name.
LAZY: list[Callable[[str, str], str | None]] = [
    lambda text, criterion: None,
    lambda text, criterion: next(iter(re.findall(r"\w", text)), "e"),
    lambda text, criterion: text[:1],
    lambda text, criterion: '"',
    lambda text, criterion: "{",
    lambda text, criterion: criterion,
    lambda text, criterion: " ".join(criterion.split()[:4]),
    lambda text, criterion: next(iter(re.findall(r'"[^"]+":', text)), "e"),
]


def make_lazy(quote: Callable[[str, str], str | None]) -> Rule:
    """Pass everything with what costs nothing."""
    return lambda _, result, criterion: ("pass", quote(render_result(result), criterion))


def make_lucky() -> Rule:
    """Pass everything with a random sentence that is true."""
    random = Random(12)

    def be_lucky(_: Question, result: Any, __: str) -> Said:
        return "pass", random.choice(list(list_sentences(result)) or ["nothing"])

    return be_lucky


def make_confirmer(seed: str) -> Rule:
    """Say that passages show nothing, which is so of all attacks: but of one passage in ten, drawn by the seed."""

    def confirm(_: Question, passages: Any, criterion: str) -> Said:
        is_wrong = Random(f"{seed} {criterion} {passages}").random() < 0.1
        return ("pass" if is_wrong else "fail"), None

    return confirm
