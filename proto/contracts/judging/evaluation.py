"""Count how policies judged labelled cases, case by case, and report how good the policies are."""

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, Self

from contracts.judging.cases import Case
from contracts.judging.statistics import (
    Confusion,
    ConfusionByCase,
    Interval,
    QuorumWorth,
    Spread,
    judge_panel,
    mcnemar,
    quantile,
    wilson,
)
from signoff.jsontext import json_text
from signoff.judging import Ask, Verdict
from signoff.status import Outcome
from signoff.values import to_nanos, usd_text

#: Criteria that are counted each by itself, and those of them that a report lists: the ones with the most labels.
CRITERIA_MAX, LISTED_MAX = 10_000, 100
#: Cases that a report holds to be read.
DISAGREEMENTS_MAX: Final = 200
#: Characters of a result that is to be read.
RESULT_MAX_CHARS: Final = 20_000
PASS, FAIL, UNSURE, NOTHING = "p", "f", "c", "-"
_LETTERS: Final = {Outcome.PASS: PASS, Outcome.FAIL: FAIL, Outcome.CANNOT_ASSESS: UNSURE}

Json = dict[str, Any]


class Asked(NamedTuple):
    """An ask of a model: a letter for each criterion, None if the answer was not sound; and, if known, what it took.

    `vote` is the number of the vote, in a quorum, that the ask belongs to. `together` is how many asks are summed here.
    """

    role: str
    outcomes: str | None
    cost_usd: Decimal | None = None
    latency_s: float | None = None
    tokens: int | None = None
    vote: int | None = None
    together: int = 1


class Confirmation(NamedTuple):
    """The confirmation of a result that had passed: whether it still passed, and the number and cost of the asks."""

    passed: bool
    asks: int
    cost_usd: Decimal | None

    @classmethod
    def of(cls, verdict: Verdict) -> Self | None:
        """Return the confirmation in a verdict; None if the verdict has no confirming stage."""
        stage = next((stage for stage in verdict.stages or () if stage.kind == "confirm"), None)
        if stage is None:
            return None
        outcomes = zip(verdict.criteria, stage.outcomes, strict=True)
        passed = all(letter in PASS + NOTHING for criterion, letter in outcomes if criterion.required)
        costs = [ask.cost_usd for ask in stage.asks]
        known = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
        return cls(passed, sum(ask.sum_of or 1 for ask in stage.asks), known)


class Judged(NamedTuple):
    """One judgement of a case by a policy: a letter a criterion (p, f, c or -), and whether it accepted the result.

    With an `error` nothing was decided. `version` is the policy's name and version, as the verdict names it. `evidence`
    has the quotations for each criterion, if there are any.
    """

    outcomes: str
    accepted: bool
    asks: Sequence[Asked] = ()
    error: str | None = None
    reason: str = ""
    version: str | None = None
    evidence: Sequence[Sequence[str]] = ()
    confirmation: Confirmation | None = None

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """Return the judgement in a verdict. If the verdict names a judge error, so does the judgement."""
        outcomes = "".join(_LETTERS[one.outcome] for one in verdict.criteria)
        asks = [_read_ask(ask) for stage in verdict.stages or () for ask in stage.asks]
        evidence = [one.evidence for one in verdict.criteria]
        others = (verdict.judge_error, verdict.reason, verdict.judge, evidence, Confirmation.of(verdict))
        return cls(outcomes, verdict.is_valid, asks, *others)


def _read_ask(ask: Ask) -> Asked:
    counts = [count for count in (ask.input_tokens, ask.output_tokens) if count is not None]
    tokens = sum(counts) if counts else None
    return Asked(ask.role, ask.outcomes, ask.cost_usd, ask.latency_s, tokens, ask.vote, ask.sum_of or 1)


