"""Say what errs where a long result is judged in sections: a judge that errs on one in twenty, alone and confirmed.

Each result is a text of sentences of no importance, in which the words that decide stand once or not at all. The judge
errs on 5 % of the sections, and insists when it is asked again; a pass, or a breach, that it errs with rests on some
sentence of its section. The confirmer is wrong about 5 % of the passages that it is shown, whatever the judge said.
All is drawn from a fixed seed, and judged by the validator's own code.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from measuring.figures import make_table

from contracts.criteria import Criterion
from contracts.judging.policy import JudgeModel, JudgePolicy, LoopStep, Stage
from validator.judging import validate_agent_response
from validator.ports import Reply
from validator.prompt import Question

SECTION_CHARS: Final = 2_000
LENGTHS: Final = (1_500, 10_000, 40_000)
RESULTS: Final = 600
ERRS: Final = 0.05
_WORDS: Final = "The word that decides is heliotrope."
_KINDS: Final = {
    "meets": Criterion(text="It has the word that decides"),
    "never": Criterion(text="It has that word", kind="never"),
}
_JUDGE, _CONFIRMER = JudgeModel(model="judge"), JudgeModel(model="confirmer")
_STAGES: Final = [Stage(kind="single", judges=[_JUDGE])]
POLICIES: Final = {
    "alone": JudgePolicy(name="alone", stages=_STAGES, loop=[], section_chars=SECTION_CHARS),
    "confirmed": JudgePolicy(
        name="confirmed",
        stages=_STAGES,
        loop=[LoopStep(confirm=True, judge=_CONFIRMER), LoopStep(asks=0)],
        section_chars=SECTION_CHARS,
    ),
}


class Errors(NamedTuple):
    """Shares of the bad results that were accepted and of the good ones that were not, and asks for each section."""

    bad_accepted: float
    good_refused: float
    asks: float


class _StandIn:
    """The judge, or the confirmer, of one result: wrong where the seed says so, and the same way each time."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.asked = 0

    async def ask(self, question: Question) -> Reply:
        self.asked += 1
        (criterion,) = question.criteria
        text = question.result.split("\n", 2)[2].rsplit("\n", 1)[0]
        drawn = Random(f"{self._seed} {text}")
        has_words = (_WORDS in text) != (drawn.random() < ERRS)
        outcome = "pass" if has_words == (criterion.kind == "meets") else "fail"
        sentence = _WORDS if _WORDS in text else drawn.choice(re.findall(r"Sentence [^.]*\.", text) or [text])
        answer = {"comment": "", "evidence": [sentence] if has_words else [], "outcome": outcome}
        return Reply(json.dumps({"c1": answer, "reason": ""}), "stand-in")


def _write(random: Random, chars: int, *, has_words: bool) -> str:
    sentences = [f"Sentence {random.randrange(10**9)} is of no importance." for _ in range(chars // 45)]
    if has_words:
        sentences.insert(random.randrange(len(sentences) + 1), _WORDS)
    return " ".join(sentences)


async def measure(policy: JudgePolicy, kind: str, chars: int, results: int = RESULTS) -> Errors:
    """Judge so many bad and so many good results of a length."""
    wrong, asks, sections = {True: 0, False: 0}, 0, 0
    for is_good in wrong:
        for number in range(results):
            random = Random(f"{kind} {chars} {is_good} {number}")
            result = _write(random, chars, has_words=is_good == (kind == "meets"))
            judges = {one.model: _StandIn(f"{number} {one.model}") for one in (_JUDGE, _CONFIRMER)}
            verdict = await validate_agent_response(
                result, [_KINDS[kind]], {}, judge_of=lambda model, judges=judges: judges[model.model], policy=policy
            )
            wrong[is_good] += verdict.is_valid != is_good
            (first, *_) = verdict.stages or []
            asks += sum(one.asked for one in judges.values())
            sections += len({ask.section for ask in first.asks if ask.role == "judge"})
    return Errors(wrong[False] / results, wrong[True] / results, asks / sections)


def describe_sections() -> list[str]:
    """Return the table of errors by kind, policy and length."""
    rows: list[Sequence[object]] = []
    for kind in _KINDS:
        for name, policy in POLICIES.items():
            measured = [asyncio.run(measure(policy, kind, chars)) for chars in LENGTHS]
            cells = [f"{100 * one.bad_accepted:.1f}; {100 * one.good_refused:.1f}; {one.asks:.2f}" for one in measured]
            rows.append((f"`{kind}`, the judge {name}", *cells))
    lengths = (f"{chars:,} characters" for chars in LENGTHS)
    header = (f"sections of {SECTION_CHARS:,}: bad accepted %; good refused %; asks a section", *lengths)
    return ["", *make_table(header, rows)]
