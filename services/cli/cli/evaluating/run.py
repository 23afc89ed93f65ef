"""Judge the cases of a file by policies: all lines are looked at before the first judge is paid."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from cli.errors import CommandError
from contracts.judging.calibration.cases import LINE_MAX_BYTES, BadLine, Case, NumberedCase, read_cases
from contracts.judging.calibration.evaluation import Evaluation, Judged

#: Cases that are judged together, and held in memory.
BATCH: Final = 100
#: Bad lines that are told at once.
TOLD_MAX: Final = 10


class JudgeCases(Protocol):
    """Judge cases by a policy, `name` or `name@version`, each as if nobody had judged it before."""

    async def __call__(self, cases: Sequence[Case], policy: str) -> Sequence[Judged]:
        """Return what was made of each, in their order."""
        ...


@dataclass(frozen=True)
class Checked:
    """What is known of a file before anything of it is judged."""

    path: Path
    cases: int
    cases_hash: str
    skipped: Sequence[BadLine]


def check_file(path: Path, *, skip_bad: bool) -> Checked:
    """Read all lines of a file. Raise CommandError if there is no case, or if a line is none and may not be skipped."""
    bad: list[BadLine] = []
    count, digest = 0, hashlib.sha256()
    for one in _read(path):
        if isinstance(one, BadLine):
            bad.append(one)
        else:
            count += 1
            digest.update(one.case.write().encode() + b"\n")
    if bad and not skip_bad:
        told = "; ".join(f"line {one.line} {one.reason}" for one in bad[:TOLD_MAX])
        more = f"; and {len(bad) - TOLD_MAX} more" if len(bad) > TOLD_MAX else ""
        message = f"{path} has lines that are no cases: {told}{more}. Correct them, or leave them out with --skip-bad"
        raise CommandError(message, code="bad_cases")
    if not count:
        raise CommandError(f"{path} has no cases", code="no_cases")
    return Checked(path, count, digest.hexdigest(), bad)


async def evaluate(file: Checked, policies: Sequence[str], repeats: int, judge: JudgeCases) -> Mapping[str, Any]:
    """Return the report of all policies on all cases of a file, each judged so many times."""
    evaluation = Evaluation(policies)
    cases = (one.case for one in _read(file.path) if isinstance(one, NumberedCase))
    while batch := list(islice(cases, BATCH)):
        rounds = [policy for policy in policies for _ in range(repeats)]
        judged = list(zip(rounds, await asyncio.gather(*(judge(batch, policy) for policy in rounds)), strict=True))
        for place, case in enumerate(batch):
            own = {policy: [made[place] for by, made in judged if by == policy] for policy in policies}
            evaluation.add(case, own)
    return {
        "cases_hash": file.cases_hash,
        "repeats": repeats,
        "skipped": [one._asdict() for one in file.skipped],
        **evaluation.report(),
    }


def reduce_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a jobstore looks at of a report: its disagreements alone may be larger than a call."""
    looked_at = ("policy", "versions", "overall", "flips", "quorum")
    policies = [{name: one[name] for name in looked_at if name in one} for one in report["policies"]]
    return {"cases_hash": report.get("cases_hash"), "policies": policies}


def _read(path: Path) -> Iterator[NumberedCase | BadLine]:
    try:
        with path.open("rb") as file:
            yield from read_cases(iter(lambda: file.readline(LINE_MAX_BYTES + 1), b""))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}", code="unreadable") from error
