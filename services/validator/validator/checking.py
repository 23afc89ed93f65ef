"""Make the checks of a judgement before any judge is asked: what they cost is bounded, whatever the result."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from pydantic import JsonValue

from contracts.checks import Finding
from contracts.criteria import Criterion
from contracts.events import hash_result
from contracts.jsontext import json_text
from contracts.judging.verdict import CriterionVerdict, StageVerdict, Verdict
from contracts.status import Outcome
from validator.errors import JudgmentError
from validator.verdict import NO_JUDGE

#: Seconds of CPU that a check may take.
CHECK_CPU_S: Final = 2.0
#: Processes that make checks at once, so that one result that takes long does not keep all others waiting.
PROCESSES_MAX: Final = 2
#: Checks of one judgement that may end their process; those that come after them are not made.
ENDED_MAX: Final = 3
#: How often checks are made again in another process, since somebody ended theirs.
LOST_MAX: Final = 2

_FOREIGN_ENDS: Final = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
_TOO_MUCH: Final = Finding(Outcome.CANNOT_ASSESS, None, "the check takes too much time or memory on this result")
_NOT_MADE: Final = Finding(Outcome.CANNOT_ASSESS, None, "the check was not made: those before it took too long")
_LETTERS: Final = {Outcome.PASS: "p", Outcome.FAIL: "f", Outcome.CANNOT_ASSESS: "c"}


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What checks may look at besides the result. What is not known, no check that needs it passes by."""

    payload: JsonValue = None
    submission: int | None = None
    previous_result_hash: bytes | None = None

    def describe(self, result: JsonValue) -> str:
        """Return the JSON text of all that checks look at. Raise ValueError if the result cannot be written as JSON."""
        known = {"payload": self.payload}
        if self.submission is not None:
            known["submission"] = self.submission
        is_repeated: bool | None = False if self.submission == 1 else None
        if self.previous_result_hash is not None:
            is_repeated = hash_result(json_text(result)) == self.previous_result_hash
        return json_text({"result": result, "known": known, "is_repeated": is_repeated})


class CheckProcesses:
    """Processes that make checks, started when they are first needed; two at most.

    They know no secret, and one that needs too much time or memory ends alone: a check may take `check_cpu_s`.
    """

    def __init__(self, check_cpu_s: float = CHECK_CPU_S) -> None:
        self._check_cpu_s = check_cpu_s
        self._turns = asyncio.Semaphore(PROCESSES_MAX)
        self._idle: list[Process] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._idle:
            await _end(process)
        self._idle.clear()

    async def find(self, checks: Sequence[str], subject: str) -> list[Finding]:
        """Return what each check found."""
        findings: list[Finding] = []
        ended = lost = 0
        async with self._turns:
            while len(findings) < len(checks) and ended < ENDED_MAX:
                process = await self._take()
                try:
                    findings += await _exchange(process, checks[len(findings) :], subject)
                finally:
                    if len(findings) == len(checks):
                        self._idle.append(process)
                    else:
                        await _end(process)
                if len(findings) == len(checks):
                    break
                if process.returncode in _FOREIGN_ENDS and lost < LOST_MAX:
                    lost += 1
                else:
                    ended += 1
                    findings.append(_TOO_MUCH)
        return findings + [_NOT_MADE] * (len(checks) - len(findings))

    async def _take(self) -> Process:
        """Return a process that waits for work."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return await _start(self._check_cpu_s)


async def _exchange(process: Process, checks: Sequence[str], subject: str) -> list[Finding]:
    """Return what the first checks found: those that were made before one ended the process."""
    assert process.stdin is not None
    assert process.stdout is not None
    findings: list[Finding] = []
    with suppress(ConnectionError):  # it ended
        process.stdin.write(f"{json.dumps(checks)}\n{subject}\n".encode())
        await process.stdin.drain()
        while len(findings) < len(checks) and (line := await process.stdout.readline()):
            outcome, evidence, comment = json.loads(line)
            findings.append(Finding(Outcome(outcome), evidence, comment))
    return findings


async def _start(check_cpu_s: float) -> Process:
    """Start a process, and wait until it is ready. What is sent to this one's group does not reach it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "contracts.checks", str(check_cpu_s),
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env={}, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    is_ready = b""
    try:
        is_ready = await process.stdout.readline()
    finally:
        if not is_ready:
            await _end(process)
    if not is_ready:
        raise RuntimeError("the process that makes checks does not start: is the package of the contracts whole?")
    return process


