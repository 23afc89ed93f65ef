"""`make mutants`. Exit status 0 only when every mutant that survives is explained, and every explanation is needed."""

import argparse
import os
import random
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

import hypothesis
import pytest

from mutants.making import Mutant, Source
from mutants.running import MutantRunner

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).with_name("explained.toml")
#: What decides: it is changed,
CHANGED = (
    "services/jobstore/jobstore/domain/[!_]*.py",
    "services/jobstore/jobstore/commands/[!_]*.py",
    "services/validator/validator/verdict.py",
    "services/servicekit/servicekit/leasing/slots.py",
    "services/servicekit/servicekit/leasing/worker.py",
)
#: and these tests, of which none needs a server, have to see it.
TESTS = (
    "tests/jobstore/domain",
    "tests/jobstore/commands",
    "tests/validator/test_verdict.py",
    "tests/validator/test_validate_agent_response.py",
    "tests/servicekit/leasing",
)
OPTIONS = ["-o", "addopts=", "-q", "-s", "--tb=no", "-m", "not real", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
#: Of these one needs the time limit of each test, which a child has as a whole; the others want files of their own.
PLUGINS_OFF = ["-p", "no:timeout", "-p", "no:cacheprovider", "-p", "no:schemathesis", "-p", "no:xdist"]


def main() -> int:
    """Make the mutants, run the tests against them, and say which survive without an explanation."""
    arguments = _arguments()
    os.chdir(ROOT)
    sources = [Source.read(ROOT, path) for pattern in CHANGED for path in sorted(ROOT.glob(pattern))]
    mutants = [each for source in sources if arguments.only in source.file for each in source.mutants()]
    chosen = random.Random(arguments.seed).sample(mutants, round(len(mutants) * arguments.share))
    runner = MutantRunner(sources, chosen, arguments.processes)
    hypothesis.settings.register_profile(
        "mutants",
        max_examples=20,
        derandomize=True,  # what passes against the original must fail for no other reason
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    profile = ["--hypothesis-profile=mutants"]
    status = pytest.main([*OPTIONS, *PLUGINS_OFF, *profile, *TESTS], plugins=[runner])
    if status != pytest.ExitCode.OK:
        return int(status)
    return _tell(runner, explained(EXPLAINED), is_whole=len(chosen) == len(mutants))


def explained(path: Path) -> Mapping[tuple[str, str, str], str]:
    """Return why mutants may survive, by file, what stood there and what stands there."""
    entries = tomllib.loads(path.read_text("utf-8"))["mutant"]
    return {(entry["file"], entry["before"], entry["after"]): entry["why"] for entry in entries}


def _tell(runner: MutantRunner, known: Mapping[tuple[str, str, str], str], *, is_whole: bool) -> int:
    survivors: dict[tuple[str, str, str], Mutant] = {(one.file, *one.change): one for one in runner.survivors}
    unexplained: Sequence[object] = [str(one) for key, one in survivors.items() if key not in known]
    files = {one.file for one in runner.mutants}
    needless = [
        f"{key}: explained, and killed" for key in known if is_whole and key[0] in files and key not in survivors
    ]
    problems = [*unexplained, *needless, *(f"misplaced: {one}" for one in runner.misplaced)]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    killed = len(runner.mutants) - len(runner.survivors) - len(runner.misplaced)
    sys.stdout.write(
        f"{len(runner.mutants)} mutants: {killed} killed, {len(survivors) - len(unexplained)} explained, "
        f"{len(problems)} problems\n"
    )
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("--only", default="", help="of files whose path has this in it")
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