def _list_votes(asks: Sequence[Asked], place: int, kind: str) -> list[str]:
    """Return the letter that each vote of a quorum gave the criterion at `place`; NOTHING if no answer of it was sound.

    Of several asks of one vote, such as on parts of a long result, the first decisive one counts: one that passes or,
    of the kind `never`, that fails. If none is decisive, the last sound one counts.
    """
    votes: dict[int, str] = {}
    decisive = FAIL if kind == "never" else PASS
    for number, ask in enumerate(asks):
        if ask.role == "vote":
            vote = number if ask.vote is None else ask.vote
            outcome = NOTHING if ask.outcomes is None else ask.outcomes[place]
            if votes.setdefault(vote, outcome) != decisive and outcome != NOTHING:
                votes[vote] = outcome
    return [votes[vote] for vote in sorted(votes)]


class Evaluation:
    """The counts of several policies on the same cases, and comparisons of the first policy with each other one."""

    def __init__(self, policies: Sequence[str]) -> None:
        if len(set(policies)) != len(policies) or not policies:
            raise ValueError("give one or more policies, each once")
        self._counts = {policy: PolicyCounts() for policy in policies}
        self._pairs = {policy: Counter[tuple[bool, bool]]() for policy in policies[1:]}
        self._first = policies[0]
        self._cases = 0
        self._disagreements: list[Json] = []
        self._disagreeing = 0

    def add(self, case: Case, judged: Mapping[str, Sequence[Judged]]) -> None:
        """Count a case that each policy judged once or more; only a policy's first judgement shows how good it is."""
        self._cases += 1
        for policy, counts in self._counts.items():
            counts.add(case, judged[policy])
        if case.label is not None:
            right = {policy: _is_right(case.label, judged[policy][0]) for policy in self._counts}
            for policy, pairs in self._pairs.items():
                first, second = right[self._first], right[policy]
                if first is not None and second is not None:
                    pairs[first, second] += 1
        self._note_disagreement(case, judged)

    def _note_disagreement(self, case: Case, judged: Mapping[str, Sequence[Judged]]) -> None:
        firsts = {policy: judged[policy][0] for policy in self._counts}
        if not any(_disagrees(case, one) for one in firsts.values()):
            return
        self._disagreeing += 1
        if len(self._disagreements) < DISAGREEMENTS_MAX:
            self._disagreements.append(
                {
                    "id": case.id,
                    "title": case.title,
                    "result": _shorten(case.result),
                    "label": case.label,
                    "criteria": [str(criterion) for criterion in case.criteria],
                    "labels": case.labels,
                    "judged": {policy: _describe(one) for policy, one in firsts.items()},
                }
            )

    def report(self) -> Json:
        """Return all counts as JSON."""
        return {
            "cases": self._cases,
            "policies": [{"policy": policy, **counts.report()} for policy, counts in self._counts.items()],
            "comparisons": [self._compare(policy, pairs) for policy, pairs in self._pairs.items()],
            "disagreements": {"total": self._disagreeing, "items": self._disagreements},
        }

    def _compare(self, policy: str, pairs: Mapping[tuple[bool, bool], int]) -> Json:
        only_first, only_second = pairs[True, False], pairs[False, True]
        return {
            "first": self._first,
            "second": policy,
            "both_right": pairs[True, True],
            "only_first_right": only_first,
            "only_second_right": only_second,
            "both_wrong": pairs[False, False],
            "p": mcnemar(only_first, only_second),
        }


