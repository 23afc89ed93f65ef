"""Judge by the validator's own code, with judges that say of each result what they were told to."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage
from signoff.status import Outcome
from validator.judging import validate_agent_response
from validator.ports import Finding, Reply, Subject
from validator.prompt import Question

#: In tenths of what the strong judge takes for an ask. The one that refutes is of another family, at the same price.
CHEAP_PRICE: Final = 1
STRONG_PRICE: Final = 10
PRICES: Final = {"cheap": CHEAP_PRICE, "strong": STRONG_PRICE, "other": STRONG_PRICE}

_CHECK: Final = Criterion(text='contains "in order"', kind="check")
_CRITERIA: Final = [_CHECK, Criterion(text="Lists rivers")]
_QUOTE: Final = "Twelve rivers of Europe"

_JUDGES: Final = {name: JudgeModel(model=name) for name in PRICES}
_CASCADE: Final = Stage(kind="cascade", judges=[_JUDGES["cheap"], _JUDGES["strong"]])
_SINGLE: Final = Stage(kind="single", judges=[_JUDGES["strong"]])
_LOOP: Final = [LoopStep(judge=_JUDGES["other"])]


class StandIn(NamedTuple):
    """A result, and what each judge says of it. The judge of another family errs where the cheap one does."""

    is_good: bool
    breaks_check: bool
    strong_is_wrong: bool
    cheap_is_wrong: bool
    cheap_is_unsure: bool

    def ask(self, judge: str) -> Outcome:
        """Return what a judge says."""
        if judge == "cheap" and self.cheap_is_unsure:
            return Outcome.CANNOT_ASSESS
        is_wrong = self.strong_is_wrong if judge == "strong" else self.cheap_is_wrong
        return Outcome.PASS if self.is_good != is_wrong else Outcome.FAIL


class By(NamedTuple):
    """A policy, whether the criteria have a check, and which submission is judged."""

    policy: JudgePolicy
    has_check: bool
    submission: int = 1


POLICIES: Final = {
    "single": By(JudgePolicy(name="single", stages=[_SINGLE]), has_check=False),
    "checks, single": By(JudgePolicy(name="single", stages=[Stage(kind="checks"), _SINGLE]), has_check=True),
    "cascade": By(JudgePolicy(name="cascade", stages=[_CASCADE]), has_check=False),
    "checks, cascade": By(JudgePolicy(name="cascade", stages=[Stage(kind="checks"), _CASCADE]), has_check=True),
    "single, of a resubmission": By(JudgePolicy(name="single", stages=[_SINGLE], loop=_LOOP), False, submission=2),
}


class Said(NamedTuple):
    """What a policy makes of one result."""

    accepted: bool
    cost: int


class _Judge:
    def __init__(self, name: str, result: StandIn) -> None:
        self._name = name
        self._result = result
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        self.asked += 1
        said = {"evidence": _QUOTE, "comment": "", "outcome": self._result.ask(self._name)}
        answer = {f"c{number}": said for number in range(1, question.count + 1)}
        return Reply(json.dumps({**answer, "reason": ""}), self._name)


def judge(result: StandIn, by: By) -> Said:
    """Judge a result."""
    judges = {name: _Judge(name, result) for name in PRICES}

    def find(model: JudgeModel | None) -> _Judge:
        assert model is not None
        return judges[model.model]

    order = "" if result.breaks_check else " in order"
    verdict = asyncio.run(
        validate_agent_response(
            {"report": f"{_QUOTE} are listed here{order}."},
            _CRITERIA if by.has_check else _CRITERIA[1:],
            {},
            judge_of=find,
            policy=by.policy,
            submission=by.submission,
            run_checks=_run_checks,
        )
    )
    return Said(verdict.is_valid, sum(one.asked * PRICES[name] for name, one in judges.items()))


async def _run_checks(checks: Sequence[str], subject: Subject) -> list[Finding]:
    assert list(checks) == [_CHECK.text]
    if "in order" in subject.result["report"]:
        return [Finding(Outcome.PASS, "in order", "")]
    return [Finding(Outcome.FAIL, None, "it does not stand there")]
