"""Run tests against mutants: a process is forked for each, in which all is imported and only code is exchanged."""

import gc
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest
from coverage import Coverage

from mutants.making import Mutant, Source, constants_of

#: What a mutant may take of the processor: so many times what its tests take, and this on top. One that takes more has
#: failed them, and so has one that waits for ever: the clock on the wall, which others hold up, has far more patience.
TIMES_MAX, EXTRA_S, PATIENCE = 5.0, 5.0, 12
MEMORY_MAX_BYTES = 4 << 30
#: How a process ends in which the tests passed, or one failed, or the mutant could not be put in place.
PASSED, FAILED, MISPLACED = range(3)


@dataclass(frozen=True)
class Reach:
    """Which tests run a line when they run, by file and line, and what each test takes of the processor.

    `kills` counts the mutants that each test has killed, in memory that all processes share.
    """

    by_line: Mapping[str, Mapping[int, frozenset[int]]]
    took_s: Sequence[float]
    kills: MutableSequence[int]

    def find_tests(self, mutant: Mutant, sources: Iterable[Source]) -> Sequence[int]:
        """Return the tests that may tell a mutant from the original, first those that are quick or killed others.

        What runs at the import alone may matter to whoever names it.
        """
        lines = self.by_line[mutant.file]
        found = frozenset[int]().union(*(lines.get(line, ()) for line in mutant.lines))
        if not found or not mutant.original.startswith(("@", "class ", "def ", "async ")):
            naming = (self.by_line[each.file].values() for each in sources if mutant.name in each.text)
            found = found.union(*(tests for by_line in naming for tests in by_line))
        return sorted(found, key=lambda test: self.took_s[test] / (1 + self.kills[test]))


