"""Read what real judges said of labelled cases: a CSV file of `part,case,label` and a column a judge, `family/prompt`.

A case is a question with two outputs, of which people call one the better one (`label`). A judge's two characters are
its choice when it was asked in the given and in the swapped order; `-` where it gave none.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from contracts.judging.statistics import QuorumWorth, correlate, judge_panel

GIVEN, SWAPPED = 0, 1
CHOICES: Final = "12"
#: Prompts that ask for a rating of each output, in place of a choice between them.
RATING: Final = "Rating"
#: The part whose cases were not written to mislead a judge.
NATURAL: Final = "Natural"


class VotesError(ValueError):
    """A file that holds no votes; the message says in which line, and what is wrong."""


class Ask(NamedTuple):
    """One way to ask: a judge, and the order of the outputs."""

    judge: str
    order: int


class Votes:
    """The labels of some cases, and all votes on them."""

    def __init__(self, labels: Sequence[str], votes: dict[str, Sequence[str]]) -> None:
        self.labels = labels
        self.votes = votes

    def __len__(self) -> int:
        return len(self.labels)

    def _choices(self, ask: Ask) -> list[str]:
        if ask.judge not in self.votes:
            raise VotesError(f"the file has no judge {ask.judge!r}; it has {', '.join(sorted(self.votes))}")
        return [choices[ask.order] for choices in self.votes[ask.judge]]

    def list_errors(self, ask: Ask) -> list[bool]:
        """Return for each case whether the judge did not choose as people do; no choice is an error."""
        return [choice != label for choice, label in zip(self._choices(ask), self.labels, strict=True)]

    def list_accepts(self, ask: Ask, *, good: bool) -> list[bool]:
        """Return for each case whether the better output, or else the worse one, is accepted as the better one.

        No choice accepts nothing.
        """
        pairs = zip(self._choices(ask), self.labels, strict=True)
        return [choice != "-" and (choice == label) is good for choice, label in pairs]

    def correlate(self, first: Ask, second: Ask) -> float | None:
        """Return the correlation of the errors of two asks."""
        return correlate(self.list_errors(first), self.list_errors(second))

    def judge_panel(self, judges: Sequence[str]) -> QuorumWorth:
        """Return what the votes of these judges, asked in the given order, are worth together."""
        return judge_panel([self.list_errors(Ask(judge, GIVEN)) for judge in judges])

    def list_choosing_prompts(self, family: str) -> list[str]:
        """Return the judges of a family that are asked for a choice and not for ratings."""
        names = [name.partition("/") for name in self.votes]
        return [f"{own}/{prompt}" for own, _, prompt in names if own == family and not prompt.startswith(RATING)]


def read_votes(path: Path) -> dict[str, Votes]:
    """Return the votes in a file, natural cases and adversarial ones apart, where there are any of a kind.

    Raise VotesError if it holds none.
    """
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        judges = [name for name in reader.fieldnames or () if "/" in name]
        if not judges or not {"part", "label"} <= set(reader.fieldnames or ()):
            message = "line 1: expected the columns part, case, label, and one for each judge, named family/prompt"
            raise VotesError(message)
        rows = [_check_row(row, judges, reader.line_num) for row in reader]
    groups = {
        "natural": [row for row in rows if row["part"] == NATURAL],
        "adversarial": [row for row in rows if row["part"] != NATURAL],
    }
    if not rows:
        raise VotesError("the file has no cases")
    return {
        name: Votes([row["label"] for row in some], {judge: [row[judge] for row in some] for judge in judges})
        for name, some in groups.items()
        if some
    }


def _check_row(row: dict[str, str], judges: Sequence[str], line: int) -> dict[str, str]:
    if row["label"] not in {*CHOICES}:
        raise VotesError(f"line {line}: the label is {row['label']!r}, and neither 1 nor 2")
    for judge in judges:
        choices = row[judge] or ""
        if len(choices) != len(CHOICES) or set(choices) - {*CHOICES, "-"}:
            raise VotesError(f"line {line}: {judge} has {choices!r}, and no two choices of 1, 2 and -")
    return row
