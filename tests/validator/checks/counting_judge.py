"""Judge by a stand-in that passes everything, and counts what it is asked."""

from collections.abc import Sequence
from typing import Any

from contracts.criteria import Criterion
from contracts.judging.policy import Verdict
from signoff.jsontext import json_text
from validator.judging import validate_agent_response
from validator.ports import Reply
from validator.prompt import Question

WORDS = "The sea is calm and blue today"


class CountingJudge:
    """Passes everything, with the result as evidence, and counts what it is asked."""

    def __init__(self, evidence: str) -> None:
        self.evidence = evidence
        self.asked: list[str] = []

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question.request)
        said = {"evidence": self.evidence, "comment": "so it says", "outcome": "pass"}
        answers = {f"c{number}": said for number in range(1, question.count + 1)}
        return Reply(json_text(answers | {"reason": "it is as asked"}), "stand-in")


async def judge(
    criteria: str | Sequence[Criterion], result: Any = WORDS, **options: Any
) -> tuple[Verdict, CountingJudge]:
    stand_in = CountingJudge(WORDS)
    return await validate_agent_response(result, criteria, judge=stand_in, **options), stand_in
