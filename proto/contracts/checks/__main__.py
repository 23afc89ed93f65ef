"""Run checks in a process of their own, within bounds of time and memory.

The first line of stdout says that the process is ready. Two lines of stdin are a job: a list of the texts of checks,
and `{"result", "known", "is_repeated"}`. For each check the process writes a line `[outcome, evidence, comment]` as
soon as these are known. A check that takes more seconds than the first argument says ends the process, as may a check
that takes more memory than MEMORY_MAX_BYTES: the reader counts the lines that came. Seconds are those of the CPU, so
that a busy machine changes no outcome.
"""

import json
import resource
import signal
import sys
import time
from typing import Final

from contracts.checks import Finding, Subject, read_check
from contracts.checks.paths import TooManyValuesError
from signoff.status import Outcome

#: All checks of a job together may take so many times as long; those that come after it are not made.
JOB_FACTOR: Final = 2.5
MEMORY_MAX_BYTES: Final = 1 << 30


def run(check_cpu_s: float) -> None:
    """Answer jobs until stdin ends. A check that takes more than `check_cpu_s` seconds of CPU ends the process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while checks := sys.stdin.buffer.readline():
        line = sys.stdin.buffer.readline()
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, check_cpu_s)  # SIGPROF ends the process
        subject = _read_subject(line)
        for text in json.loads(checks):
            is_late = time.process_time() - began > JOB_FACTOR * check_cpu_s
            answer = json.dumps(_cannot("the checks before it took too long") if is_late else _find(text, subject))
            sys.stdout.write(f"{answer}\n")
            sys.stdout.flush()
            signal.setitimer(signal.ITIMER_PROF, check_cpu_s)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _read_subject(line: bytes) -> Subject | None:
    try:
        return Subject(**json.loads(line))
    except (ValueError, RecursionError):  # such as a number of more digits than Python reads
        return None


def _find(text: str, subject: Subject | None) -> Finding:
    if subject is None:
        return _cannot("the result has a value that is too large to be checked")
    try:
        return read_check(text).find(subject)
    except (TooManyValuesError, MemoryError, RecursionError):
        return _cannot("the result is too large for it")
    except BaseException as error:  # whatever a library does with it, a panic too, the other checks go on
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return _cannot(f"it cannot be made of this result ({type(error).__name__})")


def _cannot(why: str) -> Finding:
    return Finding(Outcome.CANNOT_ASSESS, None, f"the check was not made: {why}")


if __name__ == "__main__":
    run(float(sys.argv[1]))