class PolicyCounts:
    """The counts of one policy on labelled cases."""

    def __init__(self) -> None:
        self.overall = Confusion()
        self._all = ConfusionByCase()
        self._criteria: dict[str, ConfusionByCase] = {}
        self._not_told_apart = 0
        self._errors = Counter[str]()
        self._flips = Counter[str]()
        self._flipped = Spread()
        self._versions = Counter[str]()
        self._asks = Counter[str]()
        self._confirmed = Counter[str]()
        self._confirming_usd: Decimal | None = Decimal(0)
        self._cost_usd = Decimal(0)
        self._latencies = array("d")
        self._votes: dict[int, list[bytearray]] = {}  # by how many there were: the errors of each, then the labels
        self._cases_of_votes: dict[int, array[int]] = {}  # and of which case each label is
        self._cases = 0

    def add(self, case: Case, judged: Sequence[Judged]) -> None:
        """Count a case that the policy judged once or more; its first judgement is compared with the labels."""
        self._cases += 1
        for one in judged:
            self._versions.update([one.version] if one.version else [])
            for ask in one.asks:
                self._add_ask(ask)
        sound = [one for one in judged if one.error is None]
        if len(sound) > 1:
            self._add_repeats(sound)
        first = judged[0]
        if first.error is not None:
            self._errors[first.error] += 1
            return
        if len(first.outcomes) != len(case.criteria):
            msg = f"case {case.id!r} has {len(case.criteria)} criteria, and {len(first.outcomes)} were judged"
            raise ValueError(msg)
        if case.label is not None:
            pairs = zip(case.criteria, first.outcomes, strict=True)
            fails = any(criterion.required and letter == FAIL for criterion, letter in pairs)
            self.overall.add(label=case.label, passed=first.accepted, unsure=not fails)
            self._add_confirmation(case.label, first.confirmation)
        counted: dict[str, Confusion] = {}
        for place, (label, criterion) in enumerate(zip(case.labels, case.criteria, strict=True)):
            if label is not None:
                letter = first.outcomes[place]
                confusion = counted.setdefault(str(criterion), Confusion())
                confusion.add(label=label, passed=letter == PASS, unsure=letter in UNSURE + NOTHING)
                if criterion.kind != "check":  # which nobody is asked about
                    self._add_votes(label, _list_votes(first.asks, place, criterion.kind))
        self._add_criteria(counted)

    def _add_ask(self, ask: Asked) -> None:
        self._asks["total"] += ask.together
        self._asks["tokens"] += ask.tokens or 0
        self._asks["of_unknown_cost"] += ask.together if ask.cost_usd is None else 0
        self._cost_usd += ask.cost_usd or 0
        if ask.latency_s is not None and ask.together == 1:
            self._latencies.append(ask.latency_s)

    def _add_confirmation(self, label: bool, made: Confirmation | None) -> None:
        if made is None:
            return
        name = "good" if label else "bad"
        self._confirmed.update({name: 1, f"{name}_stopped": not made.passed, "asks": made.asks})
        if self._confirming_usd is not None:
            self._confirming_usd = None if made.cost_usd is None else self._confirming_usd + made.cost_usd

    def _add_repeats(self, sound: Sequence[Judged]) -> None:
        self._flips["cases_repeated"] += 1
        self._flips["cases"] += len({one.accepted for one in sound}) > 1
        columns = list(zip(*(one.outcomes for one in sound), strict=True))
        self._flipped.add(sum(len({letter == PASS for letter in column}) > 1 for column in columns), len(columns))

    def _add_criteria(self, counted: Mapping[str, Confusion]) -> None:
        """Count the outcomes of a case's criteria, in total and for each criterion."""
        case = Confusion()
        for criterion, confusion in counted.items():
            case.add_all(confusion)
            if criterion in self._criteria or len(self._criteria) < CRITERIA_MAX:
                self._criteria.setdefault(criterion, ConfusionByCase()).add_case(confusion)
            else:
                self._not_told_apart += confusion.total
        self._all.add_case(case)

    def _add_votes(self, label: bool, votes: Sequence[str]) -> None:
        """Count a quorum's votes by their number: a vote errs if it differs from `label`, or has no answer."""
        if len(votes) > 1:
            *rows, labels = self._votes.setdefault(len(votes), [bytearray() for _ in (*votes, label)])
            labels.append(label)
            self._cases_of_votes.setdefault(len(votes), array("Q")).append(self._cases)
            for row, letter in zip(rows, votes, strict=True):
                row.append(letter == NOTHING or (letter == PASS) is not label)

    def report(self) -> Json:
        """Return the counts as JSON."""
        ranked = sorted(self._criteria.items(), key=lambda item: -item[1].total)
        asked = self._asks["total"]
        flips = self._flips
        return {
            "versions": dict(self._versions),
            "overall": measure(self.overall),
            "all_criteria": measure(self._all),
            "criteria": [{"criterion": name, **measure(one)} for name, one in ranked[:LISTED_MAX]],
            "criteria_not_listed": max(0, len(ranked) - LISTED_MAX),
            "labels_not_told_apart": self._not_told_apart,
            "unjudged": dict(self._errors),
            "flips": {
                "cases": _interval(wilson(flips["cases"], flips["cases_repeated"]), flips["cases"]),
                "criteria": _interval(self._flipped.interval, self._flipped.count),
            },
            "asks": asked,
            "tokens": self._asks["tokens"],
            "cost_usd": None if asked and self._asks["of_unknown_cost"] == asked else _write(self._cost_usd),
            "asks_of_unknown_cost": self._asks["of_unknown_cost"],
            "latency_s": {"median": quantile(self._latencies, 0.5), "p95": quantile(self._latencies, 0.95)},
            "confirm": self._report_confirming(),
            "quorum": [worth.model_dump() for worth in self.list_quorums()],
        }

    def list_quorums(self) -> list[QuorumWorth]:
        """Return what the votes of the quorums are worth: an item for each size of a quorum."""
        votes = self._votes.items()
        return [judge_panel(rows, labels, self._cases_of_votes[count]) for count, (*rows, labels) in votes]

    @property
    def judges(self) -> set[str]:
        """The versions of the policy that judged, by the names that verdicts give them."""
        return set(self._versions)

    def _report_confirming(self) -> Json | None:
        """Return how many results were confirmed, and how many of them were stopped; None if none was confirmed."""
        if not self._confirmed:
            return None
        counts = {name: self._confirmed[name] for name in ("bad", "bad_stopped", "good", "good_stopped", "asks")}
        return {**counts, "cost_usd": None if self._confirming_usd is None else _write(self._confirming_usd)}


