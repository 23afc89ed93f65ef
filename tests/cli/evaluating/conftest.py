"""A judge that says what a test told it to, in the place of the jobstore's validators."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from contracts.judging.cases import Case
from contracts.judging.evaluation import Asked, Judged


def accept_all(_case: Case, _policy: str, _asked: int) -> str:
    return "p"


async def all_are_known(*_: object) -> None:
    """Find every policy."""


@dataclass
class FakeJudge:
    """Judges each criterion alike: by case, policy, and how often that was asked before."""

    say: Callable[[Case, str, int], str] = accept_all
    asked: list[tuple[str, str]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)

    async def __call__(self, cases: Sequence[Case], policy: str, repeat: int = 1) -> list[Judged]:
        assert repeat
        self.batches.append(len(cases))
        return [self._judge(case, policy) for case in cases]

    def _judge(self, case: Case, policy: str) -> Judged:
        said = self.say(case, policy, self.asked.count((case.id, policy)))
        self.asked.append((case.id, policy))
        outcomes = said * len(case.criteria)
        error = "judge_incomplete" if said == "-" else None
        return Judged(
            outcomes, said == "p", [Asked("judge", outcomes, Decimal("0.01"), 1.5, 100)], error, f"because {said}"
        )


@pytest.fixture
def judge(monkeypatch):
    judge = FakeJudge()
    monkeypatch.setattr("cli.evaluating.judge_through", lambda *_: judge)
    monkeypatch.setattr("cli.commands.judge.require_policies", all_are_known)
    return judge


@pytest.fixture
def cases(tmp_path):
    """Write cases: fields over those of a case that is labelled good."""

    def write(*overs, name="cases.jsonl"):
        lines = []
        for number, over in enumerate(overs, 1):
            plain = {"id": f"case-{number}", "result": "words", "acceptance_criteria": "It rhymes", "label": True}
            lines.append(over if isinstance(over, str) else json.dumps({**plain, **over}))
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    return write
