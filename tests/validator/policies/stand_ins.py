"""Judges that answer by a rule, without a server, and keep what they were asked."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage, Verdict
from contracts.resources import Usage
from validator.errors import JudgeAnswerError
from validator.judging import validate_agent_response
from validator.ports import Reply
from validator.prompt import Question

#: A sentence that stands in RESULT, and one that does not.
TRUE, FALSE = "The old bridge carries 40 tonnes", "The new bridge carries 90 tonnes"
RESULT = {"report": f"{TRUE}. It stays open for everybody.", "done": True}
MEETS = [Criterion(text=f"It says what bridge number {n} carries") for n in range(1, 4)]


class Said(NamedTuple):
    """What is said of one criterion."""

    outcome: str = "pass"
    evidence: str | None = TRUE


PASS, FAIL, UNSURE = Said(), Said("fail"), Said("cannot_assess", None)
INVENTED, BARE_FAIL, INVENTED_FAIL = Said("pass", FALSE), Said("fail", None), Said("fail", FALSE)

#: From a question and one of its criteria, what is said of it; None is nonsense.
Rule = Callable[[Question, Criterion], Said | None]


class StandIn:
    """Answers each criterion by a rule; `asked` are the questions, as they came."""

    def __init__(self, rule: Rule | Said | None, name: str = "stand-in", usage: Usage | None = None) -> None:
        self.rule: Rule = rule if callable(rule) else (lambda _, __: rule)
        self.name = name
        self.usage = usage or Usage(input_tokens=100, output_tokens=10, cost_usd=0.01, model=name)
        self.comment = f"{name} says so"
        self.asked: list[Question] = []

    async def ask(self, question: Question) -> Reply:
        self.asked.append(question)
        said = [self.rule(question, criterion) for criterion in question.criteria]
        if None in said:
            nonsense = JudgeAnswerError("nonsense", code="judge_refused")
            nonsense.usage = self.usage
            raise nonsense
        answers = {
            f"c{number}": {
                "comment": self.comment,
                "evidence": list(filter(None, [one.evidence])),
                "outcome": one.outcome,
            }
            for number, one in enumerate(said, 1)
            if one is not None
        }
        text = json.dumps({**answers, "reason": f"as {self.name} sees it"})
        return Reply(text, self.name, self.usage, f"req-{len(self.asked)}", 0.25)

    @property
    def refuted(self) -> list[Question]:
        """The questions in which it was told to refute."""
        return [question for question in self.asked if question.manner.refutes]


def is_harmless(question: Question) -> bool:
    """Whether a question is about the harmless result that tells a broken judge from a result that breaks one."""
    return "Two and two are four" in question.result


def policy_of(kind: str, *names: str, **fields: Any) -> JudgePolicy:
    """A policy of one stage over judges of these names."""
    stage = {name: fields.pop(name) for name in ("votes",) if name in fields}
    stages = [Stage(kind="checks"), Stage(kind=kind, judges=[JudgeModel(model=name) for name in names], **stage)]
    return JudgePolicy(name="tried", version=3, stages=stages, **{"loop": [], **fields})


LOOP = [LoopStep()]


async def judge(policy: JudgePolicy | None, *judges: StandIn, **terms: Any) -> Verdict:
    """Judge by a policy whose models are these judges by their names; the first is the validator's own."""
    by_name = {one.name: one for one in judges}
    fields = {"result": RESULT, "acceptance_criteria": MEETS, **terms}
    return await validate_agent_response(
        **fields, policy=policy, judge_of=lambda model: judges[0] if model is None else by_name[model.model]
    )


def letters(verdict: Verdict) -> str:
    return "".join({"pass": "p", "fail": "f", "cannot_assess": "c"}[one.outcome] for one in verdict.criteria)