async def _end(process: Process) -> None:
    assert process.stdout is not None
    if process.returncode is None and not process.stdout.at_eof():  # else it ended by itself
        process.kill()
    await process.wait()


async def run_checks(
    criteria: Sequence[Criterion], result: JsonValue, context: CheckContext, processes: CheckProcesses | None
) -> dict[int, CriterionVerdict]:
    """Return the verdicts on the criteria that are checks, by their place.

    Raise JudgmentError if the result cannot be written as JSON.
    """
    checks = {place: one for place, one in enumerate(criteria) if one.kind == "check"}
    if not checks:
        return {}
    try:
        subject = context.describe(result)
    except ValueError as error:
        raise JudgmentError("the result cannot be written as JSON", code="result_not_json") from error
    texts = [one.text for one in checks.values()]
    if processes is not None:
        findings = await processes.find(texts, subject)
    else:
        async with CheckProcesses() as own:
            findings = await own.find(texts, subject)
    return {
        place: CriterionVerdict(
            text=one.text,
            required=one.required,
            kind=one.kind,
            outcome=found.outcome,
            evidence=found.evidence,
            comment=found.comment,
        )
        for (place, one), found in zip(checks.items(), findings, strict=True)
    }


def conclude_checks(
    criteria: Sequence[Criterion], checked: Mapping[int, CriterionVerdict], *, judge_after_checks: bool
) -> Verdict | None:
    """Return the verdict that follows from checks alone, or None if a judge has to be asked."""
    broken = [one for one in checked.values() if one.required and one.outcome is not Outcome.PASS]
    if len(checked) < len(criteria) and (judge_after_checks or not broken):
        return None
    words = "; ".join(f"`{one.text}`: {one.comment}" for one in broken)
    reason = f"a check is not met: {words}" if broken else "every required check is met"
    verdicts = [checked.get(place) or _leave_unjudged(one) for place, one in enumerate(criteria)]
    verdict = Verdict.of(verdicts, reason, NO_JUDGE)
    return verdict.model_copy(update={"stages": [_tell_stage(criteria, checked)]})


def join_checks(criteria: Sequence[Criterion], checked: Mapping[int, CriterionVerdict], judged: Verdict) -> Verdict:
    """Return the verdict on all criteria: what checks found, and what was judged of the others, in their order."""
    if not checked:
        return judged
    others = iter(judged.criteria)
    verdicts = [checked.get(place) or next(others) for place in range(len(criteria))]
    is_valid = all(one.outcome is Outcome.PASS for one in verdicts if one.required)
    stages = [_tell_stage(criteria, checked), *(judged.stages or ())]
    return judged.model_copy(update={"criteria": verdicts, "is_valid": is_valid, "stages": stages})


def _leave_unjudged(criterion: Criterion) -> CriterionVerdict:
    return CriterionVerdict(
        text=criterion.text,
        required=criterion.required,
        kind=criterion.kind,
        outcome=Outcome.CANNOT_ASSESS,
        comment="not judged: a check is not met, and no judge is asked before it is",
    )


def _tell_stage(criteria: Sequence[Criterion], checked: Mapping[int, CriterionVerdict]) -> StageVerdict:
    letters = (_LETTERS[checked[place].outcome] if place in checked else "-" for place in range(len(criteria)))
    return StageVerdict(kind="checks", outcomes="".join(letters))