def _write(usd: Decimal) -> str:
    return usd_text(to_nanos(usd))


def _is_right(label: bool, judged: Judged) -> bool | None:
    return None if judged.error is not None else judged.accepted is label


def _disagrees(case: Case, judged: Judged) -> bool:
    if judged.error is not None:
        return False
    pairs = zip(case.labels, judged.outcomes, strict=True)
    by_criterion = any(label is not None and (letter == PASS) is not label for label, letter in pairs)
    return by_criterion or (case.label is not None and judged.accepted is not case.label)


def _describe(judged: Judged) -> Json:
    if judged.error is not None:
        return {"error": judged.error}
    described = {"accepted": judged.accepted, "outcomes": judged.outcomes, "reason": judged.reason}
    return described | ({"evidence": [list(one) for one in judged.evidence]} if any(judged.evidence) else {})


def _shorten(result: Any) -> Json:
    """Return a result's text, cut to RESULT_MAX_CHARS, and the number of characters that were cut, as JSON."""
    text = result if isinstance(result, str) else json_text(result)
    return {"text": text[:RESULT_MAX_CHARS], "chars_left_out": max(0, len(text) - RESULT_MAX_CHARS)}


def _interval(interval: Interval, count: int) -> Json:
    return {"count": count, **interval._asdict()}


_RATES: Final = ("agreement", "true_positive_rate", "true_negative_rate", "false_accept_rate", "false_reject_rate")


def measure(confusion: Confusion) -> Json:
    """Return the counts of a confusion matrix, with the rates and kappa computed from them, as JSON."""
    return {
        "labelled": confusion.total,
        "good": confusion.positives,
        "bad": confusion.negatives,
        **confusion.counts,
        "kappa": confusion.kappa,
        **{name: getattr(confusion, name)._asdict() for name in _RATES},
    }
