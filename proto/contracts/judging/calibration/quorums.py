"""Say what the votes of a quorum are worth on the labels there are, and what should be looked at in one."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Self

from pydantic import Field, computed_field

from contracts.judging.calibration.statistics import Panel, effective_votes
from contracts.judging.policy import VOTES_MAX, VOTES_MIN, JudgePolicy
from signoff.errors import ErrorCode
from signoff.fields import Model

Count = Annotated[int, Field(ge=0)]
#: What measures a policy.
EVALUATE: Final = "signoff judge evaluate CASES.jsonl --policy"


class QuorumWorth(Model):
    """How the votes of a quorum judged labelled criteria. No answer is an error."""

    votes: Annotated[int, Field(ge=VOTES_MIN, le=VOTES_MAX)]
    labels: Count
    correlation: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        None, description="of errors, the mean of all pairs; left out where no pair errs"
    )
    correlation_low: Annotated[float, Field(ge=-1, le=1)] | None = Field(
        None, description="of its 95 % interval, which is by case; left out where it is not known"
    )
    correlation_high: Annotated[float, Field(ge=-1, le=1)] | None = None
    wrong: Annotated[list[Count], Field(min_length=VOTES_MIN, max_length=VOTES_MAX)] = Field(description="by vote")
    majority_wrong: Count

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """Return what a panel says."""
        return cls(
            votes=panel.votes,
            labels=panel.cases,
            correlation=panel.correlation,
            correlation_low=panel.correlation_low,
            correlation_high=panel.correlation_high,
            wrong=list(panel.wrong),
            majority_wrong=panel.majority_wrong,
        )

    @computed_field(description="independent votes that they are worth")  # type: ignore[prop-decorator]
    @property
    def worth_votes(self) -> float | None:
        """How many independent votes they are worth; None where that is not known."""
        return self._find_worth(self.correlation)

    @computed_field(description="of the 95 % interval of what they are worth")  # type: ignore[prop-decorator]
    @property
    def worth_votes_low(self) -> float | None:
        """How many independent votes they are worth at least; None where that is not known."""
        return self._find_worth(self.correlation_high)

    @computed_field(description="left out where it is not known, or has no bound")  # type: ignore[prop-decorator]
    @property
    def worth_votes_high(self) -> float | None:
        """How many independent votes they are worth at most; None where that is not known, or has no bound."""
        return self._find_worth(self.correlation_low)

    def _find_worth(self, correlation: float | None) -> float | None:
        return None if correlation is None else effective_votes(self.votes, correlation)

    @computed_field(description="of the best vote")  # type: ignore[prop-decorator]
    @property
    def best_wrong(self) -> int:
        """How often the best vote is wrong."""
        return min(self.wrong)

    @computed_field(description="the best vote alone is wrong no more often than the majority")  # type: ignore[prop-decorator]
    @property
    def adds_nothing(self) -> bool:
        """Whether the best vote alone is wrong no more often than the majority."""
        return self.majority_wrong >= self.best_wrong

    @property
    def sentence(self) -> str:
        """What they are worth, in a sentence."""
        worth = "no known number of" if self.worth_votes is None else f"{self.worth_votes:.1f}"
        between = ""
        if self.worth_votes is not None and self.worth_votes_low is not None:
            high = "or more" if self.worth_votes_high is None else f"to {self.worth_votes_high:.1f}"
            between = f" (95 % interval {self.worth_votes_low:.1f} {high})"
        correlation = "undefined" if self.correlation is None else f"{self.correlation:.2f}"
        return (
            f"a quorum of {self.votes} is worth {worth} independent votes{between} on {self.labels} labels (mean "
            f"correlation of errors {correlation}): its majority is wrong in {self.majority_wrong}, its best vote in "
            f"{self.best_wrong}" + ("; it adds nothing to that one" if self.adds_nothing else "")
        )


def find_quorum_warnings(policy: JudgePolicy, measured: Sequence[QuorumWorth] | None) -> Iterator[tuple[str, str]]:
    """Yield codes and messages for what should be looked at in the quorum of a policy, if it has one.

    `measured`: what an evaluation said of these votes; None: there was none.
    """
    stage = policy.stages[-1]
    if stage.kind != "quorum":
        return
    models, families = {judge.model for judge in stage.judges}, {judge.family for judge in stage.judges}
    if len(models) <= 1 or (len(families) == 1 and None not in families):
        alike = f"of the family {families.pop()}" if len(models) > 1 else f"of {', '.join(models) or 'one model'}"
        yield (
            ErrorCode.QUORUM_ALIKE,
            f"all votes are {alike}, which errs alike in any order and wording: name judges of others",
        )
    votes = stage.votes or len(stage.judges)
    worth = None if measured is None else next((one for one in measured if one.votes == votes), None)
    if worth is None:
        message = f"what a quorum of {votes} is worth is not measured: {EVALUATE} {policy.reference}"
        yield ErrorCode.QUORUM_NOT_MEASURED, message
    elif worth.adds_nothing:
        best = worth.wrong.index(worth.best_wrong)
        whose = f" ({stage.judges[best % len(stage.judges)].model})" if stage.judges else ""
        yield ErrorCode.QUORUM_ADDS_NOTHING, f"{worth.sentence}: take vote {best + 1}{whose} alone"
