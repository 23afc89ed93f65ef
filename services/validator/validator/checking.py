"""Run the checks of a judgement in processes of their own, which bound the cost of a check on any result."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from contracts.checks import Finding
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import Outcome
from validator.errors import JudgmentError
from validator.ports import Subject

#: Seconds of CPU that a check may take.
CHECK_CPU_S: Final = 2.0
#: Processes that make checks at once, so that one slow result does not delay all others.
PROCESSES_MAX: Final = 2
#: Checks of one judgement that may exhaust their process; those after them are not made.
ENDED_MAX: Final = 3
#: How often checks are made again in another process after theirs was killed from outside.
LOST_MAX: Final = 2

_FOREIGN_ENDS: Final = frozenset({-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
_TOO_MUCH: Final = Finding(Outcome.CANNOT_ASSESS, None, "the check takes too much time or memory on this result")
_NOT_MADE: Final = Finding(Outcome.CANNOT_ASSESS, None, "the check was not made: those before it took too long")


class CheckProcesses:
    """A pool of at most PROCESSES_MAX processes that run checks; each process is started when it is first needed.

    The processes have no secrets. A check over `check_cpu_s` of CPU, or over its memory limit, ends only its process.
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

    async def run(self, checks: Sequence[str], subject: Subject) -> list[Finding]:
        """Run checks, given by their texts, on a subject, and return one finding for each check, in order.

        Raise JudgmentError if the subject cannot be written as JSON.
        """
        subject_json = _write_subject(subject)
        findings: list[Finding] = []
        ended = lost = 0
        async with self._turns:
            while len(findings) < len(checks) and ended < ENDED_MAX:
                process = await self._take()
                try:
                    findings += await _exchange(process, checks[len(findings) :], subject_json)
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
        """Return a process that is idle, or start a new one if none is."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return await _start(self._check_cpu_s)


def _write_subject(subject: Subject) -> str:
    """Return a subject as the JSON text that checks read. Raise JudgmentError if it cannot be written as JSON."""
    is_repeated = False if subject.submission == 1 else subject.is_repeated
    known = {"payload": subject.payload, "submission": subject.submission}
    try:
        return json_text({"result": subject.result, "known": known, "is_repeated": is_repeated})
    except ValueError as error:
        raise JudgmentError("the result cannot be written as JSON", code=ErrorCode.RESULT_NOT_JSON) from error


async def _exchange(process: Process, checks: Sequence[str], subject: str) -> list[Finding]:
    """Have a process run checks on a subject, and return the findings: fewer than checks if the process ended."""
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
    """Start a process in its own session, which signals to this process do not reach, and wait until it is ready."""
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
