"""Judge the labelled cases of a file by policies, through the jobstore, as judgings without a job."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from cli.errors import CommandError, ExitStatus
from cli.options import validate_model
from contracts.judging.cases import (
    LINE_MAX_BYTES,
    BadLine,
    Case,
    NumberedCase,
    hash_question,
    hash_questions,
    read_cases,
)
from contracts.judging.evaluation import Asked, Evaluation, Judged
from contracts.judging.policy import DEFAULT_POLICY
from contracts.resources import CASES_MAX, NewJudgings
from signoff import AsyncClient
from signoff.errors import ErrorCode
from signoff.judging import Judging
from signoff.status import JudgingKind

#: Cases that are judged together, and held in memory.
BATCH: Final = 100
#: Bad lines that an error names.
SHOWN_MAX: Final = 10


class JudgeCases(Protocol):
    """Judge cases by a policy, `name` or `name@version`, without reuse of earlier verdicts."""

    async def __call__(self, cases: Sequence[Case], policy: str, repeat: int) -> Sequence[Judged]:
        """Return the outcome of each case, in their order; `repeat` counts from 1."""
        ...


@dataclass(frozen=True)
class Checked:
    """A file of cases that was read once, before any of them is judged."""

    path: Path
    cases: int
    cases_hash: str
    skipped: Sequence[BadLine]


def check_file(path: Path, *, skip_bad: bool, submission: int = 1) -> Checked:
    """Read all lines of a file. Raise CommandError if there is no case, or if a line is none and may not be skipped."""
    bad: list[BadLine] = []
    labelled: list[tuple[str, str]] = []
    for one in _read(path):
        if isinstance(one, BadLine):
            bad.append(one)
        else:
            labelled.append((hash_question(one.case.ask(submission)), one.case.write_labels()))
    if bad and not skip_bad:
        lines = "; ".join(f"line {one.line} {one.reason}" for one in bad[:SHOWN_MAX])
        more = f"; and {len(bad) - SHOWN_MAX} more" if len(bad) > SHOWN_MAX else ""
        message = f"{path} has lines that are no cases: {lines}{more}. Correct them, or leave them out with --skip-bad"
        raise CommandError(message, code=ErrorCode.BAD_CASES)
    if not labelled:
        raise CommandError(f"{path} has no cases", code=ErrorCode.NO_CASES)
    return Checked(path, len(labelled), hash_questions(labelled), bad)


async def evaluate(
    file: Checked, policies: Sequence[str], repeats: int, judge: JudgeCases, evaluation: UUID
) -> Mapping[str, Any]:
    """Return the report of all policies on all cases of a file, each judged so many times."""
    counted = Evaluation(policies)
    cases = (one.case for one in _read(file.path) if isinstance(one, NumberedCase))
    while batch := list(islice(cases, BATCH)):
        rounds = [(policy, repeat) for policy in policies for repeat in range(1, repeats + 1)]
        judged = list(zip(rounds, await asyncio.gather(*(judge(batch, *one) for one in rounds)), strict=True))
        for place, case in enumerate(batch):
            own = {policy: [made[place] for (by, _), made in judged if by == policy] for policy in policies}
            counted.add(case, own)
    return {
        "evaluation": str(evaluation),
        "cases_hash": file.cases_hash,
        "repeats": repeats,
        "skipped": [one._asdict() for one in file.skipped],
        **counted.report(),
    }


def reduce_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a report that a jobstore reads: the disagreements alone may be larger than a call."""
    looked_at = ("policy", "versions", "overall")
    policies = [{name: one[name] for name in looked_at if name in one} for one in report["policies"]]
    return {"evaluation": report.get("evaluation"), "policies": policies}


def _read(path: Path) -> Iterator[NumberedCase | BadLine]:
    try:
        with path.open("rb") as file:
            yield from read_cases(iter(lambda: file.readline(LINE_MAX_BYTES + 1), b""))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", code=ErrorCode.UNREADABLE) from error


#: The largest JSON that one call sends, in bytes: less than gRPC takes, unless a single case is larger.
CALL_MAX_BYTES: Final = 2 << 20
#: Verdicts that one call returns.
PAGE: Final = 50


def judge_through(jobstore: AsyncClient, evaluation: UUID, submission: int = 1) -> JudgeCases:
    """Return a function that judges cases through a jobstore, each as if it were this submission of its job."""

    async def judge(cases: Sequence[Case], policy: str, repeat: int) -> Sequence[Judged]:
        judged: list[Judged] = []
        for some in _divide(cases):
            named = None if policy == DEFAULT_POLICY else policy
            asked = {
                "kind": JudgingKind.EVALUATE,
                "cases": [case.ask(submission) | {"labels": case.write_labels()} for case in some],
                "judge": named,
                "evaluation": evaluation,
                "repeat": repeat,
            }
            judged += [
                _read_judging(made) for made in await _make(jobstore, validate_model(NewJudgings, asked, "--judge"))
            ]
        return judged

    return judge


def _divide(cases: Sequence[Case]) -> list[list[Case]]:
    """Return the cases in calls that are not too large."""
    calls: list[list[Case]] = []
    room = 0
    for case in cases:
        size = len(case.write())
        if size > room or len(calls[-1]) == CASES_MAX:
            calls.append([])
            room = CALL_MAX_BYTES
        calls[-1].append(case)
        room -= size
    return calls


async def _make(jobstore: AsyncClient, new: NewJudgings) -> list[Judging]:
    group_id = await jobstore.create_judgings(new)
    async with aclosing(jobstore.watch_judgings(group_id)) as progress:
        async for _ in progress:
            pass
    made: list[Judging] = []
    token: str | None = ""
    while token is not None:
        page, following = await jobstore.get_judgings(group_id, page_size=PAGE, page_token=token)
        made += page
        token = following or None
    if len(made) != len(new.cases):
        message = f"{len(new.cases)} judgings were asked for, and {len(made)} came back: are they older than a day?"
        raise CommandError(message, code=ErrorCode.JUDGINGS_LOST, status=ExitStatus.NOT_MET)
    return sorted(made, key=lambda one: one.item)


def _read_judging(made: Judging) -> Judged:
    if made.verdict is None:
        return Judged("", False, error=made.code or ErrorCode.NO_VERDICT, reason=made.message or "")
    judged = Judged.of(made.verdict)
    if judged.asks:
        return judged
    # A verdict without stages has no asks; their sums are known.
    asked = Asked("judge", judged.outcomes, made.cost_usd or None, made.duration_s, made.tokens or None)
    return judged._replace(asks=[asked]) if made.tokens else judged