@dataclass
class MutantRunner:
    """A plugin of pytest that runs the tests against each mutant, in as many processes at once as it is told."""

    sources: Sequence[Source]
    mutants: Sequence[Mutant]
    processes: int
    survivors: list[Mutant] = field(default_factory=list)
    misplaced: list[Mutant] = field(default_factory=list)
    unreached: set[Mutant] = field(default_factory=set)
    _running: dict[int, Mutant] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the tests once."""
        if session.testsfailed:
            raise session.Interrupted("tests cannot be imported")
        gc.collect()
        gc.freeze()  # else whatever is collected in a child is copied first
        began = time.monotonic()
        reach = _find_reach(session, self.sources)
        _say(f"{len(session.items)} tests pass, in {time.monotonic() - began:.0f} s")
        began = time.monotonic()
        try:
            for number, mutant in enumerate(self.mutants, start=1):
                self._reap(self.processes - 1)
                tests = reach.find_tests(mutant, self.sources)
                limit_s = EXTRA_S + TIMES_MAX * sum(reach.took_s[test] for test in tests)
                self._running[_fork(lambda: _try_mutant(session, mutant, tests, limit_s, reach.kills))] = mutant  # noqa: B023
                if number % 100 == 0 or number == len(self.mutants):
                    rate = number / (time.monotonic() - began)
                    _say(f"{number} of {len(self.mutants)} mutants, {rate:.1f} a second, {len(self.survivors)} survive")
            self._reap(0)
        finally:
            for pid in self._running:
                os.kill(pid, signal.SIGKILL)
        return True

    def _reap(self, most: int) -> None:
        """Wait until no more than `most` run."""
        while len(self._running) > most:
            pid, status = os.wait()
            mutant = self._running.pop(pid)
            ended = os.waitstatus_to_exitcode(status)
            if ended in {PASSED, MISPLACED}:
                (self.survivors if ended == PASSED else self.misplaced).append(mutant)
                _say(f"{'survives' if ended == PASSED else 'MISPLACED'}: {mutant}")


def _find_reach(session: pytest.Session, sources: Sequence[Source]) -> Reach:
    """Run the tests once, in a process of their own: no loop and no fixture of theirs is shared with others."""
    reader, writer = os.pipe()
    pid = _fork(lambda: _trace(session, sources, writer))
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        told = stream.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != PASSED:
        raise session.Failed("the tests fail before anything is changed")
    return Reach(*pickle.loads(told), RawArray("L", len(session.items)))


def _trace(session: pytest.Session, sources: Sequence[Source], writer: int) -> int:
    files = {each.file: str(Path(sys.modules[each.module_name].__file__ or "").resolve()) for each in sources}
    coverage = Coverage(data_file=None, include=list(files.values()), config_file=False)
    took_s = []
    coverage.start()
    for test in range(len(session.items)):
        coverage.switch_context(str(test))
        began = time.process_time()
        if _run(session, [test]) is not None:
            _say(f"\nfails before anything is changed: {session.items[test].nodeid}")
            return FAILED
        took_s.append(time.process_time() - began)
    coverage.stop()
    data = coverage.get_data()
    by_line = {
        name: {line: frozenset(map(int, filter(None, tests))) for line, tests in data.contexts_by_lineno(path).items()}
        for name, path in files.items()
    }
    with os.fdopen(writer, "wb") as stream:
        pickle.dump((by_line, took_s), stream)
    return PASSED


def _try_mutant(
    session: pytest.Session, mutant: Mutant, tests: Sequence[int], limit_s: float, kills: MutableSequence[int]
) -> int:
    signal.setitimer(signal.ITIMER_PROF, limit_s)  # SIGPROF ends the process, and so does SIGALRM
    signal.setitimer(signal.ITIMER_REAL, limit_s * PATIENCE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX_BYTES, MEMORY_MAX_BYTES))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    if not _put_in_place(mutant):
        return MISPLACED
    if (killer := _run(session, tests)) is None:
        return PASSED
    kills[killer] += 1
    return FAILED


def _put_in_place(mutant: Mutant) -> bool:
    module = sys.modules[mutant.module_name]
    fresh = dict(vars(module))
    text = "\n" * (mutant.begins - 1) + mutant.text
    exec(compile(text, module.__file__ or "", "exec"), fresh)
    changed = [mutant.name]
    for name, statement, named in constants_of(Path(module.__file__ or "").read_text("utf-8")):
        if name != mutant.name and named.intersection(changed):
            exec(statement, fresh)
            changed.append(name)
    try:
        for name in changed:
            _exchange(getattr(module, name), fresh[name], name)
    except (TypeError, ValueError):
        return False
    return True


def _exchange(old: Any, new: Any, name: str) -> None:
    """Make a function, the methods of a class, or a constant what the mutant's are, wherever they are imported."""
    functions = list(_functions_of(old, old))
    for function, changed in zip(functions, _functions_of(new, new), strict=True):
        if isinstance(old, type) and len(function.__closure__ or ()) != len(changed.__closure__ or ()):
            setattr(old, function.__name__, changed)  # made from fields, by a dataclass
            continue
        function.__code__, function.__defaults__ = changed.__code__, changed.__defaults__
        function.__kwdefaults__ = changed.__kwdefaults__
        for cell, other in zip(function.__closure__ or (), changed.__closure__ or (), strict=True):
            if not isinstance(other.cell_contents, type):  # what a method knows its class by stays
                cell.cell_contents = other.cell_contents
    if isinstance(old, type):
        _exchange_constants(old, new)
    elif not functions:
        for module in list(sys.modules.values()):
            if getattr(module, "__dict__", {}).get(name) is old:
                setattr(module, name, new)


def _exchange_constants(old: type, new: type) -> None:
    for name, value in vars(new).items():
        if isinstance(value, str | int | float | None) and not name.startswith("__"):
            setattr(old, name, value)


def _functions_of(value: Any, owner: Any) -> Iterator[FunctionType]:
    wrapped = [getattr(value, each, None) for each in ("__wrapped__", "fget", "fset")]
    if isinstance(value, type):
        if value is owner:
            for each in vars(value).values():
                yield from _functions_of(each, owner)
    elif any(wrapped):
        for each in filter(None, wrapped):
            yield from _functions_of(each, owner)
    elif isinstance(value, FunctionType):
        yield value


def _run(session: pytest.Session, tests: Sequence[int]) -> int | None:
    """Run tests until one fails, and return that one."""
    items = [session.items[test] for test in tests]
    for test, item, following in zip(tests, items, [*items[1:], None], strict=True):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return test
    return None


def _fork(work: Callable[[], int]) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        ended = FAILED
        try:
            ended = work()
        except Exception:  # noqa: BLE001 - it ends here, whatever it is
            traceback.print_exc()
        finally:
            os._exit(ended)
    return pid


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
